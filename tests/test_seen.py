"""The set of what an import has read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.importing.seen import Seen

BATCHES = st.lists(st.lists(st.one_of(st.integers(0, 20), st.integers(-(2**63), 2**63 - 1)), max_size=30), max_size=12)


@given(BATCHES, st.integers(1, 50))
def test_it_tells_what_comes_for_the_first_time(batches: list[list[int]], largest: int) -> None:
    """As a Python set would, within a batch and over batches, in memory and on the disk."""
    seen, known = Seen(largest=largest), set()
    for batch in batches:
        wanted = []
        for number in batch:
            wanted.append(number not in known)
            known.add(number)
        assert seen.add(np.array(batch, np.int64)).tolist() == wanted


def test_what_lies_on_the_disk_has_no_name(tmp_path: Path) -> None:
    """So a process that is killed leaves nothing behind."""
    seen = Seen(tmp_path, largest=10)
    for start in range(0, 1000, 50):
        assert seen.add(np.arange(start, start + 60)).sum() == (60 if start == 0 else 50)
    assert not list(tmp_path.iterdir())
