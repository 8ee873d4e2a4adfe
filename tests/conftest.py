"""What every test may ask for: a fresh, migrated, real database (`database_url`) and settings written to files (`make_settings`)."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import psycopg2
import pytest

from pipeline import database, embedded
from pipeline import settings as settings_module
from pipeline.settings import Settings

hypothesis.settings.register_profile("geobeta", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("geobeta")

AREAS = """
[mexico-city]
box = "-99.3650,19.0482,-98.9403,19.5928"
timezone = "America/Mexico_City"
"""
STUDIES = """
[traffic]
question = "What share speaks of traffic?"
area = "mexico-city"
start = 2026-11-01
match = { words = ["tráfico", "embotellamiento"] }

[water]
question = "What share speaks of water?"
area = "mexico-city"
start = 2026-11-01
match = { words = ["agua"] }
prior = { alpha = 1.0, beta = 9.0 }
"""

#: What of our own environment must not leak into a test.
LEAKY = ("DATABASE_URL", "X_BEARER_TOKEN", "X_BASE_URL", "GEOBETA_CONFIG", "GEOBETA_DATA", "GEOBETA_AUTHOR_KEY", "GEOBETA_FORCE")
#: Where alarms would really be sent.
CHANNELS = ("GEOBETA_WEBHOOK_URL", "GEOBETA_SMTP_URL")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*LEAKY, *CHANNELS, "GEOBETA_KILL_AT", "GEOBETA_KILL_FILE", "GEOBETA_NIGHT"):
        monkeypatch.delenv(name, raising=False)


def write_config(folder: Path, *, areas: str = AREAS, studies: str = STUDIES, settings: str = "") -> Path:
    """Write the three files of a config folder; give the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("areas", areas), ("studies", studies), ("settings", settings)):
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """A short folder that PostgreSQL's account can enter (pytest's own are 0700, and root's server is not root)."""
    with _short_folder() as folder:
        yield folder


@contextlib.contextmanager
def _short_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="geobeta-test-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server() -> Iterator[Settings]:
    """One embedded server for the whole session (of an xdist worker), with the empty, migrated database `geobeta` as the template."""
    with _short_folder() as folder, pytest.MonkeyPatch.context() as patch:
        for name in LEAKY:
            patch.delenv(name, raising=False)
        config = write_config(folder / "config", settings="[database]\nfsync = false\nstart_timeout_seconds = 60.0\n")
        settings = settings_module.read({"GEOBETA_CONFIG": str(config), "GEOBETA_DATA": str(folder / "var")})
        try:
            database.engine(settings).dispose()
            yield settings
        finally:
            embedded.stop(settings)


@pytest.fixture
def database_url(server: Settings) -> Iterator[str]:
    """A libpq URL of a fresh, migrated, empty database that is dropped after the test."""
    with fresh_database(server) as url:
        yield url


@contextlib.contextmanager
def fresh_database(server: Settings) -> Iterator[str]:
    """The same as a context, for tests that want several."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    whole = embedded.ensure_running(server)
    _administer(whole, f'create database "{name}" template geobeta strategy file_copy')
    try:
        yield whole.replace("/geobeta?", f"/{name}?")
    finally:
        for key in [key for key in database._engines if name in key]:
            database._engines.pop(key).dispose()
        _administer(whole, f'drop database if exists "{name}" with (force)')


def _administer(url: str, command: str) -> None:
    connection = psycopg2.connect(url.replace("/geobeta?", "/postgres?"))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(command)
    finally:
        connection.close()


@pytest.fixture
def make_settings(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Settings]:
    """A function that writes config files (given as TOML text) into tmp_path and reads Settings from them.

    GEOBETA_DATA is tmp_path/var and DATABASE_URL the fresh database; `database=False` leaves the latter out and costs nothing.
    Any other environment variable is given by its name.
    """

    def make(areas: str = AREAS, studies: str = STUDIES, settings: str = "", *, database: bool = True, **environ: str) -> Settings:
        config = write_config(tmp_path / "config", areas=areas, studies=studies, settings=settings)
        given = {"GEOBETA_CONFIG": str(config), "GEOBETA_DATA": str(tmp_path / "var"), "GEOBETA_AUTHOR_KEY": "a key for tests only"}
        if database:
            given["DATABASE_URL"] = request.getfixturevalue("database_url")
        return settings_module.read(given | environ)

    return make


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real posts, which are other people's and never in the repository; skips where it is not there."""
    folder = Path(os.environ.get("SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("the folder of real posts is not there: set SHARED_DATA to it")
    return folder


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    """cli.main sets up logging; give the next test back what pytest had."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
