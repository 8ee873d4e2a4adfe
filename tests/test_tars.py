"""The files in tars of all kinds: every one that is whole is read, and what is none is named."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from pipeline import streams
from pipeline.errors import ArchiveError
from pipeline.streams import Damage, Damages, layers

PLAIN = b'{"id": 1}\n' * 200


def read(content: bytes) -> tuple[dict[str, bytes], list[Damage]]:
    """(member → its bytes, what is said)."""
    damages: list[Damage] = []
    return {member.name: member.stream.read() for member in streams.members(io.BytesIO(content), damages)}, damages


def tar(*entries: tarfile.TarInfo | str, kind: int = tarfile.USTAR_FORMAT) -> bytes:
    """A tar; a name alone is a file of PLAIN."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=kind) as archive:
        for entry in entries:
            if isinstance(entry, str):
                entry = tarfile.TarInfo(entry)
                entry.size = len(PLAIN)
            archive.addfile(entry, io.BytesIO(PLAIN) if entry.size else None)
    return target.getvalue()


def special(name: str, kind: bytes, to: str = "") -> tarfile.TarInfo:
    """An entry that is no file."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, to
    return entry


LONG = "day/" * 60 + "ñ.json"


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
def test_long_names_are_read(kind: int) -> None:
    """As labels: whole up to 200 characters, then their ends."""
    found, damages = read(tar("a" * 150, LONG, "b", kind=kind))
    assert damages == []
    assert list(found.values()) == [PLAIN] * 3
    names = list(found)
    assert (names[0], names[2]) == ("a" * 150, "b")
    assert len(names[1]) == layers.LONGEST_LABEL
    assert names[1].endswith("/ñ.json")


def test_the_old_format_without_a_mark_is_told_by_its_checksum() -> None:
    """As tar wrote it until 1988, and some devices do still."""
    old = bytearray(tar("a", "b"))
    for begin in (0, 512 + 2048):
        old[begin + 257 : begin + 512] = bytes(255)
        old[begin + 148 : begin + 156] = b" " * 8
        old[begin + 148 : begin + 156] = b"%06o\0 " % sum(old[begin : begin + 512])
    assert read(bytes(old)) == ({"a": PLAIN, "b": PLAIN}, [])
    assert read(PLAIN) == ({"": PLAIN}, [])


def test_what_is_no_file_is_named_and_costs_nothing() -> None:
    """Links, devices and fifos hold no bytes; a folder needs no word."""
    entries = [
        special("folder", tarfile.DIRTYPE),
        "a",
        special("hard", tarfile.LNKTYPE, "a"),
        special("soft", tarfile.SYMTYPE, "../../etc/passwd"),
        special("null", tarfile.CHRTYPE),
        special("disk", tarfile.BLKTYPE),
        special("pipe", tarfile.FIFOTYPE),
        "b",
    ]
    found, damages = read(tar(*entries))
    assert found == {"a": PLAIN, "b": PLAIN}
    assert [(damage.member, damage.reason) for damage in damages] == [
        ("hard", "passed_hard_link"),
        ("soft", "passed_symbolic_link"),
        ("null", "passed_device"),
        ("disk", "passed_device"),
        ("pipe", "passed_fifo"),
    ]
    assert all(damage.harmless for damage in damages)


def test_tars_one_after_another_are_one() -> None:
    """`cat a.tar b.tar`: tar itself would stop at the end of the first."""
    assert read(tar("a") + tar("b") + bytes(200 * 512) + tar("c")) == ({"a": PLAIN, "b": PLAIN, "c": PLAIN}, [])
    found, damages = read(tar("a") + b"no tar" + bytes(506) + tar("b"))
    assert found == {"a": PLAIN, "b": PLAIN}
    assert [(damage.reason, damage.offset) for damage in damages] == [("trailing_bytes_tar", len(tar("a")))]


def test_a_broken_header_costs_its_member() -> None:
    """The next one that is whole is found; the damage says where the broken one stands."""
    whole = bytearray(tar("a", "b", "c"))
    begin = 512 + 2048
    for place, value in ((begin + 100, 255), (begin + 257, 0)):
        broken = bytearray(whole)
        broken[place] = value
        found, damages = read(bytes(broken))
        assert found == {"a": PLAIN, "c": PLAIN}
        assert [(damage.reason, damage.offset) for damage in damages] == [("broken_tar", begin)]


def test_a_tar_without_an_end_is_read_and_said() -> None:
    """Some programs write none; cut between two members looks the same."""
    found, damages = read(tar("a", "b")[: 2 * (512 + 2048)])
    assert found == {"a": PLAIN, "b": PLAIN}
    assert [(damage.reason, damage.harmless) for damage in damages] == [("passed_tar_end", True)]


def test_cut_anywhere_a_tar_gives_what_is_there() -> None:
    """And something is said of it, unless only its end is missing."""
    whole = tar("a", "b", "c")
    for cut in range(512, 3 * (512 + 2048), 151):
        found, damages = read(whole[:cut])
        plain = b"".join(found.values())
        assert len(plain) == sum(min(max(cut - 512 - place * 2560, 0), len(PLAIN)) for place in range(3))
        assert damages


def test_headers_that_would_fill_the_memory_are_refused() -> None:
    """A long name of 7 GB, a size below zero, a pax header that is no text: damage, and the members after it are read."""
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
        entry = special("long", kind)
        entry.size = 7 * 2**30
        found, damages = read(entry.tobuf(tarfile.GNU_FORMAT) + tar("a"))
        assert found == {"a": PLAIN}
        assert [damage.reason for damage in damages] == ["broken_tar"]
    entry = tarfile.TarInfo("less")
    entry.size = -512
    found, damages = read(entry.tobuf(tarfile.GNU_FORMAT) + tar("a"))
    assert found == {"a": PLAIN}
    assert [damage.reason for damage in damages] == ["broken_tar"]


EVIL = {
    "../../etc/passwd": "../../etc/passwd",
    "/etc/passwd": "/etc/passwd",
    "a\x1b[2J\r\nb": "a\\x1b[2J\\r\\nb",
    "left\u202eright": "left\\u202eright",
    "tab\tbell\x07": "tab\\tbell\\x07",
}


def test_names_are_labels_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written under them, and what would do something to a terminal is spelled out; of 10,000 characters the ends are kept."""
    monkeypatch.chdir(tmp_path)
    found, damages = read(gzip.compress(tar(*EVIL, "x" * 5_000 + "y" * 5_000, kind=tarfile.PAX_FORMAT)))
    assert damages == []
    *names, long = found
    assert names == list(EVIL.values())
    assert (long[:2], long[-2:], len(long)) == ("xx", "yy", 200)
    assert list(tmp_path.iterdir()) == []


def test_a_sparse_member_is_read_with_its_holes() -> None:
    """As GNU tar packs a file that its disk keeps in pieces."""
    entry = tarfile.TarInfo("sparse")
    entry.size = len(PLAIN)
    hole = 10_000
    entry.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.size": str(len(PLAIN) + hole),
        "GNU.sparse.map": f"{hole},{len(PLAIN)}",
        "GNU.sparse.name": "sparse",
    }
    assert read(tar(entry, "b", kind=tarfile.PAX_FORMAT)) == ({"sparse": bytes(hole) + PLAIN, "b": PLAIN}, [])


def test_members_are_skipped_by_their_labels() -> None:
    """Before they are unpacked; folders and links are not asked for."""
    asked: list[str] = []

    def skip(name: str) -> bool:
        asked.append(name)
        return name == "b"

    content = tar(special("folder", tarfile.DIRTYPE), "a", "b", special("link", tarfile.SYMTYPE), "c")
    damages: list[Damage] = []
    assert [member.name for member in streams.members(io.BytesIO(content), damages, skip=skip)] == ["a", "c"]
    assert asked == ["a", "b", "c"]


def test_of_very_many_damages_the_number_is_kept() -> None:
    """A tar of 1,300 links fills no manifest."""
    damages = Damages()
    content = tar(*(special(f"link{number}", tarfile.SYMTYPE, "x") for number in range(1_300)))
    assert list(streams.members(io.BytesIO(content), damages)) == []
    assert len(damages) == layers.MOST_DAMAGES + 1
    assert (damages[-1].reason, damages[-1].detail) == ("more_damages", "300 more, not told one by one")


def test_strictly_the_first_damage_is_an_error() -> None:
    """With member, place and reason; what costs nothing is none."""
    damages = Damages(strict=True)
    content = tar(special("link", tarfile.SYMTYPE, "x"), "a")[:2000]
    with pytest.raises(ArchiveError, match=r"^a, byte 976: truncated_member \(976 of 2,000 bytes\)\n.*--strict"):
        [member.stream.read() for member in streams.members(io.BytesIO(content), damages)]
    assert [damage.reason for damage in damages] == ["passed_symbolic_link"]
