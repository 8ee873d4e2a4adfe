"""UpdatePosterior: the prior and all stored counts to what is published."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import luigi

from pipeline import nights, posterior
from pipeline.progress import Progress
from tasks.base import StudyStage, settings
from tasks.load import LoadCounts
from tasks.targets import MarkerTarget


class UpdatePosterior(StudyStage):
    """Publish a study's posterior for one day, and restate what later days said where that changed."""

    resources = {"database": 1}  # noqa: RUF012 (Luigi reads it from the class)

    @functools.cached_property
    def _days(self) -> tuple[Any, ...]:
        # asked once: Luigi calls requires() again when the task starts, and a day that another task
        # has extracted in between would be an unfulfilled requirement
        return (*nights.recountable_days(settings(), self.study, self.date), self.date)

    def requires(self) -> list[luigi.Task]:
        """The counts of the day, and of every earlier day that is on disk but counted by another rule, or not at all."""
        return [LoadCounts(study=self.study, date=day) for day in self._days]

    def output(self) -> luigi.Target:
        """The marker of the published row."""
        return MarkerTarget(settings(), "posteriors", self.study, self.date, self.stage_revision())

    def stage_revision(self) -> str:
        """Prior, forgetting, rule, area, code version, and the day's own counts."""
        return posterior.revision(settings(), self.study, self.date)

    def make(self, progress: Progress) -> Mapping[str, Any]:
        """One call."""
        return {"rows_out": posterior.update(settings(), self.study, self.date, progress=progress)}
