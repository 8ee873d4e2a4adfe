"""The sandbox as a process of its own: started when somebody needs it, shared by all who use the same data folder, gone when idle."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline import storage
from pipeline.errors import SourceUnavailable
from pipeline.progress import Progress, silent
from pipeline.sandbox.world import World

if TYPE_CHECKING:
    import requests

    from pipeline.settings import Settings

START_SECONDS: Final = 60.0

#: What a made-up city has no business knowing.
SECRETS: Final = ("X_BEARER_TOKEN", "DATABASE_URL", "GEOBETA_AUTHOR_KEY")

#: Processes that we started and that may end before us: kept, so that their end is noticed and no zombie stays.
_children: list[subprocess.Popen[bytes]] = []


def ensure_running(settings: Settings, *, progress: Progress = silent) -> str:
    """The base URL of a running sandbox that answers for exactly these settings; one is started, or replaced, if need be.

    Raises:
        SourceUnavailable: it does not start; the message has the end of its log.
        AlreadyRunning: another process has been starting it for a minute.
    """
    folder, world = settings.data / "sandbox", World.of(settings)
    if (url := _ours(folder, world)) is not None:
        return url
    with storage.exclusive(folder / "lock", wait=START_SECONDS, what="start of the sandbox", progress=progress):
        if (url := _ours(folder, world)) is not None:
            return url
        progress(None, "starting the sandbox (a made-up city in place of the X API)")
        stop(settings)
        return _start(folder, world, settings.sandbox.idle_exit_seconds)


def status(settings: Settings) -> dict[str, Any] | None:
    """What the running sandbox of this data folder says of itself (`url`, `pid`, `folder`, `world`); None where none runs."""
    folder = settings.data / "sandbox"
    address = _address(folder)
    health = _health(address)
    if address is None or health is None or health.get("folder") != str(folder):
        return None
    return {**health, "url": address["url"]}


def stop(settings: Settings) -> bool:
    """End the sandbox of this data folder, if one runs; whether one did."""
    if status(settings) is None:
        return False
    address = _address(settings.data / "sandbox")
    if address is None:
        return False
    with contextlib.suppress(OSError), _session() as session:
        session.post(f"{address['url']}/sandbox/stop", headers={"x-sandbox-key": address["key"]}, timeout=5)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and status(settings) is not None:
        time.sleep(0.02)
    return True


def _ours(folder: Path, world: World) -> str | None:
    address = _address(folder)
    health = _health(address)
    if address is None or health is None or health.get("folder") != str(folder) or health.get("world") != world.digest:
        return None
    return str(address["url"])


def _address(folder: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads((folder / "address.json").read_text())
    except (OSError, ValueError):
        return None
    return content if {"url", "key"} <= content.keys() else None


def _health(address: dict[str, Any] | None) -> dict[str, Any] | None:
    """What answers there: after a crash the port may be another program's."""
    if address is None:
        return None
    try:
        with _session() as session:
            answer = session.get(f"{address['url']}/sandbox/health", timeout=5)
        health = answer.json()
    except (OSError, ValueError):  # of requests' errors OSError is the base
        return None
    return health if isinstance(health, dict) and health.get("geobeta") == "sandbox" else None


def _session() -> requests.Session:
    # 0.1 s, and mostly no sandbox is running that could be asked
    import requests

    session = requests.Session()
    # loopback: no proxy, no netrc
    session.trust_env = False
    return session


def _start(folder: Path, world: World, idle_exit: float) -> str:
    address, log = folder / "address.json", folder / "server.log"
    address.unlink(missing_ok=True)
    storage.write_bytes(folder / "world.json", world.as_json().encode())
    command = [sys.executable, "-m", "pipeline.sandbox.server", "--world", str(folder / "world.json"), "--folder", str(folder)]
    command += ["--address", str(address), "--idle-exit", str(idle_exit)]
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    # the package need not be installed: it is found where we were
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), environment.get("PYTHONPATH")]))
    with open(log, "ab") as stream:
        # a session of its own: the kill of a night's process group must not take the other nights' sandbox with it
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=environment, start_new_session=True, close_fds=True
        )
    _children[:] = [child for child in _children if child.poll() is None] + [process]
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if (url := _ours(folder, world)) is not None:
            return url
        if process.poll() is not None:
            break
        time.sleep(0.02)
    process.kill()
    process.wait()
    tail = log.read_text(errors="replace")[-600:].strip()
    raise SourceUnavailable(f"the sandbox did not start: {tail or 'it says nothing'}", todo=f"see {log}")
