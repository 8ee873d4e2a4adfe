"""What `import` prints: an account of every file in sums that add up; of many files one of all, with what is wrong named by file."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.importing import geotagged

if TYPE_CHECKING:
    from pipeline.importing.import_report import Failure, FileReport, ImportReport
    from pipeline.settings import Settings

#: What the parts of an area's account are called, in the order in which they are decided.
PARTS = {
    "kept": "kept",
    "outside": "outside",
    "nowhere": "in a place of which no box is known",
    "other_evidence": "inside by evidence that the area does not take",
    "no_geo": "without point and place",
    "outside_window": "of other days",
    "deleted": "deleted by their authors since",
    "expired": "removed after retention_days",
    "duplicates": "duplicates",
    "notices": "notices",
    "rejects": "discarded",
}
#: Those that are said otherwise of one alone.
SINGULAR = {"duplicates": "duplicate", "notices": "notice"}
#: And what becomes of lines.
LINES = {
    "documents": "with a document",
    "continued": "that continue one",
    "wrapper": "of a wrapper",
    "blank": "blank",
    "broken": "broken",
}
#: Of more files there is one account of all in the terminal, and one of each in a file.
FEW: Final = 20
WRONG: Final = "THIS DOES NOT ADD UP: a fault in geobeta; please report it with this account"


def account(file: FileReport) -> list[str]:
    """One file's account: each line of the text is a sum that adds up."""
    lines = {words: getattr(file.lines, name) for name, words in LINES.items()}
    said = [f"{file.path}: {file.status}", f"  {_sum(file.lines.total, 'line', lines)}"]
    kept = [f"kept with line and offset in archives/{file.digest}/rejects.parquet"] if file.rejects else []
    said += [f"  {line}" for line in [*_by("notices, by kind", file.notices), *_discarded(file), *kept, *_damages(file)]]
    if file.skipped:
        said.append(f"  passed over unread, of other days by their names: {in_words(file.skipped, 'member')}")
    for name, counts in file.areas.items():
        on = f"; on {in_words(len(counts.days), 'day')}, {min(counts.days)} to {max(counts.days)}" if counts.days else ""
        said.append(f"  {name}: {_area(file.of_area(name))}{on}")
    return said + [f"  {line}" for line in _warnings(file)]


def failed(failure: Failure) -> list[str]:
    """A file that was not read."""
    return [f"NOT READ: {failure.what}", *([f"  what to do: {failure.todo}"] if failure.todo else [])]


def whole(settings: Settings, report: ImportReport, full: Path | None) -> Iterator[str]:
    """The account of all files: of each where they are few, else of all, with what is wrong in single ones.

    Args:
        settings: which areas to tell of.
        report: what became of the files.
        full: where the account of each file can be read, if not here.
    """
    if len(report.files) <= FEW:
        for file in report.files:
            yield from account(file)
    yield from total(settings, report)
    if len(report.files) > FEW:
        yield from _listed([f"{file.path}: {line}" for file in report.files for line in [*_damages(file), *_discarded(file)]])
        searches = sum(bool(file.searches) for file in report.files)
        if searches:
            yield f"WARNING: {searches:,} of these hold results of searches: a share counted from them speaks of those, not of the place"
        if not report.accounted:
            yield from _listed([str(file.path) for file in report.files if not file.accounted])
            yield WRONG
        yield f"the account of each file: {full}"
    for failure in report.failures[:FEW]:
        yield from failed(failure)
    if len(report.failures) > FEW:
        yield f"and {len(report.failures) - FEW:,} more files that were not read"
    if report.skipped:
        yield f"{in_words(len(report.skipped), 'file')} not opened: of other days, by their names"


def _listed(lines: list[str]) -> list[str]:
    return lines if len(lines) <= FEW else [*lines[:FEW], f"and {len(lines) - FEW:,} more such lines"]


def total(settings: Settings, report: ImportReport) -> list[str]:
    """All files together, where there are several; the same file twice counts once."""
    if len(report.files) < 2:
        return []
    different = len({file.digest for file in report.files})
    said = [f"all {different:,} files ({report.imported:,} new)"]
    return said + [f"  {name}: {_area(report.of_area(name))}" for name in settings.areas]


def next_step(report: ImportReport, today: date | None = None, *, untold: Container[str] = ()) -> str | None:
    """The command that counts what came, now or (`untold`: digests) by a run that was killed; None where no area got a day."""
    new = [file for file in report.files if file.status == "imported" or file.digest in untold]
    came = sorted({date.fromisoformat(day) for file in new for counts in file.areas.values() for day in counts.days})
    if not came:
        return None
    if len(came) == 1:
        return f"luigi --module tasks Nightly --date {came[0]} --local-scheduler"
    if (came[-1] - came[0]).days + 1 > len(came):
        # nights over the days between would ask the X API for them
        return f"python -m pipeline plan --offline --from {came[0]} --to {came[-1]} ({len(came):,} days, with gaps), then Nightly for each"
    today = today or datetime.now(UTC).date()
    # RangeDaily's own limits are 100 days back and 50 tasks
    far = f"--days-back {max((today - came[0]).days + 2, 1)} --task-limit {len(came)}"
    return f"luigi --module tasks RangeDaily --of Nightly --start {came[0]} --stop {came[-1] + timedelta(days=1)} {far} --local-scheduler"


def _by(what: str, counts: Mapping[str, int]) -> list[str]:
    return [f"{what}: {', '.join(f'{count:,} {name}' for name, count in counts.items())}"] if counts else []


def _discarded(file: FileReport) -> list[str]:
    return _by("discarded, by reason", file.rejects)


def _damages(file: FileReport) -> list[str]:
    return [
        f"{'passed over' if damage.harmless else 'damaged, read up to there'}: {damage.member or file.path.name}, byte {damage.offset:,}:"
        f" {damage.reason} ({damage.detail})"
        for damage in file.damages
    ]


def _warnings(file: FileReport) -> Iterable[str]:
    if file.records and file.records == sum(file.rejects.values()):
        yield "WARNING: nothing of it was understood: is it an archive of tweets?"
    if file.searches:
        named = "; ".join(file.searches[: geotagged.SEARCHES]) + ("; and more" if len(file.searches) > geotagged.SEARCHES else "")
        what = "search" if len(file.searches) == 1 else "searches"
        that = "that search" if what == "search" else "those searches"
        yield f"WARNING: these are results of the {what} {named}: a share counted from them speaks of {that}, not of the place"
    if not file.accounted:
        yield WRONG


def _area(parts: Mapping[str, int]) -> str:
    return _sum(sum(parts.values()), "record", {PARTS[name]: parts[name] for name in PARTS if name in parts})


def _sum(whole_: int, unit: str, parts: Mapping[str, int]) -> str:
    """12 lines = 9 with a document + 1 blank + 2 broken: what is none is left out, but the first."""
    shown = [
        f"{count:,} {SINGULAR.get(words, words) if count == 1 else words}"
        for number, (words, count) in enumerate(parts.items())
        if count or number == 0
    ]
    return f"{in_words(whole_, unit)} = {' + '.join(shown)}"


def in_words(number: int, unit: str, units: str = "") -> str:
    """1 file, 2 files; `units` where an s is not enough."""
    return f"{number:,} {unit if number == 1 else units or f'{unit}s'}"
