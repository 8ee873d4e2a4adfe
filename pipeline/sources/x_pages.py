"""What an answer of the X API holds: a page of posts, or a page of counts, and what its reader needs of it. Old and renamed field names.

X renamed the fields on 2026-08-07 (tweet → post) without saying when the old names end: both are read (facts/x-api.md).
What an answer means that is neither, x_answers.py says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import requests

from pipeline.errors import SourceUnavailable, UnexpectedAnswer
from pipeline.sources import x_answers


@dataclass(frozen=True, slots=True)
class Page:
    """One page as received, and what its reader needs of it."""

    body: bytes
    status: int
    posts: int
    next_token: str | None
    oldest_id: int | None
    oldest_at: str | None
    synthetic: bool
    #: (id, created_at as written) of each post that has an id, in the answer's order
    written: tuple[tuple[int, str | None], ...] = ()
    #: what X says that it could not give beside the posts, a line each
    partial: tuple[str, ...] = ()


class Bucket(NamedTuple):
    """How many posts were written from `start` (in it) to `end` (not in it), both UTC."""

    start: datetime
    end: datetime
    posts: int


@dataclass(frozen=True, slots=True)
class Counts:
    """One page of counts as received: its buckets, oldest first, and `total`, the posts of all of them."""

    body: bytes
    status: int
    buckets: tuple[Bucket, ...]
    total: int
    next_token: str | None
    synthetic: bool


def read(response: requests.Response) -> Page:
    """Check a 200 and take from it what paging needs.

    Raises:
        SourceUnavailable: the body is no JSON (a gateway's HTML, a cut answer): trying again may help.
        UnexpectedAnswer: JSON, but no search answer.
    """
    meta, posts = _opened(response, "a page of posts", absent=[])
    named = [post for post in posts if isinstance(post, dict) and str(post.get("id", "")).isdigit()]
    oldest = min(named, key=lambda post: int(post["id"]), default=None)
    return Page(
        body=response.content,
        status=response.status_code,
        posts=len(posts),
        next_token=_token(meta),
        oldest_id=int(oldest["id"]) if oldest else None,
        oldest_at=oldest.get("created_at") if oldest else None,
        synthetic=_synthetic(response),
        written=tuple((int(post["id"]), post.get("created_at")) for post in named),
        # parsed a second time where it may be there: seldom
        partial=tuple(x_answers.partial(json.loads(response.content))) if b'"errors"' in response.content else (),
    )


def read_counts(response: requests.Response) -> Counts:
    """Check a 200 of the counts endpoint and take its buckets.

    Raises:
        SourceUnavailable: the body is no JSON.
        UnexpectedAnswer: JSON, but no counts; or a bucket without start, end and a number.
    """
    meta, listed = _opened(response, "a page of counts", absent=None)
    try:
        buckets = sorted(
            Bucket(_instant(entry["start"]), _instant(entry["end"]), _either(entry, "tweet_count", "post_count")) for entry in listed
        )
        total = _either(meta, "total_tweet_count", "total_post_count")
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedAnswer(
            f"got counts that cannot be read ({type(error).__name__}: {error}), wanted `start`, `end` and `tweet_count` or `post_count`",
            todo="see whether X_BASE_URL is the API, and whether the API has changed its answers",
        ) from error
    return Counts(response.content, response.status_code, tuple(buckets), total, _token(meta), _synthetic(response))


def _opened(response: requests.Response, wanted: str, *, absent: list[Any] | None) -> tuple[dict[str, Any], list[Any]]:
    """The answer's (meta, data); `absent` stands for data that are not there, None where they must be."""
    body = response.content
    try:
        document = json.loads(body)
    except ValueError as error:
        kind = response.headers.get("content-type", "no content type")
        raise SourceUnavailable(
            f"got {len(body)} bytes of {kind} that are no whole JSON with status {response.status_code}, wanted {wanted}",
            todo="usually passes; if not, see whether X_BASE_URL is the API",
        ) from error
    meta = document.get("meta") if isinstance(document, dict) else None
    data = document.get("data", absent) if isinstance(document, dict) else None
    if not isinstance(meta, dict) or not isinstance(data, list):
        told = "; ".join(x_answers.messages(document)) or f"a {type(document).__name__} of {len(body)} bytes"
        raise UnexpectedAnswer(
            f"got an answer of status {response.status_code} with {told}, wanted `data` (a list) and `meta`",
            todo="see whether X_BASE_URL is the API, and whether the API has changed its answers",
        )
    return meta, data


def _token(meta: dict[str, Any]) -> str | None:
    token = meta.get("next_token")
    return str(token) if token else None


def _synthetic(response: requests.Response) -> bool:
    return response.headers.get("x-geobeta-synthetic", "").lower() == "true"


def _either(entry: dict[str, Any], old: str, renamed: str) -> int:
    return int(entry[old] if old in entry else entry[renamed])


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
