"""An extract being written: what a window leaves out, in what pieces it comes to the disk, when the stream was alive."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.days import Window
from pipeline.importing import decoding, reading
from pipeline.minutes import Minutes
from tests.extracts import empty_extract
from tests.posts import NOON, lines, make_tweet

NO_GEO: dict[str, Any] = {"coordinates": None, "geo": None, "place": None}


def extract(folder: Path, content: bytes, *, window: Window | None = None, batch_rows: int = 16384) -> dict[str, Any]:
    """The counts of a file's extract."""
    folder.mkdir(exist_ok=True)
    with empty_extract(folder, batch_rows=batch_rows, window=window) as making:
        for _ in reading.read(io.BytesIO(content), making):
            pass
    return making.summary()


def delete(moment: datetime) -> dict[str, Any]:
    """A notice sent at that moment."""
    return {"delete": {"status": {"id_str": "5"}, "timestamp_ms": str(round(moment.timestamp() * 1000))}}


@pytest.mark.parametrize("decode", [True, False])
def test_what_lies_outside_the_window_is_counted_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decode: bool) -> None:
    """With a place or without; its minutes are not noted. The window's start belongs to it, its end does not."""
    if not decode:
        monkeypatch.setattr(decoding, "decoders", lambda making: ())
    hours = [NOON + timedelta(hours=hour) for hour in range(4)]
    content = lines(
        *(make_tweet(at=hour, sequence=1) for hour in hours), *(make_tweet(at=hour, **NO_GEO) for hour in hours), *map(delete, hours)
    )
    counts = extract(tmp_path, content, window=Window(hours[1], hours[3]))
    assert (counts["records"], counts["stored"], counts["no_geo"], counts["outside_window"], counts["notices"]) == (
        12,
        2,
        2,
        4,
        {"delete": 4},
    )
    assert (counts["first"], counts["last"]) == (hours[1].isoformat(), hours[2].isoformat())
    assert counts["minutes"] == extract(tmp_path / "part", lines(*map(delete, hours[1:3])))["minutes"]
    assert pq.read_table(tmp_path / "records.parquet")["created_at"].to_pylist() == hours[1:3]


def test_row_groups_are_as_large_as_asked(tmp_path: Path) -> None:
    """Whatever is left out in between: an extract's bytes depend on the file and on the settings alone."""
    content = lines(*(make_tweet(sequence=number // 2) for number in range(500)))
    assert extract(tmp_path, content, batch_rows=100)["stored"] == 250
    metadata = pq.ParquetFile(tmp_path / "records.parquet").metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [100, 100, 50]


@given(st.lists(st.lists(st.integers(1_142_899_200, 1_150_000_000), max_size=20), max_size=5))
def test_minutes_are_those_noted(batches: list[list[int]]) -> None:
    """A bit each, by days."""
    minutes = Minutes()
    for batch in batches:
        minutes.note(np.array(batch, np.int64))
    found = set()
    for day, packed in minutes.packed().items():
        first = int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()) // 60
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(packed), np.uint8))
        assert len(bits) == 1440
        found |= {first + int(minute) for minute in np.flatnonzero(bits)}
    assert found == {second // 60 for batch in batches for second in batch}
