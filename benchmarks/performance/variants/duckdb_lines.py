"""DuckDB, one query over v1.1 lines to Parquet, and one over that for the counts. One thread, as all here have."""

from __future__ import annotations

from duckdb_counts import run

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

if __name__ == "__main__":
    run(RECORDS, COLUMNS)
