"""The real X client against a scripted local server: what its tests share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.days import Window
from pipeline.sources import x_api, x_endpoints
from tests.servers import Reply, ScriptedServer, scripted

WINDOW = Window(datetime(2026, 11, 20, 6, tzinfo=UTC), datetime(2026, 11, 21, 6, tzinfo=UTC))
QUERY = "(point_radius:[-99.153 19.32 24.9mi]) -is:retweet"
TOKEN = "a-token-that-must-not-be-seen"

PASSING = {
    "503": Reply(status=503, document={"title": "Service Unavailable"}),
    "503 with a list": Reply(status=503, document=["tweepy raises AttributeError here"]),
    "502 in HTML": Reply(status=502, body=b"<html>Bad gateway</html>", headers={"content-type": "text/html"}),
    "200 in HTML": Reply(body=b"<html>over capacity</html>", headers={"content-type": "text/html"}),
    "200 cut in its JSON": Reply(body=b'{"data": [{"id": "1", "te'),
    "200 whose connection breaks": Reply(document={"data": [{"id": "1"}] * 50, "meta": {}}, cut=100),
    "200 without a byte": Reply(body=b""),
    "429 without a reset": Reply(status=429, document={"title": "Too Many Requests"}),
    "429 with a broken reset": Reply(status=429, document={}, headers={"x-rate-limit-reset": "soon"}),
    "429 whose reset has passed": Reply(status=429, document={}, headers={"x-rate-limit-reset": "1000", "x-rate-limit-remaining": "0"}),
}


@pytest.fixture
def api() -> Iterator[ScriptedServer]:
    """The local stand-in of the API."""
    with scripted() as running:
        yield running


def make_client(api: ScriptedServer, **changes: Any) -> x_api.Client:
    """A client with waits a test can bear, but for what is changed."""
    return x_api.Client(**{"token": TOKEN, "base_url": api.url, "attempts": 4, "longest_wait_seconds": 0.3, **changes})


def ask(client: x_api.Client, endpoint: x_endpoints.Endpoint = x_endpoints.RECENT, **changes: Any) -> x_api.Page:
    """One page of the one query."""
    return client.page(endpoint, QUERY, WINDOW, **changes)
