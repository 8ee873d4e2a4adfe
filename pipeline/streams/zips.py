"""The files in a zip: by its list of contents where the zip is the file itself, else as a stream, header by header.

Nothing of it is unpacked to the disk, so a zip inside something else is read without its list, which stands at its end.
"""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from isal import isal_zlib

from pipeline.streams import compression
from pipeline.streams.layers import Forward, Layer, Readable, Shared, buffered, label

T = TypeVar("T")
Found = Callable[[str, io.BufferedReader], Iterator[T]]

_ENTRY: Final = b"PK\x03\x04"
#: How a zip begins: with a member, with the end where it is empty, or as the first part of several.
MARKS: Final = (_ENTRY, b"PK\x05\x06", b"PK\x07\x08")
_DESCRIPTOR: Final = b"PK\x07\x08"
#: Where members end: the list of contents, of zip64 too, and the end itself.
_LIST: Final = (b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x01\x05", b"PK\x06\x08")
_STORED, _DEFLATED, _BZIP2, _LZMA, _ZSTD, _XZ = 0, 8, 12, 14, 93, 95
_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 1, 8, 0x800
_LOCAL: Final = struct.Struct("<4s5H3I2H")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A member: `compressed`, `size` and `crc` are None where they stand behind its bytes."""

    name: str
    flags: int
    method: int
    offset: int
    compressed: int | None
    size: int | None
    crc: int | None

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")


class _Broken(Exception):
    """A zip that cannot be read on."""


def read_file(file: io.BufferedReader, shared: Shared, found: Found[T]) -> Iterator[T]:
    """What `found` makes of each file of a zip that can be read anywhere, in the order of its list."""
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        shared.note("", "broken_zip", 0, f"{error}: a zip cut short has lost its list of contents; read from its beginning, up to there")
        file.seek(0)
        yield from read_stream("", file, shared, found)
        return
    with archive:
        for info in archive.infolist():
            if shared.limits.exhausted:
                return
            entry = _Entry(
                info.filename, info.flag_bits, info.compress_type, info.header_offset, info.compress_size, info.file_size, info.CRC
            )
            try:
                file.seek(entry.offset)
                forward = Forward(file)
                _local(forward)
                yield from _member(label(entry.name), entry, forward, shared, found)
            except (_Broken, OSError, ValueError) as error:
                shared.note(label(entry.name), "broken_zip", entry.offset, str(error))


def read_stream(name: str, stream: io.BufferedReader, shared: Shared, found: Found[T]) -> Iterator[T]:
    """What `found` makes of each file of a zip that comes as a stream, up to its list of contents."""
    forward = Forward(stream)
    shared.limits.opened()
    position = 0
    try:
        while not shared.limits.exhausted:
            position = forward.tell()
            if (entry := _local(forward)) is None:
                return
            path = label(f"{name}/{entry.name}" if name else entry.name)
            yield from _member(path, entry, forward, shared, found)
    except (_Broken, OSError, ValueError) as error:
        shared.note(name, "broken_zip", position, str(error))


def _local(forward: Forward) -> _Entry | None:
    """The header before a member's bytes; None where the list of contents begins."""
    position = forward.tell()
    mark = forward.read(4)
    if mark in _LIST:
        return None
    if mark in (_DESCRIPTOR, b"PK00"):
        # the mark of a zip in parts, before the first member
        position, mark = position + 4, forward.read(4)
    if mark != _ENTRY:
        raise _Broken("the zip ends in the middle" if len(mark) < 4 else "a header of a member that is none")
    rest = forward.read(_LOCAL.size - 4)
    if len(rest) < _LOCAL.size - 4:
        raise _Broken("the zip ends in the middle of a header")
    _, _, flags, method, _, _, crc, compressed, size, name_length, extra_length = _LOCAL.unpack(mark + rest)
    raw, extra = forward.read(name_length), forward.read(extra_length)
    if len(extra) < extra_length:
        raise _Broken("the zip ends in the middle of a header")
    size, compressed = _long_sizes(extra, size, compressed)
    name = raw.decode("utf-8" if flags & _UTF8 else "cp437", "replace")
    if flags & _SIZES_FOLLOW and not compressed:
        return _Entry(name, flags, method, position, None, None, None)
    return _Entry(name, flags, method, position, compressed, size, None if flags & _SIZES_FOLLOW else crc)


def _long_sizes(extra: bytes, size: int, compressed: int) -> tuple[int, int]:
    """(size, compressed size), from zip64's field where they have no room in the header."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        field, place = extra[place + 4 : place + 4 + length], place + 4 + length
        if kind == 1:
            numbers = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
            size = next(numbers, size) if size == 0xFFFFFFFF else size
            compressed = next(numbers, compressed) if compressed == 0xFFFFFFFF else compressed
    return size, compressed


def _member(path: str, entry: _Entry, forward: Forward, shared: Shared, found: Found[T]) -> Iterator[T]:
    """One member, whose bytes come next; afterwards the stream is behind them.

    Raises:
        _Broken: where it ends cannot be known.
    """
    begin = forward.tell()
    is_wanted = not entry.is_folder and not shared.skip(path)
    layer = None
    if refused := _refused(entry):
        if is_wanted:
            shared.note(path, refused[0], entry.offset, refused[1])
    elif is_wanted or entry.compressed is None:
        layer = _unpacked(path, entry.method, _Bytes(forward, entry.compressed), shared)
        checked = _Checked(path, shared, layer, entry)
        if is_wanted:
            yield from found(path, buffered(checked))
        if entry.compressed is None:
            checked.drain()
            forward.unread(getattr(layer, "rest", b""))
    if entry.compressed is not None:
        forward.seek(begin + entry.compressed)
    elif layer is None:
        raise _Broken("what follows a member whose length is not known cannot be found in a stream; unpack the zip")
    if entry.flags & _SIZES_FOLLOW:
        _descriptor(forward)


def _refused(entry: _Entry) -> tuple[str, str] | None:
    """(reason, detail) of a member that cannot be read."""
    if entry.flags & _ENCRYPTED:
        return "encrypted", "needs a password: unpack it first"
    if entry.method not in _METHODS:
        return "unsupported_zip", f"compression method {entry.method}"
    if entry.compressed is None and entry.method not in (_DEFLATED, _BZIP2):
        return "unsupported_zip", "its length is not known"
    return None


def _unpacked(path: str, method: int, data: _Bytes, shared: Shared) -> Layer:
    """The plain bytes of a member."""
    if method == _STORED:
        return _Stored(path, shared, data)
    if method == _ZSTD:
        return compression.Zstd(path, shared, data)
    return compression.Decompressed(path, shared, data, "zip", partial(_METHODS[method], data))


def _lzma(data: _Bytes) -> Any:
    """zip's LZMA: a version, the length of the properties, those, and raw LZMA."""
    head = data.read(9)
    if len(head) < 9 or head[2:4] != b"\x05\x00":
        raise _Broken("an LZMA header that is none")
    properties = head[4]
    # as in the LZMA SDK: (position bits * 5 + literal position bits) * 9 + literal context bits
    filters = {
        "id": lzma.FILTER_LZMA1,
        "lc": properties % 9,
        "lp": properties // 9 % 5,
        "pb": properties // 45,
        "dict_size": min(int.from_bytes(head[5:9], "little"), compression.WINDOW - 1),
    }
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[filters])


#: How each method is read; the first and the last not by a decompressor.
_METHODS: Final[dict[int, Callable[[_Bytes], Any]]] = {
    _STORED: lambda _: None,
    _DEFLATED: lambda _: compression.deflate(),
    _BZIP2: lambda _: bz2.BZ2Decompressor(),
    _LZMA: _lzma,
    _XZ: lambda _: lzma.LZMADecompressor(),
    _ZSTD: lambda _: None,
}


def _descriptor(forward: Forward) -> None:
    """Pass over the checksum and sizes behind a member, whose mark may be missing and whose sizes have 4 or 8 bytes."""
    behind = forward.read(26)
    begin = 4 if behind.startswith(_DESCRIPTOR) else 0
    length = next((length for length in (12, 20) if behind[begin + length : begin + length + 2] == b"PK"), 12)
    forward.unread(behind[begin + length :])


class _Bytes:
    """The packed bytes of a member: so many, or without an end that is known."""

    def __init__(self, stream: Readable, size: int | None) -> None:
        self._stream, self._left = stream, size

    def read(self, size: int, /) -> bytes:
        part = self._stream.read(size if self._left is None else min(size, self._left))
        self._left = None if self._left is None else self._left - len(part)
        return part


class _Stored(Layer):
    """A member that is not compressed."""

    def __init__(self, name: str, shared: Shared, data: Readable) -> None:
        super().__init__(name, shared)
        self._data = data

    def fill(self, view: memoryview) -> int:
        part = self._data.read(len(view))
        view[: len(part)] = part
        return len(part)


class _Checked(io.RawIOBase):
    """A member's plain bytes, compared at their end with what the zip says of them."""

    def __init__(self, name: str, shared: Shared, layer: Layer, entry: _Entry) -> None:
        super().__init__()
        self._name, self._shared, self._layer, self._entry = name, shared, layer, entry
        self._size = self._crc = 0
        self._noted = len(shared.damages)
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any, /) -> int:
        view = memoryview(target).cast("B")
        if self._entry.size is not None:
            # raw LZMA does not know its own end
            view = view[: self._entry.size - self._size]
        size = self._layer.readinto(view) if view else 0
        if size:
            self._crc = isal_zlib.crc32(view[:size], self._crc)
            self._size += size
        elif not self._ended:
            self._ended = True
            self._compare()
        return size

    def drain(self) -> None:
        """Read what nobody has read.

        Raises:
            _Broken: the member does not end.
        """
        piece = bytearray(64 * 1024)
        while self.readinto(piece):
            pass
        if self._noted != len(self._shared.damages):
            raise _Broken("what follows a member that is broken cannot be found in a stream; unpack the zip")

    def _compare(self) -> None:
        entry = self._entry
        if self._noted != len(self._shared.damages):
            # said already
            return
        if entry.size is not None and self._size != entry.size:
            self._shared.note(self._name, "truncated_member", self._size, f"{self._size:,} of {entry.size:,} bytes")
        elif entry.crc is not None and self._crc != entry.crc:
            self._shared.note(self._name, "corrupt_zip", self._size, "the checksum is another")
