"""Why a published row gave way to another one of the same day: its prior, its rule, how days weigh, or late and restated days.

Of a row that was replaced only its own numbers are kept; what is still there are the tweets and counts of the row that stands.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from pipeline import counted, matchers, posterior
from pipeline.settings import Settings
from pipeline.study import Study
from pipeline.weighed import Counted

#: Two ways to the same share differ by rounding alone.
_SAME = 1e-9


@dataclass(frozen=True)
class Move:
    """Why a share went from `before` to `after`: parts by name, which add up to the change, and what has to be said with them."""

    before: float
    after: float
    parts: Mapping[str, float]
    notes: tuple[str, ...] = ()

    @property
    def change(self) -> float:
        """What there is to explain."""
        return self.after - self.before


def plain_share(row: Mapping[str, Any]) -> float:
    """The share that a row's counts alone say, without its prior: sum k / sum n, weighted; NaN without tweets."""
    matches, others = row["alpha"] - row["prior_alpha"], row["beta"] - row["prior_beta"]
    # what is left of a prior's rounding is no tweet
    return matches / (matches + others) if matches + others > 1e-9 * (row["prior_alpha"] + row["prior_beta"]) else math.nan


def weights(row: Mapping[str, Any], days: Iterable[date], at: date | None = None) -> dict[date, float]:
    """What each of the days weighs on the evening of `at` (default: the row's own day), as the row weighs; without those that do not."""
    ages = {day: ((at or row["day"]) - day).days for day in days}
    window = row["window_days"]
    return {day: float(row["forget"]) ** age for day, age in ages.items() if age >= 0 and (window is None or age < window)}


def close(one: float, other: float) -> bool:
    """Whether two ways came to the same share; true where the other one has no tweets."""
    return abs(one - other) <= _SAME or math.isnan(other)


def days_of(settings: Settings, connection: sa.Connection, study: Study, row: Mapping[str, Any]) -> list[date] | None:
    """The days that a row was made of; None where the stored counts are no longer those."""
    if row["revision"] == posterior.version(settings, study.name):
        days = list(counted.current(settings, connection, study))
    else:
        statement = sa.text("select day from daily_counts where study = :study and rule_version = :rule order by day")
        days = list(connection.execute(statement, {"study": study.name, "rule": row["rule_version"]}).scalars())
    days = [day for day in days if day <= row["day"]]
    return days if close(Counted(settings, connection, study, row["author_cap"]).share(weights(row, days)), plain_share(row)) else None


def between(
    settings: Settings, connection: sa.Connection, study: Study, old: Mapping[str, Any], new: Mapping[str, Any], days: Iterable[date] | None
) -> Move:
    """From one row to another, by four causes: prior, rule, forgetting (with window and cap), days.

    On the way from the old row to the new one, first the days change (with the old rule, weighed the old way), then the rule, then how
    days weigh. Where the steps between cannot be had, what is known to have changed takes the whole difference, and the notes say so.

    Args:
        settings: of the configuration.
        connection: of database.transaction.
        study: whose rows.
        old, new: by the names of estimates.VALUES.
        days: those that the new row was made of; None where they are no longer stored as they were.
    """
    before, after = plain_share(old), plain_share(new)
    change = new["mean"] - old["mean"]
    if math.isnan(before) or math.isnan(after):
        return Move(old["mean"], new["mean"], {"prior": change}, ("one of the two rests on no tweet",))
    prior, rest = math.fsum([new["mean"], -old["mean"], -after, before]), after - before
    other_rule = old["rule_version"] != new["rule_version"] or ("counts" in {old["basis"], new["basis"]} and old["basis"] != new["basis"])
    other_weights = any(old[name] != new[name] for name in ("forget", "window_days", "author_cap"))
    notes: tuple[str, ...] = ()
    if not other_rule and not other_weights:
        parts = {"days": rest}
    elif (steps := _steps(settings, connection, study, old, new, days, other_rule)) is not None:
        by_old_rule, by_old_weights = steps
        parts = {"days": by_old_rule - before, "rule_version": by_old_weights - by_old_rule, "forgetting": after - by_old_weights}
    else:
        parts = {"rule_version" if other_rule else "forgetting": rest}
        if old["trials"] != new["trials"] or (other_rule and other_weights):
            notes = ("what it was counted from is gone, so the parts cannot be told apart: the first cause takes all but the prior",)
    return Move(old["mean"], new["mean"], {"prior": prior, **parts}, notes)


def _steps(
    settings: Settings,
    connection: sa.Connection,
    study: Study,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    days: Iterable[date] | None,
    other_rule: bool,
) -> tuple[float, float] | None:
    """The share of the new row's days weighed the old way: by the old rule, and by the new one; None where that cannot be had."""
    if days is None:
        return None
    weighed, stored = weights(old, days, new["day"]), Counted(settings, connection, study, old["author_cap"])
    by_new_rule = stored.share(weighed)
    if math.isnan(by_new_rule):
        return None
    if not other_rule:
        return by_new_rule, by_new_rule
    rule = _rule(connection, study, old, new)
    by_old_rule = None if rule is None else stored.share_by(rule, weighed)
    return None if by_old_rule is None else (by_old_rule, by_new_rule)


def _rule(connection: sa.Connection, study: Study, old: Mapping[str, Any], new: Mapping[str, Any]) -> matchers.Matcher | None:
    """The old row's rule, for today's tweets; None where it is not known, X counted, or another choice of authors was left out."""
    rows = connection.execute(
        sa.text(
            "select distinct on (rule_version) rule_version, match, cast(excluded as text) as excluded from studies"
            " where study = :study and rule_version in (:old, :new) order by rule_version, first_seen desc"
        ),
        {"study": study.name, "old": old["rule_version"], "new": new["rule_version"]},
    )
    known = {row.rule_version: row for row in rows}
    if len(known) < 2 or "counts" in (old["basis"], new["basis"]):
        return None
    was, now = known[old["rule_version"]], known[new["rule_version"]]
    return matchers.build(was.match) if was.excluded == now.excluded and was.match != now.match else None
