"""The exit code of a night in which nothing failed but the budget stopped it. Luigi has codes for outcomes, not for kinds of error.

Tasks may fail in worker processes, and Luigi picks its code where nobody can reach: so failures leave a file, and the process that began
the night looks at them as its very last act.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import shutil
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pipeline import extract
from pipeline.errors import BudgetReached

#: docs/runbook.md explains it; below that of a failed task, so that the highest of several wins here too.
STOPPED_BY_BUDGET: Final = 28

#: The id of this night. All worker processes of one run of Luigi share it: what was asked for in vain is asked for once a night.
_BEGAN_HERE: Final = extract.NIGHT not in os.environ
NIGHT: Final = os.environ.setdefault(extract.NIGHT, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}")


def note(data: Path, error: BaseException | None) -> None:
    """Remember that a task of this night failed with `error` (None: it could not even be scheduled); `data` is the data folder."""
    folder = _folder(data)
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ("budget" if isinstance(error, BudgetReached) else "other")).touch()


def watch(data: Path) -> None:
    """At the end of this process, if the night began in it: end with STOPPED_BY_BUDGET where that was all that stopped it."""
    if _BEGAN_HERE and data not in _watching:
        _watching.append(data)
        atexit.register(_leave, data, os.getpid())


_watching: list[Path] = []


def _folder(data: Path) -> Path:
    return data / "locks" / f"night-{NIGHT}"


def _leave(data: Path, began: int) -> None:
    # a forked worker has our handlers, but is not the night
    if os.getpid() != began:
        return
    found = {path.name for path in _folder(data).glob("*")}
    shutil.rmtree(_folder(data), ignore_errors=True)
    if found == {"budget"}:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(STOPPED_BY_BUDGET)
