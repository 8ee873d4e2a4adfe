"""SendDigest: what the night found out of the ordinary, told once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import luigi

from pipeline import nights
from pipeline.digest import night
from pipeline.progress import Progress
from tasks.base import NIGHT, Stage, settings
from tasks.load import LoadTweets
from tasks.posterior import UpdatePosterior


class DigestTarget(luigi.Target):
    """The digest is there, and was made from what the database says now."""

    def __init__(self, day: Any) -> None:
        self.day = day

    def exists(self) -> bool:
        """One query and one look at the disk."""
        return night.has(settings(), self.day)

    def __str__(self) -> str:
        return f"digest/{self.day}"


class SendDigest(Stage):
    """Find the alarms of one night, tell them by the channels that are set, and write the digest."""

    date = luigi.DateParameter(description="the night's day, YYYY-MM-DD")

    #: After all is loaded, else it would be judged again; before any page: those from an alarm's day on show it and would be made twice.
    priority = 2

    def requires(self) -> list[luigi.Task]:
        """What is judged: the posteriors of the studies whose day is over and has a source, and the tweets of their areas."""
        names = nights.due(settings(), self.date).studies_with_source
        areas = nights.collected(settings(), (settings().study(name) for name in names))
        tasks: list[luigi.Task] = [UpdatePosterior(study=name, date=self.date) for name in names]
        return [*tasks, *(LoadTweets(area=area, date=self.date) for area in areas)]

    def output(self) -> luigi.Target:
        """The digest, current."""
        return DigestTarget(self.date)

    def complete(self) -> bool:
        """False, too, while hours of the day are missing that this night has not asked for again: they may change the numbers."""
        areas = nights.due(settings(), self.date).areas
        return not any(nights.hours_due(settings(), area, self.date, NIGHT) for area in areas) and super().complete()

    def stage_revision(self) -> str:
        """What is judged, and by which promise."""
        return night.revision(settings(), self.date)

    def make(self, progress: Progress) -> Mapping[str, Any]:
        """One call."""
        return {"rows_out": night.make(settings(), self.date, progress=progress)}
