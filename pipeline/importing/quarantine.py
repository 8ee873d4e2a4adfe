"""What of an archive could not be used: each reject with its reason and where it stood, written as it comes."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import redaction, storage
from pipeline.errors import ArchiveError
from pipeline.formats import Reject
from pipeline.streams.layers import STRICTLY
from pipeline.tombstones import Tombstones

#: Rejects of each reason whose beginning is kept for a look, and how much of it; of the others reason and place.
SAMPLE: Final = 1000
CONTENT: Final = 4096
#: Rejects held in memory before they are written.
BATCH: Final = 5_000

#: What could not be used, where it stood (`line` from 1, `offset` in bytes of the plain text), and how it begins.
REJECTS: Final = pa.schema(
    [
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field("tweet_id", pa.int64()),
        pa.field("member", pa.string()),
        pa.field("line", pa.int64()),
        pa.field("offset", pa.int64()),
        pa.field("content", pa.binary()),
    ]
)


class Quarantine:
    """The rejects of one file; what names a tweet that is gone is counted only.

    Args:
        path: where they are written, as Parquet of REJECTS.
        strict: whether the first reject shall stop the reading.

    Attributes:
        counts: reason → how many.
    """

    def __init__(self, path: Path, stones: Tombstones, strict: bool = False) -> None:
        self.counts: Counter[str] = Counter()
        self._path, self._stones, self._strict = path, stones, strict
        self._rows: list[tuple[Any, ...]] = []
        self._writer: pq.ParquetWriter | None = None

    def add(self, reject: Reject, *, member: str, line: int, offset: int, content: bytes | None) -> None:
        """Take one: `line` from 1, `offset` in bytes of the member's text, `content` how the line begins (None: part of a document).

        Raises:
            ArchiveError: strict.
        """
        if self._strict:
            where = f"{member}, " if member else ""
            detail = f" ({_words(reject.detail)})" if reject.detail else ""
            raise ArchiveError(f"{where}line {line:,}, byte {offset:,}: {reject.reason}{detail}", todo=STRICTLY)
        self.counts[reject.reason] += 1
        content = content[:CONTENT] if content is not None and self.counts[reject.reason] <= SAMPLE else None
        tweet_id = reject.tweet_id if reject.tweet_id is not None and abs(reject.tweet_id) < 2**63 else None
        detail = _words(reject.detail)
        if self._stones and redaction.names_any(b"%d %b %b" % (tweet_id or 0, content or b"", detail.encode()), self._stones):
            return
        self._rows.append((reject.reason, detail, tweet_id, member, line, offset, content))
        if len(self._rows) >= BATCH:
            self._write()

    def close(self, *, whole: bool = True) -> None:
        """Write what is left, and end the file; not `whole`: leave it as it is, it will not be used."""
        if whole:
            self._write()
            assert self._writer is not None
            self._writer.close()
        elif self._writer is not None:
            # the disk may be full: what stopped the import is to be told, not this
            with contextlib.suppress(OSError):
                self._writer.close()

    def _write(self) -> None:
        if self._writer is None:
            self._writer = storage.parquet_writer(self._path, REJECTS)
        columns = zip(*self._rows, strict=True) if self._rows else [()] * len(REJECTS)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, REJECTS, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=REJECTS))
        self._rows.clear()


def _words(detail: str) -> str:
    """A reason's detail without lone surrogates, which cannot be written."""
    return detail if detail.isascii() else detail.encode("utf-8", "replace").decode()
