"""What the next day may bring: exact masses, a variance that adds up, intervals and surprises that hold what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.figures import days, exact
from pipeline.errors import InvalidCounts
from pipeline.stats import predictive


def test_masses_are_exact() -> None:
    """Within 1e-9 of mpmath, of the mass itself and of its size, from U-shaped to a million counts, with k = 0, k = n and n = 0."""
    whole, relative = exact.masses()
    assert whole.cases > 700
    assert whole.error < 1e-9
    assert relative.error < 1e-9


@pytest.mark.parametrize(("a", "b", "n"), [(0.3, 0.4, 50), (3.0, 40.0, 999), (300.0, 5e5, 20_000)])
def test_masses_add_up_to_one(a: float, b: float, n: int) -> None:
    """Over all k of n."""
    assert np.exp(predictive.log_mass(trials=n, matches=np.arange(n + 1), alpha=a, beta_=b)).sum() == pytest.approx(1, abs=1e-12)


def test_the_variance_is_that_of_the_share_and_of_the_authors() -> None:
    """Mean and variance of a day's matches are those of the law of total variance; D = 1 is the conjugate model itself."""
    a, b, n, effect = 6.0, 54.0, 400, 3.0
    p, total = a / (a + b), a + b
    wanted = n * n * (p * (1 - p) / (total + 1)) + n * effect * p * (1 - p) * total / (total + 1)
    made = stats.betabinom(n, *predictive.combined(alpha=a, beta_=b, trials=n, design_effect=effect))
    assert made.mean() == pytest.approx(n * p, rel=1e-12)
    assert made.var() == pytest.approx(wanted, rel=1e-12)
    same = predictive.combined(alpha=a, beta_=b, trials=[0, 1, n], design_effect=1.0)
    np.testing.assert_allclose(same, [[a] * 3, [b] * 3], rtol=1e-15)


def test_intervals_are_the_quantiles_of_an_independent_library() -> None:
    """The ends are scipy's quantiles over n; a day without trials has none."""
    days = [(1.0, 1.0, 10), (0.4, 7.0, 300), (50.0, 800.0, 2000)]
    a, b, n = np.transpose(days)
    made = predictive.predict(alpha=a, beta_=b, trials=n)
    np.testing.assert_allclose(made.lower * n, stats.betabinom.ppf(0.025, n, a, b), rtol=1e-12)
    np.testing.assert_allclose(made.upper * n, stats.betabinom.ppf(0.975, n, a, b), rtol=1e-12)
    np.testing.assert_allclose(made.mean, a / (a + b))
    empty = predictive.predict(alpha=2.0, beta_=3.0, trials=0)
    assert np.isnan([empty.lower, empty.upper]).all()
    assert empty.mean.tolist() == [0.4]


@pytest.mark.slow
def test_what_it_promises_about_tomorrow_holds() -> None:
    """4,000 days drawn from the model with D = 3: the 95 % interval holds 95 %, a little more for whole counts; surprises are uniform."""
    found = days.tomorrow()
    print(f"\nnext day inside: {found.held:.1%} (without design effect {found.naive:.1%})")
    print(f"surprise uniform: chi-square p = {found.uniform:.2f}; two-sided below .01: {found.rare:.2%}")
    assert 0.945 <= found.held <= 0.965
    assert found.uniform > 0.01


def test_the_two_surprises_add_up_to_one() -> None:
    """As few, and as many: each counts half of the day's own probability."""
    low, high = predictive.surprise(trials=500, matches=np.arange(501), alpha=np.full(501, 8.0), beta_=72.0, design_effect=3.0)
    np.testing.assert_allclose(low + high, 1, atol=1e-12)


def test_surprise_by_hand() -> None:
    """Uniform prior, three tweets: each k has 1/4; half of one's own counts on either side."""
    low, high = predictive.surprise(trials=[3, 3, 0], matches=[0, 2, 0], alpha=1.0, beta_=1.0)
    np.testing.assert_allclose(low, [0.125, 0.625, 0.5], rtol=1e-12)
    np.testing.assert_allclose(high, [0.875, 0.375, 0.5], rtol=1e-12)


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        ({"matches": 11}, "11 matches of 10 trials"),
        ({"matches": 1.5}, "not whole numbers"),
        ({"trials": -1}, "wanted is 0 <= matches"),
        ({"alpha": 0.0}, "positive, finite"),
        ({"design_effect": 0.5}, "at least 1"),
        ({"design_effect": np.nan}, "at least 1"),
    ],
)
def test_what_cannot_be_is_refused(spoiled: dict[str, Any], said: str) -> None:
    """One valid call, one argument spoiled."""
    valid: dict[str, Any] = {"trials": 10, "matches": 3, "alpha": 1.0, "beta_": 1.0, "design_effect": 1.0}
    assert predictive.surprise(**valid)[0].shape == (1,)
    with pytest.raises(InvalidCounts, match=said):
        predictive.surprise(**(valid | spoiled))


def test_a_level_is_a_probability() -> None:
    """0 and 1 are none."""
    with pytest.raises(InvalidCounts, match="between 0 and 1"):
        predictive.predict(alpha=1.0, beta_=1.0, trials=10, level=95)
