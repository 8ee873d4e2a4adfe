"""Rows into a table: delete a partition's, COPY the new ones in as a stream, count them.

COPY is used for every row: it is the fastest way, keeps '' apart from NULL, and brings floats back to the last bit
(facts/postgres.md). Which rows make a partition, and its marker, is database.py's affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from typing import Any

import psycopg2
import pyarrow as pa
import pyarrow.csv as pa_csv
import sqlalchemy as sa
from psycopg2 import sql

from pipeline import faults
from pipeline.errors import LoadMismatch

#: Bytes handed to libpq at a time.
COPY_CHUNK = 1 << 20


@dataclass(frozen=True)
class Rows:
    """Rows for one table.

    `scope` names the partition there: what is deleted, and columns that every row gets. `digested` is False for what may differ
    between two loads of the same content (how many requests it took). `key` names the rows of a partition, in a table that may hold
    many of them (merging.py): a column without null; the batches best come sorted by it.
    """

    table: str
    scope: Mapping[str, str | date]
    batches: Iterable[pa.RecordBatch]
    digested: bool = True
    key: str | None = None


def replace_rows(connection: sa.Connection, rows: Rows, digest: Any = None) -> int:
    """Delete the scope in the table, COPY the rows in, check that all arrived; give their number.

    Raises:
        LoadMismatch: the database took another number of rows.
    """
    with cursor_of(connection) as cursor:
        cursor.execute(sql.SQL("delete from {} where {}").format(sql.Identifier(rows.table), scope_of(rows)))
    return copy(connection, rows, digest)


def copy(connection: sa.Connection, rows: Rows, digest: Any = None) -> int:
    """COPY the rows in, as a stream: two batches in memory at a time; give their number.

    Raises:
        LoadMismatch: the database took another number of rows.
    """
    batches = iter(rows.batches)
    first = next(batches, None)
    if first is None:
        return 0
    columns = sql.SQL(", ").join(map(sql.Identifier, [*rows.scope, *first.schema.names]))
    # an unquoted empty field is NULL, a quoted one is ''; what pyarrow writes for strings is always quoted
    command = sql.SQL("copy {} ({}) from stdin (format csv, encoding 'UTF8')").format(sql.Identifier(rows.table), columns)
    # one thread makes the next piece while libpq sends this one and the server works on it: Arrow and libpq both let go of the GIL
    with ThreadPoolExecutor(1, thread_name_prefix="geobeta-csv") as ahead, cursor_of(connection) as cursor:
        stream = _CsvStream(rows.scope, chain([first], batches), digest, ahead)
        try:
            cursor.copy_expert(command, stream, COPY_CHUNK)
        except psycopg2.Error:
            if stream.error is not None:  # the source broke off: psycopg2 would make the server's error of it
                raise stream.error from None
            raise
        if cursor.rowcount != stream.rows:
            raise LoadMismatch(
                f"{rows.table}: {stream.rows} rows were sent and the database took {cursor.rowcount}",
                todo="nothing was changed; run again, and report it if it stays",
            )
    return stream.rows


def scope_of(rows: Rows) -> sql.Composable:
    """The condition that names the rows' partition in their table."""
    return sql.SQL(" and ").join(
        sql.SQL("{}.{} = {}").format(sql.Identifier(rows.table), sql.Identifier(column), sql.Literal(value))
        for column, value in rows.scope.items()
    )


def cursor_of(connection: sa.Connection) -> Any:
    """The driver's own cursor, inside SQLAlchemy's transaction: the only one that can COPY."""
    return connection.connection.cursor()


@dataclass
class _CsvStream:
    """What copy_expert reads from: Arrow batches as CSV, each made while the one before it is sent."""

    scope: Mapping[str, str | date]
    batches: Iterator[pa.RecordBatch]
    digest: Any
    ahead: ThreadPoolExecutor
    rows: int = 0
    error: Exception | None = None
    _next: Future[bytes] | None = None
    _rest: memoryview = field(default_factory=lambda: memoryview(b""))

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; b"" at the end."""
        try:
            while not self._rest:
                piece = self._csv() if self._next is None else self._next.result()
                if not piece:
                    return b""
                self._next = self.ahead.submit(self._csv)
                self._rest = memoryview(piece)
        except Exception as error:
            self.error = error
            raise
        chunk, self._rest = (self._rest, memoryview(b"")) if size < 0 else (self._rest[:size], self._rest[size:])
        return bytes(chunk)

    def _csv(self) -> bytes:
        """The next batch that has rows, as CSV; b"" after the last."""
        batch = next((batch for batch in self.batches if batch.num_rows), None)
        if batch is None:
            return b""
        faults.point("load.copy")
        constants = [pa.repeat(pa.scalar(value), batch.num_rows) for value in self.scope.values()]
        whole = pa.RecordBatch.from_arrays([*constants, *batch.columns], [*self.scope, *batch.schema.names])
        sink = pa.BufferOutputStream()
        pa_csv.write_csv(whole, sink, pa_csv.WriteOptions(include_header=False, batch_size=batch.num_rows))
        content: bytes = sink.getvalue().to_pybytes()
        self.rows += batch.num_rows
        if self.digest is not None:
            self.digest.update(content)
        return content
