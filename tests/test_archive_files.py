"""Which files an import reads: each once, in a fixed order; what cannot be read is named, and costs the others nothing."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipeline.errors import ArchiveError
from pipeline.importing import archive_files
from pipeline.importing.archive_files import Problem


def make(folder: Path, *names: str) -> Path:
    """A folder with files of these names."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def find(*paths: Path | str) -> tuple[list[Path], list[Problem]]:
    """(files, problems)."""
    problems: list[Problem] = []
    return list(archive_files.find(paths, problems)), problems


def test_files_come_as_they_are_named_and_in_folders_by_name(tmp_path: Path) -> None:
    """Hidden ones are passed over, unless they are named themselves."""
    folder = make(tmp_path, "b/2", "b/1/x", "b/.hidden", "b/.git/x", "a")
    assert find(folder / "b", folder / "a", folder / "b" / ".hidden") == (
        [folder / "b/1/x", folder / "b/2", folder / "a", folder / "b/.hidden"],
        [],
    )


def test_patterns_are_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also into folders within folders, from the current folder too; one that fits nothing is an error, a name with a bracket is a name."""
    folder = make(tmp_path, "2016/11/a.gz", "2016/12/b.gz", "2016/c.txt", "odd[1].gz")
    assert find(str(folder / "2016" / "**" / "*.gz"))[0] == [folder / "2016/11/a.gz", folder / "2016/12/b.gz"]
    monkeypatch.chdir(folder)
    assert find("2016/1?")[0] == [Path("2016/11/a.gz"), Path("2016/12/b.gz")]
    assert find("odd[1].gz")[0] == [Path("odd[1].gz")]
    with pytest.raises(ArchiveError, match=r"\*\.bz2, a pattern that no file fits"):
        find("2016/**/*.bz2")


def test_a_path_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    """Before the first file is given, though it is named last."""
    folder = make(tmp_path, "a")
    with pytest.raises(ArchiveError, match=r"nowhere, which is no file and no folder"):
        archive_files.find([folder / "a", folder / "nowhere"])


def test_a_file_is_read_once_under_all_its_names(tmp_path: Path) -> None:
    """Named twice, in a folder that is named too, by a symbolic link, by a hard link."""
    folder = make(tmp_path, "a/1", "a/2")
    (folder / "a" / "link").symlink_to("1")
    (folder / "a" / "same").hardlink_to(folder / "a" / "2")
    assert find(folder / "a" / "2", folder / "a", folder / "a" / "1") == ([folder / "a/2", folder / "a/1"], [])


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    """A folder that holds a link to itself is searched once; a link that leads to itself is a problem."""
    folder = make(tmp_path, "a/1")
    (folder / "a" / "again").symlink_to(folder / "a")
    (folder / "a" / "knot").symlink_to("knot")
    found, problems = find(folder)
    assert found == [folder / "a/1"]
    assert [problem.path.name for problem in problems] == ["knot"]
    assert "symbolic links" in problems[0].what


def test_what_is_no_file_is_a_problem_and_is_not_opened(tmp_path: Path) -> None:
    """Dangling links, fifos (to open one waits for ever), sockets, devices; the files beside them are given."""
    folder = make(tmp_path, "a", "z")
    (folder / "dangling").symlink_to("gone")
    os.mkfifo(folder / "fifo")
    (folder / "null").symlink_to("/dev/null")
    # a path of a socket has at most 107 characters
    with contextlib.chdir(folder), socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
    found, problems = find(folder)
    assert found == [folder / "a", folder / "z"]
    assert [(problem.path.name, problem.what) for problem in problems] == [
        ("dangling", "cannot be read: a link to gone, where nothing is"),
        ("fifo", "is a fifo, and no file or folder"),
        ("null", "is a device, and no file or folder"),
        ("socket", "is a socket, and no file or folder"),
    ]
    with pytest.raises(ArchiveError, match=r"dangling cannot be read"):
        list(archive_files.find([folder]))


FIND = """
import os, sys
from pipeline.importing import archive_files
os.setuid(65534)
problems = []
print([path.name for path in archive_files.find([sys.argv[1]], problems)])
print([(problem.path.name, problem.what) for problem in problems])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user who may read less")
def test_what_may_not_be_read_is_a_problem() -> None:
    """A file and a folder of somebody else's."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = make(Path(name), "a", "secret", "closed/x")
        folder.chmod(0o755)
        (folder / "secret").chmod(0)
        (folder / "closed").chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", FIND, name], capture_output=True, text=True, check=False, cwd=Path(__file__).resolve().parents[1]
        )
        assert done.stdout.splitlines() == [
            "['a']",
            "[('closed', 'cannot be searched: Permission denied'), ('secret', 'may not be read')]",
        ], done.stderr
