"""Deletions that an archive file asks for: collected while it is read, and written beside its extract. No id stands there.

deletion_index.py finds them there, tombstones/ knows them from then on, and purge/ applies them to what is stored already. What an
import leaves out because it is gone is noted here too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline import days, formats, geo, redaction, storage, tombstones
from pipeline.days import Window
from pipeline.formats import Deletion
from pipeline.keys import Keys
from pipeline.settings import Area, Settings
from pipeline.sources import archive
from pipeline.sources.archive import AreaCounts
from pipeline.tombstones import Tombstones, deletion_index, siphash
from pipeline.tombstones.name_sets import Gathering

#: Ids that wait to be hashed together.
BATCH: Final = 65_536


@dataclass(frozen=True, slots=True)
class Written:
    """What a file asks for: how many tweets, and rules about authors and countries; and all of it."""

    numbers: dict[str, int]
    stones: Tombstones


@dataclass
class Asked:
    """What the notices of one file ask for, as it is read: eight bytes a tweet, most of them on the disk.

    Attributes:
        folder: the extract's; temporary files lie there meanwhile.
        key: gives the key that ids are hashed with; asked for when the first deletion comes, since asking may make one.
    """

    folder: Path
    key: Callable[[], bytes]
    _ids: list[int] = field(default_factory=list)
    _lines: dict[tuple[str, bool], dict[str, Any]] = field(default_factory=dict)
    _some: bool = False

    def __post_init__(self) -> None:
        self._names = Gathering(self.folder)

    @cached_property
    def _keys(self) -> Keys:
        return Keys(self.key())

    def take(self, deletion: Deletion) -> None:
        """Take one of any kind."""
        if deletion.author is None and not deletion.countries:
            self.tweets((deletion.tweet_id,))
        else:
            self._note(tombstones.line(self._keys, deletion.tweet_id, deletion.reason, deletion.author, deletion.countries))

    def tweets(self, ids: Iterable[int] | NDArray[np.int64]) -> None:
        """`delete`: these tweets are gone."""
        self._ids.extend(ids.tolist() if isinstance(ids, np.ndarray) else ids)
        if len(self._ids) >= BATCH:
            self._hash()

    def scrub(self, author_id: str, up_to: int) -> None:
        """`scrub_geo`: this author's tweets up to that id have no location any more."""
        self.take(Deletion(up_to, tombstones.SCRUBBED, author_id))

    def withhold(self, author_id: str, countries: Sequence[str]) -> None:
        """`user_withheld`: this author's tweets may not be shown in these countries (two letters; XX and XY: everywhere)."""
        for deletion in formats.withheld(countries, author=author_id):
            self.take(deletion)

    def write(self) -> Written:
        """Write what was asked for, where anything was."""
        self._hash()
        number = self._names.write(self.folder / deletion_index.NAMES) if self._some else 0
        numbers = {"tweets": number, "rules": len(self._lines)}
        if not any(numbers.values()):
            return Written(numbers, Tombstones(b"", {}, {}))
        lines = [{"key": self._keys.fingerprint, **numbers}, *(self._lines[place] for place in sorted(self._lines))]
        content = "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines)
        storage.write_bytes(self.folder / deletion_index.LINES, content.encode())
        return Written(numbers, tombstones.of_extract(self._keys, self.folder))

    def _hash(self) -> None:
        if self._ids:
            self._some = True
            self._names.add(siphash.names(np.array(self._ids, np.int64), self._keys.tweets))
            self._ids.clear()

    def _note(self, line: dict[str, Any]) -> None:
        place = (line.get("tweet") or line["author"], "countries" in line)
        self._lines[place] = deletion_index.joined(self._lines[place], line) if place in self._lines else line


@dataclass
class LeftOut:
    """What is kept out of an extract because it is gone. The extract ends as if it had been stored, and purged by purge/files.py.

    Attributes:
        areas: what its tweets were counted by.
        number: records left out.
        purged: how many were left out, or lost a part, by the quarter of an hour in which they were written.
        further: ids of what is gone for its other version's sake, or its author's, and why: to be put up as tombstones.
    """

    areas: Collection[Area]
    number: int = 0
    purged: Counter[str] = field(default_factory=Counter)
    further: dict[int, str] = field(default_factory=dict)
    _days: dict[str, set[str]] = field(default_factory=dict)

    def without(self, table: pa.Table, stones: Tombstones) -> pa.Table:
        """The records (schema.RECORDS) that may be kept."""
        if not stones:
            return table
        left = redaction.records(table, stones)
        self._note(table, left, stones)
        return left.table

    def take_out(self, path: Path, stones: Tombstones) -> int:
        """Write a records.parquet again without what is gone, if it holds any; give the number of records that went."""
        before = self.number
        if any(redaction.touched(table, stones).any() for table in redaction.row_groups(path)):
            redaction.rewrite_records(path, stones, lambda table, left: self._note(table, left, stones))
        return self.number - before

    def counted(self, area: Area, counts: AreaCounts, part: Window | None) -> AreaCounts:
        """The counts, with the days of which all tweets are gone, so far as they lie in the part that was wanted: they were observed."""
        emptied = [day for day in self._days.get(area.name, ()) if days.covers(part, days.window(date.fromisoformat(day), area.zone))]
        held = {**dict.fromkeys(emptied, 0), **counts.days}
        return archive.with_days(counts, dict(sorted(held.items())))

    def _note(self, table: pa.Table, left: redaction.Left, stones: Tombstones) -> None:
        self.number += int(left.gone.sum())
        if left.touched.any():
            self.purged.update(archive.quarters(table.filter(pa.array(left.touched)).column("created_at")))
        if not left.gone.any():
            return
        gone = table.filter(pa.array(left.gone))
        reasons = stones.why(gone)
        for name in ("tweet_id", "version_id"):
            ids = gone.column(name).to_pylist()
            self.further |= {ids[place]: reasons[place] for place in np.flatnonzero(~stones.gone_of(ids))}
        instants = gone.column("created_at").cast(pa.int64()).to_numpy().astype("datetime64[us]")
        for area in self.areas:
            inside = np.array([kind in area.evidence for kind in geo.KINDS])[archive.evidence_of(gone, area)]
            self._days.setdefault(area.name, set()).update(map(str, np.unique(days.day_of(instants[inside], area.zone))))


def announce(settings: Settings, digest: str, asks: Mapping[str, int], left_out: LeftOut) -> None:
    """See to it, before an extract is published, that what it asks for and what was left out of it is known from then on."""
    if left_out.further:
        keys = tombstones.keys(settings)
        lines = (tombstones.line(keys, *entry) for entry in left_out.further.items())
        tombstones.note(settings, lines, source="versions of the same tweet")
    if any(asks.values()):
        deletion_index.announce(settings, digest)
