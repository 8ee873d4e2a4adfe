"""plan: what would run and why, told from a real installation, without making anything."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy

from pipeline import database, plan
from pipeline.digest import night
from pipeline.report import page
from pipeline.settings import Settings
from pipeline.study import Exclude, Prior
from tests.conftest import STUDIES
from tests.report_days import LAST, SMALL, days_up_to, run_stages

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
Make = Callable[..., Settings]
#: What tells of the numbers.
TOLD = {("BuildReport", ""), ("SendDigest", "")}


def told(settings: Settings, *, first: int = 0, now: datetime = NOW) -> set[tuple[str, str, str]]:
    """(task, name, reason) of every step of the last `first` + 1 days."""
    return {(step.task, step.name, step.reason) for step in plan.steps(settings, LAST - timedelta(days=first), LAST, now=now)}


def tasks(found: set[tuple[str, str, str]]) -> set[tuple[str, str]]:
    """Without the reasons."""
    return {(task, name) for task, name, _ in found}


def fingerprint(settings: Settings) -> tuple[dict[str, str], list[tuple[str, int, str]]]:
    """Every file's content and every table's rows."""
    files = {
        str(path.relative_to(settings.data)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(settings.data).rglob("*")
        if path.is_file() and path.parent.name != "sandbox"
    }
    with database.transaction(settings) as connection:
        names = (
            connection.execute(sqlalchemy.text("select tablename from pg_tables where schemaname = 'public' order by 1")).scalars().all()
        )
        sums = [
            (
                name,
                *connection.execute(
                    sqlalchemy.text(f"select count(*), md5(string_agg(t::text, '|' order by t::text)) from {name} t")
                ).one(),
            )
            for name in names
        ]
    return files, sums


def test_on_an_empty_installation_everything_would_run(make_settings: Make) -> None:
    """Each stage says that it has not been made; the source is named."""
    settings = make_settings()
    steps = list(plan.steps(settings, LAST, LAST, now=NOW))
    assert [step.task for step in steps if step.name in ("mexico-city", "")] == [
        "ExtractTweets",
        "CleanTweets",
        "LoadTweets",
        "SendDigest",
        "BuildReport",
    ]
    assert [step.task for step in steps if step.name == "water"] == ["CountMatches", "LoadCounts", "UpdatePosterior"]
    assert {step.source for step in steps if step.task == "ExtractTweets"} == {"sandbox (synthetic)"}
    assert ("ExtractTweets", "mexico-city", "no extract") in told(settings)


def test_what_x_counts_is_planned_without_tweets(make_settings: Make) -> None:
    """One task asks X; where it asks; nothing of the area's tweets. A day out of reach, or not over, is said to be so."""
    studies = STUDIES[: STUDIES.index("[water]")].replace("match", 'mode = "counts"\nmatch')
    real = {"X_BEARER_TOKEN": "token", "studies": studies}
    steps = list(plan.steps(make_settings(**real), LAST, LAST, now=NOW))
    assert [step.task for step in steps] == ["ExtractCounts", "CountMatches", "LoadCounts", "UpdatePosterior", "SendDigest", "BuildReport"]
    assert (steps[0].name, steps[0].source, steps[0].reason) == ("traffic", "X API, counts/recent", "not counted by X yet")
    later = NOW + timedelta(days=20)
    assert [step.source for step in plan.steps(make_settings(**real), LAST, LAST, now=later)][:1] == ["X API, counts/all"]
    recent_only = make_settings(**real, settings="[x]\narchive_search = false\n")
    assert [(step.task, step.blocked) for step in plan.steps(recent_only, LAST, LAST, now=later)] == [("ExtractCounts", True)]
    early = datetime(2026, 11, 23, 7, 29, tzinfo=UTC)
    steps = list(plan.steps(make_settings(**real), LAST, LAST, now=early))
    assert [(step.task, step.blocked) for step in steps] == [("ExtractCounts", True)]
    assert steps[0].reason == "the day is not over until 2026-11-23 07:30 UTC"


def test_a_day_that_is_not_over_is_left_and_says_until_when(make_settings: Make) -> None:
    """22 November ends at 06:00 UTC in Mexico City; 90 minutes later it counts as over."""
    early = datetime(2026, 11, 23, 7, 29, tzinfo=UTC)
    steps = list(plan.steps(make_settings(), LAST, LAST, now=early))
    assert [(step.task, step.blocked) for step in steps] == [("ExtractTweets", True)]
    assert steps[0].reason == "the day is not over until 2026-11-23 07:30 UTC"
    assert not any(step.blocked for step in plan.steps(make_settings(), LAST, LAST, now=early + timedelta(minutes=1)))


def test_a_study_that_has_not_begun_is_left_out(make_settings: Make) -> None:
    """Days before the start are nobody's."""
    assert list(plan.steps(make_settings(), LAST - timedelta(days=60), LAST - timedelta(days=50), now=NOW)) == []


def test_an_area_of_archives_without_one_cannot_run(make_settings: Make) -> None:
    """Says that an archive is missing, and plans nothing that needs it."""
    areas = '[mexico-city]\nbox = "-99.3650,19.0482,-98.9403,19.5928"\ntimezone = "America/Mexico_City"\nsource = "archive"\n'
    steps = list(plan.steps(make_settings(areas=areas), LAST, LAST, now=NOW))
    assert [(step.task, step.blocked) for step in steps] == [("CleanTweets", True)]
    assert "no imported archive holds a tweet of 2026-11-22" in steps[0].reason


@pytest.mark.slow
def test_after_a_run_nothing_is_left_and_each_change_re_runs_what_depends_on_it(make_settings: Make) -> None:
    """The reasons: rule, prior, box, a lost page; and looking changes no file and no row."""
    settings = make_settings(settings=SMALL)
    run_stages(settings, days_up_to(LAST, 2))
    for day in days_up_to(LAST, 2):
        page.build(settings, day)
        night.make(settings, day)
    before = fingerprint(settings)
    assert told(settings, first=1) == set()

    water = settings.study("water")

    def with_water(**changes: object) -> Settings:
        return settings.model_copy(update={"studies": {**settings.studies, "water": water.model_copy(update=changes)}})

    rule = told(with_water(match={"words": ["lluvia"]}))
    assert ("CountMatches", "water", "the rule changed") in rule
    assert tasks(rule) == {("CountMatches", "water"), ("LoadCounts", "water"), ("UpdatePosterior", "water"), *TOLD}
    earlier = [step.day for step in plan.steps(with_water(match={"words": ["lluvia"]}), LAST, LAST, now=NOW) if step.task == "CountMatches"]
    assert earlier == days_up_to(LAST, 2)
    without = told(with_water(exclude=Exclude(clients=("Made-Up Bot",))))
    assert ("CountMatches", "water", "the rule, or whom it leaves out, changed") in without
    assert tasks(without) == tasks(rule)

    prior = told(with_water(prior=Prior(alpha=2.0, beta=3.0)))
    assert ("UpdatePosterior", "water", "the prior changed") in prior
    assert tasks(prior) == {("UpdatePosterior", "water"), *TOLD}
    for changes, reason in (
        ({"prior": Prior(lower=0.01, upper=0.05)}, "the prior changed"),
        ({"prior": Prior(pool="all")}, "the prior is now learnt from a pool"),
        ({"forget": 0.5}, "the forgetting changed"),
        ({"forget": "auto"}, "the forgetting changed"),
        ({"window": 7}, "the forgetting changed"),
        ({"author_cap": 3}, "the cap on authors changed"),
    ):
        assert ("UpdatePosterior", "water", reason) in told(with_water(**changes))

    area = settings.area("mexico-city")
    moved = area.model_copy(update={"box": type(area.box)(-99.4, 19.0, -98.9, 19.6)})
    box = told(settings.model_copy(update={"areas": {"mexico-city": moved}}))
    assert ("ExtractTweets", "mexico-city", "box, time zone or places changed") in box
    assert {"LoadTweets", "CountMatches", "UpdatePosterior", "BuildReport", "SendDigest"} <= {task for task, _, _ in box}

    policy = told(settings.model_copy(update={"areas": {"mexico-city": area.model_copy(update={"evidence": ("point",)})}}))
    assert ("CleanTweets", "mexico-city", "the box, the policy or the sources changed") in policy
    assert ("CountMatches", "water", "its tweets changed (box, policy or sources)") in policy
    assert "ExtractTweets" not in {task for task, _, _ in policy}

    assert fingerprint(settings) == before
    page.path(settings, LAST).unlink()
    assert told(settings) == {("BuildReport", "", "what it shows changed")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "other", "reason"),
    [
        ("prior = { lower = 0.01, upper = 0.05, sure = 0.8 }", "prior = { lower = 0.01, upper = 0.05 }", "the prior changed"),
        ('prior = { pool = "all" }', "", "the prior is set again"),
        ('prior = { mean = 0.03, strength = 50.0, pool = "all" }', 'prior = { pool = "all" }', "the prior changed"),
        ('forget = "auto"', "forget = 1.0", "the forgetting changed"),
        ("window = 7", "window = 8", "the forgetting changed"),
        ("author_cap = 3", "author_cap = 3\nforget = 0.5", "the forgetting changed"),
    ],
)
def test_each_way_to_set_a_study_is_known_again(make_settings: Make, table: str, other: str, reason: str) -> None:
    """After a night nothing is left to do; with another table what is published is told from what would be."""

    def configured(line: str) -> Settings:
        return make_settings(settings=SMALL, studies=STUDIES.split("[water]")[0] + line)

    settings = configured(table)
    run_stages(settings, [LAST])
    assert "UpdatePosterior" not in {task for task, _ in tasks(told(settings))}
    assert ("UpdatePosterior", "traffic", reason) in told(configured(other))


@pytest.mark.slow
def test_rows_of_an_older_version_are_known(make_settings: Make) -> None:
    """Also where the database was made by it, and looking applies no migration."""
    settings = make_settings(settings=SMALL)
    run_stages(settings, [LAST], ["traffic"])
    with database.transaction(settings) as connection:
        connection.execute(sqlalchemy.text("update partitions set revision = 'old' where dataset = 'posteriors'"))
        for column in ("naive_alpha", "forget_scores", "prior_areas", "window_days", "author_cap"):
            connection.execute(sqlalchemy.text(f"alter table posteriors drop column {column} cascade"))
    assert ("UpdatePosterior", "traffic", "an older version of the program made it") in told(settings)


@pytest.mark.slow
def test_a_day_loaded_late_re_runs_the_posteriors_after_it(make_settings: Make) -> None:
    """A posterior is made of all days up to its own."""
    settings = make_settings(settings=SMALL)
    run_stages(settings, [LAST], ["traffic"])
    days = [
        step.day
        for step in plan.steps(settings, LAST - timedelta(days=1), LAST, now=NOW)
        if (step.task, step.name) == ("UpdatePosterior", "traffic")
    ]
    assert days == [LAST - timedelta(days=1), LAST]


def test_an_embedded_database_that_is_stopped_is_not_started(make_settings: Make, server_folder: Path) -> None:
    """One that was never made holds nothing; one that is stopped holds nobody knows what; neither is started by looking."""
    settings = make_settings(database=False, GEOBETA_DATA=str(server_folder))
    assert plan.stored(settings, LAST, LAST).known
    cluster = settings.data / "postgres" / "data"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("18\n")
    held = plan.stored(settings, LAST, LAST)
    assert not held.known
    assert "database start" in held.why
    reasons = {step.reason for step in plan.steps(settings, LAST, LAST, now=NOW, held=held)}
    assert "not known: the database is stopped" in reasons


def test_a_server_without_tables_is_looked_at_without_making_them(make_settings: Make) -> None:
    """No migration is applied by looking."""
    settings = make_settings()
    with database.transaction(settings) as connection:
        connection.execute(sqlalchemy.text("drop schema public cascade"))
        connection.execute(sqlalchemy.text("create schema public"))
    assert plan.stored(settings, LAST, LAST) == plan.Stored(True)
    with plan.connect(settings) as connection:
        assert connection.exec_driver_sql("select count(*) from pg_tables where schemaname = 'public'").scalar_one() == 0
