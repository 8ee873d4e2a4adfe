"""Tweets of API v2: response pages (also as twarc2 keeps them), stream records, flattened posts; old and renamed field names.

X renamed the fields on 2026-08-07 (tweet → post) without saying when the old names end: both are read (facts/x-api.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.formats._deleted import event
from pipeline.formats._record import (
    Bad,
    Notice,
    Outcome,
    Parse,
    PlaceBox,
    Record,
    Reject,
    author_id,
    keys_shown,
    locate,
    optional_text,
    place_box,
    point,
    rejecting,
    shown,
    table_of,
    tweet_id,
    versions,
    whole_text,
    written_at,
)
from pipeline.formats.v1 import client_name

#: Keys that v2 tweets have and v1 ones have not; one of them beside a spoiled `id` or `text` is enough.
OWN = frozenset(
    ("author_id", "edit_history_tweet_ids", "edit_history_post_ids", "referenced_tweets", "referenced_posts", "public_metrics",
     "conversation_id", "note_tweet", "note_post", "edit_controls")
)  # fmt: skip
#: A user or place object, should somebody have stored a list of them; a user has public_metrics too.
NOT_A_TWEET = ("username", "bbox", "member_count", "participant_count")


class V2:
    """Pages `{data, includes, meta}`, stream records `{data: {}}`, and single posts `{id, text}`."""

    order = 20

    def recognises(self, document: object) -> bool:
        """Whether it is a page, a stream record or a v2 post."""
        if not isinstance(document, dict) or "user" in document or "id_str" in document or "full_text" in document:
            return False
        return _is_page(document) or is_post(document) or is_other(document)

    def read(self, document: Any, parse: Parse) -> Iterator[Outcome]:
        """One outcome a post; a page without posts is one notice."""
        if _is_page(document):
            yield from _page(document)
        else:
            yield _one(document, {})


def build() -> V2:
    """The format; it has no options."""
    return V2()


def _is_page(document: Mapping[str, Any]) -> bool:
    if "data" in document:
        return isinstance(document["data"], (list, dict)) or document["data"] is None
    # the last page of a search may have nothing but its meta, or its includes
    return "meta" in document or ("includes" in document and "text" not in document)


def is_post(document: Mapping[str, Any]) -> bool:
    """Whether it is a single v2 post, as it is or flattened by twarc2."""
    if any(key in document for key in NOT_A_TWEET):
        return False
    return ("text" in document and "id" in document) or any(key in document for key in OWN)


def is_other(document: Mapping[str, Any]) -> bool:
    """Whether it is something else that v2 answers with: a user, a count of posts."""
    counts = "start" in document and ("tweet_count" in document or "post_count" in document)
    return counts or ("username" in document and "id" in document)


def _page(page: Mapping[str, Any]) -> Iterator[Outcome]:
    data = page.get("data")
    if not data:
        yield Notice("errors" if page.get("errors") else "empty_page")
        return
    includes = table_of(page.get("includes"))
    listed = includes.get("places")
    known = [place for place in listed if isinstance(place, dict)] if isinstance(listed, list) else []
    # by the id as text alone: a list or an object is no key of a dictionary
    places = {place["id"]: place for place in known if isinstance(place.get("id"), str)}
    for item in data if isinstance(data, list) else [data]:
        yield _one(item, places)


def _one(item: object, places: Mapping[str, Any]) -> Outcome:
    if not isinstance(item, dict):
        return Reject("unknown_shape", type(item).__name__)
    if "username" in item:
        return Notice("user")
    if (told := event(item)) is not None:
        # of a compliance stream
        return told
    if "text" not in item and ("tweet_count" in item or "post_count" in item):
        return Notice("counts")
    if not is_post(item) and "text" not in item and "id" not in item:
        return Reject("unknown_shape", keys_shown(item))
    return rejecting(_record, item, places)


def _record(item: Mapping[str, Any], places: Mapping[str, Any]) -> Record:
    history = item.get("edit_history_tweet_ids") or item.get("edit_history_post_ids")
    first, version = versions(tweet_id(item), history)
    kinds = _references(item)
    record = Record(
        tweet_id=first,
        version_id=version,
        created_at=written_at(item.get("created_at"), first, version),
        author_id=author_id(item.get("author_id"), table_of(item.get("author")).get("id")),
        text=whole_text(table_of(item.get("note_tweet")).get("text"), table_of(item.get("note_post")).get("text"), item.get("text")),
        lang=optional_text(item.get("lang")),
        client=client_name(item.get("source")),
        is_retweet=bool(kinds & {"retweeted", "reposted"}),
        is_quote="quoted" in kinds,
        item=item,
    )
    geo = table_of(item.get("geo"))
    # a post may say `coordinates: {}`, and a point may come without a place
    where = point(geo.get("coordinates"))
    if where is not None:
        record.longitude, record.latitude = where
    if not geo:
        return record
    # twarc2's flatten merges the place into `geo`; else it stands in the page's includes, or (seldom) nowhere
    place = {**table_of(places.get(str(geo.get("place_id")))), **geo}
    place["id"] = geo.get("place_id") or place.get("id")
    return locate(record, place, lambda: _box(place.get("geo"), places, geo))


def _box(merged: object, places: Mapping[str, Any], geo: Mapping[str, Any]) -> PlaceBox | None:
    found = table_of(merged) or table_of(table_of(places.get(str(geo.get("place_id")))).get("geo"))
    bounds = found.get("bbox")
    if bounds is None:
        return None
    if not isinstance(bounds, list) or len(bounds) != 4:
        raise Bad("bad_place", shown(bounds))
    return place_box(*bounds)


def _references(item: Mapping[str, Any]) -> set[str]:
    listed = item.get("referenced_tweets") or item.get("referenced_posts")
    if not isinstance(listed, list):
        return set()
    return {str(reference.get("type")) for reference in listed if isinstance(reference, dict)}
