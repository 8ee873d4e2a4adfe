"""The hours of a partial day, in words and as a strip: which are missing by the area's clocks, and why."""

from __future__ import annotations

import re
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from pipeline.report import hours
from tests.report_days import LAST, made_days, made_hours, study_days

MEXICO = "America/Mexico_City"


def told(day: date = LAST, zone: str = MEXICO, **changes: object) -> list[dict[object, object]]:
    """A day's hours as the database gives them."""
    return made_hours(day, zone, **changes).to_dict("records")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ([8, 9, 10], "missing 08:00 to 11:00 (X did not answer)"),
        ([0, 23], "missing 00:00 to 01:00, 23:00 to 24:00 (X did not answer)"),
        (range(24), "missing 00:00 to 24:00 (X did not answer)"),
        (range(0, 24, 2), "missing 00:00 to 01:00, 02:00 to 03:00, 04:00 to 05:00, 06:00 to 07:00 and 8 more hours (X did not answer)"),
        ([], ""),
    ],
)
def test_missing_hours_are_said_by_the_area_s_clocks(missing: range, said: str) -> None:
    """Neighbours are one span; many spans are counted."""
    for mode in ("whole", "sample"):
        assert hours.missing(told(missing=missing, mode=mode), ZoneInfo(MEXICO)) == said


def test_hours_seen_in_part_and_other_reasons_are_told_apart() -> None:
    """Each kind and reason in its own words."""
    rows = told(missing=[8])
    rows[12] |= {"observed": 0.25, "reason": "the limit was reached"}
    assert (
        hours.missing(rows, ZoneInfo(MEXICO)) == "missing 08:00 to 09:00 (X did not answer), in part 12:00 to 13:00 (the limit was reached)"
    )


def test_an_hour_of_a_sample_is_missing_only_for_a_reason() -> None:
    """Slices leave most of each hour out on purpose, and some hours wholly."""
    rows = told(mode="sample")
    rows[3]["observed"] = 0.0
    assert hours.missing(rows, ZoneInfo(MEXICO)) == ""
    assert [span.state for span in hours.spans(rows, ZoneInfo(MEXICO))] == ["sampled"]


def test_an_hour_that_comes_twice_is_told_from_the_first() -> None:
    """On the day on which clocks go back in London, 01:00 to 02:00 comes twice."""
    rows = told(date(2026, 10, 25), "Europe/London", missing=[2])
    assert hours.missing(rows, ZoneInfo("Europe/London")) == "missing 01:00 again to 02:00 (X did not answer)"


def test_the_strip_shows_each_span_and_says_it() -> None:
    """24 cells of 4 px, as few rectangles as there are spans, and the same in words; reasons are not needed to read it."""
    strip = str(hours.strip(told(missing=[8, 9, 10], reason="<script>"), ZoneInfo(MEXICO)))
    assert re.findall(r'<rect class="(\w+)" x="(\d+)" y="0.5" width="(\d+)"', strip) == [
        ("observed", "0", "32"),
        ("missing", "32", "12"),
        ("observed", "44", "52"),
    ]
    assert 'aria-label="00:00 to 08:00 observed, 08:00 to 11:00 missing, 11:00 to 24:00 observed"' in strip
    assert "<script>" not in strip
    assert hours.strip([], ZoneInfo(MEXICO)) == ""


def test_partial_days_are_told_newest_first_with_share_hours_and_reason() -> None:
    """Where hours were not noted, with the reason of the day; beyond the most, they are counted."""
    days = made_days(14, partial=[2, 5, 12, 13])
    days.loc[13, "coverage"] = 0.875
    known = study_days(days, hours=pd.concat([made_hours(LAST, MEXICO, missing=[8, 9, 10])]))
    assert [text.replace("\xa0", " ") for text in hours.partial_days(known, ZoneInfo(MEXICO), most=2)] == [
        "22 Nov 2026: 88 % observed, missing 08:00 to 11:00 (X did not answer)",
        "21 Nov 2026: 50 % observed, the stream was down for 12 h",
        "and 2 more days",
    ]
    assert hours.partial_days(study_days(made_days(3)), ZoneInfo(MEXICO)) == []
    assert hours.of_day(known, LAST - timedelta(days=1)) == []
