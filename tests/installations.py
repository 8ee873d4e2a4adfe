"""A real installation that a test may spoil: config, data folder, database, token, and a server that stands for X."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from pipeline import doctor
from pipeline.doctor import Finding
from tests.conftest import AREAS, STUDIES, write_config
from tests.servers import Reply, ScriptedServer, scripted

TOKEN = "a-token-that-must-not-be-seen"
#: The study began long ago: so days are due that only the full archive reaches.
OLD = STUDIES.replace("2026-11-01", "2026-01-01")
LONDON = '[london]\nbox = "{}"\ntimezone = "Europe/London"\n'
ONE = '[one]\nquestion = "What?"\narea = "london"\nstart = 2026-11-01\nmatch = {{ {} }}\n'


@dataclass
class Installation:
    """A real one: config files, a data folder, a database, a token and a server that stands for X."""

    folder: Path
    api: ScriptedServer
    environ: dict[str, str]
    patch: pytest.MonkeyPatch
    luigi_cfg: Path | None = None
    files: dict[str, str] = field(default_factory=lambda: {"areas": AREAS, "studies": STUDIES.replace("2026-11-01", str(RECENTLY))})

    def write(self, **files: str) -> None:
        """Replace some of the three files of config/."""
        self.files |= files
        write_config(self.folder / "config", **self.files)

    def sql(self, *commands: str) -> None:
        """Run commands in the database, each by itself."""
        connection = psycopg2.connect(self.environ["DATABASE_URL"])
        connection.autocommit = True
        with connection.cursor() as cursor:
            for each in commands:
                cursor.execute(each)
        connection.close()

    def refuse(self, status: int, document: Any, *, path: str = "/2/tweets/", **headers: str) -> None:
        """Let X answer so to every request below the path."""
        reply, usual = Reply(status=status, document=document, headers=headers), self.api.answer
        self.api.answer = lambda seen: reply if seen.path.startswith(path) else usual(seen)  # type: ignore[method-assign]

    def examine(self, **options: Any) -> list[Finding]:
        """What the doctor says."""
        return list(doctor.examine(self.environ, luigi_cfg=self.luigi_cfg, **options))


RECENTLY = (datetime.now(UTC) - timedelta(days=3)).date()


@pytest.fixture
def installation(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """A healthy one, with a token."""
    with scripted(40) as api:
        environ = {
            "GEOBETA_CONFIG": str(tmp_path / "config"),
            "GEOBETA_DATA": str(tmp_path / "var"),
            "DATABASE_URL": database_url,
            "X_BEARER_TOKEN": TOKEN,
            "X_BASE_URL": api.url,
        }
        found = Installation(tmp_path, api, environ, monkeypatch)
        found.write()
        yield found


def by_state(found: list[Finding], state: str) -> list[Finding]:
    return [finding for finding in found if finding.state == state]
