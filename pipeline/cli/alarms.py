"""`alarms`: what was found, who was told, and what is promised; and a test of the channels."""

from __future__ import annotations

import argparse
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.cli import options as kinds

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.settings import Settings

HELP = """Show the alarms that nights have raised, who was told of them, and how many false ones a year are promised at most.

With --test it sends a test message by every channel that is set instead, and says what came back. Otherwise it starts nothing
and writes nothing."""
EXAMPLE = "python -m pipeline alarms --since 2026-11-01\npython -m pipeline alarms --test"

#: Without --since: so many days.
DAYS_SHOWN = 90


def arguments(parser: argparse.ArgumentParser) -> None:
    """--since, --until, --study, --test."""
    parser.add_argument("--since", type=kinds.day, metavar="DAY", help=f"the first day (default: {DAYS_SHOWN} days before the last)")
    parser.add_argument("--until", type=kinds.day, metavar="DAY", help="the last day (default: today)")
    parser.add_argument("--study", metavar="NAME", help="only alarms of this study, and of its area")
    parser.add_argument("--test", action="store_true", help="send a test message by the channels that are set")


def run(options: argparse.Namespace) -> int:
    """Print them, or test."""
    from datetime import UTC, datetime

    from pipeline import alarms, configuration, migrations, plan
    from pipeline.cli.terminal import console

    settings, out = configuration.load(), console()
    if options.test:
        return _test(settings, out)
    until = options.until or datetime.now(UTC).date()
    since = options.since or until - timedelta(days=DAYS_SHOWN)
    subjects = None
    if options.study is not None:
        study = settings.study(options.study)
        subjects = [study.name, study.area]
    with plan.peek(settings) as connection:
        if connection is None:
            out.print("the database is stopped, or empty: `python -m pipeline database start` to see what it holds", markup=False)
        elif migrations.waiting(connection):
            out.print("the database is as an older geobeta left it: the next run brings it up to date", markup=False)
        else:
            _show(alarms.kept(connection, since, until, subjects), since, until, out)
    out.print()
    out.print(f"told by: {_channels(settings)}", markup=False, soft_wrap=True)
    out.print(alarms.promise(settings), markup=False, soft_wrap=True)
    return 0


def _channels(settings: Settings) -> str:
    from pipeline import sending

    return " and ".join(sending.channels(settings)) or "no channel is set: alarms are in the digests' files and here alone"


def _show(found: list[dict[str, Any]], since: date, until: date, out: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    if not found:
        out.print(f"no alarms from {since} to {until}", markup=False)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("day", "kind", "of", "", "told"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("day", "kind"))
    for alarm in found:
        told = "; ".join(_told(channel, what) for channel, what in alarm["deliveries"].items()) or "in the file"
        table.add_row(*map(escape, (str(alarm["day"]), alarm["kind"], alarm["subject"], alarm["direction"], told)))
    out.print(table)
    out.print()
    for alarm in found:
        out.print(f"{alarm['day']}  {alarm['said']}", markup=False, soft_wrap=True)


def show_doubtful(connection: Any, now: datetime, out: Console) -> None:
    """For `status`: a line for each alarm of the last days that did not surely arrive."""
    from pipeline import alarms
    from pipeline.digest import told, words

    for line in words.deliveries(alarms.kept(connection, (now - told.RECENT).date(), now.date())):
        out.print(f"alarm by {line}", markup=False, soft_wrap=True)


def _told(channel: str, what: dict[str, Any]) -> str:
    if what["status"] == "sent":
        return channel
    if what["status"] == "sending":
        return f"{channel}: may not have arrived (the run ended while sending; not sent again)"
    return f"{channel}: failed, {what['attempts']} night{'' if what['attempts'] == 1 else 's'}: {what['error']}"


def _test(settings: Settings, out: Console) -> int:
    import uuid

    from pipeline import cli, sending
    from pipeline.errors import PipelineError, SettingsError

    found = sending.channels(settings)
    if not found:
        raise SettingsError(
            "no channel is set: got neither GEOBETA_WEBHOOK_URL nor GEOBETA_SMTP_URL with [alarms] mail_to",
            todo="set one: docs/alarms.md shows how",
        )
    text = "A test of geobeta's alarms: whoever reads this is told when something shifts."
    failed = False
    for channel in found:
        try:
            message = sending.Message(key=uuid.uuid4().hex, subject="[geobeta] a test of the alarms", text=text, body=f"{text}\n")
            out.print(f"{channel}: {sending.send(settings, channel, message)}", markup=False, soft_wrap=True)
        except PipelineError as error:
            failed = True
            out.print(f"{channel}: failed: {error.what}", markup=False, soft_wrap=True)
            out.print(f"  what to do: {error.todo}", markup=False, soft_wrap=True)
    return cli.FAILED if failed else cli.DONE
