"""Deletion that reaches the numbers: tombstones first, then files, then the database, then what was counted and published of them.

Each step finds its work in what is there, so a purge that was killed is ended by the next one, whatever that one is asked for
(pending.json alone remembers which days were to be restated, and why). Where tweets lie: files.py and rows.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline import faults, storage, tombstones
from pipeline.progress import Progress, silent
from pipeline.purge import files, held, pending, restate, rows
from pipeline.purge.asked import Asked, read
from pipeline.purge.pending import Day, Pending
from pipeline.settings import Settings
from pipeline.tombstones import Tombstones, deletion_index
from pipeline.tombstones.deletion_index import News

__all__ = ["Asked", "Report", "apply_archives", "held", "read", "rows", "run", "to_apply"]

#: Another purge is waited for so long.
LOCK_WAIT_SECONDS = 3600.0
#: Below the data folder, where a killed process may have left half of something.
SWEPT = ("raw", "archives", "tweets", "counts", "tombstones", "purge")


@dataclass(frozen=True)
class Report:
    """What a purge did, or (dry) would do.

    Attributes:
        asked: tweets, and authors' locations, that the request named.
        noted: new tombstones.
        tweets: tweets that were held, in files or the database, and are no more (all versions of one count).
        pages, extracts, partitions: partitions of pages and archives written again, derived partitions removed.
        days: days that changed, (area, day) → why their numbers did; "" where none of their numbers did.
        restated: rows published anew: study → how many.
        from_rows: days whose files are no more, so that the database's own rows were counted again.
    """

    asked: int
    noted: int
    tweets: int
    pages: int
    extracts: int
    partitions: int
    days: dict[Day, str]
    restated: dict[str, int]
    from_rows: tuple[Day, ...]


def run(
    settings: Settings, asked: Asked, *, source: str, dry: bool = False, full: bool | None = None, progress: Progress = silent
) -> Report:
    """Remove what is asked for, and whatever an earlier purge did not get to.

    Args:
        asked: which tweets; none, to end what was begun.
        source: who said so, for people: a file's name, or "compliance".
        dry: find and count only.
        full: whether the database's tables are written anew, so that nothing stays of the old rows; None: the embedded one's are.

    Raises:
        AlreadyRunning: another purge, or the extraction of a day that is affected, has been at work for an hour.
        DatabaseUnavailable, LoadMismatch: see load.py; run again, and it is ended.
    """
    with storage.exclusive(settings.data / "locks" / "purge.lock", wait=LOCK_WAIT_SECONDS, what="purge", progress=progress):
        if dry:
            return _dry(settings, asked, progress)
        noted = tombstones.note(settings, asked.lines(tombstones.keys(settings)), source=source).number
        faults.point("purge.tombstones")
        _sweep(settings)
        # asked before anything is looked for: a database may come into being meanwhile
        files_only, news = not rows.there(settings), deletion_index.unapplied(settings)
        deletion_index.gather(settings, all_held=True)
        further, found = _note_versions(settings, lambda _: _look(settings, tombstones.load(settings), progress))
        report = _remove(settings, asked, noted + further.number, found, full, progress)
        # it has looked for all that any archive asks for
        deletion_index.note_applied(settings, News(news.extracts, news.files | further.files), files_only=files_only)
        return report


def apply_archives(settings: Settings, *, full: bool | None = None, progress: Progress = silent) -> Report | None:
    """Apply what imported archives ask to delete to all that is stored, and all deletions to what they brought; None where nothing changed.

    Call it when files have been imported; whatever was cut short, the next call ends. Without anything new it is a look into a folder.

    Args:
        settings: whose data folder and database; without a database there need be none.
        full: see run.
        progress: is told what is looked into.

    Raises:
        AlreadyRunning, DatabaseUnavailable, LoadMismatch: see run. What archives hold and ask for is known all the same: no later stage
            takes in what is gone.
    """
    if not to_apply(settings):
        return None
    with storage.exclusive(settings.data / "locks" / "purge.lock", wait=LOCK_WAIT_SECONDS, what="purge", progress=progress):
        # asked before anything is looked for: a database may come into being meanwhile
        files_only, news = not rows.there(settings), deletion_index.unapplied(settings)
        deletion_index.gather(settings, all_held=True)
        report, noted = _apply(settings, news, full, progress)
        faults.point("purge.applied")
        deletion_index.note_applied(settings, News(news.extracts, news.files | noted), files_only=files_only)
        return report


def to_apply(settings: Settings) -> bool:
    """Whether apply_archives has anything to look at."""
    return bool(deletion_index.unapplied(settings)) or pending.path(settings).exists() or _is_database_behind(settings)


def _is_database_behind(settings: Settings) -> bool:
    """Whether deletions were applied where there was no database (an import without DATABASE_URL), and now there is one."""
    return deletion_index.read(settings).files_only and rows.there(settings)


def _apply(settings: Settings, news: News, full: bool | None, progress: Progress) -> tuple[Report | None, frozenset[str]]:
    """(what was done, files of tombstones put up): new deletions are looked for everywhere, all deletions in new extracts.

    Older deletions have been applied to what is older.
    """
    _sweep(settings)
    wanted, behind = tombstones.of_news(settings, news), _is_database_behind(settings)

    def look(noted: Mapping[int, str]) -> _Found:
        these = wanted.including(tombstones.of(settings, noted)) if noted else wanted
        everything = tombstones.load(settings)
        in_files = files.find(settings, these, fresh=sorted(news.extracts), all_stones=everything, progress=progress)
        return _Found(everything, in_files, rows.find(settings, everything if behind else these))

    noted, found = _note_versions(settings, look)
    if found.files or found.rows or pending.path(settings).exists():
        return _remove(settings, Asked(), noted.number, found, full, progress), noted.files
    if wanted and rows.there(settings):
        rows.copy_tombstones(settings)
    return None, noted.files


def _sweep(settings: Settings) -> None:
    for folder in SWEPT:
        storage.sweep(settings.data / folder)


@dataclass(frozen=True)
class _Found:
    """Where tweets that are gone still lie, and the ids of all versions of them."""

    stones: Tombstones
    files: files.Found
    rows: rows.Found

    @property
    def versions(self) -> dict[int, str]:
        """Their ids, and why they are gone."""
        return self.files.versions | self.rows.versions

    def add_days(self, affected: Pending) -> Pending:
        """The days whose numbers they change."""
        for found in (self.files.days, self.rows.days):
            for day, tweets in found.days.items():
                affected.add(day, tweets)
        return affected


def _look(settings: Settings, stones: Tombstones, progress: Progress) -> _Found:
    return _Found(stones, files.find(settings, stones, progress=progress), rows.find(settings, stones))


def _note_versions(settings: Settings, look: Callable[[Mapping[int, str]], _Found]) -> tuple[tombstones.Noted, _Found]:
    """Put up tombstones for the other versions of edited tweets, and for each tweet of an author whose tweets are gone.

    `look` is given those that have been put up, and finds where they and all others lie.
    """
    noted: dict[int, str] = {}
    number, put_up = 0, frozenset[str]()
    while True:
        found = look(noted)
        ids = list(found.versions)
        new = {ids[place]: found.versions[ids[place]] for place in np.flatnonzero(~found.stones.gone_of(ids))}
        if not new:
            return tombstones.Noted(number, put_up), found
        keys = tombstones.keys(settings)
        further = tombstones.note(settings, (tombstones.line(keys, *entry) for entry in new.items()), source="versions of the same tweet")
        number, put_up = number + further.number, put_up | further.files
        noted |= new


def _remove(settings: Settings, asked: Asked, noted: int, found: _Found, full: bool | None, progress: Progress) -> Report:
    affected = found.add_days(pending.read(settings))
    todo = bool(found.files or found.rows or pending.path(settings).exists())
    if todo:
        pending.write(settings, affected)
    faults.point("purge.pending")
    files.take_out(settings, found.stones, found.files, affected, progress=progress)
    if not rows.there(settings):
        pending.done(settings)
        return _report(asked, noted, found, affected, {}, ())
    rows.remove(settings, found.rows)
    faults.point("purge.rows")
    restated, from_rows = _restate(settings, affected, progress)
    rows.copy_tombstones(settings)
    if todo:
        progress(None, "cleaning the database's files")
        rows.wipe(settings, full=settings.database_url is None if full is None else full)
    faults.point("purge.wiped")
    pending.done(settings)
    return _report(asked, noted, found, affected, restated, from_rows)


def _restate(settings: Settings, affected: Pending, progress: Progress) -> tuple[dict[str, int], tuple[Day, ...]]:
    """Make the affected days again; (rows published anew by study, days that only the database could give)."""
    since: dict[str, list[Day]] = {}
    from_rows = []
    for (area, day), studies in restate.loaded(settings, affected).items():
        progress(None, f"{area} {day}: counting again")
        if not restate.day(settings, area, day, studies, progress=progress):
            from_rows.append((area, day))
        for study in studies:
            since.setdefault(study, []).append((area, day))
    faults.point("purge.restated")
    restated = {}
    for study, days in since.items():
        restated[study] = restate.publish(settings, study, min(day for _, day in days), affected.why(days), progress=progress)
    return restated, tuple(from_rows)


def _dry(settings: Settings, asked: Asked, progress: Progress) -> Report:
    found = _look(settings, tombstones.imagined(settings, asked.lines(tombstones.keys(settings))), progress)
    return _report(asked, 0, found, found.add_days(Pending()), {}, ())


def _report(
    asked: Asked,
    noted: int,
    found: _Found,
    affected: Pending,
    restated: dict[str, int],
    from_rows: tuple[Day, ...],
) -> Report:
    return Report(
        asked=len(asked.tweets) + len(asked.authors) + len(asked.further),
        noted=noted,
        tweets=len(found.versions),
        pages=len(found.files.raw),
        extracts=len(found.files.extracts),
        partitions=len(found.files.derived),
        days={day: affected.why([day]) for day in sorted(affected.days)},
        restated=restated,
        from_rows=from_rows,
    )
