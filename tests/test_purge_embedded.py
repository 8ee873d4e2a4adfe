"""After a purge the bytes of the tweets stand nowhere: not in files, not in the embedded server's tables, samples or write-ahead log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import pytest

from pipeline import database, embedded, importing, purge, retention
from pipeline import settings as settings_module
from pipeline.embedded import cluster
from pipeline.settings import Settings
from tests.conftest import write_config
from tests.posts import lines
from tests.purging import DAY, NEXT, asked, bring, number_of, numbers, tweets, words
from tests.searching import haystack, needles_found

pytestmark = pytest.mark.slow

GONE = (0, 3, 6)


@pytest.fixture
def own(server_folder: Path) -> Iterator[Settings]:
    """Two days of an archive with their raw JSON, in a server of this test's own that keeps its promises (fsync, whole pages)."""
    config = write_config(
        server_folder / "config", settings="[database]\nstart_timeout_seconds = 60.0\n[load]\nraw = true\n[content]\nretention_days = 30\n"
    )
    environ = {"GEOBETA_CONFIG": str(config), "GEOBETA_DATA": str(server_folder / "var"), "GEOBETA_AUTHOR_KEY": "a key for tests only"}
    settings = settings_module.read(environ)
    try:
        path = server_folder / "archive.jsonl"
        path.write_bytes(lines(*tweets(DAY, range(200)), *tweets(NEXT, range(200))))
        importing.run(settings, [path])
        path.unlink()
        bring(settings)
        # autovacuum would do this some time: the planner's samples hold whole texts, here of every tweet
        samples = [f"alter table tweets alter {column} set statistics 1000" for column in ("text", "tweet_id")]
        administer(settings, *samples, "analyze tweets", "analyze tweet_matches", "checkpoint")
        yield settings
    finally:
        embedded.stop(settings)


def administer(settings: Settings, *commands: str) -> None:
    """Commands that take no transaction."""
    connection = psycopg2.connect(database.libpq_url(settings))
    connection.autocommit = True
    with connection.cursor() as cursor:
        for command in commands:
            cursor.execute(command)
    connection.close()


def places(found: list[tuple[str, str]]) -> set[str]:
    """The top folders in which something was found."""
    return {"pg_wal" if "/pg_wal/" in place else "base" if "/base/" in place else Path(place).name for _, place in found}


def test_no_byte_is_left(own: Settings) -> None:
    """Before, the search finds each tweet in tables, log, files and dump; afterwards nowhere; also not after a restart."""
    ids, texts = [number_of(n) for n in GONE], [words(n, n % 2 == 0) for n in GONE]
    cluster_files = cluster.locate(own).data
    folders = [] if cluster_files.is_relative_to(own.data) else [cluster_files]
    before = needles_found(haystack(own, *folders), ids, texts)
    assert {"pg_wal", "base", "pg_dump"} <= places(before)
    report = purge.run(own, asked(*ids), source="test")
    assert report.tweets == len(GONE)
    assert numbers(own, NEXT) == (200, 100, 397, 198)
    assert needles_found(haystack(own, *folders), ids, texts) == []
    # the search would find what stays
    assert needles_found(haystack(own, *folders), [number_of(1)], []) != []
    embedded.stop(own)
    embedded.start(own)
    assert needles_found(haystack(own, *folders), ids, texts) == []


def test_no_byte_is_left_of_old_texts(own: Settings) -> None:
    """After retention_days; ids stay, as do the numbers."""
    texts = [words(n, n % 2 == 0) for n in GONE]
    cluster_files = cluster.locate(own).data
    folders = [] if cluster_files.is_relative_to(own.data) else [cluster_files]
    assert needles_found(haystack(own, *folders), [], texts) != []
    assert retention.run(own, now=datetime(2026, 12, 6, 12, tzinfo=UTC)).rows == 200
    assert needles_found(haystack(own, *folders), [], texts) == []
    assert numbers(own, NEXT) == (200, 100, 400, 200)
    assert needles_found(haystack(own, *folders), [], [words(1001, False)]) != []
