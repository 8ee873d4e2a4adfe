"""Two days of tweets of which some are to be deleted: made, brought through all stages, and looked at."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pipeline import (
    checks,
    clean,
    count,
    database,
    load,
    posterior,
    purge,
)
from pipeline.settings import Settings
from tests.posts import NOON, make_post, make_tweet, snowflake

DAY = date(2026, 11, 5)
NEXT = DAY + timedelta(days=1)


def words(number: int, matches: bool = True) -> str:
    """A text that no other tweet has."""
    return f"{'Mucho tráfico' if matches else 'Todo tranquilo'} junto al kiosco verde número {number * 7919 + 7_000_013}"


def at(number: int, day: date = DAY) -> datetime:
    return NOON + timedelta(minutes=number) + (day - DAY)


def number_of(number: int, day: date = DAY) -> int:
    """The id of the tweet of that number."""
    return snowflake(at(number, day), number)


def tweets(day: date, numbers: Iterable[int]) -> list[dict[str, Any]]:
    """v1.1 tweets of made-up authors; even ones match."""
    return [
        make_tweet(
            at=at(n, day), sequence=n, text=words(n + 1000 * (day != DAY), n % 2 == 0), user={"id_str": str(500 + n % 5), "id": 500 + n % 5}
        )
        for n in numbers
    ]


def post(number: int, day: date = DAY, **changes: Any) -> dict[str, Any]:
    """The same as X gives it."""
    own = {"text": words(number + 1000 * (day != DAY), number % 2 == 0), "author_id": str(500 + number % 5)}
    return make_post(at=at(number, day), sequence=number, **(own | changes))


def bring(settings: Settings, days: Iterable[date] = (DAY, NEXT), study: str = "traffic") -> None:
    """All stages after the extraction."""
    for day in days:
        clean.run(settings, "mexico-city", day)
        load.tweets(settings, "mexico-city", day)
        for name in settings.studies:
            count.run(settings, name, day)
            load.counts(settings, name, day)
            posterior.update(settings, name, day)


def numbers(settings: Settings, day: date, study: str = "traffic") -> tuple[int, ...]:
    """(trials, matches) of the day, and of the posterior at its end."""
    with database.transaction(settings) as connection:
        row = connection.execute(
            sa.text(
                "select c.trials, c.matches, p.trials, p.matches from daily_counts c join posteriors p using (study, day)"
                " where study = :study and day = :day"
            ),
            {"study": study, "day": day},
        ).one()
    return tuple(row)


def history(settings: Settings, study: str = "traffic") -> list[tuple[date, str]]:
    with database.transaction(settings) as connection:
        rows = connection.execute(sa.text("select day, reason from posterior_history where study = :study order by id"), {"study": study})
        return [tuple(row) for row in rows]


def asked(*ids: int, reason: str = "deleted") -> purge.Asked:
    return purge.Asked(tweets=dict.fromkeys(ids, reason))


def wrong_rows(settings: Settings) -> dict[str, Any]:
    return {name: rows for name, rows in checks.run(settings).items() if rows}


def snapshot(settings: Settings) -> dict[str, int]:
    """Every file and when it was written, but for the locks."""
    return {str(path): path.stat().st_mtime_ns for path in settings.data.rglob("*") if path.is_file() and "locks" not in path.parts}
