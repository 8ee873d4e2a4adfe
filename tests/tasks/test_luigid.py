"""The real luigid: the night through it, killed and restarted under it, and what its page shows."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tasks as tasks_module
from tests.chain import ROOT, Installation, refusing
from tests.posts import lines, make_tweet
from tests.servers import Reply, scripted

pytestmark = pytest.mark.slow


EMPTY = {"meta": {"result_count": 0}}


#: Archives are imported by a command of their own, a range of days is loaded by hand, and the studies here count tweets.
NOT_OF_A_NIGHT = {"ArchivedDay", "ExtractCounts", "ImportArchive", "ImportArchives", "ImportBundle", "LoadTweetsRange"}


class Luigid:
    """A luigid of our own on a free port."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.folder.mkdir(exist_ok=True)
        command = [sys.executable, "-c", "from luigi.cmdline import luigid; luigid()", "--address", "127.0.0.1", "--port", str(self.port)]
        command += ["--state-path", str(self.folder / "state.pickle"), "--logdir", str(self.folder)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                self.ask("task_list", {"status": "", "upstream_status": ""})
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("luigid did not come up in 20 s")

    def kill(self) -> None:
        """SIGKILL: no state is saved."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def ask(self, method: str, arguments: dict[str, Any]) -> Any:
        """One call of its JSON interface, the one that its page uses."""
        data = urllib.parse.urlencode({"data": json.dumps(arguments)}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/{method}", data, timeout=5) as answer:
            return json.load(answer)["response"]

    def arguments(self) -> tuple[str, ...]:
        """What tells Luigi to use it."""
        return ("--scheduler-host", "127.0.0.1", "--scheduler-port", str(self.port))


@pytest.fixture
def luigid(tmp_path: Path) -> Iterator[Luigid]:
    server = Luigid(tmp_path / "luigid")
    server.start()
    yield server
    server.kill()


def test_a_night_through_luigid_shows_every_task_done(installation: Installation, luigid: Luigid) -> None:
    """Two workers, a real scheduler: exit code 0, every task DONE on its page, none failed; of a task it knows names and date."""
    done = installation.luigi("Nightly", "--date", "2026-11-10", *luigid.arguments(), workers=2, local=False)
    assert done.returncode == 0, done.stdout
    tasks = luigid.ask("task_list", {"status": "DONE", "upstream_status": ""})
    assert {task["name"] for task in tasks.values()} >= set(tasks_module.__all__) - NOT_OF_A_NIGHT
    assert luigid.ask("task_list", {"status": "FAILED", "upstream_status": ""}) == {}
    for task in tasks.values():
        assert set(task["params"]) <= {"area", "study", "date"}


def test_an_import_through_luigid_is_a_task_a_file(installation: Installation, luigid: Luigid, tmp_path: Path) -> None:
    """The command finds the luigid of luigi.cfg; its page has every file by its path, how it ended in words, and why one failed."""
    config = tmp_path / "luigi.cfg"
    config.write_text((ROOT / "luigi.cfg").read_text().replace("scheduler-port = 8082", f"scheduler-port = {luigid.port}"))
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:02}.json").write_bytes(lines(make_tweet(sequence=number)))
    (folder / "bad.json").write_bytes(b"no JSON\n")
    done = installation.python("pipeline", "import", str(folder), "--workers", "2", "--strict", LUIGI_CONFIG_PATH=str(config))
    assert done.returncode == 1
    assert f"through the scheduler of http://127.0.0.1:{luigid.port}" in done.stdout
    tasks = luigid.ask("task_list", {"status": "DONE", "upstream_status": ""}).values()
    assert sorted(Path(task["params"]["path"]).name for task in tasks) == [f"{number:02}.json" for number in range(12)]
    assert {task["status_message"] for task in tasks} == {"imported: 1 lines, 1 records, 1 geotagged"}
    ((name, failed),) = luigid.ask("task_list", {"status": "FAILED", "upstream_status": ""}).items()
    assert Path(failed["params"]["path"]).name == "bad.json"
    error = luigid.ask("fetch_error", {"task_id": name})["error"]
    assert "bad_json" in error
    assert "Traceback" not in error
    assert set(failed["params"]) == {"path", "since", "until", "strict"}


def test_luigid_shows_how_far_a_running_task_is(installation: Installation, luigid: Luigid) -> None:
    """In the middle of an extraction its page has a message in words and a share for the bar."""
    with scripted(posts=200) as api:
        # long enough to be seen; the test goes on as soon as it is
        api.script[4] = Reply(hang=20.0, document=EMPTY)
        process = installation.start(
            "luigi", "--module", "tasks", "ExtractTweets", "--area", "mexico-city", "--date", "2026-11-10", *luigid.arguments(),
            X_BASE_URL=api.url, X_BEARER_TOKEN="a-token-for-tests",
        )  # fmt: skip
        try:
            told: list[dict[str, Any]] = []

            def has_told() -> bool:
                running = luigid.ask("task_list", {"status": "RUNNING", "upstream_status": ""}).values()
                told.extend(task for task in running if task["progress_percentage"] and task["status_message"])
                return bool(told)

            _wait_for(has_told)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert told[0]["name"] == "ExtractTweets"
    assert 0 < told[0]["progress_percentage"] < 100
    assert "page" in told[0]["status_message"]
    assert "posts" in told[0]["status_message"]


@pytest.mark.parametrize("again", [True, False], ids=["killed and restarted", "killed for good"])
def test_a_luigid_killed_in_the_middle_harms_nothing(installation: Installation, twin: Installation, luigid: Luigid, again: bool) -> None:
    """Whatever the run makes of it, no task fails because of it, and a rerun completes to the tables of an undisturbed night."""
    assert twin.luigi("Nightly", "--date", "2026-11-10").returncode == 0
    command = ("luigi", "--module", "tasks", "Nightly", "--date", "2026-11-10", *luigid.arguments(), "--workers", "2")
    # without a luigid the run gives up after its retries; two short ones are enough here
    quick = {} if again else {"LUIGI_CONFIG_PATH": str(_impatient(installation.folder))}
    process = installation.start(*command, **quick)
    _wait_for(lambda: bool(list((installation.data / "raw").glob("area=*/date=*"))))
    luigid.kill()
    if again:
        luigid.start()
    output, _ = process.communicate(timeout=240)
    assert "Traceback" not in output or not again or process.returncode in (0, 25, 40), output
    statuses = {status for (status,) in installation.query("select distinct status from task_runs")}
    assert "failed" not in statuses
    assert installation.luigi("Nightly", "--date", "2026-11-10").returncode == 0
    assert installation.checksums() == twin.checksums()


def _impatient(folder: Path) -> Path:
    path = folder / "luigi.cfg"
    path.write_text((ROOT / "luigi.cfg").read_text().replace("rpc-retry-attempts = 15", "rpc-retry-attempts = 2"))
    return path


def _wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "waited two minutes in vain"
        time.sleep(0.02)


@pytest.mark.browser
def test_the_page_shows_the_graph_progress_and_the_reason_of_a_failure(installation: Installation, luigid: Luigid, tmp_path: Path) -> None:
    """A failed task's plain words and the tasks after it are on luigid's page, as a browser shows it."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with refusing() as base_url:
        failed = installation.luigi(
            "Nightly", "--date", "2026-11-10", *luigid.arguments(), local=False, X_BASE_URL=base_url, X_BEARER_TOKEN="wrong"
        )
    assert failed.returncode == 30
    tasks = luigid.ask("task_list", {"status": "FAILED", "upstream_status": ""})
    (name,) = [key for key in tasks if key.startswith("ExtractTweets")]
    error = luigid.ask("fetch_error", {"task_id": name})
    assert "Unauthorized" in error["error"]
    assert "Traceback" not in error["error"]
    assert "what to do" in error["error"]
    # the page's box is so wide
    assert max(map(len, json.loads(error["error"]).splitlines())) <= 66
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'browser'}",
        "--virtual-time-budget=8000", "--dump-dom", f"http://127.0.0.1:{luigid.port}/static/visualiser/index.html",
    ]  # fmt: skip
    page = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "HOME": str(tmp_path)})
    assert "ExtractTweets" in page.stdout
    assert "FAILED" in page.stdout or "Failed" in page.stdout
