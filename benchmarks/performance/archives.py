"""Points 1 and 2: an archive to Parquet and the counts of one question, beside the floor and other tools."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.performance import generate, side_by_side, words
from benchmarks.performance.goals import Bench, Goal, about, agreed, table
from benchmarks.performance.side_by_side import Taken, Way, script

FLOOR = "floor"
OURS, ALONE = "geobeta, cleaned and counted", "geobeta, the import alone"
BARE = "isal and msgspec alone, nothing kept"
#: Archives with a tweet a line.
OF_TWEETS = ("geo", "stream")
#: Half a minute and more each.
SLOW = ("json.loads + pandas", "twarc-csv")
TAKES = "a reader that makes no Python object of what nobody asks for: compiled code, for every platform"
LESS = "as for the floor; part of the distance is work that the others leave out (account, duplicates, cleaning)"
LINES = {
    "DuckDB": ("duckdb_lines", "engines"),
    "polars": ("polars_lines", "engines"),
    "json.loads + pandas": ("json_pandas", "engines"),
}


def question(folder: Path, *, other: bool = False) -> Path:
    """The question as a file: a box, twenty words; or another box and other words."""
    box, sought = (words.OTHER_BOX, words.OTHERS) if other else (words.BOX, words.SOUGHT)
    name = "other-city" if other else "city"
    content: dict[str, Any] = {"name": name, "box": box, "words": sought, "evidence": words.EVIDENCE, "timezone": generate.TIMEZONE}
    file = folder / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def compared(bench: Bench, name: str, variants: Mapping[str, tuple[str, str]]) -> Iterator[str | dict[str, Taken]]:
    """Measure one archive: lines for the page, and at last what was taken."""
    archive = generate.path(name, bench.scale)
    side_by_side.warm(archive)
    asked = str(question(archive.parent))
    yield about(name, bench)
    ways = [Way(label, [*script("ours"), what, str(archive), "{out}", asked]) for label, what in ((OURS, "all"), (ALONE, "import"))]
    if name in OF_TWEETS:
        ways.append(Way(BARE, [*script("msgspec_alone"), str(archive)]))
    for found in bench.competitors({FLOOR: ("floor", "engines"), **variants}, str(archive), "{out}", asked, slow=SLOW):
        if isinstance(found, str):
            yield found
        else:
            ways.append(found)
    taken = side_by_side.measure(ways, bench.rounds, bench.told)
    yield ""
    yield from table(taken, FLOOR)
    yield ""
    yield agreed(taken)
    yield taken


def ratio(taken: Mapping[str, Taken], slow: str, fast: str = OURS) -> float | None:
    """How many times the CPU time; None where one was not measured."""
    return taken[slow].cpu / taken[fast].cpu if slow in taken and fast in taken else None


def geo(bench: Bench) -> Iterator[str | Goal]:
    """Point 1: every tweet with a place."""
    for found in compared(bench, "geo", LINES):
        if isinstance(found, str):
            yield found
            continue
        yield Goal("geo archive: CPU time by the floor's", 1.6, ratio(found, OURS, FLOOR), takes=TAKES)
        yield Goal("geo archive: DuckDB's CPU time by ours", 1.4, ratio(found, "DuckDB"), at_most=False, takes=LESS)
        yield Goal("geo archive: polars' by ours", 2.5, ratio(found, "polars"), at_most=False, takes=LESS)
        yield Goal("geo archive: json.loads and pandas' by ours", 13, ratio(found, "json.loads + pandas"), at_most=False, takes=LESS)


def stream(bench: Bench) -> Iterator[str | Goal]:
    """Point 2, the 1 % stream: one tweet of fifty has a place."""
    for found in compared(bench, "stream", {"DuckDB": ("duckdb_lines", "engines")}):
        if isinstance(found, str):
            yield found
            continue
        yield Goal("1 % stream: CPU time by the floor's", 1.25, ratio(found, OURS, FLOOR), takes=TAKES)
        yield Goal("1 % stream: DuckDB's CPU time by ours", 1.9, ratio(found, "DuckDB"), at_most=False, takes=LESS)


def pages(bench: Bench) -> Iterator[str | Goal]:
    """Point 2, pages of API v2."""
    variants = {"DuckDB": ("duckdb_pages", "engines"), "twarc-csv": ("twarc_pages", "twarc")}
    for found in compared(bench, "pages", variants):
        if isinstance(found, str):
            yield found
            continue
        yield Goal("v2 pages: DuckDB's CPU time by ours", 1.3, ratio(found, "DuckDB"), at_most=False, takes=LESS)
        yield Goal("v2 pages: twarc-csv's by ours", 15, ratio(found, "twarc-csv"), at_most=False, takes=LESS)
