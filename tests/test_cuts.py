"""Compressed streams that are cut or corrupt give all that comes before, as exactly as the standard library would."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import zstandard

from pipeline import streams
from pipeline.streams import Damage, compression

DRAWN = random.Random(1)
#: Short lines of few different letters: where isal decodes several symbols at once, and would keep some back at a cut.
LINES = b"".join(bytes(DRAWN.choices(b'abcde"{}:,', k=30)) + b"\n" for _ in range(120))


def read(content: bytes) -> tuple[bytes, list[str]]:
    """(all plain bytes, reasons of damages)."""
    damages: list[Damage] = []
    found = b"".join(member.stream.read() for member in streams.members(io.BytesIO(content), damages))
    return found, [damage.reason for damage in damages]


STANDARD: dict[str, tuple[Callable[[bytes], bytes], Callable[[], Any]]] = {
    "gzip": (lambda plain: gzip.compress(plain, mtime=0), lambda: zlib.decompressobj(wbits=31)),
    "bzip2": (lambda plain: bz2.compress(plain, 1), bz2.BZ2Decompressor),
    "xz": (lzma.compress, lzma.LZMADecompressor),
    "zstd": (
        lambda plain: zstandard.ZstdCompressor(write_checksum=True).compress(plain),
        lambda: zstandard.ZstdDecompressor().decompressobj(),
    ),
}


@pytest.mark.parametrize("kind", STANDARD)
def test_cut_anywhere_a_stream_gives_what_is_whole(kind: str) -> None:
    """At every single byte: what the standard library gives, to the byte."""
    pack, standard = STANDARD[kind]
    packed = pack(LINES)
    for cut in range(6, len(packed)):
        assert read(packed[:cut]) == (standard().decompress(packed[:cut]), [f"truncated_{kind}"]), cut
    assert read(packed) == (LINES, [])


@pytest.mark.parametrize("kind", STANDARD)
def test_a_second_member_is_cut_like_the_first(kind: str) -> None:
    """Also in its header."""
    pack, standard = STANDARD[kind]
    packed = pack(LINES)
    for cut in [1, 2, 3, 5, 9, 11, 20, *range(21, len(packed), 97)]:
        found, damages = read(packed + packed[:cut])
        assert found == LINES + (standard().decompress(packed[:cut]) if cut > 6 else b""), cut
        assert damages == [f"truncated_{kind}"]


def test_what_comes_before_a_corrupt_bit_is_read() -> None:
    """Up to it, whatever isal had decoded in the same call; a wrong checksum costs nothing of the content."""
    plain = b"".join(b'{"n": %d}\n' % (n * n * 7919 % 1_000_003) for n in range(30_000))
    packed = gzip.compress(plain, mtime=0)
    for place in (len(packed) // 3, len(packed) // 2, len(packed) - 3_000):
        broken = bytearray(packed)
        # the reserved kind of block ends a deflate stream for sure, wherever it lies
        broken[place : place + 64] = bytes(64)
        found, damages = read(bytes(broken))
        assert damages == ["corrupt_gzip"]
        whole = zlib.decompressobj(wbits=31).decompress(packed[:place])
        assert found.startswith(whole)
    assert read(packed[:-8] + bytes(4) + packed[-4:]) == (plain, ["corrupt_gzip"])
    assert read(packed + packed[:-8] + bytes(8)) == (plain + plain, ["corrupt_gzip"])


def header(name: bytes = b"", extra: bytes = b"", comment: bytes = b"", *, checked: bool = False) -> bytes:
    """A gzip header with any of its fields."""
    flags = (8 if name else 0) | (4 if extra else 0) | (16 if comment else 0) | (2 if checked else 0)
    made = b"\x1f\x8b\x08" + bytes([flags]) + bytes(4) + b"\0\3"
    made += struct.pack("<H", len(extra)) + extra if extra else b""
    made += name + b"\0" if name else b""
    made += comment + b"\0" if comment else b""
    return made + (struct.pack("<H", zlib.crc32(made) & 0xFFFF) if checked else b"")


@pytest.mark.parametrize(
    "head",
    [
        header(),
        header(b"tweets.jsonl"),
        header(b"a", b"BC\2\0xx", b"by hand", checked=True),
        header(extra=bytes(5_000)),
        header(b"n" * 60_000),
    ],
    ids=["bare", "name", "all", "extra", "long"],
)
def test_gzip_headers_of_all_kinds_are_read(head: bytes) -> None:
    """Also where one is cut between two pieces, as in bgzip's and WARC's files of many small members (isal's own reading fails there)."""
    packed = head + gzip.compress(LINES, mtime=0)[10:]
    times = 2 * compression.PIECE // len(packed) + 2
    assert read(packed * times) == (LINES * times, [])


def test_a_header_without_end_is_refused() -> None:
    """Rather than kept in memory for ever."""
    assert read(header(b"n" * 200_000)[:-1]) == (b"", ["corrupt_gzip"])
    assert read(b"\x1f\x8b\x07" + bytes(20)) == (b"", ["corrupt_gzip"])


def test_zstd_frames_of_all_kinds_are_read() -> None:
    """Skippable ones, with and without size and checksum, one after another; and padding, but nothing else."""
    skippable = b"\x55\x2a\x4d\x18" + struct.pack("<I", 100_000) + bytes(100_000)
    frames = [
        zstandard.ZstdCompressor(write_checksum=checked, write_content_size=sized).compress(LINES * times)
        for checked in (True, False)
        for sized in (True, False)
        for times in (0, 1, 200)
    ]
    plain = LINES * 201 * 4
    assert read(skippable + b"".join(frames)) == (plain, [])
    assert read(skippable.join(frames)) == (plain, [])
    assert read(b"".join(frames) + bytes(200_000)) == (plain, [])
    assert read(b"".join(frames) + b"\n") == (plain, ["trailing_bytes_zstd"])
    assert read(b"".join(frames) + bytes(5) + b"rubbish") == (plain, ["trailing_bytes_zstd"])
    assert read(b"".join(frames) + skippable[:50]) == (plain, ["truncated_zstd"])


def test_a_cut_member_of_a_tar_gives_what_is_whole() -> None:
    """Where the stream cannot be read a second time, all but a byte or two that isal holds back."""
    packed = gzip.compress(LINES, mtime=0)
    for cut in range(60, len(packed), 41):
        target = io.BytesIO()
        with tarfile.open(fileobj=target, mode="w") as archive:
            entry = tarfile.TarInfo("a.gz")
            entry.size = cut
            archive.addfile(entry, io.BytesIO(packed[:cut]))
        found, damages = read(target.getvalue())
        whole = zlib.decompressobj(wbits=31).decompress(packed[:cut])
        assert damages == ["truncated_gzip"]
        assert whole.startswith(found)
        assert len(whole) - len(found) <= 2
