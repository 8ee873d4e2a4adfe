"""A partition's new rows in the place of its old ones, where the table holds many: what stands already is not written again.

A day that is restated (a late archive, hours that came after all, a moved edge of the box) is mostly what it was. Rows that differ in
nothing cost a comparison instead of new rows, index entries, write-ahead log, and a vacuum of the old ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from psycopg2 import sql

from pipeline import copying
from pipeline.copying import Rows
from pipeline.errors import LoadMismatch

#: Fewer rows are written anew faster than they are compared.
MERGE_FROM: Final = 10_000

_INCOMING: Final = sql.Identifier("geobeta_incoming")
_CHANGED: Final = sql.Identifier("geobeta_changed")


def replace_rows(connection: sa.Connection, rows: Rows, digest: Any = None) -> int:
    """As copying.replace_rows; of a table that holds many rows of the scope, and has a key, only what differs is written.

    Raises:
        LoadMismatch: the database took another number of rows.
    """
    if rows.key is None:
        return copying.replace_rows(connection, rows, digest)
    with copying.cursor_of(connection) as cursor:
        if not _many(cursor, rows):
            return copying.replace_rows(connection, rows, digest)
        batches = iter(rows.batches)
        first = next((batch for batch in batches if batch.num_rows), None)
        whole = replace(rows, batches=chain([first] if first is not None else [], batches))
        # the first batch tells: where most of it is new, comparing the rest would be in vain
        if first is None or not _mostly_there(connection, cursor, rows, first):
            return copying.replace_rows(connection, whole, digest)
        return _merge(connection, cursor, whole, first.schema.names, digest)


def _many(cursor: Any, rows: Rows) -> bool:
    """Whether the scope holds at least MERGE_FROM rows, and the server lets us have temporary tables."""
    cursor.execute(
        sql.SQL(
            "select has_database_privilege(current_database(), 'TEMPORARY')"
            " and (select count(*) from (select from {} where {} limit %s) as first) >= %s"
        ).format(sql.Identifier(rows.table), copying.scope_of(rows)),
        (MERGE_FROM, MERGE_FROM),
    )
    return bool(cursor.fetchone()[0])


def _mostly_there(connection: sa.Connection, cursor: Any, rows: Rows, batch: pa.RecordBatch) -> bool:
    names = _names(rows, batch.schema.names)
    cursor.execute(
        sql.SQL("create temporary table {} on commit drop as select {} from {} with no data").format(
            _INCOMING, sql.SQL(", ").join(names), sql.Identifier(rows.table)
        )
    )
    copying.copy(connection, replace(rows, table=_INCOMING.string, batches=[batch]))
    cursor.execute(
        sql.SQL(
            "select count(*) from (select {names} from {table} where {scope} and {key} between (select min({key}) from {incoming})"
            " and (select max({key}) from {incoming})) as old join {incoming} as new using ({key}) where old *= new"
        ).format(**_parts(rows, names))
    )
    same = cursor.fetchone()[0]
    cursor.execute(sql.SQL("truncate {}").format(_INCOMING))
    return bool(2 * same >= batch.num_rows)


def _merge(connection: sa.Connection, cursor: Any, rows: Rows, columns: Iterable[str], digest: Any) -> int:
    """Write what differs, by way of a temporary table: nobody else sees that, and the write-ahead log has nothing of it."""
    parts = _parts(rows, _names(rows, columns))
    sent = copying.copy(connection, replace(rows, table=_INCOMING.string), digest)
    cursor.execute(sql.SQL("create unique index on {incoming} ({key})").format(**parts))
    with _merge_joins(cursor):
        # *<> compares the stored bytes, whatever the types; json has no other comparison
        cursor.execute(
            sql.SQL(
                "create temporary table {changed} on commit drop as select {key}, new.{key} is null as gone"
                " from (select {names} from {table} where {scope}) as old full join {incoming} as new using ({key})"
                " where old.{key} is null or new.{key} is null or old *<> new"
            ).format(**parts)
        )
    cursor.execute(sql.SQL("analyze {changed}").format(**parts))
    cursor.execute(sql.SQL("delete from {table} using {changed} where {scope} and {table}.{key} = {changed}.{key}").format(**parts))
    cursor.execute(
        sql.SQL("insert into {table} ({names}) select {names} from {incoming} join {changed} using ({key}) where not gone").format(**parts)
    )
    taken = cursor.rowcount
    cursor.execute(sql.SQL("select count(*) from {changed} where not gone").format(**parts))
    wanted = cursor.fetchone()[0]
    cursor.execute(sql.SQL("drop table {changed}, {incoming}").format(**parts))
    if taken != wanted:
        raise LoadMismatch(
            f"{rows.table}: {wanted} rows were sent that differ from what stood, and the database took {taken}",
            todo="nothing was changed; run again, and report it if it stays",
        )
    return sent


def _names(rows: Rows, columns: Iterable[str]) -> list[sql.Identifier]:
    return list(map(sql.Identifier, [*rows.scope, *columns]))


def _parts(rows: Rows, names: Iterable[sql.Identifier]) -> dict[str, sql.Composable]:
    return {
        "table": sql.Identifier(rows.table),
        "incoming": _INCOMING,
        "changed": _CHANGED,
        "key": sql.Identifier(rows.key or ""),
        "names": sql.SQL(", ").join(names),
        "scope": copying.scope_of(rows),
    }


@contextlib.contextmanager
def _merge_joins(cursor: Any) -> Iterator[None]:
    """Both sides have an index on the key and lie in its order; without statistics the planner would hash a million whole rows."""
    switches = ("enable_hashjoin", "enable_nestloop", "enable_sort")
    cursor.execute("select " + ", ".join(f"current_setting('{name}')" for name in switches))
    before = cursor.fetchone()
    _switch(cursor, dict.fromkeys(switches, "off"))
    yield
    _switch(cursor, dict(zip(switches, before, strict=True)))


def _switch(cursor: Any, wanted: dict[str, str]) -> None:
    cursor.execute("select " + ", ".join(["set_config(%s, %s, true)"] * len(wanted)), [word for pair in wanted.items() for word in pair])
