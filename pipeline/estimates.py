"""From a study's counts to what is published of it: three estimates a day, what they rest on, what was expected and what may come next.

Arrays in, rows out; the formulas are stats/'s. Which days count, and what is written where, is posterior.py's affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.progress import Progress, silent
from pipeline.schema import BASES
from pipeline.stats import alarms, beta, pooling, predictive
from pipeline.stats.authors import RECENT_DAYS, AuthorRows
from pipeline.stats.beta import Floats
from pipeline.stats.sequence import Days, posterior_sequence
from pipeline.study_counts import Counts, Method, Read

_LEVELS = {"lower_50": 0.5, "lower_95": 0.95}
#: The next day is taken to have as many tweets as the median of so many days.
_USUAL_DAYS = 7
_ONE_DAY = np.timedelta64(1, "D")
#: Rows between two words on how far it is.
_AT_ONCE = 50

_SHARES = ("alpha", "beta", "mean", "lower_50", "upper_50", "lower_95", "upper_95")
_AUTHORS = ("design_effect", "borrowed", "top_weight", "without_top", "top_influence")
_EFFECTIVE = ("effective_trials", "effective_matches")
_NAIVE = ("naive_alpha", "naive_beta", "naive_mean", "naive_lower_95", "naive_upper_95")
_PER_AUTHOR = ("per_author_votes", "per_author_mean", "per_author_lower_95", "per_author_upper_95")
_EXPECTED = ("expected_mean", "expected_lower_95", "expected_upper_95", "surprise", "surprise_score", "next_lower_95", "next_upper_95")

#: What a row says, in the table's order; beside it stand when it was published and by which run.
VALUES = pa.schema(
    [
        ("day", pa.date32()),
        *((name, pa.float64()) for name in _SHARES),
        *((f"hdi_{name}", pa.float64()) for name in ("lower_50", "upper_50", "lower_95", "upper_95")),
        *((name, pa.float64()) for name in ("prior_alpha", "prior_beta", "forget")),
        *((name, pa.int64()) for name in ("trials", "matches", "days", "days_missing", "days_partial")),
        ("coverage", pa.float64()),
        ("synthetic", pa.bool_()),
        ("basis", pa.string()),
        ("days_sampled", pa.int64()),
        ("window_days", pa.int64()),
        ("forget_scores", pa.string()),
        ("prior_areas", pa.int64()),
        ("author_cap", pa.int64()),
        ("authors", pa.int64()),
        *((name, pa.float64()) for name in (*_AUTHORS, *_EFFECTIVE, *_NAIVE, *_PER_AUTHOR, *_EXPECTED)),
        ("next_trials", pa.int64()),
        ("rule_version", pa.string()),
        ("revision", pa.string()),
    ]
)


@dataclass(frozen=True)
class Effective:
    """What a study's tweets are worth on each of some days, as counts of independent ones."""

    trials: Floats
    matches: Floats


def effective(method: Method, counts: Counts, at: Days) -> Effective:
    """Weighted counts by the design effect, of the days up to each of `at`; what a pool learns from."""
    read = Read(method, counts)
    return _effective(read.weighted(at, read.discounts(at).forget))


def _effective(weighted: AuthorRows) -> Effective:
    # sums of fractions: matches may exceed trials by a rounding
    matches = np.minimum(weighted.matches, weighted.trials)
    return Effective(weighted.trials / weighted.design_effect, matches / weighted.design_effect)


@dataclass(frozen=True)
class Priors:
    """The prior of each target, and from how many other areas it was learnt; areas is None for a prior that is set."""

    alpha: Floats
    beta: Floats
    areas: npt.NDArray[np.int64] | None

    def of(self, part: slice) -> Priors:
        """Those of some of the targets."""
        return Priors(self.alpha[part], self.beta[part], None if self.areas is None else self.areas[part])


def set_priors(method: Method, targets: Days) -> Priors:
    """The study's own prior for every target."""
    return Priors(np.full(targets.shape, method.prior_alpha), np.full(targets.shape, method.prior_beta), None)


def pooled_priors(method: Method, targets: Days, others: Sequence[Effective]) -> Priors:
    """What the other areas of the pool said up to the evening before each target; where that is too little, the study's own prior.

    Args:
        method: whose own prior it is until then.
        targets: days.
        others: of each other area, `effective` at the days before the targets.
    """
    found = set_priors(method, targets)
    areas = np.zeros(targets.shape, dtype=np.int64)
    for index in range(targets.size):
        pooled = pooling.pool(trials=[other.trials[index] for other in others], matches=[other.matches[index] for other in others])
        if pooled.prior is not None:
            found.alpha[index], found.beta[index], areas[index] = pooled.prior.alpha, pooled.prior.beta, pooled.areas
    return Priors(found.alpha, found.beta, areas)


def rows(
    method: Method,
    counts: Counts,
    targets: Sequence[date],
    priors: Priors,
    *,
    rule_version: str,
    revision: str,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """The rows of `targets` (days of `counts`, sorted), by the names of VALUES; None where a value is not defined.

    A row depends on counts of its own and earlier days alone, not on which other rows are asked for, nor on any order.
    """
    read, at = Read(method, counts), np.array(targets, dtype="datetime64[D]")
    same = {"window_days": method.window, "author_cap": method.author_cap, "rule_version": rule_version, "revision": revision}
    found: list[dict[str, Any]] = []
    for start in range(0, at.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        if start:
            progress(start / at.size, f"{start} of {at.size} rows computed")
        found += _rows(read, at[part], priors.of(part), same)
    return found


def _rows(read: Read, at: Days, priors: Priors, same: Mapping[str, Any]) -> list[dict[str, Any]]:
    both = np.concatenate([at - _ONE_DAY, at])
    before, now = slice(0, at.size), slice(at.size, None)
    discounts = read.discounts(both)
    weighted = read.weighted(both, discounts.forget)
    worth = _effective(weighted)
    alpha, beta_ = beta.update(np.tile(priors.alpha, 2), np.tile(priors.beta, 2), worth.trials, worth.matches)
    columns: dict[str, Any] = {"day": at, "forget": discounts.forget[now], "forget_scores": discounts.scores[now], **same}
    columns |= {"prior_alpha": priors.alpha, "prior_beta": priors.beta, "prior_areas": priors.areas}
    columns |= {"effective_trials": worth.trials[now], "effective_matches": worth.matches[now]}
    columns |= _shares(alpha[now], beta_[now])
    columns |= _observed(read.method, read.counts, at)
    columns |= _naive(read.method, read.counts, at, discounts.forget[now], priors)
    columns |= _about_authors(weighted, now, columns["basis"])

    def faded(part: slice) -> list[Floats]:
        # one day more has passed since that evening
        return [prior + discounts.forget[part] * (value[part] - prior) for value, prior in ((alpha, priors.alpha), (beta_, priors.beta))]

    columns |= _expectations(read, at, faded(before), faded(now))
    arrays = [pa.array(_column(columns[field.name], at.size), field.type) for field in VALUES]
    found: list[dict[str, Any]] = pa.Table.from_arrays(arrays, schema=VALUES).to_pylist()
    return found


def _column(values: Any, length: int) -> Any:
    """As Arrow takes it: NaN is a value there, here it says that there is none."""
    if values is None or isinstance(values, (int, float, str)):
        return [values] * length
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return [None if np.isnan(value) else value for value in values.tolist()]
    return values.tolist() if isinstance(values, np.ndarray) else values


def _shares(alpha: Floats, beta_: Floats) -> dict[str, Floats]:
    columns = {"alpha": alpha, "beta": beta_, "mean": beta.mean(alpha, beta_)}
    for lower, level in _LEVELS.items():
        upper = lower.replace("lower", "upper")
        columns[lower], columns[upper] = beta.central_interval(alpha, beta_, level)
        columns[f"hdi_{lower}"], columns[f"hdi_{upper}"] = beta.highest_density_interval(alpha, beta_, level)
    return columns


def _observed(method: Method, counts: Counts, at: Days) -> dict[str, Any]:
    """Plain sums over the days that weigh, and how well these were observed."""
    until = np.searchsorted(counts.days, at, side="right")
    since = np.zeros_like(until)
    first = np.full(at.shape, np.datetime64(method.start, "D"))
    if method.window is not None:
        first = np.maximum(first, at - np.timedelta64(method.window - 1, "D"))
        since = np.searchsorted(counts.days, first, side="left")

    def over(values: Any) -> Any:
        sums = np.concatenate([[0], np.cumsum(values)])
        return sums[until] - sums[since]

    known = ~np.isnan(counts.coverage)
    with np.errstate(invalid="ignore"):  # 0 / 0: no day's coverage is known
        coverage = np.array([np.sum(counts.coverage[i:j][known[i:j]]) for i, j in zip(since, until, strict=True)]) / over(known)
    basis = [BASES[int(counts.basis[i:j].max())] for i, j in zip(since, until, strict=True)]
    return {
        "trials": over(counts.trials),
        "matches": over(counts.matches),
        "days": until - since,
        "days_missing": (at - first).astype(np.int64) + 1 - (until - since),
        "days_partial": over(counts.coverage < 1),
        "coverage": coverage,
        "synthetic": over(counts.synthetic) > 0,
        "basis": basis,
        "days_sampled": over(counts.basis == BASES.index("sample")),
    }


def _naive(method: Method, counts: Counts, at: Days, forget: Floats, priors: Priors) -> dict[str, Any]:
    """As if all tweets were independent, and without the cap on authors."""
    alpha, beta_ = np.empty(at.shape), np.empty(at.shape)
    for value in np.unique(forget):
        mask = forget == value
        # the prior is added by itself: each row may have another
        sums = posterior_sequence(
            prior_alpha=1.0,
            prior_beta=1.0,
            forget=float(value),
            days=counts.days,
            trials=counts.trials,
            matches=counts.matches,
            at=at[mask],
            window=method.window,
        )
        alpha[mask], beta_[mask] = priors.alpha[mask] + (sums.alpha - 1.0), priors.beta[mask] + (sums.beta - 1.0)
    lower, upper = beta.central_interval(alpha, beta_, 0.95)
    return dict(zip(_NAIVE, (alpha, beta_, beta.mean(alpha, beta_), lower, upper), strict=True))


def _about_authors(weighted: AuthorRows, part: slice, basis: Sequence[str]) -> dict[str, Any]:
    """What is known of the authors; nothing where X counted."""
    counted_here = np.array([name != "counts" for name in basis], dtype=np.bool_)
    # an archive may name none either
    known = counted_here & ~((weighted.authors[part] == 0) & (weighted.trials[part] > 0))
    columns: dict[str, Any] = {name: np.where(known, getattr(weighted, name)[part], np.nan) for name in _AUTHORS}
    columns["authors"] = [int(number) if sure else None for number, sure in zip(weighted.authors[part], counted_here, strict=True)]
    votes, votes_for = weighted.votes[part], np.minimum(weighted.votes_for, weighted.votes)[part]
    # the study's prior is one of the share of tweets, which is another question: here every share is as likely as any other
    alpha, beta_ = beta.update(1.0, 1.0, votes, votes_for)
    lower, upper = beta.central_interval(alpha, beta_, 0.95)
    values = (votes, beta.mean(alpha, beta_), lower, upper)
    there = known & (weighted.authors[part] > 0)
    return columns | {name: np.where(there, value, np.nan) for name, value in zip(_PER_AUTHOR, values, strict=True)}


def _expectations(read: Read, at: Days, before: list[Floats], now: list[Floats]) -> dict[str, Any]:
    """What the evening before said of each day, and what its own evening says of the next.

    A day is as clustered as its own authors; the next one as the median of the last RECENT_DAYS days that have tweets.
    """
    n, k = read.capped
    until = np.searchsorted(read.counts.days, at, side="right")
    recent = [np.arange(max(0, end - RECENT_DAYS), end)[n[max(0, end - RECENT_DAYS) : end] > 0] for end in until]
    needed = np.unique(np.concatenate([*recent, until - 1]).astype(np.int64))
    effect = np.ones(n.shape)
    effect[needed] = read.effects(needed)
    today = until - 1
    given: dict[str, Any] = {"alpha": before[0], "beta_": before[1], "trials": n[today], "design_effect": effect[today]}
    predicted = predictive.predict(**given)
    low, high = predictive.surprise(**given, matches=k[today])
    seen = n[today] > 0
    usual = np.array([int(np.rint(np.median(n[max(0, end - _USUAL_DAYS) : end]))) for end in until], dtype=np.int64)
    spread = np.array([float(np.median(effect[days])) if days.size else 1.0 for days in recent])
    following = predictive.predict(alpha=now[0], beta_=now[1], trials=usual, design_effect=spread)
    return {
        "expected_mean": np.where(seen, predicted.mean, np.nan),
        "expected_lower_95": predicted.lower,
        "expected_upper_95": predicted.upper,
        "surprise": np.where(seen, np.minimum(2 * np.minimum(low, high), 1.0), np.nan),
        "surprise_score": np.where(seen, alarms.signed_score(low, high), np.nan),
        "next_trials": usual,
        "next_lower_95": following.lower,
        "next_upper_95": following.upper,
    }


def values(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Of a stored row what this module gave."""
    return None if row is None else {name: row[name] for name in VALUES.names}
