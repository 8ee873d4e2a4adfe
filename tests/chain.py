"""A whole installation in a folder: config, data, a database, a sandbox; and the real `python -m luigi` run on it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
import pytest

from pipeline import migrations
from pipeline.sandbox import lifecycle
from pipeline.settings import Settings
from pipeline.settings import read as read_settings
from tests.conftest import AREAS, STUDIES, fresh_database
from tests.servers import Reply, scripted

ROOT = Path(__file__).resolve().parents[1]

#: What differs between two runs that made the same: when, and by which run.
VOLATILE = {
    "partitions": ("loaded_at", "run_id"),
    "posterior_history": ("published_at", "run_id", "id", "replaced_at", "replaced_by"),
    # after a kill a page may be fetched once more (and is billed once)
    "coverage": ("requests",),
    "api_spend": ("requests", "posts"),
    "posteriors": ("published_at", "updated_at", "run_id"),
    "areas": ("first_seen", "recorded_at", "valid_from"),
    "studies": ("first_seen", "recorded_at", "valid_from"),
    "alarms": ("raised_at", "run_id"),
    "alarm_deliveries": ("changed_at", "night", "attempts"),
}
#: The run ledger tells of runs, so it differs by its nature; the ledger's own tests look at it.
NOT_COMPARED = {"task_runs", "schema_migrations", "migrations"}


@dataclass
class Installation:
    """One installation: `run` runs Luigi on it, `checksums` says what its tables hold."""

    folder: Path
    database_url: str
    areas: str = AREAS
    studies: str = STUDIES
    settings: str = "[sandbox]\ntweets_per_day = 120\n[x]\npage_size = 20\n"
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.write()

    def write(self) -> None:
        """Write config/ anew, after a change of areas, studies or settings."""
        config = self.folder / "config"
        config.mkdir(parents=True, exist_ok=True)
        (config / "areas.toml").write_text(self.areas)
        (config / "studies.toml").write_text(self.studies)
        (config / "settings.toml").write_text(self.settings)

    @property
    def data(self) -> Path:
        return self.folder / "var"

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a run: nothing of geobeta's from outside."""
        keep = {key: value for key, value in os.environ.items() if not key.startswith(("X_", "GEOBETA_", "DATABASE_URL", "LUIGI_"))}
        return {
            **keep,
            "GEOBETA_CONFIG": str(self.folder / "config"),
            "GEOBETA_DATA": str(self.data),
            "GEOBETA_AUTHOR_KEY": "a key for tests only",
            "DATABASE_URL": self.database_url,
            **self.environ,
            **more,
        }

    def start(self, *command: str, **environ: str) -> subprocess.Popen[str]:
        """Start `python -m …` from the repository's root, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=self.environment(**environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def python(self, *command: str, timeout: float = 240, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m …` to its end; whatever happens, nothing of its process group is left."""
        process = self.start(*command, **environ)
        try:
            output, _ = process.communicate(timeout=timeout)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        # pytest shows it where the test fails
        print(f"$ python -m {' '.join(command)}  -> {process.returncode}\n{output}")
        return subprocess.CompletedProcess(command, process.returncode, output, "")

    def luigi(self, *arguments: str, workers: int = 1, local: bool = True, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run Luigi on the tasks."""
        scheduler = ("--local-scheduler",) if local else ()
        return self.python("luigi", "--module", "tasks", *arguments, "--workers", str(workers), *scheduler, **environ)

    def nights(self, start: str, stop: str, **options: object) -> subprocess.CompletedProcess[str]:
        """RangeDaily over [start, stop)."""
        far = ("--days-back", "20000", "--task-limit", "1000")
        return self.luigi("RangeDaily", "--of", "Nightly", "--start", start, "--stop", stop, *far, **options)  # type: ignore[arg-type]

    def query(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        """Ask the installation's database; %s stands for a parameter."""
        connection = psycopg2.connect(self.database_url)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters or None)
                return cursor.fetchall()
        finally:
            connection.close()

    def requests(self) -> int:
        """How many requests this installation's own sandbox has had."""
        log = self.data / "sandbox" / "requests.log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def stop(self) -> None:
        """End the sandbox that a run started."""
        with contextlib.suppress(Exception):
            lifecycle.stop(read_settings(self.environment()))

    def checksums(self) -> dict[str, str]:
        """A digest of every table's content, whatever the order of its rows, without what tells when and by whom."""
        tables = [name for (name,) in self.query("select tablename from pg_tables where schemaname = 'public' order by 1")]
        found = {}
        for table in tables:
            if table in NOT_COMPARED:
                continue
            columns = [
                name
                for (name,) in self.query(
                    "select column_name from information_schema.columns where table_schema = 'public' and table_name = %s order by 1", table
                )
                if name not in VOLATILE.get(str(table), ())
            ]
            if table == "partitions":
                # a page's digest is of what it shows, and it shows when that was published
                columns = ["case when dataset <> 'report' then source_digest end" if name == "source_digest" else name for name in columns]
            # one row as text holds every digit: extra_float_digits makes doubles exact
            rows = sorted(repr(row) for row in self.query(f"select {', '.join(map(str, columns))} from {table}"))
            found[str(table)] = f"{len(rows)} rows {hashlib.sha256(chr(10).join(rows).encode()).hexdigest()[:16]}"
        return found

    def wrong_rows(self) -> dict[str, list[tuple[object, ...]]]:
        """What the checks of sql/checks find, by their names; nothing where the tables agree."""
        found = {script.name: self.query(script.content) for script in migrations.scripts(migrations.SQL, "checks")}
        return {name: rows[:5] for name, rows in found.items() if rows}

    def row_versions(self) -> dict[str, int]:
        """A digest of which transaction wrote each row: equal before and after means no row was written."""
        tables = [name for (name,) in self.query("select tablename from pg_tables where schemaname = 'public' order by 1")]
        return {
            str(table): hash(tuple(sorted(str(row[0]) + str(row[1]) for row in self.query(f"select xmin, ctid from {table}"))))
            for table in tables
            if table not in NOT_COMPARED
        }


@contextlib.contextmanager
def installed(folder: Path, server: Settings) -> Iterator[Installation]:
    """An installation with a database of its own; its sandbox is ended with it. Whatever was done to it, its tables agree at the end."""
    with fresh_database(server) as url:
        made = Installation(folder, url)
        try:
            yield made
            assert made.wrong_rows() == {}, "tables that contradict each other: see sql/checks"
        finally:
            made.stop()


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """The URL of an API that takes no token for good."""
    problem = {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}
    with scripted() as server:
        server.script = {number: Reply(status=401, document=problem) for number in range(1, 100)}
        yield server.url


@pytest.fixture
def installation(tmp_path: Path, server: Settings) -> Iterator[Installation]:
    """An installation of one area and two studies, with nothing run yet."""
    with installed(tmp_path / "one", server) as made:
        yield made


@pytest.fixture
def twin(tmp_path: Path, server: Settings) -> Iterator[Installation]:
    """A second one, the same in all but its folder: what the first should have become."""
    with installed(tmp_path / "two", server) as made:
        yield made
