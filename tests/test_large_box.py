"""A box of 300 km through the sandbox's real HTTP: what the covering circles get, against what a naive grid of boxes gets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline import clean, cover, days, extract, geo
from pipeline.boxes import BoundingBox
from pipeline.sandbox import api, city, server
from pipeline.sandbox.world import World
from pipeline.settings import Settings
from pipeline.sources import x_endpoints

pytestmark = pytest.mark.slow

#: 300 km each way round Mexico City.
LARGE = """
[valleys]
box = "-100.42,18.05,-97.56,20.75"
timezone = "America/Mexico_City"
"""
TUNED = "[sandbox]\ntweets_per_day = 4000\n"
#: The promise.
ENOUGH = 0.995


def inside(settings: Settings, day: date) -> set[int]:
    """The sandbox's own list: tweets of the day (the newest version of each) that the one policy counts as inside."""
    area = settings.area("valleys")
    window = days.window(day, area.zone)
    made = city.of(settings, "valleys").tweets(day)
    newest = {tweet.history[0]: tweet for tweet in sorted(made, key=lambda tweet: tweet.id)}
    listed = [tweet for tweet in newest.values() if window.start.timestamp() <= tweet.created < window.end.timestamp()]
    edges = [[getattr(tweet.place, side) for tweet in listed] for side in ("west", "south", "east", "north")]
    points = [[(tweet.point or (math.nan, math.nan))[axis] for tweet in listed] for axis in (0, 1)]
    kinds = geo.evidence(*map(np.array, (*points, *edges)), box=area.box, largest_place=area.largest_place)
    return {tweet.history[0] for tweet, kind in zip(listed, kinds, strict=True) if kind in area.evidence}


def naive_grid(box: BoundingBox) -> tuple[str, ...]:
    """Boxes edge to edge, as many degrees wide as high, each side under 25 miles where it is longest."""
    side = 24.9 / 69.2
    rows, columns = math.ceil(box.height / side), math.ceil(box.width / side)
    return tuple(
        cover.clause(
            BoundingBox(
                round(box.west + box.width * column / columns, 3),
                round(box.south + box.height * row / rows, 3),
                round(box.west + box.width * (column + 1) / columns, 3),
                round(box.south + box.height * (row + 1) / rows, 3),
            )
        )
        for row in range(rows)
        for column in range(columns)
    )


def found_by(world: World, clauses: tuple[str, ...], day: date, settings: Settings, now: datetime) -> set[int]:
    """Ids of what the sandbox answers to these clauses, over all queries and pages, without sockets."""
    window = days.window(day, settings.area("valleys").zone)
    found: set[int] = set()
    for query in x_endpoints.queries(clauses, limit=1024):
        parameters: dict[str, Any] = {
            "query": query,
            "start_time": f"{window.start:%Y-%m-%dT%H:%M:%SZ}",
            "end_time": f"{window.end:%Y-%m-%dT%H:%M:%SZ}",
            "max_results": "500",
        }
        while True:
            document = api.answer(world, "/2/tweets/search/all", parameters, now=now).document
            found |= {int(post["edit_history_tweet_ids"][0]) for post in document.get("data", ())}
            if "next_token" not in document["meta"]:
                break
            parameters["next_token"] = document["meta"]["next_token"]
    return found


def test_a_box_of_300_km_gets_what_is_inside(make_settings: Callable[..., Settings], capsys: pytest.CaptureFixture[str]) -> None:
    """At least 99.5 % of what the policy counts as inside, and nothing else, whatever the grid would get."""
    conf = make_settings(areas=LARGE, studies="", settings=TUNED)
    now = datetime.now(UTC)
    day = days.last_over(conf.area("valleys").zone, now, conf.x.settle) - timedelta(days=1)
    world, wanted = World.of(conf), inside(conf, day)
    assert len(wanted) > 3000
    with server.running(world) as running:
        conf = make_settings(areas=LARGE, studies="", settings=TUNED, X_BASE_URL=running.url, X_BEARER_TOKEN="sandbox")
        manifest = extract.run(conf, "valleys", day)
        clean.run(conf, "valleys", day)
    kept = pq.read_table(clean.partition(conf, "valleys", day) / "tweets.parquet", columns=["tweet_id"])["tweet_id"].to_pylist()
    assert len(set(kept)) == len(kept)
    assert set(kept) <= wanted
    grid, circles = naive_grid(conf.area("valleys").box), extract.clauses(conf.area("valleys"))
    shares = {
        (rule, name): len(found_by(replace(world, containment=rule), asked, day, conf, now) & wanted) / len(wanted)
        for rule in ("recorded", "documented")
        for name, asked in (("circles", circles), ("grid", grid))
    }
    with capsys.disabled():
        print(
            f"\n300 km box, {len(wanted):,} tweets inside: {len(circles)} circles in {len(manifest['queries'])} queries got"
            f" {len(kept) / len(wanted):.2%}; a naive grid of {len(grid)} boxes gets {shares['recorded', 'grid']:.2%}. Were a place found"
            f" only where it lies wholly inside a clause: circles {shares['documented', 'circles']:.1%}, grid"
            f" {shares['documented', 'grid']:.1%}"
        )
    assert len(kept) >= ENOUGH * len(wanted)
    assert shares["documented", "circles"] > shares["documented", "grid"]
    assert len(circles) < len(grid) / 2
