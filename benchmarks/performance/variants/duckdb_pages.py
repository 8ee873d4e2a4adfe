"""DuckDB over pages of API v2: the tweets taken out of their pages, each with its place from the page's includes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

COLUMNS = """{data: 'STRUCT(id VARCHAR, created_at VARCHAR, author_id VARCHAR, text VARCHAR, lang VARCHAR, source VARCHAR,
  referenced_tweets STRUCT("type" VARCHAR)[], geo STRUCT(place_id VARCHAR, coordinates STRUCT(coordinates DOUBLE[])))[]',
 includes: 'STRUCT(places STRUCT(id VARCHAR, full_name VARCHAR, place_type VARCHAR, country_code VARCHAR, geo STRUCT(bbox DOUBLE[]))[])'}"""
RECORDS = """
copy (
  with tweets as (
    select unnest(data) as tweet, includes.places as places
    from read_json('{archive}', format = 'newline_delimited', columns = {columns}, maximum_object_size = 67108864)
  ), located as (
    select tweet, list_filter(places, lambda place: place.id = tweet.geo.place_id)[1] as place from tweets where tweet.geo is not null
  )
  select cast(tweet.id as bigint) as tweet_id, cast(tweet.created_at as timestamp) as created_at, tweet.author_id as author_id,
    tweet.text as text, tweet.lang as lang, tweet.source as client,
    coalesce(list_contains(list_transform(tweet.referenced_tweets, lambda other: other.type), 'retweeted'), false) as is_retweet,
    coalesce(list_contains(list_transform(tweet.referenced_tweets, lambda other: other.type), 'quoted'), false) as is_quote,
    tweet.geo.coordinates.coordinates[1] as longitude, tweet.geo.coordinates.coordinates[2] as latitude,
    place.id as place_id, place.full_name as place_name, place.place_type as place_type, place.country_code as place_country,
    place.geo.bbox[1] as place_west, place.geo.bbox[2] as place_south, place.geo.bbox[3] as place_east, place.geo.bbox[4] as place_north
  from located
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
