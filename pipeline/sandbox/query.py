"""The X API's query language, the part of it that geobeta and its tests speak: parsed, checked, and asked of a made-up tweet.

AND (a space) binds before OR; parentheses group; `-` negates what follows. What X refuses is refused here, in words like its own.
Sources: facts/x-api.md and X's own pages "Build a query" and "Operators" (docs.x.com/x-api/posts/search/integrate, read 2026-11).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np

from pipeline import cover
from pipeline.boxes import EARTH_RADIUS_KM, BoundingBox
from pipeline.errors import SettingsError
from pipeline.sandbox import problems
from pipeline.sandbox.city import Tweet
from pipeline.sandbox.places import Place

#: Whether a tweet satisfies a part of a query.
Test: TypeAlias = Callable[[Tweet], bool]

MILE_KM: Final = 1.609344
TOKEN: Final = re.compile(r'\s+|(?P<open>\()|(?P<close>\))|(?P<not>-)(?=\S)|(?P<term>[a-z_]+:(?:\[[^\]]*\]|"[^"]*")|"[^"]*"|[^\s()"]+)')
#: Words end at punctuation, symbols and separators ("Operators", keyword); an underscore is punctuation too, and @ and # are: so the
#: words of a hashtag and of a mention are found (belief: read from the rule, not seen).
WORD: Final = re.compile(r"[^\W_]+")

#: How a region holds a place: as recorded from the real service, or as its documentation says (facts/x-api.md).
CONTAINMENTS: Final = ("recorded", "documented")


class QueryRefused(ValueError):
    """The query is none: the message is what a 400 would say."""


@dataclass(frozen=True)
class Query:
    """A parsed query. `stands_alone`: X wants at least one such part on every way through the query."""

    test: Test
    stands_alone: bool


def parse(text: str, *, limit: int = 1024, containment: str = "recorded") -> Query:
    """Parse a query.

    Args:
        limit: characters that it may have.
        containment: one of CONTAINMENTS.

    Raises:
        QueryRefused: it is too long, not well formed, uses an unknown operator, asks for too large a region, or has no part that
            may stand alone (facts/x-api.md).
    """
    if containment not in CONTAINMENTS:
        raise ValueError(f"got the containment {containment!r}, wanted one of {', '.join(CONTAINMENTS)}")
    if not text.strip():
        raise QueryRefused("'query' must not be empty")
    if len(text) > limit:
        raise QueryRefused(f"'query' must be at most {limit} characters; it has {len(text)}")
    parser = _Parser(_tokens(text), containment)
    query = parser.either()
    if parser.here()[0] != "end":
        raise QueryRefused(f"no viable alternative at input '{parser.here()[1]}'")
    if not query.stands_alone:
        raise QueryRefused("There must be at least one operator that may stand alone; is:, has: and lang: need another beside them")
    return query


def operators(text: str) -> tuple[str, ...]:
    """The names of the operators that a query uses, in its order: what an access level may lack.

    Raises:
        QueryRefused: a quote is not closed.
    """
    return tuple(word.partition(":")[0] for kind, word in _tokens(text) if kind == "term" and re.match(r"[a-z_]+:", word))


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise QueryRefused(f"missing closing quote at '{text[position : position + 20]}'")
        position = match.end()
        if match.lastgroup:
            kind = "or" if match.group() == "OR" else match.lastgroup
            found.append((kind, match.group()))
    return found


class _Parser:
    """Recursive descent: either := both (OR both)*; both := part+; part := - part | ( either ) | term."""

    def __init__(self, tokens: list[tuple[str, str]], containment: str) -> None:
        self.tokens = [*tokens, ("end", "<end>")]
        self.containment = containment
        self.position = 0

    def here(self) -> tuple[str, str]:
        return self.tokens[self.position]

    def take(self) -> tuple[str, str]:
        self.position += 1
        return self.tokens[self.position - 1]

    def either(self) -> Query:
        parts = [self.both()]
        while self.here()[0] == "or":
            self.take()
            parts.append(self.both())
        if len(parts) == 1:
            return parts[0]
        tests = tuple(part.test for part in parts)
        return Query(lambda tweet: any(test(tweet) for test in tests), all(part.stands_alone for part in parts))

    def both(self) -> Query:
        parts = [self.part()]
        while self.here()[0] in ("open", "not", "term"):
            parts.append(self.part())
        if len(parts) == 1:
            return parts[0]
        tests = tuple(part.test for part in parts)
        return Query(lambda tweet: all(test(tweet) for test in tests), any(part.stands_alone for part in parts))

    def part(self) -> Query:
        kind, text = self.take()
        if kind == "not":
            denied = self.part().test
            return Query(lambda tweet: not denied(tweet), False)
        if kind == "open":
            inner = self.either()
            if self.take()[0] != "close":
                raise QueryRefused("missing ')'")
            return inner
        if kind != "term":
            raise QueryRefused(f"no viable alternative at input '{text}'")
        return _term(text, self.containment)


def _term(text: str, containment: str) -> Query:
    operator, colon, value = text.partition(":")
    if colon and re.fullmatch(r"[a-z_]+", operator):
        if operator in REGIONS:
            return Query(REGIONS[operator](value, containment), True)
        if operator not in OPERATORS:
            raise QueryRefused(problems.unknown_operator(operator))
        make, alone = OPERATORS[operator]
        return Query(make(value), alone)
    if text.startswith("#"):
        # the whole tag, no part of it ("Operators", #)
        tag = _plain(text[1:])
        return Query(lambda tweet: tag in _hashtags(tweet.text), True)
    words = _words(text)
    if not words:
        symbol = text.strip('"')
        return Query(lambda tweet: symbol in tweet.text, True)
    return Query(lambda tweet: _has(_words(tweet.text), words), True)


def _plain(text: str) -> str:
    """Case does not matter, nor do accents: `Diacrítica` finds Diacritica ("Build a query"); the other way round too (enterprise search,
    "músic will match music and vice versa"; for these endpoints belief)."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in apart if not unicodedata.combining(character))


@lru_cache(maxsize=65536)
def _words(text: str) -> tuple[str, ...]:
    # what was written is searched, not how an answer escapes it: `&amp;` holds no word
    for escaped in ("&amp;", "&lt;", "&gt;"):
        text = text.replace(escaped, " ")
    return tuple(WORD.findall(_plain(text)))


def _has(words: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return any(words[start : start + len(wanted)] == wanted for start in range(len(words) - len(wanted) + 1))


@lru_cache(maxsize=65536)
def _hashtags(text: str) -> frozenset[str]:
    return frozenset(_plain(tag) for tag in re.findall(r"(?<!\w)#(\w+)", text))


def _numbers(value: str, count: int, wanted: str) -> list[str]:
    parts = value.strip("[]").split()
    if not (value.startswith("[") and value.endswith("]")) or len(parts) != count:
        raise QueryRefused(f"got '{value}', wanted {wanted}")
    return parts


def _degrees(parts: list[str], wanted: str) -> list[float]:
    try:
        return [float(part) for part in parts]
    except ValueError as error:
        raise QueryRefused(f"got {' '.join(parts)!r}, wanted {wanted}") from error


def _bounding_box(value: str, containment: str) -> Test:
    wanted = "bounding_box:[west_long south_lat east_long north_lat]"
    west, south, east, north = _degrees(_numbers(value, 4, wanted), wanted)
    # over the antimeridian a box must be split in two (facts/x-api.md)
    if west > east:
        raise QueryRefused("bounding_box: west_long must be less than east_long")
    try:
        box = BoundingBox(west, south, east, north)
    except SettingsError as error:
        raise QueryRefused(f"bounding_box: {error.what}") from error
    if max(cover.sides_miles(box)) >= cover.LIMIT_MILES:
        raise QueryRefused(f"bounding_box: width and height must be less than {cover.LIMIT_MILES:g}mi")
    return _within(lambda longitude, latitude: bool(box.contains(np.array([longitude]), np.array([latitude]))[0]), containment)


def _point_radius(value: str, containment: str) -> Test:
    wanted = "point_radius:[longitude latitude radius], the radius in mi or km"
    parts = _numbers(value, 3, wanted)
    longitude, latitude = _degrees(parts[:2], wanted)
    match = re.fullmatch(r"([0-9.]+)(mi|km)", parts[2])
    if match is None or abs(longitude) > 180 or abs(latitude) > 90:
        raise QueryRefused(f"got '{value}', wanted {wanted}")
    radius_km = _degrees([match[1]], wanted)[0] * (MILE_KM if match[2] == "mi" else 1.0)
    # "under 25 miles"; the answers recorded from the real service include a radius of 25mi itself
    if radius_km > cover.LIMIT_MILES * MILE_KM:
        raise QueryRefused(f"point_radius: radius must be less than {cover.LIMIT_MILES:g}mi")
    return _within(lambda east, north: distance_km(longitude, latitude, east, north) <= radius_km, containment)


def _within(inside: Callable[[float, float], bool], containment: str) -> Test:
    """The point inside; else the centre of the place (as recorded), or the whole of it (as documented): facts/x-api.md."""
    holds = _centre_inside if containment == "recorded" else _wholly_inside

    @lru_cache(maxsize=4096)
    def place_inside(place: Place) -> bool:
        return holds(inside, place)

    return lambda tweet: (tweet.point is not None and inside(*tweet.point)) or place_inside(tweet.place)


def _centre_inside(inside: Callable[[float, float], bool], place: Place) -> bool:
    return inside(*place.centre)


def _wholly_inside(inside: Callable[[float, float], bool], place: Place) -> bool:
    # boxes and circles of this size hold a box where they hold its corners; one across the antimeridian fits no box that X takes
    return all(inside(longitude, latitude) for longitude in (place.west, place.east) for latitude in (place.south, place.north))


def distance_km(longitude: float, latitude: float, other_longitude: float, other_latitude: float) -> float:
    """Great-circle distance between two points in degrees, by the haversine formula on a sphere of the mean radius."""
    one, other = math.radians(latitude), math.radians(other_latitude)
    half = math.radians(other_longitude - longitude) / 2
    square = math.sin((other - one) / 2) ** 2 + math.cos(one) * math.cos(other) * math.sin(half) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(square)))


def _place(value: str) -> Test:
    wanted = value.strip('"').casefold()
    return lambda tweet: wanted in (tweet.place.id, tweet.place.name.casefold(), tweet.place.full_name.casefold())


def _place_country(value: str) -> Test:
    if not re.fullmatch(r"[A-Za-z]{2}", value):
        raise QueryRefused(f"got place_country:{value}, wanted a code of two letters")
    return lambda tweet: tweet.place.country_code == value.upper()


def _lang(value: str) -> Test:
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z]{2,4})?", value):
        raise QueryRefused(f"got lang:{value}, wanted a language code such as es")
    return lambda tweet: tweet.lang == value


def _is(value: str) -> Test:
    tests: dict[str, Test] = {
        # a retweet has no place, and the made-up city has none
        "retweet": lambda tweet: False,
        "reply": lambda tweet: tweet.reference is not None and tweet.reference[0] == "replied_to",
        "quote": lambda tweet: tweet.reference is not None and tweet.reference[0] == "quoted",
    }
    return _one_of("is", value, tests)


def _has_operator(value: str) -> Test:
    tests: dict[str, Test] = {
        "geo": lambda tweet: True,
        "hashtags": lambda tweet: bool(_hashtags(tweet.text)),
        "mentions": lambda tweet: "@" in tweet.text,
        "links": lambda tweet: "https://" in tweet.text,
    }
    return _one_of("has", value, tests)


def _one_of(operator: str, value: str, tests: dict[str, Test]) -> Test:
    if value not in tests:
        raise QueryRefused(f"got {operator}:{value}, wanted one of {', '.join(tests)}")
    return tests[value]


#: The operators that ask for a region; they stand alone.
REGIONS: Final[dict[str, Callable[[str, str], Test]]] = {"bounding_box": _bounding_box, "point_radius": _point_radius}
#: Those that an access level may lack: they are about places (belief; only `place_country` was seen refused).
GEO: Final = frozenset({*REGIONS, "place", "place_country"})

#: Operator → how to make its test, and whether it may stand alone (facts/x-api.md).
OPERATORS: Final[dict[str, tuple[Callable[[str], Test], bool]]] = {
    "place": (_place, True),
    "place_country": (_place_country, True),
    "lang": (_lang, False),
    "is": (_is, False),
    "has": (_has_operator, False),
}
