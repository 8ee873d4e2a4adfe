"""The geotagged extract of one archive file being written: every record with a point or place, for any box; everything else counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline import documents, faults, formats, redaction, storage
from pipeline.days import Window
from pipeline.documents import Broken, Lines
from pipeline.formats import Notice, Record, Reject
from pipeline.importing.archive_deletions import Asked, LeftOut
from pipeline.importing.columns import Columns
from pipeline.importing.quarantine import Quarantine
from pipeline.importing.seen import Seen
from pipeline.minutes import Minutes
from pipeline.schema import RECORDS
from pipeline.settings import Area
from pipeline.streams import Damages
from pipeline.tombstones import Tombstones

#: Records kept as Python's objects before they become Arrow's: few enough for a processor's cache.
PIECE: Final = 2048
#: Moments of tweets without a place, and of notices, kept until they are counted.
MOST_MOMENTS: Final = 1 << 16
#: Searches named per file; one more is kept, to tell that there are more.
SEARCHES: Final = 3


@dataclass(slots=True)
class Extract:
    """An extract being written: a batch of records in memory, the rest on the disk or counted.

    Attributes:
        batch_rows: rows of a row group.
        raw: whether each record's own JSON is kept.
        key: gives the key that ids are hashed with, when the file asks to delete any.
        areas: what the tweets will be counted by: of what is left out as deleted they keep the days.
        window: what was written outside of it is counted only, and says nothing of coverage; None: everything is wanted.
        strict: whether the first reject or damage is an error.
        columns: the geotagged records of the batch; to be appended to by whoever reads, with `records` counted up.
    """

    folder: Path
    batch_rows: int
    raw: bool
    stones: Tombstones
    key: Callable[[], bytes]
    areas: Collection[Area] = ()
    window: Window | None = None
    strict: bool = False
    columns: Columns = field(default_factory=Columns)
    deletions: Asked = field(init=False)
    left_out: LeftOut = field(init=False)
    quarantine: Quarantine = field(init=False)
    lines: Lines = field(default_factory=Lines)
    damages: Damages = field(init=False)
    records: int = 0
    stored: int = 0
    no_geo: int = 0
    duplicates: int = 0
    outside_window: int = 0
    #: Members passed over unread, since their names tell of days outside the window.
    skipped: int = 0
    notices: Counter[str] = field(default_factory=Counter)
    asks: dict[str, int] = field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None
    searches: list[str] = field(default_factory=list)
    _alive: Minutes = field(default_factory=Minutes)
    _plain: list[int] = field(default_factory=list)
    _told: list[int] = field(default_factory=list)
    _pieces: list[tuple[pa.Table, NDArray[np.int64]]] = field(default_factory=list)
    _waiting: list[pa.Table] = field(default_factory=list)
    _seen: Seen = field(init=False)
    _writer: pq.ParquetWriter | None = None

    def __post_init__(self) -> None:
        self.deletions = Asked(self.folder, self.key)
        self.left_out = LeftOut(self.areas)
        self.quarantine = Quarantine(self.folder / "rejects.parquet", self.stones, self.strict)
        self.damages = Damages(self.strict)
        self._seen = Seen(self.folder)

    def __enter__(self) -> Extract:
        self._writer = storage.parquet_writer(self.folder / "records.parquet", RECORDS)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._writer is not None
        try:
            if kind is None:
                self.flush()
                self._write(at_end=True)
                self.quarantine.close()
        finally:
            self.quarantine.close(whole=False)
            self._writer.close()

    def advance(self) -> bool:
        """Write the batch if it is large enough; to be called after every few lines. Whether it was."""
        if not len(self.columns):
            # of lines that were all rejected, too, decoders have looked up the places
            self.columns.bound()
        elif len(self.columns) >= PIECE or self.columns.crowded:
            self._pieces.append(self.columns.take())
        rows = sum((table.num_rows for table, _ in self._pieces), len(self.columns))
        if rows < self.batch_rows and len(self._plain) < MOST_MOMENTS and len(self._told) < MOST_MOMENTS:
            return False
        self.flush()
        return True

    @property
    def usable(self) -> int:
        """Records so far that were not rejected."""
        return self.records - sum(self.quarantine.counts.values())

    def add(self, member: str, found: documents.Document, outcome: formats.Outcome) -> None:
        """Take one outcome of a document."""
        if isinstance(outcome, Record):
            if outcome.geotagged:
                self.records += 1
                self.columns.add(outcome, raw=self.raw)
            else:
                self.plain((int(outcome.created_at.timestamp()),))
        elif isinstance(outcome, Notice):
            if outcome.asks is not None:
                self.deletions.take(outcome.asks)
            self.told(outcome.kind, 1, () if outcome.at is None else (int(outcome.at.timestamp()),))
        else:
            self.records += 1
            self.quarantine.add(outcome, member=member, line=found.line, offset=found.offset, content=None)

    def plain(self, seconds: Sequence[int]) -> None:
        """Take tweets without a place, by when they were written."""
        self.records += len(seconds)
        self._plain += seconds

    def told(self, kind: str, number: int, seconds: Sequence[int]) -> None:
        """Take notices of a kind, and when they were sent, so far as they say."""
        self.records += number
        self.notices[kind] += number
        self._told += seconds

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

    def flush(self) -> None:
        """Count what has come, and write it in row groups, without what says the same of the same version as an earlier record."""
        plain = self._wanted(np.fromiter(self._plain, np.int64, len(self._plain)))
        told = np.fromiter(self._told, np.int64, len(self._told))
        self.no_geo += int(plain.sum())
        self.outside_window += int((~plain).sum())
        self._heard(np.fromiter(self._plain, np.int64, len(self._plain))[plain])
        self._alive.note(told[self._wanted(told)])
        self._plain, self._told = [], []
        if len(self.columns):
            self._pieces.append(self.columns.take())
        if self._pieces:
            tables, prints = zip(*self._pieces, strict=True)
            self._pieces = []
            self._keep(pa.concat_tables(tables), np.concatenate(prints))
            self._write()
            faults.point("import.batch")

    def _keep(self, table: pa.Table, prints: NDArray[np.int64]) -> None:
        """Put into `_waiting` what of the records is to be stored."""
        seconds = table.column("created_at").cast(pa.int64()).to_numpy() // 1_000_000
        wanted = self._wanted(seconds)
        self._heard(seconds[wanted])
        fresh = wanted.copy()
        fresh[wanted] = self._seen.add(prints[wanted])
        self.outside_window += int((~wanted).sum())
        self.duplicates += int((wanted & ~fresh).sum())
        table = self.left_out.without(table if fresh.all() else table.filter(pa.array(fresh)), self.stones)
        self.stored += table.num_rows
        self._waiting.append(table)

    def _write(self, *, at_end: bool = False) -> None:
        """Write whole row groups of what waits, and the rest too `at_end`."""
        assert self._writer is not None
        table = pa.concat_tables(self._waiting) if self._waiting else RECORDS.empty_table()
        rows = table.num_rows if at_end else table.num_rows - table.num_rows % self.batch_rows
        if rows:
            # in one piece, so that its bytes are the same however it came, and whenever deleted ones went (redaction.rewrite_records)
            self._writer.write_table(table.slice(0, rows).combine_chunks(), row_group_size=self.batch_rows)
        self._waiting = [table.slice(rows)]

    def _wanted(self, seconds: NDArray[np.int64]) -> NDArray[np.bool_]:
        if self.window is None:
            return np.ones(len(seconds), np.bool_)
        start, end = (int(moment.timestamp()) for moment in (self.window.start, self.window.end))
        return (seconds >= start) & (seconds < end)

    def _heard(self, seconds: NDArray[np.int64]) -> None:
        """Note when tweets were written."""
        if not len(seconds):
            return
        self._alive.note(seconds)
        first, last = (datetime.fromtimestamp(int(moment), UTC) for moment in (seconds.min(), seconds.max()))
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)

    def leave_out(self, stones: Tombstones) -> None:
        """At the end, take out of what has been written the tweets that are gone since, and those that the file itself asks to delete."""
        asked = self.deletions.write()
        self.asks = asked.numbers
        stones = stones.including(asked.stones)
        if stones != self.stones:
            self.stored -= self.left_out.take_out(self.folder / "records.parquet", stones)
            redaction.rewrite_rejects(self.folder / "rejects.parquet", stones)

    def summary(self) -> dict[str, Any]:
        """The counts, for the manifest."""
        return {
            "lines": asdict(self.lines),
            "records": self.records,
            "stored": self.stored,
            "no_geo": self.no_geo,
            "deleted": self.left_out.number,
            "duplicates": self.duplicates,
            "outside_window": self.outside_window,
            "skipped": self.skipped,
            "notices": dict(sorted(self.notices.items())),
            "rejects": dict(sorted(self.quarantine.counts.items())),
            "asks": self.asks,
            "damages": [asdict(damage) for damage in self.damages],
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "searches": self.searches,
            "minutes": self._alive.packed(),
            "purged": dict(sorted(self.left_out.purged.items())),
        }
