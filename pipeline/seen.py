"""A set of 64-bit numbers that takes 8 bytes for each: what an import remembers of every record, to know one that comes again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Seen:
    """A set of numbers in sorted arrays that merge as they grow: 8 bytes each, where a Python set takes 60."""

    def __init__(self) -> None:
        self._runs: list[NDArray[np.int64]] = []

    def add(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Add the numbers; tell which of them are there for the first time."""
        unique, first = np.unique(numbers, return_index=True)
        fresh = np.ones(len(unique), np.bool_)
        for run_ in self._runs:
            places = np.searchsorted(run_, unique)
            fresh &= run_[np.minimum(places, len(run_) - 1)] != unique
        new = np.zeros(len(numbers), np.bool_)
        new[first[fresh]] = True
        if fresh.any():
            self._runs.append(unique[fresh])
        while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
            self._runs[-2:] = [np.sort(np.concatenate(self._runs[-2:]))]
        return new
