"""The sandbox over HTTP: loopback only, one thread a connection, ends by itself when nobody asks. What it answers is api.py's affair.

python -m pipeline.sandbox.server --world FILE [--port N] [--idle-exit SECONDS] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import contextlib
import hmac
import json
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from pipeline.sandbox import api
from pipeline.sandbox.books import Books
from pipeline.sandbox.world import World

if TYPE_CHECKING:
    from pipeline.settings import Settings

#: Requests are rated in windows of 15 minutes.
RATE_SECONDS: Final = 900


class Server(ThreadingHTTPServer):
    """A sandbox on 127.0.0.1. `url` says where; `serve_forever` runs it.

    Args:
        world: the cities.
        port: 0 for any that is free.
        folder: where the request log goes; None keeps none. `/sandbox/health` tells it, so that a client knows whose sandbox this is.
        idle_exit: seconds without a request after which it shuts down; None: never.
    """

    daemon_threads = True
    block_on_close = False
    # a burst of clients must not be refused
    request_queue_size = 64

    def __init__(self, world: World, *, port: int = 0, folder: Path | None = None, idle_exit: float | None = None) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.world = world
        self.folder = folder
        self.idle_exit = idle_exit
        self.books = Books(folder / "requests.log" if folder else None)
        self.key = secrets.token_hex(16)
        self.last_request = time.monotonic()
        self._rates: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.server_address[1]}"

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

    def rate_headers(self, endpoint: api.Endpoint, now: datetime) -> dict[str, str]:
        """The rate-limit headers of one more request. The limit is told, not enforced: a demonstration should not wait 15 minutes."""
        window = int(now.timestamp()) // RATE_SECONDS
        with self._lock:
            used = self._rates[endpoint.name, window] = self._rates.get((endpoint.name, window), 0) + 1
        return {
            "x-rate-limit-limit": str(endpoint.rate),
            "x-rate-limit-remaining": str(max(endpoint.rate - used, 0)),
            "x-rate-limit-reset": str((window + 1) * RATE_SECONDS),
        }

    def health(self) -> dict[str, Any]:
        """Whose sandbox this is: process, folder, world."""
        return {"geobeta": "sandbox", "pid": os.getpid(), "folder": str(self.folder), "world": self.world.digest}


class Handler(BaseHTTPRequestHandler):
    """GET of the API's paths, of /sandbox/health and /sandbox/ledger; POST /sandbox/stop with the key of the address file."""

    protocol_version = "HTTP/1.1"
    server: Server
    # an idle connection ends, so that its thread does
    timeout = 60
    # without it, a body after its headers waits for the client's delayed acknowledgement (40 ms a page)
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """Answer one request; whatever goes wrong inside is a 500, as it would be there."""
        self.server.last_request = time.monotonic()
        parts = urlsplit(self.path)
        own = {"/sandbox/health": self.server.health, "/sandbox/ledger": self.server.books.as_dict}.get(parts.path)
        if own is not None:
            self._send(200, own(), {})
            return
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
        now = datetime.now(UTC)
        headers: dict[str, str] = {}
        if not self.headers.get("authorization", "").removeprefix("Bearer ").strip():
            answer = api.Answer(401, api.problem("Unauthorized", "Unauthorized", 401))
        else:
            try:
                answer = api.answer(self.server.world, parts.path, parameters, now=now)
            except Exception as error:
                answer = api.Answer(500, api.problem("Internal Server Error", f"the sandbox has a fault: {error!r}", 500))
            if parts.path in api.ENDPOINTS:
                headers = self.server.rate_headers(api.ENDPOINTS[parts.path], now)
        endpoint = parts.path.removeprefix("/2/tweets/")
        self.server.books.enter(endpoint=endpoint, status=answer.status, posts=answer.posts, now=now, parameters=parameters)
        self._send(answer.status, answer.document, headers)

    def do_POST(self) -> None:
        """Shut down for whoever can read the address file."""
        given = self.headers.get("x-sandbox-key", "")
        if self.path != "/sandbox/stop" or not hmac.compare_digest(given.encode(), self.server.key.encode()):
            self._send(403, api.problem("Forbidden", "only /sandbox/stop, with the key of the address file", 403), {})
            return
        self._send(200, {"stopping": True}, {})
        threading.Thread(target=self.server.shutdown, daemon=True).start()

    def _send(self, status: int, document: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        body = api.dumps(document)
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=utf-8" if status < 400 else "application/problem+json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-geobeta-synthetic", "true")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing on the terminal: the books have it."""


@contextlib.contextmanager
def running(world: World, *, folder: Path | None = None) -> Iterator[Server]:
    """A sandbox in a thread of this process, for tests and notebooks."""
    server = Server(world, folder=folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def serve(settings: Settings, *, port: int = 0, idle_exit: float | None = None) -> None:
    """Run the sandbox of these settings in the foreground until it is interrupted (or idle); prints its address."""
    run(World.of(settings), port=port, idle_exit=idle_exit, folder=settings.data / "sandbox", announce=True)


def run(world: World, *, port: int, idle_exit: float | None, folder: Path, announce: bool = False, address: Path | None = None) -> None:
    """Serve; write the address file once the socket listens, and take it away at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(world, port=port, folder=folder, idle_exit=idle_exit)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    if address is not None:
        _write_address(address, {**server.health(), "url": server.url, "key": server.key})
    if announce:
        print(f"sandbox at {server.url} (made-up tweets; X_BASE_URL={server.url} asks it; Ctrl-C ends it)", flush=True)
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
