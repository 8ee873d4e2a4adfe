"""Two sides of a comparison as cells: who wrote where, n and k, summed in the database over days that weigh on each side.

What is compared with what is why.py's affair, and how the difference is split stats/attribution.py's.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from pipeline import matchers, text
from pipeline.keys import author_key, hashed
from pipeline.settings import Settings
from pipeline.stats import attribution
from pipeline.stats.attribution import Cells
from pipeline.stats.beta import Floats
from pipeline.study import Study

#: Weights are summed as whole multiples of this: exact, so that the order in which PostgreSQL takes its rows never shows.
_UNIT = 2.0**-40
#: A place stands for itself where at least so many tweets of the smaller side would be written there; the others go by their evidence.
#: (Of a place with one tweet on a side the share there is 0 or 1: its mix would be noise.)
_ENOUGH_IN_A_PLACE = 10
#: Texts in memory at a time.
_AT_ONCE = 20_000
#: An hour of the day counts as observed on a side where this much of it was, on average over the side's days.
_OBSERVED = 0.5


@dataclass(frozen=True)
class Sides:
    """The cells of both sides, what is known of places, and the local hours that one side did not observe."""

    before: Cells
    after: Cells
    #: "place": ids of places; "evidence": its kind alone, for places were removed after retention_days; "": not even that
    places: Literal["place", "evidence", ""]
    #: days whose tweets are gone, or do not agree with the counts: of these only the counts by author are used
    bare_days: tuple[date, ...]
    hours_apart: tuple[int, ...]


def sides(
    settings: Settings,
    connection: sa.Connection,
    study: Study,
    *,
    before: Mapping[date, float],
    after: Mapping[date, float],
    author_cap: int | None,
    changed: tuple[Collection[date], Collection[date]] | None = None,
) -> Sides:
    """The cells of two sides.

    An author on both sides is named "*", another one or an unknown one "": which is all that attribution.py asks of names.

    Args:
        settings: of the configuration.
        connection: of database.transaction.
        study: whose counts.
        before, after: days and what each weighs, 0 to 1; a day may be on both.
        author_cap: an author's tweets of one day count as so many at most.
        changed: the days whose hours are compared, where not those of the two sides: of two rows, what left and what came.
    """
    days = sorted(before.keys() | after.keys())
    kept = kept_days(settings, connection, study, days)
    bare = tuple(day for day in days if kept.get(day) is None)
    places: Literal["place", "evidence", ""] = "" if bare else "evidence" if "emptied" in kept.values() else "place"
    # of what is known by author alone, nobody knows the hour
    apart = () if bare else _hours_apart(settings, connection, study, *(changed or (before.keys(), after.keys())))
    given = _weights(days, before=before, after=after) | {"bare": list(bare), "cap": author_cap, "apart": list(apart)}
    weight, joined = _CAPPED[author_cap is not None]
    kind = "''" if places == "" else "evidence"
    lone = _LONE.format(weight=weight)
    statement = _CELLS.format(place=_PLACES[places], kind=kind, weight=weight, joined=joined, lone=lone, **_excluded(study))
    rows = connection.execute(sa.text(statement), _who(settings, study) | given).all()
    columns = np.array([[float(number) * _UNIT for number in row[4:]] for row in rows]).reshape(-1, 4)
    named = _named([(row.place, row.kind) for row in rows], columns)
    authors = ["*" if row.both else "" for row in rows]
    comparable = np.array([row.comparable for row in rows], dtype=np.bool_)

    def side(first: int) -> Cells:
        n, k = columns[:, first], columns[:, first + 1]
        return attribution.cells(authors=authors, places=named, trials=n, matches=k, comparable=comparable)

    return Sides(side(0), side(2), places, bare, apart)


def share(connection: sa.Connection, study: Study, weights: Mapping[date, float], *, author_cap: int | None) -> float:
    """The plain share of some days by what each weighs, of the stored counts: sum k / sum n; NaN without tweets."""
    weight, _ = _CAPPED[author_cap is not None]
    statement = sa.text(
        f"{_WEIGHTS} select sum(weight * trials) as n, sum(weight * matches) as k from author_counts as busy"
        f" join weighing using (day) cross join lateral (select cast(round(before * {_LONE.format(weight=weight)}) as bigint) as weight)"
        " as each where study = :study and trials > 0"
    )
    found = connection.execute(statement, {"study": study.name, "cap": author_cap, **_weights(sorted(weights), before=weights)}).one()
    return float(found.k) / float(found.n) if found.n else math.nan


def share_by(
    settings: Settings,
    connection: sa.Connection,
    study: Study,
    rule: matchers.Matcher,
    weights: Mapping[date, float],
    *,
    author_cap: int | None,
) -> float | None:
    """The same of the stored tweets by another rule; None where their texts are gone, or they are not those that were counted."""
    if any(what != "whole" for what in kept_days(settings, connection, study, weights).values()) or not weights:
        return None
    weight, joined = _CAPPED[author_cap is not None]
    tweets = _TWEETS.format(joined=joined, **_excluded(study))
    statement = sa.text(f"{_WEIGHTS} select cast(round(before * {weight}) as bigint) as weight, text {tweets}")
    given = _who(settings, study) | {"cap": author_cap, **_weights(sorted(weights), before=weights)}
    n, k = 0, 0
    for some in connection.execute(statement.execution_options(yield_per=_AT_ONCE), given).partitions():
        texts = text.searchable_all(pa.array([row.text for row in some], pa.string()))
        hits = pc.is_valid(rule.match(texts if rule.exact else text.fold_all(texts))).to_pylist()
        # Python's whole numbers have no end
        n += sum(row.weight for row in some)
        k += sum(row.weight for row, hit in zip(some, hits, strict=True) if hit)
    return k / n if n else None


def _weights(days: list[date], **sides: Mapping[date, float]) -> dict[str, Any]:
    return {"days": days, "before": [], "after": []} | {name: [side.get(day, 0.0) / _UNIT for day in days] for name, side in sides.items()}


def _who(settings: Settings, study: Study) -> dict[str, Any]:
    area = settings.area(study.area)
    keys = [author if len(author) == 32 else hashed(author_key(settings), author) for author in study.exclude.authors]
    return {"study": study.name, "area": area.name, "zone": area.timezone, "keys": keys, "clients": list(study.exclude.clients)}


def _excluded(study: Study) -> dict[str, str]:
    said = "(author_key = any(cast(:keys as text[])) or client = any(cast(:clients as text[]))) is true" if study.exclude else "false"
    return {"excluded": said}


#: The tweets that were counted, each with whether it matched.
_TWEETS = """
    from tweets
    left join tweet_matches on tweet_matches.study = :study and (tweet_matches.day, tweet_matches.tweet_id) = (tweets.day, tweets.tweet_id)
    {joined}
    where tweets.area = :area and not is_retweet and not {excluded}"""

_KEPT = f"""
select daily_counts.day, coalesce(emptied, false) as emptied
from daily_counts
left join (
    select tweets.day, count(*) as n, count(tweet_matches.tweet_id) as k, bool_or(text is null) as emptied
    {_TWEETS} and tweets.day = any(cast(:days as date[]))
    group by tweets.day
) as kept on kept.day = daily_counts.day
where study = :study and daily_counts.day = any(cast(:days as date[])) and basis <> 'counts'
    and (trials, matches) = (coalesce(n, 0), coalesce(k, 0))"""


def kept_days(settings: Settings, connection: sa.Connection, study: Study, days: Collection[date]) -> dict[date, str]:
    """The days whose tweets are there and are those that were counted: "whole", or "emptied" of texts and places."""
    rows = connection.execute(sa.text(_KEPT.format(joined="", **_excluded(study))), {**_who(settings, study), "days": sorted(days)})
    return {row.day: "emptied" if row.emptied else "whole" for row in rows}


_PLACES = {"place": "coalesce(place_id, evidence)", "evidence": "evidence", "": "''"}
_WEIGHING = "join weighing on weighing.day = tweets.day"
#: What a tweet weighs in its day, with and without a cap on authors, and what has to be joined for that.
_CAPPED = {
    False: ("1.0", _WEIGHING),
    True: (
        "least(1.0, cast(:cap as double precision) / coalesce(busy.trials, 1))",
        f"{_WEIGHING} left join author_counts as busy on busy.study = :study"
        " and (busy.day, busy.author_key) = (tweets.day, tweets.author_key)",
    ),
}
#: Tweets without an author are one author each.
_LONE = "case when author_key is null then 1.0 else {weight} end"
_WEIGHTS = """
with weighing as (
    select *
    from unnest(cast(:days as date[]), cast(:before as double precision[]), cast(:after as double precision[]))
        as given (day, before, after)
)"""
_CELLS = f"""{_WEIGHTS},
counted as (
    select
        tweets.author_key,
        {{place}} as place,
        {{kind}} as kind,
        cast(extract(hour from created_at at time zone :zone) as integer) <> all(cast(:apart as integer[])) as comparable,
        cast(round(before * {{weight}}) as bigint) as n0,
        case when tweet_matches.tweet_id is null then 0 else cast(round(before * {{weight}}) as bigint) end as k0,
        cast(round(after * {{weight}}) as bigint) as n1,
        case when tweet_matches.tweet_id is null then 0 else cast(round(after * {{weight}}) as bigint) end as k1
    {_TWEETS} and tweets.day <> all(cast(:bare as date[]))
    union all
    select author_key, '', '', true, n0 * trials, n0 * matches, n1 * trials, n1 * matches
    from author_counts as busy
    join weighing using (day)
    cross join lateral (
        select cast(round(before * {{lone}}) as bigint) as n0, cast(round(after * {{lone}}) as bigint) as n1
    ) as each
    where study = :study and day = any(cast(:bare as date[])) and trials > 0
),
sums as (
    select author_key, place, kind, comparable, sum(n0) as n0, sum(k0) as k0, sum(n1) as n1, sum(k1) as k1
    from counted
    group by author_key, place, kind, comparable
),
both_sides as (
    select author_key
    from sums
    where comparable and author_key is not null
    group by author_key
    having sum(n0) > 0 and sum(n1) > 0
)
select place, kind, comparable, both_sides.author_key is not null as both, sum(n0), sum(k0), sum(n1), sum(k1)
from sums
left join both_sides using (author_key)
group by 1, 2, 3, 4"""


def _hours_apart(
    settings: Settings, connection: sa.Connection, study: Study, before: Collection[date], after: Collection[date]
) -> tuple[int, ...]:
    """The local hours that one side did not observe; X's own counts are of whole days."""
    if study.mode == "counts":
        return ()
    unseen: dict[date, list[float]] = {}
    rows = connection.execute(
        sa.text(
            "select day, cast(extract(hour from hour at time zone :zone) as integer) as local, avg(1 - observed) as unseen"
            " from coverage_hours where area = :area and day = any(cast(:days as date[])) and observed < 1 group by 1, 2"
        ),
        {**_who(settings, study), "days": sorted({*before, *after})},
    )
    for row in rows:
        unseen.setdefault(row.day, [0.0] * 24)[row.local] = row.unseen
    found: set[int] = set()
    for side in (before, after):
        partial = [unseen[day] for day in side if day in unseen]
        found.update(hour for hour in range(24) if sum(day[hour] for day in partial) > (1 - _OBSERVED) * len(side))
    return tuple(sorted(found))


def _named(places: list[tuple[str, str]], columns: Floats) -> list[str]:
    """The place of each row; of a place too small to stand for itself, its kind of evidence."""
    sums: dict[str, Floats] = {}
    for (place, _), row in zip(places, columns, strict=True):
        sums[place] = sums.get(place, np.zeros(2)) + row[[0, 2]]
    total = columns[:, [0, 2]].sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        alone = {place for place, both in sums.items() if np.nanmax(both / total) * total.min() >= _ENOUGH_IN_A_PLACE}
    return [place if place in alone else kind for place, kind in places]
