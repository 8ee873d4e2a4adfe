"""`python -m pipeline alarms`: what was found, who was told, the promise; and what doctor says of channels and deliveries."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline import alarms, cli, database, doctor
from pipeline.doctor import Finding
from pipeline.settings import Settings
from tests.alarm_nights import STUDIES
from tests.mailboxes import mailbox
from tests.servers import Reply, receiving
from tests.test_alarm_nights import verdict_of

TO = '[alarms]\nmail_to = ["team@example.org"]\n'
TODAY = dt.datetime.now(dt.UTC).date()


# nights in the database: not for the fast loop
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("logging_as_it_was")]


@pytest.fixture
def installed(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """A function that writes the config and points this process's environment at it."""

    def install(settings: str = "", *, database: bool = True, **environ: str) -> Settings:
        found = make_settings(studies=STUDIES, settings=settings, database=database, **environ)
        given = {"GEOBETA_CONFIG": str(found.config), "GEOBETA_DATA": str(found.data), "GEOBETA_AUTHOR_KEY": "a key for tests only"}
        if found.database_url is not None:
            given["DATABASE_URL"] = found.database_url.get_secret_value()
        for name, value in (given | environ).items():
            monkeypatch.setenv(name, value)
        return found

    return install


def put_alarm(settings: Settings, day: dt.date, **deliveries: str) -> None:
    """An alarm of traffic, and what became of it: channel=status."""
    with database.transaction(settings) as connection:
        alarms.keep(connection, verdict_of(day), said=f"traffic moved on {day}")
        for channel, status in deliveries.items():
            connection.execute(
                sa.text(
                    "insert into alarm_deliveries (kind, subject, day, channel, status, error)"
                    " values ('share', 'traffic', :day, :channel, :status, :error)"
                ),
                {"day": day, "channel": channel, "status": status, "error": "the webhook answered 503" if status == "failed" else None},
            )


def told(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """(the exit code, what was printed)."""
    code = cli.main(["alarms", *arguments])
    return code, capsys.readouterr().out


def test_alarms_their_delivery_and_the_promise(installed: Callable[..., Settings], capsys: pytest.CaptureFixture[str]) -> None:
    """A line each, the words below; what may not have arrived is said to; at the end who is told, and how many false ones may come."""
    settings = installed()
    put_alarm(settings, TODAY - dt.timedelta(days=30), webhook="sent", mail="sending")
    put_alarm(settings, TODAY - dt.timedelta(days=2), webhook="failed")
    put_alarm(settings, TODAY - dt.timedelta(days=10))
    code, said = told(capsys=capsys)
    lines = [line.rstrip() for line in said.splitlines()]
    assert code == 0
    assert [line.split()[0] for line in lines[1:4]] == [str(TODAY - dt.timedelta(days=back)) for back in (30, 10, 2)]
    assert "mail: may not have arrived" in lines[1]
    assert lines[1].endswith("; webhook")
    assert lines[2].endswith("in the file")
    assert "webhook: failed, 1 night: the webhook answered 503" in lines[3]
    assert f"traffic moved on {TODAY - dt.timedelta(days=2)}" in said
    assert "told by: no channel is set" in said
    assert "at most: 2 for each study's share (1 of them)" in said


def test_days_and_studies_are_chosen(installed: Callable[..., Settings], capsys: pytest.CaptureFixture[str]) -> None:
    """By --since, --until, --study; a study that is none is refused with those that are."""
    settings = installed()
    for back in (200, 30, 2):
        put_alarm(settings, TODAY - dt.timedelta(days=back))

    def shown(*arguments: str) -> int:
        return told(*arguments, capsys=capsys)[1].count("traffic moved")

    assert shown() == 2
    assert shown("--since", "2020-01-01") == 3
    assert shown("--until", str(TODAY - dt.timedelta(days=3))) == 1
    assert shown("--study", "traffic") == 2
    assert "no alarms from" in told("--since", "2020-01-01", "--until", "2020-02-01", capsys=capsys)[1]
    assert cli.main(["alarms", "--study", "nobody"]) == 2
    assert "wanted one of" in capsys.readouterr().err


def test_a_stopped_database_is_not_started_by_looking(
    installed: Callable[..., Settings], server_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says how to start it, and what is promised all the same."""
    installed(database=False, GEOBETA_DATA=str(server_folder))
    code, said = told(capsys=capsys)
    assert code == 0
    assert "database start" in said
    assert "at most" in said
    assert not list(server_folder.rglob("postmaster.pid"))


def test_status_says_what_may_not_have_arrived(installed: Callable[..., Settings], capsys: pytest.CaptureFixture[str]) -> None:
    """Of this week, by channel."""
    put_alarm(installed(), TODAY - dt.timedelta(days=2), webhook="failed", mail="sent")
    assert cli.main(["status"]) == 0
    said = capsys.readouterr().out
    assert "alarm by webhook: share of traffic" in said
    assert "not told: the webhook answered 503" in said
    assert "alarm by mail" not in said


def test_a_test_goes_by_every_channel_and_tells_what_came_back(
    installed: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    """It needs no database; 0 where all took it, 1 where one did not, with what to do; never an address."""
    with receiving() as hook, mailbox() as box:
        installed(TO, database=False, GEOBETA_WEBHOOK_URL=f"{hook.url}/marked", GEOBETA_SMTP_URL=f"smtp://127.0.0.1:{box.port}")
        code, said = told("--test", capsys=capsys)
        assert (code, len(hook.posts), len(box.letters)) == (0, 1, 1)
        assert said.splitlines() == [
            "webhook: the webhook answered 200 OK",
            "mail: the mail server took it for 1 address (not encrypted)",
        ]
        assert "test" in hook.told[0]["text"]
        hook.always = Reply(status=404, body=b"")
        code, said = told("--test", capsys=capsys)
        assert code == 1
        assert "webhook: failed: the webhook answered 404 Not Found\n  what to do: see GEOBETA_WEBHOOK_URL" in said
        assert "marked" not in said
        assert len(box.letters) == 2


def test_a_test_without_a_channel_says_what_to_set(installed: Callable[..., Settings], capsys: pytest.CaptureFixture[str]) -> None:
    """And fails as a fault of the configuration does."""
    installed(database=False)
    assert cli.main(["alarms", "--test"]) == 2
    assert "GEOBETA_WEBHOOK_URL" in capsys.readouterr().err


def findings(settings: Settings, **environ: str) -> list[Finding]:
    """What doctor says of alarms."""
    given = {"GEOBETA_CONFIG": str(settings.config), "GEOBETA_DATA": str(settings.data), "GEOBETA_AUTHOR_KEY": "a key for tests only"}
    if settings.database_url is not None:
        given["DATABASE_URL"] = settings.database_url.get_secret_value()
    return [found for found in doctor.examine(given | environ, offline=True) if found.check in ("alarms", "environment")]


@pytest.mark.parametrize(
    ("settings", "environ", "state", "words"),
    [
        ("", {}, "ok", "in the digests alone"),
        (
            TO,
            {"GEOBETA_SMTP_URL": "smtp://mail.example.org", "GEOBETA_WEBHOOK_URL": "https://hooks.example.org/x"},
            "ok",
            "webhook and mail",
        ),
        (TO, {}, "warning", "mail_to is set, and GEOBETA_SMTP_URL is not"),
        ("", {"GEOBETA_SMTP_URL": "smtp://mail.example.org"}, "warning", "GEOBETA_SMTP_URL is set, and [alarms] mail_to is not"),
    ],
)
def test_doctor_finds_a_channel_that_is_half_set(
    make_settings: Callable[..., Settings], settings: str, environ: dict[str, str], state: str, words: str
) -> None:
    """One finding; neither variable is taken for a mistyped one."""
    (found,) = findings(make_settings(studies=STUDIES, settings=settings), **environ)
    assert (found.state, words in found.what) == (state, True), found


def test_doctor_finds_what_may_not_have_arrived(make_settings: Callable[..., Settings]) -> None:
    """Of this week: what was being sent when the run ended, and what failed; not what is long past."""
    settings = make_settings(studies=STUDIES)
    put_alarm(settings, TODAY - dt.timedelta(days=30), mail="sending")
    put_alarm(settings, TODAY - dt.timedelta(days=2), webhook="failed", mail="sending")
    warned = [found.what for found in findings(settings) if found.state == "warning"]
    assert len(warned) == 2
    assert "by mail: may not have arrived" in warned[0]
    assert "by webhook: the webhook answered 503" in warned[1]
