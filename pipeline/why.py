"""Why a study's share moved: of one row against the row before it, of a day against the days before it, of a row that was published anew.

Which tweets stand on which side is said here; they are summed by sides.py and split by stats/attribution.py.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from pipeline import counted, posterior, published
from pipeline.errors import MissingData
from pipeline.published import Publication
from pipeline.restated import Move, between, close, days_of, plain_share, weights
from pipeline.settings import Settings
from pipeline.sides import Sides, sides
from pipeline.stats import attribution
from pipeline.stats.attribution import Attribution
from pipeline.study import Study
from pipeline.weighed import Counted

#: The parts by name, as a person would say them.
PARTS = {
    "same_authors": "the same authors wrote otherwise",
    "other_authors": "other authors wrote",
    "place_mix": "it was written in other places",
    "coverage": "hours observed on one side alone",
    "rule_version": "another rule",
    "prior": "the prior pulls otherwise",
    "forgetting": "days weigh otherwise",
    "days": "days came, or were restated",
    "unknown": "who wrote is not known",
}


@dataclass(frozen=True)
class Explanation:
    """All that is known of one published row."""

    #: the oldest first; the last one stands
    publications: list[Publication]
    #: whether the stored counts give the standing row again, to the last bit; None where they are no longer those it was made from
    same: bool | None
    #: the day's own counts, as stored, and after the cap on authors (own_trials, own_matches); None where they are gone
    counts: Mapping[str, Any] | None
    #: the row before it in time, and why this one is different; None for the first
    previous: date | None
    row: Move | None
    #: the day against the days before it; None where one of the two has no tweets
    day: Move | None
    #: what the alarms of the study on that day said
    alarms: list[str]
    #: from each publication to the next
    restatements: list[Move]


def explain(settings: Settings, connection: sa.Connection, study: Study, day: date) -> Explanation:
    """Everything about the row of one day.

    Raises:
        MissingData: nothing was ever published of it.
    """
    told = published.publications(connection, study.name, day)
    if not told:
        raise MissingData(
            f"nothing was published of {study.name} on {day}",
            todo=f"`python -m pipeline status` shows what there is; luigi --module tasks UpdatePosterior --study {study.name} --date {day}",
        )
    values = told[-1].values
    days = days_of(settings, connection, study, values)
    previous = _row_before(connection, study, day)
    restatements = [
        between(settings, connection, study, old.values, new.values, days if new is told[-1] else None)
        for old, new in itertools.pairwise(told)
    ]
    return Explanation(
        publications=told,
        same=_same(settings, connection, study, values),
        counts=_day_counts(connection, study, values),
        previous=None if previous is None else previous["day"],
        row=None if previous is None else _row_move(settings, connection, study, previous, values, days),
        day=None if days is None else _day_move(settings, connection, study, values, days),
        alarms=_alarms(connection, study, day),
        restatements=restatements,
    )


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
    days = [found for found in counted.current(settings, connection, study) if found <= day]
    row = _row(connection, study, day)
    forget = study.forget if study.forget != "auto" else 1.0 if row is None else row["forget"]
    how = {"day": day, "forget": forget, "window_days": study.window, "author_cap": study.author_cap}
    found = _shift(settings, connection, study, how, days, max(nights, 1))
    return None if found is None else found[0]


def _shift(
    settings: Settings, connection: sa.Connection, study: Study, row: Mapping[str, Any], days: Collection[date], nights: int
) -> tuple[Attribution, Sides] | None:
    first = row["day"] - timedelta(days=nights - 1)
    before = weights(row, days, first - timedelta(days=1))
    after = {found: 1.0 for found in days if first <= found <= row["day"]}
    both = sides(Counted(settings, connection, study, row["author_cap"]), before=before, after=after)
    if not both.before.trials.any() or not both.after.trials.any():
        return None
    return attribution.attribute(before=both.before, after=both.after), both


def _day_move(settings: Settings, connection: sa.Connection, study: Study, row: Mapping[str, Any], days: Collection[date]) -> Move | None:
    found = _shift(settings, connection, study, row, days, 1)
    if found is None:
        return None
    parts, both = found
    return Move(parts.before, parts.after, _parts(row, parts), _notes(row, both))


def _row_move(
    settings: Settings,
    connection: sa.Connection,
    study: Study,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    days: Collection[date] | None,
) -> Move:
    """Of two rows. Where they are not of the same counts (another rule, days that were restated between), by what else changed."""
    if days is None or old["revision"] != new["revision"]:
        return between(settings, connection, study, old, new, days)
    stored = Counted(settings, connection, study, new["author_cap"])
    # a discount that was chosen anew that night is a part of its own, as it is no change of what people write
    before, after = weights(old, days), weights(old, days, new["day"])
    changed = (before.keys() - after.keys(), after.keys() - before.keys())
    both = sides(stored, before=before, after=after, changed=changed)
    if not close(both.before.matches.sum() / max(both.before.trials.sum(), 1e-300), plain_share(old)):
        return between(settings, connection, study, old, new, days)
    found = attribution.attribute(before=both.before, after=both.after, published=(old["mean"], new["mean"]))
    parts = _parts(new, found)
    forgetting = plain_share(new) - stored.share(after) if old["forget"] != new["forget"] else math.nan
    if not math.isnan(forgetting):
        parts["forgetting"] = forgetting
        parts["prior"] -= forgetting
    return Move(found.before, found.after, parts, _notes(new, both))


def _parts(row: Mapping[str, Any], found: Attribution) -> dict[str, float]:
    """By name; of a row that X counted, what attribution.py gives to other authors is nobody's."""
    parts = found.parts
    return {"unknown" if name == "other_authors" and row["basis"] == "counts" else name: part for name, part in parts.items()}


def _row(connection: sa.Connection, study: Study, day: date) -> Mapping[str, Any] | None:
    """The published row of the day."""
    return _one(connection, "select * from posteriors where study = :study and day = :day", study, day)


def _row_before(connection: sa.Connection, study: Study, day: date) -> Mapping[str, Any] | None:
    return _one(connection, "select * from posteriors where study = :study and day < :day order by day desc limit 1", study, day)


def _one(connection: sa.Connection, statement: str, study: Study, day: date) -> Mapping[str, Any] | None:
    found = connection.execute(sa.text(statement), {"study": study.name, "day": day}).mappings().one_or_none()
    return None if found is None else dict(found)


def _day_counts(connection: sa.Connection, study: Study, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = _one(connection, "select * from daily_counts where study = :study and day = :day", study, row["day"])
    if found is None or found["rule_version"] != row["rule_version"]:
        return None
    n, k = counted.own(connection, study.name, row["day"], row["author_cap"])
    return {**found, "own_trials": n, "own_matches": k}


def _alarms(connection: sa.Connection, study: Study, day: date) -> list[str]:
    statement = sa.text("select said from alarms where kind = 'share' and subject = :study and day = :day")
    return list(connection.execute(statement, {"study": study.name, "day": day}).scalars())


def _same(settings: Settings, connection: sa.Connection, study: Study, row: Mapping[str, Any]) -> bool | None:
    """Whether today's counts and configuration give the row again; None where it was made from others."""
    if row["revision"] != posterior.version(settings, study.name):
        return None
    again = posterior.again(settings, connection, study.name, row["day"])
    return None if again is None else again == row


def _notes(row: Mapping[str, Any], both: Sides) -> tuple[str, ...]:
    """What has to be said with the parts of two sides."""
    notes = []
    if row["basis"] == "counts":
        notes.append("X counts and names no authors or places: nothing can be told of them")
    elif both.bare_days:
        number = len(both.bare_days)
        notes.append(f"of {number} day{'s' if number != 1 else ''} the tweets are not stored any more: places and hours are not known")
    elif both.where == "evidence":
        notes.append("places were removed after retention_days: of where, only the kind of evidence is known")
    if both.hours_apart:
        notes.append(f"hours that one side did not observe: {_hours(both.hours_apart)} (local time)")
    return tuple(notes)


def _hours(hours: tuple[int, ...]) -> str:
    """Hours of the day as "0-6, 22-24"."""
    runs: list[list[int]] = []
    for hour in hours:
        if runs and runs[-1][1] == hour:
            runs[-1][1] = hour + 1
        else:
            runs.append([hour, hour + 1])
    return ", ".join(f"{first}-{last}" for first, last in runs)
