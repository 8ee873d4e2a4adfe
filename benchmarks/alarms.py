"""Where the thresholds of pipeline/stats/alarms.py come from, and how its statistic compares with others of the same promise.

Run: .venv/bin/python -m benchmarks.alarms
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pipeline.stats import alarms

Floats = npt.NDArray[np.float64]
#: Nights of normal scores: rounds of worlds times nights.
ROUNDS, WORLDS, NIGHTS = 60, 500, 2000
#: A shift of 30 % of p = 0.1 with 500 effective tweets: in standard deviations.
SHIFT = 0.03 / math.sqrt(0.1 * 0.9 / 500)
NIGHTS_A_YEAR = 365.25


def ours(scores: Floats) -> Floats:
    """The statistic of alarms.shifts, of worlds in rows."""
    sums = [np.abs(alarms._sum_of_last(row, number)) for row in scores for number in (1, 2, 3)]
    weighted = np.array(sums).reshape(len(scores), 3, -1) * (np.array(alarms._WEIGHTS) / np.sqrt([1, 2, 3]))[:, None]
    return np.asarray(weighted.max(axis=1))


def cusum(allowance: float) -> Callable[[Floats], Floats]:
    """The two-sided CUSUM (Page 1954)."""

    def statistic(scores: Floats) -> Floats:
        up, down, found = np.zeros(len(scores)), np.zeros(len(scores)), np.empty(scores.shape)
        for night in range(scores.shape[1]):
            up = np.maximum(0, up + scores[:, night] - allowance)
            down = np.maximum(0, down - scores[:, night] - allowance)
            found[:, night] = np.maximum(up, down)
        return found

    return statistic


def shiryaev_roberts(scores: Floats) -> Floats:
    """The logarithm of the two-sided Shiryaev-Roberts statistic for a shift of SHIFT."""
    up, down, found = np.full(len(scores), -9.0), np.full(len(scores), -9.0), np.empty(scores.shape)
    for night in range(scores.shape[1]):
        up = np.logaddexp(0, up) + SHIFT * scores[:, night] - SHIFT**2 / 2
        down = np.logaddexp(0, down) - SHIFT * scores[:, night] - SHIFT**2 / 2
        found[:, night] = np.logaddexp(up, down)
    return found


def episodes(beyond: npt.NDArray[np.bool_]) -> float:
    """Alarms a night: beyond, after three quiet nights."""
    return float((beyond[:, 3:] & ~(beyond[:, 2:-1] | beyond[:, 1:-2] | beyond[:, :-3])).mean())


def main() -> None:
    """Print the table of thresholds, and the share of shifts found within three nights by each statistic at 2 a year."""
    chance = np.random.default_rng(0)
    levels = np.arange(1.9, 4.6, 0.05)
    rates = np.zeros(levels.size)
    for _ in range(ROUNDS):
        values = ours(chance.standard_normal((WORLDS, NIGHTS)))
        rates += [episodes(values > level) for level in levels]
    logs = np.log(np.maximum(rates / ROUNDS, 1e-12))
    print(f"{ROUNDS * WORLDS * NIGHTS:.0e} null nights")
    for rate in alarms._RATES:
        print(f"{rate:5} a year: {np.interp(-math.log(rate / NIGHTS_A_YEAR), -logs, levels):.3f}")
    null, shifted = chance.standard_normal((2000, 1000)), chance.standard_normal((20_000, 13))
    shifted[:, 10:] += SHIFT
    for name, statistic in {"ours": ours, "CUSUM 0.8": cusum(0.8), "CUSUM 1.1": cusum(1.1), "Shiryaev-Roberts": shiryaev_roberts}.items():
        values = statistic(null)
        low, high = 0.5, 12.0
        for _ in range(25):
            middle = (low + high) / 2
            low, high = (low, middle) if episodes(values > middle) < 2 / NIGHTS_A_YEAR else (middle, high)
        found = (statistic(shifted)[:, 10:] > high).any(axis=1).mean()
        print(f"{name}: threshold {high:.2f}, finds {found:.1%} of shifts of {SHIFT:.2f} deviations within 3 nights, the law being known")


if __name__ == "__main__":
    main()
