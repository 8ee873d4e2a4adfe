"""One HTTP connection of the sandbox: reads requests, sends replies, and sends them badly where the script says so."""

from __future__ import annotations

import contextlib
import email.utils
import hmac
import json
import select
import socket
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from pipeline.sandbox import api, compliance, problems

if TYPE_CHECKING:
    from pipeline.sandbox.server import Server
    from pipeline.sandbox.service import Reply

#: A drip is sent in so many pieces.
PIECES: Final = 40
LARGEST_BODY: Final = 100_000_000


class Handler(BaseHTTPRequestHandler):
    """The API's paths; GET /sandbox/health and /sandbox/ledger; the files of compliance jobs; and, with the key of the address file,
    POST /sandbox/stop, /sandbox/faults (a script, or {"lift": true}) and /sandbox/gone ({"<id>": "deleted"})."""

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
            self._send(200, own())
        elif parts.path.startswith(compliance.FILES):
            signature = dict(parse_qsl(parts.query)).get("signature", "")
            service = self.server.service
            self._send(*service.jobs.get(parts.path, signature, now=service.now(), gone=service.gone))
        else:
            self._api("GET", b"")

    def do_POST(self) -> None:
        """A compliance job; or what only those may who can read the address file."""
        self.server.last_request = time.monotonic()
        body = self._body()
        if urlsplit(self.path).path.startswith("/2/"):
            self._api("POST", body)
            return
        given = self.headers.get("x-sandbox-key", "")
        known = self.path in ("/sandbox/stop", "/sandbox/faults", "/sandbox/gone")
        if not known or not hmac.compare_digest(given.encode(), self.server.key.encode()):
            detail = "only /sandbox/stop, /sandbox/faults and /sandbox/gone, with the key of the address file"
            self._send(403, problems.problem("Forbidden", detail, 403))
            return
        try:
            self._send(200, self._told(body))
        except ValueError as error:
            self._send(400, problems.problem("Bad Request", str(error), 400))

    def _told(self, body: bytes) -> dict[str, Any]:
        service = self.server.service
        if self.path == "/sandbox/faults":
            service.take_faults(body)
            return json.loads(self.server.faults.as_json())  # type: ignore[no-any-return]
        if self.path == "/sandbox/gone":
            service.take_gone(json.loads(body))
            return {"gone": len(service.gone)}
        threading.Thread(target=self.server.shutdown, daemon=True).start()
        return {"stopping": True}

    def do_PUT(self) -> None:
        """The ids of a compliance job."""
        self.server.last_request = time.monotonic()
        parts, body = urlsplit(self.path), self._body()
        signature = dict(parse_qsl(parts.query)).get("signature", "")
        service = self.server.service
        self._send(*service.jobs.put(parts.path, signature, body, now=service.now()))

    def _body(self) -> bytes:
        if "content-length" not in self.headers:
            return b"".join(self._chunks()) if self.headers.get("transfer-encoding", "").lower() == "chunked" else b""
        return self.rfile.read(min(int(self.headers["content-length"]), LARGEST_BODY))

    def _chunks(self) -> list[bytes]:
        found: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            found.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _api(self, method: str, body: bytes) -> None:
        parts = urlsplit(self.path)
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
        token = self.headers.get("authorization", "").removeprefix("Bearer ").strip()
        service = self.server.service
        try:
            reply = service.reply(method, parts.path, parameters, token=token, body=body, url=self.server.url)
        except Exception as error:
            self._send(500, problems.problem("Internal Server Error", f"the sandbox has a fault: {error!r}", 500))
            return
        if reply.wire is not None and reply.wire.kind == "hang" and self._leaves_within(reply.wire.seconds):
            service.book(reply, delivered=False)
            self.close_connection = True
            return
        service.book(reply)
        self._go_out(reply)

    def _leaves_within(self, seconds: float) -> bool:
        """Wait; whether the client closes its end meanwhile. Known at once when it does, so that the books are never behind."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.connection], [], [], left)[0]:
                try:
                    if self.connection.recv(1, socket.MSG_PEEK) == b"":
                        return True
                except OSError:
                    return True
                time.sleep(min(left, 0.02))  # something else was sent: nothing to do with us
        return False

    def _go_out(self, reply: Reply) -> None:
        kind = reply.wire.kind if reply.wire is not None else ""
        self._head(reply.status, reply.headers, len(reply.body))
        with contextlib.suppress(OSError):
            if kind == "cut":
                self.wfile.write(reply.body[: len(reply.body) // 2])
                self.wfile.flush()
                self.close_connection = True
            elif kind == "drip" and reply.wire is not None:
                size = max(1, -(-len(reply.body) // PIECES))
                for start in range(0, len(reply.body), size):
                    time.sleep(reply.wire.seconds / PIECES)
                    self.wfile.write(reply.body[start : start + size])
                    self.wfile.flush()
            else:
                self.wfile.write(reply.body)

    def _send(self, status: int, content: Mapping[str, Any] | bytes) -> None:
        body = content if isinstance(content, bytes) else api.dumps(content)
        kind = (
            "text/plain"
            if isinstance(content, bytes)
            else "application/json; charset=utf-8"
            if status < 400
            else "application/problem+json"
        )
        self._head(status, {"content-type": kind}, len(body))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)

    def _head(self, status: int, headers: Mapping[str, str], length: int) -> None:
        self.send_response_only(status)
        # by the sandbox's clock, which may be wrong: a client tells the rate's reset from it
        self.send_header("date", email.utils.format_datetime(self.server.service.now(), usegmt=True))
        self.send_header("server", "geobeta-sandbox")
        for name, value in {**headers, "content-length": str(length), "x-geobeta-synthetic": "true"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing on the terminal: the books have it."""
