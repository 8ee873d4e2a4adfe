"""Is everything there that a night needs? Looks at settings, machine, database and X, and says of each in one line how it is.

It returns no post, migrates nothing and changes no partition. What cannot be known is said to be unknown, not to be well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pipeline.doctor import configured, machine, places, x
from pipeline.doctor.finding import Finding, guarded, unknown

__all__ = ["Finding", "examine"]


def examine(
    environ: Mapping[str, str] | None = None,
    *,
    offline: bool = False,
    full: bool = False,
    now: datetime | None = None,
    luigi_cfg: Path | None = None,
) -> Iterator[Finding]:
    """Every finding, in the order in which things are looked at; one cause is one fault.

    Args:
        environ: the environment; None for this process's.
        offline: ask nothing of X (or the sandbox).
        full: ask about the full archive too, where no day needs it.
        now: the time it is, aware; None for the clock.
        luigi_cfg: the file; None for the one that a night reads.
    """
    now = now or datetime.now(UTC)
    settings, found = configured.read(environ)
    yield from found
    yield from configured.environment(environ)
    yield from configured.luigi(luigi_cfg, environ)
    if settings is None:
        return
    for area in settings.areas.values():
        yield from guarded(f"[{area.name}]", lambda area=area: places.look(area, now))  # type: ignore[misc]
    if settings.areas:
        yield from configured.studies(settings, now)
        yield from configured.alarms(settings)
    disk = list(guarded("data folder", lambda: machine.disk(settings)))
    yield from disk
    if _faulty(disk, "data folder"):
        yield unknown("the rest", f"not looked at: it needs {settings.data}")
        return
    yield from guarded("locks", lambda: machine.locks(settings))
    yield from guarded("author key", lambda: machine.author_key(settings))
    stored = list(guarded("PostgreSQL", lambda: machine.binaries(settings)))
    if not _faulty(stored):
        stored += guarded("database", lambda: machine.database_of(settings, now))
    yield from stored
    asking = x.Asking(settings, now, full)
    if offline:
        yield unknown("X", "not asked: --offline")
    elif not settings.areas:
        yield unknown("X", "not asked: there is no area to ask for")
    elif _faulty(stored) and not settings.synthetic:
        yield unknown("X", "not asked: the ledger of what is spent is in the database")
    else:
        yield from guarded("X", asking.look)
    if settings.areas:
        yield from guarded("budget", lambda: x.budget(settings, asking.posts))


def _faulty(findings: list[Finding], check: str = "") -> bool:
    return any(found.state == "fault" and check in ("", found.check) for found in findings)
