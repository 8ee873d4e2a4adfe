"""A prior learnt from studies that ask the same rule in several areas: what their shares have in common, and how much.

Priors that people set are priors.py's.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.stats import beta
from pipeline.stats.beta import Floats
from pipeline.stats.priors import Prior

#: Two areas say nothing of how areas differ.
FEWEST = 3
#: ln(alpha + beta) is sought between these: a prior worth a twentieth of a tweet, and one worth 1e8.
_WEAKEST, _STRONGEST = math.log(0.05), math.log(1e8)
_GRID, _STEPS = 24, 60
#: Gauss-Hermite nodes and weights for a standard normal.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(5)


@dataclass(frozen=True)
class Pooled:
    """The prior of all, or None with the reason why there is none: then each study keeps its own."""

    prior: Prior | None
    #: areas that had tweets
    areas: int
    said: str


def pool(*, trials: npt.ArrayLike, matches: npt.ArrayLike) -> Pooled:
    """The Beta that the areas' shares are drawn from, as far as their counts tell: empirical Bayes.

    A prior for an area that is not among them; for the areas themselves use `pool_for_each`, which counts no tweet twice.

    Maximises over mean m and strength s the beta-binomial marginal likelihood of all areas,
    sum of ln B(s m + k_i, s (1 - m) + n_i - k_i) - ln B(s m, s (1 - m)), less ln s. Without that last term the maximum lies at
    s = infinity whenever the areas happen to differ no more than chance lets them, and all areas would be declared equal; it stands
    for a flat prior on 1 / s, and has the maximum always inside.
    What m and s themselves leave open is then added: given is the Beta with the mean and variance that the share of a further area
    has over all m and s, as these are normal about the maximum (in logit m and ln s) with the curvature there. At the maximum alone,
    the intervals of ten areas hold two points less often.
    Source: Griffin and Krutchkoff (1971), Biometrika 58, for the marginal likelihood; Tak, Kelly and Morris (2017), Rgbp, J. Stat.
    Softw. 78(5), for the adjustment, there the prior dr / r^2, and for moments over what the hyperparameters leave open.

    Counts are sorted before they are summed, so the order of areas never shows. They need not be whole: give effective counts
    (n and k by the author design effect), for with plain ones authors who write much look like areas that differ.

    Args:
        trials: n of each area, one study each; areas with 0 say nothing and are left out.
        matches: k of each.

    Raises:
        InvalidCounts: k > n, negative or not finite counts.
    """
    n, k = (np.atleast_1d(values).ravel() for values in beta.counts(trials, matches))
    n, k = n[n > 0], k[n > 0]
    order = np.lexsort((k, n))
    n, k = n[order], k[order]
    if n.size < FEWEST:
        return Pooled(None, n.size, f"{n.size} areas with tweets; a pooled prior needs {FEWEST}")
    total, found = math.fsum(n.tolist()), math.fsum(k.tolist())
    if found == 0 or found == total:
        what = "none" if found == 0 else "all"
        return Pooled(None, n.size, f"{what} of {total:.0f} tweets in {n.size} areas match: how areas differ cannot be told")
    if not (n > 1).any():
        return Pooled(None, n.size, f"no more than one tweet in each of {n.size} areas: how areas differ cannot be told")
    prior = _widened(n, k, _maximum(n, k))
    return Pooled(prior, n.size, f"learnt from {n.size} areas: {100 * prior.mean:.2g} %, worth {prior.strength:.3g} tweets")


def pool_for_each(*, trials: npt.ArrayLike, matches: npt.ArrayLike) -> list[Pooled]:
    """For each area the prior that the *other* areas give it, in the order given.

    Its own tweets are then counted once only, which matters where areas are few. It takes four areas, so that there are three others.

    Raises:
        InvalidCounts: as `pool`.
    """
    n, k = (np.atleast_1d(values).ravel() for values in beta.counts(trials, matches))
    return [pool(trials=np.delete(n, area), matches=np.delete(k, area)) for area in range(n.size)]


def _widened(n: Floats, k: Floats, point: tuple[float, float]) -> Prior:
    """The Beta with the mean and variance of a further area's share, m and s being normal about their maximum."""
    alpha, beta_ = _parameters(*point)
    _, hessian = _derivatives(n, k, *point)
    size, axes = np.linalg.eigh(-hessian)
    if size.min() <= 1e-9:
        # the maximum lies at a bound of the strength: nothing is known of how sharp it is
        return Prior(alpha, beta_)
    # a few areas leave the strength open by orders of magnitude, where no normal law holds: not more than a factor e is believed
    spread = axes / np.maximum(np.sqrt(size), 1.0)
    mean = square = within = 0.0
    for (x, weight_x), (y, weight_y) in itertools.product(zip(_NODES, _WEIGHTS, strict=True), repeat=2):
        logit, log_strength = np.array(point) + spread @ np.array([x, y])
        a, b = _parameters(float(logit), float(np.clip(log_strength, _WEAKEST, _STRONGEST)))
        weight, m = float(weight_x * weight_y) / (2 * math.pi), a / (a + b)
        mean += weight * m
        square += weight * m * m
        within += weight * m * (1 - m) / (a + b + 1)
    strength = max(math.exp(_WEAKEST), mean * (1 - mean) / (within + square - mean * mean) - 1)
    return Prior(strength * mean, strength * (1 - mean))


def _parameters(logit: float, log_strength: float) -> tuple[float, float]:
    strength = math.exp(log_strength)
    return strength / (1 + math.exp(-logit)), strength / (1 + math.exp(logit))


def _maximum(n: Floats, k: Floats) -> tuple[float, float]:
    """Logit of the mean and log of the strength: the best of a grid of strengths, then Newton's method with halved steps."""
    overall = math.log(k.sum()) - math.log(n.sum() - k.sum())
    starts = [(overall, float(log_strength)) for log_strength in np.linspace(_WEAKEST, _STRONGEST, _GRID)]
    point = max(starts, key=lambda start: _objective(n, k, *start))
    best = _objective(n, k, *point)
    for _ in range(_STEPS):
        gradient, hessian = _derivatives(n, k, *point)
        size, axes = np.linalg.eigh(hessian)
        # uphill in any case: where it is not concave, along the gradient scaled by the curvature's size
        step = axes @ ((axes.T @ gradient) / np.maximum(np.abs(size), 1e-8))
        step *= min(1.0, 2.0 / float(np.abs(step).max() or 1.0))
        for _ in range(40):
            there = (point[0] + float(step[0]), min(max(point[1] + float(step[1]), _WEAKEST), _STRONGEST))
            value = _objective(n, k, *there)
            if value >= best:
                break
            step /= 2
        else:
            break
        moved = max(abs(there[0] - point[0]), abs(there[1] - point[1]))
        point, best = there, value
        if moved < 1e-11:
            break
    return point


def _objective(n: Floats, k: Floats, logit: float, log_strength: float) -> float:
    from scipy import special

    a, b = _parameters(logit, log_strength)
    return float((special.betaln(a + k, b + (n - k)) - special.betaln(a, b)).sum()) - log_strength


def _derivatives(n: Floats, k: Floats, logit: float, log_strength: float) -> tuple[Floats, Floats]:
    """Gradient and Hessian of the objective by logit and log strength, through those by alpha and beta."""
    from scipy import special

    a, b = _parameters(logit, log_strength)
    psi = special.digamma
    both = float((psi(a + b) - psi(a + b + n)).sum())
    by_a, by_b = float((psi(a + k) - psi(a)).sum()) + both, float((psi(b + n - k) - psi(b)).sum()) + both
    both = float((special.polygamma(1, a + b) - special.polygamma(1, a + b + n)).sum())
    by_aa, by_bb = (
        float((special.polygamma(1, a + k) - special.polygamma(1, a)).sum()) + both,
        float((special.polygamma(1, b + n - k) - special.polygamma(1, b)).sum()) + both,
    )
    # alpha = s m, beta = s (1 - m): d alpha / d logit = s m (1 - m) = -d beta / d logit, d alpha / d log s = alpha
    m = a / (a + b)
    slope = a * (1 - m)
    jacobian = np.array([[slope, a], [-slope, b]])
    inner = np.array([[by_aa, both], [both, by_bb]])
    bend = slope * (1 - 2 * m)
    curvature = by_a * np.array([[bend, slope], [slope, a]]) + by_b * np.array([[-bend, -slope], [-slope, b]])
    gradient = jacobian.T @ np.array([by_a, by_b]) - np.array([0.0, 1.0])
    return gradient, jacobian.T @ inner @ jacobian + curvature
