"""An invented language with Zipf's frequencies, and the question that all competitors are asked of the made-up archives.

Every word is as a stream writes it: JSON with ASCII escapes, `&` as an HTML entity. The sought words have one spelling, so that tools
without Unicode folding find the same ones.
"""

from __future__ import annotations

import random
import re
from typing import Final

_SYLLABLES: Final = ("ta", "ri", "mo", "se", "lu", "na", "ko", "per", "vi", "da", "lo", "me", "qui", "tor", "bu", "jan", "fe", "sol", "mi")
#: Characters that are written as escapes: accented letters, Cyrillic, kana, emoji in two halves.
_FOREIGN: Final = (r"\u00e9", r"\u00f1", r"\u00ed", r"\u0434\u043e", r"\u30b9\u30c8", r"\u3044", r"\u00e3o")
_APART: Final = (r"\ud83d\ude02", r"\u2764\ufe0f", "&amp;", r"\ud83d\udea6", "&lt;3", "-", r"\u2026", "&gt;&gt;")


def _invent(number: int) -> list[str]:
    chance = random.Random(5)
    found: dict[str, None] = {}
    while len(found) < number:
        word = "".join(chance.choice(_SYLLABLES) for _ in range(chance.choice((1, 2, 2, 3, 3, 4))))
        if chance.random() < 0.06:
            word += chance.choice(_FOREIGN) + chance.choice(_SYLLABLES)
        found[chance.choice(_APART) if chance.random() < 0.01 else word] = None
    return list(found)


def _foreign(number: int) -> list[str]:
    """Words of other scripts, each letter an escape: kana, Arabic, Cyrillic."""
    chance = random.Random(6)
    scripts = ((0x3042, 0x3093), (0x0627, 0x064A), (0x0430, 0x044F))
    picked = (chance.choice(scripts) for _ in range(number))
    return ["".join(rf"\u{chance.randrange(first, last):04x}" for _ in range(chance.randrange(2, 8))) for first, last in picked]


FOREIGN: Final = _foreign(2000)
WORDS: Final = _invent(6000)
#: As Zipf found, with a flat head: the most frequent word is every thirtieth.
WEIGHTS: Final = [1 / (rank + 8) for rank in range(len(WORDS))]


def _sought(first: int) -> tuple[str, ...]:
    # to an engine that knows ASCII only a word also ends where an accented letter follows
    parts = {part for word in WORDS if "\\" in word for part in re.split(r"(?:\\u[0-9a-f]{4})+", word)}
    plain = [word for word in WORDS[first:] if word.isalpha() and 5 <= len(word) <= 9 and word not in parts]
    return tuple(plain[::7][:20])


#: Twenty words each; together they stand in about every tenth tweet.
SOUGHT: Final = _sought(200)
OTHERS: Final = _sought(203)
#: Boxes of two cities: west, south, east, north. Neither tool is given the third kind of evidence, which few could express.
BOX: Final = (-99.365, 19.048, -98.940, 19.593)
OTHER_BOX: Final = (-103.480, 20.540, -103.200, 20.800)
EVIDENCE: Final = ("point", "place_within")
