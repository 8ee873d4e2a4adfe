"""What a number rests on: authors, prior, forgetting, expectation, shifts; in the words that page, table and status share."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline import database, load, posterior
from pipeline.report import data, grounds, page, table
from pipeline.settings import Settings
from pipeline.study import Study
from tests.cards import EVIL, a_card, a_study, rendered, seen
from tests.conftest import STUDIES
from tests.partitions import write_counts
from tests.report_days import LAST, made_days, study_days

NARROW = "the interval rests on one person, and may be too narrow"
DAYS = made_days(14)


def latest(**changes: Any) -> dict[str, Any]:
    """A posterior row of made-up days, one column spoiled a test."""
    row = study_days(DAYS, **changes).latest
    assert row is not None
    return row


def plain(text: str) -> str:
    """With blanks that may break."""
    return text.replace("\xa0", " ")


def test_three_estimates_are_labelled_and_the_large_one_is_the_clustered() -> None:
    """Each with its question; the headline's share is the large one, and is said to be corrected."""
    made = a_card()
    shown, text = seen(made), rendered(made)
    assert "The same tweets, read in three ways" in shown
    assert re.search(r"Clustered corrected for authors who tweet a lot [\d.]+ % [\d.]+ to [\d.]+ % worth [\d,]+ independent tweets", shown)
    assert re.search(r"Naive as if all tweets were independent [\d.]+ % [\d.]+ to [\d.]+ % [\d,]+ tweets", shown)
    assert "Per author share of authors, one vote each: another question 7.1 % 6.0 to 8.3 % 1,234 votes" in shown
    assert "As of Sunday 22 November 2026, corrected for authors who tweet a lot" in shown
    large = re.search(r'<p class="share">(.*?)</p>', text)
    headline = re.search(r'<tr class="headline"><th scope="row">(\w+) .*?<td class="number">(.*?)</td>', text)
    assert large is not None
    assert headline is not None
    assert (headline[1], headline[2]) == ("Clustered", large[1])


def test_where_x_counted_nothing_claims_to_be_corrected_for_authors() -> None:
    """Neither the large number, nor an estimate, nor a fact; all say why not."""
    made = a_card(DAYS.assign(basis="counts", authors=float("nan")), study=a_study(mode="counts"))
    assert [(each.name, each.headline) for each in made.estimates] == [("Naive", True)]
    shown = seen(made)
    assert "As of Sunday 22 November 2026, not corrected for authors: X names none" in shown
    assert "Counted by X, by its own matching rules; not corrected for authors: X names none." in shown
    assert "corrected for authors who" not in shown
    assert "Per author" not in shown
    assert "independent ones" not in shown


def test_one_author_who_makes_too_much_of_the_uncertainty_is_flagged() -> None:
    """From 0.3 on, with how much, and what the share would be without; on the page and in words for the terminal."""
    assert grounds.flags(latest(top_influence=0.29)) == []
    (flag,) = grounds.flags(latest(top_influence=0.31, without_top=0.0812))
    assert plain(flag) == f"One author makes 31 % of the uncertainty: {NARROW}. Without that author the share would be 8.1 %."
    assert NARROW in seen(a_card(top_influence=0.31))
    assert NARROW not in seen(a_card(top_influence=0.29))
    assert grounds.warnings([("traffic", [flag], ())]) == [f"traffic: {flag}"]


def test_a_correction_that_is_mostly_borrowed_is_flagged() -> None:
    """Most is more than half."""
    assert grounds.flags(latest(borrowed=0.5)) == []
    assert "62 % of the correction for authors is borrowed" in seen(a_card(borrowed=0.62))


def test_what_the_tweets_of_the_authors_are_worth_is_said_in_plain_words() -> None:
    """With what forgetting and a cap leave of them; and how much hangs on the busiest."""
    plainly = dict(grounds.authors(latest(trials=1234, authors=456, effective_trials=310.0, design_effect=1234 / 310)))
    assert plainly["Authors"] == "1,234 tweets of 456 authors are worth 310 independent ones (design effect 3.98)"
    assert "the 5 busiest wrote 12 %; without the one who moves it most (10 % of the uncertainty)" in plain(plainly["Busiest authors"])
    faded = dict(grounds.authors(latest(trials=1234, authors=456, effective_trials=100.0, design_effect=2.0, forget=0.9, author_cap=5)))
    assert faded["Authors"].endswith("(after forgetting and the cap on authors 200 weigh, design effect 2.00)")
    assert "Busiest authors" not in dict(grounds.authors(latest(authors=4)))
    before = grounds.authors(latest(design_effect=None, naive_mean=None))
    assert before == [("Authors", "not corrected for authors: it was made before geobeta could")]
    assert grounds.uncorrected(latest(design_effect=None)) == "not corrected for authors: its source names none"


@pytest.mark.parametrize(
    ("said", "row", "wanted"),
    [
        ({"alpha": 2.0, "beta": 8.0}, {}, "alpha 2, beta 8: Beta(2, 8)"),
        ({"mean": 0.05, "strength": 40.0}, {}, "5 % expected, worth 40 tweets: Beta(2, 38)"),
        ({"lower": 0.01, "upper": 0.05}, {}, "90 % sure: 1 % to 5 %: Beta(4.4"),
        ({"pool": "roads"}, {"prior_areas": 5}, "learnt from 5 other areas of the pool roads: Beta("),
        ({"pool": "roads"}, {"prior_areas": 0}, "learnt from the pool roads; until that says something, alpha 1, beta 1: Beta(1, 1)"),
    ],
)
def test_the_prior_is_told_as_it_was_said_with_its_parameters(said: dict[str, Any], row: dict[str, Any], wanted: str) -> None:
    """And where it is learnt, from how many areas."""
    study = a_study(prior=said)
    own = {"prior_alpha": study.prior.parameters.alpha, "prior_beta": study.prior.parameters.beta}
    assert grounds.prior(study, latest(**own, **row), current=True).startswith(wanted)
    assert grounds.prior(study, latest(**own, **row), current=False).endswith("when this number was made")


def test_the_prior_is_drawn_beside_the_posterior() -> None:
    """A picture of its own, with words for those who do not see it."""
    text = rendered(a_card(prior_alpha=2.0, prior_beta=38.0))
    assert "Believed before the first tweet, and now" in text
    assert "before: alpha 1, beta 1: Beta(2, 38)" in text
    assert 'aria-label="What was believed before the first tweet (alpha 1, beta 1: Beta(2, 38)), and what is now."' in text


@pytest.mark.parametrize(
    ("study", "row", "wanted"),
    [
        ({}, {}, "none: all days count alike"),
        ({"forget": 0.97}, {"forget": 0.97}, "each day keeps 0.97 of the weight of the day after it"),
        ({"window": 28}, {"window_days": 28}, "only the last 28 days count"),
        ({"forget": 0.9, "window": 7}, {"forget": 0.9, "window_days": 7}, "only the last 7 days count, each day keeps 0.9 of the weight"),
        ({"forget": "auto"}, {"forget": 0.97, "forget_scores": {"1": -70.5, "0.97": -64.4}}, "score 6.1 above those of forgetting nothing"),
        (
            {"forget": "auto"},
            {"forget": 1.0, "forget_scores": {"1": -70.5, "0.97": -69.3, "0.9": -80.0}},
            "forgets nothing: 0.97 predicts the days so far better, by a score of 1.2, but 3.7 would be needed",
        ),
        (
            {"forget": "auto"},
            {"forget": 1.0, "forget_scores": {"1": -70.5, "0.97": -70.6}},
            "forgets nothing: no other choice predicted the days so far better",
        ),
    ],
)
def test_forgetting_is_told_as_it_is_set_or_was_chosen(study: dict[str, Any], row: dict[str, Any], wanted: str) -> None:
    """With the score that chose it, against that of forgetting nothing."""
    scores = row.get("forget_scores")
    given = row | {"forget_scores": None if scores is None else json.dumps(scores)}
    found = grounds.forgets(a_study(**study), latest(**given))
    assert wanted in found
    assert ('"auto"' in found) is (study.get("forget") == "auto")


def test_whom_a_study_leaves_out_is_told_by_numbers_never_by_id() -> None:
    """So many tweets of so many authors; clients by their name; the cap. Nothing of it where nothing is left out."""
    study = a_study(exclude={"authors": ["783214", "a" * 32], "clients": ["TweetMyJOBS"]}, author_cap=3)
    made = a_card(DAYS.assign(excluded=2.0), study=study)
    facts = dict(made.facts)
    assert facts["Left out"] == "28 tweets of 2 excluded authors and the excluded client TweetMyJOBS"
    assert facts["Author cap"] == "of one author and day at most 3 tweets count"
    assert not re.search(r"783214|a{32}", rendered(made))
    assert grounds.left_out(a_study(), DAYS) == []


def test_a_day_is_told_beside_what_was_expected_of_it_and_the_next_one_too() -> None:
    """Inside no more than that, for an alarm judges by other nights; outside with how often that comes."""
    usual = {"own": 0.0812, "own_trials": 580.0, "expected_lower_95": 0.061, "expected_upper_95": 0.099, "surprise": 0.4, "outside": False}
    assert plain(grounds.of_day(usual, None)) == "8.1 % of 580 tweets; the days before led to expect 6.1 to 9.9 %: within that"
    rare = usual | {"own": 0.12, "surprise": 1 / 85, "outside": True}
    assert grounds.of_day(rare, 3).endswith(": outside; a day so far out comes about once in 85 days")
    assert "580 tweets (at most 3 of an author)" in grounds.of_day(rare, 3)
    assert grounds.of_day(rare | {"surprise": 1e-9}, None).endswith("less than once in ten years")
    assert grounds.of_day(usual | {"expected_lower_95": None}, None) == ""
    assert plain(grounds.next_day(latest())) == "7.4 to 12.6 % if it has about 500 tweets, with a probability of 95 %"
    assert grounds.next_day(latest(next_trials=0)) == ""


def test_days_outside_what_was_expected_are_marked_in_picture_key_and_table() -> None:
    """And the key explains the mark only where there is one."""
    days = DAYS.assign(outside=False)
    assert "outside" not in seen(a_card(days))
    days.loc[5, "outside"] = True
    text = rendered(a_card(days))
    assert text.count("<td>outside what was expected</td>") == 1
    assert 'class="key diamond"' in text


@pytest.mark.slow
def test_shifts_of_the_night_stand_out_and_older_ones_are_listed() -> None:
    """The study's own at its number and in the overview, its area's once on top of the page; made-up ones say so."""
    own = {"said": "traffic in mexico city: 12.3 % on Sun 22 Nov; up"}
    ours = {
        "kind": "volume",
        "subject": "mexico-city",
        "said": "[synthetic] mexico city: 300 tweets on Sun 22 Nov; down",
        "synthetic": True,
    }
    old = {"day": LAST - timedelta(days=5), "said": "traffic in mexico city: 1 % on Tue 17 Nov; down", "synthetic": True}
    made = a_card(alarms=[own, ours, old])
    text = rendered(made, a_card(study=a_study(name="water"), alarms=[ours]))
    assert text.count('<li class="shift">Shift: [synthetic] mexico city: 300 tweets on Sun 22 Nov; down.</li>') == 1
    assert text.count('<li class="shift">Shift: traffic in mexico city: 12.3 % on Sun 22 Nov; up.</li>') == 1
    assert text.count('<span class="tag shift">shift up</span>') == 2
    told = dict(made.facts)["Shifts in the last 14 nights"].splitlines()
    assert told == [own["said"], ours["said"], f"{old['said']} (synthetic)"]
    assert dict(a_card().facts)["Shifts in the last 14 nights"] == "none found"
    assert "not looked for" in dict(a_card(study=a_study(alarms=False)).facts)["Shifts in the last 14 nights"]


def test_whatever_an_alarm_or_a_client_says_is_text() -> None:
    """Markup in either is shown, not obeyed."""
    study = a_study(exclude={"clients": [EVIL]})
    made = a_card(study=study, alarms=[{"said": EVIL}, {"said": EVIL, "subject": "mexico-city"}])
    assert "<script>" not in rendered(made)
    # the client, the study's own alarm above and in the list, the area's on top and in the list
    assert seen(made).count("alert(1)") == 5


def test_days_before_the_window_are_neither_missing_nor_partial() -> None:
    """They do not weigh, so the number lacks nothing by them."""
    days = made_days(14, missing=[2, 10], partial=[3])
    shown = seen(a_card(days, study=a_study(window=7), window_days=7))
    assert "1 day missing and not part of the number: 19 Nov 2026." in shown
    assert "only partly observed" not in shown


# --- from the database -------------------------------------------------------------------------------------------------------


def loaded(settings: Settings, day: date, authors: dict[str | None, tuple[int, int]], study: str = "traffic") -> None:
    """One day's counts by author, and the posterior from them."""
    write_counts(settings, study, day, authors)
    load.counts(settings, study, day)
    posterior.update(settings, study, day)


def known_of(settings: Settings, study: Study) -> data.StudyDays:
    """Its days as the page reads them."""
    with database.transaction(settings) as connection:
        snapshot = data.read(connection, [study.name], LAST)
    return table.days_of(settings, study, LAST, snapshot)


@pytest.mark.slow
def test_rows_of_before_version_2_still_give_a_page_and_a_table(make_settings: Callable[..., Settings]) -> None:
    """Their new columns are null: the page says that they are not corrected for authors and stale, and draws what there is."""
    settings = make_settings()
    loaded(settings, LAST, {"0" * 32: (8, 1), "1" * 32: (4, 0)})
    kept = {
        "study",
        "day",
        "alpha",
        "beta",
        "mean",
        "prior_alpha",
        "prior_beta",
        "forget",
        "coverage",
        "synthetic",
        "basis",
        "days_sampled",
    }
    kept |= {"trials", "matches", "days", "days_missing", "days_partial", "rule_version", "revision", "published_at", "run_id"}
    with database.transaction(settings) as connection:
        columns = connection.execute(
            sa.text("select column_name from information_schema.columns where table_name = 'posteriors'")
        ).scalars()
        new = [name for name in columns if name not in kept and not re.fullmatch(r"(hdi_)?(lower|upper)_\d\d", name)]
        connection.execute(sa.text("update posteriors set " + ", ".join(f"{name} = null" for name in new)))
        connection.execute(sa.text("update partitions set revision = 'older' where dataset = 'posteriors'"))
        connection.execute(sa.text("update daily_counts set excluded = null"))
    assert len(new) > 20
    shown = plain(page.build(settings, LAST).read_text("utf-8"))
    assert "not corrected for authors: it was made before geobeta could" in shown
    assert "Run the night again" in shown
    assert ">Clustered" not in shown
    (row, _) = table.rows(settings, LAST)
    assert (row.worth, row.flags, row.current) == ("–", (), False)


def test_a_capped_study_s_days_are_held_against_counts_with_the_cap(make_settings: Callable[..., Settings]) -> None:
    """What was expected is of capped counts, so the day's own share is too; tweets without an author have none to be capped by."""
    settings = make_settings(studies=STUDIES.replace("[water]", "author_cap = 2\n\n[water]", 1))
    loaded(settings, LAST, {"0" * 32: (40, 40), "1" * 32: (1, 0), None: (3, 0)})
    day = known_of(settings, settings.study("traffic")).days.iloc[-1]
    assert (day["trials"], day["matches"]) == (44, 40)
    assert (day["own_trials"], day["own"]) == (6, pytest.approx(2 / 6))
    loaded(settings, LAST, {"0" * 32: (40, 40), "1" * 32: (1, 0), None: (3, 0)}, "water")
    day = known_of(settings, settings.study("water")).days.iloc[-1]
    assert (day["own_trials"], day["own"]) == (44, pytest.approx(40 / 44))


def test_alarms_are_read_of_the_studies_and_their_areas_for_fourteen_nights(make_settings: Callable[..., Settings]) -> None:
    """And a page made before one came is not taken for one that shows it."""
    settings = make_settings()
    loaded(settings, LAST, {"0" * 32: (8, 1)})
    before = known_of(settings, settings.study("traffic")).alarms
    insert = sa.text(
        "insert into alarms (kind, subject, day, area, direction, score, threshold, per_year, nights, past, calibrated, said, synthetic)"
        " values (:kind, :subject, :day, :area, 'up', 3, 2.9, 2, 1, 90, true, :said, false)"
    )
    told = [
        ("share", "traffic", 0, "mexico-city", "own"),
        ("share", "traffic", 13, "mexico-city", "a fortnight's first"),
        ("share", "traffic", 14, "mexico-city", "too old"),
        ("volume", "mexico-city", 1, "mexico-city", "the area's"),
        ("share", "water", 0, "mexico-city", "another study's"),
        ("volume", "london", 0, "london", "another area's"),
    ]
    with database.transaction(settings) as connection:
        names = [study.name for study in settings.studies.values()]
        digest = data.read(connection, names, LAST).digest
        for kind, subject, ago, area, said in told:
            given = {"kind": kind, "subject": subject, "day": LAST - timedelta(days=ago), "area": area, "said": said}
            connection.execute(insert, given)
        assert data.read(connection, names, LAST).digest != digest
    known = known_of(settings, settings.study("traffic"))
    assert before.empty
    assert [said for _, said in grounds.shifts(known.alarms)] == ["own", "the area's", "a fortnight's first"]
    assert known.shift(LAST) == "up"
    assert known.shift(LAST - timedelta(days=1)) == ""


def test_days_before_the_window_are_not_missed_in_the_table_either(make_settings: Callable[..., Settings]) -> None:
    """Two of the three days that weigh are counted; what lies before them is no part of the number."""
    settings = make_settings(studies=STUDIES.replace("[water]", "window = 3\n\n[water]", 1))
    for ago in (2, 0):
        loaded(settings, LAST - timedelta(days=ago), {"0" * 32: (8, 1)})
    (row, _) = table.rows(settings, LAST)
    assert (row.days, row.missing) == (2, 1)
