"""What a source says that is no tweet: stream notices, compliance events, error bodies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.formats._deleted import EVENTS, asks
from pipeline.formats._record import Notice, Outcome, Parse, milliseconds, table_of

#: v1.1 streams send these as objects of one key (facts/x-api.md); user streams added the last four. Compliance streams send EVENTS.
STREAM = (*EVENTS, "limit", "warning", "disconnect", "friends", "friends_str", "control", "direct_message")


class Notices:
    """Counted by kind; never a trial."""

    order = 30

    def recognises(self, document: object) -> bool:
        """Whether it is one of them."""
        if not isinstance(document, dict) or "user" in document or "text" in document or "data" in document:
            return False
        if len(document) <= 2 and any(key in document for key in STREAM):
            return True
        return _compliance(document) or _error(document)

    def read(self, document: Any, parse: Parse) -> Iterator[Outcome]:
        """One notice."""
        for kind in STREAM:
            if kind in document and len(document) <= 2:
                yield Notice(kind, milliseconds(table_of(document[kind]).get("timestamp_ms")), asks(document))
                return
        yield Notice("compliance", asks=asks(document)) if _compliance(document) else Notice("errors")


def build() -> Notices:
    """The format; it has no options."""
    return Notices()


def _compliance(document: dict[str, Any]) -> bool:
    return "action" in document and "id" in document and "reason" in document


def _error(document: dict[str, Any]) -> bool:
    if "meta" in document or "includes" in document:
        return False
    return isinstance(document.get("errors"), list) or ("title" in document and "type" in document and "detail" in document)
