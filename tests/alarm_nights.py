"""Many nights of counts in the database at once, as a year of nights would leave them; and the same as arrays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from pipeline import clean, copying, count, database, posterior
from pipeline.copying import Rows
from pipeline.settings import Settings
from pipeline.study_counts import Counts

#: Who writes on a night: n and k by author.
Authors = Mapping[str, tuple[int, int]]

FIRST = dt.date(2026, 1, 1)
#: Studies that begin there.
STUDIES = """
[traffic]
question = "What share speaks of traffic?"
area = "mexico-city"
start = 2026-01-01
match = { words = ["tráfico"] }
forget = 0.9
"""


def days(number: int, first: dt.date = FIRST) -> list[dt.date]:
    return [first + dt.timedelta(days=back) for back in range(number)]


def put_nights(
    settings: Settings, study: str, nights: Mapping[dt.date, Authors], *, publish: bool = True, synthetic: bool = False, **about: Any
) -> None:
    """Load the counts of these nights with their markers, and the area's tweets and coverage; publish all of them.

    `about`: of all nights, or by night: coverage, reason, tweets (the area's number of tweets, of which the counts are made unless said).
    """
    area = settings.study(study).area
    with database.transaction(settings) as connection:
        for table in ("author_counts", "daily_counts"):
            connection.execute(
                sa.text(f"delete from {table} where study = :study and day = any(:days)"), {"study": study, "days": list(nights)}
            )
        for day, authors in nights.items():
            said = {name: value.get(day) if isinstance(value, Mapping) else value for name, value in about.items()}
            coverage = said.get("coverage", 1.0)
            n, k = (sum(pair[which] for pair in authors.values()) for which in (0, 1))
            seen = {"coverage": coverage, "reason": said.get("reason"), "synthetic": synthetic, "day": day}
            daily = {"study": study, "trials": n, "matches": k, "authors": len(authors), "revision": count.revision(settings, study, day)}
            daily |= {"rule": count.rule_version(settings, settings.study(study)), "basis": said.get("basis", "tweets")}
            connection.execute(sa.text(_DAILY), seen | daily)
            connection.execute(sa.text(_COVERAGE), seen | {"area": area})
            tweets = said.get("tweets")
            for dataset, name, rows, revision in (
                ("counts", study, len(authors), daily["revision"]),
                ("tweets", area, n if tweets is None else tweets, clean.revision(settings, area, day)),
            ):
                marker = database.Marker(revision, rows, source_digest=f"{n}-{k}", synthetic=synthetic)
                database.write_marker(connection, (dataset, name, day), marker)
        keys = [(day, key, n, k) for day, authors in nights.items() for key, (n, k) in authors.items()]
        columns = [("day", pa.date32()), ("author_key", pa.string()), ("trials", pa.int64()), ("matches", pa.int64())]
        batch = pa.RecordBatch.from_arrays(
            [pa.array(list(column), kind) for column, (_, kind) in zip(zip(*keys, strict=True), columns, strict=True)],
            names=[name for name, _ in columns],
        )
        copying.copy(connection, Rows("author_counts", {"study": study}, [batch]))
    if publish:
        publish_nights(settings, study, list(nights))


_DAILY = """
insert into daily_counts
    (study, day, trials, matches, authors, retweets, coverage, coverage_reason, synthetic, rule_version, revision, basis)
values (:study, :day, :trials, :matches, :authors, 0, :coverage, :reason, :synthetic, :rule, :revision, :basis)
"""
_COVERAGE = """
insert into coverage (area, day, coverage, reason, sources, synthetic) values (:area, :day, :coverage, :reason, '{archive}', :synthetic)
on conflict (area, day) do update set (coverage, reason) = (excluded.coverage, excluded.reason)
"""


def publish_nights(settings: Settings, study: str, nights: Sequence[dt.date]) -> None:
    """What posterior.update does night by night, in one go: rows that stand are mended together, whatever they say."""
    with database.transaction(settings) as connection:
        connection.execute(sa.text(_STUB), {"study": study, "days": list(nights)})
    posterior.update(settings, study, max(nights))
    with database.transaction(settings) as connection:
        connection.execute(sa.text("delete from posterior_history where revision = 'stub'"))


#: A row that is to be mended.
_STUB = """
insert into posteriors (study, day, alpha, beta, mean, lower_50, upper_50, lower_95, upper_95, hdi_lower_50, hdi_upper_50, hdi_lower_95,
    hdi_upper_95, prior_alpha, prior_beta, forget, trials, matches, days, days_missing, days_partial, synthetic, rule_version, revision)
select :study, day, 1, 1, 0.5, 0.25, 0.75, 0.025, 0.975, 0.25, 0.75, 0.025, 0.975, 1, 1, 1, 0, 0, 1, 0, 0, false, 'stub', 'stub'
from unnest(cast(:days as date[])) as day
on conflict (study, day) do nothing
"""


def authors_of(
    chance: np.random.Generator, share: float, number: int, *, spread: float = 20.0, size: float = 3.0
) -> dict[str, tuple[int, int]]:
    """So many authors, each with a number of tweets (geometric, heavy enough) and a share of his own around `share` (a Beta's)."""
    n = chance.geometric(1 / size, number)
    k = chance.binomial(n, chance.beta(share * spread, (1 - share) * spread, number))
    # authors come back: their keys are drawn from ten times as many
    keys = chance.choice(10 * number, number, replace=False)
    return {f"{key:032x}": (int(each), int(hits)) for key, each, hits in zip(keys, n, k, strict=True)}


def as_counts(nights: Mapping[dt.date, Authors]) -> Counts:
    """The same nights as what estimates.rows takes."""
    rows = [(day, key, n, k) for day, authors in nights.items() for key, (n, k) in authors.items()]
    names = sorted({key for _, key, _, _ in rows})
    rank = {name: number for number, name in enumerate(names)}
    trials, matches = (np.array([sum(pair[which] for pair in authors.values()) for authors in nights.values()]) for which in (0, 1))
    return Counts(
        days=np.array(list(nights), dtype="datetime64[D]"),
        trials=trials,
        matches=matches,
        coverage=np.ones(len(nights)),
        synthetic=np.zeros(len(nights), dtype=bool),
        basis=np.zeros(len(nights), dtype=np.int64),
        author_days=np.array([day for day, _, _, _ in rows], dtype="datetime64[D]"),
        authors=np.array([rank[key] for _, key, _, _ in rows]),
        author_trials=np.array([n for _, _, n, _ in rows]),
        author_matches=np.array([k for _, _, _, k in rows]),
    )
