"""twarc-csv, the tool that most holders of v2 pages use: pages to a CSV file, then pandas for the counts."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pandas as pd
from twarc_csv import CSVConverter, DataFrameConverter

BOX = "geo.geo.bbox"
COLUMNS = ["id", "created_at", "author_id", "text", "lang", "source", "geo.coordinates.coordinates", "geo.full_name", BOX]


def main() -> None:
    """Make the CSV file and count."""
    out, question = Path(sys.argv[2]) / "tweets.csv", json.loads(Path(sys.argv[3]).read_text())
    west, south, east, north = question["box"]
    with gzip.open(sys.argv[1], "rt", encoding="utf-8") as pages, open(out, "w", encoding="utf-8") as csv:
        CSVConverter(infile=pages, outfile=csv, converter=DataFrameConverter(allow_duplicates=True)).process()
    frame = pd.read_csv(out, usecols=[*COLUMNS, "referenced_tweets.retweeted.id"], dtype=str)
    located = frame[frame[BOX].notna() | frame["geo.coordinates.coordinates"].notna()]
    n = k = 0
    pattern = rf"\b(?:{'|'.join(question['words'])})\b"
    matches = located["text"].str.contains(pattern, case=False, regex=True)
    retweets = located["referenced_tweets.retweeted.id"].notna()
    for point, box, match, retweet in zip(located["geo.coordinates.coordinates"], located[BOX], matches, retweets, strict=True):
        if isinstance(point, str):
            longitude, latitude = json.loads(point)
            inside = west <= longitude <= east and south <= latitude <= north
        else:
            place = json.loads(box)
            inside = west <= place[0] and place[2] <= east and south <= place[1] and place[3] <= north
        n += inside and not retweet
        k += inside and not retweet and match
    print(json.dumps({"rows": len(located), "n": n, "k": k}))


if __name__ == "__main__":
    main()
