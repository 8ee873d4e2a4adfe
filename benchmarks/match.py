"""How fast is matching? Our words against the usual Python re, on the same made-up texts, in turns; prints texts a second and ratios.

Run: .venv/bin/python -m benchmarks.match
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from pipeline import matchers, text

TEXTS, WORDS_A_TEXT, ROUNDS = 100_000, 12, 5


def made_up_texts() -> pa.Array:
    """Texts of invented words with Zipf's frequencies, some with accents, emoji, links and mentions; the same every time."""
    chance = np.random.default_rng(1)
    syllables = ["ta", "ri", "mo", "sé", "lu", "ñan", "ko", "per", "vi", "da"]
    words = ["".join(chance.choice(syllables, chance.integers(1, 5))) for _ in range(20_000)] + ["😀", "https://t.co/abc", "@ana", "#caos"]
    ranks = np.minimum(chance.zipf(1.3, (TEXTS, WORDS_A_TEXT)), len(words)) - 1
    return pa.array([" ".join(words[rank] for rank in row) for row in ranks])


def seconds(function: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def main() -> None:
    """Print one line a length of list."""
    raw = made_up_texts()
    cleaned = text.searchable_all(text.tidy_all(raw))
    folded = text.fold_all(cleaned)
    prepared = seconds(lambda: text.fold_all(text.searchable_all(text.tidy_all(raw))))
    print(f"tidy, searchable and fold: {TEXTS / prepared:,.0f} texts/s of CPU")
    vocabulary = sorted({word for line in folded.slice(0, 20_000).to_pylist() for word in line.split() if word.isalpha() and len(word) > 3})
    listed = folded.to_pylist()
    for length in (5, 20, 100, 500):
        entries = vocabulary[:: len(vocabulary) // length][:length]
        ours = matchers.build({"words": entries})
        theirs = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, entries))})(?!\w)")
        hits = len(folded) - ours.match(folded).null_count
        if hits != sum(theirs.search(line) is not None for line in listed):
            raise SystemExit("the two do not agree: nothing is compared")
        runs = [
            (
                seconds(lambda ours=ours: ours.match(folded)),
                seconds(lambda theirs=theirs: [theirs.search(line) for line in listed]),
            )
            for _ in range(ROUNDS)
        ]
        mine, other = (statistics.median(column) for column in zip(*runs, strict=True))
        print(
            f"{length:4} words, {hits:6,} hits: words.py {TEXTS / mine:12,.0f} texts/s with labels, re {TEXTS / other:10,.0f} without: "
            f"{other / mine:.1f} times as fast"
        )


if __name__ == "__main__":
    main()
