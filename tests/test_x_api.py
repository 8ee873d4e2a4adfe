"""The X client against a real local server, through the real tweepy: what it asks, what it waits for, what it refuses."""

from __future__ import annotations

import pickle
import shutil
import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.days import Window
from pipeline.errors import (
    BadRequest,
    Forbidden,
    MissingData,
    PaymentRequired,
    PipelineError,
    RateLimited,
    SettingsError,
    SourceRefused,
    SourceUnavailable,
    Unauthorized,
    UnexpectedAnswer,
    UsageCapExceeded,
)
from pipeline.sources import x_api
from pipeline.sources.x_adapter import rewritten
from pipeline.sources.x_answers import RefusedToken
from pipeline.sources.x_endpoints import ALL, RECENT, Endpoint, endpoint_for, queries
from tests.servers import Reply, ScriptedServer, scripted
from tests.x_client import PASSING, QUERY, TOKEN, api, ask, make_client

__all__ = ["api"]


def test_a_request_is_what_the_documentation_asks_for(api: ScriptedServer) -> None:
    """Path, window in whole seconds UTC, the largest page, one expansion, the token in its header alone."""
    ask(make_client(api))
    [seen] = api.seen
    assert seen.path == "/2/tweets/search/recent"
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"
    assert seen.parameters == {
        "query": QUERY,
        "start_time": "2026-11-20T06:00:00Z",
        "end_time": "2026-11-21T06:00:00Z",
        "max_results": "100",
        "expansions": "geo.place_id",
        "tweet.fields": "author_id,created_at,edit_history_tweet_ids,geo,id,lang,note_tweet,referenced_tweets,source,text",
        "place.fields": "country,country_code,full_name,geo,id,name,place_type",
    }


@pytest.mark.parametrize(
    ("endpoint", "asked", "got"),
    [(RECENT, 500, "100"), (ALL, 500, "500"), (ALL, None, "500"), (ALL, 20, "20")],
)
def test_a_page_is_never_larger_than_the_endpoint_gives(api: ScriptedServer, endpoint: Endpoint, asked: int | None, got: str) -> None:
    """page_size is cut to the endpoint's largest; None means the largest."""
    ask(make_client(api), endpoint, page_size=asked)
    assert api.seen[0].parameters["max_results"] == got
    assert api.seen[0].path == f"/2/tweets/{endpoint.name}"


def test_a_page_holds_the_bytes_as_received_and_where_it_ends(api: ScriptedServer) -> None:
    """Body untouched; the oldest post is the one with the smallest id, wherever it stands."""
    body = b'{"data": [{"id":"30","created_at":"c"},  {"id":"9","created_at":"a"}, {"id":"20"}], "meta": {"next_token":"t1"}}'
    api.script[1] = Reply(body=body)
    page = ask(make_client(api))
    assert (page.body, page.posts, page.next_token, page.oldest_id, page.oldest_at, page.synthetic) == (body, 3, "t1", 9, "a", False)


def test_a_page_with_errors_beside_its_posts_is_a_page_and_says_so(api: ScriptedServer) -> None:
    """A place that is gone: the posts are there and count, and the missing thing is told once, in X's words."""
    gone = {"resource_type": "place", "value": "1a2b", "detail": "Could not find place with ids: [1a2b].", "title": "Not Found Error"}
    api.script[1] = Reply(document={"data": [{"id": "7"}], "errors": [gone, gone], "meta": {"result_count": 1}})
    told: list[str] = []
    page = ask(make_client(api, progress=lambda share, text: told.append(text)))
    assert (page.posts, page.partial) == (1, ("Could not find place with ids: [1a2b].",))
    assert told == ["X gave the page, but not all that belongs to it: Could not find place with ids: [1a2b]."]


def test_an_empty_page_with_a_token_is_a_page(api: ScriptedServer) -> None:
    """No `data` is no post, not a fault."""
    api.script[1] = Reply(document={"meta": {"result_count": 0, "next_token": "t1"}})
    page = ask(make_client(api))
    assert (page.posts, page.next_token, page.oldest_id) == (0, "t1", None)


@pytest.mark.parametrize(
    ("status", "document", "error", "says"),
    [
        (
            400,
            {"errors": [{"message": "radius too large"}], "title": "Invalid Request", "detail": "One or more"},
            BadRequest,
            "radius too large",
        ),
        (400, {"errors": [{"parameters": {"next_token": ["x"]}, "message": "Invalid"}]}, RefusedToken, "Invalid"),
        (401, {"title": "Unauthorized", "detail": "Unauthorized"}, Unauthorized, "X_BEARER_TOKEN"),
        (402, {"title": "CreditsDepleted", "detail": "no credits left"}, PaymentRequired, "no credits left"),
        (403, {"title": "Client Forbidden", "detail": "not enrolled"}, Forbidden, "not enrolled"),
        (404, {"title": "Not Found"}, UnexpectedAnswer, "X_BASE_URL"),
        (418, {"title": "Teapot"}, SourceRefused, "Teapot"),
        (429, {"title": "UsageCapExceeded", "detail": "Monthly product cap"}, UsageCapExceeded, "Monthly product cap"),
    ],
)
def test_each_refusal_has_its_type_its_reason_and_a_remedy_and_is_not_repeated(
    api: ScriptedServer, status: int, document: dict[str, Any], error: type[PipelineError], says: str
) -> None:
    """What a person must mend is told at once: one request, X's own words, what to do."""
    api.script[1] = Reply(status=status, document=document)
    with pytest.raises(error) as caught:
        ask(make_client(api))
    assert type(caught.value) is error
    assert says in str(caught.value)
    assert f"HTTP {status}" in caught.value.what
    assert caught.value.todo
    assert len(api.seen) == 1
    assert TOKEN not in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING.keys())
def test_what_passes_is_tried_again_until_it_has_passed(api: ScriptedServer, reply: Reply) -> None:
    """Two faults, then the page: three requests, each counted, each wait told."""
    api.script = {1: reply, 2: reply}
    sent, told = [], []
    client = make_client(api, on_request=lambda: sent.append(1), progress=lambda share, text: told.append(text))
    assert ask(client).posts == 25
    assert len(api.seen) == len(sent) == 3
    assert client.waits.count == 2
    assert sum("trying again" in text for text in told) == 2


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING.keys())
def test_what_does_not_pass_ends_in_its_own_type_after_so_many_attempts(api: ScriptedServer, reply: Reply) -> None:
    """No endless repetition: `attempts` requests, then the error, transient still."""
    api.script = dict.fromkeys(range(1, 10), reply)
    with pytest.raises(RateLimited if reply.status == 429 else SourceUnavailable) as caught:
        ask(make_client(api))
    assert len(api.seen) == 4
    assert caught.value.todo


@pytest.mark.slow
def test_a_hang_ends_at_the_timeout(api: ScriptedServer) -> None:
    """A silent server is given up after timeout_seconds, and tried again."""
    api.script[1] = Reply(document={"meta": {}}, hang=2.0)
    assert ask(make_client(api, timeout_seconds=0.5)).posts == 25
    assert len(api.seen) == 2


@pytest.mark.slow
@pytest.mark.parametrize("unsized", [False, True])
def test_an_answer_that_comes_in_drops_ends_at_its_deadline(api: ScriptedServer, unsized: bool) -> None:
    """A byte every tenth of a second is within every timeout between two bytes, and would last for minutes."""
    api.script[1] = Reply(document={"meta": {"result_count": 0}, "data": ["x" * 600]}, drip=0.1, unsized=unsized)
    began = time.monotonic()
    assert ask(make_client(api, timeout_seconds=5.0, answer_seconds=0.6)).posts == 25
    assert 0.6 <= time.monotonic() - began < 5
    assert len(api.seen) == 2


@pytest.mark.slow
def test_a_slow_answer_that_is_whole_in_time_is_taken(api: ScriptedServer) -> None:
    """The deadline is no timeout between two bytes."""
    api.script[1] = Reply(body=b'{"meta": {}}', drip=0.05)
    assert ask(make_client(api, answer_seconds=30.0)).posts == 0
    assert len(api.seen) == 1


def test_nobody_there_is_told_with_the_address() -> None:
    """A refused connection names the address and stays transient."""
    with scripted() as gone:
        client = make_client(gone, attempts=2)
    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1"):
        ask(client)


@pytest.mark.parametrize("hours_off", [-1, 0, 1])
def test_the_wait_for_a_reset_is_counted_by_the_servers_clock(api: ScriptedServer, hours_off: int) -> None:
    """A clock that is an hour off makes no wait an hour longer or shorter."""
    theirs = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours_off)
    headers = {
        "x-rate-limit-reset": str(int(theirs.timestamp()) + 600),
        "x-rate-limit-remaining": "0",
        "date": f"{theirs:%a, %d %b %Y %H:%M:%S} GMT",
    }
    api.script[1] = Reply(status=429, document={"title": "Too Many Requests"}, headers=headers)
    with pytest.raises(RateLimited) as caught:
        ask(make_client(api))
    # longer than longest_wait_seconds: raised, not waited
    assert caught.value.retry_after == 600
    assert len(api.seen) == 1


@pytest.mark.slow
def test_a_reset_that_is_near_is_waited_for(api: ScriptedServer) -> None:
    """The second request goes out when the reset has come, not before."""
    headers = {"x-rate-limit-reset": "1001", "x-rate-limit-remaining": "0", "date": "Thu, 01 Jan 1970 00:16:40 GMT"}
    api.script[1] = Reply(status=429, document={}, headers=headers)
    client = make_client(api, longest_wait_seconds=5)
    began = time.monotonic()
    assert ask(client).posts == 25
    assert client.waits.seconds == 1.0
    assert time.monotonic() - began >= 1.0


def test_a_429_with_requests_left_is_the_one_second_rule(api: ScriptedServer) -> None:
    """search/all's spacing: a second, not the fifteen minutes that the reset header tells."""
    headers = {"x-rate-limit-reset": str(int(time.time()) + 800), "x-rate-limit-remaining": "250"}
    api.script[1] = Reply(status=429, document={}, headers=headers)
    with pytest.raises(RateLimited) as caught:
        ask(make_client(api), ALL)
    assert caught.value.retry_after == 1.0


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b'{"data": []}', b'{"errors": [{"detail": "odd"}]}', b'{"data": {"id": "1"}, "meta": {}}']
)
def test_json_of_another_shape_is_unexpected(api: ScriptedServer, body: bytes) -> None:
    """Without `meta` nobody knows whether more follows: never taken for the end."""
    api.script[1] = Reply(body=body)
    with pytest.raises(UnexpectedAnswer):
        ask(make_client(api))


def test_a_redirect_is_not_followed(api: ScriptedServer) -> None:
    """The query goes to nobody who was not named."""
    api.script[1] = Reply(status=302, document={}, headers={"location": f"{api.url}/elsewhere"})
    with pytest.raises(UnexpectedAnswer, match="redirects"):
        ask(make_client(api))
    assert len(api.seen) == 1


def test_neither_netrc_nor_a_proxy_comes_between(api: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry for the host in ~/.netrc does not replace the token, and loopback needs no proxy."""
    (tmp_path / "netrc").write_text("machine api.twitter.com login someone password else\nmachine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    ask(make_client(api))
    assert api.seen[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "ümlaut"])
def test_a_token_that_cannot_be_one_is_refused_without_being_shown(token: str) -> None:
    """requests would print the whole header in its complaint."""
    with pytest.raises(SettingsError) as caught:
        x_api.Client(token=token)
    assert not token or token not in str(caught.value)


def test_requests_of_all_processes_keep_their_distance(tmp_path: Path) -> None:
    """Three passings with a spacing of 0.1 s take 0.2 s; a reading from before a restart of the machine delays by one spacing at most."""
    began = time.monotonic()
    for _ in range(3):
        x_api.keep_pace(tmp_path / "pace", 0.1)
    assert time.monotonic() - began >= 0.2
    (tmp_path / "pace").write_text(repr(time.monotonic() + 1e6))
    x_api.keep_pace(tmp_path / "pace", 0.1)
    assert float((tmp_path / "pace").read_text()) < time.monotonic() + 1


def test_search_all_is_paced_and_search_recent_is_not(api: ScriptedServer, tmp_path: Path) -> None:
    """Only search/all has the rule of one request a second."""
    client = make_client(api, pace=tmp_path / "pace")
    ask(client)
    assert not (tmp_path / "pace").exists()
    ask(client, ALL)
    assert (tmp_path / "pace").exists()


@pytest.mark.parametrize(
    ("base", "result"),
    [
        (None, "https://api.twitter.com/2/tweets?a=1"),
        ("http://127.0.0.1:80/", "http://127.0.0.1:80/2/tweets?a=1"),
        ("https://proxy.example/x", "https://proxy.example/x/2/tweets?a=1"),
    ],
)
def test_the_base_url_takes_the_place_of_the_host(base: str | None, result: str) -> None:
    """Scheme, host and a path in front; the query stays."""
    assert rewritten("https://api.twitter.com/2/tweets?a=1", base) == result


NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.mark.parametrize(("hours_ago", "endpoint"), [(30, RECENT), (166, RECENT), (168, ALL), (5000, ALL)])
def test_recent_is_asked_while_the_whole_day_is_recent(hours_ago: float, endpoint: Endpoint) -> None:
    """The window's start must be younger than seven days, with an hour to spare."""
    start = NOW - timedelta(hours=hours_ago)
    assert endpoint_for(Window(start, start + timedelta(days=1)), NOW) is endpoint


def test_without_full_archive_access_an_old_day_is_missing() -> None:
    """archive_search = false: no request that would be refused, but a word."""
    start = NOW - timedelta(days=8)
    with pytest.raises(MissingData, match="7 days"):
        endpoint_for(Window(start, start + timedelta(days=1)), NOW, archive_search=False)


@given(st.lists(st.integers(8, 45), min_size=1, max_size=60), st.sampled_from([512, 1024]))
def test_queries_hold_every_clause_once_and_in_order_within_the_limit(lengths: list[int], limit: int) -> None:
    """Parenthesised, never too long, and no two neighbours would fit into one."""
    clauses = tuple(f"p:{number:06d}".ljust(length, "x") for number, length in enumerate(lengths))
    made = queries(clauses, limit=limit)
    inner = [query.removeprefix("(").removesuffix(") -is:retweet") for query in made]
    assert " OR ".join(inner) == " OR ".join(clauses)
    assert all(len(query) <= limit for query in made)
    heads = [part.split(" OR ")[0] for part in inner[1:]]
    assert all(len(query) + len(" OR ") + len(head) > limit for query, head in zip(made, heads, strict=False))


def test_a_clause_that_fits_no_query_is_refused() -> None:
    """Said before the API says it."""
    with pytest.raises(SettingsError, match="600 characters"):
        queries(("p" * 600,), limit=512)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl, which makes the certificate, is not installed")
def test_a_certificate_that_is_not_trusted_is_for_a_person(api: ScriptedServer, tmp_path: Path) -> None:
    """No number of tries makes it trusted: permanent, in plain words, after one connection."""
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    subprocess.run([*made, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    api.socket = context.wrap_socket(api.socket, server_side=True)
    with pytest.raises(UnexpectedAnswer, match=r"a certificate that this machine does not trust.*\n.*REQUESTS_CA_BUNDLE"):
        ask(make_client(api, base_url=api.url.replace("http:", "https:")))
    assert api.seen == []


def test_https_to_a_server_without_it_is_for_a_person(api: ScriptedServer) -> None:
    """X_BASE_URL is what is wrong."""
    with pytest.raises(UnexpectedAnswer, match="answers without encryption"):
        ask(make_client(api, base_url=api.url.replace("http:", "https:")))
