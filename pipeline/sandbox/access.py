"""Who may ask for what, and how often: the sandbox's tokens, each an access level, and the limits of the endpoints."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pipeline.sandbox import problems
from pipeline.sandbox import query as language
from pipeline.sandbox.api import Answer
from pipeline.sandbox.asked import Endpoint, Refused

#: Token → what it may not. Any other token may everything, and none at all gets 401.
TOKENS: Final = {
    "sandbox": "everything",
    "sandbox-basic": "403 (client-not-enrolled) from search/all and counts/all",
    "sandbox-nogeo": "400 about the first operator that asks for a place",
    "sandbox-nocounts": "403 (client-not-enrolled) from counts",
    "sandbox-broke": "402: no credits",
    "sandbox-capped": "429 UsageCapExceeded, no reset",
    "sandbox-expired": "401",
}

#: Rates are counted in windows of 15 minutes.
RATE_SECONDS: Final = 900


def refusal(token: str, endpoint: Endpoint, parameters: Mapping[str, str]) -> Answer | None:
    """What this token is told instead of an answer, if it is told anything."""
    if not token or token == "sandbox-expired":
        return Answer(401, problems.unauthorized(), headers={})
    if token == "sandbox-broke":
        return Answer(402, problems.no_credits())
    if token == "sandbox-capped":
        limit = {"x-rate-limit-limit": str(endpoint.rate), "x-rate-limit-remaining": str(endpoint.rate - 1)}
        return Answer(429, problems.usage_cap(), headers=limit)
    kind, _, reach = endpoint.name.partition("/")
    if (token == "sandbox-basic" and reach == "all") or (token == "sandbox-nocounts" and kind == "counts"):
        return Answer(403, problems.not_enrolled())
    if token == "sandbox-nogeo":
        return _without_geo(parameters.get("query", ""))
    return None


def _without_geo(query: str) -> Answer | None:
    try:
        lacking = next((name for name in language.operators(query) if name in language.GEO), None)
    except language.QueryRefused:  # the endpoint itself will say so
        return None
    return None if lacking is None else Answer(400, Refused("query", query, problems.unknown_operator(lacking)).document)


class Limits:
    """How many requests each token has made of each endpoint in the running 15 minutes.

    Args:
        enforced: whether one too many is refused. Else the limits are told in the headers only: a demonstration should not wait 15 minutes.
    """

    def __init__(self, *, enforced: bool = False) -> None:
        self.enforced = enforced
        self._used: dict[tuple[str, str, int], int] = {}
        self._last: dict[tuple[str, str], datetime] = {}
        self._lock = threading.Lock()

    def take(self, token: str, endpoint: Endpoint, now: datetime) -> tuple[dict[str, str], Answer | None]:
        """Count one more request: the headers that tell of it, and the refusal where it is one too many."""
        window = int(now.timestamp()) // RATE_SECONDS
        with self._lock:
            used = self._used[token, endpoint.name, window] = self._used.get((token, endpoint.name, window), 0) + 1
            last = self._last.get((token, endpoint.name))
            self._last[token, endpoint.name] = now
        headers = {
            "x-rate-limit-limit": str(endpoint.rate),
            "x-rate-limit-remaining": str(max(endpoint.rate - used, 0)),
            "x-rate-limit-reset": str((window + 1) * RATE_SECONDS),
        }
        too_soon = last is not None and (now - last).total_seconds() < endpoint.spacing
        # the limit of one a second is told with `remaining` above 0 (facts/x-api.md)
        if self.enforced and (used > endpoint.rate or too_soon):
            return headers, Answer(429, problems.too_many())
        return headers, None
