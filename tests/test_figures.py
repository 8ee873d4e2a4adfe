"""docs/statistics.md: its figures are those of the command, every block has its place, and each column of the estimates is explained."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures.__main__ import FIGURES, PAGE, REAL, ROOT
from benchmarks.page import replaced
from pipeline import estimates

TEXT = PAGE.read_text("utf-8")
PAGE_OF_TWO = "Before.\n<!-- figures: one -->\nold\n<!-- end of one -->\nBetween.\n<!-- figures: two -->\n<!-- end of two -->\nAfter.\n"


def run(*options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command as people type it."""
    command = [sys.executable, "-m", "benchmarks.figures", *options]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environ, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("name", FIGURES)
def test_every_block_of_figures_was_measured_whole(name: str) -> None:
    """It stands on the page once, and says when it was measured and with what."""
    (block,) = re.findall(rf"<!-- figures: {name} -->(.*?)<!-- end of {name} -->", TEXT, re.DOTALL)
    assert re.search(r"\*Measured \d{4}-\d\d-\d\d with Python [\d.]+, numpy [\d.]+, scipy [\d.]+; \d+ s of CPU time\.\*", block)
    # the widths of a table's rows agree
    for table in re.findall(r"(?:^\|.*\n)+", block, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_no_block_is_left_over() -> None:
    """The page has no figures that the command does not make."""
    assert re.findall(r"<!-- figures: (\w+) -->", TEXT) == list(FIGURES)


def test_a_block_is_replaced_and_nothing_else() -> None:
    """Twice the same is once; backslashes are text; a page without the block is refused."""
    made = replaced(PAGE_OF_TWO, "one", ["| a\\1 |"], "*now*")
    assert made == PAGE_OF_TWO.replace("-->\nold\n", "-->\n\n| a\\1 |\n\n*now*\n\n")
    assert replaced(made, "one", ["| a\\1 |"], "*now*") == made
    with pytest.raises(ValueError, match="wanted one: put the two markers"):
        replaced(PAGE_OF_TWO, "three", [], "")


@pytest.mark.slow
def test_without_real_posts_their_blocks_stay(tmp_path: Path) -> None:
    """It says so, fails not, and writes nothing."""
    said = run("--write", "--only", *REAL, SHARED_DATA=str(tmp_path / "none"))
    assert said.returncode == 0, said.stderr
    assert said.stdout.count("the page keeps what it has") == len(REAL)
    assert PAGE.read_text("utf-8") == TEXT


@pytest.mark.slow
def test_a_quick_look_is_never_written() -> None:
    """Its figures are too rough for the page."""
    said = run("--write", "--quick")
    assert said.returncode == 2
    assert "leave --quick out" in said.stderr
    assert PAGE.read_text("utf-8") == TEXT


@pytest.mark.slow
def test_a_quick_look_prints_tables() -> None:
    """The blocks that need no posts, and their names before them."""
    said = run("--quick", "--only", "coverage", "comparison")
    assert said.returncode == 0, said.stderr
    assert "== coverage\n| 95 % intervals hold the truth" in said.stdout
    assert re.search(r"\| two rules \| 100 \| 9\d\.\d % \|", said.stdout)


@pytest.mark.parametrize("column", [*estimates._AUTHORS, *estimates._EXPECTED, "forget_scores", "prior_areas", "author_cap", "authors"])
def test_every_column_of_the_estimates_is_explained(column: str) -> None:
    """By its name; of an interval one end is enough."""
    assert re.search(rf"`{column.replace('upper', 'lower')}\b", TEXT)
