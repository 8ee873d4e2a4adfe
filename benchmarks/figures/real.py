"""Real posts: two random halves of the same authors, where nothing truly differs, and how often they are told apart.

The posts are other people's: nothing of them is written or printed but counts of predicates.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from pipeline.stats import authors

Floats = npt.NDArray[np.float64]
Post = dict[str, Any]
Predicates = dict[str, Callable[[Post], bool]]

HALVES, LEVEL = 2_000, 0.95
#: What clustered may come to, in per cent, at a nominal 5 %.
LEAST, MOST = 3.5, 7.0
#: Where one author makes more of the variance than this, halves with and without that author are two different worlds, and no
#: estimate from one of them can know of the other: such predicates may lie outside. `top_influence` says that a study is of this kind.
ONE_AUTHOR = 0.3


def word(text: str) -> Callable[[Post], bool]:
    """Whether it is there as a whole word, in any case."""
    pattern = re.compile(rf"\b{text}\b", re.IGNORECASE)
    return lambda post: bool(pattern.search(post["text"]))


def entity(name: str) -> Callable[[Post], bool]:
    """Whether the post has one of these."""
    return lambda post: bool(post["entities"].get(name))


def source(name: str) -> Callable[[Post], bool]:
    """Whether it was written with that client."""
    return lambda post: bool(post["source"] == name)


#: Chosen for what they are, not for how they fare: "deal" and "CA" are here because a few robots write them.
ANY_STREAM: Predicates = {
    "a hashtag": entity("hashtags"), "a URL": entity("urls"), "a mention": entity("user_mentions"), "media": entity("media"),
    "by iPhone": source("Twitter for iPhone"), "by Android": source("Twitter for Android"), "by the web": source("Twitter Web Client"),
    "a reply": lambda post: post["reply"], "a quote": lambda post: post["quote"], "not English": lambda post: post["lang"] != "en",
    "a question": lambda post: "?" in post["text"], "an exclamation": lambda post: "!" in post["text"],
    "the": word("the"), "I": word("i"), "you": word("you"),
}  # fmt: skip
TRACK: Predicates = ANY_STREAM | {name: word(name) for name in ("amazon", "today", "target", "apple", "deal")}
RIVERSIDE: Predicates = ANY_STREAM | {name: word(name) for name in ("love", "job", "CA")} | {"by Instagram": source("Instagram")}
STREAMS: dict[str, Predicates] = {"v1.1-track-2016": TRACK, "v1.1-stream-riverside": RIVERSIDE}


@lru_cache(maxsize=2)
def posts(folder: Path) -> tuple[Post, ...]:
    """The posts of a v1.1 stream without retweets, each once. `block`: ten minutes, numbered."""
    return tuple(_posts(folder))


def _posts(folder: Path) -> Iterator[Post]:
    seen = set()
    for path in sorted(folder.glob("*.gz")):
        for line in gzip.decompress(path.read_bytes()).split(b"\n"):
            raw = json.loads(line) if line.strip() else {}
            if "user" not in raw or raw["id_str"] in seen or "retweeted_status" in raw:
                continue
            seen.add(raw["id_str"])
            whole = raw.get("extended_tweet") or raw
            yield {
                "day": path.name[:10], "block": (raw["id"] >> 22) // 600_000, "author": raw["user"]["id_str"],
                "text": whole.get("full_text") or whole["text"], "entities": whole.get("entities") or {},
                "source": re.sub("<[^>]*>", "", raw.get("source") or ""), "lang": raw.get("lang"),
                "reply": raw.get("in_reply_to_status_id") is not None, "quote": bool(raw.get("is_quote_status")),
            }  # fmt: skip


def told_apart(a: tuple[Floats, Floats], b: tuple[Floats, Floats]) -> npt.NDArray[np.bool_]:
    """Whether P(p_A > p_B) lies outside the level: the mean of P(p_A > q) over 24 Gauss-Legendre quantiles q of p_B."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    quantiles = special.betaincinv(b[0][:, None], b[1][:, None], (nodes + 1) / 2)
    above = special.betaincc(a[0][:, None], a[1][:, None], quantiles) @ weights / 2
    return np.asarray(np.abs(above - 0.5) > LEVEL / 2)


def halves(n: Floats, k: Floats, number: int = HALVES) -> tuple[Floats, Floats]:
    """Per cent of random halves of the authors that are told apart, naive and clustered. n: of each author; k: a row a predicate."""
    random = np.random.default_rng(4)
    apart = np.zeros((2, len(k)))
    # most authors have one post: these are two kinds a predicate, with and without a match
    once, several = n == 1, n > 1
    for _ in range(0, number, 100):
        half = np.argsort(random.random((100, n.size)), axis=1) < n.size // 2
        sides: list[list[list[tuple[Floats, Floats]]]] = []
        for mask in (half, ~half):
            trials = np.hstack([n[several] * mask[:, several], np.ones((100, 2))])
            found = mask[:, once].astype(float) @ k[:, once].T
            others = mask[:, once].sum(axis=1)[:, None] - found
            sides.append([])
            for row, matches in enumerate(k):
                hits = np.hstack([matches[several] * mask[:, several], np.tile([1.0, 0.0], (100, 1))])
                copies = np.hstack([np.ones((100, trials.shape[1] - 2)), found[:, [row]], others[:, [row]]])
                effect = np.fmax(authors.design_effect(trials=trials, matches=hits, copies=copies), 1.0)
                sums = {"trials": (copies * trials).sum(axis=1), "matches": (copies * hits).sum(axis=1)}
                sides[-1].append(
                    [authors.clustered_posterior(prior_alpha=1, prior_beta=1, design_effect=d, **sums) for d in (np.ones(100), effect)]
                )
        for row, (one, other) in enumerate(zip(*sides, strict=True)):
            apart[:, row] += [told_apart(*both).sum() for both in zip(one, other, strict=True)]
    naive, clustered = 100 * apart / number
    return naive, clustered


@dataclass(frozen=True)
class Halved:
    """One predicate on one stream."""

    share: float
    design_effect: float
    #: two posts of one author agree so far beyond chance
    correlation: float
    #: part of the variance that one author makes
    top_influence: float
    #: per cent of halves told apart
    naive: float
    clustered: float

    @property
    def good(self) -> bool:
        """Within the bounds."""
        return LEAST <= self.clustered <= MOST

    @property
    def one_author(self) -> bool:
        """One author makes more than ONE_AUTHOR of the variance."""
        return self.top_influence > ONE_AUTHOR


def measured(sample: list[Post], predicates: Predicates, number: int = HALVES) -> dict[str, Halved]:
    """Every predicate of the posts."""
    code = np.unique([post["author"] for post in sample], return_inverse=True)[1]
    n = np.bincount(code).astype(float)
    matches = np.array([np.bincount(code, [holds(post) for post in sample]) for holds in predicates.values()])
    found = {}
    for name, k, naive, clustered in zip(predicates, matches, *halves(n, matches, number), strict=True):
        effect = float(authors.design_effect(trials=n, matches=k))
        moved = np.square((k - k.sum() / n.sum() * n) / (n.sum() - n))
        found[name] = Halved(
            share=float(k.sum() / n.sum()),
            design_effect=effect,
            correlation=(effect - 1) / ((n * n).sum() / n.sum() - 1),
            top_influence=float(moved.max() / moved.sum()),
            naive=float(naive),
            clustered=float(clustered),
        )
    return found


def samples(data: Path) -> Iterator[tuple[str, list[Post], Predicates]]:
    """Both streams whole, then each day of the one that has several."""
    for folder, predicates in STREAMS.items():
        sample = list(posts(data / folder))
        days = sorted({post["day"] for post in sample})
        yield folder, sample, predicates
        for day in days if len(days) > 1 else ():
            yield f"{folder}, {day} alone", [post for post in sample if post["day"] == day], predicates


def figures(*, scale: float, data: Path, **_: Any) -> Iterator[str]:
    """A table a stream and day."""
    number = 100 * max(1, round(scale * HALVES / 100))
    for title, sample, predicates in samples(data):
        found = measured(sample, predicates, number)
        people, days = len({post["author"] for post in sample}), len({post["day"] for post in sample})
        inside = sum(one.good for one in found.values())
        yield f"{title}: {len(sample):,} posts of {people:,} authors on {days} day{'s' if days > 1 else ''}, {number:,} halves."
        yield f"Clustered lies between {LEAST} and {MOST:g} % for {inside} of {len(found)} predicates."
        yield ""
        yield "| predicate | share | design effect | most influential author | told apart, naive | clustered |"
        yield "|---|---|---|---|---|---|"
        for name, one in found.items():
            flag = " (flagged)" if one.one_author else ""
            outside = "" if one.good else " (outside)"
            yield (
                f"| {name} | {one.share:.1%} | {one.design_effect:.2f} | {one.top_influence:.0%}{flag} "
                f"| {one.naive:.1f} % | {one.clustered:.1f} %{outside} |"
            )
        yield ""
