"""What asks for a tweet to be deleted: stream notices, the lines of the compliance endpoint, bare ids. Not a format; what formats share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pipeline.formats._record import Bad, table_of, tweet_id, whole_id

#: What the compliance endpoint says of a tweet that may not be kept, nor its location (facts/x-api.md).
REASONS: Final = ("deleted", "bounced", "protected", "suspended", "scrub_geo")


@dataclass(frozen=True, slots=True)
class Deletion:
    """One tweet that has to go, or (`author` given) the location of all of an author's tweets up to that one: for us the tweets too."""

    tweet_id: int
    reason: str
    author: str | None = None


def deletions(document: object) -> Iterator[Deletion | None]:
    """What a document asks to delete: a bare id, a compliance line, a stream's `delete` or `scrub_geo`; None where that is spoiled.

    Nothing comes of what is something else: other notices (`status_withheld` and `user_withheld` hide a tweet in some countries, and it
    may be kept), tweets, empty lists.
    """
    if isinstance(document, list):
        for inner in document:
            yield from deletions(inner)
        return
    try:
        if isinstance(document, dict):
            yield from _of(document)
        else:
            yield Deletion(whole_id(document), "deleted")
    except Bad:
        yield None


def _of(document: dict[str, Any]) -> Iterator[Deletion]:
    if "delete" in document:
        # {"delete": {"status": {"id", "id_str", "user_id"}, "timestamp_ms"}}
        yield Deletion(tweet_id(table_of(table_of(document["delete"]).get("status"))), "deleted")
    elif "scrub_geo" in document:
        asked = table_of(document["scrub_geo"])
        user = asked.get("user_id_str") or asked.get("user_id")
        last = asked.get("up_to_status_id_str") or asked.get("up_to_status_id")
        yield Deletion(whole_id(last), "scrub_geo", str(whole_id(user)))
    elif "action" in document and "id" in document:
        reason = document.get("reason")
        yield Deletion(whole_id(document["id"]), reason if reason in REASONS else "deleted")
