"""Two studies and two periods compared: the authors that they share are found in the database, and a chance of 5 % is one of 5 %."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
import sqlalchemy as sa

from pipeline import comparison, counted, database, estimates, load, posterior
from pipeline.comparison import Compared, Side
from pipeline.errors import MissingData
from pipeline.settings import Settings
from pipeline.stats import compare
from tests.conftest import AREAS, STUDIES
from tests.partitions import write_counts

# whole nights in the database: not for the fast loop
pytestmark = pytest.mark.slow

Counts = Mapping[str | None, tuple[int, int]]


def day(number: int) -> dt.date:
    """A day of November 2026."""
    return dt.date(2026, 11, number)


def feed(settings: Settings, study: str, number: int, counts: Counts) -> None:
    """Load and publish one day's counts by author."""
    keys = {None if author is None else author.encode().hex().rjust(32, "0"): value for author, value in counts.items()}
    write_counts(settings, study, day(number), keys)
    load.counts(settings, study, day(number))
    posterior.update(settings, study, day(number))


def of_studies(settings: Settings, number: int | None = None) -> Compared:
    with database.transaction(settings, snapshot=True) as connection:
        return comparison.studies(settings, connection, "traffic", "water", None if number is None else day(number))


def of_periods(settings: Settings, first: tuple[int, int], second: tuple[int, int]) -> Compared:
    spans = [(day(start), day(end)) for start, end in (first, second)]
    with database.transaction(settings, snapshot=True) as connection:
        return comparison.periods(settings, connection, "traffic", *spans)


#: Ann and Bob write of both things, Cem of one.
TRAFFIC = {1: {"ann": (10, 5), "bob": (6, 1), "cem": (4, 4)}, 2: {"ann": (8, 1), "cem": (2, 2), None: (3, 1)}, 3: {"bob": (9, 3)}}
WATER = {1: {"ann": (10, 2), "bob": (6, 4), "cem": (4, 0)}, 2: {"ann": (8, 5), "cem": (2, 0), None: (3, 0)}, 3: {"bob": (9, 1)}}


@pytest.mark.parametrize(
    ("more", "weights", "cap"),
    [
        ("", (1.0, 1.0, 1.0), 99),
        ("forget = 0.5", (0.25, 0.5, 1.0), 99),
        ("window = 2", (0.0, 1.0, 1.0), 99),
        ("author_cap = 5", (1.0, 1.0, 1.0), 5),
    ],
)
def test_authors_are_joined_as_the_posteriors_weigh_them(
    make_settings: Callable[..., Settings], more: str, weights: tuple[float, ...], cap: int
) -> None:
    """The correlation is that of sums by author made here, each study by its own weights; who is not known is left out."""
    settings = make_settings(studies=STUDIES.replace("[water]", f"{more}\n\n[water]"))
    for number in (1, 2, 3):
        feed(settings, "traffic", number, TRAFFIC[number])
        feed(settings, "water", number, WATER[number])
    found = of_studies(settings)
    assert found.a.said == "traffic up to 2026-11-03"

    def sums(counts: Mapping[int, Counts], weighed: tuple[float, ...], most: int, which: int) -> list[float]:
        tables = [(counts[number + 1], weight) for number, weight in enumerate(weighed)]
        return [
            math.fsum(weight * table[author][which] * min(1, most / table[author][0]) for table, weight in tables if author in table)
            for author in ("ann", "bob", "cem")
        ]

    wanted = compare.sharing(
        trials_a=sums(TRAFFIC, weights, cap, 0),
        matches_a=sums(TRAFFIC, weights, cap, 1),
        trials_b=sums(WATER, (1.0, 1.0, 1.0), 99, 0),
        matches_b=sums(WATER, (1.0, 1.0, 1.0), 99, 1),
        prior_weight_a=2 / (found.a.row["alpha"] + found.a.row["beta"] - 2),
        prior_weight_b=10 / (found.b.row["alpha"] + found.b.row["beta"] - 10),
    )
    assert wanted.correlation is not None
    assert found.result.correlation == pytest.approx(wanted.correlation, abs=1e-9)
    assert found.result.said == wanted.said
    assert found.result.mean == pytest.approx(found.a.row["mean"] - found.b.row["mean"])


def test_a_period_is_the_prior_and_its_own_days(make_settings: Callable[..., Settings]) -> None:
    """Nothing is forgotten in it, nothing before it counts; it shares its authors with the other one, and the overlap is said."""
    settings = make_settings(studies=STUDIES.replace("[water]", "forget = 0.5\n\n[water]"))
    for number in (1, 2, 3):
        feed(settings, "traffic", number, TRAFFIC[number])
    found = of_periods(settings, (2, 3), (1, 2))
    assert [(side.row["matches"], side.row["trials"]) for side in (found.a, found.b)] == [(7, 22), (14, 33)]
    for side in (found.a, found.b):
        row = side.row
        assert row["alpha"] == pytest.approx(1 + row["matches"] / row["design_effect"])
        assert row["beta"] == pytest.approx(1 + (row["trials"] - row["matches"]) / row["design_effect"])
    assert found.result.correlation > 0
    assert "3 of 3 authors wrote on both sides" in found.result.said
    assert found.notes == ("the periods overlap: 1 day is in both, which the comparison allows for",)
    assert of_periods(settings, (3, 3), (1, 4)).notes[-1] == "2026-11-01 to 2026-11-04: 3 of 4 days have counts"


def test_studies_of_two_areas_may_share_authors(make_settings: Callable[..., Settings]) -> None:
    """A key is the same wherever its owner writes."""
    areas = AREAS + '\n[toluca]\nbox = "-99.7000,19.2000,-99.5000,19.4000"\ntimezone = "America/Mexico_City"\n'
    first, second = STUDIES.split("[water]")
    settings = make_settings(areas=areas, studies=f"{first}[water]{second.replace('mexico-city', 'toluca')}")
    feed(settings, "traffic", 1, {"ann": (10, 5), "bob": (6, 1)})
    feed(settings, "water", 1, {"ann": (3, 2), "cem": (6, 1)})
    assert "1 of 3 authors wrote on both sides" in of_studies(settings, 1).result.said
    feed(settings, "water", 2, {"ann": (3, 2), "cem": (6, 1)})
    with pytest.raises(MissingData, match="nothing is published of traffic on 2026-11-02"):
        of_studies(settings, 2)
    assert of_studies(settings).a.said.endswith("2026-11-01")


def test_the_same_question_twice_is_one(make_settings: Callable[..., Settings]) -> None:
    """Identical rule, area and prior: nothing between them, and it is said."""
    settings = make_settings(studies=STUDIES.replace('["agua"]', '["tráfico", "embotellamiento"]').replace("beta = 9.0", "beta = 1.0"))
    for study in ("traffic", "water"):
        feed(settings, study, 1, TRAFFIC[1])
    found = of_studies(settings)
    assert found.result.probability == pytest.approx(0.5, abs=1e-3)
    assert found.result.upper == pytest.approx(0.0, abs=1e-3)
    assert "the two ask the same of the same tweets" in found.notes[0]


@pytest.mark.parametrize("changed", ["counts", "authors"])
def test_where_authors_are_not_known_the_widest_interval_is_given(make_settings: Callable[..., Settings], changed: str) -> None:
    """X counted; or the counts were changed since the number was published."""
    settings = make_settings()
    for study, counts in (("traffic", TRAFFIC[1]), ("water", WATER[1])):
        feed(settings, study, 1, counts)
    with database.transaction(settings) as connection:
        if changed == "counts":
            connection.execute(sa.text("update posteriors set basis = 'counts' where study = 'water'"))
        else:
            connection.execute(sa.text("update author_counts set matches = 0 where study = 'water'"))
    result = of_studies(settings).result
    assert result.widest is not None
    assert result.widest[0] < result.lower < result.upper < result.widest[1]
    assert "not known" in result.said


WORLDS, AUTHORS = 400, 250


def worlds(settings: Settings, *, opposed: bool) -> list[tuple[float, float]]:
    """P(p_A > p_B) of many worlds where the true shares are equal: as compared here, and as if no author wrote on both sides.

    A day is a world, with people of its own and a window of one day. Some write much; how much each speaks of A is how much of B, or
    (`opposed`) as much less.
    """
    chance = np.random.default_rng(7 + opposed)
    with database.transaction(settings) as connection:
        for world in range(WORLDS):
            trials = np.ceil(chance.pareto(1.6, AUTHORS) + 0.5).astype(int).clip(1, 60)
            liking = 0.4 * chance.beta(0.7, 0.7, AUTHORS)
            other = 0.4 - liking if opposed else liking
            for study, shares in (("traffic", liking), ("water", other)):
                given = {
                    "study": study,
                    "day": dt.date(2026, 11, 1) + dt.timedelta(days=world),
                    "keys": [f"{world:016}{author:016}" for author in range(AUTHORS)],
                    "n": trials.tolist(),
                    "k": chance.binomial(trials, shares).tolist(),
                }
                rows = "unnest(cast(:keys as text[]), cast(:n as bigint[]), cast(:k as bigint[]))"
                connection.execute(sa.text(f"insert into author_counts select :study, :day, * from {rows}"), given)
        days = [dt.date(2026, 11, 1) + dt.timedelta(days=world) for world in range(WORLDS)]
        sides = []
        for name in ("traffic", "water"):
            study = settings.study(name)
            statement = sa.text("select day, sum(trials) as n, sum(matches) as k from author_counts where study = :study group by day")
            sums = {row.day: (int(row.n), int(row.k)) for row in connection.execute(statement, {"study": name})}
            whole = {"coverage": 1.0, "synthetic": True, "basis": "tweets"}
            stored = {on: counted.Day({"trials": sums[on][0], "matches": sums[on][1], **whole}, "", "") for on in days}
            how, at = posterior.method(study), np.array(days, dtype="datetime64[D]")
            counts = counted.arrays(connection, study, stored)
            found = estimates.rows(how, counts, days, estimates.set_priors(how, at), rule_version="", revision="")
            sides.append([Side(study, "", row, {row["day"]: 1.0}) for row in found])
        told = []
        for a, b in zip(*sides, strict=True):
            posteriors = {"alpha_a": a.row["alpha"], "beta_a": a.row["beta"], "alpha_b": b.row["alpha"], "beta_b": b.row["beta"]}
            told.append((comparison.compared(connection, a, b).result.probability, compare.probability_greater(**posteriors)))
    return told


@pytest.mark.slow
@pytest.mark.parametrize(
    "opposed", [False, True], ids=["who speaks of one speaks of the other", "who speaks of one is silent of the other"]
)
def test_equal_shares_are_told_apart_in_5_percent_of_worlds(make_settings: Callable[..., Settings], opposed: bool) -> None:
    """P beyond .025 or .975 in about 5 % where shared authors are allowed for; taken as independent it is far from that."""
    studies = STUDIES.replace("[water]", "window = 1\n\n[water]").replace("beta = 9.0 }", "beta = 1.0 }\nwindow = 1")
    told = np.array(worlds(make_settings(studies=studies), opposed=opposed))
    shared, independent = ((told < 0.025) | (told > 0.975)).mean(axis=0)
    print(f"told apart: {shared:.1%} with shared authors, {independent:.1%} as if independent")
    # 5 % of so many worlds has a standard error of 1.1 %
    assert 0.025 < shared < 0.08
    assert independent > 0.09 if opposed else independent < 0.02
