"""Stored counts to stored posteriors: a pure function of the prior and the counts, so the order of days never shows.

The arithmetic is stats/'s. Here: which days count, which rows change, and what is kept of those that did.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from pipeline import copying, count, counted, database, estimates, faults, ledger, study_counts
from pipeline.copying import Rows
from pipeline.errors import MissingData
from pipeline.estimates import Effective
from pipeline.progress import Progress, silent
from pipeline.settings import Settings
from pipeline.storage import digest, digest_around
from pipeline.study import Study
from pipeline.study_counts import Counts, Method

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
    return revisions(version(settings, study_name))(count.revision(settings, study_name, day))


def revisions(version_: str) -> Callable[[str], str]:
    """From the revision of a day's counts to that of its posterior, where a study's version is known."""
    return digest_around((version_,))


def has(settings: Settings, study_name: str, day: date) -> bool:
    """Whether that day's posterior stands as today's configuration wants it."""
    return bool(database.markers_present(settings, {("posteriors", study_name, day): revision(settings, study_name, day)}))


def update(settings: Settings, study_name: str, day: date, *, why: str = "", progress: Progress = silent) -> int:
    """Publish the posterior of `day`, and mend every published one that its counts change; give the number of its rows changed.

    Days count whose stored counts are those of today's rule, box and sources; the others are counted as missing. What is replaced
    goes to posterior_history, with the reason: what the rows tell, after `why` (what happened to the counts, where that is known). Pages
    and digests from the first day on whose row or marker changed lose their markers. Where the study is one of a pool, what is published
    of the others is mended too. Rows whose counts did not change are not computed again.

    Raises:
        MissingData: `day` itself has no current counts, or lies before the study's start.
        DatabaseUnavailable: see pipeline.database.transaction.
    """
    study = settings.study(study_name)
    with database.transaction(settings) as connection:
        # in the order of their names, so that two updates of one pool never wait in a circle
        for name in sorted([study_name, *(mate.name for mate in pool_mates(settings, study))]):
            database.lock(connection, "study", name)
        pool = _Pool(settings, connection, study)
        if day not in pool.counts[study_name]:
            raise MissingData(
                f"no counts of {study_name} on {day} by today's rule and box are in the database (the study starts on {study.start})",
                todo=f"load them first: luigi --module tasks UpdatePosterior --study {study_name} --date {day}",
            )
        published = _published_days(connection, study_name)
        stale = pool.stale(study, pool.counts[study_name])
        changed = _publish(pool, study, [found for found in stale if found == day or found in published], why, progress)
        # what a mate learnt up to the evening before the first of these days stands
        for mate in pool.mates(study) if stale else ():
            later = [found for found in _published_days(connection, mate.name) if found > stale[0]]
            _publish(pool, mate, pool.stale(mate, later), "", progress, learnt_from=study_name)
    progress(1.0, f"{study_name} on {day}: {changed} rows changed")
    return changed


def again(settings: Settings, connection: sa.Connection, study_name: str, day: date) -> dict[str, Any] | None:
    """The row of a day as it would be published now, by the names of estimates.VALUES; None where the day has no current counts."""
    study = settings.study(study_name)
    pool = _Pool(settings, connection, study)
    return pool.rows(study, [day], silent)[0] if day in pool.counts[study_name] else None


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


class _Pool:
    """A study and the others of its pool (or it alone), as one transaction sees them; what each said of an evening is found once."""

    def __init__(self, settings: Settings, connection: sa.Connection, study: Study) -> None:
        self.settings, self.connection = settings, connection
        self.studies = sorted([study, *pool_mates(settings, study)], key=lambda member: member.name)
        self.counts = {study.name: counted.current(settings, connection, study) for study in self.studies}
        self.versions = {study.name: version(settings, study.name) for study in self.studies}
        self._said: dict[str, dict[date, tuple[float, float]]] = {study.name: {} for study in self.studies}

    def mates(self, study: Study) -> list[Study]:
        """The others, by name."""
        return [other for other in self.studies if other.name != study.name]

    def marks(self, study: Study, days: Iterable[date]) -> dict[date, tuple[str, str]]:
        """What the markers of these counted days should say: the revision, and a digest of all counts that the row rests on.

        Its own up to the day, the others' up to the day before.
        """
        own = self.counts[study.name]
        others = [(list(counts), counts) for counts in (self.counts[mate.name] for mate in self.mates(study))]
        found = {}
        marked = revisions(self.versions[study.name])
        for day in days:
            before = [counts[when[place - 1]].so_far if (place := bisect.bisect_left(when, day)) else None for when, counts in others]
            found[day] = (marked(own[day].loaded), digest(own[day].so_far, before))
        return found

    def stale(self, study: Study, days: Iterable[date]) -> list[date]:
        """Those of some days, sorted, that have counts and no row made of what the counts are now."""
        marks = self.marks(study, sorted(self.counts[study.name].keys() & set(days)))
        standing = {row.day: (row.revision, row.inputs) for row in _standing(self.connection, study.name)}
        return [day for day, mark in marks.items() if standing.get(day) != mark]

    def rows(self, study: Study, targets: list[date], progress: Progress) -> list[dict[str, Any]]:
        """The rows of these days (sorted, with counts), computed."""
        at, how = np.array(targets, dtype="datetime64[D]"), method(study)
        if study.prior.pool is None:
            priors = estimates.set_priors(how, at)
        else:
            evenings = [day - timedelta(days=1) for day in targets]
            priors = estimates.pooled_priors(how, at, [self._said_by(mate, evenings) for mate in self.mates(study)])
        own = self._arrays(study, targets[0], targets[-1])
        rule, made_by = count.rule_version(self.settings, study), self.versions[study.name]
        return estimates.rows(how, own, targets, priors, rule_version=rule, revision=made_by, progress=progress)

    def _arrays(self, study: Study, first: date, last: date) -> Counts:
        days = {day: found for day, found in self.counts[study.name].items() if day <= last}
        since = study_counts.authors_since(method(study), list(days), first)
        return counted.arrays(self.connection, study, days, since=since)

    def _said_by(self, mate: Study, evenings: list[date]) -> Effective:
        known = self._said[mate.name]
        if missing := sorted(set(evenings) - known.keys()):
            known |= self._said_in_rows(mate, missing)
        if missing := sorted(set(evenings) - known.keys()):
            arrays = self._arrays(mate, missing[0], missing[-1])
            made = estimates.effective(method(mate), arrays, np.array(missing, dtype="datetime64[D]"))
            known |= dict(zip(missing, zip(made.trials.tolist(), made.matches.tolist(), strict=True), strict=True))
        trials, matches = zip(*(known[evening] for evening in evenings), strict=True)
        return Effective(np.array(trials), np.array(matches))

    def _said_in_rows(self, mate: Study, evenings: list[date]) -> dict[date, tuple[float, float]]:
        """What its rows say, where they are made of what its counts are now: the same to the last bit as computing it again."""
        marks = self.marks(mate, [day for day in evenings if day in self.counts[mate.name]])
        rows = _standing(self.connection, mate.name)
        return {row.day: (row.effective_trials, row.effective_matches) for row in rows if marks.get(row.day) == (row.revision, row.inputs)}


def _publish(pool: _Pool, study: Study, targets: list[date], why: str, progress: Progress, *, learnt_from: str = "") -> int:
    """Compute the rows of these days (sorted), write those that changed, and mark all of them; give the number that changed."""
    if not targets:
        return 0
    rows = pool.rows(study, targets, progress)
    published = _published(pool.connection, study.name, targets)
    changed = [row for row in rows if estimates.values(published.get(row["day"])) != row]
    if changed:
        reasons = {
            row["day"]: "; ".join(filter(None, [why, reason(published[row["day"]], row, learnt_from=learnt_from)]))
            for row in changed
            if row["day"] in published
        }
        _replace(pool.connection, study.name, changed, reasons)
    faults.point("posterior.before_marker")
    marked = _mark(pool.connection, study.name, rows, pool.marks(study, targets))
    faults.point("posterior.after_marker")
    # the same numbers under a new marker too: a page may call them stale
    if anew := [*marked, *(row["day"] for row in changed)]:
        database.lock(pool.connection, "report")
        for dataset in ("report", "digest"):
            database.drop_markers(pool.connection, dataset, "", min(anew))
    return len(changed)


def _published_days(connection: sa.Connection, study_name: str) -> set[date]:
    return set(connection.execute(sa.text("select day from posteriors where study = :study"), {"study": study_name}).scalars())


def _standing(connection: sa.Connection, study_name: str) -> Sequence[sa.Row[Any]]:
    """Of each published row that has a marker: what that says it was made of, and what a pool learns from the row."""
    statement = sa.text(
        "select day, partitions.revision, inputs, effective_trials, effective_matches from posteriors join partitions using (day)"
        " where study = :study and dataset = 'posteriors' and name = :study"
    )
    return connection.execute(statement, {"study": study_name}).all()


def _published(connection: sa.Connection, study_name: str, days: list[date]) -> dict[date, Mapping[str, Any]]:
    statement = sa.text("select * from posteriors where study = :study and day = any(cast(:days as date[]))")
    rows = connection.execute(statement, {"study": study_name, "days": days}).mappings()
    return {row["day"]: dict(row) for row in rows}


def _replace(connection: sa.Connection, study_name: str, changed: list[dict[str, Any]], reasons: Mapping[date, str]) -> None:
    """Put these rows in the place of what is published; `reasons` of those that are."""
    columns = ", ".join(["study", *estimates.VALUES.names, "published_at", "run_id"])
    connection.execute(
        sa.text(
            f"insert into posterior_history ({columns}, replaced_by, reason)"
            f" select {columns}, :run, why.reason from posteriors"
            " join unnest(cast(:days as date[]), cast(:reasons as text[])) as why (day, reason) using (day)"
            " where study = :study order by day"
        ),
        {"run": ledger.current(), "study": study_name, "days": list(reasons), "reasons": list(reasons.values())},
    )
    connection.execute(
        sa.text("delete from posteriors where study = :study and day = any(cast(:days as date[]))"),
        {"study": study_name, "days": [row["day"] for row in changed]},
    )
    faults.point("posterior.before_copy")
    run = {"run_id": ledger.current()}
    batch = pa.RecordBatch.from_pylist([row | run for row in changed], estimates.VALUES.append(pa.field("run_id", pa.string())))
    copying.copy(connection, Rows("posteriors", {"study": study_name}, [batch]))


def reason(old: Mapping[str, Any], new: Mapping[str, Any], *, learnt_from: str = "") -> str:
    """Why a published row changes, in words that follow from the two rows alone; of a pool, whose counts it learnt from anew."""

    def differ(*names: str) -> bool:
        return any(old[name] != new[name] for name in names)

    said = []
    if "counts" in (old["basis"], new["basis"]) and differ("basis"):
        said.append("now counted by X's own rules" if new["basis"] == "counts" else "now counted from collected tweets")
    elif differ("rule_version"):
        # a row does not tell the two apart
        said.append("the rule, or whom it leaves out, changed")
    if (prior := _prior_reason(old, new, learnt_from)) is not None:
        said.append(prior)
    if old["design_effect"] is None and new["design_effect"] is not None:
        said.append("now corrected for authors who tweet a lot")
    elif old["naive_alpha"] is None:
        # of before there were three estimates, and X names no authors
        said.append("the program's version changed")
    if differ("window_days", "author_cap") or (differ("forget") and (old["forget_scores"] is None or new["forget_scores"] is None)):
        said.append("the forgetting or the cap on authors changed")
    if new["days"] > old["days"]:
        said.append(f"{_days(new['days'] - old['days'])} came late")
    elif new["days"] < old["days"]:
        gone = old["days"] - new["days"]
        said.append(f"{_days(gone)} no longer count{'s' if gone == 1 else ''}")
    elif differ("trials", "matches"):
        completed = old["days_partial"] - new["days_partial"]
        what = f"{_days(completed)} completed" if completed > 0 else "earlier counts restated"
        said.append(f"{what}: {old['matches']} of {old['trials']} became {new['matches']} of {new['trials']}")
    elif differ("alpha", "beta", "surprise", "forget_scores") and not said:
        # also days out of the window that the surprise still rests on, and authors who changed
        said.append("earlier counts restated")
    if not said and differ("days_missing"):
        said.append("the study's start changed")
    if not said and differ("coverage", "days_partial", "synthetic", "basis", "days_sampled"):
        said.append("coverage or source of earlier days restated")
    return "; ".join(said) or "the area's or the program's version changed"


def _prior_reason(old: Mapping[str, Any], new: Mapping[str, Any], learnt_from: str) -> str | None:
    if (old["prior_areas"] is None) != (new["prior_areas"] is None):
        return "the prior is set again" if new["prior_areas"] is None else "the prior is now learnt from a pool"
    if (old["prior_alpha"], old["prior_beta"]) == (new["prior_alpha"], new["prior_beta"]):
        return None
    if new["prior_areas"] is None:
        return "the prior changed"
    return "the pooled prior changed" + (f" with the counts of {learnt_from}" if learnt_from else "")


def _days(number: int) -> str:
    return f"{number} day{'s' if number != 1 else ''}"


def _mark(connection: sa.Connection, study_name: str, rows: list[dict[str, Any]], marks: Mapping[date, tuple[str, str]]) -> list[date]:
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
                "revisions": [marks[row["day"]][0] for row in part],
                "digests": [digest(row, length=16) for row in part],
                "inputs": [marks[row["day"]][1] for row in part],
                "synthetic": [row["synthetic"] for row in part],
            },
        )
        marked += written.scalars()
    return marked
