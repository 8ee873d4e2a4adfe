"""How a stage says how far it is. Who shows it (a terminal, the Luigi page) is the caller's affair."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

#: Called with the share done (0 to 1, None where nobody knows it) and one line of text.
Progress: TypeAlias = Callable[[float | None, str], None]


def silent(share: float | None, message: str) -> None:
    """Show nothing: the default of every stage."""
