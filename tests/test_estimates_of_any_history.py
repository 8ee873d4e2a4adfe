"""Whatever was counted: nothing but the past of a row shows in it, to the last bit, and the row makes sense."""

from __future__ import annotations

import datetime as dt
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import estimates
from pipeline.study_counts import Counts, Method, authors_since
from tests.counted_days import Day, day, make_counts, make_method, one, publish

few = hypothesis.settings(max_examples=40)

PAIRS = st.integers(0, 30).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
NAMES = st.sampled_from([None, *(f"author-{number}" for number in range(14))])
#: A history with gaps, empty days and nameless tweets.
HISTORIES = st.dictionaries(st.integers(1, 45), st.dictionaries(NAMES, PAIRS, max_size=15), min_size=1, max_size=14)
METHODS = st.builds(
    make_method,
    forget=st.sampled_from([1.0, 0.97, 0.5, "auto"]),
    author_cap=st.sampled_from([None, 3]),
    prior_alpha=st.floats(0.05, 20),
) | st.builds(make_method, forget=st.sampled_from([1.0, 0.97]), author_cap=st.sampled_from([None, 3]), window=st.integers(1, 12))


def bits(row: dict[str, Any]) -> list[str]:
    """A row with every float to its last bit."""
    return [value.hex() if isinstance(value, float) else repr(value) for value in row.values()]


@pytest.mark.slow
@few
@given(HISTORIES, METHODS, st.integers(0, 1000))
def test_no_order_and_no_other_row_shows(history: dict[int, Day], method: Method, shuffle: int) -> None:
    """A row is the same to the last bit alone or among all, with its authors in any order, and whatever days come after it."""
    numbers = sorted(history)
    together = publish(method, make_counts(history), numbers)
    assert [bits(row) for row in publish(method, make_counts(history, shuffle=shuffle), numbers)] == [bits(row) for row in together]
    for number, row in zip(numbers, together, strict=True):
        past = {when: counted for when, counted in history.items() if when <= number}
        assert bits(one(method, past, number)) == bits(row)


def test_days_that_are_borrowed_from_are_needed() -> None:
    """The 28 days before the window of the evening before, or before the oldest of the 28 days that the next one is predicted from."""
    days = [day(number) for number in range(1, 101)]
    assert authors_since(make_method(window=1), days, day(100)) == day(100 - 27 - 28)
    assert authors_since(make_method(window=60), days, day(100)) == day(100 - 60 - 28)
    assert authors_since(make_method(), days, day(100)) is None


@pytest.mark.slow
@few
@given(HISTORIES, METHODS)
def test_older_authors_than_are_needed_need_not_be_read(history: dict[int, Day], method: Method) -> None:
    """What authors_since leaves out changes no bit."""
    number = max(history)
    since = authors_since(method, [day(when) for when in sorted(history)], day(number))
    counts = make_counts(history)
    kept = counts.author_days >= np.datetime64(since or dt.date.min)
    columns = {name: getattr(counts, name)[kept] for name in ("author_days", "authors", "author_trials", "author_matches")}
    fewer = Counts(**{name: columns.get(name, getattr(counts, name)) for name in Counts.__dataclass_fields__})
    (row,), (shorter,) = publish(method, counts, [number]), publish(method, fewer, [number])
    assert bits(row) == bits(shorter)


@pytest.mark.slow
@few
@given(HISTORIES, METHODS)
def test_whatever_was_counted_the_rows_make_sense(history: dict[int, Day], method: Method) -> None:
    """No rounding takes a number out of its bounds; what a pool learns of an evening is what its row says, to the last bit."""
    numbers = sorted(history)
    rows = publish(method, make_counts(history), numbers)
    for row in rows:
        assert 0 <= row["lower_95"] <= row["upper_95"] <= 1
        assert 0 <= row["effective_matches"] <= row["effective_trials"] <= row["trials"] * (1 + 1e-12)
        assert row["design_effect"] is None or row["design_effect"] >= 1
        assert row["without_top"] is None or 0 <= row["without_top"] <= 1
        assert row["surprise"] is None or 0 <= row["surprise"] <= 1
        assert row["alpha"] >= row["prior_alpha"]
        assert row["beta"] >= row["prior_beta"]
    at = np.array([day(number) for number in numbers], dtype="datetime64[D]")
    told = estimates.effective(method, make_counts(history), at)
    assert (told.trials.tolist(), told.matches.tolist()) == tuple(
        [row[name] for row in rows] for name in ("effective_trials", "effective_matches")
    )
