"""A day of the sandbox's city as arrays, and what the counts endpoint would say of it: what a sample is drawn from, and judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from pipeline import days
from pipeline.days import Window
from pipeline.sandbox import places
from pipeline.sandbox.city import City


@dataclass(frozen=True)
class CityDay:
    """The tweets inside, in the order of time: `seconds` from the day's start, and whether each matches.

    `true_share`: of all that may be written on such a day, exact.
    """

    window: Window
    seconds: NDArray[np.int64]
    matches: NDArray[np.bool_]
    true_share: float

    @classmethod
    def of(cls, city: City, day: date, verdicts: NDArray[np.bool_]) -> CityDay:
        """What the city writes on that day; `verdicts`: which texts of its catalogue match."""
        draws, window = city.draws(day), days.window(day, city.zone)
        assert draws is not None
        inside = np.isin(draws.kind, [list(places.KINDS).index(kind) for kind in places.INSIDE])
        seconds = draws.milliseconds[inside] // 1000 - int(window.start.timestamp())
        order = np.argsort(seconds, kind="stable")
        matches = verdicts[draws.text[inside, 1]][order]
        return cls(window, seconds[order], matches, float(city.distribution(day)[1][verdicts].sum()))

    @property
    def volumes(self) -> list[tuple[datetime, int]]:
        """What the counts endpoint would tell, by the minute."""
        return minutes(np.bincount(self.seconds // 60, minlength=round(self.window.hours * 60)), start=self.window.start)

    def inside(self, windows: Sequence[Window]) -> tuple[int, int]:
        """Tweets in the windows, and matches among them."""
        bounds = [[(edge - self.window.start).total_seconds() for edge in (window.start, window.end)] for window in windows]
        places_ = np.searchsorted(self.seconds, np.array(bounds))
        so_far = np.concatenate([[0], np.cumsum(self.matches)])
        return int(np.diff(places_).sum()), int(np.diff(so_far[places_]).sum())

    def newest(self, number: int) -> tuple[int, int]:
        """Of the newest tweets: how many, and matches among them."""
        return number, int(self.matches[-number:].sum())


def minutes(counts: Sequence[int] | NDArray[np.int64], *, start: datetime) -> list[tuple[datetime, int]]:
    """Volumes of consecutive minutes."""
    return [(start + timedelta(minutes=number), int(count)) for number, count in enumerate(counts)]
