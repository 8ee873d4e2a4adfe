"""Counts by hand, as estimates.py reads them: what a study counted on some days, by author."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline import estimates
from pipeline.estimates import Priors
from pipeline.schema import BASES
from pipeline.study_counts import Counts, Method

START = dt.date(2026, 11, 1)

#: Of one day: (n, k) by author; None wrote no name.
Day = Mapping[str | None, tuple[int, int]]


def day(number: int) -> dt.date:
    """The so-manieth day of the study, from 1."""
    return START + dt.timedelta(days=number - 1)


def make_method(**changes: Any) -> Method:
    """One that forgets nothing, with a flat prior; a test changes what it is about."""
    usual = {"prior_alpha": 1.0, "prior_beta": 1.0, "forget": 1.0, "window": None, "author_cap": None, "start": START}
    return Method(**(usual | changes))


def make_counts(
    days: Mapping[int, Day],
    *,
    coverage: Mapping[int, float] | None = None,
    basis: Mapping[int, str] | None = None,
    shuffle: int | None = None,
) -> Counts:
    """The days' counts, observed whole unless said; with `shuffle` the rows by author come in some other order."""
    numbers = sorted(days)
    names = sorted({name for authors in days.values() for name in authors if name is not None})
    rows = [(number, name, *pair) for number in numbers for name, pair in days[number].items() if pair[0]]
    if shuffle is not None:
        np.random.default_rng(shuffle).shuffle(rows)
    said, observed = basis or {}, coverage or {}

    def sums(which: int) -> Any:
        return np.array([sum(pair[which] for pair in days[number].values()) for number in numbers], dtype=np.int64)

    return Counts(
        days=np.array([day(number) for number in numbers], dtype="datetime64[D]"),
        trials=sums(0),
        matches=sums(1),
        coverage=np.array([observed.get(number, 1.0) for number in numbers], dtype=np.float64),
        synthetic=np.zeros(len(numbers), dtype=np.bool_),
        basis=np.array([BASES.index(said.get(number, "tweets")) for number in numbers], dtype=np.int64),
        author_days=np.array([day(int(row[0])) for row in rows], dtype="datetime64[D]"),
        authors=np.array([-1 if row[1] is None else names.index(row[1]) for row in rows], dtype=np.int64),
        author_trials=np.array([row[2] for row in rows], dtype=np.int64),
        author_matches=np.array([row[3] for row in rows], dtype=np.int64),
    )


def publish(method: Method, counts: Counts, numbers: Sequence[int], priors: Priors | None = None) -> list[dict[str, Any]]:
    """The rows of these days of the study."""
    targets = [day(number) for number in numbers]
    at = np.array(targets, dtype="datetime64[D]")
    given = priors if priors is not None else estimates.set_priors(method, at)
    return estimates.rows(method, counts, targets, given, rule_version="rule", revision="made")


def one(method: Method, days: dict[int, Day], number: int, **about: Any) -> dict[str, Any]:
    """The row of one day."""
    (row,) = publish(method, make_counts(days, **about), [number])
    return row
