"""How `plan` shows what a night would ask of X: queries, requests, posts and dollars a day, and whether the budget pays it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.estimate import Budget, Estimate
    from pipeline.plan import Step
    from pipeline.settings import Settings
    from pipeline.sources import x_api

ASKING = ("ExtractTweets", "ExtractCounts")


def show(settings: Settings, found: Sequence[Step], out: Console, *, now: datetime, offline: bool, queries: bool, up_to: float) -> None:
    """Estimate the steps that ask X, asking for the counts that are not known, and print them; nothing where no step asks."""
    from pipeline import client, estimate, plan, spend

    wanted = [(step.task, step.name, step.day) for step in found if step.task in ASKING and not step.blocked]
    if not wanted:
        return

    def build() -> x_api.Client:
        made = client.build(settings, account=spend.account(settings, "plan"))
        # whoever looks does not want to wait for a rate limit, nor minutes for a server that is down
        made.attempts, made.longest_wait_seconds = min(made.attempts, 2), 5.0
        return made

    estimates, unasked = estimate.night(settings, wanted, now=now, build=None if offline else build, up_to=up_to)
    spent = None
    with plan.peek(settings) as connection:
        if connection is not None and plan.has_ledger(connection):
            spent = spend.read(connection, now)
    out.print()
    _table(settings, estimates, out)
    for line in words(settings, estimates, estimate.budget(settings, spent, estimates), unasked, queries):
        out.print(line, markup=False, soft_wrap=queries and line.startswith("  "))


def _table(settings: Settings, estimates: Sequence[Estimate], out: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    from pipeline.cli.spending import usd
    from pipeline.report import words as said

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("asked of X", "days"):
        table.add_column(heading, overflow="fold")
    table.add_column("endpoint", no_wrap=True)
    for heading in ("queries", "requests", "posts", "US dollars"):
        table.add_column(heading, no_wrap=True, justify="right")
    for (name, endpoint), listed in _grouped(estimates).items():
        known = [each for each in listed if each.posts is not None]
        about = "~" if any(each.basis != "counted" for each in listed) else ""
        counted = known if len(known) == len(listed) else []
        table.add_row(
            escape(name),
            said.day_list([each.day for each in listed], most=2),
            endpoint or "nowhere",
            f"{max(len(each.queries) for each in listed):,}",
            f"{about}{sum((each.requests or 0) + each.counting for each in counted):,}" if counted else "?",
            f"{about}{sum(each.posts or 0 for each in counted):,}" if counted else "?",
            f"{about}{usd(sum(each.dollars or 0.0 for each in counted))}" if counted else "?",
        )
    out.print(table)


def _grouped(estimates: Sequence[Estimate]) -> dict[tuple[str, str], list[Estimate]]:
    grouped: dict[tuple[str, str], list[Estimate]] = {}
    for each in estimates:
        grouped.setdefault((each.name, each.endpoint), []).append(each)
    return grouped


def words(settings: Settings, estimates: Sequence[Estimate], left: Budget, unasked: float, queries: bool) -> list[str]:
    """The lines below the table: the sum, what is left and whether it pays, what is not known and why; with `queries` each query once."""
    from pipeline.cli.spending import usd

    told = [each for each in estimates if each.posts is not None]
    lines = []
    made_up = " (made up: nothing is paid)" if settings.synthetic else ""
    if told:
        posts, requests = sum(each.posts or 0 for each in told), sum((each.requests or 0) + each.counting for each in told)
        dollars = sum(each.dollars or 0.0 for each in told)
        part = f" for {len(told)} of {len(estimates)} days" if len(told) < len(estimates) else ""
        lines.append(f"In all{part}: about {requests:,} requests, {posts:,} posts, {usd(dollars)} by X's price list{made_up}.")
    lines.append("Budget: nothing is paid, so no limit holds." if settings.synthetic else _budget(left))
    if unasked:
        lines.append(f"X was not asked about every day: that would cost {usd(unasked)} more (--ask-up-to); ~ is reckoned from other days.")
    for why in dict.fromkeys(each.why for each in estimates if each.posts is None and each.why):
        lines.append(f"Not known: {why}.")
    if any(each.basis == "counted" and len(each.queries) > 1 and each.posts for each in estimates):
        lines.append("Several queries overlap: their posts are counted once for each that finds them, and paid once.")
    if queries:
        for each in _once(estimates):
            longest = max(map(len, each.queries))
            lines.append(f"{each.name}, {each.endpoint}: {len(each.queries)} of up to {longest:,} characters")
            lines += [textwrap.indent(query, "  ") for query in each.queries]
    return lines


def _once(estimates: Sequence[Estimate]) -> list[Estimate]:
    """One of each name and endpoint, as long as the queries are the same."""
    return list({(each.name, each.endpoint, each.queries): each for each in estimates if each.queries}.values())


def _budget(left: Budget) -> str:
    from pipeline.cli.spending import usd

    if left.posts is None and left.dollars is None:
        return "Budget: no limit is set."
    said = [f"{left.posts:,} posts of this UTC day"] if left.posts is not None else []
    said += [f"{usd(left.dollars)} of this month"] if left.dollars is not None else []
    ends = f"the night would stop before its end ([x] {left.stops})" if left.stops else "enough"
    return f"Budget: {' and '.join(said)} are left; {ends}."
