"""Hours that X does not give, through whole nights: a partial day is published as one, and completed by a night that fetches those."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.sandbox import server as sandbox
from pipeline.sandbox.faults import Script
from pipeline.sandbox.world import World
from pipeline.settings import read
from tests.chain import Installation

pytestmark = pytest.mark.slow

#: 2026-11-10 of Mexico City begins at 06:00 UTC: its hours 8, 9 and 10.
DOWN = (datetime(2026, 11, 10, 14, tzinfo=UTC), datetime(2026, 11, 10, 17, tzinfo=UTC))
NIGHT = ("Nightly", "--date", "2026-11-10")
SETTINGS = "[sandbox]\ntweets_per_day = 600\n[x]\npage_size = 50\nattempts = 2\nlongest_wait_seconds = 0.1\n"


def published(installation: Installation) -> list[tuple[object, ...]]:
    """What is said of the day, study by study."""
    return installation.query(
        "select study, trials, matches, coverage, days_partial, day_coverage_reason from study_days where day = '2026-11-10' order by 1"
    )


def pages(installation: Installation) -> list[dict[str, Any]]:
    """The pages of the day, as its manifest tells them."""
    [path] = (installation.data / "raw").glob("area=*/date=2026-11-10/revision=*/manifest.json")
    found: list[dict[str, Any]] = json.loads(path.read_text())["pages"]
    return found


def test_a_partial_day_is_published_as_one_and_completed_by_a_later_night(installation: Installation, twin: Installation) -> None:
    """Must-show 7: stopped, then partial (0.875); a later night asks for those hours alone; in the end all is as without a fault."""
    for one in (installation, twin):
        one.settings = SETTINGS
        one.write()
    world = World.of(read(twin.environment()))
    with sandbox.running(world) as whole:
        twin.environ = {"X_BASE_URL": whole.url}
        assert twin.luigi(*NIGHT).returncode == 0
    with sandbox.running(world, faults=Script(down_hours=[DOWN]), folder=installation.folder) as running:
        log = installation.folder / "requests.log"
        installation.environ = {"X_BASE_URL": running.url}
        assert installation.luigi(*NIGHT).returncode == 30
        assert published(installation) == []
        assert installation.luigi(*NIGHT).returncode == 0
        partial = published(installation)
        assert [row[3:] for row in partial] == [(0.875, 1, "3 of 24 hours missing (08:00-11:00: X did not answer for it)")] * 2
        hours = installation.query("select observed from coverage_hours order by hour")
        assert hours == [(1.0,)] * 8 + [(0.0,)] * 3 + [(1.0,)] * 13
        assert (
            "3 hours missing, asked for again"
            in installation.python("pipeline", "plan", "--from", "2026-11-10", "--to", "2026-11-10").stdout
        )

        # still down: asked for once, nothing lost, nothing restated, no failure
        sent, before = len(log.read_text().splitlines()), len(pages(installation))
        assert installation.luigi(*NIGHT).returncode == 0
        assert published(installation) == partial
        assert installation.query("select count(*) from posterior_history") == [(0,)]
        assert len(log.read_text().splitlines()) > sent

        running.faults = Script()
        mended = installation.luigi(*NIGHT)
        assert mended.returncode == 0
        # in one go: the page, too, knows beforehand that it may change
        assert "it is tried again" not in mended.stdout
        spans = {tuple(page["span"]) for page in pages(installation)[before:]}
        assert spans == {tuple(edge.isoformat() for edge in DOWN)}

        sent = len(log.read_text().splitlines())
        assert installation.luigi(*NIGHT).returncode == 0
        assert len(log.read_text().splitlines()) == sent
    assert published(installation) == published(twin)
    assert [row[3:] for row in published(twin)] == [(1.0, 0, "")] * 2
    assert installation.query("select study, coverage from posterior_history order by 1") == [("traffic", 0.875), ("water", 0.875)]
    told, wanted = installation.checksums(), twin.checksums()
    for table in ("tweets", "tweet_matches", "daily_counts", "author_counts"):
        assert told[table] == wanted[table], table
