"""What an answer that is no page of posts means: one typed error each, with what was got and what to do."""

from __future__ import annotations

import email.utils
import time
from typing import Any, Final

import requests

from pipeline.errors import (
    BadRequest,
    Forbidden,
    PaymentRequired,
    PipelineError,
    RateLimited,
    SourceRefused,
    SourceUnavailable,
    Unauthorized,
    UnexpectedAnswer,
    UsageCapExceeded,
)
from pipeline.sources.x_adapter import header

#: search/all takes one request a second; its 429 says `remaining` > 0 and its reset is up to 15 minutes off (facts/x-api.md).
SPACING_WAIT: Final = 1.0


def messages(document: object) -> list[str]:
    """All that an error body says: the useful words of a 400 are often only in errors[].message (facts/x-api.md)."""
    if not isinstance(document, dict):
        return []
    errors = document.get("errors")
    found = [_words(error) for error in (errors if isinstance(errors, list) else [])]
    said = [text for text in found if text]
    if not said:
        said = [str(document[key]) for key in ("detail", "title") if document.get(key)]
    return list(dict.fromkeys(said))


def _words(error: Any) -> str:
    if isinstance(error, dict):
        return str(error.get("message") or error.get("detail") or error.get("title") or "")
    return str(error)


def refusal(response: requests.Response, endpoint: str, query: str) -> PipelineError:
    """The error that a status from 300 on stands for."""
    status = response.status_code
    document = _document(response)
    said = "; ".join(messages(document)) or response.reason or "no reason given"
    got = f"{endpoint} answered HTTP {status}: {said[:500]}"
    if status == 400:
        kind = RefusedToken if _names_token(document) else BadRequest
        return kind(got, todo=f"see the area's box in areas.toml; the query was {query}")
    if status == 401:
        return Unauthorized(got, todo="put a valid bearer token into X_BEARER_TOKEN (developer portal, keys and tokens)")
    if status == 402:
        return PaymentRequired(got, todo="buy credits in the developer portal, then run again: the day goes on at its page")
    if status == 403:
        return Forbidden(
            got,
            todo="the account's access level lacks this endpoint or an operator: raise it; or, where search/all is what it lacks, "
            "set archive_search = false under [x] in settings.toml and import an archive of old days",
        )
    if status == 429:
        return _too_many(response, document, got)
    if status >= 500 or status == 408:
        return SourceUnavailable(got, todo="X has a fault that usually passes; run again later: what is fetched is kept")
    if status < 400 or status == 404:
        return UnexpectedAnswer(got, todo="see whether X_BASE_URL is the API (it must answer itself, without a redirect)")
    return SourceRefused(got, todo=f"see the X API's documentation of this status; the query was {query}")


class RefusedToken(BadRequest):
    """HTTP 400 about the next_token: the way on is the same window with until_id."""


def _names_token(document: object) -> bool:
    errors = document.get("errors") if isinstance(document, dict) else None
    for error in errors if isinstance(errors, list) else []:
        named = error.get("parameters") if isinstance(error, dict) else None
        if isinstance(named, dict) and {"next_token", "pagination_token"} & set(named):
            return True
        if "next_token" in _words(error) or "pagination_token" in _words(error):
            return True
    return False


def _too_many(response: requests.Response, document: object, got: str) -> PipelineError:
    title, kind = (str(document.get(key, "")) for key in ("title", "type")) if isinstance(document, dict) else ("", "")
    if title == "UsageCapExceeded" or kind.endswith("usage-capped"):
        return UsageCapExceeded(
            got,
            todo="the account's cap of posts is used up: raise it in the developer portal or wait for the next period, then run again: "
            "the day goes on at its page",
        )
    reset, remaining = header(response.headers, "x-rate-limit-reset"), header(response.headers, "x-rate-limit-remaining")
    todo = "run again later: what is fetched is kept, the day goes on at its page"
    if remaining:
        return RateLimited(got, todo=todo, retry_after=SPACING_WAIT)
    if reset is None:
        return RateLimited(got, todo=todo)
    left = reset - _their_time(response)
    # a reset that has passed says nothing about when to come back
    return RateLimited(got, todo=todo, retry_after=left if left > 0 else None)


def _their_time(response: requests.Response) -> float:
    """The server's clock, in seconds since 1970: the reset is told in it, and ours may be off by an hour.

    The Date header is cut to the second, so a wait counted from it ends at the reset or up to a second after, never before.
    """
    try:
        return email.utils.parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return time.time()


def unreachable(error: requests.RequestException, base_url: str) -> PipelineError:
    """The error that a failed exchange stands for."""
    if isinstance(error, requests.TooManyRedirects):
        return UnexpectedAnswer(f"{base_url} redirects to another address", todo="put the address of the API itself into X_BASE_URL")
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema)):
        return UnexpectedAnswer(f"{base_url} is no address: {error}", todo="mend X_BASE_URL")
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return UnexpectedAnswer(
            f"{base_url} shows a certificate that this machine does not trust: {_innermost(error)}",
            todo="see X_BASE_URL and this machine's clock; behind a proxy that opens encrypted traffic, put the file of its certificates "
            "into REQUESTS_CA_BUNDLE",
        )
    if isinstance(error, requests.exceptions.SSLError) and "WRONG_VERSION_NUMBER" in str(error):
        return UnexpectedAnswer(
            f"{base_url} answers without encryption, and https was asked for", todo="mend X_BASE_URL: http, or its port"
        )
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        what = f"{base_url} cut its answer short"
    elif isinstance(error, requests.Timeout):
        what = f"{base_url} did not answer in time"
    else:
        what = f"{base_url} cannot be reached, or broke off: {_innermost(error)}"
    return SourceUnavailable(what, todo="see the network, and X_BASE_URL; then run again: what is fetched is kept")


def _innermost(error: BaseException) -> str:
    reason = getattr(error.args[0] if error.args else error, "reason", error)
    return f"{type(reason).__name__}: {reason}"[:300]


def _document(response: requests.Response) -> object:
    try:
        document: object = response.json()
    except ValueError:
        return None
    return document
