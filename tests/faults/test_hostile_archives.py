"""A folder with everything that wants to hurt an import, and two honest files: they are imported, and each of the others is named."""

from __future__ import annotations

import bz2
import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import importing
from pipeline.cli.import_account import account
from pipeline.settings import Settings
from pipeline.sources import archive
from tests.packed import tarred, zipped
from tests.posts import lines, make_tweet

pytestmark = pytest.mark.slow


def test_nothing_else_is_lost(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    """A bomb of 10 GB, zips in zips, names that lead out, a loop of links, a fifo, a cut file: all told; ids of all tweets are there."""
    settings = make_settings(database=False)
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    bomb = zipped({"zeros": bytes(100 * 2**20)})
    for _ in range(4):
        bomb = zipped({f"{number}.zip": bomb for number in range(12)})
    files = {
        "a.json": lines(make_tweet(sequence=1)),
        "b.gz": gzip.compress(lines(make_tweet(sequence=2)), 1) + gzip.compress(bytes(2**28)) * 40,
        "c.zip": bomb,
        # names that lead out of the folder, and colour a terminal
        "d.tar": tarred(
            {
                "../../evil\x1b[31m": lines(make_tweet(sequence=3)),
                "../../packed\x1b[31m": bz2.compress(lines(make_tweet(sequence=4))),
            }
        ),
        "e.gz": gzip.compress(lines(*(make_tweet(sequence=number) for number in range(5, 8))))[:-1],
        "z.json": lines(make_tweet(sequence=9)),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "loop").symlink_to(folder.parent)
    (folder / "gone").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    before = sorted(path for path in tmp_path.rglob("*") if settings.data not in (path, *path.parents))
    report = importing.run(settings, [folder])
    assert {failure.path.name: failure.what for failure in report.failures} == {
        "gone": f"{folder / 'gone'} cannot be read: a link to nowhere, where nothing is",
        "pipe": f"{folder / 'pipe'} is a fifo, and no file or folder",
    }
    by_name = {file.path.name: file for file in report.files}
    assert {name: file.stored for name, file in by_name.items()} == {"a.json": 1, "b.gz": 1, "c.zip": 0, "d.tar": 2, "e.gz": 3, "z.json": 1}
    assert {name: sorted({damage.reason for damage in file.damages}) for name, file in by_name.items() if file.damages} == {
        "b.gz": ["bomb_gzip"],
        "c.zip": ["bomb_zip", "too_many_bombs"],
        "e.gz": ["truncated_gzip"],
    }
    assert report.accounted
    assert len(archive.held(settings)) == len(files)
    # nothing was written under a member's name, and no name does anything to a terminal
    assert sorted(path for path in tmp_path.rglob("*") if settings.data not in (path, *path.parents)) == before
    assert all(line.isprintable() for file in report.files for line in account(file))
