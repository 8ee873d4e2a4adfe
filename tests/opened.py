"""Which of some files anybody opens: inotify's word, so that no process of any kind can read one unseen. Linux only, as all of geobeta."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

IN_OPEN, IN_NONBLOCK = 0x20, 0o4000
_HEAD = struct.Struct("iIII")


@contextlib.contextmanager
def opened(paths: Iterable[Path]) -> Iterator[set[Path]]:
    """Give a set that holds, when the block has ended, the files that were opened within it."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(IN_NONBLOCK)
    assert descriptor >= 0, os.strerror(ctypes.get_errno())
    try:
        watched = {libc.inotify_add_watch(descriptor, os.fsencode(path), IN_OPEN): path for path in paths}
        assert min(watched, default=1) > 0, os.strerror(ctypes.get_errno())
        found: set[Path] = set()
        yield found
        with contextlib.suppress(BlockingIOError):
            while content := os.read(descriptor, 65536):
                while content:
                    watch, _, _, length = _HEAD.unpack_from(content)
                    found.add(watched[watch])
                    content = content[_HEAD.size + length :]
    finally:
        os.close(descriptor)
