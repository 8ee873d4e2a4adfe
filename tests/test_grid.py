"""The grid of boxes by which X is asked to count: exactly the area's box, for nobody filters a count afterwards."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import cover
from pipeline.boxes import BoundingBox, parse_box
from pipeline.errors import SettingsError


@st.composite
def boxes(draw: st.DrawFn) -> BoundingBox:
    """Boxes of 1 to 180 km a side, everywhere but at the poles, some of them across the antimeridian."""
    south = draw(st.floats(-80, 78))
    west = draw(st.floats(-180, 179.9))
    height, width = (draw(st.floats(1, 180)) / 111.2 for _ in "hw")
    north = south + height
    east = west + width / math.cos(math.radians(max(abs(south), abs(north))))
    west, south, east, north = (round(edge, 6) for edge in (west, south, east, north))
    return BoundingBox(west, south, east - 360 if east > 180 else east, north)


@settings(max_examples=300)
@given(boxes())
def test_a_grid_is_the_box_and_nothing_else(box: BoundingBox) -> None:
    """Its boxes are as X takes them; none reaches beyond the area's, no point of that is left out, and no surface is there twice."""
    found = cover.grid(box)
    assert max(max(cover.sides_miles(cell)) for cell in found) < cover.LIMIT_MILES
    assert not any(cell.west > cell.east for cell in found)
    assert sum(cell.surface_km2 for cell in found) == pytest.approx(box.surface_km2, rel=1e-9)
    corners = np.array([(longitude, latitude) for cell in found for longitude in cell.bounds[::2] for latitude in cell.bounds[1::2]])
    assert box.contains(corners[:, 0], corners[:, 1]).all()
    rng = np.random.default_rng(1)
    east = box.east + 360 if box.crosses_antimeridian else box.east
    longitude = (rng.uniform(box.west, east, 500) + 180) % 360 - 180
    latitude = rng.uniform(box.south, box.north, 500)
    assert np.any([cell.contains(longitude, latitude) for cell in found], axis=0).all()


@settings(max_examples=100)
@given(boxes())
def test_what_x_is_told_is_the_grid_to_the_last_digit(box: BoundingBox) -> None:
    """Plain decimal numbers, west below east."""
    for cell in cover.grid(box):
        text = cover.exact_clause(cell)
        assert "e" not in text.removeprefix("bounding_box").lower()
        assert tuple(map(float, text.removeprefix("bounding_box:[").removesuffix("]").split())) == cell.bounds


def test_a_grid_is_as_small_as_it_can_be() -> None:
    """A small box is itself; one across the antimeridian is its halves; a country is refused, and so is the globe, at once."""
    small = parse_box("-0.200001,51.4,0.1,51.6")
    assert cover.grid(small) == (small,)
    assert cover.exact_clause(small) == "bounding_box:[-0.200001 51.4 0.1 51.6]"
    assert [cell.bounds for cell in cover.grid(parse_box("179.9,-1,-179.9,-0.9"))] == [(179.9, -1, 180, -0.9), (-180, -1, -179.9, -0.9)]
    assert len(cover.grid(parse_box("-99.364924,19.048237,-98.940303,19.592757"))) == 4
    for box in ("-118,15,-87,32", "-180,-90,180,90"):
        with pytest.raises(SettingsError, match="boxes of under 25 miles"):
            cover.grid(parse_box(box))
