"""A second reader of archive files, written without pipeline/: gzip, bz2, tarfile, zipfile and json.loads, whole files in memory.

It says of every line what became of it and of every record where it stood. Only tests use it (test_agreement.py).
"""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import json
import lzma
import re
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import zstandard

from tests import plain_posts

#: `[`, or `{"total_rows":3,"rows":[`: a list begins that has an element a line; and how it ends.
OPENING: Final = re.compile(rb'(\{\s*("[^"\\]*"\s*:\s*([^"\[\]{},]+|"[^"\\]*")\s*,\s*)*"(rows|results|statuses)"\s*:\s*)?\[')
CLOSING: Final = re.compile(rb"\][\]}\s;]*")
ASSIGNMENT: Final = re.compile(rb"\s*window\.[\w.]+\s*=\s*")
STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
#: How often, over all lines of a file, lines that waited in vain are read again.
AGAIN: Final = 2


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
    searches: list[str] = field(default_factory=list)
    #: What the notices of one tweet each ask to delete; None for one that is spoiled, or stands in a list of others.
    deleted: list[int | None] = field(default_factory=list)

    def lines(self) -> Counter[str]:
        """Fate → how many lines."""
        return Counter(fate for _, fate in self.fates)


def read(content: bytes) -> Reading:
    """What a file holds."""
    reading = Reading()
    for name, plain in members("", content):
        before = 3 if plain.startswith(b"\xef\xbb\xbf") else 0
        for kind, value, line, offset in _Lines(name, plain, reading).documents(before):
            if kind == "broken":
                reading.found.append(Found("reject", value, name, line, offset, broken=True))
            else:
                reading.searches += plain_posts.searches(value)
                for what, inner in plain_posts.outcomes(value):
                    reading.found.append(Found(what, inner, name, line, offset))
                    if what == "notice" and inner[0] in ("delete", "drop"):
                        reading.deleted.append(plain_posts.deleted(value))
    return reading


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
        # the mark stays a mark: offsets are those of the same text in UTF-8
        encoding = "utf-16-le" if head[:1] == b"\xff" else "utf-16-be"
        yield name, content.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    else:
        yield name, content


class _Lines:
    """The lines of one plain file, and what they make together.

    A line that is no JSON by itself but begins with a bracket waits for those that follow, joined without their line ends, until the
    brackets are balanced. It has waited in vain where they close too often, where what is balanced is no JSON, where a line that is a
    whole object begins in the first column, or where the file ends. Then it is broken; reading goes on at the next line that begins in
    its first column with a bracket.
    """

    def __init__(self, member: str, content: bytes, reading: Reading) -> None:
        self.member, self.reading = member, reading
        content = content.removeprefix(b"\xef\xbb\xbf")
        self.lines = content.split(b"\n")
        if self.lines[-1] == b"":
            self.lines.pop()
        self.again = self.reached = 0

    def documents(self, before: int) -> Iterator[tuple[str, Any, int, int]]:
        """(document or broken, value or reason, line, offset); `before` is the length of a byte order mark."""
        offsets = [0, *itertools.accumulate(len(line) + 1 for line in self.lines)]
        offsets[1:] = [offset + before for offset in offsets[1:]]
        at = 0
        while at < len(self.lines):
            for kind, value in self._next(at):
                if kind in ("document", "broken"):
                    yield kind, value, at + 1, offsets[at]
                self.reading.fates.append((self.member, kind))
                at += 1

    def _next(self, at: int) -> list[tuple[str, Any]]:
        """The fates of the line at `at` and perhaps of some after it, with the value or the reason."""
        self.reached = max(self.reached, at + 1)
        text = self.lines[at].strip()
        if not text:
            return [("blank", None)]
        whole, value = parsed(text)
        if whole:
            return [("document", value)]
        bare = ASSIGNMENT.sub(b"", text, count=1) if ASSIGNMENT.match(text) else text
        if OPENING.fullmatch(bare) or CLOSING.fullmatch(text):
            return [("wrapper", None)]
        if not bare.startswith((b"{", b"[")):
            return [("broken", "bad_json")]
        return self._joined(at, bare)

    def _joined(self, at: int, bare: bytes) -> list[tuple[str, Any]]:
        held = self.lines[at].lstrip()
        held = (ASSIGNMENT.sub(b"", held, count=1) if ASSIGNMENT.match(held) else held).rstrip(b"\r")
        waiting = [at]
        for more in range(at + 1, len(self.lines)):
            depth = _depth(held)
            whole, value = parsed(held.strip()) if depth == 0 else (False, None)
            if whole:
                return self._fates(waiting, ("document", value), ("continued", None))
            if depth is not None and depth <= 0:
                return self._in_vain(waiting, "bad_json")
            self.reached = max(self.reached, more + 1)
            line, text = self.lines[more], self.lines[more].strip()
            if text:
                if line.startswith(b"{") and len(text) > 3 and text.rstrip(b",").endswith(b"}") and parsed(text)[0]:
                    return self._in_vain(waiting, "bad_json")
                held += line.rstrip(b"\r")
                waiting.append(more)
        depth = _depth(held)
        whole, value = parsed(held.strip()) if depth == 0 else (False, None)
        if whole:
            return self._fates(waiting, ("document", value), ("continued", None))
        return self._in_vain(waiting, "bad_json" if depth is not None and depth <= 0 else "truncated")

    def _in_vain(self, waiting: list[int], reason: str) -> list[tuple[str, Any]]:
        later = [at for at in waiting[1:] if self.lines[at].startswith((b"{", b"["))]
        if later and self.again < AGAIN * self.reached:
            self.again += sum(at >= later[0] for at in waiting)
            waiting = [at for at in waiting if at < later[0]]
        return self._fates(waiting, ("broken", reason), ("broken", reason))

    def _fates(self, waiting: list[int], first: tuple[str, Any], others: tuple[str, Any]) -> list[tuple[str, Any]]:
        """Of every line from the first to the last of these; those between that are not among them are blank."""
        between = [others if at in waiting else ("blank", None) for at in range(waiting[0] + 1, waiting[-1] + 1)]
        return [first, *between]


def _depth(text: bytes) -> int | None:
    """How many brackets are open at its end; None within a string."""
    outside = STRING.sub(b"", text)
    if b'"' in outside:
        return None
    return sum(outside.count(sign) for sign in (b"{", b"[")) - sum(outside.count(sign) for sign in (b"}", b"]"))


def parsed(text: bytes) -> tuple[bool, Any]:
    """(whether it is one JSON value, the value); rows of an export end in a comma."""
    for candidate in (text, text.removesuffix(b",")):
        try:
            return True, json.loads(candidate.decode("utf-8", "surrogatepass"), strict=False, parse_int=_integer)
        except (ValueError, RecursionError):
            pass
    return False, None


def _integer(digits: str) -> int | float:
    # Python refuses to read an integer of more than 4,300 digits
    return int(digits) if len(digits) <= 4300 else float(digits)
