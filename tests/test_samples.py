"""A sample gives every post of the day the same chance: its interval speaks of the day, where that of the newest posts does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline import days, sampling
from pipeline.days import Window
from pipeline.stats import beta
from tests.city_days import CityDay, minutes
from tests.test_sandbox_city import make_city
from tests.test_true_shares import matched

DAY = date(2026, 11, 5)
START = datetime(2026, 11, 5, 6, tzinfo=UTC)
END = START + timedelta(days=1)


def lumpy() -> NDArray[np.int64]:
    """Posts a minute: rare at night, a silence of two hours, single bursts of 60 and 300, and nothing in the last 40 minutes."""
    counts = np.random.default_rng(3).poisson(np.repeat(np.linspace(0.3, 4, 24), 60))
    counts[100:220] = 0
    counts[700:703], counts[1000] = 60, 300
    counts[-40:] = 0
    return counts


def seconds_of(windows: tuple[Window, ...], start: datetime = START) -> list[tuple[int, int]]:
    """The windows as seconds from the start."""
    return [(int((window.start - start).total_seconds()), int((window.end - start).total_seconds())) for window in windows]


def test_the_same_day_and_seed_give_the_same_slices() -> None:
    """On every machine and Python: pinned. Another seed gives others."""
    volumes = minutes(np.ones(1440, dtype=int), start=START)
    drawn = sampling.draw(volumes, 50, seed="mexico-city 2026-11-05", end=END)
    assert drawn == sampling.draw(volumes, 50, seed="mexico-city 2026-11-05", end=END)
    assert drawn != sampling.draw(volumes, 50, seed="mexico-city 2026-11-06", end=END)
    assert (sampling.CODE, seconds_of(drawn)) == (1, [(10587, 11187), (24323, 24923), (49039, 49639), (55218, 55818), (71956, 72556)])


def test_a_day_with_no_more_posts_than_wanted_is_taken_whole() -> None:
    """Also one without any: nothing is to be saved."""
    for counts in ([1] * 1440, [0] * 1440, [1440] + [0] * 1439):
        assert sampling.draw(minutes(counts, start=START), 1440, seed="s", end=END) == (Window(START, END),)
    assert sampling.draw(minutes([1] * 1440, start=START), 1439, seed="s", end=END) != (Window(START, END),)


@pytest.mark.parametrize(("volumes", "posts"), [([], 50), ([3], 0), ([3, -1], 50)])
def test_what_cannot_be_volumes_is_refused(volumes: list[int], posts: int) -> None:
    """No day, no posts wanted, fewer than none."""
    with pytest.raises(ValueError, match="wanted"):
        sampling.draw(minutes(volumes, start=START), posts, seed="s", end=END)
    with pytest.raises(ValueError, match="out of order"):
        sampling.draw(minutes([9, 9], start=START)[::-1], 5, seed="s", end=END)


@given(
    counts=st.lists(st.one_of(st.just(0), st.integers(0, 20), st.integers(0, 3000)), min_size=1, max_size=200),
    posts=st.integers(1, 5000),
    seed=st.text(max_size=20),
    minute=st.integers(1, 60),
)
def test_slices_are_disjoint_in_order_and_inside_the_day(counts: list[int], posts: int, seed: str, minute: int) -> None:
    """Whatever the volumes are, and however long their spans; no two slices touch, for they would be one."""
    volumes = [(START + timedelta(minutes=number * minute), count) for number, count in enumerate(counts)]
    end = volumes[-1][0] + timedelta(minutes=minute)
    drawn = sampling.draw(volumes, posts, seed=seed, end=end)
    edges = [edge for window in drawn for edge in (window.start, window.end)]
    assert edges == sorted(set(edges))
    assert all(START <= edge <= end and edge.microsecond == 0 for edge in edges)
    assert sum(counts) > posts or drawn == (Window(START, end),)


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_days_of_23_and_25_hours_are_days(day: str) -> None:
    """Slices reach from the first to the last hour of it, in proportion."""
    window = days.window(days.parse_day(day), ZoneInfo("Europe/London"))
    volumes = minutes([3] * round(window.hours * 60), start=window.start)
    drawn = sampling.draw(volumes, 1200, seed=day, end=window.end)
    lengths = np.zeros(round(window.hours))
    for low, high in seconds_of(drawn, window.start):
        np.add.at(lengths, np.arange(low, high) // 3600, 1)
    assert lengths.sum() == pytest.approx(1200 * 20, rel=0.01)
    assert lengths.min() > 400


@pytest.mark.slow
def test_the_cost_stays_within_a_page_of_what_was_wanted() -> None:
    """500 of a lumpy day's 3,400 posts over 2,000 seeds: about 500 on average, and never a page (100) more."""
    counts, chance = lumpy(), np.random.default_rng(5)
    posts = np.concatenate([number * 60 + chance.integers(0, 60, count) for number, count in enumerate(counts)])
    so_far = np.concatenate([[0], np.cumsum(np.bincount(posts, minlength=86400))])
    volumes = minutes(counts, start=START)
    drawn = [np.array(seconds_of(sampling.draw(volumes, 500, seed=f"cost {number}", end=END))) for number in range(2000)]
    totals = np.array([np.diff(so_far[slices]).sum() for slices in drawn])
    print(f"{counts.sum():,} posts: {totals.mean():.1f} on average, sd {totals.std():.1f}, at most {totals.max()}")
    assert totals.mean() == pytest.approx(500, abs=4 * totals.std() / np.sqrt(len(totals)))
    assert totals.max() <= 600
    # requests: not many more slices than pages of ten posts
    assert max(map(len, drawn)) <= 75


@pytest.mark.slow
def test_every_second_of_a_lumpy_day_has_the_same_chance() -> None:
    """20,000 seeds: in bursts, in silence and after the last post, each second is taken as often as chance allows; none more, none less."""
    counts, seeds = lumpy(), 20_000
    volumes, changes = minutes(counts, start=START), np.zeros(86_401)
    for number in range(seeds):
        slices = np.array(seconds_of(sampling.draw(volumes, 500, seed=f"chance {number}", end=END)))
        changes[slices[:, 0]] += 1
        changes[slices[:, 1]] -= 1
    share, wanted = np.cumsum(changes)[:-1] / seeds, 500 / counts.sum()
    # seconds beside each other are taken together, so there are about as many independent ones as posts: 4.5 standard errors
    error = np.sqrt(wanted * (1 - wanted) / seeds)
    print(f"wanted {wanted:.4f}; got {share.min():.4f} to {share.max():.4f}, 4.5 standard errors are {4.5 * error:.4f}")
    assert np.abs(share - wanted).max() < 4.5 * error
    assert np.average(share[::60], weights=counts) == pytest.approx(wanted, abs=error)


def coverage(seeds: int, wanted: int, *, alike: int = 1, **character: float) -> dict[str, float]:
    """How often the 95 % interval (prior Beta(1, 1)) holds the day's share, one city a seed; of a sample, and of the newest tweets.

    "realised" is the share among that day's tweets, "true" the one that they were made with. `alike` neighbours in time speak of the same.
    """
    verdicts, hits = matched({"words": ["tráfico", "embotellamiento"]}), {}
    for seed in range(seeds):
        day = CityDay.of(make_city(seed=seed, tweets_per_day=6_000, **character), DAY, verdicts)
        day = replace(day, matches=np.repeat(day.matches[::alike], alike)[: len(day.matches)])
        slices = sampling.draw(day.volumes, wanted, seed=f"coverage {seed}", end=day.window.end)
        for name, (trials, matches) in {"sample": day.inside(slices), "newest": day.newest(wanted)}.items():
            low, high = beta.central_interval(1.0 + matches, 1.0 + trials - matches, 0.95)
            for target, share in {"realised": float(day.matches.mean()), "true": day.true_share}.items():
                hits.setdefault(f"{name}, {target}", []).append(bool(low <= share <= high))
    found = {name: float(np.mean(values)) for name, values in hits.items()}
    print(f"{character}, {alike} alike", "".join(f"\n  {name} share: {share:.1%}" for name, share in found.items()))
    return found


@pytest.mark.slow
def test_a_sample_speaks_of_the_day_and_the_newest_posts_do_not() -> None:
    """500 seeds: the 95 % interval of a sample holds the day's share in 93 to 97 % of them, that of as many newest posts far less often.

    What is spoken of follows the clock: a topic's weight swings by a factor of e to both sides. (Of the realised share the interval is the
    safer the more of the day's tweets the sample holds, here a twelfth: it does not know that there are no others.)
    """
    found = coverage(500, wanted=500, rhythm=1.0)
    assert 0.93 <= found["sample, true"] <= 0.97
    assert 0.93 <= found["sample, realised"] <= 0.98
    assert max(found["newest, true"], found["newest, realised"]) < 0.6


@pytest.mark.slow
def test_neighbours_that_are_alike_make_the_interval_too_narrow() -> None:
    """Where tweets come three in a row of one thing, a sample of 500 knows as much as one of about 170: it promises too much."""
    found = coverage(200, wanted=500, alike=3, rhythm=1.0)
    assert 0.6 < found["sample, realised"] < 0.9
