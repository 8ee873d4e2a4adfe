"""The sandbox's answers: what the X API's search and counts endpoints would say to a request, from a made-up world. No sockets, no clock.

Rules and their sources: facts/x-api.md. Fields come only when asked for, newest first, and a token repeats its answer for good.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from pipeline import days
from pipeline.sandbox import asked, names, problems
from pipeline.sandbox import query as language
from pipeline.sandbox.asked import ENDPOINTS, GRANULARITIES, Endpoint, Refused, Request, read
from pipeline.sandbox.city import City, Tweet
from pipeline.sandbox.places import Place
from pipeline.sandbox.world import World

__all__ = ["ENDPOINTS", "Answer", "Endpoint", "Refused", "answer", "dumps", "found", "language", "read"]

#: What `names` may be: by the request's own words, or (the day after the renaming, or before it) the same for all.
NAMES: Final = ("by request", "old", "new")


@dataclass(frozen=True)
class Answer:
    """What goes back: status, body, and which posts and users are in it (for the books).

    `headers`: all about rates, where they are not the usual ones. `raw`: a body that is no JSON. `request`: what a search was asked.
    """

    status: int
    document: dict[str, Any]
    post_ids: tuple[int, ...] = ()
    user_ids: tuple[int, ...] = ()
    headers: Mapping[str, str] | None = None
    raw: bytes | None = None
    request: Request | None = None

    @property
    def posts(self) -> int:
        """How many posts are in it."""
        return len(self.post_ids)


def answer(
    world: World,
    path: str,
    parameters: Mapping[str, str],
    *,
    now: datetime,
    gone: Collection[int] = (),
    naming: str = "by request",
) -> Answer:
    """The answer to GET `path` with these parameters at `now` (aware).

    Args:
        gone: ids that a search no longer gives. Counts still count them: they skip the compliance filter of search (facts/x-api.md).
        naming: one of NAMES.
    """
    endpoint = ENDPOINTS.get(path)
    if endpoint is None:
        return Answer(404, problems.problem("Not Found", f"the sandbox has no {path}; it has {', '.join(ENDPOINTS)}", 404))
    try:
        request = read(endpoint, parameters, now)
    except Refused as refused:
        return Answer(400, refused.document)
    made = _counts(world, request) if endpoint.largest_page is None else _search(world, request, gone)
    if naming == "new" or (naming == "by request" and request.renamed):
        return replace(made, document=names.renamed(made.document))
    return made


# ---- search -----------------------------------------------------------------------------------------------------------------


def found(world: World, request: Request, gone: Collection[int] = ()) -> tuple[Tweet, ...]:
    """The tweets that the request asks for, newest first, but for those that are gone."""
    first, last = int(request.start.timestamp()), int(request.end.timestamp())
    tweets = _answers(world, request.parameters["query"], first, last)
    newest = bisect.bisect_right(tweets, -request.until_id, key=lambda tweet: -tweet.id)
    oldest = bisect.bisect_left(tweets, -request.since_id, key=lambda tweet: -tweet.id)
    rest = tweets[newest:oldest]
    return tuple(tweet for tweet in rest if tweet.id not in gone) if gone else rest


@lru_cache(maxsize=32)
def _answers(world: World, query: str, first: int, last: int) -> tuple[Tweet, ...]:
    """All answers to a query in a window, newest first: kept, for its next page will be asked for at once."""
    test = language.parse(query, containment=world.containment).test
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


def _search(world: World, request: Request, gone: Collection[int]) -> Answer:
    tweets = found(world, request, gone)
    page, more = tweets[: request.size], len(tweets) > request.size
    meta: dict[str, Any] = {"result_count": len(page)}
    document: dict[str, Any] = {}
    users: tuple[int, ...] = ()
    if page:
        meta = {"newest_id": str(page[0].id), "oldest_id": str(page[-1].id), **meta}
        document["data"] = [_post(tweet, request.listed("tweet.fields")) for tweet in page]
        includes: dict[str, Any] = {}
        expansions = request.listed("expansions")
        if "geo.place_id" in expansions:
            places = {tweet.place.id: tweet.place for tweet in page}
            includes["places"] = [_place(place, request.listed("place.fields")) for place in places.values()]
        if "author_id" in expansions:
            users = tuple(dict.fromkeys(tweet.author for tweet in page))
            includes["users"] = [{"id": str(user), "name": f"Made up {user}", "username": f"made_up_{user % 10**6}"} for user in users]
        if includes:
            document["includes"] = includes
    # by relevancy there is one page only (facts/x-api.md)
    if more and request.parameters.get("sort_order") != "relevancy":
        meta["next_token"] = asked.token(request, page[-1].id)
    document["meta"] = meta
    return Answer(200, document, tuple(tweet.id for tweet in page), users, request=request)


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
    step = GRANULARITIES[request.parameters.get("granularity", "hour")]
    first, last = int(request.start.timestamp()), int(request.end.timestamp())
    token = None
    if request.endpoint.days_back is None and last - first > 31 * 86400:
        # 31 days a page, newest first
        first = last - 31 * 86400
        token = asked.token(request, 1 << 63, end=datetime.fromtimestamp(first, UTC))
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
