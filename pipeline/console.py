"""The log handler of the terminal and of cron's log file: our own lines and Luigi's summary, errors of ours in plain words."""

from __future__ import annotations

import logging
import sys

from pipeline.errors import PipelineError

#: How Luigi's lines begin that repeat, three times a task, what our own line says once.
REPETITIVE = ("Informed scheduler", "[pid ", "Done scheduling", "Running Worker", "Worker Worker(")


class Console(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to standard error; named by config/logging.cfg."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._waiting: set[str] = set()
        self._done: set[str] = set()
        self._scheduled = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Let through everything but Luigi's repetitions, and those too where they report a failure."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, RuntimeError) and str(error).startswith("Unfulfilled dependenc"):
            # an earlier day was restated meanwhile, and with it what this task waits for; Luigi makes it again and comes back
            # (max_reschedules in luigi.cfg says how often; a night that ends like this has exit code 30 and this as its reason)
            record.levelno, record.levelname, record.exc_info = logging.WARNING, "WARNING", None
            task = record.args[-1] if isinstance(record.args, tuple) and record.args else "a task"
            record.msg, record.args = f"{task}: what it needs was changed meanwhile, by another day or run; it is tried again", ()
            return True
        if record.name == "luigi-interface" and str(record.msg).startswith("[pid %s] Worker %s failed") and isinstance(record.args, tuple):
            # whose worker it was helps nobody
            record.msg, record.args = "%s failed", record.args[-1:]
        if record.name == "luigi" and str(record.msg).startswith("logging configured"):
            return False
        if record.name == "luigi-interface" and record.levelno < logging.WARNING and record.exc_info is None:
            if told := self._how_far(record):
                record.msg, record.args = told, ()
                return True
            return not str(record.msg).startswith(REPETITIVE)
        return bool(super().filter(record))

    def _how_far(self, record: logging.LogRecord) -> str:
        """Of Luigi's repetitions: how many tasks there are, when that is known, and then a line for every tenth of them; else ""."""
        if record.msg == "Done scheduling tasks":
            self._scheduled = True
            return f"{len(self._waiting):,} tasks to run" if self._waiting else ""
        if not str(record.msg).startswith("Informed scheduler") or not isinstance(record.args, tuple) or len(record.args) != 2:
            return ""
        task, status = map(str, record.args)
        if status == "PENDING":
            self._waiting.add(task)
        elif status == "DONE" and self._scheduled and task in self._waiting - self._done:
            before = 10 * len(self._done) // len(self._waiting)
            self._done.add(task)
            number, total = len(self._done), len(self._waiting)
            if total >= 50 and number < total and 10 * number // total > before:
                return f"{number / total:.0%}: {number:,} of {total:,} tasks done"
        return ""


class PlainFormatter(logging.Formatter):
    """Shows an error of ours as its two lines: what, and what to do. Anything else keeps its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Leave the cached traceback of another handler alone: it is not ours to show."""
        record.exc_text = None
        text = super().format(record)
        # Luigi writes the traceback of a scheduling error into the message itself
        head, ours, error = text.partition("\npipeline.errors.")
        return f"{head.splitlines()[0]}\n{error}" if ours and "Will not run" in head and not self._debugging() else text

    def formatException(self, ei: object) -> str:
        """Plain words for a PipelineError, unless the root logger is at DEBUG."""
        error = ei[1] if isinstance(ei, tuple) else None
        if isinstance(error, PipelineError) and not self._debugging():
            return f"{type(error).__name__}: {error}"
        return super().formatException(ei)  # type: ignore[arg-type]

    @staticmethod
    def _debugging() -> bool:
        return logging.getLogger("geobeta").isEnabledFor(logging.DEBUG)
