"""What the X API says: is the token accepted, which operators and how far back, what time is it there, can a day be paid?

Asked of the counts endpoints alone, which return no post: half a cent, and one more cent for the full archive. Without a token the same is
asked of the sandbox. Whether search itself answers, nobody can tell without paying for posts.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from pipeline import client as x_api_client
from pipeline import days, estimate, extract, prices, spend
from pipeline.doctor.finding import Finding, fault, ok, refused, unknown, warning
from pipeline.errors import (
    ArchiveRefused,
    BadRequest,
    BudgetReached,
    Forbidden,
    OperatorRefused,
    PaymentRequired,
    PipelineError,
    RateLimited,
    SettingsError,
    Unauthorized,
    UsageCapExceeded,
)
from pipeline.settings import Area, Settings
from pipeline.sources import x_answers, x_api, x_endpoints

#: A clock that is further off is a fault; X's Date is cut to the second, and an answer takes its time.
MOST_SECONDS = 60
#: The smallest page that search gives (facts/x-api.md).
SMALLEST_PAGE = 10
#: Which check a refusal belongs to; of the first kind that fits.
NAMED: tuple[tuple[type[PipelineError], str], ...] = (
    (Unauthorized, "token"),
    (OperatorRefused, "operators"),
    (PaymentRequired, "credits"),
    (UsageCapExceeded, "X's cap"),
    (BadRequest, "queries"),
    (ArchiveRefused, "archive"),
    (Forbidden, "counts"),
)


@dataclass
class Asking:
    """What is asked of X, and what it told of the volume.

    Attributes:
        full: ask counts/all too, even where no day needs it.
        posts: area → posts of its newest day, as far as they are known.
        paid: US dollars by X's price list.
    """

    settings: Settings
    now: datetime
    full: bool = False
    posts: dict[str, int] = field(default_factory=dict)
    paid: float = 0.0
    made_up: bool = False

    def look(self) -> Iterator[Finding]:
        """Ask, and say what came of it."""
        settings = self.settings
        areas = {name: area for name, area in settings.areas.items() if area.source != "archive"}
        question = _question(areas)
        if question is None:
            yield ok("X", "no area asks it: token and clock are not needed")
            return
        name, query = question
        yield (
            ok("token", "X_BEARER_TOKEN is set")
            if not settings.synthetic
            else ok("token", "none: the sandbox answers, and everything is made up")
        )
        # no second try: whoever looks wants to see the fault
        asked = x_api_client.build(settings, account=spend.account(settings, "doctor"))
        asked.attempts = 1
        with contextlib.closing(asked):
            newest = days.last_over(areas[name].zone, self.now, settings.x.settle)
            recent = list(self._ask(asked, x_endpoints.COUNTS_RECENT, name, query, newest))
            yield from recent
            old = self._old_day(areas)
            if not any(finding.check == "counts" and finding.state == "ok" for finding in recent):
                yield unknown("archive", "not asked: counts/recent did not answer")
            elif not settings.x.archive_search:
                yield ok("archive", "not asked: archive_search = false")
            elif self.full or old is not None:
                yield from self._ask(asked, x_endpoints.COUNTS_ALL, name, query, old or newest - timedelta(days=30))
            else:
                yield unknown("archive", "not asked: no day needs it, and it costs $0.010 (--full asks)")
        yield ok("paid", "nothing: it is made up" if self.made_up else f"${self.paid:.3f} for this look, no post")

    def _ask(self, client: x_api.Client, endpoint: x_endpoints.Endpoint, area: str, query: str, day: date) -> Iterator[Finding]:
        """One request. A clock that is off explains a refused window, so then only the clock is named."""
        error: PipelineError | None = None
        sent = time.time()
        try:
            counts = client.counts(endpoint, query, days.window(day, self.settings.area(area).zone))
        except BudgetReached as reached:
            yield warning("budget", " ".join(reached.what.split()), reached.todo)
            yield unknown("X", f"{endpoint.name} not asked: the budget is used up")
            return
        except PipelineError as refusal:
            error = refusal
        clock = _clock(client, sent)
        yield from [clock] if clock and (endpoint is x_endpoints.COUNTS_RECENT or clock.state == "fault") else []
        if error is not None:
            if not (clock and clock.state == "fault" and isinstance(error, BadRequest)):
                yield self._refused(endpoint, error)
            return
        self.paid += prices.REQUEST_DOLLARS[endpoint.name]
        self.made_up = counts.synthetic
        if counts.synthetic and not self.settings.synthetic:
            yield warning("X", f"{client.base_url} is a sandbox: what it answers is made up", "take X_BASE_URL away to ask X itself")
        if endpoint is x_endpoints.COUNTS_ALL:
            yield ok("archive", "counts/all answers: days older than a week can be asked for")
            return
        yield ok("counts", f"counts/recent takes token and query ({_operators(query)}, {len(query)} characters)")
        if len(x_endpoints.queries(extract.clauses(self.settings.area(area)), limit=endpoint.query_length)) == 1:
            self.posts[area] = counts.total

    def _refused(self, endpoint: x_endpoints.Endpoint, error: PipelineError) -> Finding:
        if isinstance(error, RateLimited):
            return warning("X", " ".join(error.what.split()), "asked too often just now: look again in a quarter of an hour")
        check = next((name for kind, name in NAMED if isinstance(error, kind)), "X")
        if check == "counts":
            what = " ".join(error.what.split())
            if needing := _needing_counts(self.settings):
                return fault(check, what, f"raise the access level; without counts {' and '.join(needing)} cannot be")
            if not self.settings.x.ask_counts:
                return warning(check, what, "nothing: ask_counts = false, so no night asks it")
            return fault(
                check,
                what,
                "set ask_counts = false under [x] in settings.toml (then nothing is told of prices and gaps), or raise the access level",
            )
        return refused(check, error)

    def _old_day(self, areas: dict[str, Area]) -> date | None:
        """The newest day of a study that only the full archive reaches and that is not here yet; of the last month."""
        found: list[date] = []
        for study in self.settings.studies.values():
            if study.area not in areas or study.mode != "tweets":
                continue
            zone = areas[study.area].zone
            last = days.last_over(zone, self.now, self.settings.x.settle)
            for day in days.days_between(max(study.start, last - timedelta(days=30)), last):
                begins = days.window(day, zone).start
                reach = self.now - timedelta(days=self.settings.x.recent_days) + x_endpoints.RECENT_MARGIN
                if begins < reach and not any(extract.partition(self.settings, study.area, day).parent.glob("revision=*/manifest.json")):
                    found.append(day)
        return max(found, default=None)


def budget(settings: Settings, posts: dict[str, int]) -> Iterator[Finding]:
    """Whether the limits that the settings set let one day be fetched at all.

    Args:
        posts: area → posts of a day, as X told; for the others what the newest day on disk had.
    """
    x = settings.x
    if settings.synthetic:
        yield ok("budget", "nothing is paid without a token, so no limit holds")
        return
    if x.max_posts_per_day is None and x.max_usd_per_month is None:
        yield ok("budget", "no limit is set ([x] max_posts_per_day, max_usd_per_month)")
        return
    if x.max_posts_per_day is not None and x.max_posts_per_day < SMALLEST_PAGE:
        yield fault(
            "budget",
            f"max_posts_per_day = {x.max_posts_per_day}, and the smallest page has {SMALLEST_PAGE} posts: nothing can be fetched",
            "raise it under [x] in settings.toml",
        )
        return
    asked = {name: area for name, area in settings.areas.items() if area.source != "archive" and _wanted(settings, name)}
    # a sample asks for small pages (sampling.page); of a whole day any page is as large as may be
    page = max((estimate.page_size(settings, x_endpoints.RECENT.name) for area in asked.values() if not area.sample), default=SMALLEST_PAGE)
    if x.max_posts_per_day is not None and x.max_posts_per_day < page:
        yield fault(
            "budget",
            f"max_posts_per_day = {x.max_posts_per_day}, and a page may have {page} posts: nothing can be fetched",
            "raise it under [x] in settings.toml, or set page_size there to no more than it",
        )
        return
    known = {name: volume for name in asked if (volume := posts.get(name, estimate.newest_posts(settings, name))) is not None}
    expected = {name: min(volume, area.sample.posts) if (area := asked[name]).sample else volume for name, volume in known.items()}
    total = sum(expected.values())
    told = f"a day has about {total:,} posts ({', '.join(sorted(expected))}), ${total * prices.POST_DOLLARS:,.2f}"
    if not expected:
        yield unknown("budget", "whether it pays a day is not known: no day's volume is")
    elif x.max_posts_per_day is not None and total > x.max_posts_per_day:
        yield fault("budget", f"{told}; max_posts_per_day = {x.max_posts_per_day:,} does not pay it", _CHEAPER.format("max_posts_per_day"))
    elif x.max_usd_per_month is not None and total * prices.POST_DOLLARS > x.max_usd_per_month:
        yield fault(
            "budget", f"{told}; max_usd_per_month = {x.max_usd_per_month:,.2f} does not pay it", _CHEAPER.format("max_usd_per_month")
        )
    elif x.max_usd_per_month is not None and total * prices.POST_DOLLARS * 28 > x.max_usd_per_month:
        paid = int(x.max_usd_per_month / (total * prices.POST_DOLLARS))
        yield warning("budget", f"{told}; max_usd_per_month pays {paid} such days of a month", _CHEAPER.format("max_usd_per_month"))
    else:
        yield ok("budget", f"{told}; the limits pay it")


_CHEAPER = "raise [x] {} in settings.toml, or take a sample of each day (`sample` in areas.toml)"


def _needing_counts(settings: Settings) -> list[str]:
    """What the settings want that counts alone can give, whatever `ask_counts` says: it only spares what can be done without."""
    studies = [f'[{study.name}] with mode = "counts"' for study in settings.studies.values() if study.mode == "counts"]
    areas = settings.areas.values()
    return studies + [
        f"the sample of [{area.name}]" for area in areas if area.sample and area.source != "archive" and _wanted(settings, area.name)
    ]


def _wanted(settings: Settings, area: str) -> bool:
    return any(study.area == area and study.mode == "tweets" for study in settings.studies.values())


def _question(areas: dict[str, Area]) -> tuple[str, str] | None:
    """(area, query) that says most: with a place where one is listed, and the longest, for lengths are limited too."""
    found = []
    for name, area in areas.items():
        with contextlib.suppress(SettingsError):
            found += [(name, query) for query in x_endpoints.queries(extract.clauses(area), limit=x_endpoints.RECENT.query_length)]
    return max(found, key=lambda each: ("place:" in each[1], len(each[1])), default=None)


def _operators(query: str) -> str:
    return " and ".join(name for name in ("bounding_box", "point_radius", "place") if f"{name}:" in query)


def _clock(client: x_api.Client, sent: float) -> Finding | None:
    """Our clock against X's; None where nothing came back, or without a Date."""
    theirs = x_answers.their_time(client.last) if client.last is not None else None
    if theirs is None:
        return None
    # it was read there between `sent` and now, and cut to the second
    off = max(sent - theirs - 1, min(time.time() - theirs, 0.0))
    if abs(off) > MOST_SECONDS:
        hour = datetime.fromtimestamp(theirs, UTC)
        return fault(
            "clock",
            f"this machine's is {_span(abs(off))} {'ahead of' if off > 0 else 'behind'} X's ({hour:%Y-%m-%d %H:%M} UTC there)",
            "set it right (timedatectl set-ntp true): a day's window and every wait are reckoned by it",
        )
    words = "a second" if abs(off) <= 1 else f"{math.ceil(abs(off))} seconds"
    return ok("clock", f"within {words} of X's")


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:,.1f} hours"
