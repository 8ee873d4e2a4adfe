"""Tweets from archive files: what their extracts hold, for any area and any day. importing/ makes the extracts.

An extract is a folder `archives/<first 16 hexadecimal digits of the file's SHA-256>/` with every geotagged tweet of one file
(records.parquet), what could not be used (rejects.parquet) and the counts (manifest.json). It never changes; so what it holds of an area
is counted once and kept beside it (area-<digest>.json).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline import days, errors, geo, minutes, recall, storage
from pipeline.days import Window
from pipeline.recall import Recall
from pipeline.schema import RECORDS
from pipeline.settings import Area, Settings

#: How extracts are counted by area and day; raise it when that changes.
COUNTING: Final = 1
#: So long without any line, and the time counts as not observed; streams of a city are quiet for minutes, seldom for half an hour.
LONGEST_SILENCE: Final = timedelta(minutes=30)
POINT_COLUMNS: Final = ("longitude", "latitude", "place_west", "place_south", "place_east", "place_north")
#: An archive with so many tweets, and all of them far from an area, comes of a stream that did not listen there.
ENOUGH_TO_TELL: Final = 20
OF_A_SEARCH: Final = "archive of a search: what it did not ask for is missing"
PARTLY_OF_A_SEARCH: Final = "partly an archive of a search: what it asked for is counted more fully than the rest"
_NAME: Final = re.compile(r"[0-9a-f]{16}")
_REPEATING: Final = tuple(name for name in storage.DICTIONARY_COLUMNS if name in RECORDS.names)


@dataclass(frozen=True, slots=True)
class AreaCounts:
    """What one extract holds of one area, in stored records.

    Attributes:
        kept: tweets inside by the policy, each once.
        outside: records with a point or place that lies elsewhere.
        nowhere: records with a place of which no box is known.
        other_evidence: records inside by a kind of evidence that the area does not want.
        duplicates: further records of tweets that are kept.
        days: local day (ISO) → tweets kept.
    """

    kept: int
    outside: int
    nowhere: int
    other_evidence: int
    duplicates: int
    days: Mapping[str, int]


def root(settings: Settings) -> Path:
    """Where the extracts lie."""
    return settings.data / "archives"


def folder(settings: Settings, digest: str) -> Path:
    """Where one extract lies; the folder exists exactly when it is whole."""
    return root(settings) / digest


def held(settings: Settings) -> tuple[str, ...]:
    """The digests of all extracts, sorted."""
    path = root(settings)
    return tuple(_held(path, _stamp(path)))


def manifest(settings: Settings, digest: str) -> dict[str, Any]:
    """The manifest of an extract.

    Raises:
        MissingData: there is no such extract.
    """
    content: dict[str, Any] = storage.read_json(folder(settings, digest) / "manifest.json")
    return content


def identity(settings: Settings, digest: str, window: Window) -> str:
    """What decides what an extract holds of a window: file, code that read it, whether raw JSON was kept, how much was deleted since."""
    overview = _overview(folder(settings, digest))
    start, end = (moment.astimezone(UTC).isoformat() for moment in (window.start, window.end))
    purged = sum(number for quarter, number in overview.purged.items() if start <= quarter < end)
    return f"{overview.identity}.purged-{purged}" if purged else overview.identity


def window_of(content: Mapping[str, Any]) -> Window | None:
    """The window that was wanted of the file of a manifest, and of which its extract holds everything; None is all the file holds."""
    return days.from_ends(content.get("window"))


def quarters(moments: pa.ChunkedArray) -> dict[str, int]:
    """How many of the moments lie in each quarter of an hour, by its beginning (ISO, UTC): no local day begins within one."""
    seconds = moments.cast(pa.int64()).to_numpy() // 1_000_000
    found, numbers = np.unique(seconds // 900, return_counts=True)
    return {
        datetime.fromtimestamp(quarter * 900, UTC).isoformat(): number
        for quarter, number in zip(found.tolist(), numbers.tolist(), strict=True)
    }


def by_day(settings: Settings, area: Area) -> Mapping[str, tuple[str, ...]]:
    """Local day (ISO) → digests of the extracts that hold at least one tweet inside the area on it, sorted."""
    path = root(settings)
    return _days_index(path, _stamp(path), area)


def any_held(settings: Settings, area: Area) -> bool:
    """Whether any archive holds any tweet of the area."""
    return bool(by_day(settings, area))


def days_held(settings: Settings, area: Area) -> tuple[date, ...]:
    """The local days of which any archive holds a tweet inside the area, sorted."""
    return tuple(sorted(date.fromisoformat(day) for day in by_day(settings, area)))


def holding(settings: Settings, area: Area, day: date) -> tuple[str, ...]:
    """The digests of the extracts that hold at least one tweet inside the area on that local day, sorted."""
    return by_day(settings, area).get(day.isoformat(), ())


def expired(settings: Settings, area: Area, day: date) -> bool:
    """Whether an archive that holds the day has had its records removed after [content] retention_days."""
    start = days.window(day, area.zone).start
    return any(start < limit for digest in holding(settings, area, day) if (limit := _overview(folder(settings, digest)).expired))


def records(settings: Settings, digest: str, window: Window) -> Iterator[pa.Table]:
    """The records of an extract that were written in the window: tables of schema.RECORDS, a row group each.

    Columns whose values repeat come as dictionaries: most rows are of no area that is asked for, and their values need not be made.

    Raises:
        MissingData: [content] retention_days have passed, and they were removed.
    """
    limit = _overview(folder(settings, digest)).expired
    if limit is not None and window.start < limit:
        raise errors.expired(f"archive {digest} before {limit:%Y-%m-%d %H:%M} UTC")
    start, end = pa.scalar(window.start, pa.timestamp("us", tz="UTC")), pa.scalar(window.end, pa.timestamp("us", tz="UTC"))
    with pq.ParquetFile(folder(settings, digest) / "records.parquet", read_dictionary=_REPEATING) as file:
        column = file.schema_arrow.names.index("created_at")
        for group in range(file.num_row_groups):
            statistics = file.metadata.row_group(group).column(column).statistics
            if statistics is not None and (statistics.max < window.start or statistics.min >= window.end):
                continue
            # in threads it would take more of the processor's time, and a night has other work for them
            table = file.read_row_group(group, use_threads=False)
            moments = table.column("created_at")
            if statistics is None or statistics.min < window.start or statistics.max >= window.end:
                table = table.filter(pc.and_(pc.greater_equal(moments, start), pc.less(moments, end)))
            if table.num_rows:
                yield table


def coverage(settings: Settings, area: Area, day: date) -> tuple[float | None, str]:
    """(share of the local day that the held archives observed, what is missing in plain words or ""); None where nobody can tell.

    The results of a search observe nothing but what was asked for: where such an archive holds the day, alone or beside a stream's,
    how much of the place was seen is not known; and its lines fill no gap of another.

    A minute counts as observed unless it lies in a stretch of 30 minutes or more of that day without any line, geotagged or not, in any
    held archive that may have listened to the area. A file of one minute of the sample stream need not hold a tweet of the area to show
    that it was listening; one whose many tweets all lie elsewhere, such as another city's stream, shows nothing.
    """
    searched = [bool(_overview(folder(settings, digest)).searches) for digest in holding(settings, area, day)]
    if any(searched):
        return None, OF_A_SEARCH if all(searched) else PARTLY_OF_A_SEARCH
    window = days.window(day, area.zone)
    alive = _alive(settings, area, window)
    if not alive.size:
        return 1.0, ""
    stretches = [(first, length) for first, length in minutes.silences(alive) if length >= LONGEST_SILENCE / timedelta(minutes=1)]
    if not stretches:
        return 1.0, ""
    missing = sum(length for _, length in stretches)
    clock = partial(minutes.clock, window, area.zone)
    named = ", ".join(f"{clock(first)}-{clock(first + length)}" for first, length in stretches[:3])
    further = f" and {len(stretches) - 3} more stretches" if len(stretches) > 3 else ""
    hours = f"{missing / 60:.1f} of {alive.size / 60:.0f} hours"
    return 1 - missing / alive.size, f"no archive has a line from {named}{further}: {hours} not observed"


def count_area(path: Path, area: Area, part: Window | None) -> AreaCounts:
    """Count an extract's records (a records.parquet) by the area's policy and days; reads a row group at a time.

    Days that begin or end outside `part`, the window of which the extract holds everything (None: no end), are not among the days.
    """
    outside = nowhere = other = 0
    inside: list[NDArray[np.int64]] = []
    local: list[NDArray[np.datetime64]] = []
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            # of threads only the waking is felt: each file has a process, and most files are small
            table = file.read_row_group(group, columns=["tweet_id", "created_at", *POINT_COLUMNS], use_threads=False)
            kinds = evidence_of(table, area)
            numbers = dict(zip(geo.KINDS, np.bincount(kinds, minlength=len(geo.KINDS)).tolist(), strict=True))
            outside += numbers["outside"]
            nowhere += numbers["nowhere"]
            other += sum(numbers[kind] for kind in geo.INSIDE if kind not in area.evidence)
            chosen = np.array([kind in area.evidence for kind in geo.KINDS])[kinds]
            inside.append(table.column("tweet_id").to_numpy()[chosen])
            instants = table.column("created_at").cast(pa.int64()).to_numpy()[chosen]
            local.append(days.day_of(instants.astype("datetime64[us]"), area.zone))
    ids = np.concatenate(inside) if inside else np.empty(0, np.int64)
    _, first = np.unique(ids, return_index=True)
    named, amounts = np.unique(np.concatenate(local)[first], return_counts=True) if len(ids) else ((), ())
    found = zip(map(date.fromisoformat, map(str, named)), amounts, strict=True)
    by_day = {str(day): int(amount) for day, amount in found if days.covers(part, days.window(day, area.zone))}
    return AreaCounts(len(first), outside, nowhere, other, len(ids) - len(first), by_day)


def evidence_of(batch: pa.RecordBatch | pa.Table, area: Area) -> NDArray[np.int8]:
    """geo.evidence_codes of every record, whether or not the area wants that kind."""
    columns = [_floats(batch.column(name)) for name in POINT_COLUMNS]
    return geo.evidence_codes(*columns, box=area.box, largest_place=area.largest_place)


def area_counts(settings: Settings, digest: str, area: Area) -> AreaCounts:
    """What an extract holds of an area; counted when first asked for, and kept beside the extract."""
    return _area_counts(folder(settings, digest), area)


def area_file(area: Area) -> str:
    """Name of the file beside an extract that keeps the counts of an area: by what decides them, not by the area's name."""
    return f"area-{storage.digest(COUNTING, area.policy)}.json"


def write_area_counts(path: Path, counts: AreaCounts) -> None:
    """Keep counts beside an extract."""
    storage.write_json(path, asdict(counts))


def with_days(counts: AreaCounts, held: Mapping[str, int]) -> AreaCounts:
    """The counts with other days."""
    return replace(counts, days=dict(held))


def extent_of(path: Path) -> tuple[float, float, float, float] | None:
    """(west, south, east, north) of all points and places of a records.parquet, None where it has none."""
    longitudes: list[float] = []
    latitudes: list[float] = []
    with pq.ParquetFile(path) as file:
        columns = {name: file.schema_arrow.names.index(name) for name in POINT_COLUMNS}
        for group in range(file.num_row_groups):
            for name, column in columns.items():
                statistics = file.metadata.row_group(group).column(column).statistics
                if statistics is not None and statistics.has_min_max:
                    axis = latitudes if name in ("latitude", "place_south", "place_north") else longitudes
                    axis += [statistics.min, statistics.max]
    return (min(longitudes), min(latitudes), max(longitudes), max(latitudes)) if longitudes and latitudes else None


@dataclass(frozen=True, slots=True)
class _Overview:
    """The small part of a manifest that stays in memory."""

    identity: str
    minutes: Mapping[str, str]
    stored: int
    extent: tuple[float, float, float, float] | None
    searches: tuple[str, ...]
    purged: Mapping[str, int]
    expired: datetime | None
    window: Window | None

    def may_have_heard(self, area: Area) -> bool:
        """Whether the archive comes of a stream that may have listened to the area: unless its many tweets all lie elsewhere."""
        if self.searches:
            return False
        if self.extent is None or self.stored < ENOUGH_TO_TELL:
            return True
        west, south, east, north = self.extent
        return any(part.west <= east and west <= part.east and part.south <= north and south <= part.north for part in area.box.parts())


@lru_cache(maxsize=65536)
def _overview(path: Path) -> _Overview:
    return _overview_of(path.name, _read_overview(path))


#: Keys of a manifest that every night asks of every extract.
_OVERVIEW: Final = ("code", "raw", "extent", "expired_before", "stored", "expired", "deleted", "searches", "minutes", "purged", "window")


def _read_overview(path: Path) -> dict[str, Any]:
    content = storage.read_json(path / "manifest.json")
    return {key: content[key] for key in _OVERVIEW if key in content}


def _overview_of(digest: str, content: Mapping[str, Any]) -> _Overview:
    identity = f"{digest}.{content['code']}{'.raw' if content['raw'] else ''}"
    extent = content.get("extent")
    extent = None if extent is None else tuple(extent)
    expired = datetime.fromisoformat(content["expired_before"]) if content.get("expired_before") else None
    # what was taken out since was heard all the same
    heard = content["stored"] + content.get("expired", 0) + content.get("deleted", 0)
    searches = tuple(content.get("searches", ()))
    return _Overview(identity, content["minutes"], heard, extent, searches, content.get("purged", {}), expired, window_of(content))


def forget() -> None:
    """Drop what is remembered of extracts: one has been replaced (its file was read again by newer code)."""
    _overview.cache_clear()
    _overviews.cache_clear()
    _held.cache_clear()
    _days_index.cache_clear()
    _minutes_index.cache_clear()


def _stamp(path: Path) -> tuple[int, int]:
    """Changes whenever an extract comes or goes."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_nlink)


@lru_cache(maxsize=16)
def _held(path: Path, stamp: tuple[int, int]) -> dict[str, recall.Stamp]:
    """The extracts' stamps by their digests, sorted."""
    return {name: seen for name, seen in recall.stamps(path).items() if _NAME.fullmatch(name)} if stamp != (0, 0) else {}


@lru_cache(maxsize=64)
def _days_index(path: Path, stamp: tuple[int, int], area: Area) -> Mapping[str, tuple[str, ...]]:
    index: dict[str, list[str]] = {}
    name = area_file(area)
    known = _recall(path, Path(name).stem, name)
    for digest, seen in _held(path, stamp).items():
        for day in known.of(digest, seen, lambda name: list(_area_counts(path / name, area).days)):
            index.setdefault(day, []).append(digest)
    known.keep()
    return {day: tuple(digests) for day, digests in index.items()}


def _recall(path: Path, name: str, version: object) -> Recall:
    """What earlier processes read of the extracts: not among them, whose number is their folder's stamp."""
    return Recall(path.parent / "index" / f"{name}.msgpack", version)


@lru_cache(maxsize=4)
def _overviews(path: Path, stamp: tuple[int, int]) -> tuple[_Overview, ...]:
    """Of all extracts."""
    known = _recall(path, "manifests", _OVERVIEW)
    extracts = _held(path, stamp).items()
    found = tuple(_overview_of(digest, known.of(digest, seen, lambda name: _read_overview(path / name))) for digest, seen in extracts)
    known.keep()
    return found


def _area_counts(path: Path, area: Area) -> AreaCounts:
    kept = path / area_file(area)
    if kept.exists():
        return AreaCounts(**storage.read_json(kept))
    counts = count_area(path / "records.parquet", area, window_of(storage.read_json(path / "manifest.json")))
    write_area_counts(kept, counts)
    return counts


@lru_cache(maxsize=64)
def _minutes_index(path: Path, stamp: tuple[int, int], area: Area) -> Mapping[str, NDArray[np.bool_]]:
    """UTC day → which of its minutes any archive that may have heard the area has a line of."""
    packed = ((each.minutes, days.whole(each.window, area.zone)) for each in _overviews(path, stamp) if each.may_have_heard(area))
    return minutes.joined(packed)


def _alive(settings: Settings, area: Area, window: Window) -> NDArray[np.bool_]:
    """For every minute of the window, whether any held archive that may have heard the area has a line of it."""
    path = root(settings)
    index = _minutes_index(path, _stamp(path), area)
    return minutes.of_window(index, window)


def _floats(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """A float column with NaN for null."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    values: NDArray[np.float64] = whole.to_numpy(zero_copy_only=False)
    return values
