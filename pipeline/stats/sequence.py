"""From the counts of many days to a posterior a day. A pure function: the order in which days were counted never shows.

The distribution itself belongs to beta.py; which days count belongs to posterior.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import InvalidCounts
from pipeline.stats import beta

Days = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class PosteriorRows:
    """One row a day asked for, in the order asked: Beta(alpha, beta), and what it rests on."""

    days: Days
    alpha: npt.NDArray[np.float64]
    beta: npt.NDArray[np.float64]
    #: sums of the plain counts of all days up to the row's, whatever the discount
    trials: npt.NDArray[np.int64]
    matches: npt.NDArray[np.int64]
    #: number of days summed
    days_counted: npt.NDArray[np.int64]


def posterior_sequence(
    *,
    prior_alpha: float,
    prior_beta: float,
    forget: float,
    days: npt.ArrayLike,
    trials: npt.ArrayLike,
    matches: npt.ArrayLike,
    at: npt.ArrayLike,
    window: int | None = None,
) -> PosteriorRows:
    """The posterior of each day of `at`, from the prior and the counts of all `days` up to and including it.

    alpha_t = alpha_0 + sum over s <= t of forget^(t - s) k_s, and beta_t likewise with n_s - k_s; t - s in days. With forget = 1
    these are whole-number sums, exact; with `window` days older than so many calendar days weigh nothing. Source: the power
    discount of Smith (1979), JRSS B 41, and West and Harrison, Bayesian Forecasting and Dynamic Models, section 14.4; here the
    prior itself is not discounted, so a long silence leads back to it.

    Days are sorted before anything is summed, and a row depends on the counts of its own and earlier days alone (not on which
    other rows are asked for): so it is the same to the last bit for any order, for late days and for reruns.

    Args:
        prior_alpha: alpha_0 > 0.
        prior_beta: beta_0 > 0.
        forget: discount a day, 0 < forget <= 1; 1 never forgets.
        days: the days that have counts, each once, anything numpy takes for datetime64[D].
        trials: n of each, whole numbers.
        matches: k of each, whole numbers, k <= n.
        at: the days to give a row for; before the first counted day that is the prior.
        window: number of days that weigh, the row's own with them; None for all. Of `trials`, `matches` and `days_counted` as well.

    Raises:
        InvalidCounts: k > n, negative, fractional or not finite counts, a day given twice, a bad prior, discount or window.
    """
    start_alpha, start_beta = (float(value) for value in beta.parameters(prior_alpha, prior_beta))
    check_discount(forget, window)
    when, wanted = as_days(days), as_days(at)
    n, k = as_whole(trials, when.shape), as_whole(matches, when.shape)
    beta.counts(n, k)
    order = np.argsort(when, kind="stable")
    when, n, k = when[order], n[order], k[order]
    if when.size and (twice := when[1:][when[1:] == when[:-1]]).size:
        raise InvalidCounts(f"day {twice[0]} is given twice; wanted is one count a day", todo="load that day's counts again")
    counted = np.searchsorted(when, wanted, side="right")
    sums_n, sums_k = (np.concatenate([[0], np.cumsum(values)]).astype(np.int64)[counted] for values in (n, k))
    hits, misses = _discounted(when, k, forget), _discounted(when, n - k, forget)
    last = np.concatenate([when[:1], when])[counted] if when.size else wanted
    fading = [forget ** int(gap) if number else 0.0 for gap, number in zip((wanted - last).astype(np.int64), counted, strict=True)]
    rows = PosteriorRows(
        days=wanted,
        alpha=start_alpha + np.asarray(fading, dtype=np.float64) * hits[counted],
        beta=start_beta + np.asarray(fading, dtype=np.float64) * misses[counted],
        trials=sums_n,
        matches=sums_k,
        days_counted=counted.astype(np.int64),
    )
    if window is None:
        return rows
    return _windowed(rows, when, n, k, window=window, forget=forget, prior=(start_alpha, start_beta))


def check_discount(forget: float, window: int | None) -> None:
    """Whether old days can be made to count so.

    Raises:
        InvalidCounts: a discount outside (0, 1], a window that is no whole number of at least 1.
    """
    if not 0 < forget <= 1:
        raise InvalidCounts(f"forget is {forget}; wanted is a number above 0, at most 1", todo="mend forget in studies.toml")
    if window is not None and (window != int(window) or window < 1):
        raise InvalidCounts(f"window is {window}; wanted is a whole number of days, at least 1", todo="mend window in studies.toml")


def _windowed(
    rows: PosteriorRows,
    when: Days,
    n: npt.NDArray[np.int64],
    k: npt.NDArray[np.int64],
    *,
    window: int,
    forget: float,
    prior: tuple[float, float],
) -> PosteriorRows:
    """The same rows from the last days alone. Summed anew for each row: a difference of discounted sums would lose digits."""
    alpha, beta_ = np.empty(rows.days.size), np.empty(rows.days.size)
    start = np.searchsorted(when, rows.days - np.timedelta64(window, "D"), side="right")
    for index, (day, first, end) in enumerate(zip(rows.days, start, np.searchsorted(when, rows.days, side="right"), strict=True)):
        weight = np.power(forget, (day - when[first:end]).astype(np.float64))
        alpha[index] = prior[0] + (weight * k[first:end]).sum()
        beta_[index] = prior[1] + (weight * (n - k)[first:end]).sum()
    before_n, before_k = (np.concatenate([[0], np.cumsum(values)]).astype(np.int64)[start] for values in (n, k))
    return PosteriorRows(
        days=rows.days,
        alpha=alpha,
        beta=beta_,
        trials=rows.trials - before_n,
        matches=rows.matches - before_k,
        days_counted=rows.days_counted - start,
    )


def _discounted(days: Days, values: npt.NDArray[np.int64], forget: float) -> npt.NDArray[np.float64]:
    """Discounted sums as of each day, with a 0 before them: S_i = forget^(gap) S_(i-1) + value_i."""
    gaps = np.diff(days).astype(np.int64)
    sums = [0.0]
    for index, value in enumerate(values.tolist()):
        fade = forget ** int(gaps[index - 1]) if index else 0.0
        sums.append(fade * sums[-1] + value)
    return np.asarray(sums, dtype=np.float64)


def as_days(values: npt.ArrayLike) -> Days:
    """Calendar days as a flat array.

    Raises:
        InvalidCounts: something else is among them.
    """
    days = np.atleast_1d(np.asarray(values, dtype="datetime64[D]"))
    if days.ndim != 1 or np.isnat(days).any():
        raise InvalidCounts(f"days are {values!r}; wanted is a list of calendar days", todo="leave out what has no day")
    return days


def as_whole(values: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Whole numbers of the given shape.

    Raises:
        InvalidCounts: a fraction, not finite, or another number of them.
    """
    given = np.atleast_1d(np.asarray(values))
    if given.size == 0:
        given = given.astype(np.int64)
    if given.shape != shape:
        raise InvalidCounts(f"{given.size} counts for {shape[0]} days; wanted is one a day", todo="mend the call")
    if given.dtype.kind not in "iuf" or not np.isfinite(given).all() or (given != np.floor(given)).any():
        raise InvalidCounts(f"counts are {values!r}; wanted are whole numbers", todo="count those days again")
    return given.astype(np.int64)
