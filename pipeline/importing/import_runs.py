"""One `import` over many files, spread over processes: which files, in which tasks; how far each is, and what came of it.

A run is a folder of small files, `imports/<name>/`: the command writes what is to be read, Luigi's workers write what they do, and the
command reads that. To lose one loses a log: what is done is known from the extracts (importing.held).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pipeline import days, faults, importing, storage
from pipeline.errors import MissingData
from pipeline.importing import Wanted
from pipeline.importing.import_report import Failure, FileReport
from pipeline.progress import Progress, silent
from pipeline.settings import Settings

#: More tasks than this make Luigi slow: what it does for each grows with their number (2,000: 34 ms a task, 250: 11 ms).
MOST_TASKS: Final = 200
#: Runs whose logs are kept.
KEPT: Final = 10
#: In a run's folder: what came of its files, a line each; and how many bytes of that the command has told.
LOG: Final = "outcomes.jsonl"
TOLD: Final = "told"
#: Seconds between two words of a process on how far it is.
TELL_EVERY: Final = 0.3


@dataclass(frozen=True, slots=True)
class Run:
    """What one import reads.

    Attributes:
        name: its folder's, and the parameter of Luigi's tasks.
        paths: absolute, in the order in which they are to be reported.
        sizes: in bytes.
        since, until: the days that are wanted, both included; None: no limit.
        strict: refuse a file of which anything is rejected.
        tasks: which files one task reads, by their numbers; a task of one file is ImportArchive's.
    """

    name: str
    paths: tuple[Path, ...]
    sizes: tuple[int, ...]
    since: date | None
    until: date | None
    strict: bool
    tasks: tuple[tuple[int, ...], ...]

    def asked(self, settings: Settings) -> Wanted:
        """What is asked of each file."""
        return importing.wanted(settings, days.reach(self.since, self.until), strict=self.strict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one file: `status` imported, held or failed, the last with a failure."""

    path: Path
    status: str
    digest: str | None
    failure: Failure | None


def folder(settings: Settings, name: str) -> Path:
    """Where a run's files lie."""
    return settings.data / "imports" / name


def begin(settings: Settings, paths: Sequence[Path], *, since: date | None, until: date | None, strict: bool) -> Run:
    """Write down what is to be read; sweep out what older runs left."""
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"
    sizes = tuple(path.stat().st_size for path in paths)
    run = Run(name, tuple(paths), sizes, since, until, strict, spread(sizes))
    _sweep(settings)
    importing.tidy(settings)
    # names that are no UTF-8 come back as they were: ASCII, with lone surrogates escaped
    text = json.dumps(asdict(run), default=str, ensure_ascii=True)
    storage.write_bytes(folder(settings, name) / "run.json", text.encode("ascii"))
    return run


def find(settings: Settings, name: str) -> Run:
    """The run of that name.

    Raises:
        MissingData: there is none.
    """
    return _found(folder(settings, name) / "run.json")


@lru_cache(maxsize=4)
def _found(path: Path) -> Run:
    """It never changes; and of tens of thousands of files reading it takes a while."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise MissingData(f"{path} is not there: no import has that name", todo="run `python -m pipeline import PATH…` again") from error
    since, until = (date.fromisoformat(found[key]) if found[key] else None for key in ("since", "until"))
    paths = tuple(map(Path, found["paths"]))
    return Run(found["name"], paths, tuple(found["sizes"]), since, until, found["strict"], tuple(map(tuple, found["tasks"])))


def spread(sizes: Sequence[int], most: int = MOST_TASKS) -> tuple[tuple[int, ...], ...]:
    """Which files one task reads: one each where there are few; of very many the small ones in bundles of neighbours."""
    if len(sizes) <= most:
        return tuple((number,) for number in range(len(sizes)))
    # half of the tasks for files that are large by themselves, half for bundles of about so many bytes and files
    enough, many = max(2 * sum(sizes) // most, 1), -(-2 * len(sizes) // most)
    tasks: list[tuple[int, ...]] = []
    bundle: list[int] = []
    total = 0
    for number, size in enumerate(sizes):
        if size >= enough:
            tasks.append((number,))
            continue
        bundle.append(number)
        total += size
        if len(bundle) >= many or total >= enough:
            tasks.append(tuple(bundle))
            bundle, total = [], 0
    return (*tasks, tuple(bundle)) if bundle else tuple(tasks)


def read(settings: Settings, run: Run, path: Path, *, progress: Progress = silent) -> FileReport:
    """Read one file of a run, and write down how far it is and what came of it.

    Raises:
        PipelineError: as importing.read.
    """
    with telling(settings, run.name, path) as tell:

        def both(share: float | None, message: str) -> None:
            tell(share)
            progress(share, message)

        try:
            found = importing.read(settings, path, run.asked(settings), progress=both)
        except Exception as error:
            _note(settings, run.name, path, importing.failure(path, error))
            raise
        _note(settings, run.name, path, found)
    return found


@contextlib.contextmanager
def telling(settings: Settings, name: str, path: Path) -> Iterator[Any]:
    """Give a function that says how far this process is with a file (share, None where nobody knows), for the command to show."""
    where = folder(settings, name) / f"at-{os.getpid()}.json"
    last = [float("-inf"), 0.0]

    def tell(share: float | None) -> None:
        last[1] = last[1] if share is None else share
        if time.monotonic() - last[0] < TELL_EVERY:
            return
        last[0] = time.monotonic()
        # nothing is lost with it, and a disk that is full fails elsewhere, in words
        with contextlib.suppress(OSError):
            temporary = where.with_suffix(".tmp")
            temporary.write_text(json.dumps([str(path), last[1]]), encoding="ascii")
            temporary.replace(where)

    tell(0.0)
    try:
        yield tell
    finally:
        with contextlib.suppress(OSError):
            where.unlink(missing_ok=True)


def at_work(settings: Settings, run: Run) -> dict[Path, float]:
    """The files that are being read now, and the share done of each."""
    found = {}
    for where in folder(settings, run.name).glob("at-*.json"):
        # between two looks it may go
        with contextlib.suppress(OSError, ValueError):
            path, share = json.loads(where.read_bytes())
            found[Path(path)] = float(share)
    return found


def outcomes(settings: Settings, run: Run, offset: int = 0) -> tuple[list[Outcome], int]:
    """What has come of files, from a place in the log on (0: the beginning); and the place to go on at."""
    return _logged(_log(settings, run.name), offset)


def _logged(log: Path, offset: int) -> tuple[list[Outcome], int]:
    try:
        with open(log, "rb") as file:
            file.seek(offset)
            new = file.read()
    except FileNotFoundError:
        return [], offset
    new = new[: new.rfind(b"\n") + 1]
    return [found for line in new.splitlines() if (found := _outcome(line))], offset + len(new)


@dataclass(frozen=True, slots=True)
class Untold:
    """What runs have imported of which no command has said yet that it came: this run's, and those of commands that were stopped.

    Attributes:
        runs: a run's folder → digests of the extracts that it made, and up to where in its log.
    """

    runs: Mapping[Path, tuple[frozenset[str], int]]

    @property
    def digests(self) -> frozenset[str]:
        """Of all runs."""
        return frozenset().union(*(digests for digests, _ in self.runs.values()))

    def forget(self, told: Set[str]) -> None:
        """These have been told; a run that has imported others too is kept, for whoever imports them again."""
        for where, (digests, end) in self.runs.items():
            if digests and digests <= told:
                storage.write_bytes(where / TOLD, str(end).encode("ascii"))


def untold(settings: Settings) -> Untold:
    """What the last runs have imported, but for what has been told."""
    found = {}
    for where in (settings.data / "imports").glob("*Z-*"):
        try:
            begin = int((where / TOLD).read_bytes())
        except (OSError, ValueError):
            begin = 0
        outcomes_, end = _logged(where / LOG, begin)
        digests = frozenset(one.digest for one in outcomes_ if one.status == "imported" and one.digest is not None)
        found[where] = (digests, end)
    return Untold(found)


def _outcome(line: bytes) -> Outcome | None:
    try:
        row = json.loads(line)
    except ValueError:
        # cut by a kill or a full disk: what became of that file its extract says
        return None
    path = Path(row["path"])
    failure = Failure(path, row["what"], row["todo"], row["transient"]) if row["status"] == "failed" else None
    return Outcome(path, row["status"], row["digest"], failure)


def _note(settings: Settings, name: str, path: Path, found: FileReport | Failure) -> None:
    if isinstance(found, Failure):
        about = {"status": "failed", "digest": None, "what": found.what, "todo": found.todo, "transient": found.transient}
    else:
        about = {"status": found.status, "digest": found.digest}
    line = json.dumps({"path": str(path), **about}).encode("ascii") + b"\n"
    with open(_log(settings, name), "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(line)
        file.flush()
    faults.point("import.outcome")


def _log(settings: Settings, name: str) -> Path:
    return folder(settings, name) / LOG


def _sweep(settings: Settings) -> None:
    """Remove the logs of old runs; their names are their times."""
    older = sorted(path for path in (settings.data / "imports").glob("*Z-*") if path.is_dir())
    for path in older[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)
