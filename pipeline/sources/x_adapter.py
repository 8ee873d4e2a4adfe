"""How tweepy's requests get a host of our choice, a timeout and a counter, without touching tweepy."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

#: The host that tweepy 4.17 has in its method.
HOST: Final = "https://api.twitter.com"


class Adapter(HTTPAdapter):
    """Rewrites scheme and host (and puts a path before), sets a default timeout, keeps the last response.

    Args:
        base_url: where the requests go instead of HOST; None to leave them.
        timeout: seconds, for the connection and between two bytes.
        on_request: called before every request.
    """

    def __init__(self, base_url: str | None, *, timeout: float, on_request: Callable[[], None]) -> None:
        self.base_url = base_url
        self.timeout = timeout
        self.on_request = on_request
        self.last: requests.Response | None = None
        super().__init__()

    def send(  # type: ignore[override]  # requests' stubs name every argument; all but the timeout are passed on
        self, request: requests.PreparedRequest, stream: bool = False, timeout: Any = None, **passed: Any
    ) -> requests.Response:
        """Send to the base URL. The request is copied: the caller's own keeps tweepy's host."""
        sent = request.copy()
        sent.url = rewritten(str(request.url), self.base_url)
        passed["proxies"] = {} if _is_local(sent.url) else requests.utils.get_environ_proxies(sent.url)
        self.on_request()
        self.last = super().send(sent, stream=stream, timeout=timeout or self.timeout, **passed)
        return self.last

    def get_connection_with_tls_context(self, *arguments: Any, **named: Any) -> Any:
        """The pool, with connections that print no headers even where http.client's debuglevel is set for all."""
        pool: Any = super().get_connection_with_tls_context(*arguments, **named)
        kind: Any = pool.ConnectionCls
        if not vars(kind).get("quiet"):
            # set as a class attribute, for http.client reads it before the instance is ready
            pool.ConnectionCls = type(kind.__name__, (kind,), {"debuglevel": 0, "quiet": True})
        return pool


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
