"""What the next day may bring: exact masses, a variance that adds up, intervals and surprises that hold what they promise."""

from __future__ import annotations

import itertools
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import stats

from pipeline.errors import InvalidCounts
from pipeline.stats import predictive

SIZES = (0.05, 0.5, 1.0, 2.0, 30.5, 1e6)
TRIALS = (0, 1, 7, 1000, 10**6)


def reference(n: int, k: int, a: float, b: float) -> mpmath.mpf:
    """The mass in 40 digits, by log-gammas."""

    def log_beta(x: Any, y: Any) -> mpmath.mpf:
        return mpmath.loggamma(x) + mpmath.loggamma(y) - mpmath.loggamma(x + y)

    a, b = mpmath.mpf(a), mpmath.mpf(b)
    ways = mpmath.loggamma(n + 1) - mpmath.loggamma(k + 1) - mpmath.loggamma(n - k + 1)
    return mpmath.exp(ways + log_beta(a + k, b + n - k) - log_beta(a, b))


def test_masses_are_exact() -> None:
    """Within 1e-9 of mpmath, of the mass itself and of its size, from U-shaped to a million counts, with k = 0, k = n and n = 0."""
    worst = relative = mpmath.mpf(0)
    with mpmath.workdps(40):
        for a, b, n in itertools.product(SIZES, SIZES, TRIALS):
            matches = sorted({0, min(1, n), n // 3, n // 2, int(n * a / (a + b)), n})
            got = np.exp(predictive.log_mass(trials=n, matches=matches, alpha=a, beta_=b))
            for k, value in zip(matches, got.tolist(), strict=True):
                wanted = reference(n, k, a, b)
                worst = max(worst, abs(value - wanted))
                relative = max(relative, abs(value / wanted - 1) if wanted > 1e-290 else mpmath.mpf(0))
    print(f"\npredictive mass: at most {float(worst):.1e} from mpmath's, at most {float(relative):.1e} of it")
    assert worst < 1e-9
    assert relative < 1e-9


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
    random = np.random.default_rng(11)
    a, b, n, effect = 8.0, 72.0, 500, 3.0
    share = random.beta(a, b, 4000)
    size = (n - effect) / (effect - 1)  # of the authors' beta: correlation (D - 1) / (n - 1)
    k = random.binomial(n, random.beta(share * size, (1 - share) * size))
    made = predictive.predict(alpha=a, beta_=b, trials=n, design_effect=effect)
    held = np.mean((made.lower <= k / n) & (k / n <= made.upper))
    naive = predictive.predict(alpha=a, beta_=b, trials=n)
    low, high = predictive.surprise(trials=n, matches=k, alpha=np.full(4000, a), beta_=b, design_effect=effect)
    np.testing.assert_allclose(low + high, 1, atol=1e-12)
    print(f"\nnext day inside: {held:.1%} (without design effect {np.mean((naive.lower <= k / n) & (k / n <= naive.upper)):.1%})")
    assert 0.945 <= held <= 0.965
    # whole counts jump: the rank is anywhere between the tail without k and the tail with it
    both = predictive.combined(alpha=a, beta_=b, trials=n, design_effect=effect)
    jump = np.exp(predictive.log_mass(trials=n, matches=k, alpha=both[0], beta_=both[1]))
    ranks = low + (random.random(k.size) - 0.5) * jump
    uniform = stats.chisquare(np.histogram(ranks, bins=20, range=(0, 1))[0]).pvalue
    print(f"surprise uniform: chi-square p = {uniform:.2f}; two-sided below .01: {np.mean(2 * np.minimum(low, high) < 0.01):.2%}")
    assert uniform > 0.01


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
