"""Runs one command and tells what it took: `launch.py REPORT COMMAND...`, started as a small process of its own.

Linux counts the memory of who started a process among that process's own peak: a large one must not start what is measured.
"""

from __future__ import annotations

import os
import sys
import time


def main() -> int:
    """Run it, write `status cpu wall peak` (seconds, kilobytes) to REPORT."""
    started = time.perf_counter()
    pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    with open(sys.argv[1], "w", encoding="ascii") as report:
        print(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss, file=report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
