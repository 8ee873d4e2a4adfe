"""Which of several records of one tweet is kept, and what of every record decides it. What is inside an area is clean.py's affair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


class Rows:
    """Of every record of a day what decides which one of a tweet is kept, and why the others are not: 27 bytes a record."""

    def __init__(self) -> None:
        self._pieces: list[tuple[NDArray[Any], ...]] = []
        self._columns: tuple[NDArray[Any], ...] | None = None
        self._origins: dict[str, int] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, table: pa.Table, kinds: NDArray[np.int8], origin: str) -> None:
        """Take the records of a table of schema.RECORDS; `kinds` as geo.evidence_codes gives them."""
        self._pieces.append(
            (
                table.column("tweet_id").to_numpy(),
                table.column("version_id").to_numpy(),
                table.column("longitude").is_valid().to_numpy(),
                table.column("place_west").is_valid().to_numpy(),
                pc.utf8_length(table.column("text")).to_numpy(),
                np.full(table.num_rows, self._origins.setdefault(origin, len(self._origins)), np.int32),
                kinds,
            )
        )
        self._length += table.num_rows
        self._columns = None

    def best_first(self) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """(row numbers sorted by tweet, its best record first; which of these are not the best; which are of an older version).

        The best is the newest version; then the one that knows most (a point, a place, the longer text); then by the name of its origin.
        """
        tweet_ids, versions, has_point, has_place, lengths, origins, _ = self._whole()
        rank = np.empty(len(self._origins), np.int32)
        rank[[self._origins[name] for name in sorted(self._origins)]] = np.arange(len(rank))
        order = np.argsort(tweet_ids, kind="stable")
        sorted_ids = tweet_ids[order]
        surplus = np.zeros(len(order), np.bool_)
        surplus[1:] = sorted_ids[1:] == sorted_ids[:-1]
        # nearly all tweets have one record only; all records of the others, side by side as they are
        several = np.flatnonzero(surplus | np.append(surplus[1:], False))
        rows = order[several]
        # stable, the last key first: what is equal in all of these stays in the order in which it stood in its source
        keys = (rank[origins[rows]], -lengths[rows], ~has_place[rows], ~has_point[rows], -versions[rows], tweet_ids[rows])
        order[several] = rows[np.lexsort(keys)]
        sorted_versions = versions[order]
        best = np.flatnonzero(~surplus)
        newest = np.repeat(sorted_versions[best], np.diff(np.append(best, len(order))))
        return order, surplus, sorted_versions != newest

    @property
    def tweet_ids(self) -> NDArray[np.int64]:
        """Of every record."""
        return self._whole()[0]

    @property
    def kinds(self) -> NDArray[np.int8]:
        """Index in geo.KINDS."""
        return self._whole()[6]

    def origins(self, rows: NDArray[np.int64]) -> list[str]:
        """Where these records stood."""
        names = tuple(self._origins)
        return [names[code] for code in self._whole()[5][rows].tolist()]

    def _whole(self) -> tuple[NDArray[Any], ...]:
        if self._columns is None:
            empty = [np.empty(0, kind) for kind in (np.int64, np.int64, np.bool_, np.bool_, np.int32, np.int32, np.int8)]
            self._columns = tuple(np.concatenate(parts) for parts in zip(*self._pieces, strict=True)) if self._pieces else tuple(empty)
            self._pieces = [self._columns] if self._pieces else []
        return self._columns
