"""The files in a tar, read as a stream: ustar, pax, GNU and the old format without a mark, several one after another.

A header that is broken costs its member: reading goes on at the next one that is whole.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar, cast

from pipeline.streams.layers import BUFFER, Forward, Layer, Shared, buffered, label

T = TypeVar("T")
#: What to do with a file that is found: (its label, its bytes).
Found = Callable[[str, io.BufferedReader], Iterator[T]]

BLOCK: Final = 512
#: pax headers and GNU's long names are read whole; none has a megabyte.
LONGEST_HEADER: Final = 1024 * 1024
_ERRORS: Final = (tarfile.TarError, EOFError, OSError, ValueError, OverflowError)
#: What holds no bytes of its own; a folder needs no word.
_PASSED: Final = {
    tarfile.LNKTYPE: "hard_link",
    tarfile.SYMTYPE: "symbolic_link",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "fifo",
}


def is_tar(head: bytes) -> bool:
    """Whether a file that begins so is a tar: by its mark, or by the checksum of its first header, which the old format has too."""
    return head[257:262] == b"ustar" or _is_header(head[:BLOCK])


def _is_header(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return False
    return True


def read(name: str, stream: io.BufferedReader, shared: Shared, found: Found[T]) -> Iterator[T]:
    """What `found` makes of each file of the tar at the beginning of a stream, in their order."""
    forward = _Headers(stream)
    is_whole = True
    while is_whole and not shared.limits.exhausted:
        yield from _one(name, forward, shared, found)
        is_whole = _next_tar(name, forward, shared)


def _one(name: str, forward: _Headers, shared: Shared, found: Found[T]) -> Iterator[T]:
    """One tar, up to its end or to a header that is none."""
    try:
        archive = tarfile.TarFile(fileobj=cast("Any", forward), encoding="utf-8", errors="surrogateescape")
        while (entry := archive.next()) and not shared.limits.exhausted:
            # tarfile remembers them all
            cast("Any", archive).members = []
            path = label(f"{name}/{entry.name}" if name else entry.name)
            if entry.size < 0:
                raise ValueError(f"a member of {entry.size} bytes")
            if entry.isdir() or (entry.isfile() and shared.skip(path)):
                continue
            if entry.issparse():
                sparse = cast("Any", archive.extractfile(entry))
                yield from found(path, buffered(_Data(path, shared, sparse.readinto, entry)))
            elif entry.isfile():
                yield from found(path, buffered(_Data(path, shared, forward.readinto, entry)))
            elif entry.type in _PASSED:
                kind = _PASSED[entry.type]
                to = f" to {entry.linkname}" if entry.linkname else ""
                shared.note(path, f"passed_{kind}", entry.offset, f"a {kind.replace('_', ' ')}{to}: no file of its own")
            else:
                shared.note(path, "unknown_member", entry.offset, f"type {entry.type!r} of {entry.size:,} bytes cannot be read")
    except _ERRORS as error:
        _note_broken(name, forward, shared, str(error))
        return
    if forward.last.count(0) != len(forward.last):
        # tarfile takes a header that is none for the end
        _note_broken(name, forward, shared, "cut in the middle of a header" if len(forward.last) < BLOCK else "a header that is none")
    elif not forward.last:
        shared.note(
            name, "passed_tar_end", forward.tell(), "the tar has no mark of its end: written without one, or cut between two members"
        )


def _note_broken(name: str, forward: _Headers, shared: Shared, detail: str) -> None:
    is_cut = "unexpected end" in detail or "cut" in detail
    shared.note(name, "truncated_tar" if is_cut else "broken_tar", forward.header, detail)


def _next_tar(name: str, forward: _Headers, shared: Shared) -> bool:
    """Go on to the next header that is whole, over zeros in silence (`cat a.tar b.tar`); tell whether there is one."""
    was_end = bool(forward.last) and forward.last.count(0) == len(forward.last)
    forward.seek(forward.tell() + -forward.tell() % BLOCK)
    while piece := forward.data(BUFFER):
        place = piece.find(b"ustar")
        while place >= 0:
            start = place - 257
            if start >= 0 and start % BLOCK == 0 and _is_header(piece[start : start + BLOCK]):
                break
            place = piece.find(b"ustar", place + 1)
        skipped = piece[: place - 257] if place >= 0 else piece
        if was_end and skipped.count(0) != len(skipped):
            was_end = False
            begin = forward.tell() - len(piece) + len(skipped) - len(skipped.lstrip(b"\0"))
            shared.note(name, "trailing_bytes_tar", begin, "something that is no tar follows the end of the tar")
        if place >= 0:
            forward.unread(piece[len(skipped) :])
            return True
    return False


class _Headers(Forward):
    """The stream as tarfile reads it: headers only, and of those none that would fill the memory."""

    def __init__(self, stream: io.BufferedReader) -> None:
        super().__init__(stream)
        #: The last header read, and where it began.
        self.last, self.header = b"", 0

    def read(self, size: int, /) -> bytes:
        if size > LONGEST_HEADER:
            raise OSError(f"a header of {size:,} bytes")
        if size > 1:
            # one byte tarfile reads at the end of what it has passed over
            self.header = self.tell()
        self.last = super().read(size)
        return self.last

    def data(self, size: int) -> bytes:
        """What is no header."""
        return super().read(size)


class _Data(Layer):
    """The bytes of one member."""

    def __init__(self, name: str, shared: Shared, readinto: Callable[[Any], int | None], entry: tarfile.TarInfo) -> None:
        super().__init__(name, shared)
        self._readinto, self._size, self._offset = readinto, entry.size, entry.offset
        self._position = 0

    def fill(self, view: memoryview) -> int:
        try:
            size = int(self._readinto(view[: self._size - self._position]) or 0) if self._position < self._size else 0
        except _ERRORS as error:
            return self._cut(str(error))
        self._position += size
        return size if size or self._position == self._size else self._cut(f"{self._position:,} of {self._size:,} bytes")

    def bomb(self) -> tuple[str, int, str]:
        _, _, detail = super().bomb()
        return "bomb_tar", self._offset, detail

    def _cut(self, detail: str) -> int:
        self.stop()
        self.shared.note(self.member, "truncated_member", self._position, detail)
        return 0
