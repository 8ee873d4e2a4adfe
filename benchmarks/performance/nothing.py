"""Point 7: a night that finds nothing to do, by how many studies and days there are, beside three imports that any such program makes."""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
from collections.abc import Iterator
from typing import Final

from benchmarks.performance import installation, side_by_side
from benchmarks.performance.goals import Bench, Goal
from benchmarks.performance.side_by_side import Way

#: Studies and days; the first is the goal's.
SIZES: Final = ((100, 365), (100, 30), (10, 365), (10, 30))
IMPORTS: Final = "import luigi, pandas, sqlalchemy"


def figures(bench: Bench) -> Iterator[str | Goal]:
    """Range over all days, the local scheduler, the database running."""
    scaled = [(max(round(studies * bench.scale), 1), max(round(days * bench.scale), 2)) for studies, days in SIZES]
    sizes = list(dict.fromkeys(scaled))
    with contextlib.ExitStack() as stack:
        ways = [Way(IMPORTS, [sys.executable, "-c", IMPORTS])]
        for studies, days in sizes:
            made = stack.enter_context(installation.installed(studies, days))
            ways.append(Way(_name(studies, days), _night(made), environ=made.environ))
        taken = side_by_side.measure(ways, bench.rounds, bench.told)
    base = taken[IMPORTS]
    yield "`RangeDaily --of Nightly` over all days, nothing to do; the server runs already, and its own work counts in the wall time only."
    yield ""
    yield "| | CPU s | × the imports | wall s | × the imports | peak MB |"
    yield "|---|--:|--:|--:|--:|--:|"
    for name, found in taken.items():
        times = f"{found.cpu:.2f} | {found.cpu / base.cpu:.2f} | {found.wall:.2f} | {found.wall / base.wall:.2f}"
        yield f"| {name} | {times} | {found.peak:.0f} |"
    many, few_days, few_studies = (taken[_name(*size)] for size in scaled[:3])
    worse = max(many.cpu / base.cpu, many.wall / base.wall)
    yield Goal("a night with nothing to do, 100 studies over 365 days: time by the imports' (CPU or wall, the worse)", 3, worse)
    # the goal has no number for this: that it grows "by the studies, not by the days"
    yield Goal("the same: CPU time of 365 days by that of 30, twelve times as many", 1.5, many.cpu / few_days.cpu)
    yield Goal("the same: CPU time of 100 studies by that of 10", 10, many.cpu / few_studies.cpu)


def _name(studies: int, days: int) -> str:
    return f"{studies} studies, {days} days"


def _night(made: installation.Installation) -> list[str]:
    span = ["--start", str(made.days[0]), "--stop", str(made.days[-1] + dt.timedelta(days=1))]
    # RangeDaily leaves out what is old or too much, unless told otherwise
    limits = ["--days-back", "1000", "--task-limit", str(len(made.days) + 1)]
    return [sys.executable, "-m", "luigi", "--module", "tasks", "RangeDaily", "--of", "Nightly", *span, *limits, "--local-scheduler"]
