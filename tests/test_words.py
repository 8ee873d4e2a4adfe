"""Numbers and days in words: right to the digit, and readable."""

from __future__ import annotations

import itertools
import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report import words

DAYS = st.lists(st.dates(date(2020, 1, 1), date(2020, 3, 31)), max_size=60)


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.5, "50 in every 100"), (0.123, "12 in every 100"), (0.0123, "12 in every 1,000"), (0.095, "10 in every 100"), (1.0, "all")],
)
def test_a_share_as_a_count_of_tweets(share: float, said: str) -> None:
    """Between ten and a hundred of them, of the smallest round number that gives so many."""
    assert words.of_every(share) == said


def test_a_share_of_nearly_nothing_is_not_called_nothing() -> None:
    """One in a hundred million is fewer than one in a million."""
    assert words.of_every(1e-8) == "fewer than 1 in every 1,000,000"


@given(st.floats(1e-5, 0.99))
def test_the_count_says_the_share(share: float) -> None:
    """To half a unit of its last digit."""
    count, base = re.fullmatch(r"(\d+) in every ([\d,]+)", words.of_every(share)).groups()  # type: ignore[union-attr]
    assert abs(int(count) / int(base.replace(",", "")) - share) <= 0.5000001 / int(base.replace(",", ""))


@given(st.floats(0, 0.9), st.floats(0.0005, 0.1))
def test_an_interval_shows_two_digits_of_its_width(lower: float, width: float) -> None:
    """Its ends never look equal, and are rounded right."""
    text = words.interval(lower, lower + width)
    low, high = (float(end) for end in re.fullmatch(r"([\d.]+) to ([\d.]+)\xa0%", text).groups())  # type: ignore[union-attr]
    assert low < high
    assert abs(low / 100 - lower) <= width / 10
    assert abs(high / 100 - lower - width) <= width / 10


@given(DAYS)
def test_spans_hold_exactly_the_days(days: list[date]) -> None:
    """No day is lost or added, and no two runs touch."""
    runs = words.spans(days)
    held = {first + timedelta(days=step) for first, last in runs for step in range((last - first).days + 1)}
    assert held == set(days)
    assert all(later[0] - earlier[1] > timedelta(days=1) for earlier, later in itertools.pairwise(runs))


def test_days_are_listed_as_runs_and_the_rest_is_counted() -> None:
    """Months and years are written once where one will do."""
    days = [date(2026, 11, 14), date(2026, 11, 15), date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 31), date(2027, 1, 1)]
    assert words.day_list(days) == "14–15 Nov 2026, 30 Nov – 1 Dec 2026, 31 Dec 2026 – 1 Jan 2027"
    assert words.day_list(days, most=1) == "14–15 Nov 2026 and 4 more days"


def test_rules_are_listed_with_what_they_mean() -> None:
    """Words one by one, an expression whole, options in words."""
    assert words.rules({"words": ["a", "b"]}) == ("words", ["a", "b"], ["capital letters and accents do not matter"])
    assert words.rules({"exact": True, "regex": "a|b"}) == ("regex", ["a|b"], ["capital letters and accents count"])


def test_boxes_have_compass_letters() -> None:
    """West and south are not signs that a reader has to know."""
    assert words.box(-99.36, -19.5, 0.0, 19.05) == "99.36° W to 0° E, 19.5° S to 19.05° N"


@pytest.mark.parametrize(("share", "said"), [(1.0, "100"), (0.9999, "99"), (0.875, "88"), (0.0001, "1"), (0.0, "0")])
def test_a_day_that_is_not_whole_is_never_observed_by_a_hundred_per_cent(share: float, said: str) -> None:
    """Nor is one that was begun by nothing."""
    assert words.observed(share) == f"{said}\xa0%"
    assert words.observed(float("nan")) == ""


@pytest.mark.parametrize(
    ("sampled", "population", "about"),
    [(512, 8312, "8,300"), (500, 1_234_567, "1,200,000"), (51, 52, "52"), (509, 511, "510"), (60, 55, "60")],
)
def test_a_sample_says_how_much_of_what_it_is(sampled: int, population: int, about: str) -> None:
    """X's count to two digits, but never fewer than were received."""
    assert words.sample(sampled, population) == f"a sample: {sampled} of about {about} posts"
