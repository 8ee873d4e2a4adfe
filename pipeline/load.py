"""Files to PostgreSQL: one area's day of tweets, one study's day of counts, each in one transaction with its marker.

What is in the files is clean.py's and count.py's affair; how rows get into a table is database.py's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from pipeline import clean, count, database, ledger, schema, tombstones
from pipeline.copying import Rows
from pipeline.database import Marker
from pipeline.errors import AlreadyRunning, InvalidCounts, LoadMismatch, SuspiciousExtract, expired
from pipeline.progress import Progress, silent
from pipeline.settings import Area, Settings
from pipeline.storage import digest, read_json
from pipeline.study import Study
from pipeline.tombstones import Tombstones

#: Rows that are in memory at a time.
BATCH = 16384

#: A partition with less than one in so many of the rows that stand in the database is suspicious ...
SHRUNKEN = 5
#: ... where so many stand there: a quiet day's few tweets may well become fewer by a mended policy.
ENOUGH_TO_COMPARE = 100

#: What tells whether a tweet is gone.
_ASKED: Final = ("tweet_id", "version_id", "author_key", "place_country")
_DELETABLE: Final = pa.schema([(name, schema.TWEETS.field(name).type) for name in _ASKED])

#: Only for matching: what a person reads is `text`.
NOT_LOADED = {"searchable", "folded"}


def tweets(settings: Settings, area_name: str, day: date, *, force: bool = False, progress: Progress = silent) -> int:
    """Replace one area's day in tweets, discards, coverage and coverage_hours; give the number of tweets that are stored.

    Where the partition is there at the wanted revision, nothing is written. `raw` is filled only with [load] raw. With `force` fewer rows
    than before are right, however few: tweets were deleted.

    Raises:
        MissingData: the cleaned partition is not on the disk.
        SuspiciousExtract: it is empty, or a fifth of what the table holds of the same area and sources (GEOBETA_FORCE=1 replaces that).
        AlreadyRunning: some of these tweets were deleted meanwhile.
        LoadMismatch: the file, its manifest and the table do not agree.
        DatabaseUnavailable: see pipeline.database.transaction.
    """
    return tweets_of_days(settings, area_name, [day], force=force, progress=progress)


def tweets_of_days(settings: Settings, area_name: str, wanted: Iterable[date], *, force: bool = False, progress: Progress = silent) -> int:
    """`tweets` of several days in one transaction: all of them, each with its marker, or none; give the number stored of all.

    A month is loaded so in the time of its rows: what a transaction costs, it costs once.

    Raises:
        MissingData, SuspiciousExtract, AlreadyRunning, LoadMismatch, DatabaseUnavailable: as `tweets`, of any of the days.
    """
    stones, area = tombstones.load(settings), settings.area(area_name)
    partitions = [_Tweets.of(settings, area, day, progress) for day in sorted(set(wanted))]
    with database.transaction(settings) as connection:
        # in the order of days: so two that load some of the same days never wait in a circle
        outcomes = [each.replace(connection, force=force) for each in partitions]
        loaded = [each for each, outcome in zip(partitions, outcomes, strict=True) if outcome.loaded]
        if loaded:
            _remember_area(connection, area)
        if changed := [each.day for each, outcome in zip(partitions, outcomes, strict=True) if outcome.changed]:
            # number and coverage of an area's tweets are judged there
            database.lock(connection, "report")
            database.drop_markers(connection, "digest", "", min(changed))
        if loaded and (now := tombstones.load(settings)) != stones:
            for each in loaded:
                _refuse_deleted(connection, each.scope, now)
    rows = sum(outcome.marker.rows for outcome in outcomes)
    when = str(partitions[0].day) if len(partitions) == 1 else f"{len(partitions)} days"
    progress(1.0, f"{rows:,} tweets of {area_name} on {when} {'loaded' if loaded else 'were there already'}")
    return rows


@dataclass(frozen=True)
class _Tweets:
    """One area's cleaned day, ready to be loaded."""

    area: Area
    day: date
    rows: int
    new: Marker
    content: list[Rows]

    @classmethod
    def of(cls, settings: Settings, area: Area, day: date, progress: Progress) -> _Tweets:
        folder = clean.partition(settings, area.name, day)
        manifest = read_json(folder / "manifest.json")
        scope: dict[str, str | date] = {"area": area.name, "day": day}
        columns = [name for name in schema.TWEETS.names if name not in NOT_LOADED and (name != "raw" or settings.load.raw)]
        stored = _batches(folder / "tweets.parquet", columns, manifest["rows"], progress)
        content = [
            Rows("tweets", scope, _labelled(stored, manifest["synthetic"]), key="tweet_id"),
            Rows("discards", scope, _batch({"reason": pa.string(), "rows": pa.int64()}, *manifest["discards"].items())),
            Rows("coverage", scope, _coverage(manifest), digested=False),
            Rows("coverage_hours", scope, _batch(_HOUR, *map(_hour, manifest.get("hours", ()))), digested=False),
        ]
        revision = folder.name.removeprefix("revision=")
        return cls(area, day, manifest["rows"], _marker(revision, area, manifest), content)

    @property
    def scope(self) -> dict[str, str | date]:
        return {"area": self.area.name, "day": self.day}

    def replace(self, connection: sa.Connection, *, force: bool) -> database.Loaded:
        def check(before: Marker | None) -> None:
            held = connection.scalar(sa.text("select count(*) from tweets where area = :area and day = :day"), self.scope)
            if not force:
                _refuse_shrunken(held, self.rows, before, self.new, what=f"tweets of {self.area.name} on {self.day}")

        key = ("tweets", self.area.name, self.day)
        return database.replace_partition(connection, key=key, new=self.new, content=self.content, check=check)


def counts(settings: Settings, study_name: str, day: date, *, force: bool = False, progress: Progress = silent) -> int:
    """Replace one study's day in daily_counts, author_counts and tweet_matches; give the number of authors' rows stored.

    Where that changes what is stored, that day's posterior loses its marker: it is to be made again, and posterior.update then mends the
    later ones too. (Theirs stay: a task that is done must not become undone behind Luigi's back while others wait for it.)

    Raises:
        MissingData: the counts are not on the disk.
        InvalidCounts: they contradict each other.
        SuspiciousExtract, LoadMismatch, DatabaseUnavailable: as `tweets`.
    """
    folder, study = count.partition(settings, study_name, day), settings.study(study_name)
    area = settings.area(study.area)
    manifest = read_json(folder / "manifest.json")
    authors = pq.ParquetFile(folder / "authors.parquet").read(schema.AUTHOR_COUNTS.names)
    _refuse_contradiction(study_name, day, manifest, authors)
    revision = count.revision(settings, study_name, day)
    new = _marker(revision, area, manifest if study.mode == "counts" else _inputs(settings, study, day, manifest))
    key = ("counts", study_name, day)
    scope: dict[str, str | date] = {"study": study_name, "day": day}
    # X counts its matches and names none
    listed = 0 if study.mode == "counts" else manifest["matches"]
    matched = _batches(folder / "matches.parquet", schema.MATCHES.names, listed, progress)
    content = [
        Rows("author_counts", scope, authors.to_batches()),
        Rows("daily_counts", scope, _daily(manifest, count.rule_version(settings, study), revision)),
        Rows("tweet_matches", scope, matched),
    ]
    with database.transaction(settings) as connection:

        def check(before: Marker | None) -> None:
            # with those left out: whom a study leaves out may well be most of a day
            statement = "select coalesce(sum(trials + coalesce(excluded, 0)), 0) from daily_counts where study = :study and day = :day"
            held = connection.scalar(sa.text(statement), scope)
            if not force:
                _refuse_shrunken(
                    held, manifest["trials"] + manifest.get("excluded", 0), before, new, what=f"counts of {study_name} on {day}"
                )

        outcome = database.replace_partition(connection, key=key, new=new, content=content, check=check)
        if outcome.loaded:
            _remember_area(connection, area)
            _remember_study(settings, connection, study)
        if outcome.changed:
            database.lock(connection, "study", study_name)
            database.drop_markers(connection, "posteriors", study_name, day, until=day)
    progress(1.0, f"counts of {study_name} on {day} {'loaded' if outcome.loaded else 'were there already'}")
    return outcome.marker.rows


def area_version(area: Area) -> str:
    """Digest of what decides which tweets are inside an area, and on which day."""
    return digest(area.policy)


def _marker(revision: str, area: Area, manifest: Mapping[str, Any]) -> Marker:
    inputs = digest(area_version(area), manifest.get("sources"), bool(manifest["synthetic"]))
    return Marker(revision, 0, None, inputs, bool(manifest["synthetic"]), ledger.current())


def _inputs(settings: Settings, study: Study, day: date, manifest: dict[str, Any]) -> dict[str, Any]:
    """What clean.py says of the tweets that were counted; where they are gone, what count.py does."""
    cleaned = clean.partition(settings, study.area, day) / "manifest.json"
    found: dict[str, Any] = read_json(cleaned) if cleaned.is_file() else manifest
    return found


def _refuse_shrunken(held: int, coming: int, before: Marker | None, new: Marker, *, what: str) -> None:
    """Rule 3 of the design: what is empty, or far too small, does not replace what the same area and sources gave before."""
    shrunken = (held and not coming) or (held >= ENOUGH_TO_COMPARE and coming < held / SHRUNKEN)
    # another box or another source may well have nothing there; the same ones had something
    same_inputs = before is None or before.inputs in (None, new.inputs)
    if shrunken and same_inputs and os.environ.get("GEOBETA_FORCE") != "1":
        new_one = f"has {coming:,} only" if coming else "is empty"
        raise SuspiciousExtract(
            f"{what}: the new partition {new_one}, and {held:,} stand in the database, of the same area and sources",
            todo="see why (an archive cut short? an outage?); to replace them all the same, run again with GEOBETA_FORCE=1",
        )


def _refuse_deleted(connection: sa.Connection, scope: Mapping[str, str | date], stones: Tombstones) -> None:
    """A purge does not see the rows of a load that has not ended: that one has to look itself."""
    rows = connection.execute(sa.text(f"select {', '.join(_ASKED)} from tweets where area = :area and day = :day"), scope)
    table = pa.Table.from_pylist([dict(row) for row in rows.mappings()], schema=_DELETABLE)
    if stones.rows(table).any():
        raise AlreadyRunning(
            f"tweets of {scope['area']} on {scope['day']} were deleted while they were loaded",
            todo="run again: the day is cleaned and loaded without them",
        )


def _refuse_contradiction(study_name: str, day: date, manifest: Mapping[str, Any], authors: pa.Table) -> None:
    sums = {name: pc.sum(authors[name]).as_py() or 0 for name in ("trials", "matches")}
    if any(sums[name] != manifest[name] for name in sums) or not 0 <= manifest["matches"] <= manifest["trials"]:
        raise InvalidCounts(
            f"counts of {study_name} on {day}: {manifest['matches']} of {manifest['trials']} in all,"
            f" and {sums['matches']} of {sums['trials']} summed over authors",
            todo="count that day again: remove its folder under counts/ and run the night again",
        )


def _labelled(batches: Iterable[pa.RecordBatch], synthetic: bool) -> Iterator[pa.RecordBatch]:
    """The batches with a column that says whether the sandbox made them up: a dashboard that sums over days must be able to tell."""
    for batch in batches:
        yield batch.append_column("synthetic", pa.repeat(pa.scalar(synthetic), batch.num_rows))


def _batches(path: Path, columns: list[str], rows: int, progress: Progress) -> Iterator[pa.RecordBatch]:
    """The file's rows, read as they are sent. An empty file gives one empty batch."""
    if not path.exists() and "expired" in read_json(path.with_name("manifest.json")):
        raise expired(" ".join(path.parts[-4:-2]))
    with pq.ParquetFile(path) as file:
        if file.metadata.num_rows != rows:
            raise LoadMismatch(
                f"{path} has {file.metadata.num_rows} rows, its manifest says {rows}",
                todo="remove that folder and run the night again",
            )
        sent = 0
        for batch in file.iter_batches(batch_size=BATCH, columns=columns):
            yield batch
            sent += batch.num_rows
            progress(sent / rows, f"{sent:,} of {rows:,} rows sent")


def _batch(columns: Mapping[str, pa.DataType], *rows: tuple[object, ...]) -> list[pa.RecordBatch]:
    arrays = [pa.array([row[index] for row in rows], kind) for index, kind in enumerate(columns.values())]
    return [pa.RecordBatch.from_arrays(arrays, list(columns))]


def _coverage(manifest: Mapping[str, Any]) -> list[pa.RecordBatch]:
    columns = {"coverage": pa.float64(), "reason": pa.string(), "sources": pa.string(), "posts": pa.int64(), "pages": pa.int64()}
    columns |= {"requests": pa.int64(), "synthetic": pa.bool_(), "mode": pa.string()}
    columns |= dict.fromkeys(("expected", "fetched", "kept"), pa.int64())
    hours = manifest.get("hours", ())
    row = (
        manifest["coverage"],
        manifest["coverage_reason"],
        _array(manifest.get("sources") or ()),
        *(manifest.get(name) for name in ("posts", "pages", "requests")),
        bool(manifest["synthetic"]),
        manifest.get("mode", "whole"),
        _sum(hours, "expected"),
        _sum(hours, "fetched"),
        manifest["rows"],
    )
    return _batch(columns, row)


#: coverage_hours as clean's manifest names it: column → (key there, type).
_HOURS: Final = {
    "hour": ("start", schema.INSTANT),
    **{name: (name, pa.int64()) for name in ("seconds", "expected", "fetched", "kept", "pages", "waits", "errors")},
    **{name: (name, pa.float64()) for name in ("wait_seconds", "observed")},
    "reason": ("reason", pa.string()),
}
_HOUR: Final = {column: kind for column, (_, kind) in _HOURS.items()}


def _hour(hour: Mapping[str, Any]) -> tuple[object, ...]:
    row = {**hour, "start": datetime.fromisoformat(hour["start"]), "reason": hour["reason"] or None}
    return tuple(row[key] for key, _ in _HOURS.values())


def _sum(hours: Sequence[Mapping[str, Any]], name: str) -> int | None:
    """Over the day; None where an hour's number is not known, or there are no hours."""
    known = [hour[name] for hour in hours]
    return None if not known or None in known else sum(known)


def _array(texts: object) -> str:
    """A list of texts as PostgreSQL writes text[]."""
    items = texts if isinstance(texts, (list, tuple)) else [texts]
    return "{" + ",".join('"' + str(item).replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items) + "}"


def _daily(manifest: Mapping[str, Any], rule_version: str, revision: str) -> list[pa.RecordBatch]:
    whole = ("trials", "matches", "authors", "retweets")
    columns: dict[str, pa.DataType] = dict.fromkeys(whole, pa.int64())
    columns |= {"coverage": pa.float64(), "coverage_reason": pa.string(), "synthetic": pa.bool_()}
    columns |= {"basis": pa.string(), "sampled": pa.int64(), "population": pa.int64(), "excluded": pa.int64()}
    basis = manifest.get("basis", "tweets")
    row = (
        *(manifest[name] for name in whole),
        *(manifest["coverage"], manifest["coverage_reason"], bool(manifest["synthetic"])),
        *(basis, manifest.get("sampled"), manifest.get("population")),
        # a study that leaves nobody out does not say so
        None if basis == "counts" else manifest.get("excluded", 0),
    )
    return _batch({**columns, "rule_version": pa.string(), "revision": pa.string()}, (*row, rule_version, revision))


def _remember_area(connection: sa.Connection, area: Area) -> None:
    connection.execute(
        sa.text(
            "insert into areas (area, version, west, south, east, north, timezone, largest_place, evidence)"
            " values (:area, :version, :west, :south, :east, :north, :timezone, :largest_place, :evidence) on conflict do nothing"
        ),
        {
            "area": area.name,
            "version": area_version(area),
            **{side: getattr(area.box, side) for side in ("west", "south", "east", "north")},
            "timezone": area.timezone,
            "largest_place": area.largest_place,
            "evidence": sorted(area.evidence),
        },
    )


def _remember_study(settings: Settings, connection: sa.Connection, study: Study) -> None:
    row = {
        "rule_version": count.rule_version(settings, study),
        "question": study.question,
        "area": study.area,
        "start": study.start,
        "match": study.match,
        "prior_alpha": study.prior.parameters.alpha,
        "prior_beta": study.prior.parameters.beta,
        "forget": None if study.forget == "auto" else study.forget,
    }
    later = {
        "window_days": study.window,
        "author_cap": study.author_cap,
        "prior_said": None if study.prior.plain else study.prior.said,
        "excluded": {"authors": len(study.exclude.authors), "clients": study.exclude.clients} if study.exclude else None,
    }
    # the mode is in the rule's version already, and the rest only where it is set: so studies that are known keep their version
    version = digest(row | {name: value for name, value in later.items() if value is not None})
    row |= {**later, "mode": study.mode, "prior_said": study.prior.said}
    names = ["study", "version", *row]
    statement = sa.text(f"insert into studies ({', '.join(names)}) values (:{', :'.join(names)}) on conflict do nothing")
    typed = statement.bindparams(sa.bindparam("match", type_=sa.JSON), sa.bindparam("excluded", type_=sa.JSON(none_as_null=True)))
    connection.execute(typed, {"study": study.name, "version": version, **row})
