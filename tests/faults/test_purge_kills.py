"""kill -9 of a purge at every step: the next one, though asked for nothing, ends in the same numbers and leaves no trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import importing, purge, retention
from pipeline.settings import Settings
from tests.chain import ROOT
from tests.faults.test_kills import points_in_the_code
from tests.fetched import put_pages
from tests.posts import lines, make_page, make_place
from tests.purging import DAY, NEXT, bring, history, number_of, numbers, post, tweets, words, wrong_rows
from tests.searching import haystack, needles_found

pytestmark = pytest.mark.slow

#: Where a purge is killed: fault point, and at which passing.
KILLS = [
    ("purge.tombstones", 1),
    ("purge.pending", 1),
    ("purge.page", 1),
    ("purge.page", 2),
    ("purge.manifest", 1),
    ("purge.extract_noted", 1),
    ("purge.extract", 1),
    ("purge.extract_manifest", 1),
    ("purge.derived", 1),
    ("purge.derived", 3),
    ("purge.rows", 1),
    ("purge.loaded", 1),
    ("purge.loaded", 2),
    ("purge.restated", 1),
    ("purge.wiped", 1),
]
#: The same of the removal of what is too old.
RETENTION = ("retention.manifest", "retention.raw", "retention.extract_noted", "retention.extract", "retention.files", "retention.rows")
EXPIRE = (
    "from datetime import UTC, datetime; from pipeline import retention, settings;"
    "retention.run(settings.read(), now=datetime(2026, 12, 20, tzinfo=UTC))"
)
#: Where what an archive asks to delete is cut short, from the end of its import on.
APPLIED = (
    "import.published",
    "purge.pending",
    "purge.page",
    "purge.extract",
    "purge.rows",
    "purge.restated",
    "purge.wiped",
    "purge.applied",
)
IMPORT = "from pipeline.cli import main; raise SystemExit(main(['import', '{path}']))"
PURGE = "from pipeline.cli import main; raise SystemExit(main(['purge', '--ids', '{ids}']))"
GONE = (0, 3, 6)


def assert_gone(installation: Settings, ids: list[int]) -> None:
    """The tweets of both days, from numbers, reasons, rows and bytes."""
    assert numbers(installation, DAY) == (7, 3, 7, 3)
    assert numbers(installation, NEXT) == (7, 3, 14, 6)
    said = "6 tweets deleted by their authors; earlier counts restated: "
    assert history(installation) == [(DAY, f"{said}5 of 10 became 3 of 7"), (NEXT, f"{said}10 of 20 became 6 of 14")]
    assert wrong_rows(installation) == {}
    texts = [words(n, n % 2 == 0) for n in GONE] + [words(n + 1000, n % 2 == 0) for n in GONE]
    assert needles_found(haystack(installation), ids, texts) == []


def test_every_point_of_a_purge_is_killed_at() -> None:
    """A fault point that no test kills at protects nothing."""
    found = points_in_the_code()
    assert {name for name in found if name.startswith("purge.")} == {name for name, _ in KILLS} | {*APPLIED} - {"import.published"}
    assert {name for name in found if name.startswith("retention.")} == set(RETENTION)


@pytest.fixture
def installation(make_settings: Callable[..., Settings], tmp_path: Path) -> Settings:
    """One day from pages of X and the next from an archive, all stages done."""
    # with a token, so that X gives what no archive holds
    settings = make_settings(settings="[content]\nretention_days = 30\n", X_BEARER_TOKEN="token")
    halves = (range(9, 4, -1), range(4, -1, -1))
    put_pages(settings, "mexico-city", DAY, *(make_page(*(post(n) for n in half), places=[make_place()]) for half in halves))
    path = tmp_path / "archive.jsonl"
    path.write_bytes(lines(*tweets(NEXT, range(10))))
    importing.run(settings, [path])
    bring(settings)
    return settings


def kill(installation: Settings, database_url: str, script: str, at: str) -> None:
    """Run it in a process of its own, which is killed there."""
    environment = {
        **os.environ,
        "GEOBETA_CONFIG": str(installation.config),
        "GEOBETA_DATA": str(installation.data),
        "GEOBETA_AUTHOR_KEY": "a key for tests only",
        "DATABASE_URL": database_url,
        "X_BEARER_TOKEN": "token",
        "GEOBETA_KILL_AT": at,
    }
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr


@pytest.mark.parametrize(("point", "count"), KILLS, ids=[f"{name}-{count}" for name, count in KILLS])
def test_killed_and_purged_again(installation: Settings, point: str, count: int, tmp_path: Path, database_url: str) -> None:
    """The same counts, posteriors and reasons as of an undisturbed purge, and nothing left of the tweets."""
    ids = [number_of(n) for n in GONE] + [number_of(n, NEXT) for n in GONE]
    asked = tmp_path / "ids.txt"
    asked.write_text("\n".join(map(str, ids)))
    kill(installation, database_url, PURGE.format(ids=asked), f"{point}:{count}")
    purge.run(installation, purge.Asked(), source="an earlier purge")
    assert_gone(installation, ids)
    again = purge.run(installation, purge.Asked(), source="an earlier purge")
    assert (again.tweets, again.days, again.restated) == (0, {}, {})


@pytest.mark.parametrize("point", APPLIED)
def test_deletions_of_an_archive_are_applied_by_the_next(installation: Settings, point: str, tmp_path: Path, database_url: str) -> None:
    """Whoever comes next ends it, with the same numbers and reasons; the file need not be there any more."""
    ids = [number_of(n) for n in GONE] + [number_of(n, NEXT) for n in GONE]
    path = tmp_path / "notices.jsonl"
    path.write_bytes(lines(*({"delete": {"status": {"id": number, "id_str": str(number)}}} for number in ids)))
    kill(installation, database_url, IMPORT.format(path=path), f"{point}:1")
    path.unlink()
    assert purge.to_apply(installation)
    purge.apply_archives(installation)
    assert_gone(installation, ids)
    assert not purge.to_apply(installation)


@pytest.mark.parametrize("point", RETENTION)
def test_a_killed_retention_is_ended_by_the_next(installation: Settings, point: str, database_url: str) -> None:
    """Nothing of the texts is left, and the numbers are as they were."""
    before = [numbers(installation, day) for day in (DAY, NEXT)]
    kill(installation, database_url, EXPIRE, f"{point}:1")
    retention.run(installation, now=datetime(2026, 12, 20, tzinfo=UTC))
    texts = [words(n + extra, n % 2 == 0) for n in range(10) for extra in (0, 1000)]
    assert needles_found(haystack(installation), [], texts) == []
    assert [numbers(installation, day) for day in (DAY, NEXT)] == before
    assert wrong_rows(installation) == {}
    assert not (installation.data / "purge" / "wipe").exists()
    assert not retention.run(installation, now=datetime(2026, 12, 20, tzinfo=UTC))
    (report,) = importing.run(installation, [installation.data.parent / "archive.jsonl"]).files
    assert (report.stored, report.expired, report.accounted) == (0, 10, True)
