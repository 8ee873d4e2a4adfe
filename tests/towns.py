"""Days of tweets written as who wrote where, when, and whether it matches; counted, loaded and published by the real stages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipeline import count, days, load, posterior
from pipeline.settings import Settings
from tests.partitions import make_hours, make_tweet, write_tweets

AREA = "mexico-city"


@dataclass(frozen=True)
class Said:
    """Some tweets of one author, place and local hour, of which the first `matches` speak of traffic."""

    author: str | None
    trials: int
    matches: int
    place: str = "centre"
    hour: int = 12
    words: tuple[str, str] = ("Mucho tráfico", "Qué calor")
    client: str | None = None


def key(author: str | None) -> str | None:
    """The author's key: 32 hexadecimal digits."""
    return None if author is None else author.encode().hex().rjust(32, "0")


def day(number: int) -> dt.date:
    """A day of November 2026, or of what follows."""
    return dt.date(2026, 11, 1) + dt.timedelta(days=number - 1)


def write(settings: Settings, number: int, said: Iterable[Said], *, missing: Iterable[int] = (), **changes: Any) -> None:
    """Write and load one day's tweets; the local hours `missing` were not observed."""
    window = days.window(day(number), settings.area(AREA).zone)
    rows = []
    for some in said:
        for index in range(some.trials):
            text = some.words[index >= some.matches]
            at = window.start + dt.timedelta(hours=some.hour, seconds=len(rows) % 3600)
            told = {"text": text, "searchable": text, "folded": text.lower().replace("á", "a").replace("é", "e")}
            place = {"place_id": some.place, "place_name": some.place, "evidence": "place_within", "longitude": None, "latitude": None}
            who = {"author_key": key(some.author), "client": some.client}
            rows.append(make_tweet(tweet_id=number * 1_000_000 + len(rows), created_at=at, **told, **place, **who))
    hours = make_hours(window.start)
    for hour in (gone := set(missing)):
        hours[hour] |= {"observed": 0.0, "reason": "rate limited"}
    seen = {"hours": hours, "coverage": 1 - len(gone) / 24, "coverage_reason": f"{len(gone)} hours missing" if gone else ""}
    write_tweets(settings, AREA, day(number), rows, **seen, **changes)
    load.tweets(settings, AREA, day(number))


def publish(settings: Settings, number: int, study: str = "traffic") -> int:
    """Count, load and publish one day of a study; give the rows changed."""
    count.run(settings, study, day(number))
    load.counts(settings, study, day(number))
    return posterior.update(settings, study, day(number))


def live(settings: Settings, number: int, said: Iterable[Said], **changes: Any) -> int:
    """Both, of the study of traffic."""
    write(settings, number, said, **changes)
    return publish(settings, number)
