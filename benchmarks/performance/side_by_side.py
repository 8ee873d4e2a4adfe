"""Competitors in turns, each a process of its own: CPU seconds (user and system, start-up and children included), wall, peak memory.

The median of the rounds counts. What matters are ratios: a busy machine slows all of them, and they take turns.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.performance.generate import BENCH, ROOT

VARIANTS: Final = Path(__file__).parent / "variants"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to do the task.

    Attributes:
        name: in the table.
        command: what is run; `{out}` stands for a fresh folder.
        prepare: is given that folder before, unmeasured.
        environ: besides this process's, `{out}` as in the command.
        once: too slow for more than one round.
    """

    name: str
    command: Sequence[str]
    prepare: Callable[[Path], object] | None = None
    environ: Mapping[str, str] | None = None
    once: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What a run took (seconds; megabytes of its largest process), or all runs of a way in the median; and what it printed last.

    Of that `work` is CPU seconds too, without the start of the process, where it tells.
    """

    cpu: float
    wall: float
    peak: float
    said: Any


def measure(ways: Sequence[Way], rounds: int, told: Callable[[str], None] = lambda line: None) -> dict[str, Taken]:
    """Run all in turns; by name.

    Raises:
        RuntimeError: one of them failed, or said something else in another round.
    """
    runs: dict[str, list[Taken]] = {way.name: [] for way in ways}
    for number in range(rounds):
        for way in ways:
            if way.once and number:
                continue
            found = run(way)
            runs[way.name].append(found)
            told(f"round {number + 1}: {way.name}: {found.cpu:.2f} s of CPU, {found.wall:.2f} s, {found.peak:.0f} MB {found.said}")
    return {name: _median(name, found) for name, found in runs.items()}


def run(way: Way) -> Taken:
    """Run one once."""
    BENCH.mkdir(exist_ok=True)
    out = Path(tempfile.mkdtemp(prefix="out-", dir=BENCH))
    try:
        if way.prepare is not None:
            way.prepare(out)
        return _measured(way, out)
    finally:
        shutil.rmtree(out, ignore_errors=True)


def _measured(way: Way, out: Path) -> Taken:
    given = {name: value.replace("{out}", str(out)) for name, value in (way.environ or {}).items()}
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **given}
    # Python keeps what it has compiled, as it does wherever nobody forbids it: compiling us anew is no part of reading an archive
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [part.replace("{out}", str(out)) for part in way.command]
    launched = [sys.executable, "-I", "-S", str(Path(__file__).parent / "launch.py"), str(out / "report"), *command]
    with open(out / "said", "w+b") as said, open(out / "errors", "w+b") as errors:
        subprocess.run(launched, stdout=said, stderr=errors, env=environ, cwd=ROOT, check=True)
        said.seek(0)
        errors.seek(0)
        lines, last = said.read().decode().splitlines(), errors.read()[-2000:].decode(errors="replace")
    status, cpu, wall, peak = map(float, (out / "report").read_text(encoding="ascii").split())
    if status:
        raise RuntimeError(f"{way.name} ended with {status:.0f}: {last}")
    return Taken(cpu, wall, peak / 1024, json.loads(lines[-1]) if lines and lines[-1].startswith("{") else None)


def _median(name: str, runs: Sequence[Taken]) -> Taken:
    said = [{key: value for key, value in (run.said or {}).items() if key != "work"} for run in runs]
    if any(other != said[0] for other in said):
        raise RuntimeError(f"{name} said other things in other rounds: {said}")
    cpu, wall, peak = (statistics.median(getattr(run, what) for run in runs) for what in ("cpu", "wall", "peak"))
    work = {"work": statistics.median(run.said["work"] for run in runs)} if "work" in (runs[0].said or {}) else {}
    return Taken(cpu, wall, peak, {**said[0], **work})


def script(name: str, python: Path | str | None = None) -> list[str]:
    """A command that runs a variant by the Python of its venv (None: this one)."""
    return [str(python or sys.executable), str(VARIANTS / f"{name}.py")]


def warm(*files: Path) -> None:
    """Read the files once, so that nobody is the first to wait for the disk."""
    for file in files:
        with open(file, "rb") as content:
            while content.read(2**22):
                pass
