"""LoadTweets and LoadCounts: partitions into PostgreSQL, each in one transaction with its marker. LoadTweetsRange: many days in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date as Date
from functools import cached_property
from typing import Any

import luigi

from pipeline import clean, count, database, days, load
from pipeline.errors import named_disk_errors
from pipeline.inputs import Sources
from pipeline.progress import Progress
from tasks.base import AreaStage, Stage, StudyStage, settings
from tasks.clean import CleanTweets
from tasks.count import CountMatches
from tasks.targets import MarkerTarget

#: So many days are loaded in one transaction: what one that is broken off has to make again.
DAYS_AT_ONCE = 31


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


class LoadTweetsRange(Stage):
    """Replace many days of an area in the table tweets, a month in a transaction: for backfills. Nights find their LoadTweets done.

    Days that no source holds are left out, unless that is so of all.
    """

    area = luigi.Parameter(description="a name from areas.toml")
    since = luigi.DateParameter(description="the first local day of the area, YYYY-MM-DD")
    until = luigi.DateParameter(description="the last one, YYYY-MM-DD")

    resources = {"database": 1}  # noqa: RUF012 (Luigi reads it from the class)

    @property
    def priority(self) -> int:
        """As of its first day."""
        return 10_000_000 - int(self.since.toordinal())

    @cached_property
    def days(self) -> tuple[Date, ...]:
        """Those of the range that are loaded. Asked once: what is imported meanwhile is another run's."""
        every = days.days_between(self.since, self.until)
        sources = Sources(settings(), self.area)
        return tuple(day for day in every if sources.has(day)) or every

    def requires(self) -> list[luigi.Task]:
        """The cleaned tweets of every day."""
        return [CleanTweets(area=self.area, date=day) for day in self.days]

    def complete(self) -> bool:
        """Whether every day's marker is there: one query."""
        with named_disk_errors():
            revisions = clean.Revisions(settings(), self.area)
            wanted = {day: {("tweets", self.area): revisions.of(day)} for day in self.days}
            return database.days_marked(settings(), wanted) == set(wanted)

    def make(self, progress: Progress) -> Mapping[str, Any]:
        """One call a month."""
        rows = sum(load.tweets_of_days(settings(), self.area, month, progress=progress) for month in self._months())
        return {"rows_out": rows}

    def _months(self) -> Iterator[tuple[Date, ...]]:
        for start in range(0, len(self.days), DAYS_AT_ONCE):
            yield self.days[start : start + DAYS_AT_ONCE]


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
