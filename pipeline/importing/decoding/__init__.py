"""The shapes that come by the million, read fast: typed by msgspec, a few dozen lines at a time, into columns.

documents.py and formats/ say what bytes mean. A decoder takes lines only where it gives exactly what those would; everything else it
declines, untouched, and whoever reads hands that to them. So a new shape belongs into formats/, and comes here when it is too slow.
"""

from __future__ import annotations

from pipeline.importing.decoding._lines import Declined, Decoder
from pipeline.importing.decoding.stream import Stream
from pipeline.importing.decoding.v2 import Pages, Posts
from pipeline.importing.geotagged import Extract

__all__ = ["Declined", "Decoder", "decoders"]


def decoders(extract: Extract) -> tuple[Decoder, ...]:
    """All decoders there are, for one extract."""
    return Stream(extract), Pages(extract), Posts(extract)
