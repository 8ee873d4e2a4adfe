"""Measures how fast geobeta is, beside other tools and the least that any could take; --write puts the figures into docs/performance.md.

Run: .venv/bin/python -m benchmarks.performance [--points 1 2] [--scale 1.0] [--rounds 3] [--write]
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version

from benchmarks.page import replaced
from benchmarks.performance import archives, loading, many, nothing, venvs
from benchmarks.performance.generate import ROOT
from benchmarks.performance.goals import HEAD, Bench, Goal
from pipeline.errors import PipelineError

PAGE = ROOT / "docs" / "performance.md"
#: By the name of its block on the page, in the page's order: which point of the goals it is of, and what measures it.
POINTS: dict[str, tuple[int, Callable[[Bench], Iterator[str | Goal]]]] = {
    "geo": (1, archives.geo),
    "stream": (2, archives.stream),
    "pages": (2, archives.pages),
    "files": (3, many.files),
    "selection": (4, many.selection),
    "memory": (5, many.memory),
    "loading": (6, loading.figures),
    "nothing": (7, nothing.figures),
}
OURS = ("pyarrow", "msgspec", "isal", "numpy", "pandas", "luigi", "sqlalchemy")


def main() -> int:
    """Measure, print, and write if asked to."""
    arguments = parser().parse_args()
    if arguments.write and (arguments.scale != 1 or arguments.points):
        print("--write is for figures of the full run: leave --scale and --points out", file=sys.stderr)
        return 2
    bench = Bench(arguments.scale, arguments.rounds, lambda line: print(line, file=sys.stderr, flush=True))
    blocks: dict[str, list[str]] = {}
    goals: list[str] = []
    begun = time.monotonic()
    for name, (point, figures) in POINTS.items():
        if arguments.points and point not in arguments.points:
            continue
        print(f"\n== {name}", flush=True)
        blocks[name], rows = measured(name, figures(bench))
        goals += rows
    blocks["goals"] = [*HEAD, *goals]
    print("\n== goals", *blocks["goals"], sep="\n")
    print(f"({time.monotonic() - begun:.0f} s)", file=sys.stderr)
    if arguments.write:
        blocks["machine"] = machine(arguments.rounds)
        page = PAGE.read_text("utf-8")
        for name, lines in blocks.items():
            page = replaced(page, name, lines)
        PAGE.write_text(page, "utf-8")
    return 1 if any("not measured" in row for row in goals) else 0


def measured(name: str, figures: Iterator[str | Goal]) -> tuple[list[str], list[str]]:
    """The lines of a block, printed as they come, and the rows of its goals. What fails says so there, and the rest goes on."""
    lines: list[str] = []
    rows: list[str] = []
    try:
        for found in figures:
            if isinstance(found, Goal):
                rows.append(found.row())
            else:
                lines.append(found)
                print(found, flush=True)
    except (RuntimeError, PipelineError) as error:
        said = " ".join(str(error).split())
        print(f"not measured: {said}", file=sys.stderr)
        lines.append(f"Not measured: {said[:300]}")
        rows.append(f"| {name} | | not measured | **not met** |")
    return lines, rows


def machine(rounds: int) -> list[str]:
    """When, on what kind of machine, how busy, and with what versions; no names."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    ours = ", ".join(f"{name} {version(name)}" for name in OURS)
    theirs = ", ".join(
        f"{name} {number}"
        for environment in venvs.NAMES
        for name, number in venvs.versions(environment).items()
        if name in ("duckdb", "polars", "pysimdjson", "twarc-csv", "dlt")
    )
    return [
        f"Measured {datetime.now(UTC):%Y-%m-%d}, the median of {rounds} rounds in turns, on {platform.system()} {platform.machine()} "
        f"({processor()}), {os.cpu_count()} cores, {memory:.0f} GB; load at the end {os.getloadavg()[2]:.1f}.",
        "",
        f"Python {platform.python_version()}; {ours}. Beside it: {theirs}.",
    ]


def processor() -> str:
    """What the processor is called."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "processor unknown")
    except OSError:
        return platform.processor() or "processor unknown"


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.performance", description="Measures every figure of docs/performance.md.")
    made.add_argument("--write", action="store_true", help="put the figures into docs/performance.md, with date and versions")
    made.add_argument("--points", nargs="+", type=int, choices=sorted({point for point, _ in POINTS.values()}), help="these goals only")
    made.add_argument("--scale", type=float, default=1.0, help="size of the data; start-up weighs more in small ones (default 1)")
    made.add_argument("--rounds", type=int, default=3, help="runs of each competitor, in turns (default 3)")
    return made


if __name__ == "__main__":
    sys.exit(main())
