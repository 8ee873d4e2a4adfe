"""The geotagged extract of one archive file being written: every record with a point or place, for any box; everything else counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from pipeline import documents, faults, formats, minutes, redaction, storage
from pipeline.archive_deletions import Asked
from pipeline.days import Window
from pipeline.documents import Broken, Lines
from pipeline.formats import Notice, Record, Reject
from pipeline.quarantine import Quarantine
from pipeline.schema import RECORDS
from pipeline.seen import Seen
from pipeline.streams import Damage
from pipeline.tombstones import Tombstones

#: Searches named per file; one more is kept, to tell that there are more.
SEARCHES: Final = 3


@dataclass(slots=True)
class Extract:
    """An extract being written: a batch of records in memory, the rest on the disk or counted."""

    folder: Path
    batch_rows: int
    raw: bool
    stones: Tombstones
    #: What is kept; posts outside are counted, and say nothing of coverage. None: everything.
    window: Window | None = None
    #: Whether the first reject or damage is an error.
    strict: bool = False
    quarantine: Quarantine = field(init=False)
    deletions: Asked = field(default_factory=Asked)
    lines: Lines = field(default_factory=Lines)
    damages: list[Damage] = field(default_factory=list)
    records: int = 0
    stored: int = 0
    no_geo: int = 0
    duplicates: int = 0
    deleted: int = 0
    outside_window: int = 0
    #: Members passed over unread, since their names tell of days outside the window.
    skipped: int = 0
    notices: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    searches: list[str] = field(default_factory=list)
    _minutes: set[int] = field(default_factory=set)
    _batch: list[Record] = field(default_factory=list)
    _seen: Seen = field(default_factory=Seen)
    _writer: pq.ParquetWriter | None = None

    def __post_init__(self) -> None:
        self.quarantine = Quarantine(self.stones, self.strict)

    def __enter__(self) -> Extract:
        self._writer = storage.parquet_writer(self.folder / "records.parquet", RECORDS)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._writer is not None
        try:
            if kind is None:
                self.flush()
                self.quarantine.write(self.folder / "rejects.parquet")
        finally:
            self._writer.close()

    @property
    def full(self) -> bool:
        """Whether the batch should be written."""
        return len(self._batch) >= self.batch_rows

    def add(self, member: str, found: documents.Document, outcome: formats.Outcome) -> None:
        """Take one outcome of a document."""
        self.records += 1
        if isinstance(outcome, Record):
            if self.window is not None and outcome.created_at not in self.window:
                self.outside_window += 1
                return
            self._alive(outcome.created_at)
            if outcome.geotagged:
                if not self.raw:
                    # a batch of whole parsed posts would be ten times the memory
                    outcome.item = None
                self._batch.append(outcome)
            else:
                self.no_geo += 1
        elif isinstance(outcome, Notice):
            self.notices[outcome.kind] += 1
            if outcome.at is not None and (self.window is None or outcome.at in self.window):
                self._minutes.add(int(outcome.at.timestamp()) // 60)
        else:
            self.quarantine.add(outcome, member=member, line=found.line, offset=found.offset, content=None)

    def asked(self, queries: Iterable[str]) -> None:
        """Take the searches that a document is an answer to."""
        for query in queries:
            if len(self.searches) <= SEARCHES and query not in self.searches:
                self.searches.append(query)

    def broken(self, member: str, found: Broken) -> None:
        """Take a line that is no document."""
        self.records += 1
        reject = Reject(found.reason, found.detail)
        self.quarantine.add(reject, member=member, line=found.line, offset=found.offset, content=found.content)

    def _alive(self, moment: datetime) -> None:
        self._minutes.add(int(moment.timestamp()) // 60)
        if self.first is None or moment < self.first:
            self.first = moment
        if self.last is None or moment > self.last:
            self.last = moment

    def flush(self) -> None:
        """Write the batch as one row group, without what says the same of the same version as an earlier record of the file."""
        assert self._writer is not None
        if not self._batch:
            return
        new = self._seen.add(np.fromiter(map(_fingerprint, self._batch), np.int64, len(self._batch)))
        table = formats.table((record for record, is_new in zip(self._batch, new, strict=True) if is_new), raw=self.raw)
        self.duplicates += len(self._batch) - table.num_rows
        table, gone = redaction.records(table, self.stones)
        self.deleted += gone
        if table.num_rows:
            self._writer.write_table(table)
        self.stored += table.num_rows
        self._batch.clear()
        faults.point("import.batch")

    def leave_out(self, stones: Tombstones) -> None:
        """Take out, of what has been written, the tweets that are gone since."""
        gone = redaction.rewrite_records(self.folder / "records.parquet", stones)
        redaction.rewrite_rejects(self.folder / "rejects.parquet", stones)
        self.stored -= gone
        self.deleted += gone

    def summary(self) -> dict[str, Any]:
        """The counts, for the manifest."""
        return {
            "lines": asdict(self.lines),
            "records": self.records,
            "stored": self.stored,
            "no_geo": self.no_geo,
            "deleted": self.deleted,
            "duplicates": self.duplicates,
            "outside_window": self.outside_window,
            "skipped": self.skipped,
            "notices": dict(sorted(self.notices.items())),
            "rejects": dict(sorted(self.quarantine.counts.items())),
            "damages": [asdict(damage) for damage in self.damages],
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "searches": self.searches,
            "minutes": minutes.pack(self._minutes),
        }


_COMPARED: Final = tuple(entry.name for entry in fields(Record) if entry.compare)


def _fingerprint(record: Record) -> int:
    return hash(tuple(getattr(record, name) for name in _COMPARED))
