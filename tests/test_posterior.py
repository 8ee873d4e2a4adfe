"""Posteriors are a pure function of prior and counts: whatever the order of days, the same to the last bit; what changed is kept."""

from __future__ import annotations

import datetime as dt
import math
import random
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline import count, database, estimates, load, posterior
from pipeline.database import Marker
from pipeline.errors import MissingData
from pipeline.settings import Settings
from tests.conftest import AREAS, STUDIES
from tests.partitions import strangers, write_counts

KEY = "0" * 32

#: Counts of ten days of November, none like another, one of them empty.
COUNTS = {number: (17 * number % 23, (17 * number % 23) * number % 7 % (17 * number % 23 + 1)) for number in range(1, 10)} | {10: (0, 0)}

FORGETFUL = STUDIES.replace("[water]", "forget = 0.93\n\n[water]")


def day(number: int) -> dt.date:
    """A day of November 2026."""
    return dt.date(2026, 11, number)


def feed(settings: Settings, number: int, counts: tuple[int, int] | None = None, *, study: str = "traffic", **manifest: Any) -> int:
    """Count, load and update one day of authors who tweet once; give the rows changed."""
    write_counts(settings, study, day(number), strangers(day(number), *(counts or COUNTS[number])), **manifest)
    load.counts(settings, study, day(number))
    return posterior.update(settings, study, day(number))


def rows(settings: Settings, what: str = "posteriors", *, study: str = "traffic") -> list[dict[str, Any]]:
    """The rows of a study, without when and by whom."""
    volatile = ("published_at", "run_id", "id", "replaced_at", "replaced_by")
    with database.transaction(settings) as connection:
        found = connection.execute(sa.text(f"select * from {what} where study = :study order by day"), {"study": study}).mappings()
        return [{name: value for name, value in row.items() if name not in volatile} for row in found]


def bits(found: Iterable[dict[str, Any]]) -> list[list[str]]:
    """Rows with every float to its last bit."""
    return [[value.hex() if isinstance(value, float) else repr(value) for value in row.values()] for row in found]


def test_a_first_day_is_the_prior_and_its_counts(make_settings: Callable[..., Settings]) -> None:
    """Beta(1 + k, 9 + n - k), its intervals, its sums, and the days before it that are missing."""
    settings = make_settings()
    assert feed(settings, 3, (10, 4), study="water", coverage=0.5) == 1
    (row,) = rows(settings, study="water")
    assert (row["alpha"], row["beta"], row["mean"]) == (5.0, 15.0, 0.25)
    assert (row["trials"], row["matches"], row["days"], row["days_missing"], row["days_partial"], row["coverage"]) == (10, 4, 1, 2, 1, 0.5)
    assert row["lower_95"] < row["lower_50"] < row["mean"] < row["upper_50"] < row["upper_95"]
    # the central interval's ends by I_x(5, 15) = sum over j >= 5 of binomials(19, j): exact for whole parameters
    for name, mass in (("lower_95", 0.025), ("upper_95", 0.975), ("lower_50", 0.25), ("upper_50", 0.75)):
        x = row[name]
        assert sum(math.comb(19, j) * x**j * (1 - x) ** (19 - j) for j in range(5, 20)) == pytest.approx(mass, abs=1e-10)
    assert posterior.has(settings, "water", day(3))
    assert rows(settings, "posterior_history", study="water") == []


def test_a_posterior_is_a_sample_from_its_first_sampled_day_on(make_settings: Callable[..., Settings]) -> None:
    """It says so, and how many of its days are; days before it are not touched."""
    settings = make_settings()
    for number in (1, 2, 3):
        feed(settings, number, **({"basis": "sample", "sampled": 512, "population": 8312} if number == 2 else {}))
    assert [(row["basis"], row["days_sampled"]) for row in rows(settings)] == [("tweets", 0), ("sample", 1), ("sample", 1)]
    with database.transaction(settings) as connection:
        shown = connection.execute(sa.text("select basis, day_basis, day_sampled, day_population from study_days order by day")).all()
        assert connection.execute(sa.text("select basis, days_sampled from study_latest")).one() == ("sample", 1)
    assert shown == [("tweets", "tweets", None, None), ("sample", "sample", 512, 8312), ("sample", "tweets", None, None)]


@pytest.mark.slow
@pytest.mark.parametrize("studies", [STUDIES, FORGETFUL], ids=["cumulative", "forgetting"])
def test_any_order_of_days_gives_the_same_to_the_last_bit(make_settings: Callable[..., Settings], studies: str) -> None:
    """In order, reversed, shuffled, with reruns and restated days: one result, and every row marked."""
    settings = make_settings(studies=studies)
    orders = [list(COUNTS), list(COUNTS)[::-1], random.Random(5).sample(list(COUNTS), len(COUNTS))]
    found = []
    for order in orders:
        with database.transaction(settings) as connection:
            connection.execute(sa.text("truncate daily_counts, author_counts, tweet_matches, posteriors, posterior_history, partitions"))
        for number in order:
            feed(settings, number)
        for number in order[:3]:
            assert posterior.update(settings, "traffic", day(number)) == 0
        found.append(bits(rows(settings)))
        assert all(posterior.has(settings, "traffic", day(number)) for number in COUNTS)
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == len(COUNTS)


def test_a_late_day_restates_the_days_after_it_and_keeps_what_was_said(make_settings: Callable[..., Settings]) -> None:
    """Rows from the late day on change, earlier ones do not; history holds the old values and why; pages are to be made again."""
    settings = make_settings()
    for number in (1, 2, 4, 5):
        feed(settings, number)
    before = rows(settings)
    with database.transaction(settings) as connection:
        for number in (1, 2, 3, 4, 5):
            database.write_marker(connection, ("report", "", day(number)), Marker("r", 1))
    assert feed(settings, 3) == 3
    after = rows(settings)
    assert after[:2] == before[:2]
    assert [row["days"] for row in after] == [1, 2, 3, 4, 5]
    assert [row["days_missing"] for row in after] == [0] * 5
    history = rows(settings, "posterior_history")
    assert [row.pop("reason") for row in history] == ["1 day came late"] * 2
    assert history == before[2:]
    pages = {("report", "", day(number)): "r" for number in (1, 2, 3, 4, 5)}
    assert database.markers_present(settings, pages) == {("report", "", day(1)), ("report", "", day(2))}


def test_a_restated_day_says_from_what_to_what(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same days with other counts."""
    settings = make_settings()
    feed(settings, 1, (10, 4))
    feed(settings, 2, (10, 4))
    with database.transaction(settings) as connection:
        connection.execute(sa.text("update partitions set revision = 'old' where dataset = 'counts' and day = '2026-11-01'"))
    assert feed(settings, 1, (12, 5)) == 2
    assert [row["reason"] for row in rows(settings, "posterior_history")] == [
        "earlier counts restated: 4 of 10 became 5 of 12",
        "earlier counts restated: 8 of 20 became 9 of 22",
    ]
    assert bits(rows(settings)) != []


def test_a_partial_day_that_was_completed_says_so(make_settings: Callable[..., Settings]) -> None:
    """The days after it were partial by it too, and are no longer."""
    settings = make_settings()
    feed(settings, 1, (10, 4), coverage=0.875, coverage_reason="3 of 24 hours missing")
    feed(settings, 2, (10, 4))
    assert [(row["days_partial"], row["coverage"]) for row in rows(settings)] == [(1, 0.875), (1, 0.9375)]
    with database.transaction(settings) as connection:
        connection.execute(sa.text("update partitions set revision = 'old' where dataset = 'counts' and day = '2026-11-01'"))
    feed(settings, 1, (12, 5))
    assert [(row["days_partial"], row["coverage"]) for row in rows(settings)] == [(0, 1.0), (0, 1.0)]
    assert [row["reason"] for row in rows(settings, "posterior_history")] == [
        "1 day completed: 4 of 10 became 5 of 12",
        "1 day completed: 8 of 20 became 9 of 22",
    ]


def test_a_day_without_current_counts_cannot_be_published(make_settings: Callable[..., Settings]) -> None:
    """Nothing loaded, or loaded by another rule, or before the study's start: MissingData, and nothing is written."""
    settings = make_settings()
    with pytest.raises(MissingData, match="no counts of traffic on 2026-11-03"):
        posterior.update(settings, "traffic", day(3))
    feed(settings, 3)
    other_rule = make_settings(studies=STUDIES.replace("embotellamiento", "atasco"))
    with pytest.raises(MissingData):
        posterior.update(other_rule, "traffic", day(3))
    write_counts(settings, "traffic", dt.date(2026, 10, 31), {KEY: (3, 1)})
    load.counts(settings, "traffic", dt.date(2026, 10, 31))
    with pytest.raises(MissingData, match="starts on 2026-11-01"):
        posterior.update(settings, "traffic", dt.date(2026, 10, 31))
    assert len(rows(settings)) == 1


def test_counts_of_an_old_rule_or_box_are_never_mixed_in(make_settings: Callable[..., Settings]) -> None:
    """After a change, days count again one by one as they are loaded anew; until then they are missing."""
    for change in (
        {"studies": STUDIES.replace("embotellamiento", "atasco")},
        {"areas": AREAS.replace("-99.3650", "-99.3000")},
    ):
        settings = make_settings()
        with database.transaction(settings) as connection:
            connection.execute(sa.text("truncate daily_counts, author_counts, tweet_matches, posteriors, posterior_history, partitions"))
        for number in (1, 2, 3):
            feed(settings, number, (10, 5))
        changed = make_settings(**change)
        assert not posterior.has(changed, "traffic", day(3))
        feed(changed, 3, (4, 1))
        last = rows(changed)[-1]
        assert (last["trials"], last["matches"], last["days"], last["days_missing"]) == (4, 1, 1, 2)
        for number in (1, 2):
            feed(changed, number, (4, 1))
        assert [(row["trials"], row["days_missing"]) for row in rows(changed)] == [(4, 0), (8, 0), (12, 0)]


def test_a_changed_prior_needs_no_new_counts(make_settings: Callable[..., Settings]) -> None:
    """The counts stay loaded; the posterior alone is to be made again, and history says why."""
    settings = make_settings()
    for number in (1, 2):
        feed(settings, number, (10, 5))
    skeptical = make_settings(studies=STUDIES.replace("[water]", "prior = { alpha = 2.0, beta = 8.0 }\n\n[water]"))
    counts = {("counts", "traffic", day(2)): count.revision(skeptical, "traffic", day(2))}
    assert database.markers_present(skeptical, counts) == set(counts)
    assert not posterior.has(skeptical, "traffic", day(2))
    assert posterior.update(skeptical, "traffic", day(2)) == 2
    assert posterior.has(skeptical, "traffic", day(1))
    assert [(row["alpha"], row["beta"]) for row in rows(skeptical)] == [(7.0, 13.0), (12.0, 18.0)]
    assert [row["reason"] for row in rows(skeptical, "posterior_history")] == ["the prior changed"] * 2


def test_only_published_days_and_the_asked_one_get_rows(make_settings: Callable[..., Settings]) -> None:
    """Counts of other days are used, and wait for their own night to be published."""
    settings = make_settings()
    for number in (1, 2, 3):
        write_counts(settings, "traffic", day(number), {KEY: (10, 5)})
        load.counts(settings, "traffic", day(number))
    assert posterior.update(settings, "traffic", day(3)) == 1
    assert [(row["day"], row["trials"]) for row in rows(settings)] == [(day(3), 30)]
    assert not posterior.has(settings, "traffic", day(2))


def test_coverage_is_the_mean_of_what_is_known(make_settings: Callable[..., Settings]) -> None:
    """Unknown days are left out of the mean; none known is null; partial days are counted; made-up days show."""
    settings = make_settings()
    feed(settings, 1, (5, 1), coverage=None, coverage_reason="an archive of unknown gaps", synthetic=False)
    feed(settings, 2, (5, 1), coverage=1.0, synthetic=False)
    feed(settings, 3, (5, 1), coverage=0.5, synthetic=True)
    assert [(row["coverage"], row["days_partial"], row["synthetic"]) for row in rows(settings)] == [
        (None, 0, False),
        (1.0, 0, False),
        (0.75, 1, True),
    ]


def test_studies_do_not_touch_each_other(make_settings: Callable[..., Settings]) -> None:
    """The rows and markers of one are not the other's."""
    settings = make_settings()
    feed(settings, 1, (10, 5))
    feed(settings, 1, (20, 1), study="water")
    assert [row["trials"] for row in rows(settings)] == [10]
    assert [row["trials"] for row in rows(settings, study="water")] == [20]


@pytest.mark.parametrize(
    ("change", "matters"),
    [
        ({"studies": STUDIES.replace("embotellamiento", "atasco")}, True),
        ({"studies": FORGETFUL}, True),
        ({"studies": STUDIES.replace("[water]", "prior = { alpha = 1.5, beta = 1.0 }\n\n[water]")}, True),
        ({"studies": STUDIES.replace("start = 2026-11-01", "start = 2026-11-02", 1)}, True),
        ({"areas": AREAS.replace("-99.3650", "-99.3000")}, True),
        ({"areas": AREAS.replace("America/Mexico_City", "America/Monterrey")}, True),
        ({"areas": AREAS + "largest_place = 2.0\n"}, True),
        ({"areas": AREAS + 'evidence = ["point"]\n'}, True),
        ({"areas": AREAS + 'source = "x"\n'}, True),
        ({"studies": STUDIES.replace("What share speaks of traffic?", "How much traffic?")}, False),
        ({"studies": STUDIES.replace("agua", "lluvia")}, False),
        ({"settings": "[x]\npage_size = 10\n"}, False),
        ({"X_BEARER_TOKEN": "a-token"}, False),
    ],
)
def test_the_version_follows_what_decides_the_posterior_and_nothing_else(
    make_settings: Callable[..., Settings], change: dict[str, str], matters: bool
) -> None:
    """Each significant part of the configuration changes it; the question's words, other studies and the token do not."""
    before = posterior.version(make_settings(database=False), "traffic")
    assert (posterior.version(make_settings(database=False, **change), "traffic") != before) == matters


def test_the_revision_follows_the_days_own_counts_too(make_settings: Callable[..., Settings]) -> None:
    """Counts of another source make a day's posterior incomplete, even with the same prior and rule; each day has its own."""
    sandbox, real = make_settings(database=False), make_settings(database=False, X_BEARER_TOKEN="a-token")
    assert posterior.revision(sandbox, "traffic", day(5)) == posterior.revision(make_settings(database=False), "traffic", day(5))
    assert posterior.revision(sandbox, "traffic", day(5)) != posterior.revision(real, "traffic", day(5))


def test_counts_that_become_stale_while_a_posterior_is_made_do_not_get_its_marker(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The marker names the counts that were read, not those that would be wanted a moment later (an archive just imported)."""
    settings = make_settings()
    write_counts(settings, "traffic", day(5), {KEY: (10, 5)})
    load.counts(settings, "traffic", day(5))
    wanted = count.revision(settings, "traffic", day(5))
    answers = iter([wanted, *["a newer one"] * 20])

    def asked(*given: object) -> str:
        return next(answers)

    with monkeypatch.context() as patch:
        # of one day, or of all days of a study
        patch.setattr(count, "revision", asked)
        patch.setattr(count, "revisions_by_day", lambda *given: asked)
        posterior.update(settings, "traffic", day(5))
        assert not posterior.has(settings, "traffic", day(5))
    assert posterior.has(settings, "traffic", day(5))


def test_the_same_numbers_of_another_revision_need_another_page(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page made between a new version and the night that counts by it calls the numbers stale: it goes, though no number changes."""
    settings = make_settings()
    for number in (1, 2, 3):
        feed(settings, number)
    pages = {("report", "", day(number)): "r" for number in (1, 2, 3)}
    with database.transaction(settings) as connection:
        for key in pages:
            database.write_marker(connection, key, Marker("r", 1))
    assert posterior.update(settings, "traffic", day(2)) == 0
    assert len(database.markers_present(settings, pages)) == 3
    monkeypatch.setattr(count, "CODE_VERSION", count.CODE_VERSION + 1)
    for number in (1, 2, 3):
        write_counts(settings, "traffic", day(number), strangers(day(number), *COUNTS[number]))
        load.counts(settings, "traffic", day(number))
    assert posterior.update(settings, "traffic", day(3)) == 0
    assert not database.markers_present(settings, pages)


def test_an_update_waits_for_another_of_the_same_study(make_settings: Callable[..., Settings]) -> None:
    """While somebody else publishes the study it waits in the database, and then sees what they published; other studies do not wait."""
    settings = make_settings()
    for study in ("traffic", "water"):
        write_counts(settings, study, day(1), {KEY: COUNTS[1]})
        load.counts(settings, study, day(1))
    changed: list[int] = []
    waiting = threading.Thread(target=lambda: changed.append(posterior.update(settings, "traffic", day(1))))
    with database.transaction(settings) as connection:
        database.lock(connection, "study", "traffic")
        waiting.start()
        waits = sa.text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
        while waiting.is_alive() and not connection.execute(waits).scalar_one():
            pass
        assert changed == []
        assert waiting.is_alive()
        assert posterior.update(settings, "water", day(1)) == 1
        assert rows(settings) == []
    waiting.join(timeout=60)
    assert changed == [1]


def test_many_updates_at_once_publish_each_day_once(make_settings: Callable[..., Settings]) -> None:
    """Eight at the same moment, for two days of one study: none fails, and the rows are those of one after the other."""
    settings = make_settings()
    for number in (1, 2):
        write_counts(settings, "traffic", day(number), {KEY: COUNTS[number]})
        load.counts(settings, "traffic", day(number))
    together = threading.Barrier(8)
    changed: list[int] = []

    def update(number: int) -> None:
        together.wait(timeout=60)
        changed.append(posterior.update(settings, "traffic", day(number)))

    threads = [threading.Thread(target=update, args=(1 + number % 2,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(changed) == [0] * 6 + [1, 1]
    assert [row["trials"] for row in rows(settings)] == [COUNTS[1][0], COUNTS[1][0] + COUNTS[2][0]]
    assert rows(settings, "posterior_history") == []


def test_the_reason_tells_of_a_rule_and_of_days_that_left() -> None:
    """Whom a study leaves out is part of its rule; one day `counts`, two `count`."""
    old = dict.fromkeys(estimates.VALUES.names, 0) | {"basis": "tweets", "days": 3, "rule_version": "old", "forget_scores": None}
    left = "the rule, or whom it leaves out, changed"
    assert posterior.reason(old, old | {"rule_version": "new", "days": 2}) == f"{left}; 1 day no longer counts"
    assert posterior.reason(old, old | {"rule_version": "new", "days": 1}) == f"{left}; 2 days no longer count"
