"""Takes tweets that are gone out of pages, records and cursors. What is gone tombstones.py knows; what a post is, formats/."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline import formats, storage
from pipeline.tombstones import Tombstones

#: Ids have more digits than counts have, since November 2010.
LONG: Final = 30_000_000_000
#: The first geotagged tweets, of November 2009, have ids of ten digits; authors' may be short. No look-around: it would be half the time.
_IDS: Final = re.compile(rb"[0-9]{10,}")
_NUMBERS: Final = re.compile(rb"[0-9]{2,}")
_LONGEST: Final = 19


def names_any(content: bytes, stones: Tombstones) -> bool:
    """Whether any number in these bytes is the id of what is gone: cheap enough to ask of every page."""
    if not stones:
        return False
    if any(stones.gone(int(run)) for run in set(_IDS.findall(content)) if len(run) <= _LONGEST):
        return True
    return bool(stones.authors) and any(stones.known_author(run.decode()) for run in set(_NUMBERS.findall(content)))


def runs(content: bytes, stones: Tombstones) -> list[tuple[int, int]]:
    """Where the ids of tweets that are gone stand in a text: (first byte, the byte after the last)."""
    return [found.span() for found in _IDS.finditer(content) if len(found[0]) <= _LONGEST and stones.gone(int(found[0]))]


def page(body: bytes, stones: Tombstones, *, keep: Collection[str] = ()) -> tuple[bytes, dict[int, str]]:
    """(the page without what is gone, ids of all versions of the tweets that were taken out, and why); the same bytes where nothing is.

    Args:
        keep: ids of places that stay though no post of the page is at them.
    """
    if not names_any(body, stones):
        return body, {}
    scrubber = formats.Scrubber(stones.reason, stones.scrubbed, frozenset(keep))
    document = json.loads(body)
    left = scrubber.document(document)
    if left == document:
        return body, {}
    written = json.dumps({} if left is None else left, separators=(",", ":"), ensure_ascii=False)
    # a lone surrogate, which JSON may escape, has no UTF-8
    return written.encode("utf-8", "surrogatepass"), scrubber.removed


def records(table: pa.Table, stones: Tombstones) -> tuple[pa.Table, int]:
    """(the rows of a table of schema.RECORDS that may be kept, how many may not); their texts and own JSON name none of those."""
    if not stones or not table.num_rows:
        return table, 0
    gone = stones.rows(table)
    left = table.filter(pa.array(~gone)) if gone.any() else table
    for name, clean in _WRITTEN.items():
        values = left.column(name).to_pylist()
        written = [clean(value, stones) for value in values]
        if written != values:
            place = left.schema.get_field_index(name)
            left = left.set_column(place, left.schema.field(place), pa.array(written, left.schema.field(place).type))
    return left, int(gone.sum())


def touched(table: pa.Table, stones: Tombstones) -> NDArray[np.bool_]:
    """Which rows of a table of schema.RECORDS `records` would take out or change."""
    found = stones.rows(table)
    for name, clean in _WRITTEN.items():
        values = table.column(name).to_pylist() if stones else []
        found |= np.fromiter((clean(value, stones) != value for value in values), np.bool_, len(values)) if values else False
    return found


def row_groups(path: Path) -> Iterator[pa.Table]:
    """The tables of a Parquet file, one at a time."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


def rewrite_records(path: Path, stones: Tombstones) -> int:
    """Write an extract's records.parquet again without what is gone; give the number of rows that went."""
    removed = 0
    with storage.replacing(path) as temporary, storage.parquet_writer(temporary, pq.read_schema(path)) as writer:
        for table in row_groups(path):
            left, gone = records(table, stones)
            removed += gone
            if left.num_rows:
                writer.write_table(left)
    return removed


def rewrite_rejects(path: Path, stones: Tombstones) -> None:
    """Write an extract's rejects.parquet again without the rows that name what is gone, where there are any."""
    if not any_reject(path, stones):
        return
    with storage.replacing(path) as temporary, storage.parquet_writer(temporary, pq.read_schema(path)) as writer:
        for table in row_groups(path):
            writer.write_table(table.filter(pa.array([not is_named for is_named in rejects(table, stones)])))


def any_reject(path: Path, stones: Tombstones) -> bool:
    """Whether any row of an extract's rejects.parquet, which may be long, names a tweet that is gone."""
    return any(any(rejects(table, stones)) for table in row_groups(path))


def rejects(table: pa.Table, stones: Tombstones) -> list[bool]:
    """Which rows of an extract's rejects name a tweet that is gone."""
    rows = table.select(["tweet_id", "content", "detail"]).to_pylist()
    return [names_any(b"%d %b %b" % (row["tweet_id"] or 0, row["content"] or b"", (row["detail"] or "").encode()), stones) for row in rows]


def own_json(text: str | None, stones: Tombstones) -> str | None:
    """A tweet's own JSON without the tweets it repeats that are gone (a quote holds the whole of what it quotes)."""
    if text is None or not names_any(text.encode(), stones):
        return text
    document = json.loads(text)
    left = formats.Scrubber(stones.reason, stones.scrubbed).document(document)
    return text if left == document else json.dumps(left, separators=(",", ":"))


def words(text: str | None, stones: Tombstones) -> str | None:
    """A text without the ids of tweets that are gone (the address of one is its id)."""
    if text is None or not names_any(text.encode("utf-8", "surrogatepass"), stones):
        return text
    return str(formats.Scrubber(stones.reason, stones.scrubbed).document(text))


#: The columns of schema.RECORDS in which a tweet may speak of another.
_WRITTEN: Final = {"text": words, "raw": own_json}


def state(document: Any, stones: Tombstones) -> Any:
    """A manifest or cursor whose ids of tweets that are gone have moved to the next id that is not.

    `until_id` means "older than": one more asks for the same tweets, and for none twice.
    """
    if isinstance(document, dict):
        return {key: state(value, stones) for key, value in document.items()}
    if isinstance(document, list):
        return [state(value, stones) for value in document]
    if isinstance(document, bool) or not isinstance(document, (int, str)):
        return document
    number = int(document) if str(document).isascii() and str(document).isdigit() and len(str(document)) <= 19 else None
    # a shorter number counts something
    if number is None or number < LONG or not stones.gone(number):
        return document
    while stones.gone(number):
        number += 1
    return str(number) if isinstance(document, str) else number
