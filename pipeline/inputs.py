"""Which sources feed one day of one area: the X API (or its stand-in), archives, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

from pipeline import days, extract
from pipeline.errors import MissingData
from pipeline.settings import Area, Settings
from pipeline.sources import archive, x_endpoints

#: (data folder, area, day, recent_days) → whether recent search reached the day when this process first asked. Luigi asks many times in a
#: run; an answer that changed with the hour would make a task that is done undone.
_reached: dict[tuple[Path, Area, date, int], bool] = {}


@dataclass(frozen=True, slots=True)
class Inputs:
    """`x`: whether the day's X partition is read; `archives`: digests of the extracts that are, sorted. Never neither."""

    x: bool
    archives: tuple[str, ...]


class Sources:
    """The sources of one area's days, for whoever asks about many: the archives are looked through once."""

    def __init__(self, settings: Settings, area_name: str, *, now: datetime | None = None) -> None:
        self._settings, self._area, self._now = settings, settings.area(area_name), now

    @cached_property
    def _held(self) -> Mapping[str, tuple[str, ...]]:
        return archive.by_day(self._settings, self._area)

    def has(self, day: date) -> bool:
        """Whether any source that may be used holds the day."""
        try:
            self.of(day)
        except MissingData:
            return False
        return True

    def of(self, day: date) -> Inputs:
        """See `inputs`."""
        settings, area = self._settings, self._area
        if area.source == "x":
            return Inputs(True, ())
        holding = self._held.get(day.isoformat(), ())
        if area.source == "archive":
            if not holding:
                raise _missing(area.name, day, 'its source is "archive"')
            return Inputs(False, holding)
        if not holding:
            if settings.synthetic and self._held:
                raise _missing(area.name, day, "there is no token for the X API, and made-up tweets are not mixed with an archive's")
            return Inputs(True, ())
        if settings.synthetic:
            return Inputs(False, holding)
        reached = area.source == "both" or _fetched(settings, area.name, day) or _in_reach(settings, area, day, self._now)
        return Inputs(reached, holding)


def inputs(settings: Settings, area_name: str, day: date, *, now: datetime | None = None) -> Inputs:
    """The sources of one day, by the area's `source` setting and what is on the disk.

    "auto" leaves to the archives the days they hold. Three exceptions: pages of X that are there already are read as well; so is, with a
    token, a day that X's recent search still reaches (one stray tweet in an archive must not stand for a day that X can still give);
    and without a token the sandbox is used for areas of which no archive holds anything.
    Made-up tweets never mix with real ones: where an archive holds the day the sandbox is left out, and for an area of which archives hold
    any day the sandbox stands in for none (unless its `source` is "x").

    Args:
        now: the time it is, aware; None for the clock, which is read once a process for each day, so that the answer stays in a run.

    Raises:
        MissingData: no source that may be used holds the day; archives have to be imported, or a token set.
    """
    return Sources(settings, area_name, now=now).of(day)


def _in_reach(settings: Settings, area: Area, day: date, now: datetime | None) -> bool:
    """Whether the day has begun, and X's recent search reaches back to its beginning."""
    if now is not None:
        return _reaches(settings, area, day, now)
    key = (settings.data, area, day, settings.x.recent_days)
    if key not in _reached:
        _reached[key] = _reaches(settings, area, day, datetime.now(UTC))
    return _reached[key]


def _reaches(settings: Settings, area: Area, day: date, now: datetime) -> bool:
    window = days.window(day, area.zone)
    return window.start <= now and x_endpoints.endpoint_for(window, now, recent_days=settings.x.recent_days) is x_endpoints.RECENT


def _fetched(settings: Settings, area_name: str, day: date) -> bool:
    """Whether real pages of the day are on the disk, whole."""
    if not extract.partition(settings, area_name, day).is_dir():
        return False
    return not extract.manifest(settings, area_name, day)["synthetic"]


def _missing(area_name: str, day: date, why: str) -> MissingData:
    return MissingData(
        f"{area_name}: no imported archive holds a tweet of {day}, and {why}",
        todo="import an archive of that day (python -m pipeline import PATH), or set X_BEARER_TOKEN",
    )
