"""A second reader of archive files, written without pipeline/: gzip, bz2, tarfile, zipfile and json.loads, whole files in memory.

It says of every line what became of it and of every record where it stood. Only tests use it (test_agreement.py).
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import zstandard

from tests import plain_posts

#: `[`, `{"rows":[`, `window.YTD.tweets.part0 = [`: a list begins that has an element a line.
OPENING: Final = re.compile(r'(?:window\.[\w.]+\s*=\s*)?(?:\{(?:\s*"[^"]*"\s*:\s*(?:\d+|"[^"]*")\s*,)*\s*"\w+"\s*:\s*)?\[')
CLOSING: Final = re.compile(r"\]\s*\}?\s*[,;]?")
ASSIGNMENT: Final = re.compile(r"window\.[\w.]+\s*=\s*")


@dataclass(frozen=True)
class Found:
    """One thing that a line holds: what it is (see plain_posts.Outcome; a broken line is a reject) and where it stands."""

    what: str
    value: Any
    member: str
    line: int
    offset: int
    broken: bool = False


@dataclass
class Reading:
    """A file as the plain reader sees it; `fates` says of every line, in order, what became of it."""

    found: list[Found] = field(default_factory=list)
    fates: list[tuple[str, str]] = field(default_factory=list)

    def lines(self) -> Counter[str]:
        """Fate → how many lines."""
        return Counter(fate for _, fate in self.fates)


def read(content: bytes) -> Reading:
    """What a file holds."""
    reading = Reading()
    for name, plain in members("", content):
        for kind, value, line, offset in _Lines(name, plain, reading).documents():
            if kind == "broken":
                reading.found.append(Found("reject", value, name, line, offset, broken=True))
            else:
                for what, inner in plain_posts.outcomes(value):
                    reading.found.append(Found(what, inner, name, line, offset))
    return reading


def read_path(path: Path) -> Reading:
    """What the file at a path holds."""
    return read(path.read_bytes())


def members(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """(path inside, plain bytes) of what a whole, unbroken file holds."""
    head = content[:6]
    if head.startswith(b"\x1f\x8b"):
        yield from members(name, gzip.decompress(content))
    elif head.startswith(b"BZh"):
        yield from members(name, bz2.decompress(content))
    elif head.startswith(b"\xfd7zXZ\x00"):
        yield from members(name, lzma.decompress(content))
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        with zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True) as stream:
            yield from members(name, stream.read())
    elif head.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                if not entry.is_dir():
                    yield from members(entry.filename, archive.read(entry))
    elif content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            for member in tar:
                if member.isfile():
                    inner = tar.extractfile(member)
                    assert inner is not None
                    yield from members(f"{name}/{member.name}" if name else member.name, inner.read())
    elif head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        yield name, content.decode("utf-16", "surrogatepass").encode("utf-8", "surrogatepass")
    else:
        yield name, content


class _Lines:
    """The lines of one plain file, and what they make together."""

    def __init__(self, member: str, content: bytes, reading: Reading) -> None:
        self.member, self.reading = member, reading
        self.lines = content.split(b"\n")
        if self.lines[-1] == b"":
            self.lines.pop()
        self.offsets = [0]
        for line in self.lines:
            self.offsets.append(self.offsets[-1] + len(line) + 1)

    def documents(self) -> Iterator[tuple[str, Any, int, int]]:
        """(document or broken, value or reason, line, offset)."""
        at = 0
        while at < len(self.lines):
            kind, value, taken = self._one(at)
            if kind in ("document", "broken"):
                yield kind, value, at + 1, self.offsets[at]
            self.reading.fates.append((self.member, kind))
            self.reading.fates.extend((self.member, "blank" if not self._text(more).strip() else "continued") for more in range(at + 1, at + taken))
            at += taken

    def _text(self, at: int) -> bytes:
        line = self.lines[at].removesuffix(b"\r")
        return line.removeprefix(b"\xef\xbb\xbf") if at == 0 else line

    def _one(self, at: int) -> tuple[str, Any, int]:
        """(fate of the line at `at`, the value or the reason, how many lines it takes)."""
        line = self._text(at)
        if not line.strip():
            return "blank", None, 1
        whole, value = parsed(line)
        if whole:
            return "document", value, 1
        text = line.decode("utf-8", "surrogateescape").strip()
        if OPENING.fullmatch(text):
            return "wrapper", None, 1
        if CLOSING.fullmatch(text):
            return "wrapper", None, 1
        return self._joined(at)

    def _joined(self, at: int) -> tuple[str, Any, int]:
        """A document of several lines, as it was cut by its writer or indented; else the one line is broken."""
        held = self._text(at)
        more = at
        while begins(held):
            more += 1
            if more == len(self.lines):
                return "broken", "truncated", 1
            held += self._text(more)
            whole, value = parsed(held)
            if whole:
                return "document", value, more - at + 1
        return "broken", "bad_json", 1


def parsed(line: bytes) -> tuple[bool, Any]:
    """(whether it is one JSON value, the value); a comma after an element and an assignment before it are no part of it."""
    try:
        text = line.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False, None
    text = text.strip(" \t\r\n")
    for candidate in (text, text.removesuffix(",").removesuffix(";"), ASSIGNMENT.sub("", text, count=1).removesuffix(";")):
        try:
            return True, json.loads(candidate, strict=False, parse_int=_integer)
        except (ValueError, RecursionError):
            pass
    return False, None


def _integer(digits: str) -> int | float:
    # Python refuses to read an integer of more than 4,300 digits
    return int(digits) if len(digits) <= 4300 else float(digits)


def begins(text: bytes) -> bool:
    """Whether text could be the beginning of a JSON object or array that is not yet at its end."""
    try:
        characters = text.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return False
        characters = text[: error.start].decode("utf-8")
    stripped = ASSIGNMENT.sub("", characters.lstrip(" \t\r\n"), count=1)
    if not stripped.startswith(("{", "[")):
        return False
    return _prefix(stripped)


#: One JSON token; a string or literal that the end of the text cuts short is none.
TOKEN: Final = re.compile(r'[ \t\r\n]*(?:(["{}\[\],:])|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity))')
STRING: Final = re.compile(r'"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
CUT_STRING: Final = re.compile(r'"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*(?:\\(?:u[0-9a-fA-F]{0,3})?)?')
CUT_VALUE: Final = re.compile(r"[ \t\r\n]*(?:-?\d*\.?\d*(?:[eE][+-]?\d*)?|-?[tfnNI][a-zA-Z]*)?")


def _prefix(text: str) -> bool:
    """Whether more text could complete it: a pushdown automaton over tokens."""
    stack: list[str] = []
    wanted = "value"
    position = 0
    while position < len(text):
        token = TOKEN.match(text, position)
        if token is None:
            return wanted in ("value", "value or ]") and CUT_VALUE.fullmatch(text, position) is not None or text[position:].strip() == ""
        sign = token[1]
        if sign == '"':
            start = token.start(1)
            string = STRING.match(text, start)
            if string is None:
                allowed = ("value", "value or ]", "key", "key or }")
                return wanted in allowed and CUT_STRING.fullmatch(text, start) is not None
            position = string.end()
            sign = "key" if wanted in ("key", "key or }") else "value"
        else:
            position = token.end()
            sign = sign or "value"
        nxt = _step(stack, wanted, sign)
        if nxt is None or nxt == "end":
            return False
        wanted = nxt
    return True


def _step(stack: list[str], wanted: str, sign: str) -> str | None:
    """What may follow a token; None where it may not stand there."""
    values, keys = ("value", "value or ]"), ("key", "key or }")
    if sign in "{[" and wanted in values:
        stack.append(sign)
        return "key or }" if sign == "{" else "value or ]"
    if sign == "value" and wanted in values:
        return "more" if stack else "end"
    if sign == "key" and wanted in keys:
        return ":"
    if sign == ":" and wanted == ":":
        return "value"
    if sign == "," and wanted == "more":
        return "key" if stack[-1] == "{" else "value"
    if sign in "}]" and (wanted == "more" or wanted.endswith(sign)) and stack and stack[-1] == {"}": "{", "]": "["}[sign]:
        stack.pop()
        return "more" if stack else "end"
    return None
