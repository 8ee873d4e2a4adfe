"""The same days collected here and counted by X: how far apart, and each post of the difference explained (docs/counts-mode.md).

`pytest -s tests/test_counts_mode.py` prints the tables of that page.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta

import pyarrow.parquet as pq
import pytest

from pipeline import clean, count, days, extract, extract_counts
from pipeline.sandbox import server
from pipeline.sandbox.city import Tweet
from pipeline.sandbox.world import World
from pipeline.settings import Settings
from tests import x_counts

pytestmark = pytest.mark.slow

AREAS = """
[mexico-city]
box = "-99.364924,19.048237,-98.940303,19.592757"
timezone = "America/Mexico_City"

[london]
box = "-0.510375,51.28676,0.334015,51.691874"
timezone = "Europe/London"
"""
RULES = {
    "traffic": ("mexico-city", ["tráfico", "embotellamiento", "marcha lenta", "choque", "periférico", "segundo piso", "#caosvial"]),
    "water": ("mexico-city", ["sin agua", "escasez de agua", "falta de agua", "corte de agua", "cutzamala", "pipas", "tandeo", "#sinagua"]),
    "transport": ("london", ["tube", "underground", "bus", "train", "overground", "elizabeth line", "#tfl"]),
}
DAYS = [date(2026, 11, 2) + timedelta(days=offset) for offset in range(7)]


def studies(mode: str) -> str:
    """The rules as studies that are counted here, or by X."""
    return "\n".join(
        f'[{name}-{mode}]\nquestion = "?"\narea = "{area}"\nstart = 2026-11-01\nmode = "{mode}"\nmatch = {{ words = {words} }}\n'
        for name, (area, words) in RULES.items()
    )


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Iterator[Settings]:
    made = make_settings(areas=AREAS, studies=studies("tweets") + studies("counts"), settings="[sandbox]\ntweets_per_day = 2000\n")
    with server.running(World.of(made)) as running:
        yield made.model_copy(update={"base_url": running.url})


def why_x_alone(tweet: Tweet, settings: Settings, area_name: str, day: date) -> str:
    """Why X counts a post that is no tweet of the day here."""
    area = settings.area(area_name)
    window = days.window(day, area.zone)
    if tweet.id != tweet.history[-1]:
        return "earlier version of an edited tweet"
    if tweet.id != tweet.history[0] and not window.start.timestamp() <= first_written(tweet) < window.end.timestamp():
        return "edited after midnight: here a tweet of the day before"
    if tweet.point is not None:
        return "point outside, its place's middle inside"
    return "place too large for the area"


def first_written(tweet: Tweet) -> float:
    """Seconds since 1970, of the first version: what its id says (facts/x-api.md)."""
    return ((tweet.history[0] >> 22) + 1288834974657) / 1000


def test_every_post_of_the_difference_is_explained(settings: Settings) -> None:
    """n differs by versions, places and points, and by nothing else; k by these and by what a word is. But for mentions shares stay close."""
    trials: Counter[str] = Counter()
    matches: Counter[str] = Counter()
    print(f"\n{'study':10} {'n here':>8} {'n by X':>8} {'k here':>7} {'k by X':>7} {'share here':>11} {'share by X':>11}")
    for name, (area_name, words) in RULES.items():
        sums: Counter[str] = Counter()
        for day in DAYS:
            extract.run(settings, area_name, day)
            clean.run(settings, area_name, day)
            here = count.run(settings, f"{name}-tweets", day)
            extract_counts.run(settings, f"{name}-counts", day)
            by_x = count.run(settings, f"{name}-counts", day)
            for key in ("trials", "matches"):
                sums[f"{key} here"] += here[key]
                sums[f"{key} by X"] += by_x[key]
            stored = set(pq.read_table(clean.partition(settings, area_name, day) / "tweets.parquet")["tweet_id"].to_pylist())
            matched = set(pq.read_table(count.partition(settings, f"{name}-tweets", day) / "matches.parquet")["tweet_id"].to_pylist())
            area = settings.area(area_name)
            posts = [tweet for tweet in x_counts.posts(settings, area, day) if x_counts.is_inside(tweet, area)]
            newest = {tweet.history[0]: tweet for tweet in posts if tweet.id == tweet.history[-1] and tweet.history[0] in stored}
            for tweet in posts:
                counted, hit = newest.get(tweet.history[0]) is tweet, x_counts.matches(tweet, words)
                without = x_counts.matches(replace(tweet, text=re.sub(r"@\w+", " ", tweet.text)), words)
                sums["mentions"] += hit and not without
                if not counted:
                    reason = why_x_alone(tweet, settings, area_name, day)
                    trials[reason] += 1
                    matches[reason] += hit
                elif hit != (tweet.history[0] in matched):
                    by_mention = without == (tweet.history[0] in matched)
                    reason = "the word stands in a @mention alone" if by_mention else "a word to one of the two alone"
                    matches[reason] += 1 if hit else -1
            # a tweet of the day whose newest version was written after midnight
            late = "edited after midnight: to X a post of the next day"
            trials[late] -= len(stored - newest.keys())
            matches[late] -= len((stored - newest.keys()) & matched)
        for key in ("trials", "matches"):
            trials[f"{key} in all"] += sums[f"{key} by X"] - sums[f"{key} here"]
        shares = [sums[f"matches {who}"] / sums[f"trials {who}"] for who in ("here", "by X")]
        told = [sums[f"{key} {who}"] for key in ("trials", "matches") for who in ("here", "by X")]
        print(f"{name:10} {told[0]:8,} {told[1]:8,} {told[2]:7,} {told[3]:7,} {shares[0]:11.2%} {shares[1]:11.2%}")
        assert 1.0 < told[1] / told[0] < 1.1
        assert abs(shares[0] - (sums["matches by X"] - sums["mentions"]) / sums["trials by X"]) < 0.003
    in_all = {key: trials.pop(f"{key} in all") for key in ("trials", "matches")}
    print(f"\n{'counted by X and not here':55} {'n':>6} {'k':>6}")
    for reason in sorted(trials.keys() | matches.keys()):
        print(f"{reason:55} {trials[reason]:+6,} {matches[reason]:+6,}")
    print(f"{'together':55} {in_all['trials']:+6,} {in_all['matches']:+6,}")
    assert (trials.total(), matches.total()) == (in_all["trials"], in_all["matches"])
