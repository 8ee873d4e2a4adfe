"""`import`: archives of tweets."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.importing import FileReport

HELP = """Import files of tweets: v1.1 or v2, lines or pages, plain, .gz, .bz2, .zst, and tar of these, recognised by content.

Each file is read once, for all areas and days; the same file again adds nothing. Folders are searched. Then run Nightly."""
EXAMPLE = """python -m pipeline import stream-2026-11.jsonl.gz more/
luigi --module tasks Nightly --date 2026-11-22 --local-scheduler"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Paths."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder with files")


def run(options: argparse.Namespace) -> int:
    """Import, and print what became of every line."""
    from pipeline import importing
    from pipeline import settings as configured
    from pipeline.cli.terminal import console, progress

    settings = configured.read(need="areas")
    with progress("import") as told:
        report = importing.run(settings, options.paths, progress=told)
    out = console()
    for file in report.files:
        out.print(f"{file.path}: {_words(file)}", markup=False, soft_wrap=True)
        for area, counts in file.areas.items():
            span = f", {min(counts.days)} to {max(counts.days)}" if counts.days else ""
            out.print(f"  {area}: {counts.kept:,} tweets inside on {len(counts.days)} days{span}", markup=False, soft_wrap=True)
    return 0


def _words(file: FileReport) -> str:
    """One file's counts in one line; every record is in one of them."""
    parts = [
        f"{file.status}",
        f"{file.records:,} records",
        f"{file.stored:,} with a place kept",
        f"{file.no_geo:,} without",
        f"{file.duplicates:,} duplicates",
    ]
    parts += [f"{number:,} {kind} notices" for kind, number in file.notices.items()]
    parts += [f"{number:,} rejected ({reason})" for reason, number in file.rejects.items()]
    parts += [f"damaged: {damage}" for damage in file.damages]
    return ", ".join(parts)
