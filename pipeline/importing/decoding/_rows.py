"""Tweets in columns on their way into an extract: those with a place are appended to its columns, the others counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from pipeline.importing.decoding._lines import Keep
from pipeline.importing.geotagged import Extract


@dataclass(slots=True)
class Rows:
    """Tweets, a sequence for each column and a row for each tweet; the columns are those of columns.Columns.

    Attributes:
        retweets, quotes: for each row, what is true or not None if it is one.
        where: for each row its point or None; or empty, where none has one.
        edited: row → id of the version, where it is not the first.
    """

    ids: list[int]
    seconds: list[int]
    authors: Sequence[str | None]
    texts: Sequence[str]
    langs: list[int]
    clients: list[int]
    places: list[int]
    retweets: Sequence[object]
    quotes: Sequence[object]
    where: Sequence[tuple[float, float] | None] = ()
    edited: Mapping[int, int] = field(default_factory=dict)


def keeping(extract: Extract, rows: Rows) -> Keep:
    """Puts the rows into the extract when it is called."""
    if all(rows.places):
        return lambda: append(extract, rows)
    located = [bool(place) or point is not None for place, point in zip(rows.places, rows.where or [None] * len(rows.ids), strict=True)]
    plain = [second for second, found in zip(rows.seconds, located, strict=True) if not found]
    chosen = rows if not plain else _compressed(rows, located)

    def keep() -> None:
        extract.plain(plain)
        append(extract, chosen)

    return keep


def _compressed(rows: Rows, chosen: list[bool]) -> Rows:
    def some(column: Sequence[Any]) -> list[Any]:
        return list(compress(column, chosen))

    old = (row for row, is_chosen in enumerate(chosen) if is_chosen)
    return Rows(
        some(rows.ids),
        some(rows.seconds),
        some(rows.authors),
        some(rows.texts),
        some(rows.langs),
        some(rows.clients),
        some(rows.places),
        some(rows.retweets),
        some(rows.quotes),
        some(rows.where),
        {new: rows.edited[row] for new, row in enumerate(old) if row in rows.edited} if rows.edited else {},
    )


def append(extract: Extract, rows: Rows) -> None:
    """Append rows that all have a place."""
    columns = extract.columns
    begin = len(columns)
    columns.ids += rows.ids
    columns.seconds += rows.seconds
    columns.authors += rows.authors
    columns.texts += rows.texts
    columns.langs += rows.langs
    columns.clients += rows.clients
    columns.places += rows.places
    if any(rows.retweets):
        columns.retweets += [row for row, retweet in enumerate(rows.retweets, begin) if retweet]
    if any(rows.quotes):
        columns.quotes += [row for row, quote in enumerate(rows.quotes, begin) if quote]
    if rows.where:
        columns.points.update((row, point) for row, point in enumerate(rows.where, begin) if point is not None)
    if rows.edited:
        columns.edited.update((begin + row, version) for row, version in rows.edited.items())
    extract.records += len(rows.ids)
