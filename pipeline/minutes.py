"""Minutes in which a stream was alive: a set, a bit for each, since a file with a broken clock may name them all."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

A_DAY: Final = 1440


class Minutes:
    """A set of minutes since 1970: 180 bytes for each day that has any."""

    def __init__(self) -> None:
        self._days: dict[int, NDArray[np.uint8]] = {}

    def note(self, seconds: NDArray[np.int64]) -> None:
        """Add the minutes of moments, given in seconds since 1970."""
        if not len(seconds):
            return
        minutes = np.unique(seconds // 60)
        days, begins = np.unique(minutes // A_DAY, return_index=True)
        for day, some in zip(days.tolist(), np.split(minutes % A_DAY, begins[1:]), strict=True):
            bits = np.zeros(A_DAY, np.bool_)
            bits[some] = True
            packed = np.packbits(bits)
            self._days[day] = packed | self._days[day] if day in self._days else packed

    def packed(self) -> dict[str, str]:
        """UTC day → its bits, from its first minute on, in hexadecimal: what the manifest keeps of liveness."""
        return {(date(1970, 1, 1) + timedelta(day)).isoformat(): self._days[day].tobytes().hex() for day in sorted(self._days)}
