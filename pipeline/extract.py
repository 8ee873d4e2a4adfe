"""ExtractTweets: one local day of one area from the X API, page by page, bytes as received; what is on the disk is never asked for again.

Where a day lies, what is known of it, and who may fetch it is said here; how it is fetched, in fetching.py; how a page is asked for,
in sources/x_api.py. What a post means is formats/ and clean.py.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline import cover, days, raw, storage
from pipeline.errors import DayNotOver, SettingsError, expired
from pipeline.progress import Progress, silent
from pipeline.sandbox.world import World
from pipeline.settings import Area, Settings
from pipeline.sources import x_endpoints

#: Version of this stage: a change of what it writes makes every partition of it anew. (Rarely wanted: it costs money.)
CODE: Final = 1

#: Another process that fetches the same day is waited for so long.
LOCK_WAIT_SECONDS: Final = 120.0

#: The environment variable that holds the id of a night, which all processes of it share (tasks/base.py sets it).
NIGHT: Final = "GEOBETA_NIGHT"


@dataclass(frozen=True, slots=True)
class Observed:
    """How much of a day was observed.

    Attributes:
        coverage: the share of its time; of a sample, of its slices.
        reason: what is missing and why; empty where nothing is.
        mode: "whole" or "sample".
        digest: of what was observed: empty for a day that is whole.
        purged: posts that were deleted from it since.
        expired: whether its pages were removed after [content] retention_days.
    """

    coverage: float = 1.0
    reason: str = ""
    mode: str = "whole"
    digest: str = ""
    purged: int = 0
    expired: bool = False


def this_night() -> str:
    """The id of this night; where no night has one, an id that nobody else has."""
    return os.environ.get(NIGHT) or uuid.uuid4().hex[:12]


def revision(settings: Settings, area_name: str) -> str:
    """Digest of what decides a day's pages: code, real or made up, box, time zone, clauses. Not the page size, not the token.

    Nor `sample`: days that are there stay as they are, whole or sampled, when it is changed; only days fetched from then on follow it.
    """
    area = settings.area(area_name)
    source = ["sandbox", World.of(settings).city_digest] if settings.synthetic else ["x"]
    return storage.digest(CODE, x_endpoints.CODE, source, area.box.csv, area.timezone, clauses(area))


@lru_cache(maxsize=4096)
def clauses(area: Area) -> tuple[str, ...]:
    """The geo operators that ask for the area: those that cover its box, and the places it lists.

    Remembered: every revision of every day holds them, and covering a box is most of what a revision costs.

    Raises:
        SettingsError: the box is too large to be asked for.
    """
    try:
        covering = cover.clauses(area.box)
    except SettingsError as error:
        raise SettingsError(f"areas.toml, [{area.name}]: {error.what}", todo=error.todo) from None
    return (*covering, *(f"place:{place}" for place in area.places))


def partition(settings: Settings, area_name: str, day: date) -> Path:
    """Where the day's pages lie; the folder exists exactly when the day is whole, with `manifest.json` in it."""
    return settings.data / "raw" / f"area={area_name}" / f"date={day.isoformat()}" / f"revision={revision(settings, area_name)}"


def run(
    settings: Settings,
    area_name: str,
    day: date,
    *,
    now: datetime | None = None,
    progress: Progress = silent,
    night: str | None = None,
    account: x_endpoints.Account | None = None,
) -> dict[str, Any]:
    """Fetch the day, or what is still missing of it; return its manifest.

    A day that is there with holes is asked for them again, once a night: nothing of it is lost, and where X still does not answer no
    error is raised.

    Args:
        now: the time it is, aware; None for the clock.
        progress: is told the share of the day covered (newest first), the page and the posts so far.
        night: the id of the night; None for that of the environment.
        account: is told of every request, and may refuse it; None for one of spend.py where the settings set a limit, else none.

    Raises:
        DayNotOver: the local day, and the time in which posts may be edited, have not passed.
        AlreadyRunning: another process is fetching this day.
        TransientError, SourceRefused, UnexpectedAnswer, MissingData: see sources/x_api.py; what was fetched stays for the next run.
    """
    # most processes look at days that are there: tweepy and SQLAlchemy are loaded by those that ask
    from pipeline import spend
    from pipeline.fetching import Fetching

    area = settings.area(area_name)
    night = night or this_night()
    final = partition(settings, area_name, day)
    if final.is_dir() and not refetchable(settings, area_name, day, night):
        return manifest(settings, area_name, day)
    if account is None and (settings.x.max_posts_per_day, settings.x.max_usd_per_month) != (None, None):
        account = spend.account(settings, f"tweets {area_name} {day}")
    now = now or datetime.now(UTC)
    _refuse_early(settings, area, day, now)
    with (
        storage.exclusive(
            lock(settings, area_name, day), wait=LOCK_WAIT_SECONDS, what=f"extraction of {area_name} {day}", progress=progress
        ),
        contextlib.closing(Fetching(settings, area, day, clauses(area), final, now, night, account, progress)) as fetching,
    ):
        if not final.is_dir():
            fetching.whole_day()
        elif refetchable(settings, area_name, day, night):
            fetching.holes()
    return manifest(settings, area_name, day)


def _refuse_early(settings: Settings, area: Area, day: date, now: datetime) -> None:
    settle = max(days.SETTLE, timedelta(minutes=settings.x.settle_minutes))
    if not days.is_over(day, area.zone, now, settle):
        over = days.over_at(day, area.zone, settle)
        raise DayNotOver(
            f"{area.name} {day}: the day counts as over at {over:%Y-%m-%d %H:%M} UTC, and it is {now:%Y-%m-%d %H:%M} UTC",
            todo="run again after that; the nightly run does so by itself",
        )


def lock(settings: Settings, area_name: str, day: date) -> Path:
    """The lock file that who changes the day's partition has to hold."""
    return settings.data / "locks" / f"extract-{area_name}-{day}-{partition(settings, area_name, day).name}.lock"


def manifest(settings: Settings, area_name: str, day: date) -> dict[str, Any]:
    """The manifest of a whole day.

    Raises:
        MissingData: the day is not there.
    """
    content: dict[str, Any] = storage.read_json(partition(settings, area_name, day) / "manifest.json")
    return content


class OnDisk:
    """What the manifests of one area's days say, for whoever asks about many: what the days have in common is found once.

    Raises:
        SettingsError: the box is too large to be asked for.
    """

    def __init__(self, settings: Settings, area_name: str) -> None:
        self.revision = revision(settings, area_name)
        self._folder = f"{settings.data}/raw/area={area_name}"

    def observed(self, day: date) -> Observed:
        """How much of the day was observed; whole where there is no manifest yet, or an older one that does not say."""
        found = self._told(day)
        return found[0] if found else Observed()

    def refetchable(self, day: date, night: str) -> bool:
        """Whether the day is there with holes that may still be had, and this night has not asked for them yet."""
        found = self._told(day)
        return found is not None and found[1] and night not in found[2]

    def _told(self, day: date) -> tuple[Observed, bool, tuple[str, ...]] | None:
        path = f"{self._folder}/date={day}/revision={self.revision}/manifest.json"
        try:
            seen = os.stat(path)  # noqa: PTH116 (a Path costs three times as much, for each of thousands of days)
        except FileNotFoundError:
            return None
        return _read(path, seen.st_mtime_ns, seen.st_ino)


def observed(settings: Settings, area_name: str, day: date) -> Observed:
    """See OnDisk.observed."""
    return OnDisk(settings, area_name).observed(day)


def refetchable(settings: Settings, area_name: str, day: date, night: str) -> bool:
    """See OnDisk.refetchable."""
    return OnDisk(settings, area_name).refetchable(day, night)


def missing_hours(settings: Settings, area_name: str, day: date) -> float:
    """Hours of a day that is there which are missing, and may still be had."""
    content = manifest(settings, area_name, day)
    spans = [(hole["start"], hole["end"]) for hole in content.get("holes", ()) if hole["refetch"]]
    return sum((datetime.fromisoformat(end) - datetime.fromisoformat(start)) / timedelta(hours=1) for start, end in spans)


class _Hole(msgspec.Struct):
    start: str
    end: str
    refetch: bool


class _Manifest(msgspec.Struct):
    """Of a manifest what every night asks of every day: the rest of it, most of its bytes, is not made into objects."""

    # a number as it is written there: revisions hold it
    coverage: int | float = 1.0
    coverage_reason: str = ""
    mode: str = "whole"
    holes: tuple[_Hole, ...] = ()
    sample: Any = None
    purged: int = 0
    expired: Any = msgspec.UNSET
    attempts: tuple[str, ...] = ()


_decode: Final = msgspec.json.Decoder(_Manifest).decode


@lru_cache(maxsize=65536)
def _read(path: str, mtime_ns: int, inode: int) -> tuple[Observed, bool, tuple[str, ...]]:
    """(what was observed, whether holes may still be had, the nights that asked). Remembered, for every revision of a day holds it."""
    content: _Manifest = storage.read_json(Path(path), _decode)
    holes = [[hole.start, hole.end] for hole in content.holes]
    digest = storage.digest(holes, content.sample) if holes or content.sample else ""
    expired = content.expired is not msgspec.UNSET
    told = Observed(content.coverage, content.coverage_reason, content.mode, digest, content.purged, expired)
    # what was removed after retention_days is not fetched again
    due = any(hole.refetch for hole in content.holes) and not expired
    return told, due, content.attempts


def pages(settings: Settings, area_name: str, day: date, *, only: Container[str] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file name, parsed answer) of every page of a whole day, in the order in which they were received.

    Args:
        only: names of files; None for all.

    Raises:
        MissingData: the day is not there, a page is not what was received, or [content] retention_days have passed.
    """
    folder = partition(settings, area_name, day)
    listed = manifest(settings, area_name, day)
    if "expired" in listed:
        raise expired(f"{area_name} on {day}")
    for page in listed["pages"]:
        if only is None or page["file"] in only:
            yield page["file"], raw.read_page(folder / page["file"], page)
