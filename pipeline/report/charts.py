"""Pictures over days: one function a picture, plain frames in, an Altair chart out. Page, PNG and notebook share them.

Those of a single distribution are curves.py's. Nothing here reads the database or knows of studies and pages. Colours are the few
of `PALETTE`: the page maps each of them to its dark-mode counterpart by CSS, so a picture is drawn once and fits both.

Frames named `days` below have one row a local day, in order, without holes:
    day       datetime64, the local date
    status    "whole", "partial", "unknown" (observed, but nobody knows how much of it) or "missing"
    trials, matches                             NaN on missing days
    mean, lower_50, upper_50, lower_95, upper_95   shares from 0 to 1; NaN where there is no posterior of that day
    coverage  the share of the day that was observed, NaN where nobody knows
    basis, sampled, population    "sample" where the day's tweets are one: so many posts, of how many; else NaN
    own       the day's own share, after the cap on authors where there is one; NaN without tweets
    expected_mean, expected_lower_95, expected_upper_95    what the days before said of it; NaN where they did not
    outside   whether it lies outside

Marks are written as specifications over named datasets, not with the fluent interface over frames: the same pictures in a
fraction of the time (Altair copies its data at every step; so the data are set last), which a backfill of a hundred pages feels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from pipeline import arrow
from pipeline.report import words

arrow.with_pandas()

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
BAND_HEIGHT, COUNTS_HEIGHT = 190, 80
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
#: Above this many days a hover text a day would make the picture heavier than it is worth.
MOST_HOVERS = 130

ONE_DAY = pd.Timedelta(days=1)
_BAND = ("mean", "lower_50", "upper_50", "lower_95", "upper_95")


def posterior_band(days: pd.DataFrame, *, title: str = "") -> alt.LayerChart:
    """The share over days: its mean as a line in a 50 % and a 95 % band; a gap where a day has no posterior.

    A posterior belongs to a whole day, so the band is drawn in steps a day wide (which shows a lone day too, where a
    curve between days would show nothing). Missing days are shaded, partial ones carry a triangle.

    Args:
        days: the frame that this module's docstring describes.
        title: written above, for pictures that stand alone.
    """
    known = days.dropna(subset=["mean"])
    low, high = _span(known["lower_95"], known["upper_95"])
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    axis = alt.Axis(format=share_format(high - low), tickCount=5, title=None)
    run = alt.Detail("run", type="nominal")

    def band(colour: str, level: int) -> alt.Chart:
        mark = alt.MarkDef(type="area", interpolate="step-after", color=PALETTE[colour], aria=False)
        lower = alt.Y(f"lower_{level}", type="quantitative", scale=scale, axis=axis)
        return marks("steps", mark, x=_day_axis(days), y=lower, y2=alt.Y2(f"upper_{level}"), detail=run)

    line = alt.MarkDef(type="line", interpolate="step-after", color=PALETTE["mean"], strokeWidth=2, aria=False)
    mean = marks("steps", line, x=_day_axis(days), y=alt.Y("mean", type="quantitative", scale=scale), detail=run)
    chart = alt.LayerChart(
        layer=[*_absences(BAND_HEIGHT), band("wide", 95), band("narrow", 50), mean, _partial(), _hover(days)],
        width=WIDTH,
        height=BAND_HEIGHT,
        **look(title),
    )
    chart.datasets = {**_day_datasets(days), "steps": records(_steps(known, _BAND))}
    return chart


def daily_shares(days: pd.DataFrame, *, title: str = "") -> alt.LayerChart:
    """Each day's own share as a dot, before the range that the days before led to expect; a dot outside is a red diamond.

    Args:
        days: the frame that this module's docstring describes.
        title: written above, for pictures that stand alone.
    """
    own = days.dropna(subset=["own"])
    dots = pd.DataFrame({"middle": own["day"] + ONE_DAY / 2, "share": own["own"]})
    out = own["outside"].astype(bool)
    expected = days.dropna(subset=["expected_lower_95"])
    # all dots, and the usual range: the first days' ranges are those of the prior, often from 0 to 100 %, and are cut
    usual = expected[["expected_lower_95", "expected_upper_95"]].median()
    ends = pd.concat([own["own"], usual]).dropna()
    low, high = _span(ends, ends)
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    axis = alt.Axis(format=share_format(high - low), tickCount=5, title=None)
    at = {"x": alt.X("middle", type="temporal"), "y": alt.Y("share", type="quantitative", scale=scale)}
    dot: dict[str, Any] = {"type": "point", "filled": True, "opacity": 1, "aria": False}
    chart = alt.LayerChart(
        layer=[
            *_absences(BAND_HEIGHT),
            *_expected(days, scale, axis),
            marks("inside", alt.MarkDef(shape="circle", size=_dot_size(len(days)), color=PALETTE["mean"], **dot), **at),
            marks("outside", alt.MarkDef(shape="diamond", size=110, color=PALETTE["absent"], **dot), **at),
            _partial(),
            _hover(days),
        ],
        width=WIDTH,
        height=BAND_HEIGHT,
        **look(title),
    )
    steps = _steps(expected, ("expected_mean", "expected_lower_95", "expected_upper_95"))
    chart.datasets = {
        **_day_datasets(days),
        "expected": records(steps),
        "inside": records(dots[~out]),
        "outside": records(dots[out]),
    }
    return chart


def _expected(days: pd.DataFrame, scale: alt.Scale, axis: alt.Axis) -> list[alt.Chart]:
    """The range that the days before led to expect, and its middle, from the dataset `expected`."""
    run = alt.Detail("run", type="nominal")
    step: dict[str, Any] = {"interpolate": "step-after", "aria": False, "clip": True}
    lower = alt.Y("expected_lower_95", type="quantitative", scale=scale, axis=axis)
    upper = alt.Y2("expected_upper_95")
    mean = alt.Y("expected_mean", type="quantitative", scale=scale)
    area = alt.MarkDef(type="area", color=PALETTE["wide"], **step)
    line = alt.MarkDef(type="line", color=PALETTE["narrow"], strokeWidth=1.2, **step)
    return [
        marks("expected", area, x=_day_axis(days), y=lower, y2=upper, detail=run),
        marks("expected", line, x=_day_axis(days), y=mean, detail=run),
    ]


def counts_a_day(days: pd.DataFrame, *, title: str = "") -> alt.VConcatChart:
    """Two panels over the same days: tweets counted (n) above, those that matched (k) below, each with its own scale.

    One axis for both would hide k, which is often a hundredth of n.

    Args:
        days: the frame that this module's docstring describes.
        title: written above, for pictures that stand alone.
    """
    counted = days.dropna(subset=["trials"])
    bars = pd.DataFrame(
        {
            "from": counted["day"] + ONE_DAY * 0.14,
            "until": counted["day"] + ONE_DAY * 0.86,
            "trials": counted["trials"],
            "matches": counted["matches"],
            "partial": counted["status"] == "partial",
        }
    )
    chart = alt.VConcatChart(
        vconcat=[
            _count_panel(days, column="trials", name=f"n, tweets counted{_basis(counted)}", labels=False),
            _count_panel(days, column="matches", name="k, tweets that matched", labels=True),
        ],
        spacing=10,
        **look(title),
    )
    chart.datasets = {**_day_datasets(days), "bars": records(bars)}
    return chart


def marks(data: str, mark: alt.MarkDef, **channels: Any) -> alt.Chart:
    """One layer of a picture, over the dataset of that name."""
    return alt.Chart(alt.NamedData(data), mark=mark, encoding=alt.FacetedEncoding(**channels))


def _basis(counted: pd.DataFrame) -> str:
    """What the heading of the counts says of samples (their n is chosen, and says nothing of how much was tweeted), and of X's counts."""
    if len(counted) and (counted["basis"] == "counts").all():
        return " by X"
    samples = int((counted["basis"] == "sample").sum())
    return "" if not samples else " (samples)" if samples == len(counted) else f" (samples on {samples} of {len(counted)} days)"


def _count_panel(days: pd.DataFrame, *, column: str, name: str, labels: bool) -> alt.LayerChart:
    colour = alt.value(PALETTE[column])
    bars = marks(
        "bars",
        alt.MarkDef(type="rect", aria=False),
        x=_day_axis(days, field="from", labels=labels),
        x2=alt.X2("until"),
        y=alt.Y(column, type="quantitative", axis=alt.Axis(tickCount=3, format="~s", title=None), scale=alt.Scale(domainMin=0)),
        y2=alt.Y2Datum(0),
        color=alt.condition(alt.datum.partial, alt.value(PALETTE["partial"]), colour),
    )
    heading = alt.Title(name, anchor="start", fontSize=12, fontWeight="normal", color=PALETTE["muted"], frame="group")
    layers = [*_absences(COUNTS_HEIGHT), bars, _hover(days, labels=labels)]
    return alt.LayerChart(layer=layers, width=WIDTH, height=COUNTS_HEIGHT, title=heading)


def _day_axis(days: pd.DataFrame, *, field: str = "day", labels: bool = True) -> alt.X:
    first, last = days["day"].min(), days["day"].max() + ONE_DAY
    # scale "utc": a local date is a label here; without it the machine's own zone would move it.
    scale = alt.Scale(type="utc", domain=[_milliseconds(first), _milliseconds(last)], nice=False)
    axis = alt.Axis(
        format="%-d %b" if (last - first).days <= 120 else "%b %Y",
        values=_labelled(days["day"]),
        title=None,
        labels=labels,
        ticks=labels,
        grid=False,
        labelFlush=False,
        labelOverlap=False,
    )
    return alt.X(field, type="temporal", scale=scale, axis=axis)


def _labelled(days: pd.Series[pd.Timestamp]) -> list[float]:
    """The middles of at most six days, evenly apart, counted back from the last: a label stands under its own day."""
    apart = -(-len(days) // 6)
    return [_milliseconds(day + ONE_DAY / 2) for day in days.iloc[::-1].iloc[::apart]]


def _milliseconds(instant: pd.Timestamp) -> float:
    return (instant - pd.Timestamp(0)) / pd.Timedelta(milliseconds=1)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain values; instants as milliseconds since 1970, which no zone can shift."""
    plain = frame.copy()
    for name in plain.select_dtypes("datetime"):
        plain[name] = (plain[name] - pd.Timestamp(0)) / pd.Timedelta(milliseconds=1)
    return [{str(key): value for key, value in row.items()} for row in plain.to_dict("records")]


def _steps(known: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Rows for step-after marks: every unbroken run of days gets an id, and ends a day after its last day begins."""
    frame = known[["day", *columns]].sort_values("day").reset_index(drop=True)
    frame["run"] = (frame["day"].diff() != ONE_DAY).cumsum()
    if frame.empty:
        return frame
    ends = frame.groupby("run", as_index=False).last()
    ends["day"] = ends["day"] + ONE_DAY
    return pd.concat([frame, ends], ignore_index=True).sort_values(["run", "day"], kind="stable")


def _day_datasets(days: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """What every picture over days needs: runs of missing days, partial days, and a hover text a day."""
    missing = days.loc[days["status"] == "missing", ["day"]].copy()
    missing["run"] = (missing["day"].diff() != ONE_DAY).cumsum()
    runs = missing.groupby("run")["day"].agg(["min", "max"])
    absent = pd.DataFrame({"day": runs["min"], "until": runs["max"] + ONE_DAY})
    absent["middle"] = absent["day"] + (absent["until"] - absent["day"]) / 2
    wide = absent[(absent["until"] - absent["day"]).dt.days >= 0.04 * len(days)]
    partial = days.loc[days["status"] == "partial", "day"] + ONE_DAY / 2
    hovered = days if len(days) <= MOST_HOVERS else days.iloc[:0]
    hovers = pd.DataFrame(
        {"day": hovered["day"], "until": hovered["day"] + ONE_DAY, "words": [_hover_text(row) for row in hovered.to_dict("records")]}
    )
    datasets = {"absent": absent, "absent_wide": wide, "partial": pd.DataFrame({"middle": partial}), "hovers": hovers}
    return {name: records(frame) for name, frame in datasets.items()}


def _absences(height: int) -> Iterable[alt.Chart]:
    """Shaded columns for missing days; neighbours are one column, which says what it is where it is wide enough."""
    shade = alt.MarkDef(type="rect", color=PALETTE["missing"], aria=False)
    yield marks("absent", shade, x=alt.X("day", type="temporal"), x2=alt.X2("until"))
    words = alt.MarkDef(type="text", text="missing", angle=270, color=PALETTE["absent"], fontSize=12, aria=False)
    yield marks("absent_wide", words, x=alt.X("middle", type="temporal"), y=alt.value(height / 2))


def _partial() -> alt.Chart:
    """Triangles at the foot of partial days."""
    triangle = alt.MarkDef(
        type="point", shape="triangle-up", filled=True, size=60, color=PALETTE["partial"], opacity=1, yOffset=-5, aria=False
    )
    return marks("partial", triangle, x=alt.X("middle", type="temporal"), y=alt.value("height"))


def _dot_size(days: int) -> float:
    """Square px of a day's dot: smaller where there are many."""
    return float(np.clip(WIDTH / max(days, 1) * 3, 12, 55))


def _hover(days: pd.DataFrame, *, labels: bool = True) -> alt.Chart:
    """One transparent column a day whose description becomes the hover text (picture.svg makes it an SVG title)."""
    column = alt.MarkDef(type="rect", fillOpacity=0, aria=True)
    words = alt.Description("words", type="nominal")
    return marks("hovers", column, x=_day_axis(days, labels=labels), x2=alt.X2("until"), description=words)


def _hover_text(row: Mapping[Any, Any]) -> str:
    text = f"{pd.Timestamp(row['day']):%a %d %b %Y}"
    if row["status"] == "missing":
        return f"{text}: missing, no tweets counted"
    if not pd.isna(row["trials"]):
        text += f": {int(row['matches']):,} of {int(row['trials']):,} tweets matched"
    if not pd.isna(row["mean"]):
        text += f"; share so far {row['mean']:.2%}, 95 % interval {row['lower_95']:.2%} to {row['upper_95']:.2%}"
    if not pd.isna(row["expected_lower_95"]):
        out = " and it lies outside" if row["outside"] else ""
        text += f"; expected of the day by itself {row['expected_lower_95']:.2%} to {row['expected_upper_95']:.2%}{out}"
    if row["basis"] == "counts":
        text += "; counted by X"
    if row["basis"] == "sample":
        text += f"; {words.sample(row['sampled'], row['population'])}"
    return f"{text}; only partly observed: {words.observed(row['coverage'])}" if row["status"] == "partial" else text


def _span(lower: pd.Series[float], upper: pd.Series[float]) -> tuple[float, float]:
    """The shares worth showing: all from the lowest to the highest and a little air; from 0 where that costs little."""
    if lower.empty:
        return 0.0, 1.0
    low, high = float(lower.min()), float(upper.max())
    air = max((high - low) * 0.08, 1e-6)
    low = 0.0 if low < 0.4 * high else max(low - air, 0.0)
    return low, min(high + air, 1.0)


def share_format(span: float) -> str:
    """A d3 format with as many decimals of a percentage as five ticks over `span` need."""
    decimals = int(np.clip(np.ceil(-np.log10(max(span, 1e-9) * 100 / 4)), 0, 5))
    return f".{decimals}%"


def look(title: str) -> dict[str, Any]:
    """The one look of all pictures: transparent ground, quiet axes, type large enough to be shrunk to a phone."""
    axis = alt.AxisConfig(
        labelFontSize=13,
        labelColor=PALETTE["muted"],
        gridColor=PALETTE["grid"],
        domainColor=PALETTE["grid"],
        tickColor=PALETTE["grid"],
        labelPadding=5,
    )
    config = alt.Config(
        background="transparent",
        font=FONT,
        padding={"left": 2, "right": 14, "top": 4, "bottom": 2},
        axis=axis,
        axisY=alt.AxisConfig(domain=False, ticks=False),
        view=alt.ViewConfig(strokeWidth=0),
    )
    if not title:
        return {"config": config}
    return {"config": config, "title": alt.Title(title, anchor="start", fontSize=14, color=PALETTE["ink"], offset=12)}
