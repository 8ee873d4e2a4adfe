"""Measures every figure of docs/statistics.md and prints it; --write puts it there. Three minutes of CPU time; with --quick
20 seconds.

Run: .venv/bin/python -m benchmarks.figures [--write] [--quick] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import scipy

from benchmarks.figures import areas, crowds, days, exact, nights, real, shared
from benchmarks.page import replaced

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "statistics.md"
#: By the name of its block on the page, in the page's order; and those that need real posts.
FIGURES: dict[str, Callable[..., Iterator[str]]] = {
    "exactness": exact.figures,
    "halves": real.figures,
    "coverage": crowds.figures,
    "days": days.figures,
    "alarms": nights.figures,
    "corner": nights.corner,
    "comparison": shared.figures,
    "pooling": areas.figures,
}
REAL = ("halves", "alarms")
QUICK = 0.05


def main() -> int:
    """Measure, print, and write if asked to."""
    arguments = parser().parse_args()
    if arguments.write and arguments.quick:
        print("--write is for figures of the full run: leave --quick out", file=sys.stderr)
        return 2
    folder = Path(os.environ.get("SHARED_DATA") or ROOT.parent / "shared" / "data")
    for name in arguments.only or FIGURES:
        print(f"\n== {name}", flush=True)
        if name in REAL and not folder.is_dir():
            print("not measured: the folder of real posts is not there (set SHARED_DATA to it); the page keeps what it has")
            continue
        lines = []
        start = time.process_time()
        for made in FIGURES[name](scale=QUICK if arguments.quick else 1.0, data=folder):
            line = re.sub(r"(?<=\d)%", " %", made)
            print(line, flush=True)
            lines.append(line)
        spent = time.process_time() - start
        if arguments.write:
            PAGE.write_text(replaced(PAGE.read_text("utf-8"), name, lines, stamp(spent)), "utf-8")
        print(f"({spent:.0f} s of CPU time)", file=sys.stderr)
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.figures", description="Measures every figure of docs/statistics.md.")
    made.add_argument("--write", action="store_true", help="put the figures into docs/statistics.md, with date and versions")
    made.add_argument("--quick", action="store_true", help="a twentieth of the worlds: a look, not figures")
    made.add_argument("--only", nargs="+", choices=FIGURES, metavar="NAME", help=f"some of: {', '.join(FIGURES)}")
    return made


def stamp(spent: float) -> str:
    """When, with what, and how long."""
    versions = f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}"
    return f"*Measured {datetime.now(UTC):%Y-%m-%d} with {versions}; {spent:.0f} s of CPU time.*"


if __name__ == "__main__":
    sys.exit(main())
