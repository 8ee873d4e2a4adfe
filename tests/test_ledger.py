"""The run ledger tells what ran and how it ended, survives everything, and never gets in a task's way."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline import database, ledger, processes
from pipeline.errors import BudgetReached
from pipeline.settings import Settings

ROOT = Path(__file__).resolve().parents[1]


def runs(settings: Settings) -> list[dict[str, Any]]:
    """The ledger, oldest first."""
    with database.transaction(settings) as connection:
        return [dict(row) for row in connection.execute(sa.text("select * from task_runs order by started_at")).mappings()]


@pytest.mark.slow
def test_a_run_is_noted_with_what_it_told(make_settings: Callable[..., Settings]) -> None:
    """Running while it runs, done after it."""
    settings = make_settings()
    assert ledger.current() is None
    with ledger.running(settings, "LoadCounts", {"study": "traffic", "date": "2026-11-05"}, "r1") as run:
        (row,) = runs(settings)
        assert (row["status"], row["ended_at"], row["pid"]) == ("running", None, os.getpid())
        assert ledger.current() == run.run_id == row["run_id"]
        run.rows_in, run.rows_out, run.requests = 7, 5, 2
    (row,) = runs(settings)
    assert (row["status"], row["rows_in"], row["rows_out"], row["requests"], row["error"]) == ("done", 7, 5, 2, None)
    assert (row["task"], row["parameters"], row["revision"]) == ("LoadCounts", {"study": "traffic", "date": "2026-11-05"}, "r1")
    assert row["ended_at"] >= row["started_at"]
    assert ledger.current() is None


def test_an_error_is_noted_without_secrets_and_goes_on(make_settings: Callable[..., Settings]) -> None:
    """Token, author key and the database's password are blotted out; the caller gets the very error."""
    url = make_settings().database_url
    assert url is not None
    with_password = url.get_secret_value().replace("geobeta@", "geobeta:hush-hush@")
    settings = make_settings(X_BEARER_TOKEN="top-secret-token", GEOBETA_AUTHOR_KEY="a-secret-of-authors", DATABASE_URL=with_password)
    error = ValueError(f"sent top-secret-token and a-secret-of-authors to {with_password} as hush-hush\x00" + "x" * 5000)
    with pytest.raises(ValueError, match="top-secret") as told, ledger.running(settings, "ExtractTweets", {}, None):
        raise error
    assert told.value is error
    (row,) = runs(settings)
    assert (row["status"], len(row["error"])) == ("failed", ledger.ERROR_LENGTH)
    assert row["error"].startswith("ValueError: sent *** and *** to *** as ***\ufffd")


@pytest.mark.slow
def test_a_run_whose_process_is_gone_is_marked_killed_by_the_next(make_settings: Callable[..., Settings]) -> None:
    """Only of the same task, and not while the process lives."""
    settings = make_settings()
    assert settings.database_url is not None
    code = (
        "import os, signal, sys\nfrom pipeline import ledger, settings\n"
        "with ledger.running(settings.read(), sys.argv[1], {}, None): os.kill(os.getpid(), signal.SIGKILL)"
    )
    own = {**os.environ, "GEOBETA_CONFIG": str(settings.config), "PYTHONPATH": str(ROOT)}
    own["DATABASE_URL"] = settings.database_url.get_secret_value()
    killed = subprocess.run([sys.executable, "-c", code, "LoadTweets"], env=own, cwd="/", check=False)
    assert killed.returncode == -signal.SIGKILL
    with ledger.running(settings, "CleanTweets", {}, None):
        pass
    assert [row["status"] for row in runs(settings)] == ["running", "done"]
    with ledger.running(settings, "LoadTweets", {}, None), ledger.running(settings, "LoadTweets", {}, None):
        assert [row["status"] for row in runs(settings)] == ["killed", "done", "running", "running"]
    assert [row["status"] for row in runs(settings)] == ["killed", "done", "done", "done"]
    assert runs(settings)[0]["ended_at"] is not None


def test_a_process_is_known_by_more_than_its_number() -> None:
    """The same process has the same name each time; another start, or none, another."""
    ours = processes.started(os.getpid())
    assert ours == processes.started(os.getpid()) is not None
    assert ours != processes.started(os.getppid())
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert processes.started(gone.pid) is None


def test_without_a_database_a_task_runs_all_the_same(make_settings: Callable[..., Settings], caplog: pytest.LogCaptureFixture) -> None:
    """A warning without the password, and no wait worth the name."""
    settings = make_settings(DATABASE_URL="postgresql://u:hush-hush@127.0.0.1:1/d")
    caplog.set_level(logging.WARNING)
    with ledger.running(settings, "LoadTweets", {}, None) as run:
        run.rows_out = 1
    assert "ledger could not be written" in caplog.text
    assert "hush-hush" not in caplog.text
    with pytest.raises(KeyError), ledger.running(settings, "LoadTweets", {}, None):
        raise KeyError


@pytest.mark.slow
def test_a_locked_ledger_is_given_up_early(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody holds the table: the task goes on after the ledger's patience."""
    monkeypatch.setattr(ledger, "PATIENCE", 1)
    settings = make_settings()
    with database.transaction(settings) as connection:
        connection.execute(sa.text("lock table task_runs in access exclusive mode"))
        started = time.monotonic()
        with ledger.running(settings, "LoadTweets", {}, None):
            pass
        assert time.monotonic() - started < 60
    assert runs(settings) == []


def test_parameters_that_json_does_not_know_are_written_as_text(make_settings: Callable[..., Settings]) -> None:
    """Dates, paths, a NUL."""
    settings = make_settings()
    with ledger.running(settings, "ImportArchive", {"path": Path("/a"), "odd": "\x00"}, None):
        pass
    assert runs(settings)[0]["parameters"] == {"path": "/a", "odd": "\ufffd"}


def test_a_run_that_the_budget_stopped_has_not_failed(make_settings: Callable[..., Settings]) -> None:
    """Its status says so: nobody has to mend anything."""
    settings = make_settings()
    with pytest.raises(BudgetReached), ledger.running(settings, "ExtractTweets", {}, None):
        raise BudgetReached("all spent", todo="wait")
    assert [(row["status"], row["error"].splitlines()[0]) for row in runs(settings)] == [("stopped", "BudgetReached: all spent")]
