"""CleanTweets: the raw records of one area and day to one row a tweet, and what was left out by its reason.

What a record is, formats/ and sources/ say; what inside means, geo.evidence; what a text is, text.py. Here they are put together.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import days, extract, faults, formats, raw, storage, text, tombstones
from pipeline.choosing import Rows
from pipeline.days import Window
from pipeline.errors import AlreadyRunning, MissingData, expired
from pipeline.formats import Notice, Record
from pipeline.geo import KINDS
from pipeline.inputs import Inputs, Sources
from pipeline.keys import author_key, hasher
from pipeline.progress import Progress, silent
from pipeline.schema import DISCARDS, RECORDS, TWEETS
from pipeline.settings import Area, Settings
from pipeline.sources import archive

#: Version of this stage: raise it when its output changes (a golden test holds the two together).
CODE_VERSION: Final = 4
#: Discards kept for a look, per reason; all are counted.
SAMPLE: Final = 1000
ROW_GROUP: Final = 65_536


@dataclass(frozen=True, slots=True)
class _Decided:
    """What a partition is made of, taken once: a run that asked again might hear of an archive that was imported meanwhile."""

    inputs: Inputs
    coverage: tuple[float | None, str]
    revision: str


class Revisions:
    """The revisions of one area's days, for whoever asks about many: what they have in common is looked up once."""

    def __init__(self, settings: Settings, area_name: str) -> None:
        self._settings, self._area = settings, settings.area(area_name)
        self._folder = f"{settings.data}/tweets/area={area_name}"
        self.sources = Sources(settings, area_name)

    @cached_property
    def on_disk(self) -> extract.OnDisk:
        """X's days of the area."""
        return extract.OnDisk(self._settings, self._area.name)

    @cached_property
    def _policy(self) -> list[object]:
        return [self._area.policy, keeps_raw(self._settings, self._area), self._settings.load.raw]

    @cached_property
    def _key(self) -> str:
        return storage.digest(author_key(self._settings).hex())

    def of(self, day: date) -> str:
        """Digest of all that decides the partition's content; where no source holds the day, one that no partition ever has."""
        if (kept := self.kept(day)) is not None:
            return kept
        try:
            return self.decided(day).revision
        except MissingData:
            return storage.digest("clean", CODE_VERSION, "no source", self._area.name, day)

    def kept(self, day: date) -> str | None:
        """The revision that the day keeps for good (keep_revision), where it does."""
        path = f"{self._folder}/date={day}/expired.json"
        if not os.path.isfile(path):  # noqa: PTH113 (a Path costs three times as much, for each of thousands of days)
            return None
        kept: dict[str, str] = storage.read_json(Path(path))
        return kept["revision"] if kept["of"] == _question(self._settings, self._area.name) else None

    def decided(self, day: date) -> _Decided:
        """What a source gives of the day, and what is decided by that.

        Raises:
            MissingData: no source that may be used holds the day.
        """
        wanted = self.sources.of(day)
        settings, area, archives = self._settings, self._area, list[str]()
        # which other archives were listening decides the coverage, though not the rows
        # (of X's own day its manifest says how much was observed; an archive holds what somebody's stream caught)
        observed: tuple[float | None, str] = (1.0, "") if wanted.x else archive.coverage(settings, area, day)
        if wanted.archives:
            window = days.window(day, area.zone)
            archives = [archive.identity(settings, digest, window) for digest in wanted.archives]
        fetched: object = None
        if wanted.x:
            told = self.on_disk.observed(day)
            observed, fetched = (told.coverage, told.reason), self.on_disk.revision
            if told.digest or told.purged:
                # only then, so that whole days keep the revision that they always had
                fetched = [fetched, told.digest, told.purged]
        parts = ("clean", CODE_VERSION, fetched, archives, observed, self._policy, self._key)
        return _Decided(wanted, observed, storage.digest(*parts))


def revision(settings: Settings, area_name: str, day: date) -> str:
    """See Revisions.of."""
    return Revisions(settings, area_name).of(day)


def keep_revision(settings: Settings, area_name: str, day: date) -> None:
    """Let the day keep the revision that it has now, whatever archive, code or key comes later: its tweets are about to be removed.

    It can never be made again, and what was counted of it stays. (Of another box or policy it is another day.)
    """
    content = {"revision": revision(settings, area_name, day), "of": _question(settings, area_name)}
    storage.write_json(_folder(settings, area_name, day, "").with_name("expired.json"), content)


def _question(settings: Settings, area_name: str) -> str:
    area = settings.area(area_name)
    return storage.digest(area.policy, area.source, sorted(area.places), settings.synthetic)


def partition(settings: Settings, area_name: str, day: date) -> Path:
    """Where the cleaned tweets lie; the folder exists exactly when the day is whole."""
    return _folder(settings, area_name, day, revision(settings, area_name, day))


def _folder(settings: Settings, area_name: str, day: date, revision: str) -> Path:
    return settings.data / "tweets" / f"area={area_name}" / f"date={day.isoformat()}" / f"revision={revision}"


def run(settings: Settings, area_name: str, day: date, *, progress: Progress = silent) -> dict[str, Any]:
    """Clean one day, unless that has been done; return its manifest.

    Raises:
        MissingData: no source that may be used holds the day, its raw partition is gone, or [content] retention_days have passed.
        AlreadyRunning: what the day is made of changed while it was read.
    """
    revisions = Revisions(settings, area_name)
    if (kept := revisions.kept(day)) is not None:
        if not (final := _folder(settings, area_name, day, kept)).is_dir():
            raise expired(f"{area_name} on {day}")
        there: dict[str, Any] = storage.read_json(final / "manifest.json")
        return there
    decided = revisions.decided(day)
    final = _folder(settings, area_name, day, decided.revision)
    if not final.is_dir():
        with storage.publish_directory(final) as folder:
            progress(0.0, f"reading {_sources(decided.inputs)}")
            day_ = _Day(settings, settings.area(area_name), day, decided.inputs, decided.coverage)
            day_.read()
            progress(0.5, f"{day_.records:,} records")
            tweets = day_.choose()
            _write(folder, tweets, day_)
            storage.put_json(folder / "manifest.json", {**day_.manifest(tweets), "revision": decided.revision})
            faults.point("clean.publish")
            if partition(settings, area_name, day) != final:
                raise AlreadyRunning(
                    f"{area_name} {day}: an archive was imported meanwhile, so what was read is not all there is",
                    todo="run again: the day is cleaned from all that is there now",
                )
    content: dict[str, Any] = storage.read_json(final / "manifest.json")
    progress(1.0, f"{content['rows']:,} tweets")
    return content


def keeps_raw(settings: Settings, area: Area) -> bool:
    """Whether the column `raw` is filled."""
    return area.raw or settings.load.raw


def hashed_authors(authors: pa.ChunkedArray, key: bytes) -> pa.Array:
    """The authors' ids as the first 32 hexadecimal digits of HMAC-SHA256; null stays null. Each id is hashed once."""
    encoded = authors.combine_chunks().dictionary_encode()
    known = [*map(hasher(key), encoded.dictionary.to_pylist())]
    return pa.array(known, pa.string()).take(encoded.indices) if known else pa.nulls(len(authors), pa.string())


@dataclass
class _Day:
    """One area's day being cleaned."""

    settings: Settings
    area: Area
    day: date
    inputs: Inputs
    coverage: tuple[float | None, str]
    records: int = 0
    notices: Counter[str] = field(default_factory=Counter)
    discards: Counter[str] = field(default_factory=Counter)
    _rows: Rows = field(default_factory=lambda: Rows())
    _kept: list[pa.Table] = field(default_factory=list)
    _kept_rows: list[NDArray[np.int64]] = field(default_factory=list)
    _sample: list[pa.Table] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stones = tombstones.load(self.settings)

    @property
    def window(self) -> Window:
        return days.window(self.day, self.area.zone)

    def read(self) -> None:
        """All records of the day, from all its sources, each with its origin."""
        if self.inputs.x:
            self._pages()
        for digest in self.inputs.archives:
            for table in archive.records(self.settings, digest, self.window):
                self.records += table.num_rows
                self._take(table, f"archive/{digest}")

    def _pages(self) -> None:
        """X's pages; a post whose place its own page has left out takes it from another page of the day, which may come later."""
        places: dict[str, dict[str, Any]] = {}
        waiting: set[str] = set()
        for name, page in extract.pages(self.settings, self.area.name, self.day):
            own = raw.places(page)
            places.update(own)
            if raw.complete(page, own, places):
                self._page(f"x/{name}", page)
            else:
                waiting.add(name)
        for name, page in extract.pages(self.settings, self.area.name, self.day, only=waiting) if waiting else ():
            raw.complete(page, raw.places(page), places)
            self._page(f"x/{name}", page)

    def _page(self, origin: str, page: dict[str, Any]) -> None:
        found: list[Record] = []
        for outcome in formats.parse(page):
            self.records += 1
            if isinstance(outcome, Notice):
                self.notices[outcome.kind] += 1
            elif not isinstance(outcome, Record):
                self._discard(outcome.reason, [outcome.tweet_id], origin, outcome.detail)
            elif not outcome.geotagged:
                self._discard("no_geo", [outcome.tweet_id], origin)
            elif not self.window.start <= outcome.created_at < self.window.end:
                self._discard("wrong_day", [outcome.tweet_id], origin, outcome.created_at.isoformat())
            else:
                found.append(outcome)
        self._take(formats.table(found, raw=keeps_raw(self.settings, self.area)), origin)

    def _take(self, table: pa.Table, origin: str) -> None:
        """Keep the rows whose evidence the area takes; of the others only what decides which record of a tweet is the best."""
        if (gone := self.stones.rows(table)).any():
            # counted, and not by their ids: nothing is to remember those
            self._discard("deleted", [None] * int(gone.sum()), origin)
            table = table.filter(pa.array(~gone))
        kinds = archive.evidence_of(table, self.area)
        wanted = self._wanted(kinds)
        self._rows.add(table, kinds, origin)
        table = table.filter(pa.array(wanted)).cast(RECORDS)
        if not keeps_raw(self.settings, self.area):
            table = table.set_column(RECORDS.get_field_index("raw"), "raw", pa.nulls(table.num_rows, pa.string()))
        self._kept.append(table)
        self._kept_rows.append(np.flatnonzero(wanted) + (len(self._rows) - len(wanted)))

    def _discard(self, reason: str, tweet_ids: list[int | None], origin: str | list[str], detail: str | None = None) -> None:
        room = max(SAMPLE - self.discards[reason], 0)
        self.discards[reason] += len(tweet_ids)
        kept = tweet_ids[:room]
        if kept:
            origins = [origin] * len(kept) if isinstance(origin, str) else origin[: len(kept)]
            columns = [
                pa.repeat(reason, len(kept)),
                pa.array([detail] * len(kept), pa.string()),
                pa.array(kept, pa.int64()),
                pa.array(origins),
            ]
            self._sample.append(pa.Table.from_arrays(columns, schema=DISCARDS))

    def choose(self) -> pa.Table:
        """One row a tweet, those inside the area only, in the columns of schema.TWEETS and sorted by tweet_id."""
        rows = self._rows
        order, surplus, older = rows.best_first()
        self._discard_rows("older_version", order[surplus & older])
        self._discard_rows("duplicate", order[surplus & ~older])
        best = order[~surplus]
        kinds = rows.kinds[best]
        wanted = self._wanted(kinds)
        outside, nowhere = kinds == KINDS.index("outside"), kinds == KINDS.index("nowhere")
        self._discard_rows("outside", best[outside])
        self._discard_rows("nowhere", best[nowhere])
        self._discard_rows("other_evidence", best[~wanted & ~outside & ~nowhere])
        kept = pa.concat_tables(self._kept) if self._kept else RECORDS.empty_table()
        places = np.searchsorted(np.concatenate([np.empty(0, np.int64), *self._kept_rows]), best[wanted])
        return self._finished(kept.take(pa.array(places)), np.array(KINDS, dtype=np.object_)[kinds[wanted]])

    def _wanted(self, kinds: NDArray[np.int8]) -> NDArray[np.bool_]:
        return np.array([kind in self.area.evidence for kind in KINDS])[kinds]

    def _discard_rows(self, reason: str, rows: NDArray[np.int64]) -> None:
        if not len(rows):
            return
        sampled = rows[: max(SAMPLE - self.discards[reason], 0)]
        ids: list[int | None] = self._rows.tweet_ids[sampled].tolist()
        self._discard(reason, ids, self._rows.origins(sampled))
        self.discards[reason] += len(rows) - len(sampled)

    def _finished(self, table: pa.Table, kinds: NDArray[np.object_]) -> pa.Table:
        tidy = text.tidy_all(table.column("text"))
        searchable = text.searchable_all(tidy)
        made = {
            "author_key": hashed_authors(table.column("author_id"), author_key(self.settings)),
            "text": tidy,
            "searchable": searchable,
            "folded": text.fold_all(searchable),
            "evidence": pa.array(kinds, pa.string()),
        }
        columns = [made[column.name] if column.name in made else _storable(table.column(column.name)) for column in TWEETS]
        return pa.Table.from_arrays(columns, schema=TWEETS)

    def sample(self) -> pa.Table:
        """The discards kept for a look."""
        return pa.concat_tables(self._sample) if self._sample else DISCARDS.empty_table()

    def manifest(self, tweets: pa.Table) -> dict[str, Any]:
        """Counts and sources; records = rows + discards + notices."""
        fetched = extract.manifest(self.settings, self.area.name, self.day) if self.inputs.x else {}
        named = [("sandbox" if fetched["synthetic"] else "x")] if self.inputs.x else []
        return {
            "area": self.area.name,
            "day": self.day.isoformat(),
            "window": [self.window.start.isoformat(), self.window.end.isoformat()],
            "records": self.records,
            "rows": tweets.num_rows,
            "discards": dict(sorted(self.discards.items())),
            "notices": dict(sorted(self.notices.items())),
            "evidence": dict(sorted(Counter(tweets.column("evidence").to_pylist()).items())),
            "coverage": self.coverage[0],
            "coverage_reason": self.coverage[1],
            "synthetic": bool(fetched.get("synthetic", False)),
            "sources": [*named, *(f"archive {digest}" for digest in self.inputs.archives)],
            "posts": fetched.get("posts", 0),
            "pages": len(fetched.get("pages", ())),
            "requests": fetched.get("requests", 0),
            "mode": fetched.get("mode", "whole"),
            "sample": fetched.get("sample"),
            "hours": _kept_by_hour(fetched.get("hours", ()), self.window, tweets),
        }


def _kept_by_hour(hours: Iterable[dict[str, Any]], window: Window, tweets: pa.Table) -> list[dict[str, Any]]:
    """The hours of X's manifest, each with the number of tweets kept; none where there are none."""
    since = tweets.column("created_at").to_numpy() - np.datetime64(window.start.replace(tzinfo=None))
    kept = Counter((since // np.timedelta64(1, "h")).tolist())
    return [{**hour, "kept": kept[number]} for number, hour in enumerate(hours)]


def _storable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column without NUL, which PostgreSQL's text cannot hold."""
    return pc.replace_substring(column, "\x00", "\ufffd") if pa.types.is_string(column.type) else column


def _slices(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, max(table.num_rows, 1), ROW_GROUP):
        yield table.slice(start, ROW_GROUP)


def _write(folder: Path, tweets: pa.Table, day: _Day) -> None:
    with storage.parquet_writer(folder / "tweets.parquet", TWEETS) as writer:
        for number, piece in enumerate(_slices(tweets)):
            writer.write_table(piece)
            if number == 0:
                faults.point("clean.parquet")
    storage.write_parquet(folder / "discards.parquet", day.sample())


def _sources(wanted: Inputs) -> str:
    archives = f"{len(wanted.archives)} archives" if wanted.archives else ""
    return " and ".join(part for part in ("the pages of X" if wanted.x else "", archives) if part)
