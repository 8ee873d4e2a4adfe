"""Point 6: a million tweets into PostgreSQL, into the real table with its keys and indexes, by four ways in turns.

Wall seconds, and the CPU seconds of client and server together (as Linux tells them). What matters is the ratio to a server-side COPY of
a CSV file of the same rows: the fastest that PostgreSQL itself can do.
"""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import sqlalchemy as sa

from benchmarks.performance import side_by_side, venvs
from benchmarks.performance.a_day_of_tweets import AREA, DAY, installation, made_up
from benchmarks.performance.goals import Bench, Goal
from benchmarks.performance.side_by_side import Way, script
from pipeline import clean, database, load, storage
from pipeline.settings import Settings

ROWS: Final = 1_000_000
COPY, OURS = "server-side COPY into the empty table", "geobeta into the empty table"
#: A day that is restated is mostly what it was; the worst is one of which nothing stays.
COPY_AGAIN, OURS_AGAIN, OURS_OTHER = "delete and COPY", "geobeta, replacing the same rows", "geobeta, replacing rows that all differ"
TO_SQL, DLT = "pandas.to_sql", "dlt from JSONL"
#: Minutes each, so once.
SLOW: Final = (TO_SQL, DLT)


@dataclass
class Table:
    """The table that all load into, and the same rows for each of them."""

    settings: Settings
    folder: Path
    tweets: pa.Table
    wide: pa.Table = field(init=False)

    def __post_init__(self) -> None:
        partition = clean.partition(self.settings, AREA, DAY)
        partition.mkdir(parents=True)
        storage.write_parquet(partition / "tweets.parquet", self.tweets)
        said = {"rows": self.tweets.num_rows, "discards": {}, "coverage": 1.0, "coverage_reason": "", "synthetic": True, "sources": ["x"]}
        storage.write_json(partition / "manifest.json", said)
        wide = self.tweets.drop_columns(["searchable", "folded", "raw"])
        rows = wide.num_rows
        wide = wide.append_column("synthetic", pa.repeat(pa.scalar(True), rows))
        self.wide = wide.add_column(0, "area", pa.repeat(AREA, rows)).add_column(1, "day", pa.repeat(pa.scalar(DAY), rows))
        self.csv = self.folder / "tweets.csv"
        pa_csv.write_csv(self.wide, self.csv, pa_csv.WriteOptions(include_header=False))
        self.other = self.folder / "others.csv"
        pa_csv.write_csv(
            self.wide.set_column(self.wide.column_names.index("lang"), "lang", pa.repeat("xx", rows)),
            self.other,
            pa_csv.WriteOptions(include_header=False),
        )
        for file in (self.csv, self.other):
            file.chmod(0o644)
        self.lines = self.folder / "tweets.jsonl"
        self.wide.to_pandas().to_json(self.lines, orient="records", lines=True, date_format="iso")

    def empty(self) -> None:
        """Nothing in it, and nothing left to do for the server."""
        with database.transaction(self.settings) as connection:
            connection.execute(sa.text("truncate tweets, discards, coverage, partitions"))
        self.checkpoint()

    def full(self, *, other: bool = False) -> None:
        """The same rows in it, or others, as an earlier load left them; without the marker, so they are to be loaded again."""
        self.empty()
        self.copy(self.other if other else self.csv)
        with database.transaction(self.settings) as connection:
            connection.exec_driver_sql("analyze tweets")
        self.checkpoint()

    def checkpoint(self) -> None:
        """What earlier ways left to be written is written now, not at the cost of the next."""
        with database.transaction(self.settings) as connection:
            connection.exec_driver_sql("checkpoint")

    def copy(self, file: Path | None = None, *, again: bool = False) -> None:
        """The fastest that the server can do."""
        with database.transaction(self.settings) as connection:
            if again:
                connection.execute(sa.text("delete from tweets where area = :area and day = :day"), {"area": AREA, "day": DAY})
            connection.exec_driver_sql(f"copy tweets ({', '.join(self.wide.column_names)}) from '{file or self.csv}' (format csv)")

    def ours(self) -> None:
        """As the stage does it: with checks, digest, marker."""
        if load.tweets(self.settings, AREA, DAY) != self.tweets.num_rows:
            raise RuntimeError("not all rows were loaded")

    def to_sql(self) -> None:
        """What a script would do: the file, a frame, the default insert."""
        file = clean.partition(self.settings, AREA, DAY) / "tweets.parquet"
        frame = pq.ParquetFile(file).read(self.wide.column_names[2:-1]).to_pandas(types_mapper=pd.ArrowDtype)
        frame.insert(0, "area", AREA)
        frame.insert(1, "day", DAY)
        frame["synthetic"] = True
        with database.transaction(self.settings) as connection:
            frame.to_sql("tweets", connection, if_exists="append", index=False, chunksize=10_000)

    def checksum(self) -> str:
        """Of all that is stored."""
        with database.transaction(self.settings) as connection:
            return str(connection.scalar(sa.text("select sum(hashtextextended(tweets::text, 0)) || ' ' || count(*) from tweets")))


def figures(bench: Bench) -> Iterator[str | Goal]:
    """In a server of its own, in a temporary folder."""
    with installation() as (found, folder):
        yield from _measured(Table(found, folder, made_up(round(ROWS * bench.scale))), bench)


def _measured(table: Table, bench: Bench) -> Iterator[str | Goal]:
    ways: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        COPY: (table.empty, table.copy),
        OURS: (table.empty, table.ours),
        COPY_AGAIN: (table.full, lambda: table.copy(again=True)),
        OURS_AGAIN: (table.full, table.ours),
        OURS_OTHER: (lambda: table.full(other=True), table.ours),
        TO_SQL: (table.empty, table.to_sql),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    sums = set()
    for number in range(bench.rounds):
        for name, (prepare, run) in ways.items():
            if name in SLOW and number:
                continue
            prepare()
            taken[name].append(_timed(table.settings, run))
            sums.add(table.checksum())
            bench.told(f"round {number + 1}: {name}: {taken[name][-1][0]:.2f} s, {taken[name][-1][1]:.2f} s of CPU")
    if len(sums) > 1:
        raise RuntimeError(f"the ways stored different rows: {sums}")
    table.empty()
    try:
        taken[DLT] = [_dlt(table)]
    except (venvs.Missing, RuntimeError) as error:
        yield f"{DLT} is not measured: {error}"
    wall, cpu = ({name: statistics.median(run[at] for run in runs) for name, runs in taken.items()} for at in (0, 1))
    yield f"{table.tweets.num_rows:,} tweets, {table.csv.stat().st_size / 1e6:.0f} MB of CSV. All checksums are equal; dlt makes a table"
    yield "of its own, without our indexes."
    yield ""
    yield "| | wall s | × COPY | CPU s, client and server |"
    yield "|---|--:|--:|--:|"
    for name in wall:
        yield f"| {name} | {wall[name]:.2f} | {wall[name] / wall[COPY]:.2f} | {cpu[name]:.2f} |"
    what = "a million tweets replaced in the database"
    swap = "a table in parts by area and day, of which a whole one is swapped: to delete the old rows takes a COPY's half again"
    yield Goal(f"{what} by the same: wall time by a COPY's", 1.3, wall[OURS_AGAIN] / wall[COPY], takes=swap)
    yield Goal(f"{what} by others: wall time by a COPY's", 1.3, wall[OURS_OTHER] / wall[COPY], takes=swap)
    yield Goal(f"{what} by others: pandas.to_sql's wall time by ours", 8, wall[TO_SQL] / wall[OURS_OTHER], at_most=False)
    yield Goal(f"{what} by others: dlt's by ours", 10, wall[DLT] / wall[OURS_OTHER] if DLT in wall else None, at_most=False)


def _dlt(table: Table) -> tuple[float, float]:
    command = [*script("dlt_lines", venvs.python("dlt")), str(table.lines), database.libpq_url(table.settings), "{out}"]
    return _timed(table.settings, lambda: side_by_side.run(Way(DLT, command)))


def _timed(found: Settings, run: Callable[[], object]) -> tuple[float, float]:
    """(wall, CPU) seconds of a call; the server's part with it."""
    before, started = _spent(found), time.perf_counter()
    run()
    wall = time.perf_counter() - started
    return wall, _spent(found) - before


def _spent(found: Settings) -> float:
    """CPU seconds so far of this process, its children, and the server with its own."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    total = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    with database.transaction(found) as connection:
        backend = int(connection.scalar(sa.text("select pg_backend_pid()")) or 0)
    server = _stat(backend)[0]
    ticks = sum(_stat(server)[1:])
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (about := _stat(int(entry.name)))[0] == server:
            ticks += about[1]
    return total + ticks / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> tuple[int, int, int]:
    """(parent, ticks of its own, ticks of its children that are gone); zeros where it is gone, and where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0, 0, 0
    return int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
