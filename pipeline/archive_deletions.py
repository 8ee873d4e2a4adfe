"""Deletions that an archive file asks for: collected while it is read, kept beside its extract, applied to all that is stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Asked:
    """What the notices of one file ask for, as it is read."""

    ids: list[int] = field(default_factory=list)
    authors: dict[str, int] = field(default_factory=dict)
    withheld: dict[str, set[str]] = field(default_factory=dict)

    def tweets(self, ids: Iterable[int]) -> None:
        """`delete`: these tweets are gone."""
        self.ids.extend(ids)

    def scrub(self, author_id: str, up_to: int) -> None:
        """`scrub_geo`: this author's tweets up to that id have no location any more."""
        self.authors[author_id] = max(up_to, self.authors.get(author_id, 0))

    def withhold(self, author_id: str, countries: Sequence[str]) -> None:
        """`user_withheld`: this author's tweets may not be shown in these countries (two letters; XX and XY: everywhere)."""
        self.withheld.setdefault(author_id, set()).update(countries)
