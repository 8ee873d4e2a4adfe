"""Every refusal of the X API in its own words → its type, one line what, one line what to do. And the tree of errors is the whole of it."""

from __future__ import annotations

import inspect
import json
import pickle
from typing import Any

import pytest
import requests

from pipeline import errors
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
from pipeline.sources import x_answers
from pipeline.sources.x_answers import RefusedToken, partial, refusal

QUERY = "(" + " OR ".join(["point_radius:[-99.153 19.32 24.9mi]"] * 12) + ") -is:retweet"
INVALID = {
    "title": "Invalid Request",
    "detail": "One or more parameters to your request was invalid.",
    "type": "https://api.twitter.com/2/problems/invalid-request",
}
# xdevplatform/twitter-api-java-sdk issue 67
NOT_ENROLLED = {
    "client_id": "27988566",
    "detail": "When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens from a Twitter developer App "
    "that is attached to a Project. You can create a project via the developer portal.",
    "registration_url": "https://developer.twitter.com/en/docs/projects/overview",
    "title": "Client Forbidden",
    "required_enrollment": "Appropriate Level of API Access",
    "reason": "client-not-enrolled",
    "type": "https://api.twitter.com/2/problems/client-forbidden",
}
# InfraWay/tweet-action issue 2
SUBSET = {
    "errors": [
        {
            "message": "You currently have access to a subset of Twitter API v2 endpoints and limited v1.1 endpoints (e.g. media post, "
            "oauth) only. If you need access to this endpoint, you may need a different access level.",
            "code": 453,
        }
    ]
}
# xdevplatform/search-tweets-python issue 87 has the words; under HTTP 400 in v2 (the repositories' own notes of 2025)
OPERATOR = (
    "There were errors processing your request: Reference to invalid operator '{}'. Operator is not available in current product or "
    "product packaging. Please refer to complete available operator list at http://t.co/operators. (at position 2)"
)
# xdevplatform/xdk issue 25, with x-rate-limit-remaining: 39999 beside it
CAPPED = {
    "account_id": "1",
    "product_name": "standard-basic",
    "title": "UsageCapExceeded",
    "period": "Monthly",
    "scope": "Product",
    "detail": "Usage cap exceeded: Monthly product cap",
    "type": "https://api.twitter.com/2/problems/usage-capped",
}
RECENT, ALL = "search/recent", "search/all"

#: name → (endpoint, status, body, headers, type, words of what, words of what to do)
TABLE: dict[str, tuple[str, int, Any, dict[str, str], type[PipelineError], str, str]] = {
    "400: the words hidden in errors[]": (
        RECENT,
        400,
        {**INVALID, "errors": [{"parameters": {"query": ["x"]}, "message": "Rule must not contain a radius over 25mi"}]},
        {},
        BadRequest,
        "radius over 25mi",
        "box and places in areas.toml",
    ),
    "400: the token of a next page": (
        RECENT,
        400,
        {**INVALID, "errors": [{"parameters": {"next_token": ["b26v8"]}, "message": "Invalid 'next_token':'b26v8'."}]},
        {},
        RefusedToken,
        "next_token",
        "goes on below its oldest post",
    ),
    # medialab/minet issue 445
    "400: a day before the window": (
        RECENT,
        400,
        {
            **INVALID,
            "errors": [{"message": "Invalid 'start_time':'2006-01-01T00:00Z'. 'start_time' must be on or after 2006-03-21T00:00Z"}],
        },
        {},
        BadRequest,
        "must be on or after",
        "recent_days",
    ),
    "400: a clock that is ahead": (
        RECENT,
        400,
        {**INVALID, "errors": [{"message": "Invalid 'end_time'. 'end_time' must be a minimum of 10 seconds prior to the request time."}]},
        {},
        BadRequest,
        "prior to the request time",
        "clock is ahead",
    ),
    "400: a geo operator that the level lacks": (
        RECENT,
        400,
        {**INVALID, "errors": [{"message": OPERATOR.format("point_radius")}]},
        {},
        OperatorRefused,
        "invalid operator 'point_radius'",
        "lacks the operator point_radius on search/recent",
    ),
    "400: an operator without the words on products": (
        "counts/recent",
        400,
        {"errors": [{"message": "Reference to invalid operator 'place_country'"}]},
        {},
        OperatorRefused,
        "place_country",
        "lacks the operator place_country",
    ),
    "403: an operator": (ALL, 403, {"detail": OPERATOR.format("has:geo")}, {}, OperatorRefused, "has:geo", "lacks the operator has:geo"),
    "401": (
        RECENT,
        401,
        {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"},
        {},
        Unauthorized,
        "Unauthorized",
        "X_BEARER_TOKEN",
    ),
    # hoangnb24/repository-harness, July 2026
    "402: no credits": (
        RECENT,
        402,
        {
            "account_id": 1,
            "title": "CreditsDepleted",
            "detail": "Your enrolled account [1] does not have any credits to fulfill this request.",
            "type": "https://api.twitter.com/2/problems/credits",
        },
        {},
        PaymentRequired,
        "does not have any credits",
        "buy credits",
    ),
    "402 without a body": (RECENT, 402, None, {}, PaymentRequired, "HTTP 402", "buy credits"),
    "403: no credits": (
        RECENT,
        403,
        {"title": "CreditsDepleted", "detail": "no credits", "type": "about:blank"},
        {},
        PaymentRequired,
        "no credits",
        "buy",
    ),
    "403: the account's own spending limit": (
        RECENT,
        403,
        {"title": "SpendCapReached", "detail": "spend cap reached", "reset_date": "2026-12-12"},
        {},
        PaymentRequired,
        "spend cap reached",
        "until 2026-12-12",
    ),
    "403: search/all without the full archive": (
        ALL,
        403,
        NOT_ENROLLED,
        {},
        ArchiveRefused,
        "attached to a Project",
        "archive_search = false",
    ),
    "403: counts/all without the full archive": ("counts/all", 403, NOT_ENROLLED, {}, ArchiveRefused, "attached", "archive_search = false"),
    "403: search/all, the older form": (ALL, 403, SUBSET, {}, ArchiveRefused, "subset of Twitter API", "import archives"),
    "403: an app outside a project": (
        RECENT,
        403,
        NOT_ENROLLED,
        {},
        Forbidden,
        "attached to a Project",
        "access level that has search/recent",
    ),
    "403: counts that the level lacks": ("counts/recent", 403, SUBSET, {}, Forbidden, "subset", "access level that has counts/recent"),
    # myConsciousness/twitter-api-v2 issue 44
    "403: a user's token": (
        RECENT,
        403,
        {
            "title": "Unsupported Authentication",
            "detail": "Authenticating with OAuth 2.0 User Context is forbidden for this endpoint.",
            "type": "https://api.twitter.com/2/problems/unsupported-authentication",
            "status": 403,
        },
        {},
        Forbidden,
        "forbidden for this endpoint",
        "App-Only",
    ),
    "403 of no known kind": (
        ALL,
        403,
        {"title": "Forbidden", "detail": "Forbidden", "type": "about:blank"},
        {},
        Forbidden,
        "Forbidden",
        "doctor",
    ),
    "429: the rate limit": (
        RECENT,
        429,
        {"title": "Too Many Requests", "detail": "Too Many Requests", "type": "about:blank", "status": 429},
        {"x-rate-limit-remaining": "0", "x-rate-limit-reset": "1000000600", "date": "Sun, 09 Sep 2001 01:46:40 GMT"},
        RateLimited,
        "Too Many Requests",
        "goes on at its page",
    ),
    "429: the monthly cap, though requests remain": (
        RECENT,
        429,
        CAPPED,
        {"x-rate-limit-limit": "40000", "x-rate-limit-remaining": "39999"},
        UsageCapExceeded,
        "Monthly product cap",
        "cap of posts is used up",
    ),
    "503": (RECENT, 503, {"title": "Service Unavailable"}, {}, SourceUnavailable, "Service Unavailable", "run again later"),
    "404": (RECENT, 404, None, {}, UnexpectedAnswer, "404", "X_BASE_URL"),
    "418": (RECENT, 418, {"title": "Teapot"}, {}, SourceRefused, "Teapot", "documentation of this status"),
}


def answer(status: int, body: Any, headers: dict[str, str]) -> requests.Response:
    """A response as requests would give it."""
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers)
    response._content = b"" if body is None else json.dumps(body).encode()
    return response


@pytest.mark.parametrize(("endpoint", "status", "body", "headers", "kind", "what", "todo"), TABLE.values(), ids=TABLE.keys())
def test_each_refusal_is_one_typed_error_of_two_plain_lines(
    endpoint: str, status: int, body: Any, headers: dict[str, str], kind: type[PipelineError], what: str, todo: str
) -> None:
    """X's own words, the endpoint and the status; then the next step. A line each, short enough to be read."""
    error = refusal(answer(status, body, headers), endpoint, QUERY)
    assert type(error) is kind
    assert error.what.startswith(f"{endpoint} answered HTTP {status}: ")
    assert what in error.what
    assert todo in error.todo
    for line in (error.what, error.todo):
        assert "\n" not in line
        assert len(line) <= 400
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_rate_limit_is_waited_for_by_the_servers_clock_and_the_spacing_for_a_second() -> None:
    """600 s from its Date to its reset, whatever our clock says; a 429 with requests left is the one-a-second rule."""
    _, _, body, headers, *_ = TABLE["429: the rate limit"]
    waiting = refusal(answer(429, body, headers), RECENT, QUERY)
    assert isinstance(waiting, RateLimited)
    assert waiting.retry_after == 600
    spaced = refusal(answer(429, body, {**headers, "x-rate-limit-remaining": "12"}), ALL, QUERY)
    assert isinstance(spaced, RateLimited)
    assert spaced.retry_after == x_answers.SPACING_WAIT


def test_what_a_200_could_not_give_is_a_line_each() -> None:
    """errors[] beside data: the resource and X's words, each once; none where there are none."""
    gone = {
        "resource_type": "place",
        "value": "457b4814b4240d87",
        "detail": "Could not find place with ids: [457b4814b4240d87].",
        "title": "Not Found Error",
        "type": "https://api.twitter.com/2/problems/resource-not-found",
    }
    hidden = {"resource_type": "tweet", "value": "12", "title": "Authorization Error"}
    told = partial({"data": [{"id": "1"}], "errors": [gone, gone, hidden, "odd"], "meta": {}})
    assert told == ["Could not find place with ids: [457b4814b4240d87].", "tweet 12: Authorization Error", "odd"]
    assert partial({"data": [], "meta": {}}) == partial(["no object"]) == []


def test_the_tree_in_the_docstring_is_the_tree_of_the_code() -> None:
    """Names, parents and their order by depth: nothing is missing, nothing is made up."""
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        stripped = line.lstrip(" │├└─")
        name = stripped.split(" ")[0]
        if not name or not isinstance(getattr(errors, name, None), type):
            continue
        depth = (len(line) - len(stripped)) // 4
        path[depth:] = [name]
        drawn[name] = path[depth - 1] if depth else "Exception"
    written = {
        name: kind.__bases__[0].__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, PipelineError) and kind.__module__ == errors.__name__
    }
    assert drawn == written
