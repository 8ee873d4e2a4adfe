"""Must-show 8: sixty nights of the sandbox's city through the real stages; each night's moves are explained by parts that add up."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest

from pipeline import clean, count, database, days, extract, load, posterior, why
from pipeline.errors import SourceUnavailable
from pipeline.restated import Move
from pipeline.sandbox import server as sandbox
from pipeline.sandbox.faults import Script
from pipeline.sandbox.world import World
from pipeline.settings import Settings
from pipeline.why import Explanation
from tests.conftest import STUDIES

pytestmark = pytest.mark.slow

FIRST, NIGHTS = date(2026, 9, 1), 60
AREA = "mexico-city"
STEP, LATE, LATE_COMES, PARTIAL, NEW_RULE, COMPLETED = 30, 18, 25, 35, 45, 50

CITY = f"""
[sandbox]
tweets_per_day = 150
author_effect = 1.0
session = 3.0
steps = [{{ day = {FIRST + timedelta(days=STEP - 1)}, topic = "traffic", factor = 2.5 }}]

[x]
page_size = 500
attempts = 2
longest_wait_seconds = 0.05
ask_counts = false
"""
OLD = STUDIES.replace("2026-11-01", "2026-09-01").replace("[water]", 'forget = "auto"\n\n[water]') + "window = 14\nauthor_cap = 3\n"
NEW = OLD.replace('"embotellamiento"', '"embotellamiento", "atasco", "metro"')


def day(number: int) -> date:
    """The day of night `number`, from 1."""
    return FIRST + timedelta(days=number - 1)


@dataclass
class Nights:
    """The run: each night makes its day and what came late, and is then explained."""

    make: Callable[..., Settings]
    url: str
    told: dict[tuple[str, int], Explanation] = field(default_factory=dict)

    def settings(self, number: int) -> Settings:
        """As they are that night."""
        return self.make(studies=NEW if number >= NEW_RULE else OLD, settings=CITY, X_BASE_URL=self.url)

    def run(self, number: int) -> None:
        """One night."""
        settings = self.settings(number)
        fetched = [] if number == LATE else [LATE, number] if number == LATE_COMES else [number]
        fetched += [PARTIAL] if number == COMPLETED else []
        for which in fetched:
            self.fetch(settings, which, f"night {number}")
        past = [which for which in range(1, number + 1) if which != LATE or number >= LATE_COMES]
        for study in settings.studies:
            for which in past if number == NEW_RULE else sorted(fetched):
                count.run(settings, study, day(which))
                load.counts(settings, study, day(which))
            for which in past if number == NEW_RULE else sorted(fetched):
                posterior.update(settings, study, day(which))
            if number != LATE:
                with database.transaction(settings, snapshot=True) as connection:
                    self.told[study, number] = why.explain(settings, connection, settings.study(study), day(number))

    def fetch(self, settings: Settings, number: int, night: str) -> None:
        """Extract, clean and load a day; where X does not answer for hours, a later attempt leaves them out."""
        for attempt in range(2):
            with contextlib.suppress(SourceUnavailable):
                extract.run(settings, AREA, day(number), night=f"{night}, attempt {attempt}")
                break
        clean.run(settings, AREA, day(number))
        load.tweets(settings, AREA, day(number))


def off(move: Move) -> float:
    """By how much the parts miss the change."""
    return abs(math.fsum(move.parts.values()) - move.change)


def test_sixty_nights_each_explained_by_parts_that_add_up(make_settings: Callable[..., Settings]) -> None:
    """Rows, days and restatements; a step, an author effect, a late day, missing hours that come later, and another rule among them."""
    settings = make_settings(studies=OLD, settings=CITY)
    window = days.window(day(PARTIAL), settings.area(AREA).zone)
    down = (window.start + timedelta(hours=17), window.start + timedelta(hours=22))
    with sandbox.running(World.of(settings), faults=Script(down_hours=[down])) as running:
        nights = Nights(make_settings, running.url)
        for number in range(1, NIGHTS + 1):
            if number == COMPLETED:
                running.faults = Script()
            nights.run(number)
    settings = nights.settings(NIGHTS)
    with database.transaction(settings, snapshot=True) as connection:
        final = [
            why.explain(settings, connection, settings.study(study), day(number))
            for study in settings.studies
            for number in (2, LATE, LATE + 1, STEP, PARTIAL, PARTIAL + 1, NEW_RULE - 1, COMPLETED - 1)
        ]
    assert all(found.same for found in [*nights.told.values(), *final])
    moves = [move for found in [*nights.told.values(), *final] for move in (found.row, found.day, *found.restatements) if move is not None]
    assert len(moves) > 4 * NIGHTS - 10
    assert max(map(off, moves)) <= 1e-9
    step, partial = (nights.told["traffic", number].day for number in (STEP, PARTIAL))
    assert step is not None
    assert step.parts["same_authors"] > 0.6 * step.change > 0.01
    assert partial is not None
    assert partial.notes == ("hours that one side did not observe: 17-22 (local time)",)
    seen = {name for move in moves for name, part in move.parts.items() if abs(part) > 1e-6}
    assert seen == {"same_authors", "other_authors", "place_mix", "coverage", "prior", "forgetting", "rule_version", "days"}
