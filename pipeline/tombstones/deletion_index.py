"""What all imported archives ask to delete: beside each extract at first, then gathered into a few sorted files. tombstones/ asks here.

Beside an extract that asks for anything lie `deletions.jsonl` (the key's fingerprint, then authors and what is withheld: lines as in
tombstones/) and `deleted.u64` (names of tweets, siphash.py). A mark in `tombstones/archives/loose/` says so until it has been gathered
into `tombstones/archives/`, whose index also tells of which extracts the deletions have been applied to all that is stored.
"""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pipeline import storage
from pipeline.settings import Settings
from pipeline.tombstones import name_sets
from pipeline.tombstones.name_sets import NameSet

NAMES: Final = "deleted.u64"
LINES: Final = "deletions.jsonl"
#: So many extracts lie loose before an import gathers them: whoever asks opens each.
LOOSE: Final = 64
LOCK_WAIT_SECONDS: Final = 600.0
_TRIES: Final = 10


@dataclass(frozen=True)
class Asked:
    """What some archives ask for.

    Attributes:
        names: of the tweets to delete.
        lines: about authors and countries, as tombstones/ reads them; each hash once for each of the two.
        keys: fingerprints of the keys that were used; one, unless somebody changed it.
        identity: equal where nothing came to it; tells of all the rest.
    """

    names: NameSet = field(default_factory=NameSet, compare=False)
    lines: tuple[dict[str, Any], ...] = field(default=(), compare=False)
    keys: frozenset[str] = frozenset()
    identity: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.names or self.lines)


@dataclass(frozen=True)
class Index:
    """What has been gathered.

    Attributes:
        gathered: extract → number of its folder on the disk (an extract that is made again gets another).
        applied: the same of those whose deletions have been applied to all that was stored, and all deletions to them.
        files: names of the tombstones' own files that have been applied to all that was stored.
        runs: file → how many names it has, the largest first.
        lines, keys: see Asked.
        files_only: whether there was no database when some were applied: one that comes later, or comes back, has not seen them.
    """

    gathered: Mapping[str, int] = field(default_factory=dict)
    applied: Mapping[str, int] = field(default_factory=dict)
    files: Sequence[str] = ()
    runs: Mapping[str, int] = field(default_factory=dict)
    lines: Sequence[dict[str, Any]] = ()
    keys: Sequence[str] = ()
    files_only: bool = False


def held(settings: Settings) -> dict[str, int]:
    """All extracts → the number of each one's folder on the disk."""
    try:
        with os.scandir(settings.data / "archives") as entries:
            return {entry.name: entry.inode() for entry in entries if not entry.name.startswith(".")}
    except FileNotFoundError:
        return {}


def folder(settings: Settings) -> Path:
    """Where the gathered ones lie."""
    return settings.data / "tombstones" / "archives"


def announce(settings: Settings, digest: str) -> None:
    """Say, before an extract is published, that it asks for deletions."""
    path = folder(settings) / "loose" / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    storage.fsync_directory(path.parent)


def everything(settings: Settings) -> Asked:
    """What all archives ask for, but for extracts that were put there by hand since the last `gather`."""
    root = folder(settings)
    for attempt in range(_TRIES):
        try:
            stamp = _stamp(root / "index.json")
            loose = tuple(sorted(_loose(settings).items()))
            return _everything(settings.data, stamp, loose) if stamp or loose else Asked()
        except FileNotFoundError:
            # gathered meanwhile: the next look finds it where it went
            if attempt == _TRIES - 1:
                raise
    raise AssertionError


def of(extracts: Iterable[Path]) -> Asked:
    """What the archives ask for whose extracts lie in these folders."""
    names, lines, keys, asking = NameSet(), list[dict[str, Any]](), set[str](), list[str]()
    for extract in extracts:
        try:
            head, *further = lines_of(extract / LINES)
        except FileNotFoundError:
            # asks for nothing
            continue
        if (extract / NAMES).exists():
            names |= name_sets.opened([extract / NAMES])
        lines += further
        keys.add(head["key"])
        asking.append(extract.name)
    return Asked(names, tuple(_unique(lines)), frozenset(keys), tuple(asking))


def gather(settings: Settings, *, all_held: bool = False) -> None:
    """Bring loose deletions into the index: those that are announced where there are LOOSE of them, or all that any extract has."""
    if not all_held and len(_loose(settings)) < LOOSE:
        return
    with _locked(settings):
        index = read(settings)
        there = held(settings)
        candidates = there if all_held else {name: there[name] for name in _loose(settings) if name in there}
        new = {name: inode for name, inode in candidates.items() if index.gathered.get(name) != inode}
        if new:
            asked = of(settings.data / "archives" / name for name in sorted(new))
            merged = _merged_runs(settings, index, asked.names)
            lines = _unique([*index.lines, *asked.lines])
            kept = {name: inode for name, inode in {**index.gathered, **new}.items() if there.get(name) == inode}
            keys = sorted({*index.keys, *asked.keys})
            _write(settings, replace(index, gathered=kept, runs=merged, lines=lines, keys=keys))
            for path in folder(settings).glob("*.u64"):
                if path.name not in merged:
                    path.unlink()
                    name_sets.bits_of(path).unlink(missing_ok=True)
        for name in candidates:
            (folder(settings) / "loose" / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class News:
    """What nobody has noted as applied: extracts (→ number of the folder on the disk), and files of tombstones that purge/ put up."""

    extracts: dict[str, int]
    files: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.extracts or self.files)


def unapplied(settings: Settings) -> News:
    """Extracts whose deletions have not been applied to all that is stored, or not all deletions to them; tombstones of the same kind."""
    index = read(settings)
    extracts = {name: inode for name, inode in held(settings).items() if index.applied.get(name) != inode}
    return News(extracts, frozenset(path.name for path in (settings.data / "tombstones").glob("*.jsonl")) - set(index.files))


def note_applied(settings: Settings, news: News, *, files_only: bool) -> None:
    """Note it; `files_only`: there was no database, else it has seen all there are now."""
    if not news and read(settings).files_only == files_only:
        return
    with _locked(settings):
        index = read(settings)
        there = held(settings)
        applied = {name: inode for name, inode in {**index.applied, **news.extracts}.items() if there.get(name) == inode}
        _write(settings, replace(index, applied=applied, files=sorted({*index.files, *news.files}), files_only=files_only))


def read(settings: Settings) -> Index:
    """The index as it stands."""
    path = folder(settings) / "index.json"
    return _read(path, stamp) if (stamp := _stamp(path)) else Index()


# --- inside ----------------------------------------------------------------------------------------------------------------


def _locked(settings: Settings) -> contextlib.AbstractContextManager[None]:
    lock = settings.data / "locks" / "deletions.lock"
    return storage.exclusive(lock, wait=LOCK_WAIT_SECONDS, what="gathering of deletions")


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return (status.st_mtime_ns, status.st_ino)


def _loose(settings: Settings) -> dict[str, int]:
    """Announced extracts that are there (a killed import announces one that is not) → number on the disk."""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for mark in (folder(settings) / "loose").iterdir():
            if stamp := _stamp(settings.data / "archives" / mark.name):
                found[mark.name] = stamp[1]
    return found


@lru_cache(maxsize=4)
def _read(path: Path, stamp: tuple[int, int]) -> Index:
    return Index(**storage.read_json(path))


def _write(settings: Settings, index: Index) -> None:
    content = asdict(index)
    storage.write_json(folder(settings) / "index.json", {**content, "gathered": dict(sorted(index.gathered.items()))})


@lru_cache(maxsize=4)
def _everything(data: Path, stamp: tuple[int, int] | None, loose: tuple[tuple[str, int], ...]) -> Asked:
    root = data / "tombstones" / "archives"
    index = _read(root / "index.json", stamp) if stamp else Index()
    new = of(data / "archives" / name for name, inode in loose if index.gathered.get(name) != inode)
    names = name_sets.opened(root / name for name in index.runs) | new.names
    lines = _unique([*index.lines, *new.lines])
    return Asked(names, tuple(lines), new.keys | set(index.keys), (*index.runs, *new.identity, storage.digest(lines)))


def _merged_runs(settings: Settings, index: Index, names: NameSet) -> dict[str, int]:
    """Write the names as a further file, together with files not much larger: so there are few, and each is written anew seldom."""
    runs = dict(index.runs)
    if not names:
        return runs
    size, swallowed = names.size, []
    for name, number in reversed(list(index.runs.items())):
        if number > 2 * size:
            break
        size += number
        swallowed.append(name)
    whole = names | name_sets.opened(folder(settings) / name for name in swallowed)
    new = f"{uuid.uuid4().hex[:12]}.u64"
    folder(settings).mkdir(parents=True, exist_ok=True)
    number = name_sets.merge(whole, folder(settings) / new, bits=True)
    return {**{name: count for name, count in runs.items() if name not in swallowed}, new: number}


def _unique(lines: Collection[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for each hash and kind: the latest moment, or all countries; in a fixed order."""
    found: dict[tuple[str, bool], dict[str, Any]] = {}
    for line in lines:
        place = (line.get("tweet") or line["author"], "countries" in line)
        found[place] = joined(found[place], line) if place in found else line
    return [found[place] for place in sorted(found)]


def joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What two lines of the same hash and kind say together."""
    if "countries" in one:
        return {**one, "countries": sorted({*one["countries"], *other["countries"]})}
    return max(one, other, key=lambda line: (line["until"], line["reason"]))


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file of JSON objects."""
    yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())
