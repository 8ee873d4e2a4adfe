"""The places of a made-up map: points of interest, neighbourhoods, cities, whole regions, and some just outside.

A box of a city's size holds one city; a large one many towns of all sizes, spread over it, and the regions that they belong to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.boxes import EARTH_RADIUS_KM
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
    """The places by kind; `point` and `point_outside` carry a city as their place. `towns`: the cities are spread over the box."""

    box: BoundingBox
    by_kind: dict[str, tuple[Place, ...]]
    towns: bool = False

    def point(self, place: Place, x: float, y: float, *, outside: bool = False) -> tuple[float, float]:
        """An exact point: in its town or, where one city is as large as the box, in the box clear of its edges; or just west of the box."""
        if outside:
            return point_in(self.box, -0.01 - 0.03 * x, 0.01 + 0.98 * y)
        if not self.towns:
            return point_in(self.box, 0.01 + 0.98 * x, 0.01 + 0.98 * y)
        width = (place.east - place.west) % 360
        return (_wrapped(place.west + x * width), round(place.south + y * (place.north - place.south), 6))


#: A box with a longer side holds towns rather than one city.
CITY_KM: Final = 100.0
#: A town for so many square kilometres, from the least to the most.
TOWN_KM2: Final = 2500.0
TOWNS: Final = (8, 80)


def build(*, seed: int, area: str, box: BoundingBox, zone: str) -> Map:
    """The map of one area: a pure function of its arguments."""
    chance = np.random.Generator(np.random.PCG64(int(digest("places", seed, area, box.csv, length=16), 16)))
    maker = _Maker(seed, area, box, zone)
    if max(maker.width_km(0.5), maker.height_km) > CITY_KM:
        return _towns(maker, chance)
    return _one_city(maker, chance)


class _Maker:
    """Makes the places of one area, each by its middle and extent in shares of the box."""

    def __init__(self, seed: int, area: str, box: BoundingBox, zone: str) -> None:
        self.seed, self.area, self.box = seed, area, box
        self.city = area.replace("-", " ").title()
        self.code, self.country = COUNTRIES.get(zone, ("ZZ", "Nowhere"))

    @property
    def height_km(self) -> float:
        return math.radians(self.box.height) * EARTH_RADIUS_KM

    def width_km(self, y: float) -> float:
        """How wide the box is at a share of its height; never nothing, at a pole either."""
        latitude = self.box.south + y * self.box.height
        return math.radians(self.box.width) * EARTH_RADIUS_KM * max(math.cos(math.radians(latitude)), 0.02)

    def place(self, kind: str, number: int, x: float, y: float, width: float, height: float, *, name: str | None = None) -> Place:
        box, city = self.box, self.city
        longitude, latitude = box.west + x * box.width, box.south + y * box.height
        half_width, half_height = min(width * box.width / 2, 179.0), height * box.height / 2
        usual = {"city": city, "metropolis": f"Greater {city}", "state": f"{city} State"}.get(kind, f"{_TITLES.get(kind)} {number + 1}")
        return Place(
            id=digest("place", self.seed, self.area, box.csv, kind, number, length=16),
            name=name or usual,
            full_name=f"{name or usual}, {city}",
            place_type={"poi": "poi", "outside": "poi", "state": "admin", "metropolis": "admin", "city": "city"}.get(kind, "neighborhood"),
            country_code=self.code,
            country=self.country,
            west=_wrapped(longitude - half_width),
            south=round(max(latitude - half_height, -90.0), 6),
            east=_wrapped(longitude + half_width),
            north=round(min(latitude + half_height, 90.0), 6),
        )

    def shares(self, x: float, y: float, km: float, *, most: float = 0.4) -> tuple[float, float, float, float]:
        """A middle, moved so that a square of that many kilometres round it lies in the box; and its extent. In shares of the box."""
        height = min(km / self.height_km, most)
        y = height / 2 + 0.005 + (0.99 - height) * y
        # at the edge nearer to the pole, where it is widest
        width = min(km / min(self.width_km(y - height / 2), self.width_km(y + height / 2)), most)
        return width / 2 + 0.005 + (0.99 - width) * x, y, width, height

    def outside(self) -> tuple[Place, ...]:
        beyond = [(-0.03, 0.5), (1.03, 0.5), (0.5, -0.03), (0.5, 1.03)]
        return tuple(
            self.place("outside", number, x, y, 0.0, 0.0)
            for number, (x, y) in enumerate(beyond)
            if -90 < self.box.south + y * self.box.height < 90
        )


def _one_city(maker: _Maker, chance: np.random.Generator) -> Map:
    """One city as large as the box."""

    def scattered(kind: str, extents: tuple[float, ...]) -> tuple[Place, ...]:
        room = chance.random((len(extents), 2)).tolist()
        middles = [[extent / 2 + 0.01 + (0.98 - extent) * share for share in shares] for extent, shares in zip(extents, room, strict=True)]
        return tuple(maker.place(kind, number, x, y, extents[number], extents[number]) for number, (x, y) in enumerate(middles))

    edges = [(0.02, 0.3), (0.98, 0.6), (0.4, 0.02), (0.7, 0.98)]
    return Map(
        maker.box,
        {
            "poi": scattered("poi", (0.0,) * 24),
            "neighbourhood": scattered("neighbourhood", (0.12, 0.06) * 8),
            "edge": tuple(maker.place("edge", number, x, y, 0.1, 0.1) for number, (x, y) in enumerate(edges)),
            "city": (maker.place("city", 0, 0.5, 0.5, 0.97, 0.97),),
            "metropolis": (maker.place("metropolis", 0, 0.5, 0.5, 1.25, 1.25),),
            "state": (maker.place("state", 0, 0.5, 0.5, 5.5, 5.5),),
            "outside": maker.outside(),
        },
    )


def _towns(maker: _Maker, chance: np.random.Generator) -> Map:
    """Towns of all sizes (by rank; the largest 48 km across) with quarters and cafés; regions within the box and over its edges."""
    count = min(max(round(maker.box.surface_km2 / TOWN_KM2), TOWNS[0]), TOWNS[1])
    towns: list[Place] = []
    quarters: list[Place] = []
    cafes: list[Place] = []
    for rank, (x, y) in enumerate(chance.random((count, 2)).tolist()):
        km = max(48.0 / math.sqrt(rank + 1), 5.0)
        x, y, width, height = maker.shares(x, y, km)
        towns.append(maker.place("city", rank, x, y, width, height, name=f"Villa {rank + 1}"))
        for room in (chance.random((3 + int(km / 8), 2)) - 0.5).tolist():
            cafes.append(maker.place("poi", len(cafes), x + room[0] * width, y + room[1] * height, 0.0, 0.0))
        for room in (chance.random((2 + int(km / 8), 2)) - 0.5).tolist():
            # wholly within its town
            middle = (x + room[0] * width * 0.75, y + room[1] * height * 0.75)
            quarters.append(maker.place("neighbourhood", len(quarters), *middle, width * 0.25, height * 0.25))
    regions = []
    for number, (x, y) in enumerate(chance.random((max(3, count // 6), 2)).tolist()):
        shares = maker.shares(x, y, (60.0, 100.0, 150.0)[number % 3], most=0.6)
        regions.append(maker.place("metropolis", number, *shares, name=f"Comarca {number + 1}"))
    edges = [(0.0, 0.3), (1.0, 0.6), (0.4, 0.0), (0.7, 1.0), (0.0, 0.8), (1.0, 0.2)]
    over_edge = [_over_edge(maker, "edge", number, x, y, 6.0) for number, (x, y) in enumerate(edges)]
    over_edge_far = [_over_edge(maker, "metropolis", len(regions) + number, x, y, 80.0) for number, (x, y) in enumerate(edges[:4])]
    return Map(
        maker.box,
        {
            "poi": tuple(cafes),
            "neighbourhood": tuple(quarters),
            "edge": tuple(over_edge),
            "city": tuple(towns),
            "metropolis": (*regions, *over_edge_far),
            "state": (maker.place("state", 0, 0.5, 0.5, 5.5, 5.5),),
            "outside": maker.outside(),
        },
        towns=True,
    )


def _over_edge(maker: _Maker, kind: str, number: int, x: float, y: float, km: float) -> Place:
    """A place at the edge of the box: its middle a sixth of its width inside."""
    height = min(km / maker.height_km, 0.4)
    width = min(km / maker.width_km(y), 0.4)
    inside = (min(max(x, width / 6), 1 - width / 6), min(max(y, height / 6), 1 - height / 6))
    return maker.place(kind, number, *inside, width, height, name=f"Comarca {number + 1}" if kind == "metropolis" else None)


_TITLES: Final = {"poi": "Café", "neighbourhood": "Barrio", "edge": "Colonia Orilla", "outside": "Mirador"}


def _wrapped(longitude: float) -> float:
    return round((longitude + 180.0) % 360.0 - 180.0, 6)


def point_in(box: BoundingBox, x: float, y: float) -> tuple[float, float]:
    """A point by its shares of the box's width and height, degrees with six decimals."""
    return (_wrapped(box.west + x * box.width), round(box.south + y * box.height, 6))
