"""Priors as people say them: the Beta they mean, or a refusal that says what to do."""

from __future__ import annotations

import re
from typing import Any

import hypothesis
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures.exact import cdf
from pipeline.errors import SettingsError
from pipeline.stats import beta, priors
from pipeline.stats.priors import Prior


@pytest.mark.parametrize(
    ("lower", "upper", "sure"),
    [(0.01, 0.05, 0.9), (0.0001, 0.002, 0.95), (0.2, 0.9, 0.5), (0.05, 0.95, 0.9), (0.03, 0.97, 0.9), (0.5, 0.51, 0.99), (0.9, 0.99, 0.8)],
)
def test_a_range_means_what_it_says(lower: float, upper: float, sure: float) -> None:
    """The mass below and above is half of the doubt each, by mpmath with 30 digits, to 1e-9."""
    prior = priors.from_range(lower=lower, upper=upper, sure=sure)
    with mpmath.workdps(30):
        tail = (1 - mpmath.mpf(sure)) / 2
        missed = [cdf(prior.alpha, prior.beta, mpmath.mpf(lower)) - tail, 1 - cdf(prior.alpha, prior.beta, mpmath.mpf(upper)) - tail]
    worst = float(max(map(abs, missed)))
    print(f"{100 * sure:g} % from {lower} to {upper}: Beta({prior.alpha:.4g}, {prior.beta:.4g}), mass missed by {worst:.0e}")
    assert worst < 1e-9


def test_the_uniform_is_found() -> None:
    """90 % sure from 5 % to 95 % is what the uniform says."""
    prior = priors.from_range(lower=0.05, upper=0.95, sure=0.9)
    assert (prior.alpha, prior.beta) == pytest.approx((1, 1), abs=1e-9)


@hypothesis.settings(max_examples=50)
@given(st.floats(0.1, 1e4), st.floats(0.1, 1e4), st.floats(0.3, 0.99))
def test_the_way_back_from_a_prior(alpha: float, beta_: float, sure: float) -> None:
    """The range of any Beta, said as a wish, gives that Beta again."""
    lower, upper = (float(end) for end in beta.central_interval(alpha, beta_, sure))
    hypothesis.assume(lower > 1e-9 and upper < 1 - 1e-9)
    found = priors.from_range(lower=lower, upper=upper, sure=sure)
    assert (found.alpha, found.beta) == pytest.approx((alpha, beta_), rel=1e-5)


def test_mean_and_strength() -> None:
    """3 %, worth 200 tweets: Beta(6, 194), and back."""
    prior = priors.from_mean_and_strength(mean=0.03, strength=200)
    assert (prior.alpha, prior.beta) == pytest.approx((6, 194))
    assert (prior.mean, prior.strength) == pytest.approx((0.03, 200))
    assert priors.from_parameters(alpha=6, beta=194) == Prior(6.0, 194.0)


@pytest.mark.parametrize(
    ("wish", "said", "todo"),
    [
        ({"lower": 0.05, "upper": 0.01}, "the lower one first", "0.05 is 5 %"),
        ({"lower": 0.05, "upper": 0.05}, "the lower one first", "parts of 1"),
        ({"lower": 1, "upper": 5}, "percent? 5 % is 0.05", "parts of 1"),
        ({"lower": -0.1, "upper": 0.5}, "above 0 and below 1", "parts of 1"),
        ({"lower": float("nan"), "upper": 0.5}, "above 0 and below 1", "parts of 1"),
        ({"lower": 0.01, "upper": 0.05, "sure": 90}, "percent? 90 % is 0.9", "parts of 1"),
        ({"lower": 0.01, "upper": 0.05, "sure": 1.0}, "above 0 and below 1", "parts of 1"),
        ({"lower": 0.0, "upper": 0.05}, "one end alone", "alpha = 1.0, beta = 44.89"),
        ({"lower": 0.5, "upper": 1.0}, "one end alone", "alpha = 3.322, beta = 1.0"),
        ({"lower": 1e-9, "upper": 1 - 1e-9, "sure": 0.1}, "believes in 0 % and 100 % alone", "alpha = 1.0, beta = 1.0"),
        ({"lower": 1e-6, "upper": 0.3, "sure": 0.3}, "at least 0.05", "narrower range"),
        ({"lower": 0.3, "upper": 0.3000001, "sure": 0.99}, "wider range", "less sure"),
        ({"lower": 0.3, "upper": 0.3001, "sure": 0.999}, "nothing seen would ever move it", "wider range"),
        ({"mean": 0.0, "strength": 10}, "got mean = 0.0", "never or always"),
        ({"mean": 3, "strength": 10}, "percent? 3 % is 0.03", "parts of 1"),
        ({"mean": 0.03, "strength": 0}, "got strength = 0", "2 is weak"),
        ({"mean": 0.03, "strength": 1}, "at least 0.05", "raise the strength"),
        ({"mean": 0.5, "strength": 1e12}, "1e+12 tweets", "lower the strength"),
        ({"alpha": 0.0, "beta": 1.0}, "got alpha = 0.0, wanted a number above 0", "every share"),
        ({"alpha": 1.0, "beta": float("inf")}, "got beta = inf", "every share"),
    ],
)
def test_an_impossible_wish_is_refused(wish: dict[str, Any], said: str, todo: str) -> None:
    """With what was got, what is wanted, and what to do."""
    ask: Any = priors.from_range if "lower" in wish else priors.from_mean_and_strength if "mean" in wish else priors.from_parameters
    with pytest.raises(SettingsError, match=re.escape(said)) as refused:
        ask(**wish)
    assert todo in refused.value.todo
    assert "wanted" in refused.value.what


def test_what_is_advised_for_one_end_is_as_sure_as_that() -> None:
    """'At most 5 %, 90 % sure' becomes Beta(1, 44.9), which says just that."""
    assert float(beta.central_interval(1, 44.89, 0.8)[1]) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize(("alpha", "beta_"), [(1.0, 1.0), (0.5, 0.5), (0.05, 3.0), (3.0, 60.0), (1e6, 2e6)])
def test_the_curve_is_the_density(alpha: float, beta_: float) -> None:
    """Finite, over the middle 99.8 %, and of that mass where it is smooth."""
    shares, densities = priors.curve(Prior(alpha, beta_), points=2001)
    assert np.isfinite(densities).all()
    assert (densities >= 0).all()
    assert (np.diff(shares) > 0).all()
    if min(alpha, beta_) >= 1:
        assert np.trapezoid(densities, shares) == pytest.approx(0.998, abs=1e-4)
    with pytest.raises(SettingsError, match="2 or more"):
        priors.curve(Prior(1, 1), points=1)
