"""Sampled days from the sandbox over HTTP to the tables, the page and the table of the terminal; beside them the same days taken whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline import checks, database, extract, posterior, spend
from pipeline.report import page, table
from pipeline.sandbox import lifecycle
from pipeline.sandbox import server as sandbox
from pipeline.sandbox.world import World
from pipeline.settings import Settings
from tests.conftest import AREAS
from tests.report_days import run_stages

pytestmark = pytest.mark.slow

SAMPLED = AREAS + "sample = { posts = 100 }\n"
CITY = "[sandbox]\ntweets_per_day = 400\nidle_exit_seconds = 60.0\nrhythm = 1.0\n[x]\npage_size = 20\n"
#: Within reach of search/recent on the clock of the machine.
LAST = (datetime.now(UTC) - timedelta(days=3)).date()
DAYS = [LAST - timedelta(days=1), LAST]
NOW = datetime(2026, 11, 12, 9, tzinfo=UTC)


def posts(settings: Settings, day: date) -> dict[str, datetime]:
    """id → when, of every post that X gave of the day."""
    answers = [answer for _, answer in extract.pages(settings, "mexico-city", day)]
    return {post["id"]: datetime.fromisoformat(post["created_at"]) for answer in answers for post in answer.get("data", ())}


def rows(settings: Settings, query: str) -> list[dict[str, Any]]:
    """Ask the database."""
    with database.transaction(settings) as connection:
        return [dict(row) for row in connection.execute(sa.text(query)).mappings()]


@pytest.fixture
def sampled(make_settings: Callable[..., Settings], tmp_path: Path) -> Settings:
    """Two days of two studies, from samples of 100."""
    settings = make_settings(areas=SAMPLED, settings=CITY, GEOBETA_DATA=str(tmp_path / "sampled"))
    run_stages(settings, DAYS)
    return settings


@pytest.mark.slow
def test_a_sampled_day_holds_all_posts_of_its_slices_and_no_others(sampled: Settings, make_settings: Callable[..., Settings]) -> None:
    """As the same day taken whole has them; about as many as wanted; its hours add up."""
    whole = make_settings(settings=CITY)
    for day in DAYS:
        manifest = extract.manifest(sampled, "mexico-city", day)
        slices = [tuple(map(datetime.fromisoformat, piece)) for piece in manifest["sample"]["slices"]]
        everything = (extract.run(whole, "mexico-city", day), posts(whole, day))[1]
        inside = {post: at for post, at in everything.items() if any(start <= at < end for start, end in slices)}
        assert posts(sampled, day) == inside
        assert 80 <= len(inside) <= 120 < len(everything) / 2
        assert (manifest["mode"], manifest["coverage"]) == ("sample", 1.0)
        assert manifest["sample"]["population"] == len(everything)
        assert sum(hour["fetched"] for hour in manifest["hours"]) == len(inside)
        # a request a slice, one more where a page is not enough, and the counts
        assert manifest["requests"] <= len(slices) + 12
    lifecycle.stop(whole)
    lifecycle.stop(sampled)


def test_a_budget_of_about_the_sample_s_size_pays_for_it(make_settings: Callable[..., Settings]) -> None:
    """A slice reserves about what it holds, not a whole page; in the sandbox as in the ledger, the limit holds."""
    day, limit = date(2026, 11, 10), 130
    conf = make_settings(
        areas=SAMPLED, settings=f"[sandbox]\ntweets_per_day = 400\n[x]\nmax_posts_per_day = {limit}\n", X_BEARER_TOKEN="sandbox"
    )
    with sandbox.running(World.of(conf), clock=lambda: NOW) as running:
        conf = conf.model_copy(update={"base_url": running.url})
        manifest = extract.run(conf, "mexico-city", day, now=NOW, account=spend.Account(conf, "tweets", lambda: NOW))
        assert 80 <= manifest["posts"] == spend.spent(conf, NOW).posts_day == running.books.as_dict()["posts_billed"] <= limit
    # nearly always one page a slice
    assert manifest["requests"] <= 1 + 1.2 * len(manifest["sample"]["slices"])


@pytest.mark.slow
def test_a_sample_is_called_one_from_the_tables_to_the_page(sampled: Settings) -> None:
    """Counts, posterior, views, page and terminal; and the tables agree."""
    received = {day: len(posts(sampled, day)) for day in DAYS}
    assert {name: found for name, found in checks.run(sampled).items() if found} == {}
    for row in rows(sampled, "select * from study_days"):
        assert (row["day_basis"], row["day_sampled"], row["day_coverage"]) == ("sample", received[row["day"]], 1.0)
        assert row["day_population"] > 2 * row["day_sampled"] > 2 * row["day_trials"] > 0
        assert (row["basis"], row["days_sampled"]) == ("sample", row["days"])
    days = rows(sampled, "select day, mode, expected, fetched from area_days")
    assert {row["day"]: (row["mode"], row["fetched"]) for row in days} == {day: ("sample", number) for day, number in received.items()}
    assert [row["hours"] for row in rows(sampled, "select count(*) as hours from area_hours group by day")] == [24, 24]
    shown = page.build(sampled, LAST).read_text()
    assert f"a sample: {received[LAST]} of about" in shown
    assert '<span class="tag partial">' not in shown
    assert "a sample" in "\n".join(table.lines(table.rows(sampled, LAST), 200))
    assert posterior.has(sampled, "traffic", LAST)
    lifecycle.stop(sampled)
