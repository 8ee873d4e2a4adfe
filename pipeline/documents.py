"""Lines of a stream to JSON documents, with every line accounted for. What a document means is formats/'s affair.

One document a line is the rule. Seen besides (facts/x-api.md): CRLF, blank lines, a byte order mark, lines cut in two by the client
that wrote them, pages indented over many lines, exports with one row a line between `{"rows":[` and `]}` or with the head cut off,
`window.YTD.tweets.part0 = [`, and whole files of one line.
"""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

#: A line longer than this is read element by element where it is a list of tweets, else refused: memory stays bounded.
LONGEST_LINE: Final = 32 * 1024 * 1024
#: An indented document, or one cut by its writer, may have at most so many bytes.
LONGEST_DOCUMENT: Final = 32 * 1024 * 1024
CHUNK: Final = 1024 * 1024
#: Lines that waited in vain are read again, each as a document of its own, so many times a line of the file and no oftener: `[1,` on
#: every line of a file would else take the square of its length.
AGAIN: Final = 2

_BOM: Final = b"\xef\xbb\xbf"
_ASSIGNMENT: Final = re.compile(rb"^\s*window\.[\w.]+\s*=\s*")
#: Where a list of documents begins: `[`, or `{"total_rows":3,"rows":[`. A v2 page's "data" is left whole: it needs its includes.
_OPENING: Final = re.compile(rb'^(?:\{\s*(?:"[^"\\]*"\s*:\s*(?:[^"\[\]{},]+|"[^"\\]*")\s*,\s*)*"(?:rows|results|statuses)"\s*:\s*)?\[\s*$')
_STREAMABLE: Final = re.compile(r'^\s*(?:\{\s*(?:"[^"\\]*"\s*:\s*(?:[^"\[\]{},]+|"[^"\\]*")\s*,\s*)*"(?:rows|results|statuses)"\s*:\s*)?\[')
_CLOSING: Final = re.compile(rb"^\][\]}\s;]*$")
_BETWEEN: Final = re.compile(r"[ \t\r\n,]+")
_TOKEN: Final = re.compile(rb'["\\\[\]{}]')


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON value; it begins at byte `offset` of the plain stream (a member of an archive is one), in its line `line` (from 1)."""

    value: Any
    line: int
    offset: int


@dataclass(frozen=True, slots=True)
class Broken:
    """A line, or what is left of a longer document, that is no JSON; `content` is its beginning."""

    reason: str
    line: int
    offset: int
    detail: str
    content: bytes


Found: TypeAlias = Document | Broken


@dataclass(slots=True)
class Lines:
    """What became of the lines; `total` is the sum of the others.

    Attributes:
        total: lines read; the last one counts also without a line end.
        blank: nothing but white space.
        documents: one document each, or the first line of one that has several.
        continued: further lines of a document.
        wrapper: opening or closing lines of a list that has a document a line.
        broken: no JSON; each is a reject too.
    """

    total: int = 0
    blank: int = 0
    documents: int = 0
    continued: int = 0
    wrapper: int = 0
    broken: int = 0

    @property
    def accounted(self) -> bool:
        """Whether nothing got lost."""
        return self.total == self.blank + self.documents + self.continued + self.wrapper + self.broken


class Source(Protocol):
    """What lines are read from."""

    def readline(self, size: int, /) -> bytes:
        """The next line with its end, or as much of it as `size` bytes are; b"" after the last."""
        ...


def read(stream: Source, lines: Lines) -> Iterator[Found]:
    """The documents of a stream, in order, and what is none; `lines` is counted up as the reading goes."""
    reader = Reader(stream, lines)
    while line := stream.readline(LONGEST_LINE):
        yield from reader.take(line)
    yield from reader.finish()


def parse_json(text: bytes | str) -> Any:
    """Parse one JSON value; lone surrogates, raw control characters inside strings and integers of any length pass.

    Raises:
        ValueError: no JSON, not UTF-8, or nested too deep.
    """
    text = text.decode("utf-8", "surrogatepass") if isinstance(text, bytes) else text
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    except json.JSONDecodeError:
        raise
    except ValueError:
        # an integer of more digits than Python reads (sys.int_info): no id and no place, whatever it stands for
        return _OF_LONG_INTEGERS.decode(text)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= sys.int_info.default_max_str_digits else float(digits)


_DECODER: Final = json.JSONDecoder(strict=False)
_OF_LONG_INTEGERS: Final = json.JSONDecoder(strict=False, parse_int=_integer)


class _Line(NamedTuple):
    """A line as it stands in the stream: its bytes, its number (from 1), the offset of its first byte."""

    content: bytes
    number: int
    offset: int


class Reader:
    """Line by line; lines that begin a document and do not end it wait in `_held` until it is whole or can no longer become so."""

    def __init__(self, stream: Source, lines: Lines) -> None:
        self._stream, self._lines = stream, lines
        self._number = self._offset = 0
        self._held: list[_Line] = []
        self._held_bytes = 0
        self._scan = _Scan()
        self._waiting: deque[_Line] = deque()
        self._again = 0

    @property
    def waits(self) -> bool:
        """Whether there are lines of a document that is not whole yet: the next line may belong to it."""
        return bool(self._held)

    def take(self, line: bytes) -> Iterator[Found]:
        """What becomes certain by the next line of the stream, given as `readline(LONGEST_LINE)` gave it; to be read to its end."""
        self._waiting.append(_Line(line if self._offset else line.removeprefix(_BOM), self._number + 1, self._offset))
        self._lines.total += 1
        self._passed(1, len(line))
        return self._settle()

    def passed(self, lines: int, size: int, *, blank: int = 0) -> None:
        """Count lines that somebody else has read, one document each but for the blank ones; not while the reader waits. `size`: bytes."""
        self._lines.total += lines
        self._lines.blank += blank
        self._lines.documents += lines - blank
        self._passed(lines, size)

    def finish(self) -> Iterator[Found]:
        """What is left when the stream is at its end."""
        while self._held:
            yield from self._give_up(at_end=True)
            yield from self._settle()

    def _passed(self, lines: int, size: int) -> None:
        self._number += lines
        self._offset += size

    def _settle(self) -> Iterator[Found]:
        while self._waiting:
            line = self._waiting.popleft()
            if len(line.content) >= LONGEST_LINE and not line.content.endswith(b"\n"):
                if self._held:
                    # the rest of the long line follows in the stream, so nothing that waited can be read before it
                    yield from self._give_up(again=False)
                yield from self._long_line(line.content, line.offset)
            else:
                yield from self._line(line)

    def _line(self, line: _Line) -> Iterator[Found]:
        text = line.content.strip()
        if not text:
            self._lines.blank += 1
            return
        if self._held and not self._resumes(line.content, text):
            yield from self._hold(line)
            return
        value, fault = _parsed(text)
        if fault is None:
            if self._held:
                self._waiting.appendleft(line)
                yield from self._give_up()
                return
            self._lines.documents += 1
            yield Document(value, line.number, line.offset)
        elif self._held:
            yield from self._hold(line)
        elif _OPENING.match(bare := _ASSIGNMENT.sub(b"", text)) or _CLOSING.match(text):
            self._lines.wrapper += 1
        elif bare[:1] in (b"{", b"["):
            # white space at its end may belong to a string that was cut
            yield from self._hold(line._replace(content=_ASSIGNMENT.sub(b"", line.content.lstrip())))
        else:
            self._lines.broken += 1
            yield Broken("bad_json", line.number, line.offset, fault, text[:4096])

    def _resumes(self, line: bytes, text: bytes) -> bool:
        """Whether a line ends what is held by being a document itself: a whole object that begins where lines begin."""
        # the lines inside an indented document are indented; two letters are the `{}` of one that is not
        return line[:1] == b"{" and len(text) > 3 and text.rstrip(b",")[-1:] == b"}"

    def _hold(self, line: _Line) -> Iterator[Found]:
        self._held.append(line)
        self._held_bytes += len(line.content)
        self._scan.feed(line.content)
        if self._held_bytes > LONGEST_DOCUMENT or self._scan.impossible:
            yield from self._give_up()
        elif self._scan.complete:
            # a client that broke a line in two did it anywhere, also inside a string: without the line end it is what was sent
            whole = b"".join(part.content.rstrip(b"\r\n") for part in self._held)
            value, fault = _parsed(whole.strip())
            if fault is not None:
                yield from self._give_up()
                return
            self._lines.documents += 1
            self._lines.continued += len(self._held) - 1
            _, number, offset = self._held[0]
            self._forget()
            yield Document(value, number, offset)

    def _give_up(self, *, at_end: bool = False, again: bool = True) -> Iterator[Found]:
        """The first held line is broken, and costs itself alone: reading goes on at the next one that begins where documents begin.

        What stands between is broken too, one reject each, so that the lines add up.
        """
        held = self._held
        self._forget()
        later = (place for place in range(1, len(held)) if held[place].content[:1] in (b"{", b"["))
        end = next(later, len(held)) if again and self._again < AGAIN * self._number else len(held)
        self._again += len(held) - end
        self._waiting.extendleft(reversed(held[end:]))
        for content, number, offset in held[:end]:
            self._lines.broken += 1
            reason, detail = ("truncated", "the file ends in the middle of it") if at_end else ("bad_json", "cut off")
            yield Broken(reason, number, offset, detail, content.strip()[:4096])

    def _forget(self) -> None:
        self._held, self._held_bytes, self._scan = [], 0, _Scan()

    def _long_line(self, head: bytes, start: int) -> Iterator[Found]:
        """One line of more than LONGEST_LINE: a list of tweets is read element by element, anything else is refused."""
        number = self._number
        head = _ASSIGNMENT.sub(b"", head, count=1)
        opening = _STREAMABLE.match(head[:4096].decode("utf-8", "replace"))
        if opening is None:
            self._lines.broken += 1
            yield Broken("line_too_long", number, start, f"more than {LONGEST_LINE:,} bytes", head[:4096])
            self._skip_line()
            return
        self._lines.documents += 1
        yield from self._elements(head, opening.end(), number, start)

    def _elements(self, head: bytes, position: int, number: int, start: int) -> Iterator[Found]:
        # the regex ran on decoded text, but what it matches is ASCII before the first element
        elements = _Incremental(head[position:], self)
        while True:
            try:
                value = elements.next()
            except StopIteration:
                break
            except ValueError as error:
                fault = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
                yield Broken("bad_json", number, start, fault[:80], b"")
                break
            yield Document(value, number, start)
        if not elements.ended:
            self._skip_line()

    def more(self) -> bytes:
        """The next piece of the line at hand; b"" after its end."""
        piece = self._stream.readline(CHUNK)
        self._offset += len(piece)
        return piece

    def _skip_line(self) -> None:
        while (piece := self.more()) and not piece.endswith(b"\n"):
            pass


class _Incremental:
    """The elements of a JSON list that arrives in pieces."""

    def __init__(self, first: bytes, reader: Reader) -> None:
        self._reader = reader
        # keeps back a character that is cut between two pieces
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
        # small pieces of the first one too: what is left of a piece is copied for each further one
        self._pieces = deque(first[place : place + CHUNK] for place in range(0, len(first), CHUNK))
        self._text, self._place = "", 0
        self.ended = False

    def _grow(self) -> bool:
        if not self._pieces and not self.ended:
            self._pieces.append(self._reader.more())
            self.ended = not self._pieces[0] or self._pieces[0].endswith(b"\n")
        piece = self._pieces.popleft() if self._pieces else b""
        self._text, self._place = self._text[self._place :] + self._decoder.decode(piece), 0
        return bool(piece)

    def next(self) -> Any:
        while True:
            found = _BETWEEN.match(self._text, self._place)
            self._place = found.end() if found else self._place
            if self._text.startswith("]", self._place):
                raise StopIteration
            try:
                value, self._place = self._value()
            except RecursionError as error:
                raise ValueError("nested too deep") from error
            except ValueError:
                if len(self._text) - self._place > LONGEST_DOCUMENT or not self._grow():
                    raise
                continue
            return value

    def _value(self) -> tuple[Any, int]:
        try:
            return _DECODER.raw_decode(self._text, self._place)
        except json.JSONDecodeError:
            raise
        except ValueError:
            # see parse_json
            return _OF_LONG_INTEGERS.raw_decode(self._text, self._place)


class _Scan:
    """How deep in brackets the held lines are: a document is whole where the last one closes."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._seen = False
        self._escaped = False

    @property
    def complete(self) -> bool:
        return self._seen and self._depth == 0 and not self._in_string

    @property
    def impossible(self) -> bool:
        return self._depth < 0

    def feed(self, line: bytes) -> None:
        line = line.rstrip(b"\r\n")
        skip = 0 if self._escaped else -1
        self._escaped = False
        for found in _TOKEN.finditer(line):
            place = found.start()
            if place == skip:
                continue
            token = found.group()
            if token == b"\\":
                if self._in_string:
                    skip = place + 1
                    self._escaped = skip == len(line)
            elif token == b'"':
                self._in_string = not self._in_string
            elif not self._in_string:
                self._depth += 1 if token in b"[{" else -1
                self._seen = True


def _parsed(text: bytes) -> tuple[Any, str | None]:
    """(value, None), or (None, what is wrong). Rows of an export end in a comma."""
    try:
        return parse_json(text), None
    except ValueError as error:
        fault = str(error) if not isinstance(error, UnicodeDecodeError) else "not UTF-8"
    if text.endswith(b","):
        try:
            return parse_json(text[:-1]), None
        except ValueError:
            pass
    return None, re.sub(r"'[^']*'", "...", fault)[:80]
