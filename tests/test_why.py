"""Why a share moved, in built examples where it is known: each part is what was done, and the parts add up."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline import database, why
from pipeline.errors import MissingData
from pipeline.restated import Move
from pipeline.settings import Settings
from pipeline.stats.attribution import Attribution
from pipeline.why import Explanation
from tests.conftest import STUDIES
from tests.towns import Said, day, key, live, publish, write

# whole nights in the database: not for the fast loop
pytestmark = pytest.mark.slow

#: A usual day: 200 tweets in two places, 20 of them matches.
USUAL = [
    *(Said(f"north{number}", 10, 1, "north") for number in range(10)),
    *(Said(f"south{number}", 10, 1, "south") for number in range(10)),
]


def extended(studies: str, more: str) -> str:
    """The study of traffic, which stands first, with more lines."""
    return studies.replace("[water]", f"{more}\n\n[water]")


def with_studies(more: str) -> str:
    """The same of the sample studies."""
    return extended(STUDIES, more)


def shifted(settings: Settings, number: int, nights: int = 1) -> Attribution | None:
    with database.transaction(settings) as connection:
        return why.shift(settings, connection, settings.study("traffic"), day(number), nights)


def adds_up(found: Attribution) -> bool:
    return abs(math.fsum(found.parts.values()) - found.change) <= 1e-9


@pytest.mark.parametrize(
    ("last", "more", "moved"),
    [
        (USUAL, {}, {}),
        ([Said(some.author, 10, 3, some.place) for some in USUAL], {}, {"same_authors": 0.2}),
        ([Said(f"new{number}", 10, 3, some.place) for number, some in enumerate(USUAL)], {}, {"other_authors": 0.2}),
        ([*USUAL, Said("robot", 50, 50, "north"), Said("other", 50, 5, "south")], {}, {"other_authors": 0.15}),
        ([*USUAL, Said("crowd", 200, 180, "stadium")], {}, {"place_mix": 0.4}),
        ([Said(some.author, 10, 3, some.place, hour=3) for some in USUAL], {"missing": range(6, 24)}, {"coverage": 0.2}),
    ],
    ids=["nothing", "same authors", "other authors", "a robot", "a crowd", "missing hours"],
)
def test_what_alone_moved_a_day_gets_the_change(
    make_settings: Callable[..., Settings], last: list[Said], more: dict[str, Any], moved: dict[str, float]
) -> None:
    """One cause on the last of ten days: the whole change is its part."""
    settings = make_settings()
    for number in range(1, 10):
        live(settings, number, USUAL)
    live(settings, 10, last, **more)
    found = shifted(settings, 10)
    assert found is not None
    assert adds_up(found)
    assert found.before == pytest.approx(0.1)
    assert {name: part for name, part in found.parts.items() if abs(part) > 1e-9} == pytest.approx(moved)


def explained(settings: Settings, number: int) -> Explanation:
    with database.transaction(settings) as connection:
        return why.explain(settings, connection, settings.study("traffic"), day(number))


def checked(move: Move | None) -> dict[str, float]:
    """The parts above rounding; they add up."""
    assert move is not None
    assert math.fsum(move.parts.values()) == pytest.approx(move.change, abs=1e-9)
    return {name: part for name, part in move.parts.items() if abs(part) > 1e-9}


def test_a_row_against_the_row_before(make_settings: Callable[..., Settings]) -> None:
    """The day enters with its weight: authors who match more, and the prior, which pulls less."""
    settings = make_settings(studies=with_studies("prior = { alpha = 5.0, beta = 5.0 }"))
    for number in range(1, 5):
        live(settings, number, USUAL)
    live(settings, 5, [Said(some.author, 10, 3, some.place) for some in USUAL])
    found = explained(settings, 5)
    assert found.same
    assert found.previous == day(4)
    assert found.day is not None
    assert (found.day.before, found.day.after) == pytest.approx((0.1, 0.3))
    parts = checked(found.row)
    assert parts.keys() == {"same_authors", "prior"}
    # four days of .1 and one of .3
    assert parts["same_authors"] == pytest.approx(0.04)
    assert parts["prior"] < 0


def test_hours_that_the_last_day_misses_are_coverage_in_its_row_too(make_settings: Callable[..., Settings]) -> None:
    """Mornings speak less of traffic than evenings: a day that has its morning alone moves the share by what it lacks."""
    settings = make_settings()
    whole = [Said(f"a{number}", 5, matches, hour=hour) for number in range(20) for hour, matches in ((8, 1), (18, 3))]
    for number in range(1, 5):
        live(settings, number, whole)
    live(settings, 5, [some for some in whole if some.hour == 8], missing=range(12, 24))
    found = explained(settings, 5)
    assert checked(found.day) == pytest.approx({"coverage": -0.2})
    parts = checked(found.row)
    assert parts.pop("prior", 0.0) == pytest.approx(0.0, abs=1e-4)
    assert parts == pytest.approx({"coverage": (4 * 80 + 20) / 900 - 0.4})
    assert "12-24 (local time)" in found.row.notes[0]  # type: ignore[union-attr]


NEW_RULE = STUDIES.replace('"embotellamiento"', '"calor"')


@pytest.mark.parametrize(
    ("studies", "late", "moved"),
    [
        (STUDIES, True, {"days"}),
        (NEW_RULE, False, {"rule_version"}),
        (NEW_RULE, True, {"rule_version", "days"}),
        (with_studies("prior = { alpha = 1.0, beta = 99.0 }"), False, {"prior"}),
        (with_studies("forget = 0.5"), False, {"forgetting"}),
        (with_studies("window = 3"), True, {"forgetting", "days"}),
    ],
    ids=["late day", "rule", "rule and late day", "prior", "forgetting", "window and late day"],
)
def test_why_a_row_was_published_anew(make_settings: Callable[..., Settings], studies: str, late: bool, moved: set[str]) -> None:
    """The cause gets the change, two causes get their own; the prior's pull changes a little with all of them."""
    settings = make_settings()
    days = {number: [Said(f"a{some}", 10, number) for some in range(20)] for number in range(1, 5)}
    for number in (1, 3, 4):
        live(settings, number, days[number])
    if late:
        write(settings, 2, [Said(f"a{some}", 10, 0) for some in range(20)])
    settings = make_settings(studies=studies)
    for number in (1, 2, 3, 4) if late else (1, 3, 4):
        publish(settings, number)
    found = explained(settings, 4)
    assert found.same
    assert len(found.publications) == 1 + len(found.restatements)
    whole: dict[str, float] = {}
    for move in found.restatements:
        for name, part in checked(move).items():
            whole[name] = whole.get(name, 0.0) + part
    assert {name for name, part in whole.items() if abs(part) > 0.02} == moved
    assert math.fsum(whole.values()) == pytest.approx(found.publications[-1].share - found.publications[0].share, abs=1e-9)


def test_a_row_after_one_of_another_rule(make_settings: Callable[..., Settings]) -> None:
    """The day before is not counted anew, as after retention_days: the rule's part is told from the day's by the texts of the day."""
    settings = make_settings(studies=with_studies("prior = { alpha = 0.001, beta = 0.001 }"))
    live(settings, 1, USUAL)
    write(settings, 2, [Said(some.author, 10, 2, some.place) for some in USUAL])
    settings = make_settings(studies=extended(NEW_RULE, "prior = { alpha = 0.001, beta = 0.001 }"))
    publish(settings, 2)
    found = explained(settings, 2)
    assert found.same
    assert found.row is not None
    # .1 the day before, .2 of this day by the old rule, 1 by the new one
    assert checked(found.row) == pytest.approx({"days": 0.1, "rule_version": 0.8, "prior": 0.0}, abs=1e-3)


def test_where_texts_are_gone_the_rule_takes_what_days_may_have_done(make_settings: Callable[..., Settings]) -> None:
    """And it says so; places are gone too, so that kinds of evidence are all there is of where."""
    settings = make_settings()
    for number in (1, 2):
        live(settings, number, USUAL)
    settings = make_settings(studies=NEW_RULE)
    for number in (1, 2):
        publish(settings, number)
    with database.transaction(settings) as connection:
        connection.execute(sa.text("update tweets set text = null, place_id = null where day = '2026-11-01'"))
    found = explained(settings, 2)
    (move,) = found.restatements
    assert checked(move).keys() == {"rule_version", "prior"}
    assert "only the kind of evidence" in found.day.notes[0]  # type: ignore[union-attr]


def test_days_whose_tweets_are_gone_are_compared_by_author(make_settings: Callable[..., Settings]) -> None:
    """A changed crowd is then one of authors, and the sums still agree."""
    settings = make_settings()
    for number in (1, 2):
        live(settings, number, USUAL)
    live(settings, 3, [*USUAL, Said("crowd", 200, 180, "stadium")])
    with database.transaction(settings) as connection:
        connection.execute(sa.text("delete from tweets where day = '2026-11-02' and tweet_id % 3 = 0"))
    found = explained(settings, 3)
    assert checked(found.day) == pytest.approx({"other_authors": 0.4})
    assert "of 1 day the tweets are not stored any more" in found.day.notes[0]  # type: ignore[union-attr]


def test_whom_the_study_leaves_out_is_on_no_side(make_settings: Callable[..., Settings]) -> None:
    """Neither by author nor by client, however that one is spelt: they move nothing, and the places are still known."""
    left_out = f'exclude = {{ authors = ["{key("robot")}"], clients = ["JOB feed"] }}'
    settings = make_settings(studies=with_studies(left_out))
    for number in (1, 2):
        live(settings, number, USUAL)
    said = [Said(some.author, 10, 3, some.place) for some in USUAL]
    live(settings, 3, [*said, Said("robot", 50, 50, "north"), Said("firm", 50, 50, "south", client="Job Feed")])
    found = explained(settings, 3)
    assert found.counts is not None
    assert found.counts["excluded"] == 100
    assert checked(found.day) == pytest.approx({"same_authors": 0.2})
    assert found.day is not None
    assert found.day.notes == ()


def test_a_row_that_is_not_what_the_counts_give_is_told_from_one_that_is(make_settings: Callable[..., Settings]) -> None:
    """To the last bit; and of a row whose configuration has changed since, that it cannot be told."""
    settings = make_settings()
    live(settings, 1, USUAL)
    assert explained(settings, 1).same is True
    with database.transaction(settings) as connection:
        connection.execute(sa.text("update posteriors set surprise = surprise + 1e-15"))
    assert explained(settings, 1).same is False
    assert explained(make_settings(studies=with_studies("forget = 0.9")), 1).same is None


@pytest.mark.parametrize("more", ["", "forget = 0.9", "window = 3", "author_cap = 2", 'forget = "auto"'])
def test_the_sides_weigh_as_the_posterior_does(make_settings: Callable[..., Settings], more: str) -> None:
    """Of every row and both sides: the share without the prior, to 1e-9."""
    settings = make_settings(studies=with_studies(more))
    for number in range(1, 8):
        live(settings, number, [Said(f"a{some}", 1 + some % 5 * number % 7, some % 5 * number % 7 // 2) for some in range(40)])
    for number in range(2, 8):
        found = explained(settings, number)
        assert found.same
        # it would say that it was made of other days
        assert checked(found.row).keys() <= {"same_authors", "other_authors", "prior", "forgetting"}
        assert found.row is not None
        assert found.row.notes == ()
        assert abs(found.row.parts["prior"]) < 0.02
        checked(found.day)


def test_three_nights_against_those_before(make_settings: Callable[..., Settings]) -> None:
    """Sums of the last three days, and of the days that weigh on the evening before them."""
    settings = make_settings(studies=with_studies("window = 2"))
    for number in range(1, 8):
        live(settings, number, [Said("a", 10, number), Said("b", 10, 0)])
    found = shifted(settings, 7, 3)
    assert found is not None
    assert (found.before, found.after) == pytest.approx(((3 + 4) / 40, (5 + 6 + 7) / 60))
    assert shifted(settings, 7, 0) == shifted(settings, 7, 1)
    assert shifted(settings, 1) is None


def test_nothing_published_is_said(make_settings: Callable[..., Settings]) -> None:
    """With what to do."""
    with pytest.raises(MissingData, match="nothing was published of traffic on 2026-11-03"):
        explained(make_settings(), 3)
