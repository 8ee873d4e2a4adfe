"""Real answers of the X API, replayed through the real client: a day's extract holds what the recorded pages hold of that day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from pipeline import extract
from pipeline.settings import Settings
from tests.london import AREAS, BOX, DAYS, LondonServer, london_server

__all__ = ["london_server"]

NOW = datetime(2021, 6, 6, 9, tzinfo=UTC)
#: search/recent is not paced; the recorded queries went to search/all.
LATER = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def london(london_server: LondonServer, make_settings: Callable[..., Settings]) -> Settings:
    """Settings with the recorded box as an area, and the replaying server; no counts were recorded."""
    given = {"X_BEARER_TOKEN": "token", "X_BASE_URL": london_server.url}
    return make_settings(areas=AREAS, studies="", settings="[x]\nask_counts = false\n", database=False, **given)


def extracted(settings: Settings, day: date) -> list[dict[str, Any]]:
    """All posts of the day's pages."""
    return [post for _, page in extract.pages(settings, "london", day) for post in page.get("data", [])]


@pytest.mark.slow
def test_each_day_holds_what_the_recorded_pages_hold_of_it(london: Settings, london_server: LondonServer) -> None:
    """2021-06-01..04 in Europe/London: every id of the local day, none of another, the overlap of the recordings included."""
    held = london_server.ids()
    assert sum(len(ids) for ids in held.values()) > 500
    for day in DAYS:
        manifest = extract.run(london, "london", day, now=NOW)
        posts = extracted(london, day)
        assert {int(post["id"]) for post in posts} == held[day]
        assert manifest["posts"] == len(posts) > len(held[day])
        assert manifest["requests"] == len(manifest["pages"]) == 3
    # the recordings end at midnight UTC, an hour into the fifth: those posts belong to no day that was asked for
    assert set(held) == {*DAYS, date(2021, 6, 5)}
    assert len(london_server.seen) == 3 * len(DAYS)


def test_the_query_asks_for_the_recorded_box(london: Settings, london_server: LondonServer) -> None:
    """One bounding_box clause that holds the recorded box, and the local day as a UTC window (summer time: an hour earlier)."""
    extract.run(london, "london", DAYS[0], now=NOW)
    asked = london_server.seen[0].parameters
    west, south, east, north = map(float, asked["query"].removeprefix("(bounding_box:[").removesuffix("]) -is:retweet").split())
    assert west <= BOX[0] < west + 0.001
    assert south <= BOX[1] < south + 0.001
    assert east - 0.001 < BOX[2] <= east
    assert north - 0.001 < BOX[3] <= north
    assert (asked["start_time"], asked["end_time"]) == ("2021-05-31T23:00:00Z", "2021-06-01T23:00:00Z")


@pytest.mark.slow
def test_the_full_archive_gives_the_same_day(london: Settings, london_server: LondonServer) -> None:
    """Asked years later, at search/all: the same posts."""
    extract.run(london, "london", DAYS[1], now=LATER)
    assert {seen.path for seen in london_server.seen} == {"/2/tweets/search/all"}
    assert {int(post["id"]) for post in extracted(london, DAYS[1])} == london_server.ids()[DAYS[1]]


def test_the_policy_counts_most_of_what_the_api_returned(london_server: LondonServer) -> None:
    """Containment as recorded: the API returned places by their centre; the largest of them are left out by the policy alone."""
    inside, held = london_server.inside(), london_server.ids()
    kinds = [kind for ids in inside.values() for kind in ids.values()]
    assert all(set(inside[day]) <= held[day] for day in inside)
    assert {"place_within", "place_centroid"} <= set(kinds) <= {"point", "place_within", "place_centroid"}
