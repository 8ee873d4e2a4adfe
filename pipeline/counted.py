"""Stored counts, read back as arrays: those of one study that today's configuration would give again.

What is made of them belongs to estimates.py; writing them to load.py.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import sqlalchemy as sa

from pipeline import copying, count
from pipeline.schema import BASES
from pipeline.settings import Settings
from pipeline.study import Study
from pipeline.study_counts import Counts


@dataclass(frozen=True)
class Day:
    """One day's counts: daily_counts' row, the revision it was loaded with, and a digest of all that was counted up to it."""

    row: Mapping[str, Any]
    loaded: str
    so_far: str


def current(settings: Settings, connection: sa.Connection, study: Study) -> dict[date, Day]:
    """The days whose stored counts are those of today's rule, box and sources, from the study's start on, sorted."""
    stored = connection.execute(
        sa.text(
            "select day, trials, matches, daily_counts.coverage, daily_counts.synthetic, basis, partitions.revision, source_digest"
            " from daily_counts join partitions using (day)"
            " where study = :study and dataset = 'counts' and name = :study and day >= :start order by day"
        ),
        {"study": study.name, "start": study.start},
    ).mappings()
    found: dict[date, Day] = {}
    revision = count.revisions_by_day(settings, study.name)
    so_far = hashlib.sha256()
    for row in stored:
        if row["revision"] != revision(row["day"]):
            continue
        # the numbers beside the content's digest: a purge takes tweets out of rows whose files are no more
        so_far.update(repr(tuple(row[name] for name in row if name != "revision")).encode())
        found[row["day"]] = Day(dict(row), row["revision"], so_far.hexdigest()[:32])
    return found


def arrays(connection: sa.Connection, study: Study, days: Mapping[date, Day], *, since: date | None = None) -> Counts:
    """The counts of these days; those by author from the day `since` on (default: all).

    Streamed by COPY: a year of a large city is hundreds of thousands of rows.
    """
    rows = [day.row for day in days.values()]
    when = [day for day in days if since is None or day >= since]
    authors = _authors(connection, study.name, when)
    keys = authors["author_key"].combine_chunks()
    # of the few different names, not of the many rows; nobody is the last, which is what -1 finds
    ranks = np.full(len(keys.dictionary) + 1, -1, dtype=np.int64)
    ranks[pc.sort_indices(keys.dictionary).to_numpy()] = np.arange(len(keys.dictionary))
    return Counts(
        days=np.array(list(days), dtype="datetime64[D]"),
        trials=np.array([row["trials"] for row in rows], dtype=np.int64),
        matches=np.array([row["matches"] for row in rows], dtype=np.int64),
        coverage=np.array([np.nan if row["coverage"] is None else row["coverage"] for row in rows], dtype=np.float64),
        synthetic=np.array([row["synthetic"] for row in rows], dtype=np.bool_),
        basis=np.array([BASES.index(row["basis"]) for row in rows], dtype=np.int64),
        author_days=authors["day"].to_numpy().astype("datetime64[D]"),
        authors=ranks[pc.fill_null(keys.indices, -1).to_numpy()],
        author_trials=authors["trials"].to_numpy(),
        author_matches=authors["matches"].to_numpy(),
    )


def own(connection: sa.Connection, study_name: str, day: date, author_cap: int | None) -> tuple[int, int]:
    """n and k of one stored day as they count: after the cap on authors, in whole tweets. It is these that are foretold of a day."""
    n, k = connection.execute(sa.text(_OWN), {"study": study_name, "day": day, "cap": author_cap}).one()
    # as estimates.py rounds
    return int(n), min(int(n), round(k))


# numeric, so that no order of adding shows
_OWN = """
select coalesce(sum(kept), 0) as n, coalesce(sum(matches * kept / trials), 0) as k
from (
    select trials, matches, (case when author_key is null then trials else least(trials, cast(:cap as bigint)) end)::numeric as kept
    from author_counts
    where study = :study and day = :day and trials > 0
) as capped"""

_COLUMNS = {"day": pa.date32(), "author_key": pa.dictionary(pa.int32(), pa.string()), "trials": pa.int64(), "matches": pa.int64()}


def _authors(connection: sa.Connection, study_name: str, days: list[date]) -> pa.Table:
    if not days:
        return pa.table({name: pa.array([], kind) for name, kind in _COLUMNS.items()})
    content = io.BytesIO()
    with copying.cursor_of(connection) as cursor:
        statement = cursor.mogrify(
            "copy (select day, author_key, trials, matches from author_counts where study = %s and day = any(%s::date[]) and trials > 0)"
            " to stdout (format csv)",
            (study_name, days),
        )
        cursor.copy_expert(statement.decode(), content)
    if not content.tell():
        return _authors(connection, study_name, [])
    content.seek(0)
    return pa_csv.read_csv(
        content,
        read_options=pa_csv.ReadOptions(column_names=list(_COLUMNS)),
        convert_options=pa_csv.ConvertOptions(column_types=_COLUMNS, strings_can_be_null=True, quoted_strings_can_be_null=False),
    )
