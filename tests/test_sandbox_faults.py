"""The sandbox's scripted faults over real HTTP: each comes at its number, does what it says, and ends when it should."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline import cli
from pipeline.sandbox import faults, server
from pipeline.sandbox.faults import Fault, Script
from pipeline.settings import Settings
from tests.sandboxes import ALL, COUNTS, FIELDS, NOW, WORLD, day_of, get, ids, pages


def sandbox(script: dict[int, Fault] | Script, **options: Any) -> Any:
    """A running sandbox at NOW with this script."""
    return server.running(WORLD, faults=script if isinstance(script, Script) else Script(script), **{"clock": lambda: NOW, **options})


@pytest.mark.slow
def test_a_rate_limit_holds_until_its_reset() -> None:
    """429 with the reset told, for the endpoint, until then; other endpoints answer. The Date header is the clock it is told by."""
    with sandbox({2: Fault("rate_limited", seconds=1)}, clock=None) as running:
        window = {name: (datetime.now(UTC) - timedelta(days=2, hours=off)).strftime("%Y-%m-%dT%H:%M:%SZ") for name, off in _SPAN}
        assert get(running, **window).status_code == 200
        limited = get(running, **window)
        assert (limited.status_code, limited.json()["title"]) == (429, "Too Many Requests")
        assert limited.headers["x-rate-limit-remaining"] == "0"
        wait = int(limited.headers["x-rate-limit-reset"]) - parsedate_to_datetime(limited.headers["date"]).timestamp()
        assert 0 < wait <= 2
        assert get(running, **window).status_code == 429
        assert get(running, COUNTS, **window).status_code == 200
        time.sleep(wait)
        assert get(running, **window).status_code == 200


_SPAN = (("start_time", 2), ("end_time", 1))


def test_a_rate_limit_without_a_reset_has_no_header_of_rates() -> None:
    """For as many requests as it says."""
    with sandbox({1: Fault("rate_limited_no_reset", requests=2)}) as running:
        answers = [get(running) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert not [name for name in answers[0].headers if name.startswith("x-rate-limit")]


@pytest.mark.parametrize(("kind", "status", "title"), [("usage_cap", 429, "UsageCapExceeded"), ("no_credits", 402, "CreditsDepleted")])
def test_what_money_stops_stays_stopped_until_it_is_lifted(kind: str, status: int, title: str) -> None:
    """No reset; the next faults of the script stay; a request after the cap is seen."""
    with sandbox({2: Fault(kind), 5: Fault("html")}) as running:
        answers = [get(running) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, status, status]
        assert answers[1].json()["title"] == title
        assert "x-rate-limit-reset" not in answers[1].headers or kind == "no_credits"
        assert running.after_cap == (1 if kind == "usage_cap" else 0)
        running.lift()
        assert get(running).status_code == 200
        assert get(running).headers["content-type"] == "text/html"


def test_a_burst_of_faults_of_the_server() -> None:
    """503 for so many requests, or another status of its kind."""
    with sandbox({1: Fault("unavailable", requests=2), 4: Fault("unavailable", status=502)}) as running:
        assert [get(running).status_code for _ in range(5)] == [503, 503, 200, 502, 200]
        assert running.books.as_dict()["posts_billed"] == 10
        assert running.requests == 5


def test_only_requests_to_the_api_are_counted() -> None:
    """Health and ledger are the sandbox's own."""
    with sandbox({1: Fault("html")}) as running:
        for path in ("/sandbox/health", "/sandbox/ledger"):
            assert requests.get(running.url + path, timeout=5).status_code == 200
        page = get(running)
        assert (page.status_code, page.text[:15]) == (200, "<!DOCTYPE html>")
        assert running.books.as_dict()["dollars"] == 0


def test_a_cut_answer_was_delivered_and_is_billed() -> None:
    """The connection breaks in the middle of the body; the same page again costs nothing more."""
    with sandbox({1: Fault("cut")}) as running:
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            get(running)
        assert running.books.as_dict()["posts_billed"] == 10
        assert ids(get(running)) == [tweet.id for tweet in day_of()[:10]]
        assert running.books.as_dict()["posts_billed"] == 10


@pytest.mark.slow
def test_silence_is_billed_only_to_who_waited() -> None:
    """A client that gives up is given nothing; one that waits gets its page."""
    with sandbox({1: Fault("hang", seconds=30.0), 2: Fault("hang", seconds=0.2)}) as running:
        with pytest.raises(requests.ReadTimeout):
            get(running, timeout=0.3)
        # known at once, not when the silence would have ended
        time.sleep(0.1)
        assert (running.books.as_dict()["requests"], running.books.as_dict()["posts_billed"]) == (1, 0)
        assert len(ids(get(running))) == 10
        assert running.books.as_dict()["posts_billed"] == 10


@pytest.mark.slow
def test_a_drip_comes_whole_but_slowly() -> None:
    """No two bytes lie further apart than its pieces."""
    with sandbox({1: Fault("drip", seconds=0.6)}) as running:
        began = time.monotonic()
        assert len(ids(get(running, timeout=0.3))) == 10
        assert time.monotonic() - began > 0.5


def test_a_duplicate_page_is_the_one_before() -> None:
    """With its token: who asks on gets where he was. Nothing where there is none before, and none of another search."""
    with sandbox({1: Fault("duplicate_page"), 3: Fault("duplicate_page")}) as running:
        first = get(running)
        token = first.json()["meta"]["next_token"]
        other = get(running, query="choque")
        twice = get(running, next_token=token)
        second = get(running, next_token=token)
    assert twice.content == first.content != other.content
    assert ids(second) == [tweet.id for tweet in day_of()[10:20]]


def test_an_empty_page_leads_on() -> None:
    """Its token is a new one, and nothing is left out: at the beginning and in the middle."""
    with sandbox({1: Fault("empty_page"), 4: Fault("empty_page")}) as running:
        walk = list(pages(running, max_results=50))
        assert [ids(page) == [] for page in walk[:5]] == [True, False, False, True, False]
        assert [name for page in walk for name in ids(page)] == [tweet.id for tweet in day_of()]
        tokens = [page.json()["meta"].get("next_token") for page in walk]
        assert len(set(tokens)) == len(tokens)


def test_a_refused_token_names_it() -> None:
    """400 as recorded; on a request without one nothing happens."""
    with sandbox({1: Fault("refused_token"), 2: Fault("refused_token")}) as running:
        token = get(running).json()["meta"]["next_token"]
        refused = get(running, next_token=token)
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["parameters"] == {"next_token": [token]}
        assert get(running, next_token=token).status_code == 200


def test_pages_whose_content_is_odd() -> None:
    """Shuffled, a place left out, empty coordinates, errors beside data: the posts are all there."""
    wanted = [tweet.id for tweet in day_of()[:100]]
    kinds = ("out_of_order", "place_missing", "empty_coordinates", "partial_errors")
    with sandbox({number: Fault(kind) for number, kind in enumerate(kinds, start=1)}) as running:
        shuffled, placeless, coordinates, errors, plain = (get(running, max_results=100, **FIELDS) for _ in range(5))
    assert ids(shuffled) != wanted == sorted(ids(shuffled), reverse=True)
    assert shuffled.json()["meta"] == plain.json()["meta"]
    for answer in (placeless, coordinates, errors, plain):
        assert ids(answer) == wanted
    places = [{place["id"] for place in answer.json()["includes"]["places"]} for answer in (plain, placeless)]
    assert len(places[0] - places[1]) == 1
    assert places[1] < places[0]
    for odd, usual in zip(coordinates.json()["data"], plain.json()["data"], strict=True):
        assert odd["geo"]["coordinates"] == usual["geo"].get("coordinates", {})
    assert errors.json()["errors"][0]["title"] == "Not Found Error"


def test_a_post_vanishes_between_two_pages() -> None:
    """The page still has it; asked again, it is gone; one of the next page never comes."""
    there = [tweet.id for tweet in day_of()]
    with sandbox({1: Fault("deleted", position=3), 2: Fault("deleted", position=12)}) as running:
        first = get(running)
        second = get(running, next_token=first.json()["meta"]["next_token"])
        third = get(running, next_token=second.json()["meta"]["next_token"])
        assert ids(first) + ids(second) + ids(third) == there[:21] + there[22:31]
        assert ids(get(running)) == there[:2] + there[3:11]
        assert running.gone == {there[2]: "deleted", there[21]: "deleted"}


@pytest.mark.parametrize("hour", [3600.0, -3600.0])
def test_a_clock_an_hour_off(hour: float) -> None:
    """Date header, rate reset and window checks are all by that clock."""
    with sandbox(Script(clock=hour)) as running:
        late = get(running, start_time="2026-11-22T06:00:00Z", end_time="2026-11-23T08:30:00Z")
        assert late.status_code == (200 if hour > 0 else 400)
        told = parsedate_to_datetime(late.headers["date"])
        assert told == NOW + timedelta(seconds=hour)
        assert 0 < int(late.headers["x-rate-limit-reset"]) - told.timestamp() <= 900


def test_hours_that_are_down_fail_whoever_walks_over_them() -> None:
    """A window beside them works; a page that would return a post inside, or walk over, does not; until they are up again."""
    down = (datetime(2026, 11, 20, 18, tzinfo=UTC), datetime(2026, 11, 20, 20, tzinfo=UTC))
    with sandbox(Script(down_hours=[down])) as running:

        def status(start: str, end: str, **changes: Any) -> int:
            return get(running, ALL, **{"start_time": start, "end_time": end, "max_results": 500, **changes}).status_code

        assert status("2026-11-20T06:00:00Z", "2026-11-20T18:00:00Z") == 200
        assert status("2026-11-20T20:00:00Z", "2026-11-21T06:00:00Z") == 200
        assert status("2026-11-20T18:30:00Z", "2026-11-20T18:31:00Z") == 503
        assert status("2026-11-20T06:00:00Z", "2026-11-21T06:00:00Z") == 503
        # nothing found, and nothing of it walked over: the end of a window does not belong to it
        assert status("2026-11-20T06:00:00Z", "2026-11-20T18:00:00Z", query="nobodywritesthis") == 200
        assert status("2026-11-20T20:00:00Z", "2026-11-21T06:00:00Z", query="nobodywritesthis") == 200
        # nothing found, and yet walked over
        assert status("2026-11-20T06:00:00Z", "2026-11-21T06:00:00Z", query="nobodywritesthis") == 503
        walked = []
        response = get(running)
        while response.status_code == 200:
            walked += ids(response)
            response = get(running, next_token=response.json()["meta"]["next_token"])
        after = [tweet.id for tweet in day_of() if tweet.created >= down[1].timestamp()]
        assert response.status_code == 503
        assert walked == after[: 10 * (len(after) // 10)]
        assert get(running, COUNTS).json()["meta"]["total_tweet_count"] == len(day_of())
        running.faults = Script()
        assert status("2026-11-20T06:00:00Z", "2026-11-21T06:00:00Z") == 200


def test_a_script_may_come_from_another_process(tmp_path: Path) -> None:
    """POST /sandbox/faults with the key: a script, or the end of what is in force; the world stays the same."""
    script = Script({1: Fault("usage_cap")}, clock=60.0, down_hours=[(NOW, NOW + timedelta(hours=1))])
    with sandbox({}, folder=tmp_path) as running:
        digest = requests.get(f"{running.url}/sandbox/health", timeout=5).json()["world"]
        url, key = f"{running.url}/sandbox/faults", {"x-sandbox-key": running.key}
        assert requests.post(url, data=script.as_json(), timeout=5).status_code == 403
        assert requests.post(url, data='{"faults": {"1": {"kind": "tired"}}}', headers=key, timeout=5).status_code == 400
        assert requests.post(url, data=script.as_json(), headers=key, timeout=5).status_code == 200
        assert running.faults == script
        assert get(running).status_code == 429
        requests.post(url, json={"lift": True}, headers=key, timeout=5)
        assert get(running).status_code == 200
        assert requests.get(f"{running.url}/sandbox/health", timeout=5).json()["world"] == digest
    log = (tmp_path / "requests.log").read_text()
    assert '"fault": "usage_cap", "number": 1' in log


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"fault": {}}',
        '{"faults": {"1": {}}}',
        '{"faults": {"1": {"kind": "cut", "loud": true}}}',
        '{"faults": {"one": {"kind": "cut"}}}',
        '{"faults": {"1": {"kind": "unavailable", "status": 200}}}',
        '{"faults": [1]}',
        '{"down_hours": [["yesterday", "today"]]}',
        '{"down_hours": [1]}',
    ],
)
def test_what_is_no_script_is_refused(text: str) -> None:
    """ValueError, and nothing else."""
    with pytest.raises(ValueError, match=r".+"):
        Script.from_json(text)


def test_a_script_that_cannot_be_read_is_a_fault_of_the_settings(
    tmp_path: Path, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`sandbox --faults FILE`: exit code 2, and the file by name."""
    settings = make_settings(database=False)
    monkeypatch.setenv("GEOBETA_CONFIG", str(settings.config))
    monkeypatch.setenv("GEOBETA_DATA", str(settings.data))
    wrong = tmp_path / "faults.json"
    assert cli.main(["sandbox", "--faults", str(wrong)]) == 2
    wrong.write_text('{"faults": {"1": {"kind": "tired"}}}', encoding="utf-8")
    assert cli.main(["sandbox", "--faults", str(wrong)]) == 2
    said = capsys.readouterr().err
    assert said.count("faults.json") == 2
    assert "'tired'" in said


def test_seeded_scripts_are_the_same_everywhere_and_hold_every_kind() -> None:
    """Two hundred of them: each kind comes, within the numbers asked for, and reads back from its file form."""
    scripts = [Script.seeded(seed, clock=True) for seed in range(200)]
    assert scripts == [Script.seeded(seed, clock=True) for seed in range(200)]
    assert {fault.kind for script in scripts for fault in script.faults.values()} == set(faults.KINDS)
    assert all(1 <= number <= 40 for script in scripts for number in script.faults)
    assert {len(script.faults) for script in scripts} == {1, 2, 3, 4, 5}
    assert {script.clock for script in scripts} == {0.0, 3600.0, -3600.0}
    assert all(Script.from_json(script.as_json()) == script for script in scripts)
    assert Script.seeded(3, 40, 7, kinds=("cut", "html")).faults.keys() <= set(range(1, 41))
    assert len(Script.seeded(3, 40, 7).faults) == 7
    assert Script({2: Fault("unavailable", requests=3), 9: Fault("usage_cap")}).spoiled == 4
    # a change of the numbers would change every measured night: known on purpose
    drawn = {number: fault.as_dict for number, fault in Script.seeded(1).faults.items()}
    assert drawn == {1: {"kind": "cut"}, 3: {"kind": "empty_coordinates"}, 34: {"kind": "refused_token"}}


def test_every_kind_is_described_and_nothing_else() -> None:
    """docs/sandbox.md lists them."""
    page = (Path(__file__).resolve().parent.parent / "docs" / "sandbox.md").read_text("utf-8")
    assert [kind for kind in faults.KINDS if f"| `{kind}` |" not in page] == []


def test_the_wait_that_a_limit_tells_is_whole_seconds() -> None:
    """The reset is cut up, never down: nobody who waits for it comes too early."""
    with sandbox({1: Fault("rate_limited", seconds=0.4)}, clock=lambda: NOW + timedelta(seconds=0.7)) as running:
        assert int(get(running).headers["x-rate-limit-reset"]) == math.ceil(NOW.timestamp() + 1.1)
