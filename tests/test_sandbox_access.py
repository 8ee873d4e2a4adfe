"""Who may ask the sandbox for what, how often, what it costs, and in which words it answers."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import tweepy

from pipeline.sandbox import access, api, server
from pipeline.sandbox.world import World
from tests.sandboxes import ALL, CIRCLE, COUNTS, NOW, ONE_DAY, RECENT, WORLD, day_of, get, ids, pages, real_tweepy

COUNTS_ALL = "/2/tweets/counts/all"
WINDOW = {name: ONE_DAY[name] for name in ("start_time", "end_time")}


def sandbox(world: World = WORLD, **options: Any) -> Any:
    """A running sandbox at NOW."""
    return server.running(world, **{"clock": lambda: NOW, **options})


@pytest.mark.parametrize(
    ("token", "path", "status", "says"),
    [
        ("sandbox", ALL, 200, ""),
        ("anything-else", ALL, 200, ""),
        (None, RECENT, 401, "Unauthorized"),
        ("sandbox-expired", RECENT, 401, "Unauthorized"),
        ("sandbox-basic", RECENT, 200, ""),
        ("sandbox-basic", COUNTS, 200, ""),
        ("sandbox-basic", ALL, 403, "client-not-enrolled"),
        ("sandbox-basic", COUNTS_ALL, 403, "client-not-enrolled"),
        ("sandbox-nocounts", RECENT, 200, ""),
        ("sandbox-nocounts", COUNTS, 403, "client-not-enrolled"),
        ("sandbox-nogeo", RECENT, 400, "Reference to invalid operator 'point_radius'. Operator is not available in current product"),
        ("sandbox-broke", RECENT, 402, "CreditsDepleted"),
        ("sandbox-capped", RECENT, 429, "UsageCapExceeded"),
    ],
)
def test_each_token_is_an_access_level(token: str | None, path: str, status: int, says: str) -> None:
    """Refusals carry the words of the real service, and cost nothing."""
    with sandbox() as running:
        answer = get(running, path, token=token)
        assert answer.status_code == status
        assert says in answer.text
        assert (running.books.as_dict()["dollars"] > 0) == (status == 200)
        assert "x-rate-limit-reset" not in answer.headers or status not in (401, 429)


def test_all_tokens_are_described() -> None:
    """docs/sandbox.md lists them."""
    page = (Path(__file__).resolve().parent.parent / "docs" / "sandbox.md").read_text("utf-8")
    assert [token for token in access.TOKENS if f"| `{token}` |" not in page] == []


def test_an_access_level_without_places_answers_about_words() -> None:
    """Only the operators that ask for a place are refused, the first of them by name."""
    with sandbox() as running:
        assert get(running, token="sandbox-nogeo", query="choque lang:es").status_code == 200
        message = get(running, token="sandbox-nogeo", query='"a bounding_box:" (place_country:MX OR place:abc)').json()["errors"][0][
            "message"
        ]
        assert "'place_country'" in message
        assert get(running, token="sandbox-nogeo", query='"open').json()["errors"][0]["message"].startswith("missing")
        assert "'from'" in get(running, query="from:somebody").json()["errors"][0]["message"]


def test_tweepy_names_each_refusal() -> None:
    """Through the real client: the exceptions that it has for them, and those that it has not."""
    kinds = {"expired": tweepy.Unauthorized, "broke": tweepy.HTTPException, "capped": tweepy.TooManyRequests, "nogeo": tweepy.BadRequest}
    with sandbox() as running:
        for name, kind in kinds.items():
            with pytest.raises(kind):
                real_tweepy(running, f"sandbox-{name}").search_recent_tweets(CIRCLE, **WINDOW)
        with pytest.raises(tweepy.Forbidden):
            real_tweepy(running, "sandbox-basic").search_all_tweets(CIRCLE, **WINDOW)
        assert ids(real_tweepy(running).search_recent_tweets(CIRCLE, **WINDOW)) == [tweet.id for tweet in day_of()[:10]]


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.mark.slow
def test_rate_limits_are_told_and_refused_where_that_is_asked_for() -> None:
    """300 in 15 minutes and one a second of search/all; the second kind of 429 says that requests remain."""
    clock = Clock()
    with sandbox(clock=clock, enforce_limits=True) as running:
        assert get(running, ALL).status_code == 200
        soon = get(running, ALL)
        assert (soon.status_code, soon.headers["x-rate-limit-remaining"]) == (429, "298")
        for number in range(298):
            clock.now += timedelta(seconds=1)
            assert get(running, ALL, max_results=10).status_code == 200, number
        clock.now += timedelta(seconds=1)
        over = get(running, ALL)
        assert (over.status_code, over.headers["x-rate-limit-remaining"]) == (429, "0")
        assert get(running, ALL, token="another").status_code == 200
        clock.now = datetime.fromtimestamp(int(over.headers["x-rate-limit-reset"]), NOW.tzinfo)
        assert get(running, ALL).status_code == 200
    with sandbox() as running:
        assert [get(running, ALL).status_code for _ in range(3)] == [200] * 3


def test_a_post_is_billed_once_a_utc_day() -> None:
    """By its id, whatever the search; again on the next day; the ledger tells it by day."""
    clock = Clock()
    with sandbox(clock=clock) as running:
        get(running)
        get(running)
        get(running, ALL, query=f"{CIRCLE} -is:retweet", max_results=20)
        clock.now += timedelta(days=1)
        get(running)
        ledger = running.books.as_dict()
    assert ledger["days"]["2026-11-23"] == {"requests": 3, "posts_billed": 20, "users_billed": 0, "dollars": 0.1}
    assert ledger["days"]["2026-11-24"] == {"requests": 1, "posts_billed": 10, "users_billed": 0, "dollars": 0.05}
    assert (ledger["posts"], ledger["posts_billed"], ledger["dollars"]) == (50, 30, 0.15)
    assert ledger["endpoints"]["search/all"]["posts_billed"] == 10


def test_counts_are_billed_by_the_request_and_authors_by_the_head() -> None:
    """An answered count costs, a refused one does not; whoever expands author_id pays for each user, once a day."""
    with sandbox() as running:
        get(running, COUNTS)
        get(running, COUNTS_ALL)
        assert get(running, COUNTS, granularity="week").status_code == 400
        assert running.books.as_dict()["dollars"] == 0.015
        page = get(running, max_results=100, expansions="author_id")
        users = page.json()["includes"]["users"]
        assert len(users) == len({user["id"] for user in users}) == len({tweet.author for tweet in day_of()[:100]})
        get(running, max_results=100, expansions="author_id")
        ledger = running.books.as_dict()
    assert ledger["users_billed"] == len(users)
    assert ledger["dollars"] == pytest.approx(0.015 + 100 * 0.005 + len(users) * 0.010)


def test_what_was_billed_is_known_after_a_restart(tmp_path: Path) -> None:
    """The same day goes on where it was; and no id of a post stands in the sandbox's folder."""
    with sandbox(folder=tmp_path) as running:
        walked = list(pages(running, max_results=50))
        before = running.books.as_dict()
    with sandbox(folder=tmp_path) as running:
        assert running.books.as_dict() == before
        get(running, max_results=50, until_id=ids(walked[1])[0])
        assert running.books.as_dict()["posts_billed"] == before["posts_billed"] == len(day_of())
    held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not [tweet.id for tweet in day_of() if str(tweet.id).encode() in held or tweet.id.to_bytes(8, "big") in held]


def test_a_monthly_cap_stops_searches_alone() -> None:
    """When so many posts are billed, UsageCapExceeded; counts are answered; the next month begins anew."""
    clock = Clock()
    with sandbox(clock=clock, monthly_posts=15) as running:
        token = get(running).json()["meta"]["next_token"]
        assert get(running, next_token=token).status_code == 200
        capped = get(running)
        assert (capped.status_code, capped.json()["title"]) == (429, "UsageCapExceeded")
        assert "x-rate-limit-reset" not in capped.headers
        assert get(running, COUNTS).status_code == 200
        clock.now = datetime(2026, 12, 1, tzinfo=NOW.tzinfo)
        recent = {"start_time": "2026-11-28T06:00:00Z", "end_time": "2026-11-29T06:00:00Z"}
        assert get(running, **recent).status_code == 200


def keys(document: Any) -> set[str]:
    """All keys in a document."""
    if isinstance(document, dict):
        return set(document) | {key for value in document.values() for key in keys(value)}
    return {key for value in document for key in keys(value)} if isinstance(document, list) else set()


def test_who_asks_in_the_new_names_is_answered_in_them() -> None:
    """post.fields, post_count: the renamed answer; otherwise the old one; or one of the two for all."""
    fields = "created_at,edit_history_{0}_ids,note_{1},referenced_{0}s"
    with sandbox() as running:
        old = get(running, ALL, max_results=500, **{"tweet.fields": fields.format("tweet", "tweet")}).json()
        new = get(running, ALL, max_results=500, **{"post.fields": fields.format("post", "post")}).json()
        assert keys(old) >= {"edit_history_tweet_ids", "note_tweet", "referenced_tweets"}
        assert keys(new) >= {"edit_history_post_ids", "note_post", "referenced_posts"}
        assert not [key for key in keys(new) if "tweet" in key]
        assert json.loads(re.sub("edit_history_tweet_ids|note_tweet|referenced_tweets", _new, json.dumps(old))) == new
        assert keys(get(running, COUNTS).json()) >= {"tweet_count", "total_tweet_count"}
        assert keys(get(running, COUNTS, **{"search_count.fields": "start,end,post_count"}).json()) >= {"post_count", "total_post_count"}
    with sandbox(naming="new") as running:
        assert keys(get(running, COUNTS).json()) >= {"post_count", "total_post_count"}
        assert "edit_history_post_ids" in keys(get(running).json())
    with pytest.raises(ValueError, match="by request"):
        server.Server(WORLD, naming="both")


def _new(found: re.Match[str]) -> str:
    return api.names.NEW[found[0]]


def test_relevancy_has_one_page_only() -> None:
    """However many there are."""
    with sandbox() as running:
        assert "next_token" in get(running).json()["meta"]
        assert "next_token" not in get(running, sort_order="relevancy").json()["meta"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("tweet.fields", "created_at,color"), ("expansions", "geo"), ("place.fields", "bbox"), ("sort_order", "newest"), ("post.fields", "x")],
)
def test_lists_hold_what_there_is(name: str, value: str) -> None:
    """Another word is refused by name."""
    with sandbox() as running:
        answer = get(running, **{name: value})
    assert answer.status_code == 400
    assert f"The `{name}` query parameter value [{value.split(',')[-1]}] is not one of" in answer.json()["errors"][0]["message"]


def test_a_world_may_hold_places_as_the_documentation_says() -> None:
    """Recorded: the centre inside; documented: the place wholly inside. Points count in both."""
    documented = World(WORLD.seed, WORLD.tweets_per_day, WORLD.areas, containment="documented")
    small = "point_radius:[-99.153 19.32 12mi]"
    with sandbox() as recorded, sandbox(documented) as strict:
        by_centre = {name for page in pages(recorded, max_results=100, query=small) for name in ids(page)}
        wholly = {name for page in pages(strict, max_results=100, query=small) for name in ids(page)}
    assert wholly < by_centre
    assert wholly == {tweet.id for tweet in day_of(small, documented)}
    assert documented.city_digest != WORLD.city_digest


def test_a_window_the_wrong_way_round_is_refused_as_recorded() -> None:
    """Word for word what search/all answered in 2021, both parameters named."""
    with sandbox() as running:
        answer = get(running, ALL, start_time="2020-06-21T01:00:00Z", end_time="2020-06-21T00:00:00Z")
    assert answer.json() == {
        "errors": [
            {
                "parameters": {"start_time": ["2020-06-21T01:00Z"], "end_time": ["2020-06-21T00:00Z"]},
                "message": "Invalid 'start_time':'2020-06-21T01:00Z'. 'start_time' must be before 'end_time':2020-06-21T00:00Z",
            }
        ],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": "https://api.twitter.com/2/problems/invalid-request",
    }
