"""CountMatches: cleaned tweets and a rule, or X's own counts, to trials and matches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import luigi

from pipeline import count
from pipeline.progress import Progress
from tasks.base import StudyStage, settings
from tasks.clean import CleanTweets
from tasks.extract_counts import ExtractCounts
from tasks.targets import FolderTarget


class CountMatches(StudyStage):
    """Count the tweets of one day that the study's rule matches, by author."""

    def requires(self) -> luigi.Task:
        """The cleaned tweets of the study's area; X's counts where the study is in that mode."""
        if settings().study(self.study).mode == "counts":
            return ExtractCounts(study=self.study, date=self.date)
        return CleanTweets(area=self.area, date=self.date)

    def output(self) -> luigi.Target:
        """The counts partition."""
        return FolderTarget(count.partition(settings(), self.study, self.date))

    def stage_revision(self) -> str:
        """Cleaned tweets' revision, rule, code version."""
        return count.revision(settings(), self.study, self.date)

    def make(self, progress: Progress) -> Mapping[str, Any]:
        """One call."""
        manifest = count.run(settings(), self.study, self.date, progress=progress)
        return {"rows_in": manifest["trials"], "rows_out": manifest["matches"]}
