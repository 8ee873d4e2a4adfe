"""What a script can make the sandbox do wrong, by the number of the request. What each does to an answer is in acting.py.

Numbers count the requests to paths of the API (/2/...), from 1, since the script was set. A script is no part of the World.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from pipeline.storage import digest

#: Kind → what it does. Sources: facts/x-api.md (limits, errors, tweepy), and what HTTP servers and proxies do on bad days.
KINDS: Final = MappingProxyType(
    {
        "rate_limited": "429 with a reset `seconds` ahead, and so until then for this endpoint",
        "rate_limited_no_reset": "429 without any header about rates, for `requests` requests",
        "usage_cap": "429 UsageCapExceeded without a reset, for `requests` requests or until it is lifted",
        "no_credits": "402, for `requests` requests or until it is lifted",
        "unavailable": "503 (or `status`), for `requests` requests",
        "html": "200 with a page of HTML",
        "cut": "the body cut in the middle, the connection closed; it was delivered, so it is billed",
        "hang": "`seconds` of silence, then the answer; who has gone by then is not billed",
        "drip": "the answer a few bytes at a time, over `seconds`",
        "duplicate_page": "the page that was given before this one in the same search, once more",
        "empty_page": "no posts, and a token that leads on to those that belong here",
        "refused_token": "400 about the token, as recorded; nothing where there is none",
        "out_of_order": "the posts of the page shuffled",
        "place_missing": "one place left out of includes",
        "empty_coordinates": "`coordinates: {}` on the posts of the page that have no point",
        "partial_errors": "errors[] beside data, about posts that others refer to",
        "deleted": "the answer; then the post of number `position` (beyond the page: of the pages to come) is gone",
    }
)
#: Kinds that come instead of an answer, whatever was asked.
INSTEAD: Final = frozenset({"rate_limited", "rate_limited_no_reset", "usage_cap", "no_credits", "unavailable", "html"})
#: Kinds that say how an answer goes out.
ON_THE_WIRE: Final = frozenset({"cut", "hang", "drip"})

#: What a fault's arguments are where they are not given; None for `requests`: until it is lifted.
DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "rate_limited": {"seconds": 1.0},
    "usage_cap": {"requests": None},
    "no_credits": {"requests": None},
    "hang": {"seconds": 2.0},
    "drip": {"seconds": 0.5},
}


@dataclass(frozen=True, init=False)
class Fault:
    """One thing that goes wrong.

    Args:
        kind: one of KINDS.
        seconds: until the reset (rate_limited), of silence (hang), over which the answer is spread (drip).
        requests: for so many requests, this one included; None until it is lifted.
        position: number of the post in the page, from 1 (deleted).
        status: 500, 502, 503 or 504 (unavailable).

    Raises:
        ValueError: there is no such kind, argument or status.
    """

    kind: str
    seconds: float = 0.0
    requests: int | None = 1
    position: int = 1
    status: int = 503

    def __init__(self, kind: str, **arguments: Any) -> None:
        if kind not in KINDS:
            raise ValueError(f"got the fault {kind!r}, wanted one of {', '.join(KINDS)}")
        known = {known.name: known.default for known in fields(self) if known.name != "kind"}
        if unknown := sorted(arguments.keys() - known.keys()):
            raise ValueError(f"got {unknown[0]!r} for the fault {kind}, wanted {', '.join(known)}")
        given = {**known, **DEFAULTS.get(kind, {}), **arguments}
        if not 500 <= given["status"] <= 599:
            raise ValueError(f"got the status {given['status']}, wanted one from 500 to 599")
        for name, value in {"kind": kind, **given}.items():
            object.__setattr__(self, name, value)

    @property
    def as_dict(self) -> dict[str, Any]:
        """The kind and those arguments that are not the usual ones."""
        usual = asdict(Fault(self.kind))
        return {name: value for name, value in asdict(self).items() if name == "kind" or usual[name] != value}


@dataclass(frozen=True)
class Script:
    """What goes wrong, and when.

    Args:
        faults: by number of the request, from 1.
        clock: seconds by which the sandbox's clock is ahead of the true one: Date header, rate resets, window checks, the day of a bill.
        down_hours: spans (start, end; UTC) that no search gives: 503 for a page that would have to return a post of one, or walk over it.
    """

    faults: Mapping[int, Fault] = field(default_factory=dict)
    clock: float = 0.0
    down_hours: Sequence[tuple[datetime, datetime]] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "down_hours", tuple(self.down_hours))

    @classmethod
    def seeded(
        cls, seed: int, requests: int = 40, faults: int | None = None, *, kinds: Sequence[str] = tuple(KINDS), clock: bool = False
    ) -> Script:
        """A script drawn at random, the same for a seed on every machine.

        Args:
            requests: faults come at numbers up to this.
            faults: how many; None draws 1 to 5.
            kinds: those that may come.
            clock: whether one script in four has a clock an hour off, either way.
        """
        # uniform numbers only: numpy promises their stream
        chance = np.random.Generator(np.random.PCG64(int(digest("faults", seed, requests, length=32), 16)))
        wanted = faults if faults is not None else 1 + int(chance.random() * 5)
        numbers = list(range(1, requests + 1))
        drawn: dict[int, Fault] = {}
        for _ in range(min(wanted, requests)):
            number = numbers.pop(int(chance.random() * len(numbers)))
            kind, argument = kinds[int(chance.random() * len(kinds))], chance.random()
            if kind == "unavailable":
                drawn[number] = Fault(kind, requests=1 + int(argument * 3), status=(500, 502, 503, 504)[int(argument * 4)])
            elif kind == "deleted":
                drawn[number] = Fault(kind, position=1 + int(argument * 30))
            else:
                drawn[number] = Fault(kind)
        turn = chance.random()
        return cls(dict(sorted(drawn.items())), clock=(3600.0 if turn < 0.125 else -3600.0) if clock and turn < 0.25 else 0.0)

    @property
    def spoiled(self) -> int:
        """How many requests the faults spoil at most, each burst for as many as it lasts: what a night may ask beyond a quiet one."""
        return sum(fault.requests or 1 for fault in self.faults.values())

    def as_json(self) -> str:
        """One line that `from_json` reads back."""
        down = [[start.isoformat(), end.isoformat()] for start, end in self.down_hours]
        faults = {str(number): fault.as_dict for number, fault in self.faults.items()}
        return json.dumps({"faults": faults, "clock": self.clock, "down_hours": down})

    @classmethod
    def from_json(cls, text: str) -> Script:
        """Read a script: {"faults": {"3": {"kind": "cut"}}, "clock": 3600, "down_hours": [["2026-11-20T06:00Z", "2026-11-20T09:00Z"]]}.

        Raises:
            ValueError: it is none; says why.
        """
        given = json.loads(text)
        if not isinstance(given, dict) or given.keys() - {"faults", "clock", "down_hours"}:
            raise ValueError('got no script, wanted an object with "faults", "clock" or "down_hours"')
        try:
            faults = {int(number): Fault(**fault) for number, fault in given.get("faults", {}).items()}
            down = tuple((_time(start), _time(end)) for start, end in given.get("down_hours", ()))
            return cls(faults, float(given.get("clock", 0.0)), down)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"got a script that is not of the right shape: {error}") from error

    def at(self, number: int, *, lifted: int = 0) -> Fault | None:
        """The fault of a request: its own, else one that began after request number `lifted` and lasts until here."""
        if number in self.faults and number > lifted:
            return self.faults[number]
        for first in sorted(self.faults, reverse=True):
            fault = self.faults[first]
            if lifted < first < number and fault.kind in INSTEAD and (fault.requests is None or number < first + fault.requests):
                return fault
        return None


def _time(text: str) -> datetime:
    given = datetime.fromisoformat(text)
    return given if given.tzinfo else given.replace(tzinfo=UTC)
