"""The sandbox's API over real HTTP: its rules, its pages, its counts, its books; and that what was asked for is what was given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from pipeline import days, extract
from pipeline.boxes import BoundingBox
from pipeline.sandbox import api, city, server
from pipeline.sandbox.world import World
from pipeline.settings import Settings

BOX = BoundingBox(-99.365, 19.0482, -98.9403, 19.5928)
WORLD = World(7, 150, (("mexico-city", BOX, "America/Mexico_City"),))
NOW = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)
#: The sandbox over HTTP runs on the real clock: a day of the last week for search/recent.
TODAY = datetime.now(UTC).date()
CIRCLE = "point_radius:[-99.153 19.32 24.9mi]"
ONE_DAY = {"query": CIRCLE, "start_time": "2026-11-20T06:00:00Z", "end_time": "2026-11-21T06:00:00Z"}
FIELDS = {"tweet.fields": "created_at,geo,note_tweet,lang,author_id", "expansions": "geo.place_id", "place.fields": "geo,name"}


def ask(path: str = "search/recent", **changes: Any) -> api.Answer:
    """One answer of the API to a valid request with some parameters changed; None takes one away."""
    parameters = {name: str(value) for name, value in {**ONE_DAY, **changes}.items() if value is not None}
    return api.answer(WORLD, f"/2/tweets/{path}", parameters, now=NOW)


def walk(path: str = "search/recent", **parameters: Any) -> list[dict[str, Any]]:
    """All posts of a search, page by page."""
    posts, token = [], None
    while True:
        answer = ask(path, **parameters, next_token=token)
        assert answer.status == 200, answer.document
        posts += answer.document.get("data", [])
        token = answer.document["meta"].get("next_token")
        if token is None:
            return posts


def expected(query: str = CIRCLE) -> list[city.Tweet]:
    """What a search of ONE_DAY has to give, from the city itself."""
    first, last = (datetime.fromisoformat(ONE_DAY[name]).timestamp() for name in ("start_time", "end_time"))
    test = server.api.language.parse(query).test
    nearby = [tweet for offset in (-1, 0, 1) for tweet in WORLD.cities[0].tweets(date(2026, 11, 20) + timedelta(days=offset))]
    return sorted((tweet for tweet in nearby if first <= tweet.created < last and test(tweet)), key=lambda tweet: -tweet.id)


@pytest.mark.parametrize(("path", "size"), [("search/recent", 10), ("search/recent", 100), ("search/all", 500)])
def test_the_pages_together_are_the_day(path: str, size: int) -> None:
    """Every tweet of the window once, newest first, whatever the page size and endpoint."""
    posts = walk(path, max_results=size)
    assert [int(post["id"]) for post in posts] == [tweet.id for tweet in expected()]


def test_a_token_repeats_its_answer_and_belongs_to_its_request() -> None:
    """Stateless: the same page again and again; with another query, size or window it is refused, by name."""
    token = ask(max_results=10).document["meta"]["next_token"]
    assert ask(max_results=10, next_token=token) == ask(max_results=10, next_token=token)
    for changes in ({"max_results": 20}, {"query": f"{CIRCLE} lang:es"}, {"start_time": "2026-11-20T07:00:00Z"}):
        answer = ask(**{"max_results": 10, "next_token": token, **changes})
        assert answer.status == 400
        assert "next_token" in answer.document["errors"][0]["parameters"]
    assert ask(max_results=10, next_token="sbnonsense").status == 400


def test_the_way_round_a_refused_token_gives_the_rest() -> None:
    """until_id is exclusive, since_id too."""
    ids = [tweet.id for tweet in expected()]
    assert [int(post["id"]) for post in walk(max_results=50, until_id=ids[40])] == ids[41:]
    assert [int(post["id"]) for post in walk(max_results=50, since_id=ids[40])] == ids[:40]


def test_a_window_holds_its_start_and_not_its_end() -> None:
    """start_time inclusive, end_time exclusive: two halves make the whole."""
    middle = datetime.fromtimestamp(expected()[60].created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    older, newer = walk(max_results=100, end_time=middle), walk(max_results=100, start_time=middle)
    assert [post["id"] for post in newer + older] == [post["id"] for post in walk(max_results=100)]
    assert str(expected()[60].id) in {post["id"] for post in newer}


@pytest.mark.parametrize(
    ("path", "changes", "says"),
    [
        ("search/recent", {"query": None}, "query"),
        ("search/recent", {"query": "(open"}, "missing ')'"),
        ("search/recent", {"query": "x" * 513}, "512"),
        ("search/recent", {"max_results": 9}, "between 10 and 100"),
        ("search/recent", {"max_results": 101}, "between 10 and 100"),
        ("search/all", {"max_results": 501}, "between 10 and 500"),
        ("search/recent", {"start_time": "2026-11-16T08:00:00Z"}, "on or after"),
        ("search/recent", {"start_time": "2026-11-21T06:00:00Z"}, "before 'end_time'"),
        ("search/recent", {"end_time": "2026-11-23T09:00:00Z"}, "10 seconds"),
        ("search/recent", {"start_time": "2026-11-20"}, "not a valid date"),
        ("search/recent", {"until_id": "abc"}, "until_id"),
        ("search/recent", {"user_id": "1"}, "user_id"),
        ("counts/recent", {"max_results": 10}, "max_results"),
        ("counts/recent", {"granularity": "week"}, "granularity"),
    ],
)
def test_a_wrong_request_is_refused_in_the_errors_message(path: str, changes: dict[str, Any], says: str) -> None:
    """400 with the useful words where the real service has them."""
    answer = ask(path, **changes)
    assert answer.status == 400
    assert says in answer.document["errors"][0]["message"]


def test_the_full_archive_reaches_back_and_recent_does_not() -> None:
    """The same old window: search/all answers, search/recent refuses."""
    old = {"start_time": "2026-06-01T06:00:00Z", "end_time": "2026-06-02T06:00:00Z"}
    assert ask("search/all", **old).document["meta"]["result_count"] > 0
    assert ask("search/recent", **old).status == 400


def test_fields_come_only_when_asked_for() -> None:
    """Default fields alone without a request; with it, the place once in includes, points and whole long texts."""
    assert all(set(post) == {"id", "text", "edit_history_tweet_ids"} for post in walk(max_results=100))
    assert "includes" not in ask().document
    answer = ask("search/all", max_results=500, **FIELDS)
    places = {place["id"]: place for place in answer.document["includes"]["places"]}
    assert len(places) == len(answer.document["includes"]["places"])
    by_id = {str(tweet.id): tweet for tweet in expected()}
    for post in answer.document["data"]:
        tweet = by_id[post["id"]]
        assert places[post["geo"]["place_id"]]["geo"]["bbox"] == [tweet.place.west, tweet.place.south, tweet.place.east, tweet.place.north]
        assert post["geo"].get("coordinates", {}).get("coordinates") == (list(tweet.point) if tweet.point else None)
        assert post.get("note_tweet", post)["text"] == tweet.text
        assert len(post["text"]) <= 280
        assert [str(name) for name in tweet.history] == post["edit_history_tweet_ids"]


@pytest.mark.parametrize("granularity", ["minute", "hour", "day"])
def test_counts_are_those_of_the_search(granularity: str) -> None:
    """The counts endpoints and the searches agree, in total and in each span."""
    query = f"{CIRCLE} lang:es"
    answer = ask("counts/recent", query=query, granularity=granularity)
    wanted = expected(query)
    assert answer.document["meta"]["total_tweet_count"] == len(wanted)
    for span in answer.document["data"]:
        first, last = (datetime.fromisoformat(span[name]).timestamp() for name in ("start", "end"))
        assert span["tweet_count"] == sum(first <= tweet.created < last for tweet in wanted)


def test_a_count_of_the_archive_gives_31_days_a_page() -> None:
    """Newest first; the pages' totals sum to the whole."""
    window = {"start_time": "2026-08-25T00:00:00Z", "end_time": "2026-11-01T00:00:00Z", "query": "tráfico", "granularity": "day"}
    totals, token, spans = [], None, 0
    while True:
        answer = ask("counts/all", **window, next_token=token)
        totals.append(answer.document["meta"]["total_tweet_count"])
        spans += len(answer.document["data"])
        token = answer.document["meta"].get("next_token")
        if token is None:
            break
    assert len(totals) == 3
    assert spans == 68
    tweets = [tweet for offset in range(-1, 70) for tweet in WORLD.cities[0].tweets(date(2026, 8, 25) + timedelta(days=offset))]
    first, last = (datetime.fromisoformat(window[name]).timestamp() for name in ("start_time", "end_time"))
    test = api.language.parse("tráfico").test
    assert sum(totals) == sum(first <= tweet.created < last and test(tweet) for tweet in tweets)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[server.Server]:
    """A sandbox in a thread."""
    with server.running(WORLD, folder=tmp_path) as sandbox:
        yield sandbox


def get(running: server.Server, path: str, *, token: str | None = "sandbox", **parameters: str) -> requests.Response:
    """One request over HTTP."""
    headers = {"authorization": f"Bearer {token}"} if token is not None else {}
    return requests.get(f"{running.url}{path}", params=parameters, headers=headers, timeout=10)


def test_every_answer_says_that_it_is_made_up(running: server.Server) -> None:
    """Search, refusal and health alike carry the header."""
    for path in ("/2/tweets/search/recent", "/2/users", "/sandbox/health"):
        assert get(running, path).headers["x-geobeta-synthetic"] == "true"


def test_without_a_token_nobody_is_served(running: server.Server) -> None:
    """401 as the real service's; unknown paths are 404."""
    answer = get(running, "/2/tweets/search/recent", token=None, query="a")
    assert (answer.status_code, answer.json()["title"]) == (401, "Unauthorized")
    assert answer.headers["content-type"] == "application/problem+json"
    assert get(running, "/2/users").status_code == 404


def test_rate_limit_headers_count_down(running: server.Server) -> None:
    """Limit, remaining and reset as the real service sends them."""
    first, second = (get(running, "/2/tweets/search/recent", query="a").headers for _ in range(2))
    assert first["x-rate-limit-limit"] == "450"
    assert int(first["x-rate-limit-remaining"]) - int(second["x-rate-limit-remaining"]) in (1, 2 - 450)
    assert 0 < int(second["x-rate-limit-reset"]) - datetime.now(UTC).timestamp() <= 900


def test_only_who_knows_the_key_may_stop_it(running: server.Server) -> None:
    """POST /sandbox/stop without the key of the address file is refused."""
    assert requests.post(f"{running.url}/sandbox/stop", headers={"x-sandbox-key": "guess"}, timeout=5).status_code == 403
    assert get(running, "/sandbox/health").json()["world"] == WORLD.digest


def test_the_books_outlive_the_server(tmp_path: Path) -> None:
    """A server that starts again on the same folder goes on counting; half a line of a killed one is left out."""
    with server.running(WORLD, folder=tmp_path) as first:
        get(first, "/2/tweets/search/recent", query=CIRCLE, max_results="50")
        before = get(first, "/sandbox/ledger").json()
    with open(tmp_path / "requests.log", "a") as log:
        log.write('{"endpoint": "search/rec')
    with server.running(WORLD, folder=tmp_path) as second:
        assert get(second, "/sandbox/ledger").json() == before
    tally = {"requests": 1, "posts": 50, "posts_billed": 50, "users_billed": 0, "statuses": {"200": 1}, "dollars": 0.25}
    assert before["endpoints"]["search/recent"] == tally


def test_what_was_asked_for_is_what_was_given(running: server.Server, make_settings: Callable[..., Settings]) -> None:
    """A recent and an old day through the real client: the manifests' requests and posts equal the books, the posts the city's own list."""
    settings = make_settings(
        database=False, X_BASE_URL=running.url, settings="[x]\npage_size = 50\n[sandbox]\nseed = 7\ntweets_per_day = 150\n"
    )
    posts = requests_made = 0
    for age in (3, 30):
        day = TODAY - timedelta(days=age)
        manifest = extract.run(settings, "mexico-city", day)
        assert manifest["synthetic"] is True
        got = [post["id"] for _, page in extract.pages(settings, "mexico-city", day) for post in page.get("data", [])]
        window = days.window(day, ZoneInfo("America/Mexico_City"))
        test = api.language.parse(manifest["queries"][0]).test
        nearby = [tweet for offset in (-1, 0) for tweet in city.of(settings, "mexico-city").tweets(day + timedelta(days=offset))]
        wanted = [tweet for tweet in nearby if window.start.timestamp() <= tweet.created < window.end.timestamp() and test(tweet)]
        assert got == [str(tweet.id) for tweet in sorted(wanted, key=lambda tweet: -tweet.id)]
        posts, requests_made = posts + manifest["posts"], requests_made + manifest["requests"]
    books = get(running, "/sandbox/ledger").json()
    assert (books["posts"], books["requests"]) == (posts, requests_made)
    assert set(books["endpoints"]) == {f"{kind}/{reach}" for kind in ("search", "counts") for reach in ("recent", "all")}
