"""Takes tweets out of a JSON document of any shape, and their ids out of what others say of them. Not a format; what formats share."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.formats._record import Bad, table_of, tweet_id, whole_id
from pipeline.formats.v1 import history

#: What a v2 post says of another: not a post itself, and what kind it is must stay (a quote stays a quote).
REFERENCE: Final = {"id", "type"}
#: The first geotagged tweets, of November 2009, have ids of ten digits; shorter numbers are prices and years.
_DIGITS: Final = 10
_RUNS: Final = re.compile(rf"(?<![0-9])[0-9]{{{_DIGITS},19}}(?![0-9])")
_GONE: Final = object()


@dataclass(slots=True)
class Scrubber:
    """Takes out what is gone; `removed` gathers the ids of the tweets taken out, those of their other versions too, and why.

    Args:
        reason: why the tweet of this id is gone; None where it is not.
        hidden: why the tweet of this author, id and country (two letters; None: not known) is gone for one of these; None where it is not.
        places: those that stay in a page though none of its posts needs them.
    """

    reason: Callable[[int], str | None]
    hidden: Callable[[object, int, str | None], str | None]
    places: frozenset[str] = frozenset()
    removed: dict[int, str] = field(default_factory=dict)
    _countries: dict[str, object] = field(default_factory=dict)

    def document(self, document: Any) -> Any:
        """The document without them; None where nothing is left. A page loses the places and users that no post of it needs any more."""
        self._countries = _countries(document)
        left = self._without(document)
        if left is _GONE:
            return None
        if isinstance(left, dict) and self.removed:
            _tidy_page(left, self.places)
        return left

    def _without(self, value: Any) -> Any:
        if isinstance(value, dict):
            if self._is_gone(value):
                return _GONE
            kept = ((key, self._without(inner)) for key, inner in value.items())
            return {key: inner for key, inner in kept if inner is not _GONE}
        if isinstance(value, list):
            return [inner for inner in map(self._without, value) if inner is not _GONE]
        if isinstance(value, str):
            return _RUNS.sub(lambda run: run[0] if self.reason(int(run[0])) is None else "0", value) if len(value) >= _DIGITS else value
        if isinstance(value, int) and not isinstance(value, bool) and value >= 10 ** (_DIGITS - 1) and self.reason(value):
            return 0
        return value

    def _is_gone(self, item: Mapping[str, Any]) -> bool:
        if not ("id" in item or "id_str" in item) or item.keys() <= REFERENCE or "username" in item or "screen_name" in item:
            return False
        try:
            own = tweet_id(item)
        except Bad:
            # a place has letters in its id; so has nothing that is a tweet
            return False
        every = {own, *_versions(item)}
        author = item.get("author_id") or table_of(item.get("user")).get("id_str") or table_of(item.get("user")).get("id")
        why = next(filter(None, map(self.reason, sorted(every))), None)
        why = why or self.hidden(author, own, self._country(item))
        if why is None:
            return False
        self.removed |= dict.fromkeys(every, why)
        return True

    def _country(self, item: Mapping[str, Any]) -> str | None:
        """Where it was written, as formats/ say it: from its own place, or the page's list of them."""
        geo = table_of(item.get("geo"))
        found = table_of(item.get("place")).get("country_code") or geo.get("country_code")
        found = found or self._countries.get(str(geo.get("place_id")))
        return found if isinstance(found, str) else None


def _countries(document: object) -> dict[str, object]:
    """Place → country, of those that a v2 page includes."""
    listed = table_of(table_of(document).get("includes")).get("places")
    places = [place for place in listed if isinstance(place, dict)] if isinstance(listed, list) else []
    return {str(place.get("id")): place.get("country_code") for place in places}


def _versions(item: Mapping[str, Any]) -> set[int]:
    listed = item.get("edit_history_tweet_ids") or item.get("edit_history_post_ids") or history(item)
    try:
        return {whole_id(version) for version in listed} if isinstance(listed, list) else set()
    except Bad:
        return set()


def _tidy_page(page: dict[str, Any], places: frozenset[str]) -> None:
    """Bring a v2 page's includes and meta in line with the posts that are left."""
    data = page.get("data")
    posts = [post for post in (data if isinstance(data, list) else [data]) if isinstance(post, dict)]
    includes = page.get("includes")
    if isinstance(includes, dict):
        told = [*posts, *(post for name in ("tweets", "posts") for post in includes.get(name) or () if isinstance(post, dict))]
        needed = {
            "places": {*places, *(table_of(post.get("geo")).get("place_id") for post in told)},
            "users": {post.get("author_id") for post in told},
        }
        for name, named in needed.items():
            if isinstance(includes.get(name), list):
                includes[name] = [entry for entry in includes[name] if table_of(entry).get("id") in named]
    meta = page.get("meta")
    if isinstance(meta, dict):
        ids = sorted((str(post["id"]) for post in posts if str(post.get("id", "")).isdecimal()), key=int)
        for name, number in (("oldest_id", 0), ("newest_id", -1)):
            if name in meta:
                meta.pop(name) if not ids else meta.update({name: ids[number]})
        if "result_count" in meta:
            meta["result_count"] = len(posts)
