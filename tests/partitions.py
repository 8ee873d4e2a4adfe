"""Partitions written by hand, as clean.py and count.py leave them: what a test of the database side starts from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline import clean, count, storage
from pipeline.schema import AUTHOR_COUNTS, MATCHES, TWEETS
from pipeline.settings import Settings

#: What every manifest says unless a test spoils it.
WHOLE = {"coverage": 1.0, "coverage_reason": "", "synthetic": True, "sources": ["sandbox"]}


def make_hours(start: dt.datetime, kept: Mapping[int, int] | None = None, **changes: Any) -> list[dict[str, Any]]:
    """24 hours as clean's manifest tells them, all observed; `kept`: tweets by number of the hour."""
    hour = {"seconds": 3600, "expected": 2, "fetched": 1, "pages": 1, "waits": 0, "wait_seconds": 0.0, "errors": 0, "observed": 1.0}
    kept = kept or {}
    return [
        {"start": (start + dt.timedelta(hours=number)).isoformat(), **hour, "reason": None, "kept": kept.get(number, 0), **changes}
        for number in range(24)
    ]


def make_tweet(**changes: Any) -> dict[str, Any]:
    """One valid row of schema.TWEETS; a test changes what it is about."""
    row: dict[str, Any] = dict.fromkeys(TWEETS.names)
    row |= {
        "tweet_id": 1,
        "created_at": dt.datetime(2026, 11, 5, 18, 30, 0, 123000, tzinfo=dt.UTC),
        "author_key": "0123456789abcdef0123456789abcdef",
        "text": "Mucho tráfico en Insurgentes",
        "searchable": "Mucho tráfico en Insurgentes",
        "folded": "mucho trafico en insurgentes",
        "lang": "es",
        "is_retweet": False,
        "is_quote": False,
        "longitude": -99.1,
        "latitude": 19.4,
        "evidence": "point",
    }
    row |= changes
    return {"version_id": row["tweet_id"], **{name: value for name, value in row.items() if value is not None or name != "version_id"}}


def write_tweets(settings: Settings, area: str, day: dt.date, rows: Sequence[Mapping[str, Any]], **changes: Any) -> Path:
    """Write a cleaned partition where clean.partition says; give its folder."""
    folder = clean.partition(settings, area, day)
    manifest = {"rows": len(rows), "discards": {"outside": 3, "duplicate": 1}, "posts": 12, "pages": 2, "requests": 3, **WHOLE, **changes}
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=TWEETS)
    _write(folder, {"tweets": table}, manifest)
    return folder


def strangers(day: dt.date, trials: int, matches: int) -> dict[str, tuple[int, int]]:
    """Counts of as many authors as tweets, who tweet on no other day: nothing to correct."""
    return {f"{day.toordinal() * 1_000_000 + number:032x}": (1, int(number < matches)) for number in range(trials)}


def write_counts(
    settings: Settings, study: str, day: dt.date, authors: Mapping[str | None, tuple[int, int]], *, retweets: int = 2, **changes: Any
) -> Path:
    """Write counts (author: n, k) where count.partition says; give its folder. Tweet ids are made up and differ by day."""
    folder = count.partition(settings, study, day)
    keys = sorted(authors, key=lambda key: (key is None, key))
    trials, matches = (sum(authors[key][which] for key in keys) for which in (0, 1))
    table = pa.Table.from_pylist(
        [{"author_key": key, "trials": authors[key][0], "matches": authors[key][1]} for key in keys], schema=AUTHOR_COUNTS
    )
    matched = pa.Table.from_pylist(
        [{"tweet_id": day.toordinal() * 1_000_000 + number, "rule": "tráfico"} for number in range(matches)], schema=MATCHES
    )
    known = sum(key is not None for key in keys)
    manifest = {"trials": trials, "matches": matches, "authors": known, "retweets": retweets, **WHOLE, **changes}
    _write(folder, {"authors": table, "matches": matched}, manifest)
    return folder


def _write(folder: Path, tables: Mapping[str, pa.Table], manifest: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        storage.write_parquet(folder / f"{name}.parquet", table)
    storage.write_json(folder / "manifest.json", manifest)
