"""A disk that is full while an archive is imported: said plainly, nothing half published, and the rest is as it was."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import importing
from pipeline.settings import Settings
from pipeline.sources import archive
from tests.posts import lines, make_tweet

MEGABYTE = 2**20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder of three megabytes, all of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below, with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("what", ["tweets", "rejects"])
def test_a_full_disk_loses_nothing(make_settings: Callable[..., Settings], small_disk: Path, tmp_path: Path, what: str) -> None:
    """The file that needs the room is among the failures, those beside it are imported; with room, a rerun reads it alone."""
    settings = make_settings(settings="[import]\nbatch_rows = 500\n", database=False, GEOBETA_DATA=str(small_disk / "var"))
    drawn = random.Random(1)
    words = ("".join(drawn.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=3_000)) for _ in range(1_200))
    tweets = (make_tweet(sequence=number, text=text) for number, text in enumerate(words))
    large = lines(*(tweets if what == "tweets" else words))
    for name, content in (
        ("1", lines(make_tweet(sequence=8_001))),
        ("2.gz", gzip.compress(large, 1)),
        ("3", lines(make_tweet(sequence=8_002))),
    ):
        (tmp_path / name).write_bytes(content)
    files = [tmp_path / name for name in ("1", "2.gz", "3")]
    importing.run(settings, files[:1])
    before = contents(archive.root(settings))
    # what is left of the disk is less than the extract needs
    filler = small_disk / "filler"
    filler.write_bytes(bytes(2 * MEGABYTE + MEGABYTE // 2))
    report = importing.run(settings, files)
    (failure,) = report.failures
    assert failure.path == files[1]
    assert "No space left on device" in failure.what
    assert "make room" in failure.todo
    assert [file.status for file in report.files] == ["held", "imported"]
    assert {name: content for name, content in contents(archive.root(settings)).items() if name in before} == before
    assert len(archive.held(settings)) == 2
    assert not list(archive.root(settings).glob(".tmp-*"))
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    report = importing.run(settings, files)
    assert (report.failures, [file.status for file in report.files]) == ((), ["held", "imported", "held"])
    assert report.accounted
    assert sum(report.files[1].rejects.values()) + report.files[1].stored == 1_200
