"""What reports read from the database: all of their SQL, and the frames that charts, page and table share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from pipeline import arrow
from pipeline.report.words import WHOLE
from pipeline.storage import digest

arrow.with_pandas()

# `own`: the day's counts as the prediction of it is judged by them, after the cap on authors of its published row, where that has one.
# Numeric, so that no order of adding shows.
_COUNTS = """
with own as (
    select study, day, sum(kept) as trials, sum(matches * kept / trials) as matches
    from (
        select a.study, a.day, a.trials, a.matches,
            (case when a.author_key is null then a.trials else least(a.trials, p.author_cap) end)::numeric as kept
        from posteriors as p
        join author_counts as a using (study, day)
        where p.author_cap is not null and a.trials > 0 and p.study = any(:studies) and p.day <= :until
    ) as capped
    group by study, day
)
select c.study, c.day, c.trials, c.matches, c.authors, c.retweets, c.coverage, c.coverage_reason, c.synthetic, c.revision,
    c.basis, c.sampled, c.population, c.excluded,
    coalesce(own.trials, c.trials)::bigint as own_trials, coalesce(round(own.matches), c.matches)::bigint as own_matches
from daily_counts as c
left join own using (study, day)
where c.study = any(:studies) and c.day <= :until
order by c.study, c.day
"""

_POSTERIORS = """
select
    p.study, p.day, p.alpha, p.beta, p.mean, p.lower_50, p.upper_50, p.lower_95, p.upper_95,
    p.prior_alpha, p.prior_beta, p.forget, p.trials, p.matches, p.days, p.days_missing, p.days_partial,
    p.coverage, p.synthetic, p.basis, p.days_sampled, p.published_at, p.run_id, m.revision as marker,
    p.window_days, p.forget_scores, p.prior_areas, p.author_cap, p.authors,
    p.design_effect, p.borrowed, p.effective_trials, p.top_weight, p.without_top, p.top_influence,
    p.naive_alpha, p.naive_beta, p.naive_mean, p.naive_lower_95, p.naive_upper_95,
    p.per_author_votes, p.per_author_mean, p.per_author_lower_95, p.per_author_upper_95,
    p.expected_mean, p.expected_lower_95, p.expected_upper_95, p.surprise, p.next_trials, p.next_lower_95, p.next_upper_95
from posteriors as p
left join partitions as m on m.dataset = 'posteriors' and m.name = p.study and m.day = p.day
where p.study = any(:studies) and p.day <= :until
order by p.study, p.day
"""

_RESTATED = """
select h.study, count(*) as changes, max(h.replaced_at) as last_change
from posterior_history as h
where h.study = any(:studies) and h.day <= :until
group by h.study
"""


_HOURS = """
select h.area, h.day, h.hour, h.seconds, h.observed, h.reason, c.mode
from coverage_hours as h
join coverage as c using (area, day)
where h.area in (select s.area from studies as s where s.study = any(:studies)) and h.day <= :until and c.coverage < :whole
order by h.area, h.hour
"""

_ALARMS = """
select a.kind, a.subject, a.day, a.area, a.direction, a.said, a.calibrated, a.synthetic
from alarms as a
where a.day > :until - :nights and a.day <= :until
    and (a.subject = any(:studies) or a.subject = a.area and a.area in (select s.area from studies as s where s.study = any(:studies)))
order by a.day desc, a.kind, a.subject
"""

#: Alarms are shown for so many nights, the report's own with them.
ALARM_NIGHTS = 14


@dataclass(frozen=True)
class Snapshot:
    """What the database held of some studies, up to one day.

    Attributes:
        counts: one row a study and day that was ever counted, also by a rule that has changed since.
        posteriors: one row a study and day; `marker` is the revision it was published under, None once its counts changed.
        restated: one row a study whose published figures were changed later: how often, and when last.
        hours: one row an hour of the studies' areas, of those days alone that are known to be observed in part.
        alarms: one row an alarm of the studies or their areas in the last ALARM_NIGHTS nights, the newest first.
    """

    counts: pd.DataFrame
    posteriors: pd.DataFrame
    restated: pd.DataFrame
    hours: pd.DataFrame
    alarms: pd.DataFrame

    @property
    def digest(self) -> str:
        """Equal for equal contents: tells whether a page made of this snapshot is still true."""
        return digest(*(frame.to_csv(index=False) for frame in (self.counts, self.posteriors, self.restated, self.hours, self.alarms)))


def read(connection: Connection, studies: Sequence[str], until: date) -> Snapshot:
    """Read what there is of `studies` up to and with the day `until`."""

    def frame(query: str) -> pd.DataFrame:
        given = {"studies": list(studies), "until": until, "whole": WHOLE, "nights": ALARM_NIGHTS}
        result = connection.execute(text(query), given)
        rows = pd.DataFrame(result.fetchall(), columns=list(result.keys()))
        if "day" in rows:
            rows["day"] = pd.to_datetime(rows["day"])
        return rows

    return Snapshot(frame(_COUNTS), frame(_POSTERIORS), frame(_RESTATED), frame(_HOURS), frame(_ALARMS))


@dataclass(frozen=True)
class StudyDays:
    """One study's days for charts and words.

    Attributes:
        days: one row a local day from the study's start to the report's day, as charts.py describes it, and authors, retweets,
            coverage, coverage_reason, reason (why a day is missing), synthetic, and basis (one of schema.BASES) with sampled and
            population: how many posts a sample holds, and of how many; excluded: tweets that the study leaves out; own_trials: those
            that own is the share of; surprise: the probability of a day so far out.
        latest: the newest posterior row (a dict), None where there is none.
        latest_day: its day.
        current: whether that row was made by the study as it is configured now, from the counts as they are now.
        synthetic: whether any of its days is made up.
        changes: how many published figures were restated later.
        hours: those of the area's partial days, as Snapshot has them.
        alarms: those of the study and of its area, as Snapshot has them.
    """

    days: pd.DataFrame
    latest: dict[str, Any] | None
    latest_day: date | None
    current: bool
    synthetic: bool
    changes: int
    hours: pd.DataFrame
    alarms: pd.DataFrame

    @property
    def basis(self) -> str:
        """What the newest number is made of: one of schema.BASES."""
        return "tweets" if self.latest is None else str(self.latest["basis"])

    @property
    def weighing(self) -> pd.DataFrame:
        """The days from the first that weighs in the newest number: all, or those of the study's window, and what came after."""
        if self.latest is None or pd.isna(window := self.latest["window_days"]):
            return self.days
        first = pd.Timestamp(self.latest["day"]) - pd.Timedelta(days=int(window) - 1)
        return self.days[self.days["day"] >= first]

    def tonight(self, night: date) -> list[dict[Any, Any]]:
        """The alarms found on that night."""
        return [
            {str(key): value for key, value in row.items()}
            for row in self.alarms[self.alarms["day"] == pd.Timestamp(night)].to_dict("records")
        ]

    def shift(self, night: date) -> str:
        """The direction of an alarm of the study itself on that night; empty where there was none."""
        return next((str(row["direction"]) for row in self.tonight(night) if row["subject"] != row["area"]), "")

    def of_status(self, status: str) -> list[date]:
        """Those of the days that weigh which are "whole", "partial", "unknown" or "missing"."""
        found = self.weighing
        return local_dates(found.loc[found["status"] == status, "day"])


def local_dates(days: Iterable[Any]) -> list[date]:
    """A column of days as plain dates."""
    return [pd.Timestamp(day).date() for day in days]


def study_days(
    snapshot: Snapshot,
    study: str,
    area: str,
    start: date,
    until: date,
    *,
    posterior_revision: Callable[[date], str],
    count_revision: Callable[[date], str],
) -> StudyDays:
    """One study's part of the snapshot, a row for every day from `start` to `until`.

    Counts made by another rule or box than today's are left out, as they are in the posterior: their days are missing, with
    that reason. So are posteriors that are not current, unless none is: then the newest of them is shown, marked as stale.

    Args:
        snapshot: from `read`.
        study: its name.
        area: its area's.
        start: the study's first day.
        until: the report's day.
        posterior_revision: what the posterior of a day has to be marked with to be current; asked for the newest one.
        count_revision: the same for the counts of a day; asked only for days that have counts.
    """
    counts = snapshot.counts[snapshot.counts["study"] == study]
    stale = ~_made_by(counts, "revision", count_revision)
    kept = counts[~stale]
    published = snapshot.posteriors[(snapshot.posteriors["study"] == study) & (snapshot.posteriors["day"] >= pd.Timestamp(start))]
    fresh = _made_by(published, "marker", posterior_revision)
    rows = published[fresh] if fresh.any() else published
    frame = _days(start, until, kept, rows)
    by_old_rule = set(counts.loc[stale, "day"])
    frame["reason"] = [
        "" if status != "missing" else "counted by an earlier rule or box" if day in by_old_rule else "no tweets were collected"
        for status, day in zip(frame["status"], frame["day"], strict=True)
    ]
    latest = None if rows.empty else {str(key): value for key, value in rows.iloc[-1].to_dict().items()}
    changes = snapshot.restated.loc[snapshot.restated["study"] == study, "changes"]
    return StudyDays(
        days=frame,
        latest=latest,
        latest_day=None if latest is None else latest["day"].date(),
        current=latest is not None and latest["marker"] == posterior_revision(latest["day"].date()),
        synthetic=bool(kept["synthetic"].any()) or bool(latest and latest["synthetic"]),
        changes=int(changes.sum()),
        hours=snapshot.hours[snapshot.hours["area"] == area],
        alarms=snapshot.alarms[(snapshot.alarms["subject"] == study) | (snapshot.alarms["subject"] == area)],
    )


def _days(start: date, until: date, kept: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """A row for every day: what was counted on it, what was published at its end, and how the two compare."""
    frame = pd.DataFrame({"day": pd.date_range(start, until, unit="us")})
    frame = frame.merge(kept.drop(columns=["study", "revision"]), on="day", how="left")
    frame = frame.merge(rows[["day", *_OF_DAY]], on="day", how="left")
    for name in (*_COUNTED, *_OF_DAY):
        frame[name] = pd.to_numeric(frame[name]).astype("float64")
    frame["status"] = _status(frame)
    frame["own"] = frame["own_matches"] / frame["own_trials"].where(frame["own_trials"] > 0)
    frame["outside"] = (frame["own"] < frame["expected_lower_95"]) | (frame["own"] > frame["expected_upper_95"])
    return frame


#: What the frame of days takes over from the counts.
_COUNTED = (
    *("trials", "matches", "authors", "retweets", "coverage", "sampled"),
    *("population", "excluded", "own_trials", "own_matches"),
)
#: What the frame of days takes over from the posteriors.
_OF_DAY = (
    *("alpha", "beta", "mean", "lower_50", "upper_50", "lower_95", "upper_95"),
    *("expected_mean", "expected_lower_95", "expected_upper_95", "surprise"),
)


def _made_by(frame: pd.DataFrame, column: str, wanted: Callable[[date], str]) -> NDArray[np.bool_]:
    """Which rows carry the revision that is wanted of their day."""
    return np.array([found == wanted(day) for day, found in zip(local_dates(frame["day"]), frame[column], strict=True)], dtype=bool)


def _status(frame: pd.DataFrame) -> list[str]:
    def of(trials: float, coverage: float) -> str:
        if np.isnan(trials):
            return "missing"
        if np.isnan(coverage):
            return "unknown"
        return "whole" if coverage >= WHOLE else "partial"

    return [of(trials, coverage) for trials, coverage in zip(frame["trials"], frame["coverage"], strict=True)]
