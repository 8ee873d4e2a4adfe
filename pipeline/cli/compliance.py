"""`compliance`: ask X which of our tweets are gone, and purge those."""

from __future__ import annotations

import argparse

HELP = """Ask X's batch compliance endpoint which of the tweets that we hold are gone, and purge them: see `purge`.

Only ids leave the machine. X may take a while over a job; run again, and the job is taken up. Without a token the sandbox is asked about
the tweets that it made up."""
EXAMPLE = """python -m pipeline compliance
python -m pipeline compliance --dry-run --wait 30"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """How long to wait, and whether to do anything."""
    from pipeline.cli.options import positive

    parser.add_argument("--wait", type=positive, default=60, metavar="MINUTES", help="for X to work on the job (default: 60)")
    parser.add_argument("--dry-run", action="store_true", help="ask, and say what would go; remove nothing")


def run(options: argparse.Namespace) -> int:
    """Ask, purge, tell."""
    from pipeline import compliance, configuration, purge
    from pipeline.cli.purge import account
    from pipeline.cli.terminal import console, progress

    settings = configuration.load()
    configuration.check_data_folder(settings)
    with progress("compliance") as told:
        ids, left = purge.held.ids(settings, progress=told)
        answer = compliance.run(settings, ids, wait_seconds=60 * options.wait, progress=told)
        asked = purge.Asked(unclear=answer.unclear)
        for deletion in answer.gone:
            asked.add(deletion)
        report = purge.run(settings, asked, source="compliance", dry=options.dry_run, progress=told)
        if not options.dry_run:
            compliance.done(settings)
    out = console()
    sent = "by an earlier run" if answer.asked is None else f"{answer.asked:,} ids"
    out.print(f"sent: {sent}; gone: {len(answer.gone):,}", markup=False, soft_wrap=True)
    if left:
        kind = "real tweets, which nobody can be asked about without X_BEARER_TOKEN" if settings.synthetic else "made-up tweets"
        out.print(f"not asked: {left:,} ids of {kind}", markup=False, soft_wrap=True)
    for line in account(asked, report, dry=options.dry_run):
        out.print(line, markup=False, soft_wrap=True)
    return 1 if asked.unclear else 0
