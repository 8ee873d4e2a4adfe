"""Sixty days in fifty random orders, with reruns, late and restated days: all estimates are the same to the last bit. On PostgreSQL."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

from pipeline import copying, count, database, posterior
from pipeline.copying import Rows
from pipeline.settings import Settings
from pipeline.stats.authors import RECENT_DAYS
from pipeline.storage import digest

pytestmark = pytest.mark.slow

START = dt.date(2026, 11, 1)
DAYS = [START + dt.timedelta(days=number) for number in range(60)]
AREAS = ("centro", "norte", "oriente", "sur")
KINDS = {
    "cumulative": "",
    "forgetting": "forget = 0.93\nauthor_cap = 4",
    "auto": 'forget = "auto"',
    "window": "window = 7",
    "pooled": 'prior = { pool = "all" }',
}
VOLATILE = ("published_at", "run_id", "id", "replaced_at", "replaced_by")
#: Of one day: (n, k) by author.
Counts: TypeAlias = dict[str | None, tuple[int, int]]


def study_names(kind: str) -> list[str]:
    """A pool takes four areas, so that each has three others."""
    return [f"{kind}-{area}" for area in (AREAS if kind == "pooled" else AREAS[:1])]


@pytest.fixture
def configure(make_settings: Callable[..., Settings]) -> Callable[[str], Settings]:
    """Settings with the studies of one kind."""
    areas = "\n".join(
        f'[{name}]\nbox = "{-99 + i},19.0,{-98.5 + i},19.5"\ntimezone = "America/Mexico_City"\n' for i, name in enumerate(AREAS)
    )

    def make(kind: str) -> Settings:
        tables = [
            f'[{name}]\nquestion = "?"\narea = "{name.rpartition("-")[2]}"\nstart = {START}\nmatch = {{ words = ["x"] }}\n{KINDS[kind]}\n'
            for name in study_names(kind)
        ]
        return make_settings(areas=areas, studies="\n".join(tables))

    return make


def city(seed: int) -> dict[dt.date, Counts]:
    """Heavy-tailed authors who come back, tweets without one, days without any, one day that never comes, and a step in the share."""
    chance = np.random.default_rng(seed)
    rate, share = np.minimum(chance.pareto(1.3, 120) * 0.15, 6.0), chance.beta(0.4, 2.0, 120)
    made: dict[dt.date, Counts] = {}
    for number, day in enumerate(DAYS):
        n = chance.poisson(rate * (number not in (9, 33)))
        k = chance.binomial(n, np.minimum(share * (1 if number < 35 else 3), 1.0))
        made[day] = {f"{index:032x}": (int(n[index]), int(k[index])) for index in np.flatnonzero(n)}
        if number % 5 == 0:
            made[day][None] = (4, 1)
    del made[DAYS[20]]
    return made


def load(settings: Settings, study: str, days: Mapping[dt.date, Counts]) -> None:
    """Put the counts of some days in the place of what is there, as load.counts leaves them: many days in one transaction."""
    authors = [
        {"day": day, "author_key": name, "trials": n, "matches": k} for day, counted in days.items() for name, (n, k) in counted.items()
    ]
    daily = [
        {
            "day": day,
            "trials": sum(n for n, _ in counted.values()),
            "matches": sum(k for _, k in counted.values()),
            "authors": sum(name is not None for name in counted),
            "coverage": 1.0,
            "synthetic": True,
            "basis": "tweets",
            "rule_version": "r",
            "revision": count.revision(settings, study, day),
        }
        for day, counted in days.items()
    ]
    markers = [
        {
            "name": study,
            "day": row["day"],
            "revision": row["revision"],
            "rows": len(days[row["day"]]),
            "source_digest": _content(days[row["day"]]),
        }
        for row in daily
    ]
    columns = pa.schema([("day", pa.date32()), ("author_key", pa.string()), ("trials", pa.int64()), ("matches", pa.int64())])
    with database.transaction(settings) as connection:
        for table in ("author_counts", "daily_counts"):
            connection.execute(
                sa.text(f"delete from {table} where study = :study and day = any(:days)"), {"study": study, "days": list(days)}
            )
        # the day's posterior is to be made again
        connection.execute(sa.text("delete from partitions where name = :study and day = any(:days)"), {"study": study, "days": list(days)})
        copying.copy(connection, Rows("author_counts", {"study": study}, pa.Table.from_pylist(authors, columns).to_batches()))
        copying.copy(connection, Rows("daily_counts", {"study": study}, pa.Table.from_pylist(daily).to_batches()))
        copying.copy(connection, Rows("partitions", {"dataset": "counts"}, pa.Table.from_pylist(markers).to_batches()))


def _content(counted: Counts) -> str:
    return digest(sorted(counted.items(), key=lambda item: item[0] or ""))


def empty(settings: Settings) -> None:
    with database.transaction(settings) as connection:
        connection.execute(sa.text("truncate daily_counts, author_counts, posteriors, posterior_history, partitions"))


def rows(settings: Settings, study: str, table: str = "posteriors") -> dict[dt.date, dict[str, Any]]:
    """The rows by day, without when and by whom."""
    with database.transaction(settings) as connection:
        found = connection.execute(sa.text(f"select * from {table} where study = :study order by day"), {"study": study}).mappings().all()
    assert len({row["day"] for row in found}) == len(found)
    return {row["day"]: {name: value for name, value in row.items() if name not in VOLATILE} for row in found}


def bits(row: Mapping[str, Any]) -> list[str]:
    """A row with every float to its last bit."""
    return [value.hex() if isinstance(value, float) else repr(value) for value in row.values()]


def versions(settings: Settings, tables: Iterable[str] = ("posteriors", "posterior_history", "partitions")) -> list[Any]:
    """Which transaction wrote each row: the same before and after, if nothing was written."""
    with database.transaction(settings) as connection:
        return [connection.execute(sa.text(f"select xmin::text, ctid::text from {table} order by 1, 2")).all() for table in tables]


def in_order(settings: Settings, kind: str, cities: Mapping[str, Mapping[dt.date, Counts]]) -> None:
    """Night after night, each published as it comes."""
    for name in study_names(kind):
        load(settings, name, cities[name])
    for day in cities[study_names(kind)[0]]:
        for name in study_names(kind):
            posterior.update(settings, name, day)


@pytest.mark.parametrize("orders", [range(25), range(25, 50)], ids=["first half", "second half"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_order_of_days_gives_the_same_to_the_last_bit(configure: Callable[[str], Settings], kind: str, orders: range) -> None:
    """What is published is that of night after night, whichever days came late, twice, or first with other counts.

    In each order the 60 days arrive in random batches, some of them first with counts that are restated later. After each batch two days
    that are there are published, so that what comes later restates rows. (A row does not depend on which
    others are published: publishing few of them keeps fifty orders under a minute.)
    """
    settings, names = configure(kind), study_names(kind)
    cities = {name: city(seed) for seed, name in enumerate(names)}
    other = {name: city(100 + seed) for seed, name in enumerate(names)}
    in_order(settings, kind, cities)
    wanted = {name: {day: bits(row) for day, row in rows(settings, name).items()} for name in names}
    assert all(len(found) == 59 for found in wanted.values())
    restated = 0
    for order in orders:
        empty(settings)
        chance = random.Random(order)
        arrivals = [(name, day, True) for name in names for day in cities[name]]
        chance.shuffle(arrivals)
        wrong = chance.sample([(name, day) for name, day, _ in arrivals], 3)
        for name, day in wrong:
            place = arrivals.index((name, day, True))
            arrivals.insert(chance.randint(place + 1, len(arrivals)), (name, day, True))
            arrivals[place] = (name, day, False)
        there: set[tuple[str, dt.date]] = set()
        while arrivals:
            batch, arrivals = arrivals[: (size := chance.randint(10, 25) * len(names))], arrivals[size:]
            for right, name in itertools.product((False, True), names):
                if days := [day for n, day, r in batch if (n, r) == (name, right)]:
                    load(settings, name, {day: (cities if right else other)[name][day] for day in days})
            there |= {(name, day) for name, day, _ in batch}
            for name, day in chance.sample(sorted(there), 2):
                posterior.update(settings, name, day)
        # a day that was restated is published again, as LoadCounts has it done; so is the last day
        for name, day in [*wrong, *((name, DAYS[-1]) for name in names)]:
            posterior.update(settings, name, day)
        for name in names:
            found = rows(settings, name)
            assert DAYS[-1] in found
            for day, row in found.items():
                assert bits(row) == wanted[name][day], f"{name} on {day} in order {order}"
        restated += sum(len(history(settings, name)) for name in names)
        before = versions(settings)
        for name, day in wrong:
            assert posterior.update(settings, name, day) == 0
        assert versions(settings) == before, "a rerun wrote something"
    assert restated > 5 * len(orders), "late days restated rows"


def history(settings: Settings, study: str) -> list[dict[str, Any]]:
    """What was published before, oldest first."""
    with database.transaction(settings) as connection:
        found = connection.execute(sa.text("select * from posterior_history where study = :study order by id"), {"study": study})
        return [{name: value for name, value in row.items() if name not in VOLATILE} for row in found.mappings()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_restated_day_changes_rows_from_it_on_alone(configure: Callable[[str], Settings], kind: str) -> None:
    """Each with a history row that holds the old values and says why; earlier rows are not touched, and of a pool's mates not that of
    the day either.

    With a window, only rows that rest on that day: by their own days, by the evening before that their surprise is judged by, or by the
    days that they borrow from and predict from, which reach back further (by RECENT_DAYS, twice at most).
    """
    settings, names = configure(kind), study_names(kind)
    cities = {name: city(seed) for seed, name in enumerate(names)}
    in_order(settings, kind, cities)
    before = {name: rows(settings, name) for name in names}
    markers = versions(settings, ["posteriors"])
    day, study = DAYS[24], names[0]
    more = {**cities[study][day], "f" * 32: (40, 39)}
    load(settings, study, {day: more})
    changed = posterior.update(settings, study, day)
    cities[study][day] = more
    for name in names:
        after, old = rows(settings, name), before[name]
        told = history(settings, name)
        differ = [when for when in old if bits(old[when]) != bits(after[when])]
        assert [row["day"] for row in told] == differ
        for row in told:
            assert row.pop("reason")
            assert bits(row) == bits(old[row["day"]])
        first = day if name == study else day + dt.timedelta(days=1)
        assert min(differ) == first
        if kind == "window":
            assert set(differ) >= {day + dt.timedelta(days=number) for number in range(8)}
            assert max(differ) <= day + dt.timedelta(days=7 + 2 * RECENT_DAYS)
            # what is believed rests on the window alone, but for how clustered it is, where it borrows
            assert [when for when in differ if old[when]["trials"] != after[when]["trials"]] == [
                day + dt.timedelta(days=number) for number in range(7)
            ]
        else:
            assert differ == [when for when in old if when >= first]
        if name == study:
            assert changed == len(differ)
    assert len(versions(settings, ["posteriors"])[0]) == len(markers[0])
    unchanged = versions(settings)
    for name in names:
        assert posterior.update(settings, name, day) == 0
        assert posterior.update(settings, name, DAYS[-1]) == 0
    assert versions(settings) == unchanged
