"""kill -9 of the whole process group, anywhere: a rerun ends in the same tables, and asks for at most one page again."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.chain import ROOT, Installation

pytestmark = pytest.mark.slow

START, STOP = "2026-11-10", "2026-11-12"

#: Where the run is killed: fault point, and at which passing. Two days, one area, two studies, about six pages a day.
KILLS = [
    ("extract.page", 1),
    ("extract.page", 2),
    ("extract.page", 5),
    ("extract.page", 9),
    ("extract.cursor", 1),
    ("extract.cursor", 3),
    ("extract.cursor", 8),
    ("extract.manifest", 1),
    ("extract.manifest", 2),
    ("clean.parquet", 1),
    ("clean.parquet", 2),
    ("clean.publish", 1),
    ("count.parquet", 1),
    ("count.parquet", 3),
    ("count.publish", 2),
    ("load.copy", 1),
    ("load.copy", 2),
    ("load.copy", 5),
    ("load.before_marker", 1),
    ("load.before_marker", 4),
    ("load.after_marker", 1),
    ("load.after_marker", 5),
    ("posterior.before_copy", 1),
    ("posterior.before_copy", 3),
    ("posterior.before_marker", 1),
    ("posterior.after_marker", 2),
    ("report.page", 1),
    ("report.before_marker", 1),
    ("digest.alarms", 1),
    ("digest.before_marker", 1),
]


def points_in_the_code() -> set[str]:
    """Every name that pipeline/ gives to faults.point."""
    found: set[str] = set()
    for path in (ROOT / "pipeline").rglob("*.py"):
        found |= set(re.findall(r'faults\.point\("([a-z_.]+)"\)', path.read_text()))
    return found


def test_every_point_of_the_nightly_chain_is_killed_at() -> None:
    """A fault point that no test kills at protects nothing; the others have tests of their own."""
    elsewhere = ("import.", "counts.", "embedded.", "holes.", "purge.", "retention.", "sending.")
    assert {name for name in points_in_the_code() if not name.startswith(elsewhere)} == {name for name, _ in KILLS}
    assert len(KILLS) >= 25


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What an uninterrupted run makes; filled by the first test of this process that asks."""
    return {}


@pytest.mark.parametrize(("point", "count"), KILLS, ids=[f"{name}-{count}" for name, count in KILLS])
def test_killed_and_run_again(
    installation: Installation, twin: Installation, undisturbed: dict[str, object], point: str, count: int, tmp_path: Path
) -> None:
    """The tables equal those of an uninterrupted run; at most one page more was asked for."""
    if not undisturbed:
        assert twin.nights(START, STOP).returncode == 0
        undisturbed |= {"tables": twin.checksums(), "requests": twin.requests()}
    killed = installation.nights(
        START, STOP, GEOBETA_KILL_AT=f"{point}:{count}", GEOBETA_KILL_FILE=str(tmp_path / "passings"), GEOBETA_KILL_GROUP="1"
    )
    assert killed.returncode == -signal.SIGKILL, f"{point} was not passed {count} times\n{killed.stdout}"
    again = installation.nights(START, STOP)
    assert again.returncode == 0, again.stdout
    assert installation.checksums() == undisturbed["tables"]
    assert installation.requests() - undisturbed["requests"] <= 1  # type: ignore[operator]
    assert "running" not in {status for (status,) in installation.query("select status from task_runs")}
