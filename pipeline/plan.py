"""What a run would do and why, without doing any of it: reads folders' names and the markers, writes nothing, starts nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy

from pipeline import clean, count, database, days, embedded, extract, extract_counts, inputs, nights, posterior, storage
from pipeline.digest import night as digest
from pipeline.errors import MissingData
from pipeline.report import page
from pipeline.settings import Settings
from pipeline.study import Study

#: In the order in which they run.
TASKS = (
    "ExtractTweets",
    "ExtractCounts",
    "CleanTweets",
    "LoadTweets",
    "CountMatches",
    "LoadCounts",
    "UpdatePosterior",
    "BuildReport",
    "SendDigest",
)


@dataclass(frozen=True)
class Step:
    """One partition that is not complete.

    Attributes:
        task: the Luigi task that would make it.
        name: area or study; empty for the report.
        day: its day.
        reason: why it is not complete.
        source: where its tweets (or counts) would come from; empty for later stages.
        blocked: True where it cannot run now (the day is not over, or no source holds it); the reason says until when.
    """

    task: str
    name: str
    day: date
    reason: str
    source: str = ""
    blocked: bool = False


@dataclass(frozen=True)
class Stored:
    """What the database says, read once.

    Attributes:
        known: False where it could not be asked (the embedded server is stopped); `why` then says so.
        markers: (dataset, name, day) → revision.
        posteriors: (study, day) → what is published, by column; without those that an older database does not have.
    """

    known: bool
    why: str = ""
    markers: Mapping[tuple[str, str, date], str] = field(default_factory=dict)
    posteriors: Mapping[tuple[str, date], Mapping[str, Any]] = field(default_factory=dict)


def connect(settings: Settings) -> sqlalchemy.Connection:
    """A connection that applies no migration. database.engine does, which a command that only looks must not."""
    options = {"connect_timeout": 10, "application_name": "geobeta"}
    return sqlalchemy.create_engine(database.url(settings), poolclass=sqlalchemy.NullPool, connect_args=options).connect()


@contextlib.contextmanager
def peek(settings: Settings) -> Iterator[sqlalchemy.Connection | None]:
    """A connection to look with: starts no server, applies no migration, cannot write. None where there is nothing to look at.

    Raises:
        DatabaseUnavailable, SettingsError: DATABASE_URL names a server that does not answer, or refuses us.
    """
    if settings.database_url is None and not embedded.seems_running(settings):
        yield None
        return
    with database.typed_errors(), connect(settings) as connection, connection.begin():
        connection.exec_driver_sql("set transaction read only")
        connection.exec_driver_sql("set local time zone 'UTC'")
        tables = connection.exec_driver_sql("select to_regclass('partitions'), to_regclass('posteriors'), to_regclass('task_runs')").one()
        yield None if None in tables else connection


def has_ledger(connection: sqlalchemy.Connection) -> bool:
    """Whether the database keeps what was spent: one that an older geobeta made does not until the next run."""
    return connection.exec_driver_sql("select to_regclass('api_spend') is not null").scalar_one() is True


def stored(settings: Settings, first: date, last: date) -> Stored:
    """Read the markers of the days, and of all days before them for counts."""
    if settings.database_url is None and not embedded.seems_running(settings):
        if not (embedded.status(settings).data / "PG_VERSION").exists():
            return Stored(True)
        return Stored(False, "the embedded database is stopped, so what it holds is not known; `python -m pipeline database start`")
    with peek(settings) as connection:
        if connection is None:
            return Stored(True)
        markers = connection.execute(
            sqlalchemy.text(
                "select dataset, name, day, revision from partitions where day <= :last and (day >= :first or dataset = 'counts')"
            ),
            {"first": first, "last": last},
        )
        found = {(row.dataset, row.name, row.day): row.revision for row in markers}
        # as JSON: no migration is applied here, so some columns may not be there yet
        published = connection.execute(
            sqlalchemy.text("select study, day, to_jsonb(posteriors) as columns from posteriors where day between :first and :last"),
            {"first": first, "last": last},
        )
        return Stored(True, "", found, {(row.study, row.day): row.columns for row in published})


def steps(settings: Settings, first: date, last: date, *, now: datetime | None = None, held: Stored | None = None) -> Iterator[Step]:
    """Every partition that `Nightly` of the days first..last would make, in the order of days and tasks.

    Args:
        settings: as configured now.
        first, last: both included.
        now: the time it is, aware; None for the clock.
        held: what the database says; None to ask it.
    """
    now = now or datetime.now(UTC)
    held = stored(settings, first, last) if held is None else held
    planned: set[tuple[str, str, date]] = set()
    for day in days.days_between(first, last):
        begun = [study for study in settings.studies.values() if study.start <= day]
        # a study with newly loaded counts gets new posteriors from that day on
        anew = {name for task, name, _ in planned if task == "LoadCounts"}
        for step in _day(settings, day, begun, now, held, anew):
            # the same missed day is a reason for every later posterior: it is counted once
            if (step.task, step.name, step.day) not in planned:
                planned.add((step.task, step.name, step.day))
                yield step


def _day(settings: Settings, day: date, begun: list[Study], now: datetime, held: Stored, anew: set[str]) -> Iterator[Step]:
    ready: dict[str, bool] = {}
    for area in nights.collected(settings, begun):
        found = list(_area_steps(settings, area, day, now, held))
        ready.update({study.name: not any(step.blocked for step in found) for study in begun if study.area == area})
        yield from found
    for study in begun:
        if study.mode == "counts":
            found = list(_counts_steps(settings, study, day, now))
            ready[study.name] = not any(step.blocked for step in found)
            yield from found
    changed = False
    for study in begun:
        if ready[study.name]:
            found = list(_study_steps(settings, study, day, held, study.name in anew))
            changed = changed or bool(found)
            yield from found
    if any(ready.values()) and (reason := _digest_reason(settings, day, held, changed)):
        yield Step("SendDigest", "", day, reason)
    if any(ready.values()) and (reason := _report_reason(settings, day, held, changed)):
        yield Step("BuildReport", "", day, reason)


def _not_over(settings: Settings, area: str, day: date, now: datetime) -> str:
    """Why a day cannot be asked for yet; empty where it can."""
    zone = settings.area(area).zone
    if days.is_over(day, zone, now, settings.x.settle):
        return ""
    return f"the day is not over until {days.over_at(day, zone, settings.x.settle):%Y-%m-%d %H:%M} UTC"


def _counts_steps(settings: Settings, study: Study, day: date, now: datetime) -> Iterator[Step]:
    """What X has to count for a study in mode "counts"."""
    final = extract_counts.partition(settings, study.name, day)
    if why := _not_over(settings, study.area, day, now):
        yield Step("ExtractCounts", study.name, day, why, blocked=True)
    elif not final.is_dir():
        try:
            window = days.window(day, settings.area(study.area).zone)
            endpoint = extract_counts.endpoint_for(settings, extract_counts.queries(settings, study.name), window, now)
        except MissingData as error:
            yield Step("ExtractCounts", study.name, day, error.what, blocked=True)
        else:
            source = "sandbox (synthetic)" if settings.synthetic else f"X API, {endpoint.name}"
            yield Step("ExtractCounts", study.name, day, _made_before(final, "the rule or the box changed", "not counted by X yet"), source)


def _area_steps(settings: Settings, area: str, day: date, now: datetime, held: Stored) -> Iterator[Step]:
    if why := _not_over(settings, area, day, now):
        yield Step("ExtractTweets", area, day, why, blocked=True)
        return
    try:
        fed = inputs.inputs(settings, area, day)
    except MissingData as error:
        yield Step("CleanTweets", area, day, error.what, blocked=True)
        return
    source = source_words(settings, fed)
    if fed.x and not extract.partition(settings, area, day).is_dir():
        yield Step("ExtractTweets", area, day, _extract_reason(settings, area, day), source)
    elif nights.hours_due(settings, area, day, extract.this_night()):
        missing = f"{extract.missing_hours(settings, area, day):.2f}".rstrip("0").rstrip(".")
        yield Step("ExtractTweets", area, day, f"{missing} hour{'' if missing == '1' else 's'} missing, asked for again", source)
    partition = clean.partition(settings, area, day)
    if not partition.is_dir():
        yield Step(
            "CleanTweets", area, day, _made_before(partition, "the box, the policy or the sources changed", "not cleaned yet"), source
        )
    if reason := _marker_reason(held, ("tweets", area, day), clean.revision(settings, area, day)):
        yield Step("LoadTweets", area, day, reason)


def source_words(settings: Settings, fed: inputs.Inputs) -> str:
    """Where a day's tweets come from, in words: "X API", "sandbox (synthetic)", "2 archives"."""
    words = [("sandbox (synthetic)" if settings.synthetic else "X API")] if fed.x else []
    if fed.archives:
        words.append(f"{len(fed.archives)} archive{'' if len(fed.archives) == 1 else 's'}")
    return " and ".join(words)


def _extract_reason(settings: Settings, area: str, day: date) -> str:
    final = extract.partition(settings, area, day)
    partial = final.with_name(f"{final.name}.partial")
    if partial.is_dir():
        return f"no extract: begun, {len(list(partial.glob('page-*')))} pages are there already"
    others = _others(final)
    made_up = [bool(_manifest(other).get("synthetic")) for other in others]
    if others and all(value != settings.synthetic for value in made_up):
        return "no extract: only made-up tweets so far" if made_up[0] else "no extract: there is no token now"
    return "box, time zone or places changed" if others else "no extract"


def _study_steps(settings: Settings, study: Study, day: date, held: Stored, anew: bool) -> Iterator[Step]:
    loads = []
    for counted in (*_recountable(settings, study, day, held), day):
        partition = count.partition(settings, study.name, counted)
        if not partition.is_dir():
            yield Step("CountMatches", study.name, counted, _count_reason(settings, study, partition))
        if reason := _marker_reason(held, ("counts", study.name, counted), count.revision(settings, study.name, counted)):
            loads.append(Step("LoadCounts", study.name, counted, reason))
    yield from loads
    if reason := _posterior_reason(settings, study, day, held, anew=anew or bool(loads)):
        yield Step("UpdatePosterior", study.name, day, reason)


def _recountable(settings: Settings, study: Study, day: date, held: Stored) -> Iterable[date]:
    """Earlier days whose tweets are on disk and whose stored counts are not by today's rule: counted again before the posterior."""
    for found in sorted(nights.countable_days(settings, study)):
        if study.start <= found < day and held.markers.get(("counts", study.name, found)) != count.revision(settings, study.name, found):
            yield found


def _count_reason(settings: Settings, study: Study, partition: Path) -> str:
    others = _others(partition)
    if not others:
        return "not counted yet"
    made = [_manifest(other) for other in others]
    if all(manifest.get("rule_version") != count.rule_version(settings, study) for manifest in made):
        leaves_out = study.exclude or any("excluded" in manifest for manifest in made)
        return "the rule, or whom it leaves out, changed" if leaves_out else "the rule changed"
    if study.mode == "counts":
        return "X's counts of it changed"
    return "its tweets changed (box, policy or sources)"


def _posterior_reason(settings: Settings, study: Study, day: date, held: Stored, *, anew: bool) -> str:
    marker = held.markers.get(("posteriors", study.name, day))
    if marker == posterior.revision(settings, study.name, day):
        return "counts that it is made of are loaded anew" if anew else ""
    if not held.known:
        return "not known: the database is stopped"
    published = held.posteriors.get((study.name, day))
    if published is None:
        return "no posterior yet"
    if reason := _method_reason(study, published):
        return reason
    return "counts that it is made of changed" if marker is None else "its counts, the rule, the box or the start changed"


def _method_reason(study: Study, published: Mapping[str, Any]) -> str:
    """What of the study's table makes other numbers of the same counts than are published; empty where nothing does."""
    pooled, prior = published.get("prior_areas") is not None, study.prior.parameters
    if pooled != (study.prior.pool is not None):
        return "the prior is set again" if pooled else "the prior is now learnt from a pool"
    # once learnt, it is not the one that is set
    if not published.get("prior_areas") and (published["prior_alpha"], published["prior_beta"]) != (prior.alpha, prior.beta):
        return "the prior changed"
    chosen = published.get("forget_scores") is not None
    if chosen != (study.forget == "auto") or (not chosen and published["forget"] != study.forget):
        return "the forgetting changed"
    if published.get("window_days") != study.window:
        return "the forgetting changed"
    if published.get("author_cap") != study.author_cap:
        return "the cap on authors changed"
    return "an older version of the program made it" if published.get("naive_alpha") is None else ""


def _report_reason(settings: Settings, day: date, held: Stored, anew: bool) -> str:
    marker = held.markers.get(("report", "", day))
    if marker == page.revision(settings, day) and page.path(settings, day).is_file():
        return "its numbers are made anew" if anew else ""
    if not held.known:
        return "not known: the database is stopped"
    return "no page yet" if marker is None and not page.path(settings, day).is_file() else "what it shows changed"


def _digest_reason(settings: Settings, day: date, held: Stored, anew: bool) -> str:
    marker, there = held.markers.get(("digest", "", day)), digest.path(settings, day).is_file()
    if marker == digest.revision(settings, day) and there:
        return "its numbers are made anew" if anew else ""
    if not held.known:
        return "not known: the database is stopped"
    return "no digest yet" if marker is None and not there else "what it judges changed"


def _marker_reason(held: Stored, key: tuple[str, str, date], wanted: str) -> str:
    if held.markers.get(key) == wanted:
        return ""
    if not held.known:
        return "not known: the database is stopped"
    return "what is loaded was made by another configuration" if key in held.markers else "not loaded"


def _others(partition: Path) -> list[Path]:
    """The same partition by other revisions: what an earlier configuration made."""
    return sorted(path for path in partition.parent.glob("revision=*") if path != partition and (path / "manifest.json").is_file())


def _made_before(partition: Path, changed: str, never: str) -> str:
    return changed if _others(partition) else never


def _manifest(partition: Path) -> dict[str, Any]:
    content = storage.read_json(partition / "manifest.json")
    return content if isinstance(content, dict) else {}
