"""Processes of this machine by their ids: whether one lives, and when it began, since ids come round again."""

from __future__ import annotations

import os
from pathlib import Path


def lives(pid: int) -> bool:
    """Whether the process has not ended; another user's counts too.

    One that has ended, and at which its parent has not looked yet, does not live: the first process of a container may never look.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # no answer: gone meanwhile, or this is no Linux
    return (fields := _fields(pid)) is None or fields[0] != "Z"


def started(pid: int) -> str | None:
    """The boot and the tick in which it began: with its id, its name for good. None where it is gone, or this is no Linux."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    fields = _fields(pid)
    return None if fields is None or fields[0] == "Z" else f"{boot}:{fields[19]}"


def _fields(pid: int) -> list[str] | None:
    """What Linux tells of a process, from its state on (man 5 proc: field 3; the start is field 22)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # the name in brackets may hold anything, so count from behind it
    return stat.rpartition(")")[2].split()
