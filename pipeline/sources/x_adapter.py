"""How tweepy's requests get a host of our choice, time limits and a counter, and its logger no token, without touching tweepy."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

#: The host that tweepy 4.17 has in its method.
HOST: Final = "https://api.twitter.com"


class Adapter(HTTPAdapter):
    """Rewrites scheme and host (and puts a path before), sets time limits, keeps the last response.

    Args:
        base_url: where the requests go instead of HOST; None to leave them.
        timeout: seconds, for the connection and between two bytes.
        longest: seconds for a whole answer, from the request to its last byte.
        on_request: called before every request.
    """

    def __init__(self, base_url: str | None, *, timeout: float, longest: float, on_request: Callable[[], None]) -> None:
        self.base_url = base_url
        self.timeout = min(timeout, longest)
        self.longest = longest
        self.on_request = on_request
        self.last: requests.Response | None = None
        self._line: socket.socket | None = None
        self._late = False
        super().__init__()

    def forget(self) -> None:
        """Forget the last response: what `last` and `answered` say from here on is of what comes next."""
        self.last = None

    @property
    def answered(self) -> bool:
        """Whether a 2xx came for the last request, be its body whole or not."""
        return self.last is not None and 200 <= self.last.status_code < 300

    def send(  # type: ignore[override]  # requests' stubs name every argument; all but the timeout are passed on
        self, request: requests.PreparedRequest, stream: bool = False, timeout: Any = None, **passed: Any
    ) -> requests.Response:
        """Send to the base URL, and read the whole answer. The request is copied: the caller's own keeps tweepy's host.

        Raises:
            requests.ReadTimeout: also where an answer comes, but in drops: a timeout between two bytes alone would let it last for ever.
        """
        sent = request.copy()
        sent.url = rewritten(str(request.url), self.base_url)
        passed["proxies"] = {} if _is_local(sent.url) else requests.utils.get_environ_proxies(sent.url)
        self.on_request()
        self._line, self._late = None, False
        watchdog = threading.Timer(self.longest, self._hang_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            # streamed, so that the status is known where the body breaks off
            response = self.last = super().send(sent, stream=True, timeout=timeout or self.timeout, **passed)
            # requests keeps the body once it is read
            _ = response.content
            if not self._late:
                return response
        except requests.RequestException:
            if not self._late:
                raise
        finally:
            watchdog.cancel()
        # a body without a length looks whole when the line is cut, so that alone is no proof
        raise requests.ReadTimeout(f"no whole answer within {self.longest:g} s")

    def _hang_up(self) -> None:
        """End an answer that takes too long: the reading thread sees the end of the line."""
        self._late = True
        if self._line is not None:
            with contextlib.suppress(OSError):
                # the plain socket's own: that of an encrypted one would pull the encryption from under the reader
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)

    def get_connection_with_tls_context(self, *arguments: Any, **named: Any) -> Any:
        """The pool, with connections that show us their socket, and print no headers even where http.client's debuglevel is set for all."""
        pool: Any = super().get_connection_with_tls_context(*arguments, **named)
        kind: Any = pool.ConnectionCls
        if not vars(kind).get("quiet"):

            def getresponse(connection: Any) -> Any:
                # now, for http.client forgets the socket where the answer's end is the end of the line
                self._line = connection.sock
                return kind.getresponse(connection)

            # set as a class attribute, for http.client reads it before the instance is ready
            pool.ConnectionCls = type(kind.__name__, (kind,), {"debuglevel": 0, "quiet": True, "getresponse": getresponse})
        return pool


class _NoHeaders(logging.Filter):
    """Drops tweepy's debug records: they print the Authorization header."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


_NO_HEADERS = _NoHeaders()


def hush() -> None:
    """Keep tweepy from logging the token, whatever level the root or a later logging configuration sets.

    The level spares the formatting; the filter holds where somebody sets the level back.
    """
    for name in ("tweepy", "tweepy.client"):
        logger = logging.getLogger(name)
        if logger.getEffectiveLevel() < logging.INFO:
            logger.setLevel(logging.INFO)
        if _NO_HEADERS not in logger.filters:
            logger.addFilter(_NO_HEADERS)


def rewritten(url: str, base_url: str | None) -> str:
    """`url` with the scheme and host of `base_url`, and its path in front; `url` itself without a base."""
    if base_url is None:
        return url
    base, old = urlsplit(base_url), urlsplit(url)
    return urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + old.path, old.query, ""))


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def header(headers: Mapping[str, str], name: str) -> float | None:
    """A header as a number; None where it is missing or no number."""
    try:
        return float(headers[name])
    except (KeyError, ValueError):
        return None


def keep_pace(path: Path, spacing: float) -> None:
    """Wait until `spacing` seconds have passed since any process on this machine last passed here with this file.

    The file holds the monotonic clock's reading, which all processes of one boot share.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        try:
            last = float(stream.read())
        except ValueError:
            last = 0.0
        # a reading in the future is from before a restart of the machine
        time.sleep(min(max(last + spacing - time.monotonic(), 0.0), spacing))
        stream.seek(0)
        stream.truncate()
        stream.write(repr(time.monotonic()))
