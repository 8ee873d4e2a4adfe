"""What the API says when it refuses: one body a refusal, in the real service's words wherever somebody recorded them.

Where nothing else is said, the shape is that of facts/x-api.md (errors: problem+json).
"""

from __future__ import annotations

from typing import Any, Final

#: Where its documentation says which operators there are.
OPERATORS_PAGE: Final = "https://docs.x.com/x-api/posts/search/integrate/operators"


def problem(title: str, detail: str, status: int, kind: str = "about:blank") -> dict[str, Any]:
    """A problem+json body."""
    return {"title": title, "detail": detail, "type": kind, "status": status}


def invalid(message: str, **parameters: str) -> dict[str, Any]:
    """A 400 about parameters. As recorded: the useful words are in errors[].message only."""
    return {
        "errors": [{"parameters": {name: [value] for name, value in parameters.items()}, "message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": "https://api.twitter.com/2/problems/invalid-request",
    }


def unknown_operator(name: str) -> str:
    """The message about an operator that does not exist, or that the access level lacks: X says the same of both.

    As quoted in public logs of `filter:` and `place_country:`; how it ends is (belief).
    """
    return (
        f"There were errors processing your request: Reference to invalid operator '{name}'. Operator is not available in current "
        f"product or product packaging. Please refer to complete available operator list at {OPERATORS_PAGE}."
    )


def unauthorized() -> dict[str, Any]:
    """401: no token, or one that is none."""
    return problem("Unauthorized", "Unauthorized", 401)


def no_credits() -> dict[str, Any]:
    """402, as quoted in public logs since pay per use began; the number of the account is made up."""
    return {
        "account_id": 1000000000000000001,
        "title": "CreditsDepleted",
        "detail": "Your enrolled account [1000000000000000001] does not have any credits to fulfill this request.",
        "type": "https://api.twitter.com/2/problems/credits",
    }


def not_enrolled() -> dict[str, Any]:
    """403 of an endpoint that the access level lacks, as recorded in xdevplatform/samples issue 160."""
    return {
        "client_id": "10000001",
        "detail": "When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens from a Twitter developer App "
        "that is attached to a Project. You can create a project via the developer portal.",
        "registration_url": "https://developer.twitter.com/en/docs/projects/overview",
        "title": "Client Forbidden",
        "required_enrollment": "Appropriate Level of API Access",
        "reason": "client-not-enrolled",
        "type": "https://api.twitter.com/2/problems/client-forbidden",
    }


def too_many() -> dict[str, Any]:
    """429 of a rate limit."""
    return problem("Too Many Requests", "Too Many Requests", 429)


def usage_cap() -> dict[str, Any]:
    """429 of the monthly cap, as recorded in xdevplatform/xdk issue 25."""
    return {
        "account_id": "1000000000000000001",
        "product_name": "standard-basic",
        "title": "UsageCapExceeded",
        "period": "Monthly",
        "scope": "Product",
        "detail": "Usage cap exceeded: Monthly product cap",
        "type": "https://api.twitter.com/2/problems/usage-capped",
    }


def not_found(post_id: str) -> dict[str, Any]:
    """An entry of `errors` beside `data`, as recorded: what a 200 says of something that it could not include."""
    return {
        "value": post_id,
        "detail": f"Could not find tweet with referenced_tweets.id: [{post_id}].",
        "title": "Not Found Error",
        "resource_type": "tweet",
        "parameter": "referenced_tweets.id",
        "resource_id": post_id,
        "type": "https://api.twitter.com/2/problems/resource-not-found",
    }


def not_authorized(post_id: str) -> dict[str, Any]:
    """Another, as recorded: about something that only its followers may see."""
    return {
        "resource_id": post_id,
        "parameter": "referenced_tweets.id",
        "resource_type": "tweet",
        "section": "includes",
        "title": "Authorization Error",
        "value": post_id,
        "detail": f"Sorry, you are not authorized to see the Tweet with referenced_tweets.id: [{post_id}].",
        "type": "https://api.twitter.com/2/problems/not-authorized-for-resource",
    }
