"""The digest of a night: what shifted, how every study stands, what is partial, missing or surprising, whom nobody could tell.

It is made like the page: from what the database says, with a marker that goes when that changes. Alarms are told once all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from pipeline import alarms, database, extract, faults, ledger, posterior, storage, why
from pipeline.alarms import Verdict
from pipeline.counted import own
from pipeline.digest import told, words
from pipeline.errors import SourceUnavailable
from pipeline.progress import Progress, silent
from pipeline.report.words import counted, day_long
from pipeline.settings import Settings
from pipeline.stats.attribution import Attribution
from pipeline.storage import digest

#: Changes whenever the digest of the same database would say something else.
CODE: Final = "digest-1"


def revision(settings: Settings, day: date, versions: Callable[[str], str] | None = None) -> str:
    """What the digest of `day` depends on besides the database's rows: this code, the promise, the studies it judges.

    Of the day itself it holds only which studies have started.

    Args:
        versions: posterior.version by study, for who has it; None to ask for it.
    """
    versions = versions or partial(posterior.version, settings)
    judged = [study for study in settings.studies.values() if study.start <= day]
    return digest(
        CODE,
        sorted(alarms.rates(settings).items()),
        [(study.name, study.area, study.alarms, versions(study.name)) for study in judged],
    )


def path(settings: Settings, day: date) -> Path:
    """Where the digest of `day` lies, whether it is there or not; digest.json is beside it."""
    return settings.data / "digests" / f"date={day}" / "digest.txt"


def has(settings: Settings, day: date) -> bool:
    """Whether the digest is there and was made from what the database says now."""
    wanted = {("digest", "", day): revision(settings, day)}
    return path(settings, day).is_file() and bool(database.markers_present(settings, wanted))


@dataclass(frozen=True)
class Night:
    """What the database says of one night.

    Attributes:
        verdicts: one a series that can be judged.
        studies: one a study that has begun: its row of that day, or why there is none.
        alarms: those kept of the day, and by `same` those of days around it that a verdict of this night is the same as.
        doubtful: alarms of the days before, and of this one, that did not surely arrive.
    """

    day: date
    verdicts: list[Verdict]
    studies: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    same: list[tuple[Verdict, date]]
    doubtful: list[dict[str, Any]]

    @property
    def synthetic(self) -> bool:
        """Whether any number of it is made up."""
        return any(study["synthetic"] for study in self.studies) or any(alarm["synthetic"] for alarm in self.alarms)

    @property
    def digest(self) -> str:
        """Equal for equal numbers; who was told of them has no part in it."""
        return digest([asdict(verdict) for verdict in self.verdicts], self.studies)


def make(settings: Settings, day: date, *, now: datetime | None = None, progress: Progress = silent) -> int:
    """Find the night's alarms, tell them, write digest.txt and digest.json and their marker; give the number of alarms.

    The marker comes last, and only where the numbers are still those that were judged: who is killed before it makes the digest
    again, and that one says what may not have arrived. Loaders take the same lock before they delete the marker.

    Raises:
        SourceUnavailable: the numbers changed under three attempts in a row.
        DatabaseUnavailable: see pipeline.database.transaction.
    """
    # most who load this module ask only whether it was done: what speaks HTTP costs them 0.1 s
    from pipeline.digest import deliveries

    now = now or datetime.now(UTC)
    for _ in range(3):
        progress(0.1, f"digest: judging {day}")
        with database.transaction(settings) as connection:
            database.lock(connection, "alarms")
            before = _loaded(connection, day)
            verdicts = alarms.judge(settings, connection, day)
            _keep(settings, connection, [verdict for verdict in verdicts if verdict.begins], progress)
            seen = _read(settings, connection, day, verdicts)
        faults.point("digest.alarms")
        deliveries.deliver(settings, now=now, night=extract.this_night(), body=text(seen, settings), progress=progress)
        with database.transaction(settings) as connection:
            database.lock(connection, "report")
            if _loaded(connection, day) != before:
                continue
            found = _read(settings, connection, day, verdicts)
            _write(settings, found)
            faults.point("digest.before_marker")
            marker = database.Marker(revision(settings, day), len(found.alarms), source_digest=found.digest, run_id=ledger.current())
            database.write_marker(connection, ("digest", "", day), marker)
        progress(1.0, f"digest: {counted(len(found.alarms), 'shift')}, {path(settings, day)}")
        return len(found.alarms)
    raise SourceUnavailable(
        f"the counts changed three times while the digest of {day} was being made",
        todo="wait for the other run to end, then run this again: no alarm is told twice",
    )


def _loaded(connection: sa.Connection, day: date) -> object:
    """A digest of what is loaded and published up to the day: while it is the same, so is every verdict."""
    return connection.scalar(
        sa.text(
            "select md5(string_agg(concat_ws('|', dataset, name, day, revision, source_digest, rows, loaded_at), ','"
            " order by dataset, name, day))"
            " from partitions where dataset in ('tweets', 'counts', 'posteriors') and day <= :day"
        ),
        {"day": day},
    )


def _keep(settings: Settings, connection: sa.Connection, begun: Sequence[Verdict], progress: Progress) -> None:
    new = [verdict for verdict in begun if alarms.known(connection, verdict) is None]
    for verdict in new:
        progress(0.3, f"digest: why {verdict.subject} moved")
        parts = _why(settings, connection, verdict)
        alarms.keep(connection, verdict, said=words.said(verdict, parts), why=parts)
    if new:
        # pages from that day on show them
        database.lock(connection, "report")
        database.drop_markers(connection, "report", "", new[0].day)


def _why(settings: Settings, connection: sa.Connection, verdict: Verdict) -> Attribution | None:
    """Of a share: the last nights that show it, against the days before them. Where X counted nobody knows whose tweets they are."""
    if verdict.kind != "share" or verdict.by_x:
        return None
    return why.shift(settings, connection, settings.study(verdict.subject), verdict.day, verdict.nights)


def _read(settings: Settings, connection: sa.Connection, day: date, verdicts: list[Verdict]) -> Night:
    around = alarms.kept(connection, day - told.RECENT, day)
    of_day = [alarm for alarm in around if alarm["day"] == day]
    same = [(verdict, found) for verdict in verdicts if verdict.begins and (found := alarms.known(connection, verdict)) not in (None, day)]
    return Night(
        day=day,
        verdicts=verdicts,
        studies=[_study(settings, connection, name, day) for name, study in settings.studies.items() if study.start <= day],
        alarms=of_day,
        same=[(verdict, found) for verdict, found in same if found is not None],
        doubtful=[alarm for alarm in around if told.doubtful([alarm])],
    )


def _study(settings: Settings, connection: sa.Connection, name: str, day: date) -> dict[str, Any]:
    row = connection.execute(
        sa.text(
            "select mean, lower_95, upper_95, counted.trials, counted.matches, expected_lower_95, expected_upper_95, surprise,"
            " days_missing, counted.coverage, coverage_reason, posteriors.synthetic, posteriors.basis, author_cap,"
            " marker.revision"
            " from posteriors join daily_counts as counted using (study, day)"
            " join partitions as marker on (marker.dataset, marker.name, marker.day) = ('posteriors', study, posteriors.day)"
            " where study = :study and posteriors.day = :day"
        ),
        {"study": name, "day": day},
    ).mappings().one_or_none()  # fmt: skip
    if row is None or row["revision"] != posterior.revision(settings, name, day):
        missing = "none is published" if row is None else "what is published was made by an earlier rule, box or prior"
        return {"study": name, "mean": None, "missing": missing, "synthetic": False}
    # as the page: a day is held against what was expected of it by what counts of it
    n, k = own(connection, name, day, row["author_cap"])
    told = {key: value for key, value in row.items() if key not in ("revision", "author_cap")}
    return {"study": name, **told, "own_trials": n, "own_matches": k}


def _write(settings: Settings, night: Night) -> None:
    told = text(night, settings, whole=True)
    storage.write_bytes(path(settings, night.day), (told + "\n").encode("utf-8"))
    storage.write_json(path(settings, night.day).with_name("digest.json"), document(night, settings))


def document(night: Night, settings: Settings) -> dict[str, Any]:
    """The same for programs. Without the times at which anything was done: the same database gives the same digest."""
    return {
        "day": night.day.isoformat(),
        "synthetic": night.synthetic,
        "alarms": [told.as_document(alarm) for alarm in night.alarms],
        "studies": [{key: value for key, value in study.items() if key != "revision"} for study in night.studies],
        "not_surely_told": told.doubtful(night.doubtful),
        "promise": alarms.promise(settings),
    }


def text(night: Night, settings: Settings, *, whole: bool = False) -> str:
    """The night in lines of 80 columns: a mail's lower part; `whole` is the file, with the alarms and what became of them."""
    head = f"geobeta, the night of {day_long(night.day)}"
    blocks = [[head], *([["SYNTHETIC: numbers of the sandbox's made-up city are among these."]] if night.synthetic else [])]
    if whole:
        blocks.append([counted(len(night.alarms), "shift") if night.alarms else "No shifts", *words.paragraph(night.alarms)])
    if notes := _notes(night):
        blocks.append(notes)
    blocks.append(["The studies: share (95 % interval)", *(line for study in night.studies for line in words.study_lines(study))])
    if whole and (lines := words.deliveries(night.doubtful)):
        blocks.append(["Not surely told", *map(words.wrapped, lines)])
    blocks.append([words.wrapped(alarms.promise(settings), 0)])
    return "\n\n".join("\n".join(block) for block in blocks)


def _notes(night: Night) -> list[str]:
    """Of earlier alarms what this night adds to them, and of its own what the counts of today no longer show."""
    lines = [f"{v.kind} of {v.subject} {v.direction}: the same shift as on {words.day_brief(found)}" for v, found in night.same]
    begun = {(verdict.kind, verdict.subject, verdict.direction) for verdict in night.verdicts if verdict.begins}
    same = {(verdict.kind, verdict.subject) for verdict, _ in night.same}
    lines += [
        f"{verdict.kind} of {verdict.subject} is still out of the ordinary ({verdict.direction})"
        for verdict in night.verdicts
        if verdict.beyond and not verdict.begins and (verdict.kind, verdict.subject) not in same
    ]
    lines += [
        f"{alarm['kind']} of {alarm['subject']}: the counts as they are now no longer show this shift"
        for alarm in night.alarms
        if (alarm["kind"], alarm["subject"], alarm["direction"]) not in begun
    ]
    return [words.wrapped(line) for line in lines]


def made(settings: Settings) -> list[date]:
    """The days that have a digest, current or not."""
    return sorted(
        date.fromisoformat(found.parent.name.removeprefix("date=")) for found in (settings.data / "digests").glob("date=*/digest.txt")
    )
