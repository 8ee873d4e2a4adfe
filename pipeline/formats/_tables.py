"""Records as Arrow's tables and strings, and each one's own JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from pipeline.formats._record import Record
from pipeline.schema import RECORDS


def table(records: Iterable[Record], *, raw: bool = False) -> pa.Table:
    """The records as a table of schema.RECORDS; `raw` fills the column of that name with each one's own JSON."""
    rows = list(records)
    columns = []
    for column in RECORDS:
        if column.name == "raw":
            values: list[Any] = [raw_json(row.item) if raw else None for row in rows]
        else:
            values = [getattr(row, column.name) for row in rows]
        columns.append(strings(values) if column.type == pa.string() else pa.array(values, column.type))
    return pa.Table.from_arrays(columns, schema=RECORDS)


def raw_json(item: object) -> str | None:
    """A record's own JSON; None where it is nested too deep to be written."""
    try:
        # ASCII escapes keep even lone surrogates as they were
        return json.dumps(item, separators=(",", ":"))
    except RecursionError:
        return None


def strings(values: Sequence[str | None]) -> pa.Array:
    """The values as an Arrow array."""
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        # JSON may escape half a surrogate pair, which no UTF-8 can hold: U+FFFD, as text.tidy would write it
        return pa.array([None if value is None else _whole(value) for value in values], pa.string())


def _whole(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
