"""Tweets of API v1.1, a line each: what formats/v1.py reads, where a tweet is as X wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import astuple

from pipeline import documents, formats
from pipeline.formats import Record
from pipeline.importing.columns import NOWHERE, Place, Written, place_of
from pipeline.importing.decoding._lines import Declined, Keep, Moments, decoded, whole_ids
from pipeline.importing.decoding._rows import Rows, keeping
from pipeline.importing.geotagged import Extract

#: With a smaller share of lines that have a place, it pays to look for one first.
SPARSE: Final = 0.4


class _Thing(msgspec.Struct, gc=False):
    """Any object; nothing of it is wanted."""


class _User(msgspec.Struct, gc=False):
    id_str: str


class _Point(msgspec.Struct, gc=False):
    coordinates: tuple[float, float] | None = None


class _Long(msgspec.Struct, gc=False):
    full_text: str | None = None


class _Note(msgspec.Struct, gc=False):
    text: str | None = None


# Fields stand in the order in which X wrote them: msgspec looks for a key from where it found the last one.
class _Tweet(msgspec.Struct, gc=False):
    created_at: str
    id_str: str
    user: _User
    text: str | None = None
    full_text: str | None = None
    source: str | None = None
    geo: _Point | None = None
    coordinates: _Point | None = None
    place: Raw = Raw()
    quoted_status: _Thing | None = None
    is_quote_status: bool | None = None
    extended_tweet: _Long | None = None
    note_tweet: _Note | None = None
    retweeted_status: _Thing | None = None
    edit_history: _Thing | None = None
    edit_info: _Thing | None = None
    lang: str | None = None


class _Plain(msgspec.Struct, gc=False):
    """As much of a tweet as tells that it has no place, and when it was written."""

    created_at: str
    id_str: str
    user: _Thing
    text: str | None = None
    full_text: str | None = None
    geo: _Thing | None = None
    coordinates: _Thing | None = None
    place: _Thing | None = None
    edit_history: _Thing | None = None
    edit_info: _Thing | None = None


class Tweets:
    """Lines of streams and of twarc 1."""

    def __init__(self, extract: Extract) -> None:
        self._extract = extract
        self._decode = msgspec.json.Decoder(_Tweet).decode
        self._decode_plain = msgspec.json.Decoder(_Plain).decode
        self._moments = Moments()
        self._places = Written(extract.columns.known_places, _place)
        self._clients = Written(extract.columns.known_clients, formats.client_name)
        self._langs = Written(extract.columns.known_langs, _lang)
        self._sparse = False

    def read(self, lines: Sequence[bytes]) -> Keep:
        """What has a place goes to the columns, the rest is counted."""
        return self._look_first(lines) if self._sparse else self._whole(lines)

    def _look_first(self, lines: Sequence[bytes]) -> Keep:
        """For streams of which a few in a hundred have a place."""
        tweets = decoded(self._decode_plain, lines)
        rows = len(tweets)
        created, ids, _, texts, full, *where, edits, infos = zip(*map(astuple, tweets), strict=True)
        if full.count(None) != rows:
            texts = tuple(map(_text, texts, full, repeat(None), repeat(None)))
        self._check(ids, texts, edits, infos)
        seconds = self._moments.seconds(created)
        located: list[int] = []
        keep_located: Keep | None = None
        if any(column.count(None) != rows for column in where):
            located = [row for row, found in enumerate(zip(*where, strict=True)) if found != (None, None, None)]
            keep_located = self._whole([lines[row] for row in located])
            for row in reversed(located):
                del seconds[row]

        def keep() -> None:
            if keep_located is not None:
                keep_located()
            self._extract.plain(seconds)
            self._sparse = len(located) < SPARSE * rows

        return keep

    def _whole(self, lines: Sequence[bytes]) -> Keep:
        tweets = decoded(self._decode, lines)
        rows = len(tweets)
        created, names, users, texts, full, sources, old, points, raws, quoted, quotes, long, notes, retweeted, edits, infos, langs = zip(
            *map(astuple, tweets), strict=True
        )
        if full.count(None) + long.count(None) + notes.count(None) != 3 * rows:
            texts = tuple(map(_text, texts, full, long, notes))
        ids = self._check(names, texts, edits, infos)
        known_places, known_clients, known_langs = self._places, self._clients, self._langs
        seconds = self._moments.seconds(created)
        authors = [user.id_str for user in users]
        if not all(authors):
            raise Declined
        places = [known_places[place] for place in map(bytes, raws)]
        where: Sequence[tuple[float, float] | None] = ()
        if points.count(None) + old.count(None) != 2 * rows:
            where = list(map(_point, points, old))
        if any(quotes) or quoted.count(None) != rows:
            quotes = tuple(map(_is_quote, quotes, quoted, retweeted))
        clients = [known_clients[source] for source in sources]
        spoken = [known_langs[lang] for lang in langs]
        keep_rows = keeping(self._extract, Rows(ids, seconds, authors, texts, spoken, clients, places, retweeted, quotes, where))
        few = places.count(0) > (1 - SPARSE) * rows and where.count(None) == len(where)

        def keep() -> None:
            keep_rows()
            self._sparse = few

        return keep

    def _check(self, ids: Sequence[str], texts: Sequence[str | None], edits: Sequence[object], infos: Sequence[object]) -> list[int]:
        """The ids as numbers, of tweets that are to be used as they stand."""
        if edits.count(None) + infos.count(None) != 2 * len(ids) or (not all(texts) and None in texts):
            raise Declined
        return whole_ids(ids)


def _text(short: str | None, full: str | None, long: _Long | None, note: _Note | None) -> str | None:
    if note is not None and note.text is not None:
        return note.text
    if long is not None and long.full_text is not None:
        return long.full_text
    return short if full is None else full


def _point(point: _Point | None, old: _Point | None) -> tuple[float, float] | None:
    if point is not None and point.coordinates is not None:
        longitude, latitude = point.coordinates
    elif old is not None and old.coordinates is not None:
        latitude, longitude = old.coordinates
    else:
        return None
    if not (abs(longitude) <= 180 and abs(latitude) <= 90):
        raise Declined
    return longitude, latitude


def _is_quote(told: bool | None, quoted: _Thing | None, retweeted: _Thing | None) -> bool:
    return retweeted is None and (told is True or quoted is not None)


def _lang(written: str | None) -> str | None:
    return written or None


def _place(written: bytes) -> Place:
    """What formats/v1.py makes of a place.

    Raises:
        Declined: it is broken, which is forgiven where there is a point.
    """
    if not written or written == b"null":
        return NOWHERE
    place = documents.parse_json(written)
    (outcome,) = formats.parse({"user": {}, "id_str": "1", "created_at": "Wed Mar 22 00:00:00 +0000 2006", "text": "", "place": place})
    if not isinstance(outcome, Record):
        raise Declined
    place = place_of(outcome)
    if not outcome.geotagged and place != NOWHERE:
        # a name alone is no place
        raise Declined
    return place
