"""Sets of 64-bit names (siphash.py) too large for memory: sorted arrays in files, mapped and not read, merged piece by piece.

A name is a keyed hash, so names lie evenly over all 64 bits: that is what cuts a merge into pieces of equal size.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline import storage

Names: TypeAlias = NDArray[np.uint64]
#: Names held in memory while they come, and in each piece of a merge: 16 MB.
PIECE: Final = 2_000_000
#: Mapped pages that were touched count as this process's memory: of files larger than this they are given back after each look.
STAY_BYTES: Final = 64 * 1024 * 1024
_ALL: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class NameSet:
    """A set of names in one or several sorted arrays, each without duplicates (together they may have some)."""

    runs: tuple[Names, ...] = ()
    _maps: tuple[mmap.mmap, ...] = field(default=(), repr=False)

    def __bool__(self) -> bool:
        return bool(self.runs)

    @property
    def size(self) -> int:
        """How many names; those in several runs count in each."""
        return sum(map(len, self.runs))

    def holds(self, names: Names) -> NDArray[np.bool_]:
        """Which of the names are in the set."""
        found = np.zeros(len(names), np.bool_)
        if not self.runs or not len(names):
            return found
        # in order, one look begins where the last one ended; which of them they were is asked only of the few that are found
        wanted = np.sort(names)
        for run in self.runs:
            places = np.searchsorted(run, wanted)
            # beyond the last name the first one stands for it, which is smaller
            there = wanted[np.take(run, places, mode="wrap") == wanted]
            if len(there):
                found |= np.isin(names, there)
        self.give_back()
        return found

    def give_back(self) -> None:
        """Let the memory go that looks into large files took; the files stay mapped."""
        for mapped in self._maps:
            mapped.madvise(mmap.MADV_DONTNEED)

    def __or__(self, other: NameSet) -> NameSet:
        return NameSet(self.runs + other.runs, self._maps + other._maps)


def of(names: Names) -> NameSet:
    """The set of these names, in memory."""
    return NameSet((np.unique(names),)) if len(names) else NameSet()


def opened(paths: Iterable[Path]) -> NameSet:
    """The sets in these files, as one.

    Raises:
        FileNotFoundError: one of them is not there.
    """
    runs: list[Names] = []
    maps: list[mmap.mmap] = []
    for path in paths:
        with open(path, "rb") as file:
            # an empty file cannot be mapped
            if not (size := os.fstat(file.fileno()).st_size):
                continue
            mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        runs.append(np.frombuffer(mapped, "<u8"))
        if size > STAY_BYTES:
            maps.append(mapped)
    return NameSet(tuple(runs), tuple(maps))


def merge(names: NameSet, path: Path) -> int:
    """Write the set into one file, sorted and each name once; give their number. Takes the memory of one piece."""
    pieces = -(-names.size // PIECE) or 1
    bounds = np.array([number * _ALL // pieces for number in range(pieces)], np.uint64)
    edges = [[*np.searchsorted(run, bounds).tolist(), len(run)] for run in names.runs]
    written = 0
    with storage.replacing(path) as temporary, open(temporary, "wb") as file:
        for number in range(pieces):
            parts = [run[edge[number] : edge[number + 1]] for run, edge in zip(names.runs, edges, strict=True)]
            piece = np.unique(np.concatenate(parts)) if parts else np.empty(0, np.uint64)
            file.write(piece.astype("<u8", copy=False).data)
            written += len(piece)
            names.give_back()
    return written


@dataclass(slots=True)
class Gathering:
    """Names that come in any order and number: PIECE of them in memory, the rest in sorted files in a folder until `write`."""

    folder: Path
    _held: list[Names] = field(default_factory=list)
    _number: int = 0
    _spilled: list[Path] = field(default_factory=list)

    def add(self, names: Names) -> None:
        """Take some."""
        self._held.append(names)
        self._number += len(names)
        if self._number >= PIECE:
            path = self.folder / f".names-{len(self._spilled)}"
            path.write_bytes(self._sorted().astype("<u8", copy=False).data)
            self._spilled.append(path)
            self._held, self._number = [], 0

    def write(self, path: Path) -> int:
        """Write all of them, sorted and each once; give their number."""
        number = merge(opened(self._spilled) | of(self._sorted()), path)
        for gone in self._spilled:
            gone.unlink()
        self._held, self._number, self._spilled = [], 0, []
        return number

    def _sorted(self) -> Names:
        return np.unique(np.concatenate(self._held)) if self._held else np.empty(0, np.uint64)
