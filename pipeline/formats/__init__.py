"""Raw documents to records. A format is a module here with a `build(**options)`; a new one is a new file, nothing else.

`parse` finds the format that knows a document; nothing that a document holds is lost: it is a Record, a Notice or a Reject.
Modules whose name begins with an underscore are not formats but what formats share.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache

from pipeline.formats._deleted import deletions, withheld
from pipeline.formats._record import (
    EARLIEST,
    LATEST,
    Bad,
    Deletion,
    Format,
    Notice,
    Outcome,
    Record,
    Reject,
    instant,
    keys_shown,
    written_at,
)
from pipeline.formats._scrubbed import Scrubber
from pipeline.formats._searched import searches
from pipeline.formats._tables import raw_json, strings, table
from pipeline.formats.v1 import client_name

__all__ = [
    "EARLIEST",
    "LATEST",
    "Bad",
    "Deletion",
    "Format",
    "Notice",
    "Outcome",
    "Record",
    "Reject",
    "Scrubber",
    "client_name",
    "deletions",
    "formats",
    "instant",
    "names",
    "parse",
    "raw_json",
    "searches",
    "strings",
    "table",
    "withheld",
    "written_at",
]

#: Wrappers in wrappers: deeper is nobody's export but a file that wants to exhaust the stack.
DEEPEST = 8


def names() -> tuple[str, ...]:
    """The formats there are: the names of the modules in this folder."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__) if not found.name.startswith("_")))


@cache
def formats() -> tuple[Format, ...]:
    """All formats, in the order in which they are asked."""
    built: list[Format] = [importlib.import_module(f"{__name__}.{name}").build() for name in names()]
    return tuple(sorted(built, key=lambda known: known.order))


def parse(document: object) -> Iterator[Outcome]:
    """What a JSON document holds: any shape of facts/x-api.md, wrapped or not; at least one outcome."""
    return _parse(document, 0)


def _parse(document: object, depth: int) -> Iterator[Outcome]:
    for known in formats():
        if known.recognises(document):
            if depth >= DEEPEST:
                return iter((Reject("unknown_shape", "wrapped too deep"),))
            return known.read(document, lambda inner: _parse(inner, depth + 1))
    detail = keys_shown(document) if isinstance(document, dict) else type(document).__name__
    return iter((Reject("unknown_shape", detail[:80]),))
