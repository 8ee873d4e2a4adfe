"""One question to a counts endpoint that returns no post, for what it tells besides: is the token accepted, may it, and what time is it there?

No second try and no wait, unlike x_api.Client: whoever looks wants to see the fault.
"""

from __future__ import annotations

import email.utils
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from pipeline.days import Window
from pipeline.errors import PipelineError
from pipeline.sources import x_answers
from pipeline.sources.x_adapter import HOST, Adapter


@dataclass(frozen=True)
class Probe:
    """What came of it.

    Attributes:
        status: of the answer; None where none came.
        error: what an answer other than 200, or none, stands for.
        total: how many posts X counted in the window; None where it did not say.
        ahead: how far this machine's clock is ahead of the server's; None where that is not known.
        synthetic: the answer is made up (a sandbox's).
    """

    status: int | None
    error: PipelineError | None
    total: int | None = None
    ahead: timedelta | None = None
    synthetic: bool = False


def ask(token: str, base_url: str | None, endpoint: str, query: str, window: Window, *, timeout_seconds: float) -> Probe:
    """Ask `endpoint` ("counts/recent" or "counts/all") once.

    Args:
        token: the bearer token; it goes into the Authorization header and nowhere else.
        base_url: as for x_api.Client.
    """
    parameters = {"query": query, "granularity": "day", "start_time": _written(window.start), "end_time": _written(window.end)}
    with requests.Session() as session:
        session.mount(HOST, Adapter(base_url, timeout=timeout_seconds, on_request=lambda: None))
        # as in x_api.Client: an entry for the host in ~/.netrc must not replace the token
        session.auth = _leave
        headers = {"Authorization": f"Bearer {token}"}
        sent = datetime.now(UTC)
        try:
            response = session.get(f"{HOST}/2/tweets/{endpoint}", params=parameters, headers=headers, allow_redirects=False)
        except requests.RequestException as error:
            return Probe(None, x_answers.unreachable(error, base_url or HOST))
    ahead = _ahead(response, sent, datetime.now(UTC))
    synthetic = response.headers.get("x-geobeta-synthetic", "").lower() == "true"
    if response.status_code >= 300:
        return Probe(response.status_code, x_answers.refusal(response, endpoint, query), None, ahead, synthetic)
    total = _total(response)
    error = x_answers.no_counts(response, endpoint) if total is None else None
    return Probe(response.status_code, error, total, ahead, synthetic)


def _leave(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _ahead(response: requests.Response, sent: datetime, received: datetime) -> timedelta | None:
    """Our clock less theirs, as near to zero as the exchange allows: it was asked within [sent, received], and Date is cut to the second."""
    try:
        theirs = email.utils.parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
    except (KeyError, TypeError, ValueError):
        return None
    least, most = sent - theirs - timedelta(seconds=1), received - theirs
    return max(least, min(most, timedelta()))


def _total(response: requests.Response) -> int | None:
    """The number, under its old name or the one of August 2026 (facts/x-api.md)."""
    try:
        document: Any = response.json()
    except ValueError:
        return None
    meta = document.get("meta") if isinstance(document, dict) else None
    if not isinstance(meta, dict):
        return None
    for name in ("total_tweet_count", "total_post_count"):
        if isinstance(meta.get(name), int):
            return int(meta[name])
    return None
