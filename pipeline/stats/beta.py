"""The Beta distribution of a share: update, moments, central and highest-density intervals. Pure functions of arrays.

All take anything that numpy broadcasts (alpha and beta > 0, levels in (0, 1)) and give float64 arrays of the broadcast shape.
Days and their discounting belong to sequence.py.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pipeline.errors import InvalidCounts

Floats: TypeAlias = npt.NDArray[np.float64]

#: Of the highest-density solver: Newton settles all shapes tried in fewer steps; halving is for what nobody has tried.
_NEWTON_STEPS, _HALVINGS = 30, 100


def update(prior_alpha: npt.ArrayLike, prior_beta: npt.ArrayLike, trials: npt.ArrayLike, matches: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Posterior of Beta(alpha, beta) after `matches` of `trials`: Beta(alpha + k, beta + n - k).

    Source: the conjugate prior of the binomial, Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.4.

    Raises:
        InvalidCounts: k > n, negative or not finite counts, a prior that is not positive and finite.
    """
    alpha, beta, n, k = np.broadcast_arrays(*parameters(prior_alpha, prior_beta), *counts(trials, matches))
    return alpha + k, beta + (n - k)


def parameters(alpha: npt.ArrayLike, beta: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The two parameters as float64 arrays of one shape.

    Raises:
        InvalidCounts: one is not positive and finite.
    """
    both = np.broadcast_arrays(np.asarray(alpha, dtype=np.float64), np.asarray(beta, dtype=np.float64))
    for name, values in zip(("alpha", "beta"), both, strict=True):
        bad = ~(np.isfinite(values) & (values > 0))
        if bad.any():
            raise InvalidCounts(
                f"{name} is {values[bad].flat[0]}; wanted is a positive, finite number", todo="mend the prior or the counts"
            )
    return both[0], both[1]


def counts(trials: npt.ArrayLike, matches: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Trials n and matches k as float64 arrays of one shape; discounted counts need not be whole.

    Raises:
        InvalidCounts: k > n, negative, or not finite.
    """
    n, k = np.broadcast_arrays(np.asarray(trials, dtype=np.float64), np.asarray(matches, dtype=np.float64))
    bad = ~(np.isfinite(n) & np.isfinite(k) & (k >= 0) & (n >= k))
    if bad.any():
        got = f"{k[bad].flat[0]:g} matches of {n[bad].flat[0]:g} trials"
        raise InvalidCounts(f"{got}; wanted is 0 <= matches <= trials, all finite", todo="count that day again")
    return n, k


def mean(alpha: npt.ArrayLike, beta: npt.ArrayLike) -> Floats:
    """Mean a / (a + b). Source: Johnson, Kotz, Balakrishnan, Continuous Univariate Distributions 2, chapter 25."""
    a, b = parameters(alpha, beta)
    return a / (a + b)


def mode(alpha: npt.ArrayLike, beta: npt.ArrayLike) -> Floats:
    """Where the density is highest: (a - 1) / (a + b - 2) for a, b > 1; 0 or 1 where it sits at a boundary.

    NaN where there is no single mode: a = b = 1 (uniform) and a, b < 1 (both ends). Source: as `mean`.
    """
    a, b = parameters(alpha, beta)
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = (a - 1) / ((a - 1) + (b - 1))
    ends = np.where((a <= 1) & (b >= 1), 0.0, np.where((a >= 1) & (b <= 1), 1.0, np.nan))
    ends = np.where((a == 1) & (b == 1), np.nan, ends)
    return np.where((a > 1) & (b > 1), inner, ends)


def variance(alpha: npt.ArrayLike, beta: npt.ArrayLike) -> Floats:
    """Variance a b / ((a + b)^2 (a + b + 1)). Source: as `mean`."""
    a, b = parameters(alpha, beta)
    total = a + b
    return (a / total) * (b / total) / (total + 1)


def central_interval(alpha: npt.ArrayLike, beta: npt.ArrayLike, level: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The interval of mass `level` that leaves (1 - level) / 2 on either side: quantiles by the inverse of I_x(a, b).

    Source: the regularised incomplete beta function, DLMF section 8.17; scipy.special.betaincinv.
    """
    a, b, mass = _checked(alpha, beta, level)
    tail = (1 - mass) / 2
    return _quantile(a, b, tail), _quantile_from_above(a, b, tail)


def highest_density_interval(alpha: npt.ArrayLike, beta: npt.ArrayLike, level: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The shortest interval of mass `level`.

    For a, b > 1 its two ends have equal density (Box and Tiao, Bayesian Inference in Statistical Analysis, section 2.8); solved
    to the last digits by Newton's method in the logits of both ends, and by halving where Newton does not settle. Where the
    density only falls (a <= 1 <= b) it begins at 0, where it only rises it ends at 1. The uniform (a = b = 1) has no shortest one:
    the central one is given. Where the density rises towards both ends (a, b < 1) the region of highest density is not an
    interval; given is the shortest interval all the same, which lies at the end that has more mass: at 0 for a < b, at 1 for
    a > b, and for a = b, where both are equally short, the central one.
    """
    a, b, mass = _checked(alpha, beta, level)
    lower, upper = np.empty(a.shape), np.empty(a.shape)
    inner = (a > 1) & (b > 1)
    central = (a == b) & ~inner
    at_zero = ~inner & ~central & (a < b)
    at_one = ~inner & ~central & (a > b)
    lower[central], upper[central] = central_interval(a[central], b[central], mass[central])
    lower[at_zero], upper[at_zero] = 0.0, _quantile(a[at_zero], b[at_zero], mass[at_zero])
    lower[at_one], upper[at_one] = _quantile_from_above(a[at_one], b[at_one], mass[at_one]), 1.0
    lower[inner], upper[inner] = _equal_density(a[inner], b[inner], mass[inner])
    return lower, upper


def _checked(alpha: npt.ArrayLike, beta: npt.ArrayLike, level: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    mass = np.asarray(level, dtype=np.float64)
    if not np.all((mass > 0) & (mass < 1)):
        raise InvalidCounts(f"level is {level!r}; wanted is a number between 0 and 1, as 0.95", todo="mend the call")
    a, b, mass = np.broadcast_arrays(*parameters(alpha, beta), mass)
    return a, b, mass


# scipy.special is imported where it is used: it costs a third of a second, and most commands compute no interval.


def _quantile(a: Floats, b: Floats, mass: Floats) -> Floats:
    from scipy import special

    return np.asarray(special.betaincinv(a, b, mass), dtype=np.float64)


def _quantile_from_above(a: Floats, b: Floats, mass: Floats) -> Floats:
    from scipy import special

    return np.asarray(special.betainccinv(a, b, mass), dtype=np.float64)


def _equal_density(a: Floats, b: Floats, mass: Floats) -> tuple[Floats, Floats]:
    """Ends of equal density for a, b > 1 (flat arrays).

    The unknowns are the logits of both ends: there the log density is smooth, and nearly straight towards 0 and 1.
    """
    from scipy import special

    peak = np.log(a - 1) - np.log(b - 1)
    low, high = _first_guess(a, b, mass, peak)
    live = np.arange(a.size)
    for _ in range(_NEWTON_STEPS):
        step_low, step_high, settled = _newton_step(a[live], b[live], mass[live], low[live], high[live])
        # Where a step would cross the mode, go half the way to it instead: the ends stay on their sides.
        new_low, new_high, middle = low[live] + step_low, high[live] + step_high, peak[live]
        low[live] = np.where(new_low < middle, new_low, (low[live] + middle) / 2)
        high[live] = np.where(new_high > middle, new_high, (high[live] + middle) / 2)
        live = live[~settled]
        if not live.size:
            break
    lower, upper = special.expit(low), special.expit(high)
    if live.size:
        lower[live], upper[live] = _by_halving(a[live], b[live], mass[live])
    return lower, upper


def _first_guess(a: Floats, b: Floats, mass: Floats, peak: Floats) -> tuple[Floats, Floats]:
    """The logit of a Beta is roughly normal: mean log(a / b), variance 1 / a + 1 / b. On either side of the mode in any case."""
    from scipy import special

    half = special.ndtri((1 + mass) / 2) * np.sqrt(1 / a + 1 / b)
    centre = np.log(a) - np.log(b)
    return np.minimum(centre - half, peak - half / 2), np.maximum(centre + half, peak + half / 2)


def _newton_step(a: Floats, b: Floats, mass: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """One step towards: mass between the ends as wanted, log densities equal. Settled: it is the last that changes anything."""
    from scipy import special

    x, rest = special.expit(low), special.expit(-low)
    y, rest_high = special.expit(high), special.expit(-high)
    log_low = (a - 1) * _log_expit(low) + (b - 1) * _log_expit(-low)
    log_high = (a - 1) * _log_expit(high) + (b - 1) * _log_expit(-high)
    excess = special.betainc(a, b, y) - special.betainc(a, b, x) - mass
    # log(y / x) and log((1 - y) / (1 - x)) from the distance of the logits: for millions of counts the plain difference of the
    # two log densities has lost the digits that matter. Far apart nothing cancels (and expm1 would overflow).
    apart = high - low
    near = np.minimum(apart, 30.0)
    ratio = (a - 1) * np.log1p(rest_high * np.expm1(near)) + (b - 1) * np.log1p(y * np.expm1(-near))
    gap = np.where(apart < 30, ratio, log_high - log_low)
    # Derivatives by the logit: of the mass f(x) x (1 - x), of the log density (a - 1)(1 - x) - (b - 1) x.
    scale = special.betaln(a, b)
    with np.errstate(all="ignore"):
        mass_low, mass_high = np.exp(log_low - scale) * x * rest, np.exp(log_high - scale) * y * rest_high
        slope_low, slope_high = (a - 1) * rest - (b - 1) * x, (a - 1) * rest_high - (b - 1) * y
        determinant = mass_high * slope_low - mass_low * slope_high
        step_low = (mass_high * gap - slope_high * excess) / determinant
        step_high = (mass_low * gap - slope_low * excess) / determinant
        # Newton doubles the digits: after a step of 1e-8 of the width, what is left is rounding.
        settled = np.maximum(np.abs(step_low) * x * rest, np.abs(step_high) * y * rest_high) < 1e-8 * (y - x) + 1e-15
    return step_low, step_high, settled


def _log_expit(y: Floats) -> Floats:
    return -np.logaddexp(0.0, -y)


def _by_halving(a: Floats, b: Floats, mass: Floats) -> tuple[Floats, Floats]:
    """The same ends found by halving the mass below the lower one, between 0 and 1 - mass: slower, and certain."""
    least, most = np.zeros(a.shape), 1 - mass
    for _ in range(_HALVINGS):
        below = (least + most) / 2
        lower, upper = _quantile(a, b, below), _quantile_from_above(a, b, 1 - mass - below)
        with np.errstate(divide="ignore"):
            gap = (a - 1) * (np.log(upper) - np.log(lower)) + (b - 1) * (np.log1p(-upper) - np.log1p(-lower))
        # Too low a start has the denser upper end: go up.
        least, most = np.where(gap > 0, below, least), np.where(gap > 0, most, below)
    return lower, upper
