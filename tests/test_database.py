"""One way to replace a partition: whole, once, to the last bit; and errors that say whether trying again helps."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import threading
from collections.abc import Callable, Iterator

import psycopg2
import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline import copying, database
from pipeline.copying import Rows
from pipeline.database import Marker
from pipeline.errors import DatabaseUnavailable, LoadMismatch, PermanentError, SettingsError, TransientError
from pipeline.settings import Settings

DAY = dt.date(2026, 11, 5)
KEY = ("counts", "traffic", DAY)
SCOPE = {"study": "traffic", "day": DAY}


def authors(*rows: tuple[str | None, int, int]) -> list[pa.RecordBatch]:
    """Rows of author_counts."""
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    types = (pa.string(), pa.int64(), pa.int64())
    arrays = [pa.array(list(column), kind) for column, kind in zip(columns, types, strict=True)]
    return [pa.RecordBatch.from_arrays(arrays, ["author_key", "trials", "matches"])]


def replace(settings: Settings, revision: str, *rows: tuple[str | None, int, int]) -> database.Loaded:
    """Replace the partition KEY in a transaction of its own."""
    with database.transaction(settings) as connection:
        content = [Rows("author_counts", SCOPE, authors(*rows))]
        return database.replace_partition(connection, key=KEY, new=Marker(revision, 0), content=content)


def stored(settings: Settings) -> list[tuple[object, ...]]:
    """All rows of author_counts, without their partition."""
    with database.transaction(settings) as connection:
        found = connection.execute(sa.text("select author_key, trials, matches from author_counts order by 1 nulls last"))
        return [tuple(row) for row in found]


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """Settings with a fresh database."""
    return make_settings()


# --- addresses


@pytest.mark.parametrize(
    ("given_url", "for_sqlalchemy", "for_libpq"),
    [
        ("postgres://u@h/d", "postgresql+psycopg2://u@h/d", "postgresql://u@h/d"),
        ("postgresql://u:p%40%2F@h:5433/d", "postgresql+psycopg2://u:p%40%2F@h:5433/d", "postgresql://u:p%40%2F@h:5433/d"),
        ("postgresql+psycopg2://h/d?sslmode=require", "postgresql+psycopg2://h/d?sslmode=require", "postgresql://h/d?sslmode=require"),
        ("postgresql://u@[::1]/d", "postgresql+psycopg2://u@[::1]/d", "postgresql://u@[::1]/d"),
        (
            "postgresql:///d?host=%2Frun%2Fa b&user=x",
            "postgresql+psycopg2:///d?host=%2Frun%2Fa+b&user=x",
            "postgresql:///d?host=%2Frun%2Fa%20b&user=x",
        ),
        ("postgresql://h/d?user=u&password=p%40x", "postgresql+psycopg2://u:p%40x@h/d", "postgresql://u:p%40x@h/d"),
        ("postgresql://h/d?password=p", "postgresql+psycopg2://:p@h/d", "postgresql://:p@h/d"),
    ],
)
def test_an_address_is_given_as_sqlalchemy_and_as_libpq_want_it(
    make_settings: Callable[..., Settings], given_url: str, for_sqlalchemy: str, for_libpq: str
) -> None:
    """Always psycopg2 for SQLAlchemy; for libpq no driver name and no plus sign for a space."""
    settings = make_settings(database=False, DATABASE_URL=given_url)
    assert database.url(settings) == for_sqlalchemy
    assert database.libpq_url(settings) == for_libpq
    psycopg2.extensions.parse_dsn(database.libpq_url(settings))


@pytest.mark.parametrize(
    "url", ["postgresql://me:hunter2", "postgresql://me:hunt@er2@h/d", "postgresql://me:hunt@er2/x@h/d", "postgresql://me:p@h:hunter2/d"]
)
def test_a_broken_address_is_refused_without_its_password(make_settings: Callable[..., Settings], url: str) -> None:
    """A forgotten host, or a password with an @ that is not escaped: neither int() nor libpq may say what it took for a port or a host."""
    with pytest.raises(SettingsError) as caught:
        database.url(make_settings(database=False, DATABASE_URL=url))
    assert "er2" not in f"{caught.value}{caught.value.__cause__}"


def test_both_addresses_lead_to_the_same_database(settings: Settings) -> None:
    """What psql would take and what SQLAlchemy takes."""
    connection = psycopg2.connect(database.libpq_url(settings))
    with connection.cursor() as cursor:
        cursor.execute("select current_database()")
        (name,) = cursor.fetchone()
    connection.close()
    with sa.create_engine(database.url(settings), poolclass=sa.NullPool).connect() as other:
        assert other.scalar(sa.text("select current_database()")) == name


# --- replacing a partition


def test_a_partition_is_replaced_whole_with_its_marker(settings: Settings) -> None:
    """Old rows go, new rows come, the marker says how many; other partitions stay."""
    with database.transaction(settings) as connection:
        connection.execute(sa.text("insert into author_counts values ('water', :day, 'x', 1, 1)"), {"day": DAY})
    assert replace(settings, "one", ("a", 2, 1), (None, 1, 0)).changed
    outcome = replace(settings, "two", ("b", 5, 5))
    assert (outcome.loaded, outcome.marker.rows, outcome.before and outcome.before.revision) == (True, 1, "one")
    assert stored(settings) == [("b", 5, 5), ("x", 1, 1)]


def test_what_is_there_at_the_wanted_revision_is_not_loaded_again(settings: Settings) -> None:
    """The rows are not even read."""
    replace(settings, "one", ("a", 2, 1))

    def never() -> Iterator[pa.RecordBatch]:
        raise AssertionError("read")
        yield

    with database.transaction(settings) as connection:
        content = [Rows("author_counts", SCOPE, never())]
        outcome = database.replace_partition(connection, key=KEY, new=Marker("one", 0), content=content)
    assert (outcome.loaded, outcome.changed, outcome.marker.rows) == (False, False, 1)


def test_equal_content_has_an_equal_digest_and_other_content_another(settings: Settings) -> None:
    """However the rows were cut into batches."""
    one = replace(settings, "one", ("a", 2, 1), ("b", 3, 1)).marker.source_digest
    with database.transaction(settings) as connection:
        content = [Rows("author_counts", SCOPE, [*authors(("a", 2, 1)), *authors(("b", 3, 1))])]
        cut = database.replace_partition(connection, key=KEY, new=Marker("cut", 0), content=content).marker.source_digest
    assert one == cut != replace(settings, "two", ("a", 2, 2), ("b", 3, 1)).marker.source_digest


def test_an_error_in_the_middle_leaves_the_old_rows(settings: Settings) -> None:
    """A source that breaks off, a row that the table refuses, a check that stops: nothing changes, and the type says why."""
    replace(settings, "one", ("a", 2, 1))

    def broken() -> Iterator[pa.RecordBatch]:
        yield from authors(("b", 1, 1))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk is gone"), database.transaction(settings) as connection:
        database.replace_partition(connection, key=KEY, new=Marker("two", 0), content=[Rows("author_counts", SCOPE, broken())])
    with pytest.raises(LoadMismatch, match="violates check constraint"):
        replace(settings, "two", ("b", 1, 2))
    with pytest.raises(LoadMismatch, match="duplicate key"):
        replace(settings, "two", ("b", 1, 1), ("b", 1, 1))
    assert stored(settings) == [("a", 2, 1)]
    assert database.markers_present(settings, {KEY: "one"}) == {KEY}


def test_a_table_that_swallows_rows_is_found_out(settings: Settings) -> None:
    """Fewer rows taken than sent is an error, not a load."""
    with database.transaction(settings) as connection:
        connection.exec_driver_sql(
            "create function swallow() returns trigger language plpgsql as 'begin return null; end';"
            "create trigger swallow before insert on author_counts for each row when (new.trials = 3) execute function swallow()"
        )
    with pytest.raises(LoadMismatch, match="2 rows were sent and the database took 1"):
        replace(settings, "one", ("a", 2, 1), ("b", 3, 1))


def test_many_loaders_of_one_partition_give_one_load_and_no_failure(settings: Settings) -> None:
    """Six at once: one loads, five find it done."""
    outcomes: list[database.Loaded] = []
    rows = [(f"author {number}", 2, 1) for number in range(500)]
    threads = [threading.Thread(target=lambda: outcomes.append(replace(settings, "one", *rows))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.loaded for outcome in outcomes) == [False] * 5 + [True]
    assert len(stored(settings)) == 500


def test_a_reader_sees_the_old_rows_until_the_new_ones_are_whole(settings: Settings) -> None:
    """Between COPY and commit nothing shows."""
    replace(settings, "one", ("a", 2, 1))
    with database.transaction(settings) as connection:
        content = [Rows("author_counts", SCOPE, authors(("b", 5, 5)))]
        database.replace_partition(connection, key=KEY, new=Marker("two", 0), content=content)
        assert stored(settings) == [("a", 2, 1)]
        assert not database.markers_present(settings, {KEY: "two"})
    assert stored(settings) == [("b", 5, 5)]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
moments = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC), allow_imaginary=False)
NOON = dt.datetime(2026, 11, 5, 12, tzinfo=dt.UTC)


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.none() | texts, st.none() | st.floats(allow_nan=False), moments), max_size=12))
@example([("", None, NOON), (None, -0.0, NOON), ("\\N", 5e-324, NOON), ("NULL", 0.1 + 0.2, NOON), (",;\t'\u2028", 1e308, NOON)])
@example([("\\.", None, NOON), ("a\n\\.\nb", 1 / 3, NOON), ('"', None, NOON), ("a\r\nb\rc", None, NOON), ("\ufffd", None, NOON)])
def test_every_value_comes_back_as_it_went(settings: Settings, rows: list[tuple[str | None, float | None, dt.datetime]]) -> None:
    """'' is not NULL, \\N and \\. are texts, floats keep their last bit, times their microseconds."""
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    arrays = [
        pa.array(range(len(rows)), pa.int64()),
        pa.array(columns[0], pa.string()),
        pa.array(columns[1], pa.float64()),
        pa.array(columns[2], pa.timestamp("us", tz="UTC")),
    ]
    batch = pa.RecordBatch.from_arrays(arrays, ["number", "words", "share", "moment"])
    with database.transaction(settings) as connection:
        connection.exec_driver_sql(
            "create temporary table kept (scope text, number bigint, words text, share double precision, moment timestamptz) on commit drop"
        )
        assert copying.replace_rows(connection, Rows("kept", {"scope": 'a "scope"'}, [batch])) == len(rows)
        found = connection.exec_driver_sql("select words, share, moment from kept where scope = 'a \"scope\"' order by number").all()
    wanted = [(text, number, moment.replace(fold=0)) for text, number, moment in rows]
    assert [tuple(map(repr, row)) for row in found] == [tuple(map(repr, row)) for row in wanted]


# --- markers


def test_markers_are_asked_for_in_one_query(settings: Settings) -> None:
    """A thousand partitions cost one statement; those at another revision are not present."""
    days = [DAY + dt.timedelta(days=number) for number in range(1000)]
    with database.transaction(settings) as connection:
        for day in days[:3]:
            database.write_marker(connection, ("tweets", "london", day), Marker("new" if day != days[1] else "old", 1))
    statements: list[str] = []
    sa.event.listen(database.engine(settings), "before_cursor_execute", lambda *given: statements.append(given[2]))
    present = database.markers_present(settings, {("tweets", "london", day): "new" for day in days})
    assert present == {("tweets", "london", days[0]), ("tweets", "london", days[2])}
    assert len([statement for statement in statements if "partitions" in statement]) == 1
    assert database.markers_present(settings, {}) == set()


def test_days_are_whole_where_all_their_markers_are(settings: Settings) -> None:
    """A missing one, another revision, one too many: only the last does not matter. Names may hold any character."""
    whole = {("counts", "traffic"): "r1", ("tweets", "ünder-ways"): "r2"}
    later = {**whole, ("counts", "later"): "r3"}
    stored = {5: whole, 6: {**whole, ("counts", "traffic"): "other"}, 7: {("counts", "traffic"): "r1"}, 8: later}
    with database.transaction(settings) as connection:
        for number, markers in stored.items():
            for (dataset, name), revision in markers.items():
                database.write_marker(connection, (dataset, name, dt.date(2026, 11, number)), Marker(revision, 0))
    days = [dt.date(2026, 11, number) for number in range(5, 10)]
    assert database.days_marked(settings, dict.fromkeys(days, whole)) == {days[0], days[3]}
    assert database.days_marked(settings, {days[0]: whole, days[3]: whole, days[1]: later, days[4]: {}}) == {days[0], days[3], days[4]}
    assert database.days_marked(settings, {days[3]: later}) == {days[3]}
    assert database.days_marked(settings, {}) == set()


def test_dropping_markers_takes_those_from_a_day_on(settings: Settings) -> None:
    """Earlier days and other names keep theirs."""
    with database.transaction(settings) as connection:
        for name, day in (("a", 1), ("a", 2), ("a", 3), ("b", 3)):
            database.write_marker(connection, ("posteriors", name, dt.date(2026, 11, day)), Marker("r", 1))
        assert database.drop_markers(connection, "posteriors", "a", dt.date(2026, 11, 2)) == 2
        left = connection.execute(sa.text("select name, day from partitions order by 1, 2")).all()
    assert [tuple(row) for row in left] == [("a", dt.date(2026, 11, 1)), ("b", dt.date(2026, 11, 3))]


# --- errors and processes


def test_what_time_can_mend_is_transient_and_what_a_person_must_is_not(make_settings: Callable[..., Settings], database_url: str) -> None:
    """No server, a wait too long: transient. No such database, a bad statement: permanent, without the password."""
    with pytest.raises(DatabaseUnavailable), database.transaction(make_settings(DATABASE_URL="postgresql://u:hidden@127.0.0.1:1/d")):
        pass
    with (
        pytest.raises(SettingsError, match="does not exist") as told,
        database.transaction(make_settings(DATABASE_URL=database_url.replace("/test_", "/never_"))),
    ):
        pass
    assert "hidden" not in str(told.value)
    settings = make_settings(settings="[database]\nlock_timeout_seconds = 0.05\n")
    with database.transaction(settings) as holder:
        database.lock(holder, "study", "traffic")
        with pytest.raises(DatabaseUnavailable, match="lock timeout"), database.transaction(settings) as waiter:
            database.lock(waiter, "study", "traffic")
    with pytest.raises(PermanentError, match="syntax error"), database.transaction(settings) as connection:
        connection.execute(sa.text("selec 1"))
    with pytest.raises(TransientError, match="deadlock"), database.typed_errors():
        raise psycopg2.errors.DeadlockDetected("deadlock detected")


def test_an_engine_is_never_shared_across_a_fork(settings: Settings) -> None:
    """A forked child makes its own connections, and its end does not close the parent's."""
    with database.transaction(settings) as connection:
        parent = connection.scalar(sa.text("select pg_backend_pid()"))
        assert len({parent, *(_in_fork(settings) for _ in range(3))}) == 4
        assert connection.scalar(sa.text("select pg_backend_pid()")) == parent
    assert database.engine(settings) is database.engine(settings)


def _in_fork(settings: Settings) -> int:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=_tell_backend, args=(settings, theirs))
    child.start()
    found: int = ours.recv() if ours.poll(30) else -1
    child.join(30)
    assert child.exitcode == 0
    return found


def _tell_backend(settings: Settings, pipe: object) -> None:
    with database.transaction(settings) as connection:
        pipe.send(connection.scalar(sa.text("select pg_backend_pid()")))  # type: ignore[attr-defined]


def test_a_connection_that_the_server_cut_is_replaced(settings: Settings) -> None:
    """After a restart of the server the pool's old connections are noticed before they are used."""
    stored(settings)
    with sa.create_engine(database.url(settings), poolclass=sa.NullPool).connect() as other:
        other.exec_driver_sql(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        )
    assert stored(settings) == []


def test_settings_of_a_transaction_do_not_stay_in_the_session(settings: Settings) -> None:
    """A pooler may give the session to somebody else."""
    engine = database.engine(settings)
    stored(settings)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("show lock_timeout")) == "0"
