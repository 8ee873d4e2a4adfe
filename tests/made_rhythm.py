"""A made-up day whose share of matches follows the clock, as arrays: what a sample is drawn from, and judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from pipeline.days import Window
from pipeline.sandbox.city import HOURS

START = datetime(2026, 11, 5, 6, tzinfo=UTC)
END = START + timedelta(days=1)
#: The share of matches by local hour: three times as high in the morning as late in the evening.
SHARES = 0.11 * np.exp(0.55 * np.cos((np.arange(24) - 8) / 24 * 2 * np.pi))
#: The share of the day, each hour by its weight.
TRUE_SHARE = float(np.average(SHARES, weights=HOURS))


@dataclass(frozen=True)
class MadeDay:
    """Posts in the order of time: `seconds` since START, and whether each matches."""

    seconds: NDArray[np.int64]
    matches: NDArray[np.bool_]

    @property
    def volumes(self) -> list[tuple[datetime, int]]:
        """What the counts endpoint would tell, by the minute."""
        return minutes(np.bincount(self.seconds // 60, minlength=1440))

    def inside(self, windows: Sequence[Window]) -> tuple[int, int]:
        """Posts in the windows, and matches among them."""
        bounds = [(_since(window.start), _since(window.end)) for window in windows]
        places = np.searchsorted(self.seconds, np.array(bounds))
        so_far = np.concatenate([[0], np.cumsum(self.matches)])
        return int(np.diff(places).sum()), int(np.diff(so_far[places]).sum())

    def newest(self, number: int) -> tuple[int, int]:
        """Of the newest posts: how many, and matches among them."""
        return number, int(self.matches[-number:].sum())


def _since(instant: datetime) -> int:
    return int((instant - START).total_seconds())


def minutes(counts: Sequence[int] | NDArray[np.int64], start: datetime = START) -> list[tuple[datetime, int]]:
    """Volumes of consecutive minutes."""
    return [(start + timedelta(minutes=number), int(count)) for number, count in enumerate(counts)]


def made_day(seed: int, posts: int) -> MadeDay:
    """About so many posts, by the rhythm of HOURS and SHARES; another day for every seed."""
    chance = np.random.default_rng(seed)
    weights = np.array(HOURS) / sum(HOURS)
    hours = np.repeat(np.arange(24), chance.poisson(posts * weights))
    seconds = np.sort(hours * 3600 + chance.integers(0, 3600, len(hours)))
    return MadeDay(seconds, chance.random(len(seconds)) < SHARES[seconds // 3600])
