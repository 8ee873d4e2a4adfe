"""The night's digest: what it says and how, that it is the same for the same numbers, and that an alarm is raised once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from pipeline import alarms, database, faults, storage, why
from pipeline.digest import night, words
from pipeline.errors import SourceUnavailable
from pipeline.settings import Settings
from pipeline.stats.attribution import Attribution
from tests.alarm_nights import STUDIES, authors_of, put_nights
from tests.digests import LAST, NIGHTS, NOW, Make, impatient, make, shifted
from tests.test_alarm_nights import steady, verdict_of

# nights in the database: not for the fast loop
pytestmark = pytest.mark.slow

__all__ = ["impatient", "shifted"]


# --- words -------------------------------------------------------------------------------------------------------------------


def test_an_alarm_says_what_where_when_and_why() -> None:
    """In one line: the share, what was expected, which way, by which nights, and the largest part of the reason."""
    day = dt.date(2026, 11, 15)
    verdict = verdict_of(day, subject="mexico-city-traffic", observed=0.081, expected_lower=0.049, expected_upper=0.066)
    why = Attribution(0.055, 0.081, 0.003, 0.019, 0.003, 0.001, 0.0, 0.0)
    line = words.said(verdict, why)
    assert line == "traffic in Mexico City: 8.1 % on Sun 15 Nov, expected 4.9 to 6.6 %; up; mostly other authors (+1.9 of +2.6 points)"
    two = Attribution(0.055, 0.081, 0.012, 0.013, 0.001, 0.0, 0.0, 0.0)
    assert words.said(verdict, two).endswith("mostly other authors (+1.3) and the same authors (+1.2), of +2.6 points")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nights": 3}, "up; the last 3 nights together show it"),
        ({"nights": 0}, "up; twice as far out as any night before"),
        ({"observed": 0.05}, "5.0 % on Sun 15 Nov, expected 4.0 to 6.0 %; up; within that, but rare among its own past nights"),
        ({"calibrated": False, "past": 23}, "only 23 past nights to judge by"),
        ({"synthetic": True}, "[synthetic] traffic in Mexico City"),
        ({"by_x": True}, "not corrected for authors: X names none"),
        ({"seen": 0.6}, "60 % of the day observed"),
        ({"kind": "volume", "subject": "mexico-city", "observed": 1312, "expected_lower": 2020.4, "expected_upper": 2780},
         "Mexico City: 1,312 tweets on Sun 15 Nov, usual 2,020 to 2,780; up"),
        ({"kind": "volume", "observed": 1312, "expected_lower": 2000, "expected_upper": 2780, "by_x": True},
         "traffic in Mexico City: X counted 1,312 tweets on Sun 15 Nov, usual 2,000 to 2,780; up"),
        ({"kind": "coverage", "observed": 0.54, "expected_lower": 0.98, "expected_upper": 1.0, "reason": "X was down", "direction": "down"},
         "Mexico City: 54 % of Sun 15 Nov observed, usual 98 to 100 % (X was down); down"),
        ({"kind": "coverage", "observed": 0.54, "expected_lower": 1.0, "expected_upper": 1.0}, "usual 100 %; up"),
    ],
)  # fmt: skip
def test_every_kind_of_alarm_in_words(changes: dict[str, Any], said: str) -> None:
    """Each has what a person needs to act."""
    assert said in words.said(verdict_of(dt.date(2026, 11, 15), **changes))


@pytest.mark.parametrize(
    ("surprise", "said"), [(0.004, "1 day in 250 is"), (1e-9, "1 day in more than 1,000,000"), (0.0, "more than 1,000,000")]
)
def test_how_surprising_a_day_is_is_no_more_than_it_is(surprise: float, said: str) -> None:
    """As a number of days, as long as that says anything."""
    study = {"study": "traffic", "mean": 0.1, "lower_95": 0.09, "upper_95": 0.11, "trials": 100, "matches": 60, "days_missing": 0}
    study |= {
        "expected_lower_95": 0.05,
        "expected_upper_95": 0.16,
        "surprise": surprise,
        "coverage": 1.0,
        "synthetic": False,
        "basis": "tweets",
    }
    study |= {"own_trials": 100, "own_matches": 60}
    assert said in " ".join("\n".join(words.study_lines(study)).split())


# --- the file ----------------------------------------------------------------------------------------------------------------


def test_a_quiet_night_says_so(shifted: Callable[..., Settings]) -> None:
    """One line a study with share and interval, the promise, and no shift; in 80 columns, and the same for programs."""
    settings = shifted(last=None)
    text = make(settings)
    assert "\nNo shifts\n" in text
    assert "  traffic: 1" in text
    assert "at most: 2 for each study's share" in text
    assert max(map(len, text.splitlines())) <= words.WIDTH
    document = storage.read_json(night.path(settings, LAST).with_name("digest.json"))
    assert (document["day"], document["alarms"], document["synthetic"]) == (LAST.isoformat(), [], False)
    assert [study["study"] for study in document["studies"]] == ["traffic"]
    assert night.has(settings, LAST)


def test_a_shift_is_in_the_file_with_what_is_partial_missing_and_surprising(shifted: Callable[..., Settings]) -> None:
    """Made-up numbers are called so at the top."""
    settings = shifted(synthetic=True)
    with database.transaction(settings) as connection:
        connection.execute(
            sa.text("update daily_counts set coverage = 0.9, coverage_reason = 'X was down' where day = :day"), {"day": LAST}
        )
    text = make(settings)
    assert "SYNTHETIC" in text.splitlines()[2]
    assert "\n1 shift\n  [synthetic] traffic in Mexico City: " in text
    assert "twice as far out as any night before" in " ".join(text.split())
    assert "surprising: 1 day in " in " ".join(text.split())
    with database.transaction(settings) as connection:
        (said,) = why.explain(settings, connection, settings.study("traffic"), LAST).alarms
    assert " ".join(said.split()) in " ".join(text.split())
    assert "partial: 90 % of the day observed: X was down" in text
    assert max(map(len, text.splitlines())) <= words.WIDTH


def test_a_day_with_a_cap_on_authors_is_held_against_what_was_expected_by_what_counts_of_it(make_settings: Make) -> None:
    """The share of the day is that of the page and of the alarm: expected were capped counts."""
    settings = make_settings(studies=STUDIES + "author_cap = 2\n")
    put_nights(settings, "traffic", {day: {"a" * 32: (10, 10), "b" * 32: (2, 0)} for day in NIGHTS[:3]})
    text = " ".join(make(settings, NIGHTS[2]).split())
    assert "the day: 10 of 12 tweets, 50 % of the 4 that the cap on authors leaves; expected" in text


def test_a_study_without_a_number_is_named(make_settings: Make) -> None:
    """And why it has none."""
    settings = make_settings(studies=STUDIES + STUDIES.replace("[traffic]", "[water]"))
    put_nights(settings, "traffic", steady(3))
    assert "water: no number of this day: none is published" in make(settings, NIGHTS[2])
    other = make_settings(studies=STUDIES.replace("tráfico", "choque"))
    assert "traffic: no number of this day: what is published was made by an earlier rule" in " ".join(make(other, NIGHTS[2]).split())


def test_the_same_database_gives_the_same_digest(shifted: Callable[..., Settings]) -> None:
    """To the last byte, whenever it is made; a rerun finds it done."""
    settings = shifted()
    first = make(settings)
    document = night.path(settings, LAST).with_name("digest.json").read_bytes()
    night.path(settings, LAST).unlink()
    assert not night.has(settings, LAST)
    assert make(settings, now=NOW + dt.timedelta(days=3)) == first
    assert night.path(settings, LAST).with_name("digest.json").read_bytes() == document


def test_a_restated_number_makes_it_anew_and_keeps_the_alarm(shifted: Callable[..., Settings]) -> None:
    """The marker goes with the numbers; the alarm stays, with a word that the counts no longer show it."""
    settings = shifted()
    make(settings)
    calm = {day: authors_of(np.random.default_rng(7), 0.12, 40) for day in [LAST]}
    put_nights(settings, "traffic", calm)
    assert not night.has(settings, LAST)
    text = make(settings)
    assert "1 shift" in text
    assert "share of traffic: the counts as they are now no longer show this shift" in text
    assert night.has(settings, LAST)


def test_numbers_that_change_meanwhile_are_judged_again(shifted: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run restates the night between judging and writing: the digest is of the new numbers, or not marked as made."""
    settings = shifted(last=None)
    shares: Iterator[float | None] = iter(())

    def meanwhile(name: str) -> None:
        if name == "digest.alarms" and (share := next(shares, None)) is not None:
            put_nights(settings, "traffic", {LAST: authors_of(np.random.default_rng(7), share, 40)})

    monkeypatch.setattr(faults, "point", meanwhile)
    shares = iter((0.6,))
    assert "1 shift" in make(settings)
    assert night.has(settings, LAST)
    shares = iter((0.12, 0.13, 0.14))
    with pytest.raises(SourceUnavailable, match="changed three times"):
        make(settings)
    assert not night.has(settings, LAST)


def test_pages_from_the_day_of_a_new_alarm_on_are_made_anew(shifted: Callable[..., Settings]) -> None:
    """They show it; earlier ones stand, and a rerun, which finds nothing new, takes none away."""
    settings = shifted()
    pages = {("report", "", LAST + dt.timedelta(days=number)): "r" for number in (-1, 0, 1)}
    found = []
    for _ in range(2):
        with database.transaction(settings) as connection:
            for key in pages:
                database.write_marker(connection, key, database.Marker("r", 1))
        make(settings)
        found.append({key[2] for key in database.markers_present(settings, pages)})
    assert found == [{LAST - dt.timedelta(days=1)}, {key[2] for key in pages}]


def test_a_lasting_shift_is_one_alarm(shifted: Callable[..., Settings]) -> None:
    """The nights after it raise none; where it still shows they say so."""
    settings = shifted()
    make(settings)
    later = [LAST + dt.timedelta(days=number) for number in (1, 2)]
    chance = np.random.default_rng(8)
    put_nights(settings, "traffic", {day: authors_of(chance, 0.6, 40) for day in later})
    first, second = (make(settings, day) for day in later)
    assert "No shifts" in first
    assert "No shifts" in second
    assert "share of traffic is still out of the ordinary (up)" in second


def test_an_episode_that_a_late_day_moves_is_not_raised_again(shifted: Callable[..., Settings]) -> None:
    """The night of the day before comes late, with the same shift: the digest says that it is the same."""
    settings = shifted()
    make(settings)
    put_nights(settings, "traffic", {NIGHTS[-2]: authors_of(np.random.default_rng(9), 0.6, 40)})
    text = make(settings, NIGHTS[-2])
    assert "No shifts" in text
    assert "share of traffic up: the same shift as on Fri 30 Jan" in text
    with database.transaction(settings) as connection:
        assert [row["day"] for row in alarms.kept(connection, NIGHTS[0], LAST)] == [LAST]
