"""Delete notices of v1.1 streams: up to three lines in four of a stream (facts/x-api.md). Other notices are few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from pipeline.formats import EARLIEST, LATEST
from pipeline.importing.decoding._lines import Declined, Keep, decoded, whole_ids
from pipeline.importing.geotagged import Extract

_FIRST: Final = int(EARLIEST.timestamp() * 1000)
_LAST: Final = int(LATEST.timestamp() * 1000)


class _Status(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    id_str: str
    id: int | None = None
    user_id: int | None = None
    user_id_str: str | None = None


class _Delete(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    status: _Status
    timestamp_ms: str | None = None


class _Notice(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    delete: _Delete


class Deletes:
    """`{"delete": {"status": {"id", "id_str", "user_id"}, "timestamp_ms"}}`, with these keys and no others."""

    def __init__(self, extract: Extract) -> None:
        self._extract = extract
        self._decode = msgspec.json.Decoder(_Notice).decode

    def read(self, lines: Sequence[bytes]) -> Keep:
        """Count them, note when they were sent, and hand on what they ask for."""
        asked = [notice.delete for notice in decoded(self._decode, lines)]
        ids = whole_ids([delete.status.id_str for delete in asked])
        sent = _seconds([delete.timestamp_ms for delete in asked if delete.timestamp_ms is not None])

        def keep() -> None:
            self._extract.deletions.tweets(ids)
            self._extract.told("delete", len(asked), sent)

        return keep


def _seconds(given: list[str]) -> list[int]:
    """Seconds since 1970 of moments in milliseconds, those left out that formats.milliseconds does not believe."""
    if not given:
        return []
    joined = "".join(given)
    if not (joined.isascii() and joined.encode().isdigit()) or max(map(len, given)) > 14 or "" in given:
        raise Declined
    return [moment // 1000 for moment in map(int, given) if _FIRST <= moment < _LAST]
