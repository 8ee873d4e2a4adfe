"""Pictures: one function a picture, plain frames in, an Altair chart out. Page, PNG and notebook share them.

Nothing here reads the database or knows of studies and pages. Colours are the few of `PALETTE`: the page maps each of them
to its dark-mode counterpart by CSS, so a picture is drawn once and fits both.

Frames named `days` below have one row a local day, in order, without holes:
    day       datetime64, the local date
    status    "whole", "partial", "unknown" (observed, but nobody knows how much of it) or "missing"
    trials, matches                             NaN on missing days
    mean, lower_50, upper_50, lower_95, upper_95   shares from 0 to 1; NaN where there is no posterior of that day
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import altair as alt
import numpy as np
import pandas as pd
from scipy.special import betaln, xlog1py, xlogy

#: Name → colour on white. Opaque on purpose: the page swaps them by attribute selectors. page.css holds the dark ones.
PALETTE = {
    "ink": "#1c2733",
    "muted": "#56616d",
    "grid": "#e4e8ec",
    "wide": "#c7dcf2",
    "narrow": "#8ab6e3",
    "mean": "#124f96",
    "trials": "#b6c0ca",
    "matches": "#2a71c0",
    "partial": "#c98300",
    "missing": "#f3dede",
    "absent": "#b3261e",
}

#: Width in px that a picture is drawn for: readable when a phone shrinks it to 340, not clumsy when a desk stretches it to 560.
WIDTH = 440
BAND_HEIGHT, COUNTS_HEIGHT, DENSITY_HEIGHT = 190, 80, 110
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
#: Above this many days a hover text a day would make the picture heavier than it is worth.
MOST_HOVERS = 130

Picture = TypeVar("Picture", alt.LayerChart, alt.VConcatChart)

ONE_DAY = pd.Timedelta(days=1)


def posterior_band(days: pd.DataFrame, *, title: str = "") -> alt.LayerChart:
    """The share over days: its mean as a line in a 50 % and a 95 % band; a gap where a day has no posterior.

    A posterior belongs to a whole day, so the band is drawn in steps a day wide (which shows a lone day too, where a
    curve between days would show nothing). Missing days are shaded, partial ones carry a triangle.

    Args:
        days: the frame that this module's docstring describes.
        title: written above, for pictures that stand alone.
    """
    known = days.dropna(subset=["mean"])
    low, high = _share_domain(known)
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    y_axis = alt.Axis(format=_share_format(high - low), tickCount=5, title=None)
    steps = alt.Chart(_steps(known))
    x = _day_axis(days)
    band = {
        name: steps.mark_area(interpolate="step-after", color=PALETTE[colour], aria=False).encode(
            x=x, y=alt.Y(f"lower_{level}:Q", scale=scale, axis=y_axis), y2=f"upper_{level}:Q", detail="run:N"
        )
        for name, colour, level in (("wide", "wide", 95), ("narrow", "narrow", 50))
    }
    line = steps.mark_line(interpolate="step-after", color=PALETTE["mean"], strokeWidth=2, aria=False).encode(
        x=x, y=alt.Y("mean:Q", scale=scale), detail="run:N"
    )
    layers = [*_absences(days, BAND_HEIGHT), band["wide"], band["narrow"], line, *_partial_marks(days), *_hovers(days, x)]
    return _styled(alt.LayerChart(layer=layers).properties(width=WIDTH, height=BAND_HEIGHT), title)


def counts_a_day(days: pd.DataFrame, *, title: str = "") -> alt.VConcatChart:
    """Two panels over the same days: tweets counted (n) above, those that matched (k) below, each with its own scale.

    One axis for both would hide k, which is often a hundredth of n.

    Args:
        days: the frame that this module's docstring describes.
        title: written above, for pictures that stand alone.
    """
    panels = [
        _count_panel(days, column="trials", colour="trials", name="n, tweets counted", labels=False),
        _count_panel(days, column="matches", colour="matches", name="k, tweets that matched", labels=True),
    ]
    return _styled(alt.vconcat(*panels, spacing=10), title)


def share_density(posterior: Mapping[str, Any], *, title: str = "") -> alt.LayerChart:
    """One day's posterior: how plausible each share is; dark the middle 50 %, light the middle 95 %, a line at the mean.

    Args:
        posterior: alpha, beta, mean, lower_50, upper_50, lower_95, upper_95 of one posterior row.
        title: written above, for pictures that stand alone.
    """
    curve = beta_density(float(posterior["alpha"]), float(posterior["beta"]))
    low, high = float(curve["share"].min()), float(curve["share"].max())
    x = alt.X(
        "share:Q",
        scale=alt.Scale(domain=[low, high], nice=False, zero=False),
        axis=alt.Axis(format=_share_format(high - low), tickCount=5, title=None, grid=False),
    )
    y = alt.Y("density:Q", axis=None, scale=alt.Scale(domainMin=0))

    def filled(colour: str, level: int) -> Any:
        inside = curve[(curve["share"] >= posterior[f"lower_{level}"]) & (curve["share"] <= posterior[f"upper_{level}"])]
        return alt.Chart(inside).mark_area(color=PALETTE[colour], aria=False).encode(x=x, y=y)

    outline = alt.Chart(curve).mark_line(color=PALETTE["muted"], strokeWidth=1.2, aria=False).encode(x=x, y=y)
    mean = (
        alt.Chart(pd.DataFrame({"share": [float(posterior["mean"])]}))
        .mark_rule(color=PALETTE["mean"], strokeWidth=2, aria=False)
        .encode(x=alt.X("share:Q"))
    )
    layers = [filled("wide", 95), filled("narrow", 50), outline, mean]
    return _styled(alt.LayerChart(layer=layers).properties(width=WIDTH, height=DENSITY_HEIGHT), title)


def beta_density(alpha: float, beta: float, *, points: int = 241) -> pd.DataFrame:
    """The Beta density where it is worth looking at: columns share and density, scaled so that its highest value is 1.

    The window is mean ± 4.5 standard deviations, cut to (0, 1). Computed through logarithms (scipy.special), so large
    counts do not overflow.
    """
    mean = alpha / (alpha + beta)
    spread = np.sqrt(mean * (1 - mean) / (alpha + beta + 1))
    low, high = max(mean - 4.5 * spread, 0.0), min(mean + 4.5 * spread, 1.0)
    share = np.linspace(low, high, points)
    # Half a step away from 0 and 1, where the density of a parameter below 1 is infinite.
    margin = (high - low) / points / 2
    inside = np.clip(share, margin, 1 - margin)
    log_density = xlogy(alpha - 1, inside) + xlog1py(beta - 1, -inside) - betaln(alpha, beta)
    return pd.DataFrame({"share": share, "density": np.exp(log_density - log_density.max())})


def _count_panel(days: pd.DataFrame, *, column: str, colour: str, name: str, labels: bool) -> alt.LayerChart:
    frame = days.assign(day_end=days["day"] + ONE_DAY * 0.86, day_start=days["day"] + ONE_DAY * 0.14)
    x = _day_axis(days, labels=labels)
    bars = (
        alt.Chart(frame.dropna(subset=[column])[["day_start", "day_end", column, "status"]])
        .mark_rect(aria=False)
        .encode(
            x=_day_axis(days, field="day_start", labels=labels),
            x2="day_end:T",
            y=alt.Y(f"{column}:Q", axis=alt.Axis(tickCount=3, format="~s", title=None), scale=alt.Scale(domainMin=0)),
            y2=alt.datum(0),
            color=alt.condition(alt.datum.status == "partial", alt.value(PALETTE["partial"]), alt.value(PALETTE[colour])),
        )
    )
    heading = alt.Title(name, anchor="start", fontSize=12, fontWeight="normal", color=PALETTE["muted"], frame="group")
    panel = alt.LayerChart(layer=[*_absences(days, COUNTS_HEIGHT), bars, *_hovers(days, x)])
    return panel.properties(width=WIDTH, height=COUNTS_HEIGHT, title=heading)


def _day_axis(days: pd.DataFrame, *, field: str = "day", labels: bool = True) -> alt.X:
    first, last = days["day"].min(), days["day"].max() + ONE_DAY
    span = (last - first).days
    pattern = "%-d %b" if span <= 120 else "%b %Y"
    # scale "utc": a local date is a label here; without it the browser's own zone would move it.
    scale = alt.Scale(type="utc", domain=[_plain(first), _plain(last)], nice=False)
    axis = alt.Axis(
        format=pattern,
        values=_labelled(days["day"]),
        title=None,
        labels=labels,
        ticks=labels,
        grid=False,
        labelFlush=False,
        labelOverlap=False,
    )
    return alt.X(f"{field}:T", scale=scale, axis=axis)


def _labelled(days: pd.Series[pd.Timestamp]) -> list[dict[str, Any]]:
    """The middles of at most six days, evenly apart, counted back from the last: a label stands under its own day."""
    apart = -(-len(days) // 6)
    return [_plain(day) | {"hours": 12} for day in days.iloc[::-1].iloc[::apart]]


def _plain(instant: pd.Timestamp) -> dict[str, Any]:
    return {"year": instant.year, "month": instant.month, "date": instant.day, "utc": True}


def _steps(known: pd.DataFrame) -> pd.DataFrame:
    """Rows for step-after marks: every unbroken run of days gets an id, and ends a day after its last day begins."""
    columns = ["day", "mean", "lower_50", "upper_50", "lower_95", "upper_95"]
    if known.empty:
        return pd.DataFrame({name: [] for name in [*columns, "run"]})
    frame = known[columns].sort_values("day").reset_index(drop=True)
    frame["run"] = (frame["day"].diff() != ONE_DAY).cumsum()
    ends = frame.groupby("run", as_index=False).last()
    ends["day"] = ends["day"] + ONE_DAY
    return pd.concat([frame, ends], ignore_index=True).sort_values(["run", "day"], kind="stable")


def _absences(days: pd.DataFrame, height: int) -> list[alt.Chart]:
    """Shaded columns for missing days; neighbours are one column, which says what it is where it is wide enough."""
    missing = days.loc[days["status"] == "missing", ["day"]].copy()
    if missing.empty:
        return []
    missing["run"] = (missing["day"].diff() != ONE_DAY).cumsum()
    spans = missing.groupby("run")["day"].agg(["min", "max"]).rename(columns={"min": "day", "max": "until"})
    spans["until"] = spans["until"] + ONE_DAY
    spans["middle"] = spans["day"] + (spans["until"] - spans["day"]) / 2
    shade = alt.Chart(spans).mark_rect(color=PALETTE["missing"], aria=False).encode(x="day:T", x2="until:T")
    wide = spans[(spans["until"] - spans["day"]).dt.days >= 0.04 * len(days)]
    words = (
        alt.Chart(wide)
        .mark_text(text="missing", angle=270, color=PALETTE["absent"], fontSize=12, aria=False)
        .encode(x="middle:T", y=alt.value(height / 2))
    )
    return [shade, words]


def _partial_marks(days: pd.DataFrame) -> list[alt.Chart]:
    """A triangle on the lower edge under every partly observed day."""
    partial = days.loc[days["status"] == "partial", ["day"]]
    if partial.empty:
        return []
    marks = partial.assign(day=partial["day"] + ONE_DAY / 2)
    return [
        alt.Chart(marks)
        .mark_point(shape="triangle-up", filled=True, size=60, color=PALETTE["partial"], opacity=1, yOffset=-5, aria=False)
        .encode(x="day:T", y=alt.value("height"))
    ]


def _hovers(days: pd.DataFrame, x: alt.X) -> list[alt.Chart]:
    """One transparent column a day whose description becomes the hover text (picture.svg makes it an SVG title)."""
    if len(days) > MOST_HOVERS:
        return []
    words = [_hover_text(row) for row in days.to_dict("records")]
    frame = pd.DataFrame({"day": days["day"], "until": days["day"] + ONE_DAY, "words": words})
    return [alt.Chart(frame).mark_rect(fillOpacity=0, aria=True).encode(x=x, x2="until:T", description="words:N")]


def _hover_text(row: Mapping[Any, Any]) -> str:
    text = f"{pd.Timestamp(row['day']):%a %d %b %Y}"
    if row["status"] == "missing":
        return f"{text}: missing, no tweets counted"
    if not pd.isna(row["trials"]):
        text += f": {int(row['matches']):,} of {int(row['trials']):,} tweets matched"
    if not pd.isna(row["mean"]):
        text += f"; share so far {row['mean']:.2%}, 95 % interval {row['lower_95']:.2%} to {row['upper_95']:.2%}"
    return f"{text}; only partly observed" if row["status"] == "partial" else text


def _share_domain(known: pd.DataFrame) -> tuple[float, float]:
    """The shares worth showing: all of every 95 % interval and a little air; from 0 where that costs little."""
    if known.empty:
        return 0.0, 1.0
    low, high = float(known["lower_95"].min()), float(known["upper_95"].max())
    air = max((high - low) * 0.08, 1e-6)
    low = 0.0 if low < 0.4 * high else max(low - air, 0.0)
    return low, min(high + air, 1.0)


def _share_format(span: float) -> str:
    """A d3 format with as many decimals of a percentage as five ticks over `span` need."""
    decimals = int(np.clip(np.ceil(-np.log10(max(span, 1e-9) * 100 / 4)), 0, 5))
    return f".{decimals}%"


def _styled(chart: Picture, title: str) -> Picture:
    """The one look of all pictures: transparent ground, quiet axes, type large enough to be shrunk to a phone."""
    if title:
        chart = chart.properties(title=alt.Title(title, anchor="start", fontSize=14, color=PALETTE["ink"], offset=12))
    styled: Picture = (
        chart.configure(background="transparent", font=FONT, padding={"left": 2, "right": 14, "top": 4, "bottom": 2})
        .configure_axis(
            labelFontSize=13,
            labelColor=PALETTE["muted"],
            gridColor=PALETTE["grid"],
            domainColor=PALETTE["grid"],
            tickColor=PALETTE["grid"],
            labelPadding=5,
            labelOverlap="greedy",
        )
        .configure_axisY(domain=False, ticks=False)
        .configure_view(strokeWidth=0)
    )
    return styled
