"""From days to posteriors: a pure function of the prior and the counts."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import hypothesis
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidCounts
from pipeline.stats.sequence import PosteriorRows, posterior_sequence

FIRST = dt.date(2026, 11, 1)
COUNTS = st.integers(0, 10**6).flatmap(lambda trials: st.tuples(st.just(trials), st.integers(0, trials)))
#: A history: offset in days → (n, k).
HISTORIES = st.dictionaries(st.integers(0, 400), COUNTS, max_size=12)
FORGET = st.floats(0.01, 1.0)

few = hypothesis.settings(max_examples=30)


def rows(
    history: list[tuple[int, tuple[int, int]]], at: list[int], *, forget: float = 1.0, prior: tuple[float, float] = (1.0, 1.0)
) -> PosteriorRows:
    """The rows at offsets `at` for a history given in any order."""
    return posterior_sequence(
        prior_alpha=prior[0],
        prior_beta=prior[1],
        forget=forget,
        days=[FIRST + dt.timedelta(day) for day, _ in history],
        trials=[n for _, (n, _) in history],
        matches=[k for _, (_, k) in history],
        at=[FIRST + dt.timedelta(day) for day in at],
    )


def as_bytes(result: PosteriorRows) -> list[bytes]:
    """Every bit of every column."""
    return [getattr(result, name).tobytes() for name in ("alpha", "beta", "trials", "matches", "days_counted")]


def test_a_small_history_by_hand() -> None:
    """Two days and a gap: sums so far, days counted, the discount by calendar days, and the prior before the first day."""
    result = rows([(0, (10, 3)), (3, (20, 5))], [-1, 0, 1, 3, 5], forget=0.5, prior=(1.0, 9.0))
    np.testing.assert_array_equal(result.alpha, [1, 1 + 3, 1 + 1.5, 1 + 3 / 8 + 5, 1 + 3 / 32 + 5 / 4])
    np.testing.assert_array_equal(result.beta, [9, 9 + 7, 9 + 3.5, 9 + 7 / 8 + 15, 9 + 7 / 32 + 15 / 4])
    np.testing.assert_array_equal(result.trials, [0, 10, 10, 30, 30])
    np.testing.assert_array_equal(result.matches, [0, 3, 3, 8, 8])
    np.testing.assert_array_equal(result.days_counted, [0, 1, 1, 2, 2])
    assert result.days.astype(object).tolist() == [FIRST + dt.timedelta(day) for day in (-1, 0, 1, 3, 5)]
    assert all(getattr(result, name).dtype == np.int64 for name in ("trials", "matches", "days_counted"))


@pytest.mark.slow
@few
@given(HISTORIES, FORGET, st.lists(st.integers(-5, 410), max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_days_never_shows(history: dict[int, tuple[int, int]], forget: float, at: list[int], shuffle: random.Random) -> None:
    """Any order of the same counts gives the same rows to the last bit."""
    there = list(history.items())
    wanted = as_bytes(rows(there, at, forget=forget))
    shuffle.shuffle(there)
    assert as_bytes(rows(there, at, forget=forget)) == wanted


@pytest.mark.slow
@few
@given(HISTORIES, FORGET, st.lists(st.integers(-5, 410), min_size=1, max_size=6))
def test_a_row_depends_on_its_own_past_alone(history: dict[int, tuple[int, int]], forget: float, at: list[int]) -> None:
    """Neither later days nor the other rows asked for change a bit of a row."""
    together = rows(list(history.items()), at, forget=forget)
    for index, day in enumerate(at):
        past = [(when, counts) for when, counts in history.items() if when <= day]
        alone = rows(past, [day], forget=forget)
        assert as_bytes(alone) == [
            getattr(together, name)[index : index + 1].tobytes() for name in ("alpha", "beta", "trials", "matches", "days_counted")
        ]


@pytest.mark.slow
@few
@given(HISTORIES, FORGET)
def test_a_late_day_changes_its_own_row_and_later_ones_alone(history: dict[int, tuple[int, int]], forget: float) -> None:
    """A day that arrives after the others leaves earlier rows alone, and the rest as if it had been there all the time."""
    at = list(range(0, 401, 40))
    late = 200
    before = rows([item for item in history.items() if item[0] != late], at, forget=forget)
    after = rows([*((day, counts) for day, counts in history.items() if day != late), (late, (50, 20))], at, forget=forget)
    earlier = [index for index, day in enumerate(at) if day < late]
    np.testing.assert_array_equal(before.alpha[earlier], after.alpha[earlier])
    assert (after.trials[at.index(late) :] - before.trials[at.index(late) :] == 50).all()
    assert as_bytes(after) == as_bytes(
        rows(sorted([*((day, c) for day, c in history.items() if day != late), (late, (50, 20))]), at, forget=forget)
    )


@pytest.mark.slow
@few
@given(HISTORIES, st.floats(0.01, 0.9999), st.integers(0, 800))
def test_the_discount_is_the_closed_form(history: dict[int, tuple[int, int]], forget: float, at: int) -> None:
    """alpha_t = alpha_0 + sum of forget^(t - s) k_s over s <= t, checked in 50 digits; beta likewise."""
    result = rows(list(history.items()), [at], forget=forget, prior=(0.5, 2.0))
    with mpmath.workdps(50):
        past = [(at - day, n, k) for day, (n, k) in history.items() if day <= at]
        alpha = mpmath.mpf(0.5) + mpmath.fsum(mpmath.mpf(forget) ** age * k for age, n, k in past)
        beta = mpmath.mpf(2) + mpmath.fsum(mpmath.mpf(forget) ** age * (n - k) for age, n, k in past)
        assert abs(result.alpha[0] / alpha - 1) < 1e-13
        assert abs(result.beta[0] / beta - 1) < 1e-13


@pytest.mark.slow
@few
@given(HISTORIES)
def test_without_forgetting_sums_are_exact(history: dict[int, tuple[int, int]]) -> None:
    """forget = 1 is the sum of all counts, in whole numbers."""
    result = rows(list(history.items()), [1000])
    assert result.alpha[0] == 1 + sum(k for _, k in history.values()) == 1 + result.matches[0]
    assert result.beta[0] == 1 + sum(n - k for n, k in history.values()) == 1 + result.trials[0] - result.matches[0]
    assert result.days_counted[0] == len(history)


def test_ten_years_of_days() -> None:
    """A long history keeps its precision, and an old day fades to nothing instead of failing."""
    history = [(day, (1000, 37)) for day in range(3650)]
    result = rows(history, [3649, 3649 + 400_000], forget=0.97)
    closed = 1 + 37 * (1 - 0.97**3650) / (1 - 0.97)
    assert result.alpha[0] == pytest.approx(closed, rel=1e-13)
    assert result.alpha[1] == 1


def test_no_days_give_the_prior() -> None:
    """Nothing counted yet is no fault; nothing asked for gives no rows."""
    result = rows([], [0, 5], prior=(2.0, 3.0))
    np.testing.assert_array_equal(result.alpha, [2, 2])
    np.testing.assert_array_equal(result.beta, [3, 3])
    np.testing.assert_array_equal(result.days_counted, [0, 0])
    assert rows([(0, (1, 1))], []).alpha.shape == (0,)


GOOD: dict[str, Any] = {
    "prior_alpha": 1.0, "prior_beta": 1.0, "forget": 1.0,
    "days": ["2026-11-01", "2026-11-02"], "trials": [10, 10], "matches": [1, 2], "at": ["2026-11-02"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        ({"matches": [1, 11]}, "11 matches of 10 trials"),
        ({"matches": [-1, 2]}, "wanted is 0 <= matches"),
        ({"trials": [10, np.nan]}, "whole numbers"),
        ({"trials": [10, np.inf]}, "whole numbers"),
        ({"matches": [1, 2.5]}, "whole numbers"),
        ({"matches": ["1", "2"]}, "whole numbers"),
        ({"trials": [10]}, "one a day"),
        ({"days": ["2026-11-01", "2026-11-01"]}, "2026-11-01 is given twice"),
        ({"days": ["2026-11-01", "NaT"]}, "calendar days"),
        ({"at": ["NaT"]}, "calendar days"),
        ({"forget": 0.0}, "forget is 0.0"),
        ({"forget": 1.5}, "forget is 1.5"),
        ({"forget": float("nan")}, "forget is nan"),
        ({"prior_alpha": 0.0}, "positive, finite"),
        ({"prior_beta": -1.0}, "positive, finite"),
    ],
)
def test_what_cannot_be_is_refused(spoiled: dict[str, Any], said: str) -> None:
    """One valid call, one argument spoiled."""
    assert posterior_sequence(**GOOD).alpha.tolist() == [4]
    with pytest.raises(InvalidCounts, match=said):
        posterior_sequence(**(GOOD | spoiled))
