"""What a match is: one module a kind of rule, its name in studies.toml is its file's name.

A module has `build(value, **options) -> Matcher`; the options are its keyword arguments. A new kind is one new file here, found
by tests/contracts/test_matchers.py without an edit. Files that begin with an underscore are no kinds.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from typing import Protocol

import pyarrow as pa

from pipeline.errors import SettingsError


class Matcher(Protocol):
    """A rule ready to be used on texts, as CountMatches uses it."""

    @property
    def exact(self) -> bool:
        """True: wants the column `searchable`; False: wants `folded`."""

    @property
    def rules(self) -> tuple[str, ...]:
        """The labels that `match` can give, in the order in which they are tried."""

    def match(self, texts: pa.Array | pa.ChunkedArray) -> pa.Array:
        """For each text the label of the first rule that matches, null where none does or the text is null."""


def names() -> tuple[str, ...]:
    """The kinds of rules there are: the modules of this package, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")))


def build(match: Mapping[str, object]) -> Matcher:
    """Make the matcher that a study's `match` table describes, e.g. `{"words": ["bus"], "exact": True}`.

    Raises:
        SettingsError: no kind or two kinds named, an option the kind does not have, or a rule that cannot be used.
    """
    kinds = [key for key in match if key in names()]
    wanted = f"exactly one of {', '.join(names())}"
    if len(kinds) != 1:
        got = f"both {' and '.join(kinds)}" if kinds else (", ".join(map(repr, match)) or "nothing")
        raise SettingsError(f"match names {got}; wanted is {wanted}", todo='write it like match = { words = ["bus", "#metro"] }')
    kind = kinds[0]
    module = importlib.import_module(f"{__name__}.{kind}")
    options = {key: value for key, value in match.items() if key != kind}
    known = [name for name, parameter in inspect.signature(module.build).parameters.items() if parameter.kind is parameter.KEYWORD_ONLY]
    if unknown := [name for name in options if name not in known]:
        raise SettingsError(
            f"match = {{ {kind} = … }} has no option {', '.join(map(repr, unknown))}; it has {', '.join(known)}",
            todo="take it out, or mend its spelling",
        )
    matcher: Matcher = module.build(match[kind], **options)
    return matcher


def texts_of(value: object, *, key: str, empty: bool = False) -> tuple[str, ...]:
    """Check that a value of a `match` table is a text or a list of texts, and give them.

    Raises:
        SettingsError: it is something else, or holds nothing and `empty` is not allowed.
    """
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, str) for entry in entries):
        raise SettingsError(f"match.{key} is {value!r}; wanted is a list of texts", todo=f'write it like {key} = ["…", "…"]')
    if not entries and not empty:
        raise SettingsError(f"match.{key} is empty; wanted is at least one entry", todo="say what counts as a match")
    return tuple(str(entry) for entry in entries)


def flag_of(value: object, *, key: str) -> bool:
    """Check that a value of a `match` table is true or false, and give it.

    Raises:
        SettingsError: it is something else.
    """
    if not isinstance(value, bool):
        raise SettingsError(f"match.{key} is {value!r}; wanted is true or false", todo=f"write {key} = true, or leave it out")
    return value
