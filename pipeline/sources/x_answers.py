"""What an answer that is no page of posts means: one typed error each, with what was got and what to do."""

from __future__ import annotations

import email.utils
import re
import time
from typing import Any, Final

import requests

from pipeline.errors import (
    ArchiveRefused,
    BadRequest,
    Forbidden,
    OperatorRefused,
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


def partial(document: object) -> list[str]:
    """What a 200 says that it could not give, a line each: `errors[]` beside `data` (facts/x-api.md), such as a place that is gone.

    The posts themselves are there: such a page is a page.
    """
    errors = document.get("errors") if isinstance(document, dict) else None
    told = []
    for error in errors if isinstance(errors, list) else []:
        named = " ".join(str(error[key]) for key in ("resource_type", "value") if error.get(key)) if isinstance(error, dict) else ""
        words = _shortened(_words(error) or "an error without words", 200)
        told.append(f"{named}: {words}" if named and named.split()[-1] not in words else words)
    return list(dict.fromkeys(told))


def refusal(response: requests.Response, endpoint: str, query: str) -> PipelineError:
    """The error that a status from 300 on stands for: one line what, in X's own words, and one line what to do."""
    status = response.status_code
    document = _document(response)
    said = _shortened("; ".join(messages(document)) or response.reason or "no reason given", 300)
    got = f"{endpoint} answered HTTP {status}: {said}"
    if error := _money(document, status, got):
        return error
    if status == 400:
        return _bad_request(document, endpoint, query, got)
    if status == 401:
        return Unauthorized(
            got,
            todo="put the app's bearer token into X_BEARER_TOKEN (developer portal, keys and tokens; not the API key, not an access token)",
        )
    if status == 403:
        return _forbidden(document, endpoint, query, got)
    if status == 429:
        return _too_many(response, document, got)
    if status >= 500 or status == 408:
        return SourceUnavailable(got, todo="X has a fault that usually passes; run again later: what is fetched is kept")
    if status < 400 or status == 404:
        return UnexpectedAnswer(got, todo="see whether X_BASE_URL is the API (it must answer itself, without a redirect)")
    return SourceRefused(got, todo=f"see the X API's documentation of this status; the query was {_shortened(query, 120)}")


def _money(document: object, status: int, got: str) -> PipelineError | None:
    """No credits, or the spending limit that the account set itself: recorded under 402 as well as 403.

    Bodies: {"title":"CreditsDepleted","type":"https://api.twitter.com/2/problems/credits"} (402; hoangnb24/repository-harness, July 2026)
    and {"title":"SpendCapReached","reset_date":"YYYY-MM-DD"} (403, all reads of the account, as told by users in 2026).
    """
    if _field(document, "title") == "SpendCapReached":
        until = _field(document, "reset_date")
        when = f"until {until}" if until else "for the next billing cycle"
        return PaymentRequired(got, todo=f"raise the account's own spending limit in X's developer console, or wait {when}; then run again")
    if status == 402 or _field(document, "title") == "CreditsDepleted" or _field(document, "type").endswith("/problems/credits"):
        return PaymentRequired(got, todo="buy credits in X's developer console, then run again: the day goes on at its page")
    return None


def _bad_request(document: object, endpoint: str, query: str, got: str) -> PipelineError:
    said = " ".join(messages(document))
    if _names_token(document):
        return RefusedToken(got, todo=f"run again: the day goes on below its oldest post; the query was {_shortened(query, 120)}")
    if error := _operator(said, endpoint, got):
        return error
    # recorded: medialab/minet #445; the other is known from the sandbox's rules only
    if "'start_time' must be on or after" in said:
        return BadRequest(
            got,
            todo="the day is older than this endpoint reaches: see this machine's clock (python -m pipeline doctor), and "
            "[x] recent_days and archive_search in settings.toml",
        )
    if "prior to the request time" in said:
        return BadRequest(got, todo="this machine's clock is ahead of X's: set it right (python -m pipeline doctor compares them)")
    return BadRequest(got, todo=f"see the area's box and places in areas.toml; the query was {_shortened(query, 120)}")


def _operator(said: str, endpoint: str, got: str) -> PipelineError | None:
    """An operator that the account's product does not have.

    "Reference to invalid operator 'has:geo'. Operator is not available in current product or product packaging. Please refer to …"
    (xdevplatform/search-tweets-python #87; under HTTP 400 in v2).
    """
    found = re.search(r"[Rr]eference to invalid operator '?([^'\s]+?)'?(?:[.,\s]|$)", said)
    if not found and not re.search(r"operator.{0,80}(?:not available|not allowed|do(?:es)? not have access)", said, re.IGNORECASE):
        return None
    name = found[1].partition("[")[0].removesuffix(":") if found else ""
    return OperatorRefused(
        got,
        todo=f"the account's access level lacks {f'the operator {name}' if name else 'an operator'} on {endpoint}: raise it in X's "
        'developer console, or set source = "archive" in areas.toml and import archives',
    )


def _forbidden(document: object, endpoint: str, query: str, got: str) -> PipelineError:
    if error := _operator(" ".join(messages(document)), endpoint, got):
        return error
    if _field(document, "type").endswith("/problems/unsupported-authentication"):
        return Forbidden(got, todo="X_BEARER_TOKEN must be the app's own bearer token (App-Only), not a user's access token")
    # the same body says that an app belongs to no project, and that its level lacks an endpoint (xdevplatform/samples #58 and #61);
    # code 453 is the older form of the second (InfraWay/tweet-action #2)
    level = _field(document, "reason") == "client-not-enrolled" or "different access level" in got or "attached to a Project" in got
    if level and endpoint.endswith("/all"):
        return ArchiveRefused(
            got,
            todo="this account may not use the full archive: set archive_search = false under [x] in settings.toml and import archives of "
            "days older than the recent window, or raise the access level",
        )
    if level:
        return Forbidden(got, todo=f"in X's developer console, put the app into a project and give it an access level that has {endpoint}")
    return Forbidden(got, todo="see the app's access level in X's developer console; python -m pipeline doctor tells what it lacks")


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
    # told apart by the body alone: recorded with x-rate-limit-remaining: 39999 beside it (xdevplatform/xdk #25)
    if _field(document, "title") == "UsageCapExceeded" or _field(document, "type").endswith("usage-capped"):
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


def their_time(response: requests.Response) -> float | None:
    """The server's clock by its Date header, in seconds since 1970, cut to the second; None where it does not tell."""
    try:
        return email.utils.parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None


def _their_time(response: requests.Response) -> float:
    """The server's clock, else ours: the reset is told in theirs, and ours may be off by an hour.

    The Date header is cut to the second, so a wait counted from it ends at the reset or up to a second after, never before.
    """
    theirs = their_time(response)
    return time.time() if theirs is None else theirs


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


def _field(document: object, key: str) -> str:
    value = document.get(key) if isinstance(document, dict) else None
    return value if isinstance(value, str) else ""


def _shortened(text: str, most: int) -> str:
    """One line of at most so many characters: a query may have a thousand."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _document(response: requests.Response) -> object:
    try:
        document: object = response.json()
    except ValueError:
        return None
    return document
