"""Compressed streams as plain ones: gzip, bzip2, zstd, xz, and the deflate of zip. Several one after another are one stream.

A stream that is cut or corrupt gives all that comes before.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol, cast

import zstandard
from isal import igzip_lib, isal_zlib

from pipeline.streams.layers import BOMB, BUFFER, Layer, Readable, Shared

#: Bytes handed to a decompressor at a time.
PIECE: Final = 32 * 1024
#: zstd and xz may refer back so far (`zstd --long=31`, as large dumps are packed). Memory is used as it fills; a bomb is stopped before.
WINDOW: Final = 2**31
#: gzip's header with its name, comment and other fields; bgzip's and WARC's have some.
LONGEST_HEADER: Final = 128 * 1024
_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_FRAME: Final = int.from_bytes(_MAGIC, "little")
_ERRORS: Final[tuple[type[Exception], ...]] = (
    zlib.error,
    cast("Any", isal_zlib).error,
    cast("Any", igzip_lib).error,
    OSError,
    EOFError,
    lzma.LZMAError,
    zstandard.ZstdError,
    ValueError,
    MemoryError,
)


class Decompressor(Protocol):
    """What the standard library's decompressors have in common, and isal's."""

    @property
    def eof(self) -> bool:
        """Whether the end of the compressed data was seen."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was given and lies behind that end."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether more output needs more input."""
        ...

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        """As much as there is, up to `max_length`; the rest at the next call."""
        ...


class _Gzip:
    """One member of a gzip stream. isal's own reading of the header fails where that is cut between two pieces, so it is taken off here."""

    def __init__(self) -> None:
        self._header = b""
        self._inner: Any = None

    @property
    def eof(self) -> bool:
        return self._inner is not None and bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    @property
    def needs_input(self) -> bool:
        return self._inner is None or bool(self._inner.needs_input)

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        if self._inner is None:
            self._header += data
            length = _header_length(self._header)
            if length is None:
                return b""
            self._inner = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP_NO_HDR_VER, hist_bits=15)
            data, self._header = self._header[length:], b""
            if not data:
                return b""
        return bytes(self._inner.decompress(data, max_length))


def _header_length(head: bytes) -> int | None:
    """Length of a gzip header (RFC 1952, 2.3); None where more of it is needed.

    Raises:
        ValueError: it is none.
    """
    if len(head) > LONGEST_HEADER:
        raise ValueError("a gzip header that does not end")
    if len(head) < 10:
        return None
    if head[2] != 8:
        raise ValueError(f"compression method {head[2]}, where gzip knows 8 only")
    flags, length = head[3], 10
    if flags & 4:
        if len(head) < length + 2:
            return None
        length += 2 + int.from_bytes(head[length : length + 2], "little")
    for flag in (8, 16):
        if flags & flag:
            end = head.find(b"\0", length)
            if end < 0:
                return None
            length = end + 1
    length += 2 if flags & 2 else 0
    return length if len(head) >= length else None


def deflate() -> Decompressor:
    """A decompressor of a zip's members."""
    made: Decompressor = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE, hist_bits=15)
    return made


def _xz() -> Decompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=WINDOW)


class Decompressed(Layer):
    """What a compressed stream holds, up to where it breaks.

    Args:
        kind: name of the compression, in the reasons of damages.
        magic: how a further member begins; None where there can be none.
        again: gives the compressed stream from its beginning once more, where that can be had: see `_slowly`.
    """

    def __init__(
        self,
        name: str,
        shared: Shared,
        stream: Readable,
        kind: str,
        make: Callable[[], Decompressor],
        *,
        magic: bytes | None = None,
        again: Callable[[], Readable] | None = None,
    ) -> None:
        super().__init__(name, shared)
        self._kind, self._stream, self._make, self._magic, self._again = kind, stream, make, magic, again
        self._inner: Decompressor | None = make()
        self._pending = b""
        self._consumed = self._given = 0
        self._rescued: Iterator[bytes] | None = None
        #: What was read of the stream behind the end of its only member.
        self.rest = b""

    def fill(self, view: memoryview) -> int:
        """As of Layer."""
        out = self._next(min(len(view), BUFFER))
        view[: len(out)] = out
        self._given += len(out)
        return len(out)

    def bomb(self) -> tuple[str, int, str]:
        """As of Layer."""
        return f"bomb_{self._kind}", self._consumed, BOMB

    def _next(self, size: int) -> bytes:
        while (inner := self._inner) is not None:
            if inner.eof:
                if not self._following(inner):
                    break
                continue
            piece = b""
            if inner.needs_input:
                piece, self._pending = self._pending or self._stream.read(PIECE), b""
                if not piece:
                    self._break("truncated", "the compressed stream ends in the middle")
                    break
            try:
                out = inner.decompress(piece, size)
            except _ERRORS as error:
                self._break("corrupt", str(error))
                break
            self._consumed += len(piece)
            if out:
                return out
        return self._rescue(size)

    def _following(self, inner: Decompressor) -> bool:
        """Whether another member follows the one that has just ended; sets it up."""
        rest = inner.unused_data
        self._consumed -= len(rest)
        if self._magic is None:
            self.rest, self._inner = rest, None
            return False
        while rest.count(0) == len(rest) and (more := self._stream.read(PIECE)):
            # tapes and some writers pad with zeros
            self._consumed += len(rest)
            rest = more
        if rest.count(0) == len(rest):
            self._inner = None
            return False
        padding = len(rest) - len(rest.lstrip(b"\0"))
        self._consumed, rest = self._consumed + padding, rest[padding:]
        if not rest.startswith(self._magic[: len(rest)]):
            self._again = None
            self._break("trailing_bytes", "something that is not compressed follows the compressed stream")
            return False
        self._inner, self._pending = self._make(), rest
        return True

    def _break(self, reason: str, detail: str) -> None:
        self._inner = None
        self.shared.note(self.member, f"{reason}_{self._kind}", self._consumed, detail)
        if self._again is not None:
            self._rescued = _behind(_slowly(self._again()), self._given)

    def _rescue(self, size: int) -> bytes:
        """What isal kept back when the stream broke."""
        while self._rescued is not None:
            while len(self._pending) < size and (more := next(self._rescued, b"")):
                self._pending += more
            out, self._pending = self._pending[:size], self._pending[size:]
            if not out:
                self._rescued = None
            return out
        return b""


def _slowly(stream: Readable) -> Iterator[bytes]:
    """What a gzip stream holds up to the very bit at which it is cut or corrupt, by zlib in small pieces.

    isal decodes up to three symbols in one step, and keeps back one or two at a cut until it can see all three; where it finds an error,
    what it had decoded in the same call is lost.
    """
    inner = zlib.decompressobj(wbits=31)
    rest = b""
    while piece := rest or stream.read(1024):
        before = inner.copy()
        try:
            out = inner.decompress(piece)
        except zlib.error:
            yield from _bytewise(before, piece)
            return
        if out:
            yield out
        rest = inner.unused_data.lstrip(b"\0")
        if inner.eof:
            while not rest and (more := stream.read(1024)):
                rest = more.lstrip(b"\0")
            inner = zlib.decompressobj(wbits=31)


def _bytewise(inner: Any, piece: bytes) -> Iterator[bytes]:
    for place in range(len(piece)):
        try:
            out = inner.decompress(piece[place : place + 1])
        except zlib.error:
            return
        if out:
            yield out


def _behind(pieces: Iterator[bytes], given: int) -> Iterator[bytes]:
    """The pieces without the first so many bytes."""
    for piece in pieces:
        if len(piece) > given:
            yield piece[given:]
        given = max(given - len(piece), 0)


class Zstd(Layer):
    """What a zstd stream holds. The library reads over the ends of frames, and keeps quiet about a cut: `_Frames` sees both."""

    def __init__(self, name: str, shared: Shared, stream: Readable) -> None:
        super().__init__(name, shared)
        self._frames = _Frames(stream)
        decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW)
        self._reader: Any = decompressor.stream_reader(cast("Any", self._frames), read_size=PIECE, read_across_frames=True)

    def bomb(self) -> tuple[str, int, str]:
        """As of Layer."""
        return "bomb_zstd", self._frames.consumed, BOMB

    def fill(self, view: memoryview) -> int:
        """As of Layer."""
        try:
            size = int(self._reader.readinto(view[:BUFFER]))
        except _ERRORS as error:
            return self._break("corrupt_zstd", str(error))
        if size == 0 and self._frames.trailing:
            return self._break("trailing_bytes_zstd", "something that is not compressed follows the compressed stream")
        if size == 0 and not self._frames.whole:
            return self._break("truncated_zstd", "the compressed stream ends in the middle")
        return size

    def _break(self, reason: str, detail: str) -> int:
        self.stop()
        self.shared.note(self.member, reason, self._frames.consumed, detail)
        return 0


class _Frames:
    """The frames of a zstd stream (RFC 8878, 3.1) passed on, up to what is none: walked from block to block, at next to no cost."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._part, self._wanted, self._skip = "magic", 4, 0
        self._head = b""
        self._checksum = 0
        self.consumed = 0
        #: Whether something that is no frame follows the last one.
        self.trailing = False
        self._ended = False

    @property
    def whole(self) -> bool:
        """Whether the last frame ended."""
        return self._part == "magic" and not self._skip and not self._head

    def read(self, size: int, /) -> bytes:
        """As a file."""
        if self._ended:
            return b""
        piece = self._stream.read(size)
        passed = self._pass(piece)
        self.consumed += passed
        return piece[:passed]

    def _pass(self, piece: bytes) -> int:
        """Walk over the piece; give how much of it belongs to frames."""
        place = 0
        while place < len(piece):
            if self._skip:
                step = min(self._skip, len(piece) - place)
                self._skip, place = self._skip - step, place + step
                continue
            step = self._wanted - len(self._head)
            self._head += piece[place : place + step]
            place = min(place + step, len(piece))
            if self._part == "magic" and not _begins_frame(self._head):
                passed = max(place - len(self._head), 0)
                self._foreign(self._head + piece[place:])
                return passed
            if len(self._head) == self._wanted:
                self._step()
        return place

    def _step(self) -> None:
        """Take a header that is whole."""
        number, self._head = int.from_bytes(self._head, "little"), b""
        if self._part == "magic":
            self._part, self._wanted = ("descriptor", 1) if number == _FRAME else ("length", 4)
        elif self._part == "length":
            self._part, self._wanted, self._skip = "magic", 4, number
        elif self._part == "descriptor":
            single, sizes = number >> 5 & 1, number >> 6
            self._checksum = 4 if number & 4 else 0
            self._skip = (0 if single else 1) + (0, 1, 2, 4)[number & 3] + (single, 2, 4, 8)[sizes]
            self._part, self._wanted = "block", 3
        else:
            last, kind, size = number & 1, number >> 1 & 3, number >> 3
            # a run has one byte, however long it gets
            self._skip = (1 if kind == 1 else size) + (self._checksum if last else 0)
            self._part, self._wanted = ("magic", 4) if last else ("block", 3)

    def _foreign(self, rest: bytes) -> None:
        """End here: what follows is no frame. Zeros to the end are padding."""
        self._ended, self._head = True, b""
        while rest and rest.count(0) == len(rest):
            rest = self._stream.read(BUFFER)
        self.trailing = bool(rest)


def _begins_frame(head: bytes) -> bool:
    """Whether a frame, or one that is to be passed over, may begin so."""
    return _MAGIC.startswith(head) or (head[0] >> 4 == 5 and b"\x2a\x4d\x18".startswith(head[1:]))


def layer(head: bytes, name: str, shared: Shared, stream: Readable, again: Callable[[], Readable] | None) -> Layer | None:
    """The layer that takes off the compression by which a stream begins; None where it is not compressed.

    Args:
        head: the first bytes of the stream, which are still to be read.
        again: as for Decompressed.
    """
    if head.startswith(b"\x1f\x8b"):
        return Decompressed(name, shared, stream, "gzip", _Gzip, magic=b"\x1f\x8b", again=again)
    if head.startswith(b"BZh"):
        return Decompressed(name, shared, stream, "bzip2", bz2.BZ2Decompressor, magic=b"BZh")
    if head.startswith(b"\xfd7zXZ\0"):
        return Decompressed(name, shared, stream, "xz", _xz, magic=b"\xfd7zXZ\0")
    if len(head) >= 4 and _begins_frame(head[:4]):
        return Zstd(name, shared, stream)
    return None
