"""Why a study's share moved: of one row against the row before it, of a day against the days before it, of a row that was published anew.

Which tweets stand on which side is said here; they are summed by sides.py and split by stats/attribution.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from pipeline import counted
from pipeline.settings import Settings
from pipeline.sides import sides
from pipeline.stats import attribution
from pipeline.stats.attribution import Attribution
from pipeline.study import Study


def shift(settings: Settings, connection: sa.Connection, study: Study, day: date, nights: int) -> Attribution | None:
    """The share of the last days against that of the days before them, and why it is another one.

    The days before weigh as they did on the evening before the first of the last ones; the last ones weigh 1 each. Both are plain shares,
    with the cap on authors, without a prior.

    Args:
        settings: of the configuration.
        connection: of database.transaction.
        study: whose counts; those of today's rule, box and sources.
        day: the last day.
        nights: how many calendar days up to `day`, 1 to 3; 0 counts as 1.

    Returns:
        None where one side has no tweets.
    """
    first = day - timedelta(days=max(nights, 1) - 1)
    days = [found for found in counted.current(settings, connection, study) if found <= day]
    row = _row(connection, study, day)
    forget = _forget(study, row)
    before = weights(days, first - timedelta(days=1), forget=forget, window=study.window)
    after = {found: 1.0 for found in days if found >= first}
    both = sides(settings, connection, study, before=before, after=after, author_cap=study.author_cap)
    if not both.before.trials.any() or not both.after.trials.any():
        return None
    return attribution.attribute(before=both.before, after=both.after)


def weights(days: Iterable[date], at: date, *, forget: float, window: int | None) -> dict[date, float]:
    """What each of the days weighs on the evening of `at`; without those that weigh nothing."""
    ages = {day: (at - day).days for day in days}
    return {day: forget**age for day, age in ages.items() if age >= 0 and (window is None or age < window)}


def _row(connection: sa.Connection, study: Study, day: date) -> Mapping[str, Any] | None:
    """The published row of the day."""
    statement = sa.text("select * from posteriors where study = :study and day = :day")
    found = connection.execute(statement, {"study": study.name, "day": day}).mappings().one_or_none()
    return None if found is None else dict(found)


def _forget(study: Study, row: Mapping[str, Any] | None) -> float:
    """The discount: of a study that chooses it, the one that the row says."""
    if study.forget != "auto":
        return study.forget
    return 1.0 if row is None else float(row["forget"])
