"""What of an archive could not be used: kept for a look, with its reason and where it stood."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from pipeline import redaction, storage
from pipeline.errors import ArchiveError
from pipeline.formats import Reject
from pipeline.tombstones import Tombstones

#: Rejects kept for a look, per reason; all are counted.
SAMPLE: Final = 1000

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


#: What to do about a file that was refused.
STRICTLY: Final = "mend the file, or import it without --strict: what cannot be used is then counted, and the rest is kept"


@dataclass(slots=True)
class Quarantine:
    """The rejects of one file; what names a tweet that is gone is counted only."""

    stones: Tombstones
    #: The first reject is an error.
    strict: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    _sample: list[dict[str, Any]] = field(default_factory=list)

    def add(self, reject: Reject, *, member: str, line: int, offset: int, content: bytes | None) -> None:
        """Take one: `line` from 1, `offset` in bytes of the member's text, `content` how the line begins (None: part of a document).

        Raises:
            ArchiveError: the import is strict.
        """
        if self.strict:
            where = f"{member}, " if member else ""
            raise ArchiveError(
                f"{where}line {line:,}, byte {offset:,}: {reject.reason}{f' ({reject.detail})' if reject.detail else ''}", todo=STRICTLY
            )
        self.counts[reject.reason] += 1
        named = b"%d " % (reject.tweet_id or 0) + (content or b"")
        if self.counts[reject.reason] <= SAMPLE and not redaction.names_any(named, self.stones):
            place = {"member": member, "line": line, "offset": offset, "content": content}
            self._sample.append({"reason": reject.reason, "detail": reject.detail, "tweet_id": reject.tweet_id, **place})

    def write(self, path: Path) -> None:
        """All that are kept, as Parquet of REJECTS."""
        storage.write_parquet(path, pa.Table.from_pylist(self._sample, schema=REJECTS))
