"""Which search a document is an answer to, where it says so: what a search did not ask for, its answer does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs, unquote_plus, urlsplit

#: Of a search whose words the answer does not repeat: premium, and v1.1 by `geocode` alone.
UNTOLD: Final = "(its words are not in the file)"
#: A query of search/all has up to 1,024 characters (4,096 for the highest access); so many tell one from another.
LONGEST: Final = 200


def searches(document: Any) -> Iterator[str]:
    """The queries that a document is an answer to; none for a stream's records and for plain posts.

    Told by: `__twarc.url` of twarc2's pages and flattened posts (`…/search/all?query=…`), `search_metadata` of v1.1, `requestParameters`
    of premium search. A search for a place alone counts too: nobody can tell here whether its place is the whole of an area.
    """
    if isinstance(document, list):
        for item in document:
            # a list may hold pages or flattened posts, and lists of lists are nobody's export
            if isinstance(item, dict):
                yield from searches(item)
        return
    # with a user it is a tweet of v1.1, which is no answer, whatever else it says
    if not isinstance(document, dict) or "user" in document:
        return
    for known in (_twarc, _v1, _premium):
        query = known(document)
        if query is not None:
            yield query[:LONGEST]


def _twarc(document: dict[str, Any]) -> str | None:
    made = document.get("__twarc")
    url = made.get("url") if isinstance(made, dict) else None
    if not isinstance(url, str) or "query=" not in url:
        return None
    try:
        asked = parse_qs(urlsplit(url).query).get("query")
    except ValueError:
        return UNTOLD
    return asked[0] if asked else None


def _v1(document: dict[str, Any]) -> str | None:
    told = document.get("search_metadata")
    if not isinstance(told, dict) or not isinstance(document.get("statuses"), list):
        return None
    query = told.get("query")
    return unquote_plus(query) if isinstance(query, str) and query else UNTOLD


def _premium(document: dict[str, Any]) -> str | None:
    told = document.get("requestParameters")
    if not isinstance(told, dict) or not isinstance(document.get("results"), list):
        return None
    query = told.get("query")
    return query if isinstance(query, str) and query else UNTOLD
