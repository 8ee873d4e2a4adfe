"""Made-up crowds of heavy-tailed, returning authors whose true share is known: how often intervals hold it, naive and clustered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from pipeline.stats.authors import clustered_posterior, design_effect

Floats = npt.NDArray[np.float64]

#: How far the discount of the drifting worlds forgets, over how many days.
FORGET, DAYS = 0.9, 30
#: So many worlds are made at once.
BATCH = 250
#: Days, and what is unlike Worlds' own: the last two have fewer authors, who write more.
CROWDS: dict[str, tuple[int, dict[str, float]]] = {
    "cumulative, 30 days": (30, {}),
    "window of 14 days": (14, {}),
    "two tweets of one author correlate with .25, as is typical": (30, {"habit": 0.5}),
    "1,000 authors, up to 20 tweets a day each": (30, {"crowd": 1000, "busiest": 20.0}),
    "400 authors, up to 40 tweets a day each": (30, {"crowd": 400, "busiest": 40.0}),
}


class Worlds:
    """Made-up streams: 4,000 authors whose activity falls off as a power of 3/2 (up to 5 tweets a day), who come back every day.

    An author writes as all do, but with three tweets in ten says what is their own habit: so two tweets of one author correlate
    with .09, as those of the milder words on real streams do (.05 to .5: docs/statistics.md). The habits follow the share of the day.
    """

    AUTHORS, HABIT = 4000, 0.3

    def __init__(self, seed: int, number: int, *, crowd: int = AUTHORS, busiest: float = 5.0, habit: float = HABIT) -> None:
        self.own_part = habit
        self.random = np.random.default_rng(seed)
        pareto = self.random.pareto(1.5, (number, crowd)) + 1
        # 400 tweets a day on average, whatever the crowd
        self.rate = np.minimum(pareto / 3 * 400 / crowd, busiest)
        self.habit = self.random.random((number, crowd))
        self.start = self.random.choice([0.05, 0.1, 0.2], number)

    def count(self, share: Floats, days: int = 1) -> tuple[Floats, Floats]:
        """n and k of each author over so many days of one share; sums of independent days are as one of so many times the rate."""
        n = self.random.poisson(self.rate * days)
        own = self.own_part * (self.habit < share[:, None]) + (1 - self.own_part) * share[:, None]
        return n, self.random.binomial(n, own)

    def steps(self, forget: float) -> Floats:
        """A day's step for which the discount is the right one: its standard deviation over the root of p (1 - p).

        The steady state of the local level model: innovation / observation variance = (1 - forget)^2 / forget, Harvey,
        Forecasting, Structural Time Series Models and the Kalman Filter, chapter 4; the latter with these authors' design effect.
        """
        day = self.rate.sum(axis=1)
        of_one_mind = 1 + (self.rate**2).sum(axis=1) * (1 + forget) / (1 - forget) / day
        effect = 1 + self.own_part**2 * (of_one_mind - 1)
        return np.asarray(np.sqrt((1 - forget) ** 2 / forget * effect / day))


def ranks(n: Floats, k: Floats, truth: Floats, squares: Any = None, prior: tuple[float, float] = (1.0, 1.0)) -> Floats:
    """Where the truth lies in the posterior, 0 to 1: naive, clustered."""
    effect = np.fmax(design_effect(trials=n, matches=k, squares=squares), 1.0)
    sums = {"trials": n.sum(axis=1), "matches": k.sum(axis=1)}
    made = [clustered_posterior(prior_alpha=prior[0], prior_beta=prior[1], design_effect=d, **sums) for d in (np.ones_like(effect), effect)]
    return np.array([special.betainc(*posterior, truth) for posterior in made])


def coverage(found: Floats) -> tuple[float, float]:
    """How often the 95 % interval holds the truth: naive, clustered."""
    naive, clustered = np.mean(np.abs(found - 0.5) < 0.475, axis=1).tolist()
    return naive, clustered


def steady(days: int, number: int, **crowd: Any) -> tuple[Floats, Floats]:
    """Ranks in worlds where nothing drifts, and the weight of the five busiest authors in each.

    What came before a window does not enter, so a window is so many days.
    """
    found, weights = [], []
    for seed in range(-(-number // BATCH)):
        worlds = Worlds(seed, BATCH, **crowd)
        n, k = worlds.count(worlds.start, days)
        found.append(ranks(n, k, worlds.start))
        weights.append(np.partition(n, -5, axis=1)[:, -5:].sum(axis=1) / n.sum(axis=1))
    return np.concatenate(found, axis=1), np.concatenate(weights)


def drifting(number: int, *, drift: float = 1.0) -> Floats:
    """Ranks with forgetting in worlds whose share wanders `drift` times as much as the discount supposes, over DAYS days."""
    found = []
    for seed in range(-(-number // BATCH)):
        worlds = Worlds(seed, BATCH)
        deviation, share = drift * worlds.steps(FORGET), worlds.start.copy()
        n_all, k_all, squares = (np.zeros(worlds.rate.shape) for _ in range(3))
        for _ in range(DAYS):
            share = share + deviation * np.sqrt(share * (1 - share)) * worlds.random.normal(size=BATCH)
            n, k = worlds.count(share)
            n_all, k_all = FORGET * n_all + n, FORGET * k_all + k
            squares = FORGET**2 * squares + n
        found.append(ranks(n_all, np.minimum(k_all, n_all), share, squares))
    return np.concatenate(found, axis=1)


def calibrated(tweets: int, number: int = 10_000) -> tuple[tuple[float, float], tuple[float, float]]:
    """Simulation-based calibration (Talts et al. 2018): chi-square p of the ranks, and coverage; naive, clustered.

    Shares drawn from the prior, 600 authors of so many tweets each, 20 bins. Where all tweets of an author agree, and all have as
    many, the scaled counts are those of the authors: the model is exact.
    """
    random, prior = np.random.default_rng(12), (2.0, 18.0)
    found = []
    for _ in range(number // 500):
        truth = random.beta(*prior, 500)
        n = np.full((500, 600), float(tweets))
        found.append(ranks(n, n * (random.random((500, 600)) < truth[:, None]), truth, prior=prior))
    drawn = np.concatenate(found, axis=1)
    naive, clustered = (float(stats.chisquare(np.histogram(row, bins=20, range=(0, 1))[0]).pvalue) for row in drawn)
    return (naive, clustered), coverage(drawn)


def figures(*, scale: float, **_: Any) -> Iterator[str]:
    """Coverage, by the weight of the busiest too; and calibration."""
    number = max(BATCH, round(scale * 2000))
    yield "| 95 % intervals hold the truth | worlds | naive | clustered |"
    yield "|---|---|---|---|"

    def row(name: str, found: Floats) -> str:
        naive, clustered = coverage(found)
        return f"| {name} | {found.shape[1]:,} | {naive:.1%} | {clustered:.1%} |"

    inside, weights = [], []
    for name, (days, crowd) in CROWDS.items():
        found, weight = steady(days, number, **crowd)
        inside.append(np.abs(found[1] - 0.5) < 0.475)
        weights.append(weight)
        yield row(name, found)
    yield row("forget = 0.9, the share drifts as that supposes", drifting(round(1.5 * number)))
    yield row("forget = 0.9, nothing drifts", drifting(number // 2, drift=0.0))
    yield ""
    yield "| weight of the five busiest authors | worlds of the first five rows | clustered |"
    yield "|---|---|---|"
    held, busiest = np.concatenate(inside), np.concatenate(weights)
    for low, high in itertools.pairwise((0.0, 0.1, 0.2, 1.0)):
        there = (low <= busiest) & (busiest < high)
        yield f"| {low:.0%} to {high:.0%} | {there.sum():,} | {held[there].mean():.1%} |"
    yield ""
    yield "| simulation-based calibration, χ² p of the ranks | worlds | naive | clustered |"
    yield "|---|---|---|---|"
    for name, tweets in (("every tweet an author of its own", 1), ("authors of four tweets of one mind", 4)):
        drawn = max(1000, round(scale * 10_000))
        (naive, clustered), _held = calibrated(tweets, drawn)
        yield f"| {name} | {drawn:,} | {naive:.2g} | {clustered:.2g} |"
