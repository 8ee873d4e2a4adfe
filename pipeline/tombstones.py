"""Which tweets are gone for good, known by keyed hashes alone: whoever would store a tweet asks here first. No id stands in the files.

They lie in `tombstones/` below the data folder, a file a purge, one JSON object a line. (The table of that name is their copy, for people.)
What is removed because of them is purge/'s affair.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline import storage
from pipeline.errors import SettingsError
from pipeline.keys import author_key, hashed
from pipeline.settings import Settings

#: A snowflake id holds the milliseconds since its epoch above this many bits (facts/x-api.md).
SNOWFLAKE_BITS: Final = 22
#: Said of tweets whose author took the location away from all of them up to one.
SCRUBBED: Final = "scrub_geo"


@dataclass(frozen=True)
class Tombstones:
    """All tombstones there are. False where there is none, and then nobody needs to ask.

    Attributes:
        key: what ids are hashed with.
        tweets: hash of a tweet's id → why it is gone.
        authors: hash of an author's id → up to which moment (the milliseconds in an id) their tweets lost their location.
    """

    key: bytes
    tweets: Mapping[str, str]
    authors: Mapping[str, int]

    def __bool__(self) -> bool:
        return bool(self.tweets or self.authors)

    def name(self, tweet_id: int) -> str:
        """What stands for the tweet's id on a tombstone."""
        return hashed(self.key, _named(tweet_id))

    def reason(self, tweet_id: int) -> str | None:
        """Why this tweet is gone; None where it is not."""
        return self.tweets.get(self.name(tweet_id))

    def gone(self, tweet_id: int) -> bool:
        """Whether a tweet of this id may not be kept."""
        return self.reason(tweet_id) is not None

    def scrubbed(self, author_id: object, tweet_id: int) -> bool:
        """Whether the author has taken the location away from this tweet and all before it."""
        return bool(self.authors) and author_id is not None and self.scrubbed_key(hashed(self.key, str(author_id)), tweet_id)

    def known_author(self, author_id: str) -> bool:
        """Whether this author has taken locations away: a quick look before a long one."""
        return bool(self.authors) and hashed(self.key, author_id) in self.authors

    def rows(self, table: pa.Table) -> NDArray[np.bool_]:
        """Which rows may not be kept; of the columns tweet_id, version_id, author_id and author_key (a hash) those that are there count."""
        found = np.zeros(table.num_rows, np.bool_)
        if not self or not table.num_rows:
            return found
        ids = table.column("tweet_id").to_pylist()
        found |= np.fromiter((number is not None and self.gone(number) for number in ids), np.bool_, len(ids))
        if "version_id" in table.column_names:
            pairs = zip(ids, table.column("version_id").to_pylist(), strict=True)
            found |= np.fromiter((version not in (None, number) and self.gone(version) for number, version in pairs), np.bool_, len(ids))
        if self.authors and "author_id" in table.column_names:
            authors = table.column("author_id").to_pylist()
            found |= np.fromiter(map(self.scrubbed, authors, ids), np.bool_, len(ids))
        if self.authors and "author_key" in table.column_names:
            keys = table.column("author_key").to_pylist()
            found |= np.fromiter((self.scrubbed_key(key, number) for key, number in zip(keys, ids, strict=True)), np.bool_, len(ids))
        return found

    def scrubbed_key(self, author_hash: str | None, tweet_id: int) -> bool:
        """The same of an author known by the hash alone (author_key)."""
        until = self.authors.get(author_hash or "")
        return until is not None and (tweet_id >> SNOWFLAKE_BITS) <= until


def folder(settings: Settings) -> Path:
    """Where the tombstones lie."""
    return settings.data / "tombstones"


def load(settings: Settings) -> Tombstones:
    """All tombstones there are; read again only after a new one.

    Raises:
        SettingsError: they were put up under another key: nothing that is gone would be known again.
    """
    path = folder(settings)
    try:
        stamp = path.stat().st_mtime_ns
    except FileNotFoundError:
        # without a tombstone no key is needed, and none is made
        return Tombstones(b"", {}, {})
    return _load(path, stamp, len(list(path.iterdir())), author_key(settings))


def imagined(settings: Settings, tweets: Mapping[int, str], authors: Mapping[str, int]) -> Tombstones:
    """The tombstones as they would be with these; nothing is written."""
    known, key = load(settings), author_key(settings)
    stones = {hashed(key, _named(tweet_id)): why for tweet_id, why in tweets.items()}
    until = {hashed(key, author): last >> SNOWFLAKE_BITS for author, last in authors.items()}
    return Tombstones(key, {**stones, **known.tweets}, {**known.authors, **until})


def note(settings: Settings, tweets: Mapping[int, str], authors: Mapping[str, int], *, source: str) -> int:
    """Put up tombstones, those that stand already apart; give the number of new ones. They are on the disk when this returns.

    Args:
        tweets: id → why it is gone.
        authors: author's id → id of the last tweet from which the location was taken.
        source: who said so, for people.
    """
    known, key = load(settings), author_key(settings)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    lines: list[dict[str, Any]] = []
    for tweet_id, why in sorted(tweets.items()):
        name = hashed(key, _named(tweet_id))
        if name not in known.tweets:
            lines.append({"tweet": name, "reason": why, "source": source, "noted_at": now, "key": _fingerprint(key)})
    for author, last in sorted(authors.items()):
        # the moment and not the id, which would name a tweet
        name, until = hashed(key, author), last >> SNOWFLAKE_BITS
        if known.authors.get(name, -1) < until:
            line = {"author": name, "until": until, "reason": SCRUBBED, "source": source, "noted_at": now, "key": _fingerprint(key)}
            lines.append(line)
    if lines:
        body = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        storage.write_bytes(folder(settings) / f"{now[:10]}-{storage.digest(lines)}.jsonl", body.encode())
    return len(lines)


def lines(settings: Settings) -> Iterable[dict[str, Any]]:
    """Every tombstone as it was put up: `tweet` or `author` (hashes), `until` for an author, reason, source, noted_at."""
    for path in sorted(folder(settings).glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def _named(tweet_id: int) -> str:
    # apart from authors, who have numbers of the same kind
    return f"tweet {tweet_id}"


def _fingerprint(key: bytes) -> str:
    """Tells keys apart, and tells nothing of them."""
    return hashed(key, "the key of tombstones")[:8]


@lru_cache(maxsize=4)
def _load(path: Path, stamp: int, files: int, key: bytes) -> Tombstones:
    tweets: dict[str, str] = {}
    authors: dict[str, int] = {}
    own = _fingerprint(key)
    for file in sorted(path.glob("*.jsonl")):
        for line in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
            if line.get("key", own) != own:
                raise SettingsError(
                    f"got another key than the one under which {path} was written: deleted tweets would be stored again",
                    todo="set GEOBETA_AUTHOR_KEY (or author.key in the data folder) as it was; where it is lost, remove that folder, purge"
                    " the same files again, and run `python -m pipeline compliance`",
                )
            if "tweet" in line:
                tweets[line["tweet"]] = line["reason"]
            else:
                authors[line["author"]] = max(line["until"], authors.get(line["author"], -1))
    return Tombstones(key, tweets, authors)
