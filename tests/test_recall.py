"""What was read of folders is read again where they changed, and never else; nights over many extracts rest on it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import importing, recall, storage
from pipeline.recall import Recall
from pipeline.settings import Settings
from pipeline.sources import archive
from tests.posts import lines, make_tweet


def settle(*folders: Path) -> None:
    """Make the last change of these folders an hour old."""
    hour = 3_600_000_000_000
    for folder in folders:
        seen = folder.stat()
        if time.time_ns() - seen.st_mtime_ns < hour:
            os.utime(folder, ns=(seen.st_atime_ns, seen.st_mtime_ns - hour))


def asked(parent: Path, file: Path, *, version: str = "1") -> dict[str, tuple[object, bool]]:
    """Of every folder what is said of it, and whether it was read for that."""
    read: set[str] = set()

    def look(name: str) -> object:
        read.add(name)
        return storage.read_json(parent / name / "said.json")

    known = Recall(file, version)
    found = {name: known.of(name, seen, look) for name, seen in recall.stamps(parent).items()}
    known.keep()
    return {name: (said, name in read) for name, said in found.items()}


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """Three folders that say 0, 1, 2."""
    for number in range(3):
        (tmp_path / "all" / f"folder-{number}").mkdir(parents=True)
        storage.write_json(tmp_path / "all" / f"folder-{number}" / "said.json", number)
    settle(*(tmp_path / "all").iterdir())
    return tmp_path / "all"


def test_only_what_changed_is_read_again(parent: Path, tmp_path: Path) -> None:
    """A file written anew, a folder replaced, a new one; of one that went nothing is said."""
    file = tmp_path / "index" / "said"
    assert asked(parent, file) == {f"folder-{number}": (number, True) for number in range(3)}
    assert asked(parent, file) == {f"folder-{number}": (number, False) for number in range(3)}
    storage.write_json(parent / "folder-1" / "said.json", [1, {"a": None}])
    storage.retire(parent / "folder-2")
    with storage.publish_directory(parent / "folder-3") as folder:
        storage.write_json(folder / "said.json", 3.5)
    settle(*parent.iterdir())
    assert asked(parent, file) == {"folder-0": (0, False), "folder-1": ([1, {"a": None}], True), "folder-3": (3.5, True)}
    assert asked(parent, file) == {"folder-0": (0, False), "folder-1": ([1, {"a": None}], False), "folder-3": (3.5, False)}


def test_a_folder_that_changed_a_moment_ago_is_not_trusted(parent: Path, tmp_path: Path) -> None:
    """Two changes within a tick of the file system's clock give it the same time."""
    storage.write_json(parent / "folder-1" / "said.json", "soon another")
    for _ in range(2):
        assert asked(parent, tmp_path / "said")["folder-1"] == ("soon another", True)


@pytest.mark.parametrize("content", [b"", b"torn", b"\x92\xa11\x80\x80"])
def test_a_torn_file_or_another_version_counts_for_nothing(parent: Path, tmp_path: Path, content: bytes) -> None:
    """All is read again, and written."""
    file = tmp_path / "said"
    asked(parent, file)
    assert asked(parent, file, version="2")["folder-0"] == (0, True)
    file.write_bytes(content)
    assert asked(parent, file)["folder-0"] == (0, True)
    assert asked(parent, file)["folder-0"] == (0, False)


def test_whoever_may_not_write_is_answered_all_the_same(parent: Path, tmp_path: Path) -> None:
    """Only slower."""
    (tmp_path / "index").write_bytes(b"not a folder")
    assert asked(parent, tmp_path / "index" / "said")["folder-2"] == (2, True)


def test_extracts_that_were_looked_at_are_not_read_by_the_next_process(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    """The days of the archives come from the index; a change of an extract in its place is seen."""
    settings = make_settings(database=False)
    (area,) = settings.areas.values()
    source = tmp_path / "tweets.json"
    source.write_bytes(lines(make_tweet()))
    importing.run(settings, [source])
    folder = archive.folder(settings, archive.held(settings)[0])

    def days_held() -> int:
        archive.forget()  # as in another process
        return len(archive.days_held(settings, area))

    settle(folder)
    assert days_held() == 1
    (counts,) = folder.glob("area-*.json")
    before = storage.read_json(counts)
    # not as storage.py writes, so nobody notices: nothing is read
    counts.write_bytes(b"torn")
    assert days_held() == 1
    storage.write_json(counts, {**before, "days": {}})
    assert days_held() == 0
