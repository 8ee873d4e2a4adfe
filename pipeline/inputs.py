"""Which sources feed one day of one area: the X API (or its stand-in), archives, or both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pipeline import extract
from pipeline.errors import MissingData
from pipeline.settings import Settings
from pipeline.sources import archive


@dataclass(frozen=True, slots=True)
class Inputs:
    """`x`: whether the day's X partition is read; `archives`: digests of the extracts that are, sorted. Never neither."""

    x: bool
    archives: tuple[str, ...]


def inputs(settings: Settings, area_name: str, day: date) -> Inputs:
    """The sources of one day, by the area's `source` setting and what is on the disk.

    Made-up tweets never mix with real ones: where an archive holds the day the sandbox is left out, and for an area of which archives hold
    any day the sandbox stands in for none (unless its `source` is "x").

    Raises:
        MissingData: no source that may be used holds the day; archives have to be imported, or a token set.
    """
    area = settings.area(area_name)
    if area.source == "x":
        return Inputs(True, ())
    holding = archive.holding(settings, area, day)
    if area.source == "archive":
        if not holding:
            raise _missing(area_name, day, 'its source is "archive"')
        return Inputs(False, holding)
    if not holding:
        if settings.synthetic and archive.any_held(settings, area):
            raise _missing(area_name, day, "there is no token for the X API, and made-up tweets are not mixed with an archive's")
        return Inputs(True, ())
    if settings.synthetic:
        return Inputs(False, holding)
    return Inputs(area.source == "both" or _fetched(settings, area_name, day), holding)


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
