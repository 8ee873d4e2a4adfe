"""The page of an area: its map is true to scale and in one piece, its numbers are those of the queries, and it is harmless."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import cli, cover, extract
from pipeline.boxes import BoundingBox
from pipeline.report import area, drawing
from pipeline.settings import Area, Settings
from pipeline.sources import x_endpoints
from pipeline.storage import write_json
from tests.cards import Tags
from tests.test_page import Browser, browser  # noqa: F401  (browser is a fixture)

AREAS = """
[mexico-city]
box = "-99.3650,19.0482,-98.9403,19.5928"
timezone = "America/Mexico_City"
places = ["25530ba03b7d90c6", "457b4814b4240d87"]

[fiji]
box = "176.5,-20,-178,-15.5"
timezone = "Pacific/Fiji"

[globe]
box = "-180,-90,180,90"
timezone = "UTC"

[globe-of-archives]
box = "-180,-90,180,90"
timezone = "UTC"
source = "archive"
"""
#: West, south, east, north: a city, a large box, one across the antimeridian, a wedge to the pole, a cap, a belt, a sliver.
BOXES = [
    "-99.3650,19.0482,-98.9403,19.5928",
    "-10,40,10,50",
    "176.5,-20,-178,-15.5",
    "0,82,60,90",
    "-180,-90,180,-86",
    "-180,-0.2,180,0.2",
    "10,-30,10.1,30",
    "-0.02,51.5,-0.01,51.505",
]


#: Whether no label of the map leaves the card that the map is on.
LABELS_STAND_INSIDE = """
(() => { const card = document.querySelector("article").getBoundingClientRect();
  return [...document.querySelectorAll("svg text")].map(each => each.getBoundingClientRect())
    .every(each => each.left >= card.left && each.right <= card.right) })()
"""


def an_area(box: str = BOXES[0], **changes: Any) -> Area:
    """An area, one field changed a test."""
    return Area(**({"name": "somewhere", "box": box, "timezone": "UTC"} | changes))


def points(path: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The points of an SVG path of straight lines."""
    return np.array([[float(number) for number in point.split()] for point in path.strip("MZ").split("L")])


def drawn(box: str) -> drawing.Drawing:
    """The drawing of a box and of what covers it."""
    where = an_area(box).box
    return drawing.draw(where, cover.regions(where))


@pytest.mark.parametrize("box", BOXES)
def test_everything_lies_on_the_map(box: str) -> None:
    """The box, its circles and boxes inside the frame; labels inside the picture; nothing is not a number."""
    picture = drawn(box)
    for path in (picture.outline, *picture.boxes):
        x, y = points(path).T
        assert ((x >= picture.left) & (x <= picture.right) & (y >= picture.top) & (y <= picture.bottom)).all()
    for each in picture.ellipses:
        assert picture.left <= each.x - min(each.rx, each.ry)
        assert each.x + min(each.rx, each.ry) <= picture.right
        assert picture.top <= each.y <= picture.bottom
        assert each.rx > 0 < each.ry
    assert len(picture.labels) >= 4
    for label in picture.labels:
        assert 0 < label.x < picture.width
        assert 0 < label.y < picture.height
        assert re.fullmatch(r"\d+(\.\d+)?°( [NSEW])?", label.text)
    assert "nan" not in " ".join([picture.outline, *picture.graticule])


@pytest.mark.parametrize("box", BOXES[:4])
def test_the_box_lies_under_the_circles_as_it_is_drawn(box: str) -> None:
    """Each point of the outline is inside one of the ellipses: the projection moves neither away from the other."""
    picture = drawn(box)
    x, y = points(picture.outline).T
    covered = np.zeros(x.shape, dtype=bool)
    for each in picture.ellipses:
        angle = math.radians(each.angle)
        along, across = (
            (x - each.x) * math.cos(angle) + (y - each.y) * math.sin(angle),
            (y - each.y) * math.cos(angle) - (x - each.x) * math.sin(angle),
        )
        covered |= (along / each.rx) ** 2 + (across / each.ry) ** 2 <= 1.03
    assert covered.all()


def test_a_box_across_the_antimeridian_is_one_piece() -> None:
    """As wide as the same box elsewhere; the 180th meridian is named on it."""
    here, there = drawn("176.5,-20,-178,-15.5"), drawn("6.5,-20,12,-15.5")
    assert np.ptp(points(here.outline)[:, 0]) == pytest.approx(np.ptp(points(there.outline)[:, 0]), rel=0.05)
    assert {"178° E", "180°", "178° W"} <= {label.text for label in here.labels}


@pytest.mark.parametrize("box", [BOXES[0], BOXES[1], BOXES[2]])
def test_the_scale_is_true(box: str) -> None:
    """A circle is as wide as so many kilometres on the bar, within half a per cent."""
    picture = drawn(box)
    left, right = (float(number) for number in re.findall(r"M([\d.]+) .*H([\d.]+)", picture.scale.path)[0])
    kilometres = float(picture.scale.text.removesuffix(" km").replace(",", ""))
    unit = (right - left) / kilometres
    for each in picture.ellipses:
        assert each.rx / unit == pytest.approx(24.9 * 1.609344, rel=0.006)
        assert each.ry / unit == pytest.approx(24.9 * 1.609344, rel=0.006)


@pytest.mark.parametrize("box", BOXES)
def test_a_projection_comes_back(box: str) -> None:
    """Degrees to kilometres and back are the same degrees."""
    where = an_area(box).box
    projection = drawing.Projection.of(where)
    longitude = where.west + where.width * np.linspace(0.01, 0.99, 7)
    latitude = where.south + where.height * np.linspace(0.01, 0.99, 7)
    again, level = projection.back(*projection.onto(longitude, latitude))
    assert np.abs(latitude - level).max() < 1e-8
    assert np.abs((again - longitude + 180) % 360 - 180).max() < 1e-6


def test_it_says_what_x_would_be_asked() -> None:
    """Surface, clauses and queries for both endpoints; the places by id; the first queries themselves."""
    given = an_area("-10,40,10,50", places=("25530ba03b7d90c6",))
    shown = " ".join(Tags(area.render(given)).text.split())
    clauses = extract.clauses(given)
    recent, everything = (x_endpoints.queries(clauses, limit=limit) for limit in (512, 1024))
    assert f"{len(clauses) - 1:,} circles of 24.9 miles and 1 place: {len(clauses):,} clauses" in shown
    assert re.search(rf"For search/recent\s*{len(recent)} queries of up to \d+ characters \(512 are allowed\)", shown)
    assert re.search(rf"For search/all\s*{len(everything)} queries of up to 1,0\d\d characters \(1,024 are allowed\)", shown)
    assert "10° W to 10° E, 40° N to 50° N" in shown
    assert f"1,704 km wide, 1,112 km high; {given.box.surface_km2:,.0f} km²" in shown
    assert "25530ba03b7d90c6" in shown
    assert recent[0] in shown
    assert f"And {len(recent) - 20} more of the kind." in shown


def test_a_small_box_is_drawn_as_a_box() -> None:
    """The rectangle that is asked for, no circle."""
    page = area.render(an_area("-0.02,51.5,-0.01,51.505"))
    assert "1 bounding box: 1 clause" in page
    assert page.count('<path class="asked"') == 1
    assert "<ellipse" not in page


def test_it_loads_nothing_and_runs_nothing() -> None:
    """No script, no address outside, no inline style; the policy allows its own style alone."""
    text = area.render(an_area(places=("25530ba03b7d90c6",)))
    seen = Tags(text)
    assert {tag for tag, _ in seen.tags} & {"script", "iframe", "img", "object", "embed", "form", "base"} == set()
    for tag, attributes in seen.tags:
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        for name in ("href", "src", "xlink:href", "action", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,")), (tag, attributes)
    assert "default-src 'none'; style-src 'sha256-" in text
    assert "@import" not in text


def test_whatever_an_area_is_called_is_text() -> None:
    """Names and ids cannot hold markup (settings refuse it); if one did, it would be shown."""
    evil = "</title></svg><script>alert(1)</script>\"'{{ 7*7 }}"
    given = an_area().model_copy(update={"name": evil, "places": (evil,), "timezone": evil})
    seen = Tags(area.render(given))
    assert "script" not in {tag for tag, _ in seen.tags}
    assert seen.text.count(evil) >= 3


@pytest.fixture
def installed(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation with these areas, which the command line finds."""
    settings = make_settings(areas=AREAS, studies="", database=False)
    monkeypatch.setenv("GEOBETA_CONFIG", str(settings.config))
    monkeypatch.setenv("GEOBETA_DATA", str(settings.data))
    return settings


def test_the_command_writes_the_page_and_says_three_lines(installed: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """What it is, what would be asked, what it would cost, where the page lies; the cost once the disk holds a day."""
    assert cli.main(["area", "mexico-city"]) == 0
    said = capsys.readouterr().out.splitlines()
    page = installed.data / "areas" / "mexico-city.html"
    assert said == [
        "mexico-city: 44.6 km wide, 60.6 km high, 2,699 km²",
        "1 circle of 24.9 miles and 2 places; queries: 1 to search/recent, 1 to search/all",
        "what a day costs is not known yet: `python -m pipeline plan` asks X for it",
        f"page: {page}",
    ]
    assert page.read_text("utf-8").startswith("<!doctype html>")
    day = installed.data / "raw" / "area=mexico-city" / "date=2026-11-20" / "revision=x"
    write_json(day / "manifest.json", {"posts": 1240, "synthetic": True})
    assert cli.main(["area", "mexico-city"]) == 0
    price = "a day has about 1,240 posts: $6.20 by X's price list; made up: nothing is paid"
    assert price in capsys.readouterr().out
    assert price in " ".join(Tags(page.read_text("utf-8")).text.split())


def test_one_circle_for_each_that_is_asked_for(installed: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """And the note that a box across the antimeridian is asked for in halves."""
    assert cli.main(["area", "fiji"]) == 0
    page = (installed.data / "areas" / "fiji.html").read_text("utf-8")
    assert page.count("<ellipse") == len(cover.clauses(BoundingBox(176.5, -20, -178, -15.5)))
    assert "crosses the 180th meridian" in page


@pytest.mark.parametrize(("name", "words"), [("globe", "wanted at most 4,950 circles, 450 queries"), ("nowhere", "mexico-city, fiji")])
def test_an_area_that_cannot_be_asked_for_is_refused(
    installed: Settings, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    """Exit code 2, with the area's name, what is wrong, and what would be right; no page."""
    assert cli.main(["area", name]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert name in said
    assert not (installed.data / "areas" / f"{name}.html").exists()


def test_an_area_of_archives_may_be_as_large_as_the_globe(installed: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is asked of X for it, and it is drawn all the same."""
    assert cli.main(["area", "globe-of-archives"]) == 0
    assert 'its source is "archive": nothing is asked of X' in capsys.readouterr().out


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [380, 1200])
def test_a_browser_shows_it_without_a_complaint_or_a_request(browser: Browser, tmp_path: Path, width: int) -> None:  # noqa: F811
    """No console message, no refused style, no request but the file; nothing sticks out sideways, no label out of the picture."""
    for number, box in enumerate(BOXES):
        file = tmp_path / f"{number}.html"
        file.write_text(area.render(an_area(box, places=("25530ba03b7d90c6",))), encoding="utf-8")
        browser.open(file, width=width)
        asked = [event["params"]["request"]["url"] for event in browser.events if event.get("method") == "Network.requestWillBeSent"]
        assert [url for url in asked if url not in (file.as_uri(), "data:,")] == []
        assert not [event for event in browser.events if event.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")]
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        # labels may stand a little way into the card's rim
        assert browser.evaluate(LABELS_STAND_INSIDE), box
        assert browser.evaluate("parseFloat(getComputedStyle(document.querySelector('.box')).strokeWidth)") == 2
