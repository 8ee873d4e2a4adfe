"""The night's digest: what it says and how, that it is the same for the same numbers, and that no alarm is told twice."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from pipeline import alarms, database, faults, sending, storage, why
from pipeline.digest import deliveries, night, words
from pipeline.errors import SourceUnavailable
from pipeline.settings import Settings
from pipeline.stats.attribution import Attribution
from tests.alarm_nights import STUDIES, authors_of, days, put_nights
from tests.chain import ROOT
from tests.mailboxes import mailbox
from tests.servers import Receiver, Reply, receiving
from tests.test_alarm_nights import steady, verdict_of

Make = Callable[..., Settings]

#: Nights of which the last has ten times the share.
NIGHTS = days(30)
LAST = NIGHTS[-1]
#: The day after, when it is judged.
NOW = dt.datetime.combine(LAST, dt.time(9), dt.UTC) + dt.timedelta(days=1)
QUICK = '[alarms]\ntimeout_seconds = 1.0\nmail_to = ["team@example.org"]\n'


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once, and each test is one night unless it says otherwise."""
    monkeypatch.setattr(sending, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("GEOBETA_NIGHT", "first night")


@pytest.fixture
def shifted(make_settings: Make) -> Callable[..., Settings]:
    """A function that gives settings whose database holds thirty nights with a shift in the last."""

    def make(*, last: float | None = 0.6, synthetic: bool = False, **given: Any) -> Settings:
        settings = make_settings(**{"studies": STUDIES, "settings": QUICK, **given})
        put_nights(settings, "traffic", steady(len(NIGHTS), last=last), synthetic=synthetic)
        return settings

    return make


def make(settings: Settings, day: dt.date = LAST, now: dt.datetime = NOW) -> str:
    """Make it; give its text."""
    night.make(settings, day, now=now)
    return night.path(settings, day).read_text("utf-8")


def told(settings: Settings) -> list[tuple[Any, ...]]:
    """The deliveries."""
    with database.transaction(settings) as connection:
        rows = connection.execute(sa.text("select channel, kind, subject, status, attempts from alarm_deliveries order by 1, 2, 3"))
        return [tuple(row) for row in rows]


# --- words -------------------------------------------------------------------------------------------------------------------


def test_an_alarm_says_what_where_when_and_why() -> None:
    """In one line: the share, what was expected, which way, by which nights, and the largest part of the reason."""
    day = dt.date(2026, 11, 15)
    verdict = verdict_of(day, subject="mexico-city-traffic", observed=0.081, expected_lower=0.049, expected_upper=0.066)
    why = Attribution(0.055, 0.081, 0.003, 0.019, 0.003, 0.001, 0.0, 0.0)
    line = words.said(verdict, why)
    assert line == "traffic in Mexico City: 8.1 % on Sun 15 Nov, expected 4.9 to 6.6 %; up; mostly other authors (+1.9 of +2.6 points)"
    two = Attribution(0.055, 0.081, 0.012, 0.013, 0.001, 0.0, 0.0, 0.0)
    assert words.said(verdict, two).endswith("mostly other authors (+1.3) and the same authors (+1.2), of +2.6 points")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nights": 3}, "up; the last 3 nights together show it"),
        ({"nights": 0}, "up; twice as far out as any night before"),
        ({"observed": 0.05}, "5.0 % on Sun 15 Nov, expected 4.0 to 6.0 %; up; within that, but rare among its own past nights"),
        ({"calibrated": False, "past": 23}, "only 23 past nights to judge by"),
        ({"synthetic": True}, "[synthetic] traffic in Mexico City"),
        ({"by_x": True}, "not corrected for authors: X names none"),
        ({"seen": 0.6}, "60 % of the day observed"),
        ({"kind": "volume", "subject": "mexico-city", "observed": 1312, "expected_lower": 2020.4, "expected_upper": 2780},
         "Mexico City: 1,312 tweets on Sun 15 Nov, usual 2,020 to 2,780; up"),
        ({"kind": "volume", "observed": 1312, "expected_lower": 2000, "expected_upper": 2780, "by_x": True},
         "traffic in Mexico City: X counted 1,312 tweets on Sun 15 Nov, usual 2,000 to 2,780; up"),
        ({"kind": "coverage", "observed": 0.54, "expected_lower": 0.98, "expected_upper": 1.0, "reason": "X was down", "direction": "down"},
         "Mexico City: 54 % of Sun 15 Nov observed, usual 98 to 100 % (X was down); down"),
        ({"kind": "coverage", "observed": 0.54, "expected_lower": 1.0, "expected_upper": 1.0}, "usual 100 %; up"),
    ],
)  # fmt: skip
def test_every_kind_of_alarm_in_words(changes: dict[str, Any], said: str) -> None:
    """Each has what a person needs to act."""
    assert said in words.said(verdict_of(dt.date(2026, 11, 15), **changes))


@pytest.mark.parametrize(
    ("surprise", "said"), [(0.004, "1 day in 250 is"), (1e-9, "1 day in more than 1,000,000"), (0.0, "more than 1,000,000")]
)
def test_how_surprising_a_day_is_is_no_more_than_it_is(surprise: float, said: str) -> None:
    """As a number of days, as long as that says anything."""
    study = {"study": "traffic", "mean": 0.1, "lower_95": 0.09, "upper_95": 0.11, "trials": 100, "matches": 60, "days_missing": 0}
    study |= {
        "expected_lower_95": 0.05,
        "expected_upper_95": 0.16,
        "surprise": surprise,
        "coverage": 1.0,
        "synthetic": False,
        "basis": "tweets",
    }
    study |= {"own_trials": 100, "own_matches": 60}
    assert said in " ".join("\n".join(words.study_lines(study)).split())


# --- the file ----------------------------------------------------------------------------------------------------------------


def test_a_quiet_night_says_so(shifted: Callable[..., Settings]) -> None:
    """One line a study with share and interval, the promise, and no shift; in 80 columns, and the same for programs."""
    settings = shifted(last=None)
    text = make(settings)
    assert "\nNo shifts\n" in text
    assert "  traffic: 1" in text
    assert "at most: 2 for each study's share" in text
    assert max(map(len, text.splitlines())) <= words.WIDTH
    document = storage.read_json(night.path(settings, LAST).with_name("digest.json"))
    assert (document["day"], document["alarms"], document["synthetic"]) == (LAST.isoformat(), [], False)
    assert [study["study"] for study in document["studies"]] == ["traffic"]
    assert night.has(settings, LAST)


def test_a_shift_is_in_the_file_with_what_is_partial_missing_and_surprising(shifted: Callable[..., Settings]) -> None:
    """Made-up numbers are called so at the top."""
    settings = shifted(synthetic=True)
    with database.transaction(settings) as connection:
        connection.execute(
            sa.text("update daily_counts set coverage = 0.9, coverage_reason = 'X was down' where day = :day"), {"day": LAST}
        )
    text = make(settings)
    assert "SYNTHETIC" in text.splitlines()[2]
    assert "\n1 shift\n  [synthetic] traffic in Mexico City: " in text
    assert "twice as far out as any night before" in " ".join(text.split())
    assert "surprising: 1 day in " in " ".join(text.split())
    with database.transaction(settings) as connection:
        (said,) = why.explain(settings, connection, settings.study("traffic"), LAST).alarms
    assert " ".join(said.split()) in " ".join(text.split())
    assert "partial: 90 % of the day observed: X was down" in text
    assert max(map(len, text.splitlines())) <= words.WIDTH


def test_a_day_with_a_cap_on_authors_is_held_against_what_was_expected_by_what_counts_of_it(make_settings: Make) -> None:
    """The share of the day is that of the page and of the alarm: expected were capped counts."""
    settings = make_settings(studies=STUDIES + "author_cap = 2\n")
    put_nights(settings, "traffic", {day: {"a" * 32: (10, 10), "b" * 32: (2, 0)} for day in NIGHTS[:3]})
    text = " ".join(make(settings, NIGHTS[2]).split())
    assert "the day: 10 of 12 tweets, 50 % of the 4 that the cap on authors leaves; expected" in text


def test_a_study_without_a_number_is_named(make_settings: Make) -> None:
    """And why it has none."""
    settings = make_settings(studies=STUDIES + STUDIES.replace("[traffic]", "[water]"))
    put_nights(settings, "traffic", steady(3))
    assert "water: no number of this day: none is published" in make(settings, NIGHTS[2])
    other = make_settings(studies=STUDIES.replace("tráfico", "choque"))
    assert "traffic: no number of this day: what is published was made by an earlier rule" in " ".join(make(other, NIGHTS[2]).split())


def test_the_same_database_gives_the_same_digest(shifted: Callable[..., Settings]) -> None:
    """To the last byte, whenever it is made; a rerun finds it done."""
    settings = shifted()
    first = make(settings)
    document = night.path(settings, LAST).with_name("digest.json").read_bytes()
    night.path(settings, LAST).unlink()
    assert not night.has(settings, LAST)
    assert make(settings, now=NOW + dt.timedelta(days=3)) == first
    assert night.path(settings, LAST).with_name("digest.json").read_bytes() == document


def test_a_restated_number_makes_it_anew_and_keeps_the_alarm(shifted: Callable[..., Settings]) -> None:
    """The marker goes with the numbers; the alarm stays, with a word that the counts no longer show it."""
    settings = shifted()
    make(settings)
    calm = {day: authors_of(np.random.default_rng(7), 0.12, 40) for day in [LAST]}
    put_nights(settings, "traffic", calm)
    assert not night.has(settings, LAST)
    text = make(settings)
    assert "1 shift" in text
    assert "share of traffic: the counts as they are now no longer show this shift" in text
    assert night.has(settings, LAST)


def test_numbers_that_change_meanwhile_are_judged_again(shifted: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run restates the night between judging and writing: the digest is of the new numbers, or not marked as made."""
    settings = shifted(last=None)
    shares: Iterator[float | None] = iter(())

    def meanwhile(name: str) -> None:
        if name == "digest.alarms" and (share := next(shares, None)) is not None:
            put_nights(settings, "traffic", {LAST: authors_of(np.random.default_rng(7), share, 40)})

    monkeypatch.setattr(faults, "point", meanwhile)
    shares = iter((0.6,))
    assert "1 shift" in make(settings)
    assert night.has(settings, LAST)
    shares = iter((0.12, 0.13, 0.14))
    with pytest.raises(SourceUnavailable, match="changed three times"):
        make(settings)
    assert not night.has(settings, LAST)


def test_pages_from_the_day_of_a_new_alarm_on_are_made_anew(shifted: Callable[..., Settings]) -> None:
    """They show it; earlier ones stand, and a rerun, which finds nothing new, takes none away."""
    settings = shifted()
    pages = {("report", "", LAST + dt.timedelta(days=number)): "r" for number in (-1, 0, 1)}
    found = []
    for _ in range(2):
        with database.transaction(settings) as connection:
            for key in pages:
                database.write_marker(connection, key, database.Marker("r", 1))
        make(settings)
        found.append({key[2] for key in database.markers_present(settings, pages)})
    assert found == [{LAST - dt.timedelta(days=1)}, {key[2] for key in pages}]


def test_a_lasting_shift_is_one_alarm(shifted: Callable[..., Settings]) -> None:
    """The nights after it raise none; where it still shows they say so."""
    settings = shifted()
    make(settings)
    later = [LAST + dt.timedelta(days=number) for number in (1, 2)]
    chance = np.random.default_rng(8)
    put_nights(settings, "traffic", {day: authors_of(chance, 0.6, 40) for day in later})
    first, second = (make(settings, day) for day in later)
    assert "No shifts" in first
    assert "No shifts" in second
    assert "share of traffic is still out of the ordinary (up)" in second


def test_an_episode_that_a_late_day_moves_is_not_raised_again(shifted: Callable[..., Settings]) -> None:
    """The night of the day before comes late, with the same shift: the digest says that it is the same."""
    settings = shifted()
    make(settings)
    put_nights(settings, "traffic", {NIGHTS[-2]: authors_of(np.random.default_rng(9), 0.6, 40)})
    text = make(settings, NIGHTS[-2])
    assert "No shifts" in text
    assert "share of traffic up: the same shift as on Fri 30 Jan" in text
    with database.transaction(settings) as connection:
        assert [row["day"] for row in alarms.kept(connection, NIGHTS[0], LAST)] == [LAST]


# --- telling -----------------------------------------------------------------------------------------------------------------


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
    one = dict.fromkeys(deliveries._TOLD) | {"kind": "share", "subject": "a", "day": LAST, "direction": "up", "synthetic": False}
    one |= {"said": "it moved", "parts": None}
    assert deliveries.message([one]) == deliveries.message([one])
    assert deliveries.message([one]).key != deliveries.message([one | {"subject": "b"}]).key
    assert json.dumps(deliveries.message([one]).alarms)
