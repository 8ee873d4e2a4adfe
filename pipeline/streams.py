"""Any file as streams of plain bytes: what is compressed or packed is peeled off by content, layer by layer, never to the disk.

Put here what has to do with bytes. What the bytes mean is documents.py's and formats/'s affair.
"""

from __future__ import annotations

import bz2
import codecs
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, Final, Protocol, TypeAlias, cast

import zstandard

BUFFER: Final = 256 * 1024
#: Bytes handed to a decompressor at a time: even a bomb of a thousand to one (all zeros) gives a few ten megabytes a step.
PIECE: Final = 16 * 1024
#: Layers in layers (a .zst in a tar in a .gz is 3); deeper is a file that wants to exhaust us.
DEEPEST: Final = 8
#: Enough to see tar's mark at byte 257.
HEAD: Final = 512


@dataclass(frozen=True, slots=True)
class Damage:
    """Where a compressed or packed layer broke; everything before it has been read.

    `offset` is in bytes: of compressed input for a decompressor, of the file within the layer above for a container.
    """

    member: str
    reason: str
    offset: int
    detail: str


@dataclass(frozen=True, slots=True)
class Member:
    """One plain file: its path inside the archive ("" for the file itself), and its bytes."""

    name: str
    stream: io.BufferedReader


#: Asked of an entry's path: whether it is passed over unread.
Skip: TypeAlias = Callable[[str], bool] | None


class _Decompressor(Protocol):
    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, /) -> bytes: ...


class _Zstd:
    """zstandard's decompressobj, which calls the end of a frame by the same names but keeps quiet about it at the first call after."""

    def __init__(self) -> None:
        # windows up to 2 GB: `zstd --long=31`, as large dumps are packed
        self._inner: Any = zstandard.ZstdDecompressor(max_window_size=2**31).decompressobj()

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    def decompress(self, data: bytes, /) -> bytes:
        return bytes(self._inner.decompress(data))


_CODECS: Final[tuple[tuple[bytes, str, Callable[[], Any]], ...]] = (
    (b"\x1f\x8b", "gzip", lambda: zlib.decompressobj(wbits=31)),
    (b"BZh", "bzip2", bz2.BZ2Decompressor),
    (b"\x28\xb5\x2f\xfd", "zstd", _Zstd),
    (b"\xfd7zXZ\x00", "xz", lzma.LZMADecompressor),
)
#: Text that Windows' PowerShell wrote: `twarc2 search ... > tweets.jsonl` gives UTF-16 there.
_UTF16: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def members(file: BinaryIO, damages: list[Damage], skip: Skip = None) -> Iterator[Member]:
    """The plain files that an open file holds, in their order; each stream must be read before the next is asked for.

    Args:
        file: seekable, at its beginning: plain, gzip, bzip2, zstd, xz, tar, zip, and these in each other (but no zip inside others).
        damages: what breaks on the way is added here; a broken layer ends early instead of failing.
        skip: is asked of each entry of a tar or zip by its path, and says whether it is passed over unread.
    """
    head = file.read(4)
    file.seek(0)
    if head == b"PK\x03\x04":
        yield from _zip(file, damages, skip)
    else:
        yield from _peel("", file, damages, 0, skip)


def _peel(name: str, stream: IO[bytes], damages: list[Damage], depth: int, skip: Skip) -> Iterator[Member]:
    """Take off one layer, if there is one, and go on inside."""
    head = _read_up_to(stream, HEAD)
    whole = _buffered(_Rest(head, stream))
    if depth >= DEEPEST:
        damages.append(Damage(name, "too_deep", 0, f"more than {DEEPEST} layers in each other"))
        return
    for magic, kind, make in _CODECS:
        if head.startswith(magic):
            yield from _peel(name, _buffered(_Decompressed(name, kind, whole, make, damages)), damages, depth + 1, skip)
            return
    if head[257:262] == b"ustar":
        yield from _tar(name, whole, damages, depth, skip)
    elif head.startswith(b"PK\x03\x04"):
        damages.append(Damage(name, "zip_inside", 0, "a zip inside another archive cannot be read as a stream; unpack the outer one"))
    elif head[:2] in _UTF16:
        yield Member(name, _buffered(_Transcoded(name, whole, _UTF16[head[:2]], damages)))
    else:
        yield Member(name, whole)


def _tar(name: str, stream: IO[bytes], damages: list[Damage], depth: int, skip: Skip) -> Iterator[Member]:
    position = 0
    try:
        # names in other encodings than UTF-8 are shown with \x.. for what cannot be read: no file could hold half a character
        with tarfile.open(fileobj=stream, mode="r|", errors="backslashreplace") as tar:
            for entry in tar:
                position = entry.offset
                if not entry.isfile() or (skip is not None and skip(entry.name)):
                    continue
                inner = tar.extractfile(entry)
                if inner is not None:
                    label = f"{name}/{entry.name}" if name else entry.name
                    yield from _peel(label, _buffered(_Guarded(label, inner, entry.size, damages)), damages, depth + 1, skip)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        damages.append(Damage(name, "truncated_tar" if "unexpected end" in str(error) else "broken_tar", position, str(error)))


def _zip(file: BinaryIO, damages: list[Damage], skip: Skip) -> Iterator[Member]:
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                if entry.is_dir() or (skip is not None and skip(entry.filename)):
                    continue
                try:
                    with archive.open(entry) as inner:
                        guarded = _Guarded(entry.filename, inner, entry.file_size, damages)
                        yield from _peel(entry.filename, _buffered(guarded), damages, 1, skip)
                except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
                    damages.append(Damage(entry.filename, "broken_zip", entry.header_offset, str(error)))
    except zipfile.BadZipFile as error:
        damages.append(Damage("", "broken_zip", 0, f"{error}: a zip cut short has lost its list of contents; `zip -FF` may mend it"))


def _read_up_to(stream: IO[bytes], size: int) -> bytes:
    parts, length = [], 0
    while length < size and (part := stream.read(size - length)):
        parts.append(part)
        length += len(part)
    return b"".join(parts)


def _buffered(raw: io.RawIOBase) -> io.BufferedReader:
    return io.BufferedReader(cast("Any", raw), BUFFER)


class _Pulled(io.RawIOBase):
    """A read-only stream whose bytes come from `_next`, in pieces of any length; b"" is the end."""

    def __init__(self) -> None:
        super().__init__()
        self._ready: memoryview = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any, /) -> int:
        if not self._ready:
            self._ready = memoryview(self._next())
        view = memoryview(target).cast("B")
        size = min(len(view), len(self._ready))
        view[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _next(self) -> bytes:
        raise NotImplementedError


class _Rest(_Pulled):
    """The bytes already read for a look, then the rest."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        super().__init__()
        self._head, self._stream = head, stream

    def _next(self) -> bytes:
        head, self._head = self._head, b""
        return head or self._stream.read(BUFFER)


class _Decompressed(_Pulled):
    """What a compressed stream holds, up to where it breaks. Members one after another (`cat a.gz b.gz`) are one stream."""

    def __init__(self, name: str, kind: str, stream: IO[bytes], make: Callable[[], _Decompressor], damages: list[Damage]) -> None:
        super().__init__()
        self._name, self._kind, self._stream, self._make, self._damages = name, kind, stream, make, damages
        self._inner: _Decompressor | None = make()
        self._pending = b""
        self._consumed = 0

    def _next(self) -> bytes:
        while self._inner is not None:
            if self._inner.eof and not self._following():
                break
            piece = self._pending or self._stream.read(PIECE)
            self._pending = b""
            if not piece:
                self._break("truncated", "the compressed stream ends in the middle")
                break
            try:
                out = self._inner.decompress(piece)
            except (zlib.error, OSError, EOFError, lzma.LZMAError, zstandard.ZstdError, ValueError) as error:
                self._break("corrupt", str(error))
                break
            self._consumed += len(piece)
            if out:
                return out
        return b""

    def _following(self) -> bool:
        """Whether another member follows the one that has just ended; sets it up."""
        assert self._inner is not None
        rest = self._inner.unused_data
        self._consumed -= len(rest)
        while rest.lstrip(b"\0") == b"" and (more := self._stream.read(PIECE)):
            # tapes and some writers pad with zeros
            self._consumed += len(rest)
            rest = more
        if rest.lstrip(b"\0") == b"":
            self._inner = None
            return False
        magic = next(magic for magic, kind, _ in _CODECS if kind == self._kind)
        if not rest.startswith(magic[: len(rest)]):
            self._break("trailing_bytes", "something that is not compressed follows the compressed stream")
            return False
        self._inner, self._pending = self._make(), rest
        return True

    def _break(self, reason: str, detail: str) -> None:
        self._damages.append(Damage(self._name, f"{reason}_{self._kind}", self._consumed, detail))
        self._inner = None


class _Guarded(_Pulled):
    """A member of a container: ends early, with the damage noted, where the container is broken or cut."""

    def __init__(self, name: str, stream: IO[bytes], size: int, damages: list[Damage]) -> None:
        super().__init__()
        self._name, self._stream, self._size, self._damages = name, stream, size, damages
        self._position = 0
        self._broken = False

    def _next(self) -> bytes:
        if self._broken:
            return b""
        try:
            piece = self._stream.read(BUFFER)
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
            return self._break(str(error))
        self._position += len(piece)
        if not piece and self._position < self._size:
            return self._break(f"{self._position:,} of {self._size:,} bytes")
        return piece

    def _break(self, detail: str) -> bytes:
        self._broken = True
        self._damages.append(Damage(self._name, "truncated_member", self._position, detail))
        return b""


class _Transcoded(_Pulled):
    """UTF-16 as UTF-8; lone surrogates pass, as they do in UTF-8 files."""

    def __init__(self, name: str, stream: IO[bytes], encoding: str, damages: list[Damage]) -> None:
        super().__init__()
        self._name, self._stream, self._damages = name, stream, damages
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        self._position = 0

    def _next(self) -> bytes:
        while piece := self._stream.read(BUFFER):
            self._position += len(piece)
            if text := self._decoder.decode(piece):
                return text.encode("utf-8", "surrogatepass")
        return b""
