"""The same numbers for a terminal: one row a study, and beside what is made up the truth it was made from."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.cells import cell_len

from pipeline import count, database, matchers, posterior, text
from pipeline.report import data, grounds, hours, words
from pipeline.sandbox import city, query
from pipeline.settings import Settings
from pipeline.sources import x_query
from pipeline.study import Study


@dataclass(frozen=True)
class Row:
    """One study's newest share. Shares from 0 to 1; None where there is no posterior.

    Attributes:
        day: the day of the newest posterior.
        trials, matches, days: what it counts.
        missing: days since the study's start that it does not count.
        truth: the sandbox's true share over the same days; None where the tweets are real.
        current: whether it was made by the study as it is configured now.
        basis: one of schema.BASES.
        partial: the days observed in part, in words.
        worth: how many independent tweets would say as much; a dash where authors are unknown.
        flags: what makes the interval less sure than it looks, in words.
        shift: "up" or "down" where an alarm of the study was found on the report's night; else empty.
        shifts: the alarms of the study and its area in the last nights: day and words.
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
    basis: str = "tweets"
    partial: tuple[str, ...] = ()
    worth: str = "–"
    flags: tuple[str, ...] = ()
    shift: str = ""
    shifts: tuple[tuple[date, str], ...] = ()

    @property
    def marks(self) -> list[str]:
        """What must not be overlooked in the number."""
        said = {"synthetic": self.synthetic, "a sample": self.basis == "sample", "counted by X": self.basis == "counts"}
        said |= {"partial": bool(self.partial), f"shift {self.shift}": bool(self.shift)}
        return [mark for mark, applies in said.items() if applies]


def rows(settings: Settings, day: date) -> list[Row]:
    """The newest share, not after `day`, of every study that has started by then."""
    studies = [study for study in settings.studies.values() if study.start <= day]
    with database.transaction(settings) as connection:
        snapshot = data.read(connection, [study.name for study in studies], day)
    return [_row(settings, study, days_of(settings, study, day, snapshot), day) for study in studies]


def days_of(settings: Settings, study: Study, day: date, snapshot: data.Snapshot) -> data.StudyDays:
    """The study's part of the snapshot, without what an earlier rule, box or source left in the tables."""
    return data.study_days(
        snapshot,
        study.name,
        study.area,
        study.start,
        day,
        posterior_revision=partial(posterior.revision, settings, study.name),
        count_revision=partial(count.revision, settings, study.name),
    )


def truth(settings: Settings, study: Study, known: data.StudyDays) -> float | None:
    """The share that the sandbox's generator was set to, over the days that the newest posterior counts.

    Days weigh as they do in the posterior: by their trials, and by the study's forgetting. None unless every one of those
    days is made up (then there is no such number), and where the study leaves out authors: nobody set what the others say.
    """
    counted = known.days.dropna(subset=["trials"])
    if study.exclude.authors or known.latest_day is None or not known.synthetic or not counted["synthetic"].astype(bool).all():
        return None
    # chosen by itself, it stands in the published row
    forget = float((known.latest or {}).get("forget", 1.0)) if study.forget == "auto" else study.forget
    made_up = city.of(settings, study.area)
    if city.CLIENTS[-1].casefold() in map(str.casefold, study.exclude.clients):
        made_up = dataclasses.replace(made_up, bots=0.0)
    shares, weights = [], []
    for day, trials in zip(data.local_dates(counted["day"]), counted["trials"], strict=True):
        if day <= known.latest_day:
            texts, chances = made_up.distribution(day)
            matching = _matching_by_x if study.mode == "counts" else _matching
            shares.append(float(chances[matching(texts, json.dumps(study.match))].sum()))
            ago = (known.latest_day - day).days
            weights.append(trials * forget**ago if study.window is None or ago < study.window else 0.0)
    return float(np.average(shares, weights=weights)) if sum(weights) > 0 else None


@lru_cache(maxsize=64)
def _matching(texts: tuple[str, ...], match: str) -> NDArray[np.bool_]:
    """Which texts the rule matches; remembered, because a city says the same texts every day, only more or less often."""
    matcher = matchers.build(json.loads(match))
    searched = text.searchable_all(text.tidy_all(pa.array(texts, type=pa.string())))
    found = matcher.match(searched if matcher.exact else text.fold_all(searched))
    return np.asarray(found.is_valid())


@lru_cache(maxsize=64)
def _matching_by_x(texts: tuple[str, ...], match: str) -> NDArray[np.bool_]:
    """The same by X's own rules, as the sandbox has them: what it matches by is the text alone."""
    test = query.parse(x_query.rule(json.loads(match)), limit=1_000_000).test
    return np.array([test(cast(city.Tweet, SimpleNamespace(text=text))) for text in texts], dtype=bool)


def _row(settings: Settings, study: Study, known: data.StudyDays, day: date) -> Row:
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
        missing=len(known.weighing) - int(latest.get("days", 0)),
        synthetic=known.synthetic,
        truth=truth(settings, study, known),
        current=known.current,
        basis=known.basis,
        partial=tuple(hours.partial_days(known, settings.area(study.area).zone)),
        worth=grounds.worth(latest),
        flags=tuple(grounds.flags(latest)),
        shift=known.shift(day),
        shifts=tuple(grounds.shifts(known.alarms)),
    )


def lines(found: Iterable[Row], width: int) -> list[str]:
    """The rows as lines of text, and below them what the columns mean.

    Each question stands before its numbers if that fits into `width`, else in a line of its own above them. The columns of the
    sandbox are there only where something is made up.
    """
    listed = list(found)
    made_up = any(row.synthetic for row in listed)
    wide = _aligned([_headings(made_up, questions=True), *(_cells(row, made_up, question=True) for row in listed)])
    marks = {mark for row in listed for mark in row.marks}
    if max(map(cell_len, wide)) <= width:
        shown = wide
    else:
        head, *numbers = _aligned([_headings(made_up, questions=False), *(_cells(row, made_up, question=False) for row in listed)])
        shown = [head]
        for row, line in zip(listed, numbers, strict=True):
            shown += [row.question + (f" ({', '.join(row.marks)})" if row.marks else ""), line]
    legend = ["", "n: tweets counted, k: those that match, days: those counted of those since the study's start."]
    legend.append("worth: so many independent tweets would tell as much; those of one author are not independent.")
    if made_up:
        legend.append("synthetic: made up by the sandbox; truth: the share they were made with.")
    if "a sample" in marks:
        legend.append("a sample: not all tweets, but those of time slices drawn at random over each day.")
    if "counted by X" in marks:
        legend.append(f"{words.BY_X}; no tweet is stored.")
    if "partial" in marks:
        legend.append("partial: hours of a day are missing, and its number speaks of the others:")
        legend += [f"  {row.study}, {day}" for row in listed for day in row.partial]
    legend += grounds.warnings((row.study, row.flags, row.shifts) for row in listed)
    return shown + [part for line in legend for part in (textwrap.wrap(line, max(width, 40)) or [""])]


def _headings(made_up: bool, *, questions: bool) -> list[str]:
    question, marks = (["question"], [""]) if questions else ([], [])
    return ["study", *question, "share", "95 % interval", "n", "worth", "k", "days", *(["truth"] if made_up else []), *marks]


def _aligned(table: list[list[str]]) -> list[str]:
    """Columns two blanks apart: words to the left, numbers to the right."""
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    left = [heading in ("study", "question", "") for heading in table[0]]
    return [
        "  ".join(
            cell + " " * (room - cell_len(cell)) if to_left else " " * (room - cell_len(cell)) + cell
            for cell, room, to_left in zip(row, widths, left, strict=True)
        ).rstrip()
        for row in table
    ]


def _cells(row: Row, made_up: bool, *, question: bool) -> list[str]:
    cells = [row.study, row.question] if question else [row.study]
    if row.mean is None or row.lower is None or row.upper is None:
        cells += ["–", "no number yet"]
        places = 1
    else:
        places = words.decimals(row.lower, row.upper)
        cells += [words.percent(row.mean, places), words.interval(row.lower, row.upper) + ("" if row.current else " (stale)")]
    cells += [f"{row.trials:,}", row.worth, f"{row.matches:,}", f"{row.days}/{row.days + row.missing}" if row.missing else f"{row.days}"]
    if made_up:
        cells.append("" if row.truth is None else words.percent(row.truth, places))
    if question:
        cells.append(", ".join(row.marks))
    return [cell.replace("\u00a0", " ") for cell in cells]
