"""Runs an import through Luigi: starts it as a child with its own process group, shows how far its workers are, and ends them all with us.

pipeline/ imports no Luigi; what the workers do is read from the run's folder (import_runs.py).
"""

from __future__ import annotations

import configparser
import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline import importing
from pipeline.importing import import_runs
from pipeline.importing.import_report import Failure
from pipeline.progress import Progress
from pipeline.settings import ROOT

if TYPE_CHECKING:
    from pipeline.importing.import_runs import Outcome, Run
    from pipeline.settings import Settings

#: Exit codes of luigi.cfg that say that another run has, or had, the tasks: docs/runbook.md.
ELSEWHERE: Final = (10, 25)
#: Seconds between two looks at the workers; and for them to end when told to.
LOOK_EVERY, END_WITHIN = 0.3, 5.0


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Where luigid is said to be, and whether one answers there."""

    host: str
    port: int
    answers: bool

    @property
    def in_words(self) -> str:
        """For the terminal."""
        if self.answers:
            return f"through the scheduler of http://{self.host}:{self.port}"
        return f"no luigid answers at {self.host}:{self.port} (luigi.cfg): this run schedules by itself"


def scheduler() -> Scheduler:
    """The central scheduler that luigi.cfg names; asked briefly."""
    found = configparser.ConfigParser(interpolation=None)
    found.read([ROOT / "luigi.cfg", *([os.environ["LUIGI_CONFIG_PATH"]] if "LUIGI_CONFIG_PATH" in os.environ else [])])
    core = {key.replace("_", "-"): value for key, value in (found.items("core") if found.has_section("core") else [])}
    host, port = core.get("scheduler-host", "localhost"), int(core.get("scheduler-port", 8082))
    connection = http.client.HTTPConnection(host, port, timeout=1.0)
    try:
        connection.request("GET", "/api/is_pause_enabled")
        answers = connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        answers = False
    finally:
        connection.close()
    return Scheduler(host, port, answers)


def run(settings: Settings, asked: Run, *, workers: int, local: bool, progress: Progress) -> list[Outcome]:
    """Read the files of a run in Luigi's processes; what came of each, in the order of its paths.

    Args:
        settings: handed on to the child by the environment.
        asked: what import_runs.begin wrote down.
        workers: processes that read at once.
        local: whether Luigi schedules by itself.
        progress: is told the share of all bytes.
    """
    log = import_runs.folder(settings, asked.name) / "luigi.log"
    watch = _Watch(settings, asked)
    with open(log, "wb") as file, _child(settings, asked, workers=workers, local=local, log=file) as process:
        while process.poll() is None:
            progress(*watch.look())
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_EVERY)
    progress(*watch.look())
    return list(_rest(settings, asked, watch.found, process.returncode, log, progress))


@contextlib.contextmanager
def _child(settings: Settings, asked: Run, *, workers: int, local: bool, log: Any) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "luigi", "--module", "tasks", "ImportArchives", "--run-name", asked.name, "--workers", str(workers)]
    # Luigi looks for luigi.cfg, and luigi.cfg for its logging, from the repository's root
    environment = {"LUIGI_CONFIG_PATH": str(ROOT / "luigi.cfg"), **os.environ}
    environment["LUIGI_CONFIG_PATH"] = str(Path(environment["LUIGI_CONFIG_PATH"]).absolute())
    environment |= {"GEOBETA_CONFIG": str(settings.config), "GEOBETA_DATA": str(settings.data)}
    with _as_interrupt(signal.SIGTERM, signal.SIGHUP):
        process = subprocess.Popen(
            [*command, *(["--local-scheduler"] if local else [])],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the child, and the workers it may have left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_WITHIN)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def _as_interrupt(*signals: signal.Signals) -> Iterator[None]:
    """Let these signals end us as Ctrl-C does: the child has a group of its own, which nobody else would end."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {one: signal.signal(one, interrupt) for one in signals}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


class _Watch:
    """What the workers have done so far, in a share and a line."""

    def __init__(self, settings: Settings, asked: Run) -> None:
        self._settings, self._asked = settings, asked
        self._sizes = dict(zip(asked.paths, asked.sizes, strict=True))
        self._total = sum(asked.sizes)
        self._began = time.monotonic()
        self._offset = 0
        self.found: dict[Path, Outcome] = {}

    def look(self) -> tuple[float, str]:
        """The share of all bytes, and: files, bytes, rate, time left, who reads what."""
        new, self._offset = import_runs.outcomes(self._settings, self._asked, self._offset)
        self.found |= {outcome.path: outcome for outcome in new}
        reading = {
            path: share
            for path, share in import_runs.at_work(self._settings, self._asked).items()
            if path in self._sizes.keys() - self.found
        }
        done = sum(self._sizes[path] for path in self.found) + sum(self._sizes[path] * share for path, share in reading.items())
        seconds = max(time.monotonic() - self._began, 1e-3)
        parts = [f"{len(self.found):,} of {len(self._sizes):,} files, {size(done)} of {size(self._total)}"]
        if done and seconds > 1:
            left = (self._total - done) * seconds / done
            parts.append(f"{done / seconds / 1e6:,.1f} MB/s, {duration(left)} left")
        failed = sum(outcome.status == "failed" for outcome in self.found.values())
        parts += [f"{failed:,} failed"] if failed else []
        if reading:
            parts.append("; ".join(f"{path.name} {share:.0%}" for path, share in sorted(reading.items())))
        return done / self._total if self._total else 1.0, ", ".join(parts)


def _rest(settings: Settings, asked: Run, found: dict[Path, Outcome], code: int, log: Path, progress: Progress) -> Iterator[Outcome]:
    """The outcomes of all files, with those of which no worker said anything: another run has read them, or a worker died."""
    wanted = asked.asked(settings)
    silent = importing.held(settings, [path for path in asked.paths if path not in found], wanted)
    for path in asked.paths:
        if path in found:
            yield found[path]
        elif path in silent:
            yield import_runs.Outcome(path, "held", silent[path], None)
        elif code in ELSEWHERE:
            yield _here(settings, asked, path, progress)
        else:
            what = f"{path}: nobody read it to its end; Luigi ended with {code}"
            yield import_runs.Outcome(path, "failed", None, Failure(path, what, f"see {log}, and run the same command again", True))


def _here(settings: Settings, asked: Run, path: Path, progress: Progress) -> Outcome:
    """Wait for the other run that reads the file, and find it held; or read it, where that one did not end well."""
    try:
        found = import_runs.read(settings, asked, path, progress=progress)
    except Exception as error:
        return import_runs.Outcome(path, "failed", None, importing.failure(path, error))
    return import_runs.Outcome(path, found.status, found.digest, None)


def size(number: float) -> str:
    """Bytes in words."""
    for unit, much in (("GB", 1e9), ("MB", 1e6)):
        if number >= much:
            return f"{number / much:.1f} {unit}"
    return f"{number / 1e3:.1f} kB"


def duration(seconds: float) -> str:
    """A time in words: 45 s, 3:05 min, 2:10 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02} h"
