"""What the matchers share: RE2 through pyarrow, whose time is linear in the text whatever the pattern is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

#: (texts without nulls, first rule, rule after the last) → for each text, whether any rule of that range matches.
AnyOf = Callable[[pa.Array, int, int], npt.NDArray[np.bool_]]


def matches(texts: pa.Array, pattern: str, *, ignore_case: bool = False) -> npt.NDArray[np.bool_]:
    """Which of `texts` (no nulls) the RE2 pattern is found in.

    Raises:
        pyarrow.ArrowInvalid: RE2 refuses the pattern.
    """
    found = pc.match_substring_regex(texts, pattern, ignore_case=ignore_case)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.bool_)


def first_rules(texts: pa.Array | pa.ChunkedArray, rules: Sequence[str], any_of: AnyOf) -> pa.Array:
    """For each text the first rule, in the order of `rules`, that matches it; null where none does or the text is null.

    All rules at once first; then, for the hits alone, by halving the list: log2(rules) looks at a hit instead of one a rule.
    """
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    if isinstance(whole, pa.ChunkedArray):  # beyond 2 GB, or no chunk at all
        return pa.concat_arrays([first_rules(chunk, rules, any_of) for chunk in whole.chunks] or [pa.nulls(0, pa.string())])
    rows = np.flatnonzero(np.asarray(whole.is_valid().to_numpy(zero_copy_only=False)))
    rows = rows[any_of(whole.take(pa.array(rows)), 0, len(rules))]
    winners = np.full(len(whole), -1, dtype=np.int64)
    pending = [(0, len(rules), rows)]
    while pending:
        first, last, rows = pending.pop()
        if not len(rows):
            continue
        if last - first == 1:
            winners[rows] = first
            continue
        middle = (first + last) // 2
        early = any_of(whole.take(pa.array(rows)), first, middle)
        pending += [(first, middle, rows[early]), (middle, last, rows[~early])]
    return pa.array(list(rules), pa.string()).take(pa.array(winners, mask=winners < 0))
