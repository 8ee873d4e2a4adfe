"""After retention_days texts and places are gone from files and database; the numbers stay, stay current, and nothing is fetched again."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline import clean, count, database, extract, importing, load, nights, posterior, purge, retention
from pipeline.cli import main
from pipeline.errors import MissingData
from pipeline.settings import Settings
from tests.fetched import put_pages
from tests.posts import lines, make_page, make_place
from tests.searching import haystack, needles_found
from tests.test_purge import DAY, NEXT, bring, history, number_of, numbers, post, snapshot, tweets, words, wrong_rows

# deletion is a chapter of its own: all of it in `make test`
pytestmark = pytest.mark.slow

Make = Callable[..., Settings]
KEPT = "[content]\nretention_days = 30\n"
#: When the first day is too old and the second is not.
NOW = datetime(2026, 12, 6, 12, tzinfo=UTC)
TEXTS = [words(n, n % 2 == 0) for n in range(10)]
CITY = "mexico-city"


@pytest.fixture(params=["fetched", "archived"])
def settings(request: pytest.FixtureRequest, make_settings: Make, tmp_path: Path) -> Settings:
    """Two days from pages of X, or from one archive; all stages done."""
    settings = make_settings(settings=KEPT)
    if request.param == "fetched":
        for day in (DAY, NEXT):
            put_pages(settings, CITY, day, make_page(*(post(n, day) for n in range(9, -1, -1)), places=[make_place()]))
    else:
        path = tmp_path / "archive.jsonl"
        path.write_bytes(lines(*tweets(DAY, range(10)), *tweets(NEXT, range(10)), "not JSON"))
        importing.run(settings, [path])
    bring(settings)
    return settings


def revisions(settings: Settings) -> list[str]:
    """Of everything that nights ask for."""
    made = [clean.revision(settings, CITY, day) for day in (DAY, NEXT)]
    return made + [posterior.revision(settings, study, day) for study in settings.studies for day in (DAY, NEXT)]


def rows(settings: Settings, question: str) -> Any:
    with database.transaction(settings) as connection:
        return connection.scalar(sa.text(question))


def test_texts_go_and_numbers_stay(settings: Settings) -> None:
    """Of the old day nothing is found; the newer day is as it was; no revision changes, so nothing is made or asked for again."""
    before = revisions(settings)
    found = retention.run(settings, now=NOW)
    assert found.rows == 10
    assert needles_found(haystack(settings), [], TEXTS) == []
    assert needles_found(haystack(settings), [], [words(1001, False)]) != []
    assert rows(settings, "select count(*) from tweets where coalesce(text, place_id) is null and longitude is null") == 10
    assert revisions(settings) == before
    assert posterior.has(settings, "traffic", DAY)
    assert (numbers(settings, DAY), numbers(settings, NEXT), history(settings)) == ((10, 5, 10, 5), (10, 5, 20, 10), [])
    assert clean.partition(settings, CITY, DAY).is_dir()
    assert wrong_rows(settings) == {}
    files = snapshot(settings)
    assert not retention.run(settings, now=NOW)
    assert snapshot(settings) == files


def test_nobody_counts_what_is_gone(settings: Settings, make_settings: Make) -> None:
    """A changed rule leaves the day out, and says why where it is asked for it."""
    retention.run(settings, now=NOW)
    assert nights.held_days(settings, CITY) == {NEXT}
    changed = settings.study("traffic").model_copy(update={"match": {"words": ["kiosco"]}})
    other = settings.model_copy(update={"studies": {"traffic": changed}})
    assert nights.recountable_days(other, "traffic", NEXT + timedelta(days=1)) == (NEXT,)
    with pytest.raises(MissingData, match="removed after retention_days"):
        count.run(other, "traffic", DAY)
    # by another policy an archive holds what is left of it
    policy = settings.model_copy(update={"areas": {CITY: settings.area(CITY).model_copy(update={"largest_place": 9.0})}})
    with pytest.raises(MissingData, match=r"removed after retention_days|no imported archive holds a tweet of 2026-11-05"):
        clean.run(policy, CITY, DAY)


def test_counts_of_an_old_day_can_be_loaded_again(settings: Settings) -> None:
    """Into a database that lost them; its tweets cannot."""
    retention.run(settings, now=NOW)
    with database.transaction(settings) as connection:
        connection.execute(sa.text("delete from partitions"))
        connection.execute(sa.text("delete from tweets"))
    assert load.counts(settings, "traffic", DAY) == 5
    with pytest.raises(MissingData, match="removed after retention_days"):
        load.tweets(settings, CITY, DAY)


def test_a_tweet_of_an_old_day_may_still_be_deleted(settings: Settings) -> None:
    """Its row goes, and it goes out of the counts, though its text is long gone."""
    retention.run(settings, now=NOW)
    purge.run(settings, purge.Asked(tweets={number_of(0): "deleted", number_of(1): "deleted"}), source="test")
    assert (numbers(settings, DAY), numbers(settings, NEXT)) == ((8, 4, 8, 4), (10, 5, 18, 9))
    assert needles_found(haystack(settings), [number_of(0), number_of(1)], []) == []
    assert wrong_rows(settings) == {}


def test_the_pages_are_not_fetched_again(make_settings: Make) -> None:
    """The partition is there, so the extraction has nothing to do; what was missing of it will stay so."""
    settings = make_settings(settings=KEPT)
    put_pages(settings, CITY, DAY, make_page(post(1)))
    bring(settings, [DAY])
    retention.run(settings, now=NOW)
    assert extract.run(settings, CITY, DAY, now=NOW)["expired"] == "2026-12-06"
    assert not extract.refetchable(settings, CITY, DAY, "another night")


def test_what_has_still_to_be_counted_waits(make_settings: Make, tmp_path: Path) -> None:
    """Pages that were fetched late, an archive imported late: they go when they have been counted, and not before."""
    settings = make_settings(settings=KEPT, X_BEARER_TOKEN="token")
    put_pages(settings, CITY, DAY, make_page(post(1), post(0)), synthetic=False)
    path = tmp_path / "late.jsonl"
    path.write_bytes(lines(*tweets(NEXT, range(10))))
    importing.run(settings, [path])
    late = NOW + timedelta(days=2)
    found = retention.run(settings, now=late)
    assert (found.waiting, bool(found)) == (2, False)
    bring(settings)
    found = retention.run(settings, now=late)
    assert (found.waiting, found.extracts, found.rows) == (0, 1, 12)
    assert numbers(settings, NEXT) == (10, 5, 12, 6)
    assert needles_found(haystack(settings), [], TEXTS) == []


def test_an_unfinished_extraction_is_not_thrown_away(make_settings: Make) -> None:
    """Its pages were paid for: it goes when nobody has gone on with it for a week."""
    settings = make_settings(settings=KEPT)
    put_pages(settings, CITY, DAY, make_page(post(1)))
    final = extract.partition(settings, CITY, DAY)
    partial = final.rename(final.with_name(f"{final.name}.partial"))
    for days_later, there in ((6, True), (8, False)):
        stamp = (NOW - timedelta(days=days_later)).timestamp()
        os.utime(partial, (stamp, stamp))
        retention.run(settings, now=NOW)
        assert partial.exists() == there


def test_a_later_archive_takes_no_number_away(settings: Settings, tmp_path: Path) -> None:
    """One that holds tweets of an old day, or was listening then: the day cannot be made again, so what was counted of it counts on."""
    retention.run(settings, now=NOW)
    path = tmp_path / "later.jsonl"
    path.write_bytes(lines(*tweets(DAY, [50, 51]), *tweets(NEXT, range(20, 30))))
    importing.run(settings, [path])
    assert clean.run(settings, CITY, DAY)["rows"] == 10
    bring(settings, [NEXT])
    assert numbers(settings, DAY) == (10, 5, 10, 5)
    assert numbers(settings, NEXT)[2:] == (10 + numbers(settings, NEXT)[0], 5 + numbers(settings, NEXT)[1])
    retention.run(settings, now=NOW)
    assert needles_found(haystack(settings), [], [words(50)]) == []


def test_without_a_limit_everything_stays(make_settings: Make) -> None:
    """The command says so, the night says nothing."""
    settings = make_settings()
    assert not retention.run(settings, now=NOW)


def test_the_command(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`purge --expired`, and its refusal without a limit."""
    (settings.config / "settings.toml").write_text("[content]\nretention_days = 1\n")
    for name, value in (
        ("GEOBETA_CONFIG", settings.config),
        ("GEOBETA_DATA", settings.data),
        ("GEOBETA_AUTHOR_KEY", "a key for tests only"),
    ):
        monkeypatch.setenv(name, str(value))
    assert settings.database_url is not None
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    if datetime.now(UTC) > datetime(2026, 11, 10, tzinfo=UTC):
        assert main(["purge", "--expired"]) == 0
        assert "20 rows of the database" in capsys.readouterr().out
        assert needles_found(haystack(settings), [], [*TEXTS, words(1001, False)]) == []
    (settings.config / "settings.toml").write_text("")
    assert main(["purge", "--expired"]) == 2
    assert "retention_days" in capsys.readouterr().err
