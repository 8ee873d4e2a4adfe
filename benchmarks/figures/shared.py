"""Made-up studies that have authors in common: how often the interval of the difference holds it, bound together and as if independent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.stats import authors, compare

Floats = npt.NDArray[np.float64]

KINDS = ("two rules", "two periods")
WORLDS, AUTHORS = 1000, 600


def posterior(trials: Floats, matches: Floats) -> tuple[float, float, float]:
    """Beta(1, 1) after the counts scaled by the design effect of the chain; and the prior's weight."""
    n, k = trials.sum(), matches.sum()
    effect = max(1.0, float(authors.design_effect(trials=trials, matches=matches)))
    return 1 + k / effect, 1 + (n - k) / effect, 2 * effect / n


def world(chance: np.random.Generator, kind: str) -> tuple[Floats, Floats, float]:
    """n and k by side and author, shape (2, AUTHORS), heavy-tailed; and the true difference."""
    trials = np.minimum(1 + chance.pareto(1.3, (2, AUTHORS)).astype(int), 60)
    habit = chance.beta(0.4, 1.6, AUTHORS)
    if kind == "two rules":
        # the same tweets; the second rule finds three quarters of what the first finds, and a tenth of the rest
        trials[1] = trials[0]
        first = chance.binomial(trials[0], habit)
        matches = np.array([first, chance.binomial(first, 0.75) + chance.binomial(trials[0] - first, 0.1)])
        return trials, matches, 0.2 - (0.2 * 0.75 + 0.8 * 0.1)
    # eight of nine authors come back, with their habits, and those who wrote much do so again
    trials[1] = np.maximum(1, trials[0] + chance.integers(-1, 2, AUTHORS))
    trials[0, :60], trials[1, 60:120] = 0, 0
    return trials, chance.binomial(trials, habit), 0.0


def held(kind: str, worlds: int = WORLDS) -> tuple[float, float]:
    """How often the 95 % interval of the difference holds it: with the correlation of `compare.sharing`, and without."""
    chance = np.random.default_rng(7)
    inside = np.zeros(2)
    for _ in range(worlds):
        trials, matches, truth = world(chance, kind)
        (a, b, weight_a), (c, d, weight_b) = (posterior(n, k) for n, k in zip(trials, matches, strict=True))
        sharing = compare.sharing(
            trials_a=trials[0], matches_a=matches[0], trials_b=trials[1], matches_b=matches[1],
            prior_weight_a=weight_a, prior_weight_b=weight_b,
        )  # fmt: skip
        assert sharing.correlation is not None
        for which, correlation in enumerate((sharing.correlation, 0.0)):
            # the true difference is inside the central interval exactly if both tails beyond it are above 2.5 %
            inside[which] += 0.025 < compare._exceeds(compare._Pair(a, b, c, d, correlation), truth) < 0.975
    bound, independent = (inside / worlds).tolist()
    return bound, independent


def figures(*, scale: float, **_: Any) -> Iterator[str]:
    """A row a kind."""
    worlds = max(100, round(scale * WORLDS))
    yield "| the same authors in | worlds | 95 % intervals of the difference hold | as if independent |"
    yield "|---|---|---|---|"
    for kind in KINDS:
        bound, independent = held(kind, worlds)
        yield f"| {kind} | {worlds:,} | {bound:.1%} | {independent:.1%} |"
