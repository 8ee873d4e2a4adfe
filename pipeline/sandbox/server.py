"""The sandbox over HTTP: loopback only, one thread a connection, ends by itself when nobody asks. What it answers is service.py's affair.

python -m pipeline.sandbox.server --world FILE [--port N] [--idle-exit SECONDS] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.sandbox import api
from pipeline.sandbox.books import Books
from pipeline.sandbox.faults import Script
from pipeline.sandbox.handler import Handler
from pipeline.sandbox.service import Service
from pipeline.sandbox.world import World

if TYPE_CHECKING:
    from pipeline.settings import Settings

__all__ = ["Server", "api", "main", "run", "running", "serve"]


class Server(ThreadingHTTPServer):
    """A sandbox on 127.0.0.1. `url` says where; `serve_forever` runs it.

    Args:
        world: the cities.
        port: 0 for any that is free.
        folder: where the request log goes; None keeps none. `/sandbox/health` tells it, so that a client knows whose sandbox this is.
        idle_exit: seconds without a request after which it shuts down; None: never.
        options: faults, clock, enforce_limits, monthly_posts, naming: see Service.
    """

    daemon_threads = True
    block_on_close = False
    # a burst of clients must not be refused
    request_queue_size = 64

    def __init__(self, world: World, *, port: int = 0, folder: Path | None = None, idle_exit: float | None = None, **options: Any) -> None:
        self.service = Service(world, folder=folder, **options)
        super().__init__(("127.0.0.1", port), Handler)
        self.folder = folder
        self.idle_exit = idle_exit
        self.key = secrets.token_hex(16)
        self.last_request = time.monotonic()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def books(self) -> Books:
        """What was asked, given and billed."""
        return self.service.books

    @property
    def faults(self) -> Script:
        """The script that is being played; a new one counts requests from 1 again."""
        return self.service.play.script

    @faults.setter
    def faults(self, script: Script | None) -> None:
        self.service.set_faults(script or Script())

    @property
    def gone(self) -> dict[int, str]:
        """Id → reason of what searches give no more; to be changed at will."""
        return self.service.gone

    @property
    def requests(self) -> int:
        """Requests to the API since the script was set."""
        return self.service.play.number

    @property
    def after_cap(self) -> int:
        """Requests that came while a usage cap was in force, after the one that was told of it."""
        return self.service.play.after_cap

    def lift(self) -> None:
        """End the faults that are in force; those of requests to come stay."""
        self.service.play.lift()

    def serve_forever(self, poll_interval: float = 0.2) -> None:
        """Answer until `shutdown`, or until nobody has asked for `idle_exit` seconds."""
        if self.idle_exit is not None:
            threading.Thread(target=self._watch, args=(self.idle_exit,), daemon=True).start()
        super().serve_forever(poll_interval)

    def _watch(self, idle_exit: float) -> None:
        # whose data folder was removed has nobody left to answer
        while (left := self.last_request + idle_exit - time.monotonic()) > 0 and (self.folder is None or self.folder.is_dir()):
            time.sleep(min(left, 5.0))
        self.shutdown()

    def health(self) -> dict[str, Any]:
        """Whose sandbox this is: process, folder, world."""
        return {"geobeta": "sandbox", "pid": os.getpid(), "folder": str(self.folder), "world": self.service.world.digest}


@contextlib.contextmanager
def running(world: World, *, folder: Path | None = None, **options: Any) -> Iterator[Server]:
    """A sandbox in a thread of this process, for tests and notebooks.

    Args:
        options: faults, clock, enforce_limits, monthly_posts, naming: see Service.
    """
    server = Server(world, folder=folder, **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def serve(settings: Settings, *, port: int = 0, idle_exit: float | None = None, faults: Script | None = None) -> None:
    """Run the sandbox of these settings in the foreground until it is interrupted (or idle); prints its address."""
    run(World.of(settings), port=port, idle_exit=idle_exit, folder=settings.data / "sandbox", announce=True, faults=faults)


def run(
    world: World,
    *,
    port: int,
    idle_exit: float | None,
    folder: Path,
    announce: bool = False,
    address: Path | None = None,
    faults: Script | None = None,
) -> None:
    """Serve; write the address file once the socket listens, and take it away at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(world, port=port, folder=folder, idle_exit=idle_exit, faults=faults)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    if announce:
        # not lifecycle.py's: a run does not take the server that somebody tries things on for its own
        address = folder / f"address-{server.server_address[1]}.json"
    if address is not None:
        _write_address(address, {**server.health(), "url": server.url, "key": server.key})
    if announce:
        print(f"sandbox at {server.url} (made-up tweets; X_BASE_URL={server.url} asks it; Ctrl-C ends it)\nits key: {address}", flush=True)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
    finally:
        server.server_close()
        if address is not None:
            with contextlib.suppress(OSError, ValueError):
                if json.loads(address.read_text())["key"] == server.key:
                    address.unlink()


def _write_address(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as stream:
        json.dump(content, stream)
    temporary.replace(path)


def main(arguments: list[str] | None = None) -> int:
    """Run a sandbox from its world file: what lifecycle.py starts."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.sandbox.server", description="geobeta's stand-in for the X API")
    parser.add_argument("--world", type=Path, required=True, help="a file with what World.as_json writes")
    parser.add_argument("--folder", type=Path, required=True, help="where the request log goes")
    parser.add_argument("--address", type=Path, help="a file to write the address to")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--idle-exit", type=float, help="seconds without a request after which it ends")
    given = parser.parse_args(arguments)
    world = World.from_json(given.world.read_text(encoding="utf-8"))
    run(world, port=given.port, idle_exit=given.idle_exit, folder=given.folder, address=given.address)
    return 0


if __name__ == "__main__":
    sys.exit(main())
