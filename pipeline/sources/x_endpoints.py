"""Endpoints of the X API: limits, which one reaches back to a day, what a query looks like. How they are asked is x_api.py's affair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from pipeline.days import Window
from pipeline.errors import MissingData, SettingsError

#: Version of what is asked for (fields, query form): part of the extraction's revision.
CODE: Final = 1

#: What belongs to every query: a retweet has no place and would only count wrongly (facts/x-api.md).
SUFFIX: Final = " -is:retweet"

#: A page near the edge of the recent window must still be there after a wait for the rate limit, and clocks differ.
RECENT_MARGIN: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A search or counts endpoint and its limits."""

    name: str
    #: posts; 0 where it gives none
    largest_page: int
    query_length: int
    #: seconds that must lie between two requests
    spacing: float


RECENT: Final = Endpoint("search/recent", 100, 512, 0.0)
ALL: Final = Endpoint("search/all", 500, 1024, 1.0)
#: The two that give posts.
ENDPOINTS: Final = {endpoint.name: endpoint for endpoint in (RECENT, ALL)}

#: 31 days a page (facts/x-api.md); of the one second between two requests of search/all nothing is said for counts.
COUNTS_RECENT: Final = Endpoint("counts/recent", 0, 512, 0.0)
COUNTS_ALL: Final = Endpoint("counts/all", 0, 1024, 0.0)
#: The counts endpoint that reaches as far back as a search endpoint and takes as long a query.
COUNTS_OF: Final = {RECENT: COUNTS_RECENT, ALL: COUNTS_ALL}

#: Batch compliance: a new job, one of them, all. They give no posts and cost nothing (facts/x-api.md: no price line).
NEW_JOB: Final = Endpoint("compliance/jobs (new)", 0, 0, 0.0)
JOB: Final = Endpoint("compliance/jobs/:id", 0, 0, 0.0)
JOBS: Final = Endpoint("compliance/jobs", 0, 0, 0.0)


class Account(Protocol):
    """Who is told of every request, to keep a budget: `after` once for every `before` that did not raise (pipeline/spend.py)."""

    def before(self, endpoint: str, posts_at_most: int, request: str) -> None:
        """A request is about to go out, which gives so many posts at most. May raise BudgetReached; then it does not go out.

        `request`: all that is asked for, the same text for the same request.
        """

    def after(self, endpoint: str, post_ids: Sequence[int] | None, answered: bool) -> None:
        """It is over. `post_ids`: the posts received, None where nobody can tell; `answered`: whether X answered with a 2xx."""


def endpoint_for(window: Window, now: datetime, *, recent_days: int = 7, archive_search: bool = True) -> Endpoint:
    """The endpoint that reaches back to `window` at `now`: search/recent while its start is inside the last days, else search/all.

    Raises:
        MissingData: only search/all reaches so far back, and the settings say not to use it.
    """
    if window.start >= horizon(now, recent_days):
        return RECENT
    if archive_search:
        return ALL
    raise MissingData(
        f"the day began at {window.start:%Y-%m-%d %H:%M} UTC, and search/recent reaches back {recent_days} days only",
        todo="set archive_search = true under [x] in settings.toml if the account may use search/all, or import an archive of the day",
    )


def horizon(now: datetime, recent_days: int) -> datetime:
    """The oldest instant that search/recent is asked for at `now`."""
    return now - timedelta(days=recent_days) + RECENT_MARGIN


def queries(clauses: tuple[str, ...], *, limit: int) -> tuple[str, ...]:
    """As few queries as hold all clauses, in their order, each at most `limit` characters: `(a OR b) -is:retweet`.

    The parentheses matter: AND binds before OR, so without them all but one clause would ask for retweets too.

    Raises:
        SettingsError: one clause alone is too long, or there is none.
    """
    groups: list[list[str]] = []
    room = limit - len("()") - len(SUFFIX)
    for clause in clauses:
        if len(clause) > room:
            raise SettingsError(f"got a clause of {len(clause)} characters, wanted at most {room}: {clause}", todo="see areas.toml")
        if groups and len(" OR ".join([*groups[-1], clause])) <= room:
            groups[-1].append(clause)
        else:
            groups.append([clause])
    if not groups:
        raise SettingsError("got no geo clause at all, wanted at least one", todo="see the area's box in areas.toml")
    return tuple(f"({' OR '.join(group)}){SUFFIX}" for group in groups)
