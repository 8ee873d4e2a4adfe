"""README and docs: everything there is, is named; every command they show can be typed. (Keys of config/: tests/test_settings.py.)"""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import luigi
import pytest
from luigi.cmdline_parser import CmdlineParser

import tasks
from pipeline import cli

ROOT = Path(__file__).resolve().parent.parent
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
EXAMPLES = {name: import_module(f"pipeline.cli.{module}").EXAMPLE for name, module in cli.COMMANDS.items()}
ALL = "\n".join(PAGES.values())
#: What stands for options in the examples.
DAYS = "--start 2026-11-01 --stop 2026-11-15"


def commands(program: str) -> list[tuple[str, str]]:
    """(where, what follows it) for every use of a program in the pages and in the examples of --help."""
    found = []
    for where, text in {**PAGES, **EXAMPLES}.items():
        outer = re.sub(r"\$\([^)]*\)", DAYS, text)
        inner = "\n".join(re.findall(r"\$\(([^)]*)\)", text))
        for line in f"{outer}\n{inner}".splitlines():
            found += [(where, rest.strip()) for rest in re.findall(rf"{program}((?: [^`#>|&)\n]*)?)", line)]
    return found


def sources(*folders: str) -> str:
    """The text of all modules in these folders."""
    return "\n".join(path.read_text("utf-8") for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_is_shown(command: str) -> None:
    """At least once, as it is typed."""
    assert re.search(rf"python -m pipeline {command}\b", ALL)


@pytest.mark.parametrize("action", ["url", "psql", "start", "stop", "status"])
def test_every_action_of_the_database_is_named(action: str) -> None:
    """As it is typed, or in the list beside one that is."""
    assert re.search(rf"database {action}\b|also:[^\n]*\b{action}\b", ALL)


@pytest.mark.parametrize("task", [name for name in tasks.__all__ if name != "ArchivedDay"])
def test_every_task_is_named(task: str) -> None:
    """ArchivedDay alone is not for typing: it says that an archive is missing."""
    assert f"`{task}`" in ALL


def test_every_variable_that_is_read_stands_in_the_readme() -> None:
    """But for the kill points, which only tests set."""
    read = set(re.findall(r'"((?:GEOBETA|X|DATABASE)_[A-Z_]+)"', sources("pipeline", "tasks")))
    table = set(re.findall(r"^\| `([A-Z_]+)`", PAGES["README.md"], re.MULTILINE))
    assert {name for name in read if not name.startswith("GEOBETA_KILL")} == table


def test_every_table_and_view_is_described() -> None:
    """And none that is not there."""
    script = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "sql").rglob("*.sql")) if path.parent.name != "checks")
    made = set(re.findall(r"create (?:or replace )?(?:table|view) (?:if not exists )?(\w+)", script)) | {"schema_migrations"}
    rows = [line.split("|")[1] for line in PAGES["docs/database.md"].splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == made


@pytest.mark.parametrize(("where", "rest"), [found for found in commands("python -m pipeline") if found[1]])
def test_every_command_that_is_shown_exists(where: str, rest: str) -> None:
    """Its options and its values are taken."""
    try:
        cli.parser().parse_args(shlex.split(rest))
    except SystemExit:
        pytest.fail(f"{where} shows python -m pipeline {rest}")


@pytest.mark.parametrize(("where", "rest"), [found for found in commands(r"(?:bin/|-m )?luigi(?:-deps-tree)?(?= --module)") if found[1]])
def test_every_night_that_is_shown_can_be_typed(where: str, rest: str) -> None:
    """The task is there, and takes these options."""
    with CmdlineParser.global_instance(shlex.split(rest)) as parsed:
        assert isinstance(parsed.get_task_obj(), luigi.Task), where


def test_every_target_that_is_shown_exists() -> None:
    """In the Makefile; and the options they are given are its variables, or Python's place."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    shown = re.findall(r"(?:`|^\s*)make ([a-z-]+)((?: [A-Z]+=)?)", ALL, re.MULTILINE)
    assert shown
    assert {target for target, _ in shown} <= targets
    for _, option in shown:
        name = option.strip(" =")
        assert not name or name == "PYTHON" or re.search(rf"^{name} :=", makefile, re.MULTILINE)


def test_every_path_that_is_named_is_there() -> None:
    """Links between the pages, and folders and files in backticks that are not of the data folder."""
    for where, text in PAGES.items():
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / where).parent.joinpath(link).exists(), link
        for path in re.findall(r"`((?:config|docs|pipeline|sql|tasks|tests)/[\w./-]*)`", text):
            assert (ROOT / path).exists(), path


def test_nothing_is_left_to_fill_in() -> None:
    """No placeholder in the pages."""
    assert not re.search(r"^TABLE$|\bTODO\b|\bTBD\b", ALL, re.MULTILINE)
