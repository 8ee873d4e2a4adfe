"""What a bounding box is, and how one is read from what people paste: every form of klokantech's tool, GeoJSON, WKT."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import SettingsError

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

#: IUGG mean radius: surfaces on the sphere of equal volume.
EARTH_RADIUS_KM: Final = 6371.0088

WANTED = (
    'a box as a bounding-box tool gives it: "west,south,east,north" (CSV; commas, tabs or spaces), '
    '"westlimit=…; southlimit=…; eastlimit=…; northlimit=…" (DublinCore), GeoJSON, or "POLYGON((…))" (WKT)'
)
TOOL = "draw the box at https://boundingbox.klokantech.com, choose CSV at the bottom left, and paste that line"

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_CSV = re.compile(rf"\s*({_NUMBER})(?:\s*,\s*|\s+)({_NUMBER})(?:\s*,\s*|\s+)({_NUMBER})(?:\s*,\s*|\s+)({_NUMBER})\s*,?\s*")
_LIMIT = re.compile(rf"(west|south|east|north)limit\s*=\s*({_NUMBER})\s*", re.IGNORECASE)
_WKT = re.compile(r"\s*(?:SRID=4326;)?\s*(MULTI)?POLYGON\s*Z?\s*(\(.*\))\s*", re.IGNORECASE | re.DOTALL)
_WKT_RING = re.compile(r"\(([^()]+)\)")

Span = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """A box of longitudes and latitudes in degrees; its edges belong to it. West greater than east crosses the antimeridian.

    The 180th meridian is written +180 as an eastern edge and -180 as a western one, whichever was given.

    Raises:
        SettingsError: a number is not finite or out of range, or the box has no surface.
    """

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        for name in ("west", "south", "east", "north"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if not all(math.isfinite(number) for number in self.bounds):
            raise SettingsError(f"got the box {self.csv}, wanted four finite numbers: west,south,east,north")
        if abs(self.south) > 90 or abs(self.north) > 90:
            raise SettingsError(f"got the box {self.csv}, wanted latitudes (the 2nd and 4th number) from -90 to 90")
        if abs(self.west) > 180 or abs(self.east) > 180:
            raise SettingsError(f"got the box {self.csv}, wanted longitudes (the 1st and 3rd number) from -180 to 180")
        if self.west == 180:
            object.__setattr__(self, "west", -180.0)
        if self.east == -180:
            object.__setattr__(self, "east", 180.0)
        if self.south >= self.north or self.west == self.east:
            raise SettingsError(f"got the box {self.csv}, wanted one with a surface: south < north, and west different from east")

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) in degrees."""
        return (self.west, self.south, self.east, self.north)

    @property
    def csv(self) -> str:
        """`west,south,east,north`: what parse_box reads back to the same box, to the last bit."""
        return ",".join(repr(number).removesuffix(".0") for number in self.bounds)

    def __str__(self) -> str:
        return self.csv

    @property
    def crosses_antimeridian(self) -> bool:
        """Whether the box reaches over the 180th meridian."""
        return self.west > self.east

    @property
    def width(self) -> float:
        """Degrees of longitude from west to east, over the antimeridian if need be: 0 < width <= 360."""
        return self.east - self.west + (360.0 if self.crosses_antimeridian else 0.0)

    @property
    def height(self) -> float:
        """Degrees of latitude from south to north."""
        return self.north - self.south

    @property
    def centre(self) -> tuple[float, float]:
        """(longitude, latitude) of the middle, in degrees."""
        longitude, latitude = centres(*(np.asarray([number]) for number in self.bounds))
        return (float(longitude[0]), float(latitude[0]))

    @property
    def surface_km2(self) -> float:
        """Surface in square kilometres on a sphere of the mean radius."""
        return float(surface_km2(*(np.asarray([number]) for number in self.bounds))[0])

    def parts(self) -> tuple[BoundingBox, ...]:
        """The box itself, or its two halves where it crosses the antimeridian."""
        if not self.crosses_antimeridian:
            return (self,)
        return (BoundingBox(self.west, self.south, 180.0, self.north), BoundingBox(-180.0, self.south, self.east, self.north))

    def contains(self, longitude: ArrayLike, latitude: ArrayLike) -> Flags:
        """Which of the points (arrays of one shape, degrees) lie in the box, edges included; NaN never does."""
        lon, lat = np.asarray(longitude, dtype=np.float64), np.asarray(latitude, dtype=np.float64)
        # +180 and -180 are one meridian: a point on it is in when either way of writing it is
        inside_lon = self._spans(lon) | ((np.abs(lon) == 180) & self._spans(-lon))
        return np.asarray((lat >= self.south) & (lat <= self.north) & inside_lon, dtype=np.bool_)

    def _spans(self, longitude: Floats) -> Flags:
        if self.crosses_antimeridian:
            inside: Flags = ((longitude >= self.west) & (longitude <= 180)) | ((longitude <= self.east) & (longitude >= -180))
        else:
            inside = (longitude >= self.west) & (longitude <= self.east)
        return inside


def surface_km2(west: Floats, south: Floats, east: Floats, north: Floats) -> Floats:
    """Surfaces in km² of boxes given as arrays of degrees: R² · |sin north - sin south| · width in radians."""
    width = np.where(west > east, east - west + 360.0, east - west)
    return np.asarray(EARTH_RADIUS_KM**2 * np.abs(np.sin(np.radians(north)) - np.sin(np.radians(south))) * np.radians(width))


def centres(west: Floats, south: Floats, east: Floats, north: Floats) -> tuple[Floats, Floats]:
    """(longitudes, latitudes) of the middles of boxes given as arrays of degrees."""
    middle = (west + east) / 2
    # over the antimeridian the plain mean is the far side of the globe
    longitude = np.where(west > east, np.where(middle > 0, middle - 180.0, middle + 180.0), middle)
    return longitude, (south + north) / 2


def parse_box(given: object) -> BoundingBox:
    """Read a box: text in any of the forms of `WANTED`, or GeoJSON and four numbers as TOML and JSON give them (lists, dicts).

    A polygon stands for the box round it; several polygons for the box round all. Longitudes may go on past ±180
    (170..190), as maps that scroll round the globe give them.

    Raises:
        SettingsError: not a box; for swapped numbers it prints the corrected box.
    """
    if isinstance(given, BoundingBox):
        return given
    if not isinstance(given, str):
        return _from_json(given, str(given))
    text = given.strip().strip("\"'").strip()
    if match := _CSV.fullmatch(text):
        return _checked((float(match[1]), float(match[2]), float(match[3]), float(match[4])), may_cross=True)
    if re.search(r"(west|south|east|north)limit", text, re.IGNORECASE):
        return _from_dublin_core(text)
    if match := _WKT.fullmatch(text):
        rings = [_wkt_ring(ring, text) for ring in _WKT_RING.findall(match[2])]
        return _round_all(rings, text)
    if text.startswith(("[", "{")):
        try:
            return _from_json(json.loads(text), text)
        except json.JSONDecodeError as error:
            raise SettingsError(f"got {_shown(text)}, which is not whole JSON ({error}); wanted {WANTED}", todo=TOOL) from error
        except RecursionError:
            _refuse(text)
    _refuse(text)


def _refuse(given: object) -> NoReturn:
    raise SettingsError(f"got {_shown(given)}, wanted {WANTED}", todo=TOOL)


def _shown(given: object) -> str:
    text = str(given)
    return repr(text if len(text) <= 120 else text[:117] + "...")


def _from_dublin_core(text: str) -> BoundingBox:
    limits: dict[str, float] = {}
    for piece in filter(str.strip, re.split(r"[;\n]", text)):
        # DCMI boxes may also say name, projection, units, uplimit, downlimit: not ours
        if match := _LIMIT.fullmatch(piece.strip()):
            if match[1].lower() in limits:
                _refuse(text)
            limits[match[1].lower()] = float(match[2])
    if len(limits) < 4:
        _refuse(text)
    return _checked((limits["west"], limits["south"], limits["east"], limits["north"]), may_cross=True)


def _from_json(value: Any, text: str) -> BoundingBox:
    if isinstance(value, list) and len(value) == 4 and all(map(_is_number, value)):
        west, south, east, north = map(float, value)
        return _checked((west, south, east, north), may_cross=True)
    rings = list(_json_rings(value, text))
    return _round_all(rings, text)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e6


def _json_rings(value: Any, text: str) -> Iterator[list[tuple[float, float]]]:
    """The outer rings of bare coordinates, of a geometry, a Feature, or a FeatureCollection."""
    if isinstance(value, dict):
        kind = value.get("type")
        if kind == "FeatureCollection" and isinstance(value.get("features"), list):
            for feature in value["features"]:
                yield from _json_rings(feature, text)
        elif kind == "Feature" and isinstance(value.get("geometry"), dict):
            yield from _json_rings(value["geometry"], text)
        elif kind == "GeometryCollection" and isinstance(value.get("geometries"), list):
            for geometry in value["geometries"]:
                yield from _json_rings(geometry, text)
        elif kind in ("Polygon", "MultiPolygon") and isinstance(value.get("coordinates"), list):
            yield from _json_rings(value["coordinates"], text)
        else:
            _refuse(text)
    elif isinstance(value, list) and value and all(_is_position(position) for position in value):
        yield [(float(position[0]), float(position[1])) for position in value]
    elif isinstance(value, list) and value and all(isinstance(part, list) for part in value):
        for part in value:
            yield from _json_rings(part, text)
    else:
        _refuse(text)


def _is_position(value: Any) -> bool:
    return isinstance(value, list) and len(value) in (2, 3) and all(map(_is_number, value))


def _wkt_ring(ring: str, text: str) -> list[tuple[float, float]]:
    points = []
    for pair in ring.split(","):
        numbers = pair.split()
        if len(numbers) not in (2, 3) or not all(re.fullmatch(_NUMBER, number) for number in numbers):
            _refuse(text)
        points.append((float(numbers[0]), float(numbers[1])))
    return points


def _round_all(rings: list[list[tuple[float, float]]], text: str) -> BoundingBox:
    """The box round all rings; halves that a tool cut at the antimeridian (RFC 7946, 3.1.9) are put together again."""
    if not rings or any(len(ring) < 3 for ring in rings):
        _refuse(text)
    south = min(latitude for ring in rings for _, latitude in ring)
    north = max(latitude for ring in rings for _, latitude in ring)
    spans = [(min(longitude for longitude, _ in ring), max(longitude for longitude, _ in ring)) for ring in rings]
    west, east = min(west for west, _ in spans), max(east for _, east in spans)
    touching_both = any(span[0] == -180 for span in spans) and any(span[1] == 180 for span in spans)
    if len(spans) > 1 and touching_both and all(span != (-180, 180) for span in spans):
        west, east = _without_widest_gap(spans)
    elif 180 < east - west < 360 and len(spans) == 1 and west >= -180 and east <= 180:
        small = f"{_plain(east)},{_plain(south)},{_plain(west)},{_plain(north)}"
        large = f"{_plain(west)},{_plain(south)},{_plain(east)},{_plain(north)}"
        raise SettingsError(
            f"got a polygon {east - west:g} degrees wide, which may be a box of {360 - (east - west):g} degrees across the 180th meridian",
            todo=f'write box = "{small}" for the one across the 180th meridian, or box = "{large}" for the wide one',
        )
    return _checked((west, south, east, north), may_cross=len(spans) > 1)


def _without_widest_gap(spans: list[tuple[float, float]]) -> tuple[float, float]:
    """(west, east) of the shortest arc that holds all spans, of which some touch -180 and some touch +180."""
    reach, widest, edges = -180.0, 0.0, (-180.0, 180.0)
    for west, east in sorted(spans):
        if west - reach > widest:
            widest, edges = west - reach, (west, reach)
        reach = max(reach, east)
    return edges


def _plain(number: float) -> str:
    return repr(number).removesuffix(".0")


def _valid(span: Span) -> bool:
    west, south, east, north = span
    return -180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90 and west != east


def _checked(span: Span, *, may_cross: bool) -> BoundingBox:
    """The box, or a refusal that prints the box which was probably meant."""
    west, south, east, north = span
    if not all(math.isfinite(number) for number in span):
        _refuse(span)
    got = ",".join(map(_plain, span))
    if max(abs(south), abs(north)) > 90:
        for order, meant in (
            ("latitude and longitude are swapped", (south, west, north, east)),
            ("the numbers stand as west,east,south,north", (west, east, south, north)),
            ("latitude and longitude are swapped", (min(south, north), min(west, east), max(south, north), max(west, east))),
        ):
            if _valid(meant) and meant[0] < meant[2]:
                _swapped(got, f"latitudes (the 2nd and 4th number) lie from -90 to 90: {order}", meant)
        raise SettingsError(f"got the box {got}, wanted latitudes (the 2nd and 4th number) from -90 to 90", todo=TOOL)
    if south > north:
        _swapped(got, "south (the 2nd number) is less than north (the 4th)", (min(west, east), north, max(west, east), south))
    if west < east and (west < -180 or east > 180) and east - west < 360 and max(abs(west), abs(east)) <= 540:
        # a map scrolled past the antimeridian: 170..190 is 170..-170
        west, east = _wrapped(west), _wrapped(east)
        may_cross = True
    if _valid((west, south, east, north)) and west > east and (not may_cross or 360 + east - west > 180):
        why = "west (the 1st number) is less than east (the 3rd), unless the box crosses the 180th meridian"
        _swapped(got, why, (east, south, west, north))
    return BoundingBox(west, south, east, north)


def _wrapped(longitude: float) -> float:
    """The same meridian from -180 to 180; untouched (to the last bit) where it is there already."""
    while longitude > 180:
        longitude -= 360
    while longitude < -180:
        longitude += 360
    return longitude


def _swapped(got: str, why: str, meant: Span) -> NoReturn:
    corrected = ",".join(map(_plain, meant))
    todo = f'if this is what you meant, write box = "{corrected}"'
    raise SettingsError(f"got the box {got}, wanted west,south,east,north; {why}", todo=todo)
