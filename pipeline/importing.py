"""Archive files to extracts: every geotagged tweet of a file, for any box and any day, parsed once. Everything else is counted.

How bytes become lines is streams.py's and documents.py's affair, what a document holds formats/'s, and what an extract holds of an area
sources/archive.py's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from pipeline import archive_deletions, archive_files, deletion_index, faults, reading, storage, tombstones
from pipeline.documents import Lines
from pipeline.errors import ArchiveError
from pipeline.geotagged import Extract
from pipeline.import_report import FileReport, ImportReport
from pipeline.keys import author_key
from pipeline.progress import Progress, silent
from pipeline.settings import Settings
from pipeline.sources import archive
from pipeline.streams import Damage

#: Version of what an extract holds of a file; raise it when formats/, documents.py or this file change the output.
CODE_VERSION: Final = 2
LOCK_WAIT_SECONDS: Final = 3600.0


def run(settings: Settings, paths: Iterable[Path | str], *, progress: Progress = silent) -> ImportReport:
    """Make the extracts of archive files, in one pass for all areas. A file that was read before, under any name, adds nothing.

    Args:
        settings: where extracts lie, how large batches are, which areas to count.
        paths: files, or folders that are searched for files (hidden ones are passed over).
        progress: is told the share of all bytes read.

    Raises:
        ArchiveError: a path cannot be read; nothing is imported then.
        AlreadyRunning: another process has been reading the same file for an hour.
    """
    found = list(archive_files.find(paths))
    total = sum(path.stat().st_size for path in found) or 1
    done = 0
    reports = []
    for path in found:
        size = path.stat().st_size

        def share(within: float | None, message: str, done: int = done, size: int = size, path: Path = path) -> None:
            progress((done + (within or 0.0) * size) / total, f"{path.name}: {message}")

        reports.append(_file(settings, path, share))
        done += size
    return ImportReport(tuple(reports))


def _file(settings: Settings, path: Path, progress: Progress) -> FileReport:
    try:
        with open(path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArchiveError(f"cannot read {path}: {error.strerror or error}", todo="check its permissions") from error
    digest = sha256[:16]
    raw = settings.imports.keep_raw or settings.load.raw or any(area.raw for area in settings.areas.values())
    lock = settings.data / "locks" / f"import-{digest}.lock"
    with storage.exclusive(lock, wait=LOCK_WAIT_SECONDS, what=f"import of {path.name}", progress=progress):
        status = "held" if _is_current(settings, digest, raw) else "imported"
        if status == "imported":
            _make(settings, path, sha256, raw, progress)
    progress(1.0, status)
    return _report(settings, path, digest, status)


def _is_current(settings: Settings, digest: str, raw: bool) -> bool:
    if not archive.folder(settings, digest).is_dir():
        return False
    manifest = archive.manifest(settings, digest)
    return bool(manifest["code"] == CODE_VERSION and (manifest["raw"] or not raw))


def _make(settings: Settings, path: Path, sha256: str, raw: bool, progress: Progress) -> None:
    final = archive.folder(settings, sha256[:16])
    with storage.publish_directory(final) as folder:
        with open(path, "rb") as file, _extract(settings, folder, raw) as extract:
            size = path.stat().st_size
            for _ in reading.read(file, extract):
                progress(min(file.tell() / max(size, 1), 1.0), f"{extract.lines.total:,} lines, {extract.stored:,} geotagged")
        # a purge may have looked into all extracts while this one was not there yet
        extract.leave_out(tombstones.load(settings))
        manifest = {"name": path.name, "sha256": sha256, "bytes": size, "code": CODE_VERSION, "raw": raw, **extract.summary()}
        manifest["extent"] = archive.extent_of(folder / "records.parquet")
        storage.write_json(folder / "manifest.json", manifest)
        for area in settings.areas.values():
            counts = extract.left_out.counted(area, archive.count_area(folder / "records.parquet", area))
            archive.write_area_counts(folder / archive.area_file(area), counts)
        archive_deletions.announce(settings, sha256[:16], extract.asks, extract.left_out)
        faults.point("import.publish")
        # an extract that older code made
        storage.retire(final)
    archive.forget()
    deletion_index.gather(settings)


def _extract(settings: Settings, folder: Path, raw: bool) -> Extract:
    asked, left_out = archive_deletions.Asked(folder, lambda: author_key(settings)), archive_deletions.LeftOut(settings.areas.values())
    return Extract(folder, settings.imports.batch_rows, raw, tombstones.load(settings), asked, left_out)


def _report(settings: Settings, path: Path, digest: str, status: str) -> FileReport:
    manifest = archive.manifest(settings, digest)
    first, last = (datetime.fromisoformat(manifest[key]) if manifest[key] else None for key in ("first", "last"))
    return FileReport(
        path=path,
        digest=digest,
        status=status,
        bytes=manifest["bytes"],
        lines=Lines(**manifest["lines"]),
        **{key: manifest[key] for key in ("records", "stored", "no_geo", "duplicates", "notices", "rejects")},
        damages=tuple(Damage(**damage) for damage in manifest["damages"]),
        first=first,
        last=last,
        areas={name: archive.area_counts(settings, digest, area) for name, area in settings.areas.items()},
        searches=tuple(manifest.get("searches", ())),
        deleted=manifest.get("deleted", 0),
        expired=manifest.get("expired", 0),
    )
