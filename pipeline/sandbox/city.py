"""A made-up city: what its people tweet on a day, and the share of them that truly speaks of a thing. No clock, no network, no files.

Everything is a pure function of (seed, area name, box, time zone, tweets a day, day): the same on every machine, in any order of days.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, date, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pipeline import days
from pipeline.errors import SettingsError
from pipeline.geo import BoundingBox
from pipeline.sandbox import phrases, places
from pipeline.storage import digest

if TYPE_CHECKING:
    from pipeline.settings import Settings

#: Version of the generator: a change of what any city tweets.
CODE: Final = 1

Floats = NDArray[np.float64]

#: Snowflake ids: milliseconds since this, shifted by 22 bits, since November 2010 (facts/x-api.md).
SNOWFLAKE_EPOCH_MS: Final = 1288834974657
FIRST_DAY: Final = date(2010, 11, 5)

#: How much is tweeted in each local hour, and on each weekday from Monday.
HOURS: Final = (3, 2, 1, 1, 1, 2, 4, 7, 8, 7, 6, 6, 7, 8, 7, 6, 6, 7, 9, 10, 11, 11, 8, 5)
WEEKDAYS: Final = (0.97, 0.96, 0.97, 1.0, 1.08, 1.05, 0.97)

EDITED_SHARE: Final = 0.02
REPLY_SHARE: Final = 0.12
QUOTE_SHARE: Final = 0.05
CLIENTS: Final = ("Twitter for iPhone", "Twitter for Android", "Twitter Web App", "Instagram", "Made-Up Bot")
#: An author of rank r writes in proportion to r to the power of this.
AUTHOR_TAIL: Final = -1.05


@dataclass(frozen=True, slots=True)
class Tweet:
    """One version of a tweet, as a search would give it.

    `history` holds the ids of all versions, first to last; `created` is this version's, seconds since 1970.
    """

    id: int
    history: tuple[int, ...]
    created: int
    author: int
    text: str
    lang: str
    client: str
    place: places.Place
    point: tuple[float, float] | None
    kind: str
    is_long: bool
    reference: tuple[str, int] | None


@dataclass(frozen=True)
class City:
    """The made-up city of one area.

    Args:
        seed: the generator's seed.
        name, box, zone: of the area.
        tweets_per_day: about so many inside the box a day.
        author_effect: standard deviation of each author's own liking for each topic (logarithm of the weight).
        session: how many tweets an author writes one after the other, on average. Tweets are independent draws of what they speak of
            where either author_effect is 0 or session is 1.
        drift: how far the logarithm of each topic's weight moves a day, half of the topics up and half down.
        steps: (day, topic, factor): from that day on, the topic's weight is so many times what it was.
        rhythm: how far the logarithm of each topic's weight swings over the local day, up and down; each topic has its own hour.
    """

    seed: int
    name: str
    box: BoundingBox
    zone: ZoneInfo
    tweets_per_day: int
    author_effect: float = 0.0
    session: float = 1.0
    drift: float = 0.0
    steps: tuple[tuple[date, str, float], ...] = ()
    rhythm: float = 0.0

    @cached_property
    def map(self) -> places.Map:
        """The city's places."""
        return places.build(seed=self.seed, area=self.name, box=self.box, zone=self.zone.key)

    @cached_property
    def author_shares(self) -> Floats:
        """How much of all tweets each author writes: few write most."""
        shares = np.arange(1, max(40, 2 * self.tweets_per_day) + 1, dtype=np.float64) ** AUTHOR_TAIL
        return np.asarray(shares / shares.sum())

    @property
    def language_shares(self) -> Floats:
        """Spanish, English: by the side of the ocean, so that areas within one city agree."""
        return np.array([0.85, 0.15] if self.zone.key.startswith("America/") else [0.1, 0.9])

    def topic_weights(self, day: date) -> Floats:
        """How much each topic is written of on a day, sum 1: by seed and time zone, so that areas within one city agree."""
        chance = _chance("topics", self.seed, self.zone.key)
        base = np.array(list(phrases.TOPICS.values())) * np.exp(0.25 * _normal(chance.random(len(phrases.TOPICS))))
        directions = np.where(chance.random(len(base)) < 0.5, -1.0, 1.0)
        weights = base * np.exp(self.drift * directions * (day - date(2026, 1, 1)).days)
        for since, topic, factor in self.steps:
            if day >= since:
                weights[list(phrases.TOPICS).index(topic)] *= factor
        return np.asarray(weights / weights.sum())

    @cached_property
    def hour_factors(self) -> Floats:
        """One row a local hour: by what each topic's weight is multiplied. By seed and time zone, so that areas within one city agree."""
        phases = 24 * _chance("rhythm", self.seed, self.zone.key).random(len(phrases.TOPICS))
        return np.asarray(np.exp(self.rhythm * np.cos(2 * np.pi * (np.arange(24)[:, np.newaxis] - phases) / 24)))

    def author_topics(self, day: date, hour: int | None = None) -> Floats:
        """One row an author (one row for all where there is no author effect): the share of each topic in what they write.

        Args:
            hour: the local hour; None only where there is no rhythm.
        """
        weights = self.topic_weights(day)[np.newaxis, :]
        if self.author_effect:
            liking = _normal(_chance("authors", self.seed, self.name).random((len(self.author_shares), weights.shape[1])))
            weights = weights * np.exp(self.author_effect * liking)
        if self.rhythm and hour is not None:
            weights = weights * self.hour_factors[hour]
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def topics(self, day: date, hour: int | None = None) -> Floats:
        """The share of each topic in all that is written in a local hour."""
        rows = self.author_topics(day, hour)
        return np.asarray(self.author_shares @ rows if len(rows) > 1 else rows[0])

    def distribution(self, day: date) -> tuple[tuple[str, ...], Floats]:
        """Every text that may be written on that day and its probability (sum 1), the same for every place: over the whole day.

        Where there is a rhythm, the hours weigh as much as is written in them; a clock-change day has 23 or 25.
        """
        texts = phrases.catalogue()
        if self.rhythm:
            volumes, hours = _slots(days.window(day, self.zone), self.zone)
            topics = (volumes / volumes.sum()) @ np.array([self.topics(day, hour) for hour in hours])
        else:
            topics = self.topics(day)
        return texts.texts, topics[texts.topic] * self.language_shares[texts.language] * texts.within

    def true_share(self, day: date, predicate: Callable[[str], bool]) -> float:
        """The expected share of tweets whose whole text satisfies the predicate: exact, a sum over all texts."""
        texts, shares = self.distribution(day)
        return math.fsum(share for text, share in zip(texts, shares.tolist(), strict=True) if predicate(text))

    def draws(self, day: date) -> Draws | None:
        """All random choices of a local day, as arrays; None where nothing is tweeted."""
        return _draws(self, day)

    def tweets(self, day: date) -> tuple[Tweet, ...]:
        """All tweets whose first version is of that local day, every version of each, inside and outside, oldest id first."""
        return _tweets(self, day)


@lru_cache(maxsize=64)
def _tweets(city: City, day: date) -> tuple[Tweet, ...]:
    made = city.draws(day)
    tweets = [tweet for number in range(len(made.kind)) for tweet in made.versions(number)] if made else []
    return tuple(sorted(tweets, key=lambda tweet: tweet.id))


def _draws(city: City, day: date) -> Draws | None:
    window = days.window(day, city.zone)
    if day < FIRST_DAY or window.start >= window.end:
        return None
    chance = _chance("day", city.seed, city.name, city.box.csv, city.zone.key, city.tweets_per_day, day.isoformat())
    expected = city.tweets_per_day * WEEKDAYS[day.weekday()] * window.hours / 24 / places.INSIDE_SHARE
    count = _poisson(expected, chance.random())
    return Draws(city, day, chance, count)


class Draws:
    """All random choices of a day, as arrays: one entry a tweet.

    `author`: rank, 0 for the busiest; `kind`: number in places.KINDS; `milliseconds` since 1970; `text`: numbers in the catalogue, two
    columns: before an edit (used only where there was one), and the newest.
    """

    def __init__(self, city: City, day: date, chance: np.random.Generator, count: int) -> None:
        self.city = city
        self.author = _authors(city, chance.random((count, 2)))
        self.kind = _pick(np.array(list(places.KINDS.values())), chance.random(count))
        self.where = chance.random((count, 3))
        self.milliseconds = _times(days.window(day, city.zone), city.zone, chance.random((count, 2)))
        # what stood there before an edit is a draw of its own: who keeps the wrong version counts wrongly
        self.text = _texts(city, day, self.author, self.milliseconds, chance.random((count, 2, 3)))
        self.edited = chance.random((count, 2))
        self.reference = chance.random((count, 2))
        self.origin = int(digest("origin", city.seed, city.name, length=4), 16) % 1024

    def versions(self, number: int) -> list[Tweet]:
        """The tweet's versions: one, or two where it was edited; each knows the ids of both (as recorded from X)."""
        times = [int(self.milliseconds[number])]
        share, delay = self.edited[number]
        if share < EDITED_SHARE:
            times.append(times[0] + 60_000 + int(delay * 28 * 60_000))
        ids = tuple(self._id(time, number) for time in times)
        return [
            self._version(number, name, ids, time // 1000, text)
            for name, time, text in zip(ids, times, self.text[number][2 - len(times) :], strict=True)
        ]

    def _id(self, milliseconds: int, number: int) -> int:
        return (milliseconds - SNOWFLAKE_EPOCH_MS) << 22 | self.origin << 12 | number % 4096

    def _version(self, number: int, name: int, history: tuple[int, ...], created: int, text: int) -> Tweet:
        catalogue, kind = phrases.catalogue(), list(places.KINDS)[self.kind[number]]
        author = int(self.author[number])
        which, x, y = self.where[number]
        has_point = kind in ("point", "point_outside")
        known = self.city.map.by_kind.get("city" if has_point else kind) or self.city.map.by_kind["state"]
        kind_of_reference, referred = self.reference[number]
        kinds = ("replied_to" if kind_of_reference < REPLY_SHARE else "quoted") if kind_of_reference < REPLY_SHARE + QUOTE_SHARE else None
        return Tweet(
            id=name,
            history=history,
            created=created,
            author=_author_id(self.city.seed, self.city.name, author),
            text=catalogue.texts[text],
            lang=phrases.LANGUAGES[catalogue.language[text]],
            # the busiest are programs
            client=CLIENTS[-1] if author < 2 else CLIENTS[author % (len(CLIENTS) - 1)],
            place=known[int(which * len(known))],
            point=places.point_in(self.city.box, *_inside(x, y, kind)) if has_point else None,
            kind=kind,
            is_long=bool(catalogue.is_long[text]),
            reference=(kinds, history[0] - (1 << 40) - int(referred * (1 << 40))) if kinds else None,
        )


def _inside(x: float, y: float, kind: str) -> tuple[float, float]:
    """Shares of the box: clear of its edges, or just west of it."""
    return (0.01 + 0.98 * x, 0.01 + 0.98 * y) if kind == "point" else (-0.01 - 0.03 * x, 0.01 + 0.98 * y)


@lru_cache(maxsize=65536)
def _author_id(seed: int, area: str, rank: int) -> int:
    return int(digest("author", seed, area, rank, length=14), 16)


def _authors(city: City, chance: Floats) -> NDArray[np.int64]:
    """Who writes each tweet: an author in proportion to their share, and then the same one again, `session` tweets on average.

    So each tweet is by each author with exactly that author's share, but neighbours hang together.
    """
    if not len(chance):
        return np.zeros(0, dtype=np.int64)
    begins = chance[:, 0] < 1 / city.session
    begins[0] = True
    return np.asarray(_pick(city.author_shares, chance[begins, 1])[np.cumsum(begins) - 1])


def _slots(window: days.Window, zone: ZoneInfo) -> tuple[Floats, list[int]]:
    """The hours of a window, counted from its start (the last may be shorter): how much is written in each, and its local hour."""
    slots = math.ceil(window.hours)
    lengths = np.minimum(1.0, window.hours - np.arange(slots))
    local = [(window.start + timedelta(hours=slot)).astimezone(UTC).astimezone(zone).hour for slot in range(slots)]
    return np.array([HOURS[hour] for hour in local]) * lengths, local


def _times(window: days.Window, zone: ZoneInfo, chance: Floats) -> NDArray[np.int64]:
    """Milliseconds since 1970 within the window, by the rhythm of local hours."""
    volumes, _ = _slots(window, zone)
    slot = _pick(volumes, chance[:, 0])
    lengths = np.minimum(1.0, window.hours - np.arange(len(volumes)))
    milliseconds = (slot + chance[:, 1] * lengths[slot]) * 3_600_000
    return np.asarray(int(window.start.timestamp()) * 1000 + milliseconds.astype(np.int64))


def _texts(city: City, day: date, author: NDArray[np.int64], milliseconds: NDArray[np.int64], chance: Floats) -> NDArray[np.int64]:
    """For each tweet and version the number of its text in the catalogue."""
    catalogue = phrases.catalogue()
    topics = city.author_topics(day)
    rows = author if len(topics) > 1 else np.zeros_like(author)
    if city.rhythm:
        # an edited tweet speaks of what its first hour speaks of, in both versions
        window = days.window(day, city.zone)
        slot = (milliseconds - int(window.start.timestamp()) * 1000) // 3_600_000
        hours = _slots(window, city.zone)[1]
        by_slot = np.array([city.author_topics(day, hour) for hour in hours])
        cumulated = np.cumsum(by_slot[slot, rows], axis=1)
    else:
        cumulated = np.cumsum(topics, axis=1)[rows]
    topic = np.minimum((chance[:, :, 0, np.newaxis] >= cumulated[:, np.newaxis, :]).sum(axis=2), topics.shape[1] - 1)
    language = _pick(city.language_shares, chance[:, :, 1])
    found = np.zeros(topic.shape, dtype=np.int64)
    for topic_number in range(topics.shape[1]):
        for language_number in range(len(phrases.LANGUAGES)):
            chosen = (topic == topic_number) & (language == language_number)
            block = catalogue.block(topic_number, language_number)
            found[chosen] = block.start + _pick(catalogue.within[block], chance[:, :, 2][chosen])
    return found


def _chance(*names: Any) -> np.random.Generator:
    # only uniform numbers are drawn: numpy promises their stream, but not that of its distributions
    return np.random.Generator(np.random.PCG64(int(digest("city", CODE, *names, length=32), 16)))


def _pick(weights: Floats, chance: Floats) -> NDArray[np.int64]:
    cumulated = np.cumsum(weights)
    return np.asarray(np.minimum(np.searchsorted(cumulated, chance * cumulated[-1], side="right"), len(weights) - 1))


def _normal(chance: Floats) -> Floats:
    """Roughly normal numbers from uniform ones (the logistic quantile, scaled to variance 1): no scipy here."""
    clipped = np.clip(chance, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(clipped / (1 - clipped)) * math.sqrt(3) / math.pi)


def _poisson(mean: float, chance: float) -> int:
    """The Poisson quantile, by its distribution around the mean."""
    if mean <= 0:
        return 0
    spread = 12 * math.sqrt(mean) + 20
    first = max(0, int(mean - spread))
    counts = range(first, int(mean + spread) + 1)
    cumulated = np.cumsum([math.exp(count * math.log(mean) - mean - math.lgamma(count + 1)) for count in counts])
    return first + int(np.searchsorted(cumulated, chance * cumulated[-1], side="right"))


def of(settings: Settings, area_name: str) -> City:
    """The city that stands for an area of the settings."""
    area, sandbox = settings.area(area_name), settings.sandbox
    return City(
        seed=sandbox.seed, name=area.name, box=area.box, zone=area.zone, tweets_per_day=sandbox.tweets_per_day, **character(settings)
    )


def character(settings: Settings) -> dict[str, Any]:
    """What the settings say of how a city writes: those arguments of City that are not the usual ones.

    Raises:
        SettingsError: a step is of a topic that there is not.
    """
    sandbox = settings.sandbox
    steps = tuple((step.day, step.topic, step.factor) for step in sandbox.steps)
    for _, topic, _ in steps:
        if topic not in phrases.TOPICS:
            raise SettingsError(f"got the topic {topic!r} in [[sandbox.steps]], wanted one of {', '.join(phrases.TOPICS)}")
    given = {name: getattr(sandbox, name) for name in ("author_effect", "session", "drift", "rhythm")} | {"steps": steps}
    usual = {known.name: known.default for known in fields(City)}
    return {name: value for name, value in given.items() if value != usual[name]}


def true_share(settings: Settings, area_name: str, day: date, predicate: Callable[[str], bool]) -> float:
    """The exact expected share of an area's tweets whose whole text satisfies the predicate (see City.true_share)."""
    return of(settings, area_name).true_share(day, predicate)


def distribution(settings: Settings, area_name: str, day: date) -> tuple[tuple[str, ...], Floats]:
    """Every text and its probability: for predicates that work on whole arrays (see City.distribution)."""
    return of(settings, area_name).distribution(day)
