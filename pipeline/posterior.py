"""Stored counts to stored posteriors: a pure function of the prior and the counts, so the order of days never shows.

The arithmetic is stats/'s. Here: which days count, which rows change, and what is kept of those that did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from pipeline import copying, count, database, faults, ledger
from pipeline.copying import Rows
from pipeline.errors import MissingData
from pipeline.progress import Progress, silent
from pipeline.schema import BASES
from pipeline.settings import Settings, Study
from pipeline.stats import beta
from pipeline.stats.sequence import posterior_sequence
from pipeline.storage import digest

#: Change it when the same counts give another row than before.
CODE = 1

_INTERVALS = {"lower_50": 0.5, "lower_95": 0.95}

#: What a row says, in the table's order; beside it stand when it was published and by which run.
VALUES = pa.schema(
    [
        ("day", pa.date32()),
        *((name, pa.float64()) for name in ("alpha", "beta", "mean", "lower_50", "upper_50", "lower_95", "upper_95")),
        *((f"hdi_{name}", pa.float64()) for name in ("lower_50", "upper_50", "lower_95", "upper_95")),
        *((name, pa.float64()) for name in ("prior_alpha", "prior_beta", "forget")),
        *((name, pa.int64()) for name in ("trials", "matches", "days", "days_missing", "days_partial")),
        ("coverage", pa.float64()),
        ("synthetic", pa.bool_()),
        ("basis", pa.string()),
        ("days_sampled", pa.int64()),
        ("rule_version", pa.string()),
        ("revision", pa.string()),
    ]
)


def version(settings: Settings, study_name: str) -> str:
    """Digest of all that decides a posterior beside the counts: prior, forgetting, start, area, rule, and this stage's code."""
    study = settings.study(study_name)
    area = settings.area(study.area)
    place: tuple[object, ...] = (area.name, area.policy, area.source, sorted(area.places))
    if study.mode == "counts":
        # neither policy nor source have a say in what X counts
        place = ("counts", area.name, area.box.csv, area.timezone, sorted(area.places))
    return digest(CODE, study.prior.alpha, study.prior.beta, study.forget, study.start, place, study.match)


def revision(settings: Settings, study_name: str, day: date) -> str:
    """What the marker of one day's posterior says: the version, and the revision of that day's own counts.

    So a day whose archives or rule changed is to be published again, as its counts are to be counted again.
    """
    return _marked(version(settings, study_name), count.revision(settings, study_name, day))


def _marked(version_: str, counts_revision: str) -> str:
    return digest(version_, counts_revision)


def has(settings: Settings, study_name: str, day: date) -> bool:
    """Whether that day's posterior stands as today's configuration wants it."""
    return bool(database.markers_present(settings, {("posteriors", study_name, day): revision(settings, study_name, day)}))


def update(settings: Settings, study_name: str, day: date, *, why: str = "", progress: Progress = silent) -> int:
    """Publish the posterior of `day`, and mend every published one that its counts change; give the number of rows changed.

    Days count whose stored counts are those of today's rule, box and sources; the others are counted as missing. What is replaced
    goes to posterior_history, with the reason: what the rows tell, after `why` (what happened to the counts, where that is known). Pages
    from the first day on whose row or marker changed lose their markers.

    Raises:
        MissingData: `day` itself has no current counts, or lies before the study's start.
        DatabaseUnavailable: see pipeline.database.transaction.
    """
    study = settings.study(study_name)
    wanted = version(settings, study_name)
    with database.transaction(settings) as connection:
        database.lock(connection, "study", study_name)
        counted = _current_counts(settings, connection, study)
        if day not in counted:
            raise MissingData(
                f"no counts of {study_name} on {day} by today's rule and box are in the database (the study starts on {study.start})",
                todo=f"load them first: luigi --module tasks UpdatePosterior --study {study_name} --date {day}",
            )
        published = _published(connection, study_name)
        targets = sorted((published.keys() | {day}) & counted.keys())
        rows = compute(study, list(counted.values()), targets, rule_version=count.rule_version(study), revision=wanted)
        changed = [row for row in rows if _values(published.get(row["day"])) != row]
        progress(0.5, f"{study_name}: {len(changed)} of {len(rows)} rows change")
        if changed:
            _replace(connection, study_name, changed, published, why)
        faults.point("posterior.before_marker")
        marked = _mark(connection, study_name, rows, {row["day"]: _marked(wanted, counted[row["day"]]["loaded"]) for row in rows})
        faults.point("posterior.after_marker")
        # the same numbers under a new marker too: a page may call them stale
        if anew := [*marked, *(row["day"] for row in changed)]:
            database.lock(connection, "report")
            database.drop_markers(connection, "report", "", min(anew))
    progress(1.0, f"{study_name} on {day}: {len(changed)} rows changed")
    return len(changed)


def compute(
    study: Study, counted: Sequence[Mapping[str, Any]], targets: Sequence[date], *, rule_version: str, revision: str
) -> list[dict[str, Any]]:
    """The rows of `targets` from the counts of days: keys day, trials, matches, coverage, synthetic, basis; sorted by day."""
    days = np.array([row["day"] for row in counted], dtype="datetime64[D]")
    at = np.array(targets, dtype="datetime64[D]")
    sums = posterior_sequence(
        prior_alpha=study.prior.alpha,
        prior_beta=study.prior.beta,
        forget=study.forget,
        days=days,
        trials=np.array([row["trials"] for row in counted], dtype=np.int64),
        matches=np.array([row["matches"] for row in counted], dtype=np.int64),
        at=at,
    )
    columns: dict[str, Any] = {"day": list(targets), "alpha": sums.alpha, "beta": sums.beta, "mean": beta.mean(sums.alpha, sums.beta)}
    for lower, level in _INTERVALS.items():
        upper = lower.replace("lower", "upper")
        columns[lower], columns[upper] = beta.central_interval(sums.alpha, sums.beta, level)
        columns[f"hdi_{lower}"], columns[f"hdi_{upper}"] = beta.highest_density_interval(sums.alpha, sums.beta, level)
    until = np.searchsorted(days, at, side="right")
    known = np.array([np.nan if row["coverage"] is None else row["coverage"] for row in counted], dtype=np.float64)
    columns |= {"prior_alpha": study.prior.alpha, "prior_beta": study.prior.beta, "forget": study.forget}
    columns |= {"trials": sums.trials, "matches": sums.matches, "days": sums.days_counted}
    columns["days_missing"] = (at - np.datetime64(study.start, "D")).astype(np.int64) + 1 - sums.days_counted
    columns["days_partial"] = _so_far(known < 1)[until]
    with np.errstate(invalid="ignore"):  # 0 / 0: no day's coverage is known
        coverage = _so_far(np.nan_to_num(known, nan=0.0))[until] / _so_far(~np.isnan(known))[until]
    columns["coverage"] = [None if np.isnan(value) else value for value in coverage.tolist()]
    columns["synthetic"] = _so_far(np.array([row["synthetic"] for row in counted], dtype=np.int64))[until] > 0
    bases = np.array([BASES.index(row["basis"]) for row in counted])
    columns["basis"] = [BASES[number] for number in np.maximum.accumulate(bases)[until - 1].tolist()]
    columns["days_sampled"] = _so_far(bases == BASES.index("sample"))[until]
    columns |= {"rule_version": rule_version, "revision": revision}
    arrays = [pa.array(_column(columns[field.name], len(targets)), field.type) for field in VALUES]
    rows: list[dict[str, Any]] = pa.Table.from_arrays(arrays, schema=VALUES).to_pylist()
    return rows


def _so_far(values: Any) -> Any:
    """Sums of the first 0, 1, 2 … values."""
    return np.concatenate([[0], np.cumsum(values)])


def _column(values: Any, length: int) -> Any:
    return [values] * length if isinstance(values, (float, str)) else values


def _current_counts(settings: Settings, connection: sa.Connection, study: Study) -> dict[date, Mapping[str, Any]]:
    """The stored counts that today's configuration would give again, by day, sorted."""
    stored = connection.execute(
        sa.text(
            "select day, trials, matches, daily_counts.coverage, daily_counts.synthetic, basis, partitions.revision as loaded"
            " from daily_counts join partitions using (day)"
            " where study = :study and dataset = 'counts' and name = :study and day >= :start order by day"
        ),
        {"study": study.name, "start": study.start},
    ).mappings()
    return {row["day"]: dict(row) for row in stored if row["loaded"] == count.revision(settings, study.name, row["day"])}


def _published(connection: sa.Connection, study_name: str) -> dict[date, Mapping[str, Any]]:
    rows = connection.execute(sa.text("select * from posteriors where study = :study"), {"study": study_name}).mappings()
    return {row["day"]: dict(row) for row in rows}


def _values(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if row is None else {name: row[name] for name in VALUES.names}


def _replace(
    connection: sa.Connection, study_name: str, changed: list[dict[str, Any]], published: Mapping[date, Mapping[str, Any]], why: str
) -> None:
    replaced = [row for row in changed if row["day"] in published]
    columns = ", ".join(["study", *VALUES.names, "published_at", "run_id"])
    connection.execute(
        sa.text(
            f"insert into posterior_history ({columns}, replaced_by, reason)"
            f" select {columns}, :run, why.reason from posteriors"
            " join unnest(cast(:days as date[]), cast(:reasons as text[])) as why (day, reason) using (day)"
            " where study = :study order by day"
        ),
        {
            "run": ledger.current(),
            "study": study_name,
            "days": [row["day"] for row in replaced],
            "reasons": ["; ".join(filter(None, [why, reason(published[row["day"]], row)])) for row in replaced],
        },
    )
    connection.execute(
        sa.text("delete from posteriors where study = :study and day = any(cast(:days as date[]))"),
        {"study": study_name, "days": [row["day"] for row in changed]},
    )
    faults.point("posterior.before_copy")
    run = {"run_id": ledger.current()}
    batch = pa.RecordBatch.from_pylist([row | run for row in changed], VALUES.append(pa.field("run_id", pa.string())))
    copying.copy(connection, Rows("posteriors", {"study": study_name}, [batch]))


def reason(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Why a published row changes, in words that follow from the two rows alone."""

    def differ(*names: str) -> bool:
        return any(old[name] != new[name] for name in names)

    said = []
    if "counts" in (old["basis"], new["basis"]) and differ("basis"):
        said.append("now counted by X's own rules" if new["basis"] == "counts" else "now counted from collected tweets")
    elif differ("rule_version"):
        said.append("the rule changed")
    if differ("prior_alpha", "prior_beta"):
        said.append("the prior changed")
    if differ("forget"):
        said.append("the forgetting changed")
    if new["days"] > old["days"]:
        said.append(f"{_days(new['days'] - old['days'])} came late")
    elif new["days"] < old["days"]:
        said.append(f"{_days(old['days'] - new['days'])} no longer count")
    elif differ("trials", "matches"):
        completed = old["days_partial"] - new["days_partial"]
        what = f"{_days(completed)} completed" if completed > 0 else "earlier counts restated"
        said.append(f"{what}: {old['matches']} of {old['trials']} became {new['matches']} of {new['trials']}")
    elif differ("alpha", "beta") and not said:
        said.append("earlier counts restated")
    if not said and differ("days_missing"):
        said.append("the study's start changed")
    if not said and differ("coverage", "days_partial", "synthetic", "basis", "days_sampled"):
        said.append("coverage or source of earlier days restated")
    return "; ".join(said) or "the area's or the program's version changed"


def _days(number: int) -> str:
    return f"{number} day{'s' if number != 1 else ''}"


def _mark(connection: sa.Connection, study_name: str, rows: list[dict[str, Any]], revisions: Mapping[date, str]) -> list[date]:
    """Markers for all rows; those that stand already and whose row did not change are left alone. Gives the days of the others."""
    marked: list[date] = []
    for start in range(0, len(rows), 1000):
        part = rows[start : start + 1000]
        written = connection.execute(
            sa.text(
                "insert into partitions as old (dataset, name, day, revision, rows, source_digest, synthetic, run_id)"
                " select 'posteriors', :study, day, revision, 1, digest, synthetic, :run"
                " from unnest(cast(:days as date[]), cast(:revisions as text[]), cast(:digests as text[]), cast(:synthetic as boolean[]))"
                " as new (day, revision, digest, synthetic)"
                " on conflict (dataset, name, day) do update"
                " set (revision, rows, source_digest, synthetic, run_id, loaded_at)"
                " = (excluded.revision, 1, excluded.source_digest, excluded.synthetic, excluded.run_id, now())"
                " where (old.revision, old.source_digest) is distinct from (excluded.revision, excluded.source_digest)"
                " returning day"
            ),
            {
                "study": study_name,
                "run": ledger.current(),
                "days": [row["day"] for row in part],
                "revisions": [revisions[row["day"]] for row in part],
                "digests": [digest(row, length=16) for row in part],
                "synthetic": [row["synthetic"] for row in part],
            },
        )
        marked += written.scalars()
    return marked
