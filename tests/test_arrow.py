"""pyarrow without pandas where nothing needs it, and with it where charts do."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

from tests.posts import lines, make_tweet

ROOT = Path(__file__).resolve().parents[1]

#: The whole way of an archive to counts.
CHAIN = """
import sys
from datetime import date
from pipeline import clean, count, importing, settings

found = settings.read()
importing.run(found, [sys.argv[1]])
for name in ("clean", "count"):
    manifest = {"clean": clean, "count": count}[name].run(found, "here", date(2026, 11, 5))
print(manifest["trials"], manifest["matches"], {"pandas", "pyarrow.dataset"} & {*sys.modules})
"""

#: What a chart's table holds: a gap is no number, and null in Arrow.
AFTER = """
import pipeline.schema, pipeline.report.data
import pandas, pyarrow
print(pyarrow.array(pandas.Series(["a", None])).to_pylist(), pyarrow.array(pandas.Series([1.0, float("nan")])).to_pylist())
"""


def say(code: str, *arguments: str, environ: dict[str, str] | None = None) -> str:
    command = [sys.executable, "-c", code, *arguments]
    answer = subprocess.run(command, cwd=ROOT, env=os.environ | (environ or {}), capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def test_import_clean_and_count_load_neither_pandas_nor_the_engine_for_data_sets(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("")
    area = '[here]\nbox = "-99.2,19.3,-99.1,19.5"\ntimezone = "America/Mexico_City"\nsource = "archive"\n'
    (tmp_path / "areas.toml").write_text(area)
    (tmp_path / "studies.toml").write_text('[here]\nquestion = "?"\narea = "here"\nstart = 2026-11-01\nmatch = { words = ["bus"] }\n')
    archive = tmp_path / "a.json.gz"
    archive.write_bytes(gzip.compress(lines(make_tweet(), make_tweet(sequence=1))))
    environ = {"GEOBETA_CONFIG": str(tmp_path), "GEOBETA_DATA": str(tmp_path / "var"), "GEOBETA_AUTHOR_KEY": "a key of tests only"}
    trials, _, loaded = say(CHAIN, str(archive), environ=environ).split()
    assert int(trials) > 0
    assert loaded == "set()"


def test_charts_hand_pandas_to_pyarrow_as_ever() -> None:
    assert say(AFTER) == "['a', None] [1.0, None]"
