"""Stored counts as arrays: which days are today's, what their digests notice, and authors as ranks of their names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from pipeline import counted, database, load
from pipeline.counted import Day
from pipeline.schema import BASES
from pipeline.settings import Settings
from tests.conftest import STUDIES
from tests.partitions import write_counts
from tests.test_posterior import day

KEYS = [f"{number:032x}" for number in (3, 7, 11)]


def put(settings: Settings, number: int, authors: dict[str | None, tuple[int, int]], **manifest: Any) -> None:
    """Count and load one day."""
    write_counts(settings, "traffic", day(number), authors, **manifest)
    load.counts(settings, "traffic", day(number))


def current(settings: Settings) -> dict[dt.date, Day]:
    with database.transaction(settings) as connection:
        return counted.current(settings, connection, settings.study("traffic"))


def change(settings: Settings, statement: str) -> None:
    with database.transaction(settings) as connection:
        connection.execute(sa.text(statement))


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """Three days, loaded in some other order; one of them by a sample, one without authors."""
    made = make_settings()
    put(made, 4, {KEYS[1]: (2, 1), KEYS[0]: (5, 0)}, coverage=None, coverage_reason="an archive of unknown gaps", synthetic=False)
    put(made, 1, {KEYS[2]: (3, 1), KEYS[0]: (1, 1), None: (4, 2)}, coverage=0.5, coverage_reason="late")
    put(made, 2, {}, basis="sample", sampled=0, population=9)
    return made


def test_counts_come_as_arrays_by_day(settings: Settings) -> None:
    """Sorted by day; coverage that nobody knows is NaN; authors are ranks of their names, nobody is -1."""
    days = current(settings)
    with database.transaction(settings) as connection:
        found = counted.arrays(connection, settings.study("traffic"), days)
    assert found.days.astype(object).tolist() == [day(1), day(2), day(4)]
    assert (found.trials.tolist(), found.matches.tolist()) == ([8, 0, 7], [4, 0, 1])
    np.testing.assert_array_equal(found.coverage, [0.5, 1.0, np.nan])
    assert found.synthetic.tolist() == [True, True, False]
    assert [BASES[number] for number in found.basis] == ["tweets", "sample", "tweets"]
    rows = zip(found.author_days.astype(object), found.authors, found.author_trials, found.author_matches, strict=True)
    assert sorted(rows) == [(day(1), -1, 4, 2), (day(1), 0, 1, 1), (day(1), 2, 3, 1), (day(4), 0, 5, 0), (day(4), 1, 2, 1)]


def test_authors_of_older_days_may_be_left_out(settings: Settings) -> None:
    """The days' own counts stay; no days are no fault."""
    days = current(settings)
    with database.transaction(settings) as connection:
        found = counted.arrays(connection, settings.study("traffic"), days, since=day(2))
        none = counted.arrays(connection, settings.study("traffic"), {})
    assert found.trials.tolist() == [8, 0, 7]
    assert found.author_days.astype(object).tolist() == [day(4)] * 2
    assert found.authors.tolist() in ([0, 1], [1, 0])
    assert (none.days.size, none.authors.size, none.author_days.dtype) == (0, 0, found.author_days.dtype)


def test_many_authors_keep_their_order(settings: Settings) -> None:
    """More than the reader takes at once: ranks are still those of all names."""
    names = [f"{number * 2654435761 % 2**32:032x}" for number in range(60_000)]
    put(settings, 5, dict.fromkeys(names, (1, 0)))
    with database.transaction(settings) as connection:
        stored = connection.execute(
            sa.text(
                'select day, dense_rank() over (order by author_key collate "C") - 1 as rank, trials from author_counts'
                " where study = 'traffic' and author_key is not null"
            )
        ).all()
        found = counted.arrays(connection, settings.study("traffic"), current(settings))
    known = found.authors >= 0
    rows = zip(found.author_days[known].astype(object), found.authors[known], found.author_trials[known], strict=True)
    assert sorted(map(tuple, stored)) == sorted(rows)


def test_only_days_that_today_would_give_count(settings: Settings, make_settings: Callable[..., Settings]) -> None:
    """Not those of another rule, nor from before the start, nor whose marker is gone."""
    assert list(current(settings)) == [day(1), day(2), day(4)]
    assert list(current(make_settings(studies=STUDIES.replace("start = 2026-11-01", "start = 2026-11-02", 1)))) == [day(2), day(4)]
    assert current(make_settings(studies=STUDIES.replace("embotellamiento", "atasco"))) == {}
    change(settings, "delete from partitions where dataset = 'counts' and day = '2026-11-02'")
    assert list(current(settings)) == [day(1), day(4)]


@pytest.mark.parametrize(
    "statement",
    [
        # a purge takes tweets out of counts whose files are no more: the marker stays
        "update daily_counts set trials = trials - 1 where day = '2026-11-03'",
        "update daily_counts set matches = matches - 1 where day = '2026-11-03'",
        "update daily_counts set coverage = 0.9 where day = '2026-11-03'",
        "update daily_counts set synthetic = not synthetic where day = '2026-11-03'",
        # the same sums of other authors
        "update partitions set source_digest = 'other' where dataset = 'counts' and day = '2026-11-03'",
        "delete from partitions where dataset = 'counts' and day = '2026-11-03'",
    ],
)
def test_a_digest_is_of_all_that_was_counted_up_to_its_day(settings: Settings, statement: str) -> None:
    """Whatever changes of a day shows in its digest and in those after it, not in those before."""
    put(settings, 3, {KEYS[0]: (3, 2)})
    before = current(settings)
    change(settings, statement)
    after = current(settings)
    assert [after[day(number)].so_far for number in (1, 2)] == [before[day(number)].so_far for number in (1, 2)]
    assert after.get(day(3)) is None or after[day(3)].so_far != before[day(3)].so_far
    assert after[day(4)].so_far != before[day(4)].so_far


def test_a_digest_is_of_nothing_else(settings: Settings) -> None:
    """Counts loaded again, later and by another run, are the same."""
    before = current(settings)
    change(settings, "update partitions set run_id = 'another', loaded_at = now()")
    put(settings, 1, {KEYS[2]: (3, 1), KEYS[0]: (1, 1), None: (4, 2)}, coverage=0.5, coverage_reason="late")
    assert {when: found.so_far for when, found in current(settings).items()} == {when: found.so_far for when, found in before.items()}
