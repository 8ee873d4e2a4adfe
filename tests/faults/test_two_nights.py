"""Two nights at once: the same tables, and no failure but the documented one."""

from __future__ import annotations

import pytest

from tests.chain import Installation

pytestmark = pytest.mark.slow


def test_two_nights_at_once_make_the_same_tables(installation: Installation, twin: Installation) -> None:
    """Two Luigis with local schedulers, started together on one date, end well; the tables equal those of one night alone."""
    assert twin.luigi("Nightly", "--date", "2026-11-10").returncode == 0
    both = [installation.start("luigi", "--module", "tasks", "Nightly", "--date", "2026-11-10", "--local-scheduler") for _ in range(2)]
    outputs = [process.communicate(timeout=240)[0] for process in both]
    for process, output in zip(both, outputs, strict=True):
        assert process.returncode == 0 or "AlreadyRunning" in output, output
    assert any(process.returncode == 0 for process in both)
    assert installation.checksums() == twin.checksums()
