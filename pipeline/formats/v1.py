"""Tweets of API v1.1: lines of streams and twarc 1, items of search, premium and CouchDB pages, entries of an X data export."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pipeline.formats._record import (
    Outcome,
    Parse,
    PlaceBox,
    Record,
    author_id,
    locate,
    optional_text,
    point,
    rejecting,
    ring_box,
    table_of,
    tweet_id,
    versions,
    whole_text,
    written_at,
)


class V1:
    """The shape with `id_str`, a `user` and "Tue Nov 01 00:00:08 +0000 2022"."""

    order = 10

    def recognises(self, document: object) -> bool:
        """Whether it has what only v1.1 has; a post spoiled in one field is still recognised by the others."""
        if not isinstance(document, dict):
            return False
        # "retweet_count" and "entities" hold even in exports, which have no user
        return "user" in document or (
            ("id_str" in document or "full_text" in document) and ("created_at" in document or "retweet_count" in document)
        )

    def read(self, document: Any, parse: Parse) -> Iterator[Outcome]:
        """One record, or one reject."""
        yield rejecting(_record, document)


def build() -> V1:
    """The format; it has no options."""
    return V1()


def _record(item: Mapping[str, Any]) -> Record:
    first, version = versions(tweet_id(item), history(item))
    user = table_of(item.get("user"))
    retweet = isinstance(item.get("retweeted_status"), dict)
    record = Record(
        tweet_id=first,
        version_id=version,
        created_at=written_at(item.get("created_at"), first, version),
        author_id=author_id(user.get("id_str"), user.get("id")),
        # a stream's long tweet has its text cut, the whole one is beside it; a retweet's own text is what it says itself
        text=whole_text(
            table_of(item.get("note_tweet")).get("text"),
            table_of(item.get("extended_tweet")).get("full_text"),
            item.get("full_text"),
            item.get("text"),
        ),
        lang=optional_text(item.get("lang")),
        client=client_name(item.get("source")),
        is_retweet=retweet,
        # v1 hands a retweet the flag of what it repeats; v2 does not, and one tweet must look the same in both
        is_quote=not retweet and (item.get("is_quote_status") is True or isinstance(item.get("quoted_status"), dict)),
        item=item,
    )
    where = point(item.get("coordinates")) or point(item.get("geo"), latitude_first=True)
    if where is not None:
        record.longitude, record.latitude = where
    place = table_of(item.get("place"))
    return locate(record, place, lambda: _box(place)) if place else record


def history(item: Mapping[str, Any]) -> object:
    """Ids of all versions: `edit_history` in late v1.1, `edit_info` in the X data export."""
    late = table_of(item.get("edit_history"))
    if late:
        return late.get("edit_tweet_ids") or ([late["initial_tweet_id"]] if late.get("initial_tweet_id") else None)
    info = table_of(item.get("edit_info"))
    initial = table_of(info.get("initial")).get("editTweetIds")
    edited = table_of(info.get("edit")).get("initialTweetId")
    return initial or ([edited] if edited else None)


def _box(place: Mapping[str, Any]) -> PlaceBox | None:
    bounds = place.get("bounding_box")
    # some countries of the early years come without a box
    if bounds is None or table_of(bounds).get("coordinates", 0) is None:
        return None
    rings = table_of(bounds).get("coordinates")
    return ring_box(rings[0] if isinstance(rings, list) and rings else rings)


def client_name(source: object) -> str | None:
    """The name of the program: v1 wraps it in a link `<a href=...>name</a>`, v2 does not."""
    return _client_name(source) if isinstance(source, str) else None


@lru_cache(maxsize=4096)
def _client_name(source: str) -> str | None:
    return html.unescape(re.sub(r"<[^>]*>", "", source)).strip() or None
