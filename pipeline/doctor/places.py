"""Boxes: do they lie where their time zone is, are their numbers in order, is their size one that X can be asked for?"""

from __future__ import annotations

import importlib.resources
import math
import re
import zoneinfo
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from pipeline import extract
from pipeline.boxes import EARTH_RADIUS_KM, BoundingBox
from pipeline.doctor.finding import Finding, fault, ok, refused, warning
from pipeline.errors import SettingsError
from pipeline.settings import Area
from pipeline.sources import x_endpoints

#: Hours between a place's clock and its sun. Of the tz database's 418 places none has more than 2.3 (America/Dawson); China's west has 3.1.
MOST_HOURS: Final = 3.5
#: Swapped numbers: so far from the zone's own place as they stand, and nearer than the second figure the other way round.
FAR_KM, NEAR_KM = 3000.0, 1500.0
#: Smaller than a stadium: hardly any post's place lies in it.
SMALL_KM2: Final = 0.05
#: Requests that the endpoints answer in a quarter of an hour (facts/x-api.md); counts/recent and counts/all: 300 as well.
RATES: Final = {x_endpoints.RECENT.name: 450, x_endpoints.ALL.name: 300}


def look(area: Area, now: datetime) -> Iterator[Finding]:
    """Everything about one area."""
    yield from box(area, now)
    if area.source == "archive":
        yield ok(f"[{area.name}] queries", 'none: its source is "archive"')
    else:
        yield from queries(area)


def box(area: Area, now: datetime) -> Iterator[Finding]:
    """Where it lies and how large it is."""
    check = f"[{area.name}] box"
    if turned := _swapped(area):
        yield fault(
            check,
            f"{area.box} lies far from {area.timezone}; with longitudes and latitudes exchanged it would not",
            f'the order is west,south,east,north: write box = "{turned}" in areas.toml',
        )
        return
    hours, sun = hours_apart(area.box, area.zone, now)
    if abs(hours) > MOST_HOURS:
        yield fault(
            check,
            f"{area.box} keeps the sun's time of about UTC{sun:+.0f}, and {area.timezone} is {abs(hours):.0f} hours off that",
            "see box and timezone in areas.toml: days would begin at the wrong hour",
        )
        return
    surface = area.box.surface_km2
    if surface < SMALL_KM2:
        yield warning(
            check, f"{area.box} has {surface * 1e6:,.0f} m²: hardly a post's place lies in it", "see the area's box; draw a larger one"
        )
        return
    yield ok(check, f"{surface:,.{0 if surface >= 10 else 2}f} km², and its longitude fits {area.timezone}")


def queries(area: Area) -> Iterator[Finding]:
    """How many, how long, and whether the endpoints answer so many in a quarter of an hour."""
    check = f"[{area.name}] queries"
    try:
        clauses = extract.clauses(area)
        made = {name: x_endpoints.queries(clauses, limit=endpoint.query_length) for name, endpoint in x_endpoints.ENDPOINTS.items()}
    except SettingsError as error:
        yield refused(check, error)
        return
    told = "; ".join(
        f"{len(asked)} to {name} of up to {max(map(len, asked)):,} characters ({x_endpoints.ENDPOINTS[name].query_length:,} fit)"
        for name, asked in made.items()
    )
    slow = [name for name, asked in made.items() if len(asked) > RATES[name]]
    if slow:
        yield warning(
            check,
            f"{told}; {' and '.join(slow)} answers {RATES[slow[0]]} requests in a quarter of an hour",
            "a night waits for the rest: divide the area, or list fewer places",
        )
        return
    yield ok(check, told)


def hours_apart(box: BoundingBox, zone: zoneinfo.ZoneInfo, now: datetime) -> tuple[float, float]:
    """(hours from the sun's time in the box to the zone's standard time, the sun's time as hours from UTC), at the nearest edge of the box.

    Counted round the clock: UTC+13 at 172 degrees west is no fault.
    """
    local = now.astimezone(zone)
    standard = ((local.utcoffset() or timedelta()) - (local.dst() or timedelta())).total_seconds() / 3600
    middle, half = (box.west + box.width / 2) / 15, box.width / 30
    apart = (standard - middle + 12) % 24 - 12
    sun = (middle + 12) % 24 - 12
    return math.copysign(max(abs(apart) - half, 0.0), apart), sun


def _swapped(area: Area) -> str:
    """The box the other way round, where only that way it lies near its time zone's own place; else nothing."""
    known = zone_places().get(area.timezone)
    if known is None or area.box.crosses_antimeridian:
        return ""
    try:
        turned = BoundingBox(area.box.south, area.box.west, area.box.north, area.box.east)
    except SettingsError:
        return ""
    far, near = (kilometres(each.centre, known) for each in (area.box, turned))
    return turned.csv if far > FAR_KM and near < NEAR_KM else ""


def kilometres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """The way along the globe between two (longitude, latitude), degrees."""
    (west, south), (east, north) = (tuple(map(math.radians, place)) for place in (one, other))
    half = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin((east - west) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(half, 1.0)))


@lru_cache(maxsize=1)
def zone_places() -> dict[str, tuple[float, float]]:
    """(longitude, latitude) of the place that each time zone is named after, as the tz database's zone.tab has it."""
    table = importlib.resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8")
    places = {}
    for line in table.splitlines():
        found = re.match(r"[A-Z]{2}\t([-+]\d+)([-+]\d+)\t([\w/+-]+)", line)
        if found:
            places[found[3]] = (_degrees(found[2]), _degrees(found[1]))
    return places


def _degrees(text: str) -> float:
    """±DDMM, ±DDDMM, ±DDMMSS or ±DDDMMSS."""
    sign, digits = -1.0 if text[0] == "-" else 1.0, text[1:]
    seconds = int(digits[-2:]) if len(digits) > 5 else 0
    whole = digits[:-2] if len(digits) > 5 else digits
    return sign * (int(whole[:-2]) + int(whole[-2:]) / 60 + seconds / 3600)
