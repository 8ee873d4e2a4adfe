"""What was ever published: every value of a study's day with when, by which run, and why it changed; and what stood at a moment.

Read from posteriors and posterior_history as they are; what a value means is estimates.py's affair, why it moved why.py's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from pipeline import estimates

_COLUMNS = ", ".join(["study", *estimates.VALUES.names, "published_at", "run_id"])
#: Every publication, as posteriors has them; `standing` is false of what was replaced.
_ALL = f"""
    select {_COLUMNS}, replaced_at, replaced_by, reason, false as standing from posterior_history
    union all
    select {_COLUMNS}, null, null, null, true from posteriors"""


@dataclass(frozen=True)
class Run:
    """The run that published or replaced a value."""

    task: str
    parameters: Mapping[str, Any]
    started_at: datetime


@dataclass(frozen=True)
class Publication:
    """A value that was published of a study's day."""

    #: by the names of estimates.VALUES, to the last bit
    values: Mapping[str, Any]
    published_at: datetime
    #: None outside a run, or where the ledger does not have it
    run: Run | None
    #: None where it still stands
    replaced_at: datetime | None
    reason: str | None

    @property
    def share(self) -> float:
        """The headline."""
        return float(self.values["mean"])


def publications(connection: sa.Connection, study_name: str, day: date) -> list[Publication]:
    """Every value published of a study's day, the oldest first; the last one stands."""
    statement = f"select * from ({_ALL}) as every where study = :study and day = :day order by standing, published_at"
    rows = connection.execute(sa.text(statement), {"study": study_name, "day": day}).mappings().all()
    runs = _runs(connection, [row["run_id"] for row in rows])
    return [
        Publication(
            {name: row[name] for name in estimates.VALUES.names},
            row["published_at"],
            runs.get(row["run_id"]),
            row["replaced_at"],
            row["reason"],
        )
        for row in rows
    ]


def as_of(connection: sa.Connection, when: Mapping[str, datetime]) -> list[dict[str, Any]]:
    """The rows of posteriors as they stood at a moment, to the last bit, by study and day.

    Args:
        connection: of database.transaction.
        when: the moment for each study asked for, aware. (A day ends at another moment in another zone.)
    """
    # a value stands until the next one is published, not until the old one is put away, which is a moment earlier
    statement = sa.text(
        f"select distinct on (study, day) {_COLUMNS} from ({_ALL}) as every"
        " join unnest(cast(:studies as text[]), cast(:moments as timestamptz[])) as asked (study, moment) using (study)"
        " where published_at <= moment order by study, day, published_at desc, standing desc"
    )
    found = connection.execute(statement, {"studies": list(when), "moments": list(when.values())})
    return [dict(row) for row in found.mappings()]


def _runs(connection: sa.Connection, names: Sequence[str | None]) -> dict[str, Run]:
    statement = sa.text("select run_id, task, parameters, started_at from task_runs where run_id = any(cast(:names as text[]))")
    found = connection.execute(statement, {"names": [name for name in names if name is not None]})
    return {row.run_id: Run(row.task, row.parameters, row.started_at) for row in found}
