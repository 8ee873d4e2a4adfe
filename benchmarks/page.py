"""Figures on a page of docs/: each command replaces its own blocks, between markers, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence


def replaced(page: str, name: str, lines: Sequence[str], said: str = "") -> str:
    """The page with that block's lines, and what is said of how they were made; the text between markers is nobody's to edit by hand.

    Raises:
        ValueError: the page has no such block.
    """
    begin, end = f"<!-- figures: {name} -->", f"<!-- end of {name} -->"
    block = "\n".join([begin, "", "\n".join(lines).rstrip(), "", *([said, ""] if said else []), end])
    made, number = re.subn(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, page, flags=re.DOTALL)
    if number != 1:
        raise ValueError(f"got {number} blocks {begin} … {end} on the page, wanted one: put the two markers where the figures belong")
    return made
