"""The terminal's lines: Luigi's repetitions left out, failures in plain words."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from pipeline.console import Console, PlainFormatter
from pipeline.errors import Unauthorized


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a message of Luigi's looks like on the terminal; "" where it is left out."""

    def show(level: int, message: str, *arguments: object, error: BaseException | None = None) -> str:
        handler = Console()
        handler.setFormatter(PlainFormatter("%(levelname)s %(message)s"))
        info = (type(error), error, error.__traceback__) if error else None
        handler.handle(logging.LogRecord("luigi-interface", level, __file__, 1, message, arguments, info))
        return capsys.readouterr().err

    return show


@pytest.mark.parametrize(
    "message", ["Informed scheduler that task x has status DONE", "[pid 1] Worker w running   x", "Running Worker with 2 processes"]
)
def test_what_luigi_repeats_is_left_out(shown: Callable[..., str], message: str) -> None:
    """Three lines a task that our own one line says."""
    assert shown(logging.INFO, message) == ""


def test_a_failure_names_the_task_and_what_to_do(shown: Callable[..., str]) -> None:
    """Neither the worker's name nor a traceback of an error that is ours."""
    error = Unauthorized("search/all answered HTTP 401", todo="put a valid token into X_BEARER_TOKEN")
    said = shown(logging.ERROR, "[pid %s] Worker %s failed    %s", 12, "Worker(salt=1, host=vm)", "ExtractTweets(area=london)", error=error)
    assert said.splitlines() == [
        "ERROR ExtractTweets(area=london) failed",
        "Unauthorized: search/all answered HTTP 401",
        "  what to do: put a valid token into X_BEARER_TOKEN",
    ]


def test_a_fault_of_ours_keeps_its_traceback(shown: Callable[..., str]) -> None:
    """What nobody thought of needs the place."""
    try:
        raise KeyError("nobody thought of this")
    except KeyError as error:
        said = shown(logging.ERROR, "[pid %s] Worker %s failed    %s", 12, "w", "CleanTweets(area=london)", error=error)
    assert said.startswith("ERROR CleanTweets(area=london) failed\nTraceback")
    assert "nobody thought of this" in said


def test_how_far_a_run_is(capsys: pytest.CaptureFixture[str]) -> None:
    """The number of tasks once all are known, and a line for every tenth of them; what was done before counts for neither."""
    handler = Console()
    handler.setFormatter(PlainFormatter("%(message)s"))

    def told(message: str, *arguments: object) -> str:
        handler.handle(logging.LogRecord("luigi-interface", logging.INFO, __file__, 1, message, arguments, None))
        return capsys.readouterr().err.strip()

    informed = "Informed scheduler that task   %s   has status   %s"
    assert told(informed, "old", "DONE") == ""
    assert [told(informed, f"t{number}", "PENDING") for number in range(60)] == [""] * 60
    assert told("Done scheduling tasks") == "60 tasks to run"
    lines = [told(informed, f"t{number}", "DONE") for number in range(60)]
    assert [line for line in lines if line] == [f"{tenth}0%: {6 * tenth} of 60 tasks done" for tenth in range(1, 10)]


def test_luigis_word_on_its_logging_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """It says nothing to a person."""
    Console().handle(logging.LogRecord("luigi", logging.INFO, __file__, 1, "logging configured via *.conf file", (), None))
    assert capsys.readouterr().err == ""
