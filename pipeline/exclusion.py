"""Whose tweets a study leaves out, as the tables tell them apart: authors by their keyed hashes, clients by their names.

Ids that studies.toml names are hashed here; past this module nobody has them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.formats.v1 import client_name
from pipeline.keys import author_key, hashed
from pipeline.settings import Settings
from pipeline.study import Study

if TYPE_CHECKING:
    import sqlalchemy as sa


@dataclass(frozen=True)
class LeftOut:
    """Whom a study leaves out. False where it is nobody.

    Attributes:
        authors: their keys, as in the columns called author_key.
        clients: names of programs, folded as `fold_client` does.
    """

    authors: frozenset[str] = field(default=frozenset(), repr=False)
    clients: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.authors or self.clients)

    @property
    def parts(self) -> tuple[object, ...]:
        """What a digest of the rule is made of besides the rule; nothing where nobody is left out."""
        return (("without", sorted(self.authors), sorted(self.clients)),) if self else ()

    def by_author(self, keys: pa.ChunkedArray) -> NDArray[np.bool_]:
        """Which of the tweets with these author_keys are left out; unknown authors are not."""
        return _judged(keys, lambda key: key in self.authors)

    def by_client(self, names: pa.ChunkedArray) -> NDArray[np.bool_]:
        """The same by client."""
        return _judged(names, self.client)

    def client(self, name: str) -> bool:
        """Whether this client is, as a table spells it."""
        return fold_client(name) in self.clients


#: What of most studies is true.
NOBODY = LeftOut()


def of(settings: Settings, study: Study) -> LeftOut:
    """Whom the study leaves out.

    Raises:
        SettingsError: it names authors by their ids, and the file of the key is empty.
    """
    if not study.exclude:
        return NOBODY
    ids = any(_is_id(author) for author in study.exclude.authors)
    return _of(author_key(settings) if ids else b"", study.exclude.authors, study.exclude.clients)


def without(clients: Iterable[str]) -> LeftOut:
    """These clients left out, and no author: what the table `studies` remembers."""
    return LeftOut(clients=frozenset(map(fold_client, clients)))


def spelt(connection: sa.Connection, left_out: LeftOut, area: str, days: Iterable[date]) -> list[str]:
    """The clients that are left out, in every spelling that the table `tweets` has on these days: for `client = any(:clients)`.

    Letters' cases are folded here, for what PostgreSQL makes of them depends on its locale. (`author_key = any(:keys)` takes
    left_out.authors as they are.)
    """
    if not left_out.clients:
        return []
    import sqlalchemy as sa

    statement = "select distinct client from tweets where area = :area and day = any(cast(:days as date[])) and client is not null"
    names = connection.execute(sa.text(statement), {"area": area, "days": list(days)}).scalars()
    return sorted(filter(left_out.client, names))


@lru_cache(maxsize=256)
def _of(key: bytes, authors: tuple[str, ...], clients: tuple[str, ...]) -> LeftOut:
    keys = [hashed(key, author) if _is_id(author) else author for author in authors]
    return LeftOut(frozenset(keys), without(clients).clients)


def _is_id(author: str) -> bool:
    # Exclude has seen that it is an id of at most 20 digits, or a key of 32
    return len(author) < 32


@lru_cache(maxsize=4096)
def fold_client(name: str) -> str:
    """A client's name as names are compared: cleaned as the column `client` is, in any case of its letters."""
    return unicodedata.normalize("NFC", client_name(name) or "").casefold()


def _judged(column: pa.ChunkedArray, judge: Callable[[str], bool]) -> NDArray[np.bool_]:
    """For each row whether its value is one of those left out; each distinct value is judged once, an empty one is not."""
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    verdicts = np.array([value is not None and judge(value) for value in encoded.dictionary.to_pylist()], np.bool_)
    return np.asarray(verdicts[encoded.indices.to_numpy()])
