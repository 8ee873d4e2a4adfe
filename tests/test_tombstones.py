"""What is gone stays gone: under the same key, in every place where its id may stand; and what is held is known whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline import database, importing, purge, tombstones
from pipeline.settings import Settings
from pipeline.tombstones import gone
from tests.posts import lines, make_tweet
from tests.searching import haystack, needles_found
from tests.test_purge import DAY, asked, at, bring, number_of, tweets, words

# deletion is a chapter of its own: all of it in `make test`
pytestmark = pytest.mark.slow

Make = Callable[..., Settings]


def test_another_key_is_refused(make_settings: Make, tmp_path: Path) -> None:
    """Under it no tombstone would be known again, and an import would store what was deleted."""
    settings = make_settings()
    tombstones.note(settings, asked(number_of(0)).lines(tombstones.keys(settings)), source="test")
    other = make_settings(GEOBETA_AUTHOR_KEY="another key for tests only")
    path = tmp_path / "archive.jsonl"
    path.write_bytes(lines(*tweets(DAY, range(2))))
    (failure,) = importing.run(other, [path]).failures
    assert "deleted tweets would be stored again" in failure.what
    (report,) = importing.run(settings, [path]).files
    assert (report.stored, report.deleted) == (1, 1)


def test_ids_of_ten_digits(make_settings: Make, tmp_path: Path) -> None:
    """Geotagged tweets of before November 2010 have them; they go out of what others say of them too."""
    settings = make_settings()
    path = tmp_path / "archive.jsonl"
    path.write_bytes(lines(make_tweet(at=at(3), sequence=3, text="Miren https://x.com/i/status/5612345678 tráfico")))
    importing.run(settings, [path])
    bring(settings, [DAY])
    assert needles_found(haystack(settings), [5612345678], []) != []
    purge.run(settings, asked(5612345678), source="test")
    assert needles_found(haystack(settings), [5612345678], []) == []


def test_a_quoted_tweet_is_held_too(make_settings: Make, tmp_path: Path) -> None:
    """With its whole text, in the quote's own JSON where that is kept: X is asked about it, and a purge takes it out."""
    settings = make_settings(settings="[import]\nkeep_raw = true\n[load]\nraw = true\n")
    quoted = make_tweet(at=at(50), sequence=50, text=words(50))
    path = tmp_path / "archive.jsonl"
    path.write_bytes(lines(make_tweet(at=at(60), sequence=60, text="tráfico", is_quote_status=True, quoted_status=quoted)))
    importing.run(settings, [path])
    bring(settings, [DAY])
    assert purge.held.ids(settings.model_copy(update={"bearer_token": "token"}))[0] == {number_of(60), number_of(50)}
    assert needles_found(haystack(settings), [number_of(50)], [words(50)]) != []
    purge.run(settings, asked(number_of(50)), source="test")
    assert needles_found(haystack(settings), [number_of(50)], [words(50)]) == []


def test_the_table_follows_the_files(make_settings: Make) -> None:
    """An author who takes locations away twice has one row, of the later moment; ids of before 2011 hold less than one."""
    settings = make_settings()
    for last in (23_260_136_625, number_of(5), number_of(9)):
        purge.run(settings, purge.Asked(tweets={number_of(0): "deleted"}, authors={"502": last}), source="test")
    with database.transaction(settings) as connection:
        found = connection.execute(sa.text("select reason, until_milliseconds from tombstones order by 1")).all()
    assert [tuple(row) for row in found] == [("deleted", None), ("scrub_geo", number_of(9) >> gone.SNOWFLAKE_BITS)]
