"""A purge beside what else is at work: an extraction that holds the day, an import that began before, a reader of the tables."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest

from pipeline import clean, cursor, database, extract, importing, load, purge, storage
from pipeline.errors import AlreadyRunning, ArchiveError, DatabaseUnavailable
from pipeline.importing import import_runs
from pipeline.settings import Settings
from pipeline.walks import Walk
from tests.fetched import put_pages
from tests.posts import lines, make_page, make_place, make_tweet
from tests.searching import haystack, needles_found
from tests.test_purge import DAY, asked, at, number_of, post, tweets, words

# deletion is a chapter of its own: all of it in `make test`
pytestmark = pytest.mark.slow

Make = Callable[..., Settings]


def test_an_extraction_that_ends_meanwhile(make_settings: Make) -> None:
    """The purge waits for its lock, and then takes the tweet out of the partition that it has become."""
    settings = make_settings(database=True)
    put_pages(settings, "mexico-city", DAY, make_page(post(1), post(0)))
    final = extract.partition(settings, "mexico-city", DAY)
    partial = final.with_name(f"{final.name}.partial")
    manifest = storage.read_json(final / "manifest.json")
    final.rename(partial)
    (partial / "manifest.json").unlink()
    listed = [{**page, "until_id": None, "span": []} for page in manifest["pages"]]
    cursor.Cursor("search/recent", ["q"], [Walk(0, at(-600), at(600))], "night", pages=listed).save(partial)
    waiting = threading.Event()

    def told(_: float | None, message: str) -> None:
        if "another process" in message:
            waiting.set()

    def extraction() -> None:
        with storage.exclusive(extract.lock(settings, "mexico-city", DAY), wait=1, what="the test"):
            held.set()
            assert waiting.wait(30), "the purge did not say that it waits"
            (partial / "cursor.json").unlink()
            storage.write_json(partial / "manifest.json", manifest)
            partial.rename(final)

    held = threading.Event()
    thread = threading.Thread(target=extraction)
    thread.start()
    held.wait()
    purge.run(settings, asked(number_of(0)), source="test", progress=told)
    thread.join()
    assert [len(page["data"]) for _, page in extract.pages(settings, "mexico-city", DAY)] == [1]
    assert needles_found(haystack(settings), [number_of(0)], [words(0)]) == []


def test_an_import_that_began_before(make_settings: Make, tmp_path: Path) -> None:
    """Its extract was not there to be looked into; it leaves the tweet out itself, and both accounts add up."""
    settings = make_settings(settings="[import]\nbatch_rows = 100\n", database=True)
    path = tmp_path / "archive.jsonl"
    path.write_bytes(lines(*tweets(DAY, range(250))))
    purged: list[str] = []

    def told(_: float | None, message: str) -> None:
        if "geotagged" in message and not purged:
            purge.run(settings, asked(number_of(3), number_of(240)), source="test")
            purged.append(message)

    (report,) = importing.run(settings, [path], progress=told).files
    # the first batch was written, and the last tweets were not read yet
    assert int(purged[0].split(" geotagged")[0].split()[-1]) in range(100, 240)
    assert (report.stored, report.deleted, report.accounted) == (248, 2, True)
    assert needles_found(haystack(settings), [number_of(3), number_of(240)], [words(3, False), words(240)]) == []


def test_a_reader_who_does_not_end(make_settings: Make) -> None:
    """Writing a table anew needs it alone: that is given up after lock_timeout_seconds, for whoever reads next waits behind us."""
    settings = make_settings(settings="[database]\nlock_timeout_seconds = 1.0\n", database=True)
    with database.transaction(settings):
        pass
    reader = psycopg2.connect(database.libpq_url(settings))
    with reader.cursor() as reading:
        reading.execute("select count(*) from tweets")
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            purge.rows.wipe(settings, full=True)
    reader.close()
    purge.rows.wipe(settings, full=True)


def test_a_load_that_began_before(make_settings: Make) -> None:
    """Its rows are not there to be found yet: it gives up, and the night that comes next loads the day without the tweet."""
    settings = make_settings()
    put_pages(settings, "mexico-city", DAY, make_page(post(1), post(0), places=[make_place()]))
    clean.run(settings, "mexico-city", DAY)
    begun = []

    def told(_: float | None, message: str) -> None:
        if "rows sent" in message and not begun:
            begun.append(purge.run(settings, asked(number_of(0)), source="test"))

    with pytest.raises(AlreadyRunning, match="deleted while they were loaded"):
        load.tweets(settings, "mexico-city", DAY, progress=told)
    assert begun[0].tweets == 1
    clean.run(settings, "mexico-city", DAY)
    assert load.tweets(settings, "mexico-city", DAY) == 1
    assert needles_found(haystack(settings), [number_of(0)], [words(0)]) == []


def test_the_logs_of_an_import_that_refused_it(make_settings: Make, tmp_path: Path) -> None:
    """A strict import shows what it refuses: that can be an id that is gone, in its log, its outcomes, and the account of many files."""
    settings = make_settings(database=True)
    path = tmp_path / "refused.json"
    path.write_bytes(lines(make_tweet(created_at=f"at {number_of(0)}")))
    run = import_runs.begin(settings, [path], since=None, until=None, strict=True)
    with pytest.raises(ArchiveError, match=str(number_of(0))) as refused:
        import_runs.read(settings, run, path)
    for name in (f"{run.name}/luigi.log", "account.txt"):
        (settings.data / "imports" / name).write_text(f"{refused.value}\n")
    assert needles_found(haystack(settings), [number_of(0)], []) != []
    purge.run(settings, asked(number_of(0)), source="test")
    assert needles_found(haystack(settings), [number_of(0)], []) == []
    (outcome,) = import_runs.outcomes(settings, run)[0]
    assert (outcome.path, outcome.status) == (path, "failed")
