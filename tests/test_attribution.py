"""Why a share moved: the parts add up, each part alone where it alone is at work, and the way back is the way there turned round."""

from __future__ import annotations

from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidCounts
from pipeline.stats import attribution
from pipeline.stats.attribution import Attribution, Cells, attribute

PARTS = ("same_authors", "other_authors", "place_mix", "coverage", "rule_version", "prior")
#: A row: author, place, n, share that matches, share that matches by the old rule, seen on both sides.
ROW = st.tuples(
    st.sampled_from(["", "ann", "bob", "cem", "dua", "eve"]), st.sampled_from(["centre", "north", "south"]),
    st.floats(0, 1e6), st.floats(0, 1), st.floats(0, 1), st.booleans(),
)  # fmt: skip
SIDE = st.lists(ROW, max_size=12)


def side(*rows: tuple[Any, ...]) -> Cells:
    """Cells of rows (author, place, n, k) or (author, place, n, k, comparable)."""
    columns = list(zip(*rows, strict=True)) or [[]] * 4
    names = ("authors", "places", "trials", "matches", "comparable")
    return attribution.cells(**dict(zip(names, columns, strict=False)))


def drawn(rows: list[tuple[Any, ...]]) -> tuple[Cells, list[float]]:
    """A side, and its matches by the old rule."""
    return side(*((who, where, n, n * share, both) for who, where, n, share, _, both in rows)), [n * old for _, _, n, _, old, _ in rows]


def parts(found: Attribution) -> dict[str, float]:
    """Those that are not 0."""
    return {name: getattr(found, name) for name in PARTS if abs(getattr(found, name)) > 1e-12}


@pytest.mark.slow
@hypothesis.settings(max_examples=500)
@given(SIDE, SIDE, st.booleans(), st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_the_parts_add_up(before: list[tuple[Any, ...]], after: list[tuple[Any, ...]], ruled: bool, published: Any) -> None:
    """Of any two sides, with or without another rule, partial days, authors and places that come and go: to 1e-9."""
    (first, _), (second, old) = drawn(before), drawn(after)
    if published is None:
        hypothesis.assume(sum(first.trials) > 0 and sum(second.trials) > 0)
    found = attribute(before=first, after=second, matches_by_old_rule=old if ruled else None, published=published)
    assert sum(getattr(found, name) for name in PARTS) == pytest.approx(found.change, abs=1e-9)
    assert found.change == found.after - found.before
    assert set(found.parts) == set(PARTS)
    assert all(np.isfinite(value) for value in found.parts.values())


@given(SIDE, SIDE)
def test_the_way_back_is_the_way_there_turned_round(before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]) -> None:
    """Exchanging the sides turns every sign, whatever moved."""
    (first, _), (second, _) = drawn(before), drawn(after)
    hypothesis.assume(sum(first.trials) > 0 and sum(second.trials) > 0)
    there, back = attribute(before=first, after=second), attribute(before=second, after=first)
    for name in PARTS:
        assert getattr(back, name) == pytest.approx(-getattr(there, name), abs=1e-9)


@given(SIDE, SIDE, st.randoms(use_true_random=False))
def test_the_order_of_rows_never_shows(before: list[tuple[Any, ...]], after: list[tuple[Any, ...]], shuffle: Any) -> None:
    """To the last bit."""
    hypothesis.assume(sum(row[2] for row in before) > 0 and sum(row[2] for row in after) > 0)
    wanted = attribute(before=drawn(before)[0], after=drawn(after)[0])
    shuffle.shuffle(before)
    shuffle.shuffle(after)
    assert attribute(before=drawn(before)[0], after=drawn(after)[0]) == wanted


FIRST = (("ann", "north", 10, 2), ("bob", "south", 30, 3))


@pytest.mark.parametrize(
    ("after", "more", "moved"),
    [
        (FIRST, {}, {}),
        ((("ann", "north", 10, 6), ("bob", "south", 30, 3)), {}, {"same_authors": 0.1}),
        ((("cem", "north", 10, 6), ("bob", "south", 30, 3)), {}, {"other_authors": 0.1}),
        ((("", "north", 10, 6), ("bob", "south", 30, 3)), {}, {"other_authors": 0.1}),
        ((("ann", "north", 30, 6), ("bob", "south", 10, 1)), {}, {"place_mix": 0.05}),
        ((*FIRST, ("cem", "east", 40, 35)), {}, {"place_mix": 0.375}),
        ((("ann", "north", 10, 2, True), ("bob", "south", 30, 3, True), ("ann", "north", 40, 35, False)), {}, {"coverage": 0.375}),
        ((("ann", "north", 10, 6, False), ("bob", "south", 30, 3, False)), {}, {"coverage": 0.1}),
        ((("ann", "north", 10, 6), ("bob", "south", 30, 3)), {"matches_by_old_rule": [2, 3]}, {"rule_version": 0.1}),
        (FIRST, {"published": (0.2, 0.15)}, {"prior": -0.05}),
        ((), {"published": (0.2, 0.5)}, {"prior": 0.3}),
    ],
)
def test_what_alone_moved_gets_the_change(after: Any, more: dict[str, Any], moved: dict[str, float]) -> None:
    """One cause at work: the whole change is its part, and the others are 0."""
    found = attribute(before=side(*FIRST), after=side(*after), **more)
    assert parts(found) == pytest.approx(moved)
    assert next(iter(found.parts)) == next(iter(moved), "coverage")


def test_an_author_who_writes_more() -> None:
    """Same authors, same habits, other amounts, one place: that is same_authors too."""
    found = attribute(
        before=side(("ann", "north", 10, 5), ("bob", "north", 10, 1)), after=side(("ann", "north", 30, 15), ("bob", "north", 10, 1))
    )
    assert parts(found) == pytest.approx({"same_authors": 0.1})


def test_authors_may_change_while_their_place_does_not() -> None:
    """Two parts that cancel are shown as two parts."""
    found = attribute(
        before=side(("ann", "north", 10, 5), ("bob", "north", 10, 1)), after=side(("ann", "north", 10, 1), ("cem", "north", 10, 5))
    )
    assert parts(found) == pytest.approx({"same_authors": -0.2, "other_authors": 0.2})


GOOD = {"authors": ["ann"], "places": ["north"], "trials": [3], "matches": [1]}


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        ({"matches": [4]}, "4 matches of 3 trials"),
        ({"authors": ["ann", "bob"]}, "2 authors, 1 places, 1 counts"),
        ({"trials": [0], "matches": [0]}, "no tweets"),
    ],
)
def test_what_cannot_be_is_refused(spoiled: dict[str, Any], said: str) -> None:
    """One valid call, one argument spoiled; more matches by the old rule than trials as well."""
    good = attribution.cells(**GOOD)
    with pytest.raises(InvalidCounts, match=said):
        attribute(before=good, after=attribution.cells(**(GOOD | spoiled)))
    with pytest.raises(InvalidCounts, match="5 matches of 3"):
        attribute(before=good, after=good, matches_by_old_rule=[5])
