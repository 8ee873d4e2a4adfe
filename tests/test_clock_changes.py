"""Across clock changes every tweet of an archive is in exactly one day's partition, and the days' sums equal the total."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from pipeline import clean, count, importing
from pipeline.settings import Settings
from pipeline.sources import archive
from tests.posts import lines, make_tweet

#: By an hour and by half of one; at night, at midnight (a day that begins at one), before midnight (a day that has it twice); with
#: winter and summer the other way round, and the clock put back for Ramadan.
ZONES = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "America/Nuuk",
    "America/Santiago",
    "America/St_Johns",
    "Asia/Beirut",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/London",
    "Pacific/Chatham",
)
YEAR = 2024


def changes(zone: ZoneInfo) -> list[datetime]:
    """The hours of the year after which the clock differs from UTC by something else than before."""
    hours = [datetime(YEAR, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(366 * 24)]
    offsets = [hour.astimezone(zone).utcoffset() for hour in hours]
    return [hour for hour, before, after in zip(hours[1:], offsets, offsets[1:], strict=False) if before != after]


def moments(zone: ZoneInfo) -> list[datetime]:
    """Every 25 minutes from a day and a half before each change to as long after; and the seconds round every local midnight there."""
    found = set()
    for change in changes(zone):
        start = change - timedelta(hours=36)
        found |= {start + timedelta(minutes=25 * number) for number in range(72 * 60 // 25)}
        # all offsets of that year are whole quarters of an hour, so days begin at one
        quarters = [start + timedelta(minutes=15 * number) for number in range(72 * 4)]
        begun = [at for before, at in pairwise(quarters) if before.astimezone(zone).date() != at.astimezone(zone).date()]
        found |= {at + timedelta(seconds=second) for at in begun for second in (-1, 0, 1)}
    return sorted(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", ZONES)
def test_every_tweet_is_in_one_day(name: str, make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    """Each tweet is cleaned into the partition of the date that its clock showed, into no other, and counted there."""
    zone = ZoneInfo(name)
    at = moments(zone)
    assert len(changes(zone)) >= 2
    posts: list[dict[str, Any]] = [make_tweet(at=moment, sequence=number % 4000) for number, moment in enumerate(at)]
    path = tmp_path / "stream.jsonl"
    path.write_bytes(lines(*posts))
    settings = make_settings(
        areas=f'[here]\nbox = "-99.3650,19.0482,-98.9403,19.5928"\ntimezone = "{name}"\n',
        studies=f'[all]\nquestion = "?"\narea = "here"\nstart = {YEAR - 1}-01-01\nmatch = {{ words = ["tráfico"] }}\n',
        database=False,
    )
    assert importing.run(settings, [path]).accounted
    shown: Counter[date] = Counter(moment.astimezone(zone).date() for moment in at)
    assert set(archive.days_held(settings, settings.area("here"))) == set(shown)
    found: list[int] = []
    counts = 0
    for day in shown:
        clean.run(settings, "here", day)
        ids = pq.read_table(clean.partition(settings, "here", day) / "tweets.parquet", columns=["tweet_id"])["tweet_id"].to_pylist()
        assert len(ids) == shown[day], day
        found += ids
        manifest = count.run(settings, "all", day)
        assert manifest["trials"] == manifest["matches"] == len(ids)
        counts += manifest["trials"]
    assert sorted(found) == sorted(post["id"] for post in posts)
    assert counts == len(at)
