import contextlib
import json
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.errors import SettingsError
from pipeline.geo import BoundingBox, evidence, parse_box

HOUSTON = BoundingBox(-95.788087, 29.523624, -95.014496, 30.110732)
RING = [[-95.788087, 29.523624], [-95.014496, 29.523624], [-95.014496, 30.110732], [-95.788087, 30.110732], [-95.788087, 29.523624]]
POLYGON = {"type": "Polygon", "coordinates": [RING]}
FEATURE = {"type": "Feature", "properties": {}, "geometry": POLYGON}
WKT_RING = ", ".join(f"{longitude} {latitude}" for longitude, latitude in RING)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("-95.788087,29.523624,-95.014496,30.110732", id="csv"),
        pytest.param("  -95.788087, 29.523624, -95.014496, 30.110732 \n", id="csv with spaces"),
        pytest.param('"-95.788087,29.523624,-95.014496,30.110732"', id="csv in quotes"),
        pytest.param("-95.788087\t29.523624\t-95.014496\t30.110732", id="csv raw, tabs"),
        pytest.param("-95.788087 29.523624   -95.014496 30.110732", id="csv raw, spaces"),
        pytest.param("-9.5788087e1,29.523624,-95.014496,+30.110732", id="exponent and sign"),
        pytest.param("westlimit=-95.788087; southlimit=29.523624; eastlimit=-95.014496; northlimit=30.110732", id="dublin core"),
        pytest.param(
            "name=Houston; northlimit=30.110732;EastLimit = -95.014496;southlimit=29.523624;westlimit=-95.788087;", id="dublin core, mixed"
        ),
        pytest.param(json.dumps([RING]), id="bare coordinates"),
        pytest.param(json.dumps(RING), id="bare ring"),
        pytest.param(json.dumps(RING[:4]), id="ring not closed"),
        pytest.param(json.dumps([[*RING[2], 12.5], *RING[3:], *RING[1:2]]), id="other corner first, with heights"),
        pytest.param(json.dumps(POLYGON), id="geojson polygon"),
        pytest.param(json.dumps({"type": "MultiPolygon", "coordinates": [[RING]]}), id="geojson multipolygon"),
        pytest.param(json.dumps(FEATURE, indent=2), id="geojson feature"),
        pytest.param(json.dumps({"type": "FeatureCollection", "features": [FEATURE]}), id="geojson feature collection"),
        pytest.param(json.dumps({"type": "GeometryCollection", "geometries": [POLYGON]}), id="geojson geometry collection"),
        pytest.param(f"POLYGON(({WKT_RING}))", id="wkt"),
        pytest.param(f"polygon ( ( {WKT_RING} ) )", id="wkt, small letters"),
        pytest.param(f"SRID=4326;MULTIPOLYGON((({WKT_RING})))", id="wkt multipolygon"),
        pytest.param([-95.788087, 29.523624, -95.014496, 30.110732], id="four numbers of TOML"),
        pytest.param([RING], id="coordinates of TOML"),
        pytest.param(FEATURE, id="feature as a dict"),
    ],
)
def test_every_form_of_a_box_is_read(text):
    """All forms that a bounding-box tool gives mean the same box, to the last bit."""
    assert parse_box(text) == HOUSTON


@pytest.mark.parametrize(
    ("text", "corrected"),
    [
        ("29.523624,-95.788087,30.110732,-95.014496", "-95.788087,29.523624,-95.014496,30.110732"),  # south,west,north,east
        ("-95.788087,-95.014496,29.523624,30.110732", "-95.788087,29.523624,-95.014496,30.110732"),  # west,east,south,north
        ("30.110732,-95.788087,29.523624,-95.014496", "-95.788087,29.523624,-95.014496,30.110732"),  # north,west,south,east
        ("-95.788087,30.110732,-95.014496,29.523624", "-95.788087,29.523624,-95.014496,30.110732"),  # north before south
        ("-95.014496,29.523624,-95.788087,30.110732", "-95.788087,29.523624,-95.014496,30.110732"),  # east before west
        ("-95.014496,30.110732,-95.788087,29.523624", "-95.788087,29.523624,-95.014496,30.110732"),  # both
        (json.dumps([[latitude, longitude] for longitude, latitude in RING]), "-95.788087,29.523624,-95.014496,30.110732"),
    ],
)
def test_swapped_numbers_are_refused_with_the_box_that_was_meant(text, corrected):
    """A box whose numbers are swapped is refused, and the message holds the corrected one, which is then accepted."""
    with pytest.raises(SettingsError) as caught:
        parse_box(text)
    assert f'"{corrected}"' in str(caught.value)
    assert parse_box(corrected) == HOUSTON


@pytest.mark.parametrize(
    "text",
    [
        "",
        "London",
        "1,2,3",
        "1,2,3,4,5",
        "nan,1,2,3",
        "inf,1,2,3",
        "1;2;3;4",
        "1,1,1,2",
        "1,2,3,2",
        "0,100,1,200",
        "-200,1,200,2",
        "900,1,901,2",
        "westlimit=1; southlimit=2; eastlimit=3",
        "westlimit=1; westlimit=1; southlimit=2; eastlimit=3; northlimit=4",
        "[[1, 2], [3, 4]]",
        "[[[1, 2], [3, 4",
        "[]",
        "{}",
        '{"type": "Point", "coordinates": [1, 2]}',
        '{"type": "FeatureCollection", "features": []}',
        '[[[1, "2"], [3, 4], [5, 6]]]',
        "POLYGON((1 2 3 4, 5))",
        "POLYGON EMPTY",
        "[" * 100_000,
        7,
        None,
        True,
        [1, 2, 3, True],
    ],
)
def test_what_is_no_box_is_refused(text):
    """Anything else is refused with a SettingsError, never with another exception."""
    with pytest.raises(SettingsError):
        parse_box(text)


def test_a_box_may_cross_the_antimeridian():
    """West greater than east means a box over the 180th meridian, however the tool writes it."""
    fiji = BoundingBox(177.0, -19.0, -178.5, -16.0)
    west_half = [[177.0, -19.0], [180, -19.0], [180, -16.0], [177.0, -16.0]]
    east_half = [[-180, -19.0], [-178.5, -19.0], [-178.5, -16.0], [-180, -16.0]]
    assert fiji.crosses_antimeridian
    assert fiji.width == 4.5
    assert fiji.centre == (179.25, -17.5)
    assert parse_box("177,-19,-178.5,-16") == fiji
    assert parse_box("177,-19,181.5,-16") == fiji  # a map scrolled past the date line
    assert parse_box("-183,-19,-178.5,-16") == fiji
    assert parse_box({"type": "MultiPolygon", "coordinates": [[west_half], [east_half]]}) == fiji  # cut as RFC 7946 asks
    assert parse_box({"type": "MultiPolygon", "coordinates": [[east_half], [west_half]]}) == fiji
    assert fiji.contains([177.0, 180.0, -180.0, -178.5, -178.4, 176.9, 0.0], [-17.0] * 7).tolist() == [True] * 4 + [False] * 3
    assert [part.bounds for part in fiji.parts()] == [(177.0, -19.0, 180.0, -16.0), (-180.0, -19.0, -178.5, -16.0)]


def test_a_polygon_that_may_be_meant_either_way_round_is_refused_with_both_boxes():
    """A ring from -179 to 179 may be nearly the whole globe or a strip at the antimeridian: both are offered."""
    with pytest.raises(SettingsError) as caught:
        parse_box("POLYGON((-179 -10, 179 -10, 179 10, -179 10, -179 -10))")
    assert '"179,-10,-179,10"' in str(caught.value)
    assert '"-179,-10,179,10"' in str(caught.value)


def test_the_whole_globe_is_a_box():
    """-180 to 180 is the whole globe, written as numbers or as a polygon."""
    globe = parse_box("-180,-90,180,90")
    assert globe == parse_box("POLYGON((-180 -90, 180 -90, 180 90, -180 90))")
    assert globe.width == 360
    assert globe.surface_km2 == pytest.approx(510_065_600, rel=1e-6)  # 4 π R²


def test_both_names_of_the_180th_meridian_are_one_edge():
    """An eastern edge of -180 is +180, a western one of +180 is -180; points on it may be written either way."""
    assert BoundingBox(170, 0, -180, 1) == BoundingBox(170, 0, 180, 1)
    assert BoundingBox(180, 0, -170, 1) == BoundingBox(-180, 0, -170, 1)
    assert BoundingBox(170, 0, 180, 1).contains([-180.0, 180.0], [0.5, 0.5]).all()


GRID = st.integers(-720, 720).map(lambda quarter: quarter / 4)  # quarters of a degree: differences are exact, so edges can be hit
LATITUDES = st.integers(-360, 360).map(lambda quarter: quarter / 4)


@st.composite
def boxes(draw, longitudes=GRID, latitudes=LATITUDES):
    """Any box, the wide ones and those over the antimeridian included."""
    west, east = draw(longitudes), draw(longitudes)
    south, north = sorted((draw(latitudes), draw(latitudes)))
    assume(south < north and west != east and (west, east) != (180, -180))
    return BoundingBox(west, south, east, north)


FLOATS = st.floats(-180, 180, allow_nan=False)


@given(boxes(FLOATS, st.floats(-90, 90)))
def test_a_box_comes_back_from_every_form_it_is_written_in(box):
    """Writing a box as CSV, spaced numbers, DublinCore or a list and reading it gives the same box, to the last bit."""
    west, south, east, north = map(repr, box.bounds)
    # over 180 degrees wide and crossing looks like swapped numbers, and is refused: see above
    assume(not box.crosses_antimeridian or box.width <= 180)
    assert parse_box(box.csv) == box
    assert parse_box(str(box)) == box
    assert parse_box("\t".join((west, south, east, north))) == box
    assert parse_box(f"westlimit={west}; southlimit={south}; eastlimit={east}; northlimit={north}") == box
    assert parse_box(list(box.bounds)) == box


@pytest.mark.slow
@given(boxes(FLOATS, st.floats(-90, 90)), st.integers(0, 3), st.booleans())
def test_a_polygon_comes_back_whichever_corner_and_direction_it_begins_with(box, first, backwards):
    """GeoJSON and WKT rings give the same box from any corner, clockwise or not."""
    assume(not box.crosses_antimeridian and box.width <= 180)
    west, south, east, north = box.bounds
    ring = [[west, south], [east, south], [east, north], [west, north]]
    ring = ring[first:] + ring[:first]
    ring = [*ring[::-1], ring[-1]] if backwards else [*ring, ring[0]]
    assert parse_box(json.dumps([ring])) == box
    assert parse_box(f"POLYGON(({','.join(f'{longitude!r} {latitude!r}' for longitude, latitude in ring)}))") == box


@settings(max_examples=60)
@given(st.text(max_size=40) | st.text(alphabet='0123456789.,-+e; \t[]{}()=limtwesouhnarPOLYGN"', max_size=40))
def test_any_text_is_a_box_or_a_settings_error(text):
    """No text makes the parser fail in another way."""
    with contextlib.suppress(SettingsError):
        assert isinstance(parse_box(text), BoundingBox)


# ---- evidence: the policy of design.md, once more in plain words --------------------------------------------------------


def oracle(point, place, box, largest_place):
    """design.md, word by word, one tweet at a time. Longitudes are turned so that the box begins at 0."""
    west, south, east, north = box.bounds
    box_width = 360 if (west, east) == (-180, 180) else (east - west) % 360

    def inside(longitude, latitude):
        return ((longitude - west) % 360 <= box_width and south <= latitude <= north) or (box_width == 360 and south <= latitude <= north)

    def surface(width, low, high):
        return 6371.0088**2 * abs(math.sin(math.radians(high)) - math.sin(math.radians(low))) * math.radians(width)

    if point is not None:  # "an exact point decides alone (`point`, or outside)"
        return "point" if inside(*point) else "outside"
    if place is None:
        return "nowhere"
    place_west, place_south, place_east, place_north = place
    width = 360 if (place_west, place_east) == (-180, 180) else (place_east - place_west) % 360
    # "else the place's box: wholly inside the area's box (`place_within`; a place without extent counts here as a point)"
    across = box_width == 360 or (place_west - west) % 360 + width <= box_width
    if across and south <= place_south and place_north <= north:
        return "place_within"
    # "else its centre inside and its surface at most `largest_place` times the area's (`place_centroid`)"
    limit, size = largest_place * surface(box_width, south, north), surface(width, place_south, place_north)
    assume(size == 0 or abs(size / limit - 1) > 1e-9)  # a tie may fall either way in floating point; tested by itself below
    if inside(place_west + width / 2, (place_south + place_north) / 2) and size <= limit:
        return "place_centroid"
    return "outside"  # "else outside"


def ask(point, place, box, largest_place=4.0):
    """The evidence of one tweet."""
    nothing = float("nan")
    arguments = [*(point or (nothing, nothing)), *(place or (nothing,) * 4)]
    return evidence(*(np.array([value]) for value in arguments), box=box, largest_place=largest_place)[0]


@st.composite
def near(draw, box):
    """A point or place with numbers often on, or a little off, the box's edges."""
    longitudes = st.sampled_from([box.west, box.east, box.centre[0], 180.0, -180.0]) | GRID
    latitudes = st.sampled_from([box.south, box.north, box.centre[1]]) | LATITUDES
    nudge = st.sampled_from([0, 0, 0.25, -0.25])
    longitude = st.builds(lambda value, by: (value + by + 180) % 360 - 180 if by else value, longitudes, nudge)
    latitude = st.builds(lambda value, by: max(-90.0, min(90.0, value + by)), latitudes, nudge)
    point = draw(st.none() | st.tuples(longitude, latitude))
    south, north = sorted((draw(latitude), draw(latitude)))
    west = draw(longitude)
    place = draw(st.none() | st.just((west, south, draw(longitude | st.just(west)), north)))
    return point, place


@pytest.mark.slow
@settings(max_examples=150)
@given(st.data())
def test_evidence_agrees_with_the_policy_in_words(data):
    """For any box, point and place the vectorised policy says what design.md says, edges and antimeridian included."""
    box = data.draw(boxes())
    point, place = data.draw(near(box))
    largest_place = data.draw(st.sampled_from([0.5, 1.0, 4.0, 100.0]))
    assert ask(point, place, box, largest_place) == oracle(point, place, box, largest_place)


@settings(max_examples=25)
@given(st.data())
def test_evidence_of_many_is_the_evidence_of_each(data):
    """Arrays give, row for row, what each tweet gives alone."""
    box = data.draw(boxes())
    tweets = data.draw(st.lists(near(box), min_size=1, max_size=8))
    nothing = float("nan")
    rows = [(*(point or (nothing, nothing)), *(place or (nothing,) * 4)) for point, place in tweets]
    kinds = evidence(*np.array(rows).T, box=box)
    assert kinds.tolist() == [ask(point, place, box) for point, place in tweets]


LONDON = BoundingBox(-0.5, 51.25, 0.25, 51.75)


@pytest.mark.parametrize(
    ("point", "place", "kind"),
    [
        ((0.0, 51.5), None, "point"),
        ((-0.5, 51.25), None, "point"),  # the corner belongs to the box
        ((0.25, 51.75), (10, 10, 11, 11), "point"),  # the point decides alone
        ((0.250001, 51.5), (-0.1, 51.4, 0.1, 51.6), "outside"),  # ... also against a place inside
        (None, (-0.5, 51.25, 0.25, 51.75), "place_within"),  # the box itself
        (None, (0.25, 51.75, 0.25, 51.75), "place_within"),  # no extent, on the corner
        (None, (0.26, 51.75, 0.26, 51.75), "outside"),  # no extent, beside it
        (None, (-0.501, 51.25, 0.25, 51.75), "place_centroid"),
        (None, (-1.625, 51.25, 1.375, 51.75), "place_centroid"),  # exactly four times as large
        (None, (-1.626, 51.25, 1.376, 51.75), "outside"),  # a little more
        (None, (0.0, 51.25, 0.5, 51.75), "place_centroid"),  # centre on the edge
        (None, (0.0, 51.25, 0.502, 51.75), "outside"),  # centre just beyond it
        (None, (-0.3, 51.75, -0.2, 51.30), "place_within"),  # south and north the wrong way round
        (None, None, "nowhere"),
        ((float("nan"), 51.5), None, "nowhere"),  # half a point is none
        ((float("inf"), 51.5), (-0.1, 51.4, 0.1, 51.6), "place_within"),
        (None, (-0.1, float("nan"), 0.1, 51.6), "nowhere"),  # three edges are no place
    ],
)
def test_evidence_of_single_cases(point, place, kind):
    """Edges belong to the box, a point decides alone, and large places do not count."""
    assert ask(point, place, LONDON) == kind


def test_a_place_without_extent_may_lie_on_the_180th_meridian():
    """Written +180, -180 or from one to the other, it is the same point; from -180 to 180 it is the whole globe."""
    fiji, bering = BoundingBox(177, -19, -178, -16), BoundingBox(-180, -19, -170, -16)
    for west, east in ((180.0, 180.0), (-180.0, -180.0), (180.0, -180.0)):
        assert ask(None, (west, -17.0, east, -17.0), fiji) == "place_within"
        assert ask(None, (west, -17.0, east, -17.0), bering) == "place_within"
    assert ask(None, (-180.0, -17.0, 180.0, -17.0), fiji) == "outside"


def test_evidence_of_nothing_is_nothing():
    """Empty arrays give an empty array."""
    assert evidence(*[np.array([])] * 6, box=LONDON).shape == (0,)
