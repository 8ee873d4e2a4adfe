"""What a raw document turns into (Record, Notice or Reject), and the fields that every shape writes in the same way.

Put here what two formats share. What only one shape of post has belongs to that shape's module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

#: Milliseconds since 1970 at which snowflake ids begin (facts/x-api.md); ids below FIRST_SNOWFLAKE were counted up instead.
SNOWFLAKE_EPOCH: Final = 1_288_834_974_657
FIRST_SNOWFLAKE: Final = 30_000_000_000
#: The first tweet was written on 2006-03-21; what claims to be older, or from the next century, has a broken clock.
EARLIEST: Final = datetime(2006, 3, 21, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
LARGEST_ID: Final = 2**63 - 1


@dataclass(slots=True)
class Record:
    """One version of one tweet; the fields are those of schema.RECORDS, in its units. `item` is the tweet's own part of the document."""

    tweet_id: int
    version_id: int
    created_at: datetime
    author_id: str | None
    text: str
    lang: str | None
    client: str | None
    is_retweet: bool
    is_quote: bool
    longitude: float | None = None
    latitude: float | None = None
    place_id: str | None = None
    place_name: str | None = None
    place_type: str | None = None
    place_country: str | None = None
    place_west: float | None = None
    place_south: float | None = None
    place_east: float | None = None
    place_north: float | None = None
    item: object = field(default=None, repr=False, compare=False)

    @property
    def geotagged(self) -> bool:
        """Whether the source said anything of where it was written: a point, or a place (even one without a box)."""
        return self.longitude is not None or self.place_id is not None or self.place_west is not None


@dataclass(frozen=True, slots=True)
class Deletion:
    """What has to go: one tweet, or (`author` given) all of an author's tweets up to that id.

    `countries`, where there are any: only what was written there, by the two letters of the tweet's place.
    """

    tweet_id: int
    reason: str
    author: str | None = None
    countries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """A message of the source that is no tweet, such as `delete` or an empty page.

    Attributes:
        kind: what it is counted by.
        at: when it was sent, where it says so.
        asks: what it asks to delete, where it does.
    """

    kind: str
    at: datetime | None = None
    asks: Deletion | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """Something that should have been a tweet and cannot be used. `detail` holds no content of the tweet but the value at fault."""

    reason: str
    detail: str = ""
    tweet_id: int | None = None


Outcome: TypeAlias = Record | Notice | Reject
Parse: TypeAlias = Callable[[object], Iterator[Outcome]]


class Format(Protocol):
    """What a format module's `build(**options)` returns.

    `order` says who is asked first (lowest first: the shapes that come by the million). `recognises` must not fail on any JSON value.
    `read` gives what the document holds; a wrapper hands what it wraps to `parse`.
    """

    order: int

    def recognises(self, document: object) -> bool:
        """Whether the document has this shape."""
        ...

    def read(self, document: Any, parse: Parse) -> Iterator[Outcome]:
        """What a recognised document holds, at least one outcome for every tweet in it."""
        ...


class Bad(ValueError):
    """A value that makes a tweet unusable; becomes a Reject. `reason` is a short name that is counted by."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def rejecting(make: Callable[..., Record], item: Mapping[str, Any], *others: object) -> Record | Reject:
    """The record that `make` builds from `item`, or the Reject that says which value was bad."""
    try:
        return make(item, *others)
    except Bad as bad:
        try:
            known: int | None = tweet_id(item)
        except Bad:
            known = None
        return Reject(bad.reason, bad.detail, known)


def shown(value: object) -> str:
    """A value at fault, cut short, for a Reject's detail."""
    try:
        text = repr(value)
    except RecursionError:
        # lists in lists, just so deep that they could still be parsed
        text = type(value).__name__
    return text if len(text) <= 80 else text[:77] + "..."


def keys_shown(document: Mapping[str, Any]) -> str:
    """The first keys of something that nobody knows, for a Reject's detail; half a surrogate pair, which no file can hold, is escaped."""
    return ", ".join(sorted(map(str, document))[:5]).encode("utf-8", "backslashreplace").decode()


def tweet_id(item: Mapping[str, Any]) -> int:
    """The id of a tweet: `id_str` before `id`, because archives that went through JavaScript have rounded numbers."""
    value = item.get("id_str")
    if value is None:
        value = item.get("id")
    if value is None:
        raise Bad("no_id")
    return whole_id(value)


def whole_id(value: object) -> int:
    """An id as an integer; a float is refused, since it has lost digits.

    Raises:
        Bad: not a positive whole number of at most 63 bits.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST_ID:
        raise Bad("bad_id", shown(value))
    return value


def author_id(*candidates: object) -> str | None:
    """The source's id of an author, of the first candidate that says something; None for a float too: it has lost digits."""
    value = next((candidate for candidate in candidates if candidate), None)
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else None


def versions(own: int, history: object) -> tuple[int, int]:
    """(first id of the edit history, id of this version); without a history both are the tweet's own id."""
    if not history:
        return own, own
    if not isinstance(history, list):
        raise Bad("bad_id", shown(history))
    return min(own, *map(whole_id, history)), own


def written_at(given: object, first: int, version: int) -> datetime:
    """When the first version was written, UTC, whole seconds.

    The field speaks for the version that carries it. Of a later edit, and where a page was asked for without the field, the first id's
    snowflake knows: its milliseconds, cut to the second, equal `created_at` on every one of 8,989 real posts tried (2014, 2016, 2019).
    """
    if given is not None:
        moment = instant(given)
        if first == version or first < FIRST_SNOWFLAKE:
            return moment
    elif first < FIRST_SNOWFLAKE:
        raise Bad("no_time")
    moment = datetime.fromtimestamp(((first >> 22) + SNOWFLAKE_EPOCH) // 1000, UTC)
    if not EARLIEST <= moment < LATEST:
        raise Bad("bad_time", shown(given))
    return moment


def instant(given: object) -> datetime:
    """A time as any shape writes it, in UTC and cut to the second: "Tue Nov 01 00:00:08 +0000 2022", or ISO 8601 (no zone: UTC).

    Raises:
        Bad: neither of these, or outside 2006-03-21..2099.
    """
    if not isinstance(given, str):
        raise Bad("bad_time", shown(given))
    moment = _instant(given)
    if moment is None or not EARLIEST <= moment < LATEST:
        raise Bad("bad_time", shown(given))
    return moment


_MONTHS: Final = {
    name: number
    for number, name in enumerate(("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1)
}


# posts of a stream share their seconds, so most are known already; strptime would be the slowest part of an import
@lru_cache(maxsize=8192)
def _instant(given: str) -> datetime | None:
    try:
        if given[:1].isdigit():
            moment = datetime.fromisoformat(given)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
        _, month, day, clock, zone, year = given.split(" ")
        hour, minute, second = clock.split(":")
        ahead = timedelta(hours=int(zone[:3]), minutes=int(zone[0] + zone[3:5]))
        at = datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=timezone(ahead))
        return at.astimezone(UTC)
    except (ValueError, KeyError, IndexError, OverflowError):
        return None


def milliseconds(given: object) -> datetime | None:
    """The moment of a `timestamp_ms` field, None where there is none that makes sense."""
    if isinstance(given, (str, int)) and str(given).isascii() and str(given).isdigit() and len(str(given)) <= 14:
        moment = datetime.fromtimestamp(int(given) / 1000, UTC)
        return moment if EARLIEST <= moment < LATEST else None
    return None


def optional_text(value: object) -> str | None:
    """A string that says something, else None."""
    return value if isinstance(value, str) and value else None


def table_of(value: object) -> Mapping[str, Any]:
    """The value if it is a JSON object, else an empty one: for fields that are null, missing or odd."""
    return value if isinstance(value, dict) else {}


def whole_text(*candidates: object) -> str:
    """The first of the candidates that is a string, the fullest named first.

    Raises:
        Bad: none is.
    """
    for candidate in candidates:
        if isinstance(candidate, str):
            return candidate
    raise Bad("no_text")


def number(value: object) -> float:
    """A number; NaN for anything else (numbers in strings too: none of the shapes writes them)."""
    if type(value) is float:
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def point(pair: object, *, latitude_first: bool = False) -> tuple[float, float] | None:
    """(longitude, latitude) in degrees of a GeoJSON point `{"coordinates": [..]}`; None where the field is null or `{}`.

    Args:
        pair: the field as found.
        latitude_first: for v1's old `geo` field, which has it the other way round.

    Raises:
        Bad: there is a point and it is none on earth.
    """
    if isinstance(pair, dict):
        pair = pair.get("coordinates")
    if pair is None:
        return None
    if not isinstance(pair, list) or len(pair) < 2:
        raise Bad("bad_point", shown(pair))
    longitude, latitude = number(pair[0]), number(pair[1])
    if latitude_first:
        longitude, latitude = latitude, longitude
    if not (abs(longitude) <= 180 and abs(latitude) <= 90):
        raise Bad("bad_point", shown(pair))
    return longitude, latitude


class PlaceBox(NamedTuple):
    """A place's box in degrees; west > east crosses the antimeridian; west = east is a point of interest."""

    west: float
    south: float
    east: float
    north: float


def place_box(west: object, south: object, east: object, north: object) -> PlaceBox:
    """A checked box.

    Raises:
        Bad: not four numbers on earth, or south of itself.
    """
    box = PlaceBox(number(west), number(south), number(east), number(north))
    if not (abs(box.west) <= 180 and abs(box.east) <= 180 and -90 <= box.south <= box.north <= 90):
        raise Bad("bad_place", shown([west, south, east, north]))
    return box


def ring_box(ring: object) -> PlaceBox:
    """The box of v1's ring of corners `[[lon, lat], ...]`, which is not closed and may have no surface."""
    try:
        longitudes, latitudes = [number(corner[0]) for corner in ring], [number(corner[1]) for corner in ring]  # type: ignore[attr-defined]
    except (TypeError, IndexError, KeyError) as error:
        raise Bad("bad_place", shown(ring)) from error
    if not longitudes:
        raise Bad("bad_place", shown(ring))
    west, east = min(longitudes), max(longitudes)
    # rings begin south-west (all 5,464 real ones tried): one that begins in the far east and has its opposite corner in the far west
    # goes over the antimeridian, where smallest and largest would span the whole globe the other way
    if len(longitudes) == 4 and east - west > 180 and longitudes[0] > longitudes[2]:
        west, east = longitudes[0], longitudes[2]
    # smallest and largest may pass over a NaN
    if math.isnan(sum(longitudes) + sum(latitudes)):
        raise Bad("bad_place", shown(ring))
    return place_box(west, min(latitudes), east, max(latitudes))


def locate(record: Record, place: Mapping[str, Any], box: Callable[[], PlaceBox | None]) -> Record:
    """Write the place into the record. A broken box is forgiven where an exact point decides anyway."""
    record.place_id = optional_text(place.get("id")) or optional_text(place.get("place_id"))
    record.place_name = optional_text(place.get("full_name")) or optional_text(place.get("name"))
    record.place_type = optional_text(place.get("place_type"))
    record.place_country = optional_text(place.get("country_code")) or optional_text(place.get("country"))
    try:
        found = box()
    except Bad:
        if record.longitude is None:
            raise
        found = None
    if found is not None:
        record.place_west, record.place_south, record.place_east, record.place_north = found
    return record
