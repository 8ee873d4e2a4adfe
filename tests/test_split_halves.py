"""Real posts: two random halves of the same authors, where nothing truly differs, are told apart as often as the level says.

The posts are other people's: nothing of them is written here or printed but counts of predicates; see the fixture shared_data.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.figures import real
from benchmarks.figures.real import Halved, posts
from pipeline.stats import authors, beta


def measured(sample: list[real.Post], predicates: real.Predicates, title: str) -> dict[str, Halved]:
    """Every predicate; a line is printed for each."""
    found = real.measured(sample, predicates)
    print(f"\n{title}: {len(sample):,} posts of {len({post['author'] for post in sample}):,} authors")
    for name, one in found.items():
        print(
            f"  {name:15} {one.share:6.1%} of posts, design effect {one.design_effect:5.2f} (correlation {one.correlation:.2f}, most"
            f" influential author {one.top_influence:3.0%}): told apart naive {one.naive:4.1f} %, clustered {one.clustered:4.1f} %"
        )
    return found


def good(found: dict[str, Halved]) -> set[str]:
    """The predicates between 3.5 and 7 %."""
    return {name for name, one in found.items() if one.good}


def too_often(found: dict[str, Halved]) -> set[str]:
    """Those above 7 %."""
    return {name for name, one in found.items() if one.clustered > real.MOST}


def robots(found: dict[str, Halved]) -> set[str]:
    """Those of which one author makes more than ONE_AUTHOR of the variance."""
    return {name for name, one in found.items() if one.one_author}


@pytest.mark.slow
def test_a_day_of_a_track_stream(shared_data: Path) -> None:
    """9,501 posts of 2016: clustered between 3.5 and 7 % for 18 of 20 predicates; too often for the one alone that a robot writes."""
    found = measured(list(posts(shared_data / "v1.1-track-2016")), real.TRACK, "v1.1-track-2016")
    assert len(good(found)) >= 18
    assert too_often(found) == robots(found) == {"deal"}


@pytest.mark.slow
def test_several_days_of_a_stream(shared_data: Path) -> None:
    """Riverside 2019, three days, authors clustered across them: between 3.5 and 7 % for all that not one author alone decides."""
    found = measured(list(posts(shared_data / "v1.1-stream-riverside")), real.RIVERSIDE, "v1.1-stream-riverside")
    assert len(good(found)) >= 17
    assert found.keys() - good(found) <= robots(found)


@pytest.mark.slow
def test_each_day_of_that_stream_alone(shared_data: Path) -> None:
    """With 800 to 3,000 posts a day: at least eight predicates, and none of the others too often but where one author decides."""
    sample = list(posts(shared_data / "v1.1-stream-riverside"))
    for day in sorted({post["day"] for post in sample}):
        found = measured([post for post in sample if post["day"] == day], real.RIVERSIDE, f"v1.1-stream-riverside, {day}")
        assert len(good(found)) >= 8
        assert too_often(found) <= robots(found)


@pytest.mark.slow
def test_the_same_numbers_from_rows_of_days(shared_data: Path) -> None:
    """author_rows over the three days gives the design effect of the authors' sums, and the beta update of the scaled counts."""
    sample = list(posts(shared_data / "v1.1-stream-riverside"))
    key = sorted({(post["day"], post["author"]) for post in sample})
    place = {pair: index for index, pair in enumerate(key)}
    at = [place[post["day"], post["author"]] for post in sample]
    n, k = np.bincount(at), np.bincount(at, [bool(post["entities"].get("hashtags")) for post in sample])
    rows = authors.author_rows(
        days=[day for day, _ in key], authors=[author for _, author in key], trials=n, matches=k, at=[key[-1][0]]
    )  # fmt: skip
    who = np.unique([author for _, author in key], return_inverse=True)[1]
    effect = authors.design_effect(trials=np.bincount(who, n), matches=np.bincount(who, k))
    assert rows.design_effect[0] == pytest.approx(effect, rel=1e-12)
    assert rows.borrowed[0] == 0
    posterior = authors.clustered_posterior(
        prior_alpha=1, prior_beta=1, trials=rows.trials, matches=rows.matches, design_effect=rows.design_effect
    )
    assert beta.mean(*posterior)[0] == pytest.approx((1 + k.sum() / effect) / (2 + n.sum() / effect))
    print(f"\ntop authors {rows.top_weight[0]:.1%}, share {k.sum() / n.sum():.3f}, without one {rows.without_top[0]:.3f}")
    print(f"per author {rows.votes_for[0] / rows.votes[0]:.3f} of {rows.votes[0]:.0f}")
