"""Programs that tweet in a made-up city: each says the same thing again and again, at regular times, by day and by night.

Which tweets are theirs is drawn for each tweet by itself, so the true share stays exact: so much of people's, so much of theirs.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

BOTS: Final = 4


def texts(chance: np.random.Generator, catalogue: int) -> NDArray[np.int64]:
    """What each bot says: a number in the catalogue (of so many texts)."""
    return np.asarray((chance.random(BOTS) * catalogue).astype(np.int64))


def whose(chance: np.random.Generator, count: int, share: float) -> NDArray[np.int64]:
    """For each of `count` tweets the bot that writes it, or -1 where a person does."""
    drawn = chance.random((count, 2))
    return np.where(drawn[:, 0] < share, (drawn[:, 1] * BOTS).astype(np.int64), -1)


def regular(milliseconds: NDArray[np.int64], bot: NDArray[np.int64], start: int, length: int) -> NDArray[np.int64]:
    """The times of the tweets, where those of each bot are spaced evenly over the day (from `start`, `length` milliseconds long)."""
    times = milliseconds.copy()
    for number in range(BOTS):
        own = np.flatnonzero(bot == number)
        # each bot a little off the others
        times[own] = start + ((np.arange(len(own)) + (number + 0.5) / BOTS) * length / max(len(own), 1)).astype(np.int64)
    return times
