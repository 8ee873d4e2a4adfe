"""A day of 45 posts from a scripted local API: what the tests of extraction share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline import extract
from pipeline.settings import Settings
from tests.servers import ScriptedServer, scripted

DAY = date(2026, 11, 10)
AREA = "mexico-city"
NOW = datetime(2026, 11, 12, 9, tzinfo=UTC)
TUNED = "[x]\npage_size = 10\nattempts = 4\nlongest_wait_seconds = 0.3\nask_counts = false\n"

#: Wide enough for two queries of search/recent.
WIDE = """
[wide]
box = "-101.5,18.0,-97.5,21.0"
timezone = "America/Mexico_City"
"""


@pytest.fixture
def api() -> Iterator[ScriptedServer]:
    """A local stand-in of the API with a day of 45 posts: five pages of ten."""
    with scripted(posts=45) as running:
        yield running


@pytest.fixture
def real(api: ScriptedServer, make_settings: Callable[..., Settings]) -> Callable[..., Settings]:
    """Settings with a token and the stand-in's address."""

    def make(**changes: Any) -> Settings:
        return make_settings(**{"settings": TUNED, "database": False, "X_BEARER_TOKEN": "token", "X_BASE_URL": api.url, **changes})

    return make


def texts(settings: Settings, area: str = AREA) -> list[str]:
    """The posts of the extracted day, in the order of the pages."""
    return [post["text"] for _, page in extract.pages(settings, area, DAY) for post in page.get("data", [])]


def files(folder: Path) -> dict[str, str]:
    """Name and digest of each page file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("page-*"))}


ALL_TEXTS = [f"made-up post {number}" for number in range(45)]
