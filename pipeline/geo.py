"""The one evidence policy, and the clauses that cover a box. What a box is, and how one is read from text, is in boxes.py.

`BoundingBox` and `parse_box` are offered here too, so that other modules need this one only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.boxes import BoundingBox, Flags, Floats, centres, parse_box, surface_km2

__all__ = ["INSIDE", "BoundingBox", "Circle", "clauses", "cover", "evidence", "parse_box", "sides_miles", "surface_km2"]

#: The kinds of evidence that count a tweet as inside, strongest first.
INSIDE: Final = ("point", "place_within", "place_centroid")

#: Largest radius of curvature of the WGS84 ellipsoid (a²/b, at the poles): nobody's way of measuring makes a side longer than ours.
LARGEST_RADIUS_MILES: Final = 6399.5936 / 1.609344
#: X wants sides and radii under 25 miles (facts/x-api.md).
LIMIT_MILES: Final = 25.0
RADIUS_MILES: Final = 24.9
#: Rounding a centre to three decimals moves it by up to 0.0005 degrees each way, 0.05 miles: the grid is laid out for less than the radius.
GRID_RADIUS_MILES: Final = RADIUS_MILES - 0.1

STEP: Final = Decimal("0.001")


def evidence(
    longitude: ArrayLike,
    latitude: ArrayLike,
    place_west: ArrayLike,
    place_south: ArrayLike,
    place_east: ArrayLike,
    place_north: ArrayLike,
    *,
    box: BoundingBox,
    largest_place: float = 4.0,
) -> NDArray[np.object_]:
    """Why each tweet is held to be inside `box`, or that it is not: the one policy (design.md), for every source.

    Args:
        longitude, latitude: exact points, degrees; NaN where there is none. All arrays have one length.
        place_west, place_south, place_east, place_north: the places' boxes, degrees, NaN where unknown;
            west > east crosses the antimeridian.
        box: the area's box; its edges belong to it.
        largest_place: a place that is not wholly inside may be at most this many times as large as the area.

    Returns:
        An object array of str: "point" (the point is inside), "place_within" (no point; the place is wholly inside),
        "place_centroid" (no point; the place's centre is inside and its surface small enough), "outside", or
        "nowhere" (neither a whole point nor a whole place).
    """
    lon, lat, west, given_south, east, given_north = (
        np.asarray(values, dtype=np.float64) for values in (longitude, latitude, place_west, place_south, place_east, place_north)
    )
    has_point = np.isfinite(lon) & np.isfinite(lat)
    has_place = np.isfinite(west) & np.isfinite(given_south) & np.isfinite(east) & np.isfinite(given_north)
    south, north = np.minimum(given_south, given_north), np.maximum(given_south, given_north)
    with np.errstate(invalid="ignore"):
        in_point = box.contains(lon, lat)
        in_whole = has_place & _within(box, west, south, east, north)
        in_centre = has_place & ~in_whole & box.contains(*centres(west, south, east, north))
    # surfaces are asked for few rows only: sines cost more than all the comparisons
    rows = np.flatnonzero(in_centre)
    surfaces = surface_km2(west[rows], south[rows], east[rows], north[rows])
    kinds = np.full(lon.shape, "nowhere", dtype=object)
    kinds[has_place] = "outside"
    kinds[rows[surfaces <= largest_place * box.surface_km2]] = "place_centroid"
    kinds[in_whole] = "place_within"
    kinds[has_point] = "outside"
    kinds[has_point & in_point] = "point"
    return kinds


def _within(box: BoundingBox, west: Floats, south: Floats, east: Floats, north: Floats) -> Flags:
    """Which places lie wholly inside. Compares, never subtracts: an edge on the box's edge must count to the last bit."""
    no_width = (west == east) | ((west == 180) & (east == -180))
    place_west = np.where((west == 180) & ~no_width, -180.0, west)
    place_east = np.where((east == -180) & ~no_width, 180.0, east)
    crossing = place_west > place_east
    if box.width >= 360:
        across = np.ones(west.shape, dtype=np.bool_)
    elif box.crosses_antimeridian:
        beyond_west, before_east = place_west >= box.west, place_east <= box.east
        across = np.where(crossing, beyond_west & before_east, beyond_west | before_east)
    else:
        across = ~crossing & (place_west >= box.west) & (place_east <= box.east)
    across = np.where(no_width, box.contains(west, south), across)
    return np.asarray(across & (south >= box.south) & (north <= box.north), dtype=np.bool_)


# ---- what is asked of X -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle on the globe: centre in degrees (three decimals, as a query writes it), radius in miles."""

    longitude: float
    latitude: float
    radius_miles: float = RADIUS_MILES

    @property
    def clause(self) -> str:
        """The circle as X writes it: `point_radius:[longitude latitude 24.9mi]`."""
        return f"point_radius:[{_written(Decimal(repr(self.longitude)))} {_written(Decimal(repr(self.latitude)))} {self.radius_miles:g}mi]"


def _miles(degrees: float) -> float:
    return math.radians(degrees) * LARGEST_RADIUS_MILES


def _widest(south: float, north: float) -> float:
    """Cosine of the latitude between the two that is nearest the equator: where a degree of longitude is longest."""
    return math.cos(math.radians(0.0 if south <= 0 <= north else min(abs(south), abs(north))))


def sides_miles(box: BoundingBox) -> tuple[float, float]:
    """(width, height) of a box in miles, the width where it is longest; never less than anybody else would measure."""
    return _miles(box.width) * _widest(box.south, box.north), _miles(box.height)


def cover(box: BoundingBox) -> tuple[Circle, ...]:
    """Circles of under 25 miles that together cover the box: a grid of rectangles, each in its circle.

    Of all numbers of rows that can work, the one that needs the fewest circles is taken. A box across the antimeridian
    is covered half by half, so that it does not matter whether the API lets a circle reach over it.
    """
    return tuple(circle for part in box.parts() for circle in _cover_part(part))


def _cover_part(box: BoundingBox) -> tuple[Circle, ...]:
    height = _miles(box.height)
    fewest_rows = math.floor(height / (2 * GRID_RADIUS_MILES)) + 1
    most_rows = math.ceil(height / (math.sqrt(2) * GRID_RADIUS_MILES)) + 1
    grids = (list(_rows(box, rows)) for rows in range(fewest_rows, max(fewest_rows, most_rows) + 1))
    best = min(grids, key=lambda rows: sum(columns for _, columns in rows))
    return tuple(
        Circle(_rounded(box.west + box.width * (column + 0.5) / columns), _rounded(latitude))
        for latitude, columns in best
        for column in range(columns)
    )


def _rows(box: BoundingBox, rows: int) -> Iterator[tuple[float, int]]:
    """(latitude of the middle, circles needed) of each of so many rows of equal height.

    The rectangle in a circle of radius r and of height h is 2·sqrt(r² - (h/2)²) wide. Measured at the row's edge nearest the
    equator, so no corner is farther from the middle than r: cos(middle)·cos(corner) <= cos²(that edge) in the haversine formula.
    """
    edges = np.linspace(box.south, box.north, rows + 1).tolist()
    half_height = _miles(box.height / rows) / 2
    widest = 2 * math.sqrt(max(GRID_RADIUS_MILES**2 - half_height**2, 0.01))
    for south, north in itertools.pairwise(edges):
        yield (south + north) / 2, max(1, math.ceil(_miles(box.width) * _widest(south, north) / widest))


def _rounded(degrees: float) -> float:
    return float(Decimal(repr(degrees)).quantize(STEP, ROUND_HALF_EVEN))


def _written(number: Decimal) -> str:
    """A number with at most three decimals and no more characters than it needs: query lengths are limited."""
    text = f"{number:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _outwards(box: BoundingBox) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """The edges at three decimals, moved outwards (so by under 0.001 degrees, 110 m) and never inwards."""
    west, south, east, north = (Decimal(repr(number)) for number in box.bounds)
    return (
        west.quantize(STEP, ROUND_FLOOR),
        south.quantize(STEP, ROUND_FLOOR),
        east.quantize(STEP, ROUND_CEILING),
        north.quantize(STEP, ROUND_CEILING),
    )


def clauses(box: BoundingBox) -> tuple[str, ...]:
    """The geo operators that together return everything in the box: bounding boxes where X takes them, else circles.

    One `bounding_box:[west south east north]` where both sides are under 25 miles (two across the antimeridian), else
    `point_radius:[longitude latitude 24.9mi]` of every circle of `cover`. To be OR-ed in parentheses.
    """
    return tuple(itertools.chain.from_iterable(_part_clauses(part) for part in box.parts()))


def _part_clauses(part: BoundingBox) -> tuple[str, ...]:
    edges = _outwards(part)
    if max(sides_miles(BoundingBox(*map(float, edges)))) < LIMIT_MILES:
        return (f"bounding_box:[{' '.join(map(_written, edges))}]",)
    return tuple(circle.clause for circle in _cover_part(part))
