"""The competitors' own environments, in .bench/venvs/: made of pinned versions when first needed. pip finds them where it is set up to."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.performance.generate import BENCH

#: By name of the environment: requirements/NAME.txt beside this file.
NAMES: Final = ("engines", "twarc", "dlt")
REQUIREMENTS: Final = Path(__file__).parent / "requirements"


class Missing(Exception):
    """An environment cannot be made; says why. What does not need it goes on."""


def python(name: str) -> Path:
    """The Python of that environment, which is made if it is not there or is of other versions.

    Raises:
        Missing: pip could not install it.
    """
    wanted = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    folder = BENCH / "venvs" / name
    made = folder / "installed.txt"
    if not made.exists() or made.read_text(encoding="utf-8") != wanted:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS / f"{name}.txt")])
        made.write_text(wanted, encoding="utf-8")
    return folder / "bin" / "python"


def versions(name: str) -> dict[str, str]:
    """Package → version, as pinned."""
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)(?:\[\w+\])?==([\w.]+)", text, re.MULTILINE))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"{' '.join(command[1:4])} failed: {(done.stderr.strip().splitlines() or ['it says nothing'])[-1]}")
