"""The sandbox's compliance jobs through the real tweepy and over HTTP: from the list of ids to the list of what is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import requests
import tweepy

from pipeline.sandbox import server
from tests.sandboxes import COUNTS, NOW, WORLD, day_of, get, ids, pages, real_tweepy


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """It stands at NOW."""
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[server.Server]:
    """A sandbox in a thread."""
    with server.running(WORLD, clock=clock) as running:
        yield running


def job_of(response: requests.Response) -> dict[str, str]:
    """The job in an answer."""
    return dict(response.json()["data"])


def test_a_job_from_its_ids_to_its_results(sandbox: server.Server) -> None:
    """created, in_progress, complete; a line for each id that is gone, with its reason, and none for the others."""
    there = [tweet.id for tweet in day_of()[:6]]
    sandbox.gone.update({there[1]: "deleted", there[3]: "scrub_geo", 77: "suspended"})
    client = real_tweepy(sandbox)
    job = job_of(client.create_compliance_job("tweets", name="night"))
    assert (job["type"], job["name"], job["status"]) == ("tweets", "night", "created")
    sent = "".join(f"{name}\n" for name in [*there, 77, there[1]])
    assert requests.put(job["upload_url"], data=sent, headers={"content-type": "text/plain"}, timeout=5).status_code == 200
    assert requests.get(job["download_url"], timeout=5).status_code == 404
    assert [job_of(client.get_compliance_job(job["id"]))["status"] for _ in range(3)] == ["in_progress", "complete", "complete"]
    lines = [json.loads(line) for line in requests.get(job["download_url"], timeout=5).text.splitlines() if line]
    assert {(line["id"], line["reason"]) for line in lines} == {
        (str(there[1]), "deleted"),
        (str(there[3]), "scrub_geo"),
        ("77", "suspended"),
    }
    assert all(line["action"] == "delete" and line["redacted_at"].endswith("Z") for line in lines)
    assert len(lines) == 3
    listed = client.get_compliance_jobs("tweets").json()["data"]
    assert [found["id"] for found in listed] == [job["id"]]


def test_one_job_of_a_type_at_a_time(sandbox: server.Server, clock: Clock) -> None:
    """A second one is refused until the first is complete, or its time for the upload is over."""
    client = real_tweepy(sandbox)
    first = job_of(client.create_compliance_job("tweets"))
    with pytest.raises(tweepy.HTTPException, match="409"):
        client.create_compliance_job("tweets")
    client.create_compliance_job("users")
    clock.now += timedelta(minutes=16)
    assert job_of(client.get_compliance_job(first["id"]))["status"] == "expired"
    assert requests.put(first["upload_url"], data="1\n", timeout=5).status_code == 403
    second = job_of(client.create_compliance_job("tweets"))
    assert requests.put(second["upload_url"], data="1\n", timeout=5).status_code == 200
    for _ in range(2):
        client.get_compliance_job(second["id"])
    clock.now += timedelta(days=8)
    assert requests.get(second["download_url"], timeout=5).status_code == 403


def test_what_is_wrong_is_refused(sandbox: server.Server) -> None:
    """A type that there is not, an unknown job, a wrong signature, ids that are none, no token."""
    client = real_tweepy(sandbox)
    with pytest.raises(tweepy.BadRequest, match="enumeration"):
        client.create_compliance_job("posts")
    with pytest.raises(tweepy.NotFound):
        client.get_compliance_job("12")
    with pytest.raises(tweepy.Unauthorized):
        real_tweepy(sandbox, "sandbox-expired").create_compliance_job("tweets")
    job = job_of(client.create_compliance_job("tweets"))
    assert requests.put(job["upload_url"] + "0", data="1\n", timeout=5).status_code == 403
    assert requests.put(job["upload_url"], data="one\n", timeout=5).status_code == 400


def test_what_is_gone_is_gone_from_searches_and_not_from_counts(sandbox: server.Server) -> None:
    """Counts skip the compliance filter of search."""
    there = day_of()
    sandbox.gone[there[5].id] = "protected"
    found = [name for page in pages(sandbox, max_results=100) for name in ids(page)]
    assert found == [tweet.id for tweet in there if tweet.id != there[5].id]
    assert get(sandbox, COUNTS).json()["meta"]["total_tweet_count"] == len(there)


def test_what_is_gone_can_be_told_from_another_process(sandbox: server.Server) -> None:
    """POST /sandbox/gone, with the key of the address file and known reasons alone."""
    url, key = f"{sandbox.url}/sandbox/gone", {"x-sandbox-key": sandbox.key}
    assert requests.post(url, json={"5": "deleted"}, timeout=5).status_code == 403
    assert requests.post(url, json={"5": "tired"}, headers=key, timeout=5).status_code == 400
    assert requests.post(url, json={"5": "deleted"}, headers=key, timeout=5).json() == {"gone": 1}
    assert sandbox.gone == {5: "deleted"}


def test_a_long_list_of_ids_may_come_in_chunks(sandbox: server.Server) -> None:
    """requests sends a generator that way."""
    job = job_of(real_tweepy(sandbox).create_compliance_job("tweets"))
    sandbox.gone[49_999] = "bounced"
    body = (f"{name}\n".encode() for name in range(50_000))
    assert requests.put(job["upload_url"], data=body, timeout=20).status_code == 200
    for _ in range(2):
        real_tweepy(sandbox).get_compliance_job(job["id"])
    assert json.loads(requests.get(job["download_url"], timeout=5).text)["id"] == "49999"
