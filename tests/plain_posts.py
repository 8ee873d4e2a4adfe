"""What a document holds, read a second time: straight from the facts about formats, without a line of pipeline/. Only tests use it.

Slow and plain on purpose: `json.loads` values in, dictionaries out. Where it and pipeline/formats/ differ, one of the two is wrong.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

EPOCH: Final = 1_288_834_974_657
#: Ids were counted up until 4 November 2010; the snowflakes begin there.
FIRST_SNOWFLAKE: Final = 29_700_859_247
MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
OLD_TIME: Final = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d\d) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d) (\d{4})", re.ASCII)
STREAM_NOTICES: Final = ("delete", "limit", "scrub_geo", "status_withheld", "user_withheld", "warning", "disconnect")

#: One outcome: ("record", the fields of schema.RECORDS without raw), ("notice", kind) or ("reject", reason).
Outcome = tuple[str, Any]


class Fault(Exception):
    """A value that makes a post unusable."""


def outcomes(document: Any, depth: int = 0) -> Iterator[Outcome]:
    """What a document holds, in order; at least one."""
    if isinstance(document, list):
        yield from _list(document, depth)
    elif not isinstance(document, dict):
        yield "reject", "unknown_shape"
    elif _is_v1(document):
        yield _made(_v1, document)
    elif (kind := _notice(document)) is not None:
        yield "notice", kind
    elif (inner := _wrapped(document)) is not None:
        yield from _wrapping(inner, depth)
    elif "data" in document or "includes" in document or "meta" in document:
        yield from _page(document)
    elif _is_v2(document):
        yield _made(_v2, document, {})
    elif document.get("errors"):
        yield "notice", "errors"
    else:
        yield "reject", "unknown_shape"


# shapes --------------------------------------------------------------------------------------------------------------


def _is_v1(document: Mapping[str, Any]) -> bool:
    return "id_str" in document or ("user" in document and "text" in document) or "full_text" in document


def _is_v2(document: Mapping[str, Any]) -> bool:
    return "id" in document and "text" in document or "author_id" in document or "edit_history_tweet_ids" in document


def _notice(document: Mapping[str, Any]) -> str | None:
    for kind in STREAM_NOTICES:
        if len(document) == 1 and kind in document:
            return kind
    if "action" in document and "id" in document:
        return "compliance"
    if "title" in document and "type" in document and "text" not in document:
        return "errors"
    return None


def _wrapped(document: Mapping[str, Any]) -> Any:
    for key in ("statuses", "results", "rows"):
        if isinstance(document.get(key), list):
            return document[key]
    for key in ("doc", "_source", "tweet"):
        if isinstance(document.get(key), dict):
            return document[key]
    return None


def _wrapping(inner: Any, depth: int) -> Iterator[Outcome]:
    if depth > 8:
        yield "reject", "unknown_shape"
    else:
        yield from outcomes(inner, depth + 1)


def _list(items: list[Any], depth: int) -> Iterator[Outcome]:
    if not items:
        yield "notice", "empty_page"
    for item in items:
        yield from _wrapping(item, depth)


def _page(page: Mapping[str, Any]) -> Iterator[Outcome]:
    data = page.get("data")
    includes = page.get("includes")
    listed = includes.get("places") if isinstance(includes, dict) else None
    places = {place["id"]: place for place in listed or () if isinstance(place, dict) and isinstance(place.get("id"), str)}
    posts = data if isinstance(data, list) else [data] if data else []
    if not posts:
        yield "notice", "errors" if page.get("errors") else "empty_page"
    for post in posts:
        if not isinstance(post, dict):
            yield "reject", "unknown_shape"
        elif "tweet_count" in post or "post_count" in post:
            yield "notice", "counts"
        elif "username" in post:
            yield "notice", "user"
        else:
            yield _made(_v2, post, places)


# posts ---------------------------------------------------------------------------------------------------------------


def _made(make: Any, post: Mapping[str, Any], *others: Any) -> Outcome:
    try:
        return "record", make(post, *others)
    except Fault as fault:
        return "reject", str(fault)


def _v1(post: Mapping[str, Any]) -> dict[str, Any]:
    own = _id(post)
    info = _table(post.get("edit_info"))
    first = _table(post.get("edit_history")).get("initial_tweet_id") or _table(info.get("edit")).get("initialTweetId")
    history = first if first is None else [first]
    history = history or _table(info.get("initial")).get("editTweetIds")
    user = _table(post.get("user"))
    texts = (_table(post.get("note_tweet")).get("text"), _table(post.get("extended_tweet")).get("full_text"), post.get("full_text"))
    retweet = isinstance(post.get("retweeted_status"), dict)
    record = _base(own, history, post, (*texts, post.get("text")), user.get("id_str") or user.get("id"))
    source = post.get("source")
    if isinstance(source, str):
        link = re.fullmatch(r"\s*<a [^>]*>(.*)</a>\s*", source, re.DOTALL)
        record["client"] = _said(html.unescape(link[1] if link else source))
    record |= {"is_retweet": retweet, "is_quote": bool(post.get("is_quote_status")) and not retweet}
    point = _point(post.get("coordinates"), 0, 1) or _point(post.get("geo"), 1, 0)
    place = _table(post.get("place"))
    corners = _table(place.get("bounding_box")).get("coordinates")
    return _located(record, point, place, place.get("id"), _corners(corners) if corners is not None else None)


def _v2(post: Mapping[str, Any], places: Mapping[str, Any]) -> dict[str, Any]:
    own = _id(post)
    history = post.get("edit_history_tweet_ids", post.get("edit_history_post_ids"))
    notes = [_table(post.get(name)).get("text") for name in ("note_tweet", "note_post")]
    author = post.get("author_id") or _table(post.get("author")).get("id")
    record = _base(own, history, post, (*notes, post.get("text")), author)
    record["client"] = _said(post.get("source"))
    kinds = [_table(other).get("type") for other in post.get("referenced_tweets") or post.get("referenced_posts") or ()]
    record["is_retweet"] = "retweeted" in kinds or "reposted" in kinds
    record["is_quote"] = "quoted" in kinds and not record["is_retweet"]
    geo = _table(post.get("geo"))
    known = geo.get("place_id") or geo.get("id")
    place = places.get(known, geo) if isinstance(known, str) else geo
    bounds = _table(place.get("geo")).get("bbox")
    return _located(record, _point(geo.get("coordinates"), 0, 1), place, known, bounds)


def _base(own: int, history: Any, post: Mapping[str, Any], texts: tuple[Any, ...], author: Any) -> dict[str, Any]:
    """The fields that both generations have."""
    first = own
    if history:
        if not isinstance(history, list):
            raise Fault("bad_id")
        first = _whole(history[0])
    text = next((text for text in texts if isinstance(text, str)), None)
    moment = _written(post.get("created_at"), first, own)
    if text is None:
        raise Fault("no_text")
    return {
        "tweet_id": first,
        "version_id": own,
        "created_at": moment,
        "author_id": None if author is None or isinstance(author, bool) else str(author),
        "text": text,
        "lang": _said(post.get("lang")),
        "client": None,
    }


def _located(record: dict[str, Any], point: Any, place: Mapping[str, Any], place_id: Any, bounds: Any) -> dict[str, Any]:
    box: Any = (None, None, None, None)
    if bounds is not None:
        try:
            box = _box(bounds)
        except Fault:
            # the point decides alone
            if point is None:
                raise
    return record | {
        "longitude": point[0] if point else None,
        "latitude": point[1] if point else None,
        "place_id": _said(place_id),
        "place_name": _said(place.get("full_name")) or _said(place.get("name")),
        "place_type": _said(place.get("place_type")),
        "place_country": _said(place.get("country_code")),
        **dict(zip(("place_west", "place_south", "place_east", "place_north"), box, strict=True)),
    }


# values --------------------------------------------------------------------------------------------------------------


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _said(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _id(post: Mapping[str, Any]) -> int:
    given = post["id_str"] if post.get("id_str") is not None else post.get("id")
    if given is None:
        raise Fault("no_id")
    return _whole(given)


def _whole(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch("[0-9]{1,19}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**63:
        raise Fault("bad_id")
    return value


def _written(given: Any, first: int, version: int) -> datetime:
    if given is not None and first == version:
        return _instant(given)
    if first < FIRST_SNOWFLAKE:
        if given is None:
            raise Fault("no_time")
        return _instant(given)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=((first >> 22) + EPOCH) // 1000)


def _instant(given: Any) -> datetime:
    if not isinstance(given, str):
        raise Fault("bad_time")
    try:
        if old := OLD_TIME.fullmatch(given):
            month, day, hour, minute, second, sign, hours, minutes, year = old.groups()
            moment = datetime(int(year), MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
            ahead = timedelta(hours=int(hours), minutes=int(minutes))
            moment += ahead if sign == "-" else -ahead
        else:
            moment = datetime.fromisoformat(given)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Fault("bad_time") from None
    if not datetime(2006, 3, 21, tzinfo=UTC) <= moment < datetime(2100, 1, 1, tzinfo=UTC):
        raise Fault("bad_time")
    return moment.replace(microsecond=0)


def _number(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    return math.nan


def _on_earth(longitude: Any, latitude: Any) -> tuple[float, float] | None:
    pair = _number(longitude), _number(latitude)
    return pair if abs(pair[0]) <= 180 and abs(pair[1]) <= 90 else None


def _point(field: Any, x: int, y: int) -> tuple[float, float] | None:
    if field is None or field == {}:
        return None
    pair = _table(field).get("coordinates")
    if pair is None:
        return None
    if not isinstance(pair, list) or len(pair) < 2 or (found := _on_earth(pair[x], pair[y])) is None:
        raise Fault("bad_point")
    return found


def _corners(coordinates: Any) -> Any:
    """The box of a ring that begins in the south-west."""
    ring = coordinates[0] if isinstance(coordinates, list) and coordinates else None
    if not isinstance(ring, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in ring) or len(ring) < 4:
        return "none"
    west, east = ring[0][0], ring[2][0]
    return [west, ring[0][1], east, ring[2][1]]


def _box(bounds: Any) -> tuple[float, float, float, float]:
    if not isinstance(bounds, list) or len(bounds) != 4:
        raise Fault("bad_place")
    one, other = _on_earth(bounds[0], bounds[1]), _on_earth(bounds[2], bounds[3])
    if one is None or other is None or one[1] > other[1]:
        raise Fault("bad_place")
    return (*one, *other)
