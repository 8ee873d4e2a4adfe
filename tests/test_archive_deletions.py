"""What archives ask to delete is done, whichever file came first: in extracts, pages, tables and numbers; and known for good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline import clean, extract, importing, purge, storage, tombstones
from pipeline.settings import Settings
from pipeline.sources import archive
from pipeline.tombstones import deletion_index
from tests.deleting import delete, deleted, give, hide, ids_held, scrub, take
from tests.fetched import put_pages
from tests.posts import make_page, make_place, make_post, make_tweet
from tests.purging import DAY, NEXT, at, bring, history, number_of, numbers, post, snapshot, tweets, words, wrong_rows
from tests.searching import haystack, needles_found

# deletion is a chapter of its own: all of it in `make test`
pytestmark = pytest.mark.slow

Make = Callable[..., Settings]


@pytest.fixture
def settings(make_settings: Make) -> Settings:
    """The sample configuration, without a database: none is needed, and none is made."""
    return make_settings(database=False)


# what is asked for, and what goes ------------------------------------------------------------------------------------------


def test_the_deletion_first(settings: Settings) -> None:
    """The tweet is not stored, and counted as deleted of its own file."""
    take(settings, "a", delete(number_of(0)))
    (report,) = take(settings, "b", *tweets(DAY, range(3))).files
    assert (report.stored, report.deleted) == (2, 1)
    assert report.of_area("mexico-city")["deleted"] == 1
    assert ids_held(settings) == {number_of(1), number_of(2)}


def test_the_tweet_first(settings: Settings) -> None:
    """It is taken out again; no database comes into being for that."""
    take(settings, "b", *tweets(DAY, range(3)))
    take(settings, "a", delete(number_of(0)))
    assert ids_held(settings) == {number_of(1), number_of(2)}
    assert deleted(settings) == {"a": 0, "b": 1}
    assert not list((settings.data / "postgres").glob("data*"))


@pytest.mark.parametrize("first", [True, False])
def test_both_in_one_file(settings: Settings, first: bool) -> None:
    """In either order."""
    documents = [*tweets(DAY, range(3)), delete(number_of(0))]
    (report,) = take(settings, "a", *(reversed(documents) if first else documents)).files
    assert (report.stored, report.deleted, report.notices) == (2, 1, {"delete": 1})
    assert ids_held(settings) == {number_of(1), number_of(2)}


def test_the_same_deletion_twice(settings: Settings) -> None:
    """Nothing to do: not one file of an extract is written."""
    take(settings, "a", *tweets(DAY, range(3)), delete(number_of(0)))
    before = {path: stamp for path, stamp in snapshot(settings).items() if "archives" in path and "tombstones" not in path}
    take(settings, "b", delete(number_of(0)), "")
    after = snapshot(settings)
    assert {path: after[path] for path in before} == before


def test_nothing_new_is_a_look_into_a_folder(settings: Settings) -> None:
    """The second application finds nothing to do, and writes nothing."""
    take(settings, "a", *tweets(DAY, range(3)), delete(number_of(0)))
    before = snapshot(settings)
    assert not purge.to_apply(settings)
    assert purge.apply_archives(settings) is None
    assert snapshot(settings) == before


def test_where_nothing_is_asked_for_no_key_is_made(make_settings: Make) -> None:
    """Nor anything else that only deletions need."""
    settings = make_settings(database=False).model_copy(update={"author_key": None})
    take(settings, "a", *tweets(DAY, range(3)))
    assert not tombstones.load(settings)
    assert not (settings.data / "author.key").exists()


def test_no_id_of_what_is_deleted_stands_in_a_file(settings: Settings) -> None:
    """Neither beside the extract nor in the index: short keyed names alone."""
    gone = [number_of(n) for n in range(50)]
    take(settings, "a", *map(delete, gone), scrub(502, number_of(60)), hide("status_withheld", number_of(70), "DE"))
    everything = [(str(path), path.read_bytes()) for path in settings.data.rglob("*") if path.is_file()]
    assert needles_found(everything, [*gone, number_of(60), number_of(70)], []) == []
    assert any(len(content) >= 8 * len(gone) for name, content in everything if name.endswith(".u64"))


def test_another_key_is_refused(settings: Settings, make_settings: Make) -> None:
    """Under it nothing that archives asked for would be known again."""
    take(settings, "a", delete(number_of(0)))
    other = make_settings(database=False, GEOBETA_AUTHOR_KEY="another key for tests only")
    (failure,) = importing.run(other, [give(other, "b", *tweets(DAY, range(3)))]).failures
    assert "deleted tweets would be stored again" in failure.what
    assert ids_held(other) == set()


# everything that notices say -----------------------------------------------------------------------------------------------

MEXICAN = make_tweet(at=at(1), sequence=1)
NAMELESS = make_tweet(at=at(2), sequence=2, place={**make_tweet()["place"], "country_code": "", "country": "Mexico"})
PLACELESS = make_tweet(at=at(3), sequence=3, place=None)
ASKED: list[tuple[str, dict[str, Any], set[int]]] = [
    ("its country", hide("user_withheld", 7, "DE", "MX"), {1, 2, 3}),
    ("another country", hide("user_withheld", 7, "DE"), {2, 3}),
    ("everywhere", hide("user_withheld", 7, "XX"), {1, 2, 3}),
    ("another author", hide("user_withheld", 8, "MX"), set()),
    ("no country", hide("user_withheld", 7), set()),
    ("one tweet", hide("status_withheld", number_of(1), "MX"), {1}),
    ("one tweet elsewhere", hide("status_withheld", number_of(1), "DE"), set()),
    ("one tweet of no known country", hide("status_withheld", number_of(3), "DE"), {3}),
    ("one tweet everywhere", hide("status_withheld", number_of(1), "XY"), {1}),
    ("locations", scrub(7, number_of(2)), {1, 2}),
    ("locations of another", scrub(8, number_of(2)), set()),
    ("an account suspended", {"user_suspend": {"id": 7, "timestamp_ms": str(int(at(2).timestamp()) * 1000)}}, {1, 2}),
    ("an account deleted", {"data": {"user_delete": {"user": {"id": "7"}, "event_at": f"{at(1):%Y-%m-%dT%H:%M:%S}.000Z"}}}, {1}),
    ("an account back again", {"data": {"user_undelete": {"user": {"id": "7"}, "event_at": "2026-11-06T00:00:00.000Z"}}}, set()),
    (
        "v2 delete",
        {"data": {"delete": {"tweet": {"id": str(number_of(1)), "author_id": "7"}, "event_at": "2026-11-06T00:00:00.000Z"}}},
        {1},
    ),
    ("v2 delete, bare", {"delete": {"tweet": {"id": str(number_of(1)), "author_id": "7"}}}, {1}),
    ("v2 drop", {"data": {"drop": {"tweet": {"id": str(number_of(1)), "author_id": "7"}}}}, {1}),
    ("v2 withheld", {"data": {"withheld": {"tweet": {"id": str(number_of(1))}, "withheld_in_countries": ["MX"]}}}, {1}),
    ("v2 edit", {"data": {"tweet_edit": {"tweet": {"id": str(number_of(1))}, "initial_tweet_id": str(number_of(1))}}}, set()),
    ("v2 locations", {"data": {"scrub_geo": {"user": {"id": "7"}, "up_to_tweet_id": str(number_of(1))}}}, {1}),
    ("compliance", {"id": str(number_of(1)), "action": "delete", "created_at": "2026-11-06T00:00:00.000Z", "reason": "bounced"}, {1}),
    ("a spoiled notice", {"delete": {"status": {"id": None}}}, set()),
    ("a list", [delete(number_of(1)), delete(number_of(2))], {1, 2}),  # type: ignore[list-item]
]


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(("notice", "gone"), [case[1:] for case in ASKED], ids=[case[0] for case in ASKED])
def test_what_a_notice_takes(settings: Settings, notice: dict[str, Any], gone: set[int], first: bool) -> None:
    """The same whether it comes before or after the tweets; each is a notice and no reject."""
    files: list[tuple[str, tuple[Any, ...]]] = [("notices", (notice,)), ("tweets", (MEXICAN, NAMELESS, PLACELESS))]
    reports = [take(settings, name, *documents).files[0] for name, documents in (files if first else reversed(files))]
    assert ids_held(settings) == {number_of(n) for n in (1, 2, 3) if n not in gone}
    assert [report.rejects for report in reports] == [{}, {}]


def counted_up(number: int) -> dict[str, Any]:
    """A tweet of user 7 of August 2010, when ids held no time yet."""
    return make_tweet(at=datetime(2010, 8, 20, 12, tzinfo=UTC), id=number, id_str=str(number))


#: The example of Twitter's documentation.
OLD = 23_260_136_625
EVENTS: list[tuple[str, dict[str, Any], set[int]]] = [
    ("locations up to one", scrub(7, OLD), {OLD}),
    ("locations up to a snowflake", scrub(7, number_of(1)), {OLD, OLD + 4096, OLD + 100_000}),
    ("an account that ended", {"user_delete": {"id": 7, "timestamp_ms": "1285000000000"}}, {OLD, OLD + 4096, OLD + 100_000}),
]


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(("notice", "gone"), [case[1:] for case in EVENTS], ids=[case[0] for case in EVENTS])
def test_ids_that_hold_no_time(settings: Settings, notice: dict[str, Any], gone: set[int], first: bool) -> None:
    """Of such an author's tweets the earlier ones go, and not those of the hours after."""
    numbers = (OLD, OLD + 4096, OLD + 100_000)
    files: list[tuple[str, tuple[Any, ...]]] = [("notices", (notice,)), ("tweets", (*map(counted_up, numbers), MEXICAN))]
    for name, documents in files if first else reversed(files):
        take(settings, name, *documents)
    assert ids_held(settings) - {number_of(1)} == {*numbers} - gone


def test_small_ids_on_tombstones_of_older_code(settings: Settings) -> None:
    """They said the whole millisecond, and go on meaning it."""
    keys = tombstones.keys(settings)
    older = {**tombstones.line(keys, OLD, "scrub_geo", "7"), "until": OLD >> 22}
    stones = tombstones.imagined(settings, [older])
    assert [stones.hidden("7", number, "MX") for number in (OLD + 4096, OLD + (1 << 22))] == ["scrub_geo", None]


def test_a_number_alone_asks_for_nothing(settings: Settings) -> None:
    """In an archive it is a line that is no tweet; purge --ids is for lists of ids."""
    take(settings, "a", str(number_of(0)), *tweets(DAY, range(2)))
    assert ids_held(settings) == {number_of(0), number_of(1)}


def test_all_versions_of_an_edited_tweet_go(settings: Settings) -> None:
    """Though the notice names one, and another file holds another."""
    versions = [str(number_of(0)), str(number_of(1))]
    take(settings, "first", make_page(post(0, edit_history_tweet_ids=versions[:1])))
    take(settings, "notice", delete(number_of(1)))
    assert ids_held(settings) == {number_of(0)}
    take(settings, "second", make_page(post(1, edit_history_tweet_ids=versions)))
    assert ids_held(settings) == set()


# numbers -------------------------------------------------------------------------------------------------------------------


def test_numbers_follow(make_settings: Make) -> None:
    """Counts and posteriors are restated with the reason; the tweet stands nowhere, in no byte; the tables agree."""
    settings = make_settings()
    take(settings, "tweets", *tweets(DAY, range(10)), *tweets(NEXT, range(10)))
    bring(settings)
    assert numbers(settings, NEXT) == (10, 5, 20, 10)
    gone = [number_of(0), number_of(1), number_of(2)]
    importing.run(settings, [give(settings, "notices", *map(delete, gone))])
    report = purge.apply_archives(settings)
    assert report is not None
    assert (report.tweets, report.extracts) == (3, 1)
    assert numbers(settings, DAY) == (7, 3, 7, 3)
    assert [said for _, said in history(settings)] == [
        "3 tweets deleted by their authors; earlier counts restated: 5 of 10 became 3 of 7",
        "3 tweets deleted by their authors; earlier counts restated: 10 of 20 became 8 of 17",
    ]
    assert wrong_rows(settings) == {}
    # the notices' own file is the user's
    assert needles_found(haystack(settings), gone, [words(n, n % 2 == 0) for n in (0, 1, 2)]) == []


def test_pages_of_x_too(make_settings: Make) -> None:
    """Pages lose what an archive asks to delete; what X gives again is not stored."""
    settings = make_settings()
    put_pages(settings, "mexico-city", DAY, make_page(*(post(n) for n in range(9, -1, -1)), places=[make_place()]))
    bring(settings, [DAY])
    assert numbers(settings, DAY) == (10, 5, 10, 5)
    take(settings, "notices", delete(number_of(0)), scrub(501, number_of(5)), hide("user_withheld", 504, "MX"))
    assert [len(page["data"]) for _, page in extract.pages(settings, "mexico-city", DAY)] == [6]
    assert numbers(settings, DAY) == (6, 3, 6, 3)
    assert wrong_rows(settings) == {}
    ((_, said),) = history(settings)
    assert said.startswith("2 tweets withheld where they were written, 1 tweet deleted by its author, 1 tweet without its location now; ")


def test_a_night_before_the_application(make_settings: Make) -> None:
    """Leaves the tweet out all the same: every stage knows what archives ask for."""
    settings = make_settings()
    importing.run(settings, [give(settings, "tweets", *tweets(DAY, range(10)))])
    importing.run(settings, [give(settings, "notices", delete(number_of(0)))])
    bring(settings, [DAY])
    assert numbers(settings, DAY)[:2] == (9, 4)
    purge.apply_archives(settings)
    clean.run(settings, "mexico-city", DAY)
    bring(settings, [DAY])
    assert numbers(settings, DAY)[:2] == (9, 4)
    assert wrong_rows(settings) == {}


def test_an_import_without_the_database(make_settings: Make) -> None:
    """A shell that knows no DATABASE_URL imports all the same; the next night, which knows it, takes the tweets out of the tables."""
    settings, without = make_settings(), make_settings(database=False)
    take(settings, "tweets", *tweets(DAY, range(10)), *tweets(NEXT, range(10)))
    bring(settings)
    take(without, "notices", delete(number_of(0)))
    assert not purge.to_apply(without)
    assert numbers(settings, DAY) == (10, 5, 10, 5)
    assert purge.to_apply(settings)
    purge.apply_archives(settings)
    assert numbers(settings, DAY) == (9, 4, 9, 4)
    assert not wrong_rows(settings)
    assert not purge.to_apply(settings)
    assert not purge.to_apply(without)


def test_a_day_that_is_all_gone(make_settings: Make) -> None:
    """Was observed all the same: a day of no tweets, whichever file came first."""
    settings = make_settings()
    take(settings, "notices", delete(number_of(0)))
    take(settings, "tweets", *tweets(DAY, [0]), *tweets(NEXT, [1, 2]))
    bring(settings)
    assert numbers(settings, DAY) == (0, 0, 0, 0)
    assert numbers(settings, NEXT) == (2, 1, 2, 1)


# many ----------------------------------------------------------------------------------------------------------------------


def test_many_archives_are_gathered(settings: Settings) -> None:
    """Into a few files, which lose nothing of them: neither when an extract is made again, nor when one is taken away."""
    for n in range(deletion_index.LOOSE + 3):
        importing.run(settings, [give(settings, f"{n}", delete(number_of(n)), scrub(900 + n, number_of(n)))])
    index = deletion_index.read(settings)
    assert deletion_index.LOOSE <= len(index.gathered) < deletion_index.LOOSE + 3
    storage.retire(archive.folder(settings, sorted(index.gathered)[0]))
    purge.apply_archives(settings)
    index = deletion_index.read(settings)
    assert sum(index.runs.values()) == deletion_index.LOOSE + 3
    assert len(index.runs) <= 3
    stones = tombstones.load(settings)
    assert all(stones.gone(number_of(n)) for n in range(deletion_index.LOOSE + 3))
    assert len(stones.authors) == deletion_index.LOOSE + 3
    take(settings, "tweets", *(make_tweet(at=at(n), sequence=n) for n in range(80)))
    assert len(ids_held(settings)) == 80 - deletion_index.LOOSE - 3


@pytest.mark.parametrize("foreign", ["notices", "tweets"])
def test_an_extract_from_elsewhere(settings: Settings, make_settings: Make, tmp_path: Path, foreign: str) -> None:
    """Put into the folder by hand, or read meanwhile by another process: what it asks for is done, and what is asked of it."""
    files: dict[str, list[Any]] = {"notices": [delete(number_of(0))], "tweets": tweets(DAY, range(3))}
    other = make_settings(database=False, GEOBETA_DATA=str(tmp_path / "other"))
    (report,) = importing.run(other, [give(other, foreign, *files.pop(foreign))]).files
    for name, documents in files.items():
        take(settings, name, *documents)
    archive.folder(other, report.digest).rename(archive.folder(settings, report.digest))
    assert purge.to_apply(settings)
    purge.apply_archives(settings)
    assert ids_held(settings) == {number_of(1), number_of(2)}


def test_a_post_without_its_place(settings: Settings) -> None:
    """Of a page that lacks its place the country is not known: on the safe side it goes."""
    take(settings, "page", make_page(make_post(), places=[]), hide("user_withheld", 7, "DE"))
    assert ids_held(settings) == set()
