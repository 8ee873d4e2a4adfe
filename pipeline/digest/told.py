"""What programs are told of alarms, and which alarms nobody can say that they arrived. How they are sent deliveries.py knows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

#: An older alarm is in file and table only: a backfill of last year is no news.
RECENT: Final = timedelta(days=7)
#: What programs are told of an alarm.
_TOLD: Final = (
    *("kind", "subject", "area", "day", "direction", "observed", "expected_lower", "expected_upper", "score", "threshold"),
    *("per_year", "nights", "past", "calibrated", "synthetic", "said"),
)


def as_document(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table alarms as JSON has it: days as text, parts as an object."""
    told = {name: alarm[name].isoformat() if name == "day" else alarm[name] for name in _TOLD}
    return told | {"parts": None if alarm["parts"] is None else json.loads(alarm["parts"])}


def doubtful(alarms: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The deliveries that did not surely arrive, as JSON has them."""
    return [
        {name: alarm[name] for name in ("kind", "subject")}
        | {"day": alarm["day"].isoformat(), "channel": channel}
        | {name: told[name] for name in ("status", "attempts", "error")}
        for alarm in alarms
        for channel, told in alarm["deliveries"].items()
        if told["status"] != "sent"
    ]
