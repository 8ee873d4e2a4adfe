"""One archive file into its extract: bytes to members, to lines, to records. What each of these is, is said elsewhere.

Lines go to a decoder (decoding/) a few dozen at a time. What it declines goes line by line to documents.py and formats/, in its turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import BinaryIO, Final

from pipeline import documents, formats, streams
from pipeline.documents import Broken, Reader, Source
from pipeline.importing import decoding, named_days
from pipeline.importing.decoding import Declined
from pipeline.importing.geotagged import Extract

#: Bytes of lines read at a time: they and what is made of them stay in a processor's second cache. And lines, where they are short.
TOGETHER: Final = 128 * 1024
MOST_LINES: Final = 64
#: Bytes of a line that is read together with others; a longer one comes alone.
LONG: Final = 1024 * 1024
#: After so many lines in a row that no decoder takes, so many are not offered to any, then twice as many, up to LONGEST_PAUSE.
PATIENCE: Final = 16
LONGEST_PAUSE: Final = 4096


def read(file: BinaryIO, extract: Extract) -> Iterator[None]:
    """Read a whole file into the extract; yields after each batch of rows written, and now and then between."""
    reading = _Reading(extract)
    seen = 0

    def skip(name: str) -> bool:
        passed_over = named_days.outside(name, extract.window)
        extract.skipped += passed_over
        return passed_over

    def counted() -> tuple[int, int]:
        return extract.lines.total, extract.usable

    for member in streams.members(file, extract.damages, skip=skip if extract.window is not None else streams.none, counted=counted):
        for _ in reading.member(member):
            if extract.advance() or extract.lines.total - seen >= 20_000:
                seen = extract.lines.total
                yield


class _Reading:
    """All members of a file, one after the other."""

    def __init__(self, extract: Extract) -> None:
        self._extract = extract
        # what took the last lines stands first; the JSON of each record is known to formats/ alone
        self._decoders = [] if extract.raw else list(decoding.decoders(extract))
        self._fruitless, self._pause, self._next_pause = 0, 0, PATIENCE

    def member(self, member: streams.Member) -> Iterator[None]:
        """Read one plain file; yields after every few lines."""
        ahead = _Ahead(member.stream)
        reader = Reader(ahead, self._extract.lines)
        while lines := ahead.lines():
            yield from self._take(member.name, reader, lines)
        yield from self._slowly(member.name, reader.finish())

    def _take(self, name: str, reader: Reader, lines: Sequence[bytes]) -> Iterator[None]:
        """Read lines in their order: fast if a decoder takes them all, else in halves, down to the single lines that it declines."""
        rest = [lines]
        while rest:
            some = rest.pop()
            decode = not reader.waits and not self._pause
            if decode and self._fast(reader, some):
                yield
            elif len(some) > 1:
                middle = len(some) // 2 if decode else 1
                rest += (some[middle:], some[:middle])
            else:
                self._note_declined()
                yield from self._slowly(name, reader.take(some[0]))

    def _fast(self, reader: Reader, lines: Sequence[bytes]) -> bool:
        size = sum(map(len, lines))
        if size >= documents.LONGEST_LINE:
            return False
        # a stream without tweets sends an empty line now and then
        blank = sum(map(bytes.isspace, lines))
        if blank == len(lines):
            reader.passed(blank, size, blank=blank)
            return True
        told = [line for line in lines if not line.isspace()] if blank else lines
        for place, decoder in enumerate(self._decoders):
            try:
                keep = decoder.read(told)
            except Declined:
                continue
            keep()
            reader.passed(len(lines), size, blank=blank)
            if place:
                self._decoders.insert(0, self._decoders.pop(place))
            self._fruitless, self._next_pause = 0, PATIENCE
            return True
        return False

    def _note_declined(self) -> None:
        if self._pause:
            self._pause -= 1
            return
        self._fruitless += 1
        if self._fruitless == PATIENCE:
            self._pause, self._fruitless = self._next_pause, 0
            self._next_pause = min(2 * self._next_pause, LONGEST_PAUSE)

    def _slowly(self, name: str, found: Iterable[documents.Found]) -> Iterator[None]:
        for one in found:
            if isinstance(one, Broken):
                self._extract.broken(name, one)
            else:
                self._extract.asked(formats.searches(one.value))
                for outcome in formats.parse(one.value):
                    self._extract.add(name, one, outcome)
            yield


class _Ahead:
    """The lines of a stream, a few at a time."""

    def __init__(self, stream: Source) -> None:
        self._stream = stream
        self._queue: deque[bytes] = deque()
        self._together = 1

    def lines(self) -> list[bytes]:
        """The next lines, so many that they have TOGETHER bytes or so; none at the end. One of LONGEST_LINE bytes may not be whole."""
        if self._together == 1 or self._queue:
            line = self.readline(documents.LONGEST_LINE)
            lines = [line] if line else []
        else:
            lines = list(map(self._stream.readline, repeat(LONG, self._together)))
            while lines and not lines[-1]:
                lines.pop()
        size = sum(map(len, lines))
        if size >= LONG and len(lines) > 1:
            cut = next((place for place, line in enumerate(lines) if len(line) >= LONG and not line.endswith(b"\n")), len(lines))
            self._queue += lines[cut:]
            lines = lines[:cut] or [self.readline(documents.LONGEST_LINE)]
        if lines:
            self._together = max(1, min(MOST_LINES, TOGETHER * len(lines) // size))
        return lines

    def readline(self, size: int, /) -> bytes:
        """As a stream's."""
        if not self._queue:
            return self._stream.readline(size)
        parts: list[bytes] = []
        while size > 0 and (piece := self._queue.popleft() if self._queue else self._stream.readline(size)):
            if len(piece) > size:
                self._queue.appendleft(piece[size:])
                piece = piece[:size]
            parts.append(piece)
            size -= len(piece)
            if piece.endswith(b"\n"):
                break
        return b"".join(parts)
