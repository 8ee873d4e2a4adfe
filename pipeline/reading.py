"""One archive file into its extract: bytes to members, to documents, to records. What each of these is, is said elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from pipeline import documents, formats, streams
from pipeline.documents import Broken
from pipeline.geotagged import Extract
from pipeline.streams import Damage


def read(file: BinaryIO, extract: Extract) -> Iterator[None]:
    """Read a whole file into the extract; yields after each batch of rows written, and now and then between."""
    damages: list[Damage] = []
    seen = 0
    for member in streams.members(file, damages):
        for found in documents.read(member.stream, extract.lines):
            if isinstance(found, Broken):
                extract.broken(member.name, found)
            else:
                extract.asked(formats.searches(found.value))
                for outcome in formats.parse(found.value):
                    extract.add(member.name, found, outcome)
            if extract.advance() or extract.lines.total - seen >= 20_000:
                seen = extract.lines.total
                yield
    extract.damages = damages
