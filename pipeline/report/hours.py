"""The hours of days that were not wholly observed: as words for page and terminal, as a strip of colours for the page. Pure.

Which days those are data.py says; a day whose hours nobody noted (an archive's) has the reason of the whole day alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from markupsafe import Markup

from pipeline.report import words
from pipeline.report.data import StudyDays, local_dates
from pipeline.report.words import WHOLE

#: The strip's size, px: 4 an hour.
HOUR_WIDTH, HEIGHT = 4, 10

#: Spans of hours that are named; beyond them they are counted.
MOST_SPANS = 4

_SAID = {"observed": "observed", "missing": "missing", "partly": "in part", "sampled": "sampled"}


@dataclass(frozen=True)
class Span:
    """Hours beside each other of which the same is to be said. `state`: "observed", "missing", "partly" or "sampled"."""

    state: str
    reason: str
    first: int
    hours: int
    text: str


def spans(hours: Iterable[Mapping[Any, Any]], zone: ZoneInfo) -> list[Span]:
    """The hours of one day (rows of Snapshot.hours) as spans; `text` is "08:00 to 11:00" by the area's clocks."""
    told = [(_state(hour), _text(hour["reason"])) for hour in hours]
    found, first = [], 0
    rows = list(hours)
    for (state, reason), group in groupby(told):
        number = len(list(group))
        begins, ends = rows[first], rows[first + number - 1]
        until = _instant(ends["hour"]) + timedelta(seconds=int(ends["seconds"]))
        text = f"{_clock(_instant(begins['hour']), zone)} to {_clock(until, zone, end=True)}"
        found.append(Span(state, reason, first, number, text))
        first += number
    return found


def _state(hour: Mapping[Any, Any]) -> str:
    """What of an hour was seen. Slices of a sample hold a part of each hour, or none: only a reason says that one is missing."""
    if hour["mode"] == "sample":
        return "sampled" if not _text(hour["reason"]) else "partly" if hour["observed"] > 0 else "missing"
    return "observed" if hour["observed"] >= WHOLE else "partly" if hour["observed"] > 0 else "missing"


def _text(value: Any) -> str:
    return "" if value is None or pd.isna(value) else str(value)


def _instant(value: Any) -> datetime:
    return pd.Timestamp(value).to_pydatetime()


def _clock(instant: datetime, zone: ZoneInfo, *, end: bool = False) -> str:
    local = instant.astimezone(zone)
    text = f"{local:%H:%M}"
    # the day's end; and where the clocks go back the same hour comes twice
    return "24:00" if end and text == "00:00" else f"{text} again" if local.fold else text


def missing(hours: Iterable[Mapping[Any, Any]], zone: ZoneInfo) -> str:
    """What is missing and why: "missing 08:00 to 11:00, 17:00 to 18:00 (X did not answer)"; empty where nothing is."""
    grouped: dict[tuple[str, str], list[Span]] = {}
    for span in spans(list(hours), zone):
        if span.state in ("missing", "partly"):
            grouped.setdefault((span.state, span.reason), []).append(span)
    return ", ".join(_listed(state, reason, found) for (state, reason), found in grouped.items())


def _listed(state: str, reason: str, found: list[Span]) -> str:
    rest = sum(span.hours for span in found[MOST_SPANS:])
    text = ", ".join(span.text for span in found[:MOST_SPANS]) + (f" and {words.counted(rest, 'more hour')}" if rest else "")
    return f"{_SAID[state]} {text}" + (f" ({reason})" if reason else "")


def strip(hours: Iterable[Mapping[Any, Any]], zone: ZoneInfo) -> Markup:
    """A day's hours as a small SVG, in the colours of page.css; read aloud it says the same in words."""
    found = spans(list(hours), zone)
    if not found:
        return Markup()
    label = ", ".join(f"{span.text} {_SAID[span.state]}" for span in found)
    width = HOUR_WIDTH * (found[-1].first + found[-1].hours)
    cells = Markup().join(
        Markup('<rect class="{}" x="{}" y="0.5" width="{}" height="{}"/>').format(
            span.state, span.first * HOUR_WIDTH, span.hours * HOUR_WIDTH, HEIGHT - 1
        )
        for span in found
    )
    return Markup(
        '<svg class="hours" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" aria-label="{2}"><title>{2}</title>{3}</svg>'
    ).format(width, HEIGHT, label, cells)


def of_day(known: StudyDays, day: Any) -> list[dict[Any, Any]]:
    """The hours of one of the study's partial days; none where nobody noted them."""
    found: list[dict[Any, Any]] = known.hours[known.hours["day"] == pd.Timestamp(day)].to_dict("records")
    return found


def partial_days(known: StudyDays, zone: ZoneInfo, *, most: int = 3) -> list[str]:
    """One text for each partial day, the newest first: "22 Nov 2026: 88 % observed, missing 08:00 to 11:00 (X did not answer)"."""
    partial = known.weighing[known.weighing["status"] == "partial"].iloc[::-1]
    texts = []
    for row in partial.head(most).to_dict("records"):
        why = missing(of_day(known, row["day"]), zone) or _text(row["coverage_reason"])
        share = words.observed(row["coverage"])
        texts.append(f"{words.day_short(local_dates([row['day']])[0])}: {share} observed{f', {why}' if why else ''}")
    rest = len(partial) - len(texts)
    return [*texts, f"and {words.counted(rest, 'more day')}"] if rest > 0 else texts
