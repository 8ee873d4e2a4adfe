"""How little a reader in Python can take: isal unpacks, msgspec makes objects of what is wanted of every line, nothing is kept."""

from __future__ import annotations

import io
import json
import sys

import msgspec
from isal import igzip


class Empty(msgspec.Struct, gc=False):
    """An object of which nothing is wanted."""


class User(msgspec.Struct, gc=False):
    """Who wrote it."""

    id_str: str


class Point(msgspec.Struct, gc=False):
    """Where."""

    coordinates: tuple[float, float] | None = None


class Tweet(msgspec.Struct, gc=False):
    """What schema.RECORDS needs of a tweet of v1.1; in notices all of it is missing."""

    created_at: str | None = None
    id_str: str | None = None
    text: str | None = None
    source: str | None = None
    user: User | None = None
    coordinates: Point | None = None
    place: msgspec.Raw = msgspec.Raw()
    extended_tweet: Empty | None = None
    retweeted_status: Empty | None = None
    is_quote_status: bool | None = None
    lang: str | None = None


def main() -> None:
    """Decode every line once."""
    decode = msgspec.json.Decoder(Tweet).decode
    lines = 0
    with igzip.open(sys.argv[1], "rb") as packed, io.BufferedReader(packed, 256 * 1024) as text:
        for line in text:
            decode(line)
            lines += 1
    print(json.dumps({"lines": lines}))


if __name__ == "__main__":
    main()
