"""A load is whole or not there: several at once, killed, several days in one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline import clean, load, posterior
from pipeline.errors import LoadMismatch
from pipeline.settings import Settings
from tests.loaded import day, is_loaded, query
from tests.partitions import make_tweet, write_counts, write_tweets

ROOT = Path(__file__).resolve().parents[1]
CITY = "mexico-city"
KEYS = ("0" * 32, "1" * 32)


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """Settings with a fresh database."""
    return make_settings()


def test_many_loaders_at_once_give_one_load_and_no_failure(settings: Settings) -> None:
    """Loads of three days and updates of two studies, each three times at once, in any order: no deadlock, one load each."""
    for number in (4, 5, 6):
        for study in ("traffic", "water"):
            write_counts(settings, study, day(number), {KEYS[0]: (3 + number, 1)})

    def whole(job: tuple[str, int]) -> int:
        study, number = job
        load.counts(settings, study, day(number))
        return posterior.update(settings, study, day(number))

    jobs = [(study, number) for _ in range(3) for number in (6, 4, 5) for study in ("traffic", "water")]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(whole, jobs))
    for study in ("traffic", "water"):
        assert query(settings, "select day, trials, days from posteriors where study = :study order by 1", study=study) == [
            (day(4), 7, 1),
            (day(5), 15, 2),
            (day(6), 24, 3),
        ]
    assert query(settings, "select dataset, count(*) from partitions group by 1 order by 1") == [("counts", 6), ("posteriors", 6)]


KILLED = """
import datetime, sys
from pipeline import load, posterior, settings
found, day = settings.read(), datetime.date(2026, 11, 5)
load.tweets(found, "mexico-city", day)
load.counts(found, "traffic", day)
posterior.update(found, "traffic", day)
"""
POINTS = ["load.copy", "load.copy:2", "load.before_marker", "load.before_marker:2", "posterior.before_copy", "posterior.before_marker"]


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_leaves_the_old_rows_and_a_rerun_makes_the_same_as_without(
    make_settings: Callable[..., Settings], tmp_path: Path, point: str
) -> None:
    """SIGKILL inside COPY, between COPY and marker, inside the posterior: every table ends as if nothing had happened."""
    settings = make_settings()
    write_tweets(settings, CITY, day(5), [make_tweet(tweet_id=number) for number in range(1, 20_001)])
    write_counts(settings, "traffic", day(5), {f"{number:032x}": (2, number % 2) for number in range(500)})
    own = {**os.environ, "GEOBETA_CONFIG": str(settings.config), "GEOBETA_DATA": str(settings.data), "PYTHONPATH": str(ROOT)}
    assert settings.database_url is not None
    assert settings.author_key is not None
    own |= {"DATABASE_URL": settings.database_url.get_secret_value(), "GEOBETA_AUTHOR_KEY": settings.author_key.get_secret_value()}
    more = {"GEOBETA_KILL_AT": point, "GEOBETA_KILL_FILE": str(tmp_path / "passings")}
    killed = subprocess.run([sys.executable, "-c", KILLED], env={**own, **more}, cwd="/", check=False)
    assert killed.returncode == -signal.SIGKILL
    present = {dataset for (dataset,) in query(settings, "select dataset from partitions")}
    tables = {"tweets": "tweets", "counts": "author_counts", "posteriors": "posteriors"}
    assert {dataset for dataset, table in tables.items() if query(settings, f"select 1 from {table} limit 1")} == present
    subprocess.run([sys.executable, "-c", KILLED], env={**own, **more}, cwd="/", check=True)
    assert query(settings, "select dataset, rows from partitions order by 1") == [("counts", 500), ("posteriors", 1), ("tweets", 20_000)]
    assert query(settings, "select count(*), count(distinct tweet_id) from tweets") == [(20_000, 20_000)]
    assert query(settings, "select trials, matches, alpha, beta from posteriors") == [(1000, 250, 251.0, 751.0)]
    assert query(settings, "select count(*) from posterior_history") == [(0,)]
    shutil.rmtree(settings.data)


def test_days_that_are_loaded_together_are_all_there_or_none(settings: Settings) -> None:
    """One that cannot be loaded leaves all as they were; otherwise each has its rows and its marker, and a later run finds it done."""
    wanted = [day(number) for number in (7, 5, 6)]
    for number in (5, 6, 7):
        write_tweets(settings, CITY, day(number), [make_tweet(tweet_id=number * 10 + extra) for extra in range(number - 4)])
    broken = clean.partition(settings, CITY, day(7)) / "manifest.json"
    whole = broken.read_text()
    broken.write_text(whole.replace('"rows": 3', '"rows": 4'))
    with pytest.raises(LoadMismatch, match="its manifest says 4"):
        load.tweets_of_days(settings, CITY, wanted)
    assert query(settings, "select count(*) from tweets") == query(settings, "select count(*) from partitions") == [(0,)]
    broken.write_text(whole)
    assert load.tweets_of_days(settings, CITY, wanted) == 6
    assert query(settings, "select day, count(*) from tweets group by day order by day") == [(day(5), 1), (day(6), 2), (day(7), 3)]
    assert query(settings, "select day, rows from partitions order by day") == [(day(5), 1), (day(6), 2), (day(7), 3)]
    assert is_loaded(settings, "tweets", CITY)
    before = query(settings, "select xmin::text from tweets")
    assert load.tweets(settings, CITY, day(6)) == 2
    assert load.tweets_of_days(settings, CITY, wanted) == 6
    assert query(settings, "select xmin::text from tweets") == before
