"""Made-up posts in every shape that users' files have. `make_tweet(**changes)` is one valid v1.1 post; a test spoils one field of it."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

EPOCH = 1_288_834_974_657
NOON = datetime(2026, 11, 5, 18, 0, 0, tzinfo=UTC)
#: Inside the box of conftest.AREAS.
CITY = (-99.15, 19.40)
PLACE_BOX = (-99.20, 19.35, -99.10, 19.45)


def snowflake(moment: datetime = NOON, sequence: int = 0) -> int:
    """An id that X would give at that moment."""
    return ((round(moment.timestamp() * 1000) - EPOCH) << 22) + sequence


def old_time(moment: datetime) -> str:
    """A time as v1.1 writes it."""
    return moment.strftime("%a %b %d %H:%M:%S +0000 %Y")


def new_time(moment: datetime) -> str:
    """A time as v2 writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def ring(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    """A place's box as v1.1 has it: four corners from the south-west, not closed."""
    return {"type": "Polygon", "coordinates": [[[west, south], [west, north], [east, north], [east, south]]]}


def make_tweet(*, at: datetime = NOON, sequence: int = 0, **changes: Any) -> dict[str, Any]:
    """A v1.1 post with a point and a place. A change of `...` takes the key out."""
    number = snowflake(at, sequence)
    tweet = {
        "created_at": old_time(at),
        "id": number,
        "id_str": str(number),
        "text": "Mucho tráfico en el centro",
        "source": '<a href="http://example.org/app" rel="nofollow">Example &amp; Sons</a>',
        "truncated": False,
        "user": {"id": 7, "id_str": "7", "screen_name": "nobody"},
        "geo": {"type": "Point", "coordinates": [CITY[1], CITY[0]]},
        "coordinates": {"type": "Point", "coordinates": [CITY[0], CITY[1]]},
        "place": {
            "id": "00place1",
            "place_type": "city",
            "name": "Centro",
            "full_name": "Centro, Ciudad",
            "country_code": "MX",
            "country": "México",
            "bounding_box": ring(*PLACE_BOX),
        },
        "is_quote_status": False,
        "retweet_count": 0,
        "lang": "es",
    }
    return changed(tweet, changes)


def make_post(*, at: datetime = NOON, sequence: int = 0, **changes: Any) -> dict[str, Any]:
    """The same post as v2 gives it in a page's `data`: its place is in `includes`."""
    number = snowflake(at, sequence)
    post = {
        "id": str(number),
        "edit_history_tweet_ids": [str(number)],
        "author_id": "7",
        "created_at": new_time(at),
        "text": "Mucho tráfico en el centro",
        "lang": "es",
        "source": "Example & Sons",
        "geo": {"place_id": "00place1", "coordinates": {"type": "Point", "coordinates": [*CITY]}},
        "public_metrics": {"retweet_count": 0},
    }
    return changed(post, changes)


def make_place(**changes: Any) -> dict[str, Any]:
    """The place of make_post, as `includes.places` has it."""
    place = {
        "id": "00place1",
        "full_name": "Centro, Ciudad",
        "name": "Centro",
        "place_type": "city",
        "country": "México",
        "country_code": "MX",
        "geo": {"type": "Feature", "bbox": [*PLACE_BOX], "properties": {}},
    }
    return changed(place, changes)


def make_page(*posts: dict[str, Any], places: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    """A v2 response page of the posts (default: one)."""
    page = {
        "data": list(posts) or [make_post()],
        "includes": {"places": [make_place()] if places is None else places, "users": [{"id": "7", "username": "nobody"}]},
        "meta": {"result_count": len(posts) or 1, "newest_id": "1", "oldest_id": "1"},
    }
    return changed(page, changes)


def make_flat(**changes: Any) -> dict[str, Any]:
    """The same post after `twarc2 flatten`: author and place merged in."""
    flat = make_post()
    flat["author"] = {"id": "7", "username": "nobody"}
    flat["geo"] = {**make_place(), **flat["geo"]}
    flat["__twarc"] = {"url": "https://example.org", "version": "2", "retrieved_at": "2026-11-06T00:00:00+00:00"}
    return changed(flat, changes)


def make_renamed(**changes: Any) -> dict[str, Any]:
    """The same post by the names of August 2026."""
    post = make_post(**changes)
    if "edit_history_tweet_ids" in post:
        post["edit_history_post_ids"] = post.pop("edit_history_tweet_ids")
    if "referenced_tweets" in post:
        post["referenced_posts"] = post.pop("referenced_tweets")
    return post


def changed(value: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy with the changes made; `...` takes a key out."""
    value = copy.deepcopy(value) | changes
    return {key: inner for key, inner in value.items() if inner is not ...}


def shapes() -> dict[str, Any]:
    """The same made-up post in every shape that holds whole posts: all must read as one and the same record."""
    export = make_tweet(user=...)
    export["full_text"] = export.pop("text")
    return {
        "v1 line": make_tweet(),
        "v1 extended": make_tweet(text="Mucho…", truncated=True, extended_tweet={"full_text": "Mucho tráfico en el centro"}),
        "v1 full_text": make_tweet(text=..., full_text="Mucho tráfico en el centro"),
        "v1 search page": {"statuses": [make_tweet()], "search_metadata": {"count": 1}},
        "premium page": {"results": [make_tweet()], "next": "abc", "requestParameters": {}},
        "couchdb row": {"id": "1", "key": ["a", 2026], "value": {"type": "Feature"}, "doc": {"_id": "1", "_rev": "1-0", **make_tweet()}},
        "couchdb page": {"total_rows": 1, "offset": 0, "rows": [{"id": "1", "key": 1, "value": 1, "doc": make_tweet()}]},
        "elasticsearch hit": {"_index": "tweets", "_id": "1", "_source": make_tweet()},
        "list": [make_tweet()],
        "v2 page": make_page(),
        "v2 page of twarc2": make_page() | {"__twarc": {"url": "https://example.org", "version": "2"}},
        "v2 stream record": make_page() | {"data": make_post(), "matching_rules": [{"id": "1", "tag": "city"}]},
        "v2 flattened": make_flat(),
        "v2 renamed": make_page(make_renamed()),
        "v2 long note": make_page(make_post(text="Mucho…", note_tweet={"text": "Mucho tráfico en el centro"})),
        "v2 renamed note": make_page(make_renamed(text="Mucho…", note_post={"text": "Mucho tráfico en el centro"})),
        "data export": [{"tweet": export}],
    }


def notices() -> dict[str, Any]:
    """What is no post and no fault either."""
    return {
        "delete": {"delete": {"status": {"id": 1, "id_str": "1", "user_id": 7}}},
        "limit": {"limit": {"track": 12, "timestamp_ms": "1793815200123"}},
        "scrub_geo": {"scrub_geo": {"user_id": 7, "up_to_status_id": 1}},
        "status_withheld": {"status_withheld": {"id": 1, "withheld_in_countries": ["DE"]}},
        "user_withheld": {"user_withheld": {"id": 77, "withheld_in_countries": ["DE"]}},
        "warning": {"warning": {"code": "FALLING_BEHIND", "percent_full": 60}},
        "disconnect": {"disconnect": {"code": 4, "reason": "shutdown"}},
        "compliance": {"id": "1", "action": "delete", "created_at": "2026-11-05T18:00:00.000Z", "reason": "deleted"},
        "errors": {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"},
        "empty_page": {"meta": {"result_count": 0}},
        "counts": {"data": [{"start": "2026-11-05T00:00:00.000Z", "end": "2026-11-06T00:00:00.000Z", "tweet_count": 3}], "meta": {}},
        "user": {"data": [{"id": "7", "name": "Nobody", "username": "nobody", "public_metrics": {}}]},
    }


def lines(*documents: Any, end: str = "\n") -> bytes:
    """Documents as a file of one a line; a str is written as it is."""
    return "".join((text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)) + end for text in documents).encode()
