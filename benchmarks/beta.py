"""How fast are intervals? 100,000 posteriors, central and highest-density at 95 %, beside scipy.stats.beta.interval; CPU seconds.

Run: .venv/bin/python -m benchmarks.beta
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy import stats

from pipeline.stats import beta

POSTERIORS, ROUNDS = 100_000, 5


def seconds(function: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def main() -> None:
    """Print one line a size of counts."""
    chance = np.random.default_rng(1)
    for most in (100, 10_000, 1_000_000):
        trials = chance.integers(0, most, POSTERIORS)
        alpha, beta_ = beta.update(1, 1, trials, chance.binomial(trials, chance.beta(1, 20, POSTERIORS)))
        runs = [
            (
                seconds(lambda a=alpha, b=beta_: beta.central_interval(a, b, 0.95)),
                seconds(lambda a=alpha, b=beta_: beta.highest_density_interval(a, b, 0.95)),
                seconds(lambda a=alpha, b=beta_: stats.beta.interval(0.95, a, b)),
            )
            for _ in range(ROUNDS)
        ]
        central, highest, scipys = (statistics.median(column) for column in zip(*runs, strict=True))
        print(
            f"up to {most:9,} tweets: central {central:.2f} s, highest-density {highest:.2f} s; scipy.stats' central {scipys:.2f} s "
            f"({scipys / central:.1f} times ours); highest / central {highest / central:.1f}"
        )


if __name__ == "__main__":
    main()
