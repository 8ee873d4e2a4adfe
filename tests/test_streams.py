"""Any file as plain streams: told by content, in any packing, up to where it breaks."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline import streams
from pipeline.streams import Damage
from tests.packed import tarred

# random enough not to vanish when compressed
PLAIN = b"".join(b'{"n": %d}\r\n' % (n * n * 7919 % 1_000_003) for n in range(8_000))
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    # as the command line does; without a checksum zstd cannot tell turned bytes from others
    "zstd": lambda content: zstandard.ZstdCompressor(write_checksum=True).compress(content),
    "xz": lzma.compress,
}


def read(content: bytes) -> tuple[dict[str, bytes], list[Damage]]:
    """(member name → its bytes, what is broken)."""
    damages: list[Damage] = []
    found = {member.name: member.stream.read() for member in streams.members(io.BytesIO(content), damages)}
    return found, damages


def test_a_plain_file_is_itself() -> None:
    """Whatever is in it, and if nothing is."""
    assert read(PLAIN) == ({"": PLAIN}, [])
    assert read(b"") == ({"": b""}, [])
    assert read(b"x") == ({"": b"x"}, [])


@pytest.mark.parametrize("kind", PACK)
def test_compression_is_told_by_content(kind: str) -> None:
    """Also of nothing, several members one after another, padded with zeros, and twice over."""
    pack = PACK[kind]
    assert read(pack(PLAIN)) == ({"": PLAIN}, [])
    assert read(pack(b"")) == ({"": b""}, [])
    assert read(pack(PLAIN) + pack(PLAIN)) == ({"": PLAIN + PLAIN}, [])
    assert read(pack(PLAIN) + bytes(70_000)) == ({"": PLAIN}, [])
    assert read(pack(gzip.compress(PLAIN))) == ({"": PLAIN}, [])


@pytest.mark.parametrize("kind", PACK)
def test_what_comes_before_a_cut_is_read(kind: str) -> None:
    """And the damage says what broke and where."""
    packed = PACK[kind](PLAIN)
    found, damages = read(packed[: len(packed) * 2 // 3])
    assert PLAIN.startswith(found[""])
    assert [(damage.reason, damage.offset) for damage in damages] == [(f"truncated_{kind}", len(packed) * 2 // 3)]


@pytest.mark.parametrize("kind", PACK)
def test_what_comes_before_rubbish_is_read(kind: str) -> None:
    """Bytes turned in the middle end the stream there; something plain after its end is reported."""
    packed = bytearray(PACK[kind](PLAIN))
    middle = len(packed) // 2
    packed[middle : middle + 40] = bytes(255 - byte for byte in packed[middle : middle + 40])
    found, damages = read(bytes(packed))
    assert len(damages) == 1
    assert found[""][: len(PLAIN) // 8] == PLAIN[: len(found[""][: len(PLAIN) // 8])]
    found, damages = read(PACK[kind](PLAIN) + b"something else")
    assert (found, [damage.reason for damage in damages]) == ({"": PLAIN}, [f"trailing_bytes_{kind}"])


def test_tars_are_read_member_by_member() -> None:
    """Of compressed files, compressed itself, and in each other."""
    inner = tarred({"b": PLAIN})
    packed = gzip.compress(tarred({"day/01/00": bz2.compress(PLAIN), "plain": b"{}", "inner": PACK["zstd"](inner)}))
    assert read(packed) == ({"day/01/00": PLAIN, "plain": b"{}", "inner/b": PLAIN}, [])


def test_names_in_other_encodings_are_names() -> None:
    """An old tar from Windows; the name goes into tables and files, which hold UTF-8 only."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo("año/1"), io.BytesIO())
    assert read(target.getvalue()) == ({"a\\xf1o/1": b""}, [])


def test_a_broken_member_does_not_cost_the_next() -> None:
    """A truncated file inside a whole tar."""
    found, damages = read(tarred({"a": gzip.compress(PLAIN)[:1000], "b": b"{}"}))
    assert found["b"] == b"{}"
    assert [(damage.member, damage.reason) for damage in damages] == [("a", "truncated_gzip")]


def test_a_cut_tar_gives_what_is_there() -> None:
    """Cut in a member, its beginning is read; cut in a compressed tar, both layers say so."""
    whole = tarred({"a": PLAIN, "b": PLAIN})
    found, damages = read(whole[: len(PLAIN) + 5000])
    assert found["a"] == PLAIN
    assert PLAIN.startswith(found["b"])
    assert damages[0].reason == "truncated_member"
    packed = gzip.compress(whole)
    found, damages = read(packed[: len(packed) // 2])
    assert PLAIN.startswith(found["a"])
    assert damages[0].reason == "truncated_gzip"


def test_a_zip_is_read_too() -> None:
    """archive.org and X's data export pack so; also inside another archive, and cut short, as far as it goes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/tweets.js", PLAIN)
        archive.writestr("01.json.bz2", bz2.compress(PLAIN))
    assert read(target.getvalue()) == ({"data/tweets.js": PLAIN, "01.json.bz2": PLAIN}, [])
    assert read(tarred({"a": target.getvalue()})) == ({"a/data/tweets.js": PLAIN, "a/01.json.bz2": PLAIN}, [])
    found, damages = read(target.getvalue()[:-30])
    assert found == {"data/tweets.js": PLAIN, "01.json.bz2": PLAIN}
    assert [damage.reason for damage in damages] == ["broken_zip"]


def test_utf16_is_read() -> None:
    """PowerShell's `>` writes it."""
    text = '{"a": "ñ😀"}\n' * 40_000
    for encoding in ("utf-16-le", "utf-16-be"):
        found, damages = read("\ufeff".encode(encoding) + text.encode(encoding))
        assert (found[""].decode("utf-8-sig"), damages) == (text, [])


def test_layers_end_somewhere() -> None:
    """A file packed a hundred times is refused."""
    content = b"{}"
    for _ in range(12):
        content = gzip.compress(content)
    assert read(content)[1][0].reason == "too_deep"


@given(
    st.binary(max_size=600),
    st.sampled_from([b"", b"\x1f\x8b\x08", b"BZh9", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"PK\x03\x04", b"\xff\xfe"]),
)
def test_no_bytes_make_it_fail(content: bytes, magic: bytes) -> None:
    """Rubbish behind any mark is damage, not an error."""
    read(magic + content)
