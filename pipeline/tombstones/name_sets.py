"""Sets of 64-bit names (siphash.py) too large for memory: sorted arrays in files, mapped and not read, merged piece by piece.

A name is a keyed hash, so names lie evenly over all 64 bits: that cuts a merge into pieces of equal size, and lets the first bits of all
names (a file of two bytes a name beside the array) say of fifteen foreign names in sixteen, in one look, that they are not there.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline import storage

Names: TypeAlias = NDArray[np.uint64]
#: Names held in memory while they come: 8 MB.
HELD: Final = 1_000_000
#: Names in a piece of a merge, at most.
PIECE: Final = 500_000
#: Bits kept for each name, at least.
BITS: Final = 16
#: Mapped pages that were touched count as this process's memory: of files larger than this they are given back after each look.
STAY_BYTES: Final = 64 * 1024 * 1024
_WORD: Final = 64


@dataclass(frozen=True, slots=True)
class Run:
    """A sorted array without duplicates; `bits`: which beginnings of `depth` bits its names have, eight to a byte, lowest first."""

    names: Names
    bits: NDArray[np.uint8] | None = None
    depth: int = 0
    maps: tuple[mmap.mmap, ...] = field(default=(), repr=False)

    def holds(self, names: Names) -> Names:
        """Those of the names that are there, sorted."""
        if self.bits is not None:
            begin = names >> np.uint64(_WORD - self.depth)
            bytes_ = np.take(self.bits, (begin >> np.uint64(3)).view(np.int64))
            names = names[(bytes_ >> (begin & np.uint64(7)).astype(np.uint8)) & 1 != 0]
        # in order, so that one look finds the way of the one before still warm
        wanted: Names = np.sort(names)
        # beyond the last name the first one stands for it, which is smaller
        found: Names = wanted[np.take(self.names, np.searchsorted(self.names, wanted), mode="wrap") == wanted]
        return found

    def give_back(self, *, larger_than: int = 0) -> None:
        """Let the memory go that looks into the files took; they stay mapped."""
        for mapped in self.maps:
            if len(mapped) > larger_than:
                mapped.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True, slots=True)
class NameSet:
    """A set of names in one or several runs (a name may be in more than one)."""

    runs: tuple[Run, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.runs)

    @property
    def size(self) -> int:
        """How many names; those in several runs count in each."""
        return sum(len(run.names) for run in self.runs)

    def holds(self, names: Names) -> NDArray[np.bool_]:
        """Which of the names are in the set."""
        found = np.zeros(len(names), np.bool_)
        for run in self.runs if len(names) else ():
            if len(there := run.holds(names)):
                found |= np.isin(names, there)
            run.give_back(larger_than=STAY_BYTES)
        return found

    def __or__(self, other: NameSet) -> NameSet:
        return NameSet(self.runs + other.runs)


def of(names: Names) -> NameSet:
    """The set of these names, in memory."""
    return NameSet((Run(_unique(names)),)) if len(names) else NameSet()


def opened(paths: Iterable[Path]) -> NameSet:
    """The sets in these files, as one.

    Raises:
        FileNotFoundError: one of them is not there.
    """
    runs = []
    for path in paths:
        if (names := _mapped(path)) is None:
            continue
        array: Names = np.frombuffer(names, "<u8")
        bits = _mapped(bits_of(path)) if bits_of(path).exists() else None
        if bits is None:
            runs.append(Run(array, maps=(names,)))
        else:
            runs.append(Run(array, np.frombuffer(bits, np.uint8), (len(bits) * 8).bit_length() - 1, (names, bits)))
    return NameSet(tuple(runs))


def bits_of(path: Path) -> Path:
    """The file with the first bits of a file's names."""
    return path.with_suffix(".bits")


def merge(names: NameSet, path: Path, *, bits: bool = False) -> int:
    """Write the set into one file, sorted and each name once; give their number. Takes the memory of one piece.

    `bits`: with the first bits beside it, which pays where the file is asked often.
    """
    pieces = 1 << max(-(-names.size // PIECE) - 1, 0).bit_length()
    depth = max((names.size * BITS - 1).bit_length(), pieces.bit_length() + 2)
    bounds = np.array([number * (1 << _WORD) // pieces for number in range(pieces)], np.uint64)
    edges = []
    for run in names.runs:
        edges.append([*np.searchsorted(run.names, bounds).tolist(), len(run.names)])
        run.give_back()
    written = 0
    with (
        storage.replacing(path) as temporary,
        storage.replacing(bits_of(path)) as beside,
        open(temporary, "wb") as file,
        open(beside, "wb") as other,
    ):
        for number in range(pieces):
            parts = [run.names[edge[number] : edge[number + 1]] for run, edge in zip(names.runs, edges, strict=True)]
            piece = _unique(np.concatenate(parts)) if parts else np.empty(0, np.uint64)
            file.write(_bytes(piece))
            written += len(piece)
            if bits:
                flags = np.zeros((1 << depth) // pieces, np.bool_)
                flags[(piece >> np.uint64(_WORD - depth)).view(np.int64) - number * len(flags)] = True
                other.write(np.packbits(flags, bitorder="little").data)
            for run in names.runs:
                run.give_back()
    if not bits:
        bits_of(path).unlink()
    return written


@dataclass(slots=True)
class Gathering:
    """Names that come in any order and number: HELD of them in memory, the rest in sorted files in a folder until `write`."""

    folder: Path
    _held: list[Names] = field(default_factory=list)
    _number: int = 0
    _spilled: list[Path] = field(default_factory=list)

    def add(self, names: Names) -> None:
        """Take some."""
        self._held.append(names)
        self._number += len(names)
        if self._number >= HELD:
            path = self.folder / f".names-{len(self._spilled)}"
            path.write_bytes(_bytes(self._sorted()))
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
        return _unique(np.concatenate(self._held)) if self._held else np.empty(0, np.uint64)


def _mapped(path: Path) -> mmap.mmap | None:
    with open(path, "rb") as file:
        # an empty file cannot be mapped
        size = os.fstat(file.fileno()).st_size
        return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else None


def _bytes(names: Names) -> Any:
    return names.astype("<u8", copy=False).data


def _unique(names: Names) -> Names:
    # numpy's own unique has a hash table in between, which takes twenty times as long
    ordered = np.sort(names)
    fresh = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=fresh[1:])
    return ordered if fresh.all() else ordered[fresh]
