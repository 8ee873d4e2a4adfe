"""Who is told of the night's alarms: every channel once, whatever fails, whoever is killed."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline import sending
from pipeline.digest import deliveries, night, words
from pipeline.digest.told import _TOLD
from pipeline.settings import Settings
from tests.alarm_nights import authors_of, put_nights
from tests.chain import ROOT
from tests.digests import LAST, NIGHTS, NOW, QUICK, impatient, make, shifted, told
from tests.mailboxes import mailbox
from tests.servers import Receiver, Reply, receiving

# nights in the database: not for the fast loop
pytestmark = pytest.mark.slow

__all__ = ["impatient", "shifted"]


def test_a_shift_is_told_by_every_channel_once(shifted: Callable[..., Settings]) -> None:
    """Webhook and mail; a rerun, and a digest made anew, send nothing."""
    with receiving() as hook, mailbox() as box:
        settings = shifted(GEOBETA_WEBHOOK_URL=f"{hook.url}/x", GEOBETA_SMTP_URL=f"smtp://127.0.0.1:{box.port}")
        make(settings)
        ((_, document),) = hook.posts
        assert document["text"].startswith("[geobeta] 1 shift on Fri 30 Jan: share of traffic up\n• traffic in Mexico City: ")
        (alarm,) = document["alarms"]
        assert (alarm["subject"], alarm["direction"]) == ("traffic", "up")
        # why it moved, in numbers that add up to the change, and in words
        before, after, *parts = (alarm["parts"][name] for name in ("before", "after", *(words._PARTS)))
        assert sum(parts) == pytest.approx(after - before, abs=1e-9)
        assert "; mostly " in alarm["said"]
        assert alarm["said"].endswith(" points)") or alarm["said"].endswith(" points")
        (letter,) = box.letters
        assert letter["subject"] == "[geobeta] 1 shift on Fri 30 Jan: share of traffic up"
        assert "expected" in letter.get_content()
        assert "The studies: share (95 % interval)" in letter.get_content()
        for changed in (False, True):
            if changed:
                put_nights(settings, "traffic", {LAST: authors_of(np.random.default_rng(7), 0.65, 40)})
            night.path(settings, LAST).unlink()
            make(settings)
        assert (len(hook.posts), len(box.letters)) == (1, 1)
    assert told(settings) == [("mail", "share", "traffic", "sent", 1), ("webhook", "share", "traffic", "sent", 1)]


def test_made_up_shifts_say_so_in_the_subject(shifted: Callable[..., Settings]) -> None:
    """Before anything else."""
    with receiving() as hook, mailbox() as box:
        make(shifted(synthetic=True, GEOBETA_WEBHOOK_URL=hook.url, GEOBETA_SMTP_URL=f"smtp://127.0.0.1:{box.port}"))
        assert box.letters[0]["subject"].startswith("[geobeta] SYNTHETIC: 1 shift")
        assert hook.told[0]["text"].startswith("[geobeta] SYNTHETIC: 1 shift")
        assert hook.told[0]["alarms"][0]["synthetic"] is True


def test_a_quiet_night_sends_nothing(shifted: Callable[..., Settings]) -> None:
    """Its digest is a file."""
    with receiving() as hook:
        settings = shifted(last=None, GEOBETA_WEBHOOK_URL=hook.url)
        make(settings)
        assert hook.posts == []
    assert told(settings) == []


def test_with_the_promise_off_nothing_is_told(shifted: Callable[..., Settings]) -> None:
    """No alarm of that kind, and the digest says that none is asked for."""
    with receiving() as hook:
        off = QUICK + "share_per_year = 0\nvolume_per_year = 0\ncoverage_per_year = 0\n"
        text = make(shifted(settings=off, GEOBETA_WEBHOOK_URL=hook.url))
        assert hook.posts == []
    assert "No alarms are asked for." in text


def test_old_alarms_are_in_file_and_table_alone(shifted: Callable[..., Settings]) -> None:
    """A backfill sends no message for a day of more than a week before now."""
    with receiving() as hook:
        settings = shifted(GEOBETA_WEBHOOK_URL=hook.url)
        assert "1 shift" in make(settings, now=NOW + dt.timedelta(days=8))
        assert hook.posts == []
        night.path(settings, LAST).unlink()
        make(settings, now=NOW + dt.timedelta(days=6))
        assert len(hook.posts) == 1


def test_a_webhook_that_is_down_for_a_night_is_told_by_the_next(
    shifted: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The night does not fail: it warns, the digest says who was not told; other days of the same night leave the channel alone."""
    with receiving() as hook, mailbox() as box:
        settings = shifted(GEOBETA_WEBHOOK_URL=f"{hook.url}/marked", GEOBETA_SMTP_URL=f"smtp://127.0.0.1:{box.port}")
        hook.always = Reply(status=503, body=b"")
        text = " ".join(make(settings).split())
        assert "webhook: share of traffic, Fri 30 Jan: not told: the webhook answered 503 Service Unavailable; tried 1 time" in text
        assert "alarms were not told by webhook: the webhook answered 503" in caplog.text
        assert "marked" not in caplog.text + text
        assert len(hook.posts) == 3
        make(settings, NIGHTS[-2])
        assert (len(hook.posts), len(box.letters)) == (3, 1)
        hook.always = Reply(body=b"ok")
        monkeypatch.setenv("GEOBETA_NIGHT", "second night")
        make(settings, NIGHTS[-2])
        night.path(settings, LAST).unlink()
        make(settings)
        assert (len(hook.posts), len(box.letters)) == (4, 1)
        assert len({seen.headers["idempotency-key"] for seen, _ in hook.posts}) == 1
    assert told(settings) == [("mail", "share", "traffic", "sent", 1), ("webhook", "share", "traffic", "sent", 2)]


def test_whatever_a_channel_does_the_night_goes_on(shifted: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what nobody thought of: it is noted by its kind, and the other channel is told."""

    def broken(*given: Any) -> str:
        raise RuntimeError("https://hooks.example.org/marked")

    with receiving() as hook, mailbox() as box:
        settings = shifted(GEOBETA_WEBHOOK_URL=hook.url, GEOBETA_SMTP_URL=f"smtp://127.0.0.1:{box.port}")
        monkeypatch.setattr(sending, "_webhook", broken)
        text = make(settings)
        assert "not told: RuntimeError" in " ".join(text.split())
        assert "marked" not in text
        assert len(box.letters) == 1


def test_two_nights_at_once_tell_it_once(shifted: Callable[..., Settings]) -> None:
    """Both end well, and one message goes out by each channel."""
    with receiving() as hook:
        settings = shifted(GEOBETA_WEBHOOK_URL=hook.url)
        hook.always = Reply(hang=0.2, body=b"ok")
        failed: list[BaseException] = []

        def once() -> None:
            try:
                make(settings)
            except BaseException as error:
                failed.append(error)

        both = [threading.Thread(target=once) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert failed == []
        assert len(hook.posts) == 1
    assert night.has(settings, LAST)


PROGRAM = """
import datetime as dt
from pipeline import settings
from pipeline.digest import night
night.make(settings.read(), dt.date.fromisoformat({day!r}), now=dt.datetime.fromisoformat({now!r}))
"""


def killed(settings: Settings, hook: Receiver, at: str) -> None:
    """Make the digest in a process of its own, that is killed at that point."""
    assert settings.database_url is not None
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("GEOBETA_", "DATABASE_URL"))} | {
        "GEOBETA_CONFIG": str(settings.config), "GEOBETA_DATA": str(settings.data), "GEOBETA_KILL_AT": at, "GEOBETA_NIGHT": "first night",
        "DATABASE_URL": settings.database_url.get_secret_value(), "GEOBETA_WEBHOOK_URL": hook.url,
        "GEOBETA_AUTHOR_KEY": "a key for tests only",
    }  # fmt: skip
    program = PROGRAM.format(day=LAST.isoformat(), now=NOW.isoformat())
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "posts", "doubt"),
    [("digest.alarms", 1, False), ("sending.claimed", 0, True), ("sending.sent", 1, True), ("digest.before_marker", 1, False)],
)
def test_killed_anywhere_it_is_never_told_twice(
    shifted: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, point: str, posts: int, doubt: bool
) -> None:
    """kill -9: the next run makes the digest; what was claimed and not noted as sent is not sent again, and the digest says so."""
    with receiving() as hook:
        settings = shifted(GEOBETA_WEBHOOK_URL=hook.url)
        killed(settings, hook, point)
        assert not night.has(settings, LAST)
        for name in ("second night", "third night"):
            monkeypatch.setenv("GEOBETA_NIGHT", name)
            night.path(settings, LAST).unlink(missing_ok=True)
            text = " ".join(make(settings).split())
        assert len(hook.posts) == posts
        assert night.has(settings, LAST)
    assert ("may not have arrived: the run ended while it was being sent; it is not sent again" in text) == doubt
    assert [status for _, _, _, status, _ in told(settings)] == ["sending" if doubt else "sent"]


def test_a_message_is_the_same_for_the_same_alarms() -> None:
    """Its key too; for others it is another."""
    one = dict.fromkeys(_TOLD) | {"kind": "share", "subject": "a", "day": LAST, "direction": "up", "synthetic": False}
    one |= {"said": "it moved", "parts": None}
    assert deliveries.message([one]) == deliveries.message([one])
    assert deliveries.message([one]).key != deliveries.message([one | {"subject": "b"}]).key
    assert json.dumps(deliveries.message([one]).alarms)
