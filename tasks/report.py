"""BuildReport: the page people look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import luigi

from pipeline import nights
from pipeline.progress import Progress
from pipeline.report import page
from tasks.base import NightStage, settings
from tasks.digest import SendDigest
from tasks.posterior import UpdatePosterior
from tasks.targets import CurrentTarget


class BuildReport(NightStage):
    """Make the page of one night, from the database alone."""

    #: After all else of the run: a page made too early would have to be made again.
    priority = 1

    def requires(self) -> list[luigi.Task]:
        """The posteriors of the studies whose day is over and has a source (the page says what is missing), and the alarms it shows."""
        names = nights.due(settings(), self.date).studies_with_source
        return [*(UpdatePosterior(study=name, date=self.date) for name in names), SendDigest(date=self.date)]

    def output(self) -> luigi.Target:
        """The page, current."""
        return CurrentTarget("report", settings(), self.date, page.has)

    def stage_revision(self) -> str:
        """What the page shows."""
        return page.revision(settings(), self.date)

    def make(self, progress: Progress) -> Mapping[str, Any]:
        """One call."""
        page.build(settings(), self.date, progress=progress)
        return {}
