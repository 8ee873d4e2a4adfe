"""`status`: where everything stands, at a glance. Starts nothing and writes nothing."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from pipeline.cli.options import positive

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.settings import Settings
    from pipeline.study import Study

HELP = """Show where everything stands: sources, database, every study's newest day, what is missing, what was spent, and the last runs.

A day is missing when nothing current is counted of it, partial when it was observed in part, stale when its number was made
by an earlier rule, box or prior. worth: so many independent tweets would tell as much as those counted. Starts nothing and
writes nothing."""
EXAMPLE = "python -m pipeline status --runs 20"

_RUNS = """
select task, parameters, status, started_at, ended_at, rows_out, requests, error
from task_runs
order by started_at desc
limit :most
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """--runs N."""
    parser.add_argument("--runs", type=positive, default=5, metavar="N", help="how many of the last runs to show (default: 5)")


def run(options: argparse.Namespace) -> int:
    """Print it."""
    from datetime import UTC, datetime

    from pipeline import configuration, migrations, plan
    from pipeline.cli import alarms, spending
    from pipeline.cli.terminal import console

    settings = configuration.load()
    now = datetime.now(UTC)
    out = console()
    out.print(f"tweets:   {_source(settings)}", markup=False)
    with plan.peek(settings) as connection:
        out.print(f"database: {_database(settings, connection)}", markup=False)
        older = connection is not None and migrations.waiting(connection) > 0
        if older:
            out.print("          as an older geobeta left it: its numbers show when the next run has brought it up to date", markup=False)
        _studies(settings, None if older else connection, now, out)
        if connection is not None:
            spending.show(settings, connection, now, out)
            if not older:
                alarms.show_doubtful(connection, now, out)
            _runs(connection, options.runs, now, out)
    return 0


def _source(settings: Settings) -> str:
    from pipeline.sandbox import lifecycle

    if not settings.synthetic:
        return f"X API at {settings.base_url or 'api.x.com'}"
    if settings.base_url:
        return f"no token; the server at {settings.base_url}, marked synthetic"
    found = lifecycle.status(settings)
    state = f"running at {found['url']}" if found else "not running; starts when needed"
    return f"no token; the sandbox's made-up city, marked synthetic ({state})"


def _database(settings: Settings, connection: Any) -> str:
    from pipeline import embedded

    if settings.database_url is not None:
        where = "the server of DATABASE_URL"
        return f"{where} answers" if connection is not None else f"{where} answers; no tables yet (the first run makes them)"
    if not embedded.seems_running(settings):
        return "embedded, stopped: `python -m pipeline database start` to see what it holds (a run starts it too)"
    return "embedded, running" if connection is not None else "embedded, running; no tables yet (the first run makes them)"


def _studies(settings: Settings, connection: Any, now: datetime, out: Console) -> None:
    from datetime import timedelta

    from rich.markup import escape
    from rich.table import Table

    from pipeline import days
    from pipeline.report import words

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("study", "newest day", "share", "95 % interval", "worth", "missing", "partial"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("study", "newest day", "95 % interval", "worth"))
    studies = list(settings.studies.values())
    newest = {study.name: days.last_over(settings.area(study.area).zone, now, settings.x.settle) for study in studies}
    snapshot = None if connection is None or not newest else _snapshot(connection, newest)
    told: dict[str, _Told] = {}
    upcoming_days: dict[str, list[str]] = {}
    for study in studies:
        zone = settings.area(study.area).zone
        upcoming = max(newest[study.name] + timedelta(days=1), study.start)
        until = days.over_at(upcoming, zone, settings.x.settle)
        told[study.name] = _Told([""] * 6) if snapshot is None else _study(settings, study, newest[study.name], snapshot)
        table.add_row(escape(study.name), *told[study.name].cells)
        upcoming_days.setdefault(f"{upcoming} is over at {until:%Y-%m-%d %H:%M} UTC", []).append(study.name)
    out.print()
    out.print(table)
    for what, names in upcoming_days.items():
        out.print(f"next day: {what} ({', '.join(names)})", markup=False)
    if made_up := [name for name, of_study in told.items() if of_study.synthetic]:
        out.print(f"synthetic, made up by the sandbox: {', '.join(made_up)}", markup=False)
    if snapshot is not None:
        _warnings(told, out)
    for study in studies:
        if study.mode == "counts":
            out.print(f"{study.name}: {words.BY_X}", markup=False)


@dataclass(frozen=True)
class _Told:
    """A study's cells; a text for each of its newest partial days (what was seen, what is missing, why), flag and shift."""

    cells: list[str]
    synthetic: bool = False
    partial: Sequence[str] = ()
    flags: Sequence[str] = ()
    shifts: Sequence[tuple[date, str]] = ()


def _snapshot(connection: Any, newest: Mapping[str, date]) -> Any:
    # not loaded where the database is stopped: pandas takes longer than all the rest
    from pipeline.report import data

    return data.read(connection, list(newest), max(newest.values()))


def _warnings(told: Mapping[str, _Told], out: Console) -> None:
    from pipeline.report import grounds

    partial = [f"partial: {name}, {day}" for name, of_study in told.items() for day in of_study.partial]
    for line in (*partial, *grounds.warnings((name, of_study.flags, of_study.shifts) for name, of_study in told.items())):
        out.print(line, markup=False)


def _study(settings: Settings, study: Study, newest: date, snapshot: Any) -> _Told:
    from pipeline.report import grounds, hours, table, words

    if study.start > newest:
        return _Told(["not begun", *[""] * 5])
    known = table.days_of(settings, study, newest, snapshot)
    missing, partial = known.of_status("missing"), known.of_status("partial")
    shown = ["none", "", "", ""]
    if known.latest is not None:
        low, high = known.latest["lower_95"], known.latest["upper_95"]
        stale = "" if known.current else " (stale)"
        basis = {"sample": " (a sample)", "counts": " (counted by X)"}.get(known.basis, "")
        share = words.percent(known.latest["mean"], words.decimals(low, high))
        shown = [f"{known.latest_day}{stale}", f"{share}{basis}", words.interval(low, high), grounds.worth(known.latest)]
    cells = [f"{len(found)}: {words.day_list(found, most=3)}" if found else "0" for found in (missing, partial)]
    return _Told(
        [*shown, *cells],
        known.synthetic,
        hours.partial_days(known, settings.area(study.area).zone),
        grounds.flags(known.latest or {}),
        grounds.shifts(known.alarms),
    )


def _runs(connection: Any, most: int, now: datetime, out: Console) -> None:
    from rich.markup import escape
    from rich.table import Table
    from sqlalchemy import text

    found = connection.execute(text(_RUNS), {"most": most}).all()
    if not found:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("last runs", "of", "status", "began (UTC)", "seconds", "rows", "requests"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "last runs")
    for row in found:
        seconds = f"{((row.ended_at or now) - row.started_at).total_seconds():.1f}"
        of = " ".join(str(value) for value in row.parameters.values())
        cells = [row.task, of, row.status, f"{row.started_at:%Y-%m-%d %H:%M}", seconds, _number(row.rows_out), _number(row.requests)]
        table.add_row(*(escape(cell) for cell in cells))
    out.print()
    out.print(table)
    # a sentence in a column of what is left of 80 is one word a line
    for row in found:
        if row.error:
            told = " ".join([row.task, *map(str, row.parameters.values())])
            out.print(f"{told}, {row.started_at:%H:%M}: {' '.join(row.error.split())}", markup=False)


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
