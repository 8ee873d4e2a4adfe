"""Extracts by themselves, without settings, for the tests of what is read into them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.importing.geotagged import Extract
from pipeline.tombstones.gone import Tombstones


def empty_extract(folder: Path, *, batch_rows: int = 16384, **options: Any) -> Extract:
    """An extract to be written into a folder; nothing is gone."""
    return Extract(folder, batch_rows, False, Tombstones(b"", {}, {}), lambda: b"key", **options)
