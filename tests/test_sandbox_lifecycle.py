"""The sandbox as a process of its own: started once, shared, replaced when the settings change, gone when idle."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from pipeline import extract
from pipeline.sandbox import lifecycle
from pipeline.settings import Settings

pytestmark = pytest.mark.slow

TUNED = "[sandbox]\ntweets_per_day = 30\nidle_exit_seconds = 60.0\n"


@pytest.fixture
def sandboxed(make_settings: Callable[..., Settings]) -> Iterator[Callable[..., Settings]]:
    """Settings without a token; their sandbox is stopped after the test."""
    made: list[Settings] = []

    def make(**changes: str) -> Settings:
        made.append(make_settings(**{"settings": TUNED, "database": False, **changes}))
        return made[-1]

    yield make
    for settings in made:
        lifecycle.stop(settings)


def pid_of(settings: Settings) -> int:
    """The process that answers for these settings."""
    status = lifecycle.status(settings)
    assert status is not None
    return int(status["pid"])


def test_one_is_started_and_used_by_all(sandboxed: Callable[..., Settings]) -> None:
    """Several at once get one process: loopback, in its own session, its address readable by its owner alone."""
    settings, urls = sandboxed(), []
    threads = [threading.Thread(target=lambda: urls.append(lifecycle.ensure_running(settings))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(urls)) == 1
    assert urls[0].startswith("http://127.0.0.1:")
    assert os.getsid(pid_of(settings)) != os.getsid(0)
    address = settings.data / "sandbox" / "address.json"
    assert stat.S_IMODE(address.stat().st_mode) == 0o600
    assert lifecycle.stop(settings)
    assert lifecycle.status(settings) is None
    assert not lifecycle.stop(settings)


@pytest.mark.slow
def test_another_configuration_gets_another_sandbox(sandboxed: Callable[..., Settings]) -> None:
    """A changed seed or area replaces the process; the same settings keep it; a crashed one is started again."""
    settings = sandboxed()
    first = lifecycle.ensure_running(settings)
    pid = pid_of(settings)
    assert lifecycle.ensure_running(settings) == first
    assert pid_of(settings) == pid
    changed = sandboxed(settings=TUNED + "seed = 9\n")
    lifecycle.ensure_running(changed)
    second = pid_of(changed)
    assert second != pid
    os.kill(second, signal.SIGKILL)
    lifecycle.ensure_running(changed)
    assert pid_of(changed) not in (pid, second)


def test_a_port_that_somebody_else_has_now_is_not_taken_for_ours(sandboxed: Callable[..., Settings]) -> None:
    """An address file left by a crash, and another data folder's sandbox on that port."""
    settings = sandboxed()
    url = lifecycle.ensure_running(settings)
    other = settings.model_copy(update={"data": settings.data.with_name("elsewhere")})
    (other.data / "sandbox").mkdir(parents=True)
    (other.data / "sandbox" / "address.json").write_text(json.dumps({"url": url, "key": "x"}))
    assert lifecycle.status(other) is None
    assert not lifecycle.stop(other)
    assert lifecycle.status(settings) is not None


@pytest.mark.slow
def test_it_ends_by_itself_when_nobody_asks(sandboxed: Callable[..., Settings]) -> None:
    """After idle_exit_seconds the process is gone, and so is its address file."""
    settings = sandboxed(settings="[sandbox]\ntweets_per_day = 30\nidle_exit_seconds = 0.5\n")
    lifecycle.ensure_running(settings)
    address = settings.data / "sandbox" / "address.json"
    deadline = time.monotonic() + 20
    while address.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not address.exists()
    assert lifecycle.status(settings) is None


def test_the_process_gets_no_secret(sandboxed: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """Token, database and key are taken out of the environment that it inherits."""
    for name in lifecycle.SECRETS:
        monkeypatch.setenv(name, "marked-secret-value")
    settings = sandboxed()
    lifecycle.ensure_running(settings)
    environment = Path(f"/proc/{pid_of(settings)}/environ").read_bytes()
    assert b"marked-secret-value" not in environment
    assert b"PATH=" in environment


def test_extraction_without_a_token_starts_it(sandboxed: Callable[..., Settings]) -> None:
    """No token, no address: the day comes from the sandbox, is marked synthetic, and its books agree."""
    settings = sandboxed()
    manifest = extract.run(settings, "mexico-city", (datetime.now(UTC) - timedelta(days=3)).date())
    assert (manifest["source"], manifest["synthetic"]) == ("sandbox", True)
    status = lifecycle.status(settings)
    assert status is not None
    books = requests.get(f"{status['url']}/sandbox/ledger", timeout=5).json()
    assert (books["requests"], books["posts"]) == (manifest["requests"], manifest["posts"])


def test_the_server_starts_without_the_heavy_libraries() -> None:
    """Neither pandas nor scipy, pydantic, tweepy or SQLAlchemy are imported: it must be up at once."""
    program = (
        "import sys, pipeline.sandbox.server; print(sorted({'pandas', 'scipy', 'pydantic', 'tweepy', 'sqlalchemy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_one_started_by_hand_can_be_told_what_goes_wrong(sandboxed: Callable[..., Settings]) -> None:
    """It says where its key is, readable by its owner alone; a run does not take it for its own, and the file goes with it."""
    settings = sandboxed()
    environ = {**os.environ, "GEOBETA_CONFIG": str(settings.config), "GEOBETA_DATA": str(settings.data)}
    command = [sys.executable, "-m", "pipeline", "sandbox", "--idle-exit", "60"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url, path = process.stdout.readline().split()[2], Path(process.stdout.readline().removeprefix("its key: ").strip())
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            headers = {"x-sandbox-key": json.loads(path.read_text())["key"]}
            told = requests.post(f"{url}/sandbox/faults", json={"faults": {"1": {"kind": "html"}}}, headers=headers, timeout=10)
            assert told.status_code == 200
            answer = requests.get(f"{url}/2/tweets/counts/recent", headers={"authorization": "Bearer sandbox"}, timeout=10)
            assert "html" in answer.headers["content-type"]
            assert lifecycle.status(settings) is None
        finally:
            process.send_signal(signal.SIGINT)
    assert not path.exists()
