"""Is one share larger than another: of two studies on a day, or of two periods of one study, whose authors are in part the same.

How two posteriors are compared is stats/compare.py's affair; here: which two, and which authors they share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import sqlalchemy as sa

from pipeline import count, counted, estimates
from pipeline.errors import MissingData, SettingsError
from pipeline.restated import days_of, weights
from pipeline.settings import Settings
from pipeline.stats import compare
from pipeline.stats.compare import Comparison, Sharing
from pipeline.study import Study
from pipeline.study_counts import Method
from pipeline.weighed import author_sums


@dataclass(frozen=True)
class Side:
    """One of the two that are compared."""

    study: Study
    #: what it speaks of: the last day, or the period
    said: str
    #: by the names of estimates.VALUES
    row: Mapping[str, Any]
    #: what each of the days weighs; None where the stored counts are no longer those it was made of
    days: Mapping[date, float] | None


@dataclass(frozen=True)
class Compared:
    """Two shares, what is said of their difference, and what has to be said with it."""

    a: Side
    b: Side
    result: Comparison
    notes: tuple[str, ...]


def studies(settings: Settings, connection: sa.Connection, name_a: str, name_b: str, day: date | None = None) -> Compared:
    """Two studies at the end of a day, as they are published.

    Args:
        settings: of the configuration.
        connection: of database.transaction.
        name_a, name_b: the studies.
        day: None for the newest day of which both are published.

    Raises:
        SettingsError: no such study, or twice the same.
        MissingData: one of them has no number of that day.
    """
    if name_a == name_b:
        raise SettingsError(f"{name_a} is compared with itself", todo="name another study, or two periods: --period S..E --with S..E")
    both = [settings.study(name) for name in (name_a, name_b)]
    if day is None:
        statement = "select max(a.day) from posteriors as a join posteriors as b using (day) where a.study = :a and b.study = :b"
        day = connection.scalar(sa.text(statement), {"a": name_a, "b": name_b})
    if day is None:
        raise MissingData(f"{name_a} and {name_b} have no day in common", todo="`python -m pipeline status` shows what there is")
    a, b = (_published(settings, connection, study, day) for study in both)
    notes = []
    if both[0].area == both[1].area and a.row["rule_version"] == b.row["rule_version"]:
        notes.append("the two ask the same of the same tweets: where they differ, it is by prior, forgetting or cap")
    return compared(connection, a, b, notes)


def periods(settings: Settings, connection: sa.Connection, name: str, first: tuple[date, date], second: tuple[date, date]) -> Compared:
    """Two periods of one study (each from its first to its last day): its own prior and plain sums of the days, nothing forgotten.

    Raises:
        SettingsError: no such study, a period that is backwards, or twice the same.
        MissingData: a period of which nothing is counted.
    """
    study = settings.study(name)
    if first == second:
        raise SettingsError(f"{_span(first)} is compared with itself", todo="give another period to --with")
    a, b = (_period(settings, connection, study, span) for span in (first, second))
    notes = []
    if common := len((a.days or {}).keys() & (b.days or {}).keys()):
        notes.append(f"the periods overlap: {common} day{'s are' if common > 1 else ' is'} in both, which the comparison allows for")
    for side, span in ((a, first), (b, second)):
        number, whole = len(side.days or ()), (span[1] - span[0]).days + 1
        if number < whole:
            notes.append(f"{side.said}: {number} of {whole} days have counts")
    return compared(connection, a, b, notes)


def _published(settings: Settings, connection: sa.Connection, study: Study, day: date) -> Side:
    statement = sa.text("select * from posteriors where study = :study and day = :day")
    found = connection.execute(statement, {"study": study.name, "day": day}).mappings().one_or_none()
    if found is None:
        raise MissingData(
            f"nothing is published of {study.name} on {day}", todo="give another day, or run the night of that one: Nightly --date"
        )
    row = dict(found)
    days = days_of(settings, connection, study, row)
    return Side(study, f"{study.name} up to {day}", row, None if days is None else weights(row, days))


def _period(settings: Settings, connection: sa.Connection, study: Study, span: tuple[date, date]) -> Side:
    first, last = span
    if last < first:
        raise SettingsError(f"the period {_span(span)} is backwards", todo="write its first day first, as 2026-11-01..2026-11-07")
    stored = {day: found for day, found in counted.current(settings, connection, study).items() if day <= last}
    days = [day for day in stored if day >= first]
    if not days:
        raise MissingData(
            f"nothing of {study.name} is counted from {first} to {last}", todo="`python -m pipeline status` shows what there is"
        )
    prior = study.prior.parameters
    # as a window: where the period has few authors, the days before it tell how tweets hang together
    how = Method(prior.alpha, prior.beta, 1.0, (days[-1] - first).days + 1, study.author_cap, study.start)
    counts = counted.arrays(connection, study, stored)
    priors = estimates.set_priors(how, np.array(days[-1:], dtype="datetime64[D]"))
    (row,) = estimates.rows(how, counts, days[-1:], priors, rule_version=count.rule_version(settings, study), revision="")
    return Side(study, _span(span), row, dict.fromkeys(days, 1.0))


def _span(span: tuple[date, date]) -> str:
    return f"{span[0]} to {span[1]}"


def compared(connection: sa.Connection, a: Side, b: Side, notes: Sequence[str] = ()) -> Compared:
    """Two sides, whatever they are: by their rows, and by the authors whom the counts of their days name."""
    notes = [*notes]
    for side in (a, b):
        if side.row["basis"] != "counts" and side.row["design_effect"] is None:
            because = "its source names no authors" if side.row["naive_mean"] is not None else "published before authors were corrected for"
            notes.append(f"{side.said}: {because}, so its interval is too narrow")
    result = compare.compare(
        alpha_a=a.row["alpha"], beta_a=a.row["beta"], alpha_b=b.row["alpha"], beta_b=b.row["beta"], sharing=_sharing(connection, a, b)
    )
    return Compared(a, b, result, tuple(notes))


def _sharing(connection: sa.Connection, a: Side, b: Side) -> Sharing:
    if "counts" in (a.row["basis"], b.row["basis"]):
        return compare.sharing(trials_a=None, matches_a=None, trials_b=None, matches_b=None)
    if a.days is None or b.days is None:
        said = "the counts were changed since it was published, so who wrote on both sides is not known: taken as independent"
        return Sharing(None, 0, 0, said)
    sums = author_sums(connection, [(a.study, a.days, a.row["author_cap"]), (b.study, b.days, b.row["author_cap"])])
    prior_a, prior_b = (_prior_weight(side.row) for side in (a, b))
    return compare.sharing(
        trials_a=sums[:, 0], matches_a=sums[:, 1], trials_b=sums[:, 2], matches_b=sums[:, 3], prior_weight_a=prior_a, prior_weight_b=prior_b
    )


def _prior_weight(row: Mapping[str, Any]) -> float:
    """The prior's strength by the effective number of tweets; a prior without tweets beside it is all there is."""
    effective = row["alpha"] + row["beta"] - row["prior_alpha"] - row["prior_beta"]
    return float((row["prior_alpha"] + row["prior_beta"]) / effective) if effective > 0 else 1e300
