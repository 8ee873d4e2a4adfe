"""Brings a database to what the code expects: sql/migrations once each and in order, then sql/views where they changed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg2
import sqlalchemy as sa
from psycopg2 import errorcodes

from pipeline.errors import SettingsError
from pipeline.storage import digest

logger = logging.getLogger("geobeta")

SQL: Final = Path(__file__).resolve().parent.parent / "sql"

#: Any number will do, as long as every geobeta takes the same: the lock under which one process migrates.
LOCK: Final = 5_066_549_580_791_808

LEDGER: Final = """
create table if not exists schema_migrations (
    name text primary key,
    digest text not null,
    applied_at timestamptz not null default now()
);
comment on table schema_migrations is 'What of sql/ this database has seen.';
comment on column schema_migrations.name is 'The file, below sql/.';
comment on column schema_migrations.digest is 'Digest of its content when it was applied.';
comment on column schema_migrations.applied_at is 'When.';
"""


@dataclass(frozen=True)
class Script:
    """One file of sql/: its name below the folder, its content, and a digest of that."""

    name: str
    content: str
    digest: str


def scripts(folder: Path, kind: str) -> list[Script]:
    """The files of `folder`/`kind` in the order of their names, which is the order in which they are applied."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted((folder / kind).glob("*.sql"))}
    return [Script(f"{kind}/{name}", text, digest(text)) for name, text in texts.items()]


def apply(engine: sa.Engine, folder: Path = SQL) -> list[str]:
    """Apply what is missing; give the names of what was applied. Any number of processes may call it at once.

    Each migration is one transaction with its own record, so a kill in the middle leaves whole steps only. Where nothing is
    missing it costs one query.

    Raises:
        SettingsError: an applied migration was edited since, or the database has seen migrations that this code does not know.
    """
    migrations, views = scripts(folder, "migrations"), scripts(folder, "views")
    with engine.connect() as connection:
        known = _applied(connection)
    _refuse_strange(known, migrations)
    if all(known.get(script.name) == script.digest for script in (*migrations, *views)):
        return []
    done = []
    for migration in migrations:
        with engine.begin() as connection:
            if migration.name not in _locked(connection):
                _execute(connection, migration.content)
                _record(connection, migration)
                done.append(migration.name)
    with engine.begin() as connection:
        known = _locked(connection)
        if any(known.get(view.name) != view.digest for view in views):
            _replace_views(connection, views)
            done += [view.name for view in views]
    if done:
        logger.info("database brought up to date: %s", ", ".join(done))
    return done


def waiting(connection: sa.Connection, folder: Path = SQL) -> int:
    """How many files of sql/ this database has not seen as they are now; applies none.

    Raises:
        SettingsError: as `apply`.
    """
    wanted = [script for kind in ("migrations", "views") for script in scripts(folder, kind)]
    known = _applied(connection)
    _refuse_strange(known, [script for script in wanted if script.name.startswith("migrations/")])
    return sum(known.get(script.name) != script.digest for script in wanted)


def _refuse_strange(known: dict[str, str], migrations: list[Script]) -> None:
    ours = {script.name: script.digest for script in migrations}
    for name, applied in known.items():
        if name.startswith("migrations/") and name not in ours:
            raise SettingsError(
                f"this database has seen {name}, which this geobeta does not have: a newer one was here",
                todo="update geobeta, or use another database",
            )
        if ours.get(name, applied) != applied:
            raise SettingsError(
                f"sql/{name} was edited after it had been applied to this database (its digest is {ours[name]}, applied was {applied})",
                todo="take the edit back and put the change into a new migration",
            )


def _applied(connection: sa.Connection) -> dict[str, str]:
    if connection.scalar(sa.text("select to_regclass('schema_migrations')")) is None:
        return {}
    return {row.name: row.digest for row in connection.execute(sa.text("select name, digest from schema_migrations"))}


def _locked(connection: sa.Connection) -> dict[str, str]:
    """Wait for other migrators until the end of the transaction; then say what is applied."""
    connection.execute(sa.text("select pg_advisory_xact_lock(:number)"), {"number": LOCK})
    _execute(connection, LEDGER)
    return _applied(connection)


def _record(connection: sa.Connection, script: Script) -> None:
    connection.execute(
        sa.text(
            "insert into schema_migrations (name, digest) values (:name, :digest)"
            " on conflict (name) do update set digest = excluded.digest, applied_at = now()"
        ),
        {"name": script.name, "digest": script.digest},
    )


def _replace_views(connection: sa.Connection, views: list[Script]) -> None:
    """Replace all views; where PostgreSQL cannot (a column left or changed its type), drop them and make them anew.

    Dropping loses rights that were granted on a view, so it is the second way only.
    """
    try:
        with connection.begin_nested():
            for view in views:
                _execute(connection, view.content)
    except psycopg2.Error as error:
        if error.pgcode not in (errorcodes.INVALID_TABLE_DEFINITION, errorcodes.UNDEFINED_COLUMN):
            raise
        logger.warning("a view's columns changed: the views are dropped and made anew; rights granted on them are gone")
        for view in reversed(views):
            name = view.name.removeprefix("views/").removesuffix(".sql").partition("_")[2]
            _execute(connection, f'drop view if exists "{name}" cascade')
        for view in views:
            _execute(connection, view.content)
    for view in views:
        _record(connection, view)


def _execute(connection: sa.Connection, script: str) -> None:
    # the driver's own cursor: SQLAlchemy would take the colons and percent signs of a script for parameters
    cursor: Any = connection.connection.cursor()
    with cursor:
        cursor.execute(script)
