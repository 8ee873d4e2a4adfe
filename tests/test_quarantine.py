"""Rejects: every one with its reason and place, the beginnings of some, in little memory."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import importing, tombstones
from pipeline.errors import ArchiveError
from pipeline.formats import Reject
from pipeline.importing import quarantine
from pipeline.importing.quarantine import Quarantine
from pipeline.settings import Settings
from pipeline.sources import archive
from tests.posts import lines, make_tweet

Make = Callable[..., Settings]


@pytest.fixture
def stones(make_settings: Make) -> tombstones.Tombstones:
    """None."""
    return tombstones.load(make_settings(database=False))


def test_every_reject_is_kept_and_of_each_reason_some_beginnings(tmp_path: Path, stones: tombstones.Tombstones) -> None:
    """Over many batches; reason, member, line and offset of all, 4,096 bytes of the first thousand of each."""
    path = tmp_path / "rejects.parquet"
    kept = Quarantine(path, stones)
    for number in range(12_000):
        reject = Reject("rare" if number % 3_000 == 2_999 else "often", f"detail {number}", number if number % 2 else None)
        kept.add(reject, member="m", line=number + 1, offset=number * 5_000, content=b"%d " % number + bytes(5_000))
    kept.close()
    assert kept.counts == {"often": 11_996, "rare": 4}
    rows = pq.read_table(path).to_pylist()
    assert [(row["line"], row["offset"], row["member"], row["detail"]) for row in rows] == [
        (number + 1, number * 5_000, "m", f"detail {number}") for number in range(12_000)
    ]
    assert [row["tweet_id"] for row in rows[:4]] == [None, 1, None, 3]
    assert Counter(row["reason"] for row in rows if row["content"] is not None) == {"often": quarantine.SAMPLE, "rare": 4}
    assert {len(row["content"]) for row in rows if row["content"] is not None} == {quarantine.CONTENT}
    assert rows[-1]["content"].startswith(b"11999 ")


def test_no_reject_is_a_file_too(tmp_path: Path, stones: tombstones.Tombstones) -> None:
    """Of the same columns."""
    kept = Quarantine(tmp_path / "rejects.parquet", stones)
    kept.close()
    table = pq.read_table(tmp_path / "rejects.parquet")
    assert (table.schema, table.num_rows) == (quarantine.REJECTS, 0)


def test_what_cannot_be_written_as_it_is_does_no_harm(tmp_path: Path, stones: tombstones.Tombstones) -> None:
    """A lone surrogate in a detail, an id of thirty digits."""
    kept = Quarantine(tmp_path / "rejects.parquet", stones)
    kept.add(Reject("odd", "\ud83d!", 10**30), member="", line=1, offset=0, content=b"\xff")
    kept.close()
    (row,) = pq.read_table(tmp_path / "rejects.parquet").to_pylist()
    assert (row["detail"], row["tweet_id"], row["content"]) == ("?!", None, b"\xff")


def test_strictly_the_first_reject_is_an_error(tmp_path: Path, stones: tombstones.Tombstones) -> None:
    """With member, line, offset and reason."""
    kept = Quarantine(tmp_path / "rejects.parquet", stones, strict=True)
    with pytest.raises(ArchiveError, match=r"^a/b, line 1,234, byte 56,789: bad_json \(why\)\n.*--strict"):
        kept.add(Reject("bad_json", "why"), member="a/b", line=1_234, offset=56_789, content=b"x")


def test_an_archive_of_rubbish_is_accounted_for(make_settings: Make, tmp_path: Path) -> None:
    """20,000 lines that are no JSON between two tweets: each has its row, at its offset in the plain text."""
    settings = make_settings(database=False)
    rubbish = "".join(f"{number} is no tweet\n" for number in range(20_000)).encode()
    content = lines(make_tweet(sequence=1)) + rubbish + lines(make_tweet(sequence=2))
    (tmp_path / "mixed.gz").write_bytes(gzip.compress(content))
    (report,) = importing.run(settings, [tmp_path / "mixed.gz"]).files
    assert (report.stored, sum(report.rejects.values()), report.accounted) == (2, 20_000, True)
    rows = pq.read_table(archive.folder(settings, report.digest) / "rejects.parquet").to_pylist()
    assert len(rows) == 20_000
    for number in (0, 1, 999, 1_000, 19_999):
        said = b"%d is no tweet\n" % number
        assert content[rows[number]["offset"] :].startswith(said)
        assert rows[number]["line"] == number + 2
        assert (rows[number]["content"] is None) == (number >= quarantine.SAMPLE)
