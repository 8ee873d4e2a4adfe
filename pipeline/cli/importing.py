"""`import`: archives of tweets."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.import_report import FileReport, ImportReport
    from pipeline.settings import Settings

HELP = """Import files of tweets: v1.1 or v2, lines or pages, plain, .gz, .bz2, .zst, and tar of these, recognised by content.

Each file is read once, for all areas and days; the same file again adds nothing. Folders are searched. Then run Nightly.
Printed is an account of each file: every line of it, and for each area every record that the lines hold."""
EXAMPLE = """python -m pipeline import stream-2026-11.jsonl.gz more/
luigi --module tasks Nightly --date 2026-11-22 --local-scheduler"""

#: What the parts of an area's account are called, in the order in which they are decided.
PARTS = {
    "kept": "kept",
    "outside": "outside",
    "nowhere": "in a place of which no box is known",
    "other_evidence": "inside by evidence that the area does not take",
    "no_geo": "without point and place",
    "deleted": "deleted by their authors since",
    "expired": "removed after retention_days",
    "duplicates": "duplicates",
    "notices": "notices",
    "rejects": "discarded",
}
#: Those that are said otherwise of one alone.
SINGULAR = {"duplicates": "duplicate", "notices": "notice"}
#: And what becomes of lines.
LINES = {
    "documents": "with a document",
    "continued": "that continue one",
    "wrapper": "of a wrapper",
    "blank": "blank",
    "broken": "broken",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Paths."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder with files")


def run(options: argparse.Namespace) -> int:
    """Import, and print what became of every line and record."""
    from pipeline import importing
    from pipeline import settings as configured
    from pipeline.cli.terminal import console, progress

    settings = configured.read(need="areas")
    with progress("import") as told:
        report = importing.run(settings, options.paths, progress=told)
    out = console()
    for file in report.files:
        for line in account(file):
            out.print(line, markup=False, soft_wrap=True)
    for line in total(settings, report):
        out.print(line, markup=False, soft_wrap=True)
    return 0 if report.accounted else 1


def account(file: FileReport) -> list[str]:
    """One file's account: each line of the text is a sum that adds up."""
    from pipeline import geotagged

    lines = {words: getattr(file.lines, name) for name, words in LINES.items()}
    said = [f"{file.path}: {file.status}", f"  {_sum(file.lines.total, 'line', lines)}"]
    for what, counts_by in (("notices, by kind", file.notices), ("discarded, by reason", file.rejects)):
        if counts_by:
            said.append(f"  {what}: {', '.join(f'{count:,} {name}' for name, count in counts_by.items())}")
    for damage in file.damages:
        said.append(
            f"  damaged, read up to there: {damage.member or file.path.name}, byte {damage.offset:,}: {damage.reason} ({damage.detail})"
        )
    for name, counts in file.areas.items():
        days = f"; on {_number(len(counts.days), 'day')}, {min(counts.days)} to {max(counts.days)}" if counts.days else ""
        said.append(f"  {name}: {_area(file.of_area(name))}{days}")
    if file.searches:
        named = "; ".join(file.searches[: geotagged.SEARCHES]) + ("; and more" if len(file.searches) > geotagged.SEARCHES else "")
        what = "search" if len(file.searches) == 1 else "searches"
        that = "that search" if what == "search" else "those searches"
        said.append(f"  WARNING: these are results of the {what} {named}: a share counted from them speaks of {that}, not of the place")
    if not file.accounted:
        said.append("  THIS DOES NOT ADD UP: a fault in geobeta; please report it with this account")
    return said


def total(settings: Settings, report: ImportReport) -> list[str]:
    """All files together, where there are several; the same file twice counts once."""
    if len(report.files) < 2:
        return []
    different = len({file.digest for file in report.files})
    said = [f"all {different} files ({report.imported} new)"]
    return said + [f"  {name}: {_area(report.of_area(name))}" for name in settings.areas]


def _area(parts: Mapping[str, int]) -> str:
    return _sum(sum(parts.values()), "record", {PARTS[name]: count for name, count in parts.items()})


def _sum(whole: int, unit: str, parts: Mapping[str, int]) -> str:
    """12 lines = 9 with a document + 1 blank + 2 broken: what is none is left out, but the first."""
    shown = [
        f"{count:,} {SINGULAR.get(words, words) if count == 1 else words}"
        for number, (words, count) in enumerate(parts.items())
        if count or number == 0
    ]
    return f"{_number(whole, unit)} = {' + '.join(shown)}"


def _number(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'s' if number != 1 else ''}"
