"""`python -m pipeline`: the command line. One module a command; this one parses, sets up logging and turns errors into exit codes.

A command is a module with HELP, EXAMPLE, `arguments(parser)` and `run(options) -> int`. It imports what it needs inside `run`,
so that `--help` and `database url` answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError, SettingsError, TransientError, named_disk_errors

if TYPE_CHECKING:
    from types import ModuleType

DONE, FAILED, USAGE, AGAIN, INTERRUPTED = 0, 1, 2, 75, 130

#: Command → its module in this package, in the order of --help.
COMMANDS = {
    "import": "importing",
    "doctor": "doctor",
    "status": "status",
    "plan": "plan",
    "area": "area",
    "report": "report",
    "alarms": "alarms",
    "why": "why",
    "as-of": "as_of",
    "compare": "compare",
    "days": "days",
    "purge": "purge",
    "compliance": "compliance",
    "sandbox": "sandbox",
    "database": "database",
}

EXIT_CODES = """\
exit codes:
  0    done
  1    failed: a person has to change something first (the message says what)
  2    wrong usage, or a fault in config/ or the environment
  75   failed for now: the same command may succeed later (the database, the source or another run is busy)
  130  interrupted
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line. Building it imports no more than this package."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="log more, and show the traceback of an error")
    top = argparse.ArgumentParser(
        prog="python -m pipeline",
        description="geobeta: what share of a place's tweets speaks of a thing, with its uncertainty.",
        epilog=f"example:\n  python -m pipeline status\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = _module(name)
        sub = commands.add_parser(
            name,
            parents=[common],
            help=module.HELP.splitlines()[0],
            description=module.HELP,
            epilog=f"example:\n{_indented(module.EXAMPLE)}\n\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.arguments(sub)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. Errors of ours become two lines on standard error: what, and what to do."""
    options = parser().parse_args(arguments)
    try:
        _set_up_logging(options.debug)
        with named_disk_errors():
            code: int = _module(options.command).run(options)
        sys.stdout.flush()
    except PipelineError as error:
        if options.debug:
            raise
        print(f"error: {error.what}", file=sys.stderr)
        if error.todo:
            print(f"what to do: {error.todo}", file=sys.stderr)
        return USAGE if isinstance(error, SettingsError) else AGAIN if isinstance(error, TransientError) else FAILED
    except KeyboardInterrupt:
        print("interrupted; what was done stays done", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone. Python would complain once more while it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        if options.debug:
            raise
        print(f"error: {type(error).__name__}: {_one_line(error)}", file=sys.stderr)
        print("what to do: this is a fault in geobeta; run the same command with --debug and report what it prints", file=sys.stderr)
        return FAILED
    return code


def _module(command: str) -> ModuleType:
    return import_module(f"pipeline.cli.{COMMANDS[command]}")


def _set_up_logging(debug: bool) -> None:
    """As config/logging.cfg says; with --debug our own messages too, but never those of the HTTP libraries."""
    import logging
    import logging.config
    from pathlib import Path

    file = Path(__file__).resolve().parents[2] / "config" / "logging.cfg"
    if file.is_file():
        logging.config.fileConfig(file, disable_existing_loggers=False)
    if debug:
        logging.getLogger("geobeta").setLevel(logging.DEBUG)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:500] or "no message"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines())
