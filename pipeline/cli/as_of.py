"""`as-of`: the numbers as they stood at a moment, whatever was restated since."""

from __future__ import annotations

import argparse
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.settings import Settings

HELP = """Show the numbers that were published at a moment, to the last bit, whatever was restated since.

WHEN is an instant with its time zone (2026-11-05T08:00Z, 2026-11-05T08:00+01:00), or a day: then it is the end of that day where each
study's area lies. Of every study its newest day by then; with --study, all days of that one."""
EXAMPLE = """python -m pipeline as-of 2026-11-20
python -m pipeline as-of 2026-11-20T08:00Z --study mexico-city-traffic"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The moment; --study."""
    parser.add_argument("when", type=moment, metavar="WHEN", help="an instant with its time zone, or a day")
    parser.add_argument("--study", metavar="NAME", help="all days of this study")


def moment(text: str) -> datetime | date:
    """An instant that says its zone, or a day, for argparse (which turns its error into exit code 2)."""
    from pipeline.days import parse_day
    from pipeline.errors import SettingsError

    try:
        if len(text) == len("2026-11-05"):
            return parse_day(text)
        found = datetime.fromisoformat(text)
    except (SettingsError, ValueError):
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted a day such as 2026-11-05 or an instant such as 2026-11-05T08:00Z") from None
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"got {text!r}, an instant of no time zone; write {text}Z for UTC, or {text}+01:00")
    return found


def run(options: argparse.Namespace) -> int:
    """Print it."""
    from pipeline import configuration, database, published
    from pipeline.cli.terminal import console

    settings = configuration.load()
    studies = [settings.study(options.study).name] if options.study else list(settings.studies)
    when = {name: _instant(settings, name, options.when) for name in studies}
    with database.transaction(settings, snapshot=True) as connection:
        rows = published.as_of(connection, when)
    if not options.study:
        rows = [next(row for row in reversed(rows) if row["study"] == name) for name in dict.fromkeys(row["study"] for row in rows)]
    out = console()
    for line in lines(settings, options.when, when, rows):
        out.print(line, markup=False, soft_wrap=True)
    return 0


def _instant(settings: Settings, study: str, when: datetime | date) -> datetime:
    from pipeline.days import start_of

    if isinstance(when, datetime):
        return when
    return start_of(when + timedelta(days=1), settings.area(settings.study(study).area).zone)


def lines(settings: Settings, asked: datetime | date, when: dict[str, datetime], rows: list[dict[str, Any]]) -> list[str]:
    """The rows as a table of at most 80 columns, after the moment in words."""
    import textwrap
    from datetime import UTC

    from pipeline.report import grounds, words

    said = sorted({f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" for at in when.values()})
    ends = "" if isinstance(asked, datetime) else f"the end of {asked} where each area lies: "
    written = [*textwrap.wrap(f"as it stood at {ends}{', '.join(said)}", 80), ""]
    if not rows:
        return [*written, "nothing was published by then"]
    written.append(f"{'day':<12}{'share':>9}  {'95 % interval':<18}{'k':>8} of {'n':>9}  published (UTC)")
    for study in dict.fromkeys(row["study"] for row in rows):
        own = [row for row in rows if row["study"] == study]
        written.append(f"{study} ({settings.area(settings.study(study).area).timezone})")
        for row in own:
            share = words.percent(row["mean"], words.decimals(row["lower_95"], row["upper_95"]))
            counts = f"{row['matches']:>8,} of {row['trials']:>9,}"
            interval = words.interval(row["lower_95"], row["upper_95"])
            written.append(f"{row['day']!s:<12}{share:>9}  {interval:<18}{counts}  {row['published_at']:%Y-%m-%d %H:%M}")
        if uncorrected := [row for row in own if row["design_effect"] is None]:
            which = "" if len(uncorrected) == len(own) else f"up to {uncorrected[-1]['day']} "
            written.append(f"  {which}{grounds.uncorrected(uncorrected[-1])}")
    return [line.replace("\u00a0", " ") for line in written]
