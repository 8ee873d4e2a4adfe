"""The work that a purge has begun, on the disk before it begins: whoever comes after a kill ends it. Hashes stand here, no ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeAlias

from pipeline import storage
from pipeline.settings import Settings

#: (area, local day)
Day: TypeAlias = tuple[str, date]

#: What the words of the compliance endpoint mean, for people; of one tweet and of several.
WORDS = {
    "deleted": "deleted by {their} author{s}",
    "bounced": "withdrawn by X",
    "protected": "made private by {their} author{s}",
    "suspended": "of {a}suspended author{s}",
    "scrub_geo": "without {their} location now",
    "withheld": "withheld where {they} {were} written",
}


@dataclass
class Pending:
    """Days to be restated: of each, the tweets that were counted and have to go (keyed hash of the id → why)."""

    days: dict[Day, dict[str, str]] = field(default_factory=dict)

    def add(self, day: Day, tweets: Mapping[str, str]) -> None:
        """A day that changes, and the tweets (there may be none that counted)."""
        self.days.setdefault(day, {}).update(tweets)

    def why(self, days: Iterable[Day]) -> str:
        """Why these days' numbers change: `3 tweets deleted by their authors, 1 tweet made private by its author`."""
        tweets: dict[str, str] = {}
        for day in days:
            tweets |= self.days.get(day, {})
        counted = Counter(tweets.values())
        return ", ".join(_said(reason, number) for reason, number in sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def _said(reason: str, number: int) -> str:
    one = number == 1
    named = ("its", "it", "was", "", "a ") if one else ("their", "they", "were", "s", "")
    words = WORDS.get(reason, "deleted").format(**dict(zip(("their", "they", "were", "s", "a"), named, strict=True)))
    return f"{number:,} tweet{'' if one else 's'} {words}"


def path(settings: Settings) -> Path:
    """Where it lies; there is none where no purge is under way."""
    return settings.data / "purge" / "pending.json"


def read(settings: Settings) -> Pending:
    """What an earlier purge left."""
    if not path(settings).exists():
        return Pending()
    listed = storage.read_json(path(settings))
    return Pending({(entry["area"], date.fromisoformat(entry["day"])): entry["tweets"] for entry in listed["days"]})


def write(settings: Settings, pending: Pending) -> None:
    """Keep it, before the first byte is removed."""
    listed = [{"area": area, "day": day.isoformat(), "tweets": tweets} for (area, day), tweets in sorted(pending.days.items())]
    storage.write_json(path(settings), {"days": listed})


def done(settings: Settings) -> None:
    """All of it is done."""
    path(settings).unlink(missing_ok=True)
