r"""Patterns: `match = { regex = "trafico|bus(es)?" }`, or a list of them.

RE2's syntax (github.com/google/re2/wiki/Syntax), whose time is linear in the text: no back-references, no look-around. Mind that
RE2's `\b`, `\w`, `\d` and `\s` know ASCII only; folded texts of the Latin alphabets are ASCII, for others write `\pL` and the like.
Unless `exact = true`, a pattern is tried on the folded text and its case does not matter.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline import text
from pipeline.errors import SettingsError
from pipeline.matchers import _re2, flag_of, texts_of

#: What people write who know other engines, and what to tell them.
_FOREIGN = (
    (re.compile(r"\(\?<?[=!]"), "look-ahead and look-behind do not exist in the linear-time engine"),
    (re.compile(r"\\[1-9]|\(\?P="), "back-references do not exist in the linear-time engine"),
    (re.compile(r"\(\?>|[*+?}]\+"), "atomic groups and possessive quantifiers do not exist in the linear-time engine (and are not needed)"),
)


@dataclass(frozen=True)
class Regex:
    """The matcher of this kind."""

    rules: tuple[str, ...]
    exact: bool

    def match(self, texts: pa.Array | pa.ChunkedArray) -> pa.Array:
        """For each text the first pattern that is found in it; else null."""
        return _re2.first_rules(texts, self.rules, self._any_of)

    def _any_of(self, texts: pa.Array, first: int, last: int) -> npt.NDArray[np.bool_]:
        found = np.zeros(len(texts), dtype=np.bool_)
        for pattern in self.rules[first:last]:
            found |= _re2.matches(texts, pattern, ignore_case=not self.exact)
        return found


def build(value: object, *, exact: object = False) -> Regex:
    """Make a matcher for one pattern or a list of them.

    Raises:
        SettingsError: RE2 refuses a pattern, it matches the empty text (and so every text), it looks for what folding removes,
            or it holds a backspace.
    """
    as_written = flag_of(exact, key="exact")
    patterns = texts_of(value, key="regex")
    for pattern in patterns:
        _check(pattern, exact=as_written)
    return Regex(rules=patterns, exact=as_written)


def _check(pattern: str, *, exact: bool) -> None:
    if "\b" in pattern:
        # TOML's double quotes make a backspace of \\b, which no tweet holds: the rule would match nothing, and say nothing
        raise SettingsError(
            f"match.regex holds {pattern!r}, in which \\b became a backspace, as TOML's double quotes make it",
            todo="write the pattern in single quotes: regex = '\\bbus\\b'",
        )
    try:
        empty = _re2.matches(pa.array([""], pa.string()), pattern, ignore_case=not exact)[0]
    except (pa.ArrowInvalid, UnicodeEncodeError) as error:
        reason = next((reason for sign, reason in _FOREIGN if sign.search(pattern)), str(error))
        raise SettingsError(
            f"match.regex holds {pattern!r}, which cannot be used: {reason}",
            todo="write it in RE2's syntax: https://github.com/google/re2/wiki/Syntax",
        ) from error
    if empty:
        raise SettingsError(
            f"match.regex holds {pattern!r}, which matches the empty text and so every tweet", todo="make it ask for something"
        )
    if not unicodedata.is_normalized("NFC", pattern):
        raise SettingsError(
            f"match.regex holds {pattern!r} with letter and accent apart, which texts hold as one character",
            todo=f"write {unicodedata.normalize('NFC', pattern)!r}",
        )
    folded = re.sub(r"[^\x00-\x7f]+", lambda run: text.fold(run[0]), pattern)
    if not exact and folded != pattern:
        raise SettingsError(
            f"match.regex holds {pattern!r}, but the folded text it is tried on has no accents and no capitals",
            todo=f"write {folded!r}, or add exact = true",
        )
