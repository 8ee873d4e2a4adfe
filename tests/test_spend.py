"""The budget: limits hold whoever asks and however often it is killed; the ledger says what X would bill."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import database, spend
from pipeline.errors import BudgetReached, DatabaseUnavailable, TransientError
from pipeline.settings import Settings

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
Make = Callable[..., Settings]


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


def account(settings: Settings, purpose: str = "tweets mexico-city 2026-11-22", clock: Clock | None = None) -> spend.Account:
    return spend.Account(settings, purpose, clock or Clock())


def buy(paying: spend.Account, ids: range | list[int], endpoint: str = "search/recent") -> None:
    """One page."""
    paying.before(endpoint, 100)
    paying.after(endpoint, ids, True)


def test_posts_requests_and_dollars_are_entered_by_utc_day_and_endpoint(make_settings: Make) -> None:
    """$0.005 a post; a counts request costs by the request; a failed one is counted and costs nothing."""
    conf, clock = make_settings(), Clock()
    paying = account(conf, clock=clock)
    buy(paying, range(100))
    paying.before("search/recent", 100)
    paying.after("search/recent", None, False)
    for endpoint in ("counts/recent", "counts/all"):
        paying.before(endpoint, 0)
        paying.after(endpoint, None, True)
    clock.now += timedelta(hours=12)
    buy(paying, range(100, 130))
    with database.transaction(conf) as connection:
        entered = spend.by_day(connection, date(2026, 11, 1))
    today, tomorrow = date(2026, 11, 25), date(2026, 11, 26)
    assert entered == [
        spend.DaySpend(tomorrow, "search/recent", 1, 30, 30, 0.15),
        spend.DaySpend(today, "counts/all", 1, 0, 0, 0.01),
        spend.DaySpend(today, "counts/recent", 1, 0, 0, 0.005),
        spend.DaySpend(today, "search/recent", 2, 100, 100, 0.5),
    ]
    found = spend.spent(conf, clock.now)
    assert (found.posts_day, found.posts_month, found.dollars_month) == (30, 130, pytest.approx(0.665))
    assert (found.reserved_posts_day, found.reserved_dollars_month) == (0, 0)
    assert spend.spent(conf, datetime(2026, 12, 1, tzinfo=UTC)).dollars_month == 0


def test_a_post_that_comes_twice_in_a_utc_day_is_paid_once(make_settings: Make) -> None:
    """Whoever asks for it, in whichever query; the day after it costs again (facts/x-api.md)."""
    conf, clock = make_settings(), Clock()
    buy(account(conf, "tweets a", clock), [1, 2, 3, 3])
    buy(account(conf, "tweets b", clock), [3, 4])
    assert spend.spent(conf, clock.now).posts_day == 4
    clock.now += timedelta(days=1)
    buy(account(conf, "tweets b", clock), [3, 4])
    assert (spend.spent(conf, clock.now).posts_day, spend.spent(conf, clock.now).posts_month) == (2, 6)
    clock.now += timedelta(days=2)
    buy(account(conf, "tweets b", clock), [9])
    with database.transaction(conf) as connection:
        assert connection.execute(sa.text("select post_id from billed_posts")).scalars().all() == [9]


def test_a_page_that_could_pass_the_day_s_posts_is_not_asked_for(make_settings: Make) -> None:
    """It says what is spent, until when to wait, which key to raise; the next UTC day is free again."""
    conf, clock = make_settings(settings="[x]\nmax_posts_per_day = 250\n"), Clock()
    paying = account(conf, clock=clock)
    buy(paying, range(100))
    buy(paying, range(100, 200))
    with pytest.raises(BudgetReached, match=r"200 of the 250 posts of 2026-11-25 \(UTC\).* may have 100") as told:
        paying.before("search/recent", 100)
    assert "2026-11-26 00:00 UTC" in told.value.todo
    assert "max_posts_per_day" in told.value.todo
    assert told.value.retry_after == 12 * 3600
    assert isinstance(told.value, TransientError)
    paying.before("search/recent", 50)
    paying.after("search/recent", range(200, 250), True)
    # what returns no post is not held by a limit of posts
    paying.before("counts/recent", 0)
    paying.after("counts/recent", None, True)
    clock.now += timedelta(hours=12)
    buy(paying, range(100))


def test_a_request_that_could_pass_the_month_s_dollars_is_not_sent(make_settings: Make) -> None:
    """Counted at its worst case; free again on the first of the next month, across a year's end as well."""
    conf, clock = make_settings(settings="[x]\nmax_usd_per_month = 1.0\n"), Clock(datetime(2026, 12, 31, 18, tzinfo=UTC))
    paying = account(conf, clock=clock)
    buy(paying, range(100))
    buy(paying, range(100, 199))
    with pytest.raises(BudgetReached, match=r"\$0\.99 of the \$1\.00 of December 2026.*\$0\.500") as told:
        paying.before("search/recent", 100)
    assert told.value.retry_after == 6 * 3600
    paying.before("counts/recent", 0)
    paying.after("counts/recent", None, True)
    with pytest.raises(BudgetReached):
        paying.before("counts/all", 0)
    clock.now += timedelta(hours=7)
    buy(paying, range(100))


def test_what_a_killed_run_had_on_its_way_counts_until_it_is_asked_again(make_settings: Make) -> None:
    """Nobody knows whether the page was paid for. The run that goes on takes the reservation's place: it is not counted twice."""
    conf, clock = make_settings(settings="[x]\nmax_posts_per_day = 150\n"), Clock()
    account(conf, "tweets a", clock).before("search/recent", 100)
    assert spend.spent(conf, clock.now).reserved_posts_day == 100
    with pytest.raises(BudgetReached, match="100 of the 150"):
        account(conf, "tweets b", clock).before("search/recent", 100)
    again = account(conf, "tweets a", clock)
    again.before("search/recent", 100)
    again.after("search/recent", range(40), True)
    found = spend.spent(conf, clock.now)
    assert (found.posts_day, found.reserved_posts_day) == (40, 0)
    buy(account(conf, "tweets b", clock), range(40, 90))


def test_a_request_that_midnight_overtakes_leaves_no_reservation(make_settings: Make) -> None:
    """Reserved on one UTC day, answered on the next: it is entered under the second, and the first keeps nothing back."""
    conf, clock = make_settings(), Clock(datetime(2026, 11, 25, 23, 59, 59, tzinfo=UTC))
    paying = account(conf, clock=clock)
    paying.before("search/recent", 100)
    clock.now += timedelta(seconds=2)
    paying.after("search/recent", range(40), True)
    found = spend.spent(conf, clock.now)
    assert (found.posts_day, found.dollars_month, found.reserved_dollars_month) == (40, pytest.approx(0.2), 0)
    assert spend.spent(conf, NOON).reserved_posts_day == 0


def test_an_answer_that_cannot_be_read_counts_at_its_most_until_it_is_asked_again(make_settings: Make) -> None:
    """A body cut in the middle was billed, and nobody knows for how many posts; asked again the same day, it is known."""
    conf, clock = make_settings(), Clock()
    paying = account(conf, clock=clock)
    paying.before("search/recent", 100)
    paying.after("search/recent", None, True)
    found = spend.spent(conf, clock.now)
    assert (found.posts_day, found.reserved_posts_day) == (0, 100)
    buy(account(conf, clock=clock), range(30))
    found = spend.spent(conf, clock.now)
    assert (found.posts_day, found.reserved_posts_day) == (30, 0)
    # what was refused gave nothing
    paying.before("search/recent", 100)
    paying.after("search/recent", None, False)
    assert spend.spent(conf, clock.now).reserved_posts_day == 0


def test_a_page_whose_entry_was_lost_counts_at_its_most(make_settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bought while the ledger did not answer, and the process ended: the next run's next page does not take its reservation away."""
    conf, clock = make_settings(), Clock()
    paying = account(conf, clock=clock)
    paying.before("search/recent", 100, "page 1")
    with monkeypatch.context() as patch:

        def gone(*_: object, **__: object) -> None:
            raise DatabaseUnavailable("the database said: gone", todo="wait")

        patch.setattr(database, "transaction", gone)
        paying.after("search/recent", range(10), True)
    again = account(conf, clock=clock)
    again.before("search/recent", 100, "page 2")
    again.after("search/recent", range(10, 30), True)
    found = spend.spent(conf, clock.now)
    assert (found.posts_day, found.reserved_posts_day) == (20, 100)


@pytest.mark.parametrize("limit", ["max_posts_per_day = 99", "max_usd_per_month = 0.49"])
def test_a_limit_below_one_page_is_no_matter_of_waiting(make_settings: Make, limit: str) -> None:
    """No later day pays for it either: it says which line to change instead of to wait."""
    paying = account(make_settings(settings=f"[x]\n{limit}\n"))
    with pytest.raises(BudgetReached) as told:
        paying.before("search/recent", 100)
    assert told.value.todo.startswith(f"raise [x] {limit.partition(' ')[0]} in settings.toml, or set page_size")


@pytest.mark.slow
def test_a_limit_holds_for_all_who_ask_at_once(make_settings: Make) -> None:
    """Eight at a time, each page up to 100 posts: together never more than the limit."""
    conf = make_settings(settings="[x]\nmax_posts_per_day = 1000\n")
    database.engine(conf)
    refused: list[str] = []

    def work(number: int) -> None:
        paying = account(conf, f"tweets {number}")
        for page in range(3):
            try:
                paying.before("search/recent", 100)
            except BudgetReached as error:
                refused.append(error.what)
                return
            first = number * 1000 + page * 100
            paying.after("search/recent", range(first, first + 100), True)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert spend.spent(conf, NOON).posts_day == 1000
    assert refused


def test_a_page_is_not_lost_to_a_ledger_that_does_not_answer(make_settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is paid for: the entry follows with the next request, under the UTC day on which it came."""
    conf, clock = make_settings(), Clock()
    paying = account(conf, clock=clock)
    paying.before("search/recent", 100)
    with monkeypatch.context() as patch:

        def gone(*_: object, **__: object) -> None:
            raise DatabaseUnavailable("the database said: gone", todo="wait")

        patch.setattr(database, "transaction", gone)
        paying.after("search/recent", range(10), True)
        with pytest.raises(DatabaseUnavailable):
            paying.before("search/recent", 100)
    assert spend.spent(conf, clock.now).reserved_posts_day == 100
    clock.now += timedelta(days=1)
    buy(paying, range(20))
    assert spend.spent(conf, clock.now - timedelta(days=1)).posts_day == 10
    assert spend.spent(conf, clock.now).posts_day == 20


@given(
    pages=st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.integers(0, 60), max_size=20), st.booleans()), max_size=25),
    limit=st.integers(0, 120),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_never_more_than_the_limit_and_never_a_post_forgotten(
    make_settings: Make, pages: list[tuple[str, list[int], bool]], limit: int
) -> None:
    """Any order of pages of two runs, some killed before they could enter theirs: billed = different posts, at most the limit."""
    conf = make_settings(settings=f"[x]\nmax_posts_per_day = {limit}\n")
    with database.transaction(conf) as connection:
        connection.execute(sa.text("truncate api_spend, api_reservations, billed_posts"))
    came: set[int] = set()
    for who, ids, killed in pages:
        paying = account(conf, who)
        try:
            paying.before("search/recent", 20)
        except BudgetReached:
            continue
        if not killed:
            paying.after("search/recent", ids, True)
            came |= set(ids)
    found = spend.spent(conf, NOON)
    assert found.posts_day == len(came) <= limit
    assert found.posts_day + found.reserved_posts_day <= limit
    assert found.dollars_day == pytest.approx(0.005 * len(came))
