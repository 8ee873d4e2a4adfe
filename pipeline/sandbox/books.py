"""The sandbox's books: every request it was sent, every post it gave and what it bills, in memory and as a plain log.

Prices and what is billed: facts/x-api.md. The list is the sandbox's own, so that a mistake in pipeline/prices.py shows in the tests.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

#: Dollars a post and a user returned; the same one in one UTC day is billed once (of users: belief, as that an expansion bills them).
POST_PRICE: Final = 0.005
USER_PRICE: Final = 0.010
#: Dollars a request of counts that was answered.
REQUEST_PRICES: Final = {"counts/recent": 0.005, "counts/all": 0.010}

_MARK_BYTES: Final = 8


class Books:
    """Tallies by endpoint and by UTC day, since the log began: a server that exits when idle and starts again goes on counting.

    Args:
        log: a line of JSON a request is added here; None keeps no file. It holds no id of a post: what was billed stands there as
            short digests, enough to know a post again on its day.
    """

    def __init__(self, log: Path | None) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._endpoints: dict[str, dict[str, Any]] = defaultdict(lambda: {**_nothing(), "posts": 0, "statuses": defaultdict(int)})
        self._days: dict[str, dict[str, Any]] = defaultdict(_nothing)
        self._billed: dict[str, set[bytes]] = {}
        if log is not None and log.exists():
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
                self._recall(line)

    def _recall(self, line: str) -> None:
        try:
            entry = json.loads(line)
            marks = base64.b64decode(entry.get("billed", ""))
            day = self._marks_of(entry["at"][:10])
            day.update(marks[at : at + _MARK_BYTES] for at in range(0, len(marks), _MARK_BYTES))
            # an older line, without what was billed: every post was new
            self._tally(entry, int(entry.get("posts_billed", entry["posts"])), int(entry.get("users_billed", 0)))
        except (ValueError, KeyError, TypeError):  # half a line, left by a kill
            return

    def _marks_of(self, day: str) -> set[bytes]:
        # what was billed on the days before yesterday is asked for no more
        for old in sorted(self._billed)[:-2]:
            del self._billed[old]
        return self._billed.setdefault(day, set())

    def _tally(self, entry: Mapping[str, Any], posts_billed: int, users_billed: int) -> None:
        endpoint, answered = entry["endpoint"], entry.get("answered", entry["status"] == 200)
        tally, day = self._endpoints[endpoint], self._days[entry["at"][:10]]
        dollars = posts_billed * POST_PRICE + users_billed * USER_PRICE + (REQUEST_PRICES.get(endpoint, 0.0) if answered else 0.0)
        for sums in (tally, day):
            sums["requests"] += 1
            sums["posts_billed"] += posts_billed
            sums["users_billed"] += users_billed
            sums["dollars"] += dollars
        tally["posts"] += entry["posts"]
        tally["statuses"][str(entry["status"])] += 1

    def enter(
        self,
        *,
        endpoint: str,
        status: int,
        now: datetime,
        parameters: Mapping[str, str],
        post_ids: Iterable[int] = (),
        user_ids: Iterable[int] = (),
        answered: bool | None = None,
        fault: str = "",
        number: int = 0,
    ) -> None:
        """Book one request before its answer goes out.

        Args:
            now: by the sandbox's clock: its UTC day is the day of the bill.
            parameters: hold no secret: the token travels in a header.
            post_ids, user_ids: what the answer holds.
            answered: whether it was an answer of the API; None: where the status is 200.
            fault: the kind of the scripted fault that it met.
            number: of the request, in the script.
        """
        posts = tuple(post_ids)
        shown = {name: parameters[name] for name in ("query", "start_time", "end_time", "max_results") if name in parameters}
        entry: dict[str, Any] = {"at": now.isoformat(timespec="milliseconds"), "endpoint": endpoint, "status": status, "posts": len(posts)}
        entry["answered"] = status == 200 if answered is None else answered
        with self._lock:
            known = self._marks_of(entry["at"][:10])
            new_posts = {_mark("post", name) for name in posts} - known
            new_users = {_mark("user", name) for name in user_ids} - known
            known |= new_posts | new_users
            self._tally(entry, len(new_posts), len(new_users))
            if self._log is not None:
                entry |= {"posts_billed": len(new_posts), "users_billed": len(new_users)}
                entry |= {"billed": base64.b64encode(b"".join(sorted(new_posts | new_users))).decode(), "fault": fault, "number": number}
                entry |= {"parameters": shown, "further_page": "next_token" in parameters or "until_id" in parameters}
                with open(self._log, "a", encoding="utf-8") as stream:
                    stream.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def month(self, now: datetime) -> int:
        """Posts billed in the UTC month of `now`."""
        with self._lock:
            return sum(int(sums["posts_billed"]) for day, sums in self._days.items() if day[:7] == now.isoformat()[:7])

    def as_dict(self) -> dict[str, Any]:
        """What was asked, given and billed.

        {"endpoints": {name: {requests, posts, posts_billed, users_billed, statuses, dollars}}, "days": {UTC day: {requests, posts_billed,
        users_billed, dollars}}, "requests", "posts", "posts_billed", "users_billed", "dollars"}
        """
        with self._lock:
            endpoints = {
                name: {**tally, "statuses": dict(tally["statuses"]), "dollars": round(tally["dollars"], 6)}
                for name, tally in self._endpoints.items()
            }
            days = {day: {**sums, "dollars": round(sums["dollars"], 6)} for day, sums in sorted(self._days.items())}
            dollars = sum(tally["dollars"] for tally in self._endpoints.values())
        names = ("requests", "posts", "posts_billed", "users_billed")
        totals = {key: sum(tally[key] for tally in endpoints.values()) for key in names}
        return {"endpoints": endpoints, "days": days, **totals, "dollars": round(dollars, 6)}


def _nothing() -> dict[str, Any]:
    return {"requests": 0, "posts_billed": 0, "users_billed": 0, "dollars": 0.0}


def _mark(kind: str, name: int) -> bytes:
    return hashlib.blake2b(f"{kind} {name}".encode(), digest_size=_MARK_BYTES).digest()
