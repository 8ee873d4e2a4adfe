"""After [content] retention_days what people wrote, and where, goes from files and database. What was counted stays, and stays current.

Raw and cleaned partitions keep their manifests, which say `expired`: the days are still there for whoever asks whether to fetch or count
them. Days that a study has still to count wait until it has: nothing that was paid for, or imported late, goes unread. Every step finds
its work in what is there, so one that was killed is ended by the next.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from pipeline import clean, database, days, faults, nights, purge, redaction, storage
from pipeline.progress import Progress, silent
from pipeline.schema import INSTANT
from pipeline.settings import Settings
from pipeline.sources import archive

#: What is emptied of a row of `tweets`: what was written, and where. Location may not be kept apart from its post (facts/x-api.md).
EMPTIED = (
    *("text", "raw", "longitude", "latitude", "place_id", "place_name", "place_type", "place_country"),
    *("place_west", "place_south", "place_east", "place_north"),
)

#: An extraction that was left unfinished, of an old day, goes when nobody has gone on with it for so long: its pages were paid for.
GIVEN_UP = timedelta(days=7)


@dataclass(frozen=True)
class Report:
    """What went: days' partitions of pages and of cleaned tweets, archives that lost records, rows of `tweets` that were emptied.

    `waiting` are old days that stay, for they have still to be counted.
    """

    partitions: int = 0
    extracts: int = 0
    rows: int = 0
    waiting: int = 0

    def __bool__(self) -> bool:
        return bool(self.partitions or self.extracts or self.rows)


def run(settings: Settings, *, now: datetime | None = None, full: bool | None = None, progress: Progress = silent) -> Report:
    """Remove what is older than the settings allow; nothing where they set no limit.

    Args:
        now: the time it is, aware; None for the clock.
        full: as in purge.run.

    Raises:
        AlreadyRunning: a purge, or the extraction of such a day, has been at work for an hour.
        DatabaseUnavailable: see pipeline.database.transaction.
    """
    if settings.content.retention_days is None:
        return Report()
    now = now or datetime.now(UTC)
    with storage.exclusive(settings.data / "locks" / "purge.lock", wait=purge.LOCK_WAIT_SECONDS, what="retention", progress=progress):
        waiting = _waiting(settings, now)
        cleaned = _old(settings, sorted((settings.data / "tweets").glob("area=*/date=*/revision=*")), now, waiting)
        for folder in cleaned:
            _keep_revision(settings, folder)
        pages = _old(settings, purge.files.raw_folders(settings), now, waiting)
        partitions = sum(_pages(settings, folder, now) for folder in pages)
        faults.point("retention.raw")
        partitions += sum(_cleaned(folder, now) for folder in cleaned)
        awaited = {digest for area, day in waiting for digest in archive.holding(settings, settings.area(area), day)}
        extracts = sum(_extract(settings, digest, now) for digest in archive.held(settings) if digest not in awaited)
        archive.forget()
        faults.point("retention.files")
        emptied = _rows(settings, now)
        faults.point("retention.rows")
        found = Report(partitions, extracts, emptied, len(waiting))
        if found or _wiping(settings).exists():
            purge.rows.wipe(settings, full=settings.database_url is None if full is None else full)
            _wiping(settings).unlink(missing_ok=True)
    left = f"; {found.waiting:,} old days have still to be counted" if waiting else ""
    progress(1.0, f"{found.partitions:,} partitions, {found.extracts:,} archives, {found.rows:,} rows were too old to be kept{left}")
    return found


def limit(settings: Settings, now: datetime) -> datetime:
    """The instant from which on everything is kept: a day goes when it begins before. (A day late where clocks are behind others'.)"""
    assert settings.content.retention_days is not None
    zones = {area.zone for area in settings.areas.values()} or {ZoneInfo("UTC")}
    kept = timedelta(days=settings.content.retention_days)
    return min(days.start_of(now.astimezone(zone).date() - kept, zone) for zone in zones)


def _zone(settings: Settings, area: str) -> ZoneInfo:
    return settings.areas[area].zone if area in settings.areas else ZoneInfo("UTC")


def _waiting(settings: Settings, now: datetime) -> set[tuple[str, date]]:
    """Old days of which a study has no current counts, though they can be counted: the next night does that."""
    found: set[tuple[str, date]] = set()
    for study in settings.studies.values():
        if study.mode == "tweets":
            until = limit(settings, now).astimezone(settings.area(study.area).zone).date() + timedelta(days=1)
            found.update((study.area, day) for day in nights.recountable_days(settings, study.name, until))
    return {(area, day) for area, day in found if days.start_of(day, _zone(settings, area)) < limit(settings, now)}


def _old(settings: Settings, folders: list[Path], now: datetime, waiting: Collection[tuple[str, date]]) -> list[Path]:
    """Those of the partitions that have to go."""
    since = limit(settings, now)
    named = [(folder, *purge.files.day_of(folder)) for folder in folders]
    return [folder for folder, area, day in named if days.start_of(day, _zone(settings, area)) < since and (area, day) not in waiting]


def _keep_revision(settings: Settings, folder: Path) -> None:
    """Where it is the day's current partition, let the day keep its revision."""
    area, day = purge.files.day_of(folder)
    if area in settings.areas and any(folder.glob("*.parquet")) and folder == clean.partition(settings, area, day):
        clean.keep_revision(settings, area, day)


def _pages(settings: Settings, folder: Path, now: datetime) -> bool:
    """Take the pages of one partition; its manifest says so first, and that nothing more of it is to be fetched."""
    with purge.files.locked(settings, folder):
        if not folder.is_dir():
            return False
        if folder.name.endswith(".partial"):
            if now - datetime.fromtimestamp(folder.stat().st_mtime, UTC) < GIVEN_UP:
                return False
            storage.retire(folder)
            return True
        pages = list(folder.glob("*.json.zst"))
        manifest = storage.read_json(folder / "manifest.json")
        if not pages and "expired" in manifest:
            return False
        holes = [{**hole, "refetch": False} for hole in manifest.get("holes", ())]
        storage.write_json(folder / "manifest.json", {**manifest, **({"holes": holes} if holes else {}), "expired": f"{now:%Y-%m-%d}"})
        faults.point("retention.manifest")
        for path in pages:
            path.unlink()
    return True


def _cleaned(folder: Path, now: datetime) -> bool:
    tables = list(folder.glob("*.parquet"))
    if not tables:
        return False
    manifest = storage.read_json(folder / "manifest.json")
    storage.write_json(folder / "manifest.json", {**manifest, "expired": f"{now:%Y-%m-%d}"})
    for path in tables:
        path.unlink()
    return True


def _extract(settings: Settings, digest: str, now: datetime) -> bool:
    """Take an archive's old records; what it held of each area and day stays known."""
    since = limit(settings, now)
    folder = archive.folder(settings, digest)
    path, manifest = folder / "records.parquet", archive.manifest(settings, digest)
    schema = pq.read_schema(path)
    old = sum(_older(table, since).num_rows for table in redaction.row_groups(path))
    torn = pq.read_metadata(path).num_rows != manifest["stored"]
    if not old and not torn:
        return False
    for area in settings.areas.values():
        # counted while the records are there
        archive.area_counts(settings, digest, area)
    told = max(since.isoformat(), manifest.get("expired_before") or "")
    storage.write_json(folder / "manifest.json", manifest := {**manifest, "expired_before": told})
    faults.point("retention.extract_noted")
    with storage.replacing(path) as temporary, storage.parquet_writer(temporary, schema) as writer:
        for table in redaction.row_groups(path):
            kept = table.filter(pc.greater_equal(table.column("created_at"), pa.scalar(since, INSTANT)))
            if kept.num_rows:
                writer.write_table(kept)
    faults.point("retention.extract")
    # lines that could not be read have no date: they go with the first that has
    rejects = pq.ParquetFile(folder / "rejects.parquet").read()
    for name in ("content", "detail"):
        place = rejects.schema.get_field_index(name)
        rejects = rejects.set_column(place, rejects.schema.field(place), pa.nulls(rejects.num_rows, rejects.schema.field(place).type))
    with storage.replacing(folder / "rejects.parquet") as temporary:
        storage.write_parquet(temporary, rejects)
    rows = pq.read_metadata(path).num_rows
    gone = manifest["stored"] - rows
    storage.write_json(folder / "manifest.json", {**manifest, "stored": rows, "expired": manifest.get("expired", 0) + gone})
    return True


def _older(table: pa.Table, since: datetime) -> pa.Table:
    return table.filter(pc.less(table.column("created_at"), pa.scalar(since, INSTANT)))


def _wiping(settings: Settings) -> Path:
    """There while rows have been emptied and the database's files have not been cleaned."""
    return settings.data / "purge" / "wipe"


def _rows(settings: Settings, now: datetime) -> int:
    there = " or ".join(f"{column} is not null" for column in EMPTIED)
    emptied = ", ".join(f"{column} = null" for column in EMPTIED)
    rows = 0
    with database.transaction(settings) as connection:
        areas = [area for (area,) in connection.execute(sa.text("select distinct area from tweets"))]
        for area in areas:
            # the first day that does not begin before the limit
            zone, first = _zone(settings, area), limit(settings, now)
            kept = first.astimezone(zone).date()
            given = {"area": area, "day": kept + timedelta(days=days.start_of(kept, zone) < first)}
            statement = f"update tweets set {emptied} where area = :area and day < :day and ({there})"
            rows += connection.execute(sa.text(statement), given).rowcount
        if rows:
            storage.write_bytes(_wiping(settings), b"")
    return rows
