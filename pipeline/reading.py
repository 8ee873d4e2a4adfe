"""One archive file into its extract: bytes to members, to documents, to records. What each of these is, is said elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from pipeline import documents, formats, named_days, streams
from pipeline.documents import Broken
from pipeline.geotagged import Extract


def read(file: BinaryIO, extract: Extract) -> Iterator[None]:
    """Read a whole file into the extract; yields after each batch of rows written, and now and then between."""
    seen = 0

    def skip(name: str) -> bool:
        passed_over = named_days.outside(name, extract.window)
        extract.skipped += passed_over
        return passed_over

    def counted() -> tuple[int, int]:
        return extract.lines.total, extract.usable

    for member in streams.members(file, extract.damages, skip=skip if extract.window is not None else streams.none, counted=counted):
        for found in documents.read(member.stream, extract.lines):
            if isinstance(found, Broken):
                extract.broken(member.name, found)
            else:
                extract.asked(formats.searches(found.value))
                for outcome in formats.parse(found.value):
                    extract.add(member.name, found, outcome)
            if extract.full:
                extract.flush()
                yield
            elif extract.lines.total - seen >= 20_000:
                seen = extract.lines.total
                yield
