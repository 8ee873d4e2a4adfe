"""`database`: the embedded server, and the way into any."""

from __future__ import annotations

import argparse
import os
import shutil
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from pipeline.settings import Settings

HELP = """Start, stop and look at the embedded PostgreSQL, and get into the database, embedded or not (DATABASE_URL).

url     print the address for psql and every other program of libpq, password and all (starts the embedded server)
psql    open psql on it; what follows -- is given to psql
start   start the embedded server
stop    stop it
status  say whether the database answers: exit code 0 if so, 1 if not"""
EXAMPLE = """python -m pipeline database psql -- -c "select * from study_latest"
psql "$(python -m pipeline database url)\""""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and psql's own arguments."""
    parser.add_argument("action", choices=("url", "psql", "start", "stop", "status"), help="see above")
    parser.add_argument("rest", nargs="*", metavar="-- ARGUMENT", help="for psql")


def run(options: argparse.Namespace) -> int:
    """One of the five."""
    from pipeline import settings as configured
    from pipeline.errors import SettingsError

    if options.rest and options.action != "psql":
        raise SettingsError(f"got arguments that only psql takes: {' '.join(options.rest)}", todo="leave them out")
    settings = configured.read(need="settings")
    if options.action == "url":
        print(_url(settings))
        return 0
    if options.action == "psql":
        return _psql(settings, options.rest)
    return _status(settings) if options.action == "status" else _start_or_stop(settings, options.action)


def _url(settings: Settings) -> str:
    from pipeline import embedded

    if settings.database_url is None:
        return embedded.ensure_running(settings)
    from pipeline import database

    return database.libpq_url(settings)


def _psql(settings: Settings, arguments: list[str]) -> int:
    """Become psql. The password goes through the environment: arguments are everybody's to read in the process list."""
    from pipeline import embedded
    from pipeline.errors import SettingsError

    url = _url(settings)
    program = shutil.which("psql") if settings.database_url is not None else None
    program = program or str(embedded.program(settings, "psql"))
    parts = urlsplit(url)
    if parts.password:
        os.environ["PGPASSWORD"] = unquote(parts.password)
        host = parts.netloc.rpartition("@")[2]
        url = parts._replace(netloc=f"{parts.username or ''}@{host}").geturl()
    try:
        os.execv(program, [program, url, *arguments])
    except OSError as error:
        raise SettingsError(f"cannot run {program}: {error.strerror}", todo="install PostgreSQL's client programs") from error


def _start_or_stop(settings: Settings, action: str) -> int:
    from pipeline import embedded
    from pipeline.cli.terminal import progress

    if settings.database_url is not None:
        print(f"DATABASE_URL names a server of yours: nothing to {action}")
        return 0
    if action == "stop":
        print("stopped" if embedded.stop(settings) else "was not running")
        return 0
    with progress("starting the embedded PostgreSQL") as told:
        embedded.ensure_running(settings, progress=told)
    print("running")
    return 0


def _status(settings: Settings) -> int:
    from pipeline import embedded

    if settings.database_url is None:
        found = embedded.status(settings)
        state = f"running (process {found.pid})" if found.running else "stopped"
        print(f"embedded PostgreSQL {found.version}: {state}\nfiles: {found.data}\nlog: {found.log}\nuser: {found.user}")
        return 0 if found.running else 1
    from pipeline import database, plan

    with database.typed_errors(), plan.connect(settings) as connection:
        version = connection.exec_driver_sql("show server_version").scalar_one()
        where = connection.engine.url.render_as_string(hide_password=True)
    print(f"{where}: PostgreSQL {version} answers")
    return 0
