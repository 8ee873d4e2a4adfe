"""Asks the database whether it contradicts itself: each query in sql/checks gives the wrong rows, and should give none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipeline import database, migrations
from pipeline.settings import Settings


def run(settings: Settings, *, folder: Path = migrations.SQL, limit: int = 20) -> dict[str, list[dict[str, Any]]]:
    """The wrong rows of each check, at most `limit` of each, by the check's name; all of one moment.

    Raises:
        DatabaseUnavailable: see pipeline.database.transaction.
    """
    with database.transaction(settings, snapshot=True) as connection:
        return wrong_rows(connection, folder=folder, limit=limit)


def wrong_rows(connection: sa.Connection, *, folder: Path = migrations.SQL, limit: int = 20) -> dict[str, list[dict[str, Any]]]:
    """The same as this connection sees it, its own uncommitted changes too."""
    found: dict[str, list[dict[str, Any]]] = {}
    for script in migrations.scripts(folder, "checks"):
        name = script.name.removeprefix("checks/").removesuffix(".sql")
        # the driver's own form: SQLAlchemy would take a colon for a parameter
        rows = connection.exec_driver_sql(f"select * from ({script.content.replace('%', '%%')}) as wrong limit {int(limit)}")
        found[name] = [dict(row) for row in rows.mappings()]
    return found
