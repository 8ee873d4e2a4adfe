"""What was read of many small folders, kept for the next process: to read ten thousand anew takes seconds before any work begins.

A folder counts as changed when anything in it was renamed, made or removed, which is how storage.py writes all that changes.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from pipeline import storage

#: A folder that changed less than so long ago may change again without another time: the clocks of file systems tick some 4 ms apart.
SETTLED_SECONDS: Final = 2.0
#: So many new folders wait until the file is written again (of few folders fewer): an import of thousands must not write it each time.
FEW: Final = 20


#: Of a folder: when something in it was last renamed, made or removed (nanoseconds), and its inode.
Stamp: TypeAlias = tuple[int, int]


def stamps(parent: Path) -> dict[str, Stamp]:
    """The stamps of all folders of a parent, by name, in the order of names."""
    with os.scandir(parent) as entries:
        seen = {entry.name: entry.stat() for entry in entries if entry.is_dir()}
    return {name: (seen[name].st_mtime_ns, seen[name].st_ino) for name in sorted(seen)}


class Recall:
    """A file that says what folders of one parent held when they were last read. Where it is gone or torn, all are read again."""

    def __init__(self, file: Path, version: object) -> None:
        """`version` is a digest of what else decides what is read: where it is another, nothing counts."""
        self._file, self._version = file, str(version)
        self._before = self._load()
        self._now: dict[str, tuple[int, int, Any]] = {}
        self._new = 0

    def _load(self) -> dict[str, tuple[int, int, Any]]:
        try:
            version, folders = msgspec.msgpack.decode(self._file.read_bytes(), type=tuple[str, dict[str, tuple[int, int, Any]]])
        except (OSError, msgspec.DecodeError):
            return {}
        return folders if version == self._version else {}

    def of(self, folder: str, seen: Stamp, read: Callable[[str], Any]) -> Any:
        """What `read` gives of a folder (numbers, texts, lists, dicts with texts for keys), from the file where it has not changed.

        Args:
            folder: its name.
            seen: its stamp, taken before it is read.
            read: called with its name.
        """
        known = self._before.get(folder)
        if known is not None and known[:2] == seen:
            self._now[folder] = known
            return known[2]
        value = read(folder)
        if time.time_ns() - seen[0] > SETTLED_SECONDS * 1e9:
            self._now[folder] = (*seen, value)
            self._new += 1
        return value

    def keep(self) -> None:
        """Write down what was asked for since; folders that nobody asked for are gone."""
        if self._new + len(self._before.keys() - self._now.keys()) > min(FEW, len(self._now) // 50):
            # whoever may only read goes without
            with contextlib.suppress(OSError):
                storage.write_bytes(self._file, msgspec.msgpack.encode((self._version, self._now)))
