"""Which files an import is asked to read: paths and folders to files. What is in them is streams.py's affair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.errors import ArchiveError


def find(paths: Iterable[Path | str]) -> Iterator[Path]:
    """The files that the paths name, folders searched, in a fixed order.

    Raises:
        ArchiveError: a path is not there, is neither file nor folder, or may not be read.
    """
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(inner for inner in path.rglob("*") if inner.is_file() and not _hidden(inner.relative_to(path)))
        elif path.is_file():
            yield path
        else:
            raise ArchiveError(f"got {path}, which is no file and no folder", todo="check the path")


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
