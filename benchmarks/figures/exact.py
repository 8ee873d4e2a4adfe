"""The reference: Beta numbers by mpmath with 30 digits, in ways that have nothing in common with scipy's, and how far ours are from them.

The grid: shapes from 0.05 to 1e6 in both parameters, and posteriors after n = 0, k = 0, k = n and a million tweets.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from pipeline.stats import beta, compare, predictive

Shape = tuple[float, float]

SIZES = (0.05, 0.5, 1.0, 1 + 1e-9, 1.001, 2.0, 30.5, 1e6)
PRIORS: tuple[Shape, ...] = ((1.0, 1.0), (0.5, 0.5), (0.05, 9.0))
#: n and k
COUNTS = ((0, 0), (1, 0), (1, 1), (20, 0), (20, 20), (500, 37), (1_000_000, 0), (1_000_000, 1_000_000), (1_000_000, 40_000))
POSTERIORS: list[Shape] = [(a + k, b + n - k) for (a, b), (n, k) in itertools.product(PRIORS, COUNTS)]
GRID: list[Shape] = [*itertools.product(SIZES, SIZES), *POSTERIORS]
LEVELS = (0.5, 0.95)
#: Of pairs: one parameter of the four must be a whole number for the reference to be a finite sum.
PAIRED = (0.05, 0.5, 1.0, 2.0, 30.0, 1e6)
LARGEST_WHOLE = 30
#: Of predictions.
PREDICTED, TRIALS = (0.05, 0.5, 1.0, 2.0, 30.5, 1e6), (0, 1, 7, 1000, 10**6)


@dataclass(frozen=True)
class Worst:
    """The largest distance from the reference, and of how many cases."""

    cases: int
    error: float


def cdf(a: float, b: float, x: mpmath.mpf) -> mpmath.mpf:
    """I_x(a, b) by the continued fraction of DLMF 8.17.22 (Lentz's method)."""
    if x <= 0 or x >= 1:
        return mpmath.mpf(int(x >= 1))
    a, b = mpmath.mpf(a), mpmath.mpf(b)
    if x > (a + 1) / (a + b + 2):
        return 1 - cdf(b, a, 1 - x)
    tiny = mpmath.mpf(10) ** -60
    value = c = mpmath.mpf(1)
    d = 1 / ((1 - (a + b) * x / (a + 1)) or tiny)
    value = d
    for m in range(1, 20_000):
        for term in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            d = 1 / ((1 + term * d) or tiny)
            c = (1 + term / c) or tiny
            value *= c * d
        if abs(c * d - 1) < mpmath.mpf(10) ** -26:
            return mpmath.exp(a * mpmath.log(x) + b * mpmath.log1p(-x) - log_beta(a, b)) * value / a
    raise AssertionError(f"no convergence at {a}, {b}, {x}")


def log_beta(a: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
    """log B(a, b)."""
    return mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)


def log_density(a: float, b: float, x: mpmath.mpf) -> mpmath.mpf:
    """The logarithm of the density, up to its constant."""
    return (mpmath.mpf(a) - 1) * mpmath.log(x) + (mpmath.mpf(b) - 1) * mpmath.log1p(-x)


def greater(a: float, b: float, c: float, d: float, *, largest: float = LARGEST_WHOLE) -> mpmath.mpf | None:
    """P(Beta(a, b) > Beta(c, d)), exact where one parameter is a whole number up to `largest`: a finite sum; else None."""
    wholes = [(value, place) for place, value in enumerate((d, c, b, a)) if float(value).is_integer() and value <= largest]
    if not wholes:
        return None
    # the shortest sum of those there are
    place = min(wholes)[1]
    if place == 0:
        return _sum(c, d, a, b)
    if place == 1:
        return 1 - _sum(d, c, b, a)
    return 1 - _sum(a, b, c, d) if place == 2 else _sum(b, a, d, c)


def _sum(a: float, whole: float, c: float, d: float) -> mpmath.mpf:
    """P(Beta(a, whole) < Beta(c, d)): I_x(a, n) = x^a sum over i < n of (a)_i / i! (1 - x)^i (DLMF 8.17.9), integrated term by term."""
    a, c, d = mpmath.mpf(a), mpmath.mpf(c), mpmath.mpf(d)
    term = mpmath.exp(log_beta(c + a, d) - log_beta(c, d))
    total = mpmath.mpf(0)
    for i in range(int(whole)):
        total += term
        term *= (a + i) * (d + i) / ((i + 1) * (c + a + d + i))
    return total


def mass(n: int, k: int, a: float, b: float) -> mpmath.mpf:
    """The beta-binomial mass, by log-gammas: give it 40 digits."""
    a, b = mpmath.mpf(a), mpmath.mpf(b)
    ways = mpmath.loggamma(n + 1) - mpmath.loggamma(k + 1) - mpmath.loggamma(n - k + 1)
    return mpmath.exp(ways + log_beta(a + k, b + n - k) - log_beta(a, b))


def from_quantile(a: float, b: float, x: float, wanted: mpmath.mpf) -> float:
    """How far x is from the true quantile at most, as a power of ten: the distribution function passes `wanted` so near to x."""
    for power in range(-16, 0):
        near = mpmath.mpf(10) ** power
        if cdf(a, b, mpmath.mpf(x) - near) <= wanted <= cdf(a, b, mpmath.mpf(x) + near):
            return 10.0**power
    return 1.0


def central(level: float) -> Worst:
    """Both ends of the central interval, over GRID."""
    with mpmath.workdps(30):
        lower, upper = beta.central_interval(*np.transpose(GRID), level)
        tail = (1 - mpmath.mpf(level)) / 2
        errors = [
            max(from_quantile(a, b, low, tail), from_quantile(a, b, high, 1 - tail))
            for (a, b), low, high in zip(GRID, lower, upper, strict=True)
        ]
    return Worst(2 * len(errors), max(errors))


def highest_density(level: float) -> Worst:
    """Both ends of the shortest interval, over the shapes of GRID with two ends of equal density."""
    grid = [(a, b) for a, b in GRID if a > 1 and b > 1]
    with mpmath.workdps(30):
        lower, upper = beta.highest_density_interval(*np.transpose(grid), level)
        errors = [
            float(max(map(abs, _true_step(*shape, mpmath.mpf(float(low)), mpmath.mpf(float(high)), level))))
            for shape, low, high in zip(grid, lower, upper, strict=True)
        ]
    return Worst(2 * len(errors), max(errors))


def at_a_boundary(level: float) -> Worst:
    """The one end inside of shortest intervals that begin at 0 or end at 1, over the rest of GRID; 1 where the other end is elsewhere."""
    grid = [(a, b) for a, b in GRID if (a <= 1 or b <= 1) and a != b]
    with mpmath.workdps(30):
        lower, upper = beta.highest_density_interval(*np.transpose(grid), level)
        errors = []
        for (a, b), low, high in zip(grid, lower, upper, strict=True):
            if (low if a < b else 1 - high) != 0:
                errors.append(1.0)
            elif a < b:
                errors.append(from_quantile(a, b, high, mpmath.mpf(level)))
            else:
                errors.append(from_quantile(a, b, low, 1 - mpmath.mpf(level)))
    return Worst(len(errors), max(errors))


def _true_step(a: float, b: float, low: mpmath.mpf, high: mpmath.mpf, level: float) -> tuple[mpmath.mpf, mpmath.mpf]:
    """One Newton step of the reference, in x, towards mass `level` and equal densities: how far the true ends are.

    An end at 0 or 1 in double precision is checked by itself.
    """
    constant = log_beta(mpmath.mpf(a), mpmath.mpf(b))
    excess = cdf(a, b, high) - cdf(a, b, low) - level
    if low == 0 or high == 1:
        # The true end is so near the boundary that no double lies between: density there is below that of the other end only
        # within 1e-10 of the boundary.
        edge = mpmath.mpf(10) ** -10
        near, far = (edge, high) if low == 0 else (1 - edge, low)
        assert log_density(a, b, near) > log_density(a, b, far)
        step = excess / mpmath.exp(log_density(a, b, far) - constant)
        return step, step
    density_low, density_high = (mpmath.exp(log_density(a, b, x) - constant) for x in (low, high))
    gap = log_density(a, b, high) - log_density(a, b, low)
    slope_low, slope_high = ((a - 1) / x - (b - 1) / (1 - x) for x in (low, high))
    determinant = density_high * slope_low - density_low * slope_high
    return (density_high * gap - slope_high * excess) / determinant, (density_low * gap - slope_low * excess) / determinant


def moments() -> dict[str, Worst]:
    """Mean, variance and mode over GRID; a mode at 0, at 1 or nowhere as its definition has it."""
    errors: dict[str, list[float]] = {"mean": [], "variance": [], "mode": []}
    with mpmath.workdps(40):
        for a, b in GRID:
            x, y = mpmath.mpf(a), mpmath.mpf(b)
            errors["mean"].append(float(abs(float(beta.mean(a, b)) - x / (x + y))))
            errors["variance"].append(float(abs(float(beta.variance(a, b)) - x * y / ((x + y) ** 2 * (x + y + 1)))))
            errors["mode"].append(_mode_error(a, b))
    return {name: Worst(len(values), max(values)) for name, values in errors.items()}


def _mode_error(a: float, b: float) -> float:
    got = float(beta.mode(a, b))
    if a > 1 and b > 1:
        return float(abs(got - (mpmath.mpf(a) - 1) / (mpmath.mpf(a) + b - 2)))
    if (a < 1 and b < 1) or a == b == 1:
        return 0.0 if math.isnan(got) else 1.0
    return abs(got - (0.0 if a <= 1 <= b else 1.0))


def above() -> Worst:
    """P(p > t) for nine thresholds of every shape of GRID: 0, 1, fixed ones, and those about its mean."""
    errors = []
    with mpmath.workdps(30):
        for a, b in GRID:
            m, sd = float(beta.mean(a, b)), math.sqrt(float(beta.variance(a, b)))
            for t in {0.0, 1e-12, 0.01, 0.04, 0.5, m, min(m + sd, 1.0), max(m - sd, m / 9), 1.0}:
                errors.append(float(abs(float(compare.probability_above(a, b, t)) - (1 - cdf(a, b, mpmath.mpf(t))))))
    return Worst(len(errors), max(errors))


def pairs() -> list[tuple[float, float, float, float]]:
    """Every 4th of all pairs of shapes of PAIRED with a small whole number among them, and all pairs of POSTERIORS of the flat prior."""
    some = [shape for shape in itertools.product(PAIRED, repeat=4) if any(value in (1.0, 2.0, 30.0) for value in shape)][::4]
    flat = POSTERIORS[: len(COUNTS)]
    return some + [(*one, *other) for one, other in itertools.combinations_with_replacement(flat, 2)]


def compared() -> Worst:
    """P(p_A > p_B), over `pairs`."""
    errors = []
    with mpmath.workdps(30):
        for shape in pairs():
            wanted = greater(*shape, largest=50_000)
            got = compare.probability_greater(**dict(zip(("alpha_a", "beta_a", "alpha_b", "beta_b"), shape, strict=True)))
            assert wanted is not None, shape
            errors.append(float(abs(got - wanted)))
    return Worst(len(errors), max(errors))


def masses() -> tuple[Worst, Worst]:
    """The predictive mass, from U-shaped to a million counts, with k = 0, k = n and n = 0: of the mass itself, and of its size."""
    errors, relative = [], []
    with mpmath.workdps(40):
        for a, b, n in itertools.product(PREDICTED, PREDICTED, TRIALS):
            matches = sorted({0, min(1, n), n // 3, n // 2, int(n * a / (a + b)), n})
            got = np.exp(predictive.log_mass(trials=n, matches=matches, alpha=a, beta_=b))
            for k, value in zip(matches, got.tolist(), strict=True):
                wanted = mass(n, k, a, b)
                errors.append(float(abs(value - wanted)))
                relative.append(float(abs(value / wanted - 1)) if wanted > 1e-290 else 0.0)
    return Worst(len(errors), max(errors)), Worst(len(relative), max(relative))


def seconds(posteriors: int = 100_000) -> float:
    """CPU seconds for central and highest-density intervals of so many posteriors of up to 10,000 tweets; the best of three."""
    chance = np.random.default_rng(1)
    trials = chance.integers(0, 10_000, posteriors)
    alpha, beta_ = beta.update(1, 1, trials, chance.binomial(trials, chance.beta(1, 20, posteriors)))
    runs = []
    for _ in range(3):
        start = time.process_time()
        beta.central_interval(alpha, beta_, 0.95)
        beta.highest_density_interval(alpha, beta_, 0.95)
        runs.append(time.process_time() - start)
    return min(runs)


def figures(**_: Any) -> Iterator[str]:
    """The table of the page."""

    def row(name: str, *found: Worst, more: str = "") -> str:
        return f"| {name} | {sum(one.cases for one in found):,} | {max(one.error for one in found):.0e}{more} |"

    yield "| number | cases | farthest from mpmath |"
    yield "|---|---|---|"
    for name, worst in moments().items():
        yield row(name, worst)
    yield row("ends of central intervals, 50 and 95 %", *(central(level) for level in LEVELS))
    yield row("ends of highest-density intervals, 50 and 95 %", *(highest_density(level) for level in LEVELS))
    yield row("the same where one lies at 0 or 1", *(at_a_boundary(level) for level in LEVELS))
    yield row("P(p > t)", above())
    yield row("P(p_A > p_B)", compared())
    whole, relative = masses()
    yield row("predictive mass of k of n", whole, more=f", {relative.error:.0e} of its size")
    yield ""
    yield f"100,000 posteriors with both 95 % intervals: {seconds():.2f} s of CPU time on one core."
