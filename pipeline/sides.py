"""Two sides of a comparison as cells of stats/attribution.py: who wrote where, n and k, and which hours both sides observed.

What is compared with what is why.py's affair; the sums are weighed.py's.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import numpy as np

from pipeline.stats import attribution
from pipeline.stats.attribution import Cells
from pipeline.weighed import Cell, Counted, Weights, Where

#: A place stands for itself where at least so many tweets of the smaller side would be written there; the others go by their evidence.
#: (Of a place with one tweet on a side the share there is 0 or 1: its mix would be noise.)
_ENOUGH_IN_A_PLACE = 10
#: An hour of the day counts as observed on a side where this much of it was, on average over the side's days.
_OBSERVED = 0.5


@dataclass(frozen=True)
class Sides:
    """The cells of both sides, what is known of places, and the local hours that one side did not observe."""

    before: Cells
    after: Cells
    where: Where
    #: days whose tweets are gone, or do not agree with the counts: of these only the counts by author are used
    bare_days: tuple[date, ...]
    hours_apart: tuple[int, ...]


def sides(counted: Counted, *, before: Weights, after: Weights, changed: tuple[Collection[date], Collection[date]] | None = None) -> Sides:
    """The cells of two sides.

    An author on both sides is named "*", another one or an unknown one "": which is all that attribution.py asks of names.

    Args:
        counted: whose tweets.
        before, after: days and what each weighs, 0 to 1; a day may be on both.
        changed: the days whose hours are compared, where not those of the two sides: of two rows, what left and what came.
    """
    days = before.keys() | after.keys()
    kept = counted.kept(days)
    bare = tuple(sorted(day for day in days if day not in kept))
    where: Where = "" if bare else "evidence" if "emptied" in kept.values() else "place"
    # of what is known by author alone, nobody knows the hour
    apart = () if bare else _hours_apart(counted, *(changed or (before.keys(), after.keys())))
    cells = counted.cells(before, after, where=where, bare=bare, apart=apart)
    authors, places, comparable = ["*" if cell.both else "" for cell in cells], _named(cells), [cell.comparable for cell in cells]

    def side(trials: list[float], matches: list[float]) -> Cells:
        return attribution.cells(
            authors=authors, places=places, trials=trials, matches=matches, comparable=np.array(comparable, dtype=bool)
        )

    return Sides(
        before=side([cell.n_before for cell in cells], [cell.k_before for cell in cells]),
        after=side([cell.n_after for cell in cells], [cell.k_after for cell in cells]),
        where=where,
        bare_days=bare,
        hours_apart=apart,
    )


def _hours_apart(counted: Counted, before: Collection[date], after: Collection[date]) -> tuple[int, ...]:
    """The local hours that one side did not observe."""
    unseen = counted.unseen({*before, *after})
    found: set[int] = set()
    for side in (before, after):
        partial = [unseen[day] for day in sorted(side) if day in unseen]
        found.update(hour for hour in range(24) if sum(day[hour] for day in partial) > (1 - _OBSERVED) * len(side))
    return tuple(sorted(found))


def _named(cells: list[Cell]) -> list[str]:
    """The place of each cell; of a place too small to stand for itself, its kind of evidence."""
    sums: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    for cell in cells:
        sums[cell.place] = sums.get(cell.place, np.zeros(2)) + np.array([cell.n_before, cell.n_after])
    total = sum(sums.values(), np.zeros(2))
    smaller = float(total.min())
    alone = {place for place, both in sums.items() if smaller and float((both / total).max()) * smaller >= _ENOUGH_IN_A_PLACE}
    return [cell.place if cell.place in alone else cell.kind for cell in cells]
