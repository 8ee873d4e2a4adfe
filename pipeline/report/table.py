"""The same numbers for a terminal: one row a study, and beside what is made up the truth it was made from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.table import Table

from pipeline import count, database, matchers, posterior, text
from pipeline.report import data, words
from pipeline.sandbox import city
from pipeline.settings import Settings, Study


@dataclass(frozen=True)
class Row:
    """One study's newest share. Shares from 0 to 1; None where there is no posterior.

    Attributes:
        day: the day of the newest posterior.
        trials, matches, days: what it counts.
        missing: days that it should count and does not.
        truth: the sandbox's true share over the same days; None where the tweets are real.
        current: whether it was made by the study as it is configured now.
    """

    study: str
    question: str
    day: date | None
    mean: float | None
    lower: float | None
    upper: float | None
    trials: int
    matches: int
    days: int
    missing: int
    synthetic: bool
    truth: float | None
    current: bool


def rows(settings: Settings, day: date) -> list[Row]:
    """The newest share, not after `day`, of every study that has started by then."""
    studies = [study for study in settings.studies.values() if study.start <= day]
    with database.transaction(settings) as connection:
        snapshot = data.read(connection, [study.name for study in studies], day)
    return [_row(settings, study, days_of(settings, study, day, snapshot)) for study in studies]


def days_of(settings: Settings, study: Study, day: date, snapshot: data.Snapshot) -> data.StudyDays:
    """The study's part of the snapshot, without what an earlier rule, box or source left in the tables."""
    return data.study_days(
        snapshot,
        study.name,
        study.start,
        day,
        posterior_revision=partial(posterior.revision, settings, study.name),
        count_revision=partial(count.revision, settings, study.name),
    )


def truth(settings: Settings, study: Study, known: data.StudyDays) -> float | None:
    """The share that the sandbox's generator was set to, over the days that the newest posterior counts.

    Days weigh as they do in the posterior: by their trials, and by the study's forgetting. None unless every one of those
    days is made up (then there is no such number).
    """
    counted = known.days.dropna(subset=["trials"])
    if known.latest_day is None or not known.synthetic or not counted["synthetic"].astype(bool).all():
        return None
    shares, weights = [], []
    for day, trials in zip(data.local_dates(counted["day"]), counted["trials"], strict=True):
        if day <= known.latest_day:
            texts, chances = city.distribution(settings, study.area, day)
            shares.append(float(chances[_matching(texts, json.dumps(study.match))].sum()))
            weights.append(trials * study.forget ** (known.latest_day - day).days)
    return float(np.average(shares, weights=weights)) if sum(weights) > 0 else None


@lru_cache(maxsize=64)
def _matching(texts: tuple[str, ...], match: str) -> NDArray[np.bool_]:
    """Which texts the rule matches; remembered, because a city says the same texts every day, only more or less often."""
    matcher = matchers.build(json.loads(match))
    searched = text.searchable_all(text.tidy_all(pa.array(texts, type=pa.string())))
    found = matcher.match(searched if matcher.exact else text.fold_all(searched))
    return np.asarray(found.is_valid())


def _row(settings: Settings, study: Study, known: data.StudyDays) -> Row:
    latest = known.latest or {}
    return Row(
        study=study.name,
        question=study.question,
        day=known.latest_day,
        mean=latest.get("mean"),
        lower=latest.get("lower_95"),
        upper=latest.get("upper_95"),
        trials=int(latest.get("trials", 0)),
        matches=int(latest.get("matches", 0)),
        days=int(latest.get("days", 0)),
        missing=len(known.of_status("missing")),
        synthetic=known.synthetic,
        truth=truth(settings, study, known),
        current=known.current,
    )


def render(found: Iterable[Row]) -> Table:
    """The rows as a table for rich's console; the columns of the sandbox only where something is made up."""
    listed = list(found)
    made_up = any(row.synthetic for row in listed)
    table = Table(title_justify="left", header_style="bold", pad_edge=False, box=None, padding=(0, 2, 0, 0))
    for name, justify in (("study", "left"), ("question", "left"), ("share", "right"), ("95 % interval", "right")):
        table.add_column(name, justify=justify, no_wrap=name != "question", overflow="fold")  # type: ignore[arg-type]
    for name in ("n", "k", "days"):
        table.add_column(name, justify="right", no_wrap=True)
    if made_up:
        table.add_column("true share", justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
    for row in listed:
        table.add_row(*_cells(row, made_up))
    return table


def _cells(row: Row, made_up: bool) -> list[str]:
    from rich.markup import escape

    cells = [escape(row.study), escape(row.question)]
    if row.mean is None or row.lower is None or row.upper is None:
        cells += ["–", "no number yet"]
        places = 1
    else:
        places = words.decimals(row.lower, row.upper)
        cells += [words.percent(row.mean, places), words.interval(row.lower, row.upper) + ("" if row.current else " (stale)")]
    cells += [f"{row.trials:,}", f"{row.matches:,}", f"{row.days}" + (f" (+{row.missing} missing)" if row.missing else "")]
    if made_up:
        cells += ["" if row.truth is None else words.percent(row.truth, places), "synthetic" if row.synthetic else ""]
    return cells
