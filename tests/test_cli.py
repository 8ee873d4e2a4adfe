"""The command line: help everywhere, documented exit codes, plain errors, and commands that look without touching."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from rich.console import Console

from pipeline import checks, cli, database, load, migrations, posterior
from pipeline.cli import options, terminal
from pipeline.days import window
from pipeline.digest import night
from pipeline.report import page, table
from pipeline.settings import Settings
from pipeline.sources import archive
from tests.conftest import STUDIES
from tests.partitions import make_hours, make_tweet, write_counts, write_tweets
from tests.report_days import SMALL, run_stages
from tests.test_plan import fingerprint

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = sorted(cli.COMMANDS)
TOLD = date(2026, 11, 22)


pytestmark = pytest.mark.usefixtures("logging_as_it_was")


@pytest.fixture
def installed(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Write an installation and point the environment at it, as a user's shell would."""

    def install(**given: object) -> Settings:
        settings = make_settings(**given)
        monkeypatch.setenv("GEOBETA_CONFIG", str(settings.config))
        monkeypatch.setenv("GEOBETA_DATA", str(settings.data))
        monkeypatch.setenv("GEOBETA_AUTHOR_KEY", "a key for tests only")
        if settings.database_url is not None:
            monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
        return settings

    return install


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_the_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--help ends well, shows a command to copy, and says what each exit code means."""
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"pipeline {command}" in said.split("example:")[1]
    for code in (0, 1, 2, 75, 130):
        assert f"\n  {code} " in said


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """And each with a line of its own."""
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    said = capsys.readouterr().out
    # a long name has the line to itself, and its help below
    assert [command for command in COMMANDS if f"\n    {command} " not in said and f"\n    {command}\n" not in said] == []


def test_help_and_the_database_s_address_import_no_pandas() -> None:
    """They have to answer at once; what makes them slow is not loaded."""
    heavy = "{'pandas', 'pyarrow', 'altair', 'sqlalchemy', 'rich', 'vl_convert', 'tweepy'}"
    code = f"import sys; from pipeline import cli; cli.parser(); import pipeline.cli.database; print({heavy} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["import"], ["plan", "--date", "22.11.2026"], ["days", "--last", "0"], ["sandbox", "--port", "99999"], ["database"]],
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """argparse says what is wrong, in a line."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "--date", "2026-11-20", "--to", "2026-11-22"],
        ["plan", "--from", "2026-11-22", "--to", "2026-11-20"],
        ["database", "status", "select 1"],
    ],
)
def test_options_that_do_not_fit_together_are_2(
    arguments: list[str], installed: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    """In two lines: what, and what to do."""
    installed(database=False)
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in said] == ["error", "what to do"]


@pytest.mark.parametrize("command", [["plan"], ["status"], ["report"], ["days"], ["import", "x.json"]])
def test_a_fault_in_the_configuration_is_2(
    command: list[str], installed: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command that reads the configuration refuses it, naming the file, without a traceback."""
    settings = installed(database=False)
    (settings.config / "areas.toml").write_text('[here]\nbox = "1,2,3"\ntimezone = "Europe/London"\n', encoding="utf-8")
    assert cli.main(command) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "areas.toml" in said
    assert "Traceback" not in said


def test_a_database_that_does_not_answer_is_75(
    installed: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trying again may help; the password is not shown."""
    installed(database=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone:s3cr3t@127.0.0.1:1/nowhere")
    assert cli.main(["database", "status"]) == 75
    assert cli.main(["plan"]) == 75
    assert "s3cr3t" not in capsys.readouterr().err


def test_a_failure_of_the_pipeline_is_1(installed: Callable[..., Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there cannot be imported: a person has to give another."""
    installed(database=False)
    assert cli.main(["import", str(tmp_path / "nothing.json")]) == 1
    assert "nothing.json" in capsys.readouterr().err


def test_debug_shows_the_traceback(installed: Callable[..., Settings], tmp_path: Path) -> None:
    """With --debug the error itself comes out."""
    installed(database=False)
    with pytest.raises(Exception, match=r"nothing\.json"):
        cli.main(["import", str(tmp_path / "nothing.json"), "--debug"])


def test_debug_never_lets_the_http_libraries_log_their_headers(installed: Callable[..., Settings]) -> None:
    """At DEBUG they would write the token."""
    installed(database=False)
    cli.main(["days", "--debug"])
    for name in ("tweepy", "tweepy.client", "urllib3", "urllib3.connectionpool", "requests_oauthlib", "oauthlib"):
        assert not logging.getLogger(name).isEnabledFor(logging.DEBUG), name
    assert logging.getLogger("geobeta").isEnabledFor(logging.DEBUG)


def test_days_are_what_range_daily_takes(installed: Callable[..., Settings], capsys: pytest.CaptureFixture[str]) -> None:
    """--start is the first of N days, --stop the day after the last that is over; neither limit of RangeDaily cuts it short."""
    settings = installed(database=False)
    assert cli.main(["days", "--last", "60"]) == 0
    words = capsys.readouterr().out.split()
    given = dict(zip(words[::2], words[1::2], strict=True))
    last = options.last_closed(settings)
    assert given["--start"] == str(last - timedelta(days=59))
    assert given["--stop"] == str(last + timedelta(days=1))
    assert int(given["--days-back"]) > 60 < int(given["--task-limit"])


def test_the_last_closed_day_is_over_in_every_area(make_settings: Callable[..., Settings]) -> None:
    """The westernmost area decides, and 90 minutes have passed there."""
    areas = "".join(
        f'[{name}]\nbox = "1,2,3,4"\ntimezone = "{zone}"\n' for name, zone in (("east", "Asia/Tokyo"), ("west", "America/Los_Angeles"))
    )
    study = '[{0}]\nquestion = "?"\narea = "{0}"\nstart = 2026-11-01\nmatch = {{ words = ["x"] }}\n'
    settings = make_settings(areas=areas, studies=study.format("east") + study.format("west"), database=False)
    assert str(options.last_closed(settings, datetime(2026, 11, 23, 9, 29, tzinfo=UTC))) == "2026-11-21"
    assert str(options.last_closed(settings, datetime(2026, 11, 23, 9, 30, tzinfo=UTC))) == "2026-11-22"


def test_import_accounts_for_every_record(installed: Callable[..., Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sums a file, one in lines and one in records for each area; the second time it is held. Progress is plain without a terminal."""
    settings = installed(database=False)
    tweet = {
        "created_at": "Sun Nov 22 18:00:00 +0000 2026",
        "id": 1990000000000000000,
        "id_str": "1990000000000000000",
        "text": "mucho tráfico",
        "user": {"id": 7, "id_str": "7"},
        "coordinates": {"type": "Point", "coordinates": [-99.1, 19.4]},
    }
    file = tmp_path / "some.jsonl"
    far = tweet | {"id": 1990000000000000001, "id_str": "1990000000000000001", "coordinates": {"type": "Point", "coordinates": [2.3, 48.9]}}
    nowhere = tweet | {"id": 1990000000000000002, "id_str": "1990000000000000002", "coordinates": None}
    notice = {"limit": {"track": 12, "timestamp_ms": "1793815200123"}}
    written = [json.dumps(line) for line in (tweet, far, nowhere, tweet, notice)]
    file.write_text("\n".join([*written, "", "no JSON", "{broken", ""]), encoding="utf-8")
    assert cli.main(["import", str(file)]) == 0
    first = capsys.readouterr()
    assert first.out.splitlines() == [
        f"{file}: imported",
        "  8 lines = 5 with a document + 1 blank + 2 broken",
        "  notices, by kind: 1 limit",
        "  discarded, by reason: 1 bad_json, 1 truncated",
        f"  kept with line and offset in archives/{archive.held(settings)[0]}/rejects.parquet",
        "  mexico-city: 7 records = 1 kept + 1 outside + 1 without point and place + 1 duplicate + 1 notice + 2 discarded;"
        " on 1 day, 2026-11-22 to 2026-11-22",
    ]
    assert "\x1b" not in first.err
    before = sorted(str(path) for path in settings.data.rglob("*"))
    assert cli.main(["import", str(file)]) == 0
    assert "held" in capsys.readouterr().out
    assert sorted(str(path) for path in settings.data.rglob("*")) == before
    file.write_text("\xff\xd8 a picture\n", encoding="latin-1")
    assert cli.main(["import", str(file)]) == 0
    assert "WARNING: nothing of it was understood" in capsys.readouterr().out


@pytest.mark.slow
def test_database_commands_on_a_server_of_one_s_own(installed: Callable[..., Settings], capsys: pytest.CaptureFixture[str]) -> None:
    """url is for libpq; start and stop leave the server alone; status says that it answers."""
    installed()
    assert cli.main(["database", "url"]) == 0
    address = capsys.readouterr().out.strip()
    assert address.startswith("postgresql://")
    assert cli.main(["database", "start"]) == 0
    assert cli.main(["database", "stop"]) == 0
    assert cli.main(["database", "status"]) == 0
    assert "answers" in capsys.readouterr().out


@pytest.mark.slow
def test_psql_gets_arguments_and_the_exit_code_is_its_own(installed: Callable[..., Settings]) -> None:
    """`database psql -- -c …` is psql on the pipeline's database."""
    installed()
    command = [sys.executable, "-m", "pipeline", "database", "psql", "--", "-Atc", "select count(*) from daily_counts"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ.copy(), check=False)
    assert (answer.returncode, answer.stdout.strip()) == (0, "0"), answer.stderr


def test_looking_at_a_stopped_embedded_database_does_not_start_it(
    installed: Callable[..., Settings], server_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """status and plan --offline work without it; database status is 1."""
    installed(database=False)
    monkeypatch.setenv("GEOBETA_DATA", str(server_folder))
    assert cli.main(["status"]) == 0
    assert cli.main(["plan", "--offline"]) == 0
    assert cli.main(["database", "status"]) == 1
    said = capsys.readouterr().out
    assert "embedded, stopped" in said
    assert "Nothing was run." in said
    assert not list(server_folder.rglob("postmaster.pid"))
    assert not (server_folder / "sandbox").exists()


def test_status_of_a_stopped_database_imports_no_pandas(
    installed: Callable[..., Settings], server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor what speaks HTTP: half of the time until it answers."""
    installed(database=False)
    monkeypatch.setenv("GEOBETA_DATA", str(server_folder))
    heavy = "{'pandas', 'scipy', 'requests', 'tenacity', 'tweepy'}"
    code = f"import sys; from pipeline import cli; cli.main(['status']); print({heavy} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "set()"


@pytest.mark.slow
def test_report_status_and_plan_after_a_run(installed: Callable[..., Settings], capsys: pytest.CaptureFixture[str]) -> None:
    """report makes the page once and prints table and path; then plan and status look, and nothing changes."""
    settings = installed(settings=SMALL)
    day = options.last_closed(settings)
    run_stages(settings, [day])
    assert cli.main(["report"]) == 0
    night.make(settings, day)
    said = capsys.readouterr().out
    # the newest page's short name; the page of its day is the same
    assert f"page: {settings.data / 'report.html'}" in said
    assert (settings.data / "report.html").read_bytes() == page.path(settings, day).read_bytes()
    assert "synthetic" in said
    before = fingerprint(settings)
    for command in (["report", "--date", str(day)], ["plan"], ["status"], ["status", "--runs", "3"]):
        assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert "everything is complete, nothing would run" in said
    assert "made-up city, marked synthetic" in said
    assert "traffic" in said
    assert fingerprint(settings) == before


def test_status_looks_at_a_database_that_an_older_geobeta_left(
    installed: Callable[..., Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It brings nothing up to date, so it says that the next run does, and shows what it can."""
    settings = installed()
    older = tmp_path / "sql"
    (older / "migrations").mkdir(parents=True)
    (older / "views").mkdir()
    [first, *_] = migrations.scripts(migrations.SQL, "migrations")
    (older / first.name).write_text(first.content)
    engine = sa.create_engine(database.url(settings), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("drop schema public cascade")
        connection.exec_driver_sql("create schema public")
    migrations.apply(engine, older)
    assert cli.main(["status"]) == 0
    said = capsys.readouterr().out
    assert "as an older geobeta left it: its numbers show when the next run has brought it up to date" in said
    assert "traffic" in said
    with engine.connect() as connection:
        assert migrations.waiting(connection) > 0


@pytest.mark.slow
def test_a_partial_day_is_told_from_the_tables_to_page_terminal_and_status(
    installed: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    """Three of 24 hours missing: 88 %, which hours, and why; the day after it is whole and says nothing of the kind."""
    settings = installed()
    lost = {"fetched": 0, "observed": 0.0, "reason": "X did not answer for it"}
    for day in (TOLD - timedelta(days=1), TOLD):
        start = window(day, ZoneInfo("America/Mexico_City")).start
        told = make_hours(start, {12: 1})
        partial = {"coverage": 0.875, "coverage_reason": "3 of 24 hours missing"} if day != TOLD else {}
        if partial:
            told[8:11] = [hour | lost for hour in told[8:11]]
        tweet = make_tweet(tweet_id=day.toordinal(), created_at=start + timedelta(hours=12, minutes=30))
        write_tweets(settings, "mexico-city", day, [tweet], hours=told, **partial)
        load.tweets(settings, "mexico-city", day)
        write_counts(settings, "traffic", day, {"0" * 32: (1, 1)}, **partial)
        load.counts(settings, "traffic", day)
        posterior.update(settings, "traffic", day)
    assert {name: found for name, found in checks.run(settings).items() if found} == {}
    said = "21 Nov 2026: 88 % observed, missing 08:00 to 11:00 (X did not answer for it)"
    shown = page.build(settings, TOLD).read_text().replace("\xa0", " ")
    assert f"1 day only partly observed. {said}." in shown
    assert shown.count('<svg class="hours"') == 1
    assert f"  traffic, {said}" in "\n".join(table.lines(table.rows(settings, TOLD), 200)).replace("\xa0", " ")
    assert cli.main(["status"]) == 0
    printed = capsys.readouterr().out.replace("\xa0", " ")
    assert f"partial: traffic, {said}" in printed
    assert "1: 21 Nov 2026" in printed


@pytest.mark.parametrize("synthetic", [True, False])
def test_status_names_the_studies_whose_numbers_are_made_up(
    installed: Callable[..., Settings], capsys: pytest.CaptureFixture[str], synthetic: bool
) -> None:
    """Its first line tells of the next night only: whoever tried the sandbox first has its numbers in the tables when the token comes."""
    settings = installed()
    write_counts(settings, "traffic", TOLD, {"0" * 32: (3, 1)}, synthetic=synthetic)
    load.counts(settings, "traffic", TOLD)
    posterior.update(settings, "traffic", TOLD)
    assert cli.main(["status"]) == 0
    assert ("synthetic, made up by the sandbox: traffic\n" in capsys.readouterr().out) is synthetic


def test_a_study_s_name_is_whole_in_eighty_columns(
    installed: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cut into pieces it can be neither read nor copied."""
    installed(studies=STUDIES.replace("[traffic]", "[mexico-city-traffic]"))
    monkeypatch.setattr(terminal, "console", lambda: Console(width=80, highlight=False))
    assert cli.main(["status"]) == 0
    assert "\nmexico-city-traffic " in capsys.readouterr().out


def test_the_error_of_a_run_is_a_line_of_its_own(
    installed: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a column of what 80 leave it would be one word a line."""
    settings = installed()
    told = "BudgetReached: 2,453 of the 2,500 posts are spent what to do: nothing"
    with database.transaction(settings) as connection:
        connection.exec_driver_sql(
            "insert into task_runs (run_id, task, parameters, status, started_at, ended_at, host, pid, process_started, error) values"
            """ ('1', 'ExtractTweets', '{"area": "mexico-city", "date": "2026-11-22"}', 'stopped',"""
            f" '2026-11-24T09:15Z', now(), 'h', 1, 'p', '{told}')"
        )
    monkeypatch.setattr(terminal, "console", lambda: Console(width=80, highlight=False))
    assert cli.main(["status", "--runs", "1"]) == 0
    said = capsys.readouterr().out
    assert f"ExtractTweets mexico-city 2026-11-22, 09:15: {told}" in " ".join(said.split())
    assert "ExtractTweets  mexico-city" in said
