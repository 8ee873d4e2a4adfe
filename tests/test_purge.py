"""Tweets that are deleted go from every file and table, and out of the numbers; what was not asked for stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa

from pipeline import (
    cursor,
    database,
    days,
    extract,
    importing,
    purge,
    raw,
    storage,
    tombstones,
)
from pipeline.cli import main
from pipeline.settings import Settings
from pipeline.walks import Walk
from tests import posts
from tests.fetched import put_pages
from tests.posts import lines, make_page, make_place, make_tweet
from tests.purging import DAY, NEXT, asked, at, bring, history, number_of, numbers, post, snapshot, tweets, words, wrong_rows
from tests.searching import haystack, needles_found

# deletion is a chapter of its own: all of it in `make test`
pytestmark = pytest.mark.slow

Make = Callable[..., Settings]


@pytest.fixture
def archived(make_settings: Make, tmp_path: Path) -> Settings:
    """Two days of an archive, ten tweets each, five of which match; all stages done."""
    settings = make_settings()
    path = tmp_path / "archive.jsonl"
    path.write_bytes(lines(*tweets(DAY, range(10)), *tweets(NEXT, range(10)), "not JSON"))
    importing.run(settings, [path])
    bring(settings)
    return settings


@pytest.fixture
def fetched(make_settings: Make) -> Settings:
    """The same from pages of X: two of each day."""
    settings = make_settings()
    for day in (DAY, NEXT):
        pages = [make_page(*(post(n, day) for n in half), places=[make_place()]) for half in (range(9, 4, -1), range(4, -1, -1))]
        put_pages(settings, "mexico-city", day, *pages)
    bring(settings)
    return settings


def test_an_archive_gives_up_its_tweets(archived: Settings) -> None:
    """Counts, posteriors and the account of the file follow; the tweet that was deleted stands nowhere."""
    assert numbers(archived, NEXT) == (10, 5, 20, 10)
    gone = [number_of(0), number_of(1), number_of(2)]
    report = purge.run(archived, asked(*gone), source="test")
    assert (report.tweets, report.extracts) == (3, 1)
    assert numbers(archived, DAY) == (7, 3, 7, 3)
    assert numbers(archived, NEXT) == (10, 5, 17, 8)
    assert history(archived) == [
        (DAY, "3 tweets deleted by their authors; earlier counts restated: 5 of 10 became 3 of 7"),
        (NEXT, "3 tweets deleted by their authors; earlier counts restated: 10 of 20 became 8 of 17"),
    ]
    assert wrong_rows(archived) == {}
    assert needles_found(haystack(archived), gone, [words(n, n % 2 == 0) for n in (0, 1, 2)]) == []
    # what was not asked for is still there: the search would have found it
    assert needles_found(haystack(archived), [number_of(3)], [words(3, False)]) != []


def test_the_same_archive_again_adds_nothing(archived: Settings, tmp_path: Path) -> None:
    """Neither the same file nor another with the same tweet: it is counted as deleted, and both accounts add up."""
    purge.run(archived, asked(number_of(0)), source="test")
    (report,) = importing.run(archived, [tmp_path / "archive.jsonl"]).files
    assert (report.status, report.deleted, report.accounted) == ("held", 1, True)
    other = tmp_path / "other.jsonl"
    other.write_bytes(lines(*tweets(DAY, range(3))))
    (report,) = importing.run(archived, [other]).files
    assert (report.stored, report.deleted, report.accounted) == (2, 1, True)
    assert report.of_area("mexico-city")["deleted"] == 1
    assert needles_found(haystack(archived), [number_of(0)], [words(0)]) == []


def test_pages_are_written_again_without_the_tweet(fetched: Settings) -> None:
    """Its place stays while another needs it, the manifest fits the page, and nothing is fetched again."""
    before = extract.manifest(fetched, "mexico-city", DAY)
    purge.run(fetched, asked(number_of(0), number_of(3)), source="test")
    after = extract.manifest(fetched, "mexico-city", DAY)
    assert after["purged"] == 2
    assert after["pages"][0] == before["pages"][0]
    pages = dict(extract.pages(fetched, "mexico-city", DAY))
    assert [len(page["data"]) for page in pages.values()] == [5, 3]
    assert numbers(fetched, NEXT) == (10, 5, 18, 9)
    assert needles_found(haystack(fetched), [number_of(0), number_of(3)], [words(0), words(3, False)]) == []
    assert wrong_rows(fetched) == {}


def test_a_second_run_does_nothing(fetched: Settings) -> None:
    """Not one row and not one file is written."""
    purge.run(fetched, asked(number_of(0)), source="test")
    files, published = snapshot(fetched), history(fetched)
    report = purge.run(fetched, asked(number_of(0)), source="test")
    assert (report.noted, report.tweets, report.days, report.restated) == (0, 0, {}, {})
    assert (snapshot(fetched), history(fetched)) == (files, published)


def test_all_versions_of_an_edited_tweet_go(make_settings: Make) -> None:
    """Whichever of them was named, and whatever page held it."""
    settings = make_settings()
    history_ = [str(number_of(0)), str(number_of(1))]
    first, second = post(0, edit_history_tweet_ids=history_[:1]), post(1, edit_history_tweet_ids=history_)
    put_pages(settings, "mexico-city", DAY, make_page(second, post(2)), make_page(first))
    bring(settings, [DAY])
    assert numbers(settings, DAY)[:2] == (2, 1)
    report = purge.run(settings, asked(number_of(1)), source="test")
    assert report.noted == 2
    assert numbers(settings, DAY)[:2] == (1, 1)
    assert needles_found(haystack(settings), [number_of(0), number_of(1)], [words(0), words(1, False)]) == []


def test_what_others_say_of_it_loses_its_id(make_settings: Make) -> None:
    """A quote stays a quote, without the id; a link's digits go too; a place and a user that nobody needs go with it."""
    settings = make_settings()
    gone = number_of(0)
    quote = post(1, referenced_tweets=[{"type": "quoted", "id": str(gone)}], text=f"Miren https://x.com/i/status/{gone} tráfico")
    page = make_page(
        post(0, geo={"place_id": "00lonely"}),
        quote,
        places=[make_place(), make_place(id="00lonely", full_name="Lonely")],
        meta={"newest_id": str(number_of(1)), "oldest_id": str(gone), "result_count": 2},
    )
    page["includes"]["users"] = [{"id": "500", "username": "gone"}, {"id": "501", "username": "stays"}]
    put_pages(settings, "mexico-city", DAY, page)
    bring(settings, [DAY])
    purge.run(settings, asked(gone), source="test")
    ((_, left),) = extract.pages(settings, "mexico-city", DAY)
    assert left["meta"] == {"newest_id": str(number_of(1)), "oldest_id": str(number_of(1)), "result_count": 1}
    assert [place["id"] for place in left["includes"]["places"]] == ["00place1"]
    assert [user["id"] for user in left["includes"]["users"]] == ["501"]
    assert left["data"][0]["referenced_tweets"] == [{"type": "quoted", "id": "0"}]
    assert needles_found(haystack(settings), [gone], [words(0)]) == []


def test_a_place_that_another_page_lacks_stays(make_settings: Make) -> None:
    """X does not always include a place twice: a tweet of another page would be nowhere without it."""
    settings = make_settings()
    put_pages(
        settings,
        "mexico-city",
        DAY,
        make_page(post(1, geo={"place_id": "00place1"})),
        make_page(post(0, geo={"place_id": "00place1"}), places=[]),
    )
    bring(settings, [DAY])
    assert numbers(settings, DAY)[:2] == (2, 1)
    purge.run(settings, asked(number_of(1)), source="test")
    assert numbers(settings, DAY)[:2] == (1, 1)


def test_an_author_takes_the_locations_away(archived: Settings, tmp_path: Path) -> None:
    """scrub_geo: all tweets of the author up to that one go, later ones stay; a later import keeps to it."""
    notice = tmp_path / "notices.jsonl"
    wanted = {
        "scrub_geo": {"user_id": 502, "user_id_str": "502", "up_to_status_id": number_of(7), "up_to_status_id_str": str(number_of(7))}
    }
    notice.write_bytes(lines(wanted, posts.notices()["limit"], posts.notices()["user_withheld"]))
    found = purge.read([notice])
    assert (found.authors, found.tweets, found.others, found.unclear) == ({"502": number_of(7)}, {}, 1, 0)
    assert [(entry.author, entry.countries) for entry in found.further] == [("77", ("DE",))]
    purge.run(archived, found, source="test")
    assert numbers(archived, DAY) == (8, 4, 8, 4)
    assert numbers(archived, NEXT)[:2] == (10, 5)
    assert history(archived)[0][1].startswith("2 tweets without their location now; ")
    assert needles_found(haystack(archived), [number_of(2), number_of(7)], [words(2), words(7, False)]) == []
    again = tmp_path / "again.jsonl"
    again.write_bytes(lines(*tweets(DAY, [2, 3]), *tweets(NEXT, [2])))
    (report,) = importing.run(archived, [again]).files
    assert (report.stored, report.deleted) == (2, 1)


def test_days_whose_files_are_no_more(archived: Settings) -> None:
    """Are counted again from the database's own rows: the same numbers."""
    for name in ("archives", "tweets", "counts"):
        storage.retire(archived.data / name)
    report = purge.run(archived, asked(number_of(0), number_of(1)), source="test")
    assert report.from_rows == (("mexico-city", DAY),)
    with database.transaction(archived) as connection:
        found = connection.execute(
            sa.text("select study, trials, matches, authors from daily_counts where day = :day order by 1"), {"day": DAY}
        )
        assert [tuple(row) for row in found] == [("traffic", 8, 4, 5), ("water", 8, 0, 5)]
    assert wrong_rows(archived) == {}
    assert needles_found(haystack(archived), [number_of(0), number_of(1)], [words(0), words(1, False)]) == []


def test_the_last_tweet_of_a_day(make_settings: Make, tmp_path: Path) -> None:
    """Leaves a day of no tweets, which was observed, and not a missing one; few rows are no reason to refuse."""
    settings = make_settings()
    path = tmp_path / "archive.jsonl"
    path.write_bytes(lines(*tweets(DAY, [0]), *tweets(NEXT, [1, 2])))
    importing.run(settings, [path])
    bring(settings)
    purge.run(settings, asked(number_of(0)), source="test")
    assert numbers(settings, DAY) == (0, 0, 0, 0)
    assert numbers(settings, NEXT) == (2, 1, 2, 1)


def test_a_dry_run_changes_nothing(archived: Settings) -> None:
    """And says what would go."""
    before = snapshot(archived)
    report = purge.run(archived, asked(number_of(0), number_of(1, NEXT), 17), source="test", dry=True)
    assert report.asked == 3
    assert report.tweets == 2
    assert report.days == {
        ("mexico-city", DAY): "1 tweet deleted by its author",
        ("mexico-city", NEXT): "1 tweet deleted by its author",
    }
    assert snapshot(archived) == before
    assert not tombstones.load(archived)


def test_what_a_file_asks_for(tmp_path: Path) -> None:
    """Ids, compliance lines and notices are told apart line by line; what is spoiled is counted and nothing else is guessed."""
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(
        lines(
            "1234567890123456789",
            '"1234567890123456788"',
            {"id": "1234567890123456787", "action": "delete", "created_at": "2026-11-05T18:00:00.000Z", "reason": "suspended"},
            {"id": "1234567890123456786", "action": "delete", "reason": "news"},
            {"delete": {"status": {"id": 1234567890123456800, "id_str": "1234567890123456785", "user_id": 7}}},
            {"delete": {"status": {}}},
            posts.notices()["status_withheld"],
            make_tweet(),
            "tweet_id",
            "1.2e18",
        )
    )
    found = purge.read([path])
    assert found.tweets == {
        1234567890123456789: "deleted",
        1234567890123456788: "deleted",
        1234567890123456787: "suspended",
        1234567890123456786: "deleted",
        1234567890123456785: "deleted",
    }
    assert [(entry.tweet_id, entry.countries) for entry in found.further] == [(1, ("DE",))]
    assert (found.others, found.unclear) == (1, 3)


def test_no_id_stands_on_a_tombstone(archived: Settings) -> None:
    """In the files and the table a keyed hash stands for it, with who said so and why."""
    purge.run(archived, asked(number_of(0), reason="suspended"), source="compliance")
    with database.transaction(archived) as connection:
        ((key, reason, source),) = connection.execute(sa.text("select id_key, reason, source from tombstones"))
    assert (len(key), reason, source) == (32, "suspended", "compliance")
    assert tombstones.load(archived).reason(number_of(0)) == "suspended"
    (path,) = tombstones.folder(archived).glob("*.jsonl")
    assert str(number_of(0)) not in path.read_text()


def test_an_unfinished_extraction_loses_the_tweet_too(make_settings: Make) -> None:
    """Its cursor goes on below the next id: the same tweets, asked for once."""
    settings = make_settings(database=True)
    put_pages(settings, "mexico-city", DAY, make_page(post(1), post(0)))
    final = extract.partition(settings, "mexico-city", DAY)
    partial = final.with_name(f"{final.name}.partial")
    final.rename(partial)
    window = (at(-600), at(600))
    listed = [{**page, "until_id": None, "span": []} for page in storage.read_json(partial / "manifest.json")["pages"]]
    (partial / "manifest.json").unlink()
    walk = Walk(0, *window, until_id=number_of(0), oldest_id=number_of(0))
    cursor.Cursor("search/recent", ["q"], [walk], "night", pages=listed).save(partial)
    purge.run(settings, asked(number_of(0)), source="test")
    left = cursor.load(partial, days.Window(*window))
    assert left is not None
    assert (left.walks[0].until_id, left.walks[0].oldest_id) == (number_of(0) + 1, number_of(0) + 1)
    assert len(raw.read_page(partial / left.pages[0]["file"], left.pages[0])["data"]) == 1
    assert needles_found(haystack(settings), [number_of(0)], [words(0)]) == []


def test_an_error_in_the_run_ledger_loses_the_id(archived: Settings) -> None:
    """Should one ever name a tweet."""
    connection = psycopg2.connect(database.libpq_url(archived))
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into task_runs (run_id, task, parameters, status, error, host, pid, process_started)"
            " values ('r', 'T', '{}', 'failed', %s, 'h', 1, 'p')",
            (f"until_id={number_of(0)} was refused",),
        )
    connection.close()
    purge.run(archived, asked(number_of(0)), source="test")
    with database.transaction(archived) as reading:
        assert reading.scalar(sa.text("select error from task_runs")) == "until_id=0 was refused"


def test_the_command_tells_what_it_did(
    archived: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was asked, what was held, which days change; a line that cannot be read is no reason to leave the others, and ends with 1."""
    assert archived.database_url is not None
    given = {"GEOBETA_CONFIG": archived.config, "GEOBETA_DATA": archived.data, "GEOBETA_AUTHOR_KEY": "a key for tests only"}
    for name, value in {**given, "DATABASE_URL": archived.database_url.get_secret_value()}.items():
        monkeypatch.setenv(name, str(value))
    path = tmp_path / "ids.txt"
    path.write_text(f"{number_of(0)}\n{number_of(1)}\n{number_of(50)}\nno id\n")
    assert main(["purge", "--ids", str(path), "--dry-run"]) == 1
    assert "would be removed: 2 tweets" in capsys.readouterr().out
    assert main(["purge", "--notices", str(path)]) == 1
    said = capsys.readouterr().out
    assert "asked for: 3 tweets" in said
    assert "WARNING: 1 line cannot be read" in said
    assert "mexico-city 2026-11-05: 2 tweets deleted by their authors" in said
    assert "restated: traffic: 2 published days" in said
    assert numbers(archived, NEXT) == (10, 5, 18, 9)
