"""A day hour by hour: what was expected and fetched, what went wrong, what is missing and why. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.days import Window
from pipeline.walks import Hole, hours_of, merged, missing


def index(window: Window, at: datetime) -> int:
    """The number of the hour that holds the instant `at`; the first or the last for what lies outside."""
    last = max(len(hours_of(window)) - 1, 0)
    return min(max(int((at - window.start).total_seconds() // 3600), 0), last)


def table(
    window: Window,
    pages: Iterable[Sequence[tuple[int, datetime | None]]],
    holes: Sequence[Hole],
    trouble: Mapping[str, Mapping[str, float]],
    expected: Sequence[int | None],
    slices: Sequence[Window] | None = None,
) -> list[dict[str, Any]]:
    """One entry an hour, in the order of time.

    A page counts in each hour of which it holds a post; waits and errors count in the hour in which the walk stood. An hour that one of
    several queries misses counts as missing.

    Args:
        window: the day's.
        pages: (id, created_at) of the posts of each page.
        holes: what is missing.
        trouble: the hour's number, as text → {"waits", "wait_seconds", "errors"}.
        expected: posts expected in each hour; None, or nothing at all, where nobody knows.
        slices: of a sample: what of an hour was not to be fetched is not missing.
    """
    fetched: dict[int, set[int]] = {}
    touched: dict[int, int] = {}
    for posts in pages:
        found: set[int] = set()
        for post_id, at in posts:
            if at is not None and at in window:
                number = index(window, at)
                found.add(number)
                fetched.setdefault(number, set()).add(post_id)
        for number in found:
            touched[number] = touched.get(number, 0) + 1
    entries = []
    for number, hour in enumerate(hours_of(window)):
        told = trouble.get(str(number), {})
        entries.append(
            {
                "start": hour.start.isoformat(),
                "seconds": int((hour.end - hour.start).total_seconds()),
                "expected": expected[number] if expected else None,
                "fetched": len(fetched.get(number, ())),
                "pages": touched.get(number, 0),
                "waits": int(told.get("waits", 0)),
                "wait_seconds": round(told.get("wait_seconds", 0.0), 3),
                "errors": int(told.get("errors", 0)),
                "observed": observed(hour, holes, slices),
                "reason": reason(hour, holes),
            }
        )
    return entries


def expected_in(window: Window, volumes: Sequence[int | None], span: Window) -> float | None:
    """How many posts `span` should hold by the volumes of the window's hours; None where that of an hour is not known."""
    posts = 0.0
    for hour, volume in itertools.zip_longest(hours_of(window), volumes):
        common = (min(hour.end, span.end) - max(hour.start, span.start)).total_seconds()
        if common > 0:
            if volume is None:
                return None
            posts += volume * common / (hour.end - hour.start).total_seconds()
    return posts


def observed(span: Window, holes: Sequence[Hole], slices: Sequence[Window] | None = None) -> float:
    """The share of `span` that was observed: of its time, or, where slices of a sample lie in it, of theirs."""
    common = [Window(max(span.start, piece.start), min(span.end, piece.end)) for piece in slices or ()]
    parts = [part for part in common if part.start < part.end] or [span]
    seconds = sum((part.end - part.start).total_seconds() for part in parts)
    return round(1.0 - sum(missing(holes, part) for part in parts) / seconds, 6) if seconds else 1.0


def reason(hour: Window, holes: Sequence[Hole]) -> str | None:
    """Why some of the hour is missing; None where nothing is."""
    said = [hole.reason for hole in holes if hole.start < hour.end and hour.start < hole.end]
    return "; ".join(dict.fromkeys(said)) or None


def in_words(window: Window, holes: Sequence[Hole], zone: ZoneInfo, slices: Sequence[Window] | None = None) -> str:
    """What is missing of the day and why, in the area's own time; empty where nothing is."""
    if not holes:
        return ""
    found: dict[str, list[Hole]] = {}
    for hole in merged(holes):
        found.setdefault(hole.reason, []).append(hole)
    told = [f"{', '.join(_clock(hole, zone) for hole in of_it)}: {why}" for why, of_it in found.items()]
    if slices is None:
        what = f"{_number(missing(holes, window) / 3600)} of {_number(window.hours)} hours missing"
    else:
        lost = sum(observed(piece, holes) < 1 for piece in slices)
        what = f"{lost} of the sample's {len(slices)} slices missing"
    return f"{what} ({'; '.join(told)})"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _clock(hole: Hole, zone: ZoneInfo) -> str:
    return "-".join(f"{at.astimezone(zone):%H:%M}" for at in (hole.start, hole.end))
