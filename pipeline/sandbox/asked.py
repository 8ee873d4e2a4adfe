"""A request to a search or counts endpoint, checked as the API checks it; and the tokens that lead from page to page.

Rules and their sources: facts/x-api.md. The list of fields is that of the official API description (version 2.16x).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pipeline.sandbox import problems
from pipeline.sandbox import query as language
from pipeline.sandbox.names import OLD
from pipeline.storage import digest

FIRST: Final = datetime(2006, 3, 21, tzinfo=UTC)
COMMON: Final = frozenset({"query", "start_time", "end_time", "since_id", "until_id", "next_token", "pagination_token"})
SEARCH: Final = frozenset(
    {"max_results", "sort_order", "expansions", "tweet.fields", "post.fields", "place.fields", "user.fields", "media.fields", "poll.fields"}
)
COUNTS: Final = frozenset({"granularity", "search_count.fields"})
GRANULARITIES: Final = {"minute": 60, "hour": 3600, "day": 86400}

#: What a parameter that lists names may list, by their old names.
LISTS: Final = {
    name: frozenset(words.split())
    for name, words in {
        "tweet.fields": "article attachments author_id community_id context_annotations conversation_id created_at display_text_range "
        "edit_controls edit_history_tweet_ids entities geo id in_reply_to_user_id lang media_metadata non_public_metrics note_tweet "
        "organic_metrics possibly_sensitive promoted_metrics public_metrics referenced_tweets reply_settings scopes source "
        "suggested_source_links text withheld",
        "place.fields": "contained_within country country_code full_name geo id name place_type",
        "expansions": "attachments.media_keys attachments.poll_ids author_id edit_history_tweet_ids entities.mentions.username "
        "geo.place_id in_reply_to_user_id referenced_tweets.id referenced_tweets.id.author_id",
        "search_count.fields": "start end tweet_count",
        "sort_order": "recency relevancy",
        "granularity": "minute hour day",
    }.items()
}


@dataclass(frozen=True)
class Endpoint:
    """One endpoint's limits: a rate of so many requests in 15 minutes; days back; characters of a query; seconds between two requests."""

    name: str
    rate: int
    query_length: int
    days_back: int | None
    largest_page: int | None = None
    spacing: float = 0.0


ENDPOINTS: Final = {
    f"/2/tweets/{endpoint.name}": endpoint
    for endpoint in (
        Endpoint("search/recent", 450, 512, 7, 100),
        Endpoint("search/all", 300, 1024, None, 500, spacing=1.0),
        Endpoint("counts/recent", 300, 512, 7),
        Endpoint("counts/all", 300, 1024, None),
    )
}


class Refused(Exception):
    """A 400 about one parameter, or about several (`also`)."""

    def __init__(self, parameter: str, value: str, message: str, **also: str) -> None:
        super().__init__(message)
        self.parameters = {parameter: value, **also}

    @property
    def document(self) -> dict[str, object]:
        """The body."""
        return problems.invalid(str(self), **self.parameters)


@dataclass(frozen=True)
class Request:
    """The parameters of a request, checked. `until_id` and `end` are those of its token where it carries one."""

    endpoint: Endpoint
    parameters: Mapping[str, str]
    start: datetime
    end: datetime
    since_id: int
    until_id: int
    size: int
    fingerprint: str
    token: str | None

    def listed(self, name: str) -> frozenset[str]:
        """What a parameter lists, by the old names."""
        given = self.parameters.get(name, "") or self.parameters.get(name.replace("tweet", "post"), "")
        return frozenset(OLD.get(word, word) for word in given.split(",") if word)

    @property
    def renamed(self) -> bool:
        """Whether the request speaks of posts where the older names say tweets: so does its answer then.

        That one server answers both, each in its own words, is the sandbox's (belief): facts/x-api.md gives the renaming and no date.
        """
        spoken = (self.parameters.get(name, "") for name in ("expansions", "search_count.fields"))
        return "post.fields" in self.parameters or any("post" in words for words in spoken)


def read(endpoint: Endpoint, parameters: Mapping[str, str], now: datetime) -> Request:
    """Check the parameters as the API does.

    Raises:
        Refused: the first fault found.
    """
    known = COMMON | (SEARCH if endpoint.largest_page else COUNTS)
    for name in parameters.keys() - known:
        raise Refused(name, parameters[name], f"The query parameter [{name}] is not one of [{','.join(sorted(known))}]")
    if "query" not in parameters:
        raise Refused("query", "", "The `query` query parameter can not be empty")
    try:
        language.parse(parameters["query"], limit=endpoint.query_length)
    except language.QueryRefused as refused:
        raise Refused("query", parameters["query"], str(refused)) from refused
    _check_lists(parameters)
    token = parameters.get("next_token") or parameters.get("pagination_token")
    unchanged = {name: value for name, value in parameters.items() if name not in ("next_token", "pagination_token")}
    fingerprint = digest(endpoint.name, unchanged)
    start, end = _window(endpoint, parameters, now)
    since_id, until_id = _id(parameters, "since_id", 0), _id(parameters, "until_id", 1 << 63)
    if token:
        until_id, end = _position(token, fingerprint)
    return Request(endpoint, parameters, start, end, since_id, until_id, _size(endpoint, parameters), fingerprint, token)


def _check_lists(parameters: Mapping[str, str]) -> None:
    for name, value in parameters.items():
        allowed = LISTS.get(OLD.get(name, name))
        for word in value.split(",") if allowed is not None else ():
            if allowed is not None and OLD.get(word, word) not in allowed:
                shown = ",".join(sorted(allowed))
                raise Refused(name, value, f"The `{name}` query parameter value [{word}] is not one of [{shown}]")


def _window(endpoint: Endpoint, parameters: Mapping[str, str], now: datetime) -> tuple[datetime, datetime]:
    oldest = FIRST if endpoint.days_back is None else now - timedelta(days=endpoint.days_back)
    default_start = oldest if endpoint.days_back else now - timedelta(days=30)
    start = _time(parameters, "start_time", default_start)
    end = _time(parameters, "end_time", (now - timedelta(seconds=30)).replace(microsecond=0))
    # as recorded: without the seconds, whatever was asked
    shown, shown_end, floor = (f"{time:%Y-%m-%dT%H:%MZ}" for time in (start, end, oldest))
    if start >= end:
        message = f"Invalid 'start_time':'{shown}'. 'start_time' must be before 'end_time':{shown_end}"
        raise Refused("start_time", shown, message, end_time=shown_end)
    if start < oldest:
        raise Refused("start_time", shown, f"Invalid 'start_time':'{shown}'. 'start_time' must be on or after {floor}.")
    if end > now - timedelta(seconds=10):
        message = f"Invalid 'end_time':'{shown_end}'. 'end_time' must be a minimum of 10 seconds prior to the request time."
        raise Refused("end_time", shown_end, message)
    return start, end


def _time(parameters: Mapping[str, str], name: str, default: datetime) -> datetime:
    if name not in parameters:
        return default
    try:
        return datetime.strptime(parameters[name].replace(".000Z", "Z"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        message = f"The `{name}` query parameter value [{parameters[name]}] is not a valid date of the form YYYY-MM-DDTHH:mm:ssZ"
        raise Refused(name, parameters[name], message) from error


def _id(parameters: Mapping[str, str], name: str, default: int) -> int:
    value = parameters.get(name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) <= 19):
        raise Refused(name, value, f"The `{name}` query parameter value [{value}] does not match ^[0-9]{{1,19}}$")
    return int(value)


def _size(endpoint: Endpoint, parameters: Mapping[str, str]) -> int:
    if endpoint.largest_page is None:
        return 0
    value = parameters.get("max_results", "10")
    if not value.isdigit() or not 10 <= int(value) <= endpoint.largest_page:
        message = f"The `max_results` query parameter value [{value}] is not between 10 and {endpoint.largest_page}"
        raise Refused("max_results", value, message)
    return int(value)


# ---- tokens: everything that the next page needs stands in them, so they never expire --------------------------------------


def token(request: Request, below: int, *, end: datetime | None = None, mark: int = 0) -> str:
    """The token that leads to the posts below an id, for this request alone. `mark` only makes it another token with the same meaning."""
    text = f"{request.fingerprint}.{below}.{int((end or request.end).timestamp())}.{mark}"
    return "sb" + base64.b32encode(text.encode()).decode().rstrip("=").lower()


def refused_token(value: str) -> Refused:
    """The 400 about a token that is not taken."""
    return Refused("next_token", value, f"Invalid 'next_token':'{value}'. It does not belong to this request")


def _position(value: str, fingerprint: str) -> tuple[int, datetime]:
    try:
        text = base64.b32decode(value.removeprefix("sb").upper() + "=" * (-len(value.removeprefix("sb")) % 8)).decode()
        owner, below, end, _ = text.split(".")
        if owner != fingerprint:
            raise ValueError
        return int(below), datetime.fromtimestamp(int(end), UTC)
    except ValueError as error:
        raise refused_token(value) from error
