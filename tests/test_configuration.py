"""The data folder is looked at before any work, and what the disk says is told in plain words."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import configuration
from pipeline.errors import PermanentError, SettingsError, named_disk_errors
from pipeline.settings import Settings


def test_a_data_folder_that_is_not_there_is_made(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    """And nothing is left in it."""
    settings = make_settings(database=False).model_copy(update={"data": tmp_path / "a" / "b"})
    configuration.check_data_folder(settings)
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("below", ["", "var"])
def test_a_data_folder_that_cannot_be_one_is_refused(make_settings: Callable[..., Settings], tmp_path: Path, below: str) -> None:
    """A file stands in its place: the variable, the path and the reason are named."""
    (tmp_path / "file").write_text("x")
    settings = make_settings(database=False).model_copy(update={"data": tmp_path / "file" / below})
    with pytest.raises(SettingsError, match=r"GEOBETA_DATA\n.*file.* \("):
        configuration.check_data_folder(settings)


def test_a_full_disk_is_told_in_plain_words() -> None:
    """With the file, where the system names one; other errors of the system pass unchanged."""
    with pytest.raises(PermanentError, match=r"the disk said: x\.parquet: No space left") as caught, named_disk_errors():
        raise OSError(errno.ENOSPC, "No space left on device", "x.parquet")
    assert "make room" in caught.value.todo
    with pytest.raises(ConnectionResetError), named_disk_errors():
        raise ConnectionResetError(errno.ECONNRESET, "reset")
