"""What status shows of the ledger: the UTC day by endpoint, the month, what is reserved, the limits, and runs that the budget stopped."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from rich.console import Console

from pipeline import database, plan
from pipeline.cli import spending
from pipeline.settings import Settings

NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
Make = Callable[..., Settings]


def shown(settings: Settings, width: int = 80) -> str:
    """As on a terminal of so many columns."""
    out = Console(width=width, file=io.StringIO(), record=True, highlight=False)
    with plan.peek(settings) as connection:
        assert connection is not None
        spending.show(settings, connection, NOW, out)
    return "\n".join(line.rstrip() for line in out.export_text().splitlines())


def enter(settings: Settings, *commands: str) -> None:
    with database.transaction(settings) as connection:
        for command in commands:
            connection.execute(sa.text(command))


LEDGER = """insert into api_spend (utc_day, endpoint, requests, posts, posts_billed, dollars) values
    ('2026-11-25', 'counts/recent', 1, 0, 0, 0.005), ('2026-11-25', 'search/recent', 12, 1210, 1200, 6.0),
    ('2026-11-20', 'search/all', 90, 40000, 40000, 200.0), ('2026-10-31', 'search/recent', 5, 500, 500, 2.5)"""
RESERVED = """insert into api_reservations (request_id, utc_day, endpoint, posts, dollars)
    values ('x', '2026-11-25', 'search/recent', 100, 0.5)"""
STOPPED = """insert into task_runs (run_id, task, parameters, status, started_at, ended_at, host, pid, process_started) values
    ('1', 'ExtractTweets', '{"area": "mexico-city", "date": "2026-11-22"}', 'stopped', '2026-11-24T09:15Z', now(), 'h', 1, 'p'),
    ('2', 'ExtractTweets', '{"area": "mexico-city", "date": "2026-11-23"}', 'stopped', '2026-11-25T09:15Z', now(), 'h', 1, 'p'),
    ('3', 'ExtractTweets', '{"area": "mexico-city", "date": "2026-10-01"}', 'stopped', '2026-10-02T09:15Z', now(), 'h', 1, 'p')"""


def test_the_day_the_month_and_the_limits_stand_in_one_table(make_settings: Make) -> None:
    """Every figure of this UTC day and month, in 80 columns; last month's are not in it."""
    settings = make_settings(settings="[x]\nmax_posts_per_day = 5000\nmax_usd_per_month = 250.0\n", X_BEARER_TOKEN="x")
    enter(settings, LEDGER, RESERVED, STOPPED)
    assert shown(settings).strip().splitlines() == [
        "spent at X (UTC)     requests  posts paid  US dollars        limit",
        "today, 2026-11-25          13       1,200      $6.005  5,000 posts",
        "  counts/recent             1           0      $0.005",
        "  search/recent            12       1,200       $6.00",
        "on its way, at most                   100       $0.50",
        "November 2026                      41,200    $206.005      $250.00",
        "stopped by the budget: 2 runs in 14 days, the newest ExtractTweets mexico-city",
        "2026-11-23 (2026-11-25 09:15 UTC)",
    ]


def test_a_month_without_requests_is_one_line(make_settings: Make) -> None:
    """With the limits, where there are any; without a token it says that nothing is paid."""
    assert shown(make_settings(), 200).strip() == "spent at X in November 2026 (UTC, made up: nothing is paid): nothing"
    limited = make_settings(settings="[x]\nmax_posts_per_day = 5000\n", X_BEARER_TOKEN="x")
    assert shown(limited, 200).strip() == "spent at X in November 2026 (UTC): nothing; the limit is 5,000 posts a day"


def test_a_database_without_a_ledger_is_looked_at_all_the_same(make_settings: Make) -> None:
    """One that an older geobeta made: nothing is said, nothing fails."""
    settings = make_settings()
    enter(settings, "drop view api_spend_months", "drop table api_spend")
    assert shown(settings) == ""


@pytest.mark.parametrize(
    ("amount", "words"), [(0.005, "$0.005"), (0.0, "$0.00"), (0.5, "$0.50"), (0.995, "$0.995"), (1234.5, "$1,234.50"), (6.005, "$6.005")]
)
def test_half_a_cent_is_told(amount: float, words: str) -> None:
    """A counts request costs half a cent: it must not look like none, or like a whole one."""
    assert spending.usd(amount) == words
