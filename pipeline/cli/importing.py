"""`import`: archives of tweets."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.cli.options import day, positive

if TYPE_CHECKING:
    from pipeline.importing.import_report import ImportReport
    from pipeline.importing.import_runs import Outcome
    from pipeline.progress import Progress
    from pipeline.settings import Settings

HELP = """Import files of tweets: v1.1 or v2, lines or pages, plain, .gz, .bz2, .zst, .xz, tar and zip of these, recognised by content.

Each file is read once, for all areas and days. The same file again adds nothing; an import that was stopped goes on where it was.
Folders are searched. Many files are read by several processes, through Luigi. Then run Nightly.
Printed is an account of each file: every line of it, and for each area every record that the lines hold."""
EXAMPLE = """python -m pipeline import stream-2026-11.jsonl.gz more/
python -m pipeline import archiveteam-2016-11.tar --since 2016-11-05 --until 2016-11-07
luigi --module tasks Nightly --date 2026-11-22 --local-scheduler"""

#: So many bytes are read here and now: they take about a second, and so does the start of Luigi.
AT_ONCE: Final = 32_000_000


def arguments(parser: argparse.ArgumentParser) -> None:
    """Paths, days, processes, strictness."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, a folder of files, or a quoted pattern")
    parser.add_argument("--since", type=day, metavar="DAY", help="keep only tweets of this day and later ones")
    parser.add_argument("--until", type=day, metavar="DAY", help="keep only tweets of this day and earlier ones")
    parser.add_argument("--workers", type=positive, metavar="N", help="processes that read at once (default: as there are processors)")
    parser.add_argument("--strict", action="store_true", help="refuse a file of which anything is broken, instead of passing over that")
    parser.add_argument("--local-scheduler", action="store_true", help="do without luigid, also where one answers")


def run(options: argparse.Namespace) -> int:
    """Import, and print what became of every line and record."""
    from pipeline import settings as configured
    from pipeline.cli import AGAIN, DONE, FAILED, import_account
    from pipeline.cli.terminal import console
    from pipeline.errors import SettingsError
    from pipeline.importing import import_runs

    settings = configured.read(need="areas")
    if options.since and options.until and options.until < options.since:
        raise SettingsError(f"got --since {options.since} and --until {options.until}", todo="give the earlier day as --since")
    report, deletions = _imported(settings, options)
    out = console()
    for line in [*import_account.whole(settings, report, _written(settings, report)), *deletions.said]:
        out.print(line, markup=False, soft_wrap=True)
    untold = import_runs.untold(settings)
    if step := import_account.next_step(report, untold=untold.digests):
        print(f"to count what came: {step}", file=sys.stderr)
    untold.forget({file.digest for file in report.files})
    if report.failures:
        return AGAIN if all(failure.transient for failure in report.failures) else FAILED
    if deletions.put_off:
        return AGAIN
    return DONE if report.accounted else FAILED


@dataclass(frozen=True)
class Deletions:
    """What is told of what the archives ask to delete; `put_off` where the database could not be reached for it."""

    said: list[str]
    put_off: bool = False


def _applied(settings: Settings, told: Progress) -> Deletions:
    """Do what archives ask to delete to all that is stored. The accounts that follow know of it."""
    from pipeline import configuration, purge
    from pipeline.cli.purge import removed
    from pipeline.errors import TransientError

    if not purge.to_apply(settings):
        return Deletions([])
    if purge.rows.there(settings):
        # numbers are restated by the studies' rules
        settings = configuration.load()
    try:
        report = purge.apply_archives(settings, progress=told)
    except TransientError as error:
        said = f"WARNING: what these archives ask to delete is not yet taken out of what was stored before: {error.what}"
        return Deletions([said, "  no later stage takes it in; the next import or night does the rest"], put_off=True)
    return Deletions(["deletions that archives ask for:", *(f"  {line}" for line in removed(report, dry=False))] if report else [])


def _imported(settings: Settings, options: argparse.Namespace) -> tuple[ImportReport, Deletions]:
    """Read what is not held yet, here or through Luigi; apply deletions."""
    from pipeline import days, importing
    from pipeline.cli import import_account
    from pipeline.cli.terminal import progress
    from pipeline.importing.import_report import ImportReport

    window = days.reach(options.since, options.until)
    paths, skipped, failures = importing.find(options.paths, window)
    held = importing.held(settings, paths, importing.wanted(settings, window, strict=options.strict))
    unread = list({importing.absolute(path): path for path in paths if path not in held}.values())
    few = not unread or (options.workers is None and sum(path.stat().st_size for path in unread) < AT_ONCE)
    with progress("import") as told:
        new = (_here if few else _through_luigi)(settings, unread, options, told)
        deletions = _applied(settings, told)
        files = []
        for number, path in enumerate(paths):
            if len(paths) > import_account.FEW:
                told(None, f"the account: {number:,} of {len(paths):,} files")
            # a file that is given twice was held the second time
            outcome = new.pop(importing.absolute(path), None)
            if outcome is not None and outcome.failure is not None:
                failures.append(outcome.failure)
            elif digest := outcome.digest if outcome is not None else held.get(path):
                held[path] = digest
                files.append(importing.report(settings, path, digest, outcome.status if outcome is not None else "held"))
    return ImportReport(tuple(files), tuple(failures), tuple(skipped)), deletions


def _here(settings: Settings, unread: list[Path], options: argparse.Namespace, told: Progress) -> dict[Path, Outcome]:
    """What became of each file, by its absolute path: read in this process."""
    from pipeline import days, importing
    from pipeline.importing.import_runs import Outcome

    window = days.reach(options.since, options.until)
    report = importing.run(settings, unread, window=window, strict=options.strict, progress=told)
    new = [Outcome(importing.absolute(file.path), file.status, file.digest, None) for file in report.files]
    new += [Outcome(importing.absolute(failure.path), "failed", None, failure) for failure in report.failures]
    return {outcome.path: outcome for outcome in new}


def _through_luigi(settings: Settings, unread: list[Path], options: argparse.Namespace, told: Progress) -> dict[Path, Outcome]:
    """The same, read by several processes."""
    from pipeline import importing
    from pipeline.cli import import_luigi
    from pipeline.cli.import_account import in_words
    from pipeline.importing import import_runs

    asked = import_runs.begin(
        settings, [importing.absolute(path) for path in unread], since=options.since, until=options.until, strict=options.strict
    )
    where = import_luigi.scheduler()
    local = options.local_scheduler or not where.answers
    workers = min(options.workers or len(os.sched_getaffinity(0)), max(len(asked.tasks), 1))
    how = "without luigid" if options.local_scheduler else where.in_words
    files, tasks = in_words(len(unread), "file"), in_words(len(asked.tasks), "task")
    print(f"{files} in {tasks} over {in_words(workers, 'process', 'processes')}, {how}", file=sys.stderr)
    return {one.path: one for one in import_luigi.run(settings, asked, workers=workers, local=local, progress=told)}


def _written(settings: Settings, report: ImportReport) -> Path | None:
    """Where the account of each file was written: only where there are too many for the terminal."""
    from pipeline import storage
    from pipeline.cli import import_account

    if len(report.files) <= import_account.FEW:
        return None
    lines = [line for file in report.files for line in import_account.account(file)]
    lines += [line for failure in report.failures for line in import_account.failed(failure)]
    path = settings.data / "imports" / "account.txt"
    storage.write_bytes(path, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
    return path
