"""A v1.1 stream: tweets, and delete notices among them, which say nothing of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipeline.decoding._lines import Declined, Keep
from pipeline.decoding.notices import Deletes
from pipeline.decoding.v1 import Tweets
from pipeline.geotagged import Extract

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
        asked = [line for line in lines if line.startswith(_DELETE)]
        self._mixed = True
        if len(asked) == len(lines):
            return self._deletes.read(lines)
        if not asked:
            return self._tweets.read(lines)
        keep_deletes = self._deletes.read(asked)
        keep_tweets = self._tweets.read([line for line in lines if not line.startswith(_DELETE)])

        def keep() -> None:
            keep_deletes()
            keep_tweets()

        return keep
