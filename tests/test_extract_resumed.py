"""Extraction that was broken off, by a kill or by a refusal, goes on at its page; also where an older version began it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import extract
from pipeline.errors import (
    PaymentRequired,
)
from pipeline.settings import Settings
from tests.extracting import ALL_TEXTS, AREA, DAY, NOW, WIDE, api, files, real, texts
from tests.servers import Reply, ScriptedServer

__all__ = ["api", "real"]


RUN = """
import sys
from datetime import UTC, date, datetime
from pipeline import extract, settings
extract.run(settings.read(), "mexico-city", date(2026, 11, 10), now=datetime(2026, 11, 12, 9, tzinfo=UTC))
"""


def run_to_death(settings: Settings, api: ScriptedServer, **environ: str) -> int:
    """Run the extraction in a process of its own; its exit code."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("X_", "GEOBETA_"))}
    environment = {
        **keep,
        "GEOBETA_CONFIG": str(settings.config),
        "GEOBETA_DATA": str(settings.data),
        "X_BEARER_TOKEN": "token",
        "X_BASE_URL": api.url,
        "PYTHONPATH": str(settings.root),
        **environ,
    }
    return subprocess.run([sys.executable, "-c", RUN], env=environment, check=False, timeout=60).returncode


POINTS = ["extract.page:1", "extract.page:3", "extract.page:5", "extract.cursor:1", "extract.cursor:5", "extract.manifest:1"]


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_killed_extraction_resumes_at_its_page(api: ScriptedServer, real: Callable[..., Settings], tmp_path: Path, point: str) -> None:
    """kill -9 at the point, then a rerun: the same bytes, at most one page fetched again, every request counted."""
    settings = real()
    kill = {"GEOBETA_KILL_AT": point, "GEOBETA_KILL_FILE": str(tmp_path / "kills")}
    assert run_to_death(settings, api, **kill) == -signal.SIGKILL
    assert not extract.partition(settings, AREA, DAY).exists()
    assert run_to_death(settings, api, **kill) == 0
    killed = files(extract.partition(settings, AREA, DAY))
    assert len(api.seen) <= 6
    assert extract.manifest(settings, AREA, DAY)["requests"] == len(api.seen)
    assert texts(settings) == ALL_TEXTS
    untouched = settings.model_copy(update={"data": tmp_path / "untouched"})
    extract.run(untouched, AREA, DAY, now=NOW)
    assert files(extract.partition(untouched, AREA, DAY)) == killed


def test_half_written_files_of_a_killed_process_are_swept_out(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """A page file that the cursor does not know, and a temporary file, do not reach the partition."""
    settings = real()
    api.script = {2: Reply(status=402, document={})}
    with pytest.raises(PaymentRequired):
        extract.run(settings, AREA, DAY, now=NOW)
    folder = extract.partition(settings, AREA, DAY)
    work = folder.with_name(f"{folder.name}.partial")
    (work / "page-00002.json.zst").write_bytes(b"half")
    (work / ".cursor.json.123.abc").write_bytes(b"{")
    (work / "page-00099.json.zst").write_bytes(b"of an older life")
    extract.run(settings, AREA, DAY, now=NOW)
    assert texts(settings) == ALL_TEXTS
    assert len(list(folder.iterdir())) == 6


def test_an_extraction_that_an_older_version_began_goes_on_at_its_page(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Its cursor named the query it was in, not walks."""
    settings = real(areas=WIDE, studies="")
    api.script = {8: Reply(status=402, document={})}
    with pytest.raises(PaymentRequired):
        extract.run(settings, "wide", DAY, now=NOW)
    folder = extract.partition(settings, "wide", DAY)
    path = folder.with_name(f"{folder.name}.partial") / "cursor.json"
    cursor = json.loads(path.read_text())
    walk = cursor["walks"][0]
    old = {name: cursor[name] for name in ("endpoint", "queries", "synthetic", "waits")}
    old |= {"query": walk["query"], **{name: walk[name] for name in ("next_token", "until_id", "oldest_id")}}
    old["pages"] = [{name: value for name, value in page.items() if name != "span"} for page in cursor["pages"]]
    path.write_text(json.dumps(old))
    manifest = extract.run(settings, "wide", DAY, now=NOW)
    assert texts(settings, "wide") == ALL_TEXTS * len(manifest["queries"])
    assert manifest["requests"] == len(manifest["pages"]) + 1
    assert manifest["coverage"] == 1.0
