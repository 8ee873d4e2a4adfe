"""An area's box and what covers it as a drawing: degrees in, numbers for an SVG out. Nothing here knows of pages or files.

Lambert's azimuthal equal-area projection round the box's middle keeps circles round (within half a per cent over 2,000 km), boxes
across the antimeridian in one piece, and poles where they are. Only boxes that go far round the globe outside the polar
regions are drawn with meridians upright.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from pipeline.boxes import EARTH_RADIUS_KM, BoundingBox, Floats
from pipeline.cover import Circle, Region

MILE_KM: Final = 1.609344

#: Of the picture, in its own units: width, and what is left free round the map for labels.
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 540.0, 78.0, 10.0, 24.0, 58.0
LEAST_HEIGHT, MOST_HEIGHT = 190.0, 620.0
#: Labels beside each other, and below each other, are at least so far apart.
LABEL_WIDTH, LABEL_HEIGHT = 92.0, 24.0

STEPS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 45.0)


@dataclass(frozen=True)
class Ellipse:
    """A circle as the projection shows it; the angle in degrees, clockwise."""

    x: float
    y: float
    rx: float
    ry: float
    angle: float


@dataclass(frozen=True)
class Label:
    """A text and where it ends, begins or has its middle (`anchor`); `inside` the map it needs a rim to be read."""

    x: float
    y: float
    anchor: str
    text: str
    inside: bool = False


@dataclass(frozen=True)
class Scale:
    """The bar of a round number of kilometres."""

    path: str
    x: float
    y: float
    text: str


@dataclass
class Drawing:
    """Everything the template draws; paths as SVG writes them. The map lies between left, top, right and bottom."""

    width: float
    height: float
    left: float
    top: float
    right: float
    bottom: float
    outline: str
    boxes: list[str]
    ellipses: list[Ellipse]
    scale: Scale
    graticule: list[str] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)


@dataclass(frozen=True)
class Projection:
    """Degrees to kilometres east and north of (longitude, latitude), and back. `upright`: meridians are parallel lines."""

    longitude: float
    latitude: float
    upright: bool

    @classmethod
    def of(cls, box: BoundingBox) -> Projection:
        """The one that suits the box."""
        middle = box.west + box.width / 2
        if box.width <= 120:
            return cls(middle, (box.south + box.north) / 2, False)
        if min(abs(box.south), abs(box.north)) >= 40 and box.south * box.north > 0:
            return cls(middle, math.copysign(90, box.north), False)
        return cls(middle, (box.south + box.north) / 2, True)

    def onto(self, longitude: Floats, latitude: Floats) -> tuple[Floats, Floats]:
        """(x, y) in km."""
        east, north, middle = np.radians(longitude - self.longitude), np.radians(latitude), math.radians(self.latitude)
        if self.upright:
            return EARTH_RADIUS_KM * east * math.cos(middle), EARTH_RADIUS_KM * (north - middle)
        nearness = math.sin(middle) * np.sin(north) + math.cos(middle) * np.cos(north) * np.cos(east)
        size = EARTH_RADIUS_KM * np.sqrt(2 / np.maximum(1 + nearness, 1e-9))
        up = math.cos(middle) * np.sin(north) - math.sin(middle) * np.cos(north) * np.cos(east)
        return size * np.cos(north) * np.sin(east), size * up

    def back(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """(longitude, latitude); beyond the globe's edge NaN, but where meridians are upright the rim of the map simply goes on."""
        middle = math.radians(self.latitude)
        if self.upright:
            return self.longitude + np.degrees(x / EARTH_RADIUS_KM / math.cos(middle)), np.degrees(y / EARTH_RADIUS_KM + middle)
        away = np.hypot(x, y) / EARTH_RADIUS_KM
        with np.errstate(invalid="ignore"):
            angle = 2 * np.arcsin(away / 2)
        ratio = np.where(away > 0, np.sin(angle) / np.maximum(away, 1e-12), 1.0) / EARTH_RADIUS_KM
        north = np.arcsin(np.clip(np.cos(angle) * math.sin(middle) + y * ratio * math.cos(middle), -1, 1))
        east = np.arctan2(x * ratio, math.cos(middle) * np.cos(angle) - y * ratio * math.sin(middle))
        return self.longitude + np.degrees(east), np.degrees(north)

    def stretch(self, x: float, y: float) -> tuple[float, float, float]:
        """How much longer than one a short line is drawn at (x, y): along an axis, across it, and the axis' angle, degrees from east."""
        if self.upright:
            latitude = math.radians(self.latitude) + y / EARTH_RADIUS_KM
            return math.cos(math.radians(self.latitude)) / max(math.cos(latitude), 0.02), 1.0, 0.0
        along = math.sqrt(max(1 - (math.hypot(x, y) / EARTH_RADIUS_KM / 2) ** 2, 0.01))
        return along, 1 / along, math.degrees(math.atan2(y, x))


def draw(box: BoundingBox, regions: Sequence[Region]) -> Drawing:
    """The drawing of a box and of the regions that cover it (none: the box alone)."""
    projection = Projection.of(box)
    outline = projection.onto(*_ring(box, box.west))
    asked = [projection.onto(*_ring(each, _unwrapped(each.west, box))) for each in regions if isinstance(each, BoundingBox)]
    circles = [each for each in regions if isinstance(each, Circle)]
    longitudes = np.array([_unwrapped(each.longitude, box) for each in circles])
    x, y = projection.onto(longitudes, np.array([each.latitude for each in circles]))
    radius = max((each.radius_miles for each in circles), default=0.0) * MILE_KM
    reach = [np.concatenate([outline[axis], centres - radius, centres + radius]) for axis, centres in enumerate((x, y))]
    frame = _Frame.round(*reach)
    ellipses = [frame.ellipse(projection, east, north, radius) for east, north in zip(x.tolist(), y.tolist(), strict=True)]
    drawing = Drawing(
        width=WIDTH,
        height=_short(frame.bottom + BOTTOM),
        left=LEFT,
        top=TOP,
        right=WIDTH - RIGHT,
        bottom=_short(frame.bottom),
        outline=frame.path(*outline, closed=True),
        boxes=[frame.path(*ring, closed=True) for ring in asked],
        ellipses=ellipses,
        scale=frame.scale(),
    )
    _add_graticule(drawing, projection, frame)
    return drawing


def _unwrapped(longitude: float, box: BoundingBox) -> float:
    """The longitude east of the box's western edge, beyond 180 where the box goes on there."""
    return longitude + 360 if longitude < box.west - 0.01 else longitude


def _ring(box: BoundingBox, west: float) -> tuple[Floats, Floats]:
    points = 61 + round(box.width / 2)
    share = np.linspace(0, 1, points)
    across, up = west + box.width * share, box.south + box.height * share
    longitude = np.concatenate([across, np.full(points, west + box.width), across[::-1], np.full(points, west)])
    latitude = np.concatenate([np.full(points, box.south), up, np.full(points, box.north), up[::-1]])
    return longitude, latitude


def _short(number: float) -> float:
    return round(number, 1) + 0.0


@dataclass(frozen=True)
class _Frame:
    """From kilometres to the picture's units: `unit` of these a kilometre, (x, y) the map's middle."""

    x: float
    y: float
    unit: float
    bottom: float

    @classmethod
    def round(cls, x: Floats, y: Floats) -> _Frame:
        """The frame that holds all these points with a rim."""
        across, up = max(float(np.ptp(x)) * 1.08, 1e-6), max(float(np.ptp(y)) * 1.08, 1e-6)
        width = WIDTH - LEFT - RIGHT
        height = min(max(width * up / across, LEAST_HEIGHT), MOST_HEIGHT)
        unit = min(width / across, height / up)
        return cls(float(x.min() + x.max()) / 2, float(y.min() + y.max()) / 2, unit, TOP + height)

    def place(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Units from the picture's upper left corner."""
        return (LEFT + WIDTH - RIGHT) / 2 + (x - self.x) * self.unit, (TOP + self.bottom) / 2 - (y - self.y) * self.unit

    def path(self, x: Floats, y: Floats, *, closed: bool = False) -> str:
        """A line through points in kilometres."""
        across, down = self.place(x, y)
        points = [f"{east:.2f} {south:.2f}" for east, south in zip(across.tolist(), down.tolist(), strict=True)]
        points = [point for number, point in enumerate(points) if not number or point != points[number - 1]]
        return f"M{'L'.join(points)}{'Z' if closed else ''}"

    def ellipse(self, projection: Projection, x: float, y: float, radius: float) -> Ellipse:
        """A circle of so many kilometres."""
        along, across, angle = projection.stretch(x, y)
        centre_x, centre_y = self.place(np.array([x]), np.array([y]))
        rx, ry = round(radius * along * self.unit, 2), round(radius * across * self.unit, 2)
        return Ellipse(_short(float(centre_x[0])), _short(float(centre_y[0])), rx, ry, _short(-angle))

    def scale(self) -> Scale:
        """A bar of 1, 2 or 5 times a power of ten, at most a third of the map; right below it."""
        most = (WIDTH - LEFT - RIGHT) / 3 / self.unit
        power = 10 ** math.floor(math.log10(most))
        length = next(power * factor for factor in (5, 2, 1) if power * factor <= most)
        right, y = WIDTH - RIGHT, self.bottom + 46
        left = _short(right - length * self.unit)
        return Scale(f"M{left:g} {y - 6:g}V{y:g}H{right:g}V{y - 6:g}", left - 8, _short(y), f"{length:,g} km")


def _add_graticule(drawing: Drawing, projection: Projection, frame: _Frame) -> None:
    """Meridians and parallels of round degrees with their labels at the map's edges."""
    left, right, top, bottom = drawing.left, drawing.right, drawing.top, drawing.bottom
    across, down = (grid.ravel() for grid in np.meshgrid(np.linspace(left, right, 60), np.linspace(top, bottom, 60)))
    x = frame.x + (across - (left + right) / 2) / frame.unit
    y = frame.y - (down - (top + bottom) / 2) / frame.unit
    longitude, latitude = projection.back(x, y)
    if np.isnan(latitude).all():
        return
    west, east, south, north = (float(bound(values)) for values in (longitude, latitude) for bound in (np.nanmin, np.nanmax))
    step, up_step = _step(east - west), _step(north - south)
    if max(abs(south), abs(north)) > 88 and not projection.upright:
        west, east, step = projection.longitude - 180, projection.longitude + 180, 30.0
    beyond, above = (east - west) * 0.02, (north - south) * 0.02
    lowest, highest = (south - above, north + above) if projection.upright else (max(south - above, -90), min(north + above, 90))
    parallels = np.linspace(lowest, highest, 121)
    meridians = np.linspace(west - beyond, east + beyond, 241)
    for degrees in _multiples(west - beyond, east + beyond, step):
        line = projection.onto(np.full(parallels.shape, degrees), parallels)
        drawing.graticule.append(frame.path(*line))
        _label(drawing, _longitude(degrees, step), *frame.place(*line), upright=True)
    for degrees in _multiples(max(lowest, -90), min(highest, 90), up_step):
        line = projection.onto(meridians, np.full(meridians.shape, degrees))
        drawing.graticule.append(frame.path(*line))
        _label(drawing, _latitude(degrees, up_step), *frame.place(*line), upright=False)


def _step(span: float) -> float:
    """Degrees between two lines: about five of them."""
    return next((step for step in STEPS if span / step <= 6), STEPS[-1])


def _multiples(first: float, last: float, step: float) -> list[float]:
    return [number * step for number in range(math.ceil(first / step), math.floor(last / step) + 1)]


def _label(drawing: Drawing, text: str, x: Floats, y: Floats, *, upright: bool) -> None:
    """Put a line's degrees where it leaves the map: at the bottom, else the top (meridians); at the left, else inside (parallels)."""
    if upright:
        for edge, at in ((drawing.bottom, drawing.bottom + 19), (drawing.top, drawing.top - 8)):
            leaves = [crossing for crossing in _crossings(y, x, edge) if drawing.left <= crossing <= drawing.right]
            if leaves:
                _add(drawing, Label(_short(leaves[0]), _short(at), "middle", text))
                return
        return
    for crossing in _crossings(x, y, drawing.left):
        if drawing.top <= crossing <= drawing.bottom:
            _add(drawing, Label(drawing.left - 6, _short(crossing + 4), "end", text))
            return
    middle = x.size // 2
    if drawing.left <= x[middle] <= drawing.right and drawing.top + 12 <= y[middle] <= drawing.bottom - 6:
        _add(drawing, Label(_short(float(x[middle])), _short(float(y[middle])) + 4, "middle", text, inside=True))


def _crossings(values: Floats, others: Floats, edge: float) -> list[float]:
    """Where a line, given as points, crosses an edge: the other coordinate there."""
    before, after = values[:-1] - edge, values[1:] - edge
    found = np.flatnonzero((before * after <= 0) & (before != after))
    share = before[found] / (before[found] - after[found])
    return [float(other) for other in others[found] + share * (others[found + 1] - others[found])]


def _add(drawing: Drawing, label: Label) -> None:
    """Add a label unless there is one where it would stand."""
    if not any(abs(label.x - there.x) < LABEL_WIDTH and abs(label.y - there.y) < LABEL_HEIGHT for there in drawing.labels):
        drawing.labels.append(label)


def _degrees(value: float, step: float) -> str:
    return f"{abs(value):.{max(0, -math.floor(math.log10(step) + 1e-9))}f}°"


def _longitude(degrees: float, step: float) -> str:
    turned = (degrees + 180) % 360 - 180
    if abs(turned) < step / 2 or abs(abs(turned) - 180) < step / 2:
        return _degrees(turned, step)
    return f"{_degrees(turned, step)} {'E' if turned > 0 else 'W'}"


def _latitude(degrees: float, step: float) -> str:
    return _degrees(degrees, step) if abs(degrees) < step / 2 else f"{_degrees(degrees, step)} {'N' if degrees > 0 else 'S'}"
