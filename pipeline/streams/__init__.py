"""Any file as streams of plain bytes: what is compressed or packed is peeled off by content, layer by layer, never to the disk.

Put here which layers there are; how each is read compression.py, tars.py and zips.py know. What the bytes mean is documents.py's affair.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Final

from pipeline.streams import compression, tars, zips
from pipeline.streams.layers import BUFFER, ENOUGH, HEAD, PACKED_BUFFER, Damage, Damages, Layer, Limits, Shared, Source, buffered

__all__ = ["Damage", "Damages", "Member", "members", "none"]

#: Layers in layers (a .zst in a tar in a .gz is 3); deeper is a file that wants to exhaust us.
DEEPEST: Final = 8
#: Text that Windows' PowerShell wrote: `twarc2 search ... > tweets.jsonl` gives UTF-16 there.
_UTF16: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


@dataclass(frozen=True, slots=True)
class Member:
    """One plain file: its path inside the archive ("" for the file itself), a label and no more, and its bytes."""

    name: str
    stream: io.BufferedReader


def none(_: str) -> bool:
    """Skip nothing."""
    return False


def _nothing() -> tuple[int, int]:
    return 0, 0


def members(
    file: BinaryIO,
    damages: list[Damage],
    *,
    skip: Callable[[str], bool] = none,
    counted: Callable[[], tuple[int, int]] = _nothing,
) -> Iterator[Member]:
    """The plain files that an open file holds, in their order; each stream must be read before the next is asked for.

    Args:
        file: seekable, at its beginning: plain, gzip, bzip2, zstd, xz, tar, zip, and these in each other.
        damages: what breaks on the way is added here; a broken layer ends early instead of failing. Give Damages to bound or stop it.
        skip: asked of every member of a tar or zip by its label; what it says yes to is passed over unread.
        counted: gives (lines, usable records) that were read so far, by which a bomb is told from what compresses well (layers.Limits).

    Raises:
        ArchiveError: `damages` is strict, and something is broken.
    """
    shared = Shared(damages, Limits(counted), skip)
    yield from _members(file, shared)
    if shared.limits.exhausted:
        # each bomb is told where it was; this, that members after them were not even looked for
        shared.note("", "too_many_bombs", file.tell(), ENOUGH)


def _members(file: BinaryIO, shared: Shared) -> Iterator[Member]:
    whole = buffered(Source(file, shared.limits), PACKED_BUFFER)
    if whole.peek(HEAD)[:4] in zips.MARKS:
        yield from zips.read_file(whole, shared, partial(_inside, shared, 1))
        return

    def again() -> io.BufferedReader:
        file.seek(0)
        return buffered(Source(file, shared.limits), PACKED_BUFFER)

    yield from _peel("", whole, shared, 0, again)


def _inside(shared: Shared, depth: int, name: str, stream: io.BufferedReader) -> Iterator[Member]:
    return _peel(name, stream, shared, depth)


def _peel(
    name: str, stream: io.BufferedReader, shared: Shared, depth: int, again: Callable[[], io.BufferedReader] | None = None
) -> Iterator[Member]:
    """Take off one layer, if there is one, and go on inside."""
    head = stream.peek(HEAD)[:HEAD]
    if depth >= DEEPEST:
        shared.note(name, "too_deep", 0, f"more than {DEEPEST} layers in each other")
    elif layer := compression.layer(head, name, shared, stream, again):
        yield from _peel(name, buffered(layer), shared, depth + 1)
    elif head[:4] in zips.MARKS:
        yield from zips.read_stream(name, stream, shared, partial(_inside, shared, depth + 1))
    elif tars.is_tar(head):
        yield from tars.read(name, stream, shared, partial(_inside, shared, depth + 1))
    elif head[:2] in _UTF16:
        yield Member(name, buffered(_Transcoded(name, shared, stream, _UTF16[head[:2]])))
    else:
        yield Member(name, stream if depth else buffered(stream))


class _Transcoded(Layer):
    """UTF-16 as UTF-8; lone surrogates pass, as they do in UTF-8 files."""

    def __init__(self, name: str, shared: Shared, stream: io.BufferedReader, encoding: str) -> None:
        super().__init__(name, shared)
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        self._ready = b""
        self._position = 0

    def fill(self, view: memoryview) -> int:
        while not self._ready and (piece := self._stream.read(BUFFER)):
            self._position += len(piece)
            self._ready = self._decoder.decode(piece).encode("utf-8", "surrogatepass")
        part, self._ready = self._ready[: len(view)], self._ready[len(view) :]
        view[: len(part)] = part
        if not part and self._decoder.getstate()[0]:
            self.stop()
            self.shared.note(self.member, "truncated_utf16", self._position, "the text ends in the middle of a character")
        return len(part)
