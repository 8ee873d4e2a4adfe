"""The X API v2 through tweepy: one page of a search at a time, patient with what passes, plain about what does not.

What belongs here: requests, waiting, and what each refusal means. What to ask for and what to keep is extract.py's affair.
Every oddity below comes from shared facts (x-api.md) or from tweepy 4.17's source.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeVar

import requests
import tenacity
import tweepy

from pipeline.days import Window
from pipeline.errors import BudgetReached, PipelineError, SettingsError, TransientError
from pipeline.progress import Progress, silent
from pipeline.sources import x_answers
from pipeline.sources.x_adapter import HOST, Adapter, hush, keep_pace
from pipeline.sources.x_endpoints import (
    ALL,
    COUNTS_ALL,
    COUNTS_RECENT,
    JOB,
    JOBS,
    NEW_JOB,
    RECENT,
    Account,
    Endpoint,
)
from pipeline.sources.x_jobs import Job, Jobs, read_jobs
from pipeline.sources.x_pages import Bucket, Counts, Page, read, read_counts

__all__ = ["Bucket", "Client", "Counts", "Gate", "Page", "keep_pace"]

#: Never `author_id`: each included user may be billed (facts/x-api.md).
EXPANSIONS: Final = ("geo.place_id",)
TWEET_FIELDS: Final = (
    "author_id",
    "created_at",
    "edit_history_tweet_ids",
    "geo",
    "id",
    "lang",
    "note_tweet",
    "referenced_tweets",
    "source",
    "text",
)
PLACE_FIELDS: Final = ("country", "country_code", "full_name", "geo", "id", "name", "place_type")

#: tweepy's method for each.
_METHODS: Final = {
    RECENT.name: "search_recent_tweets",
    ALL.name: "search_all_tweets",
    COUNTS_RECENT.name: "get_recent_tweets_count",
    COUNTS_ALL.name: "get_all_tweets_count",
    NEW_JOB.name: "create_compliance_job",
    JOB.name: "get_compliance_job",
    JOBS.name: "get_compliance_jobs",
}

_Answer = TypeVar("_Answer", Page, Counts, Jobs)


class Gate(Protocol):
    """Knows whether anything may still be asked at all (pipeline/client.py)."""

    def check(self) -> None:
        """Raise where X has refused the whole account before."""

    def note(self, error: PipelineError) -> None:
        """Take notice of what X answered."""


@dataclass(slots=True)
class Waits:
    """How often and how long a client waited before trying again, and how many requests failed."""

    count: int = 0
    seconds: float = 0.0
    errors: int = 0


@dataclass(slots=True)
class Client:
    """A patient client of the search and counts endpoints.

    Args:
        token: the bearer token; it goes into the Authorization header and nowhere else.
        base_url: scheme and host (and path) that stand in for https://api.twitter.com; None for the real one.
        timeout_seconds: for a connection, and between two bytes of an answer.
        answer_seconds: for a whole answer, from the request to its last byte.
        attempts: how often one page is asked for.
        longest_wait_seconds: a longer wait is not waited but raised.
        pace: a file by which all processes keep the spacing that search/all wants; None: no spacing (the sandbox).
        on_request: called before every request that goes out, retries included.
        account: is told of the same requests, and may refuse them (BudgetReached, which is not tried again).
        gate: is asked before each of them, and told of each error.
    """

    token: str = field(repr=False)
    base_url: str | None = None
    timeout_seconds: float = 30.0
    answer_seconds: float = 120.0
    attempts: int = 6
    longest_wait_seconds: float = 960.0
    pace: Path | None = None
    on_request: Callable[[], None] = lambda: None
    account: Account | None = None
    gate: Gate | None = None
    progress: Progress = silent
    waits: Waits = field(default_factory=Waits)
    _adapter: Adapter = field(init=False, repr=False)
    _tweepy: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check_token(self.token)
        hush()
        self._adapter = Adapter(self.base_url, timeout=self.timeout_seconds, longest=self.answer_seconds, on_request=self.on_request)
        # wait_on_rate_limit: a 429 without a reset header made it send 975 requests back to back (facts/x-api.md)
        self._tweepy = tweepy.Client(self.token, return_type=requests.Response, wait_on_rate_limit=False)
        session = self._tweepy.session
        session.mount(HOST, self._adapter)
        # a redirect would carry the query to a host that nobody has named
        session.max_redirects = 0
        # an authorisation that adds nothing: without one, an entry for the host in ~/.netrc would replace the token
        session.auth = _leave

    @property
    def last(self) -> requests.Response | None:
        """The last answer, for its headers; None where none came."""
        return self._adapter.last

    def close(self) -> None:
        """Close the connections."""
        self._tweepy.session.close()

    def page(
        self,
        endpoint: Endpoint,
        query: str,
        window: Window,
        *,
        page_size: int | None = None,
        next_token: str | None = None,
        until_id: int | None = None,
        attempts: int | None = None,
    ) -> Page:
        """One page of the search, newest first; start of the window inclusive, end exclusive.

        Args:
            page_size: posts a page; None, or more than the endpoint gives: its largest.
            next_token: from the page before, with everything else unchanged.
            until_id: only posts older than this one: the way on where a token is refused.
            attempts: how often it is asked for; None for the client's own number.

        Raises:
            TransientError: still failing after `attempts`, or the wait would be longer than `longest_wait_seconds`.
            BudgetReached: the account refused.
            SourceRefused, UnexpectedAnswer: a person is needed.
        """
        size = min(page_size or endpoint.largest_page, endpoint.largest_page)
        wanted = {
            "start_time": window.start,
            "end_time": window.end,
            "max_results": size,
            "next_token": next_token,
            "until_id": until_id,
            "expansions": list(EXPANSIONS),
            "tweet_fields": list(TWEET_FIELDS),
            "place_fields": list(PLACE_FIELDS),
        }
        return self._patiently(endpoint, query, wanted, size, read, attempts or self.attempts)

    def counts(
        self,
        endpoint: Endpoint,
        query: str,
        window: Window,
        *,
        granularity: Literal["minute", "hour", "day"] = "hour",
        next_token: str | None = None,
    ) -> Counts:
        """One page of counts: how many posts of the query were written in each minute, hour or day (of UTC) of the window.

        Args:
            next_token: from the page before, with everything else unchanged; tweepy's Paginator would send it under a wrong name.

        Raises:
            As `page`.
        """
        wanted: dict[str, object] = {"start_time": window.start, "end_time": window.end, "granularity": granularity}
        if next_token is not None:
            wanted["next_token"] = next_token
        return self._patiently(endpoint, query, wanted, 0, read_counts, self.attempts)

    def jobs(self, endpoint: Endpoint, what: str, **wanted: object) -> tuple[Job, ...]:
        """The compliance jobs that one of NEW_JOB (`what`: tweets), JOB (an id) and JOBS (tweets) answers with.

        Raises:
            As `page`.
        """
        return self._patiently(endpoint, what, wanted, 0, read_jobs, self.attempts).listed

    def _patiently(
        self,
        endpoint: Endpoint,
        query: str,
        wanted: Mapping[str, object],
        posts_at_most: int,
        reader: Callable[[requests.Response], _Answer],
        attempts: int,
    ) -> _Answer:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, TransientError) and not isinstance(error, BudgetReached)),
            wait=self._wait,
            stop=lambda state: state.attempt_number >= attempts or state.upcoming_sleep > self.longest_wait_seconds,
            sleep=self._sleep,
            before_sleep=lambda state: self._tell(state, attempts),
            reraise=True,
        )
        answer: _Answer = retrying(self._once, endpoint, query, wanted, posts_at_most, reader)
        return answer

    def _once(
        self,
        endpoint: Endpoint,
        query: str,
        wanted: Mapping[str, object],
        posts_at_most: int,
        reader: Callable[[requests.Response], _Answer],
    ) -> _Answer:
        if self.gate is not None:
            self.gate.check()
        if self.account is not None:
            self.account.before(endpoint.name, posts_at_most, f"{query} {wanted}")
        received: list[int] | None = None
        self._adapter.forget()
        try:
            answer = reader(self._send(endpoint, query, wanted))
            received = [number for number, _ in answer.written] if isinstance(answer, Page) else []
            if isinstance(answer, Page) and answer.partial:
                self.progress(None, f"X gave the page, but not all that belongs to it: {'; '.join(answer.partial)[:300]}")
            return answer
        except PipelineError as error:
            self.waits.errors += 1
            if self.gate is not None:
                self.gate.note(error)
            raise
        finally:
            if self.account is not None:
                self.account.after(endpoint.name, received, self._adapter.answered)

    def _send(self, endpoint: Endpoint, query: str, wanted: Mapping[str, object]) -> requests.Response:
        if endpoint.spacing and self.pace is not None:
            keep_pace(self.pace, endpoint.spacing)
        hush()
        try:
            response: requests.Response = getattr(self._tweepy, _METHODS[endpoint.name])(query, **wanted)
            return response
        except requests.RequestException as error:
            raise x_answers.unreachable(error, self.base_url or HOST) from error
        except (tweepy.TweepyException, AttributeError, TypeError, ValueError, KeyError) as error:
            # tweepy's own errors trip over bodies that are not objects (a list under a 5xx) and over odd reset headers
            last = self._adapter.last
            if last is None or last.status_code < 300:
                raise
            raise x_answers.refusal(last, endpoint.name, query) from error

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        retry_after = getattr(error, "retry_after", None)
        if retry_after is not None:
            return max(float(retry_after), 0.0)
        # half of it chance, so that several clients do not come back at one moment; a minute at most
        return float(tenacity.wait_random_exponential(multiplier=1, max=min(60.0, self.longest_wait_seconds / 16))(state))

    def _tell(self, state: tenacity.RetryCallState, attempts: int) -> None:
        error = state.outcome.exception() if state.outcome else None
        what = error.what if isinstance(error, PipelineError) else str(error)
        self.progress(None, f"{what}; trying again in {state.upcoming_sleep:.0f} s (attempt {state.attempt_number + 1} of {attempts})")

    def _sleep(self, seconds: float) -> None:
        self.waits.count += 1
        self.waits.seconds += seconds
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if seconds - left > 1:
                self.progress(None, f"waiting for X: {left:.0f} s left")
            time.sleep(min(left, 15.0))


def _leave(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _check_token(token: str) -> None:
    # requests would print the whole header in its complaint about such a token
    if not token or not token.isascii() or any(character <= " " or character == "\x7f" for character in token):
        raise SettingsError(
            "got a bearer token that is empty or holds white space or other characters that no token has (not shown here)",
            todo="put the app's bearer token, and nothing else, into X_BEARER_TOKEN",
        )
