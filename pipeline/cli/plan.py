"""`plan`: what a run would do and why. Shown by task and name, with days of one reason together."""

from __future__ import annotations

import argparse
from datetime import date
from typing import TYPE_CHECKING

from pipeline.cli import options as kinds

if TYPE_CHECKING:
    from pipeline.plan import Step

HELP = """Show what Nightly would run for some days, and why, and what that would ask of X and cost; run nothing.

Each line is a task of one area or study with the days it would run for, the reason why they are not complete,
and for tweets where they would come from (X API, sandbox, archives). Without days: the newest day that is over.
The price is told by X's counts endpoint, which is asked for what it has not told yet (half a cent a query and day, one cent for days that
only the full archive reaches). The answers are kept: the night does not ask again."""
EXAMPLE = """python -m pipeline plan --date 2026-11-22
python -m pipeline plan --from 2026-11-09 --to 2026-11-22 --offline"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """--date, or --from and --to; --queries, --offline, --ask-up-to."""
    parser.add_argument("--date", type=kinds.day, metavar="DAY", help="one day, YYYY-MM-DD")
    parser.add_argument("--from", dest="first", type=kinds.day, metavar="DAY", help="the first of several days")
    parser.add_argument("--to", dest="last", type=kinds.day, metavar="DAY", help="the last of them (default: the newest day that is over)")
    parser.add_argument("--queries", action="store_true", help="print the queries too")
    parser.add_argument("--offline", action="store_true", help="ask nothing of X (or the sandbox) and start nothing")
    parser.add_argument(
        "--ask-up-to", type=kinds.dollars, default=0.10, metavar="USD", help="what asking for counts may cost (default: 0.10)"
    )


def run(options: argparse.Namespace) -> int:
    """Print the plan."""
    from datetime import UTC, datetime

    from pipeline import configuration, plan
    from pipeline.cli import price
    from pipeline.cli.terminal import console
    from pipeline.errors import SettingsError

    settings = configuration.load()
    first, last = _span(options, kinds.last_closed(settings))
    if first > last:
        raise SettingsError(f"got days from {first} to {last}, which is backwards", todo="give the earlier day to --from")
    out = console()
    held = plan.stored(settings, first, last)
    if not held.known:
        out.print(f"note: {held.why}", markup=False)
    now = datetime.now(UTC)
    found = list(plan.steps(settings, first, last, now=now, held=held))
    _show(found, out, f"{first} to {last}" if first != last else str(first))
    price.show(settings, found, out, now=now, offline=options.offline, queries=options.queries, up_to=options.ask_up_to)
    return 0


def _span(options: argparse.Namespace, newest: date) -> tuple[date, date]:
    from pipeline.errors import SettingsError

    if options.date is not None:
        if options.first or options.last:
            raise SettingsError("got --date together with --from or --to", todo="give one day, or a first and a last one")
        return options.date, options.date
    last = options.last or newest
    return options.first or last, last


def _show(found: list[Step], out: object, span: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from pipeline.plan import TASKS
    from pipeline.report import words

    assert isinstance(out, Console)
    if not found:
        out.print(f"{span}: everything is complete, nothing would run")
        return
    grouped: dict[tuple[str, str, str, str, bool], list[date]] = {}
    for step in sorted(found, key=lambda each: (TASKS.index(each.task), each.name, each.day)):
        reason = step.reason
        grouped.setdefault((step.task, step.name, reason, step.source, step.blocked), []).append(step.day)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("task", "of", "days", "", "why", "from"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "task")
    for (task, name, reason, source, blocked), listed in grouped.items():
        why = f"[yellow]cannot run:[/] {escape(reason)}" if blocked else escape(reason)
        table.add_row(task, escape(name), words.day_list(listed), f"{len(listed)}", why, source)
    out.print(table)
    run, left = sum(not step.blocked for step in found), sum(step.blocked for step in found)
    fetched = sum(step.task == "ExtractTweets" and not step.blocked for step in found)
    left_words = f"; {left} cannot run now" if left else ""
    out.print(f"{words.counted(run, 'task')} would run, {fetched} of them fetching tweets{left_words}. Nothing was run.")
