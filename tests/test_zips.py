"""The files in zips of all kinds, by their list and as streams, and what cannot be read of them."""

from __future__ import annotations

import gzip
import io
import random
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline import streams
from pipeline.streams import Damage
from tests.packed import tarred

PLAIN = b"".join(b'{"n": %d}\n' % (n * n * 7919 % 1_000_003) for n in range(3_000))
METHODS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}


def read(content: bytes, **options: Any) -> tuple[dict[str, bytes], list[Damage]]:
    """(member → its bytes, what is said)."""
    damages: list[Damage] = []
    return {member.name: member.stream.read() for member in streams.members(io.BytesIO(content), damages, **options)}, damages


class Unseekable(io.RawIOBase):
    """Where a zip cannot go back to write sizes into headers: they follow the members, as in what servers send."""

    def __init__(self) -> None:
        super().__init__()
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.content += data
        return len(data)


def zipped(method: int = zipfile.ZIP_DEFLATED, *, streamed: bool = False, wide: bool = False, **files: bytes) -> bytes:
    """A zip; `__` in a name is a dot."""
    target: Any = Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in files.items():
            with archive.open(name.replace("__", "."), "w", force_zip64=wide) as file:
                file.write(content)
    return bytes(target.content) if streamed else target.getvalue()


def inside(content: bytes) -> bytes:
    """In a tar, where a zip can be read forward only."""
    return tarred({"z": content, "after": b"{}"})


@pytest.mark.parametrize("wide", [False, True], ids=["zip", "zip64"])
@pytest.mark.parametrize("streamed", [False, True], ids=["sizes before", "sizes behind"])
@pytest.mark.parametrize("method", METHODS)
def test_all_methods_are_read_by_the_list(method: str, streamed: bool, wide: bool) -> None:
    """However the zip was written."""
    content = zipped(METHODS[method], streamed=streamed, wide=wide, a=PLAIN, b=b"", c__gz=gzip.compress(PLAIN))
    assert read(content) == ({"a": PLAIN, "b": b"", "c.gz": PLAIN}, [])


@pytest.mark.parametrize("wide", [False, True], ids=["zip", "zip64"])
@pytest.mark.parametrize("streamed", [False, True], ids=["sizes before", "sizes behind"])
@pytest.mark.parametrize("method", METHODS)
def test_all_methods_are_read_inside_other_archives(method: str, streamed: bool, wide: bool) -> None:
    """As a stream, nothing on the disk; only the length of what is stored with its size behind it nobody can know."""
    content = zipped(METHODS[method], streamed=streamed, wide=wide, a=PLAIN, b=b"", c__gz=gzip.compress(PLAIN))
    found, damages = read(inside(content))
    assert found.pop("after") == b"{}"
    if streamed and method in ("stored", "lzma"):
        assert [damage.reason for damage in damages] == ["unsupported_zip", "broken_zip"]
        assert "unpack the zip" in damages[-1].detail
    else:
        assert (found, damages) == ({"z/a": PLAIN, "z/b": b"", "z/c.gz": PLAIN}, [])


def test_a_cut_zip_gives_what_is_there() -> None:
    """Its list is at its end; the members before the cut are read without it."""
    whole = zipped(a=PLAIN, b=PLAIN)
    for cut in range(200, len(whole) - 30, 997):
        found, damages = read(whole[:cut])
        plain = b"".join(found.values())
        assert (PLAIN + PLAIN).startswith(plain)
        assert damages[0].reason == "broken_zip"
    assert read(whole[:-40])[0] == {"a": PLAIN, "b": PLAIN}


def test_a_broken_member_costs_itself() -> None:
    """Corrupt bytes, a wrong checksum, a header that is none: the others are read."""
    whole = zipped(a=PLAIN, b=PLAIN, c=PLAIN)
    second = whole.index(b"PK\3\4", 10)
    for place, reasons in (
        (second, {"broken_zip"}),
        (second + 500, {"corrupt_zip", "truncated_member", "truncated_zip"}),
    ):
        broken = bytearray(whole)
        broken[place : place + 30] = bytes(255 - byte for byte in broken[place : place + 30])
        found, damages = read(bytes(broken))
        assert (found["a"], found["c"]) == (PLAIN, PLAIN)
        assert {damage.member for damage in damages} == {"b"}
        assert damages[0].reason in reasons
    wrong = bytearray(zipped(zipfile.ZIP_STORED, a=PLAIN, b=PLAIN))
    wrong[100] ^= 1
    found, damages = read(bytes(wrong))
    assert found["b"] == PLAIN
    assert [(damage.member, damage.reason) for damage in damages] == [("a", "corrupt_zip")]


def test_what_cannot_be_read_is_named() -> None:
    """A member with a password, a method that is not known; folders need no word, nor does a zip with nothing in it."""
    whole = bytearray(zipped(zipfile.ZIP_STORED, a=PLAIN, b=PLAIN))
    listed = whole.index(b"PK\1\2")
    whole[6] |= 1
    whole[listed + 8] |= 1
    second = whole.index(b"PK\3\4", 10)
    listed = whole.index(b"PK\1\2", listed + 4)
    whole[second + 8] = whole[listed + 10] = 97
    found, damages = read(bytes(whole))
    assert found == {}
    assert [(damage.member, damage.reason) for damage in damages] == [("a", "encrypted"), ("b", "unsupported_zip")]
    assert read(inside(bytes(whole)))[0] == {"after": b"{}"}
    assert read(zipped()) == ({}, [])
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.mkdir("folder") if hasattr(archive, "mkdir") else archive.writestr("folder/", b"")
        archive.writestr("folder/a", PLAIN)
    assert read(target.getvalue()) == ({"folder/a": PLAIN}, [])


def test_members_are_skipped_by_their_labels() -> None:
    """In both ways of reading; what follows is found."""
    for streamed in (False, True):
        content = zipped(streamed=streamed, a=PLAIN, b=PLAIN, c=PLAIN)
        assert read(content, skip=lambda name: name.endswith("b"))[0] == {"a": PLAIN, "c": PLAIN}
        assert read(inside(content), skip=lambda name: name.endswith("b"))[0] == {"z/a": PLAIN, "z/c": PLAIN, "after": b"{}"}


def test_names_are_labels_only() -> None:
    """Leading out of the folder, absolute, with what a terminal obeys, very long."""
    names = ["../../etc/passwd", "/etc/passwd", "a\x1b[2J\nb", "n" * 10_000]
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"{}")
    found, damages = read(target.getvalue())
    assert damages == []
    assert list(found)[:3] == ["../../etc/passwd", "/etc/passwd", "a\\x1b[2J\\nb"]
    assert len(list(found)[3]) == 200


@pytest.mark.skipif(shutil.which("zip") is None, reason="the command zip is not installed")
def test_what_the_command_writes_is_read(tmp_path: Path) -> None:
    """Into a file, and into a pipe."""
    (tmp_path / "tweets.jsonl").write_bytes(PLAIN)
    subprocess.run(["zip", "-q", "out.zip", "tweets.jsonl"], cwd=tmp_path, check=True)
    piped = subprocess.run("zip -q - tweets.jsonl | cat", shell=True, cwd=tmp_path, check=True, capture_output=True).stdout
    for content in ((tmp_path / "out.zip").read_bytes(), piped):
        assert read(content) == ({"tweets.jsonl": PLAIN}, [])
        assert read(inside(content))[0]["z/tweets.jsonl"] == PLAIN


def test_no_bytes_make_it_fail() -> None:
    """Zips and tars with a few bytes turned, wherever: damage, not an error; and never an end that does not come."""
    drawn = random.Random(2)
    whole = zipped(a=PLAIN[:500], b=b"{}"), inside(zipped(streamed=True, a=PLAIN[:500], b=b"{}"))
    for number in range(1_500):
        content = bytearray(whole[number % 2])
        for _ in range(drawn.randint(1, 4)):
            place = drawn.randrange(len(content))
            content[place] = drawn.randrange(256)
        if number % 5 == 0:
            struct.pack_into("<I", content, drawn.randrange(len(content) - 4), drawn.choice([0, 0xFFFFFFFF, 2**31]))
        read(bytes(content))
