"""Files to tables: whole, once, by whom it may be; and what depends on a changed day becomes incomplete by itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from pipeline import clean, count, database, ledger, load
from pipeline.database import Marker
from pipeline.errors import InvalidCounts, LoadMismatch, MissingData, SuspiciousExtract
from pipeline.settings import Settings
from tests.conftest import AREAS, STUDIES
from tests.loaded import day, is_loaded, query
from tests.partitions import make_hours, make_tweet, write_counts, write_tweets

ROOT = Path(__file__).resolve().parents[1]
CITY = "mexico-city"
KEYS = ("0" * 32, "1" * 32)


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """Settings with a fresh database."""
    return make_settings()


def test_a_day_of_tweets_is_loaded_with_discards_coverage_and_marker(settings: Settings) -> None:
    """All tables of the partition, and the area's version beside them."""
    write_tweets(settings, CITY, day(5), [make_tweet(tweet_id=1), make_tweet(tweet_id=2)], coverage=0.25, coverage_reason="a gap")
    assert not is_loaded(settings, "tweets", CITY)
    assert load.tweets(settings, CITY, day(5)) == 2
    assert is_loaded(settings, "tweets", CITY)
    assert query(settings, "select area, day, tweet_id from tweets order by 3") == [(CITY, day(5), 1), (CITY, day(5), 2)]
    assert query(settings, "select reason, rows from discards order by 1") == [("duplicate", 1), ("outside", 3)]
    assert query(settings, "select coverage, reason, sources, posts, pages, requests, synthetic from coverage") == [
        (0.25, "a gap", ["sandbox"], 12, 2, 3, True)
    ]
    assert query(settings, "select rows, revision, synthetic from partitions") == [(2, clean.revision(settings, CITY, day(5)), True)]
    assert query(settings, "select area, west, timezone, evidence from areas") == [
        (CITY, -99.365, "America/Mexico_City", ["place_centroid", "place_within", "point"])
    ]


def test_a_day_is_loaded_with_its_hours(settings: Settings) -> None:
    """Each hour with what was expected, received and kept; the day with their sums, unknown where one of them is not known."""
    hours = make_hours(dt.datetime(2026, 11, 5, 6, tzinfo=dt.UTC), {12: 1})
    hours[3] |= {"fetched": 0, "observed": 0.0, "errors": 2, "waits": 1, "wait_seconds": 1.5, "reason": "X did not answer"}
    write_tweets(settings, CITY, day(5), [make_tweet()], hours=hours, coverage=23 / 24, mode="sample")
    load.tweets(settings, CITY, day(5))
    assert query(settings, "select mode, expected, fetched, kept from coverage") == [("sample", 48, 23, 1)]
    columns = "hour, seconds, expected, fetched, kept, pages, waits, wait_seconds, errors, observed, reason"
    found = query(settings, f"select {columns} from coverage_hours order by hour")
    assert len(found) == 24
    assert found[3] == (dt.datetime(2026, 11, 5, 9, tzinfo=dt.UTC), 3600, 2, 0, 0, 1, 1, 1.5, 2, 0.0, "X did not answer")
    assert found[12][4] == 1
    assert found[12][-1] is None
    (local,) = query(settings, "select local_time, mode from area_hours where reason is not null")
    assert local == (dt.datetime(2026, 11, 5, 3), "sample")
    hours[7]["expected"] = None
    write_tweets(settings, CITY, day(6), [], hours=hours[:23])
    load.tweets(settings, CITY, day(6))
    assert query(settings, "select expected, fetched, kept from coverage where day = '2026-11-06'") == [(None, 22, 0)]


def test_every_column_of_a_tweet_arrives_as_it_stands_in_the_file(settings: Settings) -> None:
    """Empty is not unknown, floats keep their last bit, and text is not interpreted."""
    text = "\\N, \"a\"\r\n\\.\n'b'\t"
    odd = make_tweet(text=text, lang="", client=None, longitude=-99.10000000000001, place_name="Coyoacán", place_west=0.1 + 0.2)
    write_tweets(settings, CITY, day(5), [odd])
    load.tweets(settings, CITY, day(5))
    with database.transaction(settings) as connection:
        row = dict(connection.execute(sa.text("select * from tweets")).mappings().one())
    loaded = {name: value for name, value in odd.items() if name not in ("searchable", "folded")}
    # the made-up partition's manifest says that the sandbox made it
    assert row == {"area": CITY, "day": day(5), "synthetic": True, **loaded}


def test_raw_is_loaded_only_where_it_is_asked_for(make_settings: Callable[..., Settings]) -> None:
    """The column is there, empty by default."""
    for text, wanted in (("", None), ("[load]\nraw = true\n", {"id": "1", "text": "a\u00e9"})):
        settings = make_settings(settings=text)
        write_tweets(settings, CITY, day(5), [make_tweet(raw='{"id":"1","text":"a\\u00e9"}')])
        load.tweets(settings, CITY, day(5))
        assert query(settings, "select raw from tweets") == [(wanted,)]


def test_loading_again_writes_nothing(settings: Settings) -> None:
    """No row of any table is touched the second time."""
    write_tweets(settings, CITY, day(5), [make_tweet()])
    write_counts(settings, "traffic", day(5), {KEYS[0]: (3, 1)})
    tables = ("tweets", "coverage", "partitions", "daily_counts", "author_counts", "areas", "studies")
    every = " union all ".join(f"select '{table}', xmin::text from {table}" for table in tables)
    seen = []
    for _ in range(2):
        load.tweets(settings, CITY, day(5))
        load.counts(settings, "traffic", day(5))
        seen.append(query(settings, f"{every} order by 1, 2"))
    assert seen[0] == seen[1]


def test_a_changed_box_replaces_the_day_and_is_remembered(make_settings: Callable[..., Settings]) -> None:
    """Both versions of the area are known; the rows are those of the new one."""
    settings = make_settings()
    write_tweets(settings, CITY, day(5), [make_tweet(tweet_id=1), make_tweet(tweet_id=2)])
    load.tweets(settings, CITY, day(5))
    moved = make_settings(areas=AREAS.replace("-99.3650", "-99.3000"))
    assert not is_loaded(moved, "tweets", CITY)
    write_tweets(moved, CITY, day(5), [make_tweet(tweet_id=2)])
    assert load.tweets(moved, CITY, day(5)) == 1
    assert query(moved, "select tweet_id from tweets") == [(2,)]
    assert query(moved, "select west from areas order by first_seen") == [(-99.365,), (-99.3,)]


def test_without_its_files_a_partition_cannot_be_loaded(settings: Settings) -> None:
    """The error names the stage's file; nothing is written."""
    with pytest.raises(MissingData, match="manifest"):
        load.tweets(settings, CITY, day(5))
    with pytest.raises(MissingData, match="manifest"):
        load.counts(settings, "traffic", day(5))


def test_a_file_that_is_not_what_its_manifest_says_is_refused(settings: Settings) -> None:
    """A file cut short by hand, or counts that contradict each other, never replace rows."""
    folder = write_tweets(settings, CITY, day(5), [make_tweet(tweet_id=1), make_tweet(tweet_id=2)])
    pq.write_table(pq.ParquetFile(folder / "tweets.parquet").read().slice(1), folder / "tweets.parquet")
    with pytest.raises(LoadMismatch, match="has 1 rows, its manifest says 2"):
        load.tweets(settings, CITY, day(5))
    write_counts(settings, "traffic", day(5), {KEYS[0]: (3, 1)}, trials=4)
    with pytest.raises(InvalidCounts, match="1 of 4 in all"):
        load.counts(settings, "traffic", day(5))
    assert query(settings, "select count(*) from partitions") == [(0,)]


def test_an_empty_partition_does_not_replace_rows_of_the_same_inputs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not tweets and not counts, unless forced; from another source or where nothing was, empty is an answer."""
    write_tweets(settings, CITY, day(5), [make_tweet()])
    write_counts(settings, "traffic", day(5), {KEYS[0]: (3, 1)})
    load.tweets(settings, CITY, day(5))
    load.counts(settings, "traffic", day(5))
    query(settings, "update partitions set revision = 'of an older version of clean' returning 1")
    write_tweets(settings, CITY, day(5), [])
    write_counts(settings, "traffic", day(5), {})
    with pytest.raises(SuspiciousExtract, match="GEOBETA_FORCE=1"):
        load.tweets(settings, CITY, day(5))
    with pytest.raises(SuspiciousExtract, match="3 stand in the database"):
        load.counts(settings, "traffic", day(5))
    assert query(settings, "select count(*) from tweets") == [(1,)]
    monkeypatch.setenv("GEOBETA_FORCE", "1")
    assert (load.tweets(settings, CITY, day(5)), load.counts(settings, "traffic", day(5))) == (0, 0)
    assert query(settings, "select trials from daily_counts") == [(0,)]
    monkeypatch.delenv("GEOBETA_FORCE")
    write_tweets(settings, CITY, day(6), [])
    assert load.tweets(settings, CITY, day(6)) == 0
    write_tweets(settings, CITY, day(7), [make_tweet()])
    load.tweets(settings, CITY, day(7))
    query(settings, "update partitions set revision = 'old' returning 1")
    write_tweets(settings, CITY, day(7), [], sources=["x"], synthetic=False)
    assert load.tweets(settings, CITY, day(7)) == 0


@pytest.mark.parametrize(("held", "coming", "refused"), [(100, 19, True), (100, 20, False), (99, 1, False), (1000, 199, True)])
def test_a_much_smaller_partition_does_not_replace_rows_of_the_same_inputs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, held: int, coming: int, refused: bool
) -> None:
    """Less than a fifth of at least 100 rows is refused by both numbers, unless forced; another source may have fewer."""

    def bring(rows: int, **changes: object) -> None:
        write_tweets(settings, CITY, day(5), [make_tweet(tweet_id=number) for number in range(1, rows + 1)], **changes)
        write_counts(settings, "traffic", day(5), {KEYS[0]: (rows, 1)}, **changes)
        query(settings, "update partitions set revision = 'of an older version of clean'; select 1")

    def loaded() -> tuple[int, int]:
        load.counts(settings, "traffic", day(5))
        ((trials,),) = query(settings, "select trials from daily_counts")
        assert isinstance(trials, int)
        return load.tweets(settings, CITY, day(5)), trials

    bring(held)
    assert loaded() == (held, held)
    bring(coming)
    if refused:
        for what in (load.tweets, load.counts):
            with pytest.raises(SuspiciousExtract, match=f"has {coming} only, and {held:,} stand in the database.*\n.*GEOBETA_FORCE=1"):
                what(settings, CITY if what is load.tweets else "traffic", day(5))
        monkeypatch.setenv("GEOBETA_FORCE", "1")
    assert loaded() == (coming, coming)
    monkeypatch.delenv("GEOBETA_FORCE", raising=False)
    bring(held)
    loaded()
    bring(1, sources=["x"], synthetic=False)
    assert loaded() == (1, 1)


def test_a_day_of_counts_is_loaded_with_authors_matches_and_the_study(settings: Settings) -> None:
    """All tables of the partition, and the rule's version beside them."""
    write_counts(settings, "traffic", day(5), {KEYS[0]: (3, 1), KEYS[1]: (2, 0), None: (4, 2)}, coverage=None, coverage_reason="unknown")
    assert load.counts(settings, "traffic", day(5)) == 3
    assert is_loaded(settings, "counts", "traffic")
    study = settings.study("traffic")
    versions = (count.rule_version(settings, study), count.revision(settings, "traffic", day(5)))
    columns = "trials, matches, authors, retweets, coverage, coverage_reason, rule_version, revision"
    assert query(settings, f"select {columns} from daily_counts") == [(9, 3, 2, 2, None, "unknown", *versions)]
    assert query(settings, "select author_key, trials, matches from author_counts order by 1") == [
        (KEYS[0], 3, 1),
        (KEYS[1], 2, 0),
        (None, 4, 2),
    ]
    assert query(settings, "select count(*), min(rule) from tweet_matches") == [(3, "tráfico")]
    assert query(settings, "select study, question, start, match, prior_alpha from studies") == [
        ("traffic", study.question, study.start, study.match, 1.0)
    ]


def test_every_version_of_a_study_is_remembered_as_it_was_said(make_settings: Callable[..., Settings]) -> None:
    """Prior, window, cap, and whom it leaves out (authors by their number alone); said again, it is the same version."""
    lines = (
        "",
        "prior = { alpha = 1, beta = 1 }",
        "prior = { mean = 0.5, strength = 2 }",
        'prior = { lower = 0.01, upper = 0.05 }\nforget = "auto"',
        'prior = { pool = "traffic" }\nwindow = 28',
        'author_cap = 20\nexclude = { authors = ["783214"], clients = ["Robot"] }',
        'author_cap = 20\nexclude = { authors = ["783215"], clients = ["Robot"] }',
    )
    for line in (*lines, lines[0]):
        settings = make_settings(studies=STUDIES.replace("\n[water]", f"{line}\n\n[water]"))
        write_counts(settings, "traffic", day(5), {KEYS[0]: (3, 1)})
        query(settings, "delete from partitions where dataset = 'counts' returning 1")
        load.counts(settings, "traffic", day(5))
    plain, out = "alpha 1, beta 1", {"authors": 1, "clients": ["Robot"]}
    assert query(settings, "select prior_said, forget, window_days, author_cap, excluded from studies order by first_seen") == [
        (plain, 1.0, None, None, None),
        ("50 % expected, worth 2 tweets", 1.0, None, None, None),
        ("90 % sure: 1 % to 5 %", None, None, None, None),
        (f"learnt from the pool traffic; until that says something, {plain}", 1.0, 28, None, None),
        (plain, 1.0, None, 20, out),
        (plain, 1.0, None, 20, out),
    ]
    # as before any of this could be said
    assert query(settings, "select version from studies where forget = 1 and author_cap is null and prior_said = :plain", plain=plain) == [
        ("b4ae43f46e73",)
    ]


def mark(settings: Settings, *keys: tuple[str, str, dt.date]) -> None:
    """Markers as if those partitions had been made."""
    with database.transaction(settings) as connection:
        for key in keys:
            database.write_marker(connection, key, Marker("r", 1))


def test_other_tweets_make_the_digests_from_that_day_on_anew(settings: Settings) -> None:
    """Their number and coverage are judged there; the digests of earlier days stand, and all where nothing is loaded."""
    write_tweets(settings, "mexico-city", day(5), [make_tweet()])
    digests = [("digest", "", day(number)) for number in (4, 5, 6)]
    mark(settings, *digests)
    for _ in range(2):
        load.tweets(settings, "mexico-city", day(5))
        assert query(settings, "select day from partitions where dataset = 'digest' order by day") == [(day(4),)]
    mark(settings, *digests[1:])
    load.tweets(settings, "mexico-city", day(5))
    assert query(settings, "select count(*) from partitions where dataset = 'digest'") == [(3,)]


def test_a_changed_day_makes_its_own_posterior_incomplete(settings: Settings) -> None:
    """Not later days' (updating this day's mends them), not earlier ones, not other studies', and nothing where nothing changed."""
    chain = [("posteriors", name, day(number)) for name in ("traffic", "water") for number in (4, 5, 6)]
    chain += [("report", "", day(number)) for number in (4, 5, 6)]
    mark(settings, *chain)
    write_counts(settings, "traffic", day(5), {KEYS[0]: (3, 1)})
    load.counts(settings, "traffic", day(5))
    assert database.markers_present(settings, dict.fromkeys(chain, "r")) == set(chain) - {("posteriors", "traffic", day(5))}
    mark(settings, *chain)
    load.counts(settings, "traffic", day(5))
    assert database.markers_present(settings, dict.fromkeys(chain, "r")) == set(chain)


def test_rows_name_the_run_that_loaded_them(settings: Settings) -> None:
    """partitions.run_id leads to the ledger."""
    write_tweets(settings, CITY, day(5), [make_tweet()])
    with ledger.running(settings, "LoadTweets", {"area": CITY}, "r"):
        load.tweets(settings, CITY, day(5))
    assert query(settings, "select task from partitions join task_runs using (run_id)") == [("LoadTweets",)]


def test_progress_ends_at_the_whole(settings: Settings) -> None:
    """Shares between 0 and 1, the last of them 1."""
    told: list[tuple[float | None, str]] = []
    write_tweets(settings, CITY, day(5), [make_tweet()])
    load.tweets(settings, CITY, day(5), progress=lambda share, message: told.append((share, message)))
    assert told[-1][0] == 1.0
    assert all(share is None or 0 <= share <= 1 for share, _ in told)


def test_a_table_of_batches_is_read_as_it_is_sent(settings: Settings, tmp_path: Path) -> None:
    """Rows are never all in memory: the reader yields batches of the stated size at most."""
    pq.write_table(pa.table({"number": range(40_000)}), tmp_path / "many.parquet")
    sizes = [batch.num_rows for batch in load._batches(tmp_path / "many.parquet", ["number"], 40_000, lambda share, message: None)]
    assert sum(sizes) == 40_000
    assert max(sizes) <= load.BATCH
