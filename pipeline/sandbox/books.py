"""The sandbox's books: every request it was sent and every post it gave, in memory and as a plain log."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

#: What the real service bills a post and a request of its counts (facts/x-api.md), in dollars.
POST_PRICE: Final = 0.005
REQUEST_PRICES: Final = {"counts/recent": 0.005, "counts/all": 0.010}


class Books:
    """Tallies by endpoint, since the log began: a server that exits when idle and starts again goes on counting.

    Args:
        log: a line of JSON a request is added here; None keeps no file.
    """

    def __init__(self, log: Path | None) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._tallies: dict[str, dict[str, Any]] = defaultdict(lambda: {"requests": 0, "posts": 0, "statuses": defaultdict(int)})
        if log is not None and log.exists():
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
                self._recall(line)

    def _recall(self, line: str) -> None:
        try:
            entry = json.loads(line)
            self._tally(entry["endpoint"], entry["status"], entry["posts"])
        except (ValueError, KeyError, TypeError):  # half a line, left by a kill
            return

    def _tally(self, endpoint: str, status: int, posts: int) -> None:
        tally = self._tallies[endpoint]
        tally["requests"] += 1
        tally["posts"] += posts
        tally["statuses"][str(status)] += 1

    def enter(self, *, endpoint: str, status: int, posts: int, now: datetime, parameters: dict[str, str]) -> None:
        """Book one request. Parameters hold no secret: the token travels in a header."""
        shown = {name: parameters[name] for name in ("query", "start_time", "end_time", "max_results", "until_id") if name in parameters}
        entry = {"at": now.isoformat(timespec="milliseconds"), "endpoint": endpoint, "status": status, "posts": posts}
        line = json.dumps(entry | {"parameters": shown, "further_page": "next_token" in parameters}, ensure_ascii=False)
        with self._lock:
            self._tally(endpoint, status, posts)
            if self._log is not None:
                with open(self._log, "a", encoding="utf-8") as stream:
                    stream.write(line + "\n")

    def as_dict(self) -> dict[str, Any]:
        """{"endpoints": {name: {requests, posts, statuses, dollars}}, "requests", "posts", "dollars"}."""
        with self._lock:
            endpoints = {
                name: {**tally, "statuses": dict(tally["statuses"]), "dollars": round(_price(name, tally), 6)}
                for name, tally in self._tallies.items()
            }
        totals = {key: sum(tally[key] for tally in endpoints.values()) for key in ("requests", "posts")}
        return {"endpoints": endpoints, **totals, "dollars": round(sum(tally["dollars"] for tally in endpoints.values()), 6)}


def _price(endpoint: str, tally: dict[str, Any]) -> float:
    price: float = tally["posts"] * POST_PRICE + tally["statuses"].get("200", 0) * REQUEST_PRICES.get(endpoint, 0.0)
    return price
