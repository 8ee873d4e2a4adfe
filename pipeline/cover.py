"""Circles and boxes that X takes as geo operators, and how few of them cover an area's box. What a box is, is in boxes.py.

How many circles a box needs, and why nothing is left open
----------------------------------------------------------
All angles are taken on a sphere of the WGS84 ellipsoid's largest radius of curvature with the geographic latitudes: every way of
measuring (that sphere, the mean sphere, the ellipsoid) then finds two points at most as far apart as we do. A box is cut along
parallels into zones. A zone has one spacing in longitude, `2o`, and rows of circles of one radius `r`, each row shifted by half
the spacing against the one before: the hexagonal arrangement, the thinnest covering there is (Kershner 1939), squeezed as the
meridians converge. It loses little while the spacing is within a tenth of the ideal √3·r, so a zone may be a thousand
kilometres high; where the next one begins half a row is lost. `_staggered` finds the cheapest sequence of zones.

Nothing is left open:

1. *A row covers a strip.* At a fixed latitude the distance from a centre grows with the difference in longitude, and a meridian
   cuts a circle in one interval. So a circle covers its rectangle of ±o in longitude between two parallels if it holds the
   corners; the rectangles of a row lie side by side. `_first` puts a zone's first row so that it reaches its southern edge,
   `_top` says how far north a row reaches; the strip of a row holds the great circles between its neighbouring centres too.
2. *Two rows cover what lies between them.* Triangles between neighbouring centres of both rows fill it. A triangle is covered by
   the circles round its corners if some point O is within r of all three: a point x of it farther than r from every corner
   would be farther from each than O is, so all corners, and the whole triangle, would lie on O's side of the great circle half
   way between O and x; but x does not. `_next` takes the highest next row for which both kinds of triangle have such an O,
   on the meridian of their axis.
3. *The western and eastern edges are mirrors.* They are meridians through a centre, or half way between two. The arrangement
   goes on beyond them as its own reflection, and whatever lies inside is nearer to a centre than to that centre's reflection.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final, NoReturn, TypeAlias

import numpy as np

from pipeline.boxes import BoundingBox, Floats
from pipeline.errors import SettingsError

#: Largest radius of curvature of the WGS84 ellipsoid (a²/b, at the poles): nobody's way of measuring makes a side longer than ours.
LARGEST_RADIUS_MILES: Final = 6399.5936 / 1.609344
#: X wants sides and radii under 25 miles (facts/x-api.md).
LIMIT_MILES: Final = 25.0
RADIUS_MILES: Final = 24.9
#: Rounding a centre to three decimals moves it by up to 0.0005 degrees each way, 0.0491 miles: the layout is made for less.
RADIUS: Final = (RADIUS_MILES - 0.05) / LARGEST_RADIUS_MILES
#: What one circle can cover at best: a regular hexagon, 3√3/2·r². No covering needs fewer circles than surface / this.
HEXAGON_KM2: Final = 1.5 * math.sqrt(3) * (RADIUS_MILES * 1.609344) ** 2

#: So many circles always fit a query of search/recent (512 characters); 450 queries are what it answers in a quarter of an hour.
CIRCLES_A_QUERY: Final = 11
MOST_CIRCLES: Final = 450 * CIRCLES_A_QUERY
#: More boxes than these do not fit 1,024 characters, however few digits they have.
MOST_IN_GRID: Final = 32

#: How finely zones are tried: edges a radius apart, edges in all, spacings, rows of one zone.
EDGES_A_RADIUS: Final = 8
MOST_EDGES: Final = 900
SPACINGS: Final = 24
MOST_ROWS: Final = 60

POLE: Final = math.pi / 2
STEP: Final = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle on the globe: centre in degrees (three decimals, as a query writes it), radius in miles."""

    longitude: float
    latitude: float
    radius_miles: float = RADIUS_MILES


#: What one clause asks for.
Region: TypeAlias = Circle | BoundingBox


def clauses(box: BoundingBox) -> tuple[str, ...]:
    """The geo operators that together return everything in the box, to be OR-ed in parentheses: those of its regions.

    Raises:
        SettingsError: as `regions`.
    """
    return tuple(clause(region) for region in regions(box))


def clause(region: Region) -> str:
    """A region as X writes it: `bounding_box:[west south east north]` or `point_radius:[longitude latitude 24.9mi]`."""
    if isinstance(region, BoundingBox):
        return f"bounding_box:[{' '.join(_written(edge) for edge in region.bounds)}]"
    return f"point_radius:[{_written(region.longitude)} {_written(region.latitude)} {region.radius_miles:g}mi]"


def regions(box: BoundingBox) -> tuple[Region, ...]:
    """What together covers the box: bounding boxes where X takes them (both sides under 25 miles), else circles.

    A box across the antimeridian is covered half by half: X takes no box whose west is greater than its east, and so it does
    not matter whether it lets a circle reach over.

    Raises:
        SettingsError: the box needs more than MOST_CIRCLES.
    """
    _check_surface(box)
    found = tuple(region for part in box.parts() for region in _regions_of_part(part))
    _check_number(box, len(found))
    return found


def _regions_of_part(part: BoundingBox) -> Iterator[Region]:
    outer = _outwards(part)
    if max(sides_miles(outer)) < LIMIT_MILES:
        yield outer
    else:
        yield from _cover_part(part)


def grid(box: BoundingBox) -> tuple[BoundingBox, ...]:
    """The box cut edge to edge into boxes that X takes: together exactly the box, where circles reach beyond it.

    For counts, which nobody filters afterwards. Rows of equal height, each cut into equal columns at its own latitudes.

    Raises:
        SettingsError: that needs more than MOST_IN_GRID.
    """
    width, height = sides_miles(box)
    # before anything is laid out: the whole globe would be a hundred thousand
    if (least := math.ceil(height / LIMIT_MILES)) > MOST_IN_GRID:
        _refuse_grid(box, least, "at least ")
    found = [box] if max(width, height) < LIMIT_MILES and not box.crosses_antimeridian else []
    for part in box.parts() if not found else ():
        rows = _cuts(part.south, part.north, sides_miles(part)[1])
        for south, north in itertools.pairwise(rows):
            row = BoundingBox(part.west, south, part.east, north)
            columns = _cuts(row.west, row.east, sides_miles(row)[0])
            found += [BoundingBox(west, south, east, north) for west, east in itertools.pairwise(columns)]
            if len(found) > MOST_IN_GRID:
                _refuse_grid(box, len(found), "more than ")
    return tuple(found)


def exact_clause(box: BoundingBox) -> str:
    """A box as X writes it, with all its digits: `clause` would round its edges."""
    return f"bounding_box:[{' '.join(f'{Decimal(repr(edge)).normalize():f}' for edge in box.bounds)}]"


def _cuts(low: float, high: float, miles: float) -> list[float]:
    """Edges that cut a span into the fewest equal pieces of at most RADIUS_MILES; inner ones at three decimals, the outer ones as given."""
    pieces = max(1, math.ceil(miles / (RADIUS_MILES - 0.1)))
    inner = [_rounded(low + (high - low) * number / pieces) for number in range(1, pieces)]
    return [low, *inner, high]


def _refuse_grid(box: BoundingBox, number: int, more: str) -> NoReturn:
    raise SettingsError(
        f"got the box {box}, which is {more}{number} boxes of under {LIMIT_MILES:g} miles to X; wanted at most {MOST_IN_GRID}, as many as "
        "the longest query holds",
        todo='choose a smaller box, or mode = "tweets"',
    )


def cover(box: BoundingBox) -> tuple[Circle, ...]:
    """Circles of under 25 miles that together cover the box: rows of staggered circles, or of rectangles where those need fewer.

    Never more than a grid of the squares inscribed in the circles needs.

    Raises:
        SettingsError: the box needs more than MOST_CIRCLES.
    """
    _check_surface(box)
    circles = tuple(circle for part in box.parts() for circle in _cover_part(part))
    _check_number(box, len(circles))
    return circles


def sides_miles(box: BoundingBox) -> tuple[float, float]:
    """(width, height) of a box in miles, the width where it is longest; never less than anybody else would measure."""
    south, north = math.radians(box.south), math.radians(box.north)
    return math.radians(box.width) * _widest(south, north) * LARGEST_RADIUS_MILES, math.radians(box.height) * LARGEST_RADIUS_MILES


def _widest(south: float, north: float) -> float:
    """Cosine of the latitude between the two that is nearest the equator: where a degree of longitude is longest."""
    return math.cos(0.0 if south <= 0 <= north else min(abs(south), abs(north)))


def _check_surface(box: BoundingBox) -> None:
    # before anything is laid out: the whole globe would take minutes
    _check_number(box, math.ceil(box.surface_km2 / HEXAGON_KM2), least="at least ")


def _check_number(box: BoundingBox, number: int, least: str = "") -> None:
    if number > MOST_CIRCLES:
        raise SettingsError(
            f"got the box {box}, which needs {least}{number:,} circles of {RADIUS_MILES:g} miles, so about "
            f"{math.ceil(number / CIRCLES_A_QUERY):,} queries to X every night; wanted at most {MOST_CIRCLES:,} circles, "
            f"{MOST_CIRCLES // CIRCLES_A_QUERY} queries: as many as X answers in 15 minutes",
            todo='choose a smaller box, or several areas; with source = "archive" an area may have any size, as nothing is asked of X',
        )


# ---- zones --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Zone:
    """Rows of one spacing between two parallels (radians), `end` nearer to a pole; the width of the box is `columns` spacings.

    The centres of the first row, third … lie half a spacing from the western edge, those of the others on it; with half a column
    (2½) the eastern edge goes through centres where the western one does not.
    """

    start: float
    end: float
    columns: float
    rows: int

    @property
    def circles(self) -> int:
        return sum(len(self.row(row)) for row in range(self.rows))

    def row(self, number: int) -> list[float]:
        """Where the centres of a row lie, in spacings from the western edge."""
        shift = 0.5 if number % 2 == 0 else 0.0
        return [column + shift for column in range(math.floor(self.columns - shift) + 1)]


def _cover_part(box: BoundingBox) -> Iterator[Circle]:
    width, south, north = (math.radians(degrees) for degrees in (box.width, box.south, box.north))
    # towards the pole, where rows get shorter: the other way round the last of them would not be known to fit
    sign = -1.0 if abs(south) > abs(north) else 1.0
    start, end = (south, north) if sign > 0 else (-north, -south)
    layouts = [_rectangles(width, start, end), _staggered(width, start, end)]
    for zone in min(layouts, key=lambda zones: sum(zone.circles for zone in zones)):
        for number, latitude in enumerate(_latitudes(zone, width)):
            for column in zone.row(number):
                yield Circle(_rounded(box.west + box.width * column / zone.columns), _rounded(sign * math.degrees(latitude)))


def _rectangles(width: float, start: float, end: float) -> list[_Zone]:
    """Zones of one row and one height each: of all numbers of rows that can work, the one that needs the fewest circles.

    The rectangle in a circle of radius r and height h is 2·sqrt(r² - (h/2)²) wide, measured at the edge nearest the equator:
    cos(middle)·cos(corner) <= cos²(that edge) in the haversine formula, which speaks of chords.
    """
    chord = 2 * math.sin(RADIUS / 2)
    fewest = math.floor((end - start) / (2 * chord)) + 1
    most = math.ceil((end - start) / (math.sqrt(2) * chord))
    layouts = []
    for rows in range(fewest, max(fewest, most) + 1):
        edges = [start + (end - start) * row / rows for row in range(rows)] + [end]
        across = 2 * math.sqrt(chord**2 - ((end - start) / rows / 2) ** 2)
        columns = [max(1, math.ceil(width * _widest(low, high) / across)) for low, high in itertools.pairwise(edges)]
        layouts.append([_Zone(low, high, count, 1) for (low, high), count in zip(itertools.pairwise(edges), columns, strict=True)])
    return min(layouts, key=lambda zones: sum(zone.columns for zone in zones))


def _staggered(width: float, start: float, end: float) -> list[_Zone]:
    """The sequence of staggered zones that needs the fewest circles, their edges on a fine grid of parallels: a shortest way.

    For every edge and spacing the rows are climbed at once (arrays of shape edges × spacings); then, from the pole backwards,
    each edge takes the zone after which the fewest circles remain.
    """
    steps = min(MOST_EDGES, math.ceil((end - start) / RADIUS * EDGES_A_RADIUS))
    edges = np.linspace(start, end, steps + 1)
    columns = _spacings(width * np.cos(edges[:-1]))
    offset = width / columns / 2
    costs, reaches = [], []
    cost, latitude = np.zeros(columns.shape), _first(edges[:-1, None], offset, RADIUS)
    for row in range(MOST_ROWS):
        cost = cost + (np.ceil(columns) if row % 2 == 0 else np.floor(columns) + 1)
        top = _reach(latitude, offset, RADIUS)
        with np.errstate(invalid="ignore"):
            reached = np.where(top >= end, steps, np.floor((top - start) / (end - start) * steps))
        costs.append(cost)
        reaches.append(np.where(np.isnan(top), 0, np.minimum(reached, steps)).astype(np.int64))
        latitude = np.where(top >= end, np.nan, _next(latitude, offset, RADIUS))
        if np.isnan(latitude).all():
            break
    all_costs, all_reaches = np.stack(costs, axis=2), np.stack(reaches, axis=2)
    remaining, choice = np.zeros(steps + 1), np.zeros(steps, dtype=np.int64)
    for edge in range(steps - 1, -1, -1):
        total = np.where(all_reaches[edge] > edge, all_costs[edge] + remaining[all_reaches[edge]], np.inf)
        choice[edge] = total.argmin()
        remaining[edge] = total.flat[choice[edge]]
    zones: list[_Zone] = []
    here = 0
    while here < steps:
        spacing, last = divmod(int(choice[here]), all_costs.shape[2])
        there = int(all_reaches[here, spacing, last])
        zones.append(_Zone(float(edges[here]), float(edges[there]), float(columns[here, spacing]), last + 1))
        here = there
    return zones


def _spacings(widths: Floats) -> Floats:
    """Numbers of columns to try for each width (radians of a great circle), in halves, from the fewest that can work."""
    fewest = np.maximum(np.floor(widths / RADIUS), 1)
    most = np.maximum(np.ceil(2 * widths / (1.1 * RADIUS)), fewest + 3)
    stride = np.ceil((most - fewest) / (SPACINGS - 1))
    return np.asarray((fewest[:, None] + stride[:, None] * np.arange(SPACINGS)) / 2)


def _latitudes(zone: _Zone, width: float) -> list[float]:
    """Latitudes of a zone's rows, for the smallest radius for which they do: what is left over becomes an even margin."""
    offset = np.asarray(width / zone.columns / 2)
    low, high = 0.0, RADIUS * (1 + 1e-9)
    for _ in range(3):
        radii = np.linspace(low, high, 33)
        rows = _climb(zone, offset, radii)
        # the largest radius works: that is how the zone was found
        enough = int(np.append(_reach(rows[-1], offset, radii)[:-1] >= zone.end, True).argmax())
        low, high = float(radii[max(enough - 1, 0)]), float(radii[enough])
    return [float(row[enough]) for row in rows]


def _climb(zone: _Zone, offset: Floats, radii: Floats) -> list[Floats]:
    rows = [_first(np.asarray(zone.start), offset, radii)]
    while len(rows) < zone.rows:
        rows.append(_next(rows[-1], offset, radii))
    return rows


# ---- one row and the next: radians, arrays ------------------------------------------------------------------------------


def _top(latitude: Floats, offset: Floats, radius: Floats | float) -> Floats:
    """Highest latitude, on the meridian `offset` away, that is within `radius` of a point at `latitude`; NaN where none is.

    sin x·sin φ + cos x·cos φ·cos o >= cos r is one cosine of x: a·cos(x - θ) >= cos r. Beyond π/2 it is over the pole.
    """
    across, up = np.cos(latitude) * np.cos(offset), np.sin(latitude)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.arctan2(up, across) + np.arccos(np.cos(radius) / np.hypot(across, up)))


def _first(start: Floats, offset: Floats, radius: Floats | float) -> Floats:
    """The highest row whose circles hold the points of the parallel `start` that are `offset` away."""
    # cells wider than a right angle lie round the pole, and one circle there does it or none
    at_pole = np.where(start >= POLE - radius, POLE, np.nan)
    return np.where(offset > POLE, at_pole, np.minimum(_top(start, offset, radius), POLE))


def _reach(latitude: Floats, offset: Floats, radius: Floats | float) -> Floats:
    """How high a row covers without a gap."""
    return np.where(offset > POLE, latitude, np.minimum(_top(latitude, offset, radius), POLE))


def _next(latitude: Floats, offset: Floats, radius: Floats | float) -> Floats:
    """The highest next row, shifted by `offset`, that leaves nothing open between; NaN where there is none.

    Of the triangle with two corners in this row, O is the highest point within the radius of both; the third corner may lie a
    radius above it. Of the one with two corners in the next row, O is a radius above the corner in this one.
    """
    top = _top(latitude, offset, radius)
    row = np.fmin(top + radius, _top(latitude + radius, offset, radius))
    with np.errstate(invalid="ignore"):
        return np.where((offset <= math.pi / 4) & (row > top) & (row < POLE), row, np.nan)


# ---- how X writes numbers -----------------------------------------------------------------------------------------------


def _rounded(degrees: float) -> float:
    return float(Decimal(repr(degrees)).quantize(STEP, ROUND_HALF_EVEN))


def _written(degrees: float) -> str:
    """A number with at most three decimals and no more characters than it needs: query lengths are limited."""
    text = f"{Decimal(repr(degrees)):.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _outwards(box: BoundingBox) -> BoundingBox:
    """The edges at three decimals, moved outwards (so by under 0.001 degrees, 110 m) and never inwards."""
    rounding = (ROUND_FLOOR, ROUND_FLOOR, ROUND_CEILING, ROUND_CEILING)
    return BoundingBox(*(float(Decimal(repr(edge)).quantize(STEP, way)) for edge, way in zip(box.bounds, rounding, strict=True)))
