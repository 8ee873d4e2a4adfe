"""Which files an import is asked to read: paths, folders and patterns to files. What is in them is streams/'s affair."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import ArchiveError

_KINDS: Final = {
    stat.S_IFIFO: "a fifo",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """An entry that cannot be read, and why; the others can."""

    path: Path
    what: str
    todo: str


def find(paths: Iterable[Path | str], problems: list[Problem] | None = None) -> Iterator[Path]:
    """The files that the paths name, in a fixed order: as the paths are given, and by name inside folders and patterns.

    Hidden files in folders are passed over. A file that is named twice, or has two names (links), is given once. Links to folders are
    followed once.

    Args:
        paths: files, folders that are searched, and patterns that no shell has expanded (`2016/**/*.gz`).
        problems: entries that cannot be read are added here; without a list the first one is an error.

    Raises:
        ArchiveError: a path is not there, or a pattern fits nothing; before any file is given.
    """
    search = _Search(problems)
    # a name that was mistyped shall not be found out after an hour
    return iter([found for named in [_named(str(path)) for path in paths] for path in named for found in search.under(path)])


def _named(text: str) -> list[Path]:
    if os.path.lexists(text):
        return [Path(text)]
    if not glob.has_magic(text):
        raise ArchiveError(f"got {text}, which is no file and no folder", todo="check the path")
    fitting = sorted(Path(path) for path in glob.glob(text, recursive=True))  # noqa: PTH207 (a pattern may be absolute)
    if not fitting:
        raise ArchiveError(f"got {text}, a pattern that no file fits", todo="check it, and from which folder it is meant")
    return fitting


class _Search:
    """Files found so far, by what they are and not by name."""

    def __init__(self, problems: list[Problem] | None) -> None:
        self._problems = problems
        self._seen: set[tuple[int, int]] = set()

    def under(self, path: Path) -> Iterator[Path]:
        """The files at and below a path that are not found yet."""
        try:
            status = path.stat()
        except OSError as error:
            self._report(path, f"cannot be read: {_told(path, error)}", "mend it, take it away, or import the others alone")
            return
        kind = stat.S_IFMT(status.st_mode)
        if kind not in (stat.S_IFDIR, stat.S_IFREG):
            self._report(path, f"is {_KINDS.get(kind, 'no file')}, and no file or folder", "give the files themselves")
            return
        # a loop of links ends here, too
        if (key := (status.st_dev, status.st_ino)) in self._seen:
            return
        self._seen.add(key)
        if kind == stat.S_IFDIR:
            try:
                inside = sorted(path.iterdir())
            except OSError as error:
                self._report(path, f"cannot be searched: {error.strerror}", "check its permissions")
                return
            for entry in inside:
                if not entry.name.startswith("."):
                    yield from self.under(entry)
        elif not os.access(path, os.R_OK):
            self._report(path, "may not be read", "check its permissions")
        else:
            yield path

    def _report(self, path: Path, what: str, todo: str) -> None:
        if self._problems is None:
            raise ArchiveError(f"{path} {what}", todo=todo)
        self._problems.append(Problem(path, what, todo))


def _told(path: Path, error: OSError) -> str:
    if path.is_symlink() and isinstance(error, FileNotFoundError):
        return f"a link to {path.readlink()}, where nothing is"
    return str(error.strerror or error)
