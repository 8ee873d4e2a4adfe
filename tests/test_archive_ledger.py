"""The ledger of archive files: a finished file is not opened again, and whatever is wrong with the ledger costs a read, never an answer."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import importing
from pipeline.days import Window
from pipeline.importing.archive_ledger import Entry, Holds, Ledger, quick_key, settled, stamp
from pipeline.settings import Settings
from pipeline.sources import archive
from tests.opened import opened
from tests.posts import NOON, lines, make_tweet

FILE = lines(*(make_tweet(sequence=n) for n in range(3)))
Make = Callable[..., Settings]


@pytest.fixture
def settings(make_settings: Make) -> Settings:
    return make_settings(database=False)


def give(settings: Settings, name: str, content: bytes = FILE) -> Path:
    path = settings.data.parent / name
    path.write_bytes(content)
    return path


def status(settings: Settings, path: Path) -> str:
    """What an import says of one file."""
    (report,) = importing.run(settings, [path]).files
    assert report.stored == 3
    return report.status


def ledger_of(settings: Settings) -> Path:
    return settings.data / "imports" / "ledger.jsonl"


def test_a_finished_file_is_not_opened(settings: Settings) -> None:
    """Neither by an import, nor to find out whether it is held."""
    path = give(settings, "a.json")
    assert status(settings, path) == "imported"
    with opened([path]) as found:
        assert status(settings, path) == "held"
        assert importing.is_held(settings, path, importing.wanted(settings))
        assert list(importing.held(settings, [path], importing.wanted(settings))) == [path]
    assert not found
    with opened([path]) as found:
        path.read_bytes()
    assert found == {path}


def test_a_new_file_is_read_once(settings: Settings) -> None:
    """Its digest comes of the reading that parses it: beside that only its two ends are looked at."""
    status(settings, give(settings, "a.json"))
    big = give(settings, "b.json", lines(*(make_tweet(sequence=n, padding="x" * 4_000_000) for n in range(3))))
    before = bytes_read()
    assert status(settings, big) == "imported"
    assert big.stat().st_size <= bytes_read() - before < 1.3 * big.stat().st_size


def bytes_read() -> int:
    """What this process has read so far, from files and anything else."""
    return int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0])


def test_a_copy_is_read_but_not_parsed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes have to be compared; what they hold is known."""
    status(settings, give(settings, "a.json"))
    monkeypatch.setattr(importing.reading, "read", lambda *_: pytest.fail("it was parsed"))
    copy = give(settings, "b.json")
    assert not importing.is_held(settings, copy, importing.wanted(settings))
    assert status(settings, copy) == "held"
    assert importing.is_held(settings, copy, importing.wanted(settings))


@pytest.mark.parametrize("spoil", ["lost", "garbage", "cut", "of another file"])
def test_a_spoiled_ledger_costs_a_read(settings: Settings, spoil: str) -> None:
    """The extract is found by the file's digest, and the file noted again."""
    path = give(settings, "a.json")
    status(settings, path)
    ledger = ledger_of(settings)
    content = ledger.read_bytes()
    importing._ledger_at.cache_clear()
    if spoil == "lost":
        ledger.unlink()
    else:
        ledger.write_bytes(
            {"garbage": b"\0\xff{}\n[1]\n", "cut": content[:-20], "of another file": content.replace(b"a.json", b"b.json")}[spoil]
        )
    assert not importing.is_held(settings, path, importing.wanted(settings))
    assert status(settings, path) == "held"
    assert importing.is_held(settings, path, importing.wanted(settings))


def test_a_ledger_that_outlived_its_extract_is_not_believed(settings: Settings) -> None:
    """The extract is made again."""
    path = give(settings, "a.json")
    status(settings, path)
    shutil.rmtree(archive.root(settings))
    assert status(settings, path) == "imported"


def test_another_extract_in_the_old_ones_place_is_looked_at(settings: Settings) -> None:
    """A copy imported of one day only does not make the whole file held, whatever the ledger said of it before."""
    path = give(settings, "a.json")
    status(settings, path)
    shutil.rmtree(archive.root(settings))
    importing._ledger_at.cache_clear()
    archive.forget()
    far = Window(NOON.replace(year=2025), NOON.replace(year=2026, month=1))
    (report,) = importing.run(settings, [give(settings, "b.json")], window=far).files
    assert report.stored == 0
    assert not importing.is_held(settings, path, importing.wanted(settings))
    assert status(settings, path) == "imported"


@pytest.mark.parametrize("keep", ["nothing", "size and time"])
def test_a_changed_file_is_another(settings: Settings, keep: str) -> None:
    """Also where it has the old one's size and time, as rsync and cp -p leave them."""
    path = give(settings, "a.json")
    before = path.stat()
    status(settings, path)
    path.write_bytes(FILE.replace(b"Mucho", b"mucho"))
    if keep != "nothing":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert status(settings, path) == "imported"
    assert len(archive.held(settings)) == 2


def test_two_ends_tell_most_files_apart(tmp_path: Path) -> None:
    """Size, first and last mebibyte; the file is left at its beginning."""
    million = 1024 * 1024
    contents = [b"a" * 3 * million, b"b" + b"a" * (3 * million - 1), b"a" * (3 * million - 1) + b"b", b"a" * (3 * million + 1), b"", b"a"]
    found = set()
    for content in contents:
        path = tmp_path / "file"
        path.write_bytes(content)
        with open(path, "rb") as file:
            found.add(quick_key(file, len(content)))
            assert file.tell() == 0
    assert len(found) == len(contents)


def entry(number: int) -> Entry:
    return Entry((1, number, 2, 3, 4), f"{number:016x}", f"{number:064x}", (1, 2, 3, 4, 5), Holds(2, False, None, True))


def test_what_is_noted_is_found_again(tmp_path: Path) -> None:
    """By another process's eyes, the latest of several, names that are no UTF-8 too."""
    odd = Path(os.fsdecode(b"/archives/\xff\xe9.json"))
    one, other = Ledger(tmp_path / "imports" / "ledger.jsonl"), Ledger(tmp_path / "imports" / "ledger.jsonl")
    assert one.get(odd) is None
    other.note(odd, entry(1))
    assert one.get(odd) == entry(1)
    other.note(odd, entry(2))
    assert one.get(odd) == entry(2)
    window = Window(NOON, NOON.replace(year=2027))
    other.ask("0123456789abcdef", window)
    assert (one.asked("0123456789abcdef"), one.asked("fedcba9876543210")) == ((True, window), (False, None))


def test_a_line_cut_by_a_kill_spoils_no_other(tmp_path: Path) -> None:
    """The next line begins anew."""
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.note(Path("/a"), entry(1))
    with open(tmp_path / "ledger.jsonl", "ab") as file:
        file.write(b'{"path":"/b","fi')
    ledger.note(Path("/c"), entry(3))
    assert set(Ledger(tmp_path / "ledger.jsonl").entries()) == {"/a", "/c"}
    assert set(ledger.entries()) == {"/a", "/c"}


def _note_many(path: Path, process: int) -> None:
    ledger = Ledger(path)
    for number in range(300):
        ledger.note(Path(f"/{process}/{number % 50}"), entry(number))
        if number % 100 == 99:
            ledger.compact()


def test_many_processes_write_at_once(tmp_path: Path) -> None:
    """And write it anew meanwhile: nothing is lost, and it stays small."""
    path = tmp_path / "ledger.jsonl"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_note_many, args=(path, process)) for process in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 6
    found = Ledger(path).entries()
    assert len(found) == 300
    assert all(entry_.file[1] == 250 + int(name.rsplit("/", 1)[1]) for name, entry_ in found.items())
    assert len(path.read_bytes().splitlines()) < 1800


def test_a_file_just_written_is_waited_for(tmp_path: Path) -> None:
    """Until a later change is sure to show in its times, whose clock ticks every few milliseconds."""
    path = tmp_path / "file"
    for number in range(20):
        path.write_bytes(b"one")
        before = stamp(settled(path))
        path.write_bytes(b"two")
        assert stamp(path.stat()) != before, number
