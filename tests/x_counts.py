"""X's way of counting, written a second time and from the rules alone: nothing of pipeline/sandbox/query.py is used here.

Containment: the point inside, else the middle of the place. A word is a run of letters, digits and _; case does not count, accents do;
a hashtag is one after # as a whole. Every version of an edited tweet is a post of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from pipeline import days
from pipeline.sandbox.city import Tweet
from pipeline.sandbox.world import World
from pipeline.settings import Area, Settings


def posts(settings: Settings, area: Area, day: date) -> Iterator[Tweet]:
    """Every version of every tweet, of whatever city, that was written in the local day."""
    window = days.window(day, area.zone)
    for city in World.of(settings).cities:
        for offset in (-2, -1, 0, 1, 2):
            for tweet in city.tweets(day + timedelta(days=offset)):
                if window.start.timestamp() <= tweet.created < window.end.timestamp():
                    yield tweet


def is_inside(tweet: Tweet, area: Area) -> bool:
    """By the point, or by the middle of the place; edges belong to the box."""
    place = tweet.place
    middle = ((place.west + place.east) / 2, (place.south + place.north) / 2)
    return any(
        area.box.west <= longitude <= area.box.east and area.box.south <= latitude <= area.box.north
        for longitude, latitude in filter(None, (tweet.point, middle))
    )


def tokens(text: str) -> list[str]:
    """The runs of letters, digits and _ in a text, small."""
    found, run = [], ""
    for character in text.casefold() + " ":
        if character.isalnum() or character == "_":
            run += character
        elif run:
            found.append(run)
            run = ""
    return found


def without_accents(text: str) -> str:
    """á as a."""
    return "".join(character for character in unicodedata.normalize("NFD", text) if not unicodedata.combining(character))


def matches(tweet: Tweet, entries: Sequence[str]) -> bool:
    """Whether a post has one of a study's words, phrases or hashtags; an entry stands for itself and for itself without accents."""
    words, tags = tokens(tweet.text), {tag.casefold() for tag in re.findall(r"(?:^|(?<=\W))#(\w+)", tweet.text)}
    for entry in {form for written in entries for form in (written.casefold(), without_accents(written.casefold()))}:
        wanted = tokens(entry)
        as_tag = "".join(wanted) in tags
        if entry.startswith("#") or (as_tag and "-" not in entry):
            if as_tag:
                return True
        elif any(words[start : start + len(wanted)] == wanted for start in range(len(words))):
            return True
    return False


def count(settings: Settings, area: Area, day: date, entries: Sequence[str]) -> tuple[int, int]:
    """(n, k) of a local day."""
    found = [tweet for tweet in posts(settings, area, day) if is_inside(tweet, area)]
    return len(found), sum(matches(tweet, entries) for tweet in found)
