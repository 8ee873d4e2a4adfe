"""Studies of one pool: each learns from the others what they said up to the evening before, in whatever order their days came."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline import counted, database, load, posterior
from pipeline.settings import Settings
from pipeline.stats import pooling
from tests.partitions import strangers, write_counts
from tests.test_posterior import day, rows

# whole nights in the database: not for the fast loop
pytestmark = pytest.mark.slow

NAMES = ("calle", "lago", "monte", "norte", "valle")
AREAS = "\n".join(f'[{name}]\nbox = "{-99 + i},19.0,{-98.5 + i},19.5"\ntimezone = "America/Mexico_City"\n' for i, name in enumerate(NAMES))
POOL = 'prior = { alpha = 1.0, beta = 4.0, pool = "all" }'
#: (n, k) of each study, the same every day.
COUNTS = {"calle": (40, 4), "lago": (60, 9), "monte": (20, 1), "norte": (50, 6), "valle": (30, 5)}


def studies(names: tuple[str, ...] = NAMES, **lines: str) -> str:
    """One study an area, all of one pool; `lines` adds to a study's table."""
    return "\n".join(
        f'[{name}]\nquestion = "?"\narea = "{name}"\nstart = 2026-11-01\nmatch = {{ words = ["x"] }}\n{lines.get(name, POOL)}\n'
        for name in names
    )


def count(settings: Settings, study: str, number: int, counts: tuple[int, int] | None = None) -> None:
    """Count and load one day; nothing is published."""
    write_counts(settings, study, day(number), strangers(day(number), *(counts or COUNTS[study])))
    load.counts(settings, study, day(number))


def night(settings: Settings, number: int, names: tuple[str, ...] = NAMES) -> None:
    """Count, load and publish one day of all."""
    for study in names:
        count(settings, study, number)
    for study in names:
        posterior.update(settings, study, day(number))


def priors(settings: Settings, study: str) -> list[tuple[float, float, int]]:
    """What each row started from: alpha, beta, and from how many areas it was learnt."""
    return [(row["prior_alpha"], row["prior_beta"], row["prior_areas"]) for row in rows(settings, study=study)]


@pytest.fixture
def pool(make_settings: Callable[..., Settings]) -> Settings:
    """Five studies of one pool, with three nights."""
    settings = make_settings(areas=AREAS, studies=studies())
    for number in (1, 2, 3):
        night(settings, number)
    return settings


def test_a_prior_is_what_the_others_said_the_evening_before(pool: Settings) -> None:
    """On the first day the study's own; then that of the others' effective counts up to the evening before."""
    found = priors(pool, "lago")
    assert found[0] == (1.0, 4.0, 0)
    for index in (1, 2):
        said = [rows(pool, study=name)[index - 1] for name in NAMES if name != "lago"]
        wanted = pooling.pool(trials=[row["effective_trials"] for row in said], matches=[row["effective_matches"] for row in said]).prior
        assert wanted is not None
        assert found[index] == (wanted.alpha, wanted.beta, 4)
    last = rows(pool, study="lago")[-1]
    assert last["alpha"] == found[2][0] + 27
    assert last["naive_alpha"] == found[2][0] + 27


def test_counts_of_the_same_day_do_not_matter(pool: Settings) -> None:
    """Whatever the others counted on a day, the rows of that day stand: so nights need no order among the studies."""
    before = {name: rows(pool, study=name) for name in NAMES}
    count(pool, "calle", 4, (500, 400))
    posterior.update(pool, "calle", day(4))
    for name in ("lago", "monte", "norte", "valle"):
        assert rows(pool, study=name) == before[name]
        count(pool, name, 4)
        posterior.update(pool, name, day(4))
    assert priors(pool, "lago")[3][2] == 4
    others = [rows(pool, study=name)[2] for name in NAMES if name != "lago"]
    wanted = pooling.pool(trials=[row["effective_trials"] for row in others], matches=[row["effective_matches"] for row in others]).prior
    assert wanted is not None
    assert priors(pool, "lago")[3][:2] == (wanted.alpha, wanted.beta)


def test_what_a_mate_counts_on_a_day_leaves_the_marker_of_that_day(pool: Settings) -> None:
    """A row that stands need not be computed again because a mate's night came later."""
    count(pool, "lago", 4)
    posterior.update(pool, "lago", day(4))
    before = markers(pool, "lago")
    count(pool, "monte", 4)
    posterior.update(pool, "monte", day(4))
    posterior.update(pool, "lago", day(4))
    assert markers(pool, "lago") == before


def test_rows_of_a_mate_that_wait_to_be_made_again_are_not_believed(pool: Settings) -> None:
    """Its counts are restated and its rows not yet: what it said of an evening is computed from what is counted now."""
    with database.transaction(pool) as connection:
        connection.execute(
            sa.text("update partitions set revision = 'old' where dataset = 'counts' and name = 'monte' and day = '2026-11-03'")
        )
    count(pool, "monte", 3, (20, 18))
    count(pool, "lago", 4)
    posterior.update(pool, "lago", day(4))
    said = rows(pool, study="lago")[-1]
    posterior.update(pool, "monte", day(3))
    posterior.update(pool, "lago", day(4))
    assert rows(pool, study="lago")[-1] == said


def markers(settings: Settings, study: str) -> list[Any]:
    """What the markers of its rows say."""
    with database.transaction(settings) as connection:
        statement = sa.text(
            "select day, revision, inputs, loaded_at from partitions where dataset = 'posteriors' and name = :name order by 1"
        )
        return list(connection.execute(statement, {"name": study}).all())


def test_a_late_day_of_a_mate_mends_what_came_after_it(make_settings: Callable[..., Settings]) -> None:
    """Rows of the others after that day, not before and not of it, each with history and reason; in the end as if it had been there."""
    settings = make_settings(areas=AREAS, studies=studies())
    for number in (1, 2, 3, 4):
        for study in NAMES:
            if (study, number) != ("monte", 2):
                count(settings, study, number)
                posterior.update(settings, study, day(number))
    before = rows(settings, study="lago")
    count(settings, "monte", 2)
    # its own row of the day, and those after it
    assert posterior.update(settings, "monte", day(2)) == 3
    after, history = rows(settings, study="lago"), rows(settings, "posterior_history", study="lago")
    assert after[:2] == before[:2]
    assert [row["day"] for row in history] == [day(3), day(4)]
    assert {row.pop("reason") for row in history} == {"the pooled prior changed with the counts of monte"}
    assert history == before[2:]
    assert [row.pop("reason") for row in rows(settings, "posterior_history", study="monte")] == ["1 day came late"] * 2
    assert posterior.update(settings, "lago", day(4)) == 0
    assert all(posterior.has(settings, name, day(4)) for name in NAMES)
    late = [rows(settings, study=name) for name in NAMES]
    with database.transaction(settings) as connection:
        connection.execute(sa.text("truncate daily_counts, author_counts, tweet_matches, posteriors, posterior_history, partitions"))
    for number in (1, 2, 3, 4):
        night(settings, number)
    assert [rows(settings, study=name) for name in NAMES] == late


def test_too_few_areas_keep_their_own_prior(make_settings: Callable[..., Settings]) -> None:
    """Of three studies each has two others, which say nothing of how areas differ; a mate without counts is none."""
    few = NAMES[:4]
    settings = make_settings(areas=AREAS, studies=studies(few))
    for number in (1, 2):
        night(settings, number, few[:3])
    assert priors(settings, "calle") == [(1.0, 4.0, 0)] * 2
    night(settings, 3, few)
    night(settings, 4, few)
    assert [areas for _, _, areas in priors(settings, "calle")] == [0, 0, 0, 3]
    # the study that came later learnt from three at once
    assert [areas for _, _, areas in priors(settings, "norte")] == [3, 3]


def test_a_pool_can_be_left_and_joined(pool: Settings, make_settings: Callable[..., Settings]) -> None:
    """The rows are made again with the study's own prior, and back; history says why. The others go on without it."""
    pooled = rows(pool, study="lago")
    alone = make_settings(areas=AREAS, studies=studies(lago="prior = { alpha = 1.0, beta = 4.0 }"))
    assert not posterior.has(alone, "lago", day(3))
    assert not posterior.has(alone, "monte", day(3))
    assert posterior.update(alone, "lago", day(3)) == 3
    assert priors(alone, "lago") == [(1.0, 4.0, None)] * 3
    assert {row["reason"] for row in rows(alone, "posterior_history", study="lago")} == {"the prior is set again"}
    assert posterior.update(alone, "monte", day(3)) > 0
    assert priors(alone, "monte")[2][2] == 3
    posterior.update(pool, "lago", day(3))
    assert rows(pool, study="lago") == pooled
    assert rows(pool, "posterior_history", study="lago")[-1]["reason"] == "the prior is now learnt from a pool"
    # its mates are mended with it
    assert priors(pool, "monte")[2][2] == 4


def test_mates_may_forget_and_start_as_they_like(make_settings: Callable[..., Settings]) -> None:
    """Each is read as its own table says: by its start, window and discount."""
    own = {"calle": f"{POOL}\nwindow = 1", "monte": f"{POOL}\nforget = 0.5", "valle": f'{POOL}\nforget = "auto"'}
    settings = make_settings(areas=AREAS, studies=studies(**own).replace("2026-11-01", "2026-11-02", 1))
    for number in (1, 2, 3):
        for study in NAMES:
            if (study, number) != ("calle", 1):
                count(settings, study, number)
                posterior.update(settings, study, day(number))
    assert [row["trials"] for row in rows(settings, study="calle")] == [40, 40]
    assert rows(settings, study="monte")[1]["effective_trials"] == 30
    assert [areas for _, _, areas in priors(settings, "lago")] == [0, 3, 4]
    assert posterior.update(settings, "lago", day(3)) == 0


def test_a_night_reads_the_authors_of_its_own_study_alone(pool: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the others said the evening before stands in their rows; of a gap it is computed, to the same numbers."""
    read: list[str] = []
    arrays = counted.arrays

    def noted(connection: Any, study: Any, days: Any, **more: Any) -> Any:
        read.append(study.name)
        return arrays(connection, study, days, **more)

    monkeypatch.setattr(counted, "arrays", noted)
    night(pool, 4)
    assert read == list(NAMES)
    read.clear()
    # no row of the 5th says anything of its evening
    for study in NAMES:
        count(pool, study, 6)
    posterior.update(pool, "lago", day(6))
    assert sorted(set(read)) == sorted(NAMES)
    skipped = priors(pool, "lago")[-1]
    for study in NAMES:
        count(pool, study, 5, (0, 0))
        posterior.update(pool, study, day(5))
    assert priors(pool, "lago")[-1] == skipped


@pytest.mark.parametrize("same", [False, True], ids=["a study each", "one study"])
def test_updates_of_one_pool_at_once_do_not_wait_in_a_circle(pool: Settings, same: bool) -> None:
    """Eight at the same moment on a late day and a new one: none fails, and the result is that of one after the other."""
    for study in NAMES:
        count(pool, study, 4)
        count(pool, study, 5)
    together = threading.Barrier(8)
    failed: list[BaseException] = []

    def update(number: int) -> None:
        together.wait(timeout=60)
        try:
            posterior.update(pool, NAMES[0 if same else number % 5], day(4 + number % 2))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=update, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert failed == []
    for study in NAMES:
        for number in (4, 5):
            posterior.update(pool, study, day(number))
    assert [areas for _, _, areas in priors(pool, "calle")] == [0, 4, 4, 4, 4]
    assert all(posterior.has(pool, study, dt.date(2026, 11, 5)) for study in NAMES)
