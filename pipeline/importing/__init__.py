"""Archive files to extracts: every geotagged tweet of a file, for any box and any day, parsed once. Everything else is counted.

How bytes become lines is streams/'s and documents.py's affair, what a document holds formats/'s, what an extract holds of an area
sources/archive.py's; which files were read before, and need not be again, archive_ledger.py remembers.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from pipeline import days, faults, storage, tombstones
from pipeline.days import Window
from pipeline.documents import Lines
from pipeline.errors import ArchiveError, PipelineError, TransientError, named_disk_errors
from pipeline.importing import archive_deletions, archive_files, archive_ledger, named_days, reading
from pipeline.importing.archive_files import Problem
from pipeline.importing.archive_ledger import Entry, Holds, Ledger, Stamp
from pipeline.importing.geotagged import Extract
from pipeline.importing.hashed import Hashed
from pipeline.importing.import_report import Failure, FileReport, ImportReport
from pipeline.keys import author_key
from pipeline.progress import Progress, silent
from pipeline.settings import Settings
from pipeline.sources import archive
from pipeline.streams import Damage
from pipeline.tombstones import deletion_index

logger = logging.getLogger("geobeta")

#: Version of what an extract holds of a file; raise it when formats/, documents.py or this file change the output.
CODE_VERSION: Final = 4
LOCK_WAIT_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an import asks of each file: `window` None is everything; `strict`: that nothing of it be rejected."""

    raw: bool
    window: Window | None = None
    strict: bool = False

    def by(self, held: Holds) -> bool:
        """Whether an extract that holds so much serves."""
        current = held.code == CODE_VERSION and (held.raw or not self.raw)
        return current and days.covers(held.window, self.window) and (held.clean or not self.strict)


def wanted(settings: Settings, window: Window | None = None, *, strict: bool = False) -> Wanted:
    """What the settings ask for, and the command."""
    raw = settings.imports.keep_raw or settings.load.raw or any(area.raw for area in settings.areas.values())
    return Wanted(raw, window, strict)


def run(
    settings: Settings, paths: Iterable[Path | str], *, window: Window | None = None, strict: bool = False, progress: Progress = silent
) -> ImportReport:
    """Make the extracts of archive files, in one pass for all areas. A file that was read before, under any name, adds nothing.

    A file that cannot be read, or that `strict` refuses, is among the report's failures; the others are read all the same.

    Args:
        settings: where extracts lie, how large batches are, which areas to count.
        paths: files, or folders that are searched for files (hidden ones are passed over).
        window: what is kept of the tweets (days.reach); None for all. What an extract holds already it keeps.
        strict: take a file only if nothing of it is rejected or damaged.
        progress: is told the share of all bytes read.

    Raises:
        ArchiveError: a path is not there; nothing is imported then.
    """
    tidy(settings)
    found, skipped, failures = find(paths, window)
    sizes = [path.stat().st_size for path in found]
    total, done = sum(sizes) or 1, 0
    reports = []
    for path, size in zip(found, sizes, strict=True):

        def share(within: float | None, message: str, done: int = done, size: int = size, path: Path = path) -> None:
            progress((done + (within or 0.0) * size) / total, f"{path.name}: {message}")

        try:
            reports.append(read(settings, path, wanted(settings, window, strict=strict), progress=share))
        except Exception as error:
            # one bad file is no reason to leave the others unread
            failures.append(failure(path, error))
        done += size
    return ImportReport(tuple(reports), tuple(failures), tuple(skipped))


def find(paths: Iterable[Path | str], window: Window | None) -> tuple[list[Path], list[Path], list[Failure]]:
    """(files to be read, files whose names tell of days outside the window, entries that cannot be read).

    Raises:
        ArchiveError: a path is not there.
    """
    problems: list[Problem] = []
    files: tuple[list[Path], list[Path]] = ([], [])
    for path in archive_files.find(paths, problems):
        files[named_days.outside(str(path), window)].append(path)
    return *files, [Failure(problem.path, f"{problem.path} {problem.what}", problem.todo, False) for problem in problems]


def failure(path: Path, error: Exception) -> Failure:
    """What is told of a file that could not be read; what is no error of ours is a fault in geobeta, and the log has all of it."""
    if isinstance(error, PipelineError):
        return Failure(path, error.what, error.todo, isinstance(error, TransientError))
    logger.error("import of %s", path, exc_info=error)
    said = f"{path}: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return Failure(path, said, "this is a fault in geobeta; please report it with what the log says", False)


def read(settings: Settings, path: Path, asked: Wanted, *, progress: Progress = silent) -> FileReport:
    """Make the extract of one file, unless it is there.

    Raises:
        ArchiveError: the file cannot be read; or is refused, being asked for strictly.
        TransientError: the file changed meanwhile.
        AlreadyRunning: another process has been reading the same file for an hour.
    """
    if entry := _held(settings, path, asked):
        return report(settings, path, entry.digest, "held")
    try:
        with open(path, "rb", buffering=0) as file, named_disk_errors():
            return _read(settings, path, file, asked, progress)
    except OSError as error:
        raise ArchiveError(
            f"cannot read {path}: {error.strerror or error}", todo="check its permissions, and whether its disk is well"
        ) from error


def is_held(settings: Settings, path: Path, asked: Wanted) -> bool:
    """Whether the extract of a file is there and serves; by the ledger, so the file itself is not opened."""
    return _held(settings, path, asked) is not None


def held(settings: Settings, paths: Iterable[Path], asked: Wanted) -> dict[Path, str]:
    """Of many files those whose extract is there and serves, and its digest."""
    entries = _ledger(settings).entries()
    found = ((path, _serving(settings, path, entries.get(str(absolute(path))), asked)) for path in paths)
    return {path: entry.digest for path, entry in found if entry is not None}


def tidy(settings: Settings) -> None:
    """Keep the ledger small; to be called once a command."""
    _ledger(settings).compact()


def absolute(path: Path) -> Path:
    """A file's name in the ledger and in messages between processes: absolute, links as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (Path.absolute leaves ".." in)


def _ledger(settings: Settings) -> Ledger:
    return _ledger_at(settings.data / "imports" / "ledger.jsonl")


@lru_cache(maxsize=16)
def _ledger_at(path: Path) -> Ledger:
    return Ledger(path)


def _held(settings: Settings, path: Path, asked: Wanted) -> Entry | None:
    return _serving(settings, path, _ledger(settings).get(absolute(path)), asked)


def _serving(settings: Settings, path: Path, entry: Entry | None, asked: Wanted) -> Entry | None:
    """The ledger's entry, if the file is as it was, and its extract is there and serves."""
    try:
        if entry is None or archive_ledger.stamp(path.stat()) != entry.file:
            return None
        manifest = archive_ledger.stamp((archive.folder(settings, entry.digest) / "manifest.json").stat())
    except OSError:
        return None
    # a purge, or a later import, has written the manifest since
    now = entry.holds if manifest == entry.manifest else _holds(settings, entry.digest)
    return entry if now is not None and asked.by(now) else None


def _holds(settings: Settings, digest: str) -> Holds | None:
    """What there is of a file, by its digest."""
    if not archive.folder(settings, digest).is_dir():
        return None
    return _holds_by(archive.manifest(settings, digest))


def _holds_by(manifest: Mapping[str, Any]) -> Holds:
    clean = not manifest["rejects"] and all(Damage(**damage).harmless for damage in manifest["damages"])
    return Holds(manifest["code"], manifest["raw"], archive.window_of(manifest), clean)


def _read(settings: Settings, path: Path, file: BinaryIO, asked: Wanted, progress: Progress) -> FileReport:
    ledger = _ledger(settings)
    before = archive_ledger.settled(path)
    quick = archive_ledger.quick_key(file, before.st_size)
    known = _Known(ledger, path, archive_ledger.stamp(before), quick, Hashed(path, file))
    # files that are equal share a lock, others hardly ever; and there are no more than 4,096 of them
    lock = settings.data / "locks" / f"import-{quick[:3]}.lock"
    with storage.exclusive(lock, wait=LOCK_WAIT_SECONDS, what=f"import of {path.name}", progress=progress):
        faults.point("import.begin")
        now = None
        if ledger.knows(quick) or not _knows_all(settings, ledger):
            # it may be a file that is known under another name: of a new one the digest comes of the one reading
            progress(0.0, "comparing it with files that were read before")
            now = _holds(settings, known.digest)
        if now is not None and asked.by(now):
            known.note(archive.folder(settings, known.digest) / "manifest.json", now)
            status = "held"
        else:
            _make(settings, known, _widened(ledger, known, now, asked), progress)
            status = "imported"
    progress(1.0, status)
    return report(settings, path, known.digest, status)


@dataclass(frozen=True, slots=True)
class _Known:
    """A file of which all is known but what it holds."""

    ledger: Ledger
    path: Path
    file: Stamp
    quick: str
    hashed: Hashed

    @property
    def digest(self) -> str:
        """The name of its extract; reads what of the file has not been read yet."""
        return self.hashed.sha256()[:16]

    def note(self, manifest: Path, holds: Holds) -> None:
        """Remember it."""
        stamp = archive_ledger.stamp(manifest.stat())
        self.ledger.note(absolute(self.path), Entry(self.file, self.quick, self.hashed.sha256(), stamp, holds))


def _knows_all(settings: Settings, ledger: Ledger) -> bool:
    """Whether the ledger knows the file of every extract; it does unless it was lost."""
    return _knows(ledger, ledger.generation, archive.root(settings))


@lru_cache(maxsize=16)
def _knows(ledger: Ledger, generation: int, root: Path) -> bool:
    # once a process: what is imported from now on is noted first
    known = {entry.digest for entry in ledger.entries().values()}
    return not root.is_dir() or all(entry.name in known for entry in root.iterdir() if not entry.name.startswith("."))


def _widened(ledger: Ledger, known: _Known, now: Holds | None, asked: Wanted) -> Wanted:
    """What to read of a file, so that its extract keeps what it holds; also where a kill left neither the old nor the new one."""
    if not ledger.knows(known.quick) and now is None:
        return asked
    window = asked.window if now is None else days.hull(now.window, asked.window)
    was_asked, earlier = ledger.asked(known.digest)
    window = days.hull(earlier, window) if was_asked else window
    if now is not None or was_asked:
        ledger.ask(known.digest, window)
    return Wanted(asked.raw, window, asked.strict)


def _make(settings: Settings, known: _Known, asked: Wanted, progress: Progress) -> None:
    root = archive.root(settings)
    size = known.file[2]
    with storage.publish_directory(root / known.quick, named=lambda: known.digest, sweeping=_is_first(os.getpid(), root)) as folder:
        file = cast(BinaryIO, known.hashed)
        file.seek(0)
        with _extract(settings, folder, asked) as extract:
            try:
                for _ in reading.read(file, extract):
                    progress(min(file.tell() / max(size, 1), 1.0), f"{extract.lines.total:,} lines, {extract.stored:,} geotagged")
            except ArchiveError as error:
                raise ArchiveError(f"{known.path}: {error.what}", todo=error.todo) from error
        faults.point("import.read")
        # a purge may have looked into all extracts while this one was not there yet
        extract.leave_out(tombstones.load(settings))
        about = {"name": known.path.name, "sha256": known.hashed.sha256(), "bytes": size, "code": CODE_VERSION, "raw": asked.raw}
        manifest: dict[str, Any] = {**about, "window": days.ends(asked.window), **extract.summary()}
        manifest["extent"] = archive.extent_of(folder / "records.parquet")
        storage.put_json(folder / "manifest.json", manifest)
        faults.point("import.manifest")
        for area in settings.areas.values():
            counts = archive.count_area(folder / "records.parquet", area, asked.window)
            counts = extract.left_out.counted(area, counts, asked.window)
            storage.put_json(folder / archive.area_file(area), asdict(counts))
        archive_deletions.announce(settings, known.digest, extract.asks, extract.left_out)
        # before the extract has its name: else a kill between the two would have a finished file read again
        known.note(folder / "manifest.json", _holds_by(manifest))
        faults.point("import.publish")
        # an extract that older code made, or of a narrower window
        storage.retire(archive.folder(settings, known.digest))
        faults.point("import.retired")
    faults.point("import.published")
    archive.forget()
    deletion_index.gather(settings)


_swept: set[tuple[int, Path]] = set()


def _is_first(process: int, root: Path) -> bool:
    """Whether this process publishes its first extract there: once is enough to sweep out what killed ones left."""
    if (process, root) in _swept:
        return False
    _swept.add((process, root))
    return True


def _extract(settings: Settings, folder: Path, asked: Wanted) -> Extract:
    stones, areas = tombstones.load(settings), settings.areas.values()
    rows, raw, window, strict = settings.imports.batch_rows, asked.raw, asked.window, asked.strict
    return Extract(folder, rows, raw, stones, lambda: author_key(settings), areas, window=window, strict=strict)


def report(settings: Settings, path: Path, digest: str, status: str) -> FileReport:
    """The account of a file whose extract is there: `status` is "imported" or "held"."""
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
        window=archive.window_of(manifest),
        **{key: manifest.get(key, 0) for key in ("deleted", "expired", "outside_window", "skipped")},
    )
