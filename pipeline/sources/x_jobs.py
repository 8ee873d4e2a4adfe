"""Batch compliance jobs of the X API: what an answer about a job says, and the two addresses that ids go to and results come from.

Those addresses are another host's and signed: no token is sent there, and no message shows more of them than the host.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from pipeline.errors import SourceRefused, SourceUnavailable, UnexpectedAnswer
from pipeline.sources import x_answers

#: Words of `status` (docs.x.com/x-api/compliance/batch-compliance).
OPEN: Final = ("created", "in_progress")
OVER: Final = ("failed", "expired")
#: What went wrong, in the XML that such stores answer with (cloud.google.com/storage/docs/xml-api/reference-status).
_CODE: Final = re.compile(r"<Code>(\w{1,60})</Code>")


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `status` is created (waits for the ids), in_progress, complete, failed or expired."""

    id: str
    status: str
    name: str
    upload_url: str
    download_url: str


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs that an answer tells of."""

    listed: tuple[Job, ...]


def read_jobs(response: requests.Response) -> Jobs:
    """Check a 200 of the compliance endpoint, of one job or of several.

    Raises:
        SourceUnavailable: the body is no JSON.
        UnexpectedAnswer: JSON, but no job.
    """
    try:
        document = json.loads(response.content)
    except ValueError as error:
        raise SourceUnavailable(
            f"got {len(response.content)} bytes that are no whole JSON with status {response.status_code}, wanted a compliance job",
            todo="usually passes; if not, see whether X_BASE_URL is the API",
        ) from error
    data = document.get("data", []) if isinstance(document, dict) else None
    try:
        return Jobs(tuple(_job(entry) for entry in (data if isinstance(data, list) else [data])))
    except (KeyError, TypeError, AttributeError) as error:
        told = "; ".join(x_answers.messages(document)) or f"a {type(document).__name__}"
        raise UnexpectedAnswer(
            f"got an answer of status {response.status_code} with {told}, wanted a job's `id` and `status`",
            todo="see whether X_BASE_URL is the API, and whether the API has changed its answers",
        ) from error


def _job(entry: Any) -> Job:
    addresses = (str(entry.get(name, "")) for name in ("upload_url", "download_url"))
    return Job(str(entry["id"]), str(entry["status"]), str(entry.get("name", "")), *addresses)


def upload(job: Job, ids: bytes, *, timeout: float) -> None:
    """Send the ids, one a line.

    Raises:
        SourceUnavailable: trying again may help. SourceRefused: it was refused.
    """
    _answered(job.upload_url, timeout, "PUT", data=ids, headers={"content-type": "text/plain"})


def download(job: Job, *, timeout: float) -> bytes:
    """The results: one JSON object a line, `{"id", "action", "reason", …}`, of what is gone.

    Raises:
        As `upload`.
    """
    return _answered(job.download_url, timeout, "GET").content


def _answered(url: str, timeout: float, method: str, **given: Any) -> requests.Response:
    host = urlsplit(url).hostname or "the address of the compliance job"
    with requests.Session() as session:
        # an entry for the host in ~/.netrc would add an authorisation
        session.auth = _as_it_is
        try:
            response = session.request(method, url, timeout=timeout, **given)
        except requests.RequestException as error:
            raise SourceUnavailable(
                f"{host} did not take or give the ids of the compliance job ({type(error).__name__})", todo="run again: the job goes on"
            ) from None
    if response.status_code >= 500:
        raise SourceUnavailable(f"{host} answered HTTP {response.status_code} to {method}", todo="run again: the job goes on")
    if response.status_code >= 300:
        # the words of a store of files repeat the signed address: its code alone is told
        code = _CODE.search(response.text[:2000])
        raise SourceRefused(
            f"{host} answered HTTP {response.status_code} to {method}" + (f" ({code[1]})" if code else ""),
            todo="run again; if it stays so, remove compliance/job.json in the data folder, so that a new job is begun",
        )
    return response


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
