"""Records in columns: what is read fast arrives in columns, what is read slowly row by row, and a table of schema.RECORDS comes of both.

What repeats (places, programs, languages) is kept once and by number. How records are read is decoding/'s and formats/' affair.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.formats import Record, raw_json, strings
from pipeline.schema import INSTANT, RECORDS

#: What describes a place, in the order of RECORDS.
PLACE: Final = tuple(column.name for column in RECORDS if column.name.startswith("place_"))
#: Distinct values kept of one kind; with more, all are forgotten, at the next table.
MOST_VALUES: Final = 16_384

PLACE_TYPES: Final = tuple(RECORDS.field(name).type for name in PLACE)
Place = tuple[str | None, str | None, str | None, str | None, float | None, float | None, float | None, float | None]
NOWHERE: Final[Place] = (None,) * 8
Value = TypeVar("Value", bound=Hashable)


class Values(dict[Value, int], Generic[Value]):
    """Value → its number, in `rows`; asking for one that is not there adds it. `first` always has number 0."""

    def __init__(self, first: Value) -> None:
        super().__init__()
        self.first = first
        self.rows: list[Value] = []
        self.hashes: list[int] = []
        self.written: list[Written[Value]] = []
        self.forget()

    def __missing__(self, value: Value) -> int:
        number = self[value] = len(self.rows)
        self.rows.append(value)
        self.hashes.append(_hash(value))
        return number

    def forget(self) -> None:
        """Start anew; every number given so far loses its meaning."""
        self.clear()
        self.rows.clear()
        self.hashes.clear()
        for written in self.written:
            written.clear()
        self[self.first]

    @property
    def crowded(self) -> bool:
        """Whether there are too many, or too many ways of writing them."""
        return max(len(self), *map(len, self.written), 0) > MOST_VALUES


def _hash(value: Any) -> int:
    """As Python's, but that numbers go by how they are written: hash(-1.0) is hash(-2.0)."""
    parts = value if isinstance(value, tuple) else (value,)
    return hash(tuple(str(part + 0.0) if isinstance(part, float) else part for part in parts))


class Written(dict[Any, int], Generic[Value]):
    """A value as a source writes it → its number in `values`. `read` may raise, and then nothing is kept."""

    def __init__(self, values: Values[Value], read: Callable[[Any], Value]) -> None:
        super().__init__()
        self._values, self._read = values, read
        values.written.append(self)

    def __missing__(self, written: Any) -> int:
        number = self[written] = self._values[self._read(written)]
        return number


class Columns:
    """Records on their way to a table. Whoever appends to one of the lists appends as much to every one of them.

    Attributes:
        ids: of the tweet (the first version).
        seconds: when it was written, since 1970.
        langs, clients, places: numbers in the Values of the same kind.
        edited: row → id of the version, where it is not the first.
        retweets, quotes: rows that are one.
        points: row → (longitude, latitude), where there is one.
        raws: every row's own JSON, or empty where nobody wants it.
    """

    def __init__(self) -> None:
        self.known_places: Values[Place] = Values(NOWHERE)
        self.known_clients: Values[str | None] = Values(None)
        self.known_langs: Values[str | None] = Values(None)
        self._clear()

    def _clear(self) -> None:
        self.ids: list[int] = []
        self.seconds: list[int] = []
        self.authors: list[str | None] = []
        self.texts: list[str] = []
        self.langs: list[int] = []
        self.clients: list[int] = []
        self.places: list[int] = []
        self.edited: dict[int, int] = {}
        self.retweets: list[int] = []
        self.quotes: list[int] = []
        self.points: dict[int, tuple[float, float]] = {}
        self.raws: list[str | None] = []

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, record: Record, *, raw: bool = False) -> None:
        """Append one record; with its own JSON, or all without."""
        row = len(self.ids)
        self.ids.append(record.tweet_id)
        self.seconds.append(int(record.created_at.timestamp()))
        self.authors.append(record.author_id)
        self.texts.append(record.text)
        self.langs.append(self.known_langs[record.lang])
        self.clients.append(self.known_clients[record.client])
        self.places.append(self.known_places[place_of(record)])
        if record.version_id != record.tweet_id:
            self.edited[row] = record.version_id
        if record.is_retweet:
            self.retweets.append(row)
        if record.is_quote:
            self.quotes.append(row)
        if record.longitude is not None and record.latitude is not None:
            self.points[row] = (record.longitude, record.latitude)
        if raw:
            self.raws.append(raw_json(record.item))

    def take(self) -> tuple[pa.Table, NDArray[np.int64]]:
        """(all rows as a table of schema.RECORDS, a fingerprint of each row's content but for `raw`); none are left here.

        Rows with equal content have equal fingerprints within a process; others have different ones (but once in 2^64).
        """
        rows = len(self)
        ids, seconds = np.fromiter(self.ids, np.int64, rows), np.fromiter(self.seconds, np.int64, rows)
        versions = _changed(ids, self.edited)
        retweets, quotes = _marked(rows, self.retweets), _marked(rows, self.quotes)
        longitudes, latitudes = self._points()
        numbered = [
            (known, np.fromiter(numbers, np.int64, rows))
            for known, numbers in ((self.known_langs, self.langs), (self.known_clients, self.clients), (self.known_places, self.places))
        ]
        prints = _fingerprints(
            ids,
            versions,
            seconds,
            _hashes(self.authors),
            _hashes(self.texts),
            *(np.array(known.hashes, np.int64)[numbers] for known, numbers in numbered),
            retweets.astype(np.int64) + 2 * quotes,
            # 0.0 and -0.0 are the same
            *((axis + 0.0).view(np.int64) for axis in (longitudes, latitudes)),
        )
        langs, clients, places = (_used(known, numbers) for known, numbers in numbered)
        table = [
            pa.array(ids),
            pa.array(versions),
            pa.array(seconds * 1_000_000).cast(INSTANT),
            strings(self.authors),
            strings(self.texts),
            _spread(langs[0], langs[1], pa.string()),
            _spread(clients[0], clients[1], pa.string()),
            pa.array(retweets),
            pa.array(quotes),
            pa.array(longitudes, from_pandas=True),
            pa.array(latitudes, from_pandas=True),
            *(_spread(part, places[1], kind) for part, kind in zip(zip(*places[0], strict=True), PLACE_TYPES, strict=True)),
            strings(self.raws) if self.raws else pa.nulls(rows, pa.string()),
        ]
        self._clear()
        self.bound()
        return pa.Table.from_arrays(table, schema=RECORDS), prints

    def bound(self) -> None:
        """Forget values where they are too many; not while there are rows that have their numbers."""
        assert not len(self)
        for known in (self.known_langs, self.known_clients, self.known_places):
            if known.crowded:
                known.forget()

    @property
    def crowded(self) -> bool:
        """Whether there are too many values of some kind, also while rows are few: pages list places that no row has."""
        return self.known_places.crowded or self.known_clients.crowded or self.known_langs.crowded

    def _points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        longitudes, latitudes = np.full((2, len(self)), np.nan)
        if self.points:
            rows = list(self.points)
            longitudes[rows], latitudes[rows] = zip(*self.points.values(), strict=True)
        return longitudes, latitudes


def place_of(record: Record) -> Place:
    """What a record says of its place."""
    return (
        record.place_id,
        record.place_name,
        record.place_type,
        record.place_country,
        record.place_west,
        record.place_south,
        record.place_east,
        record.place_north,
    )


def _changed(ids: NDArray[np.int64], edited: dict[int, int]) -> NDArray[np.int64]:
    if not edited:
        return ids
    versions = ids.copy()
    versions[list(edited)] = list(edited.values())
    return versions


def _marked(rows: int, marked: list[int]) -> NDArray[np.bool_]:
    flags = np.zeros(rows, np.bool_)
    flags[marked] = True
    return flags


def _hashes(values: list[Any]) -> NDArray[np.int64]:
    return np.fromiter(map(hash, values), np.int64, len(values))


def _fingerprints(*columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number for each row, in which every column's place counts: multiply by an odd number and fold, as MurmurHash's finisher does."""
    mixed = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        mixed = (mixed ^ column.view(np.uint64)) * _ODD
        mixed ^= mixed >> _HALF
    return mixed.view(np.int64)


_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
_HALF: Final = np.uint64(32)


def _used(known: Values[Any], numbers: NDArray[np.int64]) -> tuple[list[Any], pa.Array]:
    """(the values that occur, for each row which of them)."""
    present = np.zeros(len(known.rows), np.bool_)
    present[numbers] = True
    renumbered = np.cumsum(present, dtype=np.int32) - np.int32(1)
    return [known.rows[number] for number in np.flatnonzero(present).tolist()], pa.array(renumbered[numbers])


def _spread(values: Any, places: pa.Array, kind: pa.DataType) -> pa.Array:
    return (strings(values) if kind == pa.string() else pa.array(values, kind)).take(places)
