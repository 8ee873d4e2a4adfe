"""What every task shares: the settings, the run ledger, progress, and errors in plain words on the Luigi page."""

from __future__ import annotations

import logging
import textwrap
import time
import traceback
from collections.abc import Mapping
from datetime import date
from typing import Any

import luigi

from pipeline import configuration, ledger, nights
from pipeline.errors import PipelineError, named_disk_errors
from pipeline.progress import Progress
from pipeline.settings import Settings
from tasks import exit_code
from tasks.exit_code import NIGHT
from tasks.reporting import reporting

logger = logging.getLogger("geobeta")


_settings: Settings | None = None


def settings() -> Settings:
    """config/ and the environment, read once a process, and never when a module is merely imported."""
    global _settings
    if _settings is None:
        found = configuration.load()
        configuration.check_data_folder(found)
        exit_code.watch(found.data)
        _settings = found
    return _settings


class Stage(luigi.Task):
    """A task of one call: subclasses say what they need, where their result is, and which function makes it."""

    def complete(self) -> bool:
        """As Luigi's, with a folder that cannot be looked into named in plain words."""
        with named_disk_errors():
            return bool(super().complete())

    @property
    def priority(self) -> int:
        """Earlier days first, so that a backfill restates nothing. (Luigi neither hands a priority down nor knows negative ones.)"""
        return 10_000_000 - self.date.toordinal()

    def make(self, progress: Progress) -> Mapping[str, Any]:
        """Make this task's partition; return what the ledger should know: rows_in, rows_out, requests."""
        raise NotImplementedError

    def stage_revision(self) -> str | None:
        """The revision of what this task makes, for the ledger."""
        return None

    def run(self) -> None:
        """Call the stage, telling the Luigi page how far it is and the ledger what came of it."""
        started = time.monotonic()
        name = " ".join([self.task_family, *self.to_str_params(only_significant=True).values()])
        parameters = self.to_str_params(only_significant=True)
        # these two exist in a Luigi worker only
        message, percentage = getattr(self, "set_status_message", None), getattr(self, "set_progress_percentage", None)
        with (
            ledger.running(settings(), self.task_family, parameters, self.stage_revision()) as entry,
            reporting(name, message, percentage) as progress,
            named_disk_errors(),
        ):
            outcome = self.make(progress)
            entry.rows_in, entry.rows_out = outcome.get("rows_in"), outcome.get("rows_out")
            entry.requests = outcome.get("requests")
            told = in_words(outcome)
            progress(1.0, told or "done")
        logger.info("%s: %s (%.1f s)", name, told or "done", time.monotonic() - started)

    def on_failure(self, exception: BaseException) -> str:
        """What the Luigi page shows of a failure: plain words where the error is one of ours, else the traceback."""
        exit_code.note(settings().data, exception)
        return in_plain_words(exception)


@luigi.Task.event_handler(luigi.Event.BROKEN_TASK)
@luigi.Task.event_handler(luigi.Event.PROCESS_FAILURE)
def _failed_without_a_word(task: luigi.Task, what: object) -> None:
    """A task that could not be scheduled, or whose process was killed: nobody else notes it for the exit code."""
    if _settings is not None:
        exit_code.note(_settings.data, None)


def in_plain_words(exception: BaseException) -> str:
    """An error as the Luigi page shows it."""
    if isinstance(exception, PipelineError):
        said = f"{type(exception).__name__}: {exception}".splitlines()
        return "\n".join(_wrapped(line) for line in said)
    return "".join(traceback.format_exception(exception))


def in_words(outcome: Mapping[str, Any]) -> str:
    """What a task made, for its line: {"rows_out": 1, "requests": 3} is "1 row out, 3 requests"."""
    return ", ".join(f"{value:,} {_unit(key, value)}" for key, value in outcome.items() if value is not None)


def _unit(key: str, value: int) -> str:
    unit, *direction = key.split("_")
    return " ".join([unit.removesuffix("s") if value == 1 else unit, *direction])


def _wrapped(line: str) -> str:
    # the page's box does not wrap: what is longer hides behind a scroll bar
    return textwrap.fill(line, 66, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


class NightStage(Stage):
    """A stage that makes one thing of a whole night, from the database."""

    date = luigi.DateParameter(description="the night's day, YYYY-MM-DD")

    def complete(self) -> bool:
        """False, too, while hours of the day are missing that this night has not asked for again: they may change the numbers."""
        areas = nights.due(settings(), self.date).areas
        return not any(nights.hours_due(settings(), area, self.date, NIGHT) for area in areas) and super().complete()


class AreaStage(Stage):
    """A stage whose partitions are (area, day)."""

    area: str = luigi.Parameter(description="a name from areas.toml")
    date: date = luigi.DateParameter(description="a local day of the area, YYYY-MM-DD")

    def complete(self) -> bool:
        """False, too, while hours of the day are missing that this night has not asked for again."""
        with named_disk_errors():
            return not nights.hours_due(settings(), self.area, self.date, NIGHT) and super().complete()


class StudyStage(Stage):
    """A stage whose partitions are (study, day)."""

    study: str = luigi.Parameter(description="a name from studies.toml")
    date: date = luigi.DateParameter(description="a local day of the study's area, YYYY-MM-DD")

    def complete(self) -> bool:
        """False, too, while hours of the day are missing that this night has not asked for again; what X counts has no such hours."""
        with named_disk_errors():
            study = settings().study(self.study)
            if study.mode == "tweets" and nights.hours_due(settings(), study.area, self.date, NIGHT):
                return False
            return super().complete()

    @property
    def area(self) -> str:
        """The area that the study asks about."""
        return settings().study(self.study).area
