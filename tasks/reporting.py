"""Tells the Luigi page how far a task is, in a way that a slow or dead luigid cannot hurt."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator

from pipeline.progress import Progress

logger = logging.getLogger("geobeta")

#: Seconds between two lines of one task in the terminal.
TERMINAL_SECONDS = 5.0


@contextlib.contextmanager
def reporting(
    name: str,
    set_message: Callable[[str], None] | None,
    set_percentage: Callable[[int], None] | None,
) -> Iterator[Progress]:
    """Give a progress function that never blocks and never raises; the latest value wins.

    Luigi's own calls are blocking and remote: with luigid down they killed a healthy task (facts/luigi.md). So a daemon
    thread makes them; when it hangs, the task does not notice. Both are None outside a Luigi worker.
    """
    sender = _Sender(name, set_message, set_percentage)
    sender.start()
    try:
        yield sender.tell
    finally:
        sender.stop()


class _Sender(threading.Thread):
    """Holds the latest value and sends it on, at most five times a second."""

    def __init__(self, name: str, set_message: Callable[[str], None] | None, set_percentage: Callable[[int], None] | None) -> None:
        super().__init__(name=f"progress of {name}", daemon=True)
        self._task = name
        # taken now: Luigi sets the task's attributes back to None when run() ends, perhaps while we send
        self._set_message = set_message
        self._set_percentage = set_percentage
        self._latest: tuple[float | None, str] | None = None
        self._changed = threading.Event()
        self._ended = threading.Event()

    def tell(self, share: float | None, message: str) -> None:
        self._latest = (share, message)
        self._changed.set()

    def stop(self) -> None:
        self._ended.set()
        self._changed.set()
        # a last message is worth a moment, not a night
        self.join(timeout=1.0)

    def run(self) -> None:
        from time import monotonic

        shown = monotonic()
        while True:
            self._changed.wait()
            self._changed.clear()
            latest, self._latest = self._latest, None
            if latest is not None:
                share, message = latest
                if monotonic() - shown >= TERMINAL_SECONDS:
                    shown = monotonic()
                    logger.info("%s: %s%s", self._task, message, "" if share is None else f" ({share:.0%})")
                self._send(share, message)
            # what was told while we sent is the last word, and must not get lost
            if self._ended.is_set() and self._latest is None:
                return
            self._ended.wait(0.2)

    def _send(self, share: float | None, message: str) -> None:
        # whatever a dead luigid raises here is no affair of the task's
        with contextlib.suppress(Exception):
            if self._set_message is not None:
                self._set_message(message)
            if self._set_percentage is not None and share is not None:
                self._set_percentage(round(100 * min(max(share, 0.0), 1.0)))
