"""A set of 64-bit numbers that takes 8 bytes for each: what an import remembers of every record, to know one that comes again."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Numbers kept in memory (8 bytes each); more are put on the disk, so many at a time.
LARGEST: Final = 4_000_000


class Seen:
    """A set of numbers in sorted arrays that merge as they grow: 8 bytes each, where a Python set takes 60.

    Args:
        folder: where unnamed temporary files may lie, which are gone when this is or its process ends; the system's place by default.
        largest: numbers kept in memory.
    """

    def __init__(self, folder: Path | None = None, *, largest: int = LARGEST) -> None:
        self._folder, self._largest = folder, largest
        self._runs: list[NDArray[np.int64]] = []
        self._put_away: list[NDArray[np.int64]] = []

    def add(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Add the numbers; tell which of them are there for the first time."""
        unique, first = np.unique(numbers, return_index=True)
        fresh = np.ones(len(unique), np.bool_)
        for run in (*self._runs, *self._put_away):
            places = np.searchsorted(run, unique)
            fresh &= run[np.minimum(places, len(run) - 1)] != unique
        new = np.zeros(len(numbers), np.bool_)
        new[first[fresh]] = True
        if fresh.any():
            self._runs.append(unique[fresh])
        while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
            self._runs[-2:] = [_merged(self._runs[-2:])]
        if sum(map(len, self._runs)) > self._largest:
            self._put_away.append(self._on_disk(_merged(self._runs)))
            self._runs = []
        return new

    def _on_disk(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        with tempfile.TemporaryFile(dir=self._folder) as file:
            numbers.tofile(file)
            file.flush()
            # the mapping keeps the file alive
            return np.memmap(file, np.int64, "r")


def _merged(runs: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    whole = np.concatenate(runs)
    # in its place: a sorted copy would be the most that an import has in memory
    whole.sort()
    return whole
