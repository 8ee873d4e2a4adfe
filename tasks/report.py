"""BuildReport: the page people look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import luigi

from pipeline import nights
from pipeline.progress import Progress
from pipeline.report import page
from tasks.base import NIGHT, Stage, settings
from tasks.digest import SendDigest
from tasks.posterior import UpdatePosterior


class ReportTarget(luigi.Target):
    """The page is there, and was made from what the database says now."""

    def __init__(self, day: Any) -> None:
        self.day = day

    def exists(self) -> bool:
        """One query and one look at the disk."""
        return page.has(settings(), self.day)

    def __str__(self) -> str:
        return f"report/{self.day}"


class BuildReport(Stage):
    """Make the page of one night, from the database alone."""

    date = luigi.DateParameter(description="the night's day, YYYY-MM-DD")

    #: After all else of the run: a page made too early would have to be made again.
    priority = 1

    def requires(self) -> list[luigi.Task]:
        """The posteriors of the studies whose day is over and has a source (the page says what is missing), and the alarms it shows."""
        names = nights.due(settings(), self.date).studies_with_source
        return [*(UpdatePosterior(study=name, date=self.date) for name in names), SendDigest(date=self.date)]

    def output(self) -> luigi.Target:
        """The page, current."""
        return ReportTarget(self.date)

    def complete(self) -> bool:
        """False, too, while hours of the day are missing that this night has not asked for again: they may change the page."""
        areas = nights.due(settings(), self.date).areas
        return not any(nights.hours_due(settings(), area, self.date, NIGHT) for area in areas) and super().complete()

    def stage_revision(self) -> str:
        """What the page shows."""
        return page.revision(settings(), self.date)

    def make(self, progress: Progress) -> Mapping[str, Any]:
        """One call."""
        page.build(settings(), self.date, progress=progress)
        return {}
