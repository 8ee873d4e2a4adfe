"""Tweets of API v2: pages and stream records, and flattened posts, as formats/v2.py reads them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import compress
from operator import not_
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
Point = tuple[float, float]
Where = tuple[Place, Point | None]
#: Ways of writing places that are remembered by their bytes.
MOST_PLACES: Final = 16_384
_SOMETHING: Final = {"id": "1", "text": "", "created_at": "2006-03-22T00:00:00.000Z"}


class _Posts(Generic[Post]):
    """What pages and single posts share."""

    def __init__(self, extract: Extract) -> None:
        self._extract = extract
        self._moments = Moments()
        self._clients = Written(extract.columns.known_clients, formats.client_name)
        self._langs = Written(extract.columns.known_langs, lambda lang: lang or None)
        self._queries: dict[str, list[str]] = {}

    def _keeping(
        self,
        posts: Sequence[Post],
        author: Callable[[Post], str | None],
        places: Sequence[int],
        points: Mapping[int, Point],
        queries: Sequence[str],
    ) -> Keep:
        """Puts the posts into the extract: most have no place, and are only looked at as far as tells whether they are good.

        `places` has the number of each post's place; `points` is row → point, where there is one; `queries` are searches they answer.
        """
        ids, edited = self._first_ids(posts)
        seconds = self._seconds(posts, ids, edited)
        has_place = [place > 0 or row in points for row, place in enumerate(places)]
        chosen = list(compress(range(len(posts)), has_place))
        located = list(compress(posts, has_place))
        rows = Rows(
            list(compress(ids, has_place)),
            list(compress(seconds, has_place)),
            [author(post) for post in located],
            [post.text if post.note_tweet is None and post.note_post is None else _text(post) for post in located],
            [self._langs[post.lang] for post in located],
            [self._clients[post.source] for post in located],
            list(compress(places, has_place)),
            [_refers(post, RETWEETS) for post in located],
            [_refers(post, QUOTES) for post in located],
            [points.get(row) for row in chosen],
            {new: edited[row] for new, row in enumerate(chosen) if row in edited},
        )
        plain = list(compress(seconds, map(not_, has_place)))

        def keep() -> None:
            self._extract.asked(queries)
            self._extract.plain(plain)
            append(self._extract, rows)

        return keep

    def _first_ids(self, posts: Sequence[Post]) -> tuple[list[int], dict[int, int]]:
        """(the first id of each post's history, (posts,); row → id of the version, for the edited ones)."""
        ids = whole_ids([post.id for post in posts])
        histories = [post.edit_history_tweet_ids or post.edit_history_post_ids for post in posts]
        edited: dict[int, int] = {}
        for row, history in enumerate(histories) if any(histories) else ():
            if history and history != [posts[row].id] and (first := min(whole_ids(history))) < ids[row]:
                edited[row], ids[row] = ids[row], first
        return ids, edited

    def _seconds(self, posts: Sequence[Post], ids: Sequence[int], edited: Collection[int]) -> list[int]:
        """When each was first written, since 1970, (posts,): what an edit does not say, and posts without the field, their ids know."""
        told = [moment for post in posts if (moment := post.created_at) is not None]
        if len(told) == len(posts) and not edited:
            return self._moments.seconds(told)
        found = iter(self._moments.seconds(told))
        seconds = [0 if post.created_at is None else next(found) for post in posts]
        for row in {*edited, *(row for row, post in enumerate(posts) if post.created_at is None)}:
            try:
                seconds[row] = int(formats.written_at(posts[row].created_at, ids[row], 0).timestamp())
            except Bad as error:
                raise Declined from error
        return seconds

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
        self._known = extract.columns.known_places
        self._listed = Written(self._known, _listed_place)
        self._unlisted = Written(self._known, lambda name: _named_place(name, []))

    def read(self, lines: Sequence[bytes]) -> Keep:
        """What has a place goes to the columns, the rest is counted."""
        posts: list[_OfPage] = []
        places: list[int] = []
        queries: list[str] = []
        for page in decoded(self._decode, lines):
            some = page.data if isinstance(page.data, list) else [page.data]
            if not some:
                raise Declined
            posts += some
            places += self._numbers([None if post.geo is None else post.geo.place_id for post in some], page.includes)
            queries += self._asked(page.twarc)
        points = {row: point for row, post in enumerate(posts) if post.geo is not None and (point := _point(post.geo.coordinates))}
        return self._keeping(posts, lambda post: post.author_id or None, places, points, queries)

    def _numbers(self, names: Sequence[str | None], includes: _Includes | None) -> Iterable[int]:
        """The number of the place that each post of a page names."""
        listed = [self._listed[place] for place in map(bytes, (includes.places if includes is not None else None) or ())]
        # a place's first column is its name
        numbers = {self._known.rows[number][0]: number for number in listed}
        numbers[None] = 0
        for name in set(names) - numbers.keys():
            numbers[name] = self._unlisted[name]
        return map(numbers.__getitem__, names)


class Posts(_Posts[_Flat]):
    """Single posts, as twarc2 flattens them, a line each."""

    def __init__(self, extract: Extract) -> None:
        super().__init__(extract)
        self._decode = msgspec.json.Decoder(_Flat).decode
        self._geos: dict[bytes, Where] = {}
        self._known = extract.columns.known_places

    def read(self, lines: Sequence[bytes]) -> Keep:
        """What has a place goes to the columns, the rest is counted."""
        posts = decoded(self._decode, lines)
        geos = {row: bytes(post.geo) for row, post in enumerate(posts) if post.geo}
        places = [self._known[self._where(geos[row])[0]] if row in geos else 0 for row in range(len(posts))]
        points = {row: point for row, geo in geos.items() if (point := self._where(geo)[1])}
        queries = [query for post in posts if post.twarc for query in self._asked(post.twarc)]
        return self._keeping(posts, _author, places, points, queries)

    def _where(self, geo: bytes) -> Where:
        if geo not in self._geos:
            if len(self._geos) >= MOST_PLACES:
                self._geos.clear()
            self._geos[geo] = _read({**_SOMETHING, "geo": documents.parse_json(geo)})
        return self._geos[geo]


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


def _point(point: _Point | None) -> Point | None:
    if point is None or point.coordinates is None:
        return None
    longitude, latitude = point.coordinates
    if not (abs(longitude) <= 180 and abs(latitude) <= 90):
        raise Declined
    return point.coordinates


def _listed_place(written: bytes) -> Place:
    """What formats/v2.py makes of a place that a page lists, for the posts that name it; NOWHERE if none can."""
    place = documents.parse_json(written)
    name = place.get("id") if isinstance(place, dict) else None
    if not isinstance(name, str):
        return NOWHERE
    # formats/ looks for a place called None where a post names none
    if name in ("", "None"):
        raise Declined
    return _named_place(name, [place])


def _named_place(name: str, listed: Sequence[object]) -> Place:
    place, _ = _read({"data": [{**_SOMETHING, "geo": {"place_id": name}}], "includes": {"places": listed}})
    return place


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
