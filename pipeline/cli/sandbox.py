"""`sandbox`: the made-up city's API, to try things on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.sandbox.faults import Script

HELP = """Serve the sandbox, a stand-in for the X API over a made-up city, on this machine until Ctrl-C.

Runs start one by themselves when there is no token; this one is for trying queries by hand. It prints its address."""
EXAMPLE = "python -m pipeline sandbox --port 8099 --idle-exit 3600 --faults faults.json"


def arguments(parser: argparse.ArgumentParser) -> None:
    """--port, --idle-exit, --faults."""
    parser.add_argument("--port", type=_port, default=0, help="where it listens on 127.0.0.1 (default: any free port)")
    parser.add_argument("--idle-exit", type=_seconds, default=None, metavar="SECONDS", help="end after so long without a request")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="a script of what goes wrong, as JSON (docs/sandbox.md)")


def run(options: argparse.Namespace) -> int:
    """Serve."""
    from pipeline import settings as configured
    from pipeline.errors import SettingsError
    from pipeline.sandbox import server

    settings = configured.read(need="areas")
    script = _script(options.faults)
    try:
        server.serve(settings, port=options.port, idle_exit=options.idle_exit, faults=script)
    except OSError as error:
        if error.filename is not None:  # a file, not the port
            raise
        raise SettingsError(f"cannot listen on 127.0.0.1:{options.port}: {error.strerror}", todo="give another --port, or none") from error
    return 0


def _script(path: Path | None) -> Script | None:
    from pipeline.errors import SettingsError
    from pipeline.sandbox.faults import Script

    if path is None:
        return None
    try:
        return Script.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"{path}: {reason}", todo="see docs/sandbox.md for what a script of faults looks like") from error


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted a port from 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted seconds above 0")
    return value
