"""How `status` and `plan` show what was spent at X, against the limits that the settings set."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.settings import Settings
    from pipeline.spend import DaySpend, Spent

#: Runs that the budget stopped are told of for so many days.
DAYS_TOLD = 14

_STOPPED = """
select task, parameters, started_at, count(*) over () as runs
from task_runs
where status = 'stopped' and started_at > :since
order by started_at desc
limit 1
"""


def show(settings: Settings, connection: Any, now: datetime, out: Console) -> None:
    """The UTC day by endpoint, the month, what is reserved, each with its limit; and whether the budget stopped runs of late."""
    from rich.table import Table

    from pipeline import plan, spend

    if not plan.has_ledger(connection):
        return
    spent = spend.read(connection, now)
    today = [row for row in spend.by_day(connection, spent.day) if row.day == spent.day]
    out.print()
    note = ", made up: nothing is paid" if settings.synthetic else ""
    if not (spent.dollars_month or spent.posts_month or today or spent.reserved_dollars_month):
        out.print(f"spent at X in {spent.day:%B %Y} (UTC{note}): nothing{_limits(settings)}", markup=False)
    else:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column(f"spent at X (UTC{note})", overflow="fold")
        for heading in ("requests", "posts paid", "US dollars", "limit"):
            table.add_column(heading, overflow="fold", justify="right")
        for cells in _rows(settings, spent, today):
            table.add_row(*cells)
        out.print(table)
    _stopped(connection, now, out)


def _rows(settings: Settings, spent: Spent, today: list[DaySpend]) -> list[tuple[str, str, str, str, str]]:
    posts, dollars = settings.x.max_posts_per_day, settings.x.max_usd_per_month
    limit = "" if posts is None else f"{posts:,} posts"
    rows = [(f"today, {spent.day}", f"{sum(row.requests for row in today):,}", f"{spent.posts_day:,}", usd(spent.dollars_day), limit)]
    rows += [(f"  {row.endpoint}", f"{row.requests:,}", f"{row.posts_billed:,}", usd(row.dollars), "") for row in today]
    if spent.reserved_posts_day or spent.reserved_dollars_month:
        rows.append(("on its way, at most", "", f"{spent.reserved_posts_day:,}", usd(spent.reserved_dollars_month), ""))
    limit = "" if dollars is None else usd(dollars)
    rows.append((f"{spent.day:%B %Y}", "", f"{spent.posts_month:,}", usd(spent.dollars_month), limit))
    return rows


def _limits(settings: Settings) -> str:
    x = settings.x
    said = [f"{x.max_posts_per_day:,} posts a day"] if x.max_posts_per_day is not None else []
    said += [f"{usd(x.max_usd_per_month)} a month"] if x.max_usd_per_month is not None else []
    return f"; the limit is {' and '.join(said)}" if said else ""


def _stopped(connection: Any, now: datetime, out: Console) -> None:
    from sqlalchemy import text

    found = connection.execute(text(_STOPPED), {"since": now - timedelta(days=DAYS_TOLD)}).one_or_none()
    if found is not None:
        of = " ".join([found.task, *map(str, found.parameters.values())])
        runs = f"{found.runs} run{'' if found.runs == 1 else 's'} in {DAYS_TOLD} days"
        out.print(f"stopped by the budget: {runs}, the newest {of} ({found.started_at:%Y-%m-%d %H:%M} UTC)", markup=False)


def usd(amount: float) -> str:
    """Dollars and cents, "$0.005" where cents would hide it."""
    return f"${amount:,.2f}" if abs(round(amount, 2) - amount) < 1e-6 else f"${amount:,.3f}"
