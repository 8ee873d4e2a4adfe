"""polars, one lazy query over v1.1 lines to Parquet, and one over that for the counts."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"
import polars as pl

RING = pl.List(pl.List(pl.List(pl.Float64)))
PLACE = {"id": pl.String, "full_name": pl.String, "place_type": pl.String, "country_code": pl.String}
SCHEMA = {
    "id_str": pl.String,
    "created_at": pl.String,
    "user": pl.Struct({"id_str": pl.String}),
    "text": pl.String,
    "full_text": pl.String,
    "extended_tweet": pl.Struct({"full_text": pl.String}),
    "lang": pl.String,
    "source": pl.String,
    "retweeted_status": pl.Struct({"id_str": pl.String}),
    "is_quote_status": pl.Boolean,
    "coordinates": pl.Struct({"coordinates": pl.List(pl.Float64)}),
    "place": pl.Struct({**PLACE, "bounding_box": pl.Struct({"coordinates": RING})}),
}


def main() -> None:
    """Make the Parquet file and count."""
    archive, out, question = sys.argv[1], Path(sys.argv[2]) / "records.parquet", json.loads(Path(sys.argv[3]).read_text())
    west, south, east, north = question["box"]
    place, point = pl.col("place"), pl.col("coordinates").struct.field("coordinates")
    corners = place.struct.field("bounding_box").struct.field("coordinates").list.first()
    longitudes, latitudes = corners.list.eval(pl.element().list.first()), corners.list.eval(pl.element().list.last())
    whole = pl.col("extended_tweet").struct.field("full_text")
    query = (
        pl.scan_ndjson(archive, schema=SCHEMA, ignore_errors=True)
        .filter(place.struct.field("id").is_not_null() | point.is_not_null())
        .select(
            pl.col("id_str").cast(pl.Int64).alias("tweet_id"),
            pl.col("created_at").str.to_datetime("%a %b %d %H:%M:%S %z %Y"),
            pl.col("user").struct.field("id_str").alias("author_id"),
            pl.coalesce(whole, pl.col("full_text"), pl.col("text")).alias("text"),
            pl.col("lang"),
            pl.col("source").str.replace_all("<[^>]*>", "").alias("client"),
            pl.col("retweeted_status").struct.field("id_str").is_not_null().alias("is_retweet"),
            pl.col("is_quote_status").alias("is_quote"),
            point.list.first().alias("longitude"),
            point.list.last().alias("latitude"),
            *[place.struct.field(name).alias(f"place_{name}") for name in PLACE],
            longitudes.list.min().alias("place_west"),
            latitudes.list.min().alias("place_south"),
            longitudes.list.max().alias("place_east"),
            latitudes.list.max().alias("place_north"),
        )
    )
    query.sink_parquet(out, compression="zstd")
    there = pl.scan_parquet(out)
    point_in = pl.col("longitude").is_between(west, east) & pl.col("latitude").is_between(south, north)
    place_in = (pl.col("place_west") >= west) & (pl.col("place_east") <= east)
    place_in = pl.col("longitude").is_null() & place_in & (pl.col("place_south") >= south) & (pl.col("place_north") <= north)
    inside = there.filter(~pl.col("is_retweet") & (point_in | place_in))
    found = pl.col("text").str.contains(rf"(?i)\b(?:{'|'.join(question['words'])})\b")
    n, k = inside.select(pl.len().alias("n"), found.sum().alias("k")).collect().row(0)
    print(json.dumps({"rows": there.select(pl.len()).collect().item(), "n": n, "k": k}))


if __name__ == "__main__":
    main()
