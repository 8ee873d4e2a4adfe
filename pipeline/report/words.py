"""Numbers and days as words a person can say aloud. Pure; used by the page, the terminal table and the command line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

#: A day whose observed share is below this counts as partial; the rest is rounding of minutes.
WHOLE = 0.9995


def decimals(lower: float, upper: float) -> int:
    """How many decimals of a percentage are worth writing: two significant digits of the interval's width, at most 4."""
    width = abs(upper - lower) * 100
    return 1 if width <= 0 else min(max(1 - math.floor(math.log10(width)), 0), 4)


def percent(share: float, places: int) -> str:
    """0.1234 as "12.3 %" (the space does not break)."""
    return f"{share * 100:.{places}f}\u00a0%"


def interval(lower: float, upper: float, *, joined: str = "to") -> str:
    """An interval of shares as "11.0 to 13.6 %", with as many decimals as its width deserves."""
    places = decimals(lower, upper)
    return f"{lower * 100:.{places}f} {joined} {upper * 100:.{places}f}\u00a0%"


#: What has to be said of a number of basis "counts" wherever it shows.
NO_AUTHORS = "not corrected for authors: X names none"
BY_X = f"counted by X, by its own matching rules; {NO_AUTHORS}"


def observed(share: float) -> str:
    """The share of a day that was seen, as "88 %"; never "100 %" of a day that is not whole, nor "0 %" of one begun; "" of NaN."""
    if math.isnan(share):
        return ""
    whole = min(max(round(share * 100), 1), 99) if 0 < share < 1 else round(share * 100)
    return f"{whole}\u00a0%"


def sample(sampled: float, population: float) -> str:
    """How much of a day its sample is: "a sample: 512 of about 8,300 posts" (X's counts are not exact to the last post)."""
    about = max(round(population, 2 - len(str(int(population)))), sampled)
    return f"a sample: {int(sampled):,} of about {int(about):,} posts"


def of_every(share: float) -> str:
    """A share as a count people can picture: 0.123 is "12 in every 100", 0.0123 is "12 in every 1,000"."""
    if share >= 0.995:
        return "all"
    base = 100
    while share * base < 9.5 and base < 1_000_000:
        base *= 10
    count = round(share * base)
    return f"{count} in every {base:,}" if count else f"fewer than 1 in every {base:,}"


def day_long(day: date) -> str:
    """Sunday 22 November 2026."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def day_short(day: date) -> str:
    """22 Nov 2026."""
    return f"{day.day} {day:%b %Y}"


def spans(days: Iterable[date]) -> list[tuple[date, date]]:
    """Days as unbroken runs (first, last), in order; a day given twice counts once."""
    runs: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if runs and day - runs[-1][1] == timedelta(days=1):
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


def day_list(days: Iterable[date], *, most: int = 6) -> str:
    """Days as "14–15 Nov 2026, 30 Nov – 2 Dec 2026"; beyond `most` runs the rest is counted."""
    runs = spans(days)
    texts = [_span(first, last) for first, last in runs[:most]]
    rest = sum((last - first).days + 1 for first, last in runs[most:])
    return ", ".join(texts) + (f" and {counted(rest, 'more day')}" if rest else "")


def _span(first: date, last: date) -> str:
    if first == last:
        return day_short(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day_short(last)}"
    return f"{first.day} {first:%b}{f' {first.year}' if first.year != last.year else ''} – {day_short(last)}"


def counted(number: int, noun: str) -> str:
    """1 day, 2 days, 1,234 days."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def box(west: float, south: float, east: float, north: float) -> str:
    """A bounding box with compass letters: "99.36° W to 98.94° W, 19.05° N to 19.60° N"."""
    return f"{_degrees(west, 'EW')} to {_degrees(east, 'EW')}, {_degrees(south, 'NS')} to {_degrees(north, 'NS')}"


def _degrees(value: float, letters: str) -> str:
    letter = letters[0] if value >= 0 else letters[1]
    return f"{abs(value):.6f}".rstrip("0").rstrip(".") + f"° {letter}"


def rules(match: dict[str, Any]) -> tuple[str, list[str], list[str]]:
    """A study's match table for people: (kind, the rules, options in words)."""
    (kind, value), *_ = [(key, value) for key, value in match.items() if not isinstance(value, bool)] or [("", ())]
    listed = [value] if isinstance(value, str) else [str(item) for item in value] if isinstance(value, Sequence) else [str(value)]
    options = ["capital letters and accents count"] if match.get("exact") else ["capital letters and accents do not matter"]
    options += [f"{key} = {value}" for key, value in match.items() if key not in (kind, "exact")]
    return kind, listed, options


def headline(mean: float, lower: float, upper: float, *, counted: str = "the tweets counted so far") -> str:
    """Today's share in one sentence to be said aloud; `counted` names what it was made from."""
    between = interval(lower, upper, joined="and")
    return f"About {of_every(mean)} tweets match. Given {counted}, the share lies between {between} with a probability of 95\u00a0%."
