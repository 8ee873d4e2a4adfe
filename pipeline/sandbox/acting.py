"""How a script of faults is played: which request meets which fault, and what becomes of its answer. No sockets."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from pipeline.sandbox import asked, problems
from pipeline.sandbox.api import Answer
from pipeline.sandbox.city import SNOWFLAKE_EPOCH_MS
from pipeline.sandbox.faults import INSTEAD, Fault, Script
from pipeline.storage import digest

HTML = b"<!DOCTYPE html><html><head><title>Something went wrong</title></head><body><h1>Over capacity</h1></body></html>"


@dataclass(frozen=True)
class Turn:
    """One request's part in the play: its number and its fault. `started`: whether the fault began with it."""

    number: int
    fault: Fault | None
    started: bool


class Play:
    """A script that is being played: it counts requests and remembers what was given.

    `number`: requests so far. `after_cap`: how many came while a usage cap was in force, after the one that was told of it.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.number = 0
        self.after_cap = 0
        self._lifted = 0
        self._before: dict[str, Answer] = {}
        self._blocked: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def turn(self) -> Turn:
        """The next request's part."""
        with self._lock:
            self.number += 1
            fault = self.script.at(self.number, lifted=self._lifted)
            started = fault is not None and self.script.faults.get(self.number) is fault
            self.after_cap += fault is not None and fault.kind == "usage_cap" and not started
            return Turn(self.number, fault, started)

    def lift(self) -> None:
        """End what is in force; faults of numbers to come stay."""
        with self._lock:
            self._lifted = self.number
            self._blocked.clear()

    def instead(self, turn: Turn, endpoint: str, rate: int, now: datetime) -> Answer | None:
        """What comes instead of an answer, if anything does."""
        fault = turn.fault
        if fault is not None and fault.kind == "rate_limited" and turn.started:
            reset = math.ceil(now.timestamp() + fault.seconds)
            with self._lock:
                # by the monotonic clock: a test may hold the other one still
                self._blocked[endpoint] = (time.monotonic() + reset - now.timestamp(), reset)
        with self._lock:
            until, reset = self._blocked.get(endpoint, (0.0, 0))
        if time.monotonic() < until:
            headers = {"x-rate-limit-limit": str(rate), "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(reset)}
            return Answer(429, problems.too_many(), headers=headers)
        if fault is None or fault.kind not in INSTEAD or fault.kind == "rate_limited":
            return None
        if fault.kind == "rate_limited_no_reset":
            return Answer(429, problems.too_many(), headers={})
        if fault.kind == "usage_cap":
            # the rate limit itself is hardly used, as recorded in xdevplatform/xdk issue 25
            return Answer(429, problems.usage_cap(), headers={"x-rate-limit-limit": str(rate), "x-rate-limit-remaining": str(rate - 1)})
        if fault.kind == "no_credits":
            return Answer(402, problems.no_credits())
        if fault.kind == "html":
            return Answer(200, {}, headers={}, raw=HTML)
        title = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}
        name = title.get(fault.status, "Server Error")
        return Answer(fault.status, problems.problem(name, name, fault.status), headers={})

    def page(self, turn: Turn, answer: Answer, *, gone: MutableMapping[int, str], rest: Callable[[], list[int]]) -> Answer:
        """What becomes of a search's page.

        Args:
            gone: where a deleted post is entered.
            rest: the ids of this page and all that follow, newest first.
        """
        request = answer.request
        if request is None or answer.status != 200:
            return answer
        kind = turn.fault.kind if turn.fault is not None else ""
        walk = digest(request.endpoint.name, {name: value for name, value in request.parameters.items() if name not in _MOVING})
        with self._lock:
            before = self._before.get(walk)
        if self._is_down(answer):
            return Answer(503, problems.problem("Service Unavailable", "Service Unavailable", 503), headers={})
        if kind == "refused_token" and request.token is not None:
            return Answer(400, asked.refused_token(request.token).document)
        if kind == "duplicate_page" and before is not None:
            return before
        if kind == "empty_page":
            # another token that means the same: one that repeats itself looks like a circle
            token = asked.token(request, request.until_id, mark=turn.number)
            answer = replace(answer, document={"meta": {"result_count": 0, "next_token": token}}, post_ids=(), user_ids=())
        elif kind in _DOCUMENTS:
            answer = replace(answer, document=_DOCUMENTS[kind](answer.document, turn.number))
        elif kind == "deleted" and turn.fault is not None:
            ids = rest()
            if len(ids) >= turn.fault.position:
                gone[ids[turn.fault.position - 1]] = "deleted"
        if any(fault.kind == "duplicate_page" for fault in self.script.faults.values()):
            with self._lock:
                self._before[walk] = answer
        return answer

    def _is_down(self, answer: Answer) -> bool:
        """Whether the page would have to return a post of a down span, or walk over one."""
        request = answer.request
        if request is None or not self.script.down_hours:
            return False
        more = "next_token" in answer.document["meta"]
        oldest = _time_of(answer.post_ids[-1]) if more else max(request.start, _time_of(request.since_id))
        if answer.post_ids:
            newest = _time_of(answer.post_ids[0])
            return any(newest >= start and oldest < end for start, end in self.script.down_hours)
        # the rest of the window is walked, and its end does not belong to it
        newest = min(request.end, _time_of(request.until_id))
        return any(newest > start and oldest < end for start, end in self.script.down_hours)


_MOVING = ("next_token", "pagination_token", "until_id")


def _time_of(post_id: int) -> datetime:
    seconds = ((post_id >> 22) + SNOWFLAKE_EPOCH_MS) / 1000
    return datetime.fromtimestamp(min(seconds, 32503680000), UTC)


def _shuffled(document: dict[str, Any], number: int) -> dict[str, Any]:
    chance = np.random.Generator(np.random.PCG64(number))
    keyed = sorted((chance.random(), place) for place in range(len(document.get("data", []))))
    return {**document, "data": [document["data"][place] for _, place in keyed]} if keyed else document


def _without_a_place(document: dict[str, Any], number: int) -> dict[str, Any]:
    includes = document.get("includes", {})
    if not includes.get("places"):
        return document
    left = number % len(includes["places"])
    places = [place for at, place in enumerate(includes["places"]) if at != left]
    return {**document, "includes": {**includes, "places": places}}


def _empty_coordinates(document: dict[str, Any], number: int) -> dict[str, Any]:
    def emptied(post: dict[str, Any]) -> dict[str, Any]:
        if "geo" not in post or "coordinates" in post["geo"]:
            return post
        return {**post, "geo": {**post["geo"], "coordinates": {}}}

    return {**document, "data": [emptied(post) for post in document["data"]]} if "data" in document else document


def _partial_errors(document: dict[str, Any], number: int) -> dict[str, Any]:
    # about posts that ours refer to: 15 digits, which no post of the made-up map has
    return {**document, "errors": [problems.not_found(str(10**14 + number)), problems.not_authorized(str(2 * 10**14 + number))]}


_DOCUMENTS = {
    "out_of_order": _shuffled,
    "place_missing": _without_a_place,
    "empty_coordinates": _empty_coordinates,
    "partial_errors": _partial_errors,
}
