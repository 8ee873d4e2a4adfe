"""Kinds of options that commands share: days, numbers, and the day that is meant when none is given."""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.settings import Settings


def day(text: str) -> date:
    """A day as YYYY-MM-DD, for argparse (which turns its error into exit code 2)."""
    from pipeline.days import parse_day
    from pipeline.errors import SettingsError

    try:
        return parse_day(text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(error.what) from None


def positive(text: str) -> int:
    """A whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted a whole number from 1 up")
    return int(text)


def dollars(text: str) -> float:
    """An amount of US dollars, 0 or more."""
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < 1e6:
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted US dollars, 0 or more, such as 0.10")
    return amount


def last_closed(settings: Settings, now: datetime | None = None) -> date:
    """The newest day that is over in the area of every study.

    Raises:
        SettingsError: there is no study.
    """
    from pipeline import days
    from pipeline.errors import SettingsError

    areas = {study.area for study in settings.studies.values()}
    if not areas:
        raise SettingsError(f"{settings.config / 'studies.toml'} has no study", todo="add one: the sample config/studies.toml shows how")
    now = now or datetime.now(UTC)
    return min(days.last_over(settings.area(name).zone, now, settings.x.settle) for name in areas)
