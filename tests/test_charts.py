"""Pictures: valid specifications, drawn offline, honest about days that are missing."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import altair as alt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.report import charts, curves, page, picture
from tests.report_days import made_days

SVG = "{http://www.w3.org/2000/svg}"
LATEST = {**made_days().iloc[-1].to_dict(), "prior_alpha": 2.0, "prior_beta": 38.0}
PICTURES = {
    "band": lambda: charts.posterior_band(made_days(20, missing=[3, 4, 9], partial=[12])),
    "band of nothing": lambda: charts.posterior_band(made_days(5, missing=range(5))),
    "band of one day": lambda: charts.posterior_band(made_days(1)),
    "counts": lambda: charts.counts_a_day(made_days(20, missing=[3, 4, 9], partial=[12])),
    "counts of nothing": lambda: charts.counts_a_day(made_days(5, missing=range(5))),
    "density": lambda: curves.share_density(LATEST),
    "daily": lambda: charts.daily_shares(made_days(20, missing=[3, 4, 9], partial=[12])),
    "daily of nothing": lambda: charts.daily_shares(made_days(5, missing=range(5))),
    "prior": lambda: curves.prior_and_posterior(LATEST),
    "titled": lambda: charts.posterior_band(made_days(), title="Share & <days>"),
    "daily, titled": lambda: charts.daily_shares(made_days(), title="Share & <days>"),
    "prior, titled": lambda: curves.prior_and_posterior(LATEST, title="Share & <days>"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_specification_is_valid_vega_lite(name: str) -> None:
    """Altair validates every picture against the Vega-Lite schema (the page skips that for speed)."""
    assert PICTURES[name]().to_dict(validate=True)["config"]["background"] == "transparent"


def test_png_is_drawn_offline() -> None:
    """A PNG comes from vl_convert alone, without a browser and without the network."""
    for chart in (charts.posterior_band(made_days()), charts.daily_shares(made_days()), curves.prior_and_posterior(LATEST)):
        assert picture.png(chart).startswith(b"\x89PNG\r\n")


def test_a_picture_that_names_an_address_is_refused_not_fetched() -> None:
    """vl_convert may not load data from anywhere."""
    chart = curves.share_density(LATEST)
    chart.layer[0].data = alt.UrlData("http://127.0.0.1:9/x.json")
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:9"):
        picture.svg(chart, name="x", label="x")


@pytest.mark.parametrize("name", ["band", "daily", "counts", "density", "prior"])
def test_svg_fits_a_page(name: str) -> None:
    """No script, style, link or fixed size; ids begin with the picture's name; what it shows is said in words."""
    root = ElementTree.fromstring(picture.svg(PICTURES[name](), name="traffic-x", label="what <it> shows"))
    assert root.get("aria-label") == "what <it> shows"
    assert root.get("role") == "img"
    assert root.get("viewBox")
    assert root.get("width") is None
    for element in root.iter():
        assert element.tag.removeprefix(SVG) not in {"script", "style", "a", "image", "foreignObject"}
        assert element.get("style") is None
        assert (element.get("id") or "traffic-x").startswith("traffic-x")
        for value in element.attrib.values():
            assert "url(#" not in value or "url(#traffic-x" in value


def test_colours_are_those_of_the_palette_and_each_has_a_dark_one() -> None:
    """The page turns colours dark by name; one that is not in the palette would stay bright."""
    assert set(page.DARK) == set(charts.PALETTE)
    allowed = {*charts.PALETTE.values(), "none", "transparent", "#000", "#888", "#ddd"}
    for build in PICTURES.values():
        root = ElementTree.fromstring(picture.svg(build(), name="x", label="x"))
        marks = [element for element in root.iter() if element.tag in {f"{SVG}path", f"{SVG}text", f"{SVG}line"}]
        shown = [mark for mark in marks if mark.get("opacity") != "0" and mark.get("fill-opacity") != "0"]
        assert {mark.get(name) for mark in shown for name in ("fill", "stroke")} - {None} <= allowed


def test_missing_days_are_gaps_not_bridges() -> None:
    """The band of a run of days ends a day after its last day begins; nothing is drawn over missing days."""
    steps = pd.DataFrame(charts.posterior_band(made_days(10, missing=[4, 5])).to_dict()["datasets"]["steps"])
    assert steps.groupby("run").size().tolist() == [5, 5]
    ends = pd.to_datetime(steps.groupby("run")["day"].max(), unit="ms")
    begins = pd.to_datetime(steps.groupby("run")["day"].min(), unit="ms")
    assert (begins[2] - ends[1]).days == 2


def test_a_lone_day_between_missing_ones_is_drawn() -> None:
    """A day without neighbours is a step a day wide, not a point that no curve passes."""
    drawn = picture.svg(charts.posterior_band(made_days(9, missing=[0, 1, 2, 3, 5, 6, 7, 8])), name="x", label="x")
    areas = [path for path in ElementTree.fromstring(drawn).iter(f"{SVG}path") if path.get("fill") == charts.PALETTE["wide"]]
    assert len(areas) == 1
    assert "h0" not in str(areas[0].get("d"))


def test_labels_stand_for_local_days_whatever_the_machine_s_zone() -> None:
    """Days are labels in UTC on a UTC axis, so that no zone moves them to the day before."""
    specification = charts.posterior_band(made_days(3)).to_dict()
    assert {layer["encoding"]["x"]["scale"]["type"] for layer in specification["layer"] if "scale" in layer["encoding"]["x"]} == {"utc"}
    drawn = picture.svg(charts.counts_a_day(made_days(3)), name="x", label="x")
    labels = [text.text for text in ElementTree.fromstring(drawn).iter(f"{SVG}text")]
    assert [label for label in labels if label and "Nov" in label] == ["20 Nov", "21 Nov", "22 Nov"]


def test_hovering_tells_the_numbers_of_a_day() -> None:
    """Each day has a title with n, k, share and interval; partial and missing days say so."""
    drawn = picture.svg(charts.posterior_band(made_days(6, missing=[2], partial=[4])), name="x", label="x")
    titles = [title.text or "" for title in ElementTree.fromstring(drawn).iter(f"{SVG}title")]
    assert len(titles) == 6
    assert sum("missing" in title for title in titles) == 1
    assert sum("only partly observed" in title for title in titles) == 1
    assert re.search(r"\d+ of \d+ tweets matched; share so far .*% to .*%", titles[-1])


def test_equal_frames_give_equal_pictures() -> None:
    """No random ids, no dates: the same data, the same bytes."""
    first, second = (picture.svg(charts.posterior_band(made_days(8)), name="x", label="x") for _ in range(2))
    assert first == second


def test_a_day_outside_what_was_expected_is_a_mark_of_its_own() -> None:
    """Not by its colour alone; the others are dots, and days without tweets neither."""
    days = made_days(10, missing=[2])
    days["outside"] = np.arange(10) == 7
    data = charts.daily_shares(days).to_dict()["datasets"]
    assert (len(data["inside"]), len(data["outside"])) == (8, 1)
    assert data["outside"][0]["share"] == days.loc[7, "matches"] / days.loc[7, "trials"]
    shapes = {layer["data"]["name"]: layer["mark"].get("shape") for layer in charts.daily_shares(days).to_dict()["layer"]}
    assert (shapes["inside"], shapes["outside"]) == ("circle", "diamond")
    titles = [hover["words"] for hover in data["hovers"]]
    assert [number for number, title in enumerate(titles) if "lies outside" in title] == [7]


def test_the_first_days_ranges_do_not_flatten_the_picture_of_days() -> None:
    """Before the first day nothing is known: its range is nearly 0 to 100 %, and is cut; no dot ever is."""
    days = made_days(20)
    assert days.loc[0, "expected_upper_95"] > 0.9
    layers = charts.daily_shares(days).to_dict()["layer"]
    (low, high) = next(layer["encoding"]["y"]["scale"]["domain"] for layer in layers if layer["data"]["name"] == "inside")
    assert high < 0.25
    assert low <= days["own"].min() <= days["own"].max() <= high


def test_the_expected_range_has_two_ends() -> None:
    """It is a band between them, not an area down to the ground."""
    (band,) = [layer for layer in charts.daily_shares(made_days()).to_dict()["layer"] if layer["mark"]["type"] == "area"]
    assert (band["encoding"]["y"]["field"], band["encoding"]["y2"]["field"]) == ("expected_lower_95", "expected_upper_95")


def test_prior_and_posterior_are_drawn_as_they_are() -> None:
    """Each in proportion to its own density, over the middle of it, however far apart they lie."""
    data = curves.prior_and_posterior(LATEST).to_dict()["datasets"]
    for name, alpha, beta in (("prior", 2.0, 38.0), ("now", LATEST["alpha"], LATEST["beta"])):
        curve = pd.DataFrame(data[name])
        assert curve["density"].max() == pytest.approx(1)
        expected = stats.beta.pdf(curve["share"], alpha, beta)
        assert np.allclose(curve["density"].iloc[1:-1], (expected / expected.max())[1:-1], atol=1e-3)


@given(st.floats(0.05, 1e4), st.floats(0.05, 1e4))
def test_any_prior_that_may_be_set_can_be_drawn(alpha: float, beta: float) -> None:
    """Also one without a highest density: it is cut, and no higher than the posterior beside it."""
    posterior = {"prior_alpha": alpha, "prior_beta": beta, "alpha": alpha + 10, "beta": beta + 90}
    drawn = pd.DataFrame(curves.prior_and_posterior(posterior).datasets["prior"])
    assert np.isfinite(drawn.to_numpy()).all()
    assert drawn["density"].max() == pytest.approx(1)


def test_a_prior_that_believes_in_the_ends_keeps_its_shape_between_them() -> None:
    """Beta(0.5, 5) is infinite at 0, and yet no line along the ground."""
    posterior = {"prior_alpha": 0.5, "prior_beta": 5.0, "alpha": 10.0, "beta": 90.0}
    drawn = pd.DataFrame(curves.prior_and_posterior(posterior).datasets["prior"])
    assert 0.15 < np.interp(0.05, drawn["share"], drawn["density"]) < 0.6


@given(st.floats(0.05, 1e6), st.floats(0.05, 1e6))
def test_density_has_the_shape_of_the_distribution(alpha: float, beta: float) -> None:
    """It is finite and in proportion to scipy's density, for any parameters."""
    curve = curves.beta_density(alpha, beta)
    assert np.isfinite(curve.to_numpy()).all()
    assert curve["density"].max() == pytest.approx(1)
    assert curve["share"].between(0, 1).all()
    inner = curve[(curve["share"] > 0.001) & (curve["share"] < 0.999) & (curve["density"] > 1e-6)].iloc[2:-2]
    expected = stats.beta.logpdf(inner["share"], alpha, beta)
    if len(inner) > 2:
        assert np.allclose(np.log(inner["density"]) - np.log(inner["density"].iloc[0]), expected - expected[0], rtol=1e-6, atol=1e-6)
