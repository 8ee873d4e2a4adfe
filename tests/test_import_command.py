"""`python -m pipeline import` over several processes: what it prints, its exit codes, and that all of it ends with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from pipeline import importing, storage
from pipeline.cli import import_account, import_luigi
from pipeline.cli.importing import AT_ONCE
from pipeline.importing import archive_ledger, import_runs
from pipeline.importing.import_report import Failure, ImportReport
from pipeline.settings import Settings
from pipeline.sources import archive
from tests.opened import opened
from tests.posts import NOON, lines, make_tweet

# each starts the command: all of them in `make test`
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(database=False)


def give(settings: Settings, number: int, name: str = "") -> Path:
    path = settings.data.parent / "in" / (name or f"{number:03}.json")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(lines(make_tweet(sequence=number), make_tweet(sequence=number, lang="en")))
    return path


def command(settings: Settings, *arguments: object, **environ: str) -> subprocess.Popen[str]:
    """Start it, from a folder that is not the repository's, with paths of the environment as a user may give them."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("GEOBETA_", "LUIGI_", "DATABASE_URL"))}
    here = settings.data.parent
    relative = {"GEOBETA_CONFIG": settings.config.relative_to(here), "GEOBETA_DATA": settings.data.relative_to(here)}
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "import", "--local-scheduler", *map(str, arguments)],
        cwd=here,
        env={**keep, "PYTHONPATH": str(ROOT), **{name: str(path) for name, path in relative.items()}, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(settings: Settings, *arguments: object, **environ: str) -> tuple[int, str, str]:
    process = command(settings, *arguments, **environ)
    out, err = process.communicate(timeout=300)
    print(out, err)
    return process.returncode, out, err


def test_many_files_over_two_processes(settings: Settings) -> None:
    """From any folder: all are held afterwards, the second time nothing is opened; the bad one fails alone, and is tried again."""
    paths = [give(settings, number) for number in range(12)]
    code, out, err = run(settings, "in", "--workers", 2)
    assert code == 0
    assert "12 files in 12 tasks over 2 processes, without luigid" in err
    assert "in/003.json: imported" in out
    assert "mexico-city: 24 records = 12 kept + 12 duplicates" in out
    assert "Nightly --date 2026-11-05" in err
    bad = settings.data.parent / "in" / "bad.json"
    bad.write_bytes(b"no JSON\n")
    with opened(paths) as found:
        code, out, _ = run(settings, "in", "--workers", 2, "--strict")
    assert code == 1
    assert "bad.json: line 1, byte 0: bad_json" in out
    assert out.count(": held\n") == 12
    assert found == set()
    bad.write_bytes(lines(make_tweet(sequence=99)))
    code, out, _ = run(settings, "in", "--strict")
    assert (code, out.count(": held\n"), out.count(": imported\n")) == (0, 12, 1)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_nothing_is_left_running(settings: Settings, how: signal.Signals) -> None:
    """The workers end with the command; what was read stays."""
    paths = [give(settings, number) for number in range(40)]
    # a file that somebody else is reading: one worker waits for it, and the command cannot end by itself
    lock = settings.data / "locks" / f"import-{_quick_key(paths[20])[:3]}.lock"
    with storage.exclusive(lock, wait=0.0, what="the test"):
        process = command(settings, "in", "--workers", "2")
        with _ended(process):
            _wait_for(lambda: len(archive.held(settings)) >= 3)
            process.send_signal(how)
            _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "what was done stays done" in err
    before = archive.held(settings)
    assert 3 <= len(before) < 40
    time.sleep(0.5)
    assert archive.held(settings) == before
    assert not [pid for pid in Path("/proc").glob("[0-9]*") if str(settings.data).encode() in _environment(pid)]


def test_two_commands_at_once_share_the_work(settings: Settings) -> None:
    """Both end well, and each file is read by one of them."""
    for number in range(30):
        give(settings, number)
    both = [command(settings, "in", "--workers", "2") for _ in range(2)]
    outputs = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert all("all 30 files" in output for output in outputs)
    assert len(archive.held(settings)) == 30
    read = [line for folder in (settings.data / "imports").glob("*Z-*") for line in (folder / "outcomes.jsonl").read_text().splitlines()]
    assert sum('"imported"' in line for line in read) == 30


def test_a_killed_worker_fails_its_file_for_now(settings: Settings) -> None:
    """The command says so, with the log to look at, and with the exit code for trying again."""
    for number in range(6):
        give(settings, number)
    code, out, _ = run(settings, "in", "--workers", 2, GEOBETA_KILL_AT="import.manifest:1")
    assert code == 75
    assert "nobody read it to its end" in out
    assert "luigi.log" in out
    assert run(settings, "in")[0] == 0


def test_little_is_read_in_the_commands_own_process(settings: Settings) -> None:
    """Luigi would take longer to start than that takes to read."""
    give(settings, 1)
    code, out, err = run(settings, "in")
    assert (code, out.count(": imported\n")) == (0, 1)
    assert "tasks" not in err.split("to count")[0]
    code, out, err = run(settings, "in", "--workers", 2)
    assert (code, out.count(": held\n"), err) == (0, 1, "")
    assert AT_ONCE < 100_000_000


def test_what_cannot_be_read_is_told_at_the_end(settings: Settings) -> None:
    """A dangling link beside a good file; a pattern that the shell left alone."""
    give(settings, 1)
    (settings.data.parent / "in" / "link.json").symlink_to("nowhere")
    code, out, _ = run(settings, "in/*.json")
    assert (code, out.count(": imported\n")) == (1, 1)
    assert "NOT READ: in/link.json cannot be read: a link to nowhere" in out


def test_wrong_days_are_refused(settings: Settings) -> None:
    code, _, err = run(settings, "in", "--since", "2026-11-06", "--until", "2026-11-05")
    assert code == 2
    assert "--until" in err


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            process.kill()


def _quick_key(path: Path) -> str:
    with open(path, "rb") as file:
        return archive_ledger.quick_key(file, path.stat().st_size)


def _environment(pid: Path) -> bytes:
    try:
        return (pid / "environ").read_bytes() if pid.name != str(os.getpid()) else b""
    except OSError:
        return b""


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# parts ---------------------------------------------------------------------------------------------------------------


def test_few_files_have_a_task_each_and_many_small_ones_share() -> None:
    """Each file is in one task; a large one has its own; and there are no more tasks than Luigi bears."""
    assert import_runs.spread([5] * 200) == tuple((n,) for n in range(200))
    assert import_runs.spread([]) == ()
    for sizes in ([1] * 43_000, [1] * 5000 + [10**9] * 20, [0] * 1000, [10**6 * (n % 7) for n in range(3000)]):
        tasks = import_runs.spread(sizes)
        assert sorted(number for numbers in tasks for number in numbers) == list(range(len(sizes)))
        assert len(tasks) <= 1.1 * import_runs.MOST_TASKS + 20
        large = [number for number, size in enumerate(sizes) if size == 10**9]
        assert {(number,) for number in large} <= set(tasks)


def test_a_run_is_found_by_its_name(settings: Settings) -> None:
    """Its paths as they were, names that are no UTF-8 too; only the last ten are kept."""
    odd = settings.data.parent / os.fsdecode(b"\xff\xe9.json")
    odd.write_bytes(b"")
    for _ in range(import_runs.KEPT + 3):
        run_ = import_runs.begin(settings, [odd], since=date(2026, 11, 5), until=None, strict=True)
    assert import_runs.find(settings, run_.name) == run_
    assert len(list((settings.data / "imports").glob("*Z-*"))) == import_runs.KEPT + 1


def test_what_a_worker_tells_is_seen(settings: Settings) -> None:
    """How far it is with which file, what came of it, and what the command makes of it; a line cut by a kill is passed over."""
    good, bad = give(settings, 1), settings.data.parent / "nowhere.json"
    bad.write_bytes(b"x")
    run_ = import_runs.begin(settings, [good, bad], since=None, until=None, strict=False)
    bad.unlink()
    watch = import_luigi._Watch(settings, run_)
    with import_runs.telling(settings, run_.name, good):
        assert import_runs.at_work(settings, run_) == {good: 0.0}
        assert "001.json 0%" in watch.look()[1]
    import_runs.read(settings, run_, good)
    with pytest.raises(Exception, match="nowhere"):
        import_runs.read(settings, run_, bad)
    with open(import_runs.folder(settings, run_.name) / "outcomes.jsonl", "ab") as file:
        file.write(b'{"path": "/cut\n')
    found, _ = import_runs.outcomes(settings, run_)
    assert [(one.path, one.status) for one in found] == [(good, "imported"), (bad, "failed")]
    share, said = watch.look()
    assert share == 1.0
    assert said.startswith("2 of 2 files, ")
    assert "1 failed" in said
    assert import_runs.at_work(settings, run_) == {}


def test_of_many_files_one_account_is_shown(settings: Settings) -> None:
    """Sums of all, what is wrong with single ones by file, and where the rest is; failures with what to do."""
    for number in range(25):
        give(settings, number)
    (settings.data.parent / "in" / "007.json").write_bytes(b"no JSON\n")
    report = importing.run(settings, [settings.data.parent / "in"])
    failure = Failure(Path("/x.json"), "cannot read /x.json", "check its disk", False)
    said = list(import_account.whole(settings, ImportReport(report.files, (failure,)), Path("/account.txt")))
    assert said[:2] == ["all 25 files (25 new)", "  mexico-city: 49 records = 24 kept + 24 duplicates + 1 discarded"]
    assert said[2].endswith("007.json: discarded, by reason: 1 bad_json")
    assert said[3:] == ["the account of each file: /account.txt", "NOT READ: cannot read /x.json", "  what to do: check its disk"]


def test_the_next_step_counts_what_came(settings: Settings) -> None:
    """One night, a range without gaps, or a look at the plan: nights between would ask the X API for what no archive holds."""
    path = settings.data.parent / "days.json"

    def step(*numbers: int) -> str | None:
        path.write_bytes(lines(*(make_tweet(at=NOON.replace(day=number)) for number in numbers)))
        return import_account.next_step(importing.run(settings, [path]), date(2027, 3, 1))

    assert step(5) == "luigi --module tasks Nightly --date 2026-11-05 --local-scheduler"
    assert step(5, 6, 7) == (
        "luigi --module tasks RangeDaily --of Nightly --start 2026-11-05 --stop 2026-11-08 --days-back 118 --task-limit 3 --local-scheduler"
    )
    assert "plan --offline --from 2026-11-05 --to 2026-11-09 (2 days, with gaps)" in str(step(5, 9))
    assert step(5) is None  # the same bytes as the first time: nothing came
    storage.write_bytes(path, b"")
    assert import_account.next_step(importing.run(settings, [path])) is None


def test_what_a_killed_command_could_not_tell_is_told_by_the_next(settings: Settings) -> None:
    """Its nights are counted too: they would be missing without a word. Once told, they are not told again."""
    paths = [settings.data.parent / f"day-{number}.json" for number in (5, 6)]
    for path, number in zip(paths, (5, 6), strict=True):
        path.write_bytes(lines(make_tweet(at=NOON.replace(day=number))))
    killed = import_runs.begin(settings, paths, since=None, until=None, strict=False)
    import_runs.read(settings, killed, paths[0])

    def step() -> str | None:
        report, untold = importing.run(settings, paths), import_runs.untold(settings)
        said = import_account.next_step(report, date(2026, 12, 1), untold=untold.digests)
        untold.forget({file.digest for file in report.files})
        return said

    assert import_runs.untold(settings).digests == set(archive.held(settings))
    assert "--start 2026-11-05 --stop 2026-11-07" in str(step())
    assert step() is None
    # workers that outlived their command go on writing
    (settings.data.parent / "day-7.json").write_bytes(lines(make_tweet(at=NOON.replace(day=7))))
    paths.append(settings.data.parent / "day-7.json")
    import_runs.read(settings, killed, paths[2])
    import_runs.untold(settings).forget(set())
    assert step() == "luigi --module tasks Nightly --date 2026-11-07 --local-scheduler"


def test_one_is_not_several() -> None:
    assert [import_account.in_words(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert [import_account.in_words(number, "process", "processes") for number in (1, 2)] == ["1 process", "2 processes"]


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (59.4, "59 s"), (185, "3:05 min"), (7805, "2:10 h")])
def test_times_in_words(seconds: float, words: str) -> None:
    assert import_luigi.duration(seconds) == words
