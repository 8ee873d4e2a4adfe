"""What messages tell people to type exists."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.cli import COMMANDS, parser

ROOT = Path(__file__).parents[1]


def test_every_command_that_a_message_names_exists() -> None:
    """`python -m pipeline NAME` in the code, the configuration and the documents is a command of the command line."""
    folders = ("pipeline", "tasks", "config", "docs")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".toml", ".cfg", ".md", ".j2")]
    named = {
        (path.name, word)
        for path in (*files, ROOT / "README.md", ROOT / "Makefile", ROOT / "luigi.cfg")
        for word in re.findall(r"python -m pipeline ([a-z-]+)", path.read_text("utf-8"))
    }
    assert len(named) > 5
    assert {(file, word) for file, word in named if word not in COMMANDS} == set()
    actions = {word for path in files for word in re.findall(r"python -m pipeline database ([a-z]+)", path.read_text("utf-8"))}
    assert actions
    for action in actions:
        assert parser().parse_args(["database", action]).action == action
