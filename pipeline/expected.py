"""What X's counts endpoint says of a day: posts by the hour or the minute. Each query is asked once; the answer is kept on the disk.

Several queries of one area overlap, and a post that two of them find is counted twice: their sum is an upper estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pipeline import storage
from pipeline.days import Window
from pipeline.errors import MissingData
from pipeline.sandbox.world import World
from pipeline.settings import Settings
from pipeline.sources import x_api, x_endpoints

Granularity: TypeAlias = Literal["minute", "hour"]

_STEPS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}


@dataclass(frozen=True, slots=True)
class Volumes:
    """How many posts there are.

    Attributes:
        window: of all of them.
        buckets: (start, posts of all queries) of consecutive spans, the oldest first; each goes on until the next begins.
        totals: posts of each query.
    """

    window: Window
    buckets: tuple[tuple[datetime, int], ...]
    totals: tuple[int, ...]

    @property
    def total(self) -> int:
        """Posts of all queries; an upper estimate where there are several."""
        return sum(self.totals)

    @property
    def overlapping(self) -> bool:
        """Whether there are several queries, so that sums are upper estimates."""
        return len(self.totals) > 1

    def within(self, span: Window) -> int | None:
        """Posts of the buckets that begin in `span`; None where the volumes do not reach over it."""
        if span.start < self.window.start or self.window.end < span.end:
            return None
        return sum(posts for start, posts in self.buckets if start in span)


def granularity_for(window: Window) -> Granularity:
    """What hours counted from the window's start can be summed from: X's hours are those of UTC, and some zones are half an hour off."""
    return "hour" if window.start.replace(minute=0, second=0, microsecond=0) == window.start else "minute"


def folder(settings: Settings, area_name: str, day: date) -> Path:
    """Where the answers of one area and day lie; real and made-up ones apart."""
    source = f"sandbox-{World.of(settings).city_digest}" if settings.synthetic else "x"
    return settings.data / "expected" / f"area={area_name}" / f"date={day.isoformat()}" / f"source={source}"


def known(folder: Path, queries: Sequence[str], window: Window, granularity: Granularity) -> Volumes | None:
    """What the disk holds of it; None where the answer to one of the queries is not there. Asks nothing."""
    answers = [_kept(_path(folder, query, window, granularity), window) for query in queries]
    found = [answer for answer in answers if answer is not None]
    return _summed(found, window, granularity) if len(found) == len(answers) else None


def volumes(
    client: x_api.Client, endpoint: x_endpoints.Endpoint, queries: Sequence[str], window: Window, granularity: Granularity, *, folder: Path
) -> Volumes:
    """How many posts each query finds in the window: from the disk, and what is not there from X.

    Args:
        endpoint: COUNTS_RECENT or COUNTS_ALL.
        folder: where answers are kept: see `folder`.

    Raises:
        PipelineError: as x_api.Client.counts; what was answered stays.
    """
    answers = []
    for query in queries:
        path = _path(folder, query, window, granularity)
        answer = _kept(path, window)
        if answer is None:
            answer = _asked(client, endpoint, query, window, granularity)
            storage.write_json(path, answer)
        answers.append(answer)
    return _summed(answers, window, granularity)


def _path(folder: Path, query: str, window: Window, granularity: Granularity) -> Path:
    return folder / f"{granularity}-{storage.digest(query, window.start.isoformat(), window.end.isoformat())}.json"


def _kept(path: Path, window: Window) -> dict[str, Any] | None:
    try:
        answer: dict[str, Any] = storage.read_json(path)
    except MissingData:
        return None
    # asked before the window's end it counts less than there will have been
    return answer if datetime.fromisoformat(answer["asked_at"]) >= window.end else None


def _asked(client: x_api.Client, endpoint: x_endpoints.Endpoint, query: str, window: Window, granularity: Granularity) -> dict[str, Any]:
    asked_at = datetime.now(UTC)
    buckets: list[x_api.Bucket] = []
    token: str | None = None
    synthetic = False
    while True:
        page = client.counts(endpoint, query, window, granularity=granularity, next_token=token)
        buckets += page.buckets
        token, synthetic = page.next_token, page.synthetic
        if token is None:
            break
    return {
        "query": query,
        "window": [window.start.isoformat(), window.end.isoformat()],
        "granularity": granularity,
        "endpoint": endpoint.name,
        "asked_at": asked_at.isoformat(timespec="seconds"),
        "synthetic": synthetic,
        # what is not listed is nought
        "counts": [[bucket.start.isoformat(), bucket.posts] for bucket in sorted(buckets) if bucket.posts],
    }


def _summed(answers: Sequence[dict[str, Any]], window: Window, granularity: Granularity) -> Volumes:
    step = _STEPS[granularity]
    starts = [window.start]
    while (following := starts[-1] + step) < window.end:
        starts.append(following)
    sums = dict.fromkeys(starts, 0)
    for answer in answers:
        for text, posts in answer["counts"]:
            # where the window does not begin on X's hour, the first bucket does not either
            at = max(datetime.fromisoformat(text), window.start)
            sums[window.start + (at - window.start) // step * step] += posts
    totals = tuple(sum(posts for _, posts in answer["counts"]) for answer in answers)
    return Volumes(window, tuple(sums.items()), totals)
