"""Digests of nights of which the last one shifted: made, read, and who was told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline import database, sending
from pipeline.digest import night
from pipeline.settings import Settings
from tests.alarm_nights import STUDIES, days, put_nights
from tests.test_alarm_nights import steady

Make = Callable[..., Settings]

#: Nights of which the last has ten times the share.
NIGHTS = days(30)
LAST = NIGHTS[-1]
#: The day after, when it is judged.
NOW = dt.datetime.combine(LAST, dt.time(9), dt.UTC) + dt.timedelta(days=1)
QUICK = '[alarms]\ntimeout_seconds = 1.0\nmail_to = ["team@example.org"]\n'


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once, and each test is one night unless it says otherwise."""
    monkeypatch.setattr(sending, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("GEOBETA_NIGHT", "first night")


@pytest.fixture
def shifted(make_settings: Make) -> Callable[..., Settings]:
    """A function that gives settings whose database holds thirty nights with a shift in the last."""

    def make(*, last: float | None = 0.6, synthetic: bool = False, **given: Any) -> Settings:
        settings = make_settings(**{"studies": STUDIES, "settings": QUICK, **given})
        put_nights(settings, "traffic", steady(len(NIGHTS), last=last), synthetic=synthetic)
        return settings

    return make


def make(settings: Settings, day: dt.date = LAST, now: dt.datetime = NOW) -> str:
    """Make it; give its text."""
    night.make(settings, day, now=now)
    return night.path(settings, day).read_text("utf-8")


def told(settings: Settings) -> list[tuple[Any, ...]]:
    """The deliveries."""
    with database.transaction(settings) as connection:
        rows = connection.execute(sa.text("select channel, kind, subject, status, attempts from alarm_deliveries order by 1, 2, 3"))
        return [tuple(row) for row in rows]
