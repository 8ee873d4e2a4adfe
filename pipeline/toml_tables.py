"""What all tables of config/ have in common: frozen, checked, and no silent conversion of types.

Which tables there are is settings.py's and study.py's affair.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, ConfigDict

from pipeline import days
from pipeline.errors import SettingsError


class Table(BaseModel):
    """A table of a TOML file: no unknown keys, no other types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True, allow_inf_nan=False)


def from_settings_error(read: Any) -> Any:
    """Let pydantic list a SettingsError among the others: it only knows ValueError."""

    def wrapped(value: Any) -> Any:
        try:
            return read(value)
        except SettingsError as error:
            raise ValueError(wanted(error)) from error

    return wrapped


def wanted(error: SettingsError) -> str:
    """Of "got …, wanted …" the second part, and what to do: what was got, the list of faults says itself."""
    return "\n".join(filter(None, [error.what.partition("wanted ")[2] or error.what, error.todo]))


def as_day(value: Any) -> dt.date:
    """A day as TOML or a person writes it.

    Raises:
        SettingsError: it is none.
    """
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return days.parse_day(value.isoformat())
    return days.parse_day(value if isinstance(value, str) else str(value))


def as_tuple(value: Any) -> Any:
    """A list as the tuple that a frozen table holds; anything else as it is."""
    return tuple(value) if isinstance(value, list) else value
