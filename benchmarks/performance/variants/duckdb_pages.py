"""DuckDB over pages of API v2: the tweets taken out of their pages, each with its place from the page's includes."""

from __future__ import annotations

from duckdb_counts import run

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

if __name__ == "__main__":
    run(RECORDS, COLUMNS)
