"""A file that is hashed by the reading that uses it."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import streams
from pipeline.errors import TransientError
from pipeline.importing.hashed import Hashed

PLAIN = random.Random(1).randbytes(700_000)


def zipped() -> bytes:
    """Read from its end first, then back and forth; its list is never read in order."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("b", PLAIN)
        archive.writestr("a", PLAIN)
    return target.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", PLAIN, gzip.compress(PLAIN), gzip.compress(PLAIN)[:-9], zipped()],
    ids=["empty", "plain", "gzip", "cut, so read twice", "zip"],
)
def test_the_hash_is_that_of_the_whole_file(tmp_path: Path, content: bytes) -> None:
    """However it was read: in order, twice, in parts or not at all."""
    path = tmp_path / "x"
    path.write_bytes(content)
    wanted = hashlib.sha256(content).hexdigest()
    with open(path, "rb", buffering=0) as file:
        hashed = Hashed(path, file)
        for member in streams.members(hashed, []):
            member.stream.read()
        assert hashed.sha256() == wanted
    with open(path, "rb") as file:
        assert Hashed(path, file).sha256() == wanted


def grown(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def cut(path: Path) -> None:
    os.truncate(path, 10)


def written_over(path: Path) -> None:
    with open(path, "r+b") as file:
        file.write(b"other")
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("change", [grown, cut, written_over])
def test_a_file_that_changes_is_refused_for_now(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Trying again when nobody writes to it helps."""
    path = tmp_path / "x"
    path.write_bytes(PLAIN)
    with open(path, "rb", buffering=0) as file:
        hashed = Hashed(path, file)
        hashed.read(100_000)
        change(path)
        with pytest.raises(TransientError, match=r"x changed while it was read: 700,000 bytes at first"):
            hashed.sha256()
