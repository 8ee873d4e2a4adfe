"""Whole words, phrases and hashtags: `match = { words = ["bus", "traffic jam", "#metro"] }`.

Options: `hashtags = ["metro"]` (more entries, found as hashtags only), `exact = true` (case and accents count).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline import text
from pipeline.errors import SettingsError
from pipeline.matchers import _re2, flag_of, texts_of

# RE2's \b knows ASCII only, so the edge of a word is made of Unicode classes: no letter, digit, mark or underscore adjoins.
# Variation selectors and enclosing marks are marks to Unicode, but they sit on emoji, and an emoji is no part of a word.
_GAP = r"[^\p{L}\p{N}\p{M}_]|[\x{FE00}-\x{FE0F}\p{Me}]"
#: Scripts written without spaces: a word of theirs has no visible edge, and a word of another script ends where they begin.
_SPACELESS = r"[\p{Han}\p{Hiragana}\p{Katakana}\x{30FC}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_WORD_BEGINS, _WORD_ENDS = rf"(?:^|{_GAP}|{_SPACELESS})", rf"(?:$|{_GAP}|{_SPACELESS})"
#: A hashtag begins and ends at a gap in every script: `#metroの` is another hashtag than `#metro`.
_TAG_BEGINS, _TAG_ENDS = rf"(?:^|{_GAP})[#＃]", rf"(?:$|{_GAP})"

#: Characters of alternatives in one pattern: far below the size at which RE2 refuses a pattern or falls back to its slow automaton.
_PATTERN_SIZE = 20_000


@dataclass(frozen=True)
class Entry:
    """One entry of the list: its label and the alternatives it stands for, each as (how it begins, what it is, how it ends)."""

    label: str
    alternatives: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Words:
    """The matcher of this kind."""

    entries: tuple[Entry, ...]
    exact: bool
    _patterns: dict[tuple[int, int], tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def rules(self) -> tuple[str, ...]:
        """The entries as they are written in the list."""
        return tuple(entry.label for entry in self.entries)

    def match(self, texts: pa.Array | pa.ChunkedArray) -> pa.Array:
        """For each text the first entry, in the order of the list, that is found in it; else null."""
        return _re2.first_rules(texts, self.rules, self._any_of)

    def _any_of(self, texts: pa.Array, first: int, last: int) -> npt.NDArray[np.bool_]:
        if (first, last) not in self._patterns:
            self._patterns[first, last] = _union(self.entries[first:last])
        found = np.zeros(len(texts), dtype=np.bool_)
        for pattern in self._patterns[first, last]:
            found |= _re2.matches(texts, pattern)
        return found


def build(value: object, *, hashtags: object = (), exact: object = False) -> Words:
    """Make a matcher for a list of words.

    Args:
        value: words and phrases; any white space may stand between the words of a phrase. An entry is found as a hashtag too
            (`traffic jam` as `#trafficjam`); an entry `#x` is found as a hashtag only.
        hashtags: entries, with or without #, that are found as hashtags only.
        exact: case and accents count.

    Raises:
        SettingsError: nothing to look for, or an entry that no searched text can hold.
    """
    as_written = flag_of(exact, key="exact")
    tags = texts_of(hashtags, key="hashtags", empty=True)
    labels = [*texts_of(value, key="words", empty=bool(tags)), *("#" + tag.strip().lstrip("#＃") for tag in tags)]
    return Words(entries=tuple(_entry(label, exact=as_written) for label in labels), exact=as_written)


def _entry(written: str, *, exact: bool) -> Entry:
    label = " ".join(text.tidy(written).split())
    sought = text.searchable(label)
    if sought != label:
        raise SettingsError(f"match.words holds {written!r}, but links and @mentions are not searched", todo="take the entry out")
    words = (sought if exact else text.fold(sought)).replace("\ufe0f", "").replace("\ufe0e", "").split()
    if not "".join(words).strip("#＃"):
        raise SettingsError(f"match.words holds {written!r}, of which nothing is left to look for", todo="take the entry out")
    if words[0][0] in "#＃":
        if len(words) > 1:
            raise SettingsError(f"match.words holds {written!r}, but a hashtag holds no white space", todo="write it as one word")
        return Entry(label, (_hashtag(words[0].lstrip("#＃")),))
    begins = _WORD_BEGINS if _has_edges(words[0][0]) else ""
    ends = _WORD_ENDS if _has_edges(words[-1][-1]) else ""
    phrase = (begins, " +".join(map(_literal, words)), ends)
    # A single word's hashtag is found by the word itself, # being no part of a word.
    return Entry(label, (phrase, _hashtag("".join(words))) if len(words) > 1 else (phrase,))


def _hashtag(body: str) -> tuple[str, str, str]:
    return _TAG_BEGINS, _literal(body), _TAG_ENDS


def _literal(word: str) -> str:
    """The word as a pattern; after a symbol the emoji selector U+FE0F may stand or not, as keyboards have it."""
    return "".join(re.escape(character) + ("\ufe0f?" if unicodedata.category(character) == "So" else "") for character in word)


def _has_edges(character: str) -> bool:
    """Whether an entry that begins or ends with `character` must begin or end as a word there; symbols and emoji need not."""
    is_word = character == "_" or unicodedata.category(character)[0] in "LNM"
    return is_word and not _re2.matches(pa.array([character]), _SPACELESS)[0]


def _union(entries: tuple[Entry, ...]) -> tuple[str, ...]:
    """Patterns that together find any of the entries; what begins and ends alike shares its edges, which keeps them small."""
    patterns: list[str] = []
    kinds: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        for begins, body, ends in entry.alternatives:
            bodies = kinds.setdefault((begins, ends), [])
            if bodies and sum(map(len, bodies)) + len(body) > _PATTERN_SIZE:
                patterns.append(f"{begins}(?:{'|'.join(bodies)}){ends}")
                bodies.clear()
            bodies.append(body)
    return (*patterns, *(f"{begins}(?:{'|'.join(bodies)}){ends}" for (begins, ends), bodies in kinds.items()))
