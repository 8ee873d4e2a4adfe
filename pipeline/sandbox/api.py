"""The sandbox's answers: what the X API's search and counts endpoints would say to a request, from a made-up world. No sockets, no clock.

Rules and their sources: facts/x-api.md. Fields come only when asked for, newest first, and a token repeats its answer for good.
"""

from __future__ import annotations

import base64
import bisect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from pipeline import days
from pipeline.sandbox import query as language
from pipeline.sandbox.city import City, Tweet
from pipeline.sandbox.places import Place
from pipeline.sandbox.world import World
from pipeline.storage import digest

FIRST: Final = datetime(2006, 3, 21, tzinfo=UTC)
COMMON: Final = frozenset({"query", "start_time", "end_time", "since_id", "until_id", "next_token", "pagination_token"})
FIELDS: Final = frozenset(
    {"max_results", "sort_order", "expansions", "tweet.fields", "place.fields", "user.fields", "media.fields", "poll.fields"}
)
GRANULARITIES: Final = {"minute": 60, "hour": 3600, "day": 86400}


@dataclass(frozen=True)
class Endpoint:
    """One endpoint's limits: a rate of so many requests in 15 minutes; days back; characters of a query."""

    name: str
    rate: int
    query_length: int
    days_back: int | None
    largest_page: int | None = None


ENDPOINTS: Final = {
    f"/2/tweets/{endpoint.name}": endpoint
    for endpoint in (
        Endpoint("search/recent", 450, 512, 7, 100),
        Endpoint("search/all", 300, 1024, None, 500),
        Endpoint("counts/recent", 300, 512, 7),
        Endpoint("counts/all", 300, 1024, None),
    )
}


@dataclass(frozen=True)
class Answer:
    """What goes back: status, body, and how many posts are in it (for the ledger)."""

    status: int
    document: dict[str, Any]
    posts: int = 0
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A 400 about one parameter."""

    def __init__(self, parameter: str, value: str, message: str) -> None:
        super().__init__(message)
        self.parameter, self.value, self.message = parameter, value, message


@dataclass(frozen=True)
class Request:
    """The parameters of a request, checked."""

    endpoint: Endpoint
    parameters: Mapping[str, str]
    start: datetime
    end: datetime
    since_id: int
    until_id: int
    size: int
    fingerprint: str


def answer(world: World, path: str, parameters: Mapping[str, str], *, now: datetime) -> Answer:
    """The answer to GET `path` with these parameters at `now` (aware)."""
    endpoint = ENDPOINTS.get(path)
    if endpoint is None:
        return Answer(404, problem("Not Found", f"the sandbox has no {path}; it has {', '.join(ENDPOINTS)}", 404))
    try:
        request = read(endpoint, parameters, now)
    except Refused as refused:
        errors = [{"parameters": {refused.parameter: [refused.value]}, "message": refused.message}]
        # as recorded: the useful words are in errors[].message only
        document = {
            "errors": errors,
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": "https://api.twitter.com/2/problems/invalid-request",
        }
        return Answer(400, document)
    if endpoint.largest_page is None:
        return _counts(world, request)
    return _search(world, request)


def problem(title: str, detail: str, status: int, kind: str = "about:blank") -> dict[str, Any]:
    """A problem+json body."""
    return {"title": title, "detail": detail, "type": kind, "status": status}


def read(endpoint: Endpoint, parameters: Mapping[str, str], now: datetime) -> Request:
    """Check the parameters as the API does.

    Raises:
        Refused: the first fault found.
    """
    known = COMMON | (FIELDS if endpoint.largest_page else {"granularity"})
    for name in parameters.keys() - known:
        raise Refused(name, parameters[name], f"The query parameter [{name}] is not one of [{','.join(sorted(known))}]")
    if "query" not in parameters:
        raise Refused("query", "", "The `query` query parameter can not be empty")
    try:
        language.parse(parameters["query"], limit=endpoint.query_length)
    except language.QueryRefused as refused:
        raise Refused("query", parameters["query"], str(refused)) from refused
    token = parameters.get("next_token") or parameters.get("pagination_token")
    unchanged = {name: value for name, value in parameters.items() if name not in ("next_token", "pagination_token")}
    fingerprint = digest(endpoint.name, unchanged)
    start, end = _window(endpoint, parameters, now)
    since_id, until_id = _id(parameters, "since_id", 0), _id(parameters, "until_id", 1 << 63)
    if token:
        until_id, end = _position(token, fingerprint)
    return Request(endpoint, parameters, start, end, since_id, until_id, _size(endpoint, parameters), fingerprint)


def _window(endpoint: Endpoint, parameters: Mapping[str, str], now: datetime) -> tuple[datetime, datetime]:
    oldest = FIRST if endpoint.days_back is None else now - timedelta(days=endpoint.days_back)
    default_start = oldest if endpoint.days_back else now - timedelta(days=30)
    start = _time(parameters, "start_time", default_start)
    end = _time(parameters, "end_time", (now - timedelta(seconds=30)).replace(microsecond=0))
    shown = parameters.get("start_time", "")
    if start >= end:
        raise Refused("start_time", shown, f"Invalid 'start_time':'{shown}'. 'start_time' must be before 'end_time'")
    if start < oldest:
        raise Refused("start_time", shown, f"Invalid 'start_time':'{shown}'. 'start_time' must be on or after {oldest:%Y-%m-%dT%H:%MZ}.")
    if end > now - timedelta(seconds=10):
        shown = parameters["end_time"]
        raise Refused(
            "end_time", shown, f"Invalid 'end_time':'{shown}'. 'end_time' must be a minimum of 10 seconds prior to the request time."
        )
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


def _token(fingerprint: str, below: int, end: datetime) -> str:
    text = f"{fingerprint}.{below}.{int(end.timestamp())}"
    return "sb" + base64.b32encode(text.encode()).decode().rstrip("=").lower()


def _position(token: str, fingerprint: str) -> tuple[int, datetime]:
    try:
        text = base64.b32decode(token.removeprefix("sb").upper() + "=" * (-len(token.removeprefix("sb")) % 8)).decode()
        owner, below, end = text.split(".")
        if owner != fingerprint:
            raise ValueError
        return int(below), datetime.fromtimestamp(int(end), UTC)
    except ValueError as error:
        raise Refused("next_token", token, f"Invalid 'next_token':'{token}'. It does not belong to this request") from error


# ---- search -----------------------------------------------------------------------------------------------------------------


def found(world: World, request: Request) -> tuple[Tweet, ...]:
    """The tweets that the request asks for, newest first."""
    first, last = int(request.start.timestamp()), int(request.end.timestamp())
    tweets = _answers(world, request.parameters["query"], first, last)
    newest = bisect.bisect_right(tweets, -request.until_id, key=lambda tweet: -tweet.id)
    oldest = bisect.bisect_left(tweets, -request.since_id, key=lambda tweet: -tweet.id)
    return tweets[newest:oldest]


@lru_cache(maxsize=32)
def _answers(world: World, query: str, first: int, last: int) -> tuple[Tweet, ...]:
    """All answers to a query in a window, newest first: kept, for its next page will be asked for at once."""
    test = language.parse(query).test
    return tuple(sorted((tweet for tweet in _between(world.cities, first, last) if test(tweet)), key=lambda tweet: -tweet.id))


def _between(cities: tuple[City, ...], first: int, last: int) -> Iterator[Tweet]:
    for city in cities:
        # an edit may show a day after the tweet; zones differ from UTC by less than a day
        day = datetime.fromtimestamp(first, UTC).date() - timedelta(days=2)
        while day <= datetime.fromtimestamp(last, UTC).date() + timedelta(days=1):
            if _touches(city, day, first, last):
                for tweet in city.tweets(day):
                    if first <= tweet.created < last:
                        yield tweet
            day += timedelta(days=1)


@lru_cache(maxsize=65536)
def _touches(city: City, day: date, first: int, last: int) -> bool:
    window = days.window(day, city.zone)
    # edits come up to half an hour after
    return window.start.timestamp() < last and window.end.timestamp() + 3600 > first


def _search(world: World, request: Request) -> Answer:
    wanted = frozenset(request.parameters.get("tweet.fields", "").split(","))
    tweets = found(world, request)
    page, more = tweets[: request.size], len(tweets) > request.size
    meta: dict[str, Any] = {"result_count": len(page)}
    document: dict[str, Any] = {}
    if page:
        meta = {"newest_id": str(page[0].id), "oldest_id": str(page[-1].id), **meta}
        document["data"] = [_post(tweet, wanted) for tweet in page]
        if "geo.place_id" in request.parameters.get("expansions", "").split(","):
            places = {tweet.place.id: tweet.place for tweet in page}
            place_fields = frozenset(request.parameters.get("place.fields", "").split(","))
            document["includes"] = {"places": [_place(place, place_fields) for place in places.values()]}
    if more:
        meta["next_token"] = _token(request.fingerprint, page[-1].id, request.end)
    document["meta"] = meta
    return Answer(200, document, len(page))


def _post(tweet: Tweet, wanted: frozenset[str]) -> dict[str, Any]:
    long = tweet.is_long and len(tweet.text) > 280
    post: dict[str, Any] = {
        "id": str(tweet.id),
        "text": tweet.text[:279] + "…" if long else tweet.text,
        "edit_history_tweet_ids": [str(name) for name in tweet.history],
    }
    where: dict[str, Any] = {"place_id": tweet.place.id}
    if tweet.point is not None:
        where["coordinates"] = {"type": "Point", "coordinates": list(tweet.point)}
    extra: dict[str, Any] = {
        "author_id": str(tweet.author),
        "created_at": f"{datetime.fromtimestamp(tweet.created, UTC):%Y-%m-%dT%H:%M:%S}.000Z",
        "geo": where,
        "lang": tweet.lang,
        "source": tweet.client,
    }
    if tweet.reference is not None:
        extra["referenced_tweets"] = [{"type": tweet.reference[0], "id": str(tweet.reference[1])}]
    if long:
        extra["note_tweet"] = {"text": tweet.text}
    return post | {name: value for name, value in extra.items() if name in wanted}


def _place(place: Place, wanted: frozenset[str]) -> dict[str, Any]:
    extra: dict[str, Any] = {
        "name": place.name,
        "place_type": place.place_type,
        "country": place.country,
        "country_code": place.country_code,
        "geo": {"type": "Feature", "bbox": [place.west, place.south, place.east, place.north], "properties": {}},
    }
    return {"id": place.id, "full_name": place.full_name} | {name: value for name, value in extra.items() if name in wanted}


# ---- counts -----------------------------------------------------------------------------------------------------------------


def _counts(world: World, request: Request) -> Answer:
    granularity = request.parameters.get("granularity", "hour")
    if granularity not in GRANULARITIES:
        message = f"The `granularity` query parameter value [{granularity}] is not one of [minute,hour,day]"
        return Answer(400, {"errors": [{"message": message}], "title": "Invalid Request", "detail": message})
    step = GRANULARITIES[granularity]
    first, last = int(request.start.timestamp()), int(request.end.timestamp())
    token = None
    if request.endpoint.days_back is None and last - first > 31 * 86400:
        # 31 days a page, newest first
        first = last - 31 * 86400
        token = _token(request.fingerprint, 1 << 63, datetime.fromtimestamp(first, UTC))
    edges = [first, *range(first - first % step + step, last, step), last]
    counts = [0] * (len(edges) - 1)
    for tweet in found(world, request):
        if tweet.created >= first:
            counts[bisect.bisect_right(edges, tweet.created) - 1] += 1
    data = [
        {"start": _written(start), "end": _written(end), "tweet_count": count}
        for start, end, count in zip(edges, edges[1:], counts, strict=False)
    ]
    meta = {"total_tweet_count": sum(counts)} | ({"next_token": token} if token else {})
    return Answer(200, {"data": data, "meta": meta})


def _written(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def dumps(document: Mapping[str, Any]) -> bytes:
    """A body as X writes it: compact UTF-8 JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
