"""ExtractCounts: the task that asks X to count, where a study wants no tweets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import luigi

from pipeline import extract_counts
from pipeline.progress import Progress
from tasks.base import StudyStage, settings
from tasks.targets import FolderTarget


class ExtractCounts(StudyStage):
    """Have X count one day of a study in mode "counts": two requests, and no tweet is stored."""

    #: As ExtractTweets: the API's limits are the account's.
    resources = {"x_api": 1}  # noqa: RUF012 (Luigi reads it from the class)

    def output(self) -> luigi.Target:
        """X's two answers."""
        return FolderTarget(extract_counts.partition(settings(), self.study, self.date))

    def stage_revision(self) -> str:
        """Queries, time zone."""
        return extract_counts.revision(settings(), self.study)

    def make(self, progress: Progress) -> Mapping[str, Any]:
        """One call."""
        manifest = extract_counts.run(settings(), self.study, self.date, progress=progress)
        return {"rows_out": len(manifest["answers"]), "requests": manifest["requests"]}
