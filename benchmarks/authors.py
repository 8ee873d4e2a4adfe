"""How long does the clustered posterior take? A study of 60 days, all rows and the last one alone, and a choice of forgetting; CPU seconds.

Run: .venv/bin/python -m benchmarks.authors
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from pipeline.stats.authors import author_rows
from pipeline.stats.forgetting import choose_forget

FIRST = np.datetime64("2026-11-01")


def seconds(function: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def main() -> None:
    """Print one line a size of study."""
    random = np.random.default_rng(1)
    for days, crowd in ((60, 4_000), (60, 40_000), (365, 4_000)):
        rate = np.minimum((random.pareto(1.5, crowd) + 1) / 30, 5.0)
        counts = random.poisson(rate, (days, crowd))
        day, author = np.nonzero(counts)
        n = counts[day, author]
        table = {"days": FIRST + day, "authors": [f"{key:032x}" for key in author], "trials": n, "matches": random.binomial(n, 0.1)}
        every = FIRST + np.arange(days)
        whole = seconds(lambda t=table, at=every: author_rows(**t, at=at))
        last = seconds(lambda t=table, at=every[-1:]: author_rows(**t, at=at))
        single = seconds(lambda t=table, at=every: author_rows(**t, at=at, window=1))
        sums = [np.bincount(day, table[name]).astype(int) for name in ("trials", "matches")]
        given = {
            "prior_alpha": 1,
            "prior_beta": 1,
            "days": every,
            "trials": sums[0],
            "matches": sums[1],
            "design_effects": 2.0,
            "at": every,
        }
        auto = seconds(lambda g=given: choose_forget(**g))
        print(
            f"{days} days, {n.size:9,} rows of authors: all days {whole:.2f} s, the last {last:.2f} s, each day alone {single:.2f} s;"
            f" choosing among ten discounts {auto:.3f} s"
        )


if __name__ == "__main__":
    main()
