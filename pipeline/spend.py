"""What may still be asked of the X API, and the ledger of what was: posts, requests and dollars by UTC day. Prices are prices.py's.

Before a request goes out its worst case is reserved, in a transaction that all processes take one after the other; so limits hold however
many run. What really came replaces the reservation afterwards. A run that is killed in between leaves its reservation, which counts as
spent until the same request is made again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import sqlalchemy as sa

from pipeline import database
from pipeline.errors import BudgetReached, DatabaseUnavailable
from pipeline.prices import dollars
from pipeline.settings import Settings
from pipeline.storage import digest

logger = logging.getLogger("geobeta")

#: Posts of so many UTC days are remembered by id: a day's twice-paid posts can only be of that day, and clocks differ.
DAYS_REMEMBERED: Final = 2


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Spent:
    """What was spent, with what may be on its way (reserved) at its most.

    Attributes:
        day: the UTC day.
        posts_day, dollars_day: billed on that day.
        posts_month, dollars_month: billed in its calendar month (UTC), the day included.
        reserved_posts_day, reserved_dollars_month: of requests without a known end.
    """

    day: date
    posts_day: int
    dollars_day: float
    posts_month: int
    dollars_month: float
    reserved_posts_day: int
    reserved_dollars_month: float


@dataclass(frozen=True)
class DaySpend:
    """One UTC day and endpoint of the ledger."""

    day: date
    endpoint: str
    requests: int
    posts: int
    posts_billed: int
    dollars: float


@dataclass
class _Outcome:
    """How a request ended: kept until the database has taken it."""

    day: date
    endpoint: str
    post_ids: list[int]
    answered: bool
    #: its reservation; None where that stands on
    reservation: str | None


@dataclass
class Account:
    """The account that one run of one thing pays from: call `before` and `after` round every request that is sent.

    Args:
        settings: [x] max_posts_per_day and max_usd_per_month, and the database.
        purpose: what is paid for, such as "tweets mexico-city 2026-11-22"; one process works for a purpose at a time.
        clock: gives the time it is, aware.
    """

    settings: Settings
    purpose: str
    clock: Callable[[], datetime] = lambda: _now()
    _unsettled: list[_Outcome] = field(default_factory=list)
    #: endpoint → the reservation of the request that is on its way, and its posts
    _reserved: dict[str, tuple[str, int]] = field(default_factory=dict)

    def before(self, endpoint: str, posts_at_most: int, request: str = "") -> None:
        """Reserve what the next request may cost.

        Args:
            request: what it asks for: a killed run's reservation gives way to the same request only, for of any other nobody knows the end.

        Raises:
            BudgetReached: that could pass a limit; nothing is reserved, and the request must not be sent.
            DatabaseUnavailable: the ledger cannot be asked, so the limit is not known.
        """
        now = self.clock()
        self._settle()
        name, cost = (
            digest("reservation", self.purpose, endpoint, now.date(), request, length=24),
            dollars(endpoint, requests=1, posts=posts_at_most),
        )
        with database.transaction(self.settings) as connection:
            database.lock(connection, "spend")
            self._refuse_over(_spent(connection, now.date(), but=name), posts_at_most, cost, now)
            connection.execute(
                sa.text(
                    "insert into api_reservations (request_id, utc_day, endpoint, posts, dollars)"
                    " values (:name, :day, :endpoint, :posts, :dollars) on conflict (request_id) do update"
                    " set (posts, dollars, sent_at) = (excluded.posts, excluded.dollars, now())"
                ),
                {"name": name, "day": now.date(), "endpoint": endpoint, "posts": posts_at_most, "dollars": cost},
            )
        self._reserved[endpoint] = name, posts_at_most

    def after(self, endpoint: str, post_ids: Iterable[int] | None, answered: bool) -> None:
        """Enter what the request really cost.

        A page that was paid for is never lost to a ledger that does not answer: then the reservation stands, and the entry follows with
        the next request. It stands, too, behind an answer that cannot be read: X has billed its posts, and nobody knows how many, until
        the same request is made again.

        Args:
            post_ids: of the posts that came; None where there is no knowing (a cut answer).
            answered: whether it was answered with a status of 200, so that it costs what the endpoint's requests cost.
        """
        # midnight may have passed since: the reservation keeps the name that it was given
        name, posts = self._reserved.pop(endpoint, (None, 0))
        unread = answered and post_ids is None and posts > 0
        self._unsettled.append(
            _Outcome(self.clock().date(), endpoint, sorted(set(post_ids or ())), answered, reservation=None if unread else name)
        )
        try:
            self._settle()
        except DatabaseUnavailable as error:
            logger.warning("what %s cost could not be entered, and follows: %s", self.purpose, error.what)

    def _settle(self) -> None:
        if not self._unsettled:
            return
        with database.transaction(self.settings) as connection:
            database.lock(connection, "spend")
            for outcome in self._unsettled:
                _enter(connection, outcome)
                if outcome.reservation is not None:
                    connection.execute(sa.text("delete from api_reservations where request_id = :name"), {"name": outcome.reservation})
        self._unsettled.clear()

    def _refuse_over(self, spent: Spent, posts: int, cost: float, now: datetime) -> None:
        x, today = self.settings.x, now.date()
        have, paid = spent.posts_day + spent.reserved_posts_day, spent.dollars_month + spent.reserved_dollars_month
        if posts and x.max_posts_per_day is not None and have + posts > x.max_posts_per_day:
            got = f"{have:,} of the {x.max_posts_per_day:,} posts of {today} (UTC) are spent, and the next page may have {posts:,}"
            raise self._reached(got, "max_posts_per_day", now, today + timedelta(days=1), never=posts > x.max_posts_per_day)
        # rounded: a sum of cents in binary must not pass a limit that it meets
        if x.max_usd_per_month is not None and round(paid + cost, 6) > x.max_usd_per_month:
            month = f"${x.max_usd_per_month:,.2f} of {today:%B %Y} (UTC)"
            got = f"${paid:,.2f} of the {month} are spent, and the next request may cost ${cost:.3f}"
            raise self._reached(got, "max_usd_per_month", now, _month(today)["next"], never=round(cost, 6) > x.max_usd_per_month)

    def _reached(self, got: str, key: str, now: datetime, free: date, *, never: bool) -> BudgetReached:
        todo = (
            f"nothing: what is fetched is kept, and a run from {free} 00:00 UTC on goes on at its page; or raise [x] {key} in settings.toml"
        )
        if never:
            todo = f"raise [x] {key} in settings.toml, or set page_size (10 or more) lower: no day pays for a request as it is"
        return BudgetReached(
            f"{self.purpose}: {got}",
            todo=todo,
            retry_after=(datetime.combine(free, time(), UTC) - now).total_seconds(),
        )


def account(settings: Settings, purpose: str) -> Account | None:
    """The account to pay from; None without a token, for what the sandbox makes up costs nothing."""
    return None if settings.synthetic else Account(settings, purpose)


def _enter(connection: sa.Connection, outcome: _Outcome) -> None:
    """Add one request to the ledger; posts that were billed on its UTC day already cost nothing (facts/x-api.md)."""
    billed = 0
    if outcome.post_ids:
        billed = connection.execute(
            sa.text("insert into billed_posts (utc_day, post_id) select :day, unnest(cast(:ids as bigint[])) on conflict do nothing"),
            {"day": outcome.day, "ids": outcome.post_ids},
        ).rowcount
    connection.execute(
        sa.text(
            "insert into api_spend as old (utc_day, endpoint, requests, posts, posts_billed, dollars)"
            " values (:day, :endpoint, 1, :posts, :billed, :dollars) on conflict (utc_day, endpoint) do update"
            " set (requests, posts, posts_billed, dollars) = (old.requests + 1, old.posts + excluded.posts,"
            " old.posts_billed + excluded.posts_billed, old.dollars + excluded.dollars)"
        ),
        {
            "day": outcome.day,
            "endpoint": outcome.endpoint,
            "posts": len(outcome.post_ids),
            "billed": billed,
            "dollars": dollars(outcome.endpoint, requests=int(outcome.answered), posts=billed),
        },
    )
    connection.execute(
        sa.text("delete from billed_posts where utc_day <= :before"), {"before": outcome.day - timedelta(days=DAYS_REMEMBERED)}
    )


def spent(settings: Settings, now: datetime | None = None) -> Spent:
    """What the ledger says of the UTC day and month of `now` (aware; None for the clock).

    Raises:
        DatabaseUnavailable: see pipeline.database.transaction.
    """
    with database.transaction(settings) as connection:
        return read(connection, now)


def read(connection: sa.Connection, now: datetime | None = None) -> Spent:
    """The same through a connection that is open already."""
    return _spent(connection, (now or _now()).astimezone(UTC).date())


def by_day(connection: sa.Connection, since: date) -> list[DaySpend]:
    """The ledger from a UTC day on, newest day first."""
    rows = connection.execute(
        sa.text(
            "select utc_day, endpoint, requests, posts, posts_billed, dollars from api_spend where utc_day >= :since"
            " order by utc_day desc, endpoint"
        ),
        {"since": since},
    )
    return [DaySpend(row.utc_day, row.endpoint, row.requests, row.posts, row.posts_billed, float(row.dollars)) for row in rows]


def _spent(connection: sa.Connection, day: date, *, but: str = "") -> Spent:
    """`but`: a reservation that is left out, for it is about to be made anew."""
    found: dict[str, Any] = dict(
        connection.execute(
            sa.text(
                "select coalesce(sum(posts_billed) filter (where utc_day = :day), 0) as posts_day,"
                " coalesce(sum(dollars) filter (where utc_day = :day), 0) as dollars_day,"
                " coalesce(sum(posts_billed), 0) as posts_month, coalesce(sum(dollars), 0) as dollars_month"
                " from api_spend where utc_day >= :first and utc_day < :next"
            ),
            _month(day),
        )
        .mappings()
        .one()
    )
    reserved = connection.execute(
        sa.text(
            "select coalesce(sum(posts) filter (where utc_day = :day), 0) as posts, coalesce(sum(dollars), 0) as dollars"
            " from api_reservations where utc_day >= :first and utc_day < :next and request_id <> :but"
        ),
        {**_month(day), "but": but},
    ).one()
    return Spent(
        day=day,
        posts_day=int(found["posts_day"]),
        dollars_day=float(found["dollars_day"]),
        posts_month=int(found["posts_month"]),
        dollars_month=float(found["dollars_month"]),
        reserved_posts_day=int(reserved.posts),
        reserved_dollars_month=float(reserved.dollars),
    )


def _month(day: date) -> dict[str, date]:
    return {"day": day, "first": day.replace(day=1), "next": (day.replace(day=1) + timedelta(days=32)).replace(day=1)}
