"""Migrations are applied once, in order, by one process, whole; views follow their files."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline import embedded, migrations
from pipeline.errors import SettingsError
from pipeline.settings import Settings


@pytest.fixture
def engine(server: Settings, database_url: str) -> Iterator[sa.Engine]:
    """An engine on a database that nobody has migrated."""
    assert embedded.seems_running(server)
    made = sa.create_engine(database_url.replace("postgresql://", "postgresql+psycopg2://"), poolclass=sa.NullPool)
    with made.begin() as connection:
        connection.exec_driver_sql("drop schema public cascade; create schema public")
    yield made
    made.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of sql/ that a test may spoil."""
    return Path(shutil.copytree(migrations.SQL, tmp_path / "sql"))


def tables(engine: sa.Engine) -> set[str]:
    """The tables and views that are there."""
    names = sa.inspect(engine)
    return {*names.get_table_names(), *names.get_view_names()}


def test_an_empty_database_gets_everything_once(engine: sa.Engine, folder: Path) -> None:
    """The first call applies all files; the second nothing, in one query."""
    applied = migrations.apply(engine, folder)
    assert applied == sorted(f"{kind}/{path.name}" for kind in ("migrations", "views") for path in (folder / kind).iterdir())
    assert {"tweets", "partitions", "study_latest"} <= tables(engine)
    statements: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert migrations.apply(engine, folder) == []
    assert len([statement for statement in statements if "digest" in statement]) == 1


def test_many_processes_at_once_apply_each_migration_once(engine: sa.Engine, folder: Path) -> None:
    """Four on an empty database: none fails, and together they apply what one would."""
    applied: list[list[str]] = []
    threads = [threading.Thread(target=lambda: applied.append(migrations.apply(engine, folder))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(applied) == 4
    names = [name for each in applied for name in each]
    assert sorted(names) == sorted(set(names))


def test_a_new_migration_is_applied_to_a_database_in_use(engine: sa.Engine, folder: Path) -> None:
    """Only the new file, and rows stay."""
    migrations.apply(engine, folder)
    with engine.begin() as connection:
        connection.exec_driver_sql("insert into discards values ('london', '2026-11-05', 'outside', 3)")
    (folder / "migrations" / "9999_more.sql").write_text("alter table discards add column note text; -- 100 % :not a parameter\n")
    assert migrations.apply(engine, folder) == ["migrations/9999_more.sql"]
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select rows, note from discards").all() == [(3, None)]


def test_a_migration_that_fails_leaves_nothing_of_itself(engine: sa.Engine, folder: Path) -> None:
    """Its first statement is taken back with its second; when it is mended, it is applied."""
    migrations.apply(engine, folder)
    broken = folder / "migrations" / "9999_broken.sql"
    broken.write_text("create table half (); create table tweets ();")
    with pytest.raises(Exception, match="already exists"):
        migrations.apply(engine, folder)
    assert "half" not in tables(engine)
    broken.write_text("create table half ();")
    assert migrations.apply(engine, folder) == ["migrations/9999_broken.sql"]


def test_an_edited_migration_is_refused(engine: sa.Engine, folder: Path) -> None:
    """What is applied is history: the message says where a change belongs."""
    migrations.apply(engine, folder)
    first = next((folder / "migrations").glob("0001_*"))
    first.write_text(first.read_text() + "\n-- a small improvement\n")
    with pytest.raises(SettingsError, match=r"0001_tables\.sql was edited") as told:
        migrations.apply(engine, folder)
    assert "new migration" in str(told.value)


def test_a_database_that_a_newer_version_used_is_refused(engine: sa.Engine, folder: Path) -> None:
    """Old code on new tables could destroy what it does not know."""
    migrations.apply(engine, folder)
    with engine.begin() as connection:
        connection.exec_driver_sql("insert into schema_migrations (name, digest) values ('migrations/9999_future.sql', 'x')")
    with pytest.raises(SettingsError, match="newer one was here"):
        migrations.apply(engine, folder)


def test_a_changed_view_is_replaced_even_where_its_columns_changed(engine: sa.Engine, folder: Path) -> None:
    """A view whose column goes cannot be replaced in place: it is dropped and made anew."""
    migrations.apply(engine, folder)
    view = folder / "views" / "50_runs.sql"
    view.write_text("create or replace view runs as select run_id as other_name from task_runs;")
    assert "views/50_runs.sql" in migrations.apply(engine, folder)
    assert [column["name"] for column in sa.inspect(engine).get_columns("runs")] == ["other_name"]
    assert migrations.apply(engine, folder) == []
