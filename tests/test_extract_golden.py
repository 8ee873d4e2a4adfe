"""What an extract holds of a file hangs on the file and the settings alone, and changes only together with importing.CODE_VERSION."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import importing, storage
from pipeline.settings import Settings
from pipeline.sources import archive
from tests import made_up_lines, posts

ROOT = Path(__file__).resolve().parents[1]
Make = Callable[..., Settings]
#: Output for the made-up archive below. When it changes on purpose: raise importing.CODE_VERSION, then pin both anew.
GOLDEN = (4, "2ba937ffcb33")
#: What the manifest counts; the rest of it says how it came about.
COUNTED = ("lines", "records", "stored", "no_geo", "deleted", "duplicates", "notices", "asks", "rejects", "damages", "first", "last",
           "searches", "minutes")  # fmt: skip


def every_shape() -> bytes:
    """An archive of all shapes, each as it should be and spoiled in one field by every odd value, and of lines that are no documents."""
    samples = made_up_lines.SAMPLES
    whole = posts.lines(*samples.values(), *samples.values())
    spoiled = [
        json.dumps(posts.make_tweet(**{field: "@@"})).replace('"@@"', odd)
        for field in ("id_str", "created_at", "text", "coordinates", "place", "user", "lang", "source")
        for odd in made_up_lines.ODD
    ]
    cut = json.dumps(posts.make_tweet(sequence=3))
    lost = [cut[:200], json.dumps(posts.make_page(), indent=1), cut[:300] + "\n" + cut[300:], *made_up_lines.OTHER_LINES]
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as packed:
        for name, content in {
            "whole": whole,
            "spoiled": "\n".join(spoiled).encode("utf-8", "surrogatepass"),
            "lost": "\r\n".join(lost).encode(),
        }.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def test_output_and_code_version_change_together(make_settings: Make, tmp_path: Path) -> None:
    """Records, rejects and counts of a file of every shape."""
    settings = make_settings(studies="", database=False)
    path = tmp_path / "every-shape.tar"
    path.write_bytes(every_shape())
    (report,) = importing.run(settings, [path]).files
    folder = archive.folder(settings, report.digest)
    manifest = archive.manifest(settings, report.digest)
    # a reject's detail is in Python's words, which change from version to version
    rows = [pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("records", "rejects")]
    rows[1] = [{name: value for name, value in row.items() if name != "detail"} for row in rows[1]]
    said = storage.digest(json.dumps([rows, {name: manifest[name] for name in COUNTED}], default=str, sort_keys=True))
    assert (importing.CODE_VERSION, said) == GOLDEN


IMPORT = """
import sys
from pipeline import importing, settings
importing.run(settings.read(), [sys.argv[1]])
"""


@pytest.mark.slow
def test_the_same_file_gives_the_same_bytes_anywhere(make_settings: Make, tmp_path: Path) -> None:
    """In another process, which hashes otherwise; in another folder; from a file in another one; another time."""
    found = []
    for number in ("1", "2"):
        path = tmp_path / number / "every-shape.tar"
        path.parent.mkdir()
        path.write_bytes(every_shape())
        settings = make_settings(studies="", database=False, GEOBETA_DATA=str(tmp_path / f"var-{number}"))
        told = {
            "GEOBETA_CONFIG": str(settings.config),
            "GEOBETA_DATA": str(settings.data),
            "PYTHONHASHSEED": number,
            "GEOBETA_AUTHOR_KEY": "a key for tests only",
        }
        command = [sys.executable, "-c", IMPORT, str(path)]
        subprocess.run(command, env={**os.environ, **told, "PYTHONPATH": str(ROOT)}, cwd=ROOT, check=True)
        files = [inner for inner in archive.root(settings).rglob("*") if inner.is_file()]
        found.append({str(file.relative_to(settings.data)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files})
    assert found[0] == found[1]
    assert len(found[0]) >= 4
