"""The sandbox without its sockets: one request in, one reply out, with everything that happens in between in its right order.

Faults come first (a gateway knows no tokens), then access, rate limits and the monthly cap, then the answer, then what befalls a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pipeline.sandbox import access, api, compliance, problems
from pipeline.sandbox.acting import Play, Turn
from pipeline.sandbox.api import Answer
from pipeline.sandbox.books import Books
from pipeline.sandbox.faults import ON_THE_WIRE, Fault, Script
from pipeline.sandbox.world import World

JSON: Final = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Reply:
    """What goes out, and what the books will say of it. `wire`: the fault that says how it goes out."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    wire: Fault | None
    entry: Mapping[str, Any]


class Service:
    """A sandbox's state: its script, its books, its limits, and what is gone.

    Args:
        world: the cities.
        folder: where the request log goes; None keeps none.
        faults: what goes wrong, and when.
        clock: the true time, aware; None: this machine's.
        enforce_limits: refuse what is over a rate limit, rather than only tell of it.
        monthly_posts: posts billed in a UTC month after which searches get UsageCapExceeded; None: no cap.
        naming: which names answers carry (api.NAMES).
    """

    def __init__(
        self,
        world: World,
        *,
        folder: Path | None = None,
        faults: Script | None = None,
        clock: Callable[[], datetime] | None = None,
        enforce_limits: bool = False,
        monthly_posts: int | None = None,
        naming: str = "by request",
    ) -> None:
        if naming not in api.NAMES:
            raise ValueError(f"got the naming {naming!r}, wanted one of {', '.join(api.NAMES)}")
        self.world = world
        self.play = Play(faults or Script())
        self.books = Books(folder / "requests.log" if folder else None)
        self.limits = access.Limits(enforced=enforce_limits)
        self.jobs = compliance.Jobs()
        #: id → reason (compliance.REASONS) of what a search gives no more and a compliance job tells of
        self.gone: dict[int, str] = {}
        self.monthly_posts = monthly_posts
        self.naming = naming
        self._clock = clock or (lambda: datetime.now(UTC))

    def now(self) -> datetime:
        """The time by the sandbox's clock, which a script may set wrong."""
        return self._clock() + timedelta(seconds=self.play.script.clock)

    def set_faults(self, script: Script) -> None:
        """Play another script, from its first request on."""
        self.play = Play(script)

    def reply(self, method: str, path: str, parameters: Mapping[str, str], *, token: str, body: bytes = b"", url: str = "") -> Reply:
        """The reply to a request of the API. It is not in the books yet: see `book`."""
        turn, now = self.play.turn(), self.now()
        answer, headers = self._answer(turn, now, method, path, parameters, token, body, url)
        given = {**(headers if answer.headers is None else answer.headers)}
        content = answer.raw if answer.raw is not None else api.dumps(answer.document)
        kind = "text/html" if answer.raw is not None else JSON if answer.status < 400 else "application/problem+json"
        wire = turn.fault if turn.fault is not None and turn.fault.kind in ON_THE_WIRE else None
        entry = {
            "endpoint": re.sub(r"/\d+$", "/:id", path.removeprefix("/2/").removeprefix("tweets/")),
            "status": answer.status,
            "parameters": parameters,
            "post_ids": answer.post_ids,
            "user_ids": answer.user_ids,
            "answered": answer.status == 200 and answer.raw is None,
            "fault": turn.fault.kind if turn.fault is not None else "",
            "number": turn.number,
        }
        return Reply(answer.status, content, {"content-type": kind, **given}, wire, entry)

    def book(self, reply: Reply, *, delivered: bool = True) -> None:
        """Enter a reply in the books, before it goes out; one that nobody waited for is not billed."""
        entry = dict(reply.entry) if delivered else {**reply.entry, "post_ids": (), "user_ids": (), "answered": False}
        self.books.enter(now=self.now(), **entry)

    def _answer(
        self, turn: Turn, now: datetime, method: str, path: str, parameters: Mapping[str, str], token: str, body: bytes, url: str
    ) -> tuple[Answer, dict[str, str]]:
        """The answer, and the usual headers about rates."""
        is_job = path == compliance.PATH or path.startswith(compliance.PATH + "/")
        endpoint = compliance.ENDPOINT if is_job else api.ENDPOINTS.get(path)
        if (instead := self.play.instead(turn, endpoint.name if endpoint else path, endpoint.rate if endpoint else 0, now)) is not None:
            return instead, {}
        if endpoint is None or (method != "GET" and not is_job):
            return api.answer(self.world, path if method == "GET" else f"{method} {path}", parameters, now=now), {}
        if (refused := access.refusal(token, endpoint, parameters)) is not None:
            return refused, self.limits.take(token, endpoint, now)[0]
        headers, refused = self.limits.take(token, endpoint, now)
        if refused is not None:
            return refused, headers
        if is_job:
            return self.jobs.answer(method, path, parameters, body, now=now, url=url), headers
        if endpoint.largest_page and self.monthly_posts is not None and self.books.month(now) >= self.monthly_posts:
            told = {name: value for name, value in headers.items() if not name.endswith("reset")}
            return Answer(429, problems.usage_cap(), headers=told), headers
        answer = api.answer(self.world, path, parameters, now=now, gone=self.gone, naming=self.naming)
        return self.play.page(turn, answer, gone=self.gone, rest=lambda: self._rest(answer)), headers

    def _rest(self, answer: Answer) -> list[int]:
        assert answer.request is not None
        return [tweet.id for tweet in api.found(self.world, answer.request, self.gone)]

    def take_faults(self, body: bytes) -> None:
        """Set a script that was sent as JSON, or lift what is in force: {"lift": true}.

        Raises:
            ValueError: it is none.
        """
        if body.strip().replace(b" ", b"") == b'{"lift":true}':
            self.play.lift()
        else:
            self.set_faults(Script.from_json(body.decode("utf-8")))

    def take_gone(self, given: Any) -> None:
        """Enter ids that are gone, with their reasons: {"<id>": "deleted"}.

        Raises:
            ValueError: it is no such object.
        """
        if not isinstance(given, dict) or not all(name.isdecimal() and reason in compliance.REASONS for name, reason in given.items()):
            raise ValueError(f"wanted an object of ids, each with one of {', '.join(compliance.REASONS)}")
        self.gone.update({int(name): reason for name, reason in given.items()})
