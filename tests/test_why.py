"""Why a share moved, in built examples where it is known: each part is what was done, and the parts add up."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline import database, why
from pipeline.settings import Settings
from pipeline.stats.attribution import Attribution
from tests.conftest import STUDIES
from tests.towns import Said, day, live

#: A usual day: 200 tweets in two places, 20 of them matches.
USUAL = [
    *(Said(f"north{number}", 10, 1, "north") for number in range(10)),
    *(Said(f"south{number}", 10, 1, "south") for number in range(10)),
]


def with_studies(more: str) -> str:
    """The study of traffic with more lines."""
    return STUDIES.replace("[water]", f"{more}\n\n[water]")


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
