"""What was published stays known: every value of a day, and the tables as they stood at any moment, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline import database, estimates, ledger, published
from pipeline.settings import Settings
from tests.towns import Said, day, live, publish, write

# nights in the database: not for the fast loop
pytestmark = pytest.mark.slow


def stored(settings: Settings) -> list[dict[str, Any]]:
    """The table, with every float's bits."""
    with database.transaction(settings) as connection:
        found = connection.execute(sa.text("select * from posteriors where study = 'traffic' order by day")).mappings()
        return [bits(row) for row in found]


def bits(row: Any) -> dict[str, Any]:
    return {name: row[name].hex() if isinstance(row[name], float) else row[name] for name in estimates.VALUES.names}


def now(settings: Settings) -> datetime:
    """The database's time, between two publications."""
    with database.transaction(settings) as connection:
        found: datetime = connection.execute(sa.text("select clock_timestamp()")).scalar_one()
        return found


def test_the_table_as_it_stood_at_every_moment(make_settings: Callable[..., Settings]) -> None:
    """Days come late and out of order; after each the whole table is noted, and is given again for that moment, bit by bit."""
    settings = make_settings()
    moments: list[tuple[datetime, list[dict[str, Any]]]] = [(now(settings), [])]
    for number in (3, 1, 5, 2, 4):
        live(settings, number, [Said(f"a{some}", 1 + some, some * number % 3) for some in range(9)])
        moments.append((now(settings), stored(settings)))
    with database.transaction(settings) as connection:
        for moment, table in moments:
            assert [bits(row) for row in published.as_of(connection, {"traffic": moment})] == table
        assert published.as_of(connection, {"water": moments[-1][0]}) == []


def test_while_a_value_is_replaced_the_old_one_stands(make_settings: Callable[..., Settings]) -> None:
    """There is no moment without a value between the first and now, not even the one between putting away and writing."""
    settings = make_settings()
    live(settings, 2, [Said("a", 10, 4)])
    live(settings, 1, [Said("a", 10, 0)])
    with database.transaction(settings) as connection:
        old, new = published.publications(connection, "traffic", day(2))
        assert old.replaced_at is not None
        assert old.replaced_at < new.published_at
        assert [row["mean"] for row in published.as_of(connection, {"traffic": old.replaced_at}) if row["day"] == day(2)] == [old.share]


def test_every_publication_with_its_run_and_its_reason(make_settings: Callable[..., Settings]) -> None:
    """The oldest first; of each the values, when, by which run, and why it gave way."""
    settings = make_settings()
    write(settings, 2, [Said("a", 10, 4)])
    write(settings, 1, [Said("a", 10, 0)])
    for number in (2, 1):
        with ledger.running(settings, "UpdatePosterior", {"study": "traffic", "date": f"{day(number)}"}, None):
            publish(settings, number)
    with database.transaction(settings) as connection:
        old, new = published.publications(connection, "traffic", day(2))
        assert published.publications(connection, "traffic", day(3)) == []
    assert [one.run.parameters["date"] for one in (old, new) if one.run is not None] == ["2026-11-02", "2026-11-01"]
    assert old.reason == "1 day came late"
    assert (new.replaced_at, new.reason) == (None, None)
    assert (old.values["trials"], new.values["trials"]) == (10, 20)


@pytest.mark.parametrize("zone", ["UTC", "America/Mexico_City", "Asia/Kolkata"])
def test_a_moment_is_one_in_any_zone(make_settings: Callable[..., Settings], zone: str) -> None:
    """Aware datetimes are compared as instants, whatever the session's or the caller's zone."""
    from zoneinfo import ZoneInfo

    settings = make_settings()
    live(settings, 1, [Said("a", 10, 4)])
    moment = datetime.now(UTC).astimezone(ZoneInfo(zone))
    with database.transaction(settings) as connection:
        assert len(published.as_of(connection, {"traffic": moment})) == 1
