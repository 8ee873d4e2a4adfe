"""Whole words, phrases and hashtags: `match = { words = ["bus", "traffic jam", "#metro"] }`.

Options: `hashtags = ["metro"]` (more entries, found as hashtags only), `exact = true` (case and accents count).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import text
from pipeline.errors import SettingsError
from pipeline.matchers import _re2, flag_of, texts_of

# RE2's \b knows ASCII only, so the edges of words are found by Unicode classes. Those cost RE2 milliseconds to compile: once for
# the marks that are put into the few texts that may match, and then every entry is a plain text to look for.
#
# Variation selectors and enclosing marks are marks to Unicode, but they sit on emoji, and an emoji is no part of a word.
_ON_EMOJI = r"\x{FE00}-\x{FE0F}\p{Me}"
#: Scripts written without spaces: a word of theirs has no visible edge, and a word of another script ends where they begin.
_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\x{30FC}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"


def _run(without: str) -> str:
    """A run of letters, digits, marks and underscores, except those of `without` (RE2 has no difference of classes)."""
    return rf"((?:[^\P{{L}}{without}]|[^\P{{N}}{without}]|[^\P{{M}}{without}]|_)+)"


#: What is put before and after runs, and between the two markings of a text: white space to Python, so no searchable text has it.
_TAG_BEGINS, _TAG_ENDS, _WORD_BEGINS, _WORD_ENDS, _BETWEEN = "\x1c", "\x1d", "\x1e", "\x1f", "\n"
_NO_TAG = f"(?:^|[^{_TAG_ENDS}])"
#: A hashtag takes letters of every script, and ends where none goes on: `#metroの` is another hashtag than `#metro`.
_TAG, _WORD = _run(_ON_EMOJI), _run(_ON_EMOJI + _SPACELESS)

#: Characters of entries in one pattern: far below the size at which RE2 refuses a pattern or falls back to a slower automaton.
_PATTERN_SIZE = 20_000
#: For the first, rough search: an edge beside an ASCII letter is one to RE2's \b too; other marks, and what leads a hashtag, go.
_ROUGH = ((re.compile("\x1e(?=[0-9A-Za-z_])|(?<=[0-9A-Za-z_])\x1f"), r"\b"), (re.compile(rf"{re.escape(_NO_TAG)}|[\x1c-\x1f]"), ""))
_HASHES = "#＃"
#: Of ASCII, what a run is; and labels that certainly hold no link and no @mention.
_ASCII_RUN, _PLAIN = re.compile(r"([0-9A-Za-z_]+)"), re.compile(r"[0-9A-Za-z_ #'-]*")


@dataclass(frozen=True)
class Entry:
    """One entry of the list: its label, and RE2 patterns of the alternatives it stands for, in a marked text."""

    label: str
    alternatives: tuple[str, ...]


@dataclass(frozen=True)
class Words:
    """The matcher of this kind."""

    entries: tuple[Entry, ...]
    exact: bool

    @property
    def rules(self) -> tuple[str, ...]:
        """The entries as they are written in the list."""
        return tuple(entry.label for entry in self.entries)

    def match(self, texts: pa.Array | pa.ChunkedArray) -> pa.Array:
        """For each text the first entry, in the order of the list, that is found in it; else null."""
        return _re2.first_rules(texts, self.rules, self._any_of, self._candidates)

    def _candidates(self, texts: pa.Array) -> tuple[npt.NDArray[np.bool_], pa.Array]:
        """Which texts hold the characters of an entry (few, and quickly found), and these marked."""
        may = _any(texts, [_rough(pattern) for entry in self.entries for pattern in entry.alternatives])
        chosen = texts.filter(pa.array(may))
        marked = _marked_words(chosen)
        if any(_TAG_BEGINS in pattern for entry in self.entries for pattern in entry.alternatives):
            marked = pc.binary_join_element_wise(_marked_tags(chosen), marked, pa.scalar(_BETWEEN, texts.type))
        return may, marked

    def _any_of(self, marked: pa.Array, first: int, last: int) -> npt.NDArray[np.bool_]:
        return _any(marked, [pattern for entry in self.entries[first:last] for pattern in entry.alternatives])


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
    written = [*texts_of(value, key="words", empty=bool(tags)), *("#" + tag.strip().lstrip(_HASHES) for tag in tags)]
    labels = [" ".join(text.tidy(entry).split()) for entry in written]
    sought = labels if all(map(_PLAIN.fullmatch, labels)) else text.searchable_all(pa.array(labels, pa.string())).to_pylist()
    split = [_split(entry, label, seen, exact=as_written) for entry, label, seen in zip(written, labels, sought, strict=True)]
    # All at once: what is compiled for marking is large.
    words = iter(_marked([word for words in split for word in words], _marked_words, rf"{_WORD_BEGINS}\1{_WORD_ENDS}"))
    joined = _marked(["".join(words).lstrip(_HASHES) for words in split], _marked_tags, rf"{_TAG_BEGINS}\1{_TAG_ENDS}")
    entries = []
    for label, parts, tag in zip(labels, split, joined, strict=True):
        marked = [next(words) for _ in parts]
        entries.append(Entry(label, _alternatives(label, marked, tag)))
    return Words(entries=tuple(entries), exact=as_written)


def _marked(texts: list[str], mark: Callable[[pa.Array], pa.Array], ascii_mark: str) -> list[str]:
    """`mark` for a list; for ASCII by an expression of its own, whose compiling costs nothing: every start checks all rules."""
    if all(map(str.isascii, texts)):
        return [_ASCII_RUN.sub(ascii_mark, each) for each in texts]
    marked: list[str] = mark(pa.array(texts, pa.string())).to_pylist()
    return marked


def _split(written: str, label: str, sought: str, *, exact: bool) -> list[str]:
    """The words of an entry as they stand in the searched texts."""
    if sought != label:
        raise SettingsError(f"match.words holds {written!r}, but links and @mentions are not searched", todo="take the entry out")
    words = re.sub("[\ufe0e\ufe0f]", "", sought if exact else text.fold(sought)).split()
    if not "".join(words).strip(_HASHES):
        raise SettingsError(f"match.words holds {written!r}, of which nothing is left to look for", todo="take the entry out")
    if words[0][0] in _HASHES and len(words) > 1:
        raise SettingsError(f"match.words holds {written!r}, but a hashtag holds no white space", todo="write it as one word")
    return words


def _alternatives(label: str, words: list[str], tag: str) -> tuple[str, ...]:
    """The patterns of an entry, from its marked words and its marked hashtag."""
    # No letter, digit, mark or underscore stands before the # of a hashtag, and it begins with one of these.
    hashtag = f"{_NO_TAG}[{_HASHES}]{_literal(tag)}" if tag.startswith(_TAG_BEGINS) else None
    if words[0][0] in _HASHES:
        if hashtag is None:
            raise SettingsError(f"match.words holds {label!r}, but a hashtag begins with a letter or a digit", todo="take out the #")
        return (hashtag,)
    phrase = " +".join(map(_literal, words))
    # A single word's hashtag is found by the word itself, # being no part of a word.
    return (phrase, hashtag) if hashtag and len(words) > 1 else (phrase,)


def _literal(word: str) -> str:
    """The word as a pattern; after a symbol the emoji selector U+FE0F may stand or not, as keyboards have it."""
    return "".join(re.escape(character) + ("\ufe0f?" if unicodedata.category(character) == "So" else "") for character in word)


def _marked_tags(texts: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(texts, _TAG, rf"{_TAG_BEGINS}\1{_TAG_ENDS}")


def _marked_words(texts: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(texts, _WORD, rf"{_WORD_BEGINS}\1{_WORD_ENDS}")


def _rough(pattern: str) -> str:
    """A pattern for unmarked texts that finds all that `pattern` finds in marked ones, and little more."""
    for sought, instead in _ROUGH:
        pattern = sought.sub(instead.replace("\\", "\\\\"), pattern)
    return pattern


def _any(texts: pa.Array, patterns: list[str]) -> npt.NDArray[np.bool_]:
    """Which texts any of the patterns is found in: all in one search, or in several where that would be too large."""
    found = np.zeros(len(texts), dtype=np.bool_)
    union: list[str] = []
    size = 0
    for pattern in patterns:
        if union and size + len(pattern) > _PATTERN_SIZE:
            found |= _re2.matches(texts, "|".join(union))
            union, size = [], 0
        union.append(pattern)
        size += len(pattern)
    return found | _re2.matches(texts, "|".join(union))
