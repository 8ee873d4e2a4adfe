"""What a file asks to delete: ids, one a line; lines of the compliance endpoint; notices of a stream. Told apart by content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import documents, formats, streams, tombstones
from pipeline.documents import Broken, Lines
from pipeline.errors import ArchiveError
from pipeline.formats import Deletion
from pipeline.keys import Keys
from pipeline.progress import Progress, silent


@dataclass
class Asked:
    """Tweets that have to go.

    Attributes:
        tweets: id → why, in a word of the compliance endpoint.
        authors: author's id → id of the last of their tweets that lose their location, so have to go.
        further: authors whose tweets have to go for another reason, and what is withheld in some countries.
        others: documents that ask for nothing: tweets, other notices.
        unclear: lines that cannot be read, and notices without a usable id.
    """

    tweets: dict[int, str] = field(default_factory=dict)
    authors: dict[str, int] = field(default_factory=dict)
    further: set[Deletion] = field(default_factory=set)
    others: int = 0
    unclear: int = 0

    def __bool__(self) -> bool:
        return bool(self.tweets or self.authors or self.further)

    def add(self, deletion: Deletion) -> None:
        """Take one."""
        if deletion.author is None and not deletion.countries:
            self.tweets[deletion.tweet_id] = deletion.reason
        elif deletion.author is not None and deletion.reason == tombstones.SCRUBBED:
            self.authors[deletion.author] = max(deletion.tweet_id, self.authors.get(deletion.author, 0))
        else:
            self.further.add(deletion)

    def lines(self, keys: Keys) -> Iterator[dict[str, Any]]:
        """The tombstones that it takes."""
        for tweet_id, why in self.tweets.items():
            yield tombstones.line(keys, tweet_id, why)
        for author, last in self.authors.items():
            yield tombstones.line(keys, last, tombstones.SCRUBBED, author)
        for other in self.further:
            yield tombstones.line(keys, other.tweet_id, other.reason, other.author, other.countries)


def read(paths: Iterable[Path], *, progress: Progress = silent) -> Asked:
    """What these files ask for; compressed and packed ones are read as import reads them.

    Raises:
        ArchiveError: a file cannot be read, or its packing is damaged: what it asks for would not be known whole.
    """
    asked = Asked()
    for path in paths:
        damages: list[streams.Damage] = []
        lines = Lines()
        try:
            with open(path, "rb") as file:
                for member in streams.members(file, damages):
                    for found in documents.read(member.stream, lines):
                        _take(asked, found)
                        if lines.total % 20_000 == 0:
                            progress(None, f"{path.name}: {lines.total:,} lines")
        except OSError as error:
            raise ArchiveError(f"cannot read {path}: {error.strerror or error}", todo="check the path and its permissions") from error
        if damages:
            raise ArchiveError(
                f"{path} is damaged at byte {damages[0].offset:,}: {damages[0].reason} ({damages[0].detail})",
                todo="get the file again, so that nothing it asks for is missed; nothing was removed",
            )
    return asked


def _take(asked: Asked, found: documents.Found) -> None:
    if isinstance(found, Broken):
        asked.unclear += 1
        return
    wanted = list(formats.deletions(found.value))
    for deletion in wanted:
        if deletion is None:
            asked.unclear += 1
        else:
            asked.add(deletion)
    asked.others += not wanted
