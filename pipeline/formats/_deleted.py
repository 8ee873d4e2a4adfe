"""What asks for a tweet to be deleted: notices of streams, events and lines of compliance, bare ids. Not a format; what formats share.

The events of v2's compliance streams come as they are or as the `data` of a document (docs.x.com, compliance streams); the enterprise
firehose of v1 names them alike, with `id` and `timestamp_ms` in place of objects and `event_at`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from pipeline.formats._record import (
    FIRST_SNOWFLAKE,
    LARGEST_ID,
    SNOWFLAKE_EPOCH,
    Bad,
    Deletion,
    Notice,
    instant,
    milliseconds,
    table_of,
    tweet_id,
    whole_id,
)

#: What the compliance endpoint says of a tweet that may not be kept, nor its location (facts/x-api.md).
REASONS: Final = ("deleted", "bounced", "protected", "suspended", "scrub_geo")
#: Said of what is hidden in some countries.
WITHHELD: Final = "withheld"
#: Codes of "everywhere", and of "everywhere, for a matter of copyright".
EVERYWHERE: Final = frozenset(("XX", "XY"))
#: Events about one tweet, and about an author's account as a whole, with the word of REASONS for them.
_OF_TWEETS: Final = {"delete": "deleted", "drop": "bounced"}
_OF_ACCOUNTS: Final = {"user_delete": "deleted", "user_suspend": "suspended", "user_protect": "protected"}
_ASKING: Final = (*_OF_TWEETS, *_OF_ACCOUNTS, "scrub_geo", "withheld", "status_withheld", "user_withheld")
#: They take nothing away; what was removed does not come back by them.
_OTHERS: Final = ("undrop", "tweet_edit", "user_undelete", "user_unsuspend", "user_unprotect", "user_profile_modification")
EVENTS: Final = (*_ASKING, *_OTHERS)
_WITHIN_ONE_MILLISECOND: Final = (1 << 22) - 1


def deletions(document: object) -> Iterator[Deletion | None]:
    """What a document asks to delete: a bare id, a compliance line, a notice or event; None where that is spoiled.

    Nothing comes of what is something else: other notices, tweets, empty lists.
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


def event(item: Mapping[str, Any]) -> Notice | None:
    """The notice that an object is, if it is an event of EVENTS (a tweet has more keys, and may have one called `withheld`)."""
    kind = next((kind for kind in EVENTS if isinstance(item.get(kind), dict)), None) if len(item) <= 2 else None
    return None if kind is None else Notice(kind, milliseconds(item[kind].get("timestamp_ms")), asks(item))


def asks(item: Mapping[str, Any]) -> Deletion | None:
    """What a notice, an event or a compliance line asks to delete; None where it asks for nothing, or is spoiled."""
    try:
        return next(_of(item), None)
    except Bad:
        return None


def _of(document: Mapping[str, Any]) -> Iterator[Deletion]:
    kind = next((kind for kind in _ASKING if kind in document), None)
    if kind is not None and not (kind == "withheld" and len(document) > 2):
        yield from _event(kind, table_of(document[kind]))
    elif "action" in document and "id" in document:
        reason = document.get("reason")
        yield Deletion(whole_id(document["id"]), reason if reason in REASONS else "deleted")
    elif isinstance(document.get("data"), dict) and event(document["data"]):
        yield from _of(document["data"])


def _event(kind: str, body: Mapping[str, Any]) -> Iterator[Deletion]:
    if kind in _OF_TWEETS:
        # {"delete": {"status": {"id", "id_str", "user_id"}, "timestamp_ms"}}, {"delete": {"tweet": {"id", "author_id"}, "event_at"}}
        yield Deletion(tweet_id(_tweet(body)), _OF_TWEETS[kind])
    elif kind in _OF_ACCOUNTS:
        yield Deletion(_until(body), _OF_ACCOUNTS[kind], _user(body))
    elif kind == "scrub_geo":
        last = next((body[name] for name in _UP_TO if body.get(name)), None)
        yield Deletion(whole_id(last), "scrub_geo", _user(body))
    elif kind == "user_withheld":
        yield from withheld(body.get("withheld_in_countries"), author=_user(body))
    else:
        yield from withheld(body.get("withheld_in_countries"), own=tweet_id(_tweet(body) or body))


def withheld(countries: object, *, own: int = LARGEST_ID, author: str | None = None) -> Iterator[Deletion]:
    """What it means that a tweet, or an account with all that it wrote and will write, may not be shown in some countries."""
    listed = {str(country).upper() for country in countries} if isinstance(countries, (list, tuple)) else set()
    if listed:
        yield Deletion(own, WITHHELD, author, () if listed & EVERYWHERE else tuple(sorted(listed)))


_UP_TO: Final = ("up_to_status_id_str", "up_to_status_id", "up_to_tweet_id", "up_to_post_id")


def _tweet(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return table_of(body.get("status") or body.get("tweet") or body.get("post"))


def _user(body: Mapping[str, Any]) -> str:
    of = table_of(body.get("user")) or body
    return str(whole_id(of.get("user_id_str") or of.get("user_id") or of.get("id_str") or of.get("id")))


def _until(body: Mapping[str, Any]) -> int:
    """The largest id of the moment of the event; the largest of all where it does not say when it was."""
    moment: datetime | None = milliseconds(body.get("timestamp_ms"))
    if moment is None and body.get("event_at") is not None:
        moment = instant(body["event_at"])
    if moment is None:
        return LARGEST_ID
    # an event says its time to the second at best: what was written within that second goes too
    last = int(moment.timestamp()) * 1000 + 999
    # ids that were counted up before hold no time: of an account that ended then, all of them
    return max((last - SNOWFLAKE_EPOCH) << 22 | _WITHIN_ONE_MILLISECOND, FIRST_SNOWFLAKE - 1)
