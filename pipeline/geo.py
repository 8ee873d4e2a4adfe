"""The one evidence policy. What a box is, and how one is read from text, is in boxes.py; what X is asked for, in cover.py.

`BoundingBox` and `parse_box` are offered here too, so that other modules need this one only.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.boxes import BoundingBox, Flags, Floats, centres, parse_box, surface_km2

__all__ = ["INSIDE", "BoundingBox", "evidence", "parse_box"]

#: The kinds of evidence that count a tweet as inside, strongest first.
INSIDE: Final = ("point", "place_within", "place_centroid")


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
