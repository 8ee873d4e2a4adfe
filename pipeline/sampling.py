"""Which spans of a day to ask for where all of it would be too dear: a random sample of its posts, each with the same chance.

Pure: volumes in, windows out. How the volumes are known is expected.py's affair, how a window is walked extract.py's; why it is drawn
this way, what it promises and what not: docs/sampling.md.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.days import Window

#: Raise it whenever the same volumes and seed would give other windows: what was drawn is part of what was fetched.
CODE: Final = 1

#: Posts that a slice holds at least: the smallest page of the search endpoints (facts/x-api.md). Smaller slices would spread better still,
#: and cost a request each.
PAGE: Final = 10
#: Strata at most: ten an hour spread well over any day, and so many requests a query pass within one span of the rate limit (300 of
#: search/all in 15 minutes, facts/x-api.md).
MOST_STRATA: Final = 240


def draw(volumes: Sequence[tuple[datetime, int]], posts: int, *, seed: str, end: datetime) -> tuple[Window, ...]:
    """The windows to fetch for a sample of about `posts` of the posts that `volumes` tell; the whole day where it has no more than that.

    The posts lie on a line, a unit of length each, in the order of time. It is cut into equal strata; in each, a span of the same length
    begins at a place drawn for that stratum, and what would stick out at its end goes on at its beginning. So every point of the line,
    and every second of the day, is taken with the same probability, posts wanted / posts there are (Cochran, Sampling Techniques,
    1977: one cluster from each stratum, chapters 5A and 9). That holds even where the volumes are wrong: they only steer how many come.

    The same arguments give the same windows on every machine. In the mean over seeds they hold `posts` posts; how far off one draw is
    depends only on how unevenly posts lie within those spans of `volumes` in which slices begin and end.

    Args:
        volumes: (start, number of posts) of consecutive spans (minutes, say), in order; each goes on until the next begins, and the first
            starts the day. Aware instants of whole seconds.
        posts: how many are wanted, 1 or more.
        seed: of the random choice: another one for every area and day.
        end: where the last span, and the day, ends.

    Returns:
        Disjoint windows in the order of time, no two of them touching; one window, the whole day, where all of it is to be taken.

    Raises:
        ValueError: volumes that are empty, out of order or negative, or fewer than one post wanted.
    """
    if not volumes or posts < 1:
        raise ValueError(f"got {len(volumes)} volumes and {posts} posts, wanted at least one of each")
    start = volumes[0][0]
    edges = np.array([(at - start).total_seconds() for at in (*(at for at, _ in volumes), end)])
    counts = np.array([count for _, count in volumes], dtype=np.float64)
    if (np.diff(edges) <= 0).any() or (counts < 0).any():
        raise ValueError("got volumes out of order or below 0, wanted consecutive spans of 0 or more posts")
    line = np.concatenate([[0.0], np.cumsum(counts)])
    if line[-1] <= posts:
        return (Window(start, end),)
    seconds = [(_second(low, line, edges), _second(high, line, edges)) for low, high in _spans(float(line[-1]), posts, seed)]
    return tuple(Window(start + timedelta(seconds=low), start + timedelta(seconds=high)) for low, high in _merged(seconds))


def page(expected: float) -> int:
    """Posts to ask for at a time where a slice should hold `expected`: with room for two standard deviations, so one page mostly does."""
    return max(PAGE, math.ceil(expected + 2 * math.sqrt(expected)))


def _spans(total: float, posts: int, seed: str) -> list[tuple[float, float]]:
    """Spans of the line from 0 to `total`, in order: from each stratum one of the same length, in two pieces where it goes round."""
    strata = min(max(posts // PAGE, 1), MOST_STRATA)
    stratum, length = total / strata, posts / strata
    # PCG64's uniform numbers are the same in every version of numpy; those of its distributions are not promised
    chance = np.random.Generator(np.random.PCG64(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:16], "big"))).random(strata)
    spans = []
    for number, offset in enumerate((chance * stratum).tolist()):
        low, high = number * stratum, (number + 1) * stratum if number < strata - 1 else total
        beyond = offset + length - stratum
        if beyond > 0:
            spans += [(low, low + beyond), (low + offset, high)]
        else:
            spans.append((low + offset, low + offset + length))
    return spans


def _second(point: float, line: NDArray[np.float64], edges: NDArray[np.float64]) -> int:
    """The first whole second, from the day's start, at which `point` posts or more lie behind; the day's end for the end of the line.

    A post of second s is in a slice [_second(low), _second(high)) exactly if the number of posts before s is in [low, high): so rounding to
    seconds changes no post's chance. The same holds for the silence after the day's last post, which belongs to the end of the line.
    """
    if point >= line[-1]:
        return int(edges[-1])
    after = int(np.searchsorted(line, point, side="left"))
    if after == 0:
        return 0
    share = (point - line[after - 1]) / (line[after] - line[after - 1])
    return math.ceil(float(edges[after - 1] + share * (edges[after] - edges[after - 1])))


def _merged(seconds: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without the empty ones; those that touch are one."""
    merged: list[tuple[int, int]] = []
    for low, high in seconds:
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        elif low < high:
            merged.append((low, high))
    return merged
