"""The exit codes of docs/runbook.md: what cron sees."""

from __future__ import annotations

import fcntl
import shlex
import subprocess
import sys

import pytest

from tests.chain import AREAS, ROOT, STUDIES, Installation, refusing

pytestmark = pytest.mark.slow


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
    """The command of docs/runbook.md's cron line, word for word but for its paths, and for three days instead of fourteen."""
    (line,) = [line for line in (ROOT / "docs" / "runbook.md").read_text().splitlines() if "RangeDaily" in line and "* * *" in line]
    command = line.split("* * *", 1)[1].strip()
    for old, new in (
        ("cd /srv/geobeta &&", f"cd {shlex.quote(str(ROOT))} &&"),
        (" var/nightly.lock ", f" {shlex.quote(str(installation.folder / 'nightly.lock'))} "),
        (">>var/nightly.log", f">>{shlex.quote(str(installation.folder / 'nightly.log'))}"),
        (".venv/bin/python", shlex.quote(sys.executable)),
        ("--days-back 14", "--days-back 3"),
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
