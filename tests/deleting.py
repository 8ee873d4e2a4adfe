"""Notices that ask for deletions, and archives that hold them: imported, done, and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline import importing, purge
from pipeline.importing.import_report import ImportReport
from pipeline.settings import Settings
from pipeline.sources import archive
from tests.posts import lines


def delete(number: int) -> dict[str, Any]:
    """The notice of a v1.1 stream."""
    return {"delete": {"status": {"id": number, "id_str": str(number), "user_id": 7, "user_id_str": "7"}, "timestamp_ms": "1793815200123"}}


def scrub(author: int, last: int) -> dict[str, Any]:
    """The author takes the location from all tweets up to the last."""
    return {"scrub_geo": {"user_id": author, "user_id_str": str(author), "up_to_status_id": last, "up_to_status_id_str": str(last)}}


def hide(kind: str, number: int, *countries: str) -> dict[str, Any]:
    """A tweet (status_withheld) or an author (user_withheld) hidden in some countries."""
    return {kind: {"id": number, "withheld_in_countries": list(countries), "timestamp_ms": "1793815200123"}}


def give(settings: Settings, name: str, *documents: Any) -> Path:
    """A file of one document a line."""
    path = settings.data.parent / name
    path.write_bytes(lines(*documents))
    return path


def take(settings: Settings, name: str, *documents: Any) -> ImportReport:
    """Import such a file, and do what follows; its account adds up."""
    report = importing.run(settings, [give(settings, name, *documents)])
    assert report.accounted
    purge.apply_archives(settings)
    return report


def ids_held(settings: Settings) -> set[int]:
    """Ids of all records of all extracts."""
    folders = [archive.folder(settings, digest) for digest in archive.held(settings)]
    return {number for folder in folders for number in pq.read_table(folder / "records.parquet")["tweet_id"].to_pylist()}


def deleted(settings: Settings) -> dict[str, int]:
    """File → how many of its records are counted as deleted."""
    manifests = [archive.manifest(settings, digest) for digest in archive.held(settings)]
    return {content["name"]: content["deleted"] for content in manifests}
