"""`compare`: is one share larger than another, and by how much."""

from __future__ import annotations

import argparse
from datetime import date
from typing import TYPE_CHECKING

from pipeline.cli import options as kinds

if TYPE_CHECKING:
    from pipeline.comparison import Compared, Side

HELP = """Compare two studies at the end of a day, or two periods of one study: which share is larger, how surely, and by how much.

Tweets of the same authors on both sides are allowed for, in one area or in two. Where nobody knows who wrote, it is said, and the widest
interval that this leaves is given. A period is compared by its own days alone, each as much as the others, with the study's prior."""
EXAMPLE = """python -m pipeline compare mexico-city-traffic mexico-city-transport --date 2026-11-22
python -m pipeline compare mexico-city-traffic --period 2026-11-16..2026-11-22 --with 2026-11-09..2026-11-15"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """One or two studies; --date, or --period and --with."""
    parser.add_argument("a", metavar="A", help="a study of studies.toml")
    parser.add_argument("b", metavar="B", nargs="?", help="another one")
    parser.add_argument("--date", type=kinds.day, metavar="DAY", help="of two studies: the last day (default: the newest that both have)")
    parser.add_argument("--period", type=period, metavar="S..E", help="of one study: from day S to day E")
    parser.add_argument("--with", dest="other", type=period, metavar="S..E", help="the period to compare it with")


def period(text: str) -> tuple[date, date]:
    """A period as S..E, for argparse."""
    first, dots, last = text.partition("..")
    if not dots:
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted two days, as 2026-11-16..2026-11-22")
    return kinds.day(first), kinds.day(last)


def run(options: argparse.Namespace) -> int:
    """Print it."""
    from pipeline import comparison, configuration, database
    from pipeline.cli.terminal import console
    from pipeline.errors import SettingsError

    two = options.b is not None
    if two == (options.period is not None) or two == (options.other is not None) or (options.date is not None and not two):
        raise SettingsError(
            "got neither two studies nor two periods of one",
            todo="compare A B [--date DAY], or compare A --period S..E --with S..E",
        )
    settings = configuration.load()
    with database.transaction(settings, snapshot=True) as connection:
        if two:
            found = comparison.studies(settings, connection, options.a, options.b, options.date)
        else:
            found = comparison.periods(settings, connection, options.a, options.period, options.other)
    out = console()
    for line in lines(found):
        out.print(line, markup=False, soft_wrap=True)
    return 0


def lines(found: Compared) -> list[str]:
    """All of it in at most 80 columns."""
    import textwrap

    from pipeline.report import words

    result = found.result
    written = [*_side("A", found.a), *_side("B", found.b), ""]
    first, second, chance = ("A", "B", result.probability) if result.probability >= 0.5 else ("B", "A", 1 - result.probability)
    written.append(f"The share of {first} is larger than that of {second} with a probability of {_sure(chance)}.")
    places = words.decimals(result.lower, result.upper)
    points = [f"{100 * value:+.{places}f}" for value in (result.mean, result.lower, result.upper, *(result.widest or ()))]
    written.append(f"A less B is {points[0]} percentage points; 95 % interval {points[1]} to {points[2]}.")
    written.append(_verdict(result.lower, result.upper, result.widest))
    written.append(f"Authors: {result.said}.")
    if result.widest is not None:
        written.append(
            f"So it cannot be corrected for authors on both sides. Whatever they share, 95 % of the difference lies in {points[3]} to"
            f" {points[4]}: the widest interval."
        )
    written += [f"Note: {note}." for note in found.notes]
    return [part for line in written for part in textwrap.wrap(line.replace("\u00a0", " "), 80, break_on_hyphens=False) or [""]]


def _verdict(lower: float, upper: float, widest: tuple[float, float] | None) -> str:
    if lower <= 0 <= upper:
        return "The interval holds 0: the two cannot be told apart."
    if widest is not None and widest[0] <= 0 <= widest[1]:
        return "The two can be told apart only if they have no authors in common, which nobody knows."
    return "The two can be told apart."


def _side(letter: str, side: Side) -> list[str]:
    from pipeline.report import words

    row = side.row
    share = words.percent(row["mean"], words.decimals(row["lower_95"], row["upper_95"]))
    rests = f"{row['matches']:,} of {row['trials']:,} match"
    known = row["design_effect"] is not None
    told = f", {words.counted(row['authors'], 'author')}, as sure as {row['effective_trials']:,.0f} independent tweets" if known else ""
    return [f"{letter}: {side.said}: {share}, 95 % interval {words.interval(row['lower_95'], row['upper_95'])} ({rests}{told})"]


def _sure(chance: float) -> str:
    """A probability in percent, never 100 where it is not."""
    return "more than 99.9 %" if chance > 0.999 else f"{100 * chance:.1f} %"
