"""Progress on the Luigi page is worth nothing to a task: what sends it may raise or hang, and the task does not notice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tasks.base import in_words
from tasks.reporting import reporting


class Page:
    """What luigid would have been told; `each` is called before anything is taken."""

    def __init__(self, each: Callable[[], object] = lambda: None) -> None:
        self.messages: list[str] = []
        self.percentages: list[int] = []
        self.each = each

    def message(self, text: str) -> None:
        self.each()
        self.messages.append(text)

    def percentage(self, number: int) -> None:
        self.each()
        self.percentages.append(number)


def test_the_last_value_arrives() -> None:
    """However fast values follow each other, the page ends with the last one."""
    page = Page()
    with reporting("a task", page.message, page.percentage) as tell:
        for number in range(1000):
            tell(number / 1000, f"page {number}")
        tell(1.0, "done")
    assert page.messages[-1] == "done"
    assert page.percentages[-1] == 100
    # five a second, not a thousand: each is a request
    assert len(page.messages) < 100


@pytest.mark.parametrize(("share", "shown"), [(-0.5, 0), (0.0, 0), (0.126, 13), (1.0, 100), (7.0, 100)])
def test_percentages_are_whole_and_between_0_and_100(share: float, shown: int) -> None:
    """What Luigi's bar can show."""
    page = Page()
    with reporting("a task", page.message, page.percentage) as tell:
        tell(share, "so far")
    assert page.percentages == [shown]


def test_an_unknown_share_is_a_message_alone() -> None:
    """None: nobody knows how much there is."""
    page = Page()
    with reporting("a task", page.message, page.percentage) as tell:
        tell(None, "counting")
    assert (page.messages, page.percentages) == (["counting"], [])


def test_outside_a_worker_there_is_nobody_to_tell() -> None:
    """Luigi sets both functions in a worker only."""
    with reporting("a task", None, None) as tell:
        tell(0.5, "half")


def test_what_raises_hurts_nothing_and_is_tried_again() -> None:
    """luigid went away for two values and came back: the third is shown."""
    failures = iter([ConnectionError("no luigid"), RuntimeError("no luigid")])
    tried = threading.Semaphore(0)

    def raise_twice() -> None:
        tried.release()
        for error in failures:
            raise error

    page = Page(raise_twice)
    with reporting("a task", page.message, page.percentage) as tell:
        for number in range(2):
            tell(0.1, f"lost {number}")
            assert tried.acquire(timeout=30)
        tell(0.5, "half")
    assert page.messages == ["half"]
    assert page.percentages == [50]


@pytest.mark.slow
def test_what_hangs_does_not_hold_the_task() -> None:
    """The task goes on and ends while the first message still hangs; nothing it says then waits for luigid."""
    hung, released = threading.Event(), threading.Event()

    def hang() -> None:
        hung.set()
        # a task that waited for this would fail the test, and not hang it
        released.wait(timeout=30)

    page = Page(hang)
    ended: list[Any] = []
    with reporting("a task", page.message, page.percentage) as tell:
        tell(0.1, "first")
        assert hung.wait(timeout=30)
        for number in range(10_000):
            tell(0.5, f"page {number}")
        ended.append("the work")
    assert ended == ["the work"]
    assert not released.is_set()
    # the call that hung has not come back: everything above happened meanwhile
    assert page.messages == []
    released.set()


def test_the_task_s_own_error_comes_through() -> None:
    """Reporting hides nothing of what the task itself raises."""
    with pytest.raises(ZeroDivisionError), reporting("a task", Page().message, Page().percentage):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({"rows_in": 2, "rows_out": 1}, "2 rows in, 1 row out"),
        ({"rows_out": 1234, "requests": 1}, "1,234 rows out, 1 request"),
        ({"rows_out": 0, "requests": None}, "0 rows out"),
    ],
)
def test_what_a_task_made_is_said_in_words(outcome: dict[str, int | None], said: str) -> None:
    """One row is not "1 rows"."""
    assert in_words(outcome) == said
