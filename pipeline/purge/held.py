"""The ids of all tweets that we hold, of every version, for X's compliance endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import sqlalchemy as sa

from pipeline import database, formats, storage
from pipeline.progress import Progress, silent
from pipeline.purge import files
from pipeline.settings import Settings
from pipeline.sources import archive


def ids(settings: Settings, *, progress: Progress = silent) -> tuple[set[int], int]:
    """(ids that can be asked about, how many cannot): X knows nothing of made-up tweets, nor the sandbox of real ones."""
    real, made_up = set[int](), set[int]()
    folders = files.raw_folders(settings)
    for number, folder in enumerate(folders):
        progress(number / len(folders), f"reading ids of {folder.parent.name.removeprefix('date=')}")
        found = made_up if _is_made_up(settings, folder) else real
        for path in folder.glob("*.json.zst"):
            # the one who takes out everything has seen every id
            scrubber = formats.Scrubber(lambda _: "held", lambda *_: None)
            scrubber.document(json.loads(files.body(path)))
            found.update(scrubber.removed)
    for digest in archive.held(settings):
        progress(None, f"reading ids of archive {digest}")
        with pq.ParquetFile(archive.folder(settings, digest) / "records.parquet") as file:
            for batch in file.iter_batches(columns=["tweet_id", "version_id", "raw"]):
                real.update(batch.column("tweet_id").to_pylist(), batch.column("version_id").to_pylist())
                for text in batch.column("raw").drop_null().to_pylist():
                    real.update(_repeated(json.loads(text)))
    with database.transaction(settings, snapshot=True) as connection:
        for tweet_id, version_id, synthetic in connection.execute(sa.text("select tweet_id, version_id, synthetic from tweets")):
            (made_up if synthetic else real).update((tweet_id, version_id))
    return (made_up, len(real)) if settings.synthetic else (real, len(made_up))


def _repeated(item: dict[str, Any]) -> Iterable[int]:
    """Ids of the tweets that a tweet's own JSON holds whole: what it quotes."""
    scrubber = formats.Scrubber(lambda _: "held", lambda *_: None)
    for value in item.values():
        scrubber.document(value)
    return scrubber.removed


def _is_made_up(settings: Settings, folder: Path) -> bool:
    """As the manifest says, or the cursor of an unfinished extraction."""
    for name in ("manifest.json", "cursor.json"):
        if (folder / name).exists():
            said = storage.read_json(folder / name).get("synthetic")
            return settings.synthetic if said is None else bool(said)
    return settings.synthetic
