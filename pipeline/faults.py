"""Named points at which a test may kill the run: kill -9 exactly there, which no signal from outside can promise."""

from __future__ import annotations

import fcntl
import os
import signal


def point(name: str) -> None:
    """Do nothing, unless GEOBETA_KILL_AT is "name" or "name:count": then SIGKILL our process group at the count-th passing.

    Passings are counted over all processes in the file GEOBETA_KILL_FILE (without one: in this process alone), one byte each,
    so a rerun with the same file passes unharmed. The process group dies only where this process leads or shares one that is not
    the test's own (GEOBETA_KILL_GROUP=1); else only this process does.
    """
    wanted, _, count = os.environ.get("GEOBETA_KILL_AT", "").partition(":")
    if wanted == name and _passing() == int(count or 1):
        if os.environ.get("GEOBETA_KILL_GROUP"):
            os.killpg(os.getpgid(0), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


_passings = [0]


def _passing() -> int:
    path = os.environ.get("GEOBETA_KILL_FILE")
    if path is None:
        _passings[0] += 1
        return _passings[0]
    with open(path, "ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write(b".")
        stream.flush()
        return stream.tell()
