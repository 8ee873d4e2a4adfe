"""A small world for the tests of the sandbox, and ways to ask it over real HTTP: with requests, and with the real tweepy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import requests
import tweepy

from pipeline.boxes import BoundingBox
from pipeline.sandbox import city, server
from pipeline.sandbox.query import parse
from pipeline.sandbox.world import World
from pipeline.sources.x_adapter import HOST, Adapter

WORLD = World(7, 150, (("mexico-city", BoundingBox(-99.365, 19.0482, -98.9403, 19.5928), "America/Mexico_City"),))
NOW = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)
CIRCLE = "point_radius:[-99.153 19.32 24.9mi]"
ONE_DAY = {"query": CIRCLE, "start_time": "2026-11-20T06:00:00Z", "end_time": "2026-11-21T06:00:00Z"}
FIELDS = {"tweet.fields": "created_at,geo,author_id", "expansions": "geo.place_id", "place.fields": "geo,name"}
RECENT, ALL, COUNTS = "/2/tweets/search/recent", "/2/tweets/search/all", "/2/tweets/counts/recent"


def get(
    sandbox: server.Server, path: str = RECENT, *, token: str | None = "sandbox", timeout: float = 10, **changes: Any
) -> requests.Response:
    """One request of the day; a parameter given as None is taken away."""
    parameters = {name: str(value) for name, value in {**ONE_DAY, **changes}.items() if value is not None}
    headers = {"authorization": f"Bearer {token}"} if token is not None else {}
    return requests.get(f"{sandbox.url}{path}", params=parameters, headers=headers, timeout=timeout)


def ids(response: requests.Response) -> list[int]:
    """The ids of a page."""
    assert response.status_code == 200, response.text
    return [int(post["id"]) for post in response.json().get("data", [])]


def pages(sandbox: server.Server, path: str = RECENT, **changes: Any) -> Iterator[requests.Response]:
    """The pages of the day, one after the other."""
    token: str | None = None
    while True:
        response = get(sandbox, path, **changes, next_token=token)
        yield response
        token = response.json()["meta"].get("next_token")
        if token is None:
            return


def day_of(query: str = CIRCLE, world: World = WORLD, **window: str) -> list[city.Tweet]:
    """What a search of the day has to give, from the city itself: newest first."""
    first, last = (datetime.fromisoformat({**ONE_DAY, **window}[name]).timestamp() for name in ("start_time", "end_time"))
    test = parse(query, containment=world.containment).test
    nearby = [tweet for offset in (-1, 0, 1) for tweet in world.cities[0].tweets(date(2026, 11, 20) + timedelta(days=offset))]
    return sorted((tweet for tweet in nearby if first <= tweet.created < last and test(tweet)), key=lambda tweet: -tweet.id)


def real_tweepy(sandbox: server.Server, token: str = "sandbox", **options: Any) -> tweepy.Client:
    """tweepy's own client, asking this sandbox."""
    client = tweepy.Client(token, return_type=requests.Response, **options)
    client.session.mount(HOST, Adapter(sandbox.url, timeout=10, on_request=lambda: None))
    return client
