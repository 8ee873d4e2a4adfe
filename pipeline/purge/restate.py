"""The days whose tweets went: cleaned, counted, loaded and published again, where the database held them. The rest the next night does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import sqlalchemy as sa

from pipeline import clean, count, database, faults, load, posterior
from pipeline.errors import MissingData, SettingsError
from pipeline.progress import Progress, silent
from pipeline.purge.pending import Day, Pending
from pipeline.settings import Settings


def loaded(settings: Settings, affected: Pending) -> dict[Day, list[str]]:
    """Of the affected days those that the database holds, with the studies counted on them."""
    with database.transaction(settings, snapshot=True) as connection:
        markers = {tuple(row) for row in connection.execute(sa.text("select dataset, name, day from partitions"))}
        asked = [tuple(row) for row in connection.execute(sa.text("select distinct study, area from studies"))]
    found: dict[Day, list[str]] = {}
    for area, day in sorted(affected.days):
        studies = sorted({study for study, asks in asked if asks == area and ("counts", study, day) in markers})
        if studies or ("tweets", area, day) in markers:
            found[area, day] = studies
    return found


def day(settings: Settings, area: str, of: date, studies: Iterable[str], *, progress: Progress = silent) -> bool:
    """Make one day again from its files; False where they are no more, or the area is configured no more."""
    try:
        clean.run(settings, area, of, progress=progress)
        load.tweets(settings, area, of, force=True, progress=progress)
        faults.point("purge.loaded")
        for name in studies:
            study = settings.studies.get(name)
            if study is not None and study.area == area and study.mode == "tweets":
                count.run(settings, name, of, progress=progress)
                load.counts(settings, name, of, force=True, progress=progress)
    except (MissingData, SettingsError):
        return False
    return True


def publish(settings: Settings, study: str, since: date, why: str, *, progress: Progress = silent) -> int:
    """Restate what was published of a study from a day on, with the reason; give the number of rows that change."""
    if study not in settings.studies:
        return 0
    with database.transaction(settings) as connection:
        # one published day is enough: all whose numbers change are mended with it
        first = connection.scalar(
            sa.text("select min(day) from posteriors where study = :study and day >= :since"), {"study": study, "since": since}
        )
    try:
        return 0 if first is None else posterior.update(settings, study, first, why=why, progress=progress)
    except MissingData:
        # its counts are not by today's configuration: the next night restates all of it
        return 0
