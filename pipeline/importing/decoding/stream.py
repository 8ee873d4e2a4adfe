"""A v1.1 stream: tweets, and delete notices among them, which say nothing of each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import not_
from typing import Final

from pipeline.importing.decoding._lines import Declined, Keep
from pipeline.importing.decoding.notices import Deletes
from pipeline.importing.decoding.v1 import Tweets
from pipeline.importing.geotagged import Extract

_DELETE: Final = b'{"delete":'


class Stream:
    """Lines that are tweets or delete notices."""

    def __init__(self, extract: Extract) -> None:
        self._tweets, self._deletes = Tweets(extract), Deletes(extract)
        self._mixed = False

    def read(self, lines: Sequence[bytes]) -> Keep:
        """Both kinds apart, once notices have been met."""
        if not self._mixed:
            try:
                return self._tweets.read(lines)
            except Declined:
                if not any(line.startswith(_DELETE) for line in lines):
                    raise
        self._mixed = True
        are_deletes = [line.startswith(_DELETE) for line in lines]
        if all(are_deletes):
            return self._deletes.read(lines)
        if not any(are_deletes):
            return self._tweets.read(lines)
        keep_deletes = self._deletes.read(list(compress(lines, are_deletes)))
        keep_tweets = self._tweets.read(list(compress(lines, map(not_, are_deletes))))

        def keep() -> None:
            keep_deletes()
            keep_tweets()

        return keep
