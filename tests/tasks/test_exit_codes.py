"""The exit codes of docs/runbook.md: what cron sees."""

from __future__ import annotations

import fcntl
import shlex
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import luigi
import pytest

import tasks
from pipeline.errors import BudgetReached
from pipeline.sandbox import server as sandbox
from pipeline.sandbox.faults import Fault, Script
from pipeline.sandbox.world import World
from pipeline.settings import Settings
from pipeline.settings import read as read_settings
from tasks import base, exit_code
from tests.chain import AREAS, ROOT, STUDIES, Installation, refusing

pytestmark = pytest.mark.slow

Make = Callable[..., Settings]


def test_0_when_all_that_was_due_is_published(installation: Installation) -> None:
    """Success, and success again when there is nothing left to do."""
    assert installation.luigi("Nightly", "--date", "2026-11-10").returncode == 0
    assert installation.luigi("Nightly", "--date", "2026-11-10").returncode == 0


def test_0_and_a_line_when_the_day_is_not_over(installation: Installation) -> None:
    """Nightly leaves a day that is not over for the next night, and says so; ExtractTweets refuses it."""
    left = installation.luigi("Nightly", "--date", "2099-01-01")
    assert left.returncode == 0, left.stdout
    assert "left for the next night" in left.stdout
    refused = installation.luigi("ExtractTweets", "--area", "mexico-city", "--date", "2099-01-01")
    assert refused.returncode == 30
    assert "DayNotOver" in refused.stdout or "not over" in refused.stdout


def test_20_when_an_archive_area_has_no_such_day(installation: Installation) -> None:
    """The area lives on archives, none holds the day: missing data, and the other area's study is published all the same."""
    installation.areas = AREAS + '\n[riverside]\nbox = "-117.53,33.85,-117.27,34.03"\ntimezone = "UTC"\nsource = "archive"\n'
    installation.studies = STUDIES + '\n[jobs]\nquestion = "Jobs?"\narea = "riverside"\nstart = 2026-11-01\nmatch = { words = ["job"] }\n'
    installation.write()
    done = installation.luigi("Nightly", "--date", "2026-11-10")
    assert done.returncode == 20, done.stdout
    assert installation.query("select count(*) from posteriors") == [(2,)]


def test_30_when_a_task_fails(installation: Installation) -> None:
    """The API refuses the token: the night fails with the task's code and says what to do, once."""
    with refusing() as base_url:
        done = installation.luigi("Nightly", "--date", "2026-11-10", X_BASE_URL=base_url, X_BEARER_TOKEN="wrong")
    assert done.returncode == 30, done.stdout
    assert "what to do" in done.stdout


@pytest.mark.parametrize("workers", [1, 2])
def test_28_when_only_the_budget_stopped_it(installation: Installation, workers: int) -> None:
    """Not a failure: what is paid for is kept, nothing passes the limit, and a night under a higher one asks for the rest alone."""
    installation.settings += "max_posts_per_day = 70\n"
    installation.write()
    settings = read_settings(installation.environment())
    with sandbox.running(World.of(settings)) as running:
        asked = {"X_BASE_URL": running.url, "X_BEARER_TOKEN": "sandbox"}
        stopped = installation.luigi("Nightly", "--date", "2026-11-10", workers=workers, **asked)
        assert stopped.returncode == 28, stopped.stdout
        assert "BudgetReached" in stopped.stdout
        assert "max_posts_per_day" in stopped.stdout
        assert running.books.as_dict()["posts_billed"] == 60
        assert installation.query("select posts_billed, dollars from api_spend where endpoint like 'search/%%'") == [
            (60, Decimal("0.300000"))
        ]
        assert ("ExtractTweets", "stopped") in installation.query("select task, status from task_runs")
        assert not list((installation.data / "locks").glob("night-*"))
        installation.settings = installation.settings.replace("= 70", "= 100000")
        installation.write()
        pages = running.books.as_dict()["requests"]
        done = installation.luigi("Nightly", "--date", "2026-11-10", workers=workers, **asked)
        assert done.returncode == 0, done.stdout
        (found,) = installation.query("select posts, pages from coverage")
        assert running.books.as_dict()["requests"] == pages + found[1] - 3
        assert running.books.as_dict()["posts_billed"] == found[0]


def test_30_when_something_else_failed_as_well(installation: Installation) -> None:
    """The budget explains its own stop only: whoever reads 28 need not look further."""
    installation.areas = AREAS + '\n[wide]\nbox = "-98,19,-97.8,19.2"\ntimezone = "America/Mexico_City"\nsource = "x"\n'
    installation.studies = STUDIES + '\n[jobs]\nquestion = "Jobs?"\narea = "wide"\nstart = 2026-11-01\nmatch = { words = ["job"] }\n'
    installation.settings += "max_posts_per_day = 70\nattempts = 1\n"
    installation.write()
    settings = read_settings(installation.environment())
    with sandbox.running(World.of(settings)) as running:
        # the first area meets a fault, the second one the budget
        running.faults = Script({2: Fault("unavailable")})
        asked = {"X_BASE_URL": running.url, "X_BEARER_TOKEN": "sandbox"}
        assert installation.luigi("Nightly", "--date", "2026-11-10", **asked).returncode == 30
        assert {status for (status,) in installation.query("select status from task_runs")} >= {"stopped", "failed"}


@pytest.mark.parametrize("event", [luigi.Event.PROCESS_FAILURE, luigi.Event.BROKEN_TASK])
def test_a_killed_worker_is_no_stop_by_the_budget(make_settings: Make, monkeypatch: pytest.MonkeyPatch, event: str) -> None:
    """Luigi tells of it, for the dead process cannot; nor can a task that was never begun."""
    settings = make_settings(database=False)
    monkeypatch.setattr(base, "_settings", settings)
    task = tasks.Nightly(date=date(2026, 11, 10))
    exit_code.note(settings.data, BudgetReached("all spent"))
    task.trigger_event(event, task, "died unexpectedly with exit code -9")
    assert sorted(path.name for path in settings.data.glob(f"locks/night-{exit_code.NIGHT}/*")) == ["budget", "other"]


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("areas.toml", AREAS.replace("timezone", "timezome"), ("areas.toml", "timezome")),
        ("studies.toml", STUDIES.replace('area = "mexico-city"', 'area = "atlantis"', 1), ("studies.toml", "atlantis", "mexico-city")),
        ("studies.toml", STUDIES.replace("beta = 9.0", "beta = 0"), ("studies.toml", "beta")),
        ("studies.toml", STUDIES.replace('["agua"]', "[]"), ("studies.toml", "water")),
    ],
)
def test_35_when_the_configuration_is_refused(installation: Installation, file: str, content: str, words: tuple[str, ...]) -> None:
    """Unknown keys, unknown areas, bad priors and empty rules are refused before anything runs, in words that name the place."""
    (installation.folder / "config" / file).write_text(content)
    done = installation.luigi("Nightly", "--date", "2026-11-10")
    assert done.returncode == 35, done.stdout
    for word in words:
        assert word in done.stdout


def cron_line(installation: Installation) -> str:
    """The command of docs/runbook.md's cron line, word for word but for its paths, and for four days instead of fourteen."""
    (line,) = [line for line in (ROOT / "docs" / "runbook.md").read_text().splitlines() if "RangeDaily" in line and "* * *" in line]
    command = line.split("* * *", 1)[1].strip()
    for old, new in (
        ("cd /srv/geobeta &&", f"cd {shlex.quote(str(ROOT))} &&"),
        (" var/nightly.lock ", f" {shlex.quote(str(installation.folder / 'nightly.lock'))} "),
        (">>var/nightly.log", f">>{shlex.quote(str(installation.folder / 'nightly.log'))}"),
        (".venv/bin/python", shlex.quote(sys.executable)),
        ("--days-back 14", "--days-back 4"),
    ):
        assert old in command, f"the cron line has changed: {old} is not in it"
        command = command.replace(old, new)
    return command


def test_the_cron_line_is_0_and_10_when_another_night_holds_its_lock(installation: Installation) -> None:
    """While the lock is held nothing is run and the code is 10; when it is free the night is made."""
    command = ["sh", "-c", cron_line(installation)]
    with open(installation.folder / "nightly.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert subprocess.run(command, env=installation.environment(), check=False, timeout=60).returncode == 10
        assert installation.query("select count(*) from task_runs") == [(0,)]
    done = subprocess.run(command, env=installation.environment(), check=False, timeout=240)
    assert done.returncode == 0, (installation.folder / "nightly.log").read_text()
    assert installation.query("select count(distinct day) >= 2 from posteriors") == [(True,)]


def test_the_runbook_names_every_code_of_luigi_cfg() -> None:
    """docs/runbook.md has a row for each code that luigi.cfg sets."""
    import configparser

    config = configparser.ConfigParser()
    config.read(ROOT / "luigi.cfg")
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    for name, code in config["retcode"].items():
        assert f"| {code} |" in runbook, name
