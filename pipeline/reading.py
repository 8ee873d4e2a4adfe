"""One archive file into its extract: bytes to members, to documents, to records. What each of these is, is said elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from pipeline import documents, formats, named_days, streams
from pipeline.documents import Broken
from pipeline.errors import ArchiveError
from pipeline.geotagged import Extract
from pipeline.quarantine import STRICTLY
from pipeline.streams import Damage


def read(file: BinaryIO, extract: Extract) -> Iterator[None]:
    """Read a whole file into the extract; yields after each batch of rows written, and now and then between."""
    damages: list[Damage] = []
    seen = 0

    def skip(name: str) -> bool:
        passed_over = named_days.outside(name, extract.window)
        extract.skipped += passed_over
        return passed_over

    for member in streams.members(file, damages, skip if extract.window is not None else None):
        for found in documents.read(member.stream, extract.lines):
            if isinstance(found, Broken):
                extract.broken(member.name, found)
            else:
                extract.asked(formats.searches(found.value))
                for outcome in formats.parse(found.value):
                    extract.add(member.name, found, outcome)
            if damages and extract.strict:
                break
            if extract.full:
                extract.flush()
                yield
            elif extract.lines.total - seen >= 20_000:
                seen = extract.lines.total
                yield
    if damages and extract.strict:
        first = damages[0]
        where = f"{first.member}, " if first.member else ""
        raise ArchiveError(f"{where}byte {first.offset:,}: {first.reason} ({first.detail})", todo=STRICTLY)
    extract.damages = damages
