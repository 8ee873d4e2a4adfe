"""`doctor`: is everything there that a night needs? One line each; a fault has a second one that says what to do."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.doctor import Finding

HELP = """Check everything that a night needs, before it runs; say of each how it is, and what to do about what is wrong.

Settings, boxes and time zones, queries, luigi.cfg, disk, locks, author key, database; then X: token, access, operators, clock, and whether
the limits that are set pay a day. It fetches no post. With a token it asks X's counts endpoint, for half a cent, and for one cent more
about the full archive where a day needs it; without one it asks the sandbox. A fault makes it fail, a warning does not."""
EXAMPLE = """python -m pipeline doctor
python -m pipeline doctor --offline"""

WORDS = {"ok": "ok", "warning": "warning", "fault": "FAULT", "unknown": "unknown"}
STYLES = {"ok": "green", "warning": "yellow", "fault": "bold red", "unknown": "cyan"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """--offline, --full."""
    parser.add_argument("--offline", action="store_true", help="ask nothing of X, nor of the sandbox")
    parser.add_argument("--full", action="store_true", help="ask about the full archive even where no day needs it ($0.010)")


def run(options: argparse.Namespace) -> int:
    """Print each finding as it comes; 1 where there is a fault."""
    from pipeline import doctor
    from pipeline.cli import DONE, FAILED
    from pipeline.cli.terminal import console

    out = console()
    found: list[Finding] = []
    for finding in doctor.examine(offline=options.offline, full=options.full):
        found.append(finding)
        for words, style in lines(finding, out.width if out.is_terminal else None):
            out.print(words, style=style, markup=False, soft_wrap=True)
    faults = sum(finding.state == "fault" for finding in found)
    warnings = sum(finding.state == "warning" for finding in found)
    out.print()
    out.print(f"{_number(faults, 'fault')}, {_number(warnings, 'warning')}" + ("" if faults else ": a night can run"))
    return FAILED if faults else DONE


def lines(finding: Finding, width: int | None) -> list[tuple[str, str]]:
    """The finding as (line, style): folded to `width`, or whole lines where there is none (a file, a pipe)."""
    import textwrap

    head = f"{WORDS[finding.state]:<8} "
    style = "" if finding.state == "ok" else STYLES[finding.state]
    told = [(f"{head}{finding.check}: {finding.what}", style)]
    if finding.todo:
        told.append((f"{'':<8} what to do: {finding.todo}", ""))
    if width is None:
        return told
    fold = textwrap.TextWrapper(width=max(width, 40), subsequent_indent=" " * 11, break_long_words=False, break_on_hyphens=False)
    return [(part, style) for text, style in told for part in fold.wrap(text)]


def _number(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
