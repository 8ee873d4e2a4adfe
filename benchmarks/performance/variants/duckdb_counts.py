"""What DuckDB's two scripts share: a query that makes the Parquet file, and one over that for the counts. One thread, as all here have."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

COUNTS = """
select (select count(*) from '{out}'), count(*), count(*) filter (where regexp_matches(text, '{pattern}')) from '{out}'
where not is_retweet and (
  (longitude is not null and longitude between {west} and {east} and latitude between {south} and {north})
  or (longitude is null and place_west >= {west} and place_east <= {east} and place_south >= {south} and place_north <= {north}))"""


def run(records: str, columns: str) -> None:
    """Make the Parquet file by the query `records`, count in it, and print what was found."""
    archive, out, question = sys.argv[1], Path(sys.argv[2]) / "records.parquet", json.loads(Path(sys.argv[3]).read_text())
    west, south, east, north = question["box"]
    pattern = rf"(?i)\b(?:{'|'.join(question['words'])})\b"
    connection = duckdb.connect()
    connection.execute("set threads = 1")
    connection.execute(records.format(archive=archive, out=out, columns=columns))
    filled = COUNTS.format(out=out, pattern=pattern, west=west, south=south, east=east, north=north)
    rows, n, k = connection.execute(filled).fetchone()
    print(json.dumps({"rows": rows, "n": n, "k": k}))
