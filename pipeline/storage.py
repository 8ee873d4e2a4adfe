"""Files between the stages: whole or not there, on the disk before they are named, digested the same way everywhere."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import arrow, processes
from pipeline.errors import AlreadyRunning, MissingData, PermanentError
from pipeline.progress import Progress, silent

arrow.without_pandas()

#: Level 1 and a dictionary only where values repeat: level 3 takes half as long again for a tenth less.
PARQUET = {"compression": "zstd", "compression_level": 1}
#: A temporary folder of another machine (the data folder may be shared) counts as left behind after so long without a change.
OLD_SECONDS = 86_400
#: Stands for the process in the name of a folder that is to be swept whoever comes.
NOBODY = "0"
_HALF_WRITTEN = re.compile(r"\..+\.(\d+)\.[0-9a-f]{8}")
#: One encoder for all: making it costs as much as a short digest.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str).encode
DICTIONARY_COLUMNS = ("lang", "client", "evidence", "place_id", "place_name", "place_type", "place_country", "rule", "reason")


def digest(*parts: object, length: int = 12) -> str:
    """A short name for a value: hexadecimal digits of the SHA-256 of its canonical JSON.

    Equal values give equal digests on every machine and Python version; dicts do so in any key order.
    """
    return hashlib.sha256(_canonical(parts).encode("ascii")).hexdigest()[:length]


def digest_around(before: Sequence[object], after: Sequence[object] = ()) -> Callable[[object], str]:
    """`digest(*before, part, *after)` as a function of `part`, for many digests that differ in that alone: a fifth of the time."""
    begun = hashlib.sha256(("[" + "".join(f"{_canonical(part)}," for part in before)).encode("ascii"))
    end = "".join(f",{_canonical(part)}" for part in after) + "]"

    def of(part: object) -> str:
        state = begun.copy()
        state.update((_canonical(part) + end).encode("ascii"))
        return state.hexdigest()[:12]

    return of


def fsync_directory(path: Path) -> None:
    """Make a rename inside `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `path` whole or not at all: temporary name, fsync, rename, fsync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
    try:
        with open(temporary, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    fsync_directory(path.parent)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; when the block ends well, that file takes the place of `path`, on the disk, in one rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
    try:
        yield temporary
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    fsync_directory(path.parent)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as readable JSON, whole or not at all. Keys keep their order: equal content, equal bytes."""
    write_bytes(path, _readable(content))


def put_json(path: Path, content: Any) -> None:
    """The same bytes, into a folder that publish_directory gave (which sees to the rest of the safety): without two waits for the disk."""
    path.write_bytes(_readable(content))


def _readable(content: Any) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n").encode("utf-8")


def read_json(path: Path, decode: Callable[[bytes], Any] = json.loads) -> Any:
    """Read what write_json wrote, all of it or what `decode` makes of the bytes.

    Raises:
        MissingData: the file is not there.
    """
    try:
        return decode(path.read_bytes())
    except FileNotFoundError as error:
        raise MissingData(f"{path} is not there, though an earlier stage should have written it", todo="run the night again") from error


@contextlib.contextmanager
def publish_directory(final: Path, *, named: Callable[[], str] | None = None, sweeping: bool = True) -> Iterator[Path]:
    """Give a temporary folder to fill; when the block ends well, make it `final` in one rename.

    Where `final` is there already (another process was faster and made the same), ours is thrown away.
    A process that is killed leaves a `.tmp-` folder behind, which the next one to publish here sweeps out
    (unless it is told not to: among tens of thousands of folders a look takes longer than a small one's making).

    Args:
        final: the folder's name to be.
        named: gives its real name at the end, where that follows from the content.
        sweeping: whether to sweep.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    if sweeping:
        _sweep(final.parent)
    temporary = final.parent / f".tmp-{final.name}-{_host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    temporary.mkdir()
    try:
        yield temporary
        for path in temporary.iterdir():
            with open(path, "rb") as stream:
                os.fsync(stream.fileno())
        fsync_directory(temporary)
        final = final if named is None else final.with_name(named())
        try:
            os.rename(temporary, final)
        except OSError:
            if not final.is_dir():
                raise
        fsync_directory(final.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def retire(final: Path) -> None:
    """Take a published folder away: under a name that is swept out should we be killed here, and that nobody takes for a partition."""
    if final.exists():
        old = final.with_name(f".tmp-{final.name}-{NOBODY}-{uuid.uuid4().hex[:8]}")
        final.rename(old)
        shutil.rmtree(old, ignore_errors=True)


def sweep(root: Path) -> None:
    """Remove what killed processes left anywhere below `root`: half-made folders, half-written files."""
    for parent in {path.parent for path in root.rglob(".tmp-*")}:
        _sweep(parent)
    for path in root.rglob(".*"):
        # the names that write_bytes and replacing give
        if (found := _HALF_WRITTEN.fullmatch(path.name)) and not processes.lives(int(found[1])):
            with contextlib.suppress(OSError):
                path.unlink()


def _sweep(parent: Path) -> None:
    """Remove what killed processes left in `parent`; what a living one is filling stays, and what another machine's may be filling."""
    for path in parent.glob(".tmp-*"):
        *_, host, owner, _ = ("", *path.name.rsplit("-", 3))
        if owner == NOBODY or (not processes.lives(int(owner)) if host == _host() and owner.isdecimal() else _old(path)):
            shutil.rmtree(path, ignore_errors=True)


def _host() -> str:
    """A short name of this machine (of a container, too), without hyphens: process ids mean nothing on another."""
    return digest(os.uname().nodename, length=6)


def _old(path: Path) -> bool:
    """Whether nothing has been put into the folder for a day."""
    try:
        return time.time() - path.stat().st_mtime > OLD_SECONDS
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def exclusive(path: Path, *, wait: float, what: str, progress: Progress = silent) -> Iterator[None]:
    """Hold the lock file `path` (flock: the kernel frees it when its holder dies, however it dies).

    Args:
        path: the lock file; made if need be, never removed.
        wait: seconds to wait for another holder.
        what: what is being made, for the message.
        progress: is told once that we wait.

    Raises:
        AlreadyRunning: another process still held it after `wait` seconds.
        PermanentError: the lock file is another user's, and may not be opened.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path, what) as stream:
        deadline = time.monotonic() + wait
        told = False
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    raise AlreadyRunning(
                        f"{what}: another process has been at it for more than {wait:.0f} s",
                        todo="let it finish, then run again: what it made is not made twice",
                    ) from error
                if not told:
                    progress(None, f"{what}: another process is at it; waiting")
                    told = True
                time.sleep(0.05)
        yield


def _opened(path: Path, what: str) -> BinaryIO:
    try:
        return open(path, "ab")
    except PermissionError as error:
        try:
            whose = f"the file belongs to {path.owner()}"
        except (OSError, KeyError):
            whose = "who owns it cannot be told"
        raise PermanentError(
            f"{what}: may not open the lock file {path}: {whose}, and this runs as user {os.geteuid()}",
            todo="run everything as one user; or, where nothing is running, remove that file and give the data folder to this user",
        ) from error


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write one table into a folder that publish_directory gave (which sees to the rest of the safety)."""
    with parquet_writer(path, table.schema) as writer:
        writer.write_table(table)


def parquet_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer with the project's settings, for tables that come in batches."""
    repeating = [name for name in schema.names if name in DICTIONARY_COLUMNS]
    # nobody asks in which row groups a text may be
    ranged = [column.name for column in schema if pa.types.is_primitive(column.type)]
    return pq.ParquetWriter(path, schema, use_dictionary=repeating or False, write_statistics=ranged, **PARQUET)
