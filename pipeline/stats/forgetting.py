"""How fast to forget: the discount that the study's own past supports, and how long a step in the share then lasts.

The scores are those of predictive.py; the posterior that the discount leads to is sequence.py's and authors.py's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import InvalidCounts
from pipeline.stats import beta, predictive
from pipeline.stats.beta import Floats
from pipeline.stats.sequence import Days, as_days, as_whole, check_discount

#: What forget = "auto" chooses from: the first forgets nothing, the last remembers about three days.
CANDIDATES = (1.0, 0.99, 0.98, 0.97, 0.95, 0.93, 0.9, 0.85, 0.8, 0.7)
#: How often "auto" may forget in a study where nothing ever drifts.
DOUBT = 0.05


@dataclass(frozen=True)
class Forgetting:
    """One row a day asked for: the discount to take, and what it was chosen by."""

    days: Days
    forget: Floats
    #: shape (days, candidates): sums of the one-step-ahead log scores of the days up to and including the row's
    scores: Floats
    candidates: tuple[float, ...]


def choose_forget(
    *,
    prior_alpha: float,
    prior_beta: float,
    days: npt.ArrayLike,
    trials: npt.ArrayLike,
    matches: npt.ArrayLike,
    design_effects: npt.ArrayLike,
    at: npt.ArrayLike,
    candidates: Sequence[float] = CANDIDATES,
    doubt: float = DOUBT,
) -> Forgetting:
    """forget = "auto" for each day of `at`: the discount whose predictions of each day from the days before were best.

    The score of a candidate is the sum, over the days so far, of the log probability of the day's matches given its trials and the
    candidate's posterior of the day before, faded by one day more; the beta-binomial of predictive.py with the day's own design
    effect, by which the counts of the days are divided. Not to forget is given up only for a candidate whose score is higher by
    log(c / doubt), with c the number of the others: if nothing drifts, the ratio of a rival's predictive probability to the true
    one is a martingale, so it ever reaches c / doubt with probability doubt / c at most (Ville's inequality), and that one of them
    does with `doubt` at most, on however many days one looks. Source: the prequential score, Dawid (1984), JRSS A 147; Ville's
    inequality, Shafer et al. (2011), Statistical Science 26; models weighed by predictive
    probability, West and Harrison, Bayesian Forecasting and Dynamic Models, chapter 12.

    Args:
        prior_alpha: alpha_0 > 0.
        prior_beta: beta_0 > 0.
        days: the days that have counts, each once.
        trials: n of each, whole numbers.
        matches: k of each.
        design_effects: of each day by itself (`authors.author_rows` with window = 1), at least 1; not read where n is 0.
        at: the days to choose for; a choice depends on its own and earlier days alone.
        candidates: discounts in falling order, the first of them 1.
        doubt: see above, in (0, 1).

    Raises:
        InvalidCounts: counts that cannot be, a day given twice, candidates not in falling order from 1, a bad `doubt`.
    """
    table = _checked(candidates, doubt)
    start = [float(value) for value in beta.parameters(prior_alpha, prior_beta)]
    when, wanted = as_days(days), as_days(at)
    n, k = beta.counts(as_whole(trials, when.shape), as_whole(matches, when.shape))
    effect = np.where(n > 0, np.broadcast_to(np.asarray(design_effects, dtype=np.float64), when.shape), 1.0)
    order = np.argsort(when, kind="stable")
    when, n, k, effect = when[order], n[order], k[order], effect[order]
    if (when[1:] == when[:-1]).any():
        raise InvalidCounts("a day is given twice; wanted is one count a day", todo="load those days' counts again")
    sums = _sums(_scores(when, n, k, effect, (start[0], start[1]), table))
    scores = sums[np.searchsorted(when, wanted, side="right")]
    lead = scores - scores[:, :1]
    best = np.argmax(lead, axis=1)
    margin = math.log(max(len(candidates) - 1, 1) / doubt)
    best = np.where(lead[np.arange(best.size), best] >= margin, best, 0)
    return Forgetting(days=wanted, forget=table[best], scores=scores, candidates=tuple(table.tolist()))


def days_to_cover(
    *, shift: float, share: float, daily_trials: float, design_effect: float = 1.0, forget: float, level: float = 0.95, chance: float = 0.5
) -> float:
    """How many days after a step of `shift` to `share` the interval holds the new share, with probability `chance` or more.

    After d days of a long steady history forget^d of the shift is left in the mean. With r = p (1 - p) D / n the variance of one
    day's share, the interval is z sqrt((1 - forget) r) wide on either side, while the mean itself varies by
    sqrt(r (1 - forget) / (1 + forget)); so forget^d |shift| has to fall below the one less ndtri(chance) times the other. With
    chance = 1/2 that is the interval alone. Infinite for forget = 1, or where the interval is never so wide. Source: the geometric
    sum; derived here.

    Raises:
        InvalidCounts: a discount outside (0, 1], a share, level or chance outside (0, 1), no trials, a design effect below 1.
    """
    _possible(share=share, daily_trials=daily_trials, design_effect=design_effect, forget=forget, level=level, chance=chance)
    allowed = _allowed(share, daily_trials, design_effect, forget, level, chance)
    if allowed <= 0 or forget == 1:
        return 0.0 if abs(shift) <= allowed else math.inf
    return float(max(math.ceil(math.log(allowed / abs(shift)) / math.log(forget)), 0)) if shift else 0.0


def days_to_adapt(
    *,
    shift: float,
    share: float,
    daily_trials: float,
    steady_days: int,
    design_effect: float = 1.0,
    level: float = 0.95,
    chance: float = 0.5,
    candidates: Sequence[float] = CANDIDATES,
    doubt: float = DOUBT,
    longest: int = 1000,
) -> float:
    """The same for forget = "auto" after `steady_days` without drift: days until it has noticed, and what it then takes covers.

    The lead of a candidate over forgetting nothing grows on the j-th new day by ((e_1^2 + r) / v_1 - (e^2 + r) / v - log(v / v_1)) / 2
    in expectation, with e the part of the shift that its prediction still misses, v the variance it claims, and r that of a day's
    share, in whose own r more is added for the wandering of its mean: the log scores in normal approximation. Noticed is what
    exceeds the margin of `choose_forget`, after what the steady days took from it and with ndtri(chance) standard deviations, the
    root of sum r (e_1 / v_1 - e / v)^2, taken off. Infinite beyond `longest` days. Derived here; that it holds is measured
    (tests/test_forgetting.py).

    Raises:
        InvalidCounts: as `days_to_cover` and `choose_forget`.
    """
    from scipy import special

    table = _checked(candidates, doubt)[1:]
    for value in (share, share - shift):
        _possible(share=value, daily_trials=daily_trials, design_effect=design_effect, forget=1.0, level=level, chance=chance)
    one_day = design_effect / daily_trials
    noise = share * (1 - share) * one_day
    margin, safe = math.log(len(table) / doubt), float(special.ndtri(chance))
    # of a discounted mean, in r
    wander = (1 - table) / (1 + table)
    lead = -steady_days / 2 * ((1 + wander) * table - 1 - np.log(table))
    variance = np.zeros_like(table)
    for day in range(1, longest + 1):
        # what either prediction misses, and the variance it claims by its own share; the larger one, which notices later
        behind, left = shift * steady_days / (steady_days + day - 1), shift * table ** (day - 1)
        first = max((share - behind) * (1 - share + behind) * one_day, noise) * (1 + 1 / (steady_days + day - 1))
        spread = np.maximum((share - left) * (1 - share + left) * one_day, noise) / table
        lead = lead + ((behind**2 + noise) / first - (left**2 + noise * (1 + wander)) / spread - np.log(spread / first)) / 2
        variance = variance + noise * (behind / first - left / spread) ** 2
        sure = lead - safe * np.sqrt(variance)
        best = int(np.argmax(sure))
        remaining = abs(shift) * table[best] ** day
        if sure[best] >= margin and remaining <= _allowed(share, daily_trials, design_effect, float(table[best]), level, chance):
            return float(day)
    return math.inf


def _allowed(share: float, daily_trials: float, design_effect: float, forget: float, level: float, chance: float) -> float:
    """The bias with which the interval still holds the truth with probability `chance`."""
    from scipy import special

    deviation = math.sqrt(share * (1 - share) * design_effect / daily_trials * (1 - forget))
    return deviation * float(special.ndtri((1 + level) / 2) - special.ndtri(chance) / math.sqrt(1 + forget))


def _possible(*, share: float, daily_trials: float, design_effect: float, forget: float, level: float, chance: float) -> None:
    check_discount(forget, None)
    if not (0 < share < 1 and 0 < level < 1 and 0 < chance < 1):
        raise InvalidCounts(f"share {share}, level {level}, chance {chance}; wanted are numbers between 0 and 1", todo="mend the call")
    if not (0 < daily_trials < math.inf and 1 <= design_effect < math.inf):
        raise InvalidCounts(f"{daily_trials} trials a day, design effect {design_effect}; wanted are > 0 and >= 1", todo="mend the call")


def _checked(candidates: Sequence[float], doubt: float) -> Floats:
    table = np.asarray(candidates, dtype=np.float64)
    if not (table.ndim == 1 and table.size > 1 and table[0] == 1 and (np.diff(table) < 0).all() and table[-1] > 0):
        raise InvalidCounts(f"candidates are {candidates!r}; wanted are discounts in falling order from 1", todo="mend the call")
    if not 0 < doubt < 1:
        raise InvalidCounts(f"doubt is {doubt!r}; wanted is a number between 0 and 1", todo="mend the call")
    return table


def _scores(when: Days, n: Floats, k: Floats, effect: Floats, prior: tuple[float, float], table: Floats) -> Floats:
    """Log probability of each day's matches, by candidate: shape (days, candidates)."""
    alpha, beta_ = np.empty((when.size, table.size)), np.empty((when.size, table.size))
    gaps = np.diff(when, prepend=when[:1]).astype(np.float64)
    hits, misses = np.zeros(table.size), np.zeros(table.size)
    for index, gap in enumerate(gaps.tolist()):
        fade = np.power(table, gap)
        hits, misses = hits * fade, misses * fade
        alpha[index], beta_[index] = prior[0] + hits, prior[1] + misses
        hits, misses = hits + k[index] / effect[index], misses + (n[index] - k[index]) / effect[index]
    columns = n[:, np.newaxis], k[:, np.newaxis]
    a, b = predictive.combined(alpha=alpha, beta_=beta_, trials=columns[0], design_effect=effect[:, np.newaxis])
    return predictive.log_mass(trials=columns[0], matches=columns[1], alpha=a, beta_=b)


def _sums(scores: Floats) -> Floats:
    """Sums of the first 0, 1, 2 … rows."""
    return np.concatenate([np.zeros((1, scores.shape[1])), np.cumsum(scores, axis=0)])
