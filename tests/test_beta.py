"""The Beta distribution against mpmath with 30 digits, and what must hold for any parameters."""

from __future__ import annotations

import itertools

import hypothesis
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidCounts
from pipeline.stats import beta

SIZES = (0.05, 0.5, 1.0, 1 + 1e-9, 1.001, 2.0, 30.5, 1e6)
LEVELS = (0.5, 0.95)
GRID = list(itertools.product(SIZES, SIZES))
EXACT = 1e-10

POSITIVE = st.floats(1e-2, 1e6)
LEVEL = st.floats(0.01, 0.999)


@pytest.fixture(autouse=True)
def _thirty_digits() -> object:
    with mpmath.workdps(30):
        yield


def cdf(a: float, b: float, x: mpmath.mpf) -> mpmath.mpf:
    """I_x(a, b) by the continued fraction of DLMF 8.17.22 (Lentz's method): nothing in common with scipy's."""
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


def is_quantile(a: float, b: float, x: float, mass: mpmath.mpf) -> bool:
    """Whether the true quantile lies within EXACT of x: the distribution function passes `mass` between x - EXACT and x + EXACT."""
    return bool(cdf(a, b, mpmath.mpf(x) - EXACT) <= mass <= cdf(a, b, mpmath.mpf(x) + EXACT))


def log_density(a: float, b: float, x: mpmath.mpf) -> mpmath.mpf:
    """The logarithm of the density, up to its constant."""
    return (mpmath.mpf(a) - 1) * mpmath.log(x) + (mpmath.mpf(b) - 1) * mpmath.log1p(-x)


def test_the_reference_is_right() -> None:
    """The continued fraction agrees with mpmath's own function where that is quick."""
    for a, b, x in ((0.5, 0.5, 0.3), (2, 7, 0.9), (30.5, 1.5, 0.95), (0.05, 4, 1e-9)):
        assert abs(cdf(a, b, mpmath.mpf(x)) - mpmath.betainc(a, b, 0, x, regularized=True)) < 1e-24


@pytest.mark.parametrize("level", LEVELS)
def test_central_intervals_are_exact(level: float) -> None:
    """Both ends are within 1e-10 of the true quantiles, from flat and U-shaped to a million counts."""
    lower, upper = beta.central_interval(*np.transpose(GRID), level)
    tail = (1 - mpmath.mpf(level)) / 2
    for (a, b), low, high in zip(GRID, lower, upper, strict=True):
        assert is_quantile(a, b, low, tail), (a, b, low)
        assert is_quantile(a, b, high, 1 - tail), (a, b, high)


@pytest.mark.parametrize("level", LEVELS)
def test_highest_density_intervals_with_two_ends_are_exact(level: float) -> None:
    """For a, b > 1: the interval has mass `level` and equal densities, to 1e-10 in both ends."""
    grid = [(a, b) for a, b in GRID if a > 1 and b > 1]
    lower, upper = beta.highest_density_interval(*np.transpose(grid), level)
    for (a, b), low, high in zip(grid, lower, upper, strict=True):
        low, high = mpmath.mpf(float(low)), mpmath.mpf(float(high))
        assert abs(cdf(a, b, high) - cdf(a, b, low) - level) * _steepness(a, b, low, high) < EXACT, (a, b)
        # One Newton step of the reference from here, in 30 digits: how far the true ends are.
        for end, step in zip((low, high), _true_step(a, b, low, high, level), strict=True):
            assert abs(step) < EXACT, (a, b, end, step)


def _steepness(a: float, b: float, low: mpmath.mpf, high: mpmath.mpf) -> mpmath.mpf:
    """1 / density at the denser end: turns an error of mass into one of place."""
    logs = [log_density(a, b, x) for x in (low, high) if 0 < x < 1]
    return mpmath.exp(log_beta(mpmath.mpf(a), mpmath.mpf(b)) - max(logs)) if logs else mpmath.mpf(1)


def _true_step(a: float, b: float, low: mpmath.mpf, high: mpmath.mpf, level: float) -> tuple[mpmath.mpf, mpmath.mpf]:
    """The Newton step, in x, towards mass `level` and equal densities; an end at 0 or 1 in double precision is checked by itself."""
    constant = log_beta(mpmath.mpf(a), mpmath.mpf(b))
    excess = cdf(a, b, high) - cdf(a, b, low) - level
    if low == 0 or high == 1:
        # The true end is so near the boundary that no double lies between: density there is below that of the other end only
        # within 1e-10 of the boundary.
        near, far = (mpmath.mpf(EXACT), high) if low == 0 else (1 - mpmath.mpf(EXACT), low)
        assert log_density(a, b, near) > log_density(a, b, far)
        step = excess / mpmath.exp(log_density(a, b, far) - constant)
        return step, step
    density_low, density_high = (mpmath.exp(log_density(a, b, x) - constant) for x in (low, high))
    gap = log_density(a, b, high) - log_density(a, b, low)
    slope_low, slope_high = ((a - 1) / x - (b - 1) / (1 - x) for x in (low, high))
    determinant = density_high * slope_low - density_low * slope_high
    return (density_high * gap - slope_high * excess) / determinant, (density_low * gap - slope_low * excess) / determinant


@pytest.mark.parametrize("level", LEVELS)
def test_highest_density_intervals_at_a_boundary_are_exact(level: float) -> None:
    """Where the density falls the interval begins at 0, where it rises it ends at 1; for a U it lies at the heavier end."""
    grid = [(a, b) for a, b in GRID if (a <= 1 or b <= 1) and a != b]
    lower, upper = beta.highest_density_interval(*np.transpose(grid), level)
    for (a, b), low, high in zip(grid, lower, upper, strict=True):
        if a < b:
            assert low == 0, (a, b)
            assert is_quantile(a, b, high, mpmath.mpf(level)), (a, b)
        else:
            assert high == 1, (a, b)
            assert is_quantile(a, b, low, 1 - mpmath.mpf(level)), (a, b)


@pytest.mark.parametrize("equal", [0.05, 0.5, 1.0])
def test_where_no_side_is_better_the_central_interval_is_given(equal: float) -> None:
    """The uniform has no shortest interval, a symmetric U has two: both get the central one."""
    assert beta.highest_density_interval(equal, equal, 0.95) == beta.central_interval(equal, equal, 0.95)
    assert beta.highest_density_interval(1, 1, 0.95)[0] == pytest.approx(0.025, abs=1e-15)


@given(POSITIVE, POSITIVE, LEVEL)
def test_no_interval_of_the_same_mass_is_shorter(a: float, b: float, level: float) -> None:
    """The highest-density interval is within [0, 1], in order, and at most as long as the central one."""
    low, high = beta.highest_density_interval(a, b, level)
    central_low, central_high = beta.central_interval(a, b, level)
    assert 0 <= low <= high <= 1
    assert 0 <= central_low <= central_high <= 1
    assert high - low <= central_high - central_low + 1e-12


@given(POSITIVE, POSITIVE, LEVEL)
def test_swapping_the_sides_mirrors_the_intervals(a: float, b: float, level: float) -> None:
    """The share of what does not match has the mirrored interval."""
    for interval in (beta.central_interval, beta.highest_density_interval):
        low, high = interval(a, b, level)
        mirrored_low, mirrored_high = interval(b, a, level)
        assert mirrored_low == pytest.approx(1 - high, abs=1e-11)
        assert mirrored_high == pytest.approx(1 - low, abs=1e-11)


@given(POSITIVE, POSITIVE, LEVEL, st.floats(1e-6, 1e-3))
def test_a_higher_level_contains_a_lower_one(a: float, b: float, level: float, more: float) -> None:
    """Intervals are nested."""
    for interval in (beta.central_interval, beta.highest_density_interval):
        if a == b and a <= 1 and interval is beta.highest_density_interval:
            continue
        low, high = interval(a, b, [level, level + more * (1 - level)])
        assert low[1] <= low[0] + 1e-12
        assert high[0] <= high[1] + 1e-12


@hypothesis.settings(max_examples=25)
@given(st.floats(1.0001, 1e5), st.floats(1.0001, 1e5), LEVEL)
def test_halving_finds_what_newton_finds(a: float, b: float, level: float) -> None:
    """The slower, certain solver behind Newton's method agrees with it."""
    low, high = beta._by_halving(np.array([a]), np.array([b]), np.array([level]))
    newton_low, newton_high = beta.highest_density_interval([a], [b], level)
    # Densities near the mode are flat, so halving knows its ends only to the root of the precision when the level is small.
    assert high - low == pytest.approx(newton_high - newton_low, abs=1e-10)
    if level >= 0.3:
        assert low == pytest.approx(newton_low, abs=1e-7)


def test_newton_is_helped_out_by_halving(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Newton's method leaves unsettled is solved by halving, not given as it is."""
    wanted = beta.highest_density_interval([3, 400.0], [40, 7.0], 0.95)
    monkeypatch.setattr(beta, "_NEWTON_STEPS", 1)
    np.testing.assert_allclose(beta.highest_density_interval([3, 400.0], [40, 7.0], 0.95), wanted, atol=1e-8)


def test_no_tweets_and_all_or_none_matching() -> None:
    """n = 0 gives back the prior; k = 0 and k = n give the closed forms of a flat prior: 1 - tail^(1 / (n + 1))."""
    assert beta.update(1, 9, 0, 0) == (1, 9)
    alpha, beta_ = beta.update(1, 1, [20, 20], [0, 20])
    np.testing.assert_array_equal(alpha, [1, 21])
    np.testing.assert_array_equal(beta_, [21, 1])
    lower, upper = beta.highest_density_interval(alpha, beta_, 0.95)
    assert lower[0] == 0
    assert upper[0] == pytest.approx(1 - 0.05 ** (1 / 21), abs=1e-14)
    assert lower[1] == pytest.approx(0.05 ** (1 / 21), abs=1e-14)
    assert upper[1] == 1
    assert beta.central_interval(alpha, beta_, 0.95)[1][0] == pytest.approx(1 - 0.025 ** (1 / 21), abs=1e-14)


@pytest.mark.parametrize(
    ("a", "b", "where"),
    [
        (2, 3, 1 / 3),
        (1, 2, 0),
        (2, 1, 1),
        (0.5, 2, 0),
        (2, 0.5, 1),
        (0.5, 1, 0),
        (1, 0.5, 1),
        (1, 1, None),
        (0.5, 0.5, None),
        (1e6, 1e6, 0.5),
    ],
)
def test_the_mode_is_where_the_density_is_highest(a: float, b: float, where: float | None) -> None:
    """Inside for a, b > 1, at a boundary else; NaN where there is not one."""
    found = float(beta.mode(a, b))
    assert np.isnan(found) if where is None else found == pytest.approx(where, abs=1e-15)


@given(POSITIVE, POSITIVE)
def test_mean_and_variance(a: float, b: float) -> None:
    """The textbook's moments, to the last digits."""
    with mpmath.workdps(40):
        x, y = mpmath.mpf(a), mpmath.mpf(b)
        assert float(beta.mean(a, b)) == pytest.approx(float(x / (x + y)), rel=1e-14)
        assert float(beta.variance(a, b)) == pytest.approx(float(x * y / ((x + y) ** 2 * (x + y + 1))), rel=1e-14)


def test_arrays_broadcast_and_stay_as_they_are() -> None:
    """Any shapes that broadcast; the arguments are not changed; no posteriors give no intervals."""
    alpha = np.array([[1.0], [5.0]])
    lower, upper = beta.highest_density_interval(alpha, [2.0, 3.0, 4.0], 0.9)
    assert lower.shape == upper.shape == (2, 3)
    np.testing.assert_array_equal(alpha, [[1.0], [5.0]])
    assert upper[1, 2] == beta.highest_density_interval(5, 4, 0.9)[1]
    assert beta.central_interval([], [], 0.9)[0].shape == (0,)
    assert beta.highest_density_interval([], [], 0.9)[0].shape == (0,)


@pytest.mark.parametrize(
    ("trials", "matches"),
    [(10, 20), (10, -1), (-1, -1), (-1, 0), (np.nan, 0), (10, np.nan), (np.inf, 1), (np.inf, np.inf), ([5, 10], [5, 11])],
)
def test_counts_that_cannot_be_are_refused(trials: object, matches: object) -> None:
    """20 of 10 never becomes Beta(21, -9)."""
    with pytest.raises(InvalidCounts, match="wanted is 0 <= matches <= trials"):
        beta.update(1, 1, trials, matches)


@pytest.mark.parametrize(("a", "b"), [(0, 1), (1, 0), (-1, 1), (1, -0.5), (np.nan, 1), (1, np.inf)])
@pytest.mark.parametrize(
    "function", [beta.mean, beta.mode, beta.variance, lambda a, b: beta.update(a, b, 1, 1), lambda a, b: beta.central_interval(a, b, 0.9)]
)
def test_parameters_that_cannot_be_are_refused(function: object, a: float, b: float) -> None:
    """Neither zero nor negative nor infinite parameters give a distribution."""
    with pytest.raises(InvalidCounts, match="wanted is a positive, finite number"):
        function(a, b)  # type: ignore[operator]


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, np.nan])
def test_levels_that_cannot_be_are_refused(level: float) -> None:
    """95 is no level; 0.95 is."""
    for interval in (beta.central_interval, beta.highest_density_interval):
        with pytest.raises(InvalidCounts, match="between 0 and 1"):
            interval(2, 2, level)
