"""Who was told of which alarm: each channel once. What is claimed is committed before it is sent, so nothing goes out twice.

A run that is killed in between leaves "sending": it may have arrived, and is not sent again. What failed, the next night tries again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from pipeline import database, faults, ledger, sending
from pipeline.digest import told, words
from pipeline.errors import AlreadyRunning, PipelineError
from pipeline.progress import Progress, silent
from pipeline.report.words import counted
from pipeline.settings import Settings
from pipeline.storage import digest, exclusive

logger = logging.getLogger("geobeta")

#: Seconds to wait for another run that is sending.
_PATIENCE: Final = 120.0


def deliver(settings: Settings, *, now: datetime, night: str, body: str = "", progress: Progress = silent) -> None:
    """Tell each channel that is set of the alarms of the last days that it was not told of, one message a day of alarms.

    Whatever a channel does, this returns: it is noted, and warned of.

    Args:
        now: the time it is, aware.
        night: the id of this night: a channel that failed in it is left alone until the next one.
        body: what a mail says below the alarms.

    Raises:
        DatabaseUnavailable: see pipeline.database.transaction.
    """
    found = sending.channels(settings)
    if not found:
        return
    try:
        with exclusive(settings.data / "locks" / "sending", wait=_PATIENCE, what="telling alarms", progress=progress):
            for channel in found:
                _tell(settings, channel, (now - told.RECENT).date(), night, body, progress)
    except AlreadyRunning as error:
        logger.warning("alarms are not told now: %s", error.what)


def _tell(settings: Settings, channel: str, since: date, night: str, body: str, progress: Progress) -> None:
    with database.transaction(settings) as connection:
        waiting = connection.execute(
            sa.text("select distinct day from alarms where day >= :since order by day"), {"since": since}
        ).scalars().all()  # fmt: skip
    for day in waiting:
        with database.transaction(settings) as connection:
            alarms = _claim(connection, channel, day, night)
        if not alarms:
            continue
        faults.point("sending.claimed")
        progress(None, f"{channel}: telling of {counted(len(alarms), 'shift')} on {day}")
        status, said = _sent(settings, channel, message(alarms, body))
        faults.point("sending.sent")
        with database.transaction(settings) as connection:
            _note(connection, channel, alarms, status, said)
        if status == "failed":
            return


def _claim(connection: sa.Connection, channel: str, day: date, night: str) -> list[dict[str, Any]]:
    """The alarms of a day that are to be told now, taken by this run; none where the channel has failed in this night."""
    rows = connection.execute(
        sa.text(
            "with claimed as (insert into alarm_deliveries as old (kind, subject, day, channel, status, night)"
            " select kind, subject, day, :channel, 'sending', :night from alarms where day = :day and not exists ("
            "  select from alarm_deliveries where channel = :channel and status = 'failed' and night = :night)"
            " on conflict (kind, subject, day, channel) do update set (status, attempts, night, error, changed_at)"
            " = ('sending', old.attempts + 1, excluded.night, null, clock_timestamp()) where old.status = 'failed'"
            " returning kind, subject, day)"
            " select alarms.* from alarms join claimed using (kind, subject, day)"
            " order by array_position(array['share', 'volume', 'coverage'], kind), subject"
        ),
        {"channel": channel, "day": day, "night": night},
    ).mappings()
    return [dict(row) for row in rows]


def _sent(settings: Settings, channel: str, what: sending.Message) -> tuple[str, str | None]:
    """("sent", None), or ("failed", why)."""
    try:
        said = sending.send(settings, channel, what)
    except Exception as error:
        # not only errors of ours: no channel, whatever it does, may cost a night
        told = error.what if isinstance(error, PipelineError) else type(error).__name__
        logger.warning("alarms were not told by %s: %s; the next night tries again", channel, told)
        return "failed", ledger.without_secrets(settings, told)
    logger.info("alarms told by %s: %s", channel, said)
    return "sent", None


def _note(connection: sa.Connection, channel: str, alarms: Sequence[Mapping[str, Any]], status: str, error: str | None) -> None:
    connection.execute(
        sa.text(
            "update alarm_deliveries set (status, error, changed_at) = (:status, :error, clock_timestamp())"
            " where channel = :channel and day = :day"
            " and (kind, subject) in (select * from unnest(cast(:kinds as text[]), cast(:subjects as text[])))"
        ),
        {
            "status": status, "error": error, "channel": channel, "day": alarms[0]["day"],
            "kinds": [alarm["kind"] for alarm in alarms], "subjects": [alarm["subject"] for alarm in alarms],
        },
    )  # fmt: skip


def message(alarms: Sequence[Mapping[str, Any]], body: str = "") -> sending.Message:
    """What is sent of these alarms; the same for the same ones, whenever it is sent."""
    title, said = words.subject(alarms), [alarm["said"] for alarm in alarms]
    return sending.Message(
        key=digest("alarms", [(alarm["kind"], alarm["subject"], alarm["day"]) for alarm in alarms], length=32),
        subject=title,
        text="\n".join([title, *(f"• {line}" for line in said)]),
        body="\n\n".join([*words.paragraph(alarms), *([body] if body else [])]) + "\n",
        alarms=[told.as_document(alarm) for alarm in alarms],
    )
