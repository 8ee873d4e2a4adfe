"""What the sandbox needs to know of the settings: enough to run without them, in a process of its own that starts at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
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
        containment: how a region holds a place: "recorded" or "documented" (see query.py).
    """

    seed: int
    tweets_per_day: int
    areas: tuple[tuple[str, BoundingBox, str], ...]
    containment: str = "recorded"

    @classmethod
    def of(cls, settings: Settings) -> World:
        """The world of these settings."""
        areas = tuple((area.name, area.box, area.timezone) for area in settings.areas.values())
        return cls(settings.sandbox.seed, settings.sandbox.tweets_per_day, areas)

    @cached_property
    def cities(self) -> tuple[city.City, ...]:
        """The cities, one an area."""
        return tuple(
            city.City(seed=self.seed, name=name, box=box, zone=ZoneInfo(zone), tweets_per_day=self.tweets_per_day)
            for name, box, zone in self.areas
        )

    @property
    def city_digest(self) -> str:
        """What decides any one city beside its name, box and time zone: part of an extraction's revision."""
        return digest(city.CODE, self.seed, self.tweets_per_day)

    @property
    def digest(self) -> str:
        """What a running sandbox must share with us to be ours."""
        return digest(city.CODE, self.as_json())

    def as_json(self) -> str:
        """One line that `from_json` reads back."""
        areas = [{"name": name, "box": list(box.bounds), "timezone": zone} for name, box, zone in self.areas]
        return json.dumps({"seed": self.seed, "tweets_per_day": self.tweets_per_day, "areas": areas}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> World:
        """Read what `as_json` wrote."""
        given: dict[str, Any] = json.loads(text)
        areas = tuple((area["name"], BoundingBox(*area["box"]), area["timezone"]) for area in given["areas"])
        return cls(given["seed"], given["tweets_per_day"], areas)
