"""The views are the contract with dashboards: stable names, comments on every column, numbers that agree with the tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from pipeline import database, ledger, load, posterior
from pipeline.settings import Settings
from tests.conftest import AREAS, STUDIES
from tests.partitions import make_tweet, write_counts, write_tweets

#: What study_latest and study_days say of the three estimates.
ESTIMATES = ("design_effect", "effective_trials", "top_influence", "naive_share", "per_author_share", "forget", "prior_alpha", "author_cap")

#: A dashboard may rely on these; adding is free, taking away is a new version of the contract.
PROMISED = {
    "study_latest": {"study", "question", "area", "day", "share", "lower_95", "upper_95", "trials", "matches", "days", "basis", *ESTIMATES},
    "study_days": {
        *("study", "day", "share", "lower_50", "upper_50", "lower_95", "upper_95", "day_trials", "day_matches", "basis"),
        *("day_share", "expected_lower_95", "expected_upper_95", "surprise", *ESTIMATES),
    },
    "study_estimates": {"study", "day", "estimate", "question", "headline", "share", "lower_95", "upper_95", "worth", "basis", "synthetic"},
    "alarm_log": {"day", "kind", "subject", "area", "direction", "said", "synthetic", "webhook", "mail"},
    "area_days": {
        "area",
        "day",
        "tweets",
        "retweets",
        "point",
        "place_within",
        "place_centroid",
        "coverage",
        "sources",
        "mode",
        "expected",
        "fetched",
    },
    "area_hours": {"area", "day", "hour", "local_time", "expected", "fetched", "kept", "pages", "waits", "errors", "observed", "reason"},
    "posterior_publications": {"study", "day", "published_at", "replaced_at", "reason", "share", "basis"},
    "runs": {"task", "parameters", "status", "started_at", "seconds", "rows_out", "requests", "error"},
}


def day(number: int) -> dt.date:
    """A day of November 2026."""
    return dt.date(2026, 11, number)


def rows(settings: Settings, query: str) -> list[dict[str, object]]:
    """What a dashboard would read."""
    with database.transaction(settings) as connection:
        return [dict(row) for row in connection.execute(sa.text(query)).mappings()]


def test_every_table_view_and_column_has_a_comment(make_settings: Callable[..., Settings]) -> None:
    """`\\d+` explains itself."""
    uncommented = rows(
        make_settings(),
        "select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum >= 0 and not a.attisdropped"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'm', 'p')"
        " and (col_description(c.oid, a.attnum) is null or obj_description(c.oid, 'pg_class') is null)",
    )
    assert uncommented == []


def test_the_views_have_the_promised_columns(make_settings: Callable[..., Settings]) -> None:
    """No view or column that a dashboard reads is gone."""
    found: dict[str, set[str]] = {}
    for row in rows(make_settings(), "select table_name, column_name from information_schema.columns where table_schema = 'public'"):
        found.setdefault(str(row["table_name"]), set()).add(str(row["column_name"]))
    assert {view: columns - found.get(view, set()) for view, columns in PROMISED.items()} == {view: set() for view in PROMISED}


def test_the_views_tell_what_was_loaded(make_settings: Callable[..., Settings]) -> None:
    """Two days of one study and one of its area."""
    settings = make_settings()
    tweets = [make_tweet(tweet_id=1), make_tweet(tweet_id=2, is_retweet=True), make_tweet(tweet_id=3, evidence="place_within")]
    write_tweets(settings, "mexico-city", day(5), tweets, coverage=0.5, coverage_reason="half a day")
    load.tweets(settings, "mexico-city", day(5))
    for number, counts in ((5, (2, 1)), (6, (6, 1))):
        write_counts(settings, "traffic", day(number), {None: counts})
        load.counts(settings, "traffic", day(number))
        posterior.update(settings, "traffic", day(number))
    (latest,) = rows(settings, "select * from study_latest")
    # tweets without an author count as authors of their own: 2 of 8, and the prior's 1 of 2
    assert (latest["day"], latest["share"], latest["trials"], latest["day_trials"]) == (day(6), 0.3, 8, 6)
    assert (latest["question"], latest["area"], latest["synthetic"]) == ("What share speaks of traffic?", "mexico-city", True)
    assert [row["day_matches"] for row in rows(settings, "select * from study_days order by day")] == [1, 1]
    (area,) = rows(settings, "select * from area_days")
    assert (area["tweets"], area["retweets"], area["point"], area["place_within"], area["discarded"]) == (3, 1, 2, 1, 4)
    assert (area["coverage"], area["coverage_reason"]) == (0.5, "half a day")


def test_three_estimates_stand_side_by_side_each_with_its_question(make_settings: Callable[..., Settings]) -> None:
    """One author of four writes most, and always matches: naive believes in the tweets, clustered less so, and the authors differ."""
    settings = make_settings()
    authors = {f"{number:032x}": (30, 30) if number == 1 else (2, 0) for number in range(1, 5)}
    write_counts(settings, "traffic", day(5), authors)
    load.counts(settings, "traffic", day(5))
    posterior.update(settings, "traffic", day(5))
    found = {row["estimate"]: row for row in rows(settings, "select * from study_estimates")}
    (latest,) = rows(settings, "select * from study_latest")
    assert set(found) == {"clustered", "naive", "per_author"}
    assert {name for name, row in found.items() if row["headline"]} == {"clustered"}
    assert (found["clustered"]["share"], found["clustered"]["lower_95"]) == (latest["share"], latest["lower_95"])
    assert (found["naive"]["worth"], found["per_author"]["worth"]) == (36, 4)
    assert found["clustered"]["worth"] == latest["effective_trials"] == pytest.approx(36 / float(str(latest["design_effect"])))
    assert found["clustered"]["worth"] < 10  # type: ignore[operator]
    assert (found["naive"]["share"], found["per_author"]["share"]) == (31 / 38, pytest.approx(2 / 6))
    assert "another question" in str(found["per_author"]["question"])


def test_where_authors_are_unknown_no_estimate_claims_to_be_corrected_for_them(make_settings: Callable[..., Settings]) -> None:
    """What X counted, and rows of before version 2, have the naive estimate alone, and it is their headline."""
    settings = make_settings()
    write_counts(settings, "traffic", day(5), {"0" * 32: (8, 1)})
    load.counts(settings, "traffic", day(5))
    posterior.update(settings, "traffic", day(5))
    before = rows(settings, "select share, alpha + beta - 2 as worth from study_days")
    with database.transaction(settings) as connection:
        columns = ["design_effect", "naive_alpha", "naive_beta", "naive_mean", "naive_lower_95", "naive_upper_95", "per_author_mean"]
        connection.execute(sa.text("update posteriors set " + ", ".join(f"{name} = null" for name in columns)))
    assert rows(settings, "select share, worth from study_estimates where estimate = 'naive' and headline") == before
    assert rows(settings, "select estimate from study_estimates") == [{"estimate": "naive"}]


def test_the_log_of_alarms_says_who_was_told(make_settings: Callable[..., Settings]) -> None:
    """One row an alarm, whatever became of it on how many channels."""
    settings = make_settings()
    alarm = (
        "insert into alarms (kind, subject, day, area, direction, score, threshold, per_year, nights, past, calibrated, parts,"
        " said, synthetic) values ('share', :study, '2026-11-05', 'mexico-city', 'up', 3, 2.9, 2, 1, 90, true, :parts, 'up', false)"
    )
    told = "insert into alarm_deliveries (kind, subject, day, channel, status, error) values ('share', 'water', '2026-11-05', :c, :s, :e)"
    with database.transaction(settings) as connection:
        for study in ("traffic", "water"):
            connection.execute(sa.text(alarm), {"study": study, "parts": '{"other authors": 0.01}'})
        connection.execute(sa.text(told), {"c": "webhook", "s": "sent", "e": None})
        connection.execute(sa.text(told), {"c": "mail", "s": "failed", "e": "no such host"})
    query = "select subject, webhook, mail, error, parts ->> 'other authors' as others from alarm_log order by subject"
    assert [tuple(row.values()) for row in rows(settings, query)] == [
        ("traffic", None, None, None, "0.01"),
        ("water", "sent", "failed", "no such host", "0.01"),
    ]


def test_shares_of_an_earlier_box_or_rule_are_not_taken_for_the_present_series(make_settings: Callable[..., Settings]) -> None:
    """Nothing newer replaces them until their days are fetched again, so the views say which rows belong together."""
    before = make_settings()
    for number in (5, 6):
        write_counts(before, "traffic", day(number), {"0" * 32: (8, 5)})
        load.counts(before, "traffic", day(number))
        posterior.update(before, "traffic", day(number))
    moved = make_settings(areas=AREAS.replace("-99.36", "-99.46"))
    write_counts(moved, "traffic", day(5), {"0" * 32: (4, 1)})
    load.counts(moved, "traffic", day(5))
    posterior.update(moved, "traffic", day(5))
    assert {row["day"]: row["current"] for row in rows(moved, "select * from study_days")} == {day(5): True, day(6): False}
    assert [(row["day"], row["trials"]) for row in rows(moved, "select * from study_latest")] == [(day(5), 4)]
    asked_anew = make_settings(studies=STUDIES.replace("embotellamiento", "choque"))
    write_counts(asked_anew, "traffic", day(6), {"0" * 32: (8, 7)})
    load.counts(asked_anew, "traffic", day(6))
    (row,) = rows(moved, "select * from study_days where day = '2026-11-06'")
    assert (row["trials"], row["day_trials"], row["day_matches"]) == (16, None, None)


def test_a_day_s_share_is_what_the_prediction_is_of(make_settings: Callable[..., Settings]) -> None:
    """With a cap on authors: of what that leaves; those of unknown authors all count."""
    settings = make_settings(studies=STUDIES.replace("[water]", "author_cap = 2\n\n[water]", 1))
    write_counts(settings, "traffic", day(5), {"0" * 32: (40, 40), "1" * 32: (1, 0), None: (3, 0)})
    load.counts(settings, "traffic", day(5))
    posterior.update(settings, "traffic", day(5))
    for view in ("study_days", "study_latest"):
        (row,) = rows(settings, f"select * from {view} where study = 'traffic'")
        assert row["day_share"] == pytest.approx(2 / 6)


def test_publications_tell_what_was_said_when(make_settings: Callable[..., Settings]) -> None:
    """A restated share shows twice: until when the first was said and why it went, and the second, still valid."""
    settings = make_settings()
    for number, counts in ((6, (4, 1)), (5, (8, 5))):
        write_counts(settings, "traffic", day(number), {"0" * 32: counts})
        load.counts(settings, "traffic", day(number))
        posterior.update(settings, "traffic", day(number))
    said = rows(settings, "select * from posterior_publications where day = '2026-11-06' order by published_at")
    assert [row["trials"] for row in said] == [4, 12]
    assert [row["reason"] for row in said] == ["1 day came late", None]
    assert said[0]["published_at"] < said[0]["replaced_at"] <= said[1]["published_at"]  # type: ignore[operator]


def test_runs_say_how_long_they_took(make_settings: Callable[..., Settings]) -> None:
    """Seconds from start to end."""
    settings = make_settings()
    with ledger.running(settings, "LoadCounts", {"study": "traffic"}, "r1") as run:
        run.rows_out = 3
    (told,) = rows(settings, "select * from runs")
    assert (told["status"], told["rows_out"]) == ("done", 3)
    assert 0 <= float(str(told["seconds"])) < 60
