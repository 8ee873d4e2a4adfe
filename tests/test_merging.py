"""A restated day in a large table: only what differs is written, and the outcome is the same as writing everything anew."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pyarrow as pa
import pytest
import sqlalchemy as sa

from pipeline import copying, database, merging
from pipeline.copying import Rows
from pipeline.errors import LoadMismatch
from pipeline.schema import TWEETS
from pipeline.settings import Settings
from tests.partitions import make_tweet

DAY = dt.date(2026, 11, 5)
SCOPE: dict[str, str | dt.date] = {"area": "mexico-city", "day": DAY}
NAMES = [name for name in TWEETS.names if name not in ("searchable", "folded")]


@pytest.fixture
def settings(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a fresh database, where three rows are many."""
    monkeypatch.setattr(merging, "MERGE_FROM", 3)
    return make_settings()


def tweets(**changed: dict[str, object] | None) -> list[dict[str, object]]:
    """Eight tweets; of tweet `_3` what is said of it, None for none."""
    every = {f"_{number}": make_tweet(tweet_id=number) for number in range(1, 9)}
    for name, change in changed.items():
        every[name] = {**every.get(name, make_tweet(tweet_id=int(name[1:]))), **change} if change is not None else {}
    return sorted((tweet for tweet in every.values() if tweet), key=lambda tweet: int(str(tweet["tweet_id"])))


def rows(some: list[dict[str, object]], *, synthetic: bool = True) -> Rows:
    """Them as load.py hands them over, in batches of four."""
    table = pa.Table.from_pylist(some, TWEETS).select(NAMES)
    table = table.append_column("synthetic", pa.array([synthetic] * len(some)))
    return Rows("tweets", SCOPE, table.to_batches(max_chunksize=4), key="tweet_id")


def put(settings: Settings, some: list[dict[str, object]], **options: bool) -> tuple[int, list[tuple[object, ...]]]:
    """Replace the day; give the number that replace_rows says, and (whole row, where it lies) of what then stands."""
    with database.transaction(settings) as connection:
        number = merging.replace_rows(connection, rows(some, **options))
    with database.transaction(settings) as connection:
        found = connection.execute(
            sa.text("select tweets::text, ctid::text, xmin::text from tweets where area = 'mexico-city' order by tweet_id")
        )
        return number, [tuple(row) for row in found]


@pytest.mark.parametrize(
    ("changes", "written"),
    [
        ({}, set()),
        ({"_3": {"text": "another"}}, {3}),
        ({"_3": {"lang": None}, "_7": {"raw": '{"a": 1}'}}, {3, 7}),
        ({"_2": None, "_9": {}}, {9}),
        ({"_8": {"longitude": -99.10000000000001}}, {8}),
    ],
)
def test_only_rows_that_differ_are_written(settings: Settings, changes: dict[str, dict[str, object] | None], written: set[int]) -> None:
    """The others lie where they lay, untouched; and what stands is what writing everything anew gives."""
    _, before = put(settings, tweets())
    number, after = put(settings, tweets(**changes))
    wanted = tweets(**changes)
    assert number == len(wanted) == len(after)
    assert {tweet["tweet_id"] for tweet, row in zip(wanted, after, strict=True) if row not in before} == written
    with database.transaction(settings) as connection:
        copying.replace_rows(connection, rows(wanted))
        anew = connection.execute(sa.text("select tweets::text from tweets order by tweet_id")).scalars().all()
    assert [row[0] for row in after] == anew


def test_a_day_that_is_mostly_another_is_written_anew(settings: Settings) -> None:
    """Comparing it all would be in vain; nothing of the comparison stays."""
    put(settings, tweets())
    number, after = put(settings, tweets(), synthetic=False)
    assert number == 8
    assert all(row[0].split(",")[-2] == "f" for row in after)  # type: ignore[attr-defined]
    assert put(settings, []) == (0, [])


def test_other_partitions_and_the_planner_stay_as_they_were(settings: Settings) -> None:
    """The same tweet of another area is another row; the switches of the comparison are turned back, and its tables are gone."""
    with database.transaction(settings) as connection:
        other = rows(tweets())
        copying.replace_rows(connection, Rows("tweets", {"area": "toluca", "day": DAY}, other.batches))
    put(settings, tweets())
    with database.transaction(settings) as connection:
        connection.exec_driver_sql("set local enable_sort = off")
        merging.replace_rows(connection, rows(tweets(_1=None, _5={"text": "else"})))
        assert connection.scalar(sa.text("select count(*) from tweets where area = 'toluca'")) == 8
        assert connection.scalar(sa.text("select current_setting('enable_sort') || current_setting('enable_hashjoin')")) == "offon"
        assert connection.scalar(sa.text("select to_regclass('geobeta_incoming')")) is None


def test_a_row_that_the_table_refuses_or_swallows_changes_nothing(settings: Settings) -> None:
    """As where everything is written anew."""
    _, before = put(settings, tweets())
    with pytest.raises(LoadMismatch, match="unique"):
        put(settings, [*tweets(), make_tweet(tweet_id=8)])
    with database.transaction(settings) as connection:
        connection.exec_driver_sql(
            "create function swallow() returns trigger language plpgsql as 'begin return null; end';"
            "create trigger swallow before insert on tweets for each row when (new.tweet_id = 9) execute function swallow()"
        )
    with pytest.raises(LoadMismatch, match=r"2 rows were sent that differ .* and the database took 1"):
        put(settings, tweets(_8={"text": "another"}, _9={}))
    with database.transaction(settings) as connection:
        found = connection.execute(sa.text("select tweets::text, ctid::text, xmin::text from tweets order by tweet_id"))
        assert [tuple(row) for row in found] == before


def test_whoever_may_have_no_temporary_tables_loads_all_the_same(settings: Settings) -> None:
    """A server of the user's may forbid them."""
    put(settings, tweets())
    with database.transaction(settings) as connection:
        connection.exec_driver_sql("create role plain; grant all on tweets to plain")
        name = connection.scalar(sa.text("select current_database()"))
        connection.exec_driver_sql(f'revoke temporary on database "{name}" from public')
        connection.exec_driver_sql("set local role plain")
        assert merging.replace_rows(connection, rows(tweets(_3=None))) == 7
        connection.exec_driver_sql("reset role; drop owned by plain; drop role plain")
