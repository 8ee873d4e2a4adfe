"""A day of made-up tweets as CleanTweets leaves it, and a database of its own to load it into."""

from __future__ import annotations

import contextlib
import datetime as dt
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline import embedded, schema, settings
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
