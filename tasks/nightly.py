"""Nightly: every stage of every study whose day is over."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import date as Date
from typing import Any

import luigi

from pipeline import nights, purge, retention
from pipeline.progress import Progress
from tasks.base import NIGHT, Stage, settings
from tasks.digest import SendDigest
from tasks.load import LoadTweets
from tasks.posterior import UpdatePosterior
from tasks.report import BuildReport

logger = logging.getLogger("geobeta")


class Nightly(Stage):
    """All of geobeta for one day. An area whose local day is not over yet is left for the next night."""

    date = luigi.DateParameter(description="the day, YYYY-MM-DD, in each area's own time zone")

    #: Last of all.
    priority = 0

    def requires(self) -> list[luigi.Task]:
        """The loaded tweets and posteriors of all studies that are due, the page, and the digest."""
        due = nights.due(settings(), self.date)
        if not due.studies:
            return []
        tasks: list[luigi.Task] = [UpdatePosterior(study=study, date=self.date) for study in due.studies]
        tasks += [LoadTweets(area=area, date=self.date) for area in due.areas]
        return [*tasks, BuildReport(date=self.date), SendDigest(date=self.date)]

    def complete(self) -> bool:
        """True when every study that is due has its posterior, page and digest are current. Says what is left for the next night."""
        for left in nights.due(settings(), self.date).left:
            logger.warning("%s", left)
        return self.date in nights.complete_days(settings(), [self.date], night=NIGHT)

    def make(self, progress: Progress) -> Mapping[str, Any]:
        """What archives ask to delete, where an import was cut short; digests and pages that changed; what is too old to be kept."""
        purge.apply_archives(settings(), progress=progress)
        # pages show what the digests find
        refreshed = nights.refresh_digests(settings(), self.date, progress=progress)
        refreshed += nights.refresh_pages(settings(), self.date, progress=progress)
        retention.run(settings(), progress=progress)
        return {"rows_out": refreshed}

    @classmethod
    def bulk_complete(cls, parameter_tuples: Iterable[Date]) -> list[Date]:
        """The days, of those given, that are complete: one query whatever their number. RangeDaily calls this."""
        days = list(parameter_tuples)
        complete = nights.complete_days(settings(), days, night=NIGHT)
        return [day for day in days if day in complete]
