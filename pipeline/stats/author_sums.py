"""The counts by author and day as weighted sums of one author each: all days up to a day, or the last ones.

What the sums say of a share belongs to authors.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import InvalidCounts
from pipeline.stats import beta
from pipeline.stats.beta import Floats
from pipeline.stats.sequence import Days, as_days, as_whole


@dataclass(frozen=True)
class AuthorTable:
    """Checked rows sorted by day and author, after the cap; code -1 is nobody. `names` is the number of authors."""

    days: Days
    codes: npt.NDArray[np.int64]
    trials: Floats
    matches: Floats
    names: int


def author_table(
    *, days: npt.ArrayLike, authors: npt.ArrayLike, trials: npt.ArrayLike, matches: npt.ArrayLike, author_cap: int | None = None
) -> AuthorTable:
    """What `author_rows` makes of its arguments first; by itself for who asks several things of the same table.

    Raises:
        InvalidCounts: k > n, negative or fractional counts, an author twice on a day, a bad cap.
    """
    when = as_days(days)
    who = np.atleast_1d(np.asarray(authors))
    if who.shape != when.shape:
        raise InvalidCounts(f"{who.size} authors for {when.size} rows; wanted is one a row", todo="mend the call")
    n, k = beta.counts(as_whole(trials, when.shape), as_whole(matches, when.shape))
    codes, names = _codes(who)
    order = np.lexsort((codes, when))
    when, codes, n, k = when[order], codes[order], n[order], k[order]
    if ((when[1:] == when[:-1]) & (codes[1:] == codes[:-1])).any():
        raise InvalidCounts("an author is given twice on one day; wanted is one row each", todo="load those days' counts again")
    if author_cap is not None:
        if author_cap < 1:
            raise InvalidCounts(
                f"author_cap is {author_cap}; wanted is a whole number of at least 1", todo="mend author_cap in studies.toml"
            )
        over = (codes >= 0) & (n > author_cap)
        # n * (cap / n) may be a rounding above the cap
        k = np.where(over, np.minimum(k * (author_cap / np.maximum(n, 1)), author_cap), k)
        n = np.where(over, float(author_cap), n)
    return AuthorTable(when, codes, n, k, names)


@dataclass(frozen=True)
class Window:
    """Weighted sums of one author each; `copies` authors of the same sums (tweets without an author are one each)."""

    trials: Floats
    matches: Floats
    copies: Floats
    #: sum of weight^2 n over the author's days: what the sampling variance of the weighted sums rests on
    squares: Floats
    latest: Floats


def _codes(who: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], int]:
    """Numbers in the order of the names, -1 for None; and how many names there are."""
    if who.dtype.kind in "iu":
        names, inverse = np.unique(who[who >= 0], return_inverse=True)
        codes = np.full(who.shape, -1, dtype=np.int64)
        codes[who >= 0] = inverse
        return codes, names.size
    if who.dtype.kind == "U":
        names, inverse = np.unique(who, return_inverse=True)
        return inverse.astype(np.int64), names.size
    known = np.array([name is not None for name in who.tolist()], dtype=np.bool_)
    names, inverse = np.unique(np.array([str(name) for name in who[known].tolist()], dtype=np.str_), return_inverse=True)
    codes = np.full(who.shape, -1, dtype=np.int64)
    codes[known] = inverse
    return codes, names.size


def running(table: AuthorTable, at: Days, forget: float) -> Iterator[Window]:
    """The weighted sums of all days up to each of `at` (sorted), in one pass; only authors that are there, in the order of their names.

    Each author's sums are faded when the author comes back, and for the row: so a day costs as much as it has authors. The steps to
    a row are those of its own past, to the last bit, whatever comes later and whichever rows are asked for.
    """
    days = np.unique(table.days)
    starts, ends = (np.searchsorted(table.days, days, side=side) for side in ("left", "right"))
    # from here on days are numbers, the first is 0
    when, asked = ((some - (days[0] if days.size else at[0])).astype(np.int64) for some in (days, at))
    fades = np.power(forget, np.arange(max([0, *when[-1:], *asked[-1:]]) + 1, dtype=np.float64))
    n, k, squares = (np.zeros(table.names) for _ in range(3))
    latest = np.full(table.names, -1, dtype=np.int64)
    lone = table.codes[starts] < 0
    done = 0
    for day in asked.tolist():
        for index in range(done, until := int(np.searchsorted(when, day, side="right"))):
            start, end = int(starts[index]) + int(lone[index]), int(ends[index])
            codes = table.codes[start:end]
            # who was never there has sums of 0, whatever they are faded by
            fade = fades[when[index] - np.maximum(latest[codes], 0)]
            n[codes], k[codes] = n[codes] * fade + table.trials[start:end], k[codes] * fade + table.matches[start:end]
            squares[codes] = squares[codes] * fade * fade + table.trials[start:end]
            latest[codes] = when[index]
        done = max(done, until)
        there = np.flatnonzero(latest >= 0)
        fade = fades[day - latest[there]]
        weight = fades[day - when[:until]]
        own = weight[lone[:until]]
        nobody = starts[:until][lone[:until]]
        lonely = own, table.trials[nobody], table.matches[nobody]
        yield _joined(n[there] * fade, k[there] * fade, squares[there] * fade * fade, fade, lonely)


def of_last(table: AuthorTable, last: np.datetime64, forget: float, window: int) -> Window:
    """The weighted sums of the `window` days up to `last`. Summed anew: a difference of running sums would lose digits."""
    end = int(np.searchsorted(table.days, last, side="right"))
    start = int(np.searchsorted(table.days, last - np.timedelta64(window, "D"), side="right"))
    codes, n, k = table.codes[start:end], table.trials[start:end], table.matches[start:end]
    weight = np.power(forget, (last - table.days[start:end]).astype(np.float64))
    lone, known = codes < 0, codes >= 0
    nobody = weight[lone], n[lone], k[lone]
    sums = (weight * n)[known], (weight * k)[known], (weight * weight * n)[known]
    if start == end or table.days[start] == table.days[end - 1]:
        # of one day each author has one row, and they are sorted
        return _joined(*sums, weight[known], nobody)
    by_n, by_k, by_squares = (np.bincount(codes[known], values, minlength=table.names).astype(np.float64) for values in sums)
    latest = np.zeros(table.names)
    # rows are in the order of days: an author's last one stays
    latest[codes[known]] = weight[known]
    there = by_n > 0
    return _joined(by_n[there], by_k[there], by_squares[there], latest[there], nobody)


def _joined(n: Floats, k: Floats, squares: Floats, latest: Floats, nobody: tuple[Floats, Floats, Floats]) -> Window:
    """Authors, and after them the tweets without one (their days' weights, trials and matches)."""
    if n.size and not n.all():
        # faded to nothing
        there = n > 0
        n, k, squares, latest = n[there], k[there], squares[there], latest[there]
    weight, trials, matches = nobody
    return Window(
        trials=np.concatenate([n, weight, weight]),
        # k may exceed n by the rounding of their weights
        matches=np.concatenate([np.minimum(k, n), weight, np.zeros_like(weight)]),
        copies=np.concatenate([np.ones(n.size), matches, trials - matches]),
        squares=np.concatenate([squares, weight * weight, weight * weight]),
        latest=latest,
    )
