"""What the next day may bring: the beta-binomial of tomorrow's matches, its interval, and how surprising a day was. Pure functions.

The posterior it starts from belongs to sequence.py and authors.py; what to make of a surprise belongs to alarms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import InvalidCounts
from pipeline.stats import beta
from pipeline.stats.beta import Floats

#: From here on the series of Stirling's error is exact in doubles.
_STIRLING_FROM = 16.0


@dataclass(frozen=True)
class Prediction:
    """What the posterior of the days before said of each day: the central interval of its share."""

    lower: Floats
    upper: Floats
    #: mean of the share
    mean: Floats


def log_mass(*, trials: npt.ArrayLike, matches: npt.ArrayLike, alpha: npt.ArrayLike, beta_: npt.ArrayLike) -> Floats:
    """Log probability of k matches in n new trials when the share is Beta(alpha, beta); arrays of the broadcast shape.

    C(n, k) B(alpha + k, beta + n - k) / B(alpha, beta). Source: the beta-binomial, Johnson, Kemp, Kotz, Univariate Discrete
    Distributions, chapter 6. Differences of log-gammas lose nine digits at a million counts; so it is put together from
    saddle-point parts, as C. Loader, Fast and Accurate Computation of Binomial Probabilities (2000), does for the binomial.

    Raises:
        InvalidCounts: k > n, negative, fractional or not finite counts, or a parameter that is not positive and finite.
    """
    a, b, n, k = np.broadcast_arrays(*beta.parameters(alpha, beta_), *_whole(trials, matches))
    total = a + b
    # how far (a, k) is from the proportions of (total, n)
    off = (a * n - k * total) / (total + n)
    parts = _log_negative(a, k, total, n, off) + _log_negative(b, n - k, total, n, -off)
    return np.where(n > 0, parts - _log_negative(total, n, total, n, np.zeros_like(n)), 0.0)


def combined(*, alpha: npt.ArrayLike, beta_: npt.ArrayLike, trials: npt.ArrayLike, design_effect: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The beta-binomial's two parameters for a day of `trials` tweets whose counts vary `design_effect` times as binomial ones.

    Two tweets of that day agree beyond chance because the share itself is uncertain, 1 / (S + 1) with S = alpha + beta, and because
    they may be of one author, (D - 1) / (n - 1); together r = 1 / (S + 1) + S / (S + 1) (D - 1) / (n - 1). A beta-binomial with that
    intraclass correlation has mean and variance of the composition, and for D = 1 it is the conjugate model's own. Source: the
    variance of the beta-binomial by its correlation, Johnson, Kemp, Kotz (as `log_mass`); law of total variance.

    Raises:
        InvalidCounts: a design effect below 1, negative trials, or a bad parameter.
    """
    a, b, n, effect = np.broadcast_arrays(
        *beta.parameters(alpha, beta_), np.asarray(trials, dtype=np.float64), np.asarray(design_effect, dtype=np.float64)
    )
    if not (np.isfinite(n).all() and (n >= 0).all() and np.isfinite(effect).all() and (effect >= 1).all()):
        raise InvalidCounts("wanted are trials of at least 0 and design effects of at least 1, all finite", todo="mend the call")
    total = a + b
    with np.errstate(divide="ignore", invalid="ignore"):
        within = np.where(n > 1, (effect - 1) / (n - 1), 0.0)
    # a day whose tweets are all of one mind is as uncertain as one author; never beyond
    within = np.minimum(within, 1 - 1e-9)
    odds = total * (1 - within) / (1 + total * within)
    return a / total * odds, b / total * odds


def predict(
    *, alpha: npt.ArrayLike, beta_: npt.ArrayLike, trials: npt.ArrayLike, design_effect: npt.ArrayLike = 1.0, level: float = 0.95
) -> Prediction:
    """The interval that holds the share of a day of `trials` tweets with probability `level` or, counts being whole, a little more.

    Its ends are k / n for the smallest k whose distribution function reaches (1 - level) / 2 and (1 + level) / 2. alpha and beta
    are those *before* that day (with forgetting: faded by one day more). Without trials there is no share: NaN.

    Raises:
        InvalidCounts: see `combined`; a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise InvalidCounts(f"level is {level!r}; wanted is a number between 0 and 1, as 0.95", todo="mend the call")
    a, b, n = _flat(alpha, beta_, trials, design_effect)
    lower, upper = np.full(n.shape, np.nan), np.full(n.shape, np.nan)
    for index in np.flatnonzero(n > 0):
        mass = _masses(n[index], a[index], b[index])
        # from both ends, so that neither tail is what rounding left of 1
        lower[index] = np.searchsorted(np.cumsum(mass), (1 - level) / 2) / n[index]
        upper[index] = (n[index] - np.searchsorted(np.cumsum(mass[::-1]), (1 - level) / 2)) / n[index]
    return Prediction(lower=lower, upper=upper, mean=a / (a + b))


def surprise(
    *,
    trials: npt.ArrayLike,
    matches: npt.ArrayLike,
    alpha: npt.ArrayLike,
    beta_: npt.ArrayLike,
    design_effect: npt.ArrayLike = 1.0,
) -> tuple[Floats, Floats]:
    """How far out a day was: the probabilities of as few matches, and of as many (flat arrays).

    Each counts half of the probability of k itself (mid-P: Lancaster 1961, JASA 56), so the two add up to 1 and are close to
    uniform where the model holds. Two-sided: 2 min(low, high). A day without trials says nothing: 1/2 and 1/2.

    Raises:
        InvalidCounts: see `combined` and `log_mass`.
    """
    wanted, matched = _whole(trials, matches)
    a, b, n = _flat(alpha, beta_, wanted, design_effect)
    k = np.broadcast_to(matched, n.shape) if matched.ndim < 2 else matched.ravel()
    low, high = np.full(n.shape, 0.5), np.full(n.shape, 0.5)
    for index in np.flatnonzero(n > 0):
        mass, at = _masses(n[index], a[index], b[index]), int(k[index])
        low[index] = mass[:at].sum() + mass[at] / 2
        high[index] = mass[at + 1 :].sum() + mass[at] / 2
    return low, high


def _flat(alpha: npt.ArrayLike, beta_: npt.ArrayLike, trials: npt.ArrayLike, effect: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    a, b = combined(alpha=alpha, beta_=beta_, trials=trials, design_effect=effect)
    n = np.broadcast_to(np.asarray(trials, dtype=np.float64), a.shape)
    if (n != np.floor(n)).any():
        raise InvalidCounts(f"trials are {trials!r}; wanted are whole numbers", todo="count that day again")
    return a.ravel(), b.ravel(), n.ravel()


def _masses(n: float, a: float, b: float) -> Floats:
    return np.exp(log_mass(trials=n, matches=np.arange(int(n) + 1), alpha=a, beta_=b))


def _whole(trials: npt.ArrayLike, matches: npt.ArrayLike) -> tuple[Floats, Floats]:
    n, k = beta.counts(trials, matches)
    if (n != np.floor(n)).any() or (k != np.floor(k)).any():
        raise InvalidCounts("the counts are not whole numbers; a prediction is of tweets, not of weights", todo="count that day again")
    return n, k


# scipy.special is imported where it is used: see beta.py.


def _log_negative(a: Floats, k: Floats, total: Floats, n: Floats, off: Floats) -> Floats:
    """log of Gamma(a + k) / (Gamma(a) k!) P^a Q^k with P = total / (total + n), Q = n / (total + n); `off` is a - (a + k) P.

    The negative binomial by Stirling's formula: what its terms have in common is taken out before they are computed.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        both = a + k
        deviance = _deviance(both * total / (total + n), off) + _deviance(both * n / (total + n), -off)
        inner = _stirling(both) - _stirling(a) - _stirling(k) - deviance + np.log(a / (2 * np.pi * both * k)) / 2
        none = a * -np.log1p(n / total)
    return np.where(k > 0, inner, none)


def _deviance(expected: Floats, off: Floats) -> Floats:
    """x log(x / m) + m - x for x = m + off: m ((1 + v) log(1 + v) - v) with v = off / m, near 0 by its series."""
    v = off / expected
    near = np.abs(v) < 0.01
    small = np.where(near, v, 0.0)
    series = np.zeros_like(small)
    for j in range(9, 1, -1):
        series = (series + (-1) ** j / (j * (j - 1))) * small
    series = series * small
    x = np.where(near, 1.0, np.maximum(1 + v, 0.0))
    from scipy import special

    return np.asarray(np.where(near, expected * series, expected * (special.xlogy(x, x) - v)), dtype=np.float64)


def _stirling(x: Floats) -> Floats:
    """log Gamma(x + 1) less Stirling's formula for it: 1 / (12 x) - 1 / (360 x^3) + …, DLMF 5.11.1."""
    from scipy import special

    large = np.maximum(x, _STIRLING_FROM)
    square = large * large
    series = (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / large
    small = np.where(x > 0, np.minimum(x, _STIRLING_FROM), 1.0)
    plain = special.gammaln(small + 1) - (np.log(2 * np.pi * small) / 2 + small * np.log(small) - small)
    return np.asarray(np.where(x >= _STIRLING_FROM, series, plain), dtype=np.float64)
