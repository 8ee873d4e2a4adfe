"""What most scripts do: gzip, json.loads, a list of dicts, a DataFrame, str.contains."""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd


def row(tweet: dict[str, Any]) -> dict[str, Any]:
    """The columns of one tweet."""
    place, point = tweet.get("place") or {}, (tweet.get("coordinates") or {}).get("coordinates") or (None, None)
    corners = (place.get("bounding_box") or {}).get("coordinates") or [[]]
    longitudes, latitudes = [corner[0] for corner in corners[0]], [corner[1] for corner in corners[0]]
    return {
        "tweet_id": int(tweet["id_str"]),
        "created_at": tweet["created_at"],
        "author_id": tweet["user"]["id_str"],
        "text": (tweet.get("extended_tweet") or {}).get("full_text") or tweet.get("full_text") or tweet["text"],
        "lang": tweet.get("lang"),
        "client": re.sub("<[^>]*>", "", tweet["source"]),
        "is_retweet": "retweeted_status" in tweet,
        "is_quote": tweet.get("is_quote_status", False),
        "longitude": point[0],
        "latitude": point[1],
        "place_id": place.get("id"),
        "place_name": place.get("full_name"),
        "place_type": place.get("place_type"),
        "place_country": place.get("country_code"),
        "place_west": min(longitudes, default=None),
        "place_south": min(latitudes, default=None),
        "place_east": max(longitudes, default=None),
        "place_north": max(latitudes, default=None),
    }


def main() -> None:
    """Make the Parquet file and count."""
    out, question = Path(sys.argv[2]) / "records.parquet", json.loads(Path(sys.argv[3]).read_text())
    west, south, east, north = question["box"]
    with gzip.open(sys.argv[1], "rt", encoding="utf-8") as lines:
        tweets = [json.loads(line) for line in lines]
    frame = pd.DataFrame([row(tweet) for tweet in tweets if tweet.get("place") or tweet.get("coordinates")])
    frame["created_at"] = pd.to_datetime(frame["created_at"], format="%a %b %d %H:%M:%S %z %Y")
    frame.to_parquet(out, compression="zstd")
    point_in = frame["longitude"].between(west, east) & frame["latitude"].between(south, north)
    place_in = frame["longitude"].isna() & (frame["place_west"] >= west) & (frame["place_east"] <= east)
    place_in &= (frame["place_south"] >= south) & (frame["place_north"] <= north)
    inside = frame[~frame["is_retweet"] & (point_in | place_in)]
    found = inside["text"].str.contains(rf"\b(?:{'|'.join(question['words'])})\b", case=False, regex=True)
    print(json.dumps({"rows": len(frame), "n": len(inside), "k": int(found.sum())}))


if __name__ == "__main__":
    main()
