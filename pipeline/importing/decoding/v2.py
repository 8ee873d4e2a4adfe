"""Tweets of API v2: pages and stream records, and flattened posts, as formats/v2.py reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from pipeline import documents, formats
from pipeline.formats import Bad, Record
from pipeline.importing.columns import NOWHERE, Place, Written, place_of
from pipeline.importing.decoding._lines import Declined, Keep, Moments, decoded, whole_ids
from pipeline.importing.decoding._rows import Rows, append
from pipeline.importing.geotagged import Extract


class _Point(msgspec.Struct, gc=False):
    coordinates: tuple[float, float] | None = None


class _Geo(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    place_id: str | None = None
    coordinates: _Point | None = None


class _Note(msgspec.Struct, gc=False):
    text: str | None = None


class _Reference(msgspec.Struct, gc=False):
    type: str


class _Author(msgspec.Struct, gc=False):
    id: str | None = None


class _Twarc(msgspec.Struct, gc=False):
    url: str | None = None


class _Post(msgspec.Struct, gc=False):
    """A post; with one of the last two it would be taken for something else."""

    id: str
    text: str
    created_at: str | None = None
    author_id: str | None = None
    edit_history_tweet_ids: list[str] | None = None
    edit_history_post_ids: list[str] | None = None
    note_tweet: _Note | None = None
    note_post: _Note | None = None
    referenced_tweets: list[_Reference] | None = None
    referenced_posts: list[_Reference] | None = None
    lang: str | None = None
    source: str | None = None
    id_str: UnsetType = UNSET
    username: UnsetType = UNSET


class _OfPage(_Post, gc=False):
    geo: _Geo | None = None
    author: UnsetType = UNSET


class _Includes(msgspec.Struct, gc=False):
    places: list[Raw] | None = None


class _Page(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    data: list[_OfPage] | _OfPage
    includes: _Includes | None = None
    meta: Raw = Raw()
    errors: Raw = Raw()
    matching_rules: Raw = Raw()
    twarc: _Twarc | None = msgspec.field(name="__twarc", default=None)


class _Flat(_Post, gc=False):
    """A post by itself; with one of the last few it would be taken for something else, or say more."""

    geo: Raw = Raw()
    author: _Author | None = None
    twarc: _Twarc | None = msgspec.field(name="__twarc", default=None)
    data: UnsetType = UNSET
    meta: UnsetType = UNSET
    user: UnsetType = UNSET
    full_text: UnsetType = UNSET
    bbox: UnsetType = UNSET
    member_count: UnsetType = UNSET
    participant_count: UnsetType = UNSET
    search_metadata: UnsetType = UNSET
    requestParameters: UnsetType = UNSET


Post = TypeVar("Post", "_OfPage", "_Flat")
Where = tuple[Place, tuple[float, float] | None]
#: Places kept as they were written, by their bytes.
MOST_PLACES: Final = 16_384
_SOMETHING: Final = {"id": "1", "text": "", "created_at": "2006-03-22T00:00:00.000Z"}


class _Posts(Generic[Post]):
    """What pages and single posts share."""

    def __init__(self, extract: Extract) -> None:
        self._extract = extract
        self._known = extract.columns.known_places
        self._moments = Moments()
        self._clients = Written(extract.columns.known_clients, formats.client_name)
        self._langs = Written(extract.columns.known_langs, lambda lang: lang or None)
        self._queries: dict[str, list[str]] = {}

    def _keeping(self, posts: Sequence[Post], author: Callable[[Post], str | None], where: Callable[[Post], Where]) -> Keep:
        """Puts the posts into the extract: most have no place, and are only looked at as far as tells whether they are good."""
        ids = whole_ids([post.id for post in posts])
        edited = self._to_first(posts, ids)
        written = [post.created_at for post in posts]
        told = [moment for moment in written if moment]
        if edited or len(told) < len(written):
            seconds = [self._moment(moment, ids[row], row in edited) for row, moment in enumerate(written)]
        else:
            seconds = self._moments.seconds(told)
        places = {row: found for row, post in enumerate(posts) if post.geo and (found := where(post)) != (NOWHERE, None)}
        located = [posts[row] for row in places]
        rows = Rows(
            [ids[row] for row in places],
            [seconds[row] for row in places],
            [author(post) for post in located],
            [post.text if post.note_tweet is None and post.note_post is None else _text(post) for post in located],
            [self._langs[post.lang] for post in located],
            [self._clients[post.source] for post in located],
            [self._known[place] for place, _ in places.values()],
            [_refers(post, RETWEETS) for post in located],
            [_refers(post, QUOTES) for post in located],
            [point for _, point in places.values()],
            {new: edited[row] for new, row in enumerate(places) if row in edited},
        )
        plain = [second for row, second in enumerate(seconds) if row not in places]

        def keep() -> None:
            self._extract.plain(plain)
            append(self._extract, rows)

        return keep

    def _to_first(self, posts: Sequence[Post], ids: list[int]) -> dict[int, int]:
        """Put the first id of its history for the id of an edited post; (row → id of the version, for these)."""
        histories = [post.edit_history_tweet_ids or post.edit_history_post_ids for post in posts]
        edited: dict[int, int] = {}
        for row, history in enumerate(histories) if any(histories) else ():
            if history and history != [posts[row].id] and (first := min(whole_ids(history))) < ids[row]:
                edited[row], ids[row] = ids[row], first
        return edited

    def _moment(self, written: str | None, first: int, is_edit: bool) -> int:
        if written is None or is_edit:
            try:
                return int(formats.written_at(written, first, 0).timestamp())
            except Bad as error:
                raise Declined from error
        return self._moments.seconds([written])[0]

    def _asked(self, twarc: _Twarc | None) -> list[str]:
        """The searches that twarc2 says it asked."""
        if twarc is None or twarc.url is None:
            return []
        if twarc.url not in self._queries:
            self._queries = {twarc.url: list(formats.searches({"__twarc": {"url": twarc.url}}))}
        return self._queries[twarc.url]


class Pages(_Posts[_OfPage]):
    """Pages of posts and stream records, a line each."""

    def __init__(self, extract: Extract) -> None:
        super().__init__(extract)
        self._decode = msgspec.json.Decoder(_Page).decode
        self._ids: dict[bytes, str | None] = {}
        self._places: dict[tuple[str, bytes], Place] = {}

    def read(self, lines: Sequence[bytes]) -> Keep:
        """What has a place goes to the columns, the rest is counted."""
        keeps = [self._page(page) for page in decoded(self._decode, lines)]

        def keep() -> None:
            for keep_page in keeps:
                keep_page()

        return keep

    def _page(self, page: _Page) -> Keep:
        posts = page.data if isinstance(page.data, list) else [page.data]
        if not posts:
            raise Declined
        queries = self._asked(page.twarc)
        places: dict[str, bytes] = {}
        for place in map(bytes, (page.includes.places if page.includes is not None else None) or ()):
            if (name := self._name(place)) is not None:
                places[name] = place
        if "None" in places:
            # formats/ looks for a place of that name where a post names none
            raise Declined
        keep_rows = self._keeping(posts, lambda post: post.author_id or None, lambda post: self._where(post.geo, places))

        def keep() -> None:
            self._extract.asked(queries)
            keep_rows()

        return keep

    def _where(self, geo: _Geo | None, places: Mapping[str, bytes]) -> Where:
        if geo is None:
            return NOWHERE, None
        point = _point(geo.coordinates)
        if geo.place_id is None:
            return NOWHERE, point
        key = (geo.place_id, places.get(geo.place_id, b""))
        place = self._places.get(key)
        if place is None:
            if len(self._places) >= MOST_PLACES:
                self._places.clear()
            listed = [documents.parse_json(key[1])] if key[1] else []
            post = {**_SOMETHING, "geo": {"place_id": geo.place_id}}
            place, _ = _read({"data": [post], "includes": {"places": listed}})
            self._places[key] = place
        return place, point

    def _name(self, place: bytes) -> str | None:
        if place not in self._ids:
            if len(self._ids) >= MOST_PLACES:
                self._ids.clear()
            parsed = documents.parse_json(place)
            name = parsed.get("id") if isinstance(parsed, dict) else None
            self._ids[place] = name if isinstance(name, str) else None
        return self._ids[place]


class Posts(_Posts[_Flat]):
    """Single posts, as twarc2 flattens them, a line each."""

    def __init__(self, extract: Extract) -> None:
        super().__init__(extract)
        self._decode = msgspec.json.Decoder(_Flat).decode
        self._places: dict[bytes, Where] = {}

    def read(self, lines: Sequence[bytes]) -> Keep:
        """What has a place goes to the columns, the rest is counted."""
        posts = decoded(self._decode, lines)
        queries = [query for post in posts for query in self._asked(post.twarc)]
        keep_rows = self._keeping(posts, _author, lambda post: self._where(bytes(post.geo)))

        def keep() -> None:
            self._extract.asked(queries)
            keep_rows()

        return keep

    def _where(self, geo: bytes) -> Where:
        if geo not in self._places:
            if len(self._places) >= MOST_PLACES:
                self._places.clear()
            self._places[geo] = _read({**_SOMETHING, "geo": documents.parse_json(geo)})
        return self._places[geo]


RETWEETS: Final = ("retweeted", "reposted")
QUOTES: Final = ("quoted",)


def _refers(post: _Post, kinds: tuple[str, ...]) -> bool:
    listed = post.referenced_tweets or post.referenced_posts
    return listed is not None and any(reference.type in kinds for reference in listed)


def _author(post: _Flat) -> str | None:
    return post.author_id or (post.author.id if post.author is not None else None) or None


def _text(post: _Post) -> str:
    for note in (post.note_tweet, post.note_post):
        if note is not None and note.text is not None:
            return note.text
    return post.text


def _point(point: _Point | None) -> tuple[float, float] | None:
    if point is None or point.coordinates is None:
        return None
    longitude, latitude = point.coordinates
    if not (abs(longitude) <= 180 and abs(latitude) <= 90):
        raise Declined
    return point.coordinates


def _read(document: object) -> Where:
    """What formats/v2.py makes of the place of the one post of a document.

    Raises:
        Declined: it is broken, or says a name alone, which is no place.
    """
    (outcome,) = formats.parse(document)
    if not isinstance(outcome, Record):
        raise Declined
    place = place_of(outcome)
    if not outcome.geotagged and place != NOWHERE:
        raise Declined
    point = None if outcome.longitude is None or outcome.latitude is None else (outcome.longitude, outcome.latitude)
    return place, point
