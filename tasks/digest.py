"""SendDigest: what the night found out of the ordinary, told once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import luigi

from pipeline import nights
from pipeline.digest import night
from pipeline.progress import Progress
from tasks.base import NightStage, settings
from tasks.load import LoadTweets
from tasks.posterior import UpdatePosterior
from tasks.targets import CurrentTarget


class SendDigest(NightStage):
    """Find the alarms of one night, tell them by the channels that are set, and write the digest."""

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
        return CurrentTarget("digest", settings(), self.date, night.has)

    def stage_revision(self) -> str:
        """What is judged, and by which promise."""
        return night.revision(settings(), self.date)

    def make(self, progress: Progress) -> Mapping[str, Any]:
        """One call."""
        return {"rows_out": night.make(settings(), self.date, progress=progress)}
