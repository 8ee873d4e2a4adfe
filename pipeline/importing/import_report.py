"""What became of imported files: two accounts, of lines and of records, that both add up. importing/ makes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.days import Window
from pipeline.documents import Lines
from pipeline.sources.archive import AreaCounts
from pipeline.streams import Damage


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file. Counted in two units that both add up: lines (of the plain text) and records (what the lines hold).

    Attributes:
        path: the file as given.
        digest: name of its extract.
        status: "imported", or "held" when it (the same bytes, under whatever name) had been imported before; the counts are the same.
        bytes: size of the file.
        lines: what became of its lines; see documents.Lines.
        records: posts, notices and rejects: what the documents hold (a page is one line and many records), and the broken lines.
        stored: records with a point or place, kept in the extract.
        no_geo: posts that say nothing of where they were written; not kept.
        duplicates: posts with a point or place that say the same of the same version as an earlier one in the file; not kept.
        expired: records that were removed after [content] retention_days.
        window: the times that were wanted; None: all.
        outside_window: posts, geotagged or not, from outside those times; not kept.
        skipped: members passed over unread, since their names tell of days outside.
        deleted: geotagged posts that are gone for good (tombstones/), at the time of the import or since; not kept.
        notices: kind → how many.
        rejects: reason → how many.
        damages: where compression or packing broke.
        first, last: times of the earliest and latest post, geotagged or not.
        areas: configured area → what the extract holds of it.
        searches: queries that the file's documents are answers to, SEARCHES and one more at most; empty for what a stream sent.
    """

    path: Path
    digest: str
    status: str
    bytes: int
    lines: Lines
    records: int
    stored: int
    no_geo: int
    duplicates: int
    notices: Mapping[str, int]
    rejects: Mapping[str, int]
    damages: tuple[Damage, ...]
    first: datetime | None
    last: datetime | None
    areas: Mapping[str, AreaCounts]
    searches: tuple[str, ...] = ()
    deleted: int = 0
    expired: int = 0
    window: Window | None = None
    outside_window: int = 0
    skipped: int = 0

    def of_area(self, area: str) -> dict[str, int]:
        """One area's account of the file, in records; the values sum up to `records`."""
        counts = self.areas[area]
        parts = {
            "kept": counts.kept,
            "outside": counts.outside,
            "nowhere": counts.nowhere,
            "other_evidence": counts.other_evidence,
            "no_geo": self.no_geo,
            "deleted": self.deleted,
            "duplicates": self.duplicates + counts.duplicates,
            "notices": sum(self.notices.values()),
            "rejects": sum(self.rejects.values()),
        }
        if self.outside_window:
            parts["outside_window"] = self.outside_window
        # what an area held of them is known only where it was counted before
        return parts | ({"expired": self.records - sum(parts.values())} if self.expired else {})

    @property
    def in_short(self) -> str:
        """Its account in a few words."""
        parts = [f"{self.lines.total:,} lines", f"{self.records:,} records", f"{self.stored:,} geotagged"]
        rejected = sum(self.rejects.values())
        parts += [f"{rejected:,} discarded"] if rejected else []
        parts += [f"{len(self.damages):,} damaged"] if self.damages else []
        return ", ".join(parts)

    @property
    def accounted(self) -> bool:
        """Whether both accounts add up, for the file and for every area."""
        kept = self.stored + self.deleted + self.expired + self.outside_window
        whole = kept + self.no_geo + self.duplicates + sum(self.notices.values()) + sum(self.rejects.values())
        areas = all(sum(self.of_area(area).values()) == self.records for area in self.areas)
        return self.lines.accounted and whole == self.records and areas


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be read: why, what to do, and whether the same may succeed later."""

    path: Path
    what: str
    todo: str
    transient: bool


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of all files, in the order in which they were read; a file given twice stands twice, the second time as "held".

    Attributes:
        files: those of which there is an extract now.
        failures: those that could not be read; nothing of them was kept.
        skipped: those not read, since their paths tell of days outside the window.
    """

    files: tuple[FileReport, ...]
    failures: tuple[Failure, ...] = ()
    skipped: tuple[Path, ...] = ()

    @property
    def imported(self) -> int:
        """How many files were new."""
        return sum(report.status == "imported" for report in self.files)

    @property
    def accounted(self) -> bool:
        """Whether every line and every record of every file is accounted for."""
        return all(report.accounted for report in self.files)

    def of_area(self, area: str) -> dict[str, int]:
        """One area's account, in records, over the distinct files. A tweet that two files hold is kept in both here, and one in clean."""
        total: Counter[str] = Counter()
        for report in {report.digest: report for report in self.files}.values():
            total.update(report.of_area(area))
        return dict(total)
