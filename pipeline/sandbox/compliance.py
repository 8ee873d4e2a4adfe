"""Batch compliance: jobs that tell which of the ids that were sent are gone. What is gone is scripted (Server.gone).

Sources: facts/x-api.md; docs.x.com/x-api/compliance/batch-compliance (introduction, quickstart): the fields of a job, its statuses,
one job of a type at a time, an upload within 15 minutes, a download within a week, one JSON object a line for what is gone alone.
The form of the results is that of a recorded file: an empty line first, and no `redacted_at` for what is only protected.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pipeline.sandbox import problems
from pipeline.sandbox.api import Answer
from pipeline.sandbox.asked import Endpoint, Refused
from pipeline.sandbox.city import SNOWFLAKE_EPOCH_MS

PATH: Final = "/2/compliance/jobs"
#: Where ids go and results come from: another host in the real service, which asks for no token but for the address's own signature.
FILES: Final = "/sandbox/compliance/"
#: 150 requests in 15 minutes ("Create compliance job", rate limits).
ENDPOINT: Final = Endpoint("compliance/jobs", 150, 0, None)

#: Those of the quickstart, and one more that the introduction and a recorded file have.
REASONS: Final = ("deleted", "bounced", "protected", "suspended", "scrub_geo", "deactivated")
TYPES: Final = ("tweets", "users")
UPLOAD: Final = timedelta(minutes=15)
DOWNLOAD: Final = timedelta(days=7)


@dataclass
class Job:
    """One job. `polls`: how often it was asked for since its ids came."""

    id: str
    type: str
    name: str | None
    created: datetime
    signature: str = field(default_factory=lambda: secrets.token_hex(16))
    ids: tuple[str, ...] | None = None
    polls: int = 0

    def status(self, now: datetime) -> str:
        """created, in_progress (the first time that somebody asks after the upload), complete; expired where no ids came in time."""
        if self.ids is None:
            return "expired" if now > self.created + UPLOAD else "created"
        return "complete" if self.polls > 1 else "in_progress"


class Jobs:
    """All jobs of this sandbox."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def answer(self, method: str, path: str, parameters: Mapping[str, str], body: bytes, *, now: datetime, url: str) -> Answer:
        """POST /2/compliance/jobs, GET /2/compliance/jobs?type=, GET /2/compliance/jobs/{id}; `url`: of this sandbox."""
        name = path.removeprefix(PATH).strip("/")
        try:
            with self._lock:
                if method == "POST" and not name:
                    return self._create(body, now, url)
                if method == "GET" and not name:
                    return self._list(parameters, now, url)
                if method == "GET" and name in self._jobs:
                    job = self._jobs[name]
                    job.polls += job.ids is not None
                    return Answer(200, {"data": _shown(job, now, url)})
        except Refused as refused:
            return Answer(400, refused.document)
        return Answer(404, problems.problem("Not Found", f"no {method} of {path} here", 404))

    def _create(self, body: bytes, now: datetime, url: str) -> Answer:
        try:
            given = json.loads(body)
        except ValueError:
            given = None
        kind = given.get("type") if isinstance(given, dict) else None
        if kind not in TYPES:
            raise Refused("type", str(kind), f"$.type: does not have a value in the enumeration [{', '.join(TYPES)}]")
        busy = next((job for job in self._jobs.values() if job.type == kind and job.status(now) in ("created", "in_progress")), None)
        if busy is not None:
            # one job of a type at a time; that it is a 409 and in these words: (belief)
            return Answer(409, problems.problem("Conflict", f"Only one job of type {kind} at a time: job {busy.id} is not complete", 409))
        name = str((int(now.timestamp() * 1000) - SNOWFLAKE_EPOCH_MS) << 22 | len(self._jobs) % 4096)
        job = self._jobs[name] = Job(name, kind, given.get("name"), now)
        return Answer(200, {"data": _shown(job, now, url)})

    def _list(self, parameters: Mapping[str, str], now: datetime, url: str) -> Answer:
        kind, status = parameters.get("type", ""), parameters.get("status")
        if kind not in TYPES:
            raise Refused("type", kind, f"The `type` query parameter value [{kind}] is not one of [{','.join(TYPES)}]")
        found = [_shown(job, now, url) for job in self._jobs.values() if job.type == kind]
        found = [job for job in found if status in (None, job["status"])]
        return Answer(200, {"data": found, "meta": {"result_count": len(found)}} if found else {"meta": {"result_count": 0}})

    def put(self, path: str, signature: str, body: bytes, *, now: datetime) -> tuple[int, bytes]:
        """The upload of the ids, one a line: status and body."""
        job = self._at(path, "upload", signature)
        if job is None or job.status(now) != "created":
            return 403, b"the signature is wrong, or the time for the upload is over"
        ids = tuple(body.decode("utf-8", "replace").split())
        if not all(name.isascii() and name.isdigit() for name in ids):
            return 400, b"one id a line"
        job.ids = ids
        return 200, b""

    def get(self, path: str, signature: str, *, now: datetime, gone: Mapping[int, str]) -> tuple[int, bytes]:
        """The download: a line of JSON for each id that is gone; status and body."""
        job = self._at(path, "download", signature)
        if job is None or now > job.created + DOWNLOAD:
            return 403, b"the signature is wrong, or the time for the download is over"
        if job.ids is None or job.status(now) != "complete":
            return 404, b"not there yet"
        lines = [json.dumps(_result(name, gone[int(name)], job.created)) for name in dict.fromkeys(job.ids) if int(name) in gone]
        return 200, "".join(f"{line}\n" for line in ["", *lines]).encode()

    def _at(self, path: str, action: str, signature: str) -> Job | None:
        name, _, wanted = path.removeprefix(FILES).partition("/")
        job = self._jobs.get(name)
        if job is None or wanted != action or not hmac.compare_digest(signature.encode(), job.signature.encode()):
            return None
        return job


def _shown(job: Job, now: datetime, url: str) -> dict[str, Any]:
    files = f"{url}{FILES}{job.id}"
    named = {"name": job.name} if job.name is not None else {}
    return {
        "id": job.id,
        "type": job.type,
        **named,
        "status": job.status(now),
        "created_at": _written(job.created),
        "upload_url": f"{files}/upload?signature={job.signature}",
        "upload_expires_at": _written(job.created + UPLOAD),
        "download_url": f"{files}/download?signature={job.signature}",
        "download_expires_at": _written(job.created + DOWNLOAD),
        "resumable": False,
    }


def _result(name: str, reason: str, at: datetime) -> dict[str, str]:
    created = datetime.fromtimestamp(((int(name) >> 22) + SNOWFLAKE_EPOCH_MS) // 1000, UTC)
    redacted = {} if reason == "protected" else {"redacted_at": _written(at)}
    return {"id": name, "action": "delete", "created_at": _written(created), **redacted, "reason": reason}


def _written(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.000Z"
