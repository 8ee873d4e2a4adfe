"""Records in columns: the table that formats.table would make, and fingerprints that tell what is the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pipeline import formats
from pipeline.formats import Record
from pipeline.importing import columns
from pipeline.importing.columns import Columns
from tests.posts import NOON, make_tweet


def record(**changes: Any) -> Record:
    """One record, with fields changed."""
    (outcome,) = formats.parse(make_tweet())
    assert isinstance(outcome, Record)
    return replace(outcome, **changes)


NOWHERE = dict.fromkeys(columns.PLACE)
DIFFERENT: dict[str, dict[str, Any]] = {
    "the same": {},
    "another tweet": {"tweet_id": 5, "version_id": 5},
    "another version": {"version_id": 5},
    "another time": {"created_at": NOON + timedelta(seconds=1)},
    "no author": {"author_id": None},
    "another author": {"author_id": "8"},
    "another text": {"text": "a \ud83d b"},
    "no language": {"lang": None},
    "no program": {"client": None},
    "a retweet": {"is_retweet": True},
    "a quote": {"is_quote": True},
    "no point": {"longitude": None, "latitude": None},
    "the point turned over": {"longitude": 19.4, "latitude": -99.15},
    "no place": NOWHERE,
    "another box": {"place_west": -99.3},
    "another name": {"place_name": "Centro"},
}


def test_the_table_is_that_of_formats() -> None:
    """To the last value and type, for records of all kinds; what is taken is gone."""
    batch = Columns()
    records = [record(**changes) for changes in DIFFERENT.values()]
    for one in records:
        batch.add(one)
    assert batch.take()[0].equals(formats.table(records))
    assert len(batch) == 0


@pytest.mark.parametrize("name", DIFFERENT)
def test_fingerprints_tell_records_apart(name: str) -> None:
    """By every field; and two that say the same are the same, in one table or in two."""
    batch = Columns()
    batch.add(record())
    batch.add(record(**DIFFERENT[name]))
    prints = batch.take()[1].tolist()
    batch.add(record())
    assert (prints[0] == prints[1]) == (name == "the same")
    assert batch.take()[1].tolist() == prints[:1]


def test_a_degree_west_is_not_two() -> None:
    """Python hashes -1.0 as -2.0; and 0.0 is -0.0, however often places are learnt anew."""
    batch = Columns()
    prints = []
    for west in (-1.0, -2.0, 0.0, -0.0):
        batch.add(record(place_west=west))
        prints += batch.take()[1].tolist()
        batch.known_places.forget()
    assert len(set(prints[:3])) == 3
    assert prints[2] == prints[3]


def test_of_many_places_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those forgotten are learnt again; the tables stay right."""
    monkeypatch.setattr(columns, "MOST_VALUES", 5)
    batch = Columns()
    for start in range(0, 40, 10):
        records = [record(place_id=str(number), client=f"app {number % 7}") for number in (*range(start, start + 10), 0)]
        for one in records:
            batch.add(one)
        assert batch.take()[0].equals(formats.table(records))
        assert len(batch.known_places) <= 12
