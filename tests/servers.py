"""A small local server that pages through made-up posts and misbehaves exactly when told to: the bad days of the X API."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

EPOCH_MS = 1288834974657

Server = TypeVar("Server", bound=ThreadingHTTPServer)

JSON_KIND = {"content-type": "application/json; charset=utf-8"}


@dataclass(frozen=True)
class Reply:
    """One answer. `cut`: so many bytes of the body are sent, then the connection breaks. `hang`: seconds of silence before it.

    `drip`: seconds of silence before each byte of the body. `unsized`: no length is told, so the end of the line is the end of the body.
    """

    status: int = 200
    document: Any = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    hang: float = 0.0
    drip: float = 0.0
    unsized: bool = False

    @property
    def content(self) -> bytes:
        return self.body if self.body is not None else json.dumps(self.document).encode()


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    path: str
    parameters: dict[str, str]
    headers: dict[str, str]


class ScriptedServer(ThreadingHTTPServer):
    """Answers GET requests: the numbers (from 1) in `script` as told there, all others with pages of `posts` made-up posts.

    The posts lie evenly over the window that was asked for, or over `span` where that is set, newest first; tokens repeat their answer.
    A page whose stretch touches one of the spans in `down` is answered with 503.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, posts: int = 25) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posts = posts
        self.script: dict[int, Reply] = {}
        self.span: tuple[datetime, datetime] | None = None
        self.down: list[tuple[datetime, datetime]] = []
        #: The box of the place that every post carries; None for posts without one.
        self.place: tuple[float, float, float, float] | None = None
        self.headers: dict[str, str] = {}
        self.seen: list[Seen] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def starts(self) -> list[int]:
        """How many posts lay before each of the pages that were asked for."""
        return [int(seen.parameters.get("next_token", "t0")[1:]) for seen in self.seen]

    def answer(self, seen: Seen) -> Reply:
        with self.lock:
            self.seen.append(seen)
            number = len(self.seen)
        if number in self.script:
            return self.script[number]
        if self.is_down(seen.parameters):
            return Reply(status=503, document={"title": "Service Unavailable", "detail": "down"})
        return Reply(document=self.counted(seen.parameters) if "granularity" in seen.parameters else self.page(seen.parameters))

    def is_down(self, parameters: dict[str, str]) -> bool:
        """Whether the stretch of the page, from the newest post wanted to the oldest given or the window's start, touches `down`."""
        if "granularity" in parameters or not self.down:
            return False
        start, newest = (_read(parameters[name]) for name in ("start_time", "end_time"))
        first, size = int(parameters.get("next_token", "t0")[1:]), int(parameters["max_results"])
        below = int(parameters.get("until_id", 1 << 63))
        older = [post for post in self.between(start, newest) if int(post["id"]) < below]
        if first or "until_id" in parameters:
            newest = _written(older[first]) if first < len(older) else start
        oldest = _written(older[first + size - 1]) if first + size < len(older) else start
        return any(oldest < end and begin < newest for begin, end in self.down)

    def counted(self, parameters: dict[str, str]) -> dict[str, Any]:
        """The counts that these parameters ask for, of the same posts."""
        start, end = (_read(parameters[name]) for name in ("start_time", "end_time"))
        step = timedelta(minutes=1) if parameters["granularity"] == "minute" else timedelta(hours=1)
        edges = [start + step * number for number in range(math.ceil((end - start) / step))] + [end]
        posts = [_written(post) for post in self.between(start, end)]
        numbers = [sum(first <= at < last for at in posts) for first, last in itertools.pairwise(edges)]
        data = [
            {"start": _shown(first), "end": _shown(last), "tweet_count": number}
            for (first, last), number in zip(itertools.pairwise(edges), numbers, strict=True)
        ]
        return {"data": data, "meta": {"total_tweet_count": sum(numbers)}}

    def between(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """The posts of a span, newest first: evenly over it, whatever its length, or those of the server's own span."""
        first, last = self.span or (start, end)
        step = (last - first) / max(self.posts, 1)
        times = [last - step * (number + 0.5) for number in range(self.posts)]
        return [_post(at, number) for number, at in enumerate(times) if start <= at < end]

    def page(self, parameters: dict[str, str]) -> dict[str, Any]:
        """The page that these parameters ask for."""
        start, end = (_read(parameters[name]) for name in ("start_time", "end_time"))
        size, first = int(parameters["max_results"]), int(parameters.get("next_token", "t0")[1:])
        posts = [post for post in self.between(start, end) if int(post["id"]) < int(parameters.get("until_id", 1 << 63))]
        shown = posts[first : first + size]
        meta: dict[str, Any] = {"result_count": len(shown)}
        if first + size < len(posts):
            meta["next_token"] = f"t{first + size}"
        if not shown:
            return {"meta": meta}
        if self.place is None:
            return {"data": shown, "meta": meta}
        place = {"id": "p1", "full_name": "Here", "geo": {"type": "Feature", "bbox": list(self.place), "properties": {}}}
        placed = [{**post, "geo": {"place_id": "p1"}} for post in shown]
        return {"data": placed, "includes": {"places": [place]}, "meta": meta}


def _read(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.000Z"


def _written(post: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(post["created_at"])


def _post(at: datetime, number: int) -> dict[str, Any]:
    name = (int(at.timestamp() * 1000) - EPOCH_MS) << 22 | number % 4096
    return {"id": str(name), "text": f"made-up post {number}", "created_at": _shown(at), "author_id": str(number % 7)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 30

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        reply = self.server.answer(Seen(parts.path, dict(parse_qsl(parts.query)), {k.lower(): v for k, v in self.headers.items()}))
        time.sleep(reply.hang)
        headers = {**JSON_KIND, **self.server.headers, **{name.lower(): value for name, value in reply.headers.items()}}
        self.send_response_only(reply.status)
        if "date" not in headers:
            self.send_header("date", self.date_time_string())
        for name, value in headers.items():
            self.send_header(name, value)
        if not reply.unsized:
            self.send_header("content-length", str(len(reply.content)))
        self.end_headers()
        content = reply.content[: reply.cut]
        with contextlib.suppress(OSError):
            for piece in (content[place : place + 1] for place in range(len(content))) if reply.drip else [content]:
                time.sleep(reply.drip)
                self.wfile.write(piece)
                self.wfile.flush()
        if reply.cut is not None or reply.unsized:
            self.close_connection = True

    def finish(self) -> None:
        # who asked may have hung up meanwhile
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    """The server, answering in a thread of its own until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def scripted(posts: int = 25) -> Iterator[ScriptedServer]:
    """A running ScriptedServer."""
    with serving(ScriptedServer(posts)) as server:
        yield server


class Receiver(ThreadingHTTPServer):
    """Takes POST requests as a webhook does: the numbers (from 1) in `script` are answered as told there, all others with 200."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.script: dict[int, Reply] = {}
        self.always: Reply = Reply(body=b"ok")
        self.posts: list[tuple[Seen, Any]] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def told(self) -> list[Any]:
        """The documents that came."""
        return [document for _, document in self.posts]

    def answer(self, seen: Seen, document: Any) -> Reply:
        with self.lock:
            self.posts.append((seen, document))
            number = len(self.posts)
        return self.script.get(number, self.always)


class _Post(_Handler):
    server: Receiver  # type: ignore[assignment]

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        seen = Seen(self.path, {}, {name.lower(): value for name, value in self.headers.items()})
        reply = self.server.answer(seen, json.loads(content))
        time.sleep(reply.hang)
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.content)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(reply.content)


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A running Receiver."""
    with serving(Receiver()) as server:
        yield server
