"""How fast a day of tweets gets into PostgreSQL: our replacement of an existing partition against other ways, side by side.

Run it: `.venv/bin/python benchmarks/load.py [--rows 200000] [--rounds 3] [--slow]`. It starts an embedded server
of its own in a temporary folder.
All ways write the same rows into the same real table (primary key and all indexes) and are checked by one checksum; they take
turns, and the smallest time of each counts, so a noisy machine moves all of them. What matters is the ratio to a server-side COPY
of a CSV file: the fastest that PostgreSQL itself can do. The goals are those of facts/postgres.md.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import sqlalchemy as sa

from pipeline import clean, database, embedded, load, schema, settings, storage
from pipeline.settings import Settings

AREA, DAY = "mexico-city", dt.date(2026, 11, 5)
CONFIG = {
    "areas.toml": f'[{AREA}]\nbox = "-99.3650,19.0482,-98.9403,19.5928"\ntimezone = "America/Mexico_City"\n',
    "studies.toml": "",
    "settings.toml": "",
}
WORDS = ["el", "la", "de", "que", "y", "un", "tráfico", "lento", "metro", "lluvia", "Insurgentes", "línea", "agua", "café", "\U0001f697"]


def made_up(rows: int) -> pa.Table:
    """Tweets of one day in the columns of schema.TWEETS, a sixth of them with a point."""
    random = np.random.default_rng(7)
    lengths = random.integers(4, 30, rows)
    texts = [" ".join(random.choice(WORDS, length)) for length in lengths]
    point = random.random(rows) < 1 / 6
    start = np.datetime64("2026-11-05T06:00:00", "us")
    columns = {
        "tweet_id": 1_990_000_000_000_000_000 + np.arange(rows) * 4_194_304,
        "version_id": 1_990_000_000_000_000_000 + np.arange(rows) * 4_194_304,
        "created_at": start + (np.arange(rows) * 86_400_000_000 // rows).astype("timedelta64[us]"),
        "author_key": [f"{number:032x}" for number in random.integers(0, rows // 3 + 1, rows)],
        "text": texts,
        "searchable": texts,
        "folded": texts,
        "lang": random.choice(["es", "en", "pt"], rows),
        "client": random.choice(["Twitter for iPhone", "Twitter for Android"], rows),
        "is_retweet": np.zeros(rows, bool),
        "is_quote": random.random(rows) < 0.1,
        "longitude": np.where(point, random.uniform(-99.3, -99.0, rows), np.nan),
        "latitude": np.where(point, random.uniform(19.1, 19.5, rows), np.nan),
        "evidence": np.where(point, "point", "place_within"),
        "place_id": random.choice(["25530ba03b7d90c6", "8e0d2d3b4f5a6c7d"], rows),
        "place_name": random.choice(["Coyoacán, Distrito Federal", "Cuauhtémoc, Distrito Federal"], rows),
        "place_type": np.repeat("city", rows),
        "place_country": np.repeat("MX", rows),
        "place_west": np.repeat(-99.2, rows),
        "place_south": np.repeat(19.3, rows),
        "place_east": np.repeat(-99.1, rows),
        "place_north": np.repeat(19.4, rows),
        "raw": pa.nulls(rows, pa.string()),
    }
    arrays = [pa.array(columns[field.name], field.type, from_pandas=True) for field in schema.TWEETS]
    return pa.Table.from_arrays(arrays, schema=schema.TWEETS)


@contextlib.contextmanager
def installation() -> Iterator[tuple[Settings, Path]]:
    """Settings with a server of their own, in a temporary folder; the server ends with it."""
    with tempfile.TemporaryDirectory(prefix="geobeta-bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # root's server runs as another user
        for file, text in CONFIG.items():
            (folder / file).write_text(text, encoding="utf-8")
        environ = {"GEOBETA_CONFIG": name, "GEOBETA_DATA": str(folder / "var"), "GEOBETA_AUTHOR_KEY": "a key for benchmarks"}
        found = settings.read(environ)
        try:
            yield found, folder
        finally:
            embedded.stop(found)


def main() -> None:
    """Measure, check, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow", action="store_true", help="pandas.to_sql too, which takes longer than all others together")
    options = parser.parse_args()
    with installation() as (found, folder):
        measure(found, folder, made_up(options.rows), options.rounds, slow=options.slow)


def measure(found: Settings, folder: Path, tweets: pa.Table, rounds: int, *, slow: bool) -> None:
    """Each way in turn, `rounds` times; the table is emptied before each, but for ours, which replaces what is there."""
    partition = clean.partition(found, AREA, DAY)
    partition.mkdir(parents=True)
    storage.write_parquet(partition / "tweets.parquet", tweets)
    manifest = {"rows": tweets.num_rows, "discards": {}, "coverage": 1.0, "coverage_reason": "", "synthetic": True, "sources": ["sandbox"]}
    storage.write_json(partition / "manifest.json", manifest)
    wide = tweets.drop_columns(["searchable", "folded", "raw"])
    wide = wide.add_column(0, "area", pa.repeat(AREA, tweets.num_rows)).add_column(1, "day", pa.repeat(pa.scalar(DAY), tweets.num_rows))
    wide = wide.append_column("synthetic", pa.repeat(pa.scalar(True), tweets.num_rows))
    file = folder / "tweets.csv"
    pa_csv.write_csv(wide, file, pa_csv.WriteOptions(include_header=False))
    file.chmod(0o644)
    columns = ", ".join(wide.column_names)

    def server_side() -> None:
        with database.transaction(found) as connection:
            connection.exec_driver_sql(f"copy tweets ({columns}) from '{file}' (format csv)")

    def server_side_replacing() -> None:
        with database.transaction(found) as connection:
            connection.execute(sa.text("delete from tweets where area = :area and day = :day"), {"area": AREA, "day": DAY})
            connection.exec_driver_sql(f"copy tweets ({columns}) from '{file}' (format csv)")

    def ours() -> None:
        assert load.tweets(found, AREA, DAY) == tweets.num_rows

    def to_sql() -> None:
        # what a script would do: the file, a frame, the default insert
        frame = pq.ParquetFile(partition / "tweets.parquet").read(wide.column_names[2:]).to_pandas(types_mapper=pd.ArrowDtype)
        frame.insert(0, "area", AREA)
        frame.insert(1, "day", DAY)
        with database.transaction(found) as connection:
            frame.to_sql("tweets", connection, if_exists="append", index=False, chunksize=10_000)

    ways: dict[str, Callable[[], None]] = {
        "server-side COPY": server_side,
        "ours": ours,
        "server-side COPY, replacing": server_side_replacing,
        "ours, replacing": ours,
    }
    if slow:
        ways["pandas.to_sql"] = to_sql
    times: dict[str, list[float]] = {way: [] for way in ways}
    sums = set()
    for _ in range(rounds):
        for way, run in ways.items():
            with database.transaction(found) as connection:
                connection.execute(sa.text("delete from partitions"))
                if "replacing" not in way:
                    connection.execute(sa.text("truncate tweets, discards, coverage"))
            started = time.perf_counter()
            run()
            times[way].append(time.perf_counter() - started)
            with database.transaction(found) as connection:
                sums.add(connection.scalar(sa.text("select sum(hashtextextended(tweets::text, 0)) || ' ' || count(*) from tweets")))
    assert len(sums) == 1, f"the ways differ: {sums}"
    print(f"{tweets.num_rows:,} rows, best of {rounds}; all checksums equal")
    for way, taken in times.items():
        least = min(times["server-side COPY, replacing" if "replacing" in way else "server-side COPY"])
        print(f"{way:28s} {min(taken):8.2f} s   x {min(taken) / least:6.2f}")


if __name__ == "__main__":
    main()
