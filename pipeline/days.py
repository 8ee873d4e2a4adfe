"""What a local day is: the one place that turns a day of an area into a UTC window, and an instant into its day."""

from __future__ import annotations

import datetime as dt
import functools
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

#: How long after its end a day may still change: tweets may be edited for 30-60 minutes (facts/x-api.md).
SETTLE = timedelta(minutes=90)
#: No tweet is older.
FIRST_TWEET = date(2006, 3, 21)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time: from `start` (in it) to `end` (not in it), both UTC and whole seconds."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> float:
        """Length in hours: mostly 24; 23 or 25 when clocks change; 0 for a day that a zone left out."""
        return (self.end - self.start) / timedelta(hours=1)

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end


#: Ends of a window that has none: before and after anything that a tweet may say of its time.
EVER: Final = Window(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
#: How far local days reach into the days of UTC before and after: clocks have been from UTC-12 to UTC+14 since there are tweets.
EARLIEST_ZONE: Final = timedelta(hours=14)
LATEST_ZONE: Final = timedelta(hours=12)


def parse_day(text: str) -> date:
    """Read a day written as YYYY-MM-DD.

    Raises:
        SettingsError: anything else, or a day before the first tweet (2006-03-21) or after 2200.
    """
    try:
        # fromisoformat alone would take 20261101 and 2026-W45-1 too
        day = date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        day = None
    if day is None or not FIRST_TWEET <= day <= date(2200, 1, 1):
        raise SettingsError(f"got the day {text!r}, wanted YYYY-MM-DD, from {FIRST_TWEET} on", todo="write it like 2026-11-22")
    return day


@functools.lru_cache(maxsize=65536)
def start_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant (UTC) at which the zone's clocks show `day`, or a later day where they leave `day` out.

    Where clocks go back over midnight (America/St_Johns until 2011, at 00:01), midnight comes twice: the day begins with the first,
    and the hour that repeats the evening before belongs to it. So days follow each other without gap or overlap.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    early, late = sorted(midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if early.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return early
    # Midnight does not exist: the clocks jumped over it somewhere between the two readings. Find the jump.
    after = late.astimezone(zone).utcoffset()
    low, high = early - timedelta(seconds=1), late
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == after:
            high = middle
        else:
            low = middle
    return high


def window(day: date, zone: ZoneInfo) -> Window:
    """The UTC window of a local day: 23, 24 or 25 hours mostly, half open, ending where the next day's begins."""
    return Window(start_of(day, zone), start_of(day + timedelta(days=1), zone))


def day_of(created_at: pd.Series[Any] | NDArray[Any], zone: ZoneInfo) -> NDArray[np.datetime64]:
    """The local day of each instant, as datetime64[D]; NaT stays NaT.

    Found among the windows' starts, not by asking for the local date: so it agrees with `window` at every instant,
    also where the local date jumps or goes back.

    Args:
        created_at: instants: a pandas Series (a zone is converted, none means UTC) or anything numpy reads as UTC datetime64.
        zone: the area's time zone.
    """
    instants = _utc(created_at)
    days = np.full(instants.shape, np.datetime64("NaT", "D"), dtype="datetime64[D]")
    known = ~np.isnat(instants)
    if not known.any():
        return days
    # no zone is further from UTC than 26 hours, historical ones included
    first = instants[known].min().astype("datetime64[D]") - np.timedelta64(2, "D")
    last = instants[known].max().astype("datetime64[D]") + np.timedelta64(3, "D")
    candidates = np.arange(first, last)
    starts = np.array([start_of(day, zone).replace(tzinfo=None) for day in candidates.tolist()], dtype="datetime64[us]")
    days[known] = candidates[np.searchsorted(starts, instants[known], side="right") - 1]
    return days


def _utc(created_at: Any) -> NDArray[np.datetime64]:
    if hasattr(created_at, "dt"):  # a pandas Series; asked this way so that pandas need not be imported
        created_at = created_at.dt.tz_convert("UTC").dt.tz_localize(None) if created_at.dt.tz is not None else created_at
        return np.asarray(created_at.to_numpy(dtype="datetime64[us]"))
    return np.asarray(created_at).astype("datetime64[us]")


def over_at(day: date, zone: ZoneInfo, settle: timedelta = SETTLE) -> datetime:
    """When (UTC) the day counts as over: `settle` after its end."""
    return window(day, zone).end + settle


def is_over(day: date, zone: ZoneInfo, now: datetime, settle: timedelta = SETTLE) -> bool:
    """Whether the day, and the time in which its tweets may still be edited, have passed at `now` (an aware datetime)."""
    return now >= over_at(day, zone, settle)


def last_over(zone: ZoneInfo, now: datetime, settle: timedelta = SETTLE) -> date:
    """The latest day that is over at `now` (an aware datetime)."""
    day = now.astimezone(zone).date() + timedelta(days=1)
    while not is_over(day, zone, now, settle):
        day -= timedelta(days=1)
    return day


def days_between(first: date, last: date) -> tuple[dt.date, ...]:
    """Every calendar day from `first` to `last`, both included; none where last < first."""
    return tuple(first + timedelta(days=number) for number in range((last - first).days + 1))


def reach(since: date | None, until: date | None) -> Window | None:
    """All instants that some time zone calls a day from `since` to `until`, both included; None where neither is given: all there is."""
    if since is None and until is None:
        return None
    start = EVER.start if since is None else datetime(since.year, since.month, since.day, tzinfo=UTC) - EARLIEST_ZONE
    after = None if until is None else until + timedelta(days=1)
    end = EVER.end if after is None else datetime(after.year, after.month, after.day, tzinfo=UTC) + LATEST_ZONE
    return Window(start, end)


def whole(part: Window | None, zone: ZoneInfo) -> Window | None:
    """The window of the local days of which a part of time holds every instant (perhaps none: its end is its start); None is all time."""
    if part is None:
        return None
    start, end = part.start, part.end
    if start > EVER.start:
        first = start.astimezone(zone).date() - timedelta(days=1)
        start = next(moment for number in range(4) if (moment := start_of(first + timedelta(days=number), zone)) >= part.start)
    if end < EVER.end:
        last = end.astimezone(zone).date() + timedelta(days=2)
        end = next(moment for number in range(5) if (moment := start_of(last - timedelta(days=number), zone)) <= part.end)
    return Window(start, max(start, end))


def covers(held: Window | None, wanted: Window | None) -> bool:
    """Whether a window contains another; None is all time."""
    return held is None or (wanted is not None and held.start <= wanted.start and wanted.end <= held.end)


def hull(one: Window | None, other: Window | None) -> Window | None:
    """The least window that contains both; None is all time."""
    return None if one is None or other is None else Window(min(one.start, other.start), max(one.end, other.end))


def ends(window: Window | None) -> list[str] | None:
    """A window as manifests write it: its two ends in ISO 8601."""
    return None if window is None else [window.start.isoformat(), window.end.isoformat()]


def from_ends(written: Any) -> Window | None:
    """A window from what `ends` gave."""
    return None if written is None else Window(*map(datetime.fromisoformat, written))
