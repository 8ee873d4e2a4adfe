"""kill -9 of an import's whole process group, anywhere: the next one reads what is left, and ends in the same bytes and tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline import importing
from pipeline import settings as configured
from pipeline.cli import import_luigi
from pipeline.importing import import_runs
from pipeline.progress import silent
from pipeline.settings import Settings
from pipeline.sources import archive
from tests.chain import Installation, installed
from tests.faults.test_kills import points_in_the_code
from tests.opened import opened
from tests.thirty_archives import write

pytestmark = pytest.mark.slow

#: Where an import is killed: fault point, and at which passing over all processes. Each row is one import, begun and killed four times.
KILLS = [
    [("import.begin", 1), ("import.batch", 9), ("import.published", 5), ("import.outcome", 8)],
    [("import.batch", 1), ("import.read", 3), ("import.publish", 4), ("import.retired", 6)],
    [("import.outcome", 1), ("import.manifest", 7), ("import.begin", 6), ("import.batch", 4)],
    [("import.retired", 1), ("import.publish", 1), ("import.read", 8), ("import.published", 9)],
    [("import.manifest", 2), ("import.outcome", 12), ("import.begin", 5), ("import.publish", 7)],
]
NIGHTS = ("2026-11-05", "2026-11-07")


@dataclass
class Made:
    """What an import and the nights after it made."""

    extracts: dict[str, dict[str, bytes]]
    tables: dict[str, str]


def extracts(settings: Settings) -> dict[str, dict[str, bytes]]:
    """Every file of every extract, but for the file's name: of two with the same bytes it is that of whichever was first."""
    found: dict[str, dict[str, bytes]] = {}
    for digest in archive.held(settings):
        found[digest] = {path.name: path.read_bytes() for path in archive.folder(settings, digest).iterdir()}
        manifest = json.loads(found[digest]["manifest.json"])
        del manifest["name"]
        found[digest]["manifest.json"] = json.dumps(manifest).encode()
    return found


def settings_of(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Point this process, and the children of its imports, at an installation."""
    installation.settings = "[import]\nbatch_rows = 20\n[sandbox]\ntweets_per_day = 20\n"
    installation.areas += 'source = "archive"\n'
    installation.write()
    environment = installation.environment()
    for name in ("GEOBETA_CONFIG", "GEOBETA_DATA", "GEOBETA_AUTHOR_KEY", "DATABASE_URL"):
        monkeypatch.setenv(name, environment[name])
    return configured.read()


def bring(settings: Settings, paths: list[Path]) -> list[import_runs.Outcome]:
    """Import over two processes what is not held yet, as the command does."""
    held = importing.held(settings, paths, importing.wanted(settings))
    left = [path for path in paths if path not in held]
    if not left:
        return []
    run = import_runs.begin(settings, left, since=None, until=None, strict=False)
    return import_luigi.run(settings, run, workers=2, local=True, progress=silent)


def night(installation: Installation) -> dict[str, str]:
    """The tables after the nights of both days."""
    assert installation.nights(*NIGHTS).returncode == 0
    return installation.checksums()


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write(tmp_path_factory.mktemp("archives") / "in")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, server: Settings, paths: list[Path]) -> Iterator[Made]:
    """What one import without a kill makes."""
    with pytest.MonkeyPatch.context() as patch, installed(tmp_path_factory.mktemp("undisturbed"), server) as installation:
        settings = settings_of(installation, patch)
        assert {outcome.status for outcome in bring(settings, paths)} <= {"imported", "held"}
        yield Made(extracts(settings), night(installation))


def test_every_point_of_an_import_is_killed_at() -> None:
    """A fault point that no test kills at protects nothing."""
    found = {name for row in KILLS for name, _ in row}
    assert {name for name in points_in_the_code() if name.startswith("import.")} == found
    assert len({kill for row in KILLS for kill in row}) == sum(map(len, KILLS)) == 20


@pytest.mark.parametrize("kills", KILLS, ids=["+".join(name.removeprefix("import.") for name, _ in row) for row in KILLS])
def test_killed_and_imported_again(
    installation: Installation,
    undisturbed: Made,
    paths: list[Path],
    kills: list[tuple[str, int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No file is opened that is finished; the extracts, and the tables after a night, are those of an undisturbed import."""
    settings = settings_of(installation, monkeypatch)
    monkeypatch.setenv("GEOBETA_KILL_GROUP", "1")
    for number, (point, count) in enumerate(kills):
        monkeypatch.setenv("GEOBETA_KILL_AT", f"{point}:{count}")
        monkeypatch.setenv("GEOBETA_KILL_FILE", str(tmp_path / f"passings-{number}"))
        outcomes = attempt(settings, paths)
        assert any(outcome.failure and "Luigi ended with -9" in outcome.failure.what for outcome in outcomes), (point, count)
        assert (tmp_path / f"passings-{number}").stat().st_size >= count
    monkeypatch.delenv("GEOBETA_KILL_AT")
    assert all(outcome.failure is None for outcome in attempt(settings, paths))
    assert attempt(settings, paths) == []
    assert not list(archive.root(settings).glob(".tmp-*"))
    assert extracts(settings) == undisturbed.extracts
    assert night(installation) == undisturbed.tables


def attempt(settings: Settings, paths: list[Path]) -> list[import_runs.Outcome]:
    """Import what is left; no file of which the extract is there is opened. (A copy has to be, once: who could know?)"""
    digests = [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in paths]
    finished = {path.name for path in archive.root(settings).glob("[0-9a-f]*")}
    done = [path for path, digest in zip(paths, digests, strict=True) if digest in finished and digests.count(digest) == 1]
    with opened(done) as found:
        outcomes = bring(settings, paths)
    assert found == set()
    return outcomes
