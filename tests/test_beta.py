"""The Beta distribution against mpmath with 30 digits, and what must hold for any parameters."""

from __future__ import annotations

import hypothesis
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import exact
from pipeline.errors import InvalidCounts
from pipeline.stats import beta

EXACT = 1e-10

POSITIVE = st.floats(1e-2, 1e6)
LEVEL = st.floats(0.01, 0.999)


def test_the_reference_is_right() -> None:
    """The continued fraction agrees with mpmath's own function where that is quick."""
    with mpmath.workdps(30):
        for a, b, x in ((0.5, 0.5, 0.3), (2, 7, 0.9), (30.5, 1.5, 0.95), (0.05, 4, 1e-9)):
            assert abs(exact.cdf(a, b, mpmath.mpf(x)) - mpmath.betainc(a, b, 0, x, regularized=True)) < 1e-24


def test_the_grid_has_every_corner() -> None:
    """Parameters below 1 and of a million, and posteriors after no tweets, none of them matching, all of them matching."""
    assert min(map(min, exact.GRID)) < 1
    assert max(map(max, exact.GRID)) >= 1e6
    n, k = np.transpose(exact.COUNTS)
    assert {(0, 0), (1_000_000, 0), (1_000_000, 1_000_000)} <= set(exact.COUNTS)
    assert ((k > 0) & (k < n)).any()
    assert set(exact.POSTERIORS) == {(a + k, b + n - k) for a, b in exact.PRIORS for n, k in exact.COUNTS}
    assert set(exact.POSTERIORS) < set(exact.GRID)


@pytest.mark.parametrize("level", exact.LEVELS)
def test_central_intervals_are_exact(level: float) -> None:
    """Both ends are within 1e-10 of the true quantiles, from flat and U-shaped to a million counts."""
    assert exact.central(level).error < EXACT


@pytest.mark.parametrize("level", exact.LEVELS)
def test_highest_density_intervals_with_two_ends_are_exact(level: float) -> None:
    """For a, b > 1: the interval has mass `level` and equal densities, to 1e-10 in both ends."""
    assert exact.highest_density(level).error < EXACT


@pytest.mark.parametrize("level", exact.LEVELS)
def test_highest_density_intervals_at_a_boundary_are_exact(level: float) -> None:
    """Where the density falls the interval begins at 0, where it rises it ends at 1; for a U it lies at the heavier end."""
    assert exact.at_a_boundary(level).error < EXACT


def test_a_wrong_end_would_be_seen() -> None:
    """The reference tells an end that is off by 1e-8 from a true one, and an interval with ends of unequal density from a shortest."""
    with mpmath.workdps(30):
        tail = mpmath.mpf("0.025")
        end = float(beta.central_interval(30.5, 2.0, 0.95)[0])
        assert exact.from_quantile(30.5, 2.0, end, tail) < 1e-14
        assert exact.from_quantile(30.5, 2.0, end + 1e-8, tail) > 1e-9
        low, high = (mpmath.mpf(float(x)) for x in beta.central_interval(3.0, 40.0, 0.95))
        assert max(map(abs, exact._true_step(3.0, 40.0, low, high, 0.95))) > 1e-4


@pytest.mark.parametrize("moment", ["mean", "variance", "mode"])
def test_moments_are_exact_on_the_grid(moment: str) -> None:
    """Within 1e-15 of the formula in 40 digits; modes at 0, at 1 or nowhere where the definition has them."""
    assert exact.moments()[moment].error < 1e-15


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
