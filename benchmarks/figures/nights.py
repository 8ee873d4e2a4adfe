"""Nights made of real posts in which nothing happens, and shifts in them: false alarms, and how soon a shift is found.

Blocks of real posts are drawn with replacement: authors with all their posts, or ten minutes with all theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from benchmarks.figures import real
from pipeline.stats import alarms

Floats = npt.NDArray[np.float64]

#: 2 a year is 1 in 183 nights: the setting that promises 1 in 180.
TWO = 2.0
#: Every one of them is above 10 % in the track stream, as must be what a shift of 30 % is looked for in.
PREDICATES = ("a URL", "a hashtag", "a reply", "by iPhone", "by Android", "by the web", "an exclamation", "the")
#: Nights of a city, of which the first 60 are judged by a short past; authors a night; cities a predicate.
NIGHTS, AUTHORS, CITIES = 545, 600, 10
#: Null nights before a shift.
BEFORE = 300


def columns(sample: tuple[real.Post, ...]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], dict[str, Floats]]:
    """Author and block of time of each post, as numbers from 0; and which match, by predicate."""
    authors, blocks = (np.unique([post[name] for post in sample], return_inverse=True)[1] for name in ("author", "block"))
    return authors, blocks, {name: np.array([real.ANY_STREAM[name](post) for post in sample], dtype=float) for name in PREDICATES}


class City:
    """Nights drawn with replacement from the authors of real posts, each with all of his posts: what is null, by construction."""

    def __init__(self, authors: npt.NDArray[np.int64], matches: Floats) -> None:
        self.n = np.bincount(authors).astype(float)
        self.k = np.bincount(authors, matches)
        self.share = self.k.sum() / self.n.sum()
        # what nights add up to: n, k, and what the design effect needs
        self.columns = np.stack([self.n, self.k, self.n**2, self.n * self.k, self.k**2], axis=1)

    def effect(self) -> float:
        """The design effect of all authors."""
        residual = self.k - self.share * self.n
        return float((residual**2).sum() / self.n.sum() / (self.share * (1 - self.share)))

    def authors_for(self, effective: float) -> int:
        """How many authors a night must have for so large an effective number of tweets."""
        return int(np.ceil(effective * self.effect() / self.n.mean()))

    def tilted(self, times: float) -> Floats:
        """Chances of authors such that the share is so many times the old one: authors who match get likelier by their own share."""
        own = self.k / self.n

        def chances(tilt: float) -> Floats:
            weights = np.exp(tilt * (own - own.mean()))
            return np.asarray(weights / weights.sum())

        def missed(tilt: float) -> float:
            weights = chances(tilt)
            return float(weights @ self.k / (weights @ self.n) - times * self.share)

        return chances(optimize.brentq(missed, -20, 20))

    def nights(self, chance: np.random.Generator, number: int, size: int, weights: Floats | None = None) -> Floats:
        """Rows of n, k, sum n^2, sum nk, sum k^2 of so many nights of `size` authors."""
        if weights is None:
            drawn = chance.integers(0, self.n.size, (number, size))
        else:
            drawn = np.searchsorted(np.cumsum(weights), chance.random((number, size))).clip(max=self.n.size - 1)
        return np.asarray(self.columns[drawn].sum(axis=1))


def surprises(nights: Floats) -> Floats:
    """What the posterior says of each night before it is seen, as normal scores; the design effect is that of all nights so far.

    Stands for the predictive tail of the clustered posterior with forget = 1, in normal approximation (tests/test_alarms.py shows how
    near). The first night is no surprise.
    """
    n, k = nights.T[:2]
    past = np.cumsum(nights, axis=0) - nights
    effect = effects(nights)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = past[:, 1] / past[:, 0]
        return np.asarray((k / n - share) / np.sqrt(share * (1 - share) * effect * (1 / n + 1 / past[:, 0])))


def effects(nights: Floats) -> Floats:
    """The design effect of all nights up to each."""
    sums = np.cumsum(nights, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        overall = sums[:, 1] / sums[:, 0]
        spread = (sums[:, 4] - 2 * overall * sums[:, 3] + overall**2 * sums[:, 2]) / (overall * (1 - overall)) / sums[:, 0]
    return np.asarray(np.maximum(1, spread))


def false_alarms(series: list[Floats], per_year: float = TWO) -> tuple[float, float]:
    """Alarms per 180 nights: of the nights from the 60th on, and of those before."""
    found = [alarms.shifts(one, per_year=per_year) for one in series]
    begins, calibrated = (np.concatenate([getattr(one, name) for one in found]) for name in ("begins", "calibrated"))
    return 180 * float(begins[calibrated].mean()), 180 * float(begins[~calibrated].mean())


def false_by_author(data: Path, folder: str, cities: int = CITIES) -> dict[str, tuple[float, float]]:
    """False alarms per 180 nights by predicate, later and first, where a night is so many authors of that stream."""
    authors, _, predicates = columns(real.posts(data / folder))
    chance = np.random.default_rng(1)
    return {
        name: false_alarms([surprises(City(authors, matches).nights(chance, NIGHTS, AUTHORS)) for _ in range(cities)])
        for name, matches in predicates.items()
    }


def false_by_time(data: Path, folder: str, cities: int = CITIES) -> dict[str, tuple[float, float]]:
    """The same where a night is eight blocks of ten minutes with all their posts: shares drift over the day, authors come back."""
    authors, blocks, predicates = columns(real.posts(data / folder))
    chance = np.random.default_rng(2)
    rates = {}
    for name, matches in predicates.items():
        cell = blocks * (authors.max() + 1) + authors
        inside, position = np.unique(cell, return_inverse=True)
        n, k = np.bincount(position).astype(float), np.bincount(position, matches)
        rows = np.stack([n, k, n**2, n * k, k**2], axis=1)
        sums = np.zeros((blocks.max() + 1, 5))
        np.add.at(sums, inside // (authors.max() + 1), rows)
        nights = [sums[chance.integers(0, len(sums), (NIGHTS, 8))].sum(axis=1) for _ in range(cities)]
        rates[name] = false_alarms([surprises(one) for one in nights])
    return rates


def found_by_predicate(data: Path, folder: str, effective: float, replays: int = 25) -> dict[str, tuple[float, float]]:
    """Share of each predicate, and how many shifts of 30 % up and down (so many each) are found within 3 nights of just so many tweets."""
    authors, _, predicates = columns(real.posts(data / folder))
    chance = np.random.default_rng(3)
    found = {}
    for name, matches in predicates.items():
        city = City(authors, matches)
        size, hits = city.authors_for(effective), []
        for times in (1.3, 0.7):
            weights = city.tilted(times)
            for _ in range(replays):
                nights = np.concatenate([city.nights(chance, BEFORE, size), city.nights(chance, 3, size, weights)])
                hits.append(bool(alarms.shifts(surprises(nights), per_year=TWO).beyond[-3:].any()))
        found[name] = (float(city.share), float(np.mean(hits)))
    return found


def at_the_corner(effective: int, replays: int = 500, per_year: float = TWO) -> tuple[float, float]:
    """A share of exactly 0.1, exactly so many effective tweets every night: shifts of 30 % found within 3 nights, and within 4.

    Half of the replays go up, half down. The three shifted nights hold three times `effective`.
    """
    chance = np.random.default_rng(9)
    hits = []
    for share in (0.13, 0.07):
        for _ in range(replays // 2):
            k = chance.binomial(effective, np.concatenate([np.full(BEFORE, 0.1), np.full(4, share)]))
            n = np.full(BEFORE + 4, float(effective))
            # every tweet an author of its own
            beyond = alarms.shifts(surprises(np.stack([n, k, n, k, k], axis=1)), per_year=per_year).beyond
            hits.append((beyond[BEFORE : BEFORE + 3].any(), beyond[BEFORE:].any()))
    three, four = np.mean(hits, axis=0).tolist()
    return three, four


def law_known(effective: int, worlds: int = 1500) -> float:
    """The same shifts of a share of 0.1, found within 3 nights by who knows the law of null nights exactly: no past to learn from.

    The statistic is the sum of the last three nights' normal scores, all that a lasting shift shows in; its threshold is the one with
    1 false alarm in 180 nights, by simulation. Other weighings of the last three nights find the same or less (benchmarks/alarms.py).
    """
    chance, share = np.random.default_rng(10), 0.1
    counts = np.arange(effective + 1)
    below = stats.binom.cdf(counts - 1, effective, share) + stats.binom.pmf(counts, effective, share) / 2
    scores = special.ndtri(below.clip(1e-15, 1 - 1e-15))

    def sums(k: npt.NDArray[np.int64]) -> Floats:
        return np.abs(np.lib.stride_tricks.sliding_window_view(scores[k], 3, axis=1).sum(axis=2))

    null = sums(chance.binomial(effective, share, (worlds, 2000)))
    low, high = 0.0, 20.0
    for _ in range(25):
        middle = (low + high) / 2
        beyond = null > middle
        begins = beyond[:, 3:] & ~(beyond[:, 2:-1] | beyond[:, 1:-2] | beyond[:, :-3])
        low, high = (middle, high) if begins.mean() > 1 / 180 else (low, middle)
    found = []
    for shifted in (0.13, 0.07):
        k = chance.binomial(effective, np.where(np.arange(5) < 2, share, shifted), (40 * worlds, 5))
        found.append((sums(k) > high).any(axis=1).mean())
    return float(np.mean(found))


def figures(*, scale: float, data: Path, **_: Any) -> Iterator[str]:
    """False alarms and detections on real nights."""
    cities, replays = max(1, round(scale * CITIES)), max(3, round(scale * 25))
    yield (
        f"`share_per_year = 2` promises {180 * TWO / 365.25:.2f} in 180 nights. False alarms per 180 null nights of real posts, "
        f"{len(PREDICATES)} predicates, {cities} made-up cities of {NIGHTS} nights each:"
    )
    yield ""
    yield "| stream | blocks drawn | from the 60th night on | least and most of a predicate | before |"
    yield "|---|---|---|---|---|"
    for folder, kind, measure in (
        ("v1.1-track-2016", "authors", false_by_author),
        ("v1.1-stream-riverside", "authors", false_by_author),
        ("v1.1-track-2016", "ten minutes", false_by_time),
    ):
        rates = measure(data, folder, cities)
        later, first = np.mean(list(rates.values()), axis=0)
        each = sorted(rate for rate, _ in rates.values())
        yield f"| {folder} | {kind} | {later:.2f} | {each[0]:.2f} to {each[-1]:.2f} | {first:.2f} |"
    yield ""
    yield f"Shifts of 30 % up and down found within 3 nights, v1.1-track-2016, {2 * replays} replays a predicate:"
    yield ""
    yield "| effective tweets a night | all | " + " | ".join(PREDICATES) + " |"
    yield "|---|---|" + "---|" * len(PREDICATES)
    for effective in (500, 750):
        found = found_by_predicate(data, "v1.1-track-2016", effective, replays)
        overall = float(np.mean([share for _, share in found.values()]))
        if effective == 500:
            yield "| share | | " + " | ".join(f"{share:.0%}" for share, _ in found.values()) + " |"
        yield f"| {effective} | {overall:.1%} | " + " | ".join(f"{hit:.0%}" for _, hit in found.values()) + " |"


def corner(*, scale: float, **_: Any) -> Iterator[str]:
    """What is found where it is hardest."""
    replays, worlds = 2 * max(50, round(scale * 1000)), max(100, round(scale * 1500))
    yield f"A share of exactly 10 %, every tweet an author of its own, a lasting shift of 30 % (half up, half down), {replays:,} replays:"
    yield ""
    yield "| effective tweets a night | promise a year | within 3 nights | within 4 | within 3 if the law of the nights were known |"
    yield "|---|---|---|---|---|"
    for effective, per_year in ((500, 2.0), (600, 2.0), (700, 2.0), (500, 3.0), (500, 4.0)):
        three, four = at_the_corner(effective, replays, per_year)
        known = f"{law_known(effective, worlds):.1%}" if per_year == TWO else ""
        yield f"| {effective} | {per_year:g} | {three:.1%} | {four:.1%} | {known} |"
