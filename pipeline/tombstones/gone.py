"""What a tombstone says, and how to ask it: of a tweet, of an author's tweets, of rows by the ten thousand. tombstones/ has the files.

For good stands the HMAC of an id (keys.py); beside it a short name (siphash.py), of which a column is looked up at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.keys import Keys, hashed
from pipeline.tombstones import name_sets, siphash
from pipeline.tombstones.name_sets import Names, NameSet

#: A snowflake id holds the milliseconds since its epoch above this many bits (facts/x-api.md).
SNOWFLAKE_BITS: Final = 22
#: Ids below were counted up and hold no time; of those a moment has this many bits less of the id, and is a part of a millisecond.
FIRST_SNOWFLAKE: Final = 30_000_000_000
COUNTED_BITS: Final = 12
_PARTS: Final = 1 << (SNOWFLAKE_BITS - COUNTED_BITS)
LARGEST_ID: Final = 2**63 - 1
#: Said of tweets whose author took the location away from all of them up to one, and of those hidden in the country they come from.
SCRUBBED: Final = "scrub_geo"
WITHHELD: Final = "withheld"
DELETED: Final = "deleted"
#: Fewer ids than this are hashed one by one: an array has its price.
FEW: Final = 12


@dataclass(frozen=True)
class Short:
    """The short names of what has a tombstone: a quick look before a long one. `complete` where none of those is without (old files)."""

    tweets: NameSet = field(default_factory=NameSet)
    authors: NameSet = field(default_factory=NameSet)
    complete: bool = True


@dataclass(frozen=True)
class Tombstones:
    """All tombstones there are. False where there is none, and then nobody needs to ask.

    Attributes:
        key: what ids are hashed with.
        tweets: hash of a tweet's id → why it is gone.
        authors: hash of an author's id → up to which moment (see `moment`) their tweets are gone.
        reasons: hash of such an author → why, where it is not that the location was taken away.
        withheld: hash of a tweet's or an author's id → countries in which it may not be shown.
        archives: what stands for the tweets that archives ask to delete; millions, so 64 bits each, in files.
        identity: equal where no archive came to them.
    """

    key: bytes
    tweets: Mapping[str, str]
    authors: Mapping[str, float]
    reasons: Mapping[str, str] = field(default_factory=dict)
    withheld: Mapping[str, frozenset[str]] = field(default_factory=dict)
    short: Short = field(default_factory=Short, compare=False)
    archives: NameSet = field(default_factory=NameSet, compare=False)
    identity: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tweets or self.authors or self.withheld or self.archives)

    @cached_property
    def keys(self) -> Keys:
        """What ids are hashed with."""
        return Keys(self.key)

    def name(self, tweet_id: int) -> str:
        """What stands for the tweet's id on a tombstone."""
        return self.keys.tweet(tweet_id)

    def reason(self, tweet_id: int) -> str | None:
        """Why this tweet is gone, wherever it was written and whoever wrote it; None where it is not."""
        if self.tweets and (why := self.tweets.get(self.name(tweet_id))) is not None:
            return why
        if not self.archives or not 0 <= tweet_id <= LARGEST_ID:
            return None
        short = np.array([siphash.name(tweet_id, self.keys.tweets)], np.uint64)
        return DELETED if self.archives.holds(short)[0] else None

    def gone(self, tweet_id: int) -> bool:
        """Whether a tweet of this id may not be kept."""
        return self.reason(tweet_id) is not None

    def gone_of(self, ids: Sequence[int]) -> NDArray[np.bool_]:
        """The same of many."""
        if not self or len(ids) < FEW:
            return np.fromiter((bool(self) and self.gone(number) for number in ids), np.bool_, len(ids))
        usable = np.fromiter((0 <= number <= LARGEST_ID for number in ids), np.bool_, len(ids))
        numbers = np.array([number if use else 0 for number, use in zip(ids, usable, strict=True)], np.int64)
        return usable & self._gone(numbers, siphash.names(numbers, self.keys.tweets))

    def known_of(self, ids: Sequence[int]) -> NDArray[np.bool_]:
        """Which of them are gone, or may be gone where they were written."""
        found = self.gone_of(ids)
        if self.withheld:
            found |= np.fromiter((self.name(number) in self.withheld for number in ids), np.bool_, len(ids))
        return found

    def hidden(self, author_id: object, tweet_id: int, country: str | None) -> str | None:
        """Why a tweet is gone for its author's sake, or for its place's: `country` in two letters; anything else is not known."""
        if self.withheld and _hides(self.withheld.get(self.name(tweet_id)), country):
            return WITHHELD
        if author_id is None or not (self.authors or self.withheld):
            return None
        return self.hidden_key(hashed(self.key, str(author_id)), tweet_id, country)

    def hidden_key(self, author_hash: str | None, tweet_id: int, country: str | None) -> str | None:
        """The same of an author known by the hash alone (author_key)."""
        if author_hash is None:
            return None
        if self._before(author_hash, tweet_id):
            return self.reasons.get(author_hash, SCRUBBED)
        return WITHHELD if _hides(self.withheld.get(author_hash), country) else None

    def known_authors(self, author_ids: Collection[str]) -> bool:
        """Whether any tweet of one of these authors may be gone for its author's sake: a quick look before a long one."""
        if not (self.authors or self.withheld):
            return False
        return bool(self._candidates([*author_ids]))

    def rows(self, table: pa.Table) -> NDArray[np.bool_]:
        """Which rows may not be kept; of the columns tweet_id, version_id, author_id, author_key (a hash) and place_country those count
        that are there. What is withheld in some countries is told only where the last one is."""
        found = np.zeros(table.num_rows, np.bool_)
        if not self or not table.num_rows:
            return found
        ids = _numbers(table, "tweet_id")
        names = siphash.names(ids, self.keys.tweets)
        found |= self._gone(ids, names)
        if "version_id" in table.column_names:
            versions = _numbers(table, "version_id")
            edited = np.flatnonzero(versions != ids)
            if len(edited):
                found[edited] |= self._gone(versions[edited], siphash.names(versions[edited], self.keys.tweets))
        countries = table.column("place_country") if "place_country" in table.column_names and self.withheld else None
        if countries is not None:
            for row in np.flatnonzero(self.short.tweets.holds(names)):
                found[row] |= _hides(self.withheld.get(self.name(int(ids[row]))), countries[row].as_py())
        if self.authors or self.withheld:
            if "author_id" in table.column_names:
                self._mark(found, ids, countries, self._by_author(table.column("author_id")))
            if "author_key" in table.column_names:
                known = pa.array([*self.authors, *self.withheld])
                keys = table.column("author_key")
                rows = np.flatnonzero(pc.is_in(keys, value_set=known).to_numpy())
                self._mark(found, ids, countries, dict(zip(rows.tolist(), keys.take(pa.array(rows)).to_pylist(), strict=True)))
        return found

    def why(self, rows: pa.Table) -> list[str]:
        """Why each of these rows is gone; of few rows, each of them gone."""
        reasons = []
        for row in rows.to_pylist():
            first, version, country = row["tweet_id"], row.get("version_id"), row.get("place_country")
            why = self.reason(first) or (self.reason(version) if version not in (None, first) else None)
            why = why or self.hidden(row.get("author_id"), first, country) or self.hidden_key(row.get("author_key"), first, country)
            reasons.append(why or DELETED)
        return reasons

    def including(self, other: Tombstones) -> Tombstones:
        """These and others, under the same key."""
        authors = {**self.authors, **other.authors}
        reasons = {**self.reasons, **other.reasons}
        for author in self.authors.keys() & other.authors.keys():
            authors[author] = max(self.authors[author], other.authors[author])
        withheld = {name: self.withheld.get(name, frozenset()) | other.withheld.get(name, frozenset())
                    for name in (*self.withheld, *other.withheld)}  # fmt: skip
        short = Short(
            self.short.tweets | other.short.tweets,
            self.short.authors | other.short.authors,
            self.short.complete and other.short.complete,
        )
        archives, identity = self.archives | other.archives, (*self.identity, *other.identity)
        return Tombstones(self.key or other.key, {**other.tweets, **self.tweets}, authors, reasons, withheld, short, archives, identity)

    def _before(self, author_hash: str, tweet_id: int) -> bool:
        until = self.authors.get(author_hash)
        return until is not None and moment(tweet_id) <= until

    def _gone(self, ids: NDArray[np.int64], names: Names) -> NDArray[np.bool_]:
        found = self.archives.holds(names)
        if self.tweets:
            asked = ~found if not self.short.complete else self.short.tweets.holds(names) & ~found
            for place in np.flatnonzero(asked):
                found[place] = self.name(int(ids[place])) in self.tweets
        return found

    def _candidates(self, author_ids: Sequence[str | None]) -> dict[int, str]:
        """Place in the list → hash, of those authors about whom there is anything."""
        numbers = np.fromiter(map(_number, author_ids), np.int64, len(author_ids))
        asked = np.ones(len(numbers), np.bool_)
        if self.short.complete:
            asked = (numbers < 0) | self.short.authors.holds(siphash.names(numbers, self.keys.authors))
        some = [place for place in np.flatnonzero(asked).tolist() if author_ids[place] is not None]
        found = {place: hashed(self.key, str(author_ids[place])) for place in some}
        return {place: name for place, name in found.items() if name in self.authors or name in self.withheld}

    def _by_author(self, authors: pa.ChunkedArray) -> dict[int, str]:
        """Row → hash of its author, of those about whom there is anything."""
        try:
            # as they are written they are numbers; then a column of them needs no look at each
            numbers = authors.cast(pa.int64()).fill_null(-1).to_numpy()
        except pa.ArrowInvalid:
            numbers = None
        if numbers is not None and self.short.complete:
            rows = np.flatnonzero(self.short.authors.holds(siphash.names(numbers, self.keys.authors)))
            few = authors.take(pa.array(rows)).to_pylist()
            return {int(rows[place]): name for place, name in self._candidates(few).items()}
        encoded = authors.combine_chunks().dictionary_encode()
        candidates = self._candidates(encoded.dictionary.to_pylist())
        places = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return {int(row): candidates[int(places[row])] for row in np.flatnonzero(np.isin(places, list(candidates)))}

    def _mark(
        self, found: NDArray[np.bool_], ids: NDArray[np.int64], countries: pa.ChunkedArray | None, authors: Mapping[int, str]
    ) -> None:
        """Mark the rows (→ hash of the author) that are gone for their author's sake; by country where that can be told."""
        for row, name in authors.items():
            if countries is None:
                found[row] |= self._before(name, int(ids[row]))
            else:
                found[row] |= self.hidden_key(name, int(ids[row]), countries[row].as_py()) is not None


def moment(tweet_id: int) -> float:
    """Which of two tweets came first, told of an id without naming it: the milliseconds in it (facts/x-api.md).

    Of an id that was counted up, the part of one that 4,096 such ids share: a millisecond would be four million of them, some hours.
    """
    return tweet_id >> SNOWFLAKE_BITS if tweet_id >= FIRST_SNOWFLAKE else (tweet_id >> COUNTED_BITS) / _PARTS


def line(
    keys: Keys, tweet_id: int, reason: str, author: str | None = None, countries: Collection[str] = (), **more: object
) -> dict[str, Any]:
    """A tombstone: of a tweet, or of an author's tweets up to one, or of either in some countries."""
    if author is None:
        own: dict[str, Any] = {"tweet": keys.tweet(tweet_id), "short": siphash.name(tweet_id, keys.tweets)}
    else:
        own = {"author": hashed(keys.key, author), "short": siphash.name(int(author), keys.authors)}
    if countries:
        own["countries"] = sorted(set(countries))
    elif author is not None:
        # the moment and not the id, which would name a tweet
        own["until"] = moment(tweet_id)
    return {**own, "reason": reason, **more, "key": keys.fingerprint}


def read(keys: Keys, entries: Iterable[dict[str, Any]]) -> Tombstones:
    """The tombstones in these lines (`line`; those of old files have no short names)."""
    tweets: dict[str, str] = {}
    authors: dict[str, tuple[float, str]] = {}
    withheld: dict[str, frozenset[str]] = {}
    short: dict[str, list[int]] = {"tweet": [], "author": []}
    complete = True
    for entry in entries:
        of_what = "tweet" if "tweet" in entry else "author"
        name = entry[of_what]
        if "countries" in entry:
            withheld[name] = withheld.get(name, frozenset()) | set(entry["countries"])
        elif of_what == "tweet":
            tweets[name] = entry["reason"]
        else:
            authors[name] = max((_until(entry), entry["reason"]), authors.get(name, (-1, "")))
        complete &= "short" in entry
        short[of_what].append(entry.get("short", 0))
    of_tweets, of_authors = (name_sets.of(np.array(numbers, np.uint64)) for numbers in short.values())
    until = {name: moment for name, (moment, _) in authors.items()}
    reasons = {name: why for name, (_, why) in authors.items() if why != SCRUBBED}
    return Tombstones(keys.key, tweets, until, reasons, withheld, Short(of_tweets, of_authors, complete))


def _until(entry: Mapping[str, Any]) -> float:
    """Up to which moment; lines of older code have whole milliseconds of small ids too, and mean all of the last one."""
    until: float = entry["until"]
    small = isinstance(until, int) and until < FIRST_SNOWFLAKE >> SNOWFLAKE_BITS
    return until + (_PARTS - 1) / _PARTS if small else until


def _hides(countries: frozenset[str] | None, country: str | None) -> bool:
    """Whether it may not be shown where it was written; where that is not known by its two letters it may not either."""
    return countries is not None and (country is None or len(country) != 2 or not country.isascii() or country.upper() in countries)


def _number(author: str | None) -> int:
    """An author's id as a number, -1 where it is none of 63 bits."""
    if author and author.isascii() and author.isdigit() and len(author) <= 19:
        number = int(author)
        return number if number <= LARGEST_ID else -1
    return -1


def _numbers(table: pa.Table, column: str) -> NDArray[np.int64]:
    found: NDArray[np.int64] = table.column(column).fill_null(0).to_numpy()
    return found
