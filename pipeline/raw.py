"""The manifest of a day's pages: what was asked and what came, hour by hour, what is missing; and one page as it lies on the disk."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import zstandard

from pipeline import days, hours, walks
from pipeline.cursor import Cursor
from pipeline.days import Window
from pipeline.errors import MissingData
from pipeline.settings import Area
from pipeline.walks import Hole

#: So many nights that asked for a day's holes are remembered.
ATTEMPTS: Final = 8

AGAIN: Final = "remove the folder {}, then run the night again: the day is fetched anew"


def manifest(at: Cursor, area: Area, day: date, folder: Path, requests: int, **head: object) -> dict[str, Any]:
    """The manifest of a day whose walks have ended.

    Args:
        folder: where its pages lie.
        requests: how many were sent.
        head: what else is said at its top.
    """
    window = days.window(day, area.zone)
    holes, parts = walks.merged(at.holes), slices(at.sample)
    return {
        "area": area.name,
        "day": day.isoformat(),
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
        **head,
        "endpoint": at.endpoint,
        "queries": at.queries,
        "mode": "whole" if at.sample is None else "sample",
        "pages": at.pages,
        "posts": at.posts,
        "requests": requests,
        "waits": at.waits,
        "finished_at": _now(),
        "hours": hours.table(window, map(functools.partial(_written, folder), at.pages), holes, at.trouble, at.expected, parts),
        **_coverage(window, holes, parts, area),
        "sample": at.sample,
        "holes": [walks.as_json(hole) for hole in holes],
        "attempted_by": at.night,
        "attempts": [at.night],
    }


def mended(before: dict[str, Any], at: Cursor, area: Area, folder: Path, requests: int) -> dict[str, Any]:
    """The manifest `before` with what was fetched of its holes; what was not among them stays as it was.

    Args:
        folder: where all pages lie, the new ones too.
        requests: how many were sent for them.
    """
    window = Window(*(datetime.fromisoformat(before["window"][edge]) for edge in ("start", "end")))
    known = [walks.hole(entry) for entry in before["holes"]]
    sought = [hole for hole in known if hole.refetch]
    holes, parts = walks.merged([*(hole for hole in known if not hole.refetch), *at.holes]), slices(before.get("sample"))
    pages = [*before["pages"], *at.pages]
    table = hours.table(window, map(functools.partial(_written, folder), pages), holes, at.trouble, at.expected, parts)
    return {
        **before,
        "endpoint": at.endpoint,
        "queries": at.queries,
        "pages": pages,
        "posts": before["posts"] + at.posts,
        "requests": before["requests"] + requests,
        "waits": {name: before["waits"][name] + at.waits[name] for name in ("count", "seconds")},
        "finished_at": _now(),
        "hours": [_hour(old, new, sought) for old, new in zip(before["hours"], table, strict=True)],
        **_coverage(window, holes, parts, area),
        "holes": [walks.as_json(hole) for hole in holes],
        "attempted_by": at.night,
        # several, for two nights at once must not undo each other's tasks
        "attempts": [*before.get("attempts", ())[1 - ATTEMPTS :], at.night],
    }


def _hour(old: dict[str, Any], new: dict[str, Any], sought: Sequence[Hole]) -> dict[str, Any]:
    """The entry of an hour: as it was where nothing of it was sought, else as it is now, with what went wrong before added."""
    start = datetime.fromisoformat(old["start"])
    if not walks.missing(sought, Window(start, start + timedelta(seconds=old["seconds"]))):
        return old
    summed = {name: old[name] + new[name] for name in ("waits", "wait_seconds", "errors")}
    return {**new, **summed, "expected": old["expected"]}


def _coverage(window: Window, holes: Sequence[Hole], parts: Sequence[Window] | None, area: Area) -> dict[str, Any]:
    share = hours.observed(window, holes)
    if parts:
        # each slice stands for as much of the day as any other
        pieces = sum(hours.observed(piece, holes) for piece in parts) / len(parts)
        outside = walks.missing(holes, window) - sum(walks.missing(holes, piece) for piece in parts)
        share = round(pieces * (1 - outside / (window.hours * 3600)), 6)
    return {"coverage": share, "coverage_reason": hours.in_words(window, holes, area.zone, parts)}


def slices(sample: dict[str, Any] | None) -> list[Window] | None:
    """The windows of a sample; None where all of the day was asked for."""
    if sample is None:
        return None
    return [Window(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in sample["slices"]]


def read_page(path: Path, page: dict[str, Any]) -> dict[str, Any]:
    """The parsed answer that lies in `path`, which the manifest's entry `page` tells of.

    Raises:
        MissingData: it is not there, or not what was received.
    """
    try:
        body = zstandard.decompress(path.read_bytes())
    except (OSError, zstandard.ZstdError) as error:
        raise MissingData(f"{path} cannot be read: {error}", todo=AGAIN.format(path.parent)) from error
    if hashlib.sha256(body).hexdigest() != page["sha256"]:
        raise MissingData(f"{path} does not hold the bytes that were received", todo=AGAIN.format(path.parent))
    document: dict[str, Any] = json.loads(body)
    return document


def places(page: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The places that a page includes, by their ids."""
    includes = page.get("includes")
    listed = includes.get("places") if isinstance(includes, dict) else None
    return {str(place["id"]): place for place in (listed if isinstance(listed, list) else ()) if isinstance(place, dict) and "id" in place}


def named_places(page: dict[str, Any]) -> dict[str, None]:
    """The ids of the places that a page's posts name, each once, in their order."""
    posts = page.get("data")
    geos = [post.get("geo") for post in (posts if isinstance(posts, list) else ()) if isinstance(post, dict)]
    return dict.fromkeys(str(geo["place_id"]) for geo in geos if isinstance(geo, dict) and geo.get("place_id"))


def complete(page: dict[str, Any], own: Mapping[str, Any], known: Mapping[str, dict[str, Any]]) -> bool:
    """Add the places that the page's posts name and its includes lack (facts/x-api.md: it happens); give whether none is lacking now.

    Args:
        own: the places that it includes.
        known: the places that pages of the same day include.
    """
    lacking = [place for place in named_places(page) if place not in own]
    found = [known[place] for place in lacking if place in known]
    if found:
        page["includes"] = {**(page.get("includes") or {}), "places": [*own.values(), *found]}
    return len(found) == len(lacking)


def _written(folder: Path, page: dict[str, Any]) -> list[tuple[int, datetime | None]]:
    """(id, created_at) of the posts of a page."""
    posts = read_page(folder / page["file"], page).get("data") or []
    named = [post for post in posts if isinstance(post, dict) and str(post.get("id", "")).isdigit()]
    return [(int(post["id"]), walks.written_at(int(post["id"]), post.get("created_at"))) for post in named]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
