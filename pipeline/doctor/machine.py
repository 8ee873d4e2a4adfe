"""What the machine gives: room on the disk, a data folder that can be written, locks, the author key, and the database."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import sqlalchemy

from pipeline import alarms, configuration, database, embedded, migrations, plan
from pipeline.digest import told
from pipeline.doctor.finding import Finding, fault, ok, warning
from pipeline.errors import PipelineError
from pipeline.settings import Settings

#: Bytes free below which a night would probably not end, and below which it is time to look. A day of 3,000 posts takes about 1 MB.
LEAST_BYTES, FEW_BYTES = 200 << 20, 1 << 30
LEAST_FILES: Final = 1000
#: Where the locks of different machines, or of different mounts, may not see each other.
DISTANT: Final = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "vboxsf")
#: A reservation of a request that has not ended after so many hours is a killed run's.
OLD_HOURS: Final = 1


def disk(settings: Settings) -> Iterator[Finding]:
    """The data folder: can be written, has room, is one file system."""
    try:
        configuration.check_data_folder(settings)
    except PipelineError:
        yield fault(
            "data folder",
            f"{settings.data} cannot be made or written to",
            "see who may write there, or set GEOBETA_DATA to another folder",
        )
        return
    yield ok("data folder", f"{settings.data} can be written")
    places = {"disk": settings.data}
    if settings.database_url is None:
        # what is wrong with it is told elsewhere
        with contextlib.suppress(PipelineError):
            places["database's disk"] = embedded.status(settings).data
    seen: set[int] = set()
    for name, path in places.items():
        standing = _standing(path)
        device = standing.stat().st_dev
        if device not in seen:
            seen.add(device)
            yield _room(name, standing)
    yield from _mounts(settings.data)


def _room(name: str, path: Path) -> Finding:
    found = os.statvfs(path)
    free = found.f_bavail * found.f_frsize
    told = f"{_size(free)} free at {path}"
    if free < LEAST_BYTES:
        return fault(name, f"{told}; a night may not end", f"make room: {_size(LEAST_BYTES)} at the least, {_size(FEW_BYTES)} for comfort")
    if found.f_files and found.f_favail < LEAST_FILES:
        return fault(name, f"{found.f_favail} files more are all that {path} has room for", "make room: remove files there")
    return warning(name, told, "make room before long") if free < FEW_BYTES else ok(name, told)


def _size(number: int) -> str:
    return f"{number / (1 << 30):,.1f} GB" if number >= 1 << 30 else f"{number / (1 << 20):,.0f} MB"


def _standing(path: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next(each for each in (path, *path.parents) if each.is_dir())


def _mounts(data: Path) -> Iterator[Finding]:
    kind = _file_system(data)
    if kind in DISTANT:
        yield warning(
            "disk",
            f"{data} is on {kind}: another machine's locks may not be seen there",
            "run nights from one machine only, or put GEOBETA_DATA on a disk of this one",
        )
    apart = sorted(each.name for each in data.iterdir() if each.is_dir() and each.stat().st_dev != data.stat().st_dev)
    if apart:
        yield warning("disk", f"{', '.join(apart)} in {data} lie on another file system", "back each of them up, not the folder alone")


def _file_system(path: Path) -> str:
    best, kind = "", ""
    with contextlib.suppress(OSError):
        for line in Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
            fields = line.split(" ")
            mount = fields[1].replace("\\040", " ")
            if len(mount) >= len(best) and path.resolve().is_relative_to(mount):
                best, kind = mount, fields[2]
    return kind


def locks(settings: Settings) -> Iterator[Finding]:
    """Lock files that another user made, and which are held now. A lock whose holder has died is free: the kernel sees to it."""
    held, strange = [], []
    files = [*(settings.data / "locks").glob("*"), settings.data / "nightly.lock", settings.data / "sandbox" / "lock"]
    for path in files:
        if not path.is_file():
            continue
        try:
            with open(path, "ab") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.append(path.name)
        except PermissionError:
            strange.append(path)
    if strange:
        more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        yield fault(
            "locks",
            f"{strange[0]}{more} may not be opened by user {os.geteuid()}: another user made it",
            "run everything as one user; where nothing is running, give the data folder to this user",
        )
    elif held:
        yield ok("locks", f"a run is at work: {', '.join(held)}")
    else:
        yield ok("locks", "none is held")


def author_key(settings: Settings) -> Iterator[Finding]:
    """The key that stands between authors and their hashes: there, readable, its own."""
    path = settings.data / "author.key"
    if settings.author_key is not None:
        yield ok("author key", "GEOBETA_AUTHOR_KEY")
        return
    if not path.exists():
        if any((settings.data / "tweets").glob("area=*")):
            yield fault(
                "author key",
                f"{path} is gone, and days are here that were hashed with it",
                "put it back from the backup; a new one would make all days anew, with other hashes",
            )
            return
        yield ok("author key", f"none yet: the first night makes {path}")
        return
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        yield fault("author key", f"{path} cannot be read ({error.strerror})", "give it to the user that runs the nights")
        return
    if not key:
        yield fault("author key", f"{path} is empty", "put it back from the backup, or remove it: then all days are made anew")
    elif path.stat().st_mode & 0o077:
        yield warning("author key", f"{path} can be read by others", f"chmod 600 {path}")
    else:
        yield ok("author key", f"{path}")


def binaries(settings: Settings) -> Iterator[Finding]:
    """PostgreSQL's own programs, where no server is given."""
    if settings.database_url is None:
        found = embedded.status(settings)
        yield ok("PostgreSQL", f"version {found.version}, run as {found.user}")


def database_of(settings: Settings, now: datetime) -> Iterator[Finding]:
    """The database: it answers, is of an age that will do, has our tables, and lets itself be written to.

    The embedded one is started, as a night would; nothing is migrated, and what is written is taken back.
    """
    where = "the server of DATABASE_URL" if settings.database_url is not None else "the embedded one"
    with database.typed_errors(), plan.connect(settings) as connection:
        version = int(connection.exec_driver_sql("show server_version_num").scalar_one()) // 10000
        if version < embedded.programs.OLDEST:
            yield fault("database", f"{where} is PostgreSQL {version}", f"wanted {embedded.programs.OLDEST} or newer: use another server")
            return
        if connection.exec_driver_sql("select pg_is_in_recovery() or current_setting('transaction_read_only') = 'on'").scalar_one():
            yield fault("database", f"{where} can only be read", "a standby, or set to read only: name the main server in DATABASE_URL")
            return
        waiting = migrations.waiting(connection)
        connection.exec_driver_sql("create table geobeta_doctor (looked integer)")
        connection.exec_driver_sql("insert into geobeta_doctor values (1)")
        connection.rollback()
        told = f"{where} answers: PostgreSQL {version}, can be written"
        yield ok("database", f"{told}; {waiting} scripts of sql/ to come, which the next run applies" if waiting else f"{told}, up to date")
        if not waiting:
            yield from _reservations(connection)
            yield from _deliveries(connection, now)


def _deliveries(connection: sqlalchemy.Connection, now: datetime) -> Iterator[Finding]:
    """Alarms of the last days of which nobody can say that they arrived."""
    found = alarms.kept(connection, (now - told.RECENT).date(), now.date())
    for alarm in told.doubtful(found):
        what = f"{alarm['kind']} of {alarm['subject']} on {alarm['day']}, by {alarm['channel']}"
        if alarm["status"] == "sending":
            yield warning("alarms", f"{what}: may not have arrived, for the run ended while it was being sent", "see the day's digest")
        else:
            yield warning(
                "alarms", f"{what}: {alarm['error']}", "`python -m pipeline alarms --test` tries the channel; the next night does"
            )


def _reservations(connection: sqlalchemy.Connection) -> Iterator[Finding]:
    found = connection.exec_driver_sql(
        "select count(*), coalesce(sum(posts), 0), coalesce(sum(dollars), 0) from api_reservations"
        f" where sent_at < now() - interval '{OLD_HOURS} hours' and utc_day >= date_trunc('month', now() at time zone 'UTC')::date"
    ).one()
    if found[0]:
        yield warning(
            "budget",
            f"{found[0]} requests of killed runs count as spent at their most: {found[1]:,} posts, ${found[2]:.2f}",
            "nothing: each is settled when its day is fetched again, or when the month ends",
        )
