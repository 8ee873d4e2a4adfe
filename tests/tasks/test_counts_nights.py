"""Whole nights with a study that X counts beside one that collects tweets: two counts requests for it, no tweet, and labelled."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.chain import STUDIES, Installation

pytestmark = pytest.mark.slow

AREAS = """
[mexico-city]
box = "-99.364924,19.048237,-98.940303,19.592757"
timezone = "America/Mexico_City"

[london]
box = "-0.510375,51.28676,0.334015,51.691874"
timezone = "Europe/London"
"""
COUNTED = """
[water-by-x]
question = "What share speaks of water, as X counts?"
area = "mexico-city"
start = 2026-11-01
mode = "counts"
match = { words = ["agua"] }
prior = { alpha = 1.0, beta = 9.0 }

[transport-by-x]
question = "What share of London's tweets speaks of transport, as X counts?"
area = "london"
start = 2026-11-01
mode = "counts"
match = { words = ["tube", "bus", "elizabeth line", "#tfl"] }
"""
START, STOP = "2026-11-10", "2026-11-12"


def asked(installation: Installation) -> list[dict[str, object]]:
    """The requests that the installation's sandbox was sent."""
    log: Path = installation.data / "sandbox" / "requests.log"
    return [json.loads(line) for line in log.read_text().splitlines()]


def of_studies(installation: Installation) -> list[dict[str, object]]:
    """Those of ExtractCounts: it asks by boxes where a search asks by circles."""
    boxes = "(bounding_box:[-99.364924 ", "(bounding_box:[-0.510375 "
    return [entry for entry in asked(installation) if str(entry["parameters"]["query"]).startswith(boxes)]  # type: ignore[index]


@pytest.fixture
def counted(installation: Installation) -> Installation:
    """Two nights of two studies that collect tweets and two that X counts, one of them on an area of its own."""
    installation.areas, installation.studies = AREAS, STUDIES + COUNTED
    installation.write()
    done = installation.nights(START, STOP)
    assert done.returncode == 0, done.stdout
    return installation


def test_a_night_of_both_kinds(counted: Installation) -> None:
    """Four numbers a day; two counts requests a study and day; no tweet of London; every label says who counted."""
    mine = of_studies(counted)
    assert len(mine) == 2 * 2 * 2
    assert {entry["endpoint"] for entry in mine} <= {"counts/recent", "counts/all"}
    assert sum(entry["posts"] for entry in mine) == 0  # type: ignore[misc]
    assert not (counted.data / "raw" / "area=london").exists()
    assert counted.query("select distinct area from tweets") == [("mexico-city",)]
    assert counted.query("select distinct area from coverage") == [("mexico-city",)]
    runs = dict(counted.query("select task, count(*) from task_runs where parameters->>'area' = 'london' group by 1"))
    assert runs == {}
    assert counted.query("select sum(requests) from task_runs where task = 'ExtractCounts'") == [(8,)]

    daily = "select study, basis, authors is null, retweets is null, coverage from daily_counts group by 1, 2, 3, 4, 5 order by 1"
    assert counted.query(daily) == [
        ("traffic", "tweets", False, False, 1.0),
        ("transport-by-x", "counts", True, True, 1.0),
        ("water", "tweets", False, False, 1.0),
        ("water-by-x", "counts", True, True, 1.0),
    ]
    authors = "select study, author_key, count(*) from author_counts where study like '%%by-x' group by 1, 2 order by 1"
    assert counted.query(authors) == [("transport-by-x", None, 2), ("water-by-x", None, 2)]
    assert counted.query("select distinct study from tweet_matches where study like '%%by-x'") == []
    views = "select study, basis from study_latest order by 1"
    assert [basis for _, basis in counted.query(views)] == ["tweets", "counts", "tweets", "counts"]
    assert counted.query("select distinct study, mode from studies order by 1") == [
        ("traffic", "tweets"),
        ("transport-by-x", "counts"),
        ("water", "tweets"),
        ("water-by-x", "counts"),
    ]
    # the same question by both: near each other, and not the same
    shares = dict(counted.query("select study, mean from posteriors where day = '2026-11-11'"))
    assert shares["water"] != shares["water-by-x"]
    assert abs(shares["water"] - shares["water-by-x"]) < 0.05  # type: ignore[operator]


def test_who_counted_is_said_wherever_a_number_shows(counted: Installation) -> None:
    """Page, terminal, status; of the studies that X counts and of no other."""
    said = "counted by X, by its own matching rules; not corrected for authors: X names none"
    page = (counted.data / "report.html").read_text("utf-8")
    cards = dict(re.findall(r'<article id="([^"]+)"(.*?)</article>', page, re.DOTALL))
    assert set(cards) == {"traffic", "water", "water-by-x", "transport-by-x"}
    for name, card in cards.items():
        by_x = name.endswith("by-x")
        for label in (said, ">counted by X</span>", '<li class="counts">', "as X&#39;s own search matches it", ">unknown</td>"):
            assert (label in card) == by_x, (name, label)
    table = counted.python("pipeline", "report", "--date", "2026-11-11").stdout
    assert len(re.findall("synthetic, counted by X", table)) == 2
    assert said in " ".join(table.split())
    status = counted.python("pipeline", "status").stdout
    assert f"water-by-x: {said}" in status
    assert status.count("(counted by X)") == 2
    assert f"water: {said}" not in status


def test_a_second_run_asks_nothing(counted: Installation) -> None:
    """And runs nothing."""
    before, rows = len(asked(counted)), counted.row_versions()
    assert counted.nights(START, STOP).returncode == 0
    assert len(asked(counted)) == before
    assert counted.row_versions() == rows


def test_a_changed_mode_restates_with_the_reason(counted: Installation) -> None:
    """From tweets to counts and back: the numbers change, and the history says why; going back costs no request."""
    before = counted.query("select day, trials, matches from daily_counts where study = 'water' order by 1")
    counted.studies = counted.studies.replace(
        'match = { words = ["agua"] }\nprior', 'mode = "counts"\nmatch = { words = ["agua"] }\nprior', 1
    )
    counted.write()
    assert counted.nights(START, STOP).returncode == 0
    rows = "select basis, trials, matches from posteriors where study = %s and day = '2026-11-11'"
    assert counted.query(rows, "water") == counted.query(rows, "water-by-x")
    history = "select distinct basis, split_part(reason, ';', 1) from posterior_history where study = 'water' order by 1"
    assert counted.query(history) == [("tweets", "now counted by X's own rules")]

    requests = len(asked(counted))
    counted.studies = STUDIES + COUNTED
    counted.write()
    assert counted.nights(START, STOP).returncode == 0
    assert len(asked(counted)) == requests
    assert counted.query("select day, trials, matches from daily_counts where study = 'water' order by 1") == before
    assert counted.query(history) == [("counts", "now counted from collected tweets"), ("tweets", "now counted by X's own rules")]


def test_a_late_day_is_counted_and_the_later_ones_restated(counted: Installation) -> None:
    """A night before the first ones: two requests more a study, and the later posteriors hold it."""
    requests = len(of_studies(counted))
    assert counted.luigi("Nightly", "--date", "2026-11-09").returncode == 0
    assert len(of_studies(counted)) == requests + 4
    assert counted.query("select study, days from posteriors where day = '2026-11-11' order by 1") == [
        (study, 3) for study in ("traffic", "transport-by-x", "water", "water-by-x")
    ]


def test_a_counts_study_alone_needs_no_tweets(installation: Installation) -> None:
    """Neither ExtractTweets nor CleanTweets nor LoadTweets run at all."""
    installation.areas, installation.studies = AREAS, COUNTED
    installation.write()
    assert installation.luigi("Nightly", "--date", "2026-11-10").returncode == 0
    ran = {task for (task,) in installation.query("select distinct task from task_runs")}
    assert ran == {"ExtractCounts", "CountMatches", "LoadCounts", "UpdatePosterior", "BuildReport", "SendDigest", "Nightly"}
    assert installation.query("select count(*) from tweets") == [(0,)]
    assert {entry["endpoint"] for entry in asked(installation)} == {"counts/all"}
