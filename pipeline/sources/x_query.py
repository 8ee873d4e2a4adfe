"""A study's rule in X's own query language, for X to count by; what that language cannot say is refused with the reason.

Only the rule: where it is asked for is cover.py's affair, and what is made of the answer extract_counts.py's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pipeline import text
from pipeline.errors import SettingsError

#: Signs that may stand inside a word: X's documentation asks for quotes round such a word ("coca-cola"), and then compares its parts in
#: their order. Every other sign it takes out of the text before it compares (docs.x.com, operators: keyword).
_INSIDE: Final = "'’‘ʼ´-‐_"
_SIGN: Final = re.compile(rf"[{re.escape(_INSIDE)}]")
#: Written bare these would be operators, or might be.
_RESERVED: Final = {"or", "and", "not"}
_HASHES: Final = "#＃"


def rule(match: Mapping[str, object]) -> str:
    """The rule as one part of a query: its terms in parentheses, joined by OR.

    Words are written bare, phrases in quotes, hashtags with their #. A phrase stands for its hashtag too, as in matchers/words.py; a word
    does so by itself, X taking the # for punctuation. Accents are left as written: X's page "Build a query" says that a word with them
    finds the one without (of the other way round only its enterprise search says so).

    Args:
        match: a study's match table that matchers.build has taken.

    Raises:
        SettingsError: X's language has no words for it; the message says for what.
    """
    _refuse_what_is_not_words(match)
    entries = [*_texts(match["words"]), *("#" + tag.strip().lstrip(_HASHES) for tag in _texts(match.get("hashtags", ())))]
    refused: dict[str, list[str]] = {}
    terms: dict[str, str] = {}
    for entry in entries:
        try:
            for term in _terms(" ".join(text.tidy(entry).split())):
                # X compares without regard to case
                terms.setdefault(term.casefold(), term)
        except SettingsError as error:
            refused.setdefault(error.what, []).append(repr(entry))
    if refused:
        told = "; ".join(f"{', '.join(listed)}: {why}" for why, listed in refused.items())
        raise SettingsError(
            f'X cannot count {told}; wanted is a list that X can, or mode = "tweets"', todo="take them out, or collect tweets"
        )
    return f"({' OR '.join(terms.values())})"


def _refuse_what_is_not_words(match: Mapping[str, object]) -> None:
    kinds = [key for key in match if key not in ("hashtags", "exact")]
    if kinds != ["words"]:
        raise SettingsError(
            f'X\'s query language has no {", ".join(kinds) or "rule without words"}; wanted is words, or mode = "tweets"',
            todo="name the words, or collect tweets",
        )
    if match.get("exact"):
        raise SettingsError(
            'X does not tell capitals and accents apart; wanted is no exact = true, or mode = "tweets"', todo="take exact = true out"
        )


def _texts(value: object) -> Sequence[str]:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else []


def _terms(label: str) -> Iterator[str]:
    """The terms that together find what an entry of the list stands for."""
    if label[:1] in _HASHES:
        yield "#" + _hashtag(label.lstrip(_HASHES))
        return
    words = label.split()
    for word in words:
        _check_word(word)
    bare = len(words) == 1 and not _SIGN.search(label) and label.casefold() not in _RESERVED
    yield label if bare else f'"{label}"'
    joined = "".join(words)
    if len(words) > 1 and _is_tag(joined):
        yield "#" + joined


def _check_word(word: str) -> None:
    parts = _SIGN.split(word)
    if odd := "".join(dict.fromkeys(character for part in parts for character in part if not _in_word(character))):
        if any(unicodedata.category(character) in ("So", "Sk", "Cf", "Cn") for character in odd):
            raise SettingsError("nobody here has tried how X tells emoji and their variants apart")
        raise SettingsError(f"it takes {' '.join(odd)} out of the text before it compares, or reads it as an operator")
    if not all(parts):
        raise SettingsError("it takes signs at the edge of a word out of the text, and reads a leading - as a negation")


def _hashtag(tag: str) -> str:
    if not _is_tag(tag):
        raise SettingsError("to it a hashtag is letters, digits and _, with a letter among them")
    return tag


def _is_tag(tag: str) -> bool:
    return all(character == "_" or _in_word(character) for character in tag) and any(
        unicodedata.category(character)[0] == "L" for character in tag
    )


def _in_word(character: str) -> bool:
    """Letters, digits and their marks: what no tokenizer cuts at."""
    # enclosing marks and the variation selectors sit on emoji (matchers/words.py)
    category = unicodedata.category(character)
    return category[0] == "L" or (category in ("Mn", "Mc", "Nd") and not "\ufe00" <= character <= "\ufe0f")
