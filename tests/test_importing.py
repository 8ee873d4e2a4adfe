"""Archive files to extracts: every line and record accounted for, the same whatever the name, the order and the packing."""

from __future__ import annotations

import bz2
import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline import days, importing, storage
from pipeline.cli.import_account import account
from pipeline.errors import ArchiveError
from pipeline.importing.import_report import ImportReport
from pipeline.settings import Settings
from pipeline.sources import archive
from tests import posts
from tests.posts import NOON, lines, make_flat, make_page, make_post, make_tweet

ROOT = Path(__file__).resolve().parents[1]
Make = Callable[..., Settings]
FAR = {"coordinates": {"type": "Point", "coordinates": [2.35, 48.85]}}
NO_GEO: dict[str, Any] = {"coordinates": None, "geo": None, "place": None}


def give(settings: Settings, name: str, content: bytes) -> Path:
    """A file to import."""
    path = settings.data.parent / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def bring(settings: Settings, content: bytes, name: str = "tweets.json") -> ImportReport:
    """Import one file of that content; its account must add up."""
    report = importing.run(settings, [give(settings, name, content)])
    assert report.accounted
    return report


def stored(settings: Settings) -> list[dict[str, Any]]:
    """All records of all extracts."""
    everything = [pq.read_table(archive.folder(settings, digest) / "records.parquet").to_pylist() for digest in archive.held(settings)]
    return [row for rows in everything for row in rows]


@pytest.fixture
def settings(make_settings: Make) -> Settings:
    """The sample configuration, without a database."""
    return make_settings(database=False)


NOVEMBER = days.Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
MIXED = lines(
    make_tweet(sequence=1),
    make_tweet(sequence=2, **FAR),
    make_tweet(sequence=3, **NO_GEO),
    make_tweet(sequence=1),
    make_tweet(sequence=1, lang="en"),
    make_tweet(sequence=4, text=...),
    posts.notices()["delete"],
    "",
    "no JSON",
    make_tweet(sequence=5, coordinates=None, geo=None, place={"id": "1", "bounding_box": None}),
    make_page(make_post(sequence=6), make_post(sequence=7, geo=...)),
    "{",
)


def test_everything_is_accounted_for(settings: Settings) -> None:
    """In lines, in records, and for each area."""
    (report,) = bring(settings, MIXED).files
    assert (report.lines.total, report.lines.blank, report.lines.documents, report.lines.broken) == (12, 1, 9, 2)
    assert (report.records, report.stored, report.no_geo, report.duplicates) == (12, 5, 2, 1)
    assert (report.notices, report.rejects) == ({"delete": 1}, {"bad_json": 1, "no_text": 1, "truncated": 1})
    assert report.of_area("mexico-city") == {
        "kept": 2,
        "outside": 1,
        "nowhere": 1,
        "other_evidence": 0,
        "no_geo": 2,
        "deleted": 0,
        "duplicates": 2,
        "notices": 1,
        "rejects": 3,
    }
    assert (report.first, report.last) == (NOON, NOON)
    assert sum(report.of_area("mexico-city").values()) == report.records


def test_rejects_are_kept_with_reason_and_place(settings: Settings) -> None:
    """Line, offset, and how a broken line begins; nothing of the text of a post that could be parsed."""
    (report,) = bring(settings, MIXED).files
    kept = pq.read_table(archive.folder(settings, report.digest) / "rejects.parquet").to_pylist()
    assert [(row["reason"], row["line"]) for row in kept] == [("no_text", 6), ("bad_json", 9), ("truncated", 12)]
    assert [row["content"] for row in kept] == [None, b"no JSON", b"{"]
    assert kept[1]["offset"] == MIXED.index(b"no JSON")
    assert kept[0]["tweet_id"] == posts.snowflake(sequence=4)


@pytest.mark.parametrize("batch_rows", [1, 2, 1000])
def test_the_size_of_batches_changes_nothing(make_settings: Make, batch_rows: int) -> None:
    """Duplicates are found over batches too."""
    settings = make_settings(settings=f"[import]\nbatch_rows = {batch_rows}\n", database=False)
    (report,) = bring(settings, MIXED).files
    assert (report.stored, report.duplicates) == (5, 1)
    assert (
        pq.ParquetFile(archive.folder(settings, report.digest) / "records.parquet").metadata.num_row_groups
        == {1: 5, 2: 3, 1000: 1}[batch_rows]
    )


def test_the_same_file_adds_nothing(settings: Settings) -> None:
    """Under another name, twice in one call, in a folder; its counts are reported again."""
    (first,) = bring(settings, MIXED).files
    before = sorted((path, path.stat().st_mtime_ns) for path in archive.root(settings).rglob("*"))
    other = give(settings, "inbox/deep/renamed.bin", MIXED)
    give(settings, "inbox/copy", MIXED)
    report = importing.run(settings, [other, other, settings.data.parent / "inbox"])
    assert report.imported == 0
    assert [found.status for found in report.files] == ["held"] * 2
    assert {found.records for found in report.files} == {first.records}
    assert report.of_area("mexico-city") == first.of_area("mexico-city")
    assert sorted((path, path.stat().st_mtime_ns) for path in archive.root(settings).rglob("*")) == before


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zstandard.compress], ids=["gzip", "bzip2", "zstd"])
def test_packing_changes_nothing(settings: Settings, pack: Callable[[bytes], bytes]) -> None:
    """What is stored is the same, row by row."""
    bring(settings, MIXED)
    plain = stored(settings)
    bring(settings, pack(MIXED), "packed")
    assert stored(settings) == plain + plain


def test_a_truncated_archive_gives_what_is_there(settings: Settings) -> None:
    """And says what broke and where."""
    content = lines(*(make_tweet(sequence=n, text=f"{n * 7919 % 1009}") for n in range(400)))
    packed = gzip.compress(content)
    (report,) = bring(settings, packed[: len(packed) // 2]).files
    assert 100 < report.stored < 400
    assert [(damage.reason, damage.offset) for damage in report.damages] == [("truncated_gzip", len(packed) // 2)]
    assert report.rejects == {"truncated": 1}


def test_a_path_that_is_not_there_imports_nothing(settings: Settings) -> None:
    """Found out before the first file is read."""
    good = give(settings, "good.json", MIXED)
    with pytest.raises(ArchiveError, match=r"nowhere\.json"):
        importing.run(settings, [good, settings.data / "nowhere.json"])
    assert archive.held(settings) == ()


def test_a_folder_is_searched_and_hidden_files_passed_over(settings: Settings) -> None:
    """In the order of their names; an empty file is a file."""
    for name in ("a/2.json", "a/1/x.json", "a/.DS_Store", "a/.git/x"):
        give(settings, name, name.encode() if "." in name[2:3] or "git" in name else lines(make_tweet(sequence=len(name))))
    give(settings, "a/3.json", b"")
    report = importing.run(settings, [settings.data.parent / "a"])
    assert [found.path.name for found in report.files] == ["x.json", "2.json", "3.json"]
    assert report.files[2].records == 0


def test_progress_reaches_the_end(settings: Settings) -> None:
    """Shares of all bytes, never backwards."""
    told: list[float | None] = []
    importing.run(settings, [give(settings, str(n), MIXED * (n + 1)) for n in range(3)], progress=lambda share, _: told.append(share))
    shares = [share for share in told if share is not None]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_newer_code_reads_a_file_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what a mended reader finds would stay lost; what rests on the extract gets another identity."""
    (report,) = bring(settings, MIXED).files
    before = archive.identity(settings, report.digest, NOVEMBER)
    monkeypatch.setattr(importing, "CODE_VERSION", importing.CODE_VERSION + 1)
    assert bring(settings, MIXED).files[0].status == "imported"
    assert archive.identity(settings, report.digest, NOVEMBER) != before
    assert archive.held(settings) == (report.digest,)
    assert not list(archive.root(settings).glob(".tmp-*"))


def test_raw_json_is_kept_when_asked(make_settings: Make) -> None:
    """A file imported without it is read again; one imported with it serves both."""
    bring(make_settings(database=False), MIXED)
    with_raw = make_settings(settings="[import]\nkeep_raw = true\n", database=False)
    assert bring(with_raw, MIXED).files[0].status == "imported"
    assert all(row["raw"].startswith("{") for row in stored(with_raw))
    assert bring(make_settings(database=False), MIXED).files[0].status == "held"


# what the extracts hold ----------------------------------------------------------------------------------------------


def test_days_are_the_areas_own(settings: Settings) -> None:
    """A tweet of 03:00 UTC belongs to the evening before in Mexico City."""
    late = datetime(2026, 11, 6, 3, 0, tzinfo=UTC)
    (report,) = bring(settings, lines(make_tweet(), make_tweet(at=late), make_tweet(at=late + timedelta(days=1), **FAR))).files
    area = settings.area("mexico-city")
    assert archive.days_held(settings, area) == (date(2026, 11, 5),)
    assert archive.holding(settings, area, date(2026, 11, 5)) == (report.digest,)
    assert archive.holding(settings, area, date(2026, 11, 6)) == ()
    assert report.areas["mexico-city"].days == {"2026-11-05": 2}
    assert archive.any_held(settings, area)


def test_another_box_asks_for_no_second_import(settings: Settings, make_settings: Make) -> None:
    """An extract serves any area, also one that was not yet configured."""
    bring(settings, lines(make_tweet(), make_tweet(sequence=1, **FAR)))
    paris = make_settings(areas='[paris]\nbox = "2.22,48.81,2.47,48.91"\ntimezone = "Europe/Paris"\n', studies="", database=False)
    assert archive.days_held(paris, paris.area("paris")) == (date(2026, 11, 5),)
    assert archive.any_held(settings, settings.area("mexico-city"))


def test_nothing_held_is_nothing(settings: Settings) -> None:
    """Before the first import, too."""
    area = settings.area("mexico-city")
    assert (archive.held(settings), archive.days_held(settings, area), archive.any_held(settings, area)) == ((), (), False)
    assert archive.coverage(settings, area, date(2026, 11, 5))[0] == 0


def test_records_of_a_window_are_those_written_in_it(make_settings: Make) -> None:
    """Half open, to the second, over many row groups."""
    settings = make_settings(settings="[import]\nbatch_rows = 3\n", database=False)
    window = days.window(date(2026, 11, 5), settings.area("mexico-city").zone)
    moments = [window.start + timedelta(minutes=n * 97) for n in range(-5, 20)] + [window.end, window.end - timedelta(seconds=1)]
    (report,) = bring(settings, lines(*(make_tweet(at=moment, sequence=n) for n, moment in enumerate(moments)))).files
    found = [moment for table in archive.records(settings, report.digest, window) for moment in table["created_at"].to_pylist()]
    assert found == [moment for moment in moments if window.start <= moment < window.end]


def stream_of(settings: Settings, name: str, *minutes: int) -> None:
    """Import a file with a line at each of these minutes of 2026-11-05 in Mexico City, not geotagged."""
    start = days.window(date(2026, 11, 5), settings.area("mexico-city").zone).start
    bring(settings, lines(*(make_tweet(at=start + timedelta(minutes=minute), **NO_GEO) for minute in minutes)), name)


def coverage(settings: Settings) -> tuple[float | None, str]:
    """Of 2026-11-05."""
    return archive.coverage(settings, settings.area("mexico-city"), date(2026, 11, 5))


def test_silences_of_half_an_hour_are_not_observed(settings: Settings) -> None:
    """29 minutes without a line are still the stream's quiet; 30 are a gap, and the reason names it in local time."""
    stream_of(settings, "a", *range(0, 600), *range(629, 1440))
    assert coverage(settings) == (1.0, "")
    stream_of(settings, "b", *range(0, 600))
    assert coverage(settings) == (1.0, "")


def test_archives_fill_each_others_gaps(settings: Settings) -> None:
    """The union of their lines counts; what none has is missing, with its time."""
    stream_of(settings, "a", *range(0, 600))
    share, reason = coverage(settings)
    assert share == pytest.approx(600 / 1440)
    assert reason == "no archive has a line from 10:00-24:00: 14.0 of 24 hours not observed"
    stream_of(settings, "b", *range(630, 1440))
    share, reason = coverage(settings)
    assert share == pytest.approx(1410 / 1440)
    assert "10:00-10:30" in reason
    stream_of(settings, "c", 615)
    assert coverage(settings) == (1.0, "")


def test_another_citys_stream_fills_no_gap(settings: Settings) -> None:
    """An archive of many tweets that all lie far away did not listen here: a day that is partial stays so."""
    start = days.window(date(2026, 11, 5), settings.area("mexico-city").zone).start
    elsewhere: dict[str, Any] = {**FAR, "place": None}
    stream_of(settings, "a", *range(0, 600))
    bring(settings, lines(*(make_tweet(at=start + timedelta(minutes=20 * n), sequence=n, **elsewhere) for n in range(72))), "far")
    assert coverage(settings)[0] == pytest.approx(600 / 1440)
    everywhere = [make_tweet(at=start + timedelta(minutes=20 * n), sequence=n, **(elsewhere if n else {})) for n in range(72)]
    bring(settings, lines(*everywhere), "everywhere")
    assert coverage(settings) == (1.0, "")


def test_many_gaps_are_summed_up(settings: Settings) -> None:
    """Three are named, the rest counted."""
    stream_of(settings, "a", *range(0, 1440, 60))
    share, reason = coverage(settings)
    assert share == pytest.approx(24 / 1440)
    assert "00:01-01:00, 01:01-02:00, 02:01-03:00 and 21 more stretches" in reason


def twarc(query: str, *tweets: dict[str, Any]) -> dict[str, Any]:
    """A page as twarc2 writes it."""
    url = f"https://api.twitter.com/2/tweets/search/all?expansions=geo.place_id&query={quote_plus(query)}&max_results=100"
    return make_page(*tweets) | {"__twarc": {"url": url, "version": "2.14"}}


SEARCHED: list[tuple[str, Any, tuple[str, ...]]] = [
    ("twarc2 page", twarc("lluvia OR #tráfico"), ("lluvia OR #tráfico",)),
    ("flattened posts", [make_flat(__twarc=twarc("lluvia")["__twarc"])], ("lluvia",)),
    ("v1.1", {"statuses": [make_tweet()], "search_metadata": {"query": "%23lluvia+hoy"}}, ("#lluvia hoy",)),
    ("v1.1 by geocode", {"statuses": [make_tweet()], "search_metadata": {"query": ""}}, ("(its words are not in the file)",)),
    ("premium", {"results": [make_tweet()], "requestParameters": {"maxResults": 100}}, ("(its words are not in the file)",)),
    ("twarc2 stream", make_page() | {"__twarc": {"url": "https://api.twitter.com/2/tweets/search/stream?expansions=x"}}, ()),
    ("a plain page", make_page(), ()),
]


@pytest.mark.parametrize(("document", "queries"), [case[1:] for case in SEARCHED], ids=[case[0] for case in SEARCHED])
def test_the_results_of_a_search_are_no_observation_of_the_place(settings: Settings, document: Any, queries: tuple[str, ...]) -> None:
    """The searches are in the manifest, import warns of them, and the day's coverage is not known."""
    (report,) = bring(settings, lines(document)).files
    assert report.searches == queries
    assert archive.manifest(settings, report.digest)["searches"] == list(queries)
    warnings = [line for line in account(report) if "WARNING" in line]
    share, reason = coverage(settings)
    if queries:
        assert f"results of the search {queries[0]}: a share counted from them speaks of that search, not of the place" in warnings[0]
        assert (share, reason) == (None, "archive of a search: what it did not ask for is missing")
    else:
        assert (warnings, share) == ([], pytest.approx(1 / 1440))


def test_of_many_searches_a_few_are_named(settings: Settings) -> None:
    """And it is said that there are more."""
    (report,) = bring(settings, lines(*(twarc(f"word{n}") for n in (1, 2, 2, 3, 4, 5)))).files
    assert report.searches == ("word1", "word2", "word3", "word4")
    assert "of the searches word1; word2; word3; and more: a share" in "".join(account(report))


def test_a_search_observes_nothing_for_others(settings: Settings) -> None:
    """Its lines fill no gap of a stream; a day that both hold is counted askew, so its coverage is not known."""
    start = days.window(date(2026, 11, 5), settings.area("mexico-city").zone).start
    stream_of(settings, "a", *range(0, 600))
    bring(settings, lines(*(twarc("x", make_post(at=start + timedelta(minutes=m), geo=...)) for m in range(600, 1440, 20))), "search")
    assert coverage(settings)[0] == pytest.approx(600 / 1440)
    bring(settings, lines(make_tweet()), "b")
    bring(settings, lines(twarc("x", make_post(sequence=1))), "c")
    assert coverage(settings) == (None, archive.PARTLY_OF_A_SEARCH)


# kills ---------------------------------------------------------------------------------------------------------------

IMPORT = """
import sys
from pipeline import importing, settings
importing.run(settings.read(), [sys.argv[1]])
"""


@pytest.mark.slow
@pytest.mark.parametrize("point", ["import.batch:1", "import.batch:3", "import.publish:1"])
def test_a_killed_import_is_completed_by_a_rerun(make_settings: Make, tmp_path: Path, point: str) -> None:
    """kill -9 in the middle leaves nothing that counts; the rerun makes what an undisturbed import makes."""
    settings = make_settings(settings="[import]\nbatch_rows = 2\n", database=False)
    path = give(settings, "tweets.json", MIXED)
    environment = {**os.environ, "GEOBETA_CONFIG": str(settings.config), "GEOBETA_DATA": str(settings.data), "PYTHONPATH": str(ROOT)}
    killed = subprocess.run(
        [sys.executable, "-c", IMPORT, str(path)],
        env=environment | {"GEOBETA_KILL_AT": point, "GEOBETA_KILL_FILE": str(tmp_path / "passings")},
        cwd=ROOT,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert archive.held(settings) == ()
    (report,) = importing.run(settings, [path]).files
    assert (report.status, report.accounted, report.stored) == ("imported", True, 5)
    assert not list(archive.root(settings).glob(".tmp-*"))
    manifest = storage.read_json(archive.folder(settings, report.digest) / "manifest.json")
    assert list(manifest["minutes"]) == ["2026-11-05"]
