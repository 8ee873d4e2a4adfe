"""Shares against a threshold and against each other: mpmath's values, and the coverage where authors are shared."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import exact, nights, real, shared
from benchmarks.figures.exact import greater
from pipeline.errors import InvalidCounts
from pipeline.stats import compare
from pipeline.stats.compare import Sharing

EXACT = 1e-9

PARAMETER = st.floats(0.05, 1e6)


@pytest.fixture(autouse=True)
def _thirty_digits() -> object:
    with mpmath.workdps(30):
        yield


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
    """Shapes from 0.05 to 1e6, and posteriors after n = 0, k = 0, k = n and a million tweets on both sides: within 1e-9."""
    shapes = exact.pairs()
    assert (40_001.0, 960_001.0, 40_001.0, 960_001.0) in shapes
    assert exact.compared().error < EXACT


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


def test_probability_above_is_exact_on_the_grid() -> None:
    """P(p > t), t from 0 to 1 and about the mean, of every shape of the grid: within 1e-9."""
    worst = exact.above()
    assert worst.cases > 500
    assert worst.error < EXACT


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


@pytest.mark.slow
@pytest.mark.parametrize("kind", shared.KINDS)
def test_intervals_cover_where_authors_are_shared(kind: str) -> None:
    """1,000 worlds of heavy-tailed authors: 95 % of the intervals of the difference hold the true one; as if independent, not."""
    bound, independent = shared.held(kind)
    print(f"{kind}: {bound:.1%} of {shared.WORLDS} intervals hold; as if independent {independent:.1%}")
    assert 0.93 <= bound <= 0.97
    assert independent > 0.97


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["v1.1-track-2016", "v1.1-stream-riverside"])
def test_real_authors_split_in_two_are_told_apart_as_often_as_they_should(shared_data: Path, folder: str) -> None:
    """Eight predicates, 100 times each: every post of an author goes to one of two sides by chance; nothing differs, nominal 5 %."""
    authors, _, predicates = nights.columns(real.posts(shared_data / folder))
    chance, number = np.random.default_rng(11), int(authors.max()) + 1
    apart: dict[str, list[int]] = {name: [0, 0] for name in predicates}
    for name, matches in predicates.items():
        for _ in range(100):
            side = chance.random(authors.size) < 0.5
            trials = np.array([np.bincount(authors[part], minlength=number) for part in (side, ~side)])
            found = np.array([np.bincount(authors[part], matches[part], minlength=number) for part in (side, ~side)])
            (a, b, weight_a), (c, d, weight_b) = (shared.posterior(n, k) for n, k in zip(trials, found, strict=True))
            sharing = compare.sharing(
                trials_a=trials[0], matches_a=found[0], trials_b=trials[1], matches_b=found[1],
                prior_weight_a=weight_a, prior_weight_b=weight_b,
            )  # fmt: skip
            assert sharing.correlation is not None
            for which, correlation in enumerate((sharing.correlation, 0.0)):
                apart[name][which] += not 0.025 < compare.probability_greater(
                    alpha_a=a, beta_a=b, alpha_b=c, beta_b=d, correlation=correlation
                ) < 0.975  # fmt: skip
    bound, independent = np.mean(list(apart.values()), axis=0)
    print(
        f"{folder}: {bound:.1f} % told apart, {independent:.1f} % as if independent; "
        + ", ".join(f"{k} {v[0]} %" for k, v in apart.items())
    )
    assert 3 <= bound <= 7
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
