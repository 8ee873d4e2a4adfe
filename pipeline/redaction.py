"""Takes tweets that are gone out of pages, records and cursors. What is gone tombstones/ knows; what a post is, formats/."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline import formats, storage
from pipeline.schema import RECORDS
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
    if stones.known_of(_ids(_IDS.findall(content))).any():
        return True
    return bool(stones.authors or stones.withheld) and stones.known_authors({run.decode() for run in _NUMBERS.findall(content)})


def runs(content: bytes, stones: Tombstones) -> list[tuple[int, int]]:
    """Where the ids of tweets that are gone stand in a text: (first byte, the byte after the last)."""
    found = [run for run in _IDS.finditer(content) if len(run[0]) <= _LONGEST]
    return [run.span() for run, gone in zip(found, stones.gone_of([int(run[0]) for run in found]), strict=True) if gone]


def _ids(digits: Iterable[bytes]) -> list[int]:
    return [int(run) for run in set(digits) if len(run) <= _LONGEST]


def page(body: bytes, stones: Tombstones, *, keep: Collection[str] = ()) -> tuple[bytes, dict[int, str]]:
    """(the page without what is gone, ids of all versions of the tweets that were taken out, and why); the same bytes where nothing is.

    Args:
        keep: ids of places that stay though no post of the page is at them.
    """
    if not names_any(body, stones):
        return body, {}
    scrubber = formats.Scrubber(stones.reason, stones.hidden, frozenset(keep))
    document = json.loads(body)
    left = scrubber.document(document)
    if left == document:
        return body, {}
    written = json.dumps({} if left is None else left, separators=(",", ":"), ensure_ascii=False)
    # a lone surrogate, which JSON may escape, has no UTF-8
    return written.encode("utf-8", "surrogatepass"), scrubber.removed


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a table of schema.RECORDS, which rows are gone, and which are gone or lost a part of their text or own JSON."""

    table: pa.Table
    gone: NDArray[np.bool_]
    touched: NDArray[np.bool_]


def records(table: pa.Table, stones: Tombstones) -> Left:
    """The rows of a table of schema.RECORDS that may be kept; their texts and own JSON name none of the others."""
    gone = stones.rows(table)
    touched = gone.copy()
    left = table.filter(pa.array(~gone)) if gone.any() else table
    kept = np.flatnonzero(~gone)
    for name, clean in _WRITTEN.items() if stones else ():
        if changed := _changed(left.column(name), clean, stones):
            touched[kept[list(changed)]] = True
            place = left.schema.get_field_index(name)
            values = left.column(name).to_pylist()
            for row, value in changed.items():
                values[row] = value
            left = left.set_column(place, left.schema.field(place), pa.array(values, left.schema.field(place).type))
    return Left(left, gone, touched)


def touched(table: pa.Table, stones: Tombstones) -> NDArray[np.bool_]:
    """Which rows of a table of schema.RECORDS `records` would take out or change."""
    found = stones.rows(table)
    for name, clean in _WRITTEN.items() if stones else ():
        found[list(_changed(table.column(name), clean, stones))] = True
    return found


def _changed(column: pa.ChunkedArray, clean: Callable[[str | None, Tombstones], str | None], stones: Tombstones) -> dict[int, str | None]:
    """Row → what `clean` makes of its text, where that is something else. Few texts have so many digits in a row."""
    speaking = np.flatnonzero(pc.match_substring_regex(column, "[0-9]{10}").fill_null(False).to_numpy())
    texts = column.take(pa.array(speaking)).to_pylist()
    cleaned = ((row, text, clean(text, stones)) for row, text in zip(speaking.tolist(), texts, strict=True))
    return {row: left for row, text, left in cleaned if left != text}


def row_groups(path: Path) -> Iterator[pa.Table]:
    """The tables of a Parquet file, one at a time."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


def rewrite_records(path: Path, stones: Tombstones, told: Callable[[pa.Table, Left], None] = lambda *_: None) -> None:
    """Write an extract's records.parquet again without what is gone, in row groups as large as the first one was.

    So it has the bytes that it would have if nothing of that had ever been stored. `told` is given each table and what is left of it.
    """
    rows, waiting = _first_group(path), RECORDS.empty_table()
    with storage.replacing(path) as temporary, storage.parquet_writer(temporary, RECORDS) as writer:
        for table in row_groups(path):
            left = records(table, stones)
            told(table, left)
            waiting = pa.concat_tables([waiting, left.table.cast(RECORDS)]).combine_chunks()
            whole = waiting.num_rows - waiting.num_rows % rows
            if whole:
                writer.write_table(waiting.slice(0, whole), row_group_size=rows)
            waiting = waiting.slice(whole)
        if waiting.num_rows:
            writer.write_table(waiting)


def _first_group(path: Path) -> int:
    metadata = pq.read_metadata(path)
    return metadata.row_group(0).num_rows if metadata.num_row_groups else 1


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
    left = formats.Scrubber(stones.reason, stones.hidden).document(document)
    return text if left == document else json.dumps(left, separators=(",", ":"))


def words(text: str | None, stones: Tombstones) -> str | None:
    """A text without the ids of tweets that are gone (the address of one is its id)."""
    if text is None or not stones.gone_of(_ids(_IDS.findall(text.encode("utf-8", "surrogatepass")))).any():
        return text
    return str(formats.Scrubber(stones.reason, stones.hidden).document(text))


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
