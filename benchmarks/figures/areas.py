"""Made-up areas with shares drawn from one Beta: what a prior learnt from the others is worth, and whether its intervals hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.stats import beta, pooling

Floats = npt.NDArray[np.float64]

#: Mean share of the areas, and their standard deviation by the mean.
KINDS = ((0.03, 0.5), (0.08, 0.3), (0.08, 0.5), (0.2, 0.3))
WORLDS = 40


def worlds(number: int, *, mean: float, spread: float, authors: bool, seed: int) -> tuple[Floats, Floats, Floats]:
    """Shares, n and k (effective ones) of 50 areas of 5 to 500 tweets, sizes even on a log scale; `spread` is the areas' sd / mean."""
    chance = np.random.default_rng(seed)
    strength = (1 - mean) / (mean * spread**2) - 1
    sizes = np.round(np.exp(np.linspace(np.log(5), np.log(500), 50))).astype(int)
    truth = chance.beta(mean * strength, (1 - mean) * strength, (number, 50))
    if not authors:
        return truth, np.broadcast_to(sizes, truth.shape).astype(float), chance.binomial(sizes, truth).astype(float)
    # authors of 3 tweets each whose habits scatter about the area's share: design effect 1 + 2 / 5
    writers = np.maximum(1, sizes // 3)
    habits = chance.beta(*(4 * np.repeat(part, writers, axis=1) for part in (truth, 1 - truth)))
    matches = np.add.reduceat(chance.binomial(3, habits), np.concatenate([[0], np.cumsum(writers)[:-1]]), axis=1)
    return truth, np.broadcast_to(3 * writers, truth.shape) / 1.4, matches / 1.4


def each(n: Floats, k: Floats) -> tuple[Floats, Floats]:
    """alpha and beta of every area of every world from the others of its world; 1 and 1 where there is no prior."""
    found = [[area.prior for area in pooling.pool_for_each(trials=n[world], matches=k[world])] for world in range(len(n))]
    both = np.array([[(1.0, 1.0) if prior is None else (prior.alpha, prior.beta) for prior in row] for row in found])
    return both[..., 0], both[..., 1]


def judged(truth: Floats, n: Floats, k: Floats, alpha: Any, beta_: Any) -> tuple[float, float]:
    """Root mean squared error of the posterior means, and the share of 95 % intervals that hold the truth."""
    lower, upper = beta.central_interval(alpha + k, beta_ + n - k, 0.95)
    error = np.sqrt(((beta.mean(alpha + k, beta_ + n - k) - truth) ** 2).mean())
    return float(error), float(((lower <= truth) & (truth <= upper)).mean())


@dataclass(frozen=True)
class Gain:
    """Root mean squared errors, and coverage of 95 % intervals."""

    pooled: float
    #: unpooled: from Beta(1, 1), and the plain shares k / n
    own: float
    plain: float
    held: float
    own_held: float

    @property
    def below(self) -> float:
        """How far the error lies below that of the better of the two unpooled."""
        return 1 - self.pooled / min(self.own, self.plain)


def gain(truth: Floats, n: Floats, k: Floats) -> Gain:
    """With the prior that the others give, against none."""
    (own, own_held), (pooled, held) = judged(truth, n, k, 1.0, 1.0), judged(truth, n, k, *each(n, k))
    return Gain(pooled, own, float(np.sqrt(((k / n - truth) ** 2).mean())), held, own_held)


def a_few(number: int, *, mean: float, spread: float, worlds_: int = 300) -> Gain:
    """So many areas, of sizes from 5 to 500 tweets."""
    chosen = np.linspace(0, 49, number).astype(int)
    truth, n, k = (part[:, chosen] for part in worlds(worlds_, mean=mean, spread=spread, authors=False, seed=8))
    return gain(truth, n, k)


def figures(*, scale: float, **_: Any) -> Iterator[str]:
    """A row a kind of areas."""
    number = max(4, round(scale * WORLDS))
    yield "| shares of the areas | areas | worlds | error below unpooled | 95 % intervals hold | unpooled |"
    yield "|---|---|---|---|---|---|"
    for mean, spread in KINDS:
        for authors in (False, True):
            found = gain(*worlds(number, mean=mean, spread=spread, authors=authors, seed=5))
            name = f"{mean:.0%} ± {mean * spread:.1%}{', three tweets an author' if authors else ''}"
            yield f"| {name} | 50 | {number} | {found.below:.0%} | {found.held:.1%} | {found.own_held:.1%} |"
    for areas in (4, 10):
        found = a_few(areas, mean=0.08, spread=0.5, worlds_=max(30, round(scale * 300)))
        yield f"| 8% ± 4.0% | {areas} | {max(30, round(scale * 300))} | {found.below:.0%} | {found.held:.1%} | {found.own_held:.1%} |"
