"""`purge`: tweets that are gone at X, gone here too, with what was counted of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.purge import Asked, Report
    from pipeline.settings import Settings

HELP = """Remove tweets for good: text, place and raw copies, from files and database; counts and posteriors are restated.

FILE holds ids, one a line, or lines of X's compliance endpoint, or notices of a stream (`delete`, `scrub_geo` …); plain or packed as
`import` takes it, recognised by content. A keyed hash of each id stays, so that no later import or fetch brings the tweet back.
Without a file, what a killed purge left is ended. --expired removes what is older than [content] retention_days of settings.toml, as
every night does."""
EXAMPLE = """python -m pipeline purge --ids deleted.txt --dry-run
python -m pipeline purge --ids deleted.txt
python -m pipeline purge --notices stream-2026-11.jsonl.gz
python -m pipeline purge --expired"""

#: Days listed one by one.
LISTED = 20


def arguments(parser: argparse.ArgumentParser) -> None:
    """Files, and how thorough."""
    for name, words in (("--ids", "ids, or what asks to delete some"), ("--notices", "the same: what a file is, it says itself")):
        parser.add_argument(name, dest="files", metavar="FILE", type=Path, action="append", default=[], help=words)
    parser.add_argument("--expired", action="store_true", help="remove texts and places that have been kept long enough")
    parser.add_argument("--dry-run", action="store_true", help="say what would go; change nothing")
    parser.add_argument(
        "--vacuum-full", action="store_true", help="write the tables of DATABASE_URL anew too (they are locked meanwhile)", default=None
    )


def run(options: argparse.Namespace) -> int:
    """Read the files, purge, tell."""
    from pipeline import configuration, purge
    from pipeline.cli.terminal import console, progress

    settings = configuration.load()
    configuration.check_data_folder(settings)
    if options.expired:
        return _expire(settings, options)
    with progress("purge") as told:
        asked = purge.read(options.files, progress=told)
        source = ", ".join(path.name for path in options.files) or "an earlier purge"
        report = purge.run(settings, asked, source=source, dry=options.dry_run, full=options.vacuum_full, progress=told)
    for line in account(asked, report, dry=options.dry_run):
        console().print(line, markup=False, soft_wrap=True)
    return 1 if asked.unclear else 0


def _expire(settings: Settings, options: argparse.Namespace) -> int:
    from pipeline import retention
    from pipeline.cli.terminal import console, progress
    from pipeline.errors import SettingsError

    if settings.content.retention_days is None:
        raise SettingsError(
            f"got --expired, and {settings.config / 'settings.toml'} sets no limit",
            todo="add retention_days = 365 (or another number of days) under [content]",
        )
    if options.files or options.dry_run:
        raise SettingsError("got --expired beside other options", todo="leave --ids, --notices and --dry-run out")
    with progress("retention") as told:
        found = retention.run(settings, full=options.vacuum_full, progress=told)
    gone = f"{found.partitions:,} partitions, {_number(found.extracts, 'archive')}, {_number(found.rows, 'row')} of the database"
    console().print(f"older than {settings.content.retention_days:,} days, and removed: {gone}", markup=False, soft_wrap=True)
    if found.waiting:
        said = f"kept until they have been counted: {_number(found.waiting, 'older day')} (the next night counts them)"
        console().print(said, markup=False, soft_wrap=True)
    return 0


def account(asked: Asked, report: Report, *, dry: bool) -> list[str]:
    """What was asked, what was held, which days change."""
    authors = len({*asked.authors, *(other.author for other in asked.further if other.author)})
    tweets = len(asked.tweets) + sum(other.author is None for other in asked.further)
    said = [f"asked for: {_number(tweets, 'tweet')}" + (f", {_number(authors, 'author')}" if authors else "")]
    if asked.others:
        said.append(f"  {asked.others:,} other documents ask for nothing")
    if asked.unclear:
        said.append(f"  WARNING: {_number(asked.unclear, 'line')} cannot be read, so nothing was done about {_them(asked.unclear)}")
    return said + removed(report, dry=dry)


def removed(report: Report, *, dry: bool) -> list[str]:
    """What was held, which days change."""
    said = []
    where = f"{report.pages:,} partitions of pages, {report.extracts:,} archives, {report.partitions:,} derived partitions"
    held = f"{_number(report.tweets, 'tweet')} (versions counted) in {where}"
    said.append(f"would be removed: {held}" if dry else f"removed: {held}")
    for (area, day), why in list(report.days.items())[:LISTED]:
        said.append(f"  {area} {day}: {why or 'none of its tweets had been counted'}")
    if len(report.days) > LISTED:
        said.append(f"  and {len(report.days) - LISTED:,} days more")
    for study, number in ((study, number) for study, number in report.restated.items() if number):
        said.append(f"restated: {study}: {_number(number, 'published day')}")
    for area, day in report.from_rows:
        said.append(f"  {area} {day}: its files are no more; counted again from the database's rows")
    return said


def _number(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def _them(number: int) -> str:
    return "it" if number == 1 else "them"
