"""Which tweets are gone for good, known by keyed hashes alone: whoever would store a tweet asks here first. No id stands in the files.

They lie in `tombstones/` below the data folder, a file a purge, one JSON object a line (the table of that name is their copy, for people);
what imported archives ask for lies in `tombstones/archives/` (deletion_index.py). What is removed because of them is purge/'s affair.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline import storage
from pipeline.errors import SettingsError
from pipeline.keys import Keys, author_key
from pipeline.settings import Settings
from pipeline.tombstones import deletion_index, gone
from pipeline.tombstones.deletion_index import News
from pipeline.tombstones.gone import DELETED, SCRUBBED, WITHHELD, Tombstones, line

__all__ = [
    "DELETED",
    "SCRUBBED",
    "WITHHELD",
    "Noted",
    "Tombstones",
    "imagined",
    "keys",
    "line",
    "lines",
    "load",
    "note",
    "of",
    "of_extract",
    "of_news",
]


@dataclass(frozen=True, slots=True)
class Noted:
    """How many tombstones were put up, and the files in which they stand."""

    number: int
    files: frozenset[str]


def folder(settings: Settings) -> Path:
    """Where the tombstones lie."""
    return settings.data / "tombstones"


def keys(settings: Settings) -> Keys:
    """What ids are hashed with; makes the key where there is none."""
    return Keys(author_key(settings))


def load(settings: Settings) -> Tombstones:
    """All tombstones there are, those that archives ask for too; read again only after a new one.

    Raises:
        SettingsError: they were put up under another key: nothing that is gone would be known again.
    """
    path = folder(settings)
    try:
        stamp = path.stat().st_mtime_ns
    except FileNotFoundError:
        # without a tombstone no key is needed, and none is made
        return Tombstones(b"", {}, {})
    asked = deletion_index.everything(settings)
    files = sum(entry.suffix == ".jsonl" for entry in path.iterdir())
    return _both(path, stamp, files, author_key(settings), asked) if files or asked else Tombstones(b"", {}, {})


def of_news(settings: Settings, news: News) -> Tombstones:
    """What these archives ask for, and the tombstones in these files; nothing else."""
    found = Tombstones(b"", {}, {})
    if news.files:
        found = gone.read(keys(settings), _checked(folder(settings), keys(settings), sorted(news.files)))
    asked = deletion_index.of(settings.data / "archives" / digest for digest in sorted(news.extracts))
    return found.including(_of_archives(folder(settings), author_key(settings), asked)) if asked else found


def of_extract(keys: Keys, extract: Path) -> Tombstones:
    """What one archive asks for, whose extract is being made in this folder."""
    asked = deletion_index.of([extract])
    return _of_archives(extract, keys.key, asked) if asked else Tombstones(b"", {}, {})


def of(settings: Settings, tweets: Mapping[int, str]) -> Tombstones:
    """Tombstones of these tweets (id → why) and no others; nothing is written."""
    own = keys(settings)
    return gone.read(own, (line(own, tweet_id, why) for tweet_id, why in tweets.items()))


def imagined(settings: Settings, lines: Iterable[dict[str, Any]]) -> Tombstones:
    """The tombstones as they would be with these; nothing is written."""
    known, new = load(settings), gone.read(keys(settings), lines)
    return known.including(new) if known else new


def note(settings: Settings, lines: Iterable[dict[str, Any]], *, source: str) -> Noted:
    """Put up tombstones (`line`), those that say nothing new apart. They are on the disk when this returns.

    Args:
        lines: what is gone.
        source: who said so, for people.
    """
    known = load(settings)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    new = [{**entry, "source": source, "noted_at": now} for entry in lines if not _says(known, entry)]
    new.sort(key=lambda entry: (entry.get("tweet", ""), entry.get("author", "")))
    if not new:
        return Noted(0, frozenset())
    name = f"{now[:10]}-{storage.digest(new)}.jsonl"
    storage.write_bytes(folder(settings) / name, "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in new).encode())
    return Noted(len(new), frozenset((name,)))


def lines(settings: Settings) -> Iterator[dict[str, Any]]:
    """Every tombstone as it was put up (`line`), with source and noted_at; not those that archives ask for."""
    for path in sorted(folder(settings).glob("*.jsonl")):
        yield from deletion_index.lines_of(path)


def _says(known: Tombstones, entry: Mapping[str, Any]) -> bool:
    """Whether the tombstones there are say that already."""
    if "countries" in entry:
        return known.withheld.get(entry.get("tweet") or entry["author"], frozenset()) >= set(entry["countries"])
    if "tweet" in entry:
        return entry["tweet"] in known.tweets
    return bool(known.authors.get(entry["author"], -1) >= entry["until"])


@lru_cache(maxsize=4)
def _both(path: Path, stamp: int, files: int, key: bytes, asked: deletion_index.Asked) -> Tombstones:
    own = _load(path, stamp, files, key)
    return own.including(_of_archives(path, key, asked)) if asked else own


@lru_cache(maxsize=4)
def _load(path: Path, stamp: int, files: int, key: bytes) -> Tombstones:
    return gone.read(Keys(key), _checked(path, Keys(key), sorted(file.name for file in path.glob("*.jsonl"))))


def _checked(path: Path, keys: Keys, files: Iterable[str]) -> Iterator[dict[str, Any]]:
    for name in files:
        for entry in deletion_index.lines_of(path / name):
            _refuse_key(path, keys, entry.get("key", keys.fingerprint))
            yield entry


def _of_archives(path: Path, key: bytes, asked: deletion_index.Asked) -> Tombstones:
    keys = Keys(key)
    for used in asked.keys:
        _refuse_key(path, keys, used)
    return replace(gone.read(keys, asked.lines), archives=asked.names, identity=asked.identity)


def _refuse_key(path: Path, keys: Keys, used: str) -> None:
    if used != keys.fingerprint:
        raise SettingsError(
            f"got another key than the one under which {path} was written: deleted tweets would be stored again",
            todo="set GEOBETA_AUTHOR_KEY (or author.key in the data folder) as it was; where it is lost, remove that folder and archives/,"
            " import and purge the same files again, and run `python -m pipeline compliance`",
        )
