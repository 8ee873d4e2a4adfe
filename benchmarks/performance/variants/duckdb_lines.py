"""DuckDB, one query over v1.1 lines to Parquet, and one over that for the counts. One thread, as all here have."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

COLUMNS = """{id_str: 'VARCHAR', created_at: 'VARCHAR', "user": 'STRUCT(id_str VARCHAR)', text: 'VARCHAR', full_text: 'VARCHAR',
 extended_tweet: 'STRUCT(full_text VARCHAR)', lang: 'VARCHAR', source: 'VARCHAR', retweeted_status: 'STRUCT(id_str VARCHAR)',
 is_quote_status: 'BOOLEAN', coordinates: 'STRUCT(coordinates DOUBLE[])',
 place: 'STRUCT(id VARCHAR, full_name VARCHAR, place_type VARCHAR, country_code VARCHAR, bounding_box STRUCT(coordinates DOUBLE[][][]))'}"""
RECORDS = """
copy (
  select cast(id_str as bigint) as tweet_id, strptime(created_at, '%a %b %d %H:%M:%S +0000 %Y') as created_at,
    "user".id_str as author_id, coalesce(extended_tweet.full_text, full_text, text) as text, lang,
    regexp_replace(source, '<[^>]*>', '', 'g') as client, retweeted_status is not null as is_retweet, is_quote_status as is_quote,
    coordinates.coordinates[1] as longitude, coordinates.coordinates[2] as latitude, place.id as place_id, place.full_name as place_name,
    place.place_type as place_type, place.country_code as place_country,
    list_min(list_transform(place.bounding_box.coordinates[1], lambda corner: corner[1])) as place_west,
    list_min(list_transform(place.bounding_box.coordinates[1], lambda corner: corner[2])) as place_south,
    list_max(list_transform(place.bounding_box.coordinates[1], lambda corner: corner[1])) as place_east,
    list_max(list_transform(place.bounding_box.coordinates[1], lambda corner: corner[2])) as place_north
  from read_json('{archive}', format = 'newline_delimited', columns = {columns}, ignore_errors = true)
  where place is not null or coordinates is not null
) to '{out}' (format parquet, compression zstd)"""
COUNTS = """
select (select count(*) from '{out}'), count(*), count(*) filter (where regexp_matches(text, '{pattern}')) from '{out}'
where not is_retweet and (
  (longitude is not null and longitude between {west} and {east} and latitude between {south} and {north})
  or (longitude is null and place_west >= {west} and place_east <= {east} and place_south >= {south} and place_north <= {north}))"""


def main() -> None:
    """Make the Parquet file and count."""
    archive, out, question = sys.argv[1], Path(sys.argv[2]) / "records.parquet", json.loads(Path(sys.argv[3]).read_text())
    west, south, east, north = question["box"]
    pattern = rf"(?i)\b(?:{'|'.join(question['words'])})\b"
    connection = duckdb.connect()
    connection.execute("set threads = 1")
    connection.execute(RECORDS.format(archive=archive, out=out, columns=COLUMNS))
    filled = COUNTS.format(out=out, pattern=pattern, west=west, south=south, east=east, north=north)
    rows, n, k = connection.execute(filled).fetchone()
    print(json.dumps({"rows": rows, "n": n, "k": k}))


if __name__ == "__main__":
    main()
