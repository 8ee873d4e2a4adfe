"""The whole chain on real posts: an archive of a stream, and recorded answers of the real API through the real client."""

from __future__ import annotations

import gzip
import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests import london
from tests.chain import Installation
from tests.london import london_server

__all__ = ["london_server"]

pytestmark = pytest.mark.slow

RIVERSIDE = (-117.53, 33.85, -117.27, 34.03)
RIVERSIDE_ZONE = ZoneInfo("America/Los_Angeles")
WORDS = ("job", "hiring", "work")


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    """The raw lines, by the standard library alone."""
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rb") as stream:
            for line in stream:
                if line.strip():
                    yield json.loads(line)


def inside(tweet: dict[str, Any]) -> bool:
    """The policy in words: an exact point decides alone; else the place's box wholly inside the area's; else its centre inside, and its
    surface at most four times the area's. Edges belong to the box."""
    west, south, east, north = RIVERSIDE
    if tweet.get("coordinates"):
        longitude, latitude = tweet["coordinates"]["coordinates"]
        return bool(west <= longitude <= east and south <= latitude <= north)
    ring = tweet["place"]["bounding_box"]["coordinates"][0]
    place_west, place_east = min(x for x, _ in ring), max(x for x, _ in ring)
    place_south, place_north = min(y for _, y in ring), max(y for _, y in ring)
    if west <= place_west and place_east <= east and south <= place_south and place_north <= north:
        return True
    if not (west <= (place_west + place_east) / 2 <= east and south <= (place_south + place_north) / 2 <= north):
        return False

    def surface(w: float, s: float, e: float, n: float) -> float:
        return (e - w) * (math.sin(math.radians(n)) - math.sin(math.radians(s)))

    return surface(place_west, place_south, place_east, place_north) <= 4 * surface(west, south, east, north)


def matches(tweet: dict[str, Any]) -> bool:
    """A whole word of WORDS, in any case and with or without accents, also as a hashtag; not in a URL or an @mention."""
    text = (tweet.get("extended_tweet") or {}).get("full_text") or tweet.get("full_text") or tweet["text"]
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    text = re.sub(r"https?://\S+|@\w+", " ", text)
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    text = "".join(character for character in text if not unicodedata.combining(character))
    return any(re.search(rf"(?<!\w){word}(?!\w)", text) for word in WORDS)


def counted(folder: Path) -> dict[date, tuple[int, int]]:
    """n and k by local day, each tweet once, retweets neither trials nor matches."""
    trials: Counter[date] = Counter()
    found: Counter[date] = Counter()
    seen = set()
    for tweet in lines(folder):
        if "id_str" not in tweet or tweet["id_str"] in seen or "retweeted_status" in tweet or not inside(tweet):
            continue
        seen.add(tweet["id_str"])
        at = datetime.strptime(tweet["created_at"], "%a %b %d %H:%M:%S %z %Y").astimezone(RIVERSIDE_ZONE).date()
        trials[at] += 1
        found[at] += matches(tweet)
    return {day: (trials[day], found[day]) for day in trials}


def test_riverside_from_an_archive(installation: Installation, shared_data: Path) -> None:
    """Import, then the same Nightly: n and k of each day equal an independent count from the raw lines; importing again changes nothing."""
    folder = shared_data / "v1.1-stream-riverside"
    expected = counted(folder)
    assert sum(n for n, _ in expected.values()) > 100
    assert sum(k for _, k in expected.values()) > 10
    installation.areas = '[riverside]\nbox = "-117.53,33.85,-117.27,34.03"\ntimezone = "America/Los_Angeles"\n'
    words = json.dumps(WORDS)
    installation.studies = f'[jobs]\nquestion = "Jobs?"\narea = "riverside"\nstart = 2019-03-01\nmatch = {{ words = {words} }}\n'
    installation.write()
    files = [str(path) for path in sorted(folder.glob("*.jsonl.gz"))]
    assert installation.python("pipeline", "import", *files[1:]).returncode == 0
    days = sorted(expected)
    done = installation.nights(str(days[0]), str(date.fromordinal(days[-1].toordinal() + 1)))
    # the first file, of the first day, comes late: its days are made again, and what was published is kept
    assert installation.python("pipeline", "import", files[0]).returncode == 0
    done = installation.nights(str(days[0]), str(date.fromordinal(days[-1].toordinal() + 1)))
    assert done.returncode == 0
    found = {day: (n, k) for day, n, k in installation.query("select day, trials, matches from daily_counts")}
    assert found == expected
    assert installation.query("select count(*) from tweets where not is_retweet") == [(sum(n for n, _ in expected.values()),)]
    assert installation.query("select bool_or(synthetic) from daily_counts") == [(False,)]
    tables, requests = installation.checksums(), installation.requests()
    assert installation.python("pipeline", "import", *files).returncode == 0
    assert installation.nights(str(days[0]), str(date.fromordinal(days[-1].toordinal() + 1))).returncode == 0
    assert installation.checksums() == tables
    assert requests == 0


def test_recorded_london_through_the_real_client(installation: Installation, london_server: london.LondonServer) -> None:
    """Nightly for 2021-06-01..04 loads what the recorded pages hold inside the box, each tweet once, by local day."""
    installation.areas = london.AREAS
    installation.studies = '[tube]\nquestion = "The tube?"\narea = "london"\nstart = 2021-06-01\nmatch = { words = ["tube", "london"] }\n'
    # none were recorded
    installation.settings = "[x]\nask_counts = false\n"
    installation.write()
    done = installation.nights("2021-06-01", "2021-06-05", X_BASE_URL=london_server.url, X_BEARER_TOKEN="a-token-for-tests")
    assert done.returncode == 0
    expected = {day: set(ids) for day, ids in london_server.inside().items() if day in london.DAYS}
    found: dict[Any, set[int]] = {}
    for day, tweet in installation.query("select day, tweet_id from tweets"):
        assert tweet not in found.setdefault(day, set())
        found[day].add(tweet)  # type: ignore[arg-type]
    assert found == expected
    evidence = dict(installation.query("select tweet_id, evidence from tweets"))
    assert evidence == {tweet: kind for day in london.DAYS for tweet, kind in london_server.inside()[day].items()}
    assert all(seen.parameters["query"].startswith("(") for seen in london_server.seen)
    assert {seen.path for seen in london_server.seen} == {"/2/tweets/search/all"}


def test_what_was_asked_is_what_was_given(installation: Installation) -> None:
    """The client's count of its requests and posts equals the sandbox's own books."""
    assert installation.nights("2026-11-10", "2026-11-12").returncode == 0
    books = [json.loads(line) for line in (installation.data / "sandbox" / "requests.log").read_text().splitlines()]
    asked = [entry for entry in books if entry["endpoint"].startswith(("search", "counts"))]
    (requests, posts), *_ = installation.query("select sum(requests), sum(posts) from coverage")
    assert (int(requests), int(posts)) == (len(asked), sum(entry["posts"] for entry in asked))  # type: ignore[call-overload]
    (ledger,) = installation.query("select sum(requests) from task_runs")
    assert int(ledger[0]) == len(books)  # type: ignore[call-overload]
