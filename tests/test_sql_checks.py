"""Each check of sql/checks finds its own kind of wrong row, and nothing in what the stages load."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from pipeline import checks, database, load, migrations, posterior
from pipeline.settings import Settings
from tests.conftest import STUDIES
from tests.partitions import make_hours, make_tweet, write_counts, write_tweets

DAY = dt.date(2026, 11, 5)
KEYS = ("0" * 32, "1" * 32)

#: A change by hand that each check, by name, has to find.
SPOILS = {
    "authors_are_hashed": "update tweets set author_key = '12345'",
    "counts_author_sums": "update author_counts set trials = trials + 1 where author_key is null",
    "counts_matches_listed": "delete from tweet_matches where tweet_id = (select min(tweet_id) from tweet_matches)",
    "counts_trials_are_tweets": "update tweets set is_retweet = not is_retweet",
    "hours_add_up": "update coverage_hours set observed = 0.5 where hour = (select min(hour) from coverage_hours)",
    "hours_kept_are_tweets": "update coverage_hours set kept = kept + 1 where hour = (select min(hour) from coverage_hours)",
    "counts_within_bounds": "alter table daily_counts drop constraint daily_counts_check; update daily_counts set matches = trials + 1",
    "markers_have_rows": "delete from author_counts",
    "rows_have_markers": "delete from partitions where dataset = 'tweets'",
    "posterior_follows_counts": "update posteriors set trials = trials + 1, naive_beta = naive_beta + 1",
    "posterior_intervals_nested": "update posteriors set lower_50 = upper_95",
    "posterior_parameters": "update posteriors set alpha = alpha + 1",
    "tweets_in_their_day": "update tweets set created_at = created_at + interval '1 day'",
    "tweets_in_their_box": "update tweets set longitude = -98",
}


@pytest.fixture
def loaded(make_settings: Callable[..., Settings]) -> Settings:
    """One day of tweets, counts and a posterior, as the stages load it."""
    settings = make_settings()
    tweets = [make_tweet(tweet_id=number, author_key=KEYS[number % 2]) for number in range(1, 6)]
    tweets += [make_tweet(tweet_id=6, author_key=None), make_tweet(tweet_id=7, is_retweet=True)]
    # the local day begins at 06:00 UTC, and all of them were written at 18:30
    hours = make_hours(dt.datetime(2026, 11, 5, 6, tzinfo=dt.UTC), {12: 7})
    write_tweets(settings, "mexico-city", DAY, tweets, hours=hours)
    write_counts(settings, "traffic", DAY, {KEYS[0]: (2, 1), KEYS[1]: (3, 2), None: (1, 0)})
    load.tweets(settings, "mexico-city", DAY)
    load.counts(settings, "traffic", DAY)
    posterior.update(settings, "traffic", DAY)
    return settings


#: Wrong rows of other kinds that a check finds beside its first one.
MORE = [
    (
        "posterior_parameters",
        "update posteriors set naive_alpha = naive_alpha + 1, naive_mean = (naive_alpha + 1) / (naive_alpha + naive_beta + 1)",
    ),
    ("posterior_parameters", "update posteriors set design_effect = 0.9"),
    # otherwise as it should be: an estimate worth half a tweet
    (
        "posterior_parameters",
        "update posteriors set design_effect = 2.0 * trials, effective_trials = worth.n, effective_matches = worth.k,"
        " alpha = prior_alpha + worth.k, beta = prior_beta + (worth.n - worth.k),"
        " mean = (prior_alpha + worth.k) / (prior_alpha + worth.k + (prior_beta + (worth.n - worth.k)))"
        " from (select study, day, effective_trials * design_effect / (2.0 * trials) as n,"
        " effective_matches * design_effect / (2.0 * trials) as k from posteriors) as worth"
        " where worth.study = posteriors.study and worth.day = posteriors.day",
    ),
    ("posterior_parameters", "update posteriors set effective_trials = trials + 1, beta = prior_beta + trials + 1 - effective_matches"),
    ("posterior_parameters", "update posteriors set authors = trials + 1"),
    ("posterior_parameters", "update posteriors set basis = 'counts'"),
    ("posterior_parameters", "update posteriors set window_days = 1, days_missing = 4"),
    ("posterior_intervals_nested", "update posteriors set naive_upper_95 = 1.1"),
    ("posterior_intervals_nested", "update posteriors set per_author_lower_95 = per_author_upper_95"),
    ("posterior_intervals_nested", "update posteriors set expected_lower_95 = 0.9, expected_upper_95 = 0.1"),
    ("posterior_intervals_nested", "update posteriors set surprise = 0.001, surprise_score = 0.1"),
    ("posterior_intervals_nested", "update posteriors set surprise = null"),
    ("posterior_follows_counts", "update daily_counts set matches = matches - 1"),
]


def test_what_the_stages_load_passes_every_check(loaded: Settings) -> None:
    """A loaded day has no wrong row."""
    assert checks.run(loaded) == {name: [] for name in sorted(SPOILS)}


def test_every_check_is_tested() -> None:
    """No check is without a spoilt row here."""
    names = [script.name.removeprefix("checks/").removesuffix(".sql") for script in migrations.scripts(migrations.SQL, "checks")]
    assert sorted(SPOILS) == names


def test_each_check_finds_its_wrong_row(loaded: Settings) -> None:
    """A row spoilt by hand is found by the check for it."""
    with database.engine(loaded).connect() as connection:
        for name, spoil in SPOILS.items():
            connection.execute(sa.text(spoil))
            assert checks.wrong_rows(connection)[name], f"{name} does not see: {spoil}"
            connection.rollback()


def test_more_wrong_rows_are_found(loaded: Settings) -> None:
    """What one check looks at is more than one thing."""
    with database.engine(loaded).connect() as connection:
        for name, spoil in MORE:
            connection.execute(sa.text(spoil))
            assert checks.wrong_rows(connection)[name], f"{name} does not see: {spoil}"
            connection.rollback()


@pytest.mark.parametrize(
    "line",
    [
        "forget = 0.9",
        'forget = "auto"',
        "window = 2",
        "author_cap = 1",
        'prior = { pool = "all" }',
        "prior = { lower = 0.01, upper = 0.05 }",
    ],
)
def test_however_a_study_is_set_its_rows_pass(make_settings: Callable[..., Settings], line: str) -> None:
    """Days of few and of many tweets, empty ones, authors who come back; then a restated day, before and after it is published."""
    settings = make_settings(studies=STUDIES.replace("[water]", f"{line}\n\n[water]", 1))
    crowds: list[dict[str | None, tuple[int, int]]] = [
        {KEYS[0]: (9, 9), KEYS[1]: (3, 0), None: (2, 1)},
        {},
        {KEYS[0]: (30, 20)},
        {f"{number:032x}": (1 + number % 3, number % 2) for number in range(40)},
    ]
    for number, crowd in enumerate(crowds):
        write_counts(settings, "traffic", DAY + dt.timedelta(days=number), crowd)
        load.counts(settings, "traffic", DAY + dt.timedelta(days=number))
        posterior.update(settings, "traffic", DAY + dt.timedelta(days=number))
    # (no tweets are loaded here that the counts could be of)
    assert {name for name, rows in checks.run(settings).items() if rows} == set()
    with database.transaction(settings) as connection:
        connection.execute(sa.text("update partitions set revision = 'old' where dataset = 'counts' and day = :day"), {"day": DAY})
    write_counts(settings, "traffic", DAY, {KEYS[0]: (12, 2)})
    load.counts(settings, "traffic", DAY)
    assert {name for name, rows in checks.run(settings).items() if rows} == set()
    posterior.update(settings, "traffic", DAY)
    assert {name for name, rows in checks.run(settings).items() if rows} == set()
