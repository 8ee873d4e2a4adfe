"""Stored tweets and counts, summed by what their days weigh: in the database, exactly, whatever the order in which it takes its rows.

What is compared with what is sides.py's and comparison.py's affair. A study's sums are of its tweets as they were counted: what it leaves
out is left out, and an author's tweets of one day count as so many at most where it has a cap.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from pipeline import exclusion, matchers, text
from pipeline.settings import Settings
from pipeline.stats.beta import Floats
from pipeline.study import Study

#: Weights are summed as whole multiples of this: sums of whole numbers have no order.
_UNIT = 2.0**-40
#: Texts in memory at a time.
_AT_ONCE = 20_000

#: What is left of where tweets were written: ids of places; only the kind of evidence, after retention_days; nothing.
Where = Literal["place", "evidence", ""]
Weights = Mapping[date, float]


class Cell(NamedTuple):
    """Sums of both sides, of one place, kind of evidence and kind of author."""

    place: str
    kind: str
    #: written in an hour that both sides observed
    comparable: bool
    #: by an author who wrote on both sides in such hours
    both: bool
    n_before: float
    k_before: float
    n_after: float
    k_after: float


@dataclass(frozen=True)
class Counted:
    """The tweets that one study counted."""

    settings: Settings
    connection: sa.Connection
    study: Study
    author_cap: int | None = None
    _given: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        area, left_out = self.settings.area(self.study.area), exclusion.of(self.settings, self.study)
        given = {"study": self.study.name, "area": area.name, "zone": area.timezone, "cap": self.author_cap}
        object.__setattr__(self, "_given", given | {"keys": sorted(left_out.authors)})

    def kept(self, days: Collection[date]) -> dict[date, str]:
        """The days whose tweets are there and are those that were counted: "whole", or "emptied" of texts and places."""
        rows = self._execute(_KEPT, days=sorted(days))
        return {row.day: "emptied" if row.emptied else "whole" for row in rows}

    def unseen(self, days: Collection[date]) -> dict[date, list[float]]:
        """Of days with hours that were not wholly observed: what is missing of each local hour, 0 to 1."""
        found: dict[date, list[float]] = {}
        for row in self._execute(_UNSEEN, days=sorted(days)):
            found.setdefault(row.day, [0.0] * 24)[row.local] = row.unseen
        return found

    def cells(self, before: Weights, after: Weights, *, where: Where, bare: Sequence[date], apart: Sequence[int]) -> list[Cell]:
        """The sums of both sides.

        Args:
            before, after: days and what each weighs, 0 to 1; a day may be on both sides.
            where: what places are told apart by.
            bare: the days that are taken from the counts by author, for their tweets are not kept.
            apart: local hours of the day that are not comparable.
        """
        if not before and not after:
            return []
        place, kind = {"place": ("coalesce(place_id, evidence)", "evidence"), "evidence": ("evidence",) * 2, "": ("''",) * 2}[where]
        # most days are whole
        hour = "cast(extract(hour from created_at at time zone :zone) as integer) <> all(cast(:apart as integer[]))" if apart else "true"
        rows = self._execute(_CELLS, before, after, place=place, kind=kind, comparable=hour, bare=list(bare), apart=list(apart))
        return [
            Cell(row.place, row.kind, row.comparable, row.both, *(float(number) * _UNIT for number in (row.n0, row.k0, row.n1, row.k1)))
            for row in rows
        ]

    def share(self, weights: Weights) -> float:
        """The plain share of the stored counts: sum k / sum n; NaN without tweets."""
        if not weights:
            return math.nan
        found = self._execute(_SHARE, weights).one()
        return float(found.k) / float(found.n) if found.n else math.nan

    def share_by(self, rule: matchers.Matcher, weights: Weights) -> float | None:
        """The same of the stored tweets by another rule; None where texts are gone, or they are not the tweets that were counted."""
        kept = self.kept(weights)
        if not weights or any(kept.get(day) != "whole" for day in weights):
            return None
        n, k = 0, 0
        for some in self._execute(_TEXTS, weights, bare=[], streamed=True).partitions(_AT_ONCE):
            texts = text.searchable_all(pa.array([row.text for row in some], pa.string()))
            hits = pc.is_valid(rule.match(texts if rule.exact else text.fold_all(texts))).to_pylist()
            # Python's whole numbers have no end
            n += sum(row.weight for row in some)
            k += sum(row.weight for row, hit in zip(some, hits, strict=True) if hit)
        return k / n if n else None

    def _execute(
        self,
        template: str,
        before: Weights | None = None,
        after: Weights | None = None,
        *,
        place: str = "",
        kind: str = "",
        comparable: str = "",
        streamed: bool = False,
        **given: Any,
    ) -> sa.CursorResult[Any]:
        weight, busy = _CAPPED[self.author_cap is not None]
        excluded = "author_key = any(cast(:keys as text[])) or client = any(cast(:clients as text[]))" if self.study.exclude else "false"
        statement = sa.text(
            template.format(place=place, kind=kind, comparable=comparable, weight=weight, lone=_LONE[weight], busy=busy, excluded=excluded)
        )
        if streamed:
            statement = statement.execution_options(yield_per=_AT_ONCE)
        arrays = _arrays(before or {}, after or {})
        days = given.get("days") or sorted({*(before or {}), *(after or {})})
        clients = exclusion.spelt(self.connection, exclusion.of(self.settings, self.study), self._given["area"], days)
        return self.connection.execute(statement, {**self._given, "clients": clients, **arrays, **given})


def author_sums(connection: sa.Connection, sides: Sequence[tuple[Study, Weights, int | None]]) -> Floats:
    """By author, in no order: n and k of each of two studies, each by the weights of its own days and with its own cap.

    An author is one in all studies and areas; who is not known is left out. Shape (authors, 4): n and k of the first, of the second.
    """
    asked = [
        (number, study.name, day, weight / _UNIT, cap)
        for number, (study, weights, cap) in enumerate(sides)
        for day, weight in weights.items()
    ]
    if not asked:
        return np.zeros((0, 4))
    columns = dict(zip(("sides", "studies", "days", "weights", "caps"), map(list, zip(*asked, strict=True)), strict=True))
    rows = connection.execute(sa.text(_AUTHORS), columns).all()
    return np.array([[float(number) * _UNIT for number in row] for row in rows]).reshape(-1, 4)


def _arrays(before: Weights, after: Weights) -> dict[str, Any]:
    """Weights as arrays without gaps, so that a day is a place in them: a join would cost more than all the sums."""
    days = before.keys() | after.keys()
    if not days:
        return {}
    first, last = min(days), max(days)
    span = [date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1)]
    return {
        "first": first,
        "last": last,
        "before": [before.get(day, 0.0) / _UNIT for day in span],
        "after": [after.get(day, 0.0) / _UNIT for day in span],
    }


#: What a tweet weighs in its day, without and with a cap on authors, and what has to be joined for that.
_CAPPED = {
    False: ("1.0", ""),
    True: (
        "least(1.0, cast(:cap as double precision) / coalesce(busy.trials, 1))",
        "left join author_counts as busy"
        " on busy.study = :study and busy.day = tweets.day and busy.author_key = tweets.author_key and busy.trials > 0",
    ),
}
#: The same of a row of author_counts: tweets without an author are one author each.
_LONE = {weight: f"case when author_key is null then 1.0 else {weight} end" for weight, _ in _CAPPED.values()}

_COUNTED = "tweets.area = :area and not is_retweet and ({excluded}) is not true"
_MATCHES = """left join tweet_matches
        on tweet_matches.study = :study and tweet_matches.day = tweets.day and tweet_matches.tweet_id = tweets.tweet_id"""

_KEPT = f"""
select daily_counts.day, coalesce(emptied, false) as emptied
from daily_counts
left join (
    select tweets.day, count(*) as n, count(tweet_matches.tweet_id) as k, bool_or(text is null) as emptied
    from tweets
    {_MATCHES}
    where {_COUNTED} and tweets.day = any(cast(:days as date[]))
    group by tweets.day
) as kept on kept.day = daily_counts.day
where study = :study and daily_counts.day = any(cast(:days as date[])) and basis <> 'counts'
    and trials = coalesce(n, 0) and matches = coalesce(k, 0)"""

_UNSEEN = """
select day, cast(extract(hour from hour at time zone :zone) as integer) as local, avg(1 - observed) as unseen
from coverage_hours
where area = :area and day = any(cast(:days as date[])) and observed < 1
group by 1, 2"""

#: What a row's day weighs on either side. Constants, which travel with no row: joins that spill to the disk would write them each time.
_BEFORE = "(cast(:before as double precision[]))[{table}.day - cast(:first as date) + 1]"
_AFTER = "(cast(:after as double precision[]))[{table}.day - cast(:first as date) + 1]"


def _days(table: str) -> str:
    weighs = f"{_BEFORE} + {_AFTER} > 0".format(table=table)
    return f"{table}.day between cast(:first as date) and cast(:last as date) and {weighs}"


def _whole(which: str, table: str, factor: str) -> str:
    return f"cast(round({which.format(table=table)} * {factor}) as bigint)"


_TEXTS = f"""
select {_whole(_BEFORE, "tweets", "{weight}")} as weight, text
from tweets
{{busy}}
where {_COUNTED} and {_days("tweets")}"""

_SHARE = f"""
select sum(weight * trials) as n, sum(weight * matches) as k
from author_counts as busy
cross join lateral (select {_whole(_BEFORE, "busy", "{lone}")} as weight) as each
where study = :study and trials > 0 and {_days("busy")}"""

_CELLS = f"""
with wrote as (
    select author_key, {_BEFORE.format(table="tweets")} as before, {_AFTER.format(table="tweets")} as after
    from tweets
    where {_COUNTED} and {_days("tweets")} and tweets.day <> all(cast(:bare as date[])) and {{comparable}}
    union all
    select author_key, {_BEFORE.format(table="busy")}, {_AFTER.format(table="busy")}
    from author_counts as busy
    where study = :study and trials > 0 and {_days("busy")} and busy.day = any(cast(:bare as date[]))
),
both_sides as (
    select author_key
    from wrote
    where author_key is not null
    group by author_key
    having bool_or(before > 0.5) and bool_or(after > 0.5)
),
counted as (
    select
        tweets.author_key,
        {{place}} as place,
        {{kind}} as kind,
        {{comparable}} as comparable,
        {_whole(_BEFORE, "tweets", "{weight}")} as n0,
        {_whole(_AFTER, "tweets", "{weight}")} as n1,
        case when tweet_matches.tweet_id is null then 0 else 1 end as k
    from tweets
    {_MATCHES}
    {{busy}}
    where {_COUNTED} and {_days("tweets")} and tweets.day <> all(cast(:bare as date[]))
)
select place, kind, comparable, both_sides.author_key is not null as both,
    sum(n0) as n0, sum(n0 * k) as k0, sum(n1) as n1, sum(n1 * k) as k1
from counted
left join both_sides using (author_key)
group by 1, 2, 3, 4
union all
select '', '', true, both_sides.author_key is not null, sum(n0 * trials), sum(n0 * matches), sum(n1 * trials), sum(n1 * matches)
from author_counts as busy
cross join lateral (
    select {_whole(_BEFORE, "busy", "{lone}")} as n0, {_whole(_AFTER, "busy", "{lone}")} as n1
) as each
left join both_sides using (author_key)
where study = :study and trials > 0 and {_days("busy")} and busy.day = any(cast(:bare as date[]))
group by 4"""

_AUTHORS = """
select
    coalesce(sum(weight * trials) filter (where side = 0), 0) as n_first,
    coalesce(sum(weight * matches) filter (where side = 0), 0) as k_first,
    coalesce(sum(weight * trials) filter (where side = 1), 0) as n_second,
    coalesce(sum(weight * matches) filter (where side = 1), 0) as k_second
from unnest(
    cast(:sides as integer[]), cast(:studies as text[]), cast(:days as date[]),
    cast(:weights as double precision[]), cast(:caps as bigint[])
) as asked (side, study, day, of_day, author_cap)
join author_counts using (study, day)
cross join lateral (
    select cast(round(of_day * least(1.0, cast(coalesce(author_cap, trials) as double precision) / trials)) as bigint) as weight
) as each
where author_key is not null and trials > 0
group by author_key"""
