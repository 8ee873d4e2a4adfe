"""Stored counts to stored posteriors: a pure function of the prior and the counts, so the order of days never shows.

The arithmetic is stats/'s. Here: which days count, which rows change, and what is kept of those that did.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from pipeline import copying, count, counted, database, estimates, faults, ledger
from pipeline.copying import Rows
from pipeline.errors import MissingData
from pipeline.estimates import Method
from pipeline.progress import Progress, silent
from pipeline.settings import Settings
from pipeline.storage import digest
from pipeline.study import Study

#: Change it when the same counts give another row than before.
CODE = 2


def version(settings: Settings, study_name: str) -> str:
    """Digest of all that decides a posterior beside the counts: prior, forgetting, start, area, rule, and this stage's code."""
    study = settings.study(study_name)
    area = settings.area(study.area)
    place: tuple[object, ...] = (area.name, area.policy, area.source, sorted(area.places))
    if study.mode == "counts":
        # neither policy nor source have a say in what X counts
        place = ("counts", area.name, area.box.csv, area.timezone, sorted(area.places))
    pool = [(mate.name, _weights(mate), mate.start) for mate in pool_mates(settings, study)]
    return digest(CODE, _weights(study), pool, study.start, place, count.rule_version(settings, study))


def _weights(study: Study) -> tuple[object, ...]:
    prior = study.prior.parameters
    return (prior.alpha, prior.beta, study.prior.pool, study.forget, study.window, study.author_cap)


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
    from the first day on whose row or marker changed lose their markers. Where the study is one of a pool, what is published of the
    others is mended too.

    Raises:
        MissingData: `day` itself has no current counts, or lies before the study's start.
        DatabaseUnavailable: see pipeline.database.transaction.
    """
    study = settings.study(study_name)
    mates = pool_mates(settings, study)
    with database.transaction(settings) as connection:
        for name in sorted([study_name, *(mate.name for mate in mates)]):
            database.lock(connection, "study", name)
        counts = {other.name: counted.current(settings, connection, other) for other in (study, *mates)}
        if day not in counts[study_name]:
            raise MissingData(
                f"no counts of {study_name} on {day} by today's rule and box are in the database (the study starts on {study.start})",
                todo=f"load them first: luigi --module tasks UpdatePosterior --study {study_name} --date {day}",
            )
        changed = _publish(settings, connection, study, counts, {day}, why, progress)
        for mate in mates:
            _publish(settings, connection, mate, counts, set(), f"the pooled prior learnt from {study_name}", silent)
    progress(1.0, f"{study_name} on {day}: {changed} rows changed")
    return changed


def again(settings: Settings, connection: sa.Connection, study_name: str, day: date) -> dict[str, Any] | None:
    """The row of a day as it would be published now, by the names of estimates.VALUES; None where the day has no current counts."""
    study = settings.study(study_name)
    mates = pool_mates(settings, study)
    counts = {other.name: counted.current(settings, connection, other) for other in (study, *mates)}
    if day not in counts[study_name]:
        return None
    return _rows(settings, connection, study, mates, counts, [day], version(settings, study_name))[0]


def pool_mates(settings: Settings, study: Study) -> list[Study]:
    """The other studies of its pool, by name."""
    if study.prior.pool is None:
        return []
    return [settings.studies[name] for name in sorted(settings.studies) if _mates(study, settings.studies[name])]


def _mates(study: Study, other: Study) -> bool:
    return other.name != study.name and other.prior.pool == study.prior.pool


def method(study: Study) -> Method:
    """What of a study's table its numbers depend on, beside its rule and area."""
    prior = study.prior.parameters
    return Method(prior.alpha, prior.beta, study.forget, study.window, study.author_cap, study.start)


def _publish(
    settings: Settings,
    connection: sa.Connection,
    study: Study,
    counts: Mapping[str, Mapping[date, counted.Day]],
    wanted: set[date],
    why: str,
    progress: Progress,
) -> int:
    """Write the rows of `wanted`, and of the published ones those whose inputs have changed."""
    own, mates = counts[study.name], pool_mates(settings, study)
    published, markers = _published(connection, study.name), _markers(connection, study.name)
    version_ = version(settings, study.name)
    inputs = {day: _inputs(day, own, [counts[mate.name] for mate in mates]) for day in sorted((published.keys() | wanted) & own.keys())}
    revisions = {day: _marked(version_, own[day].loaded) for day in inputs}
    stale = [day for day in inputs if day in wanted or markers.get(day) != (revisions[day], inputs[day])]
    changed: list[dict[str, Any]] = []
    marked: list[date] = []
    if stale:
        rows = _rows(settings, connection, study, mates, counts, stale, version_)
        changed = [row for row in rows if estimates.values(published.get(row["day"])) != row]
        progress(0.5, f"{study.name}: {len(changed)} of {len(rows)} rows change")
        if changed:
            _replace(connection, study.name, changed, published, why)
        faults.point("posterior.before_marker")
        marked = _mark(connection, study.name, rows, revisions, inputs)
        faults.point("posterior.after_marker")
    # the same numbers under a new marker too: a page may call them stale
    if anew := [*marked, *(row["day"] for row in changed)]:
        database.lock(connection, "report")
        database.drop_markers(connection, "report", "", min(anew))
    return len(changed)


def _inputs(day: date, own: Mapping[date, counted.Day], mates: list[Mapping[date, counted.Day]]) -> str:
    """Digest of all counts that a row rests on: its own up to the day, the pool's up to the day before."""
    before = [max((other for other in mate if other < day), default=None) for mate in mates]
    return digest(own[day].so_far, [last and mate[last].so_far for mate, last in zip(mates, before, strict=True)])


def _rows(
    settings: Settings,
    connection: sa.Connection,
    study: Study,
    mates: list[Study],
    counts: Mapping[str, Mapping[date, counted.Day]],
    targets: list[date],
    version_: str,
) -> list[dict[str, Any]]:
    at = np.array(targets, dtype="datetime64[D]")
    own, how = counted.arrays(connection, study, _up_to(counts[study.name], targets[-1])), method(study)
    if study.prior.pool is None:
        priors = estimates.set_priors(how, at)
    else:
        evenings = (at - np.timedelta64(1, "D")).astype("datetime64[D]")
        known = [(method(mate), counted.arrays(connection, mate, _up_to(counts[mate.name], targets[-1]))) for mate in mates]
        priors = estimates.pooled_priors(how, at, [estimates.effective(*mate, evenings) for mate in known])
    return estimates.rows(how, own, targets, priors, rule_version=count.rule_version(settings, study), revision=version_)


def _up_to(days: Mapping[date, counted.Day], last: date) -> dict[date, counted.Day]:
    return {day: found for day, found in days.items() if day <= last}


def _markers(connection: sa.Connection, study_name: str) -> dict[date, tuple[str, str | None]]:
    """Revision and digest of the inputs that each published row was made from."""
    statement = sa.text("select day, revision, inputs from partitions where dataset = 'posteriors' and name = :study")
    return {row.day: (row.revision, row.inputs) for row in connection.execute(statement, {"study": study_name})}


def _published(connection: sa.Connection, study_name: str) -> dict[date, Mapping[str, Any]]:
    rows = connection.execute(sa.text("select * from posteriors where study = :study"), {"study": study_name}).mappings()
    return {row["day"]: dict(row) for row in rows}


def _replace(
    connection: sa.Connection, study_name: str, changed: list[dict[str, Any]], published: Mapping[date, Mapping[str, Any]], why: str
) -> None:
    replaced = [row for row in changed if row["day"] in published]
    columns = ", ".join(["study", *estimates.VALUES.names, "published_at", "run_id"])
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
    batch = pa.RecordBatch.from_pylist([row | run for row in changed], estimates.VALUES.append(pa.field("run_id", pa.string())))
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
        said.append("the pooled prior changed" if new["prior_areas"] is not None else "the prior changed")
    if old["design_effect"] is None and new["design_effect"] is not None:
        said.append("now corrected for authors who tweet a lot")
    if differ("window_days", "author_cap") or (differ("forget") and (old["forget_scores"] is None or new["forget_scores"] is None)):
        said.append("the forgetting or the cap on authors changed")
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


def _mark(
    connection: sa.Connection, study_name: str, rows: list[dict[str, Any]], revisions: Mapping[date, str], inputs: Mapping[date, str]
) -> list[date]:
    """Markers for all rows; those that stand already and whose row did not change are left alone. Gives the days of the others."""
    marked: list[date] = []
    for start in range(0, len(rows), 1000):
        part = rows[start : start + 1000]
        written = connection.execute(
            sa.text(
                "insert into partitions as old (dataset, name, day, revision, rows, source_digest, inputs, synthetic, run_id)"
                " select 'posteriors', :study, day, revision, 1, digest, inputs, synthetic, :run"
                " from unnest(cast(:days as date[]), cast(:revisions as text[]), cast(:digests as text[]), cast(:inputs as text[]),"
                " cast(:synthetic as boolean[])) as new (day, revision, digest, inputs, synthetic)"
                " on conflict (dataset, name, day) do update"
                " set (revision, rows, source_digest, inputs, synthetic, run_id, loaded_at)"
                " = (excluded.revision, 1, excluded.source_digest, excluded.inputs, excluded.synthetic, excluded.run_id, now())"
                " where (old.revision, old.source_digest, old.inputs)"
                " is distinct from (excluded.revision, excluded.source_digest, excluded.inputs)"
                " returning day"
            ),
            {
                "study": study_name,
                "run": ledger.current(),
                "days": [row["day"] for row in part],
                "revisions": [revisions[row["day"]] for row in part],
                "digests": [digest(row, length=16) for row in part],
                "inputs": [inputs[row["day"]] for row in part],
                "synthetic": [row["synthetic"] for row in part],
            },
        )
        marked += written.scalars()
    return marked
