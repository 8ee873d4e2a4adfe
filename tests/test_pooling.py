"""A prior learnt from several areas: the maximum is one, it helps as much as promised, and says where there is none."""

from __future__ import annotations

import random

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import areas
from pipeline.errors import InvalidCounts
from pipeline.stats import pooling

AREA = st.integers(0, 500).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


def pool(areas: list[tuple[float, float]]) -> pooling.Pooled:
    """The pooled prior of (n, k) pairs."""
    return pooling.pool(trials=[n for n, _ in areas], matches=[k for _, k in areas])


@hypothesis.settings(max_examples=60)
@given(st.lists(AREA, min_size=3, max_size=30), st.randoms(use_true_random=False))
def test_it_is_the_maximum_in_any_order(areas: list[tuple[int, int]], shuffle: random.Random) -> None:
    """No neighbour is likelier, near or far, and the order of areas changes no bit."""
    found = pool(areas)
    if found.prior is not None:
        n, k = (np.array([area[column] for area in areas if area[0]], dtype=float) for column in (0, 1))
        order = np.lexsort((k, n))
        at = pooling._maximum(n[order], k[order])
        best = pooling._objective(n, k, *at)
        for logit in (-2, -1e-3, 0, 1e-3, 2):
            for size in (-5, -1, -1e-3, 1e-3, 1, 5):
                if np.log(0.05) < at[1] + size < np.log(1e8):
                    assert pooling._objective(n, k, at[0] + logit, at[1] + size) <= best + 1e-9 * abs(best)
    shuffle.shuffle(areas)
    assert pool(areas) == found


def test_derivatives_are_those_of_the_objective() -> None:
    """Against differences of the objective."""
    n, k = np.array([5.0, 40.5, 300.0]), np.array([0.0, 3.25, 33.0])
    gradient, hessian = pooling._derivatives(n, k, -2.0, 3.0)
    for axis, step in enumerate(([1e-4, 0.0], [0.0, 1e-4])):
        up, down = ((-2 + sign * step[0], 3 + sign * step[1]) for sign in (1, -1))
        assert gradient[axis] == pytest.approx((pooling._objective(n, k, *up) - pooling._objective(n, k, *down)) / 2e-4, rel=1e-5)
        slopes = (pooling._derivatives(n, k, *up)[0] - pooling._derivatives(n, k, *down)[0]) / 2e-4
        np.testing.assert_allclose(hessian[axis], slopes, rtol=1e-6)


@pytest.mark.parametrize(
    ("areas", "number", "said"),
    [
        ([], 0, "needs 3"),
        ([(10, 1), (20, 2)], 2, "needs 3"),
        ([(10, 1), (20, 2), (0, 0), (0, 0)], 2, "needs 3"),
        ([(10, 0)] * 4, 4, "none of 40 tweets"),
        ([(10, 10)] * 4, 4, "all of 40 tweets"),
        ([(1, 0), (1, 1), (0.5, 0.5)], 3, "no more than one tweet"),
    ],
)
def test_where_there_is_no_pooled_prior_it_is_said(areas: list[tuple[float, float]], number: int, said: str) -> None:
    """Too few areas, and areas that cannot tell how they differ, leave each study its own prior."""
    found = pool(areas)
    assert found.prior is None
    assert found.areas == number
    assert said in found.said


def test_equal_areas_are_not_declared_equal_for_good() -> None:
    """Where areas differ less than chance lets them the strength stays finite; where they differ entirely it stays above nothing."""
    alike = pool([(100, 10)] * 20).prior
    assert alike is not None
    assert alike.mean == pytest.approx(0.1, abs=0.001)
    assert 300 < alike.strength < 1e6
    apart = pool([(100, 0), (100, 100)] * 5).prior
    assert apart is not None
    assert 0.05 <= apart.strength < 0.5


def test_for_each_the_others_speak() -> None:
    """The prior of an area does not change with its own counts."""
    areas = [(50, 5), (80, 4), (200, 31), (7, 0)]
    one = pooling.pool_for_each(trials=[n for n, _ in areas], matches=[k for _, k in areas])
    other = pooling.pool_for_each(trials=[500, 80, 200, 7], matches=[400, 4, 31, 0])
    assert one[0] == other[0] == pool(areas[1:])
    assert one[1] != other[1]


def test_what_cannot_be_is_refused() -> None:
    """More matches than tweets."""
    with pytest.raises(InvalidCounts, match="wanted is 0 <= matches"):
        pool([(5, 6), (5, 1), (5, 1)])


@pytest.mark.slow
@pytest.mark.parametrize(("number", "least"), [(4, 0.92), (5, 0.93), (10, 0.93)])
def test_a_few_areas_keep_the_promise(number: int, least: float) -> None:
    """4, 5 and 10 areas of 5 to 500 tweets, 300 worlds each: intervals hold with the prior of the others, and it helps."""
    for mean, spread in ((0.03, 0.5), (0.08, 0.5), (0.2, 0.2)):
        found = areas.a_few(number, mean=mean, spread=spread)
        better = 1 - found.pooled / found.own
        print(f"{number} areas, {mean:.0%} ± {spread:.0%} of it: error {better:.0%} below, hold {found.held:.1%} ({found.own_held:.1%})")
        assert found.pooled < 0.8 * found.own
        assert least <= found.held <= 0.975


@pytest.mark.slow
@pytest.mark.parametrize("authors", [False, True])
@pytest.mark.parametrize(("mean", "spread"), areas.KINDS)
def test_pooling_helps_and_keeps_its_promise(mean: float, spread: float, authors: bool) -> None:
    """Root mean squared error at least 20 % below that of Beta(1, 1), and 95 % intervals that hold in 93 to 97 %."""
    found = areas.gain(*areas.worlds(areas.WORLDS, mean=mean, spread=spread, authors=authors, seed=5))
    print(
        f"areas {100 * mean:g} % ± {100 * spread:g} % of it{', authors' if authors else ''}: error {1 - found.pooled / found.own:.0%} below"
        f" Beta(1, 1), {1 - found.pooled / found.plain:.0%} below k / n; 95 % intervals hold in {found.held:.1%}"
        f" (unpooled {found.own_held:.1%})"
    )
    assert found.pooled < 0.8 * min(found.own, found.plain)
    assert 0.93 <= found.held <= 0.97
