"""The archives that are measured, made up: shapes, sizes, shares of geotagged lines and compression of real files, no real content.

Kept in .bench/data/, by version and scale; equal bytes on every machine. Made in a minute or two, a gigabyte of text each.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.performance import shapes
from benchmarks.performance.towns import FREQUENCIES, PLACES, Place
from benchmarks.performance.words import FOREIGN, WEIGHTS, WORDS

ROOT: Final = Path(__file__).resolve().parents[2]
#: Raise it when other bytes are made.
VERSION: Final = 1
BENCH: Final = ROOT / ".bench"
EPOCH: Final = 1_288_834_974_657
START: Final = dt.datetime(2019, 3, 7, 6, tzinfo=dt.UTC)
#: Local days of the area (UTC-6, whose days begin when the archives do).
TIMEZONE: Final = "America/Mexico_City"
DAYS: Final = tuple(dt.date(2019, 3, 7) + dt.timedelta(days=number) for number in range(3))
_LETTERS: Final = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789"


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive to measure.

    Attributes:
        name: of the file.
        posts: lines at scale 1; of v2 the tweets.
        lines: what it holds, given how many posts and chance.
        level: of its compression; that of gzip's own command is 6.
    """

    name: str
    posts: int
    lines: Callable[[int, random.Random], Iterator[str]]
    level: int = 6


def path(name: str, scale: float = 1.0) -> Path:
    """The file of that name, made if it is not there.

    Raises:
        KeyError: no such archive.
    """
    made = ARCHIVES[name]
    file = BENCH / "data" / f"v{VERSION}-{scale:g}" / made.name
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_name(f".{file.name}.{os.getpid()}")
        write(unfinished, made.lines(round(made.posts * scale), random.Random(name)), made.level)
        unfinished.replace(file)
    return file


def parts(name: str, number: int, scale: float = 1.0) -> list[Path]:
    """The archive of that name, cut into several files of equal numbers of lines."""
    whole = path(name, scale)
    folder = whole.parent / f"{name}-in-{number}"
    if not folder.is_dir():
        unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
        unfinished.mkdir()
        with gzip.open(whole, "rt", encoding="ascii", newline="") as lines:
            size = -(-round(ARCHIVES[name].posts * scale) // number)
            for part in range(number):
                write(
                    unfinished / f"part-{part}.json.gz", (line for _, line in zip(range(size), lines, strict=False)), ARCHIVES[name].level
                )
        unfinished.rename(folder)
    return sorted(folder.iterdir())


def write(file: Path, lines: Iterable[str], level: int) -> None:
    """Lines as a .gz without a time or name in it: equal lines are equal bytes."""
    with open(file, "wb") as out, gzip.GzipFile("", "wb", level, out, mtime=0) as packed:
        waiting: list[str] = []
        size = 0
        for line in lines:
            waiting.append(line)
            size += len(line)
            if size > 2**20:
                packed.write("".join(waiting).encode("ascii"))
                waiting.clear()
                size = 0
        packed.write("".join(waiting).encode("ascii"))


def geo_lines(number: int, chance: random.Random) -> Iterator[str]:
    """A v1.1 stream with a `locations` box: every tweet has a place, some a point."""
    crowd = _Crowd(chance, number)
    span = 86_400_000 * len(DAYS)
    for row in range(number):
        yield shapes.tweet(crowd.tweet(span * row // number, located=True)) + "\n"


def stream_lines(number: int, chance: random.Random) -> Iterator[str]:
    """Two hours of the 1 % sample stream: a sixth deletes, a quarter retweets, one of fifty tweets located; CRLF."""
    crowd = _Crowd(chance, 8 * number, foreign=0.25)
    for row in range(number):
        since = 7_200_000 * row // number
        kind = chance.random()
        if kind < 0.16:
            gone = _snowflake(since - 90 * 86_400_000, row)
            yield shapes.delete(gone, crowd.author(), crowd.milliseconds(since)) + "\r\n"
            continue
        outer = crowd.tweet(since, located=chance.random() < 0.028)
        if kind < 0.42:
            inner = crowd.tweet(since - 5_000_000, located=False) | {"stamp": "", "retweets": chance.randrange(5000)}
            outer |= {
                "nested": f'"retweeted_status":{shapes.tweet(inner)},',
                "geo": "null",
                "point": "null",
                "place": "null",
                "extended": "",
            }
            outer["text"] = f"RT @u{chance.getrandbits(40):010x}: {inner['text']}"
        yield shapes.tweet(outer) + "\r\n"


def page_lines(number: int, chance: random.Random) -> Iterator[str]:
    """Pages of API v2, newest tweet first, with their includes, as twarc2 keeps them: one a line, 100 to 500 tweets each."""
    crowd = _Crowd(chance, number)
    span, left = 86_400_000 * len(DAYS), number
    while left:
        size = min(left, chance.choice((100, 100, 250, 499, 500)))
        rows = range(left - 1, left - 1 - size, -1)
        yield _page(crowd, [span * row // number for row in rows]) + "\n"
        left -= size


def _page(crowd: _Crowd, moments: list[int]) -> str:
    posts, users, places, others = [], {}, {}, []
    for since in moments:
        author, place = crowd.author(), crowd.place() if crowd.chance.random() < 0.4 else None
        posts.append(crowd.post(since, author, place))
        users[author] = shapes.user2(author, WORDS)
        if place is not None:
            places[place.id] = place.v2
        if crowd.chance.random() < 0.33:
            others.append(crowd.post(since - 4_000_000, crowd.author(), None))
    first, last = (crowd.identity(moments[at]) for at in (-1, 0))
    return (
        f'{{"data":[{",".join(posts)}],"includes":{{"users":[{",".join(users.values())}],"tweets":[{",".join(others)}],'
        f'"places":[{",".join(places.values())}]}},"meta":{{"newest_id":"{last}","oldest_id":"{first}","result_count":{len(posts)},'
        f'"next_token":"{crowd.chance.getrandbits(200):050x}"}},"__twarc":{{"url":"https://api.twitter.com/2/tweets/search/all",'
        f'"version":"2.14.0","retrieved_at":"2021-06-12T21:20:12+00:00"}}}}'
    )


def _snowflake(since: int, row: int) -> int:
    return ((round(START.timestamp() * 1000) + since - EPOCH) << 22) + row % 4096


class _Crowd:
    """Who writes what, when and where: authors with heavy tails, texts of Zipf's words, places."""

    def __init__(self, chance: random.Random, posts: int, *, foreign: float = 0.03) -> None:
        self.chance, self._foreign = chance, foreign
        self._posts = max(posts, 1)
        self._row = 0
        self._words: list[str] = []
        self._places: list[Place] = []

    def author(self) -> int:
        """Every second tweet or so has an author of its own; a few write hundreds."""
        rank = int(self._posts * self.chance.random() ** 3 * 1.5)
        return 10_000 + rank * 0x9E3779B1 % 2**31

    def place(self) -> Place:
        """One of the places, by how often they are named."""
        if not self._places:
            self._places = self.chance.choices(PLACES, FREQUENCIES, k=10_000)
        return self._places.pop()

    def words(self, number: int) -> list[str]:
        """Words by how often they are used, the first with a capital; a link, a mention or a hashtag now and then."""
        if len(self._words) < number:
            self._words = self.chance.choices(WORDS, WEIGHTS, k=100_000)
        if self.chance.random() < self._foreign:
            return self.chance.choices(FOREIGN, k=number)
        found = [self._words.pop() for _ in range(number)]
        found[0] = found[0].capitalize()
        kind = self.chance.random()
        if kind < 0.2:
            found[-1] = f"#{found[-1]}" if found[-1].isalpha() else found[-1]
        elif kind < 0.45:
            found.insert(0, f"@u{self.chance.getrandbits(40):010x}")
        elif kind < 0.7:
            found[-1] += self.chance.choice((".", "!", ",", "?!"))
        return found

    def milliseconds(self, since: int) -> int:
        """Since 1970, of so many since the archives begin."""
        return round(START.timestamp() * 1000) + since

    def identity(self, since: int) -> int:
        """An id that no other tweet of the file has."""
        self._row += 1
        return _snowflake(since, self._row)

    def link(self) -> str:
        """What follows the host of a shortened link."""
        return "".join(self.chance.choices(_LETTERS, k=10))

    def tweet(self, since: int, *, located: bool) -> dict[str, Any]:
        """The parts of a v1.1 tweet; of the long ones the text is cut and the whole beside it."""
        chance, author = self.chance, self.author()
        long = chance.random() < 0.18
        words = self.words(chance.randrange(24, 42) if long else chance.randrange(3, 17))
        links = [self.link()] if chance.random() < 0.35 else []
        entities = _entities(words, links, chance)
        full = " ".join([*words, *(rf"https:\/\/t.co\/{link}" for link in links)])
        at = START + dt.timedelta(milliseconds=since)
        made: dict[str, Any] = {
            "at": at.strftime("%a %b %d %H:%M:%S +0000 %Y"),
            "id": self.identity(since),
            "text": full,
            "source": shapes.SOURCES[int(6 * chance.random() ** 3)],
            "user": shapes.user(author, WORDS),
            "entities": entities,
            "lang": ("es", "en", "pt", "und")[int(4 * chance.random() ** 2)],
            "stamp": f',"timestamp_ms":"{self.milliseconds(since)}"',
            "sensitive": '"possibly_sensitive":false,' if links else "",
        }
        if chance.random() < 0.3:
            photo = shapes.photo(self.identity(since), f"{chance.getrandbits(80):020x}", self.link())
            made["entities"] = f'{entities[:-1]},"media":[{photo}]}}'
            made["shown"] = f'"extended_entities":{{"media":[{photo}]}},'
        if words[0][0] == "@":
            made |= _reply(chance, words[0][1:], self.identity(since - 1_000_000))
        if long:
            cut = rf"{' '.join(words[:19])}\u2026 https:\/\/t.co\/{self.link()}"
            made |= {"text": cut, "cut": "true", "range": '"display_text_range":[0,140],'}
            made["extended"] = f'"extended_tweet":{{"full_text":"{full}","display_text_range":[0,{len(full)}],"entities":{entities}}},'
        return made | _where(self.place(), chance) if located else made

    def post(self, since: int, author: int, place: Place | None) -> str:
        """A v2 post."""
        chance = self.chance
        words = self.words(chance.randrange(3, 34))
        refers = chance.choice(("replied_to", "quoted", "retweeted")) if chance.random() < 0.35 and place is None else ""
        point = _point(place, chance) if place is not None and chance.random() < 0.1 else None
        where = "" if point is None else f',"coordinates":{{"type":"Point","coordinates":[{point[0]},{point[1]}]}}'
        identity = self.identity(since)
        return shapes.post(
            {
                "author": author,
                "id": identity,
                "iso": f"{START + dt.timedelta(milliseconds=since):%Y-%m-%dT%H:%M:%S}.000Z",
                "entities": f'"entities":{{{_entities2(words, chance)}}},',
                "geo": f'"geo":{{"place_id":"{place.id}"{where}}},' if place is not None else "",
                "lang": ("es", "en", "pt", "und")[int(4 * chance.random() ** 2)],
                "retweets": int(40 * chance.random() ** 6),
                "replies": int(9 * chance.random() ** 6),
                "likes": int(90 * chance.random() ** 5),
                "refers": f'"referenced_tweets":[{{"type":"{refers}","id":"{identity - 2**40}"}}],' if refers else "",
                "source": shapes.CLIENTS[int(6 * chance.random() ** 3)],
                "text": " ".join([*words, f"https://t.co/{self.link()}"] if chance.random() < 0.35 else words),
            }
        )


def _entities(words: list[str], links: list[str], chance: random.Random) -> str:
    tags = ",".join(f'{{"text":"{word[1:]}","indices":[40,{41 + len(word)}]}}' for word in words if word[0] == "#")
    mentions = ",".join(
        f'{{"screen_name":"{word[1:]}","name":"{words[-1].strip("#.!,?").capitalize()}","id":{int(word[2:], 16)},'
        f'"id_str":"{int(word[2:], 16)}","indices":[0,12]}}'
        for word in words
        if word[0] == "@"
    )
    urls = ",".join(
        rf'{{"url":"https:\/\/t.co\/{link}","expanded_url":"https:\/\/www.instagram.com\/p\/{chance.getrandbits(56):014x}\/",'
        rf'"display_url":"instagram.com\/p\/{link}\u2026","indices":[60,83]}}'
        for link in links
    )
    return f'{{"hashtags":[{tags}],"urls":[{urls}],"user_mentions":[{mentions}],"symbols":[]}}'


def _entities2(words: list[str], chance: random.Random) -> str:
    """v2's: with the subjects that it finds in a text, and links."""
    kind = '"type":"Person","normalized_text"'
    found = [
        f'{{"start":{5 * at},"end":{5 * at + len(word)},"probability":0.{chance.randrange(10_000)},{kind}:"{word}"}}'
        for at, word in enumerate(words[1::9])
    ]
    name = chance.getrandbits(72)
    link = (
        f'"urls":[{{"start":60,"end":83,"url":"https://t.co/{name % 2**40:010x}","expanded_url":"https://example.org/{words[-1]}/{name:018x}",'
        f'"display_url":"example.org/{words[-1]}/{name:018x}"}}],'
    )
    mentions = f',"mentions":[{{"start":0,"end":11,"username":"{words[0][1:]}","id":"{name % 2**31}"}}]' if words[0][0] == "@" else ""
    return f'{link if name % 2 else ""}"annotations":[{",".join(found)}]{mentions}'


def _reply(chance: random.Random, name: str, identity: int) -> dict[str, Any]:
    number = int(name[1:], 16)
    return {
        "reply": identity if chance.random() < 0.8 else "null",
        "reply_str": f'"{identity}"',
        "replied": number,
        "replied_str": f'"{number}"',
        "replied_name": f'"{name}"',
    }


def _point(place: Place, chance: random.Random) -> tuple[float, float]:
    west, south, east, north = place.box
    return round(chance.uniform(west, east), 6), round(chance.uniform(south, north), 6)


def _where(place: Place, chance: random.Random) -> dict[str, Any]:
    if chance.random() >= 0.14:
        return {"place": place.v1}
    longitude, latitude = _point(place, chance)
    point = '{{"type":"Point","coordinates":[{},{}]}}'
    return {"place": place.v1, "geo": point.format(latitude, longitude), "point": point.format(longitude, latitude)}


ARCHIVES: Final[dict[str, Archive]] = {
    "geo": Archive("geo.json.gz", 320_000, geo_lines),
    # for memory alone: four times as many tweets, packed with less care
    "large": Archive("large.json.gz", 1_280_000, geo_lines, 1),
    "stream": Archive("stream.json.gz", 400_000, stream_lines),
    "pages": Archive("pages.jsonl.gz", 300_000, page_lines),
}


def described(name: str, scale: float = 1.0) -> dict[str, Any]:
    """What was made: bytes packed and plain, lines; read once and kept beside the archive."""
    file = path(name, scale)
    beside = file.with_suffix(".about.json")
    if not beside.exists():
        plain = lines = 0
        with gzip.open(file, "rb") as text:
            for line in text:
                plain, lines = plain + len(line), lines + 1
        beside.write_text(json.dumps({"packed": file.stat().st_size, "plain": plain, "lines": lines}), encoding="utf-8")
    content: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
    return content
