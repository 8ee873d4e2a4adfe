"""The page people look at: one HTML file without script and network, made from what the database says.

The pictures are SVG, drawn here: they show with scripts off, print sharply, weigh 10 to 20 kB each (Vega's own script alone
would be 900 kB), and a strict Content-Security-Policy can forbid everything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import database, faults, ledger, posterior
from pipeline.errors import SourceUnavailable
from pipeline.progress import Progress, silent
from pipeline.report import words
from pipeline.settings import Settings
from pipeline.storage import digest, exclusive, write_bytes
from pipeline.study import Study

if TYPE_CHECKING:
    from pipeline.report import data
    from pipeline.report.card import Card

#: Changes whenever the page of the same database would look different.
CODE = "report-4"

#: charts.PALETTE on a dark ground, in the same order of brightness differences. Names are those of the palette.
DARK = {
    "ink": "#e7ecf1",
    "muted": "#a0acb8",
    "grid": "#2c3742",
    "wide": "#24435f",
    "narrow": "#3a709f",
    "mean": "#a9d3ff",
    "trials": "#5b6875",
    "matches": "#5aa2e6",
    "partial": "#e0a030",
    "missing": "#3d2528",
    "absent": "#ff9d94",
}


def revision(settings: Settings, day: date, versions: Callable[[str], str] | None = None) -> str:
    """What the page of `day` depends on besides the database's rows: this code, and the studies and areas it shows.

    Changed rows need no part in it: whoever changes them deletes the page's marker in the same transaction.
    Of the day itself it holds only which studies have started.

    Args:
        versions: posterior.version by study, for who has it; None to ask for it.
    """
    shown = studies(settings, day)
    areas = sorted({study.area for study in shown})
    versions = versions or partial(posterior.version, settings)
    return digest(
        CODE,
        [(study.model_dump(mode="json"), versions(study.name)) for study in shown],
        [repr(settings.area(name)) for name in areas],
    )


def studies(settings: Settings, day: date) -> list[Study]:
    """The studies a page of `day` shows: those that have started, in the order of studies.toml."""
    return [study for study in settings.studies.values() if study.start <= day]


def path(settings: Settings, day: date, revision_: str | None = None) -> Path:
    """Where the page of `day` lies (of that revision; None for today's), whether it is there or not."""
    return settings.data / "reports" / f"date={day}" / f"revision={revision_ or revision(settings, day)}" / "index.html"


def has(settings: Settings, day: date) -> bool:
    """Whether the page is there and was made from what the database says now."""
    wanted = {("report", "", day): revision(settings, day)}
    return path(settings, day).is_file() and bool(database.markers_present(settings, wanted))


def build(settings: Settings, day: date, *, progress: Progress = silent) -> Path:
    """Make the page of `day`, its marker and, unless a later day's is there, the copy data/report.html.

    The marker is written only if the database still says what the page shows. Loaders take the same lock before they
    delete the markers of pages, so whoever changes rows was either seen here, or comes after and deletes this marker.

    Raises:
        SourceUnavailable: the rows changed under three attempts in a row.
    """
    from pipeline.report import data

    shown = studies(settings, day)
    for _ in range(3):
        with database.transaction(settings) as connection:
            snapshot = data.read(connection, [study.name for study in shown], day)
        cards = []
        for number, study in enumerate(shown):
            progress(number / len(shown), f"page: {study.name}")
            cards.append(_card(settings, study, day, snapshot))
        html = render(cards, day, revision=revision(settings, day))
        target = path(settings, day)
        faults.point("report.page")
        write_bytes(target, html.encode("utf-8"))
        faults.point("report.before_marker")
        if _publish(settings, day, snapshot.digest, [study.name for study in shown]):
            _copy(settings, day, html)
            progress(1.0, f"page: {target}")
            return target
    raise SourceUnavailable(
        f"the counts changed three times while the page of {day} was being made",
        todo="wait for the other run to end, then run this again",
    )


def render(cards: Sequence[Card], day: date, *, revision: str, made_at: datetime | None = None) -> str:
    """The page as text. Every value is escaped by the template engine, except the pictures (see card.py) and our own style."""
    from pipeline.report import template
    from pipeline.report.charts import PALETTE

    return template.fill(
        "page.html.j2",
        dark_pictures={PALETTE[name]: colour for name, colour in DARK.items()},
        cards=cards,
        day=day,
        day_long=words.day_long(day),
        # of several studies in one area, once
        area_shifts=list(dict.fromkeys(said for each in cards for said in each.area_shifts)),
        synthetic=any(each.synthetic for each in cards),
        all_synthetic=all(each.synthetic for each in cards),
        revision=revision,
        made_at=f"{made_at or datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def _card(settings: Settings, study: Study, day: date, snapshot: data.Snapshot) -> Card:
    # Altair takes a second to import, pandas a fifth; whoever only asks for a revision or a marker (status, plan, Luigi) needs neither.
    from pipeline.report import table
    from pipeline.report.card import card

    known = table.days_of(settings, study, day, snapshot)
    return card(study, settings.area(study.area), known, report_day=day, truth=table.truth(settings, study, known))


def _publish(settings: Settings, day: date, seen: str, names: list[str]) -> bool:
    """Write the marker if the database still holds what was seen; say whether it did."""
    from pipeline.report import data

    with database.transaction(settings) as connection:
        database.lock(connection, "report")
        if data.read(connection, names, day).digest != seen:
            return False
        marker = database.Marker(revision(settings, day), len(names), source_digest=seen, run_id=ledger.current())
        database.write_marker(connection, ("report", "", day), marker)
    return True


def _copy(settings: Settings, day: date, html: str) -> None:
    """Keep data/report.html the page of the latest day: a backfill of older days leaves it alone."""
    stable = settings.data / "report.html"
    with exclusive(settings.data / "locks" / "report", wait=30, what="report.html"):
        head = stable.read_text("utf-8")[:2000] if stable.is_file() else ""
        there = re.search(r'name="geobeta-day" content="([0-9-]+)"', head)
        if there is None or date.fromisoformat(there.group(1)) <= day:
            write_bytes(stable, html.encode("utf-8"))
