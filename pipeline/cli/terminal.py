"""How commands write: progress as a bar on a terminal and as plain lines elsewhere; results through rich, without its guesses."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console

#: Seconds between two plain lines of progress.
PLAIN_EVERY = 5.0


def console() -> Console:
    """Standard output; as wide as it takes where no terminal limits it, so that a file or a pipe gets whole lines."""
    from rich.console import Console

    return Console(highlight=False, emoji=False, soft_wrap=False, width=None if sys.stdout.isatty() else 200)


@contextlib.contextmanager
def progress(what: str) -> Iterator[Progress]:
    """A Progress that people see, on standard error.

    Args:
        what: what is being done, shown before the first message.
    """
    if not sys.stderr.isatty():
        yield _plain()
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, TextColumn("{task.description}"), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(escape(what), total=None)

        def show(share: float | None, message: str) -> None:
            bar.update(task, description=escape(message), total=None if share is None else 1.0, completed=share or 0.0)

        yield show


def _plain() -> Progress:
    last = {"at": float("-inf"), "share": -1.0}

    def show(share: float | None, message: str) -> None:
        now = time.monotonic()
        ended = share is not None and share >= 1.0 and last["share"] < 1.0
        if ended or now - last["at"] >= PLAIN_EVERY:
            print(message if share is None else f"{share:4.0%}  {message}", file=sys.stderr, flush=True)
            last.update(at=now, share=-1.0 if share is None else share)

    return show
