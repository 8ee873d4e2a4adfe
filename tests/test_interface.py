"""Names that other tools call: tables, columns, tasks, parameters, commands. Adding is free; taking one away breaks somebody."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

import tasks
from pipeline import cli, database
from pipeline.settings import Settings

TABLES = {
    "areas", "studies", "tweets", "tweet_matches", "daily_counts", "author_counts", "posteriors", "posterior_history",
    "partitions", "task_runs", "discards", "coverage", "alarms", "alarm_deliveries",
}  # fmt: skip
COLUMNS = {
    "daily_counts": {"study", "day", "trials", "matches", "authors", "coverage"},
    "posteriors": {"study", "day", "alpha", "beta", "mean", "lower_50", "upper_50", "lower_95", "upper_95"},
    "tweets": {
        "area", "day", "tweet_id", "created_at", "author_key", "text", "lang", "longitude", "latitude", "evidence", "raw",
        "place_id", "place_name", "place_type", "place_country", "place_west", "place_south", "place_east", "place_north",
    },
    "partitions": {"dataset", "name", "day", "revision", "rows", "source_digest", "loaded_at", "run_id"},
    "task_runs": {"started_at", "ended_at", "status", "rows_in", "rows_out", "requests", "revision", "error"},
    "author_counts": {"study", "day", "author_key", "trials", "matches"},
    "tweet_matches": {"study", "day", "tweet_id", "rule"},
    "posterior_history": {"study", "day", "published_at", "reason", "alpha", "beta"},
    "discards": {"area", "day", "reason", "rows"},
    "coverage": {"area", "day", "coverage", "reason"},
    "alarms": {"kind", "subject", "day", "area", "direction", "observed", "said", "parts", "synthetic"},
    "alarm_deliveries": {"kind", "subject", "day", "channel", "status"},
}  # fmt: skip
#: Keys that no row may repeat.
KEYS = {
    "tweets": ["area", "day", "tweet_id"],
    "daily_counts": ["study", "day"],
    "posteriors": ["study", "day"],
    "partitions": ["dataset", "name", "day"],
}
TASKS = {
    "ExtractTweets": ["area", "date"],
    "CleanTweets": ["area", "date"],
    "CountMatches": ["study", "date"],
    "LoadTweets": ["area", "date"],
    "LoadCounts": ["study", "date"],
    "UpdatePosterior": ["study", "date"],
    "BuildReport": ["date"],
    "SendDigest": ["date"],
    "Nightly": ["date"],
}
COMMANDS = {"import", "status", "plan", "report", "alarms", "sandbox", "database"}


def test_tables_columns_and_keys_stand_under_their_names(make_settings: Callable[..., Settings]) -> None:
    """Those of the design and of the issue that asked for them."""
    found = sa.inspect(database.engine(make_settings()))
    assert set(found.get_table_names()) >= TABLES
    for table, columns in COLUMNS.items():
        assert columns - {column["name"] for column in found.get_columns(table)} == set(), table
    for table, key in KEYS.items():
        assert found.get_pk_constraint(table)["constrained_columns"] == key, table


def test_raw_json_is_json_and_may_be_null(make_settings: Callable[..., Settings]) -> None:
    """It is opt-in: a column that is there and empty unless asked for."""
    columns = {column["name"]: column for column in sa.inspect(database.engine(make_settings())).get_columns("tweets")}
    assert str(columns["raw"]["type"]) in ("JSON", "JSONB")
    assert columns["raw"]["nullable"]


@pytest.mark.parametrize("name", TASKS)
def test_tasks_have_few_and_the_same_parameters(name: str) -> None:
    """Found in the module tasks, with these and no others."""
    task = getattr(tasks, name)
    assert sorted(parameter for parameter, _ in task.get_params()) == sorted(TASKS[name])
    assert task.get_task_family() == name


def test_the_command_line_has_its_commands() -> None:
    """More may be there."""
    assert set(cli.COMMANDS) >= COMMANDS
