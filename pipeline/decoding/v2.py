"""Tweets of API v2: pages and stream records, and flattened posts, as formats/v2.py reads them."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.decoding._lines import Declined, Keep
from pipeline.geotagged import Extract


class Pages:
    """Pages of posts, a line each."""

    def __init__(self, extract: Extract) -> None:
        self._extract = extract

    def read(self, lines: Sequence[bytes]) -> Keep:
        """Not yet."""
        raise Declined


class Posts(Pages):
    """Flattened posts, a line each."""
