"""CleanTweets: raw records to one row a tweet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import luigi

from pipeline import clean
from pipeline.progress import Progress
from tasks.base import AreaStage, settings
from tasks.extract import ExtractTweets
from tasks.targets import FolderTarget


class CleanTweets(AreaStage):
    """Clean the tweets of one area and day, and count what was left out by its reason."""

    def requires(self) -> luigi.Task:
        """The raw partition of the same area and day."""
        return ExtractTweets(area=self.area, date=self.date)

    def output(self) -> luigi.Target:
        """The cleaned partition."""
        return FolderTarget(clean.partition(settings(), self.area, self.date))

    def stage_revision(self) -> str:
        """Inputs, evidence policy, code version."""
        return clean.revision(settings(), self.area, self.date)

    def make(self, progress: Progress) -> Mapping[str, Any]:
        """One call."""
        manifest = clean.run(settings(), self.area, self.date, progress=progress)
        return {"rows_in": manifest["records"], "rows_out": manifest["rows"]}
