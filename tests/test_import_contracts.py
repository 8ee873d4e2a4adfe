"""The arrows of the design are checked by a tool, and the tool sees a planted violation of each."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: A violation for each contract of pyproject.toml, by the file it is planted in.
VIOLATIONS = {
    "pipeline/ imports neither Luigi nor tasks/": ("pipeline/clean.py", "import luigi"),
    "the arrows of the design: each layer imports only what lies below it": ("pipeline/geo.py", "import pipeline.clean"),
    "inside importing/: runs of files, one file, its records": ("pipeline/importing/seen.py", "import pipeline.importing.reading"),
    "inside streams/ and tombstones/": ("pipeline/streams/layers.py", "import pipeline.streams.tars"),
    "stats/ is pure: arrays in, arrays out": ("pipeline/stats/beta.py", "import sqlalchemy"),
    "matchers and formats know neither files nor the database": ("pipeline/matchers/words.py", "import pipeline.storage"),
}


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", program, "--no-cache", "--config", "pyproject.toml"]
    return subprocess.run(command, cwd=root, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False)


def copied(folder: Path) -> Path:
    for name in ("pipeline", "tasks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.slow
def test_contracts_hold_and_each_fails_on_a_planted_violation(tmp_path: Path) -> None:
    """The tree as it is passes; with one wrong import in it, exactly the contract that forbids it is broken."""
    root = copied(tmp_path)
    clean = lint_imports(root)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    for contract, (file, line) in VIOLATIONS.items():
        path = root / file
        kept = path.read_text()
        path.write_text(kept.replace("from __future__ import annotations", f"from __future__ import annotations\n{line}", 1))
        broken = lint_imports(root)
        assert broken.returncode != 0, f"{line} in {file} was not noticed"
        assert f"{contract} BROKEN" in broken.stdout, broken.stdout
        path.write_text(kept)


def test_every_contract_has_a_planted_violation() -> None:
    """A contract that nobody has seen fail is not listed."""
    import tomllib

    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {contract["name"] for contract in contracts} == set(VIOLATIONS)
