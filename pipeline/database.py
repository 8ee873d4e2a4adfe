"""The database as the stages see it: its address, transactions whose errors are ours, one way to replace a partition, markers.

What a partition holds is the stages' affair (load.py, posterior.py), how its rows get into a table is copying.py's.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias
from urllib.parse import quote

import psycopg2
import sqlalchemy as sa
from psycopg2 import errorcodes
from sqlalchemy.exc import DBAPIError

from pipeline import embedded, faults, merging, migrations
from pipeline.copying import Rows
from pipeline.errors import DatabaseUnavailable, LoadMismatch, PermanentError, PipelineError, SettingsError
from pipeline.settings import Settings

#: What a partition is called: dataset, area or study ('' for the report), day.
Key: TypeAlias = tuple[str, str, date]

#: SQLSTATE classes and codes that time can mend: connection, rollback (deadlock, serialization), resources, operator, system.
PASSING_CLASSES = ("08", "40", "53", "57", "58")
PASSING_CODES = (errorcodes.LOCK_NOT_AVAILABLE, errorcodes.READ_ONLY_SQL_TRANSACTION, errorcodes.IDLE_IN_TRANSACTION_SESSION_TIMEOUT)

#: Words of libpq, which has no code for a refused connection, that a person has to act on.
REFUSED = ("authentication failed", "no password supplied", "no pg_hba.conf entry", "does not exist", "is not permitted to log in")

_engines: dict[str, sa.Engine] = {}
_guard = threading.Lock()


def _forget_parent() -> None:
    """After a fork the parent's connections are the parent's: drop the engines, and leave their sockets alone."""
    global _guard
    _guard = threading.Lock()
    for engine in _engines.values():
        engine.dispose(close=False)
    _engines.clear()


os.register_at_fork(after_in_child=_forget_parent)


# --- address ---------------------------------------------------------------------------------------------------------------


def _address(settings: Settings) -> sa.URL:
    """The configured server, or the embedded one, which is started if need be."""
    given = settings.database_url.get_secret_value() if settings.database_url is not None else None
    try:
        parsed = sa.make_url(given if given is not None else embedded.ensure_running(settings))
    except (sa.exc.ArgumentError, ValueError):  # where a password stands in the port's place, int()'s own words would show it
        parsed = None
    if parsed is None or parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise SettingsError("DATABASE_URL is not a PostgreSQL URL", todo="wanted: postgresql://user:password@host:port/database") from None
    if "@" in f"{parsed.host}{parsed.database}":
        # the rest of a password would be taken for the host, and shown by whoever does not find it
        raise SettingsError(
            "DATABASE_URL has an @ where the host or the database stands",
            todo="write @ : / ? # of a password as %40 %3A %2F %3F %23",
        )
    if isinstance(secret := parsed.query.get("password"), str):
        # libpq takes it there too, but everybody who shows an address hides it only before the @
        user = str(parsed.query.get("user") or parsed.username or "")
        parsed = parsed.difference_update_query(["user", "password"]).set(username=user, password=secret)
    return parsed.set(drivername="postgresql+psycopg2")


def url(settings: Settings) -> str:
    """The address for SQLAlchemy, password and all: always postgresql+psycopg2, whatever was given (plain means psycopg 3 there).

    Raises:
        SettingsError: DATABASE_URL is not PostgreSQL's.
        DatabaseUnavailable: the embedded server does not start.
    """
    return _address(settings).render_as_string(hide_password=False)


def password(settings: Settings) -> str | None:
    """The password in the address, so that it can be kept out of what people read."""
    given = _address(settings).password
    return None if given is None else str(given)


def libpq_url(settings: Settings) -> str:
    """The address for psql, pg_dump and every other program of libpq, password and all."""
    address = _address(settings)

    def part(text: object) -> str:
        return quote(str(text), safe="")

    user = "" if address.username is None else part(address.username)
    if address.password is not None:
        user += f":{part(address.password)}"
    host = "" if address.host is None else f"[{address.host}]" if ":" in address.host else part(address.host)
    port = "" if address.port is None else f":{address.port}"
    pairs = [(key, value) for key, values in address.normalized_query.items() for value in values]
    query = "&".join(f"{part(key)}={part(value)}" for key, value in pairs)  # libpq knows %20 and not +
    return f"postgresql://{user}{'@' if user else ''}{host}{port}/{part(address.database or '')}{'?' if query else ''}{query}"


def engine(settings: Settings) -> sa.Engine:
    """The engine of this process, with the database migrated. Never share one across a fork: call this again there.

    Raises:
        SettingsError, DatabaseUnavailable: see `url`, and pipeline.migrations.apply.
    """
    if settings.database_url is None and embedded.seems_running(settings):
        # a look at the process instead of a connection; whoever connects finds out the rest
        found = _engines.get(str(settings.data))
        if found is not None:
            return found
    address = _address(settings)
    key = str(settings.data) if settings.database_url is None else address.render_as_string(hide_password=False)
    with _guard:
        if key not in _engines:
            timeout = settings.database.connect_timeout_seconds
            made = sa.create_engine(
                address,
                pool_pre_ping=True,
                pool_size=2,
                connect_args={"connect_timeout": timeout, "application_name": "geobeta", "client_encoding": "utf8"},
            )
            with typed_errors():
                migrations.apply(made)
            _engines[key] = made
        return _engines[key]


# --- transactions and errors -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def transaction(settings: Settings, *, snapshot: bool = False) -> Iterator[sa.Connection]:
    """One READ COMMITTED transaction: committed when the block ends well, else rolled back. Times are UTC in it.

    With `snapshot` it only reads, and all its queries see the same moment (REPEATABLE READ, read only).

    Raises:
        DatabaseUnavailable: no connection, a deadlock, a wait that took too long: what trying again can mend.
        LoadMismatch: the database refused the rows. SettingsError: it refused us. PermanentError: anything else it said.
    """
    with typed_errors(), _connect(settings) as connection:
        if snapshot:
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            # not session settings: a pooler between us and the server may hand the session to another
            limits = {
                "lock": f"{int(settings.database.lock_timeout_seconds * 1000)}ms",
                "statement": f"{int(settings.database.statement_timeout_seconds * 1000)}ms",
            }
            connection.execute(
                sa.text(
                    "select set_config('TimeZone', 'UTC', true), set_config('lock_timeout', :lock, true),"
                    " set_config('statement_timeout', :statement, true)"
                ),
                limits,
            )
            yield connection


def _connect(settings: Settings) -> sa.Connection:
    try:
        return engine(settings).connect()
    except DBAPIError:
        if settings.database_url is not None:
            raise
        # killed a moment ago, or mending its files after that: start it, or wait until it answers
        embedded.ensure_running(settings)
        return engine(settings).connect()


@contextlib.contextmanager
def typed_errors() -> Iterator[None]:
    """Turn what SQLAlchemy and psycopg2 raise into the project's errors."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, psycopg2.Error):
            raise translated(error.orig) from error
        raise
    except psycopg2.Error as error:
        raise translated(error) from error


def translated(error: psycopg2.Error) -> PipelineError:
    """The project's error for one of psycopg2's: what it said, without the rows that it quotes."""
    code = error.pgcode or ""
    said = (error.diag.message_primary or str(error)).strip().splitlines()
    words = f"the database said: {said[0] if said else type(error).__name__}" + (f" (SQLSTATE {code})" if code else "")
    if code[:2] in ("28", "3D") or code == errorcodes.INSUFFICIENT_PRIVILEGE or (not code and any(word in words for word in REFUSED)):
        return SettingsError(words, todo="see DATABASE_URL: user, password, database, and what that user may do")
    if code[:2] in PASSING_CLASSES or code in PASSING_CODES:
        return DatabaseUnavailable(words, todo="run again; if it stays, look at the server's log")
    if not code and isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
        return DatabaseUnavailable(words, todo="see that the server runs and can be reached: `python -m pipeline database status`")
    if code[:2] in ("22", "23"):
        return LoadMismatch(
            words, todo="the files of that partition and the tables do not fit: nothing was changed; report it with the log"
        )
    return PermanentError(words, todo="this is not expected: please report it with the log")


def lock(connection: sa.Connection, *what: object) -> None:
    """Hold the lock of that name until the transaction ends; waits for others up to [database] lock_timeout_seconds.

    Everybody takes them in this order, so that nobody waits in a circle: a partition's key, ("study", name), ("alarms",), ("report",).
    """
    number = int.from_bytes(hashlib.sha256("|".join(map(str, what)).encode()).digest()[:8], signed=True)
    connection.execute(sa.text("select pg_advisory_xact_lock(:number)"), {"number": number})


# --- markers -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Marker:
    """What the table partitions says of a partition: it is there, whole, and what decided it."""

    revision: str
    rows: int
    source_digest: str | None = None
    inputs: str | None = None
    synthetic: bool | None = None
    run_id: str | None = None


def marker(connection: sa.Connection, key: Key) -> Marker | None:
    """The marker of one partition, None where it is not loaded."""
    row = connection.execute(
        sa.text(
            "select revision, rows, source_digest, inputs, synthetic, run_id from partitions"
            " where dataset = :dataset and name = :name and day = :day"
        ),
        {"dataset": key[0], "name": key[1], "day": key[2]},
    ).one_or_none()
    return None if row is None else Marker(*row)


def markers_present(settings: Settings, wanted: Mapping[Key, str]) -> set[Key]:
    """Those of the partitions that are loaded at the wanted revision. One query, however many are asked about."""
    if not wanted:
        return set()
    columns = list(zip(*((*key, revision) for key, revision in wanted.items()), strict=True))
    with transaction(settings) as connection:
        found = connection.execute(
            sa.text(
                "select dataset, name, day from partitions join unnest(cast(:datasets as text[]), cast(:names as text[]),"
                " cast(:days as date[]), cast(:revisions as text[])) as wanted (dataset, name, day, revision)"
                " using (dataset, name, day, revision)"
            ),
            dict(zip(("datasets", "names", "days", "revisions"), map(list, columns), strict=True)),
        )
        return {(row.dataset, row.name, row.day) for row in found}


def days_marked(settings: Settings, wanted: Mapping[date, Mapping[tuple[str, str], str]]) -> set[date]:
    """The days of which all partitions are loaded at the wanted revision. One query, which sends and brings one digest a day.

    Args:
        wanted: day → (dataset, name) → revision.
    """
    if not wanted:
        return set()
    names = sorted({name for markers in wanted.values() for name in markers})
    said = {day: _said([(*name, markers[name]) for name in names if name in markers]) for day, markers in wanted.items()}
    asked = {"datasets": [dataset for dataset, _ in names], "names": [name for _, name in names], "days": list(said)}
    with transaction(settings) as connection:
        # in the order of code points on both sides, whatever the database's locale
        rows = connection.execute(
            sa.text(
                "select day, encode(sha256(convert_to(string_agg("
                '   concat_ws(chr(9), dataset, name, revision), chr(10) order by dataset collate "C", name collate "C"'
                " ), 'UTF8')), 'hex') as said"
                " from partitions join unnest(cast(:datasets as text[]), cast(:names as text[])) as wanted (dataset, name)"
                " using (dataset, name) where day = any(cast(:days as date[])) group by day"
            ),
            asked,
        )
        found = {row.day: row.said for row in rows}
    nothing = _said([])
    # a study that starts later may have markers of days before its start, which nobody wants: then each is looked at
    other = {
        (*name, day): revision
        for day, markers in wanted.items()
        if found.get(day, nothing) != said[day]
        for name, revision in markers.items()
    }
    missing = other.keys() - markers_present(settings, other)
    return set(wanted) - {day for _, _, day in missing}


def _said(markers: Iterable[tuple[str, str, str]]) -> str:
    return hashlib.sha256("\n".join(map("\t".join, markers)).encode()).hexdigest()


def write_marker(connection: sa.Connection, key: Key, new: Marker) -> None:
    """Write or replace a partition's marker: in the transaction that loads it, last."""
    connection.execute(
        sa.text(
            "insert into partitions (dataset, name, day, revision, rows, source_digest, inputs, synthetic, run_id)"
            " values (:dataset, :name, :day, :revision, :rows, :source_digest, :inputs, :synthetic, :run_id)"
            " on conflict (dataset, name, day) do update set (revision, rows, source_digest, inputs, synthetic, run_id, loaded_at)"
            " = (excluded.revision, excluded.rows, excluded.source_digest, excluded.inputs, excluded.synthetic, excluded.run_id, now())"
        ),
        {"dataset": key[0], "name": key[1], "day": key[2], **new.__dict__},
    )


def drop_markers(connection: sa.Connection, dataset: str, name: str, since: date, until: date | None = None) -> int:
    """Make the partitions of `name` from `since` on (to `until`) incomplete: what they were made of has changed. Take their lock first."""
    return connection.execute(
        sa.text("delete from partitions where dataset = :dataset and name = :name and day between :since and coalesce(:until, day)"),
        {"dataset": dataset, "name": name, "since": since, "until": until},
    ).rowcount


# --- partitions ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loaded:
    """What replace_partition did: nothing (`rows` as before) where the wanted revision was there already."""

    loaded: bool
    marker: Marker
    before: Marker | None

    @property
    def changed(self) -> bool:
        """Whether what is stored is other than before, or decided by something else."""
        before, now = self.before, self.marker
        return self.loaded and (before is None or (before.revision, before.source_digest) != (now.revision, now.source_digest))


def replace_partition(
    connection: sa.Connection,
    *,
    key: Key,
    new: Marker,
    content: Sequence[Rows],
    check: Callable[[Marker | None], None] = lambda before: None,
) -> Loaded:
    """Replace a partition in all its tables, inside the caller's transaction, once: whoever comes second finds it done.

    Args:
        connection: of `transaction`.
        key: which partition.
        new: its marker; `rows` and `source_digest` are filled in here (rows: of the first table of `content`).
        content: the rows of each of its tables; read only if they are needed.
        check: called with the old marker before anything is deleted; raises to stop.

    Raises:
        LoadMismatch: the database took other rows than were sent.
    """
    lock(connection, *key)
    before = marker(connection, key)
    if before is not None and before.revision == new.revision:
        return Loaded(False, before, before)
    check(before)
    digest = hashlib.sha256()
    rows = [merging.replace_rows(connection, each, digest if each.digested else None) for each in content]
    faults.point("load.before_marker")
    written = Marker(new.revision, rows[0] if rows else 0, digest.hexdigest()[:16], new.inputs, new.synthetic, new.run_id)
    write_marker(connection, key, written)
    faults.point("load.after_marker")
    return Loaded(True, written, before)
