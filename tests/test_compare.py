"""Shares against a threshold and against each other: mpmath's values, and the coverage where authors are shared."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidCounts
from pipeline.stats import beta, compare
from pipeline.stats.compare import Sharing
from tests.test_alarms import real
from tests.test_beta import cdf, log_beta

# not wired into the chain yet
pytestmark = pytest.mark.slow

SIZES = (0.05, 0.5, 1.0, 2.0, 30.0, 1e6)
EXACT = 1e-9
LARGEST_WHOLE = 30

PARAMETER = st.floats(0.05, 1e6)


@pytest.fixture(autouse=True)
def _thirty_digits() -> object:
    with mpmath.workdps(30):
        yield


def greater(a: float, b: float, c: float, d: float, *, largest: float = LARGEST_WHOLE) -> mpmath.mpf | None:
    """P(Beta(a, b) > Beta(c, d)), exact where one parameter is a whole number up to `largest`: a finite sum; else None."""
    if d.is_integer() and d <= largest:
        return _sum(c, d, a, b)
    if c.is_integer() and c <= largest:
        return 1 - _sum(d, c, b, a)
    if b.is_integer() and b <= largest:
        return 1 - _sum(a, b, c, d)
    if a.is_integer() and a <= largest:
        return _sum(b, a, d, c)
    return None


def _sum(a: float, whole: float, c: float, d: float) -> mpmath.mpf:
    """P(Beta(a, whole) < Beta(c, d)): I_x(a, n) = x^a sum over i < n of (a)_i / i! (1 - x)^i (DLMF 8.17.9), integrated term by term."""
    a, c, d = mpmath.mpf(a), mpmath.mpf(c), mpmath.mpf(d)
    term = mpmath.exp(log_beta(c + a, d) - log_beta(c, d))
    total = mpmath.mpf(0)
    for i in range(int(whole)):
        total += term
        term *= (a + i) * (d + i) / ((i + 1) * (c + a + d + i))
    return total


def found(a: float, b: float, c: float, d: float, **more: float) -> float:
    """The same by the function under test."""
    return compare.probability_greater(alpha_a=a, beta_a=b, alpha_b=c, beta_b=d, **more)


def test_the_reference_is_right() -> None:
    """The finite sum agrees with mpmath's integral of density times distribution."""
    for a, b, c, d in ((0.5, 2.5, 0.7, 3.0), (1.5, 2.5, 3.0, 0.5), (0.5, 4.0, 2.5, 7.7), (2.0, 0.4, 1.5, 1.5)):
        assert abs(greater(a, b, c, d) - _by_quadrature(a, b, c, d)) < 1e-12


def _by_quadrature(a: float, b: float, c: float, d: float, shift: float = 0.0) -> mpmath.mpf:
    """P(Beta(a, b) > Beta(c, d) + shift) by mpmath's tanh-sinh rule."""

    def integrand(x: mpmath.mpf) -> mpmath.mpf:
        y = min(max(x - shift, mpmath.mpf(0)), mpmath.mpf(1))
        return x ** (mpmath.mpf(a) - 1) * (1 - x) ** (mpmath.mpf(b) - 1) * mpmath.betainc(c, d, 0, y, regularized=True)

    ends = sorted({0, max(0, shift), min(1, 1 + shift), 1})
    return mpmath.quad(integrand, ends) / mpmath.beta(a, b)


def test_probability_greater_is_exact() -> None:
    """Every 4th of all pairs of shapes from 0.05 to 1e6 of which one parameter is a small whole number: within 1e-9."""
    pairs = [shape for shape in itertools.product(SIZES, repeat=4) if any(value in (1.0, 2.0, 30.0) for value in shape)][::4]
    worst = max(abs(found(*shape) - greater(*shape)) for shape in pairs)
    print(f"P(A > B), {len(pairs)} pairs: farthest from mpmath {float(worst):.1e}")
    assert worst < EXACT


@pytest.mark.slow
def test_probability_greater_is_exact_for_a_million_counts_on_both_sides() -> None:
    """Sums of a hundred thousand terms, in 30 digits."""
    for shape in ((1e6, 2e6, 100_000.0, 200_100.0), (0.5, 1e6, 0.05, 1e5)):
        assert abs(found(*shape) - greater(*shape, largest=200_000)) < EXACT, shape


@pytest.mark.slow
def test_probability_greater_is_exact_for_two_u_shapes() -> None:
    """Density infinite at both ends, on both sides; no finite sum there."""
    for shape in ((0.5, 0.5, 0.5, 0.4), (0.3, 0.9, 0.6, 0.5)):
        assert abs(found(*shape) - _by_quadrature(*shape)) < EXACT, shape


@given(PARAMETER, PARAMETER, PARAMETER, PARAMETER, st.sampled_from([0.0, 0.4, -0.7, 0.999]))
def test_one_is_greater_or_the_other(a: float, b: float, c: float, d: float, correlation: float) -> None:
    """P(A > B) + P(B > A) = 1, and so when both shares are turned round."""
    forth, back = found(a, b, c, d, correlation=correlation), found(c, d, a, b, correlation=correlation)
    assert forth + back == pytest.approx(1, abs=1e-10)
    assert found(d, c, b, a, correlation=correlation) == pytest.approx(forth, abs=1e-10)


def test_probability_above_and_moments_are_exact_on_the_grid() -> None:
    """P(p > t), mean, mode and variance after n = 0, k = 0, k = n and a million counts, from three priors: within 1e-9."""
    cases = [(0, 0), (1, 0), (1, 1), (20, 0), (20, 20), (500, 37), (1_000_000, 0), (1_000_000, 1_000_000), (1_000_000, 40_000)]
    worst = mpmath.mpf(0)
    for (a0, b0), (n, k) in itertools.product([(1.0, 1.0), (0.5, 0.5), (0.05, 9.0)], cases):
        alpha, beta_ = (float(value) for value in beta.update(a0, b0, n, k))
        a, b = mpmath.mpf(alpha), mpmath.mpf(beta_)
        m = a / (a + b)
        sd = mpmath.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))
        for t in {0.0, 1e-12, 0.01, 0.04, 0.5, float(m), float(min(m + sd, 1)), float(max(m - sd, m / 9)), 1.0}:
            worst = max(worst, abs(float(compare.probability_above(alpha, beta_, t)) - (1 - cdf(alpha, beta_, mpmath.mpf(t)))))
        worst = max(worst, abs(float(beta.mean(alpha, beta_)) - m), abs(float(beta.variance(alpha, beta_)) - sd**2))
        if a > 1 and b > 1:
            worst = max(worst, abs(float(beta.mode(alpha, beta_)) - (a - 1) / (a + b - 2)))
    print(f"P(p > t), moments: farthest from mpmath {float(worst):.1e}")
    assert worst < EXACT


def test_the_interval_of_the_difference_is_exact() -> None:
    """Of two uniforms by the closed form; else the mass beyond each end by mpmath's quadrature."""
    uniforms = compare.compare(alpha_a=1, beta_a=1, alpha_b=1, beta_b=1)
    assert (uniforms.lower, uniforms.upper) == pytest.approx((math.sqrt(0.05) - 1, 1 - math.sqrt(0.05)), abs=1e-11)
    assert (uniforms.probability, uniforms.mean, uniforms.widest) == (pytest.approx(0.5, abs=1e-12), 0, None)
    for shape in ((2.0, 9.0, 3.5, 4.0), (0.5, 3.0, 2.0, 2.0)):
        difference = compare.compare(**dict(zip(("alpha_a", "beta_a", "alpha_b", "beta_b"), shape, strict=True)), level=0.9)  # type: ignore[arg-type]
        for end, mass in ((difference.lower, 0.95), (difference.upper, 0.05)):
            assert abs(_by_quadrature(*shape, shift=end) - mass) < 1e-9, shape


def test_large_counts_are_the_normal_ones() -> None:
    """With a million counts, and bound by 0.6: the ends lie where the bivariate normal has them, to a thousandth of the width."""
    sharing = Sharing(0.6, 10, 10, "")
    difference = compare.compare(alpha_a=100_000, beta_a=900_000, alpha_b=99_000, beta_b=901_000, sharing=sharing)
    spread = math.sqrt(0.1 * 0.9 / 1e6 + 0.099 * 0.901 / 1e6 - 2 * 0.6 * math.sqrt(0.1 * 0.9 * 0.099 * 0.901) / 1e6)
    assert difference.lower == pytest.approx(0.001 - 1.959964 * spread, abs=1e-3 * spread)
    assert difference.upper == pytest.approx(0.001 + 1.959964 * spread, abs=1e-3 * spread)
    assert difference.probability == pytest.approx(float(mpmath.ncdf(0.001 / spread)), abs=1e-4)


BOTH: dict[str, Any] = {"trials_a": [10, 4, 0], "matches_a": [5, 0, 0], "trials_b": [10, 4, 7], "matches_b": [5, 0, 3]}


def test_the_correlation_by_hand() -> None:
    """p_A = 5/14, p_B = 8/21: influences by author, their product by their lengths; the third author wrote on one side alone."""
    one = np.array([5, 0, 0]) - 5 / 14 * np.array([10, 4, 0])
    other = np.array([5, 0, 3]) - 8 / 21 * np.array([10, 4, 7])
    wanted = one @ other / math.sqrt((one @ one) * (other @ other))
    shared = compare.sharing(**BOTH)
    assert shared.correlation == pytest.approx(wanted, rel=1e-12)
    assert (shared.authors, shared.shared) == (3, 2)
    assert "2 of 3 authors wrote on both sides" in shared.said
    weaker = compare.sharing(**BOTH, prior_weight_a=1.0, prior_weight_b=1.0).correlation
    assert weaker == pytest.approx(wanted / (1 + (1 - wanted**2)), rel=1e-12)
    turned = {name: values[::-1] for name, values in BOTH.items()}
    assert compare.sharing(**turned) == shared


def test_what_cannot_be_known_is_said() -> None:
    """Unknown authors, none in common, one side without spread, a study against itself and against its opposite."""
    unknown = compare.sharing(**(BOTH | {"trials_b": None, "matches_b": None}))
    assert unknown.correlation is None
    assert "not known" in unknown.said
    apart = compare.sharing(trials_a=[3, 0], matches_a=[1, 0], trials_b=[0, 3], matches_b=[0, 1])
    assert (apart.correlation, apart.shared) == (0.0, 0)
    assert compare.sharing(trials_a=[3, 5], matches_a=[0, 0], trials_b=[3, 5], matches_b=[1, 0]).correlation is None
    assert compare.sharing(trials_a=[], matches_a=[], trials_b=[], matches_b=[]).correlation == 0
    same = compare.sharing(trials_a=[3, 5], matches_a=[1, 4], trials_b=[3, 5], matches_b=[1, 4])
    assert same.correlation == 1
    opposite = compare.sharing(trials_a=[3, 5], matches_a=[1, 4], trials_b=[3, 5], matches_b=[2, 1])
    assert opposite.correlation == -1
    posteriors = {"alpha_a": 6.0, "beta_a": 4.0, "alpha_b": 6.0, "beta_b": 4.0}
    itself = compare.compare(**posteriors, sharing=same)
    assert itself.upper - itself.lower < 1e-3
    assert itself.probability == pytest.approx(0.5, abs=1e-9)
    independent, blind = compare.compare(**posteriors), compare.compare(**posteriors, sharing=unknown)
    assert blind.widest is not None
    assert blind.widest[0] < blind.lower == independent.lower < independent.upper < blind.widest[1]
    against = compare.compare(**posteriors, sharing=opposite)
    assert (against.lower, against.upper) == pytest.approx(blind.widest, abs=1e-3)


def posterior(trials: np.ndarray, matches: np.ndarray) -> tuple[float, float, float]:
    """Beta(1, 1) after the counts scaled by the author design effect of facts/statistics.md; and the prior's weight."""
    n, k, m = trials.sum(), matches.sum(), (trials > 0).sum()
    p = k / n
    effect = max(1.0, m / (m - 1) * ((matches - p * trials) ** 2).sum() / n / (p * (1 - p)))
    return 1 + k / effect, 1 + (n - k) / effect, 2 * effect / n


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["two rules", "two periods"])
def test_intervals_cover_where_authors_are_shared(kind: str) -> None:
    """1,000 worlds of heavy-tailed authors: 95 % of the intervals of the difference hold the true one; as if independent, not."""
    chance = np.random.default_rng(7)
    held = {"shared": 0, "independent": 0}
    worlds, authors = 1000, 600
    for _ in range(worlds):
        trials = np.minimum(1 + chance.pareto(1.3, (2, authors)).astype(int), 60)
        habit = chance.beta(0.4, 1.6, authors)
        if kind == "two rules":
            # the same tweets; the second rule finds three quarters of what the first finds, and a tenth of the rest
            trials[1] = trials[0]
            first = chance.binomial(trials[0], habit)
            matches = np.array([first, chance.binomial(first, 0.75) + chance.binomial(trials[0] - first, 0.1)])
            truth = 0.2 - (0.2 * 0.75 + 0.8 * 0.1)
        else:
            # eight of nine authors come back, with their habits, and those who wrote much do so again
            trials[1] = np.maximum(1, trials[0] + chance.integers(-1, 2, authors))
            trials[0, :60], trials[1, 60:120] = 0, 0
            matches, truth = chance.binomial(trials, habit), 0.0
        (a, b, weight_a), (c, d, weight_b) = (posterior(n, k) for n, k in zip(trials, matches, strict=True))
        sharing = compare.sharing(
            trials_a=trials[0], matches_a=matches[0], trials_b=trials[1], matches_b=matches[1],
            prior_weight_a=weight_a, prior_weight_b=weight_b,
        )  # fmt: skip
        for how, correlation in (("shared", sharing.correlation), ("independent", 0.0)):
            assert correlation is not None
            # the true difference is inside the central interval exactly if both tails beyond it are above 2.5 %
            held[how] += 0.025 < compare._exceeds(compare._Pair(a, b, c, d, correlation), truth) < 0.975
    shares = {how: 100 * number / worlds for how, number in held.items()}
    print(f"{kind}: {shares['shared']:.1f} % of {worlds} intervals hold; as if independent {shares['independent']:.1f} %")
    assert 0.93 * worlds <= held["shared"] <= 0.97 * worlds
    assert held["independent"] > 0.97 * worlds


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["v1.1-track-2016", "v1.1-stream-riverside"])
def test_real_authors_split_in_two_are_told_apart_as_often_as_they_should(shared_data: Path, folder: str) -> None:
    """Eight predicates, 100 times each: every post of an author goes to one of two sides by chance; nothing differs, nominal 5 %."""
    authors, _, predicates = real(shared_data / folder)
    chance, number = np.random.default_rng(11), int(authors.max()) + 1
    apart: dict[str, list[int]] = {name: [0, 0] for name in predicates}
    for name, matches in predicates.items():
        for _ in range(100):
            side = chance.random(authors.size) < 0.5
            trials = np.array([np.bincount(authors[part], minlength=number) for part in (side, ~side)])
            found = np.array([np.bincount(authors[part], matches[part], minlength=number) for part in (side, ~side)])
            (a, b, weight_a), (c, d, weight_b) = (posterior(n, k) for n, k in zip(trials, found, strict=True))
            sharing = compare.sharing(
                trials_a=trials[0], matches_a=found[0], trials_b=trials[1], matches_b=found[1],
                prior_weight_a=weight_a, prior_weight_b=weight_b,
            )  # fmt: skip
            assert sharing.correlation is not None
            for which, correlation in enumerate((sharing.correlation, 0.0)):
                apart[name][which] += not 0.025 < compare.probability_greater(
                    alpha_a=a, beta_a=b, alpha_b=c, beta_b=d, correlation=correlation
                ) < 0.975  # fmt: skip
    shared, independent = np.mean(list(apart.values()), axis=0)
    print(
        f"{folder}: {shared:.1f} % told apart, {independent:.1f} % as if independent; "
        + ", ".join(f"{k} {v[0]} %" for k, v in apart.items())
    )
    assert 3 <= shared <= 7
    assert independent < 3


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: compare.probability_above(1, 1, 5), "a share from 0 to 1"),
        (lambda: compare.probability_above(0, 1, 0.5), "positive, finite"),
        (lambda: found(1, 1, 0, 1), "positive, finite"),
        (lambda: found(1, 1, 1, 1, correlation=1.0), "between -1 and 1"),
        (lambda: compare.compare(alpha_a=1, beta_a=1, alpha_b=1, beta_b=1, level=95), "between 0 and 1"),
        (lambda: compare.sharing(**(BOTH | {"matches_a": [11, 0, 0]})), "wanted is 0 <= matches"),
        (lambda: compare.sharing(trials_a=[1], matches_a=[1], trials_b=[1, 2], matches_b=[1, 1]), "one row an author"),
    ],
)
def test_what_cannot_be_is_refused(call: Any, said: str) -> None:
    """By name, with what is wanted."""
    with pytest.raises(InvalidCounts, match=said):
        call()
