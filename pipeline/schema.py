"""The columns that one stage hands to the next, and what they mean. Types are Arrow's; times are UTC."""

from __future__ import annotations

import pyarrow as pa

from pipeline import arrow

arrow.without_pandas()

INSTANT = pa.timestamp("us", tz="UTC")

#: What a day's counts are counts of: all tweets found; those of time slices drawn at random; X's own counts, matched by X's rules.
#: A posterior of several days has the last of these that any of its days has.
BASES = ("tweets", "sample", "counts")

#: What formats/ make of a raw record: one row a tweet version, for any box and any day.
RECORDS = pa.schema(
    [
        # first id of the edit history: the tweet's name for good
        pa.field("tweet_id", pa.int64(), nullable=False),
        # id of the version that this record shows; equal to tweet_id unless edited
        pa.field("version_id", pa.int64(), nullable=False),
        # when the first version was written
        pa.field("created_at", INSTANT, nullable=False),
        # the source's own id of the author, in clear: never leaves the files
        pa.field("author_id", pa.string()),
        # whole text over all shapes, as the source wrote it (entities like &amp; not yet undone)
        pa.field("text", pa.string(), nullable=False),
        pa.field("lang", pa.string()),
        # name of the program it was written with, without its HTML link
        pa.field("client", pa.string()),
        pa.field("is_retweet", pa.bool_(), nullable=False),
        pa.field("is_quote", pa.bool_(), nullable=False),
        # exact point, degrees
        pa.field("longitude", pa.float64()),
        pa.field("latitude", pa.float64()),
        pa.field("place_id", pa.string()),
        pa.field("place_name", pa.string()),
        pa.field("place_type", pa.string()),
        pa.field("place_country", pa.string()),
        # the place's box, degrees; west > east crosses the antimeridian
        pa.field("place_west", pa.float64()),
        pa.field("place_south", pa.float64()),
        pa.field("place_east", pa.float64()),
        pa.field("place_north", pa.float64()),
        # the record's own JSON; null unless asked for
        pa.field("raw", pa.string()),
    ]
)

#: CleanTweets → CountMatches, LoadTweets: the tweets inside one area on one of its days, one row a tweet.
TWEETS = pa.schema(
    [
        pa.field("tweet_id", pa.int64(), nullable=False),
        pa.field("version_id", pa.int64(), nullable=False),
        pa.field("created_at", INSTANT, nullable=False),
        # keyed hash of the author's id, 32 hexadecimal digits; null where the source names no author
        pa.field("author_key", pa.string()),
        # NFC, entities undone, no NUL, no lone surrogate
        pa.field("text", pa.string(), nullable=False),
        # what rules are matched on: URLs and @mentions taken out, white space single ...
        pa.field("searchable", pa.string(), nullable=False),
        # ... and the same NFKC, case-folded, accents stripped
        pa.field("folded", pa.string(), nullable=False),
        pa.field("lang", pa.string()),
        pa.field("client", pa.string()),
        pa.field("is_retweet", pa.bool_(), nullable=False),
        pa.field("is_quote", pa.bool_(), nullable=False),
        pa.field("longitude", pa.float64()),
        pa.field("latitude", pa.float64()),
        # why it is held to be inside: point, place_within or place_centroid
        pa.field("evidence", pa.string(), nullable=False),
        pa.field("place_id", pa.string()),
        pa.field("place_name", pa.string()),
        pa.field("place_type", pa.string()),
        pa.field("place_country", pa.string()),
        pa.field("place_west", pa.float64()),
        pa.field("place_south", pa.float64()),
        pa.field("place_east", pa.float64()),
        pa.field("place_north", pa.float64()),
        pa.field("raw", pa.string()),
    ]
)

#: What was left out of a partition, and why; a sample of each reason is kept for a look.
DISCARDS = pa.schema(
    [
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field("tweet_id", pa.int64()),
        # where it stood: page file or archive
        pa.field("origin", pa.string()),
    ]
)

#: CountMatches → LoadCounts: one row an author; a null author_key gathers tweets without an author.
AUTHOR_COUNTS = pa.schema(
    [
        pa.field("author_key", pa.string()),
        pa.field("trials", pa.int64(), nullable=False),
        pa.field("matches", pa.int64(), nullable=False),
    ]
)

#: CountMatches → LoadCounts: the tweets that matched, and the rule that did it.
MATCHES = pa.schema(
    [
        pa.field("tweet_id", pa.int64(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
    ]
)
