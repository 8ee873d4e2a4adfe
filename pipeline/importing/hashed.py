"""A file whose SHA-256 comes of the same reading that uses its bytes, and that must not change meanwhile."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any, BinaryIO, Final

from pipeline.errors import TransientError

_PIECE: Final = 256 * 1024


class Hashed(io.RawIOBase):
    """An open file that is read as ever, back and forth too; each of its bytes is hashed once, when it is first read in order.

    Args:
        path: its name, for messages.
        file: open at its beginning, best unbuffered.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        super().__init__()
        self._path, self._file = path, file
        self._sha256 = hashlib.sha256()
        self._hashed = 0
        self._position = 0
        self._before = _state(os.fstat(file.fileno()))

    def readable(self) -> bool:
        """As a file."""
        return True

    def seekable(self) -> bool:
        """As a file."""
        return True

    def fileno(self) -> int:
        """As a file."""
        return self._file.fileno()

    def tell(self) -> int:
        """As a file."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As a file."""
        self._position = self._file.seek(offset, whence)
        return self._position

    def readinto(self, target: Any, /) -> int:
        """As a file."""
        view = memoryview(target).cast("B")
        size = int(self._file.readinto(view) or 0)  # type: ignore[attr-defined]
        end = self._position + size
        if self._position <= self._hashed < end:
            self._sha256.update(view[self._hashed - self._position : size])
            self._hashed = end
        self._position = end
        return size

    def sha256(self) -> str:
        """64 hexadecimal digits for the whole file; what nobody has read is read now.

        Raises:
            TransientError: the file was written to, or replaced by another size, since it was opened.
        """
        self.seek(self._hashed)
        piece = bytearray(_PIECE)
        while self.readinto(piece):
            pass
        self.see_unchanged()
        return self._sha256.hexdigest()

    def see_unchanged(self) -> None:
        """Refuse a file that was written to while it was read: half of it may be of one content, half of another.

        Raises:
            TransientError: it was.
        """
        size, _ = after = _state(os.fstat(self._file.fileno()))
        if after != self._before or size < self._hashed:
            raise TransientError(
                f"{self._path} changed while it was read: {self._before[0]:,} bytes at first, {size:,} now",
                todo="import it again when nothing writes to it any more; nothing of it was kept",
            )


def _state(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns
