"""What a text is, in the one place that decides it: as it is kept (tidy), as it is searched (searchable, fold).

What a match is belongs to matchers/; which field of a record holds the text belongs to formats/. Each function comes for one
text and, ending in `_all`, for an Arrow array of them; the two agree exactly, nulls stay null.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

#: X escapes exactly these three in the text of its answers. `&amp;` is undone last: `&amp;lt;` becomes `&lt;`, once only.
ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))

#: Signs that people mean by ' and -: what keyboards put there on their own (iOS writes don’t), and what Unicode has beside.
_MEANT = str.maketrans({"‘": "'", "’": "'", "ʼ": "'", "´": "'", "‐": "-"})

_NON_ASCII = re.compile(r"[^\x00-\x7f]+")
#: Texts that are asked together whether they are composed.
_TOGETHER = 64

# The patterns below are RE2's (pyarrow's engine), which has no look-around: the character before is taken along and given back.
#: Links. A t.co path is letters and digits only, so what stands right behind it is text again. Elsewhere a link goes on over ASCII
#: and the alphabets that addresses are pasted in, but not into Han or kana, which follow a link without a space.
_LINK = r"(?i)https?://(?:t\.co/[a-z0-9]+|[!-~\p{Latin}\p{Cyrillic}\p{Greek}]+)"
_BARE_LINK = r"(?i)(^|[^\p{L}\p{N}\p{M}_.\-/@＠])t\.co/[a-z0-9]+"
#: Mentions, as X's own twitter-text finds them: after Japanese without a space too, but not after a letter of an alphabet with
#: capitals, a digit or !#$%&*@ (so an e-mail address keeps both halves). The second half of `@user@server` goes with the first.
_NAME = r"[a-zA-Z0-9_][\p{Latin}\p{M}0-9_]*"
_MENTION = rf"(^|[^\p{{Latin}}\p{{Greek}}\p{{Cyrillic}}\p{{M}}\p{{N}}_!#$%&*@＠])[@＠]{_NAME}(?:[@＠]{_NAME}(?:\.{_NAME})*)*"
#: What takes nearly all texts out of that pattern's way, which is slow: each @ begins the text, or a space stands before it.
_ALONE, _NOT_ALONE = f"@{_NAME}", "[^ ]@|＠"
#: What str.split() takes for white space.
_WHITE = r"[\t-\r\x1c-\x1f\x{85}\p{Z}]+"
#: Of these all but the space.
_NO_SPACE = r"[\t-\r\x1c-\x1f\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"


def tidy(text: str) -> str:
    """The text as it is kept: &amp; &lt; &gt; undone once, NUL and lone surrogates replaced by U+FFFD, Unicode NFC."""
    for entity, character in ENTITIES:
        text = text.replace(entity, character)
    text = text.replace("\x00", "\ufffd")
    return text if text.isascii() else unicodedata.normalize("NFC", without_surrogates(text))


def without_surrogates(text: str) -> str:
    """Join surrogate pairs and put U+FFFD for lone surrogates, which neither Arrow nor PostgreSQL can hold."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def searchable(text: str) -> str:
    """A tidy text as an exact rule sees it: links and @mentions out (a space instead), all white space single, none at the ends."""
    return str(searchable_all(pa.array([text], pa.string()))[0].as_py())


def fold(text: str) -> str:
    """A text as every other rule sees it: NFKC, case-folded, without accents, ' for every apostrophe. Folding twice changes nothing more.

    An accent is a nonspacing mark of combining class 1 (overlay), 10 to 36 (Hebrew and Arabic points) or from 200 up (the accents
    of the alphabets). Kana voicing (8), nukta (7), virama (9) and the vowels and tones of Thai, Lao and Tibetan (84 to 132) stay:
    they make another letter, not the same with an accent.
    """
    if text.isascii():
        return text.lower()
    # bytes.lower touches ASCII only: the rest is folded run by run. An ASCII character neither composes with what folding keeps
    # nor is reordered with it, so the runs can be folded apart, and a cache of them pays (facts/speed.md).
    return _NON_ASCII.sub(_folded_match, text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass"))


def _folded_match(match: re.Match[str]) -> str:
    return _fold_run(match[0])


@lru_cache(maxsize=1 << 16)
def _fold_run(run: str) -> str:
    while True:
        parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", run.translate(_MEANT)).casefold())
        folded = unicodedata.normalize("NFKC", "".join(character for character in parts if not _is_accent(character)))
        if folded == run:
            return folded
        run = folded


def _is_accent(character: str) -> bool:
    position = unicodedata.combining(character)
    return (position == 1 or 10 <= position <= 36 or position >= 200) and unicodedata.category(character) == "Mn"


def tidy_all(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """`tidy` for an array of strings; Arrow holds no surrogates, so none are looked for."""

    def tidied(chunk: pa.Array) -> pa.Array:
        chunk = _holding(chunk, "&", _without_entities)
        chunk = _holding(chunk, "\x00", partial(pc.replace_substring, pattern="\x00", replacement="\ufffd"))
        return _where(chunk, pc.invert(pc.string_is_ascii(chunk)), _composed)

    return _by_chunk(tidied, texts)


def searchable_all(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """`searchable` for an array of tidy strings."""

    def searched(chunk: pa.Array) -> pa.Array:
        chunk = _holding(chunk, "://", lambda some: pc.replace_substring_regex(some, _LINK, " "))
        chunk = _where(
            chunk,
            pc.match_substring(chunk, "t.co/", ignore_case=True),
            lambda some: pc.replace_substring_regex(some, _BARE_LINK, r"\1 "),
        )
        for sign in "@＠":
            chunk = _holding(chunk, sign, _without_mentions)
        chunk = _where(chunk, pc.match_substring_regex(chunk, _NO_SPACE), lambda some: pc.replace_substring_regex(some, _WHITE, " "))
        # most have white space to lose where a link was, and nothing but spaces: a fifth of the time
        spaced = pc.match_substring_regex(chunk, "  |^ | $")
        return _where(chunk, spaced, lambda some: pc.ascii_trim(pc.replace_substring_regex(some, "  +", " "), " "))

    return _by_chunk(searched, texts)


def _without_entities(some: pa.Array) -> pa.Array:
    for entity, character in ENTITIES:
        some = pc.replace_substring(some, entity, character)
    return some


def _without_mentions(some: pa.Array) -> pa.Array:
    alone = pc.invert(pc.match_substring_regex(some, _NOT_ALONE))
    simple = _where(some, alone, lambda texts: pc.replace_substring_regex(texts, _ALONE, " "))
    return _where(simple, pc.invert(alone), lambda texts: pc.replace_substring_regex(texts, _MENTION, r"\1 "))


def fold_all(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """`fold` for an array of strings."""

    def folded(chunk: pa.Array) -> pa.Array:
        return _where(pc.ascii_lower(chunk), pc.invert(pc.string_is_ascii(chunk)), _folded_together)

    return _by_chunk(folded, texts)


def _folded_together(some: pa.Array) -> pa.Array:
    """`fold` of texts as one, without making each a Python string: runs are folded apart in any case, and none goes beyond its text."""
    bounds, whole = _content(some)
    whole = whole.lower()
    beyond = np.frombuffer(whole, np.uint8) >= 0x80
    edges = np.zeros(len(whole) + 1, np.bool_)
    edges[1:-1] = beyond[1:] != beyond[:-1]
    edges[bounds] = True
    # numpy finds where runs begin and end in a fifth of the time of a regular expression
    begins = np.flatnonzero(edges[:-1] & beyond)
    ends = np.flatnonzero(edges[1:] & beyond) + 1
    starts, stops = begins.tolist(), ends.tolist()
    runs = [_fold_bytes(whole[start:stop]) for start, stop in zip(starts, stops, strict=True)]
    parts = [b""] * (2 * len(runs) + 1)
    parts[::2] = [whole[start:stop] for start, stop in zip([0, *stops], [*starts, len(whole)], strict=True)]
    parts[1::2] = runs
    grown = np.cumsum([0, *(np.fromiter(map(len, runs), np.int64, len(runs)) - (ends - begins))])
    # a cast of Arrow's, which refuses what is too large
    offsets = pa.array(bounds + grown[np.searchsorted(begins, bounds)]).cast(pa.from_numpy_dtype(bounds.dtype))
    return pa.Array.from_buffers(some.type, len(some), [None, offsets.buffers()[1], pa.py_buffer(b"".join(parts))])


def _bounds(some: pa.Array) -> NDArray[Any]:
    """Where each text begins in the array's bytes, and where the last one ends."""
    size = np.int64 if pa.types.is_large_string(some.type) else np.int32
    return np.frombuffer(some.buffers()[1], size)[some.offset : some.offset + len(some) + 1]


def _content(some: pa.Array) -> tuple[NDArray[Any], bytes]:
    """(where each text begins in the bytes, and at last their number; the bytes of all texts): of an array without nulls."""
    content, bounds = some.buffers()[2], _bounds(some)
    return bounds - bounds[0], content[int(bounds[0]) : int(bounds[-1])].to_pybytes()


@lru_cache(maxsize=1 << 16)
def _fold_bytes(run: bytes) -> bytes:
    return _fold_run(run.decode()).encode()


def _composed(some: pa.Array) -> pa.Array:
    """NFC. Nearly all texts are in it, and asking that of many at once costs less than normalizing each: where their row is, each is."""
    bounds, content = _content(some)
    odd = np.zeros(len(some), np.bool_)
    for start in range(0, len(some), _TOGETHER):
        row = content[bounds[start] : bounds[min(start + _TOGETHER, len(some))]]
        odd[start : start + _TOGETHER] = not unicodedata.is_normalized("NFC", row.decode())
    composed = [unicodedata.normalize("NFC", text) for text in some.filter(pa.array(odd)).to_pylist()]
    return pc.replace_with_mask(some, pa.array(odd), pa.array(composed, some.type)) if composed else some


def _holding(chunk: pa.Array, sought: str, function: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Apply `function` to the rows that hold a text. Mostly none does, which one look at all their bytes tells."""
    content = chunk.buffers()[2]
    if not len(chunk) or content is None:
        return chunk
    first, last = _bounds(chunk)[[0, -1]].tolist()
    if sought.encode() not in content[first:last].to_pybytes():
        return chunk
    # RE2 finds a literal in half the time of match_substring
    return _where(chunk, pc.match_substring_regex(chunk, re.escape(sought)), function)


def _where(chunk: pa.Array, mask: pa.Array, function: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Apply `function` to the rows of `mask` alone; most texts need none of what is done here."""
    if not pc.any(mask).as_py():
        return chunk
    return pc.replace_with_mask(chunk, mask, function(chunk.filter(mask)))


def _by_chunk(function: Callable[[pa.Array], pa.Array], texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    if isinstance(texts, pa.ChunkedArray):
        return pa.chunked_array([function(chunk) for chunk in texts.chunks], texts.type)
    return function(texts)
