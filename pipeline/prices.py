"""X's price list, in US dollars. The sandbox bills by a list of its own, so that a mistake here shows in the tests."""

from __future__ import annotations

from typing import Final

#: A post returned; the same post twice in one UTC day is paid once (pay per use since February 2026: facts/x-api.md).
POST_DOLLARS: Final = 0.005

#: A request that was answered, by endpoint; those that are not named cost nothing but their posts.
REQUEST_DOLLARS: Final = {"counts/recent": 0.005, "counts/all": 0.010}

#: Posts a month that pay per use ends at.
POSTS_A_MONTH: Final = 3_000_000


def dollars(endpoint: str, *, requests: int, posts: int) -> float:
    """What so many answered requests of an endpoint cost that returned so many posts not yet paid for that day."""
    return requests * REQUEST_DOLLARS.get(endpoint, 0.0) + posts * POST_DOLLARS
