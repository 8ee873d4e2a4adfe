"""The server's process: is it ours and alive, start it, stop it. A pid alone proves nothing; a connection does."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Literal

import psycopg2
from psycopg2 import errorcodes, sql

from pipeline.embedded.binaries import Binaries
from pipeline.embedded.cluster import DATABASE, PORT, ROLE, Cluster, make_sockets, sockets_are_ours
from pipeline.errors import DatabaseUnavailable, SettingsError
from pipeline.progress import Progress

State = Literal["ours", "starting", "absent"]

#: Words of a failed start that time alone mends: backends of a killed server that have not noticed yet.
PASSING = ("pre-existing shared memory block", "is still in use", "lock file")

#: Beyond this the log starts anew, with one old one kept.
LOG_BYTES = 10_000_000

#: Servers that this process started: kept so that a dead one is reaped and does not stay as a zombie.
_children: dict[int, subprocess.Popen[bytes]] = {}


def probe(cluster: Cluster, database: str = "postgres", *, seconds: float = 5) -> State:
    """Ask whoever listens at our socket which data directory it serves: "ours" only where that is this cluster's.

    Waits `seconds` for an answer, in whole ones and at least 1: a server that is stopped or starved accepts and says nothing.

    Raises:
        DatabaseUnavailable: it is alive and turned us away (no connection left).
    """
    if not sockets_are_ours(cluster):
        return "absent"
    patience = max(1, min(5, int(seconds)))
    try:
        connection = psycopg2.connect(host=str(cluster.sockets), port=PORT, user=ROLE, dbname=database, connect_timeout=patience)
    except psycopg2.OperationalError as error:
        words = str(error)
        if "starting up" in words or "recovery" in words or "not yet accepting" in words:
            return "starting"
        if "too many clients" in words or "remaining connection slots" in words:
            raise DatabaseUnavailable(f"the embedded PostgreSQL turned us away: {words.strip()}", todo="close other sessions") from error
        return "absent"
    try:
        with connection.cursor() as cursor:
            cursor.execute("show data_directory")
            (served,) = cursor.fetchone()
    except psycopg2.Error:  # shut down under our eyes
        return "absent"
    finally:
        connection.close()
    return "ours" if Path(served) == cluster.data else "absent"


def server_pid(cluster: Cluster) -> int | None:
    """The postmaster's process id while it lives: the one in postmaster.pid, if that process stands in our data directory.

    (PostgreSQL's processes change to it.) A number that another process has meanwhile is not taken for ours.
    """
    recorded = recorded_pid(cluster)
    return recorded if recorded is not None and _stands_in(cluster, recorded) else None


def _stands_in(cluster: Cluster, pid: int) -> bool:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        return False
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == cluster.data
    except OSError:  # gone, a zombie, or another user's
        return False


def recorded_pid(cluster: Cluster) -> int | None:
    """The number in postmaster.pid, of a process that may be long gone."""
    try:
        return int((cluster.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def bring_up(cluster: Cluster, binaries: Binaries, *, seconds: float, progress: Progress) -> None:
    """Start the server and wait until it answers. Call it under the lock.

    A server that somebody else started and that is still recovering is waited for, not started twice.

    Raises:
        DatabaseUnavailable: no answer within `seconds`.
        SettingsError: the server ends by itself, with the end of its log.
    """
    deadline = time.monotonic() + seconds
    attempts, told = 0, time.monotonic()
    started: subprocess.Popen[bytes] | None = None
    while (state := probe(cluster, seconds=seconds)) != "ours":
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(
                f"the embedded PostgreSQL did not answer within {seconds:.0f} s (it is {state})",
                todo=f"see {cluster.log}; after a crash it may need longer: [database] start_timeout_seconds",
            )
        if time.monotonic() - told > 2:
            progress(None, "waiting for the embedded PostgreSQL (after a crash it mends its files first)")
            told = time.monotonic()
        # one that we started and that has not yet written its pid file is on its way, however slow the machine
        ours_lives = started is not None and started.poll() is None
        if state == "absent" and not ours_lives and server_pid(cluster) is None:
            if attempts:
                _judge(cluster, attempts)
                time.sleep(0.2)
            attempts += 1
            started = _spawn(cluster, binaries)
        elif state == "absent" and _lost_its_socket(cluster):
            progress(None, "the embedded PostgreSQL runs, but its socket was removed: starting it anew")
            take_down(cluster, seconds=seconds)
        time.sleep(0.02)
    _make_database(cluster)


def _lost_its_socket(cluster: Cluster) -> bool:
    """Whether the server says that it is ready while nobody can reach it: somebody tidied /tmp."""
    try:
        lines = (cluster.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    # line 8 (LOCK_FILE_LINE_PM_STATUS, src/include/utils/pidfile.h) is written after the socket was made
    return len(lines) >= 8 and lines[7].strip() == "ready" and not (cluster.sockets / f".s.PGSQL.{PORT}").exists()


def _judge(cluster: Cluster, attempts: int) -> None:
    """The server we started is gone again: is trying once more of use?"""
    words = tail(cluster)
    if not any(word in words for word in PASSING) and attempts >= 2:
        raise SettingsError(f"the embedded PostgreSQL does not start: {words}", todo=f"see {cluster.log}")


def tail(cluster: Cluster, size: int = 800) -> str:
    """The end of the server's log."""
    try:
        return cluster.log.read_bytes()[-size:].decode("utf-8", "replace").strip()
    except OSError:
        return "(no log)"


def _spawn(cluster: Cluster, binaries: Binaries) -> subprocess.Popen[bytes]:
    make_sockets(cluster)
    for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
        # Nobody answers there and the folder is ours alone: what a killed server left would only be in the way.
        (cluster.sockets / name).unlink(missing_ok=True)
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(cluster.sockets),
        "unix_socket_permissions": "0700",
        "port": str(PORT),
        "timezone": "UTC",
        "log_timezone": "UTC",
        "max_wal_size": "2GB",
        # What was deleted must not live on in a log file that waits for its next use: old ones are removed, not renamed.
        "wal_recycle": "off",
        # No statement and no row of ours in the log: they hold people's texts.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        **({} if cluster.durable else {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}),
    }
    environment = {}
    stale = recorded_pid(cluster)
    if stale is not None:
        # The number may be another process's by now. The server takes a pid file for stale when it holds this variable's number
        # (src/backend/utils/init/miscinit.c, CreateLockFile); the file itself must stay, it guards against living backends.
        environment["PG_GRANDPARENT_PID"] = str(stale)
    if cluster.log.exists() and cluster.log.stat().st_size > LOG_BYTES:
        cluster.log.replace(cluster.log.with_suffix(".log.1"))
    with open(cluster.log, "ab") as log:
        process = subprocess.Popen(
            [str(binaries.program("postgres")), "-D", str(cluster.data), *(f"--{key}={value}" for key, value in options.items())],
            stdout=log,
            stderr=log,
            start_new_session=True,  # a kill of our process group or a closed terminal leaves it running
            **cluster.account.run_as(environment),
        )
    _children[process.pid] = process
    return process


def _make_database(cluster: Cluster) -> None:
    if probe(cluster, DATABASE) == "ours":
        return
    connection = psycopg2.connect(host=str(cluster.sockets), port=PORT, user=ROLE, dbname="postgres")
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
    except psycopg2.Error as error:
        if error.pgcode != errorcodes.DUPLICATE_DATABASE:
            raise
    finally:
        connection.close()


def take_down(cluster: Cluster, *, seconds: float) -> bool:
    """Stop the server (fast: open sessions are ended, nothing is lost) and take its socket away. True where one ran.

    Raises:
        DatabaseUnavailable: it is still there after `seconds` and twice 10 s of firmer words.
    """
    pid = server_pid(cluster)
    if pid is not None:
        # fast, immediate (as after a power cut: mended at the next start), and what nothing withstands
        for number, patience in ((signal.SIGINT, seconds), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            if _gone(cluster, pid, patience):
                break
        else:
            raise DatabaseUnavailable(f"the embedded PostgreSQL (process {pid}) does not stop", todo=f"see {cluster.log}")
        _children.pop(pid, None)
    if sockets_are_ours(cluster):
        shutil.rmtree(cluster.sockets, ignore_errors=True)
    return pid is not None


def _gone(cluster: Cluster, pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _stands_in(cluster, pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
