"""What the sandbox needs to know of the settings: enough to run without them, in a process of its own that starts at once."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pipeline.geo import BoundingBox
from pipeline.sandbox import city
from pipeline.storage import digest

if TYPE_CHECKING:  # pydantic would cost the server's start a second
    from pipeline.settings import Settings


@dataclass(frozen=True)
class World:
    """The made-up cities of one configuration.

    Args:
        seed: the generator's seed.
        tweets_per_day: about so many inside each area a day.
        areas: (name, box, time zone) of each area.
        author_effect, session, drift, steps, rhythm: how its people write; see City.
        containment: how a region holds a place: "recorded" or "documented" (see query.py).
    """

    seed: int
    tweets_per_day: int
    areas: tuple[tuple[str, BoundingBox, str], ...]
    author_effect: float = 0.0
    session: float = 1.0
    drift: float = 0.0
    steps: tuple[tuple[date, str, float], ...] = ()
    rhythm: float = 0.0
    containment: str = "recorded"

    @classmethod
    def of(cls, settings: Settings) -> World:
        """The world of these settings."""
        areas = tuple((area.name, area.box, area.timezone) for area in settings.areas.values())
        sandbox = settings.sandbox
        return cls(sandbox.seed, sandbox.tweets_per_day, areas, containment=sandbox.containment, **city.character(settings))

    @property
    def _unusual(self) -> dict[str, Any]:
        """What is not as it is where nothing is said: the rest of the fields need not be told."""
        return {known.name: getattr(self, known.name) for known in fields(self)[3:] if getattr(self, known.name) != known.default}

    @cached_property
    def cities(self) -> tuple[city.City, ...]:
        """The cities, one an area."""
        character = {name: value for name, value in self._unusual.items() if name != "containment"}
        return tuple(
            city.City(seed=self.seed, name=name, box=box, zone=ZoneInfo(zone), tweets_per_day=self.tweets_per_day, **character)
            for name, box, zone in self.areas
        )

    @property
    def city_digest(self) -> str:
        """What decides any one city's answers beside its name, box and time zone: part of an extraction's revision."""
        return digest(city.CODE, self.seed, self.tweets_per_day, *([self._unusual] if self._unusual else []))

    @property
    def digest(self) -> str:
        """What a running sandbox must share with us to be ours."""
        return digest(city.CODE, self.as_json())

    def as_json(self) -> str:
        """One line that `from_json` reads back."""
        areas = [{"name": name, "box": list(box.bounds), "timezone": zone} for name, box, zone in self.areas]
        given = {"seed": self.seed, "tweets_per_day": self.tweets_per_day, "areas": areas, **self._unusual}
        return json.dumps(given, sort_keys=True, default=str)

    @classmethod
    def from_json(cls, text: str) -> World:
        """Read what `as_json` wrote."""
        given: dict[str, Any] = json.loads(text)
        given["areas"] = tuple((area["name"], BoundingBox(*area["box"]), area["timezone"]) for area in given["areas"])
        given["steps"] = tuple((date.fromisoformat(day), topic, factor) for day, topic, factor in given.get("steps", ()))
        return cls(**given)
