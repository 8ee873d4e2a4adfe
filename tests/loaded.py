"""What the database holds of the partitions that tests load."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from pipeline import clean, count, database
from pipeline.settings import Settings


def day(number: int) -> dt.date:
    """A day of November 2026."""
    return dt.date(2026, 11, number)


def query(settings: Settings, text: str, **parameters: object) -> list[tuple[object, ...]]:
    """Ask the database."""
    with database.transaction(settings) as connection:
        return [tuple(row) for row in connection.execute(sa.text(text), parameters)]


def is_loaded(settings: Settings, dataset: str, name: str) -> bool:
    """Whether the fifth's partition is loaded as today's configuration wants it."""
    revision = clean.revision if dataset == "tweets" else count.revision
    return bool(database.markers_present(settings, {(dataset, name, day(5)): revision(settings, name, day(5))}))
