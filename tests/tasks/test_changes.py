"""What a change of configuration makes run again, and what it leaves alone."""

from __future__ import annotations

import pytest

from tests.chain import AREAS, STUDIES, Installation

pytestmark = pytest.mark.slow

START, STOP = "2026-11-10", "2026-11-12"
SECOND_AREA = '\n[toluca]\nbox = "-99.80,19.20,-99.55,19.40"\ntimezone = "America/Mexico_City"\n'
SECOND_STUDY = '\n[toluca-water]\nquestion = "Water in Toluca?"\narea = "toluca"\nstart = 2026-11-01\nmatch = { words = ["agua"] }\n'


def ran(installation: Installation, before: list[str]) -> dict[str, set[str]]:
    """Which tasks ran that are not among the ledger's entries `before`: task → the areas or studies."""
    found: dict[str, set[str]] = {}
    for task, parameters in installation.query("select task, parameters from task_runs where not run_id = any(%s)", before):
        found.setdefault(str(task), set()).add(parameters.get("study") or parameters.get("area") or "")  # type: ignore[attr-defined]
    return found


def entries(installation: Installation) -> list[str]:
    return [str(run) for (run,) in installation.query("select run_id from task_runs")]


@pytest.fixture
def loaded(installation: Installation) -> Installation:
    """Two areas, three studies, two days, all published."""
    installation.areas = AREAS + SECOND_AREA
    installation.studies = STUDIES + SECOND_STUDY
    installation.write()
    done = installation.nights(START, STOP)
    assert done.returncode == 0, done.stdout
    return installation


def test_a_second_run_does_nothing(loaded: Installation) -> None:
    """Nothing changed: no task runs, no request is made, no row is written."""
    before_runs, rows, requests = entries(loaded), loaded.row_versions(), loaded.requests()
    again = loaded.nights(START, STOP)
    assert again.returncode == 0, again.stdout
    assert ran(loaded, before_runs) == {}
    assert loaded.row_versions() == rows
    assert loaded.requests() == requests


def test_a_changed_rule_recounts_that_study_alone(loaded: Installation) -> None:
    """Counting, loading and posterior of one study, over all days on disk, from one Nightly; no request."""
    before_runs, requests = entries(loaded), loaded.requests()
    before = loaded.query("select day, matches from daily_counts where study = 'water' order by day")
    loaded.studies = loaded.studies.replace('["agua"] }\nprior', '["agua", "de"] }\nprior')
    loaded.write()
    done = loaded.luigi("Nightly", "--date", "2026-11-11")
    assert done.returncode == 0, done.stdout
    study = {"CountMatches": {"water"}, "LoadCounts": {"water"}, "UpdatePosterior": {"water"}}
    assert ran(loaded, before_runs) == study | {"BuildReport": {""}, "SendDigest": {""}, "Nightly": {""}}
    assert loaded.requests() == requests
    after = loaded.query("select day, matches from daily_counts where study = 'water' order by day")
    assert [day for day, _ in after] == [day for day, _ in before]
    assert all(new > old for (_, new), (_, old) in zip(after, before, strict=True))  # type: ignore[operator]
    assert loaded.query("select days from posteriors where study = 'water' and day = '2026-11-11'") == [(2,)]


def test_whom_a_study_leaves_out_recounts_that_study_alone(loaded: Installation) -> None:
    """The city's robots are taken out of both days' tweets and matches, and counted apart; no request, and no tweet is loaded again."""
    before_runs, requests = entries(loaded), loaded.requests()
    before = loaded.query("select day, trials, excluded from daily_counts where study = 'water' order by day")
    loaded.studies = loaded.studies.replace("beta = 9.0 }", 'beta = 9.0 }\nexclude = { clients = ["made-up bot"] }')
    loaded.write()
    assert loaded.nights(START, STOP).returncode == 0
    study = {"CountMatches": {"water"}, "LoadCounts": {"water"}, "UpdatePosterior": {"water"}}
    always = ("BuildReport", "SendDigest", "Nightly")
    assert {task: names for task, names in ran(loaded, before_runs).items() if task not in always} == study
    assert loaded.requests() == requests
    after = loaded.query("select day, trials + excluded, excluded from daily_counts where study = 'water' order by day")
    of_robots = "area = 'mexico-city' and client = 'Made-Up Bot' and not is_retweet"
    robots = loaded.query(f"select day, count(*) from tweets where {of_robots} group by day order by day")
    assert after == [(day, trials, count) for (day, trials, _), (_, count) in zip(before, robots, strict=True)]
    assert all(excluded == 0 for _, _, excluded in before)


def test_a_changed_prior_republishes_that_posterior_alone(loaded: Installation) -> None:
    """No counting, no loading of counts, no request; the row says the new prior."""
    before_runs, requests = entries(loaded), loaded.requests()
    loaded.studies = loaded.studies.replace("beta = 9.0", "beta = 19.0")
    loaded.write()
    assert loaded.nights(START, STOP).returncode == 0
    assert ran(loaded, before_runs) == {"UpdatePosterior": {"water"}, "BuildReport": {""}, "SendDigest": {""}, "Nightly": {""}}
    assert loaded.requests() == requests
    assert loaded.query("select distinct prior_beta from posteriors where study = 'water'") == [(19.0,)]
    assert loaded.query("select count(*) > 0 from posterior_history where study = 'water'") == [(True,)]


def test_a_changed_box_fetches_that_area_again(loaded: Installation) -> None:
    """All stages of the area's studies, and nothing of the other area."""
    before_runs = entries(loaded)
    loaded.areas = loaded.areas.replace("-99.80,19.20", "-99.81,19.20")
    loaded.write()
    assert loaded.nights(START, STOP).returncode == 0
    found = ran(loaded, before_runs)
    assert found.pop("BuildReport") == found.pop("SendDigest") == found.pop("Nightly") == {""}
    assert found == {
        "ExtractTweets": {"toluca"},
        "CleanTweets": {"toluca"},
        "LoadTweets": {"toluca"},
        "CountMatches": {"toluca-water"},
        "LoadCounts": {"toluca-water"},
        "UpdatePosterior": {"toluca-water"},
    }


@pytest.mark.parametrize("policy", ["largest_place = 0.5", 'evidence = ["point", "place_within"]'])
def test_a_changed_policy_cleans_that_area_again_without_a_request(loaded: Installation, policy: str) -> None:
    """The pages on the disk are cleaned anew, and what follows from them; fewer tweets are inside now."""
    before_runs, requests = entries(loaded), loaded.requests()
    kinds = "select evidence, count(*) from tweets where area = 'mexico-city' group by 1"
    before = dict(loaded.query(kinds))
    loaded.areas = loaded.areas.replace("\n\n[toluca]", f"\n{policy}\n\n[toluca]")
    loaded.write()
    assert loaded.nights(START, STOP).returncode == 0
    found = ran(loaded, before_runs)
    assert found.pop("BuildReport") == found.pop("SendDigest") == found.pop("Nightly") == {""}
    assert found == {
        "CleanTweets": {"mexico-city"},
        "LoadTweets": {"mexico-city"},
        "CountMatches": {"traffic", "water"},
        "LoadCounts": {"traffic", "water"},
        "UpdatePosterior": {"traffic", "water"},
    }
    assert loaded.requests() == requests
    after = dict(loaded.query(kinds))
    assert after.get("place_centroid", 0) < before["place_centroid"]
    assert {kind: after[kind] for kind in ("point", "place_within")} == {kind: before[kind] for kind in ("point", "place_within")}


def test_a_changed_time_zone_fetches_that_area_again(loaded: Installation) -> None:
    """Other days are other windows: the pages of the old ones do not hold them. The other area is left alone."""
    before_runs, requests = entries(loaded), loaded.requests()
    loaded.areas = loaded.areas.replace('-99.55,19.40"\ntimezone = "America/Mexico_City"', '-99.55,19.40"\ntimezone = "Asia/Kolkata"')
    loaded.write()
    assert loaded.nights(START, STOP).returncode == 0
    found = ran(loaded, before_runs)
    assert found.pop("BuildReport") == found.pop("SendDigest") == found.pop("Nightly") == {""}
    assert set(found) == {"ExtractTweets", "CleanTweets", "LoadTweets", "CountMatches", "LoadCounts", "UpdatePosterior"}
    assert set().union(*found.values()) == {"toluca", "toluca-water"}
    assert loaded.requests() > requests
    days = "select distinct day, (created_at at time zone 'Asia/Kolkata')::date from tweets where area = 'toluca' order by 1"
    assert [tuple(map(str, row)) for row in loaded.query(days)] == [("2026-11-10", "2026-11-10"), ("2026-11-11", "2026-11-11")]


def test_a_new_study_on_an_old_area_costs_no_request(loaded: Installation) -> None:
    """One Nightly answers the new question over every day on disk."""
    requests = loaded.requests()
    loaded.studies += '\n[rain]\nquestion = "Rain?"\narea = "mexico-city"\nstart = 2026-11-01\nmatch = { words = ["lluvia"] }\n'
    loaded.write()
    assert loaded.luigi("Nightly", "--date", "2026-11-11").returncode == 0
    assert loaded.requests() == requests
    assert loaded.query("select days from posteriors where study = 'rain'") == [(2,)]
