"""ImportArchive: one archive file to its extract; and many of them, as `python -m pipeline import` asks for."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path
from typing import Any

import luigi

from pipeline import configuration, days, importing
from pipeline import settings as configured
from pipeline.errors import PipelineError
from pipeline.importing import import_runs
from pipeline.importing.import_report import FileReport
from pipeline.progress import Progress
from pipeline.settings import Settings
from tasks.base import in_plain_words
from tasks.reporting import reporting

logger = logging.getLogger("geobeta")

HIDDEN = luigi.parameter.ParameterVisibility.HIDDEN

_settings: Settings | None = None


def settings() -> Settings:
    """What an import needs of config/ and the environment: the areas; neither studies nor a database."""
    global _settings
    if _settings is None:
        found = configured.read(need="areas")
        configuration.check_data_folder(found)
        _settings = found
    return _settings


class OptionalDate(luigi.parameter.OptionalParameterMixin, luigi.DateParameter):
    """A day, or nothing."""

    expected_type = date


class ImportStage(luigi.Task):
    """A task that reads archive files. No row of task_runs speaks of it: an import is not to start a database; see imports/ instead."""

    def on_failure(self, exception: BaseException) -> str:
        """Plain words, as of any stage."""
        return in_plain_words(exception)

    def reporting(self) -> Any:
        """Tells the Luigi page how far it is."""
        # these two exist in a Luigi worker only
        message, percentage = getattr(self, "set_status_message", None), getattr(self, "set_progress_percentage", None)
        return reporting(self.task_family, message, percentage)


class ImportArchive(ImportStage):
    """Make the extract of one archive file: every geotagged tweet of it, for any area and day."""

    path: str = luigi.Parameter(description="the file")
    since: date | None = OptionalDate(None, description="first day that is wanted of it, YYYY-MM-DD; without it, from the first on")
    until: date | None = OptionalDate(None, description="last day that is wanted")
    strict: bool = luigi.BoolParameter(False, description="refuse the file if anything of it is rejected or damaged")
    run_name: str = luigi.Parameter("", significant=False, visibility=HIDDEN, description="the import that it is part of")

    @property
    def priority(self) -> int:
        """Large files first: a large one begun last would leave the other processes idle at the end."""
        try:
            return Path(self.path).stat().st_size // 1024**2
        except OSError:
            return 0

    @property
    def asked(self) -> importing.Wanted:
        """What is to be in the extract."""
        return importing.wanted(settings(), days.reach(self.since, self.until), strict=self.strict)

    def complete(self) -> bool:
        """True when the extract is there, holds these days, and was made by today's code; the file is not opened."""
        return importing.is_held(settings(), Path(self.path), self.asked)

    def run(self) -> None:
        """One call."""
        path = Path(self.path)
        with self.reporting() as progress:
            if self.run_name:
                _told(import_runs.read(settings(), import_runs.find(settings(), self.run_name), path, progress=progress), progress)
            else:
                _told(importing.read(settings(), path, self.asked, progress=progress), progress)


class ImportBundle(ImportStage):
    """The same of many small files, one after the other; each is complete by itself, so a rerun reads only those that are not."""

    run_name: str = luigi.Parameter(description="the import that it is part of")
    number: int = luigi.IntParameter(description="which of its tasks")

    @property
    def asked(self) -> import_runs.Run:
        """The import."""
        return import_runs.find(settings(), self.run_name)

    def complete(self) -> bool:
        """True when every file is."""
        run = self.asked
        wanted = run.asked(settings())
        return all(importing.is_held(settings(), run.paths[number], wanted) for number in run.tasks[self.number])

    def run(self) -> None:
        """A file that fails is no reason to leave the rest unread; the task fails at the end."""
        run = self.asked
        numbers = run.tasks[self.number]
        total, done = sum(run.sizes[number] for number in numbers) or 1, 0
        failed: list[PipelineError] = []
        with self.reporting() as progress:
            for place, number in enumerate(numbers):
                said = f"{place + 1} of {len(numbers)} files: {run.paths[number].name}"
                progress(done / total, said)
                try:
                    import_runs.read(settings(), run, run.paths[number])
                except PipelineError as error:
                    failed.append(error)
                done += run.sizes[number]
        if failed:
            more = f" (and {len(failed) - 1} more of its {len(numbers)} files)" if len(failed) > 1 else ""
            raise type(failed[0])(f"{failed[0].what}{more}", todo=failed[0].todo)


class ImportArchives(luigi.WrapperTask):
    """All files of one import, which `python -m pipeline import` has written down under a name: no parameter as long as the list."""

    run_name: str = luigi.Parameter(description="the import's name: a folder in imports/ of the data folder")

    def requires(self) -> list[luigi.Task]:
        """A task for each file; bundles of the small ones where there are very many."""
        run = import_runs.find(settings(), self.run_name)
        return [
            ImportArchive(path=str(run.paths[numbers[0]]), since=run.since, until=run.until, strict=run.strict, run_name=run.name)
            if len(numbers) == 1
            else ImportBundle(run_name=run.name, number=number)
            for number, numbers in enumerate(run.tasks)
        ]


def _told(found: FileReport, progress: Progress) -> None:
    progress(1.0, f"{found.status}: {found.in_short}")
    logger.info("%s: %s: %s", found.path.name, found.status, found.in_short)
