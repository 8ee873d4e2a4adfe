"""ImportArchive and its like: complete when the extract is there and serves, thin, and without a database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import luigi
import pytest
from luigi.task_register import Register

import tasks
from pipeline import importing
from pipeline.errors import ArchiveError, MissingData
from pipeline.importing import import_runs
from pipeline.settings import Settings
from pipeline.sources import archive
from tasks import archive as archive_tasks
from tests.posts import lines, make_tweet


@pytest.fixture
def settings(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The tasks read these settings."""
    found = make_settings(database=False)
    monkeypatch.setattr(archive_tasks, "_settings", found)
    Register.clear_instance_cache()
    return found


def give(settings: Settings, name: str, content: bytes) -> Path:
    path = settings.data.parent / name
    path.write_bytes(content)
    return path


def test_complete_once_the_extract_is_there(settings: Settings) -> None:
    """And for no more days than were read, nor once the file is another."""
    path = give(settings, "a.json", lines(make_tweet()))
    some = tasks.ImportArchive(path=str(path), since=date(2026, 11, 5), until=date(2026, 11, 5))
    every = tasks.ImportArchive(path=str(path))
    assert not some.complete()
    some.run()
    assert (some.complete(), every.complete()) == (True, False)
    every.run()
    assert (some.complete(), every.complete()) == (True, True)
    give(settings, "a.json", lines(make_tweet(sequence=1)))
    assert (some.complete(), every.complete()) == (False, False)


def test_each_significant_parameter_is_asked_for(settings: Settings) -> None:
    """Another path, other days, strictness: another question."""
    path = give(settings, "a.json", lines(make_tweet(), "no JSON"))
    tasks.ImportArchive(path=str(path), until=date(2026, 11, 6)).run()
    assert tasks.ImportArchive(path=str(path), until=date(2026, 11, 5)).complete()
    for other in ({"until": date(2026, 11, 7)}, {"since": date(2026, 11, 1), "until": None}, {"strict": True}, {"path": "/nowhere"}):
        parameters = {"path": str(path), "until": date(2026, 11, 6)} | other
        assert not tasks.ImportArchive(**parameters).complete(), other


def test_a_run_of_many_files_needs_one_short_parameter(settings: Settings) -> None:
    """The list is in a file: ten thousand paths are no parameter. Few files have a task each."""
    paths = [give(settings, f"{number}.json", lines(make_tweet(sequence=number))) for number in range(3)]
    run = import_runs.begin(settings, paths, since=date(2026, 11, 5), until=None, strict=True)
    wanted = tasks.ImportArchives(run_name=run.name)
    assert [(task.path, task.since, task.until, task.strict) for task in wanted.requires()] == [
        (str(path), date(2026, 11, 5), None, True) for path in paths
    ]
    assert len(wanted.task_id) < 60
    assert luigi.build([wanted], local_scheduler=True, no_lock=True)
    assert wanted.complete()
    assert [outcome.status for outcome in import_runs.outcomes(settings, run)[0]] == ["imported"] * 3


def test_a_bundle_reads_all_it_can(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """And fails by the first that it could not; a rerun reads that one alone."""
    monkeypatch.setattr(import_runs, "spread", lambda sizes: (tuple(range(len(sizes))),))
    contents = [lines(make_tweet(sequence=0)), b"no JSON\n", lines(make_tweet(sequence=2))]
    paths = [give(settings, f"{number}.json", content) for number, content in enumerate(contents)]
    run = import_runs.begin(settings, paths, since=None, until=None, strict=True)
    (bundle,) = tasks.ImportArchives(run_name=run.name).requires()
    assert isinstance(bundle, tasks.ImportBundle)
    with pytest.raises(ArchiveError, match=r"1\.json: line 1"):
        bundle.run()
    assert not bundle.complete()
    assert [importing.is_held(settings, path, run.asked(settings)) for path in paths] == [True, False, True]
    assert [outcome.status for outcome in import_runs.outcomes(settings, run)[0]] == ["imported", "failed", "imported"]
    assert len(archive.held(settings)) == 2


def test_a_run_that_is_no_more_says_so(settings: Settings) -> None:
    with pytest.raises(MissingData, match="no import has that name"):
        tasks.ImportArchives(run_name="yesterday").requires()
