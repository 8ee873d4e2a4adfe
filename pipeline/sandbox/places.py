"""The places of a made-up city: points of interest, neighbourhoods, the city, the whole region round it, and some just outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.geo import BoundingBox
from pipeline.storage import digest

#: How a tweet says where it is → share of all tweets. Those up to `point` are inside by the one policy (design.md).
KINDS: Final = {
    "poi": 0.19,
    "neighbourhood": 0.30,
    "edge": 0.07,
    "city": 0.25,
    "metropolis": 0.07,
    "point": 0.05,
    "state": 0.04,
    "point_outside": 0.01,
    "outside": 0.02,
}
INSIDE: Final = ("poi", "neighbourhood", "edge", "city", "metropolis", "point")
INSIDE_SHARE: Final = sum(KINDS[kind] for kind in INSIDE)

#: Country by the first words of a time zone that has a city in the sample settings; others are nowhere in particular.
COUNTRIES: Final = {"America/Mexico_City": ("MX", "México"), "Europe/London": ("GB", "United Kingdom")}


@dataclass(frozen=True, slots=True)
class Place:
    """A place as X knows it. `west` greater than `east` crosses the antimeridian; no extent: a point of interest."""

    id: str
    name: str
    full_name: str
    place_type: str
    country_code: str
    country: str
    west: float
    south: float
    east: float
    north: float

    @property
    def centre(self) -> tuple[float, float]:
        """(longitude, latitude) of the middle."""
        east = self.east + 360 if self.west > self.east else self.east
        return (_wrapped((self.west + east) / 2), (self.south + self.north) / 2)


@dataclass(frozen=True)
class Map:
    """The places by kind; `point` and `point_outside` carry the city as their place."""

    box: BoundingBox
    by_kind: dict[str, tuple[Place, ...]]


def build(*, seed: int, area: str, box: BoundingBox, zone: str) -> Map:
    """The map of one area: a pure function of its arguments."""
    chance = np.random.Generator(np.random.PCG64(int(digest("places", seed, area, box.csv, length=16), 16)))
    city = area.replace("-", " ").title()
    code, country = COUNTRIES.get(zone, ("ZZ", "Nowhere"))

    def make(kind: str, number: int, x: float, y: float, width: float, height: float) -> Place:
        """A place by its middle and extent, in shares of the box."""
        longitude, latitude = box.west + x * box.width, box.south + y * box.height
        half_width, half_height = min(width * box.width / 2, 179.0), height * box.height / 2
        name = {"city": city, "metropolis": f"Greater {city}", "state": f"{city} State"}.get(kind, f"{_TITLES.get(kind)} {number + 1}")
        return Place(
            id=digest("place", seed, area, box.csv, kind, number, length=16),
            name=name,
            full_name=f"{name}, {city}",
            place_type={"poi": "poi", "outside": "poi", "state": "admin", "metropolis": "admin", "city": "city"}.get(kind, "neighborhood"),
            country_code=code,
            country=country,
            west=_wrapped(longitude - half_width),
            south=round(max(latitude - half_height, -90.0), 6),
            east=_wrapped(longitude + half_width),
            north=round(min(latitude + half_height, 90.0), 6),
        )

    def scattered(kind: str, extents: tuple[float, ...]) -> tuple[Place, ...]:
        room = chance.random((len(extents), 2)).tolist()
        middles = [[extent / 2 + 0.01 + (0.98 - extent) * share for share in shares] for extent, shares in zip(extents, room, strict=True)]
        return tuple(make(kind, number, x, y, extents[number], extents[number]) for number, (x, y) in enumerate(middles))

    edges = [(0.02, 0.3), (0.98, 0.6), (0.4, 0.02), (0.7, 0.98)]
    beyond = [(-0.03, 0.5), (1.03, 0.5), (0.5, -0.03), (0.5, 1.03)]
    return Map(
        box,
        {
            "poi": scattered("poi", (0.0,) * 24),
            "neighbourhood": scattered("neighbourhood", (0.12, 0.06) * 8),
            "edge": tuple(make("edge", number, x, y, 0.1, 0.1) for number, (x, y) in enumerate(edges)),
            "city": (make("city", 0, 0.5, 0.5, 0.97, 0.97),),
            "metropolis": (make("metropolis", 0, 0.5, 0.5, 1.25, 1.25),),
            "state": (make("state", 0, 0.5, 0.5, 5.5, 5.5),),
            "outside": tuple(
                make("outside", number, x, y, 0.0, 0.0) for number, (x, y) in enumerate(beyond) if -90 < box.south + y * box.height < 90
            ),
        },
    )


_TITLES: Final = {"poi": "Café", "neighbourhood": "Barrio", "edge": "Colonia Orilla", "outside": "Mirador"}


def _wrapped(longitude: float) -> float:
    return round((longitude + 180.0) % 360.0 - 180.0, 6)


def point_in(box: BoundingBox, x: float, y: float) -> tuple[float, float]:
    """A point by its shares of the box's width and height, degrees with six decimals."""
    return (_wrapped(box.west + x * box.width), round(box.south + y * box.height, 6))
