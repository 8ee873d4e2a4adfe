"""The run ledger: one row of task_runs for each run of a task. It is told what happens and never decides anything.

It has connections of its own and gives up early: a night without a ledger is better than a ledger without a night.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg2
from psycopg2 import errorcodes

from pipeline import database, embedded, processes
from pipeline.errors import BudgetReached
from pipeline.settings import Settings

logger = logging.getLogger("geobeta")

#: Seconds for a connection and for a statement.
PATIENCE = 5

#: Characters of an error that are kept.
ERROR_LENGTH = 2000

_current: ContextVar[str | None] = ContextVar("geobeta_run", default=None)


@dataclass
class Run:
    """What a task may tell of its run, before it ends."""

    rows_in: int | None = None
    rows_out: int | None = None
    requests: int | None = None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)


def current() -> str | None:
    """The run that is going on here, for the rows it writes; None outside one."""
    return _current.get()


@contextlib.contextmanager
def running(settings: Settings, task: str, parameters: Mapping[str, object], revision: str | None) -> Iterator[Run]:
    """Note that a task runs, and how it ends; its error goes on to the caller. Nothing that goes wrong here reaches the task.

    Runs of the same task whose process is gone are marked as killed first (on this machine: of another, nobody here can tell).
    """
    run = Run()
    _quietly(settings, lambda cursor: _begin(cursor, run, task, parameters, revision))
    token = _current.set(run.run_id)
    try:
        yield run
    except BaseException as error:
        said = without_secrets(settings, f"{type(error).__name__}: {error}")[:ERROR_LENGTH]
        status = "stopped" if isinstance(error, BudgetReached) else "failed"
        _quietly(settings, lambda cursor: _end(cursor, run, status, said))
        raise
    else:
        _quietly(settings, lambda cursor: _end(cursor, run, "done", None))
    finally:
        _current.reset(token)


def without_secrets(settings: Settings, text: str) -> str:
    """The text with every secret of the settings blotted out, and NUL, which PostgreSQL has no room for."""
    for secret in (settings.bearer_token, settings.author_key, settings.database_url, settings.webhook_url, settings.smtp_url):
        if secret is not None:
            text = text.replace(secret.get_secret_value(), "***")
    for part in _within(settings):
        text = text.replace(part, "***")
    if settings.database_url is not None:
        with contextlib.suppress(Exception):
            password = database.password(settings)
            text = text.replace(password, "***") if password else text
    return text.replace("\x00", "\ufffd")


def _within(settings: Settings) -> Iterator[str]:
    """What of an address is a secret by itself: a password, as written and as meant; a webhook's path."""
    for url in (settings.smtp_url, settings.webhook_url):
        if url is not None and (password := urlsplit(url.get_secret_value()).password):
            yield from {password, unquote(password)}
    if settings.webhook_url is not None:
        address = urlsplit(settings.webhook_url.get_secret_value())
        path = address.path + (f"?{address.query}" if address.query else "")
        # "/" and its like are no secret, and would blot out half of any text
        yield from (part for part in (path, address.path, address.query) if len(part) > 5)


def _begin(cursor: Any, run: Run, task: str, parameters: Mapping[str, object], revision: str | None) -> None:
    host = platform.node()
    cursor.execute("select run_id, pid, process_started from task_runs where status = 'running' and task = %s and host = %s", (task, host))
    for run_id, pid, started in cursor.fetchall():
        if processes.started(pid) != started:
            cursor.execute(
                "update task_runs set status = 'killed', ended_at = now(), error = 'its process was gone'"
                " where run_id = %s and status = 'running'",
                (run_id,),
            )
    described = json.dumps(dict(parameters), default=str).replace("\\u0000", "\\ufffd")
    cursor.execute(
        "insert into task_runs (run_id, task, parameters, revision, status, host, pid, process_started)"
        " values (%s, %s, %s, %s, 'running', %s, %s, %s)",
        (run.run_id, task, described, revision, host, os.getpid(), processes.started(os.getpid()) or "unknown"),
    )


def _end(cursor: Any, run: Run, status: str, error: str | None) -> None:
    cursor.execute(
        "update task_runs set status = %s, ended_at = now(), rows_in = %s, rows_out = %s, requests = %s, error = %s where run_id = %s",
        (status, run.rows_in, run.rows_out, run.requests, error, run.run_id),
    )


def _quietly(settings: Settings, work: Callable[[Any], None]) -> None:
    try:
        try:
            _once(settings, work)
        except psycopg2.Error as error:
            if error.pgcode != errorcodes.UNDEFINED_TABLE:
                raise
            database.engine(settings)  # a database that nobody has used yet: bring it up to date
            _once(settings, work)
    except Exception as error:
        said = without_secrets(settings, f"{type(error).__name__}: {error}").splitlines()[0]
        logger.warning("the run ledger could not be written: %s", said)


def _once(settings: Settings, work: Callable[[Any], None]) -> None:
    if settings.database_url is None:
        # crash recovery may take long: it goes on without us, and the stage that needs the database waits for it
        embedded.ensure_running(settings, seconds=PATIENCE)
    connection = psycopg2.connect(database.libpq_url(settings), connect_timeout=PATIENCE, application_name="geobeta ledger")
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("select set_config('statement_timeout', %s, false)", (f"{PATIENCE}s",))
            work(cursor)
    finally:
        connection.close()
