"""One day being fetched, by the process that holds its lock: page after page, past what fails, resumable everywhere.

While it is fetched a day lives in `revision=….partial/`: the pages, and `cursor.json` after each of them. The manifest comes last, then one
rename makes the partition. Holes of a partition are fetched in the same folder, beside it; then their pages are copied in, and the manifest
is replaced. What remains to be asked is walks.py, where the files lie and who may ask extract.py.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import zstandard

from pipeline import client, cursor, days, expected, faults, hours, raw, redaction, sampling, storage, tombstones, walks
from pipeline.cursor import Cursor
from pipeline.days import Window
from pipeline.errors import (
    ArchiveRefused,
    MissingData,
    PaymentRequired,
    RateLimited,
    SettingsError,
    SourceRefused,
    SourceUnavailable,
    Unauthorized,
    UnexpectedAnswer,
    UsageCapExceeded,
)
from pipeline.progress import Progress
from pipeline.settings import Area, Settings
from pipeline.sources import x_api, x_endpoints
from pipeline.sources.x_answers import RefusedToken
from pipeline.walks import Hole, Walk

#: How often a page is asked for beside an hour that failed.
CAREFUL_ATTEMPTS: Final = 2
#: A day of which more than this share could not be had is no partial day but a fault.
MOST_MISSING: Final = 0.25
#: The same token so often is a circle; twice it may be, for X repeats a page now and then.
CIRCLE: Final = 3

NO_ANSWER: Final = "X did not answer for it"


@dataclass
class Fetching:
    """A day's extraction.

    Args:
        clauses: the geo operators that ask for the area.
        final: the partition's folder.
        now: the time it is, aware.
        night: the id of the night that this run belongs to.
        account: see x_endpoints.Account; None to pay from none.
    """

    settings: Settings
    area: Area
    day: date
    clauses: tuple[str, ...]
    final: Path
    now: datetime
    night: str
    account: x_endpoints.Account | None
    progress: Progress

    def __post_init__(self) -> None:
        self.work = self.final.with_name(f"{self.final.name}.partial")
        self.window = days.window(self.day, self.area.zone)
        self.hours = walks.hours_of(self.window)
        self.refetching = False
        #: Whether the last page could not be had.
        self.shaken = False
        #: What search/all refused us with.
        self.refused: ArchiveRefused | None = None

    def whole_day(self) -> None:
        """Fetch what is missing of a day that is not there yet, write the manifest, publish."""
        if not (self.work / "manifest.json").exists():
            at = self._begun() or self._begin()
            self._fetch(at)
            made_up = self.settings.synthetic or bool(at.synthetic)
            head = {"source": "sandbox" if self.settings.synthetic else "x", "synthetic": made_up}
            manifest = raw.manifest(at, self.area, self.day, self.work, self._requests(), **head)
            storage.write_json(self.work / "manifest.json", {**manifest, "revision": self.final.name.removeprefix("revision=")})
        faults.point("extract.manifest")
        for name in ("cursor.json", "requests"):
            (self.work / name).unlink(missing_ok=True)
        self.work.rename(self.final)
        storage.fsync_directory(self.final.parent)

    def holes(self) -> None:
        """Ask for the holes of a partition; what is there stays, and what cannot be had this time stays a hole."""
        self.refetching = True
        before = storage.read_json(self.final / "manifest.json")
        left = cursor.load(self.work, self.window)
        if left is not None and left.merged_into(before):
            # killed when all but this was done
            shutil.rmtree(self.work)
        at = self._begun() or self._begin_again(before)
        self._fetch(at)
        self._merge(at, before)

    def close(self) -> None:
        """Close the connections."""
        if "client" in vars(self):
            self.client.close()

    # ---- what there is to do ---------------------------------------------------------------------------------------------------

    def _begun(self) -> Cursor | None:
        """The cursor that an earlier process left. Files that it does not know (half a page) go."""
        at = cursor.load(self.work, self.window)
        if at is None:
            return None
        known = {page["file"] for page in at.pages} | {"cursor.json", "requests"}
        for path in self.work.iterdir():
            if path.name not in known:
                path.unlink()
        if at.night != self.night:
            at.night = self.night
            at.take_back()
            at.walks = [replace(walk, hours=0) for walk in at.walks]
        self._turn_to(at)
        return at

    def _begin(self) -> Cursor:
        """Decide what to ask for."""
        at = Cursor(x_endpoints.RECENT.name, [], walks.over([0], [self.window]), self.night)
        self._turn_to(at)
        self.work.mkdir(parents=True, exist_ok=True)
        # a time zone may leave a day out (Pacific/Apia, 2011-12-30): nothing to ask for
        if at.walks:
            self._expect(at)
            at.save(self.work)
        return at

    def _begin_again(self, before: dict[str, Any]) -> Cursor:
        known = [walks.hole(entry) for entry in before["holes"]]
        spans = [hole for hole in known if hole.refetch]
        at = Cursor(before["endpoint"], list(before["queries"]), [], self.night, synthetic=before["synthetic"])
        at.sample, at.expected = before.get("sample"), [entry["expected"] for entry in before["hours"]]
        at.first = 1 + max((int(page["file"][5:10]) for page in before["pages"]), default=0)
        at.walks = walks.over(range(len(at.queries)), [hole.window for hole in spans])
        misses = {(hole.window, query) for hole in spans for query in hole.queries or range(len(at.queries))}
        at.walks = [walk for walk in at.walks if (walk.window, walk.query) in misses]
        self._turn_to(at)
        self.work.mkdir(parents=True, exist_ok=True)
        at.save(self.work)
        return at

    def _turn_to(self, at: Cursor) -> None:
        """The endpoint that reaches back to what remains; what none reaches any more becomes a hole for good.

        Raises:
            MissingData, ArchiveRefused: nothing is there, and nothing can be reached.
        """
        if not at.walks:
            return
        x = self.settings.x
        span = Window(min(walk.start for walk in at.walks), max(walk.end for walk in at.walks))
        try:
            endpoint = x_endpoints.endpoint_for(
                span, self.now, recent_days=x.recent_days, archive_search=x.archive_search and self.refused is None
            )
        except MissingData as error:
            reach = next((hour.start for hour in self.hours if hour.start >= x_endpoints.horizon(self.now, x.recent_days)), self.window.end)
            if not at.pages and not self.refetching and all(walk.position <= reach for walk in at.walks):
                raise self.refused or error from None
            if self.refused and at.pages:
                # search/all has answered before: its access may come back
                raise self.refused from None
            endpoint = x_endpoints.RECENT
            lost = "search/all was refused" if self.refused else "archive_search is false"
            self._give_up(at, reach, f"older than the {x.recent_days} days that search/recent reaches, and {lost}")
        self._ask_of(at, endpoint)

    def _give_up(self, at: Cursor, reach: datetime, why: str) -> None:
        pieces = [walks.clipped(walk, reach, why) for walk in at.walks]
        at.walks = [walk for walk, _ in pieces if walk is not None]
        at.holes += [hole for _, hole in pieces if hole is not None]

    def _ask_of(self, at: Cursor, endpoint: x_endpoints.Endpoint) -> None:
        """Go on at this endpoint: a token of another means nothing to it, and a query may be too long for it."""
        if not at.walks or (at.queries and at.endpoint == endpoint.name):
            return
        if at.queries and all(len(at.queries[walk.query]) <= endpoint.query_length for walk in at.walks):
            at.walks = [walk.without_token() for walk in at.walks]
        elif all(walk.oldest_id is None for walk in at.walks):
            asked = x_endpoints.queries(self.clauses, limit=endpoint.query_length)
            new = [query for query in asked if query not in at.queries]
            at.queries += new
            numbers = [at.queries.index(query) for query in asked]
            spans = walks.merged(Hole(walk.start, walk.end, "", True) for walk in at.walks)
            at.walks = walks.over(numbers, [hole.window for hole in spans])
            at.holes = [replace(hole, queries=tuple(numbers)) for hole in at.holes]
        elif self.refused:
            raise self.refused
        else:
            # [x] recent_days was raised: the queries of search/all are too long for search/recent, and it still answers them
            return
        at.endpoint = endpoint.name

    def _expect(self, at: Cursor) -> None:
        """Ask the counts endpoint what there is, and draw the sample where one is wanted."""
        x, sample = self.settings.x, self.area.sample
        if not x.ask_counts and sample is None:
            return
        if not x.ask_counts:
            raise SettingsError(
                f"areas.toml, [{self.area.name}]: a sample needs X's counts, and [x] ask_counts of settings.toml is false",
                todo="set ask_counts = true, or take the line sample = … out",
            )
        span = Window(min(walk.start for walk in at.walks), self.window.end)
        try:
            found = expected.volumes(
                self.client,
                x_endpoints.COUNTS_OF[x_endpoints.ENDPOINTS[at.endpoint]],
                at.queries,
                span,
                "minute" if sample else expected.granularity_for(span),
                folder=expected.folder(self.settings, self.area.name, self.day),
            )
        except (UsageCapExceeded, PaymentRequired, Unauthorized):
            raise
        except (SourceRefused, UnexpectedAnswer, SourceUnavailable, RateLimited) as error:
            if sample is None:
                self.progress(None, f"X does not tell what to expect of the day: {error.what}")
                return
            if not isinstance(error, SourceRefused):
                raise
            raise type(error)(
                f"areas.toml, [{self.area.name}]: a sample needs X's counts, and they were refused: {error.what}",
                todo=f"take the line sample = … out; or: {error.todo}",
            ) from error
        at.expected = [found.within(hour) for hour in self.hours]
        if sample is None:
            return
        slices = sampling.draw(found.buckets, sample.posts, seed=f"{self.area.name} {self.day}", end=span.end)
        if slices != (span,):
            at.sample = {
                "wanted": sample.posts,
                "population": found.total,
                "slices": [[piece.start.isoformat(), piece.end.isoformat()] for piece in slices],
            }
            at.walks = walks.over(range(len(at.queries)), slices)

    # ---- pages -----------------------------------------------------------------------------------------------------------------

    @cached_property
    def client(self) -> x_api.Client:
        """Made when the first request is due: it may start the sandbox."""
        return client.build(self.settings, night=self.night, on_request=self._count_request, account=self.account, progress=self.progress)

    def _count_request(self) -> None:
        # one byte a request, before it goes out: so a kill loses none, and retries are counted too
        with open(self.work / "requests", "ab") as stream:
            stream.write(b".")

    def _fetch(self, at: Cursor) -> None:
        while at.walks:
            at.walks[:1] = walks.cut(at.walks[0], self.hours)
            try:
                page = self._page(at)
            except ArchiveRefused as error:
                if at.endpoint != x_endpoints.ALL.name:
                    raise
                self.refused = error
                self._turn_to(at)
                continue
            except SourceUnavailable as error:
                self._failed(at, error)
                continue
            self.shaken = False
            page = self._kept(page)
            file = at.file
            storage.write_bytes(self.work / file, zstandard.compress(page.body, 3))
            faults.point("extract.page")
            at.add(page, file)
            at.save(self.work)
            faults.point("extract.cursor")
            self.progress(self._share(at), f"page {len(at.pages):,}, {at.posts:,} posts")

    def _share(self, at: Cursor) -> float:
        """How much of what was asked for lies behind us."""
        rest = sum((walk.position - walk.start).total_seconds() for walk in at.walks)
        asked = {page["query"] for page in at.pages} | {walk.query for walk in at.walks}
        return min(max(1.0 - rest / (len(asked) * self._asked_seconds(at)), 0.0), 1.0)

    def _asked_seconds(self, at: Cursor) -> float:
        slices = raw.slices(at.sample)
        return sum((piece.end - piece.start).total_seconds() for piece in slices or [self.window])

    def _page(self, at: Cursor) -> x_api.Page:
        """The next page; where its token is refused, the way round it."""
        walk = at.walks[0]
        try:
            page = self._ask(at, walk)
        except RefusedToken:
            round_it = walk.round() if walk.next_token else None
            if round_it is None:
                raise
            self.progress(None, "X refused the token of the next page; going on below the oldest post seen")
            at.walks[0] = round_it
            page = self._ask(at, round_it)
        if at.synthetic not in (None, page.synthetic):
            raise UnexpectedAnswer(
                f"{self.area.name} {self.day}: got pages of the sandbox and of the API for one day",
                todo=f"see X_BASE_URL; then remove {self.work} and run again",
            )
        if at.handed_out(page.next_token) + 1 >= CIRCLE:
            raise UnexpectedAnswer(
                f"{self.area.name} {self.day}: got a token of a next page for the {CIRCLE}rd time: the pages go in a circle",
                todo=f"run again; if it stays so, remove {self.work}",
            )
        return page

    def _kept(self, page: x_api.Page) -> x_api.Page:
        """The page as it may be stored: without the tweets that have been deleted here, should X give one of them again."""
        stones = tombstones.load(self.settings)
        body, _ = redaction.page(page.body, stones)
        return page if body is page.body else replace(page, body=body, oldest_id=redaction.state(page.oldest_id, stones))

    def _ask(self, at: Cursor, walk: Walk) -> x_api.Page:
        before = replace(self.client.waits)
        try:
            return self.client.page(
                x_endpoints.ENDPOINTS[at.endpoint],
                at.queries[walk.query],
                walk.window,
                page_size=self._page_size(at, walk),
                next_token=walk.next_token,
                until_id=walk.until_id,
                attempts=min(CAREFUL_ATTEMPTS, self.settings.x.attempts) if walk.hours or self.shaken else None,
            )
        finally:
            now = self.client.waits
            count, seconds, errors = now.count - before.count, now.seconds - before.seconds, now.errors - before.errors
            at.waits = {"count": at.waits["count"] + count, "seconds": at.waits["seconds"] + seconds}
            if errors:
                number = str(hours.index(self.window, walk.position - walks.SECOND))
                told = at.trouble.setdefault(number, {"waits": 0, "wait_seconds": 0.0, "errors": 0})
                for name, more in (("waits", count), ("wait_seconds", seconds), ("errors", errors)):
                    told[name] += more

    def _page_size(self, at: Cursor, walk: Walk) -> int | None:
        """Of a slice no more than it may well hold: a budget has to have room for a whole page. The same for all pages of a walk."""
        most = self.settings.x.page_size
        held = hours.expected_in(self.window, at.expected, walk.window) if at.sample else None
        size = None if held is None else sampling.page(held)
        return min((wanted for wanted in (most, size) if wanted is not None), default=None)

    def _failed(self, at: Cursor, error: SourceUnavailable) -> None:
        """A page could not be had: stop, the first time; where it fails again in a later night, go round it hour by hour.

        Raises:
            SourceUnavailable: stop; the next night goes on at this page.
        """
        self.shaken = True
        walk = at.walks[0]
        if not self.refetching and at.careful != self.night:
            hour = self.hours[hours.index(self.window, walk.position - walks.SECOND)].start.isoformat()
            before, at.failed = at.failed, {"hour": hour, "night": self.night}
            if before is None or before["hour"] != hour or before["night"] == self.night:
                at.save(self.work)
                raise error
            at.careful = self.night
        if not walks.within_an_hour(walk, self.hours):
            at.walks[0] = replace(walk.without_token(), hours=1)
            self.progress(None, f"{error.what}; going round it, hour by hour")
        else:
            at.leave_out(NO_ANSWER)
            lost = walks.missing((hole for hole in at.holes if hole.refetch), self.window)
            if not self.refetching and lost > MOST_MISSING * self._asked_seconds(at):
                at.take_back()
                at.careful = None
                at.save(self.work)
                raise error
            self.progress(None, f"{error.what}; left out until the next night")
        at.save(self.work)

    # ---- what comes of it ------------------------------------------------------------------------------------------------------

    def _requests(self) -> int:
        requests = self.work / "requests"
        return requests.stat().st_size if requests.exists() else 0

    def _merge(self, at: Cursor, before: dict[str, Any]) -> None:
        """Take the new pages into the partition, then replace its manifest. Killed anywhere, it is done again, or done."""
        known = {page["file"] for page in before["pages"]}
        for path in self.final.glob("page-*"):
            if path.name not in known:
                path.unlink()
        for page in at.pages:
            storage.write_bytes(self.final / page["file"], (self.work / page["file"]).read_bytes())
        faults.point("holes.merge")
        storage.write_json(self.final / "manifest.json", raw.mended(before, at, self.area, self.final, self._requests()))
        faults.point("holes.merged")
        shutil.rmtree(self.work)
