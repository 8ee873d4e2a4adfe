"""Files whose path names the day they are of, as in the stream grabs of archive.org: what lies outside a window need not be read."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from pipeline.days import Window

#: `…/2016/11/05/03/59.json.bz2`: year, month, day, hour, minute (facts/x-api.md). Less than that may be the day of a download.
_NAMED: Final = re.compile(r"(?:^|/)(\d{4})/(\d\d)/(\d\d)/\d\d/\d\d\.json(?:\.\w+)?$", re.ASCII)


def day_of(name: str) -> date | None:
    """The day (of UTC) that a path names in full, None where it names none."""
    found = _NAMED.search(name)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def outside(name: str, window: Window | None) -> bool:
    """Whether the path names a day (of UTC) that lies wholly outside the window.

    The windows of days.reach begin and end half a day outside their days: so much may the clock differ that a writer names its files by.
    """
    day = day_of(name) if window is not None else None
    if window is None or day is None:
        return False
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start + timedelta(days=1) <= window.start or start >= window.end
