"""X's way of counting, written a second time and from the rules alone: nothing of pipeline/sandbox/query.py is used here.

Containment: the point inside, or the middle of the place. A word is a run of letters and digits; neither case nor accents count; a hashtag
is what stands after #, as a whole, and there _ is no end. Every version of an edited tweet is a post of its own.
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
    """The runs of letters and digits in a text, small and without accents."""
    found, run = [], ""
    for character in without_accents(text) + " ":
        if character.isalnum():
            run += character
        elif run:
            found.append(run)
            run = ""
    return found


def without_accents(text: str) -> str:
    """Á as a."""
    return "".join(character for character in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(character))


def matches(tweet: Tweet, entries: Sequence[str]) -> bool:
    """Whether a post has one of a study's words, phrases or hashtags; a phrase is looked for as a hashtag too."""
    words, tags = tokens(tweet.text), {without_accents(tag) for tag in re.findall(r"(?:^|(?<=\W))#(\w+)", tweet.text)}
    for entry in entries:
        if without_accents(entry).removeprefix("#").replace(" ", "") in tags and ("#" in entry or " " in entry):
            return True
        wanted = tokens(entry)
        if "#" not in entry and any(words[start : start + len(wanted)] == wanted for start in range(len(words))):
            return True
    return False


def count(settings: Settings, area: Area, day: date, entries: Sequence[str]) -> tuple[int, int]:
    """(n, k) of a local day."""
    found = [tweet for tweet in posts(settings, area, day) if is_inside(tweet, area)]
    return len(found), sum(matches(tweet, entries) for tweet in found)
