"""Which of the tweets that we hold are gone at X: its batch compliance endpoint is told their ids and nothing else, and tells which.

One job at a time, remembered by its id in `compliance/job.json`: a run that was killed, or that would not wait, is taken up by the next.
What is done about the answer is purge/'s affair.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline import client, formats, storage
from pipeline.errors import SourceRefused, SourceUnavailable, UnexpectedAnswer
from pipeline.formats import Deletion
from pipeline.progress import Progress, silent
from pipeline.settings import Settings
from pipeline.sources import x_api, x_endpoints, x_jobs
from pipeline.sources.x_jobs import Job

#: What our jobs are called at X: one that was begun and never noted here is known again by it.
NAME: Final = "geobeta"
#: Between two looks at a job: 150 requests in 15 minutes may be sent (docs.x.com, rate limits of compliance jobs).
POLL_SECONDS: Final = 15.0
LOCK_WAIT_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Answer:
    """What X said of the ids: `gone` of them, out of `asked` (None where an earlier run sent them); `unclear` lines could not be read."""

    gone: tuple[Deletion, ...]
    asked: int | None
    unclear: int


def run(
    settings: Settings, ids: Iterable[int], *, wait_seconds: float, poll_seconds: float | None = None, progress: Progress = silent
) -> Answer:
    """Ask X which of the ids are gone. Call `done` when that has been seen to; until then the same job answers again.

    Args:
        ids: of all versions of tweets; read once, and not at all where an earlier run has sent them.
        wait_seconds: how long to wait for X to work on the job.

    Raises:
        SourceUnavailable: X is not ready yet (or down): run again, and the job is taken up.
        SourceRefused, UnexpectedAnswer: see sources/x_api.py.
        AlreadyRunning: another process is at it.
    """
    lock = settings.data / "locks" / "compliance.lock"
    with (
        storage.exclusive(lock, wait=LOCK_WAIT_SECONDS, what="compliance", progress=progress),
        contextlib.closing(client.build(settings, progress=progress)) as asking,
    ):
        return _Asking(settings, asking, progress, POLL_SECONDS if poll_seconds is None else poll_seconds).run(
            ids, time.monotonic() + wait_seconds
        )


def done(settings: Settings) -> None:
    """What the job answered has been seen to: the next run begins another."""
    _path(settings).unlink(missing_ok=True)


def _path(settings: Settings) -> Path:
    return settings.data / "compliance" / "job.json"


@dataclass
class _Asking:
    """One run, which holds the lock."""

    settings: Settings
    client: x_api.Client
    progress: Progress
    poll_seconds: float

    def run(self, ids: Iterable[int], deadline: float) -> Answer:
        """Take up the job, or begin one; wait; read what it says. Where nothing is held there is nothing to ask."""
        noted = self._noted()
        if noted is None:
            ids = set(ids)
            if not ids:
                return Answer((), 0, 0)
            noted = self._begin()
        asked: int | None = noted.get("asked")
        while True:
            job = self._job(noted["id"])
            if job.status in x_jobs.OVER:
                done(self.settings)
                raise SourceUnavailable(f"X says that the compliance job {job.id} is {job.status}", todo="run again: another one is begun")
            if job.status == "complete":
                return self._read(job, asked)
            if job.status == "created" and asked is None:
                asked = self._send(job, ids)
                noted = self._note(job.id, asked)
            elif time.monotonic() >= deadline:
                raise SourceUnavailable(f"X is still working on the compliance job {job.id}", todo="run again later: the job is taken up")
            else:
                self.progress(None, f"X is looking at the ids (job {job.id} is {job.status})")
                time.sleep(min(self.poll_seconds, max(deadline - time.monotonic(), 0.0)))

    def _noted(self) -> dict[str, Any] | None:
        path = _path(self.settings)
        noted: dict[str, Any] | None = storage.read_json(path) if path.exists() else None
        return noted

    def _note(self, name: str, asked: int | None) -> dict[str, Any]:
        noted = {"id": name, "asked": asked}
        storage.write_json(_path(self.settings), noted)
        return noted

    def _begin(self) -> dict[str, Any]:
        self.progress(None, "beginning a compliance job")
        try:
            (job,) = self.client.jobs(x_endpoints.NEW_JOB, "tweets", name=NAME)
        except SourceRefused:
            # one job at a time: perhaps it is ours, of a run that was killed before it could note it
            waiting = [job for job in self.client.jobs(x_endpoints.JOBS, "tweets") if job.status == "created" and job.name == NAME]
            if not waiting:
                raise
            job = waiting[0]
        return self._note(job.id, None)

    def _job(self, name: str) -> Job:
        (job,) = self.client.jobs(x_endpoints.JOB, name)
        return job

    def _send(self, job: Job, ids: Iterable[int]) -> int:
        lines = [b"%d\n" % number for number in sorted(set(ids))]
        self.progress(None, f"sending {len(lines):,} ids")
        x_jobs.upload(job, b"".join(lines), timeout=self.settings.x.answer_seconds)
        return len(lines)

    def _read(self, job: Job, asked: int | None) -> Answer:
        gone: list[Deletion] = []
        unclear = 0
        for line in x_jobs.download(job, timeout=self.settings.x.answer_seconds).splitlines():
            if not line.strip():
                continue
            try:
                document = json.loads(line)
            except ValueError as error:
                raise UnexpectedAnswer(
                    f"the results of the compliance job {job.id} hold a line that is no JSON", todo="run again: they are fetched again"
                ) from error
            for deletion in formats.deletions(document):
                unclear += deletion is None
                gone += [deletion] if deletion is not None else []
        return Answer(tuple(gone), asked, unclear)
