"""Real files that people have: every line and record is accounted for, and the counts equal an independent reading of the raw lines.

The posts are other people's: nothing of them is written here, printed or compared by content; see the fixture shared_data.
"""

from __future__ import annotations

import bz2
import gzip
import json
import math
import os
import re
import subprocess
import sys
import tarfile
import unicodedata
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from pipeline import clean, importing, matchers
from pipeline.importing.import_report import FileReport
from pipeline.settings import Settings
from pipeline.sources import archive

#: The city of Riverside, California, and London as the recorded searches asked for it.
WEST, SOUTH, EAST, NORTH = -117.524, 33.853, -117.271, 34.018
AREAS = f"""
[riverside]
box = "{WEST},{SOUTH},{EAST},{NORTH}"
timezone = "America/Los_Angeles"

[london]
box = "-0.51,51.28,0.33,51.69"
timezone = "Europe/London"

[melbourne]
box = "144.5,-38.5,145.6,-37.4"
timezone = "Australia/Melbourne"
"""


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """Three areas, no studies, no database."""
    return make_settings(areas=AREAS, studies="", database=False)


def bring(settings: Settings, *paths: Path) -> dict[str, FileReport]:
    """Import real files; name → report."""
    report = importing.run(settings, paths)
    assert report.accounted, [found.path.name for found in report.files if not found.accounted]
    return {found.path.name: found for found in report.files}


def plain_lines(path: Path) -> list[bytes]:
    """The lines of a gzip file."""
    return gzip.decompress(path.read_bytes()).split(b"\n")


#: What each folder holds, by its own README and by tests/plain_reader.py: files, lines, posts, notices, rejects by reason.
HELD: dict[str, tuple[int, int, int, int, dict[str, int]]] = {
    "archive-org-2013": (3, 9_239, 8_290, 949, {}),
    # pages of up to 500 posts; two files end in the middle or hold an error
    "twarc2": (23, 254, 2_829, 172, {"truncated": 1}),
    "v1.1-couchdb-melbourne": (1, 1_002, 1_000, 0, {}),
    # MEASURED.json says how the others were recorded
    "v1.1-premium-search": (6, 195, 425, 0, {"unknown_shape": 1}),
    "v1.1-stream-broken": (1, 405, 248, 4, {"truncated": 1, "unknown_shape": 1}),
    "v1.1-stream-riverside": (3, 4_805, 4_805, 0, {}),
    "v1.1-track-2016": (24, 15_770, 15_770, 0, {}),
    # INDEX.tsv lies beside the tar, and in it
    "x-v2-search-london": (2, 524, 13_718, 5, {"bad_json": 350}),
}


@pytest.mark.slow
def test_every_real_file_is_accounted_for(settings: Settings, shared_data: Path) -> None:
    """All files of the folder import, by name and by number; lines and records add up for each, and for each area; twice adds nothing."""
    reports = importing.run(settings, [shared_data])
    assert sorted(report.path for report in reports.files) == sorted(path for path in shared_data.rglob("*") if path.is_file())
    assert reports.accounted
    assert {path.name for path in shared_data.iterdir() if path.is_dir()} == HELD.keys()
    for folder, wanted in HELD.items():
        inside = [report for report in reports.files if folder in report.path.parts]
        rejects: Counter[str] = sum((Counter(report.rejects) for report in inside), Counter())
        notices = sum(sum(report.notices.values()) for report in inside)
        found = sum(report.lines.total for report in inside), sum(report.records for report in inside) - notices - rejects.total()
        assert (len(inside), *found, notices, dict(rejects)) == wanted, folder
    for report in reports.files:
        for area in settings.areas:
            assert sum(report.of_area(area).values()) == report.records
    again = importing.run(settings, [shared_data])
    assert (again.imported, again.accounted) == (0, True)


def lines_read(path: Path) -> int:
    """The lines of a file, by the standard library alone; of a tar, those of its members."""
    if path.name.endswith(".tar.gz"):
        with tarfile.open(path) as tar:
            contents = [inner.read() for member in tar if (inner := tar.extractfile(member)) is not None]
    else:
        unpacked = {".gz": gzip.decompress, ".bz2": bz2.decompress}.get(path.suffix, bytes)
        contents = [unpacked(path.read_bytes())]
    return sum(content.count(b"\n") + (not content.endswith(b"\n") and content != b"") for content in contents)


def sums(line: str) -> tuple[int, dict[str, int]]:
    """`  london: 12 records = 1 kept + 11 outside; on …` → (12, {"kept": 1, "outside": 11})."""
    whole, parts = re.search(r"([\d,]+) (?:line|record)s? = (.*?)(?:;|$)", line).groups()  # type: ignore[union-attr]
    several = {"duplicate": "duplicates", "notice": "notices"}
    split = (part.split(" ", 1) for part in parts.split(" + "))
    numbers = {several.get(words, words): int(number.replace(",", "")) for number, words in split}
    return int(whole.replace(",", "")), numbers


@pytest.mark.slow
def test_the_command_prints_the_account_of_every_real_file(settings: Settings, shared_data: Path) -> None:
    """`python -m pipeline import` of the whole folder ends well; what it prints adds up to the lines that the files have, for each area."""
    environ = {**os.environ, "GEOBETA_CONFIG": str(settings.config), "GEOBETA_DATA": str(settings.data)}
    command = [sys.executable, "-m", "pipeline", "import", str(shared_data)]
    done = subprocess.run(command, cwd=Path(__file__).resolve().parents[1], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _, _, total = done.stdout.partition("all ")
    full = settings.data / "imports" / "account.txt"
    assert f"the account of each file: {full}" in done.stdout
    files = full.read_text("utf-8")
    accounts = re.split(r"^(?=\S)", files, flags=re.MULTILINE)[1:]
    assert len(accounts) == sum(path.is_file() for path in shared_data.rglob("*"))
    records: Counter[str] = Counter()
    for said in accounts:
        head, lines, *rest = said.splitlines()
        path, status = head.rsplit(": ", 1)
        assert status in ("imported", "held")
        whole, parts = sums(lines)
        assert whole == sum(parts.values()) == lines_read(Path(path)), path
        reasons = {line.split(":")[0].strip(): line for line in rest}
        by_reason = {
            name: sum(int(number.replace(",", "")) for number in re.findall(r"(?<=[:,] )[\d,]+(?= )", reasons.get(name, "")))
            for name in ("notices, by kind", "discarded, by reason")
        }
        for area in settings.areas:
            whole, kinds = sums(reasons[area])
            assert whole == sum(kinds.values()), path
            assert kinds.get("notices", 0) == by_reason["notices, by kind"]
            assert kinds.get("discarded", 0) == by_reason["discarded, by reason"] >= parts.get("broken", 0)
            records[area] += whole * (status == "imported")
            if "v1.1-stream-riverside" in path or "track" in path or "archive-org" in path:
                # one record a line: so all of it is what lines became
                assert whole == lines_read(Path(path)) - parts.get("blank", 0)
    for line in total.splitlines()[1 : 1 + len(settings.areas)]:
        assert sums(line)[0] == sum(sums(line)[1].values()) == records[line.split(":")[0].strip()]


@pytest.mark.slow
def test_the_archive_org_minutes(settings: Settings, shared_data: Path) -> None:
    """8,290 posts and 949 delete notices; CRLF line ends are no part of anything."""
    reports = bring(settings, shared_data / "archive-org-2013")
    notices: Counter[str] = sum((Counter(report.notices) for report in reports.values()), Counter())
    posts = sum(report.stored + report.no_geo + report.duplicates for report in reports.values())
    assert (posts, notices, sum(len(report.rejects) for report in reports.values())) == (8290, {"delete": 949}, 0)


def test_the_broken_stream(settings: Settings, shared_data: Path) -> None:
    """Lines cut in two are one post again; the one that has no end is lost alone, and what the client noted behind it is no post."""
    path = shared_data / "v1.1-stream-broken" / "stream.json.gz"
    report = bring(settings, path)["stream.json.gz"]
    raw = plain_lines(path)
    assert report.lines.total == len(raw) - (raw[-1] == b"")
    assert report.lines.blank == sum(not line.strip() for line in raw[: report.lines.total])
    assert report.notices == {"limit": 4}
    # a post begins where `{"created_at"` begins a line; one of them is the cut tail
    begun = sum(line.startswith(b'{"created_at"') for line in raw)
    assert report.stored + report.no_geo + report.duplicates == begun - 1
    assert report.rejects == {"truncated": 1, "unknown_shape": 1}
    assert (report.lines.broken, report.lines.accounted) == (1, True)


@pytest.mark.slow
def test_premium_pages_couchdb_and_twarc2(settings: Settings, shared_data: Path) -> None:
    """A hundred posts a premium page; a thousand CouchDB rows with exact points; twarc2's pages, flattened posts and records."""
    reports = bring(settings, *(shared_data / name for name in ("v1.1-premium-search", "v1.1-couchdb-melbourne", "twarc2")))
    for name in ("emoji", "next", "point_radius", "to"):
        report = reports[f"premium_search_{name}.json.gz"]
        assert (report.lines.total, report.records) == (1, 100)
    assert reports["premium_search_point_radius.json.gz"].stored == 100
    couch = reports["tinyTwitter-2019.json.gz"]
    assert (couch.stored + couch.duplicates, couch.lines.wrapper, couch.rejects) == (1000, 2, {})
    assert couch.areas["melbourne"].kept > 900
    assert reports["flat.jsonl.gz"].records == reports["noflat.jsonl.gz"].records == 100
    assert reports["edited.jsonl.gz"].notices.keys() == {"counts"}
    assert reports["tweets_compliance.jsonl.gz"].notices == {"compliance": 2}
    assert reports["streaming_output_with_error.jsonl.gz"].rejects == {"truncated": 1}
    assert sum(sum(report.rejects.values()) for name, report in reports.items() if name != "MEASURED.json.gz") == 1


@pytest.mark.slow
def test_the_recorded_pages_hold_each_post_once(settings: Settings, shared_data: Path) -> None:
    """13,718 posts in 169 pages, many of them twice; error bodies are notices."""
    reports = bring(settings, shared_data / "x-v2-search-london" / "pages.tar.gz")
    report = reports["pages.tar.gz"]
    assert report.stored + report.no_geo + report.duplicates == 13_718
    assert report.notices == {"errors": 5}
    # INDEX.tsv lies in the same tar and is no JSON
    assert report.rejects.keys() == {"bad_json"}
    ids = pq.read_table(archive.folder(settings, report.digest) / "records.parquet", columns=["tweet_id"])["tweet_id"].to_pylist()
    assert report.areas["london"].kept <= len(set(ids))
    area = settings.area("london")
    rows = sum(clean.run(settings, "london", day)["rows"] for day in archive.days_held(settings, area))
    assert rows == report.areas["london"].kept


def inside_riverside(tweet: dict) -> bool:
    """The policy in words (design.md), for a box that does not cross the antimeridian; written without the pipeline.

    An exact point decides alone. Else the place's box: wholly inside; else its centre inside and its surface at most four times the area's.
    """
    point = tweet.get("coordinates")
    if point:
        longitude, latitude = point["coordinates"]
        return WEST <= longitude <= EAST and SOUTH <= latitude <= NORTH
    corners = tweet["place"]["bounding_box"]["coordinates"][0]
    west, east = min(corner[0] for corner in corners), max(corner[0] for corner in corners)
    south, north = min(corner[1] for corner in corners), max(corner[1] for corner in corners)
    if west >= WEST and east <= EAST and south >= SOUTH and north <= NORTH:
        return True
    centred = WEST <= (west + east) / 2 <= EAST and SOUTH <= (south + north) / 2 <= NORTH

    def surface(west: float, south: float, east: float, north: float) -> float:
        # between two latitudes a sphere's surface grows with the difference of their sines
        return (math.sin(math.radians(north)) - math.sin(math.radians(south))) * (east - west)

    return centred and surface(west, south, east, north) <= 4 * surface(WEST, SOUTH, EAST, NORTH)


def whole_text(tweet: dict) -> str:
    """A long post's text is beside the cut one."""
    return tweet["extended_tweet"]["full_text"] if "extended_tweet" in tweet else tweet["text"]


def matches_rule(text: str) -> bool:
    """The rule in words: a whole word, case- and accent-insensitive, also as a hashtag; links and mentions are not searched."""
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    text = re.sub(r"https?://\S+", " ", text)
    text = re.sub(r"(?<![\w@])@\w+", " ", text)
    text = "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one))
    return re.search(r"(?<!\w)(the|my|job)(?!\w)", text) is not None


def independent_counts(shared_data: Path) -> tuple[Counter, Counter]:
    """(n, k) per local day of Riverside, from the raw lines alone. Retweets are not trials; every tweet counts once."""
    trials: Counter = Counter()
    matches: Counter = Counter()
    seen = set()
    for path in sorted((shared_data / "v1.1-stream-riverside").iterdir()):
        for line in plain_lines(path):
            if not line.strip():
                continue
            tweet = json.loads(line)
            if tweet["id_str"] in seen or not inside_riverside(tweet) or "retweeted_status" in tweet:
                continue
            seen.add(tweet["id_str"])
            moment = datetime.strptime(tweet["created_at"], "%a %b %d %H:%M:%S %z %Y")
            day = moment.astimezone(ZoneInfo("America/Los_Angeles")).date()
            trials[day] += 1
            matches[day] += matches_rule(whole_text(tweet))
    return trials, matches


@pytest.mark.slow
def test_riverside_equals_an_independent_count(settings: Settings, shared_data: Path) -> None:
    """n and k of every local day, for a box round the city: the pipeline's equal the policy written out in words."""
    trials, matches = independent_counts(shared_data)
    bring(settings, shared_data / "v1.1-stream-riverside")
    area = settings.area("riverside")
    assert set(archive.days_held(settings, area)) == set(trials)
    rule = matchers.build({"words": ["the", "my", "job"]})
    found, matched = {}, {}
    for day in trials:
        manifest = clean.run(settings, "riverside", day)
        table = pq.read_table(clean.partition(settings, "riverside", day) / "tweets.parquet")
        table = table.filter([not retweet for retweet in table["is_retweet"].to_pylist()])
        found[day] = table.num_rows
        labels = rule.match(table["searchable" if rule.exact else "folded"])
        matched[day] = len(labels) - labels.null_count
        assert 0 < manifest["coverage"] < 1
        assert "not observed" in manifest["coverage_reason"]
    assert (found, matched) == (dict(trials), dict(matches))
    # the stream delivered every overlap with its box, most of it the whole state
    assert 500 < sum(trials.values()) < 600
    assert sum(matches.values()) > 100


@pytest.mark.slow
def test_riverside_hours_without_lines_are_not_observed(settings: Settings, shared_data: Path) -> None:
    """Coverage equals an independent reading: minutes of the local day outside of silences of half an hour or more."""
    bring(settings, shared_data / "v1.1-stream-riverside")
    area = settings.area("riverside")
    minutes = {
        int(json.loads(line)["timestamp_ms"]) // 60_000
        for path in (shared_data / "v1.1-stream-riverside").iterdir()
        for line in plain_lines(path)
        if line.strip()
    }
    for day in archive.days_held(settings, area):
        start = datetime(day.year, day.month, day.day, tzinfo=area.zone).astimezone(UTC)
        first = int(start.timestamp()) // 60
        last = int((datetime(day.year, day.month, day.day, tzinfo=area.zone) + timedelta(days=1)).timestamp()) // 60
        observed, silence = 0, 0
        for minute in range(first, last + 1):
            if minute in minutes or minute == last:
                observed += (silence if silence < 30 else 0) + (minute < last)
                silence = 0
            else:
                silence += 1
        assert archive.coverage(settings, area, day)[0] == pytest.approx(observed / (last - first))
