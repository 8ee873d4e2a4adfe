"""What a night would ask of the X API and what that costs, told before it is asked: from the counts endpoint's answers, which are kept.

The answers that are asked for here are those that the night itself would ask for (expected.py): it does not ask again.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, Literal, TypeAlias

from pipeline import days, expected, extract, extract_counts, prices, sampling, storage
from pipeline.errors import BudgetReached, MissingData, RateLimited, SourceRefused, SourceUnavailable, UnexpectedAnswer
from pipeline.settings import Area, Settings
from pipeline.sources import x_api, x_endpoints
from pipeline.spend import Spent

#: Where a number of posts comes from: X counted them; days of the same area that are known; nowhere.
Basis: TypeAlias = Literal["counted", "other days", "unknown"]

#: What looking may cost where nobody says how much, US dollars.
ASK_UP_TO: Final = 0.10


NOT_ASKED: Final = "X was not asked"

#: Makes a client that asks.
Build: TypeAlias = Callable[[], x_api.Client]


@dataclass(frozen=True)
class Estimate:
    """What fetching one day would take, from where it stands.

    Attributes:
        name: the area, or the study in mode "counts".
        day: the local day.
        endpoint: where it would be asked for; empty where no endpoint reaches it.
        queries: as they would be sent.
        basis: where `posts` comes from.
        posts: that would come and be paid; an upper estimate where several queries overlap. None where nothing is known.
        requests: at least so many; None as `posts`.
        counting: requests to the counts endpoint that would come before.
        why: why nothing is known, in X's words or ours; empty where something is.
    """

    name: str
    day: date
    endpoint: str
    queries: tuple[str, ...]
    basis: Basis = "unknown"
    posts: int | None = None
    requests: int | None = None
    counting: int = 0
    why: str = ""

    @property
    def dollars(self) -> float | None:
        """By X's price list, the counting included; None where the posts are not known."""
        if self.posts is None:
            return None
        return _asking(self) + prices.dollars(self.endpoint, requests=0, posts=self.posts)


@dataclass(frozen=True)
class Budget:
    """What is left of the limits, None where there is none, and whether it pays the night.

    Attributes:
        posts: left of this UTC day.
        dollars: left of this UTC month.
        stops: which limit would stop the night before its end; empty where none would.
    """

    posts: int | None
    dollars: float | None
    stops: str


def night(
    settings: Settings, wanted: Sequence[tuple[str, str, date]], *, now: datetime, build: Build | None, up_to: float = ASK_UP_TO
) -> tuple[list[Estimate], float]:
    """What some days together would take.

    Args:
        wanted: ("ExtractTweets" or "ExtractCounts", area or study, day).
        now: the time it is, aware.
        build: makes the client that asks X for what is not known yet, the newest days first; None asks nothing.
        up_to: US dollars by X's price list that asking may cost.

    Returns:
        The estimates in the order of `wanted`, and what asking for the rest of the counts would cost, US dollars.
    """
    found = [
        of_area(settings, name, day, now=now) if task == "ExtractTweets" else of_counts(settings, name, day, now=now)
        for task, name, day in wanted
    ]
    unasked = sorted(
        (number for number in range(len(found)) if _askable(found[number])), key=lambda number: found[number].day, reverse=True
    )
    if build is not None and unasked and _asking(found[unasked[0]]) <= up_to + 1e-9:
        with contextlib.closing(build()) as client:
            for number in unasked:
                each = found[number]
                up_to -= _asking(each)
                if up_to < -1e-9:
                    break
                try:
                    found[number] = of_area(settings, each.name, each.day, now=now, client=client)
                except BudgetReached as error:
                    found[number] = replace(each, why=error.what)
                    break
    left = sum(_asking(each) for each in found if _askable(each))
    known = {each.name: newest_posts(settings, each.name) for each in found}
    return filled(found, known, lambda endpoint: page_size(settings, endpoint)), left


def _askable(each: Estimate) -> bool:
    """Whether X could say more: it was not asked (or the budget did not let us), rather than that it refused."""
    return each.basis == "unknown" and each.counting > 0 and each.why in ("", NOT_ASKED)


def _asking(each: Estimate) -> float:
    return prices.dollars(_counts_endpoint(each), requests=each.counting, posts=0)


def _counts_endpoint(each: Estimate) -> str:
    return f"counts/{each.endpoint.rpartition('/')[2]}"


def of_area(settings: Settings, name: str, day: date, *, now: datetime, client: x_api.Client | None = None) -> Estimate:
    """What the tweets of one day of an area would take.

    Args:
        now: the time it is, aware: it decides the endpoint.
        client: to ask for counts that are not kept yet; None asks nothing.

    Raises:
        SettingsError: the area's box is too large to be asked for.
    """
    area, window = settings.area(name), days.window(day, settings.area(name).zone)
    try:
        x = settings.x
        endpoint = x_endpoints.endpoint_for(window, now, recent_days=x.recent_days, archive_search=x.archive_search)
    except MissingData as error:
        return Estimate(name, day, "", (), why=error.what)
    queries = x_endpoints.queries(extract.clauses(area), limit=endpoint.query_length) if window.start < window.end else ()
    blank = Estimate(name, day, endpoint.name, queries, counting=len(queries) if settings.x.ask_counts else 0)
    if not settings.x.ask_counts:
        return replace(blank, why="[x] ask_counts is false")
    folder, granularity = expected.folder(settings, name, day), granularity_of(area, window)
    volumes = expected.known(folder, queries, window, granularity)
    if volumes is None and client is not None:
        try:
            volumes = expected.volumes(client, x_endpoints.COUNTS_OF[endpoint], queries, window, granularity, folder=folder)
        except (SourceRefused, SourceUnavailable, RateLimited, UnexpectedAnswer) as error:
            return replace(blank, why=" ".join(error.what.split()))
    if volumes is None:
        return replace(blank, why=NOT_ASKED)
    return _counted(settings, blank, area, endpoint, volumes)


def granularity_of(area: Area, window: days.Window) -> expected.Granularity:
    """As the extraction asks: by the minute where a sample is drawn from it."""
    return "minute" if area.sample is not None else expected.granularity_for(window)


def _counted(settings: Settings, blank: Estimate, area: Area, endpoint: x_endpoints.Endpoint, volumes: expected.Volumes) -> Estimate:
    """Posts and requests by the volumes; what is on the disk already is not asked for again."""
    page = min(settings.x.page_size or endpoint.largest_page, endpoint.largest_page)
    spans, here = _left(settings, area, blank.day)
    if spans is not None:
        parts = [volumes.within(span) or 0 for span in spans]
        posts = sum(parts)
        requests = sum(max(math.ceil(part / page), 1) for part in parts) * len(blank.queries)
    elif area.sample is not None and volumes.total > area.sample.posts:
        posts = max(area.sample.posts - here, 0)
        slices = _slices(area, blank.day, volumes)
        requests = slices * max(math.ceil(posts / slices / page), 1) * len(blank.queries)
    else:
        posts = max(volumes.total - here, 0)
        requests = sum(max(math.ceil(total / page), 1) for total in volumes.totals) - here // page
    return replace(blank, basis="counted", posts=posts, requests=max(requests, 1), counting=0)


def _left(settings: Settings, area: Area, day: date) -> tuple[list[days.Window] | None, int]:
    """(the spans that are left of a day that is here in part, None where all is; posts that a begun extraction holds)."""
    final = extract.partition(settings, area.name, day)
    if final.is_dir():
        holes = storage.read_json(final / "manifest.json").get("holes") or []
        spans = [(datetime.fromisoformat(hole["start"]), datetime.fromisoformat(hole["end"])) for hole in holes if hole.get("refetch")]
        return [days.Window(*span) for span in spans], 0
    try:
        begun: dict[str, Any] = storage.read_json(final.with_name(f"{final.name}.partial") / "cursor.json")
    except MissingData:
        return None, 0
    return None, sum(page["posts"] for page in begun.get("pages") or [])


def _slices(area: Area, day: date, volumes: expected.Volumes) -> int:
    """How many spans a sample of the day would walk: drawn as the extraction draws them."""
    assert area.sample is not None
    return len(sampling.draw(volumes.buckets, area.sample.posts, seed=f"{area.name} {day}", end=volumes.window.end))


def of_counts(settings: Settings, study: str, day: date, *, now: datetime) -> Estimate:
    """What a day of a study in mode "counts" would take: two answers, whatever they say."""
    window = days.window(day, settings.area(settings.study(study).area).zone)
    asked = extract_counts.queries(settings, study)
    try:
        endpoint = extract_counts.endpoint_for(settings, asked, window, now)
    except MissingData as error:
        return Estimate(study, day, "", (), why=error.what)
    queries = (asked.trials, asked.matches)
    return Estimate(study, day, endpoint.name, queries, "counted", posts=0, requests=0, counting=len(queries))


def filled(estimates: Sequence[Estimate], known: Mapping[str, int | None], page: Callable[[str], int]) -> list[Estimate]:
    """Days that nothing is known of get the mean of the same area's other days, else what `known` says of its newest day on disk.

    Args:
        known: area → posts of a day, None where there is none.
        page: endpoint → posts a page.
    """
    done = []
    for each in estimates:
        others = [other.posts for other in estimates if other.name == each.name and other.basis == "counted" and other.posts is not None]
        typical = round(sum(others) / len(others)) if others else known.get(each.name)
        if each.basis == "unknown" and each.endpoint and typical is not None:
            requests = max(len(each.queries), math.ceil(typical / page(each.endpoint)))
            done.append(replace(each, basis="other days", posts=typical, requests=requests))
        else:
            done.append(each)
    return done


def page_size(settings: Settings, endpoint: str) -> int:
    """Posts a page of a search endpoint, as the settings want it."""
    largest = x_endpoints.ENDPOINTS[endpoint].largest_page if endpoint in x_endpoints.ENDPOINTS else 1
    return min(settings.x.page_size or largest, largest)


def budget(settings: Settings, spent: Spent | None, estimates: Iterable[Estimate]) -> Budget:
    """What is left and whether it pays all of them; without a ledger nothing is spent yet. Limits hold where something is paid only."""
    if settings.synthetic:
        return Budget(None, None, "")
    posts = sum(each.posts or 0 for each in estimates)
    dollars = sum(each.dollars or 0.0 for each in estimates)
    x = settings.x
    posts_left, dollars_left = x.max_posts_per_day, x.max_usd_per_month
    if spent is not None and posts_left is not None:
        posts_left = max(posts_left - spent.posts_day - spent.reserved_posts_day, 0)
    if spent is not None and dollars_left is not None:
        dollars_left = max(dollars_left - spent.dollars_month - spent.reserved_dollars_month, 0.0)
    short = ["max_posts_per_day"] if posts_left is not None and posts > posts_left else []
    short += ["max_usd_per_month"] if dollars_left is not None and dollars > dollars_left + 1e-9 else []
    return Budget(posts_left, dollars_left, " and ".join(short))


def on_disk(settings: Settings, name: str) -> str:
    """One line on the price of an area's day, from what the disk holds; asks nothing. Empty where it holds nothing.

    Raises:
        SettingsError: there is no such area.
    """
    area = settings.area(name)
    posts = newest_posts(settings, name)
    if posts is None or area.source == "archive":
        return ""
    paid = posts if area.sample is None else min(posts, area.sample.posts)
    sampled = f", of which a sample takes {paid:,}" if paid < posts else ""
    made_up = "; made up: nothing is paid" if settings.synthetic else ""
    return f"a day has about {posts:,} posts{sampled}: ${paid * prices.POST_DOLLARS:,.2f} by X's price list{made_up}"


def newest_posts(settings: Settings, name: str) -> int | None:
    """Posts of the area's newest day that the disk knows of: what X counted, else what was fetched; None where there is none."""
    raw, counted = (settings.data / kind / f"area={name}" for kind in ("raw", "expected"))
    for folder in sorted({path.name for path in (*raw.glob("date=*"), *counted.glob("date=*"))}, reverse=True):
        day = date.fromisoformat(folder.removeprefix("date="))
        if (posts := _kept_answers(settings, name, day)) is not None:
            return posts
        for path in sorted((raw / folder).glob("revision=*/manifest.json")):
            manifest = storage.read_json(path)
            if manifest.get("sample") is None and manifest.get("synthetic") is settings.synthetic:
                return int(manifest.get("posts", 0))
    return None


def _kept_answers(settings: Settings, name: str, day: date) -> int | None:
    """What X counted of a day, from the disk: whichever endpoint's queries it was asked with."""
    area = settings.area(name)
    window = days.window(day, area.zone)
    for endpoint in x_endpoints.ENDPOINTS.values():
        queries = x_endpoints.queries(extract.clauses(area), limit=endpoint.query_length)
        volumes = expected.known(expected.folder(settings, name, day), queries, window, granularity_of(area, window))
        if volumes is not None:
            return volumes.total
    return None
