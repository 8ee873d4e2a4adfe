"""What a task's target depends on: each parameter, and each part of the configuration that decides its content; nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import luigi
import pytest
import sqlalchemy as sa
from luigi.task_register import Register

import tasks
from pipeline import database, ledger, load, posterior
from pipeline.digest import night
from pipeline.report import page
from pipeline.settings import Settings
from tasks import base
from tasks.targets import FolderTarget, MarkerTarget
from tests.conftest import AREAS, STUDIES
from tests.partitions import make_tweet, write_counts, write_tweets

DAY = dt.date(2026, 11, 10)
OTHER_AREA = '\n[toluca]\nbox = "-99.80,19.20,-99.55,19.40"\ntimezone = "America/Mexico_City"\n'

EXTRACTED = {"ExtractTweets"}
CLEANED = {"CleanTweets", "LoadTweets"}
COUNTED = {"CountMatches", "LoadCounts"}
PUBLISHED = {"UpdatePosterior", "BuildReport", "SendDigest"}
#: What an area's tweets depend on reaches everything after them.
AFTER_CLEANING = CLEANED | COUNTED | PUBLISHED
EVERYTHING = EXTRACTED | AFTER_CLEANING
#: Page's and digest's own revisions are of what they say beside the numbers; who loads other numbers takes their markers away.
PAGE = {"BuildReport"}
TOLD = {"BuildReport", "SendDigest"}


def point_at(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tasks read these settings."""
    monkeypatch.setattr(base, "_settings", settings)
    Register.clear_instance_cache()


def made(area: str = "mexico-city", study: str = "water", day: dt.date = DAY) -> dict[str, luigi.Task]:
    """Every task that has a target, by its name."""
    of_area = (tasks.ExtractTweets, tasks.CleanTweets, tasks.LoadTweets)
    of_study = (tasks.CountMatches, tasks.LoadCounts, tasks.UpdatePosterior)
    return {
        **{kind.__name__: kind(area=area, date=day) for kind in of_area},
        **{kind.__name__: kind(study=study, date=day) for kind in of_study},
        "BuildReport": tasks.BuildReport(date=day),
        "SendDigest": tasks.SendDigest(date=day),
    }


def targets(settings: Settings, monkeypatch: pytest.MonkeyPatch, **which: Any) -> dict[str, str]:
    """Where each task looks for its result, revision and all; paths as seen from the data folder."""
    point_at(settings, monkeypatch)
    found = {}
    for name, task in made(**which).items():
        if name == "BuildReport":
            found[name] = f"{page.path(settings, task.date)} {task.stage_revision()}"
        elif name == "SendDigest":
            found[name] = f"{night.path(settings, task.date)} {task.stage_revision()}"
        else:
            outputs = luigi.task.flatten(task.output())
            assert outputs
            found[name] = " ".join(map(str, outputs))
    return {name: text.replace(str(settings.data), "") for name, text in found.items()}


def differing(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("which", "wanted"),
    [
        ({"area": "toluca"}, EXTRACTED | CLEANED),
        ({"study": "traffic"}, COUNTED | {"UpdatePosterior"}),
        ({"day": dt.date(2026, 11, 11)}, EVERYTHING),
    ],
)
def test_each_parameter_changes_the_target(
    which: dict[str, Any], wanted: set[str], make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tasks that differ in a parameter never look at the same place."""
    settings = make_settings(areas=AREAS + OTHER_AREA, database=False)
    assert differing(targets(settings, monkeypatch), targets(settings, monkeypatch, **which)) == wanted


LATER = STUDIES.split("[water]")[0].replace("[traffic]", "[later]").replace("2026-11-01", "2026-11-20")
CHANGES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "box": ({"areas": AREAS.replace("-99.3650", "-99.3651")}, EVERYTHING),
    "time zone": ({"areas": AREAS.replace("America/Mexico_City", "America/New_York")}, EVERYTHING),
    "places": ({"areas": AREAS + 'places = ["25530ba03b7d90c6"]\n'}, EVERYTHING),
    "a token": ({"X_BEARER_TOKEN": "real"}, EVERYTHING - TOLD),
    "another made-up city": ({"settings": "[sandbox]\nseed = 2\n"}, EVERYTHING - TOLD),
    "largest_place": ({"areas": AREAS + "largest_place = 3.9\n"}, AFTER_CLEANING),
    "evidence": ({"areas": AREAS + 'evidence = ["point"]\n'}, AFTER_CLEANING),
    "raw": ({"areas": AREAS + "raw = true\n"}, AFTER_CLEANING - {"SendDigest"}),
    "author key": ({"GEOBETA_AUTHOR_KEY": "another key for tests only"}, AFTER_CLEANING - TOLD),
    "words": ({"studies": STUDIES.replace('["agua"]', '["agua", "pipas"]')}, COUNTED | PUBLISHED),
    "exactness": ({"studies": STUDIES.replace('["agua"]', '["agua"], exact = true')}, COUNTED | PUBLISHED),
    "kind of rule": ({"studies": STUDIES.replace('words = ["agua"]', 'regex = "agua"')}, COUNTED | PUBLISHED),
    "mode": ({"studies": STUDIES + 'mode = "counts"\n'}, COUNTED | PUBLISHED),
    "prior": ({"studies": STUDIES.replace("beta = 9.0", "beta = 9.5")}, PUBLISHED),
    "forgetting": ({"studies": STUDIES + "forget = 0.9\n"}, PUBLISHED),
    "start": ({"studies": STUDIES.replace("start = 2026-11-01", "start = 2026-11-02")}, PUBLISHED),
    "question": ({"studies": STUDIES.replace("speaks of water", "tells of water")}, {"BuildReport"}),
    "another study": ({"studies": STUDIES.replace('"embotellamiento"', '"choque"')}, TOLD),
    "a study that has not started": ({"studies": STUDIES + LATER}, set()),
    "another area": ({"areas": AREAS + OTHER_AREA}, set()),
    "what holds anyway": ({"areas": AREAS + "largest_place = 4.0\n"}, set()),
    "evidence in another order": ({"areas": AREAS + 'evidence = ["place_centroid", "point", "place_within"]\n'}, PAGE),
    "an equal box in other words": ({"areas": AREAS.replace("-99.3650,", "-99.365, ")}, set()),
    "page size": ({"settings": "[x]\npage_size = 10\n"}, set()),
    "the promise": ({"settings": "[alarms]\nshare_per_year = 1.0\n"}, {"SendDigest"}),
    "whether shifts are told": ({"studies": STUDIES + "alarms = false\n"}, TOLD),
    "who is told": ({"settings": '[alarms]\nmail_to = ["a@example.org"]\n', "GEOBETA_WEBHOOK_URL": "https://hooks.example.org/x"}, set()),
    "patience": ({"settings": "[x]\ntimeout_seconds = 5.0\nattempts = 3\nlongest_wait_seconds = 10.0\n"}, set()),
    "batches": ({"settings": "[import]\nbatch_rows = 100\n"}, set()),
    "the sandbox's patience": ({"settings": "[sandbox]\nidle_exit_seconds = 5.0\n"}, set()),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_configuration_changes_exactly_what_depends_on_it(
    name: str, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Targets of the stages that the change reaches are others; all the rest stays complete."""
    changes, wanted = CHANGES[name]
    before = targets(make_settings(database=False), monkeypatch)
    after = targets(make_settings(**changes, database=False), monkeypatch)
    assert differing(before, after) == wanted


BY_X = STUDIES + 'mode = "counts"\n'
ASKED = {"ExtractCounts"} | COUNTED | PUBLISHED
CHANGES_BY_X: dict[str, tuple[dict[str, Any], set[str]]] = {
    "box": ({"areas": AREAS.replace("-99.3650", "-99.3651")}, ASKED),
    "time zone": ({"areas": AREAS.replace("America/Mexico_City", "America/New_York")}, ASKED),
    "places": ({"areas": AREAS + 'places = ["25530ba03b7d90c6"]\n'}, ASKED),
    "words": ({"studies": BY_X.replace('["agua"]', '["agua", "pipas"]')}, ASKED),
    "a token": ({"X_BEARER_TOKEN": "real"}, ASKED - TOLD),
    "prior": ({"studies": BY_X.replace("beta = 9.0", "beta = 9.5")}, PUBLISHED),
    # what is made of the area's tweets has no say in what X counts; the page shows the other study too
    "largest_place": ({"areas": AREAS + "largest_place = 3.9\n"}, TOLD),
    "raw": ({"areas": AREAS + "raw = true\n"}, PAGE),
    "author key": ({"GEOBETA_AUTHOR_KEY": "another key for tests only"}, set()),
    "the full archive": ({"settings": "[x]\narchive_search = false\n"}, set()),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES_BY_X)
def test_of_what_x_counts_exactly_what_depends_on_a_change_changes(
    name: str, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """X is asked again where it would answer otherwise, and only there."""

    def of_water(**changes: Any) -> dict[str, str]:
        settings = make_settings(**{"studies": BY_X, **changes}, database=False)
        found = targets(settings, monkeypatch)
        return {name: found[name] for name in COUNTED | PUBLISHED} | {
            "ExtractCounts": str(tasks.ExtractCounts(study="water", date=DAY).output()).replace(str(settings.data), "")
        }

    changes, wanted = CHANGES_BY_X[name]
    assert differing(of_water(), of_water(**changes)) == wanted


def test_another_token_is_no_other_source(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that was changed makes nothing incomplete, and is in no target's name."""
    before, after = (targets(make_settings(database=False, X_BEARER_TOKEN=token), monkeypatch) for token in ("first-token", "second-token"))
    assert before == after
    assert "first-token" not in str(before)


def test_a_folder_is_there_when_its_manifest_is(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder alone, or one under another revision, is no result."""
    settings = make_settings(database=False)
    point_at(settings, monkeypatch)
    target = tasks.CleanTweets(area="mexico-city", date=DAY).output()
    assert isinstance(target, FolderTarget)
    target.path.mkdir(parents=True)
    assert not target.exists()
    write_tweets(settings, "mexico-city", DAY, [make_tweet()])
    assert target.exists()
    point_at(make_settings(areas=AREAS + "largest_place = 3.0\n", database=False), monkeypatch)
    assert not tasks.CleanTweets(area="mexico-city", date=DAY).complete()


@pytest.mark.slow
def test_a_marker_of_another_revision_is_no_result(make_settings: Callable[..., Settings]) -> None:
    """Dataset, name, day and revision: all four."""
    settings = make_settings()
    with database.transaction(settings) as connection:
        database.write_marker(connection, ("counts", "water", DAY), database.Marker("r1", 0, run_id=ledger.current()))
    assert MarkerTarget(settings, "counts", "water", DAY, "r1").exists()
    for other in (
        ("counts", "water", DAY, "r2"),
        ("counts", "traffic", DAY, "r1"),
        ("tweets", "water", DAY, "r1"),
        ("counts", "water", DAY + dt.timedelta(1), "r1"),
    ):
        assert not MarkerTarget(settings, *other).exists()


@pytest.mark.slow
def test_range_daily_asks_the_database_no_more_for_sixty_days_than_for_one(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """bulk_complete asks for one digest a day, then of all days that are unlike, in one query too, what they lack."""
    late = make_settings(studies=STUDIES.replace("2026-11-01", "2026-09-01"))
    point_at(late, monkeypatch)
    days = [dt.date(2026, 9, 1) + dt.timedelta(days=number) for number in range(60)]
    whole = days[7]
    write_tweets(late, "mexico-city", whole, [make_tweet(created_at=dt.datetime(2026, 9, 8, 18, tzinfo=dt.UTC))])
    load.tweets(late, "mexico-city", whole)
    for study in late.studies:
        write_counts(late, study, whole, {"0" * 32: (1, 0)})
        load.counts(late, study, whole)
        posterior.update(late, study, whole)
    page.build(late, whole)
    night.make(late, whole)
    for day in days:
        # without its files on the disk a day is not complete anyhow, and nobody is asked
        for path in (page.path(late, day), night.path(late, day)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    statements: list[str] = []
    sa.event.listen(database.engine(late), "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert tasks.Nightly.bulk_complete(days) == [whole]
    # beside it only the transaction's own limits are set
    limits = "set_config('TimeZone',"
    assert [statement.split()[1] for statement in statements] == [limits, "day,", limits, "dataset,"]
    statements.clear()
    assert tasks.Nightly.bulk_complete([whole]) == [whole]
    assert [statement.split()[1] for statement in statements] == [limits, "day,"]
    assert tasks.Nightly(date=whole).complete()
    assert not tasks.Nightly(date=days[8]).complete()


def test_pages_come_after_all_digests_and_these_after_all_loading() -> None:
    """The alarm of an early day shows on the pages after it, and a late load is judged: neither is to be made twice in one run."""
    day = dt.date(2026, 11, 10)
    loading = [tasks.LoadTweets(area="london", date=day), tasks.UpdatePosterior(study="transport", date=day)]
    telling = [tasks.SendDigest(date=day), tasks.BuildReport(date=day), tasks.Nightly(date=day)]
    assert [task.priority for task in telling] == sorted({task.priority for task in telling}, reverse=True)
    assert min(task.priority for task in loading) > telling[0].priority


def test_a_range_that_is_loaded_leaves_nothing_to_its_days(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """LoadTweetsRange is done when every day is; then each day's LoadTweets is, and a night goes on from there."""
    settings = make_settings()
    point_at(settings, monkeypatch)
    days = [dt.date(2026, 11, number) for number in (5, 6, 7)]
    for day in days:
        write_tweets(settings, "mexico-city", day, [make_tweet()])
    task = tasks.LoadTweetsRange(area="mexico-city", since=days[0], until=days[-1])
    load.tweets(settings, "mexico-city", days[1])
    assert not task.complete()
    assert task.requires() == [tasks.CleanTweets(area="mexico-city", date=day) for day in days]
    task.run()
    assert task.complete()
    assert all(tasks.LoadTweets(area="mexico-city", date=day).complete() for day in days)
    assert not tasks.LoadTweetsRange(area="mexico-city", since=days[0], until=days[-1] + dt.timedelta(days=1)).complete()
