"""What a document holds, read a second time: straight from the facts about formats, without a line of pipeline/. Only tests use it.

Slow and plain on purpose: `json.loads` values in, dictionaries out. Where it and pipeline/formats/ differ, one of the two is wrong.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote_plus

EPOCH: Final = 1_288_834_974_657
#: Ids were counted up until 4 November 2010 and stood at 29.7 thousand millions; what is above are snowflakes.
FIRST_SNOWFLAKE: Final = 30_000_000_000
FIRST_TWEET: Final = datetime(2006, 3, 21, tzinfo=UTC)
NEXT_CENTURY: Final = datetime(2100, 1, 1, tzinfo=UTC)
MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
OLD_TIME: Final = re.compile(r"[^ ]* ([A-Z][a-z]{2}) (\d+) (\d+):(\d+):(\d+) ([+-])(\d\d)(\d\d) (\d+)", re.ASCII)
#: Events of v1.1 and v2 compliance streams: objects of one key; in v2 they stand in `data`.
EVENTS: Final = [
    *("delete", "drop", "user_delete", "user_suspend", "user_protect", "scrub_geo", "withheld", "status_withheld", "user_withheld"),
    *("undrop", "tweet_edit", "user_undelete", "user_unsuspend", "user_unprotect", "user_profile_modification"),
]
#: And what else v1.1 streams say; the last four of user streams.
STREAM_NOTICES: Final = [*EVENTS, "limit", "warning", "disconnect", "friends", "friends_str", "control", "direct_message"]

#: One outcome: ("record", the fields of schema.RECORDS without raw), ("notice", (kind, when it was sent or None)) or ("reject", reason).
Outcome = tuple[str, Any]


class Fault(Exception):
    """A value that makes a post unusable."""


def outcomes(document: Any, depth: int = 0) -> Iterator[Outcome]:
    """What a document holds, in order; at least one. Wrappers are opened up to eight deep."""
    shape = _shape(document)
    if shape is None or depth == 8:
        yield "reject", "unknown_shape"
    elif shape == "v1":
        yield _made(_v1, document)
    elif shape == "page":
        yield from _page(document)
    elif shape == "item":
        yield _item(document, {})
    elif shape == "row":
        yield "reject", "no_document"
    elif shape == "list":
        inner = document if isinstance(document, list) else _wrapped(document)
        if not inner:
            yield "notice", ("empty_page", None)
        for one in inner:
            yield from outcomes(one, depth + 1)
    else:
        yield "notice", (shape, _sent(document, shape))


def searches(document: Any) -> list[str]:
    """The queries that a document is an answer to: of twarc2's own note, of a v1.1 search page, of a premium page."""
    if isinstance(document, list):
        return [query for item in document if isinstance(item, dict) for query in searches(item)]
    document = _table(document)
    if "user" in document:
        # a post, whatever else it says
        return []
    url = _table(document.get("__twarc")).get("url")
    found = []
    if isinstance(url, str) and (query := re.search(r"[?&]query=([^&#]*)", url)):
        found.append(unquote_plus(query[1]))
    for told, listed in (("search_metadata", "statuses"), ("requestParameters", "results")):
        if isinstance(document.get(told), dict) and isinstance(document.get(listed), list):
            words = _said(document[told].get("query")) or "(its words are not in the file)"
            found.append(unquote_plus(words) if told == "search_metadata" else words)
    return found


def deleted(document: Any) -> int | None:
    """The tweet that a `delete` or `drop` asks to delete, by itself or as the `data` of a document; None where it is spoiled."""
    for notice in (_table(document), _table(_table(document).get("data"))):
        body = next((_table(notice[kind]) for kind in ("delete", "drop") if kind in notice), {})
        if tweet := _table(body.get("status") or body.get("tweet") or body.get("post")):
            try:
                return _id(tweet)
            except Fault:
                return None
    return None


# shapes --------------------------------------------------------------------------------------------------------------


def _shape(document: Any) -> str | None:
    """v1, page, item (of v2), list, row, or the kind of a notice; None for what nobody knows."""
    if isinstance(document, list):
        return "list"
    if not isinstance(document, dict):
        return None
    has = document.keys().__contains__
    if has("user") or ((has("id_str") or has("full_text")) and (has("created_at") or has("retweet_count"))):
        return "v1"
    if not has("id_str") and not has("full_text"):
        if isinstance(document.get("data", 0), (list, dict, type(None))):
            return "page"
        if not has("data") and (has("meta") or (has("includes") and not has("text"))):
            return "page"
        if _is_post(document) or (has("username") and has("id")) or (has("start") and (has("tweet_count") or has("post_count"))):
            return "item"
    if has("data") or has("text"):
        return None
    notice = _notice(document)
    if notice is not None:
        return notice
    if not has("full_text") and _wrapped(document) is not None:
        return "list"
    return "row" if not has("full_text") and has("id") and has("key") and has("value") else None


def _is_post(document: Mapping[str, Any]) -> bool:
    """Of v2, flattened or not, if one of its fields is spoiled too."""
    keys = document.keys()
    own = {"author_id", "conversation_id", "public_metrics", "edit_controls"}
    own |= {f"{name}_{noun}" for name in ("note",) for noun in ("tweet", "post")}
    own |= {f"edit_history_{noun}_ids" for noun in ("tweet", "post")} | {f"referenced_{noun}s" for noun in ("tweet", "post")}
    return not keys & {"username", "bbox", "member_count", "participant_count"} and (keys >= {"id", "text"} or bool(keys & own))


def _notice(document: Mapping[str, Any]) -> str | None:
    for kind in STREAM_NOTICES:
        if kind in document and len(document) <= 2:
            return kind
    if document.keys() >= {"id", "action", "reason"}:
        return "compliance"
    if document.keys() & {"meta", "includes"}:
        return None
    return "errors" if isinstance(document.get("errors"), list) or document.keys() >= {"title", "type", "detail"} else None


def _sent(notice: Mapping[str, Any], kind: str) -> datetime | None:
    given = str(_table(notice.get(kind)).get("timestamp_ms"))
    if not re.fullmatch("[0-9]{1,14}", given):
        return None
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(given))
    return moment if FIRST_TWEET <= moment < NEXT_CENTURY else None


def _wrapped(document: Mapping[str, Any]) -> list[Any] | None:
    for key in ("statuses", "results", "rows"):
        if isinstance(document.get(key), list):
            found: list[Any] = document[key]
            return found
    return next(([document[key]] for key in ("doc", "_source", "tweet") if isinstance(document.get(key), dict)), None)


def _page(page: Mapping[str, Any]) -> Iterator[Outcome]:
    data = page.get("data")
    listed = _table(page.get("includes")).get("places")
    known = [place for place in listed if isinstance(place, dict)] if isinstance(listed, list) else []
    places = {place["id"]: place for place in known if isinstance(place.get("id"), str)}
    if not data:
        yield "notice", ("errors" if page.get("errors") else "empty_page", None)
    elif isinstance(data, dict):
        yield _item(data, places)
    else:
        for item in data:
            yield _item(item, places)


def _item(item: Any, places: Mapping[str, Any]) -> Outcome:
    if not isinstance(item, dict):
        return "reject", "unknown_shape"
    if "username" in item:
        return "notice", ("user", None)
    if len(item) <= 2 and (kind := next((kind for kind in EVENTS if isinstance(item.get(kind), dict)), None)):
        return "notice", (kind, _sent(item, kind))
    if "text" not in item and ("tweet_count" in item or "post_count" in item):
        return "notice", ("counts", None)
    if "text" not in item and "id" not in item and not _is_post(item):
        return "reject", "unknown_shape"
    return _made(_v2, item, places)


# posts ---------------------------------------------------------------------------------------------------------------


def _made(make: Any, post: Mapping[str, Any], *others: Any) -> Outcome:
    try:
        return "record", make(post, *others)
    except Fault as fault:
        return "reject", str(fault)


def _v1(post: Mapping[str, Any]) -> dict[str, Any]:
    user = _table(post.get("user"))
    texts = (_table(post.get("note_tweet")).get("text"), _table(post.get("extended_tweet")).get("full_text"), post.get("full_text"))
    record = _base(post, _old_history(post), (*texts, post.get("text")), user.get("id_str") or user.get("id"))
    retweet = isinstance(post.get("retweeted_status"), dict)
    quote = post.get("is_quote_status") is True or isinstance(post.get("quoted_status"), dict)
    record |= {"is_retweet": retweet, "is_quote": quote and not retweet}
    point = _point(post.get("coordinates"), 0, 1) or _point(post.get("geo"), 1, 0)
    place = _table(post.get("place"))
    bounds = place.get("bounding_box")
    empty = bounds is None or (isinstance(bounds, dict) and "coordinates" in bounds and bounds["coordinates"] is None)
    return _located(record, point, place, place.get("id"), None if empty else lambda: _ring(_table(bounds).get("coordinates")))


def _old_history(post: Mapping[str, Any]) -> Any:
    """The ids of an edit's versions, as late v1.1 and the X data export give them."""
    late = _table(post.get("edit_history"))
    if late:
        return late.get("edit_tweet_ids") or ([late["initial_tweet_id"]] if late.get("initial_tweet_id") else None)
    info = _table(post.get("edit_info"))
    first = _table(info.get("edit")).get("initialTweetId")
    return _table(info.get("initial")).get("editTweetIds") or ([first] if first else None)


def _v2(post: Mapping[str, Any], places: Mapping[str, Any]) -> dict[str, Any]:
    history = post.get("edit_history_tweet_ids") or post.get("edit_history_post_ids")
    notes = [_table(post.get(name)).get("text") for name in ("note_tweet", "note_post")]
    author = post.get("author_id") or _table(post.get("author")).get("id")
    record = _base(post, history, (*notes, post.get("text")), author)
    listed = post.get("referenced_tweets") or post.get("referenced_posts")
    kinds = [_table(other).get("type") for other in listed] if isinstance(listed, list) else []
    record |= {"is_retweet": "retweeted" in kinds or "reposted" in kinds, "is_quote": "quoted" in kinds}
    geo = _table(post.get("geo"))
    included = _table(places.get(str(geo.get("place_id")))) if geo else {}
    merged = {**included, **geo}
    bounds = (_table(merged.get("geo")) or _table(included.get("geo"))).get("bbox")
    known = geo.get("place_id") or merged.get("id")
    return _located(record, _point(geo.get("coordinates"), 0, 1), merged, known, None if bounds is None else lambda: _box(bounds))


def _base(post: Mapping[str, Any], history: Any, texts: tuple[Any, ...], author: Any) -> dict[str, Any]:
    """The fields that both generations have, judged in this order: id, versions, time, text."""
    own = _id(post)
    if history and not isinstance(history, list):
        raise Fault("bad_id")
    first = min([own, *map(_whole, history or [])])
    moment = _written(post.get("created_at"), first, own)
    text = next((text for text in texts if isinstance(text, str)), None)
    if text is None:
        raise Fault("no_text")
    source = post.get("source")
    return {
        "tweet_id": first,
        "version_id": own,
        "created_at": moment,
        "author_id": str(author) if author and isinstance(author, (str, int)) and not isinstance(author, bool) else None,
        "text": text,
        "lang": _said(post.get("lang")),
        "client": _said(html.unescape(re.sub(r"<[^>]*>", "", source)).strip()) if isinstance(source, str) else None,
    }


def _located(
    record: dict[str, Any], point: Any, place: Mapping[str, Any], place_id: Any, bounds: Callable[[], Any] | None
) -> dict[str, Any]:
    box: Any = (None, None, None, None)
    if bounds is not None:
        try:
            box = bounds()
        except Fault:
            # beside a point, which decides alone, a broken box is forgiven
            if point is None:
                raise
    return record | {
        "longitude": point[0] if point else None,
        "latitude": point[1] if point else None,
        "place_id": _said(place_id) or _said(place.get("place_id")),
        "place_name": _said(place.get("full_name")) or _said(place.get("name")),
        "place_type": _said(place.get("place_type")),
        "place_country": _said(place.get("country_code")) or _said(place.get("country")),
        **dict(zip(("place_west", "place_south", "place_east", "place_north"), box, strict=True)),
    }


# values --------------------------------------------------------------------------------------------------------------


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _said(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


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
    """The field speaks for its own version; the id of the first tells when that was written."""
    moment = None if given is None else _instant(given)
    if moment is not None and (first == version or first < FIRST_SNOWFLAKE):
        return moment
    if first < FIRST_SNOWFLAKE:
        raise Fault("no_time")
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
    if not FIRST_TWEET <= moment < NEXT_CENTURY:
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
    pair = field.get("coordinates") if isinstance(field, dict) else field
    if pair is None:
        return None
    if not isinstance(pair, list) or len(pair) < 2 or (found := _on_earth(pair[x], pair[y])) is None:
        raise Fault("bad_point")
    return found


def _ring(rings: Any) -> tuple[float, float, float, float]:
    """The box of the first ring of corners."""
    ring = rings[0] if isinstance(rings, list) and rings else rings
    if not isinstance(ring, list) or not ring or not all(isinstance(corner, list) and len(corner) >= 2 for corner in ring):
        raise Fault("bad_place")
    longitudes, latitudes = [_number(corner[0]) for corner in ring], [_number(corner[1]) for corner in ring]
    if any(map(math.isnan, longitudes + latitudes)):
        raise Fault("bad_place")
    west, east = min(longitudes), max(longitudes)
    if len(ring) == 4 and east - west > 180 and longitudes[0] > longitudes[2]:
        # it begins in the far east and goes over the antimeridian
        west, east = longitudes[0], longitudes[2]
    return _box([west, min(latitudes), east, max(latitudes)])


def _box(bounds: Any) -> tuple[float, float, float, float]:
    if not isinstance(bounds, list) or len(bounds) != 4:
        raise Fault("bad_place")
    one, other = _on_earth(bounds[0], bounds[1]), _on_earth(bounds[2], bounds[3])
    if one is None or other is None or one[1] > other[1]:
        raise Fault("bad_place")
    return (*one, *other)
