"""LoadTweets and LoadCounts: partitions into PostgreSQL, each in one transaction with its marker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import luigi

from pipeline import clean, count, load
from pipeline.progress import Progress
from tasks.base import AreaStage, StudyStage, settings
from tasks.clean import CleanTweets
from tasks.count import CountMatches
from tasks.targets import MarkerTarget


class LoadTweets(AreaStage):
    """Replace one area's day in the table tweets."""

    resources = {"database": 1}  # noqa: RUF012 (Luigi reads it from the class)

    def requires(self) -> luigi.Task:
        """The cleaned tweets."""
        return CleanTweets(area=self.area, date=self.date)

    def output(self) -> luigi.Target:
        """The marker of the partition."""
        return MarkerTarget(settings(), "tweets", self.area, self.date, self.stage_revision())

    def stage_revision(self) -> str:
        """The cleaned tweets' own."""
        return clean.revision(settings(), self.area, self.date)

    def make(self, progress: Progress) -> Mapping[str, Any]:
        """One call."""
        return {"rows_out": load.tweets(settings(), self.area, self.date, progress=progress)}


class LoadCounts(StudyStage):
    """Replace one study's day in the tables daily_counts, author_counts and tweet_matches."""

    resources = {"database": 1}  # noqa: RUF012 (Luigi reads it from the class)

    def requires(self) -> luigi.Task:
        """The counts."""
        return CountMatches(study=self.study, date=self.date)

    def output(self) -> luigi.Target:
        """The marker of the partition."""
        return MarkerTarget(settings(), "counts", self.study, self.date, self.stage_revision())

    def stage_revision(self) -> str:
        """The counts' own."""
        return count.revision(settings(), self.study, self.date)

    def make(self, progress: Progress) -> Mapping[str, Any]:
        """One call."""
        return {"rows_out": load.counts(settings(), self.study, self.date, progress=progress)}
