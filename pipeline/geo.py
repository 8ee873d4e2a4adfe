"""The one evidence policy. What a box is, and how one is read from text, is in boxes.py; what X is asked for, in cover.py.

`BoundingBox` and `parse_box` are offered here too, so that other modules need this one only.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.boxes import BoundingBox, Flags, Floats, centres, parse_box, surface_km2

__all__ = ["INSIDE", "KINDS", "BoundingBox", "evidence", "evidence_codes", "parse_box"]

#: The kinds of evidence that count a tweet as inside, strongest first.
INSIDE: Final = ("point", "place_within", "place_centroid")
#: All that `evidence` says.
KINDS: Final = (*INSIDE, "outside", "nowhere")
_POINT, _WITHIN, _CENTROID, _OUTSIDE, _NOWHERE = np.arange(len(KINDS), dtype=np.int8)


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
    codes = evidence_codes(longitude, latitude, place_west, place_south, place_east, place_north, box=box, largest_place=largest_place)
    kinds: NDArray[np.object_] = np.array(KINDS, dtype=object)[codes]
    return kinds


def evidence_codes(
    longitude: ArrayLike,
    latitude: ArrayLike,
    place_west: ArrayLike,
    place_south: ArrayLike,
    place_east: ArrayLike,
    place_north: ArrayLike,
    *,
    box: BoundingBox,
    largest_place: float = 4.0,
) -> NDArray[np.int8]:
    """`evidence` as indices in KINDS: a tenth of the time, for who asks about millions."""
    lon, lat, west, given_south, east, given_north = (
        np.asarray(values, dtype=np.float64) for values in (longitude, latitude, place_west, place_south, place_east, place_north)
    )
    has_point = np.isfinite(lon) & np.isfinite(lat)
    has_place = np.isfinite(west) & np.isfinite(given_south) & np.isfinite(east) & np.isfinite(given_north)
    kinds = np.where(has_point | has_place, _OUTSIDE, _NOWHERE)
    points = np.flatnonzero(has_point & (lat >= box.south) & (lat <= box.north))
    kinds[points[box.contains(lon[points], lat[points])]] = _POINT
    south, north = np.minimum(given_south, given_north), np.maximum(given_south, given_north)
    # neither the whole nor the centre of any other place can be inside: few rows are left to be looked at closely
    rows = np.flatnonzero(has_place & ~has_point & (south <= box.north) & (north >= box.south))
    west, south, east, north = west[rows], south[rows], east[rows], north[rows]
    whole = _within(box, west, south, east, north)
    kinds[rows[whole]] = _WITHIN
    centre = np.flatnonzero(~whole & box.contains(*centres(west, south, east, north)))
    surfaces = surface_km2(west[centre], south[centre], east[centre], north[centre])
    kinds[rows[centre[surfaces <= largest_place * box.surface_km2]]] = _CENTROID
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
