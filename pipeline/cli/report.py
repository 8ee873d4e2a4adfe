"""`report`: the page and the table, now."""

from __future__ import annotations

import argparse

from pipeline.cli import options as kinds

HELP = """Make the page of a day from what is stored, unless it is there and current; print its path and the table.

The share, its 95 % interval, n (tweets counted), what they are worth (in independent tweets), k (tweets that matched) and days
of every study; beside what the sandbox made up, the true share it was made from. Below: numbers that hang on one author, shifts."""
EXAMPLE = "python -m pipeline report --date 2026-11-22 --open yes"


def arguments(parser: argparse.ArgumentParser) -> None:
    """--date, --open, --again."""
    parser.add_argument("--date", type=kinds.day, metavar="DAY", help="the page's day (default: the newest day that is over)")
    parser.add_argument("--open", choices=("yes", "no"), default="no", help="show the page in a browser (default: no)")
    parser.add_argument("--again", action="store_true", help="make the page even if it is current")


def run(options: argparse.Namespace) -> int:
    """Build where needed, print."""
    from pipeline import configuration
    from pipeline.cli.terminal import console, progress
    from pipeline.report import page, table

    settings = configuration.load()
    day = options.date or kinds.last_closed(settings)
    if options.again or not page.has(settings, day):
        with progress(f"page of {day}") as told:
            page.build(settings, day, progress=told)
    path, stable = page.path(settings, day), settings.data / "report.html"
    if stable.is_file() and stable.read_bytes() == path.read_bytes():
        path = stable
    out = console()
    for line in table.lines(table.rows(settings, day), out.width):
        out.print(line, markup=False, soft_wrap=True)
    out.print()
    out.print(f"page: {path}", markup=False, soft_wrap=True)
    if options.open == "yes":
        import webbrowser

        webbrowser.open(path.as_uri())
    return 0
