"""`why`: everything about one published number: what it rests on, every time it was published, and why it moved."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipeline.cli import options as kinds

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.published import Publication
    from pipeline.restated import Move
    from pipeline.settings import Settings
    from pipeline.study import Study
    from pipeline.why import Explanation

HELP = """Show what was published of a study's day, every time, and why it moved: in parts that add up to the change.

The three estimates and what they rest on; each publication with when, by which run and why it gave way; what was expected of the day and
how surprising it was; and why the share is another one than the day before, the day another than the days before it, and a number that
was published anew another than the one before. The row is made again from the stored counts, to see that it is the same.
Times are UTC; days are the area's own."""
EXAMPLE = "python -m pipeline why mexico-city-traffic 2026-11-22"

#: As wide as a line may be, and the columns of the parts: words, points, bar.
WIDTH, _WORDS, _BAR = 80, 36, 24


def arguments(parser: argparse.ArgumentParser) -> None:
    """The study and the day."""
    parser.add_argument("study", metavar="STUDY", help="the study's name in studies.toml")
    parser.add_argument("day", type=kinds.day, metavar="DATE", help="the day, YYYY-MM-DD")


def run(options: argparse.Namespace) -> int:
    """Print it."""
    from pipeline import configuration, database, why
    from pipeline.cli.terminal import console

    settings = configuration.load()
    study = settings.study(options.study)
    with database.transaction(settings, snapshot=True) as connection:
        found = why.explain(settings, connection, study, options.day)
    out = console()
    for line in lines(settings, study, found):
        out.print(line, markup=False, soft_wrap=True)
    return 0


def lines(settings: Settings, study: Study, found: Explanation) -> list[str]:
    """All of it, at most 80 columns wide."""
    from pipeline.report import words

    values = found.publications[-1].values
    written = [f"{study.name} on {words.day_long(values['day'])}, {settings.area(study.area).timezone}", study.question, ""]
    written += [*_estimates(values), *_authors(values), "", "published (UTC)"]
    for publication in found.publications:
        written += _publication(publication)
    written += [_reproduced(found), "", "the day itself", *_day(found)]
    if found.row is not None and found.previous is not None:
        written += ["", f"why it moved since {words.day_short(found.previous)}: {_change(found.row)}", *parts(found.row)]
    if found.day is not None:
        written += ["", f"why the day was not like the days before it: {_change(found.day)}", *parts(found.day)]
    for move, after in zip(found.restatements, found.publications[1:], strict=True):
        written += ["", f"why it was published anew on {_moment(after.published_at)}: {_change(move)}", *parts(move)]
    return [part for line in written for part in _wrapped(line.replace("\u00a0", " "))]


def _wrapped(line: str) -> list[str]:
    begins = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(line, WIDTH, subsequent_indent=begins, drop_whitespace=True, break_on_hyphens=False) or [""]


def _estimates(values: Any) -> Iterator[str]:
    """The three shares, each with what it is good for."""
    from pipeline.report import words

    def row(label: str, name: str, rests: str) -> str:
        mean, lower, upper = (values[f"{name}{which}"] for which in ("mean", "lower_95", "upper_95"))
        share = words.percent(mean, words.decimals(lower, upper))
        return f"{label:<23}{share:>9}  {words.interval(lower, upper):<20}{rests}"

    known = values["design_effect"] is not None
    weighed = f"worth {values['effective_trials']:,.0f} tweets" if known else ""
    yield f"{'share':<23}{'':>9}  95 % interval"
    yield row("corrected for authors" if known else "not corrected", "", weighed)
    if values["naive_mean"] is not None:
        yield row("as if independent", "naive_", f"{values['matches']:,} of {values['trials']:,} match")
    if values["per_author_mean"] is not None:
        yield row("one vote an author", "per_author_", "another question")


def _authors(values: Any) -> Iterator[str]:
    """As the page says it."""
    from pipeline.report import grounds, words

    if grounds.uncorrected(values):
        yield grounds.uncorrected(values)
        return
    yield "tweets of one author hang together:"
    for _, said in grounds.authors(values):
        yield f"  {said}"
    if values["borrowed"]:
        yield f"  {words.percent(values['borrowed'], 0)} of how far they agree is borrowed from other days, or from what is usual"
    for flag in grounds.flags(values):
        yield f"  {flag}"


def _publication(publication: Publication) -> Iterator[str]:
    from pipeline.report import words

    values, run = publication.values, publication.run
    share = words.percent(publication.share, words.decimals(values["lower_95"], values["upper_95"]))
    by = "outside a run" if run is None else " ".join([run.task, *map(str, run.parameters.values())])
    yield (
        f"  {_moment(publication.published_at)}  {share:>8}  {words.interval(values['lower_95'], values['upper_95'])}, "
        f"{values['matches']:,} of {values['trials']:,} in {words.counted(values['days'], 'day')}; {by}"
    )
    if publication.replaced_at is not None:
        yield f"    until {_moment(publication.replaced_at)}, because: {publication.reason}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _reproduced(found: Explanation) -> str:
    kept = "; of what was replaced the numbers are kept as they were published, the counts are not" if len(found.publications) > 1 else ""
    if found.same is None:
        return f"its configuration has changed since: a night that counts its day again publishes it anew{kept}"
    if not found.same:
        return f"the stored counts do NOT give this row: they were changed since, and the next night mends it{kept}"
    return f"made again from the stored counts: the same to the last bit{kept}"


def _day(found: Explanation) -> Iterator[str]:
    from pipeline.report import words
    from pipeline.report.words import WHOLE

    counts, values = found.counts, found.publications[-1].values
    if counts is None:
        yield "  its counts are not stored any more"
        return
    lower, upper = values["expected_lower_95"], values["expected_upper_95"]
    places = 1 if lower is None or upper is None else words.decimals(lower, upper)
    share = ""
    if counts["trials"]:
        share = f", {words.percent(counts['own_matches'] / counts['own_trials'], places)}"
        share += "" if counts["own_trials"] == counts["trials"] else f" of the {counts['own_trials']:,} that the cap on authors leaves"
    by = "" if counts["authors"] is None else f", by {words.counted(counts['authors'], 'author')}"
    out = f"; {counts['excluded']:,} left out" if counts.get("excluded") else ""
    yield f"  {counts['matches']:,} of {words.counted(counts['trials'], 'tweet')} match{share}{by}{out}"
    if counts["coverage"] is None or counts["coverage"] < WHOLE:
        seen = "nobody knows how much of it" if counts["coverage"] is None else words.observed(counts["coverage"])
        yield f"  observed: {seen}" + (f" ({counts['coverage_reason']})" if counts["coverage_reason"] else "")
    if values["surprise"] is not None and values["expected_mean"] is not None:
        expected = words.percent(values["expected_mean"], places)
        yield f"  expected {expected}, between {words.interval(lower, upper, joined='and')} with a probability of 95 %"
        said = words.of_every(values["surprise"])
        yield f"  a day at least so far out: {said} ({values['surprise_score']:+.1f} standard deviations)"
    for alarm in found.alarms:
        yield f"  shift: {alarm}"


def _change(move: Move) -> str:
    places = _places(move)
    return f"{100 * move.before:.{places}f} % to {100 * move.after:.{places}f} %"


def _places(move: Move) -> int:
    """Decimals of a percentage that show two digits of the largest part."""
    import math

    largest = max(map(abs, [move.change, *move.parts.values()])) * 100
    # what is smaller is rounding
    return 2 if largest < 5e-7 else min(max(1 - math.floor(math.log10(largest)), 1), 6)


def parts(move: Move) -> Iterator[str]:
    """A line a part: words, percentage points and a bar of its sign; rounded so that what is shown adds up."""
    from pipeline.why import PARTS

    places = _places(move)
    unit = 10.0 ** (places + 2)
    shown = {name: round(part * unit) for name, part in move.parts.items()}
    # of what is shown above, so that the reader's own subtraction agrees
    whole = round(move.after * unit) - round(move.before * unit)
    if shown:
        largest = max(shown, key=lambda name: abs(shown[name]))
        shown[largest] += whole - sum(shown.values())
    most = max([abs(number) for number in shown.values()] or [0])
    for name, number in sorted(shown.items(), key=lambda part: (-abs(part[1]), part[0])):
        if number:
            bar = ("+" if number > 0 else "-") * max(1, round(_BAR * abs(number) / most))
            yield f"  {PARTS[name]:<{_WORDS}}{number * 100 / unit:>+11.{places}f}  {bar}"
    yield f"  {'change, percentage points':<{_WORDS}}{whole * 100 / unit:>+11.{places}f}"
    for note in move.notes:
        yield f"  {note}"
