"""The X client's counts, both sets of field names, and the account that is told of every request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.errors import (
    BudgetReached,
    UnexpectedAnswer,
)
from pipeline.sources import x_api, x_endpoints
from tests.servers import Reply, ScriptedServer
from tests.x_client import PASSING, QUERY, WINDOW, api, ask, make_client

__all__ = ["api"]


def counts(client: x_api.Client, endpoint: x_endpoints.Endpoint = x_endpoints.COUNTS_RECENT, **changes: Any) -> x_api.Counts:
    """One page of counts of the one query."""
    return client.counts(endpoint, QUERY, WINDOW, **changes)


@pytest.mark.parametrize("endpoint", [x_endpoints.COUNTS_RECENT, x_endpoints.COUNTS_ALL])
def test_counts_are_asked_for_by_the_hour(api: ScriptedServer, endpoint: x_endpoints.Endpoint) -> None:
    """Path, window, granularity, and nothing that search alone knows; the buckets oldest first."""
    found = counts(make_client(api), endpoint)
    [seen] = api.seen
    assert seen.path == f"/2/tweets/{endpoint.name}"
    assert seen.parameters == {
        "query": QUERY,
        "start_time": "2026-11-20T06:00:00Z",
        "end_time": "2026-11-21T06:00:00Z",
        "granularity": "hour",
    }
    assert (len(found.buckets), found.total, found.next_token) == (24, 25, None)
    assert found.buckets[0].start == WINDOW.start
    assert found.buckets[-1].end == WINDOW.end
    assert sum(bucket.posts for bucket in found.buckets) == 25


def test_the_next_page_of_counts_is_asked_for_by_its_token(api: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    """As next_token, which tweepy's Paginator gets wrong; the body is kept as received."""
    entry = b'{"end":"2026-11-20T07:00:00.000Z",  "start":"2026-11-20T06:00:00.000Z","tweet_count":7}'
    body = b'{"data":[' + entry + b'],"meta":{"total_tweet_count":7,"next_token":"n1"}}'
    api.script[1] = Reply(body=body)
    client = make_client(api)
    found = counts(client, x_endpoints.COUNTS_ALL)
    assert (found.body, found.next_token) == (body, "n1")
    counts(client, x_endpoints.COUNTS_ALL, next_token="n1", granularity="minute")
    assert api.seen[1].parameters["next_token"] == "n1"
    assert "Unexpected parameter" not in caplog.text


def test_renamed_counts_are_read(api: ScriptedServer) -> None:
    """post_count and total_post_count, as the description of 2026-08-07 calls them."""
    entry = {"start": "2026-11-20T06:00:00.000Z", "end": "2026-11-20T07:00:00.000Z", "post_count": 3}
    api.script[1] = Reply(document={"data": [entry], "meta": {"total_post_count": 3}})
    found = counts(make_client(api))
    assert (found.total, found.buckets[0].posts) == (3, 3)


def test_a_page_with_renamed_fields_is_read(api: ScriptedServer) -> None:
    """What paging needs has kept its names."""
    post = {"id": "30", "edit_history_post_ids": ["30"], "created_at": "2026-11-20T06:00:00.000Z"}
    api.script[1] = Reply(document={"data": [post], "includes": {"posts": []}, "meta": {"next_token": "t1"}})
    page = ask(make_client(api))
    assert (page.posts, page.oldest_id, page.next_token, page.written) == (1, 30, "t1", ((30, "2026-11-20T06:00:00.000Z"),))


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"data": []}',
        b'{"meta": {"total_tweet_count": 0}}',
        b'{"data": [], "meta": {}}',
        b'{"data": [{"start": "x", "end": "y", "tweet_count": 1}], "meta": {"total_tweet_count": 1}}',
        b'{"data": [{"start": "2026-11-20T06:00:00Z", "end": "2026-11-20T07:00:00Z"}], "meta": {"total_tweet_count": 1}}',
        b'{"data": [7], "meta": {"total_tweet_count": 1}}',
    ],
)
def test_counts_of_another_shape_are_unexpected(api: ScriptedServer, body: bytes) -> None:
    """A number that is not there is never taken for nought."""
    api.script[1] = Reply(body=body)
    with pytest.raises(UnexpectedAnswer):
        counts(make_client(api))


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING.keys())
def test_counts_are_as_patient_as_search(api: ScriptedServer, reply: Reply) -> None:
    """The same faults, the same attempts."""
    api.script = {1: reply, 2: reply}
    assert counts(make_client(api)).total == 25
    assert len(api.seen) == 3


class Book:
    """An account that writes down what it is told, and refuses after `most` requests."""

    def __init__(self, most: int = 99) -> None:
        self.most = most
        self.told: list[tuple[Any, ...]] = []

    def before(self, endpoint: str, posts_at_most: int, request: str) -> None:
        if sum(entry[0] == "before" for entry in self.told) >= self.most:
            raise BudgetReached("no more", retry_after=0.0)
        self.told.append(("before", endpoint, posts_at_most))

    def after(self, endpoint: str, post_ids: Sequence[int] | None, answered: bool) -> None:
        self.told.append(("after", endpoint, None if post_ids is None else list(post_ids), answered))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "answered"),
    [
        (Reply(status=503, document={}), False),
        (Reply(status=429, document={}), False),
        (Reply(body=b"<html>"), True),
        (Reply(document={"data": [{"id": "1"}] * 50, "meta": {}}, cut=100), True),
        (Reply(document={}, hang=1.5), False),
    ],
)
def test_the_account_is_told_of_every_request(api: ScriptedServer, reply: Reply, answered: bool) -> None:
    """Before it goes out and after it is over, retries included; what nobody can tell is not guessed."""
    book = Book()
    api.script = {1: reply, 2: Reply(document={"data": [{"id": "30"}, {"id": "9"}], "meta": {}})}
    ask(make_client(api, account=book, timeout_seconds=0.5), page_size=20)
    name = "search/recent"
    assert book.told == [("before", name, 20), ("after", name, None, answered), ("before", name, 20), ("after", name, [30, 9], True)]
    counts(make_client(api, account=book))
    assert book.told[4:] == [("before", "counts/recent", 0), ("after", "counts/recent", [], True)]


def test_a_refusal_by_the_account_sends_nothing_and_is_not_repeated(api: ScriptedServer) -> None:
    """The budget does not come back by waiting a second."""
    book = Book(most=1)
    client = make_client(api, account=book)
    ask(client)
    with pytest.raises(BudgetReached):
        ask(client)
    assert len(api.seen) == 1
    assert client.waits.count == 0
    assert len(book.told) == 2
