"""Files that unpack to far more than any archive of tweets: stopped early, in little memory, and what stands beside them is read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from pipeline import streams
from pipeline.streams import Damage, layers
from tests.packed import tarred, zipped

# gigabytes of nothing: all of them in `make test`
pytestmark = pytest.mark.slow

MEGABYTE = 1024 * 1024
ROOT = Path(__file__).resolve().parents[1]


def drained(content: bytes, counted: Callable[[], tuple[int, int]] = lambda: (0, 0)) -> tuple[dict[str, int], list[Damage]]:
    """(member → bytes that came out of it, what is said)."""
    damages: list[Damage] = []
    found = {}
    for member in streams.members(io.BytesIO(content), damages, counted=counted):
        found[member.name] = 0
        while piece := member.stream.read(MEGABYTE):
            found[member.name] += len(piece)
    return found, damages


def zeros(megabytes: int, of: bytes = b"\0") -> bytes:
    """So many megabytes of the same, as gzip, by members of 32."""
    return gzip.compress(of * (32 * MEGABYTE // len(of))) * (megabytes // 32)


PACKED: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: zeros(1024),
    "bzip2": lambda: bz2.compress(bytes(32 * MEGABYTE)) * 32,
    "xz": lambda: lzma.compress(bytes(32 * MEGABYTE), preset=1) * 32,
    "zstd": lambda: zstandard.compress(bytes(32 * MEGABYTE)) * 32,
}


@pytest.mark.parametrize("kind", PACKED)
def test_a_gigabyte_of_zeros_is_stopped(kind: str) -> None:
    """After 64 MiB, and it is said where."""
    found, damages = drained(PACKED[kind]())
    assert layers.BOMB_BYTES <= found[""] < layers.BOMB_BYTES + 2 * MEGABYTE
    (damage,) = damages
    assert damage.reason == f"bomb_{kind}"
    assert not damage.harmless


def test_what_compresses_as_well_as_archives_do_is_no_bomb() -> None:
    """Any number of bytes at 100 to one, without a usable line; and at 1,000 to one, if there is a usable record a megabyte."""
    line = b"".join(b'{"n": %d}' % (n * n * 7919 % 1_000_003) for n in range(1_000))
    padded = gzip.compress((line + bytes(600_000)) * 60) * 4
    found, damages = drained(padded)
    assert damages == []
    assert 100 < found[""] / len(padded) < layers.BOMB_RATIO
    assert found[""] > 2 * layers.BOMB_BYTES
    asked = [0]

    def one_a_megabyte() -> tuple[int, int]:
        asked[0] += layers.LOOK_EVERY // MEGABYTE
        return 0, asked[0]

    assert drained(zeros(256), one_a_megabyte) == ({"": 256 * MEGABYTE}, [])


def test_many_lines_of_nothing_are_stopped_earlier() -> None:
    """Each costs its time: a million are enough."""
    given = [0]

    def counted() -> tuple[int, int]:
        given[0] += layers.LOOK_EVERY
        return given[0], 0

    found, damages = drained(zeros(256, b"\n"), counted)
    assert found[""] < 24 * MEGABYTE
    assert [damage.reason for damage in damages] == ["bomb_gzip"]


def test_a_bomb_in_an_archive_costs_itself_alone() -> None:
    """The members after it are read."""
    found, damages = drained(tarred({"a": b"{}", "bomb": zeros(256), "b": b"{}"}))
    assert (found["a"], found["b"]) == (2, 2)
    assert [(damage.member, damage.reason) for damage in damages] == [("bomb", "bomb_gzip")]


def test_zips_in_zips_end() -> None:
    """16 in each of 16 in each of 16 …, with half a gigabyte of zeros in each at last: after a few the rest is left."""
    content = zipped({"zeros": bytes(512 * MEGABYTE)})
    for _ in range(5):
        content = zipped({f"{number}.zip": content for number in range(16)})
    found, damages = drained(content)
    assert len(found) == layers.MOST_BOMBS
    assert {damage.reason for damage in damages[:-1]} == {"bomb_zip"}
    assert damages[-1].reason == "too_many_bombs"


def test_many_empty_archives_in_archives_end() -> None:
    """They cost time though nothing comes out of them."""
    content = zipped({"a": b""})
    for _ in range(6):
        content = zipped({f"{number}.zip": content for number in range(10)})
    found, damages = drained(content)
    assert len(found) <= layers.MOST_EMPTY
    assert [damage.reason for damage in damages] == ["too_many_bombs"]


def test_a_list_that_names_the_same_bytes_again_and_again_ends() -> None:
    """A zip whose 10,000 entries overlap: one kernel of 128 MiB of zeros (D. Fifield, A better zip bomb, 2019)."""
    plain = bytes(128 * MEGABYTE)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(plain) + packer.flush()
    crc = zlib.crc32(plain)
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(packed), len(plain), 1, 0) + b"0" + packed
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, len(packed), len(plain), 1, 0, 0, 0, 0, 0, 0) + b"0"
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 10_000, 10_000, 10_000 * len(entry), len(local), 0)
    found, damages = drained(local + entry * 10_000 + end)
    *bombs, rest = damages
    assert len(bombs) == layers.MOST_BOMBS
    assert {damage.reason for damage in bombs} == {"bomb_zip"}
    # the other 9,992 entries are not passed over in silence
    assert (rest.reason, rest.member) == ("too_many_bombs", "")
    assert found.keys() == {"0"}


def test_a_sparse_member_of_a_terabyte_is_stopped() -> None:
    """GNU tar packs its holes into a few hundred bytes."""
    entry = tarfile.TarInfo("sparse")
    entry.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.size": str(2**40),
        "GNU.sparse.map": f"0,2,{2**40 - 2},0",
        "GNU.sparse.name": "sparse",
    }
    entry.size = 2
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(entry, io.BytesIO(b"{}"))
    found, damages = drained(target.getvalue())
    assert found["sparse"] < 80 * MEGABYTE
    assert [(damage.member, damage.reason) for damage in damages] == [("sparse", "bomb_tar")]


MEASURE = """
import resource, sys
from pipeline import streams
damages = []
with open(sys.argv[1], "rb") as file:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for member in streams.members(file, damages):
        while member.stream.read(1 << 20):
            pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, damages[0].reason)
"""


def test_a_hundred_gigabytes_take_little_memory(tmp_path: Path) -> None:
    """A gz of 100 GB of zeros, and one frame of zstd with a window of 2 GB: at most what was read until they are stopped."""
    path = tmp_path / "zeros.gz"
    member = zeros(1024)
    with open(path, "wb") as file:
        for _ in range(100):
            file.write(member)
    wide = tmp_path / "wide.zst"
    packer = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=31)).compressobj()
    with open(wide, "wb") as file:
        for _ in range(256):
            file.write(packer.compress(bytes(MEGABYTE)))
        file.write(packer.flush())
    for name, most, reason in ((path, 16, "bomb_gzip"), (wide, 100, "bomb_zstd")):
        done = subprocess.run([sys.executable, "-c", MEASURE, str(name)], capture_output=True, text=True, check=True, cwd=ROOT)
        megabytes, said = done.stdout.split()
        assert (int(megabytes) <= most, said) == (True, reason), done.stdout
