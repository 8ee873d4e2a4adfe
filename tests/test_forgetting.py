"""How fast to forget: windows, what "auto" chooses and why, and that it follows a step as fast as the closed form says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.figures import days
from benchmarks.figures.days import FIRST, chosen, replay
from pipeline.errors import InvalidCounts
from pipeline.stats.forgetting import CANDIDATES, choose_forget, days_to_adapt, days_to_cover
from pipeline.stats.sequence import posterior_sequence


def dates(*offsets: int) -> np.ndarray:
    """Days by their distance from the first."""
    return FIRST + np.array(offsets)


def test_a_window_by_hand() -> None:
    """Days older than the window weigh nothing; inside, the discount still holds; plain sums are of the window as well."""
    given: dict[str, Any] = {"prior_alpha": 1, "prior_beta": 1, "days": dates(3, 0, 1), "trials": [30, 10, 20], "matches": [6, 1, 3]}
    made = posterior_sequence(**given, forget=1.0, window=3, at=dates(1, 3, 5, 6, 9))
    np.testing.assert_array_equal(made.alpha, [1 + 4, 1 + 9, 1 + 6, 1, 1])
    np.testing.assert_array_equal(made.beta, [1 + 26, 1 + 41, 1 + 24, 1, 1])
    np.testing.assert_array_equal(made.trials, [30, 50, 30, 0, 0])
    np.testing.assert_array_equal(made.days_counted, [2, 2, 1, 0, 0])
    faded = posterior_sequence(**given, forget=0.5, window=3, at=dates(3))
    assert faded.alpha.tolist() == [1 + 6 + 3 / 4]
    with pytest.raises(InvalidCounts, match="window is 0"):
        posterior_sequence(**given, forget=1.0, window=0, at=FIRST)


def test_scores_are_the_log_probabilities_of_an_independent_library() -> None:
    """Each candidate's score sums scipy's beta-binomial of every day from its own posterior of the day before; empty days count nothing."""
    trials, matches = [30, 40, 0, 50], [3, 9, 0, 4]
    made = chosen(trials, matches, candidates=(1.0, 0.5))
    for column, forget in enumerate((1.0, 0.5)):
        score, k, n = 0.0, 0.0, 0.0
        for day in range(4):
            k, n = k * forget, n * forget
            if trials[day]:
                score += stats.betabinom.logpmf(matches[day], trials[day], 1 + k, 1 + n - k)
            k, n = k + matches[day], n + trials[day]
            assert made.scores[day, column] == pytest.approx(score, rel=1e-12)


def test_a_choice_depends_on_its_own_past_alone_and_on_no_order() -> None:
    """Bit for bit: shuffled days, later days, other rows; before the first day nothing is forgotten."""
    random = np.random.default_rng(5)
    shares = np.where(np.arange(60) < 40, 0.1, 0.3)
    matches, trials = replay(random, shares, 300, 2.0), np.full(60, 300)
    whole = chosen(trials, matches, effect=2.0)
    shuffled = chosen(trials, matches, effect=2.0, order=random.permutation(60))
    assert whole.scores.tobytes() == shuffled.scores.tobytes()
    part = chosen(trials[:50], matches[:50], effect=2.0, at=[49, -1])
    assert part.scores[0].tobytes() == whole.scores[49].tobytes()
    assert part.forget.tolist() == [whole.forget[49], 1.0]
    assert whole.forget[39] == 1.0
    assert whole.forget[-1] < 1.0


@pytest.mark.slow
def test_nothing_is_lost_where_nothing_drifts() -> None:
    """400 studies of 120 steady days: "auto" ever forgets in at most 5 % of them, and keeps at least 95 % of the precision."""
    ever, kept = days.without_drift()
    print(f"\nno drift: auto ever forgets in {ever:.1%} of studies; precision kept {kept:.1%}")
    assert ever <= 0.05
    assert kept >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after", "trials", "effect"), days.STEPS)
def test_after_a_step_the_new_share_is_covered_when_the_closed_form_says(before: float, after: float, trials: int, effect: float) -> None:
    """60 steady days, a step: from the day on that the closed form gives for 90 %, at least 90 % of 200 replays cover the new share."""
    step = days.after_step(before, after, trials, effect)
    day = step.predicted - 1
    print(
        f"\n{before:.2f} to {after:.2f}, {trials} a day, D = {effect}: closed form {step.predicted} days, measured 90 % after"
        f" {step.measured}; covered then {step.covered[day]:.0%} (forgetting nothing {step.always[day]:.0%})"
    )
    assert step.predicted < 60
    assert step.covered.size > step.predicted
    assert (step.covered[day:] >= 0.9).all(), step.covered
    # without it the test would say nothing of forgetting
    assert step.always[day] < 0.5


def test_the_days_that_a_discount_takes() -> None:
    """What is left of the shift equals the interval's half width at the number of days given; none, or never, where that is so."""
    given: dict[str, Any] = {"share": 0.15, "daily_trials": 400, "design_effect": 2.0}
    needed = days_to_cover(shift=0.05, forget=0.9, **given)
    half = stats.norm.ppf(0.975) * math.sqrt(0.15 * 0.85 * 2 / 400 * 0.1)
    assert 0.05 * 0.9**needed <= half < 0.05 * 0.9 ** (needed - 1)
    assert days_to_cover(shift=0.05, forget=0.9, chance=0.9, **given) > needed
    assert days_to_cover(shift=0.001, forget=0.9, **given) == 0
    assert days_to_cover(shift=0.05, forget=1.0, **given) == math.inf
    assert days_to_cover(shift=0.0, forget=0.9, **given) == 0
    assert days_to_adapt(shift=0.0001, steady_days=60, longest=50, **given) == math.inf


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        ({"matches": [1, 11]}, "11 matches of 10 trials"),
        ({"days": dates(0, 0)}, "given twice"),
        ({"design_effects": [1.0, 0.9]}, "at least 1"),
        ({"design_effects": [1.0, np.nan]}, "at least 1"),
        ({"candidates": (0.9, 1.0)}, "falling order"),
        ({"candidates": (1.0,)}, "falling order"),
        ({"doubt": 0.0}, "doubt is 0.0"),
        ({"prior_alpha": -1.0}, "positive, finite"),
    ],
)
def test_what_cannot_be_is_refused(spoiled: dict[str, Any], said: str) -> None:
    """One valid call, one argument spoiled."""
    valid: dict[str, Any] = {
        "prior_alpha": 1.0, "prior_beta": 1.0, "days": dates(0, 1), "trials": [10, 10], "matches": [1, 2],
        "design_effects": 1.0, "at": dates(1), "candidates": CANDIDATES, "doubt": 0.05,
    }  # fmt: skip
    assert choose_forget(**valid).forget.tolist() == [1.0]
    with pytest.raises(InvalidCounts, match=said):
        choose_forget(**(valid | spoiled))


@pytest.mark.parametrize("spoiled", [{"share": 1.0}, {"chance": 0.0}, {"daily_trials": 0}, {"design_effect": 0.5}, {"forget": 0.0}])
def test_impossible_steps_are_refused(spoiled: dict[str, Any]) -> None:
    """One valid call, one argument spoiled."""
    with pytest.raises(InvalidCounts):
        days_to_cover(**({"shift": 0.1, "share": 0.2, "daily_trials": 100, "forget": 0.9} | spoiled))
