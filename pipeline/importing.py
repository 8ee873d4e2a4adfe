"""Archive files to extracts: every geotagged tweet of a file, for any box and any day, parsed once. Everything else is counted.

How bytes become lines is streams.py's and documents.py's affair, what a document holds formats/'s, and what an extract holds of an area
sources/archive.py's.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline import documents, faults, formats, redaction, storage, streams, tombstones
from pipeline.documents import Broken, Lines
from pipeline.errors import ArchiveError
from pipeline.formats import Notice, Record, Reject
from pipeline.import_report import FileReport, ImportReport
from pipeline.progress import Progress, silent
from pipeline.schema import RECORDS
from pipeline.settings import Settings
from pipeline.sources import archive
from pipeline.streams import Damage
from pipeline.tombstones import Tombstones

#: Version of what an extract holds of a file; raise it when formats/, documents.py or this file change the output.
CODE_VERSION: Final = 2
#: Rejects kept for a look, per reason; all are counted.
SAMPLE: Final = 1000
#: Searches named per file; one more is kept, to tell that there are more.
SEARCHES: Final = 3
LOCK_WAIT_SECONDS: Final = 3600.0

#: What could not be used, where it stood (`line` from 1, `offset` in bytes of the plain text), and how it begins.
REJECTS: Final = pa.schema(
    [
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field("tweet_id", pa.int64()),
        pa.field("member", pa.string()),
        pa.field("line", pa.int64()),
        pa.field("offset", pa.int64()),
        pa.field("content", pa.binary()),
    ]
)


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
    found = list(files(paths))
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


def files(paths: Iterable[Path | str]) -> Iterator[Path]:
    """The files that the paths name, folders searched, in a fixed order.

    Raises:
        ArchiveError: a path is not there, is neither file nor folder, or may not be read.
    """
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(inner for inner in path.rglob("*") if inner.is_file() and not _hidden(inner.relative_to(path)))
        elif path.is_file():
            yield path
        else:
            raise ArchiveError(f"got {path}, which is no file and no folder", todo="check the path")


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


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
            for _ in _read(file, extract):
                progress(min(file.tell() / max(size, 1), 1.0), f"{extract.lines.total:,} lines, {extract.stored:,} geotagged")
        if (stones := tombstones.load(settings)) != extract.stones:
            # a purge looked into all extracts while this one was not there yet
            extract.leave_out(stones)
        manifest = {"name": path.name, "sha256": sha256, "bytes": size, "code": CODE_VERSION, "raw": raw, **extract.summary()}
        manifest["extent"] = archive.extent_of(folder / "records.parquet")
        storage.write_json(folder / "manifest.json", manifest)
        for area in settings.areas.values():
            archive.write_area_counts(folder / archive.area_file(area), archive.count_area(folder / "records.parquet", area))
        faults.point("import.publish")
        # an extract that older code made
        storage.retire(final)
    archive.forget()


def _extract(settings: Settings, folder: Path, raw: bool) -> _Extract:
    return _Extract(folder, settings.imports.batch_rows, raw, tombstones.load(settings))


def _read(file: BinaryIO, extract: _Extract) -> Iterator[None]:
    """Read a whole file into the extract; yields after each batch of rows written, and now and then between."""
    damages: list[Damage] = []
    seen = 0
    for member in streams.members(file, damages):
        for found in documents.read(member.stream, extract.lines):
            if isinstance(found, Broken):
                extract.broken(member.name, found)
            else:
                extract.asked(formats.searches(found.value))
                for outcome in formats.parse(found.value):
                    extract.add(member.name, found, outcome)
            if extract.full:
                extract.flush()
                yield
            elif extract.lines.total - seen >= 20_000:
                seen = extract.lines.total
                yield
    extract.damages = damages


@dataclass(slots=True)
class _Extract:
    """An extract being written: a batch of records in memory, the rest on the disk or counted."""

    folder: Path
    batch_rows: int
    raw: bool
    stones: Tombstones
    lines: Lines = field(default_factory=Lines)
    damages: list[Damage] = field(default_factory=list)
    records: int = 0
    stored: int = 0
    no_geo: int = 0
    duplicates: int = 0
    deleted: int = 0
    notices: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    searches: list[str] = field(default_factory=list)
    _minutes: set[int] = field(default_factory=set)
    _batch: list[Record] = field(default_factory=list)
    _sample: list[dict[str, Any]] = field(default_factory=list)
    _seen: _Seen = field(default_factory=lambda: _Seen())
    _writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _Extract:
        self._writer = storage.parquet_writer(self.folder / "records.parquet", RECORDS)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._writer is not None
        try:
            if kind is None:
                self.flush()
                storage.write_parquet(self.folder / "rejects.parquet", pa.Table.from_pylist(self._sample, schema=REJECTS))
        finally:
            self._writer.close()

    @property
    def full(self) -> bool:
        """Whether the batch should be written."""
        return len(self._batch) >= self.batch_rows

    def add(self, member: str, found: documents.Document, outcome: formats.Outcome) -> None:
        """Take one outcome of a document."""
        self.records += 1
        if isinstance(outcome, Record):
            self._alive(outcome.created_at)
            if outcome.geotagged:
                if not self.raw:
                    # a batch of whole parsed posts would be ten times the memory
                    outcome.item = None
                self._batch.append(outcome)
            else:
                self.no_geo += 1
        elif isinstance(outcome, Notice):
            self.notices[outcome.kind] += 1
            if outcome.at is not None:
                self._minutes.add(int(outcome.at.timestamp()) // 60)
        else:
            self._reject(outcome, member, found.line, found.offset, None)

    def asked(self, queries: Iterable[str]) -> None:
        """Take the searches that a document is an answer to."""
        for query in queries:
            if len(self.searches) <= SEARCHES and query not in self.searches:
                self.searches.append(query)

    def broken(self, member: str, found: Broken) -> None:
        """Take a line that is no document."""
        self.records += 1
        self._reject(Reject(found.reason, found.detail), member, found.line, found.offset, found.content)

    def _reject(self, reject: Reject, member: str, line: int, offset: int, content: bytes | None) -> None:
        self.rejects[reject.reason] += 1
        named = b"%d " % (reject.tweet_id or 0) + (content or b"")
        if self.rejects[reject.reason] <= SAMPLE and not redaction.names_any(named, self.stones):
            place = {"member": member, "line": line, "offset": offset, "content": content}
            self._sample.append({"reason": reject.reason, "detail": reject.detail, "tweet_id": reject.tweet_id, **place})

    def _alive(self, moment: datetime) -> None:
        self._minutes.add(int(moment.timestamp()) // 60)
        if self.first is None or moment < self.first:
            self.first = moment
        if self.last is None or moment > self.last:
            self.last = moment

    def flush(self) -> None:
        """Write the batch as one row group, without what says the same of the same version as an earlier record of the file."""
        assert self._writer is not None
        if not self._batch:
            return
        new = self._seen.add(np.fromiter(map(_fingerprint, self._batch), np.int64, len(self._batch)))
        table = formats.table((record for record, is_new in zip(self._batch, new, strict=True) if is_new), raw=self.raw)
        self.duplicates += len(self._batch) - table.num_rows
        table, gone = redaction.records(table, self.stones)
        self.deleted += gone
        if table.num_rows:
            self._writer.write_table(table)
        self.stored += table.num_rows
        self._batch.clear()
        faults.point("import.batch")

    def leave_out(self, stones: Tombstones) -> None:
        """Take out, of what has been written, the tweets that are gone since."""
        gone = redaction.rewrite_records(self.folder / "records.parquet", stones)
        redaction.rewrite_rejects(self.folder / "rejects.parquet", stones)
        self.stored -= gone
        self.deleted += gone

    def summary(self) -> dict[str, Any]:
        """The counts, for the manifest."""
        return {
            "lines": asdict(self.lines),
            "records": self.records,
            "stored": self.stored,
            "no_geo": self.no_geo,
            "deleted": self.deleted,
            "duplicates": self.duplicates,
            "notices": dict(sorted(self.notices.items())),
            "rejects": dict(sorted(self.rejects.items())),
            "damages": [asdict(damage) for damage in self.damages],
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "searches": self.searches,
            "minutes": archive.pack_minutes(self._minutes),
        }


_COMPARED: Final = tuple(entry.name for entry in fields(Record) if entry.compare)


def _fingerprint(record: Record) -> int:
    return hash(tuple(getattr(record, name) for name in _COMPARED))


class _Seen:
    """A set of numbers in sorted arrays that merge as they grow: 8 bytes each, where a Python set takes 60."""

    def __init__(self) -> None:
        self._runs: list[NDArray[np.int64]] = []

    def add(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Add the numbers; tell which of them are there for the first time."""
        unique, first = np.unique(numbers, return_index=True)
        fresh = np.ones(len(unique), np.bool_)
        for run_ in self._runs:
            places = np.searchsorted(run_, unique)
            fresh &= run_[np.minimum(places, len(run_) - 1)] != unique
        new = np.zeros(len(numbers), np.bool_)
        new[first[fresh]] = True
        if fresh.any():
            self._runs.append(unique[fresh])
        while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
            self._runs[-2:] = [np.sort(np.concatenate(self._runs[-2:]))]
        return new


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
