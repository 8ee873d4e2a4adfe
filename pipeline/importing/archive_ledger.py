"""Which archive files were read, by path: a finished file is neither opened nor read again. To lose it costs a read of each file, no more.

What is in an extract is its manifest's affair; here stands only what of it decides whether a file has to be read.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from pipeline import days
from pipeline.days import Window

#: Bytes of a file's beginning, and of its end, that tell whether it may be one that is known under another name.
EDGE: Final = 1024 * 1024
#: A change within this of another may leave a file's times as they were: the kernel's clock for files ticks every 1 to 10 ms.
TICK_SECONDS: Final = 0.02
#: The same where the times have no fractions (FAT, some network file systems).
COARSE_TICK_SECONDS: Final = 2.0

#: Device, inode, size, and times of change of content (mtime) and of anything (ctime; a copy that keeps its mtime has another).
Stamp = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Holds:
    """What of a manifest decides whether its extract serves; `window` None: all of the file."""

    code: int
    raw: bool
    window: Window | None
    #: Whether nothing of the file was rejected or damaged.
    clean: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One file that was read: how it looked then, its digests, and its extract.

    Attributes:
        file: stamp of the archive file.
        quick: digest of its size and its edges.
        sha256: digest of all of it.
        manifest: stamp of its extract's manifest, of which `holds` speaks.
        holds: what the extract held.
    """

    file: Stamp
    quick: str
    sha256: str
    manifest: Stamp
    holds: Holds

    @property
    def digest(self) -> str:
        """The extract's name."""
        return self.sha256[:16]


def stamp(status: os.stat_result) -> Stamp:
    """What differs once a file has been changed or replaced."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def settled(path: Path) -> os.stat_result:
    """The status of a file, once a later change is sure to show in its times: waits some hundredths of a second where it is that new."""
    while True:
        status = path.stat()
        tick = TICK_SECONDS if status.st_ctime_ns % 1_000_000_000 else COARSE_TICK_SECONDS
        age = time.time() - status.st_ctime
        if not 0 <= age < tick:
            return status
        time.sleep(tick - age)


def quick_key(file: BinaryIO, size: int) -> str:
    """A digest of the size, the first and the last mebibyte: equal for equal files, different for most others. `file` is at its start."""
    digest = hashlib.sha256(str(size).encode())
    digest.update(file.read(EDGE))
    if size > EDGE:
        file.seek(max(EDGE, size - EDGE))
        digest.update(file.read(EDGE))
    file.seek(0)
    return digest.hexdigest()[:16]


class Ledger:
    """A file of one line for each file that was read; the last line on a path counts. Many processes may read and write it at once."""

    def __init__(self, path: Path) -> None:
        """`path`: the ledger's file; need not be there."""
        self.path = path
        self._entries: dict[str, Entry] = {}
        self._quick: set[str] = set()
        self._asked: dict[str, Window | None] = {}
        self._inode, self._read, self._lines = 0, 0, 0

    def get(self, path: Path) -> Entry | None:
        """What is known of a file, by its absolute path."""
        self._refresh()
        return self._entries.get(str(path))

    def entries(self) -> Mapping[str, Entry]:
        """All that is known, by path: one look at the disk for many questions."""
        self._refresh()
        return self._entries

    def knows(self, quick: str) -> bool:
        """Whether a file with that quick key was read."""
        self._refresh()
        return quick in self._quick

    @property
    def generation(self) -> int:
        """Another number once the ledger has been lost, or written anew."""
        self._refresh()
        return self._inode

    def asked(self, digest: str) -> tuple[bool, Window | None]:
        """(whether an extract was to be replaced, by which window): a killed replacement must not lose what the old extract held."""
        self._refresh()
        return digest in self._asked, self._asked.get(digest)

    def note(self, path: Path, entry: Entry) -> None:
        """Remember a file."""
        self._append({"path": str(path), **_packed(entry)})

    def ask(self, digest: str, window: Window | None) -> None:
        """Remember that the extract is about to be replaced by one of that window."""
        self._append({"extract": digest, "window": days.ends(window)})

    def compact(self) -> None:
        """Write the ledger anew where most of its lines have been superseded."""
        self._refresh()
        if self._lines <= 2 * (len(self._entries) + len(self._asked)) + 1000:
            return
        with self._locked():
            self._refresh()
            temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
            rows = [{"extract": digest, "window": days.ends(window)} for digest, window in self._asked.items()]
            rows += [{"path": path, **_packed(entry)} for path, entry in self._entries.items()]
            temporary.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows), encoding="ascii")
            os.replace(temporary, self.path)

    def _append(self, row: Mapping[str, Any]) -> None:
        line = json.dumps(row, separators=(",", ":")).encode("ascii") + b"\n"
        with self._locked() as file:
            # a process that was killed in the middle of its line must not spoil ours
            if size := file.seek(0, os.SEEK_END):
                file.seek(size - 1)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line)
            file.flush()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with open(self.path, "ab+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                # while we waited it may have been written anew
                if os.fstat(file.fileno()).st_ino == self._inode_now():
                    yield file
                    return

    def _inode_now(self) -> int:
        try:
            return self.path.stat().st_ino
        except FileNotFoundError:
            return 0

    def _refresh(self) -> None:
        """Read the lines that came since."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            status = None
        if status is None or status.st_ino != self._inode or status.st_size < self._read:
            self._entries, self._quick, self._asked = {}, set(), {}
            self._inode, self._read, self._lines = status.st_ino if status else 0, 0, 0
        if status is None or status.st_size == self._read:
            return
        with open(self.path, "rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            self._lines += 1
            # a spoiled line is a file to be read again
            with contextlib.suppress(ValueError, KeyError, TypeError, IndexError):
                self._take(json.loads(line))

    def _take(self, row: Mapping[str, Any]) -> None:
        if "extract" in row:
            self._asked[row["extract"]] = days.from_ends(row["window"])
        else:
            entry = _unpacked(row)
            self._entries[row["path"]] = entry
            self._quick.add(entry.quick)


def _packed(entry: Entry) -> dict[str, Any]:
    holds = entry.holds
    about = {"code": holds.code, "raw": holds.raw, "window": days.ends(holds.window), "clean": holds.clean}
    return {"file": entry.file, "quick": entry.quick, "sha256": entry.sha256, "manifest": entry.manifest, **about}


def _unpacked(row: Mapping[str, Any]) -> Entry:
    holds = Holds(int(row["code"]), bool(row["raw"]), days.from_ends(row["window"]), bool(row["clean"]))
    return Entry(_stamp_of(row["file"]), str(row["quick"]), str(row["sha256"]), _stamp_of(row["manifest"]), holds)


def _stamp_of(numbers: Any) -> Stamp:
    device, inode, size, content, change = map(int, numbers)
    return (device, inode, size, content, change)
