"""What the matchers share: RE2 through pyarrow, whose time is linear in the text whatever the pattern is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

#: (candidates as prepared, first rule, rule after the last) → for each candidate, whether any rule of that range matches it.
AnyOf = Callable[[pa.Array, int, int], npt.NDArray[np.bool_]]
#: (texts without nulls) → which of them may match at all, and these in the shape that AnyOf wants.
Candidates = Callable[[pa.Array], tuple[npt.NDArray[np.bool_], pa.Array]]


def matches(texts: pa.Array, pattern: str, *, ignore_case: bool = False) -> npt.NDArray[np.bool_]:
    """Which of `texts` (no nulls) the RE2 pattern is found in.

    Raises:
        pyarrow.ArrowInvalid: RE2 refuses the pattern.
    """
    found = pc.match_substring_regex(texts, pattern, ignore_case=ignore_case)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.bool_)


def all_of(texts: pa.Array) -> tuple[npt.NDArray[np.bool_], pa.Array]:
    """Every text is a candidate, as it is."""
    return np.ones(len(texts), dtype=np.bool_), texts


def first_rules(texts: pa.Array | pa.ChunkedArray, rules: Sequence[str], any_of: AnyOf, candidates: Candidates = all_of) -> pa.Array:
    """For each text the first rule, in the order of `rules`, that matches it; null where none does or the text is null.

    All rules at once first; then, for the hits alone, by halving the list: log2(rules) looks at a hit instead of one a rule.
    """
    if isinstance(texts, pa.ChunkedArray):
        labels = [first_rules(chunk, rules, any_of, candidates) for chunk in texts.chunks]
        return pa.concat_arrays(labels or [pa.nulls(0, pa.string())])
    rows = np.flatnonzero(np.asarray(texts.is_valid().to_numpy(zero_copy_only=False)))
    may, prepared = candidates(texts.drop_null())
    rows = rows[may]
    winners = np.full(len(texts), -1, dtype=np.int64)
    hits = np.flatnonzero(any_of(prepared, 0, len(rules)))
    pending = [(0, len(rules), hits)]
    while pending:
        first, last, hits = pending.pop()
        if not hits.size:
            continue
        if last - first == 1:
            winners[rows[hits]] = first
            continue
        middle = (first + last) // 2
        early = any_of(prepared.take(pa.array(hits)), first, middle)
        pending += [(first, middle, hits[early]), (middle, last, hits[~early])]
    return pa.array(list(rules), pa.string()).take(pa.array(winners, mask=winners < 0))
