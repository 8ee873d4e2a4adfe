"""The table of the terminal: the newest shares, and beside made-up ones the truth they were made from."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pytest
from rich.cells import cell_len

from pipeline.report import table
from pipeline.sandbox import city
from pipeline.settings import Settings
from pipeline.study import Exclude
from tests.report_days import LAST, SMALL, days_up_to, made_days, run_stages, study_days

ROW = table.Row("traffic", "What share?", LAST, 0.123, 0.1, 0.15, 1234, 152, 14, 0, False, None, True, worth="411")


def shown(*rows: table.Row, width: int = 140) -> str:
    """The table as text."""
    return "\n".join(table.lines(rows, width))


def test_a_row_has_share_interval_counts_and_days() -> None:
    """With as many decimals as the interval's width deserves."""
    line = shown(ROW).splitlines()[1]
    assert re.split(r"\s{2,}", line.strip()) == ["traffic", "What share?", "12.3 %", "10.0 to 15.0 %", "1,234", "411", "152", "14"]


def test_columns_of_the_sandbox_appear_only_with_made_up_rows() -> None:
    """A table of real tweets does not mention it."""
    assert "truth" not in shown(ROW)
    assert "synthetic" not in shown(ROW)
    made_up = table.Row(**{**ROW.__dict__, "synthetic": True, "truth": 0.1199})
    assert re.search(r"12\.0 %\s+synthetic", shown(made_up))
    assert "What share? (synthetic)" in shown(made_up, ROW, width=60)


def test_missing_days_stale_numbers_and_no_number_are_said() -> None:
    """None of them looks like a whole, current result."""
    assert "14/16" in shown(table.Row(**{**ROW.__dict__, "missing": 2}))
    assert "(stale)" in shown(table.Row(**{**ROW.__dict__, "current": False}))
    assert "no number yet" in shown(table.Row(**{**ROW.__dict__, "mean": None, "lower": None, "upper": None}))


def test_a_sample_and_partial_days_are_said() -> None:
    """Beside the numbers, or above them where it is narrow; below them with share, hours and reason."""
    days = ("22 Nov 2026: 88 % observed, missing 08:00 to 11:00 (X did not answer)", "and 2 more days")
    row = table.Row(**{**ROW.__dict__, "basis": "sample", "partial": days})
    assert re.search(r"152\s+14\s+a sample, partial$", shown(row).splitlines()[1])
    assert "What share? (a sample, partial)" in shown(row, width=60)
    assert "  traffic, 22 Nov 2026: 88 % observed, missing 08:00 to 11:00 (X did not answer)" in shown(row).splitlines()
    for word in ("sample", "partial"):
        assert word not in shown(ROW)


def test_what_x_counted_is_said() -> None:
    """Beside the numbers, or above them where it is narrow; below them by whose rules."""
    row = table.Row(**{**ROW.__dict__, "basis": "counts"})
    assert re.search(r"152\s+14\s+counted by X$", shown(row).splitlines()[1])
    assert "What share? (counted by X)" in shown(row, ROW, width=60)
    assert (
        "counted by X, by its own matching rules; not corrected for authors: X names none; no tweet is stored." in shown(row).splitlines()
    )
    assert "by X" not in shown(ROW)


def test_what_makes_a_number_less_sure_and_what_shifted_stands_below() -> None:
    """Flags by study; shifts the newest first, an area's once; beside the number that it shifted tonight."""
    shared = (LAST - timedelta(days=1), "mexico city: 300 tweets on Sat 21 Nov; down")
    own = (LAST, "traffic in mexico city: 12.3 % on Sun 22 Nov; up")
    row = table.Row(**{**ROW.__dict__, "flags": ("One author makes 41 % of it.",), "shift": "up", "shifts": (own, shared)})
    other = table.Row(**{**ROW.__dict__, "study": "water", "shifts": (shared,)})
    found = shown(other, row).splitlines()
    assert found[-3:] == ["traffic: One author makes 41 % of it.", f"shift: {own[1]}", f"shift: {shared[1]}"]
    assert re.search(r"152\s+14\s+shift up$", found[2])
    many = tuple((LAST - timedelta(days=number), f"number {number}") for number in range(8))
    assert shown(table.Row(**{**ROW.__dict__, "shifts": many})).splitlines()[-2:] == [
        "shift: number 4",
        "and 3 more shifts in the last 14 nights",
    ]
    assert "shift" not in shown(ROW)


def test_the_sample_studies_fit_eighty_columns() -> None:
    """Their questions move into lines of their own, and no number is cut."""
    question = "What share of Mexico City's tweets speaks of water shortage?"
    changes = {"study": "mexico-city-traffic", "question": question, "missing": 8, "synthetic": True, "truth": 0.0123}
    changes |= {"trials": 14199, "worth": "10,411", "matches": 1262}
    row = table.Row(**{**ROW.__dict__, **changes})
    for width in (80, 100, 120, 200):
        found = shown(row, width=width).splitlines()
        assert max(map(len, found)) <= width
        assert (found[1].startswith(question)) == (width < 140)
        assert re.search(r"12\.3 %\s+10\.0 to 15\.0 %\s+14,199\s+10,411\s+1,262\s+14/22\s+1\.2 %", "\n".join(found))


def test_columns_stand_under_their_headings() -> None:
    """Also with wide characters in a question."""
    first, second = shown(table.Row(**{**ROW.__dict__, "question": "東京?"}), ROW).splitlines()[1:3]
    assert cell_len(first) == cell_len(second)


def test_a_question_with_marks_of_rich_is_shown_as_it_is() -> None:
    """[bold] in a question is text."""
    assert "[bold]how[/bold] many?" in shown(table.Row(**{**ROW.__dict__, "question": "[bold]how[/bold] many?"}))


def test_the_truth_weighs_days_as_the_posterior_does(make_settings: Callable[..., Settings]) -> None:
    """By their trials, and by forgetting; missing days weigh nothing; real days have none."""
    settings = make_settings(database=False)
    study = settings.study("traffic").model_copy(update={"forget": 0.8})
    days = made_days(3, missing=[1])
    assert table.truth(settings, study, study_days(days)) is None
    single = {day: _single(settings, day) for day in days_up_to(LAST, 3)}
    weights = days["trials"].to_numpy()[[0, 2]] * [0.8**2, 1.0]
    expected = np.average([single[LAST - timedelta(days=2)], single[LAST]], weights=weights)
    assert table.truth(settings, study, study_days(days, synthetic=True)) == pytest.approx(expected, rel=1e-12)


def test_the_truth_of_a_study_that_leaves_robots_out_is_that_of_people(make_settings: Callable[..., Settings]) -> None:
    """By their client, whatever its capitals; of one that leaves out authors there is none."""
    settings = make_settings(settings="[sandbox]\nbots = 0.4\n", database=False)
    people = make_settings(database=False)
    known = study_days(made_days(1), synthetic=True)
    study = settings.study("traffic")
    without = study.model_copy(update={"exclude": Exclude(clients=("made-up BOT",))})
    assert table.truth(settings, without, known) == pytest.approx(table.truth(people, study, known), rel=1e-12)
    assert table.truth(settings, study, known) != pytest.approx(table.truth(people, study, known), rel=0.01)
    assert table.truth(settings, study.model_copy(update={"exclude": Exclude(authors=("783214",))}), known) is None


def _single(settings: Settings, day: date) -> float:
    """One day's true share by another way: the words looked for in each text."""
    words = re.compile(r"(?<!\w)(trafico|embotellamiento)(?!\w)")
    plain = str.maketrans("áéíóú", "aeiou")
    return city.true_share(settings, "mexico-city", day, lambda text: bool(words.search(text.lower().translate(plain))))


@pytest.mark.slow
def test_rows_come_from_the_database(make_settings: Callable[..., Settings]) -> None:
    """n and k are the sums of the days; the sandbox's truth is a plausible share; a changed rule makes the rows stale."""
    settings = make_settings(settings=SMALL)
    run_stages(settings, days_up_to(LAST, 2))
    rows = {row.study: row for row in table.rows(settings, LAST)}
    assert set(rows) == {"traffic", "water"}
    row = rows["traffic"]
    assert (row.day, row.days, row.missing, row.synthetic, row.current) == (LAST, 2, 20, True, True)
    assert row.trials == rows["water"].trials > 50
    assert row.truth is not None
    assert 0.01 < row.truth < 0.5
    worth = int(row.worth.replace(",", ""))
    assert 20 < worth <= row.trials
    # the share of as many independent tweets, drawn a little to the prior
    assert row.mean == pytest.approx((worth * row.matches / row.trials + 1) / (worth + 2), abs=0.5 / worth)
    changed = settings.study("traffic").model_copy(update={"match": {"words": ["metro"]}})
    after = table.rows(settings.model_copy(update={"studies": {"traffic": changed}}), LAST)
    assert [(row.current, row.missing) for row in after] == [(False, 20)]
    assert [row.study for row in table.rows(settings, settings.study("water").start - timedelta(days=1))] == []
