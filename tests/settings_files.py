"""A small valid configuration for the tests of settings, and what reads or refuses it."""

import pytest

from pipeline.errors import SettingsError
from pipeline.settings import (
    AlarmSettings,
    ContentSettings,
    DatabaseSettings,
    ImportSettings,
    LoadSettings,
    SandboxSettings,
    XSettings,
    read,
)

SECTIONS = {
    "x": XSettings,
    "database": DatabaseSettings,
    "import": ImportSettings,
    "load": LoadSettings,
    "content": ContentSettings,
    "alarms": AlarmSettings,
    "sandbox": SandboxSettings,
}

AREAS = """
[london]
box = "-0.51,51.28,0.33,51.69"
timezone = "Europe/London"
"""
STUDIES = """
[transport]
question = "What share speaks of transport?"
area = "london"
start = 2026-11-01
match = { words = ["tube", "bus"] }
"""
FILES = {"areas.toml": AREAS, "studies.toml": STUDIES, "settings.toml": ""}


@pytest.fixture
def configure(tmp_path):
    """Write one valid configuration, a part of it spoiled, and give the environment that leads to it."""

    def write(**changes):
        folder = tmp_path / "config"
        folder.mkdir(exist_ok=True)
        for name, text in FILES.items():
            (folder / name).write_text(changes.get(name.removesuffix(".toml"), text), encoding="utf-8")
        return {"GEOBETA_CONFIG": str(folder), "GEOBETA_DATA": str(tmp_path / "var"), **changes.get("environment", {})}

    return write


def refusal(environ, **arguments):
    """The message with which the configuration is refused."""
    with pytest.raises(SettingsError) as caught:
        read(environ, **arguments)
    return str(caught.value)
