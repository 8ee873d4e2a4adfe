"""tweepy and psycopg2 are never replaced in a test: what is shown is shown with the real ones."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parent
#: Names of what must stay real, and the modules of ours that hold nothing but calls of it.
REAL = ("tweepy", "psycopg2", "sqlalchemy", "requests")
MOCKING = ("mock", "unittest.mock", "pytest_mock", "responses", "requests_mock", "vcr", "httpretty")


def faults(source: str) -> list[str]:
    """What a test file does that replaces the real thing: imports of mocking libraries, and patches of REAL."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name in MOCKING]
        elif isinstance(node, ast.ImportFrom):
            names = {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
            found += sorted(names & set(MOCKING))
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("setattr", "setitem", "delattr", "patch")
        ):
            target = ast.unparse(node.args[0]).strip("'\"") if node.args else ""
            found += [target for name in REAL if target == name or target.startswith(f"{name}.")]
        elif isinstance(node, ast.Assign):
            targets = [ast.unparse(target) for target in node.targets]
            found += [target for target in targets for name in REAL if target.startswith(f"{name}.")]
        if isinstance(node, ast.arg) and node.arg == "mocker":
            found.append("mocker")
    return found


def test_no_test_mocks_the_client_or_the_database() -> None:
    """In no file of tests/."""
    assert {path.name: found for path in TESTS.rglob("*.py") if (found := faults(path.read_text(encoding="utf-8")))} == {}


def test_a_mock_would_be_seen() -> None:
    """Each way of doing it."""
    for line in (
        "from unittest.mock import Mock",
        "from unittest import mock",
        "import unittest.mock",
        "import responses",
        "monkeypatch.setattr(tweepy, 'Client', None)",
        "monkeypatch.setattr('tweepy.Client.get', None)",
        "monkeypatch.setattr(psycopg2, 'connect', None)",
        "psycopg2.connect = print",
        "def test(mocker): pass",
    ):
        assert faults(line), line
