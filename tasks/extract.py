"""ExtractTweets: the only task that reaches out of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import luigi

from pipeline import extract, inputs, spend
from pipeline.errors import MissingData
from pipeline.progress import Progress
from pipeline.sources import archive
from tasks.base import NIGHT, AreaStage, settings
from tasks.targets import FolderTarget


class ArchivedDay(luigi.ExternalTask):
    """A day of an area that only archives can give. Where none holds it, somebody has to import one: Luigi calls it missing data."""

    area = luigi.Parameter(description="a name from areas.toml")
    date = luigi.DateParameter(description="a local day of the area")

    def complete(self) -> bool:
        """True when some source can give that day."""
        try:
            inputs.inputs(settings(), self.area, self.date)
        except MissingData:
            return False
        return True


class ExtractTweets(AreaStage):
    """Fetch the tweets of one area and day, as received, page by page. Days that archives hold need no fetching."""

    #: The API's limits are the account's: one extraction at a time whatever the number of workers.
    resources = {"x_api": 1}  # noqa: RUF012 (Luigi reads it from the class)

    def requires(self) -> list[luigi.Task]:
        """Nothing, unless the day can come from archives alone and none holds it."""
        external = ArchivedDay(area=self.area, date=self.date)
        return [] if external.complete() else [external]

    def output(self) -> list[luigi.Target]:
        """The raw partition, and the archives' extracts that hold this day."""
        try:
            wanted = inputs.inputs(settings(), self.area, self.date)
        except MissingData:
            return []
        folders = [archive.folder(settings(), digest) for digest in wanted.archives]
        if wanted.x:
            folders.append(extract.partition(settings(), self.area, self.date))
        return [FolderTarget(folder) for folder in folders]

    def complete(self) -> bool:
        """True when every source of the day is on disk, and no missing hour is due; a day without any source is not complete."""
        return bool(self.output()) and super().complete()

    def stage_revision(self) -> str:
        """Box, time zone, queries."""
        return extract.revision(settings(), self.area)

    def make(self, progress: Progress) -> Mapping[str, Any]:
        """One call."""
        account = spend.account(settings(), f"tweets {self.area} {self.date}")
        manifest = extract.run(settings(), self.area, self.date, progress=progress, night=NIGHT, account=account)
        return {"rows_out": manifest["posts"], "requests": manifest["requests"]}
