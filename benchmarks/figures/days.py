"""Made-up days whose counts vary more than binomial ones: what tomorrow may bring, and how fast forget = "auto" follows a step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from pipeline.stats import beta, predictive
from pipeline.stats.forgetting import Forgetting, choose_forget, days_to_adapt

Floats = npt.NDArray[np.float64]

FIRST = np.datetime64("2026-11-01")
#: Before and after the step, tweets a day, design effect.
STEPS = ((0.10, 0.13, 400, 2.0), (0.10, 0.15, 400, 2.0), (0.10, 0.20, 400, 2.0), (0.30, 0.20, 150, 1.5), (0.05, 0.07, 2000, 6.0))
#: Days before the step, and replays.
STEADY, REPLAYS = 60, 200


def replay(random: np.random.Generator, shares: Floats, trials: int, effect: float) -> npt.NDArray[np.int64]:
    """Matches of one replay: each day's counts vary `effect` times as binomial ones."""
    size = (trials - effect) / (effect - 1)
    return np.asarray(random.binomial(trials, random.beta(shares * size, (1 - shares) * size)))


def chosen(trials: Any, matches: Any, *, effect: Any = 1.0, order: Any = None, at: Any = None, **options: Any) -> Forgetting:
    """The choice for days in a row, given in any order, at each of them or at `at`."""
    number = len(trials)
    order = np.arange(number) if order is None else order
    return choose_forget(
        prior_alpha=1.0, prior_beta=1.0, days=FIRST + order, trials=np.asarray(trials)[order], matches=np.asarray(matches)[order],
        design_effects=np.broadcast_to(effect, number)[order], at=FIRST + np.arange(number) if at is None else FIRST + np.asarray(at),
        **options,
    )  # fmt: skip


def covers(forget: float, matches: npt.NDArray[np.int64], trials: int, effect: float, truth: float) -> bool:
    """Whether the 95 % interval of the last day's posterior, counts divided by the design effect, holds the truth."""
    weight = forget ** np.arange(matches.size - 1, -1, -1.0)
    k, n = (weight * matches).sum() / effect, (weight * trials).sum() / effect
    lower, upper = beta.central_interval(*beta.update(1, 1, n, k), 0.95)
    return bool(lower <= truth <= upper)


@dataclass(frozen=True)
class Step:
    """One step: the days that the closed form gives for 90 %, and what replays say."""

    predicted: int
    #: the first day on which 90 % of the replays cover the new share; 0 where there is none
    measured: int
    #: covered on each day from the step on: "auto", and forgetting nothing
    covered: Floats
    always: Floats


def after_step(before: float, after: float, trials: int, effect: float, replays: int = REPLAYS) -> Step:
    """STEADY steady days, then a step."""
    random = np.random.default_rng(7)
    predicted = int(
        days_to_adapt(shift=after - before, share=after, daily_trials=trials, steady_days=STEADY, design_effect=effect, chance=0.9)
    )
    last = predicted + 5
    shares = np.where(np.arange(STEADY + last) < STEADY, before, after)
    covered, always = np.zeros(last), np.zeros(last)
    for _ in range(replays):
        matches = replay(random, shares, trials, effect)
        forget = chosen(np.full(STEADY + last, trials), matches, effect=effect).forget
        for day in range(last):
            covered[day] += covers(float(forget[STEADY + day]), matches[: STEADY + 1 + day], trials, effect, after) / replays
            always[day] += covers(1.0, matches[: STEADY + 1 + day], trials, effect, after) / replays
    return Step(predicted, int(np.argmax(covered >= 0.9)) + 1 if (covered >= 0.9).any() else 0, covered, always)


def without_drift(studies: int = 400, days: int = 120) -> tuple[float, float]:
    """In how many studies where nothing drifts "auto" ever forgets; and the precision kept: effective days by all days, over all days."""
    random = np.random.default_rng(6)
    ever, kept = [], []
    for _ in range(studies):
        effect = float(random.choice([1.01, 2.0, 6.0]))
        trials = int(random.choice([60, 400, 2000]))
        matches = replay(random, np.full(days, random.choice([0.02, 0.1, 0.4])), trials, effect)
        forget = chosen(np.full(days, trials), matches, effect=effect).forget
        ever.append((forget < 1).any())
        kept.append(np.mean([(value ** np.arange(day + 1)).sum() / (day + 1) for day, value in enumerate(forget.tolist())]))
    return float(np.mean(ever)), float(np.mean(kept))


@dataclass(frozen=True)
class Tomorrow:
    """Next days against their prediction."""

    #: in the 95 % interval, with the design effect and without
    held: float
    naive: float
    #: chi-square p of the surprises, their jumps filled by chance; and how many of them are below 1 %, two-sided
    uniform: float
    rare: float


def tomorrow(number: int = 4000) -> Tomorrow:
    """Days drawn from the model: Beta(8, 72), 500 tweets, design effect 3."""
    random = np.random.default_rng(11)
    a, b, n, effect = 8.0, 72.0, 500, 3.0
    k = replay(random, random.beta(a, b, number), n, effect)
    held = [
        float(np.mean((made.lower <= k / n) & (k / n <= made.upper)))
        for made in (predictive.predict(alpha=a, beta_=b, trials=n, design_effect=wide) for wide in (effect, 1.0))
    ]
    low, high = predictive.surprise(trials=n, matches=k, alpha=np.full(number, a), beta_=b, design_effect=effect)
    # whole counts jump: the rank is anywhere between the tail without k and the tail with it
    both = predictive.combined(alpha=a, beta_=b, trials=n, design_effect=effect)
    jump = np.exp(predictive.log_mass(trials=n, matches=k, alpha=both[0], beta_=both[1]))
    places = low + (random.random(number) - 0.5) * jump
    uniform = float(stats.chisquare(np.histogram(places, bins=20, range=(0, 1))[0]).pvalue)
    return Tomorrow(*held, uniform=uniform, rare=float(np.mean(2 * np.minimum(low, high) < 0.01)))


def figures(*, scale: float, **_: Any) -> Iterator[str]:
    """Tomorrow, steps, and what is lost without drift."""
    number = max(400, round(scale * 4000))
    next_day = tomorrow(number)
    yield (
        f"Of {number:,} made-up next days with design effect 3 the 95 % interval of the next day's share holds {next_day.held:.1%}, "
        f"{next_day.naive:.1%} without the design effect; surprises are uniform (χ² p = {next_day.uniform:.2f}), "
        f"{next_day.rare:.2%} of them below 1 %."
    )
    yield ""
    replays = max(40, round(scale * REPLAYS))
    yield f'`forget = "auto"`, {STEADY} steady days and then a step, {replays} replays each:'
    yield ""
    yield "| share | tweets a day | design effect | 90 % cover after: closed form | measured | covered on the former | forgetting nothing |"
    yield "|---|---|---|---|---|---|---|"
    for before, after, trials, effect in STEPS:
        step = after_step(before, after, trials, effect, replays)
        day = step.predicted - 1
        yield (
            f"| {before:.2f} to {after:.2f} | {trials:,} | {effect:g} | {step.predicted} days | {step.measured} days "
            f"| {step.covered[day]:.0%} | {step.always[day]:.0%} |"
        )
    yield ""
    studies = max(40, round(scale * 400))
    ever, kept = without_drift(studies)
    yield f"Without drift, {studies} studies of 120 days: {ever:.1%} ever forget anything, and {kept:.1%} of the precision is kept."
