"""How long does a night's update of a posterior take after a year of days, and how long a restatement of the whole year?

Run: .venv/bin/python -m benchmarks.posterior [--tweets 600 5000] [--days 365] [--areas 10]. It starts an embedded server of its own in
a temporary folder. Of a new day and of all days: seconds, and how many times what the naive arithmetic takes (the same counts read and
summed, without authors, forecasts or a write). Every row of the year is written anew in the restatement.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from pipeline import copying, count, counted, database, embedded, posterior, settings
from pipeline.copying import Rows
from pipeline.settings import Settings
from pipeline.stats import beta
from pipeline.stats.sequence import posterior_sequence

START = dt.date(2025, 11, 1)
KINDS = {"cumulative": "", "forgetting": "forget = 0.97", "auto": 'forget = "auto"', "window": "window = 28", "pooled": ""}


def configure(folder: Path, areas: int) -> Settings:
    """One study a kind, and a pool of as many as there are areas."""
    tables, studies = [], []
    for area in range(areas):
        tables.append(f'[area-{area}]\nbox = "{-99 + area},19.0,{-98.5 + area},19.5"\ntimezone = "UTC"\n')
    for name, line in KINDS.items():
        for area in range(areas if name == "pooled" else 1):
            prior = 'prior = { pool = "all" }' if name == "pooled" else ""
            about = f'question = "?"\narea = "area-{area}"\nstart = {START}\nmatch = {{ words = ["x"] }}'
            studies.append(f"[{name}{area or ''}]\n{about}\n{line}\n{prior}\n")
    for name, content in (("areas", tables), ("studies", studies), ("settings", ["[database]\nfsync = false\n"])):
        (folder / f"{name}.toml").write_text("\n".join(content))
    given = {"GEOBETA_CONFIG": str(folder), "GEOBETA_DATA": str(folder / "var"), "GEOBETA_AUTHOR_KEY": "a key for benchmarks only"}
    return settings.read(given)


def made_up(tweets: int, days: int, seed: int) -> pa.Table:
    """Counts by author of heavy-tailed, returning authors."""
    random = np.random.default_rng(seed)
    crowd = tweets * 8
    rate = np.minimum(random.pareto(1.5, crowd) + 0.2, 200.0)
    rate *= tweets / rate.sum()
    share = random.beta(0.3, 3.0, crowd)
    day, author, trials = [], [], []
    for number in range(days):
        found = random.poisson(rate)
        there = np.flatnonzero(found)
        day.append(np.full(there.size, number))
        author.append(there)
        trials.append(found[there])
    who, n = np.concatenate(author), np.concatenate(trials)
    keys = np.array([f"{key * 2654435761 % 2**32:032x}" for key in range(crowd)])
    when = (np.datetime64(START) + np.concatenate(day)).astype("datetime64[D]")
    return pa.table({"day": when, "author_key": keys[who], "trials": n, "matches": random.binomial(n, share[who])})


def load(conf: Settings, study: str, table: pa.Table) -> None:
    """As load.counts leaves it."""
    sums = table.group_by("day").aggregate([("trials", "sum"), ("matches", "sum"), ("author_key", "count")]).sort_by("day").to_pylist()
    daily = [
        {
            "day": row["day"],
            "trials": row["trials_sum"],
            "matches": row["matches_sum"],
            "authors": row["author_key_count"],
            "coverage": 1.0,
            "synthetic": True,
            "basis": "tweets",
            "rule_version": "r",
            "revision": count.revision(conf, study, row["day"]),
        }
        for row in sums
    ]
    markers = [{"name": study, "day": row["day"], "revision": row["revision"], "rows": row["authors"]} for row in daily]
    with database.transaction(conf) as connection:
        copying.copy(connection, Rows("author_counts", {"study": study}, table.to_batches()))
        copying.copy(connection, Rows("daily_counts", {"study": study}, pa.Table.from_pylist(daily).to_batches()))
        copying.copy(connection, Rows("partitions", {"dataset": "counts"}, pa.Table.from_pylist(markers).to_batches()))


def naive(conf: Settings, study: str, targets: list[dt.date]) -> None:
    """What was done before there were authors: counts read, summed, and two intervals at two levels."""
    with database.transaction(conf) as connection:
        rows = [found.row for found in counted.current(conf, connection, conf.study(study)).values()]
    days, trials, matches = ([row[name] for row in rows] for name in ("day", "trials", "matches"))
    sums = posterior_sequence(prior_alpha=1, prior_beta=1, forget=1.0, days=days, trials=trials, matches=matches, at=targets)
    for level in (0.5, 0.95):
        beta.central_interval(sums.alpha, sums.beta, level)
        beta.highest_density_interval(sums.alpha, sums.beta, level)


def seconds(function: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def publish_all(conf: Settings, names: list[str], last: dt.date) -> None:
    """A row for every day before the last one, as an older version left it: all are to be made again."""
    with database.transaction(conf) as connection:
        known = sa.text("select column_name from information_schema.columns where table_name = 'posteriors' and column_name <> 'day'")
        columns = ", ".join(connection.execute(known).scalars())
        values = columns.replace("study", "posteriors.study")
        connection.execute(
            sa.text(
                f"insert into posteriors (day, {columns}) select earlier.day, {values} from posteriors"
                " join (select study, day from daily_counts) as earlier on earlier.study = posteriors.study and earlier.day < :last"
                " where posteriors.study = any(:names) and posteriors.day = :last"
            ),
            {"names": names, "last": last},
        )
        connection.execute(sa.text("delete from partitions where dataset = 'posteriors'"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tweets", type=int, nargs="*", default=[600, 5000])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--areas", type=int, default=10)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    options = parser.parse_args()
    days = [START + dt.timedelta(days=number) for number in range(options.days + 1)]
    for tweets in options.tweets:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            conf = configure(Path(folder), options.areas)
            try:
                for kind in options.kinds:
                    measure(conf, tweets, days, kind)
            finally:
                embedded.stop(conf)


def measure(conf: Settings, tweets: int, days: list[dt.date], kind: str) -> None:
    """One size of city and kind of study."""
    names = [name for name in conf.studies if name.rstrip("0123456789") == kind]
    tables = {name: made_up(tweets, len(days), seed) for seed, name in enumerate(names)}
    for name, table in tables.items():
        load(conf, name, table.filter(pc.less(table["day"], days[-1])))
    # one row, which is then put in the place of all before it
    for name in names:
        posterior.update(conf, name, days[-2])
    publish_all(conf, names, days[-2])
    year = seconds(lambda: posterior.update(conf, names[0], days[-2]))
    # of a pool all studies are mended with the first
    base_year = len(names) * seconds(lambda: naive(conf, names[0], days[:-1]))
    for name in names:
        posterior.update(conf, name, days[-2])
    for name, table in tables.items():
        load(conf, name, table.filter(pc.equal(table["day"], days[-1])))
    night = seconds(lambda: [posterior.update(conf, name, days[-1]) for name in names])
    again = seconds(lambda: posterior.update(conf, names[0], days[-1]))
    base_night = seconds(lambda: [naive(conf, name, days[-1:]) for name in names])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{tweets:5} tweets a day, {kind}{f' ({len(names)} studies)' if len(names) > 1 else ''}:"
        f" a night {night:.2f} s ({night / base_night:.0f} times the naive), again without change {again:.2f} s;"
        f" all {len(days) - 1} days {year:.1f} s ({year / base_year:.0f} times); peak {memory:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
