"""What a World can be: a share that moves over the day, maps of large boxes, and its file form."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from pipeline import geo
from pipeline.boxes import BoundingBox
from pipeline.errors import SettingsError
from pipeline.sandbox import city, phrases
from pipeline.sandbox.query import distance_km
from pipeline.sandbox.world import World
from pipeline.settings import Settings
from tests.sandboxes import WORLD
from tests.test_sandbox_city import DAY, _evidence, make_city

pytestmark = pytest.mark.slow

LARGE = [
    BoundingBox(-100.5, 18.5, -97.7, 21.2),
    BoundingBox(178.5, -18.0, -178.0, -15.0),
    BoundingBox(10.0, 78.0, 60.0, 89.0),
    BoundingBox(-125.0, 25.0, -66.0, 49.0),
    BoundingBox(0.0, 0.0, 0.2, 3.0),
]
FULL = replace(
    WORLD,
    author_effect=1.0,
    session=3.0,
    drift=0.01,
    rhythm=0.5,
    bots=0.1,
    steps=((date(2026, 11, 10), "traffic", 2.0),),
    containment="documented",
)


def topic_of(found: np.ndarray) -> np.ndarray:
    """The topics of some texts."""
    return phrases.catalogue().topic[found]


@pytest.mark.parametrize("author_effect", [0.0, 0.7])
@pytest.mark.parametrize("zone", ["America/Mexico_City", "Europe/London", "Australia/Lord_Howe"])
@pytest.mark.parametrize("day", [date(2026, 11, 20), date(2026, 10, 25), date(2026, 3, 29), date(2026, 10, 4), date(2026, 4, 5)])
def test_with_a_rhythm_the_true_share_is_that_of_the_whole_day(day: date, zone: str, author_effect: float) -> None:
    """Every topic's share of 8,000 tweets lies within five standard errors of the exact one, on days of 23 to 25 hours too."""
    there = make_city(zone=ZoneInfo(zone), tweets_per_day=8_000, rhythm=1.5, author_effect=author_effect)
    drawn = there.draws(day)
    assert drawn is not None
    shares = there.distribution(day)[1]
    assert math.fsum(shares) == pytest.approx(1, abs=1e-12)
    catalogue, found = phrases.catalogue(), topic_of(drawn.text[:, 1])
    for topic in range(len(phrases.TOPICS)):
        share = shares[catalogue.topic == topic].sum()
        error = math.sqrt(share * (1 - share) / len(found))
        assert abs((found == topic).mean() - share) < 5 * error, topic


def test_the_rhythm_moves_the_share_within_the_day() -> None:
    """Its swing is as large as asked for, in hours of its own for each topic; without one all hours are alike."""
    moving, still = make_city(rhythm=1.0), make_city()
    by_hour = np.array([moving.topics(DAY, hour) for hour in range(24)])
    assert (by_hour.max(axis=0) / by_hour.min(axis=0)).min() > 2
    assert len(set(by_hour.argmax(axis=0))) > 3
    assert np.ptp([still.topics(DAY, hour) for hour in range(24)], axis=0).max() == 0
    assert moving.true_share(DAY, lambda text: "tráfico" in text) != still.true_share(DAY, lambda text: "tráfico" in text)


def test_an_hours_tweets_have_that_hours_share() -> None:
    """What the newest tweets of a day speak of is not what the day speaks of: the reason why a sample is drawn over the whole day."""
    there = make_city(zone=ZoneInfo("UTC"), tweets_per_day=20_000, rhythm=1.5)
    drawn = there.draws(DAY)
    assert drawn is not None
    last = (drawn.milliseconds // 3_600_000) % 24 == 23
    found, share = topic_of(drawn.text[last, 1]), there.topics(DAY, 23)
    for topic, wanted in enumerate(share):
        assert abs((found == topic).mean() - wanted) < 5 * math.sqrt(wanted * (1 - wanted) / last.sum())


def test_bots_repeat_themselves_at_regular_times() -> None:
    """Four authors, one text each, evenly spaced; the true share is exact with them too."""
    there = make_city(tweets_per_day=8_000, bots=0.3, rhythm=0.5)
    tweets = [tweet for tweet in there.tweets(DAY) if tweet.author in {city._author_id(1, "mexico-city", 16_000 + bot) for bot in range(4)}]
    assert len({tweet.author for tweet in tweets}) == 4
    for author in {tweet.author for tweet in tweets}:
        own = [tweet for tweet in tweets if tweet.author == author]
        gaps = np.diff([tweet.created for tweet in own])
        assert len({tweet.text for tweet in own}) == 1
        assert gaps.max() - gaps.min() <= 1
        assert {tweet.client for tweet in own} == {city.CLIENTS[-1]}
    count = len([tweet for tweet in there.tweets(DAY) if tweet.id == tweet.history[0]])
    assert abs(len(tweets) - 0.3 * count) < 5 * math.sqrt(0.21 * count)
    said = tweets[0].text
    share = there.true_share(DAY, lambda text: text == said)
    assert 0.07 < share < 0.09
    found = sum(tweet.text == said for tweet in there.tweets(DAY) if tweet.id == tweet.history[-1])
    assert abs(found - share * count) < 5 * math.sqrt(share * count)
    assert math.fsum(there.distribution(DAY)[1]) == pytest.approx(1, abs=1e-12)


def test_a_world_reads_back_from_its_file_form() -> None:
    """With everything said, and with as little as an older file says."""
    assert World.from_json(FULL.as_json()) == FULL
    assert World.from_json(WORLD.as_json()) == WORLD
    assert set(json.loads(WORLD.as_json())) == {"seed", "tweets_per_day", "areas"}
    assert hash(FULL) != hash(WORLD)


@pytest.mark.parametrize("name", ["author_effect", "session", "drift", "rhythm", "bots", "steps", "containment"])
def test_all_that_a_world_is_made_of_is_in_its_digest(name: str) -> None:
    """A changed world is another source: what was fetched of the old one is not taken for its own."""
    changed = replace(WORLD, **{name: getattr(FULL, name)})
    assert changed.city_digest != WORLD.city_digest
    assert changed.digest != WORLD.digest


def test_the_settings_make_the_world(make_settings: Callable[..., Settings]) -> None:
    """[sandbox] reaches the city that tweets, and the one whose true share is told."""
    tuned = (
        "[sandbox]\nrhythm = 0.5\nbots = 0.1\ndrift = 0.01\nauthor_effect = 1.0\nsession = 3.0\ncontainment = 'documented'\n"
        "steps = [{ day = 2026-11-10, topic = 'traffic', factor = 2.0 }]\n"
    )
    settings = make_settings(database=False, settings=tuned)
    world = World.of(settings)
    assert replace(world, seed=WORLD.seed, tweets_per_day=WORLD.tweets_per_day, areas=WORLD.areas) == FULL
    assert city.of(settings, "mexico-city") == world.cities[0]
    assert World.of(make_settings(database=False)).city_digest == World(1, 600, ()).city_digest
    with pytest.raises(SettingsError, match=r"sandbox.steps.*traffic"):
        World.of(make_settings(database=False, settings=tuned.replace("'traffic'", "'trafic'")))


@pytest.mark.parametrize("box", LARGE, ids=lambda box: box.csv)
def test_a_large_box_holds_many_towns(box: BoundingBox) -> None:
    """Cities and their quarters lie inside, smaller than a city is; regions of all sizes inside and over the edge; the policy agrees."""
    there = make_city(box=box, tweets_per_day=1500)
    tweets = [tweet for tweet in there.tweets(DAY) if tweet.id == tweet.history[-1]]
    seen = Counter(zip([tweet.kind for tweet in tweets], _evidence(there, DAY), strict=True))
    assert {kind for kind, evidence in seen if evidence in geo.INSIDE} == {"poi", "neighbourhood", "edge", "city", "metropolis", "point"}
    assert {kind for kind, evidence in seen if evidence not in geo.INSIDE} == {"state", "point_outside", "outside"}
    assert {"place_within", "place_centroid"} <= {evidence for kind, evidence in seen if kind == "metropolis"}
    towns = there.map.by_kind["city"]
    assert len({place.id for places in there.map.by_kind.values() for place in places}) == sum(map(len, there.map.by_kind.values()))
    assert len(towns) >= 8
    assert all(distance_km(town.west, town.south, town.west, town.north) < 49 for town in towns)
    for tweet in tweets:
        if tweet.kind == "point" and tweet.point is not None:
            assert distance_km(*tweet.point, *tweet.place.centre) < 49


def test_towns_spread_over_the_box() -> None:
    """No quarter of a 300 km box is without any."""
    box = LARGE[0]
    middles = np.array([town.centre for town in make_city(box=box).map.by_kind["city"]])
    east, north = middles[:, 0] > (box.west + box.east) / 2, middles[:, 1] > (box.south + box.north) / 2
    assert all(((east == side) & (north == other)).any() for side in (True, False) for other in (True, False))
