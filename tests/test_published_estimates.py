"""The three estimates in the database: what is published, what is made again when the method changes, and nothing more than that."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline import count, database, estimates, load, migrations, posterior
from pipeline.settings import Settings
from pipeline.stats import forgetting
from tests.conftest import STUDIES
from tests.partitions import write_counts
from tests.test_posterior import FORGETFUL, KEY, day, feed, rows

# nights in the database: not for the fast loop
pytestmark = pytest.mark.slow


def test_rows_of_before_there_were_three_estimates_are_restated(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    """A database of the migration before: its naive rows are kept in history, and why they changed; the columns they lacked are null."""
    older = Path(shutil.copytree(migrations.SQL, tmp_path / "sql"))
    shutil.rmtree(older / "views")
    (older / "migrations" / "0003_estimates_and_alarms.sql").unlink()
    settings = make_settings()
    engine = sa.create_engine(str(settings.database_url.get_secret_value()).replace("postgresql:", "postgresql+psycopg2:"))  # type: ignore[union-attr]
    with engine.begin() as connection:
        connection.exec_driver_sql("drop schema public cascade; create schema public")
    migrations.apply(engine, older)
    rule = count.rule_version(settings, settings.study("traffic"))
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "insert into posteriors (study, day, alpha, beta, mean, lower_50, upper_50, lower_95, upper_95, hdi_lower_50, hdi_upper_50,"
            " hdi_lower_95, hdi_upper_95, prior_alpha, prior_beta, forget, trials, matches, days, days_missing, days_partial, coverage,"
            " synthetic, basis, days_sampled, rule_version, revision) values ('traffic', '2026-11-01', 21, 6, 0.7778, 0.7, 0.8, 0.6, 0.9,"
            f" 0.7, 0.8, 0.6, 0.9, 1, 1, 1, 25, 20, 1, 0, 0, 1, true, 'tweets', 0, '{rule}', 'old');"
            " insert into partitions (dataset, name, day, revision, rows) values ('posteriors', 'traffic', '2026-11-01', 'old', 1)"
        )
    engine.dispose()
    write_counts(settings, "traffic", day(1), {KEY: (20, 20), "1" * 32: (5, 0)})
    load.counts(settings, "traffic", day(1))
    assert not posterior.has(settings, "traffic", day(1))
    assert posterior.update(settings, "traffic", day(1)) == 1
    (row,), (before,) = rows(settings), rows(settings, "posterior_history")
    assert before["reason"] == "now corrected for authors who tweet a lot"
    assert (before["alpha"], before["design_effect"], before["naive_alpha"], before["surprise"]) == (21, None, None, None)
    assert row["alpha"] < 21
    assert (row["naive_alpha"], row["naive_beta"]) == (21, 6)
    assert posterior.update(settings, "traffic", day(1)) == 0


def test_one_author_is_one_author_on_however_many_days(make_settings: Callable[..., Settings]) -> None:
    """The headline is corrected for who comes back; both estimates and what they rest on stand in the row."""
    settings = make_settings()
    for number in (1, 2, 3):
        crowd = {f"{100 * number + i:032x}": (1, i % 2) for i in range(20)}
        write_counts(settings, "traffic", day(number), {KEY: (20, 20)} | crowd)
        load.counts(settings, "traffic", day(number))
        posterior.update(settings, "traffic", day(number))
    first, _, last = rows(settings)
    assert (last["naive_alpha"], last["naive_beta"]) == (1 + 3 * 30, 1 + 3 * 10)
    assert last["design_effect"] > 2 * first["design_effect"] > 4
    assert last["alpha"] == 1 + last["effective_matches"]
    assert last["effective_matches"] == 90 / last["design_effect"]
    assert (last["authors"], last["per_author_votes"]) == (61, 61)
    assert last["without_top"] == 0.5


def test_a_window_forgets_the_days_before_it(make_settings: Callable[..., Settings]) -> None:
    """A late day changes the rows whose window holds it, or whose surprise rests on it; the others stand, and are marked anew."""
    settings = make_settings(studies=STUDIES.replace("[water]", "window = 2\n\n[water]"))
    for number in (1, 3, 4, 5, 6):
        feed(settings, number, (10, number))
    before = rows(settings)
    assert [row["trials"] for row in before] == [10, 10, 20, 20, 20]
    assert [row["days_missing"] for row in before] == [0, 1, 0, 0, 0]
    feed(settings, 2, (30, 20))
    after = rows(settings)
    assert [row["trials"] for row in after] == [10, 40, 40, 20, 20, 20]
    # the window of the 4th begins with the 3rd, but its surprise is judged by the evening of the 3rd
    assert [row["day"] for row in rows(settings, "posterior_history")] == [day(3), day(4)]
    assert before[2]["alpha"] == after[3]["alpha"]
    assert before[2]["surprise"] != after[3]["surprise"]
    assert before[3:] == after[4:]
    assert all(posterior.has(settings, "traffic", day(number)) for number in range(1, 7))


def test_a_cap_on_authors_can_be_set_later(make_settings: Callable[..., Settings]) -> None:
    """The counts stay loaded; the posterior alone is made again, and history says why."""
    settings = make_settings()
    write_counts(settings, "traffic", day(1), {KEY: (20, 20), "1" * 32: (5, 0)})
    load.counts(settings, "traffic", day(1))
    posterior.update(settings, "traffic", day(1))
    capped = make_settings(studies=STUDIES.replace("[water]", "author_cap = 2\n\n[water]"))
    assert not posterior.has(capped, "traffic", day(1))
    assert posterior.update(capped, "traffic", day(1)) == 1
    (row,) = rows(capped)
    assert (row["author_cap"], row["trials"], row["mean"], row["next_trials"]) == (2, 25, 0.5, 4)
    assert [row["reason"] for row in rows(capped, "posterior_history")] == ["the forgetting or the cap on authors changed"]


def test_forgetting_by_itself_keeps_its_scores(make_settings: Callable[..., Settings]) -> None:
    """What it chose and from what stands in the row; set by hand instead, history says so."""
    settings = make_settings(studies=STUDIES.replace("[water]", 'forget = "auto"\n\n[water]'))
    for number in (1, 2):
        feed(settings, number, (20, 4))
    last = rows(settings)[-1]
    assert last["forget"] == 1
    assert len(json.loads(last["forget_scores"])) == len(forgetting.CANDIDATES)
    by_hand = make_settings(studies=FORGETFUL)
    assert posterior.update(by_hand, "traffic", day(2)) == 2
    assert [(row["forget"], row["forget_scores"]) for row in rows(by_hand)] == [(0.93, None)] * 2
    assert [row["reason"] for row in rows(by_hand, "posterior_history")] == ["the forgetting or the cap on authors changed"] * 2


def test_a_purge_of_counts_without_files_is_noticed(make_settings: Callable[..., Settings]) -> None:
    """Their marker stays as it was, and the numbers do not: the rows from that day on are made again, the earlier ones not."""
    settings = make_settings()
    for number in (1, 2, 3):
        feed(settings, number, (10, 4))
    with database.transaction(settings) as connection:
        connection.execute(
            sa.text(
                "delete from author_counts where day = '2026-11-02' and author_key = (select max(author_key) from author_counts"
                " where day = '2026-11-02')"
            )
        )
        connection.execute(sa.text("update daily_counts set trials = 9 where day = '2026-11-02'"))
    assert posterior.update(settings, "traffic", day(2), why="1 tweet was deleted") == 2
    assert [row["trials"] for row in rows(settings)] == [10, 19, 29]
    assert [row["reason"] for row in rows(settings, "posterior_history")] == [
        "1 tweet was deleted; earlier counts restated: 8 of 20 became 8 of 19",
        "1 tweet was deleted; earlier counts restated: 12 of 30 became 12 of 29",
    ]


def test_a_night_computes_only_what_changed(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """A new day is one row; a rerun none; a late day those after it."""
    settings = make_settings()
    asked: list[list[dt.date]] = []
    compute = estimates.rows

    def noted(*given: Any, **named: Any) -> Any:
        asked.append(list(given[2]))
        return compute(*given, **named)

    monkeypatch.setattr(estimates, "rows", noted)
    for number in (1, 3, 4):
        feed(settings, number)
    posterior.update(settings, "traffic", day(3))
    feed(settings, 2)
    assert asked == [[day(1)], [day(3)], [day(4)], [day(2), day(3), day(4)]]
