"""Points 3 to 5: several files at once, another question to the same archive, and how much memory a file takes."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.performance import generate, side_by_side
from benchmarks.performance.archives import question
from benchmarks.performance.goals import Bench, Goal, about, agreed, table
from benchmarks.performance.side_by_side import Way, script
from benchmarks.performance.variants import ours

FILES = 8
LEFT = "cleaning and counting are most of what is left, and both ways have them; sorting extracts by place was tried (see below)"


def files(bench: Bench) -> Iterator[str | Goal]:
    """Point 3: the command as people type it, with one process and with two."""
    given = generate.parts("large", FILES, bench.scale)
    side_by_side.warm(*given)
    asked = question(given[0].parent.parent)
    environ = {"GEOBETA_CONFIG": "{out}/config", "GEOBETA_DATA": "{out}/var", "GEOBETA_AUTHOR_KEY": "a key for benchmarks only"}
    command = [sys.executable, "-m", "pipeline", "import", str(given[0].parent), "--local-scheduler"]
    ways = [
        Way(name, [*command, "--workers", number], prepare=lambda out: ours.configure(out, ours.read(asked)), environ=environ)
        for name, number in (("one process", "1"), ("two processes", "2"))
    ]
    taken = side_by_side.measure(ways, bench.rounds, bench.told)
    yield f"{about('large', bench)}, cut into {FILES} files. Load before: {os.getloadavg()[0]:.1f}."
    yield ""
    yield from table(taken)
    speed = taken["one process"].wall / taken["two processes"].wall
    yield Goal("eight files: wall time of one process by two's", 1.7, speed, at_most=False, takes="two idle cores")


def selection(bench: Bench) -> Iterator[str | Goal]:
    """Point 4: another box and other words, from the extract of the first question and from the archive."""
    archive = generate.path("geo", bench.scale)
    first, other = question(archive.parent), question(archive.parent, other=True)
    held = archive.parent / f".held-{os.getpid()}"
    held.mkdir()
    try:
        made = Way("import", [*script("ours"), "import", str(archive), str(held), str(first)])
        side_by_side.run(made)

        def there(out: Path) -> None:
            # the extract as an earlier import left it; what is counted beside it is each run's own
            shutil.copytree(held / "var" / "archives", out / "var" / "archives", copy_function=os.link)

        select = Way("from the extract", [*script("ours"), "select", str(archive), "{out}", str(other)], prepare=there)
        again = Way("from the JSON", [*script("ours"), "all", str(archive), "{out}", str(other)])
        taken = side_by_side.measure([select, again], bench.rounds, bench.told)
    finally:
        shutil.rmtree(held)
    extract, json_ = taken["from the extract"], taken["from the JSON"]
    yield "Another box and twenty other words, cleaned and counted. The work alone, without the start of a process (which a chain of"
    yield f"many days has once): {extract.said['work']:.2f} s of CPU from the extract, {json_.said['work']:.2f} s from the JSON."
    yield ""
    yield from table(taken)
    yield ""
    yield agreed(taken)
    yield f"Whole processes: {json_.cpu / extract.cpu:.1f} times."
    ratio = json_.said["work"] / extract.said["work"]
    yield Goal("another question: CPU time from the JSON by that from the extract, start-up left out", 15, ratio, at_most=False, takes=LEFT)


def memory(bench: Bench) -> Iterator[str | Goal]:
    """Point 5: the peak of a process that imports a file of one, and of four gigabytes."""
    ways, sizes = [], {}
    for name in ("geo", "large"):
        archive = generate.path(name, bench.scale)
        label = f"{generate.described(name, bench.scale)['plain'] / 1e9:.1f} GB"
        ways.append(Way(label, [*script("ours"), "import", str(archive), "{out}", str(question(archive.parent))], once=name == "large"))
        sizes[name] = label
    taken = side_by_side.measure(ways, bench.rounds, bench.told)
    yield "The import of a .gz of so much plain text."
    yield ""
    yield from table(taken)
    small, large = (taken[sizes[name]].peak for name in ("geo", "large"))
    yield Goal("peak memory of the import of a 1 GB file", 250, small, unit="MB")
    takes = "what was seen to go to the disk earlier: 8 bytes a record, twice that while sorted runs are merged"
    yield Goal("peak memory of a 4 GB file by that of 1 GB", 1.1, large / small, takes=takes)
