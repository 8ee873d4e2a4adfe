"""What a check says: one line what, one line what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pipeline.errors import PipelineError

#: "unknown": could not be looked at; the line says why. Only a fault fails.
State: TypeAlias = Literal["ok", "warning", "fault", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's.

    Attributes:
        check: what was looked at, a word or two.
        state: how it is.
        what: what was found, in one line.
        todo: what to do about it, in one line; empty where there is nothing to do.
    """

    check: str
    state: State
    what: str
    todo: str = ""


def ok(check: str, what: str) -> Finding:
    """Nothing is wrong with it."""
    return Finding(check, "ok", what)


def warning(check: str, what: str, todo: str = "") -> Finding:
    """It works, and may not be what was meant."""
    return Finding(check, "warning", what, todo)


def fault(check: str, what: str, todo: str) -> Finding:
    """A night would fail, or its numbers would be wrong."""
    return Finding(check, "fault", what, todo)


def unknown(check: str, why: str) -> Finding:
    """It was not looked at."""
    return Finding(check, "unknown", why)


def refused(check: str, error: PipelineError) -> Finding:
    """An error of ours as a fault: its two lines."""
    what = " ".join(error.what.split())
    return fault(check, what, " ".join(error.todo.split()) or "mend that, and ask again")


def guarded(check: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What a check finds; where it fails itself, that is a fault of what it looks at."""
    try:
        yield from look()
    except PipelineError as error:
        yield refused(check, error)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        yield fault(check, f"the system said: {where}{error.strerror or error}", "see who may read and write there")
