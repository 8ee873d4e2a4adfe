"""Where tweets lie in files, and taking them out of there. Finding changes nothing; any step of the taking out may be the last.

Pages and extracts are written again without the tweets; partitions made of them go as a whole, in every revision, and are made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from pipeline import days, faults, raw, redaction, storage
from pipeline.progress import Progress, silent
from pipeline.purge.pending import Day, Pending
from pipeline.settings import Settings
from pipeline.sources import archive
from pipeline.tombstones import Tombstones

#: What is only numbers, in text: ids in it are struck out where they stand.
#: An import that is strict shows what it refuses.
LOGS = (
    "*.log",
    "imports/*/luigi.log",
    "imports/*/outcomes.jsonl",
    "imports/account.txt",
    "sandbox/*.log",
    "sandbox/*.jsonl",
    "postgres/*.log",
    "postgres/*.log.1",
)
LOCK_WAIT_SECONDS = 3600.0


@dataclass
class Found:
    """Where tweets that are gone still lie.

    Attributes:
        raw: partitions of pages (an unfinished extraction, too) → the pages that name any.
        extracts: digests of archives' extracts that hold any.
        derived: partitions made of them that hold any.
        logs: text files that name any.
        versions: ids of all versions of the tweets found in pages and extracts, and why they are gone.
        days: the days whose numbers they change.
    """

    raw: dict[Path, list[Path]] = field(default_factory=dict)
    extracts: list[str] = field(default_factory=list)
    derived: list[Path] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)
    versions: dict[int, str] = field(default_factory=dict)
    days: Pending = field(default_factory=Pending)

    def __bool__(self) -> bool:
        return bool(self.raw or self.extracts or self.derived or self.logs)


# --- finding ---------------------------------------------------------------------------------------------------------------


def find(
    settings: Settings,
    stones: Tombstones,
    *,
    fresh: Collection[str] = (),
    all_stones: Tombstones | None = None,
    progress: Progress = silent,
) -> Found:
    """Look into every file below the data folder that may hold a tweet.

    Args:
        settings: which data folder.
        stones: what is looked for.
        fresh, all_stones: digests of extracts that came in lately, and what is looked for in those instead.
        progress: is told what is looked into.
    """
    found = Found()
    for digest in fresh if all_stones else ():
        progress(None, f"looking into archive {digest}")
        _find_in_extract(settings, digest, all_stones or stones, found)
    if not stones:
        return found
    folders = raw_folders(settings)
    for number, folder in enumerate(folders):
        progress(number / len(folders), f"looking into {folder.parent.name.removeprefix('date=')}")
        _find_in_pages(folder, stones, found)
    for digest in archive.held(settings):
        if digest not in fresh:
            progress(None, f"looking into archive {digest}")
            _find_in_extract(settings, digest, stones, found)
    for folder in sorted((settings.data / "tweets").glob("area=*/date=*/revision=*")):
        _find_in_tweets(folder, stones, found)
    for folder in sorted((settings.data / "counts").glob("study=*/date=*/revision=*")):
        _find_in_counts(folder, stones, found)
    for pattern in LOGS:
        found.logs += [path for path in settings.data.glob(pattern) if _names_in_log(path, stones)]
    return found


def raw_folders(settings: Settings) -> list[Path]:
    """All partitions of pages, of every revision, whole or being fetched."""
    return sorted(path for path in (settings.data / "raw").glob("area=*/date=*/revision=*") if path.is_dir())


def body(path: Path) -> bytes:
    """A page as it was received."""
    return zstandard.decompress(path.read_bytes())


def _find_in_pages(folder: Path, stones: Tombstones, found: Found) -> None:
    named, ids = _naming(folder, stones)
    found.versions |= ids
    if named or any(redaction.state(content, stones) != content for content in _states(folder).values()):
        found.raw[folder] = named
        if named:
            found.days.add(day_of(folder), {})


def _naming(folder: Path, stones: Tombstones) -> tuple[list[Path], dict[int, str]]:
    """(the pages that name what is gone, ids of all versions of the tweets found in them, and why they are gone)."""
    named: list[Path] = []
    versions: dict[int, str] = {}
    for path in sorted(folder.glob("*.json.zst")):
        content = body(path)
        left, ids = redaction.page(content, stones)
        versions |= ids
        if left is not content:
            named.append(path)
    return named, versions


def _states(folder: Path) -> dict[Path, Any]:
    """The manifest, or the cursor, of a partition of pages."""
    return {path: json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))}


def day_of(folder: Path) -> Day:
    """Of which area and day a partition is: area=…/date=…/revision=…"""
    return folder.parts[-3].removeprefix("area="), date.fromisoformat(folder.parts[-2].removeprefix("date="))


def _find_in_extract(settings: Settings, digest: str, stones: Tombstones, found: Found) -> None:
    folder = archive.folder(settings, digest)
    rows = 0
    named = False
    for table in redaction.row_groups(folder / "records.parquet"):
        rows += table.num_rows
        if not (touched := redaction.touched(table, stones)).any():
            continue
        named = True
        _note_days(settings, table.filter(pa.array(touched)), found)
        gone = table.filter(pa.array(stones.rows(table))).select(["tweet_id", "version_id", "author_id", "place_country"])
        for name in ("tweet_id", "version_id"):
            found.versions.update(zip(gone.column(name).to_pylist(), stones.why(gone), strict=True))
    # a kill between the two files that say it leaves them apart
    torn = rows != archive.manifest(settings, digest)["stored"]
    if named or torn or redaction.any_reject(folder / "rejects.parquet", stones):
        found.extracts.append(digest)


def _note_days(settings: Settings, rows: pa.Table, found: Found) -> None:
    """The local days in which these were written: for every area that the archive speaks of, what it holds of them is another."""
    instants = rows.column("created_at").cast(pa.int64()).to_numpy().astype("datetime64[us]")
    for area in settings.areas.values():
        for day in np.unique(days.day_of(instants, area.zone)).tolist():
            found.days.add((area.name, day), {})


def _find_in_tweets(folder: Path, stones: Tombstones, found: Found) -> None:
    hashes: dict[str, str] = {}
    if (path := folder / "tweets.parquet").exists():
        table = pq.ParquetFile(path).read(["tweet_id", "version_id", "author_key", "place_country"])
        gone = table.filter(pa.array(stones.rows(table)))
        hashes = dict(zip(map(stones.name, gone.column("tweet_id").to_pylist()), stones.why(gone), strict=True))
    if hashes or _named_in_discards(folder / "discards.parquet", stones):
        found.derived.append(folder)
        found.days.add(day_of(folder), hashes)


def _named_in_discards(path: Path, stones: Tombstones) -> bool:
    if not path.exists():
        return False
    table = pq.ParquetFile(path).read(["tweet_id", "detail"])
    said = " ".join(map(str, [*table.column("tweet_id").to_pylist(), *table.column("detail").to_pylist()]))
    return bool(redaction.runs(said.encode(), stones))


def _find_in_counts(folder: Path, stones: Tombstones, found: Found) -> None:
    table = pq.ParquetFile(folder / "matches.parquet").read(["tweet_id"]) if (folder / "matches.parquet").exists() else None
    if table is not None and stones.rows(table).any():
        found.derived.append(folder)
        area = storage.read_json(folder / "manifest.json").get("area")
        if area is not None:
            found.days.add((area, date.fromisoformat(folder.parts[-2].removeprefix("date="))), {})


def _names_in_log(path: Path, stones: Tombstones) -> bool:
    return bool(redaction.runs(path.read_bytes(), stones))


# --- taking out ------------------------------------------------------------------------------------------------------------


def take_out(settings: Settings, stones: Tombstones, found: Found, affected: Pending, *, progress: Progress = silent) -> None:
    """Take out what was found, and the partitions of the affected days that are made of it."""
    for number, folder in enumerate(found.raw):
        progress(number / len(found.raw), f"pages of {folder.parts[-3]} {folder.parts[-2]}")
        _take_from_pages(settings, folder, stones, progress)
    for digest in found.extracts:
        progress(None, f"archive {digest}")
        _take_from_extract(settings, digest, stones)
    archive.forget()
    for folder in {*found.derived, *_made_of(settings, affected)}:
        storage.retire(folder)
        faults.point("purge.derived")
    for path in found.logs:
        _strike_out(path, stones)


def locked(settings: Settings, folder: Path, progress: Progress = silent) -> contextlib.AbstractContextManager[None]:
    """Hold the lock of the extraction (extract.lock): an unfinished one may go on meanwhile, and holes may be fetched."""
    area, day = day_of(folder)
    lock = settings.data / "locks" / f"extract-{area}-{day}-{folder.name.removesuffix('.partial')}.lock"
    return storage.exclusive(lock, wait=LOCK_WAIT_SECONDS, what=f"extraction of {area} {day}", progress=progress)


def _take_from_pages(settings: Settings, folder: Path, stones: Tombstones, progress: Progress) -> None:
    with locked(settings, folder, progress):
        if not folder.is_dir():
            # the extraction that held the lock has ended: its pages are the partition's now
            folder = folder.with_name(folder.name.removesuffix(".partial"))
        if not folder.is_dir():
            return
        # looked for again: whoever held the lock may have brought some in since
        pages, _ = _naming(folder, stones)
        renamed: dict[str, dict[str, str]] = {}
        removed = 0
        states = _states(folder)
        lacking = _lacking_places(folder)
        listed = {page["file"] for content in states.values() for page in content.get("pages", ())}
        for path in pages:
            # one that is not listed is what a killed purge left
            if path.name in listed:
                content, ids = redaction.page(body(path), stones, keep=lacking)
                removed += len(ids)
                sha256 = hashlib.sha256(content).hexdigest()
                new = path.with_name(f"{path.name.partition('.')[0]}.{sha256[:8]}.json.zst")
                storage.write_bytes(new, zstandard.compress(content, 3))
                faults.point("purge.page")
                renamed[path.name] = {"file": new.name, "sha256": sha256}
        for state, content in states.items():
            content = redaction.state(content, stones)
            for page in content.get("pages", ()):
                page |= renamed.get(page["file"], {})
            if renamed and state.name == "manifest.json":
                # where nothing but a mention of a tweet went, the pages are others all the same
                content["purged"] = content.get("purged", 0) + max(removed, 1)
            storage.write_json(state, content)
            faults.point("purge.manifest")
        for path in pages:
            if path.name not in {page["file"] for page in renamed.values()}:
                path.unlink(missing_ok=True)


def _lacking_places(folder: Path) -> set[str]:
    """Places that a page names and does not include: another page of the day tells of them (raw.complete)."""
    found: set[str] = set()
    for path in folder.glob("*.json.zst"):
        page = json.loads(body(path))
        if isinstance(page, dict):
            found |= raw.named_places(page).keys() - raw.places(page).keys()
    return found


def _take_from_extract(settings: Settings, digest: str, stones: Tombstones) -> None:
    """Write an extract again; when each of the tweets was written the manifest notes first, so that a kill leaves nothing unsaid."""
    folder = archive.folder(settings, digest)
    path = folder / "records.parquet"
    manifest = archive.manifest(settings, digest)
    purged = Counter(manifest.get("purged", {}))
    for table in redaction.row_groups(path):
        purged.update(archive.quarters(table.filter(pa.array(redaction.touched(table, stones))).column("created_at")))
    storage.write_json(folder / "manifest.json", {**manifest, "purged": dict(sorted(purged.items()))})
    faults.point("purge.extract_noted")
    redaction.rewrite_records(path, stones)
    faults.point("purge.extract")
    redaction.rewrite_rejects(folder / "rejects.parquet", stones)
    _count_again(settings, digest)
    # the number of rows comes last: until then it tells that something is to be mended
    rows = pq.read_metadata(path).num_rows
    deleted = manifest.get("deleted", 0) + manifest["stored"] - rows
    changed = {"stored": rows, "deleted": deleted, "purged": dict(sorted(purged.items())), "extent": archive.extent_of(path)}
    storage.write_json(folder / "manifest.json", {**manifest, **changed})
    faults.point("purge.extract_manifest")


def _count_again(settings: Settings, digest: str) -> None:
    """What the extract holds of each area; a day that it held stays its day, with no tweet perhaps: it was observed."""
    folder = archive.folder(settings, digest)
    files = {archive.area_file(area): area for area in settings.areas.values()}
    manifest = archive.manifest(settings, digest)
    told = manifest.get("expired_before")
    limit = datetime.fromisoformat(told) if told else None
    for path in folder.glob("area-*.json"):
        if path.name not in files:
            # of an area that is configured no more: counted again should it come back
            path.unlink()
    for name, area in files.items():
        before = storage.read_json(folder / name)["days"] if (folder / name).exists() else {}
        counts = archive.count_area(folder / "records.parquet", area, archive.window_of(manifest))
        # nor does a day whose tweets were removed after retention_days lose its number
        kept = {
            day: number if limit and days.window(date.fromisoformat(day), area.zone).start < limit else 0 for day, number in before.items()
        }
        held = {**kept, **{day: number for day, number in counts.days.items() if not kept.get(day)}}
        archive.write_area_counts(folder / name, archive.with_days(counts, held))


def _made_of(settings: Settings, affected: Pending) -> Iterator[Path]:
    """Partitions of these days, in every revision."""
    areas = {area for area, _ in affected.days}
    for area, day in affected.days:
        found = (settings.data / "tweets" / f"area={area}").glob(f"date={day}/revision=*")
        # one that is empty since retention_days says so, and cannot be made again
        yield from (folder for folder in found if (folder / "tweets.parquet").exists())
    for folder in (settings.data / "counts").glob("study=*/date=*/revision=*"):
        day = date.fromisoformat(folder.parts[-2].removeprefix("date="))
        if any((area, day) in affected.days for area in areas):
            manifest = storage.read_json(folder / "manifest.json")
            # where X counted, no tweet was stored
            if (manifest.get("area"), day) in affected.days and manifest.get("basis") != "counts":
                yield folder


def _strike_out(path: Path, stones: Tombstones) -> None:
    """Write zeros over ids, in place: whoever is adding to the file goes on doing so."""
    with open(path, "r+b") as file:
        content = file.read()
        for start, end in redaction.runs(content, stones):
            file.seek(start)
            file.write(b"0" * (end - start))
