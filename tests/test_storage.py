"""Files between the stages: what killed processes left is swept, what others are at stays, and locks say whose they are."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline import storage
from pipeline.errors import PermanentError


def left_by(folder: Path, host: str, owner: int | str) -> Path:
    """A temporary folder that this process of this machine made."""
    path = folder / f".tmp-revision=abc-{host}-{owner}-01234567"
    path.mkdir()
    (path / "part.parquet").touch()
    return path


def publish(folder: Path) -> None:
    """Publish something beside them."""
    with storage.publish_directory(folder / "revision=new") as made:
        (made / "x").touch()


def dead() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    """Of this machine; a living one's stays however old, and so does what another machine may be at."""
    host = storage._host()
    killed, living, elsewhere = left_by(tmp_path, host, dead()), left_by(tmp_path, host, os.getppid()), left_by(tmp_path, "0ther0", dead())
    old = time.time() - 2 * storage.OLD_SECONDS
    os.utime(living, (old, old))
    publish(tmp_path)
    assert (killed.exists(), living.exists(), elsewhere.exists()) == (False, True, True)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells")
def test_what_a_killed_process_left_is_swept_before_its_parent_looks(tmp_path: Path) -> None:
    """The first process of a container may never look at what ended: it stays in the list of processes."""
    with subprocess.Popen([sys.executable, "-c", "pass"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        left = left_by(tmp_path, storage._host(), process.pid)
        publish(tmp_path)
        assert not left.exists()


def test_what_another_machine_left_a_day_ago_is_swept(tmp_path: Path) -> None:
    """Nobody can ask whether its process lives; and so is what nobody is at, or what nobody can read the name of."""
    elsewhere, odd, retired = left_by(tmp_path, "0ther0", os.getpid()), tmp_path / ".tmp-odd", left_by(tmp_path, "digest", storage.NOBODY)
    odd.mkdir()
    publish(tmp_path)
    assert (elsewhere.exists(), odd.exists(), retired.exists()) == (True, True, False)
    for path in (elsewhere, odd):
        os.utime(path, (time.time() - storage.OLD_SECONDS - 60,) * 2)
    publish(tmp_path)
    assert (elsewhere.exists(), odd.exists()) == (False, False)


def test_a_process_fills_its_folder_undisturbed(tmp_path: Path) -> None:
    """Another publisher beside it sweeps nothing of it away."""
    with storage.publish_directory(tmp_path / "revision=slow") as made:
        (made / "x").touch()
        publish(tmp_path)
        assert (made / "x").exists()
    assert (tmp_path / "revision=slow" / "x").exists()


def test_what_is_put_into_a_folder_has_the_bytes_of_what_is_written(tmp_path: Path) -> None:
    """Which of the two wrote a file cannot be told from it."""
    content = {"b": [1, None, "Ångström"], "a": {"of": date(2026, 11, 5)}}
    storage.write_json(tmp_path / "written.json", content)
    with storage.publish_directory(tmp_path / "published") as folder:
        storage.put_json(folder / "put.json", content)
    assert (tmp_path / "published" / "put.json").read_bytes() == (tmp_path / "written.json").read_bytes()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells")
def test_a_folder_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file that was put into it, then the folder itself, then the rename; what is put there waits for the disk at no other time."""
    synced: list[tuple[Path, bool]] = []
    final = tmp_path / "final"
    sync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink(), final.exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    with storage.publish_directory(final) as folder:
        for name in ("a.json", "b.json"):
            storage.put_json(folder / name, {})
        storage.write_parquet(folder / "c.parquet", pa.table({"x": [1]}))
        assert synced == []
    assert sorted(synced[:3]) == [(folder / name, False) for name in ("a.json", "b.json", "c.parquet")]
    assert synced[3:] == [(folder, False), (tmp_path, True)]


def test_another_users_lock_file_is_said_in_plain_words() -> None:
    """Whose it is, who we are, and what to do; root, whom no mode stops, tries as nobody."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder, before = Path(name), os.geteuid()
        folder.chmod(0o755)
        lock = folder / "x.lock"
        lock.touch()
        lock.chmod(0)
        if before == 0:
            os.seteuid(65534)
        try:
            with (
                pytest.raises(
                    PermanentError, match=rf"import of x: may not open the lock file .*belongs to {lock.owner()}.*\n.*as one user"
                ),
                storage.exclusive(lock, wait=0, what="import of x"),
            ):
                pass
        finally:
            os.seteuid(before)


def test_many_digests_that_differ_in_one_part_are_the_same_as_each_by_itself() -> None:
    """The part may be any value, and stand anywhere."""
    for before, after in (((), ()), (("count", 1), ({"words": ["é", "b"]}, None)), ((), ("end",))):
        of = storage.digest_around(before, after)
        for part in ("", 'a "quoted" é', None, 1.5, ["a", {"b": 1}]):
            assert of(part) == storage.digest(*before, part, *after)


def test_arrays_are_made_without_pandas() -> None:
    """Importing it takes longer than most commands; who asks pyarrow for it still gets it."""
    code = """if True:
        import sys
        from pipeline import storage
        import numpy, pyarrow
        table = pyarrow.table({"n": pyarrow.array(numpy.array([1, 2])), "text": pyarrow.array(["a", None])})
        print("pandas" in sys.modules, table.to_pandas().n.sum(), pyarrow.array(__import__("pandas").Series(["b", None])).to_pylist())"""
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.split(maxsplit=2) == ["False", "3", "['b', None]\n"]
