"""Archives that ask for deletions, in any order: the same extracts to the byte, whatever came first."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from pipeline import importing, purge
from pipeline.settings import Settings
from pipeline.sources import archive
from tests.deleting import delete, give, hide, ids_held, scrub, take
from tests.posts import make_page, make_tweet
from tests.purging import DAY, NEXT, at, number_of, post, tweets

Make = Callable[..., Settings]

EDITED = [str(number_of(20)), str(number_of(21))]
FILES: dict[str, tuple[Any, ...]] = {
    "tweets": (*tweets(DAY, range(6)), *tweets(NEXT, [0])),
    "more": (*tweets(DAY, [3, 4, 7, 8]), make_tweet(at=at(9), sequence=9, text=f"Miren https://x.com/i/status/{number_of(4)} ya")),
    "first": (make_page(post(20, edit_history_tweet_ids=EDITED[:1])), delete(number_of(7)), "no JSON"),
    "second": (make_page(post(21, edit_history_tweet_ids=EDITED)), hide("user_withheld", 501, "MX")),
    "notices": (delete(number_of(4)), delete(number_of(21)), delete(number_of(0, NEXT)), delete(17)),
    "authors": (scrub(503, number_of(3)), *tweets(DAY, [13]), hide("status_withheld", number_of(5), "DE", "MX")),
}
LEFT = {number_of(n) for n in (0, 2, 8, 9, 13)}


def outcome(settings: Settings) -> dict[str, str]:
    """A digest of every file of every extract, by the name of the archive."""
    found = {}
    for digest in archive.held(settings):
        name = archive.manifest(settings, digest)["name"]
        for path in sorted(archive.folder(settings, digest).iterdir()):
            found[f"{name} {path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return found


def brought(make_settings: Make, folder: Path, order: tuple[str, ...], stops: tuple[bool, ...]) -> Settings:
    """The files imported in that order, with what follows done after some of them, and at the end."""
    settings = make_settings(database=False, GEOBETA_DATA=str(folder / "var"))
    folder.mkdir()
    for name, stop in zip(order, stops, strict=True):
        importing.run(settings, [give(settings, name, *FILES[name])])
        if stop:
            purge.apply_archives(settings)
    purge.apply_archives(settings)
    return settings


@pytest.mark.slow
def test_any_order_makes_the_same_extracts(make_settings: Make, tmp_path: Path) -> None:
    """To the byte, with their accounts and the days they hold; whether deletions are applied in between or not."""
    expected = outcome(brought(make_settings, tmp_path / "0", tuple(FILES), (False,) * len(FILES)))
    count = itertools.count(1)

    @hypothesis.settings(max_examples=60)
    @hypothesis.given(st.permutations(list(FILES)), st.tuples(*[st.booleans()] * len(FILES)))
    def check(order: list[str], stops: tuple[bool, ...]) -> None:
        settings = brought(make_settings, tmp_path / str(next(count)), tuple(order), stops)
        assert ids_held(settings) == LEFT
        assert outcome(settings) == expected
        assert not purge.to_apply(settings)

    check()


@pytest.mark.slow
def test_large_extracts_too(make_settings: Make, tmp_path: Path) -> None:
    """Of several row groups of several pages: taking rows out leaves the bytes of an extract that never had them."""
    documents = [make_tweet(at=at(n % 900), sequence=n, text=hashlib.sha512(b"%d" % n).hexdigest() * 6) for n in range(9000)]
    notices = [delete(number) for n, number in ((n, int(entry["id"])) for n, entry in enumerate(documents)) if n % 7 == 0 or n < 3000]
    found = []
    for place, order in enumerate((True, False)):
        settings = make_settings(settings="[import]\nbatch_rows = 4096\n", database=False, GEOBETA_DATA=str(tmp_path / f"{place}/var"))
        (tmp_path / f"{place}").mkdir()
        files: list[tuple[str, list[Any]]] = [("notices", notices), ("tweets", documents)]
        for name, content in files if order else reversed(files):
            take(settings, name, *content)
        found.append(outcome(settings))
    assert found[0] == found[1]
