"""What X is asked for holds the whole box, with few circles. The covering is checked by geometry alone, not by how it was made."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pipeline.boxes import BoundingBox
from pipeline.cover import (
    CIRCLES_A_QUERY,
    HEXAGON_KM2,
    LARGEST_RADIUS_MILES,
    MOST_CIRCLES,
    RADIUS,
    Circle,
    clause,
    clauses,
    cover,
    regions,
    sides_miles,
)
from pipeline.errors import SettingsError
from pipeline.sources import x_endpoints

Points = NDArray[np.float64]

KM_A_DEGREE = 111.195
MEAN_RADIUS_MILES = 3958.7613
#: 24.9 miles on the sphere where everything lies farthest apart (the ellipsoid's largest radius of curvature).
ANGLE = 24.9 / LARGEST_RADIUS_MILES
#: A tenth of a millimetre: what is covered with less to spare was covered by luck.
SPARE = 1e-4 / 6.4e6
CLAUSE = re.compile(r"bounding_box:\[(\S+) (\S+) (\S+) (\S+)\]|point_radius:\[(\S+) (\S+) 24\.9mi\]")


def read_clause(text: str) -> list[float]:
    """The numbers of a clause, each checked to have at most three decimals."""
    match = CLAUSE.fullmatch(text)
    assert match, text
    numbers = [number for number in match.groups() if number]
    assert all(re.fullmatch(r"-?\d{1,3}(\.\d{1,3})?", number) for number in numbers), text
    return [float(number) for number in numbers]


def vectors(longitude: object, latitude: object) -> Points:
    """Points on the unit sphere, of degrees."""
    lon, lat = np.broadcast_arrays(np.radians(longitude), np.radians(latitude))
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def where_circles_meet(centres: Points, tree: cKDTree) -> Points:
    """All points in which the edges of two of the circles cross."""
    pairs = tree.query_pairs(2 * math.sin(ANGLE), output_type="ndarray")
    one, other = centres[pairs[:, 0]], centres[pairs[:, 1]]
    cosine = np.sum(one * other, axis=1)
    apart = cosine < 1 - 1e-15
    one, other, cosine = one[apart], other[apart], cosine[apart]
    middle = math.cos(ANGLE) * (one + other) / (1 + cosine)[:, None]
    across = np.cross(one, other)
    rest = np.sqrt(np.maximum(1 - np.sum(middle**2, axis=1), 0)) / np.linalg.norm(across, axis=1)
    return np.concatenate([middle + across * rest[:, None], middle - across * rest[:, None]])


def where_edges_are_met(part: BoundingBox, longitude: Points, latitude: Points) -> Points:
    """(longitude, latitude) of all points in which the edges of circles cross the meridians and parallels of the box."""
    lon, lat, found = np.radians(longitude), np.radians(latitude), []
    for meridian in np.radians([part.west, part.east]):
        # sin x sin φ + cos x cos φ cos d = cos r  →  a cos(x - θ) = cos r
        along, up = np.cos(lat) * np.cos(lon - meridian), np.sin(lat)
        with np.errstate(invalid="ignore"):
            half = np.arccos(math.cos(ANGLE) / np.hypot(along, up))
        for latitudes in (np.arctan2(up, along) + half, np.arctan2(up, along) - half):
            found.append(np.stack([np.full_like(latitudes, meridian), latitudes], axis=1))
    for parallel in np.radians([part.south, part.north]):
        with np.errstate(invalid="ignore", divide="ignore"):
            half = np.arccos((math.cos(ANGLE) - np.sin(lat) * np.sin(parallel)) / (np.cos(lat) * np.cos(parallel)))
        for longitudes in (lon + half, lon - half):
            found.append(np.stack([longitudes, np.full_like(longitudes, parallel)], axis=1))
    degrees = np.degrees(np.concatenate(found))
    degrees = degrees[np.isfinite(degrees).all(axis=1)]
    return inside(part, degrees[:, 0], degrees[:, 1])


def inside(part: BoundingBox, longitude: Points, latitude: Points) -> Points:
    """Those of the points that lie in the box, a hair's breadth outside included."""
    # round the box's own middle, so that neither the antimeridian nor a turn too many matters
    middle = (part.west + part.east) / 2
    lon = (longitude - middle + 180) % 360 - 180 + middle
    keep = (lon >= part.west - 1e-9) & (lon <= part.east + 1e-9) & (latitude >= part.south - 1e-9) & (latitude <= part.north + 1e-9)
    return np.stack([lon[keep], latitude[keep]], axis=1)


def check_circles_cover(part: BoundingBox, circles: Sequence[Circle]) -> None:
    """Every point of a box (that does not cross the antimeridian) lies in a circle: no hole has a corner.

    A hole would be bounded by arcs and by the box's edges; where two of these meet it has a corner, and that corner lies in no
    circle's inside. So all corners that there could be (of the box, of edges and arcs, of two arcs) are shown to lie in one.
    """
    longitude, latitude = (np.array([getattr(circle, name) for circle in circles]) for name in ("longitude", "latitude"))
    centres = vectors(longitude, latitude)
    tree = cKDTree(centres)
    meet = where_circles_meet(centres, tree)
    meet = inside(part, np.degrees(np.arctan2(meet[:, 1], meet[:, 0])), np.degrees(np.arcsin(np.clip(meet[:, 2], -1, 1))))
    corners = [(lon, lat) for lon in (part.west, part.east) for lat in (part.south, part.north)]
    edges = np.linspace(0, 1, 41)
    along = [(part.west + part.width * share, lat) for share in edges for lat in (part.south, part.north)]
    up = [(lon, part.south + part.height * share) for share in edges for lon in (part.west, part.east)]
    random_points = np.random.default_rng(0).uniform([part.west, part.south], [part.east, part.north], (100, 2))
    points = np.concatenate([meet, where_edges_are_met(part, longitude, latitude), corners, along, up, random_points])
    distance, _ = tree.query(vectors(points[:, 0], points[:, 1]))
    worst = int(distance.argmax())
    assert distance[worst] < 2 * math.sin((ANGLE - SPARE) / 2), (part.csv, points[worst].tolist())


def check_covered(box: BoundingBox) -> tuple[str, ...]:
    """Every point of the box lies in a clause, half by half at the antimeridian; no clause or query is over its limit."""
    parts = [(part, regions(part)) for part in box.parts()]
    texts = tuple(clause(region) for _, found in parts for region in found)
    assert not box.crosses_antimeridian or clauses(box) == texts
    for part, found in parts:
        for region in found:
            numbers = read_clause(clause(region))
            assert numbers == list(region.bounds if isinstance(region, BoundingBox) else (region.longitude, region.latitude))
            assert abs(numbers[0]) <= 180
            assert abs(numbers[1]) <= 90
        if isinstance(found[0], BoundingBox):
            (outer,) = found
            assert outer.west <= part.west < part.east <= outer.east
            assert outer.south <= part.south < part.north <= outer.north
            check_side_limits(outer)
        else:
            check_circles_cover(part, found)
            assert len(found) <= square_grid(part)
    for endpoint in (x_endpoints.RECENT, x_endpoints.ALL):
        assert all(len(query) <= endpoint.query_length for query in x_endpoints.queries(texts, limit=endpoint.query_length))
    return texts


def check_side_limits(box: BoundingBox) -> None:
    """Under 25 miles, on the mean sphere as on ours, and no part of the box beyond the antimeridian."""
    assert -180 <= box.west < box.east <= 180
    nearest = 0.0 if box.south <= 0 <= box.north else min(abs(box.south), abs(box.north))
    for radius in (MEAN_RADIUS_MILES, LARGEST_RADIUS_MILES):
        assert math.radians(box.width) * math.cos(math.radians(nearest)) * radius < 25
        assert math.radians(box.height) * radius < 25


def square_grid(part: BoundingBox) -> int:
    """Circles of a grid of inscribed squares, measured with the margins that cover uses: rows of equal height, each as wide as need be."""
    side = math.sqrt(2) * RADIUS
    rows = math.ceil(math.radians(part.height) / side)
    total = 0
    for row in range(rows):
        south, north = (math.radians(part.south + part.height * edge / rows) for edge in (row, row + 1))
        nearest = 0.0 if south <= 0 <= north else min(abs(south), abs(north))
        total += math.ceil(math.radians(part.width) * math.cos(nearest) / side)
    return total


def a_box(draw: random.Random, *, least: float = 1.0, most: float = 2000.0) -> BoundingBox:
    """A random box, its sides given in km (the width where it is widest), often at a pole, the equator or the antimeridian."""
    height, width = (math.exp(draw.uniform(math.log(least), math.log(most))) / KM_A_DEGREE for _ in range(2))
    south = draw.choice([-90.0, 90 - height, -height / 2, 0.0, *[draw.uniform(-90, 90 - height)] * 4])
    north = 90.0 if south == 90 - height else south + height
    nearest = 0.0 if south <= 0 <= north else min(abs(south), abs(north))
    degrees = min(width / max(math.cos(math.radians(nearest)), 1e-9), 360.0)
    if degrees == 360:
        return BoundingBox(-180, south, 180, north)
    west = draw.choice([180 - degrees * draw.random(), 180 - 1e-4, -180.0, *[draw.uniform(-180, 180)] * 3])
    east = west + degrees
    return BoundingBox(west, south, east if east <= 180 else east - 360, north)


def is_large(box: BoundingBox) -> bool:
    """1,000 km and more on both sides."""
    return min(sides_miles(box)) >= 1000 / 1.609344


def many_boxes(count: int, seed: str, most: float = 2000.0) -> Iterator[BoundingBox]:
    draw = random.Random(seed)
    return (a_box(draw, most=most) for _ in range(count))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_boxes_are_covered_with_few_clauses(seed: int) -> None:
    """Whatever the box: nothing open, no limit passed, never more than a square grid, near the hexagonal bound where it is large."""
    for box in many_boxes(1000, f"slow {seed}"):
        texts = check_covered(box)
        if is_large(box):
            assert len(texts) <= 1.35 * box.surface_km2 / HEXAGON_KM2, box.csv


def test_random_boxes_are_covered() -> None:
    """The same for some hundred smaller ones."""
    for box in many_boxes(250, "fast", most=300):
        check_covered(box)


@pytest.mark.slow
@pytest.mark.parametrize("side", [1000, 1200, 1600, 2000])
def test_large_boxes_stay_near_the_hexagonal_bound(side: int) -> None:
    """At every latitude, in one piece and in two unlike halves: within 1.35 of surface / (3√3/2·r²); 1.15 up to 70 degrees."""
    draw = random.Random(side)
    for south in [-90.0, *(draw.uniform(-90, 90 - side / KM_A_DEGREE) for _ in range(20)), 90 - side / KM_A_DEGREE]:
        north = min(90.0, south + side / KM_A_DEGREE)
        nearest = 0.0 if south <= 0 <= north else min(abs(south), abs(north))
        width = 1.001 * side / KM_A_DEGREE / math.cos(math.radians(nearest))
        for west in (-width / 2, 180 - width * draw.random(), 180 - 1e-4):
            box = BoundingBox(west, south, west + width if west + width <= 180 else west + width - 360, north)
            ratio = len(check_covered(box)) * HEXAGON_KM2 / box.surface_km2
            assert 1 < ratio < 1.35, box.csv
            if max(abs(south), abs(north)) <= 70 and not box.crosses_antimeridian:
                assert ratio < 1.15, box.csv


@settings(max_examples=60)
@given(st.floats(0.0001, 3), st.floats(0.0001, 2), st.floats(-180, 179.9999), st.floats(0, 1))
@example(360, 0.5, -180, 1)
@example(360, 0.1, -180, 0)
@example(0.0002, 0.0001, 179.9999, 0.5)
@example(0.0008, 0.0008, -0.0004, 0.5)
@example(0.3618, 0.3618, 0, 0.5)
@example(0.7236, 0.36, 0, 5 / 6)
@example(180, 0.7, -90, 1)
@example(359.9, 0.35, -180, 0)
def test_small_boxes_are_covered_by_boxes_and_by_circles(width: float, height: float, west: float, up: float) -> None:
    """Corners and edges, poles and antimeridian; and `cover` gives circles that do it alone."""
    south = -90 + up * (180 - height)
    east = west + width if west + width <= 180 else west + width - 360
    if east in (west, -180) or south >= min(90.0, south + height):
        return
    box = BoundingBox(west, south, east, min(90.0, south + height))
    check_covered(box)
    for part in box.parts():
        check_circles_cover(part, cover(part))


def test_a_covering_with_a_circle_less_is_found_out() -> None:
    """The check itself sees a hole, wherever it is."""
    box = BoundingBox(-3, 48, 3, 52)
    circles = list(cover(box))
    check_circles_cover(box, circles)
    for missing in range(len(circles)):
        with pytest.raises(AssertionError):
            check_circles_cover(box, circles[:missing] + circles[missing + 1 :])


def test_a_small_box_is_asked_for_as_a_box_rounded_outwards() -> None:
    """Both sides under 25 miles: one bounding_box, whose edges were moved outwards to three decimals."""
    assert clauses(BoundingBox(-0.12345, 51.45001, 0.10001, 51.54999)) == ("bounding_box:[-0.124 51.45 0.101 51.55]",)
    assert clauses(BoundingBox(-0.51, 51.4, -0.1, 51.6)) == ("bounding_box:[-0.51 51.4 -0.1 51.6]",)  # what is round stays
    assert clauses(BoundingBox(-0.0001, -0.0001, 0.1, 0.1)) == ("bounding_box:[-0.001 -0.001 0.1 0.1]",)


def test_a_small_box_over_the_antimeridian_is_asked_for_in_two() -> None:
    """X takes no box whose west is greater than its east."""
    assert clauses(BoundingBox(179.9, -17, -179.9, -16.8)) == ("bounding_box:[179.9 -17 180 -16.8]", "bounding_box:[-180 -17 -179.9 -16.8]")


def test_a_city_needs_few_clauses() -> None:
    """The sample cities fit one circle; Los Angeles county a handful: twelve fit a query of 512 characters."""
    assert clauses(BoundingBox(-0.510375, 51.28676, 0.334015, 51.691874)) == ("point_radius:[-0.088 51.489 24.9mi]",)
    assert clauses(BoundingBox(-99.364924, 19.048237, -98.940303, 19.592757)) == ("point_radius:[-99.153 19.32 24.9mi]",)
    los_angeles = clauses(BoundingBox(-118.951721, 33.654, -117.646374, 34.823302))
    assert len(los_angeles) <= 6
    assert len(x_endpoints.queries(los_angeles, limit=512)) == 1


def test_the_same_box_gives_the_same_circles_north_and_south() -> None:
    """Mirrored at the equator: the layout is made towards the nearer pole."""
    north, south = cover(BoundingBox(10, 40, 20, 50)), cover(BoundingBox(10, -50, 20, -40))
    assert [(circle.longitude, -circle.latitude) for circle in south] == [(circle.longitude, circle.latitude) for circle in north]


@pytest.mark.parametrize(("box", "needed"), [((-180, -90, 180, 90), 122_259), ((-30, -60, 30, 0), 8_824)])
def test_a_box_that_would_need_absurdly_many_queries_is_refused(box: tuple[float, ...], needed: int) -> None:
    """In words, with the numbers: circles, queries, and how many are taken."""
    with pytest.raises(SettingsError) as refused:
        clauses(BoundingBox(*box))
    said = str(refused.value)
    assert f"needs at least {needed:,} circles" in said
    assert f"about {math.ceil(needed / 11):,} queries to X every night" in said
    assert "wanted at most 4,950 circles, 450 queries" in said


def test_a_box_just_over_the_limit_is_refused_too() -> None:
    """Also where the surface alone does not say so."""
    assert len(cover(BoundingBox(-180, -2, 180, 2))) < MOST_CIRCLES
    with pytest.raises(SettingsError, match=r"needs [\d,]+ circles"):
        cover(BoundingBox(-180, -2.25, 180, 2.25))


def test_so_many_circles_always_fit_a_query() -> None:
    """Those with the longest numbers, too."""
    longest = clause(Circle(-179.123, -89.123))
    assert len(x_endpoints.queries((longest,) * CIRCLES_A_QUERY, limit=x_endpoints.RECENT.query_length)) == 1
    assert len(x_endpoints.queries((longest,) * (CIRCLES_A_QUERY + 1), limit=x_endpoints.RECENT.query_length)) == 2


def test_numbers_are_written_short() -> None:
    """Three decimals, no zeros at the end, no minus zero, and never an exponent."""
    assert clause(Circle(-0.0, 1e-05)) == "point_radius:[0 0 24.9mi]"
    assert clause(Circle(10.5, -7.0)) == "point_radius:[10.5 -7 24.9mi]"
    assert Decimal(clause(Circle(0.001, 0.0)).split("[")[1].split()[0]) == Decimal("0.001")


def test_sides_are_measured_where_the_box_is_widest() -> None:
    """Width at the edge nearest the equator, at the equator itself where the box spans it."""
    assert sides_miles(BoundingBox(0, 50, 1, 60))[0] == pytest.approx(69.4 * math.cos(math.radians(50)), rel=1e-3)
    assert sides_miles(BoundingBox(0, -10, 1, 60))[0] == pytest.approx(69.4, rel=1e-3)
    assert sides_miles(BoundingBox(0, -60, 1, -50)) == sides_miles(BoundingBox(0, 50, 1, 60))
