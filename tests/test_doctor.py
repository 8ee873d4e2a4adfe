"""doctor: a healthy installation has no fault; whatever one thing is spoiled, exactly one line names it, and one says what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
import pytest

from pipeline import cli
from pipeline import settings as configured
from pipeline.boxes import BoundingBox
from pipeline.cli import doctor as command
from pipeline.doctor import Finding, places
from pipeline.sandbox import server
from pipeline.sandbox.world import World
from tests.conftest import AREAS, STUDIES
from tests.installations import LONDON, OLD, ONE, RECENTLY, TOKEN, Installation, by_state, installation
from tests.servers import Reply, Seen
from tests.test_refusals import CAPPED, INVALID, NOT_ENROLLED, OPERATOR

__all__ = ["installation"]


def lock_by_another(it: Installation) -> None:
    """A lock file that may not be opened: to root everything may be, so its folder is taken for the file."""
    path = it.folder / "var" / "nightly.lock"
    path.parent.mkdir(parents=True)
    path.touch()
    real = open

    def strict(file: Any, *arguments: Any, **named: Any) -> Any:
        if Path(file) == path:
            raise PermissionError(13, "Permission denied", str(file))
        return real(file, *arguments, **named)

    it.patch.setattr("pipeline.doctor.machine.open", strict, raising=False)


def counted_by_x_at_a_level_without(it: Installation) -> None:
    """`ask_counts` spares what is asked beforehand, not what such a study is made of."""
    it.write(studies=it.files["studies"].replace("match", 'mode = "counts"\nmatch', 1), settings="[x]\nask_counts = false\n")
    it.refuse(403, NOT_ENROLLED, path="/2/tweets/counts/recent")


def full_disk(it: Installation) -> None:
    it.patch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=1000, f_frsize=4096, f_files=10_000_000, f_favail=9_000_000))


def no_names_left(it: Installation) -> None:
    it.patch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=1 << 30, f_frsize=4096, f_files=10_000_000, f_favail=3))


def data_in_a_file(it: Installation) -> None:
    (it.folder / "occupied").write_text("a file stands here")
    it.environ["GEOBETA_DATA"] = str(it.folder / "occupied" / "var")


def lost_key(it: Installation) -> None:
    (it.folder / "var" / "tweets" / "area=mexico-city").mkdir(parents=True)


def empty_key(it: Installation) -> None:
    (it.folder / "var").mkdir()
    (it.folder / "var" / "author.key").touch()


def silent_luigi(it: Installation) -> None:
    it.luigi_cfg = it.folder / "luigi.cfg"
    text = (Path(__file__).parents[1] / "luigi.cfg").read_text("utf-8")
    it.luigi_cfg.write_text(text.replace("task_failed = 30", "task_failed = 0"))


def no_binaries(it: Installation) -> None:
    del it.environ["DATABASE_URL"]
    it.write(settings='[database]\nbinaries = "/nowhere/bin"\n')


def an_hour_off(it: Installation) -> None:
    it.api.headers["date"] = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)


def days_off(it: Installation) -> None:
    """A clock so far ahead that the window is refused as well: still one fault."""
    stamp = format_datetime(datetime.now(UTC) - timedelta(days=30), usegmt=True)
    message = "Invalid 'end_time'. 'end_time' must be a minimum of 10 seconds prior to the request time."
    it.refuse(400, {**INVALID, "errors": [{"message": message}]}, date=stamp)


def web_page(it: Installation) -> None:
    it.api.answer = lambda seen: Reply(body=b'{"welcome": "no API"}')  # type: ignore[method-assign]


Spoil = Callable[[Installation], Any]

#: What is spoiled → how, the check that names it, and words of its two lines.
FAULTS: dict[str, tuple[Spoil, str, str]] = {
    "areas.toml is no TOML": (lambda it: it.write(areas=AREAS + "box = \n"), "settings", "areas.toml: got a line that is not TOML"),
    "an unknown word in settings.toml": (lambda it: it.write(settings="[x]\nask_count = true\n"), "settings", "ask_counts?"),
    "an unknown time zone": (lambda it: it.write(areas=AREAS.replace("Mexico_City", "Mexico_Citty")), "settings", "America/Mexico_City"),
    "longitude and latitude exchanged, Mexico": (
        lambda it: it.write(areas=AREAS.replace("-99.3650,19.0482,-98.9403,19.5928", "19.0482,-99.3650,19.5928,-98.9403")),
        "settings",
        "-99.365,19.0482,-98.9403,19.5928",
    ),
    "longitude and latitude exchanged, London": (
        lambda it: it.write(areas=LONDON.format("51.28,-0.51,51.69,0.33"), studies=ONE.format('words = ["bus"]')),
        "[london] box",
        'box = "-0.51,51.28,0.33,51.69"',
    ),
    "the time zone of another continent": (
        lambda it: it.write(areas=AREAS.replace("America/Mexico_City", "Europe/London")),
        "[mexico-city] box",
        "Europe/London is 7 hours off",
    ),
    "a box as large as a continent": (
        lambda it: it.write(areas=LONDON.format("-30,-30,30,60"), studies=ONE.format('words = ["bus"]')),
        "[london] queries",
        "circles",
    ),
    "a study of an area that is not there": (
        lambda it: it.write(studies=STUDIES + ONE.format('words = ["bus"]').replace('"london"', '"paris"')),
        "settings",
        "[one] area",
    ),
    "a rule that is no rule": (
        lambda it: it.write(areas=LONDON.format("-0.51,51.28,0.33,51.69"), studies=ONE.format('regex = "("')),
        "settings",
        "[one] match",
    ),
    "an author who is no id": (
        lambda it: it.write(studies=STUDIES + 'exclude = { authors = ["@someone"] }\n'),
        "settings",
        "the author at place 1 is neither",
    ),
    "one way too many to say a prior": (
        lambda it: it.write(studies=STUDIES.replace("alpha = 1.0, beta", "mean = 0.1, beta")),
        "settings",
        "[water] prior: got {'mean': 0.1, 'beta': 9.0}",
    ),
    "a webhook that is none": (lambda it: it.environ.update(GEOBETA_WEBHOOK_URL="hooks"), "settings", "GEOBETA_WEBHOOK_URL"),
    "a token with a blank": (lambda it: it.environ.update(X_BEARER_TOKEN="Bearer abc"), "settings", "X_BEARER_TOKEN"),
    "a sample without counts": (
        lambda it: it.write(areas=AREAS + "sample = { posts = 500 }\n", settings="[x]\nask_counts = false\n"),
        "[mexico-city] sample",
        "ask_counts = true",
    ),
    "a failed night that ends with 0": (silent_luigi, "luigi.cfg", "task_failed"),
    "no luigi.cfg": (lambda it: it.environ.update(LUIGI_CONFIG_PATH="/nowhere/luigi.cfg"), "luigi.cfg", "/nowhere/luigi.cfg is not there"),
    "a data folder that cannot be": (data_in_a_file, "data folder", "occupied"),
    "a full disk": (full_disk, "disk", "4 MB free"),
    "a disk without room for names": (no_names_left, "disk", "3 files more"),
    "a lock of another user": (lock_by_another, "locks", "another user made it"),
    "an author key that is gone": (lost_key, "author key", "is gone"),
    "an author key that is empty": (empty_key, "author key", "is empty"),
    "no PostgreSQL": (no_binaries, "PostgreSQL", "/nowhere/bin"),
    "a database that does not answer": (
        lambda it: it.environ.update(DATABASE_URL="postgresql://geobeta@127.0.0.1:9/geobeta"),
        "database",
        "onnection refused",
    ),
    "a database that is not there": (
        lambda it: it.environ.update(DATABASE_URL=re.sub(r"/test_\w+\?", "/elsewhere?", it.environ["DATABASE_URL"])),
        "database",
        '"elsewhere" does not exist',
    ),
    "a database that is read only": (
        lambda it: it.sql(
            "do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$"
        ),
        "database",
        "can only be read",
    ),
    "a database of a newer geobeta": (
        lambda it: it.sql("insert into schema_migrations (name, digest) values ('migrations/9999_later.sql', 'x')"),
        "database",
        "a newer one was here",
    ),
    "a token that is refused": (
        lambda it: it.refuse(401, {"title": "Unauthorized", "detail": "Unauthorized"}),
        "token",
        "X_BEARER_TOKEN",
    ),
    "a level without geo operators": (
        lambda it: it.refuse(400, {**INVALID, "errors": [{"message": OPERATOR.format("point_radius")}]}),
        "operators",
        "point_radius",
    ),
    "no credits": (lambda it: it.refuse(402, {"title": "CreditsDepleted", "detail": "no credits"}), "credits", "buy credits"),
    "a used-up cap": (lambda it: it.refuse(429, CAPPED), "X's cap", "Monthly product cap"),
    "a level without counts, and a study that needs them": (counted_by_x_at_a_level_without, "counts", '[traffic] with mode = "counts"'),
    "a level without counts": (lambda it: it.refuse(403, NOT_ENROLLED, path="/2/tweets/counts/recent"), "counts", "ask_counts = false"),
    "a level without the full archive": (
        lambda it: (it.write(studies=OLD), it.refuse(403, NOT_ENROLLED, path="/2/tweets/counts/all")),
        "archive",
        "archive_search = false",
    ),
    "a clock an hour off": (an_hour_off, "clock", "60 minutes ahead"),
    "a clock a month off": (days_off, "clock", "720.0 hours ahead"),
    "X cannot be reached": (lambda it: it.environ.update(X_BASE_URL="http://127.0.0.1:9"), "X", "cannot be reached"),
    "X_BASE_URL is something else": (web_page, "X", "X_BASE_URL"),
    "a limit of posts below a day": (
        lambda it: it.write(settings="[x]\npage_size = 10\nmax_posts_per_day = 39\n"),
        "budget",
        "max_posts_per_day = 39 does not pay it",
    ),
    "a limit of posts below a page": (lambda it: it.write(settings="[x]\nmax_posts_per_day = 9\n"), "budget", "smallest page"),
    "a limit of posts below our page": (lambda it: it.write(settings="[x]\nmax_posts_per_day = 99\n"), "budget", "a page may have 100"),
    "a limit of dollars below a day": (lambda it: it.write(settings="[x]\nmax_usd_per_month = 0.19\n"), "budget", "0.19 does not pay it"),
}


@pytest.mark.parametrize(("spoil", "check", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_one_thing_spoiled_is_one_fault_that_names_it(installation: Installation, spoil: Spoil, check: str, words: str) -> None:
    """One line what, one line what to do; no other fault in its wake, no warning, and no secret."""
    spoil(installation)
    found = installation.examine()
    [fault] = by_state(found, "fault")
    assert fault.check == check
    assert words in f"{fault.what}\n{fault.todo}"
    assert fault.todo
    assert by_state(found, "warning") == []
    for finding in found:
        assert "\n" not in f"{finding.what}{finding.todo}"
        assert len(finding.what) < 420
        assert TOKEN not in f"{finding.what}{finding.todo}"


def test_a_healthy_installation_has_no_fault_and_pays_half_a_cent(installation: Installation) -> None:
    """Token, clock, operators, limits, database: all well; one request, which returns no post, and which the ledger has."""
    installation.write(settings="[x]\nmax_posts_per_day = 100\nmax_usd_per_month = 10.0\n")
    found = installation.examine()
    assert by_state(found, "fault") == by_state(found, "warning") == []
    said = {finding.check: finding.what for finding in found}
    assert {"settings", "luigi.cfg", "[mexico-city] box", "disk", "locks", "author key", "database", "token", "clock"} <= said.keys()
    assert "point_radius" in said["counts"]
    assert "about 40 posts (mexico-city), $0.20" in said["budget"]
    assert said["paid"] == "$0.005 for this look, no post"
    assert "no day needs it" in said["archive"]
    assert [seen.path for seen in installation.api.seen] == ["/2/tweets/counts/recent"]
    connection = psycopg2.connect(installation.environ["DATABASE_URL"])
    with connection.cursor() as cursor:
        cursor.execute("select endpoint, requests, posts, dollars::float from api_spend")
        assert cursor.fetchall() == [("counts/recent", 1, 0, 0.005)]
        cursor.execute("select to_regclass('geobeta_doctor')")
        assert cursor.fetchall() == [(None,)]
    connection.close()


def test_the_full_archive_is_asked_where_a_day_needs_it_or_when_told_to(installation: Installation) -> None:
    """--full: one cent more."""
    found = {finding.check: finding.what for finding in installation.examine(full=True)}
    assert "counts/all answers" in found["archive"]
    assert found["paid"] == "$0.015 for this look, no post"
    installation.write(studies=OLD)
    installation.examine()
    assert [seen.path.removeprefix("/2/tweets/") for seen in installation.api.seen] == [
        "counts/recent",
        "counts/all",
        "counts/recent",
        "counts/all",
    ]


def test_offline_asks_nothing(installation: Installation) -> None:
    """Neither of X nor of the sandbox; what is not known is said to be."""
    found = installation.examine(offline=True)
    assert installation.api.seen == []
    assert by_state(found, "fault") == []
    assert [finding.check for finding in by_state(found, "unknown")] == ["X"]


def test_a_used_up_budget_is_not_passed_by_looking(installation: Installation) -> None:
    """The doctor's half cent is a request like others: over the limit it is not sent."""
    installation.write(settings="[x]\nmax_usd_per_month = 1.0\n")
    installation.sql("insert into api_spend values ((now() at time zone 'UTC')::date, 'search/recent', 2, 200, 200, 1.0)")
    found = installation.examine()
    assert installation.api.seen == []
    assert "budget" in [finding.check for finding in by_state(found, "warning")]
    assert by_state(found, "fault") == []


def test_what_may_not_be_meant_is_a_warning(installation: Installation) -> None:
    """A study that begins next year, an area without a study, a scheduler for everybody, an unknown variable, an old reservation."""
    later = STUDIES.replace("2026-11-01", "2036-11-01", 1).replace("2026-11-01", str(RECENTLY))
    installation.write(areas=AREAS + LONDON.format("-0.51,51.28,0.33,51.69"), studies=later)
    installation.environ |= {"GEOBETA_DATE": "x", "GEOBETA_FORCE": "1"}
    text = (Path(__file__).parents[1] / "luigi.cfg").read_text("utf-8")
    installation.luigi_cfg = installation.folder / "luigi.cfg"
    installation.luigi_cfg.write_text(text.replace("scheduler-host = 127.0.0.1", "scheduler-host = night.example"))
    installation.sql(
        "insert into api_reservations (request_id, utc_day, endpoint, posts, dollars, sent_at)"
        " values ('x', (now() at time zone 'UTC')::date, 'search/all', 500, 2.5, now() - interval '2 hours')"
    )
    found = installation.examine()
    assert by_state(found, "fault") == []
    assert {finding.check for finding in by_state(found, "warning")} == {"[traffic]", "[london]", "luigi.cfg", "environment", "budget"}


def test_no_place_of_the_tz_database_is_held_to_be_in_another_zone() -> None:
    """A small box round the place that each of 418 zones is named after passes, in January and in July; none of them looks exchanged."""
    assert len(places.zone_places()) > 400
    for name, (longitude, latitude) in places.zone_places().items():
        box = BoundingBox(longitude - 0.2, latitude - 0.2, longitude + 0.2, latitude + 0.2)
        for month in (1, 7):
            hours, _ = places.hours_apart(box, ZoneInfo(name), datetime(2026, month, 15, tzinfo=UTC))
            assert abs(hours) < 2.5, name


def test_the_command_says_it_in_lines_and_by_its_exit_code(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 when all is well; 1 with a fault, which is one line in a pipe, with what to do in the next."""
    for name, value in installation.environ.items():
        monkeypatch.setenv(name, value)
    assert cli.main(["doctor"]) == 0
    assert "no faults, no warnings: a night can run" in capsys.readouterr().out
    installation.refuse(401, {"title": "Unauthorized", "detail": "Unauthorized"})
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr().out.splitlines()
    [line] = [number for number, text in enumerate(said) if text.startswith("FAULT")]
    assert said[line] == "FAULT    token: counts/recent answered HTTP 401: Unauthorized"
    assert said[line + 1].startswith("         what to do: put the app's bearer token into X_BEARER_TOKEN")
    assert said[-1] == "1 fault, no warnings"


def test_lines_fit_a_terminal_of_80_columns() -> None:
    """Folded under the words, never longer; no word is lost."""
    finding = Finding("counts", "fault", "counts/recent answered HTTP 403: " + "many words " * 30, "raise the access level " * 10)
    told = command.lines(finding, 80)
    assert max(len(text) for text, _ in told) <= 80
    assert all(text.startswith(" " * 9) for text, _ in told[1:])
    assert sum(text.count("many") for text, _ in told) == 30


def test_without_a_token_the_sandbox_is_asked_and_nothing_is_paid(installation: Installation) -> None:
    """Its own server here, marked as one: the answers are said to be made up. No limit holds then, and the ledger stays empty."""
    installation.write(settings="[x]\nmax_posts_per_day = 5\n")
    del installation.environ["X_BEARER_TOKEN"]
    installation.api.headers["x-geobeta-synthetic"] = "true"
    found = {finding.check: finding for finding in installation.examine()}
    assert "made up" in found["token"].what
    assert found["paid"].what == "nothing: it is made up"
    assert [each for each in found.values() if each.state in ("fault", "warning")] == []
    assert "no limit holds" in found["budget"].what
    assert len(installation.api.seen) == 1


@pytest.mark.parametrize(
    ("token", "check"),
    [
        ("sandbox", None),
        ("sandbox-expired", "token"),
        ("sandbox-nogeo", "operators"),
        ("sandbox-broke", "credits"),
        ("sandbox-capped", "X's cap"),
        ("sandbox-nocounts", "counts"),
        ("sandbox-basic", "archive"),
    ],
)
def test_each_access_level_of_the_sandbox_is_named(installation: Installation, token: str, check: str | None) -> None:
    """Its own answers to its tokens (docs/sandbox.md), with a study that needs the full archive: one fault each, none for full access."""
    world = World.of(configured.read(installation.environ))
    with server.running(world) as sandbox:
        installation.write(studies=OLD)
        installation.environ |= {"X_BEARER_TOKEN": token, "X_BASE_URL": sandbox.url}
        faults = by_state(installation.examine(), "fault")
    assert [fault.check for fault in faults] == ([check] if check else [])


def test_the_requests_are_of_one_query_and_ask_for_no_post(installation: Installation) -> None:
    """What goes out: a counts endpoint, the token in its header alone."""
    installation.examine(full=True)
    for seen in installation.api.seen:
        assert isinstance(seen, Seen)
        assert "counts/" in seen.path
        assert seen.headers["authorization"] == f"Bearer {TOKEN}"
        assert "max_results" not in seen.parameters
