"""What of a day remains to be asked for: walks, newest first, each of one query over one span; and the holes, which could not be had.

Pure: how a page is asked for, and what is done with its bytes, fetching.py says. Dates in requests are whole seconds (facts/x-api.md).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pipeline.days import Window

HOUR: Final = timedelta(hours=1)
SECOND: Final = timedelta(seconds=1)
#: Milliseconds since 1970 at which the ids begin to tell the time (facts/x-api.md).
EPOCH_MS: Final = 1_288_834_974_657


@dataclass(frozen=True, slots=True)
class Walk:
    """One query over [start, end), from the newest post to the oldest, and how far it is.

    Attributes:
        query: its number among the day's queries.
        next_token: of the page to be asked for; None for the first.
        until_id: only posts older than this one, all along.
        oldest_id, oldest_at: of the posts seen.
        hours: how many are asked for at a time, after a failure; 0 for all that remains.
    """

    query: int
    start: datetime
    end: datetime
    next_token: str | None = None
    until_id: int | None = None
    oldest_id: int | None = None
    oldest_at: datetime | None = None
    hours: int = 0

    @property
    def window(self) -> Window:
        """What is asked for: it stays the same from page to page."""
        return Window(self.start, self.end)

    @property
    def position(self) -> datetime:
        """What remains is before this: the second of the oldest post seen remains, for others may have been written in it."""
        if self.oldest_at is None:
            return self.end
        return min(max(self.oldest_at.replace(microsecond=0) + SECOND, self.start), self.end)

    def after(self, oldest: tuple[int, datetime | None] | None, next_token: str | None) -> Walk | None:
        """The walk behind a page with this oldest post; None where that page was the last (an empty one with a token is not)."""
        if next_token is None:
            return None
        if oldest is None or (self.oldest_id is not None and oldest[0] >= self.oldest_id):
            return replace(self, next_token=next_token)
        return replace(self, next_token=next_token, oldest_id=oldest[0], oldest_at=oldest[1] or self.oldest_at)

    def round(self) -> Walk | None:
        """The way on without the token: below the oldest post seen; None where that was tried from here already."""
        if self.oldest_id is None or self.until_id == self.oldest_id:
            return None
        return replace(self, next_token=None, until_id=self.oldest_id)

    def without_token(self) -> Walk:
        """The same from its top, or from below the oldest post seen: a token means nothing once anything else has changed."""
        return replace(self, next_token=None, until_id=self.until_id if self.oldest_id is None else self.oldest_id)


def hours_of(window: Window) -> tuple[Window, ...]:
    """The window's hours, counted from its start; the last may be shorter."""
    hours = []
    start = window.start
    while start < window.end:
        hours.append(Window(start, min(start + HOUR, window.end)))
        start += HOUR
    return tuple(hours)


def over(queries: Iterable[int], spans: Sequence[Window]) -> list[Walk]:
    """Walks of every query over every span: query after query, the newest span first."""
    newest_first = sorted(spans, key=lambda span: span.start, reverse=True)
    return [Walk(query, span.start, span.end) for query in queries for span in newest_first if span.start < span.end]


def cut(walk: Walk, hours: Sequence[Window]) -> list[Walk]:
    """The walk in two, newest first: its newest `walk.hours` of the day's `hours`, and the rest; alone where there is no rest."""
    if not walk.hours:
        return [walk]
    marks = [hour.start for hour in hours if walk.start < hour.start < walk.position]
    if len(marks) < walk.hours:
        return [walk]
    mark = marks[-walk.hours]
    rest = Walk(walk.query, walk.start, mark, hours=walk.hours)
    return [replace(walk.without_token(), start=mark), rest]


def within_an_hour(walk: Walk, hours: Sequence[Window]) -> bool:
    """Whether what remains of the walk lies in one of the day's `hours`."""
    return not any(walk.start < hour.start < walk.position for hour in hours)


@dataclass(frozen=True, slots=True)
class Hole:
    """A span that is missing, and whether it may still be had.

    Attributes:
        reason: why, in words that a person reads.
        refetch: False where no source can give it any more.
        queries: numbers of the queries that miss it.
    """

    start: datetime
    end: datetime
    reason: str
    refetch: bool
    queries: tuple[int, ...] = ()

    @property
    def window(self) -> Window:
        """Its span."""
        return Window(self.start, self.end)


def clipped(walk: Walk, reach: datetime, reason: str) -> tuple[Walk | None, Hole | None]:
    """(what of the walk lies at or after `reach`, what lies before): that is lost for good."""
    if walk.start >= reach:
        return walk, None
    if walk.position <= reach:
        return None, Hole(walk.start, walk.position, reason, False, (walk.query,))
    return replace(walk.without_token(), start=reach), Hole(walk.start, reach, reason, False, (walk.query,))


def merged(holes: Iterable[Hole]) -> list[Hole]:
    """Disjoint holes in the order of time: where several queries miss the same span, it is one; what touches and is alike, too."""
    known = list(holes)
    edges = sorted({edge for hole in known for edge in (hole.start, hole.end)})
    made: list[Hole] = []
    for start, end in itertools.pairwise(edges):
        over_it = [hole for hole in known if hole.start <= start and end <= hole.end]
        if not over_it:
            continue
        queries = tuple(sorted({query for hole in over_it for query in hole.queries}))
        # what one query may still have is worth asking for
        best = next((hole for hole in over_it if hole.refetch), over_it[0])
        last = made[-1] if made else None
        if last and last.end == start and (last.reason, last.refetch, last.queries) == (best.reason, best.refetch, queries):
            made[-1] = replace(last, end=end)
        else:
            made.append(Hole(start, end, best.reason, best.refetch, queries))
    return made


def missing(holes: Iterable[Hole], window: Window) -> float:
    """Seconds of the window that lie in holes."""
    spans = [(max(hole.start, window.start), min(hole.end, window.end)) for hole in merged(holes)]
    return sum((end - start).total_seconds() for start, end in spans if start < end)


def written_at(post_id: int, text: str | None) -> datetime | None:
    """When a post was written: what its `created_at` says, else its id; None where neither can be read."""
    try:
        return datetime.fromisoformat(text or "").astimezone(UTC)
    except (ValueError, TypeError):
        milliseconds = (post_id >> 22) + EPOCH_MS
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if EPOCH_MS < milliseconds < 4_102_444_800_000 else None


def as_json(item: Walk | Hole) -> dict[str, Any]:
    """The item as a JSON object; `walk` and `hole` read it."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(item).items()}


def walk(given: dict[str, Any]) -> Walk:
    """The walk that as_json wrote."""
    at = given.get("oldest_at")
    return Walk(**{**given, **_span(given), "oldest_at": datetime.fromisoformat(at) if at else None})


def hole(given: dict[str, Any]) -> Hole:
    """The hole that as_json wrote."""
    return Hole(**_span(given), reason=given["reason"], refetch=given["refetch"], queries=tuple(given.get("queries", ())))


def _span(given: dict[str, Any]) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(given[name]) for name in ("start", "end")}
