"""What only wraps tweets of another shape: pages, database exports, an account's data export, plain lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.formats._record import Notice, Outcome, Parse, Reject

#: v1.1 search, premium and full-archive search, CouchDB.
PAGES = ("statuses", "results", "rows")
#: A CouchDB row's document; Elasticsearch; an entry of an X data export (`window.YTD.tweets.part0 = [{"tweet": {...}}]`).
SINGLE = ("doc", "_source", "tweet")


class Wrappers:
    """Everything wrapped is handed on; a wrapper round nothing is a notice."""

    order = 40

    def recognises(self, document: object) -> bool:
        """Whether it is a list, or an object that holds a list of tweets or one tweet under a known key."""
        if isinstance(document, list):
            return True
        if not isinstance(document, dict) or "text" in document or "full_text" in document or "data" in document:
            return False
        if any(isinstance(document.get(key), list) for key in PAGES) or any(isinstance(document.get(key), dict) for key in SINGLE):
            return True
        return _row(document)

    def read(self, document: Any, parse: Parse) -> Iterator[Outcome]:
        """What the wrapped documents hold."""
        if isinstance(document, list):
            inner = document
        else:
            pages = [document[key] for key in PAGES if isinstance(document.get(key), list)]
            inner = pages[0] if pages else [document[key] for key in SINGLE if isinstance(document.get(key), dict)][:1]
            if not pages and not inner:
                # a CouchDB view without include_docs: the row has the position and perhaps the text, but no tweet
                yield Reject("no_document", "a CouchDB row without its doc")
                return
        if not inner:
            yield Notice("empty_page")
        for item in inner:
            yield from parse(item)


def build() -> Wrappers:
    """The format; it has no options."""
    return Wrappers()


def _row(document: dict[str, Any]) -> bool:
    return "key" in document and "value" in document and "id" in document
