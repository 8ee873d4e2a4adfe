"""One study's counts, and how it wants them read: which days weigh how much, what a cap leaves of an author, how clustered a day is.

What is published of them is estimates.py's affair.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.stats import forgetting
from pipeline.stats.author_sums import AuthorTable, author_table
from pipeline.stats.authors import RECENT_DAYS, AuthorRows, table_rows
from pipeline.stats.beta import Floats
from pipeline.stats.sequence import Days


@dataclass(frozen=True)
class Method:
    """How a study wants its counts read: the parts of its table that the numbers depend on."""

    #: of its own: what holds where there is no pool, or it says nothing yet
    prior_alpha: float
    prior_beta: float
    forget: float | Literal["auto"]
    window: int | None
    author_cap: int | None
    start: date


@dataclass(frozen=True)
class Counts:
    """One study's counts, a row a day, sorted by day; and the same by author, in any order."""

    days: Days
    trials: npt.NDArray[np.int64]
    matches: npt.NDArray[np.int64]
    #: 0 to 1, NaN where nobody can tell
    coverage: Floats
    synthetic: npt.NDArray[np.bool_]
    #: places in schema.BASES
    basis: npt.NDArray[np.int64]
    author_days: Days
    #: ranks among the names, so that their order is the names'; -1 where nobody knows
    authors: npt.NDArray[np.int64]
    author_trials: npt.NDArray[np.int64]
    author_matches: npt.NDArray[np.int64]


def authors_since(method: Method, days: Sequence[date], first: date) -> date | None:
    """The first day whose authors the rows from `first` on rest on: older ones need not be read. None for all.

    Args:
        method: how the study is read.
        days: its days with counts, sorted.
        first: the first row, or evening, that is wanted.
    """
    if method.window is None:
        return None
    # the evening before has a window of its own; days by themselves tell how clustered a day is, and may borrow as a window does
    alone = days[max(0, bisect.bisect_right(days, first) - RECENT_DAYS) :][:1]
    return min([first - timedelta(days=method.window), *alone]) - timedelta(days=RECENT_DAYS)


@dataclass(frozen=True)
class Discounts:
    """Of each of some days, what a day before it weighs against it."""

    forget: Floats
    #: JSON by candidate; None where the discount is set
    scores: list[str | None]


class Read:
    """A study's counts as its method reads them; what several rows share is computed once."""

    def __init__(self, method: Method, counts: Counts) -> None:
        self.method, self.counts = method, counts
        self._effects = np.full(counts.days.shape, np.nan)

    @cached_property
    def table(self) -> AuthorTable:
        """The counts by author, after the cap."""
        return author_table(
            days=self.counts.author_days,
            authors=self.counts.authors,
            trials=self.counts.author_trials,
            matches=self.counts.author_matches,
            author_cap=self.method.author_cap,
        )

    @cached_property
    def capped(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The days' counts after the cap, in whole tweets: what is predicted of a day is of what counts of it."""
        if self.method.author_cap is None:
            return self.counts.trials, self.counts.matches
        which = np.searchsorted(self.counts.days, self.table.days)
        sums = (np.bincount(which, values, minlength=self.counts.days.size) for values in (self.table.trials, self.table.matches))
        n, k = (np.rint(values).astype(np.int64) for values in sums)
        return n, np.minimum(k, n)

    def effects(self, which: npt.NDArray[np.int64]) -> Floats:
        """The design effect of these days, each by itself; 1 where there is no tweet."""
        missing = which[np.isnan(self._effects[which])]
        if missing.size:
            found = table_rows(self.table, at=self.counts.days[missing], window=1).design_effect
            self._effects[missing] = np.where(self.capped[0][missing] > 0, found, 1.0)
        return self._effects[which]

    def discounts(self, at: Days) -> Discounts:
        """The discount of each of some days: set, or chosen by the days up to it."""
        if self.method.forget != "auto":
            return Discounts(np.full(at.shape, float(self.method.forget)), [None] * at.size)
        until = int(np.searchsorted(self.counts.days, at, side="right").max(initial=0))
        n, k = self.capped
        chosen = forgetting.choose_forget(
            prior_alpha=self.method.prior_alpha,
            prior_beta=self.method.prior_beta,
            days=self.counts.days[:until],
            trials=n[:until],
            matches=k[:until],
            design_effects=self.effects(np.arange(until)),
            at=at,
        )
        names = [f"{candidate:g}" for candidate in chosen.candidates]
        return Discounts(chosen.forget, [json.dumps(dict(zip(names, scores, strict=True))) for scores in chosen.scores.tolist()])

    def weighted(self, at: Days, forget: Floats) -> AuthorRows:
        """author_rows of days that may each have a discount of their own."""
        parts = [
            (mask := forget == value, table_rows(self.table, at=at[mask], forget=float(value), window=self.method.window))
            for value in np.unique(forget)
        ]
        columns = {}
        for name in AuthorRows.__dataclass_fields__:
            values = [getattr(part, name) for _, part in parts]
            column = np.empty(at.shape, dtype=values[0].dtype if values else np.float64)
            for (mask, _), some in zip(parts, values, strict=True):
                column[mask] = some
            columns[name] = column
        return AuthorRows(**columns)
