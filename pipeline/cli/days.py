"""`days`: the newest closed days, as the options Luigi's RangeDaily takes."""

from __future__ import annotations

import argparse

from pipeline.cli.options import last_closed, positive

HELP = """Print the newest days that are over in every area, as options of Luigi's RangeDaily.

A day counts as over 90 minutes (settle_minutes) after its end in the area's own time zone."""
EXAMPLE = "luigi --module tasks RangeDaily --of Nightly $(python -m pipeline days --last 14) --local-scheduler"


def arguments(parser: argparse.ArgumentParser) -> None:
    """--last N."""
    parser.add_argument("--last", type=positive, default=14, metavar="N", help="how many days (default: 14)")


def run(options: argparse.Namespace) -> int:
    """Print one line: --start is the first day, --stop the day after the last."""
    from datetime import timedelta

    from pipeline import settings as configured

    last = last_closed(configured.read())
    words = f"--start {last - timedelta(days=options.last - 1)} --stop {last + timedelta(days=1)}"
    # RangeDaily leaves out what is older than 100 days or beyond 50 tasks, and calls that success (facts/luigi.md).
    print(f"{words} --days-back {options.last + 100} --task-limit {options.last + 50}")
    return 0
