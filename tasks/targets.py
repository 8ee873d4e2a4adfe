"""Where a task's result is looked for. A target's name follows from the task's parameters and revision; nobody types it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import luigi

from pipeline import database
from pipeline.settings import Settings


class FolderTarget(luigi.Target):
    """A partition in files: a folder that was named only when it was whole (storage.publish_directory)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        """True once the folder has its name."""
        return (self.path / "manifest.json").is_file()

    def __str__(self) -> str:
        return str(self.path)


class CurrentTarget(luigi.Target):
    """Something of a whole night that is there, and was made from what the database says now."""

    def __init__(self, what: str, settings: Settings, day: date, has: Callable[[Settings, date], bool]) -> None:
        self.what, self.settings, self.day, self.has = what, settings, day, has

    def exists(self) -> bool:
        """One query and one look at the disk."""
        return self.has(self.settings, self.day)

    def __str__(self) -> str:
        return f"{self.what}/{self.day}"


class MarkerTarget(luigi.Target):
    """A partition in PostgreSQL: its marker, written in the transaction that loaded it, has the wanted revision."""

    def __init__(self, settings: Settings, dataset: str, name: str, day: date, revision: str) -> None:
        self.settings = settings
        self.key = (dataset, name, day)
        self.revision = revision

    def exists(self) -> bool:
        """One query."""
        return bool(database.markers_present(self.settings, {self.key: self.revision}))

    def __str__(self) -> str:
        dataset, name, day = self.key
        return f"{dataset}/{name}/{day}@{self.revision}"
