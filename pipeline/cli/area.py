"""`area`: the map of an area, and how much X would be asked."""

from __future__ import annotations

import argparse

HELP = """Draw an area's box and the circles that X would be asked for; print the page's path and what it would take.

A page without script and network, in the data folder under areas/. Nothing is asked of X."""
EXAMPLE = "python -m pipeline area mexico-city --open"


def arguments(parser: argparse.ArgumentParser) -> None:
    """NAME, --open."""
    parser.add_argument("name", metavar="NAME", help="an area of areas.toml")
    parser.add_argument("--open", action="store_true", help="show the page in a browser")


def run(options: argparse.Namespace) -> int:
    """Write the page; print what it is, what would be asked, what a day costs, and its path."""
    from pipeline import estimate
    from pipeline import settings as configured
    from pipeline.report import area

    settings = configured.read()
    path = area.build(settings, options.name)
    for line in area.summary(settings.area(options.name)):
        print(line)
    if settings.area(options.name).source != "archive":
        print(estimate.on_disk(settings, options.name) or "what a day costs is not known yet: `python -m pipeline plan` asks X for it")
    print(f"page: {path}")
    if options.open:
        import webbrowser

        webbrowser.open(path.as_uri())
    return 0
