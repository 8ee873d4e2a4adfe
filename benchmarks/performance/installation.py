"""An installation as it lies after so many nights of so many studies, made in seconds: days fetched from X, markers, pages, digests.

What a night looks at to find that nothing is to be done is there as the stages leave it; the rows themselves are not.
Run: .venv/bin/python -m benchmarks.performance.installation FOLDER [--studies 100] [--days 365] prints the environment to use it with.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from pipeline import clean, copying, count, database, embedded, extract, posterior, settings, storage
from pipeline.copying import Rows
from pipeline.digest import night
from pipeline.report import page
from pipeline.settings import Settings

#: So many studies ask about one area.
OF_AN_AREA: Final = 10
LAST: Final = dt.date(2026, 10, 31)


@dataclass(frozen=True, slots=True)
class Installation:
    """One that has nothing to do for `days`, in the order of time."""

    environ: Mapping[str, str]
    settings: Settings
    days: tuple[dt.date, ...]


@contextlib.contextmanager
def installed(studies: int, days: int) -> Iterator[Installation]:
    """One in a temporary folder, its server running until the end."""
    with tempfile.TemporaryDirectory(prefix="geobeta-bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # root's server runs as another user
        made = make(folder, studies, days)
        try:
            yield made
        finally:
            embedded.stop(made.settings)


def make(folder: Path, studies: int, days: int) -> Installation:
    """Make it; its embedded server is running then."""
    (folder / "config").mkdir(parents=True)
    wanted = tuple(LAST - dt.timedelta(days=back) for back in reversed(range(days)))
    for file, content in _config(studies, wanted[0]).items():
        (folder / "config" / file).write_text(content, encoding="utf-8")
    environ = {
        "GEOBETA_CONFIG": str(folder / "config"),
        "GEOBETA_DATA": str(folder / "var"),
        "GEOBETA_AUTHOR_KEY": "a key for benchmarks only",
        # so the pages are X's; nobody is asked, for nothing is to be done
        "X_BEARER_TOKEN": "no-token-at-all",
    }
    found = settings.read(environ)
    for area in found.areas:
        for day in wanted:
            _fetched(found, area, day)
    for day in wanted:
        for path in (page.path(found, day), night.path(found, day)):
            path.parent.mkdir(parents=True)
            path.write_text("", encoding="utf-8")
    with database.transaction(found) as connection:
        copying.copy(connection, Rows("partitions", {}, _markers(found, wanted).to_batches(max_chunksize=10_000)))
    return Installation(environ, found, wanted)


def _config(studies: int, start: dt.date) -> dict[str, str]:
    areas = [f'[area-{number}]\nbox = "{-99 + number},19.0,{-98.6 + number},19.4"\ntimezone = "America/Mexico_City"\n'
             for number in range(-(-studies // OF_AN_AREA))]  # fmt: skip
    asked = [
        f'[study-{number}]\nquestion = "?"\narea = "area-{number // OF_AN_AREA}"\nstart = {start}\nmatch = {{ words = ["word{number}"] }}\n'
        for number in range(studies)
    ]
    return {"areas.toml": "\n".join(areas), "studies.toml": "\n".join(asked), "settings.toml": "[database]\nfsync = false\n"}


def _fetched(found: Settings, area: str, day: dt.date) -> None:
    """What extract.py leaves of a whole day, but for its pages."""
    folder = extract.partition(found, area, day)
    folder.mkdir(parents=True)
    said = {"area": area, "day": day.isoformat(), "synthetic": False, "mode": "whole", "coverage": 1.0, "coverage_reason": "", "pages": []}
    storage.write_json(folder / "manifest.json", {**said, "posts": 0, "requests": 1, "holes": [], "sample": None, "attempts": ["n"]})


def _markers(found: Settings, wanted: tuple[dt.date, ...]) -> pa.Table:
    rows: list[tuple[str, str, dt.date, str]] = []
    for day in wanted:
        rows += [("tweets", area, day, clean.revision(found, area, day)) for area in found.areas]
        rows += [("counts", study, day, count.revision(found, study, day)) for study in found.studies]
        rows += [("posteriors", study, day, posterior.revision(found, study, day)) for study in found.studies]
        rows += [("report", "", day, page.revision(found, day)), ("digest", "", day, night.revision(found, day))]
    columns = dict(zip(("dataset", "name", "day", "revision"), zip(*rows, strict=True), strict=True))
    return pa.table(columns).append_column("rows", pa.repeat(pa.scalar(1, pa.int64()), len(rows)))


def main() -> None:
    """Make one and say how to use it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where; PostgreSQL's account must be able to enter it")
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--days", type=int, default=365)
    options = parser.parse_args()
    made = make(options.folder.absolute(), options.studies, options.days)
    print("\n".join(f"export {key}='{value}'" for key, value in made.environ.items()))
    print(f"# luigi --module tasks RangeDaily --of Nightly --start {made.days[0]} --stop {LAST + dt.timedelta(days=1)} --days-back 1000"
          f" --task-limit {len(made.days) + 1} --local-scheduler; then: python -m pipeline database stop")  # fmt: skip


if __name__ == "__main__":
    main()
