"""ExtractTweets: one local day of one area from the X API, page by page, bytes as received; what is on the disk is never asked for again.

While a day is being fetched it lives in `revision=….partial/`: the pages, and `cursor.json` after each of them. The manifest comes last,
then one rename makes the partition. How a page is asked for is sources/x_api.py; what a post means is formats/ and clean.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import zstandard

from pipeline import cover, days, faults, storage
from pipeline.errors import DayNotOver, MissingData, SettingsError, UnexpectedAnswer
from pipeline.progress import Progress, silent
from pipeline.sandbox import lifecycle
from pipeline.sandbox.world import World
from pipeline.settings import Area, Settings
from pipeline.sources import x_api
from pipeline.sources.x_answers import RefusedToken

#: Version of this stage: a change of what it writes makes every partition of it anew. (Rarely wanted: it costs money.)
CODE: Final = 1

#: Another process that fetches the same day is waited for so long.
LOCK_WAIT_SECONDS: Final = 120.0

#: What the sandbox accepts where there is no token.
SANDBOX_TOKEN: Final = "sandbox"


def revision(settings: Settings, area_name: str) -> str:
    """Digest of what decides a day's pages: code, real or made up, box, time zone, clauses. Not the page size, not the token."""
    area = settings.area(area_name)
    source = ["sandbox", World.of(settings).city_digest] if settings.synthetic else ["x"]
    return storage.digest(CODE, x_api.CODE, source, area.box.csv, area.timezone, clauses(area))


@lru_cache(maxsize=4096)
def clauses(area: Area) -> tuple[str, ...]:
    """The geo operators that ask for the area: those that cover its box, and the places it lists.

    Remembered: every revision of every day holds them, and covering a box is most of what a revision costs.

    Raises:
        SettingsError: the box is too large to be asked for.
    """
    try:
        covering = cover.clauses(area.box)
    except SettingsError as error:
        raise SettingsError(f"areas.toml, [{area.name}]: {error.what}", todo=error.todo) from None
    return (*covering, *(f"place:{place}" for place in area.places))


def partition(settings: Settings, area_name: str, day: date) -> Path:
    """Where the day's pages lie; the folder exists exactly when the day is whole, with `manifest.json` in it."""
    return settings.data / "raw" / f"area={area_name}" / f"date={day.isoformat()}" / f"revision={revision(settings, area_name)}"


def run(settings: Settings, area_name: str, day: date, *, now: datetime | None = None, progress: Progress = silent) -> dict[str, Any]:
    """Fetch the day, or what is still missing of it; return its manifest.

    Args:
        now: the time it is, aware; None for the clock.
        progress: is told the share of the day covered (newest first), the page and the posts so far.

    Raises:
        DayNotOver: the local day, and the time in which posts may be edited, have not passed.
        AlreadyRunning: another process is fetching this day.
        TransientError, SourceRefused, UnexpectedAnswer, MissingData: see sources/x_api.py; what was fetched stays for the next run.
    """
    area = settings.area(area_name)
    final = partition(settings, area_name, day)
    if final.is_dir():
        return manifest(settings, area_name, day)
    now = now or datetime.now(UTC)
    settle = max(days.SETTLE, timedelta(minutes=settings.x.settle_minutes))
    if not days.is_over(day, area.zone, now, settle):
        over = days.over_at(day, area.zone, settle)
        raise DayNotOver(
            f"{area_name} {day}: the day counts as over at {over:%Y-%m-%d %H:%M} UTC, and it is {now:%Y-%m-%d %H:%M} UTC",
            todo="run again after that; the nightly run does so by itself",
        )
    lock = settings.data / "locks" / f"extract-{area_name}-{day}-{final.name}.lock"
    with storage.exclusive(lock, wait=LOCK_WAIT_SECONDS, what=f"extraction of {area_name} {day}", progress=progress):
        if not final.is_dir():
            _Extraction(settings, area, day, final, now, progress).run()
    return manifest(settings, area_name, day)


def manifest(settings: Settings, area_name: str, day: date) -> dict[str, Any]:
    """The manifest of a whole day.

    Raises:
        MissingData: the day is not there.
    """
    content: dict[str, Any] = storage.read_json(partition(settings, area_name, day) / "manifest.json")
    return content


def pages(settings: Settings, area_name: str, day: date) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file name, parsed answer) of every page of a whole day, in the order in which they were received.

    Raises:
        MissingData: the day is not there, or a page is not what was received.
    """
    folder = partition(settings, area_name, day)
    for page in manifest(settings, area_name, day)["pages"]:
        try:
            body = zstandard.decompress((folder / page["file"]).read_bytes())
        except (OSError, zstandard.ZstdError) as error:
            raise MissingData(f"{folder / page['file']} cannot be read: {error}", todo=_AGAIN.format(folder)) from error
        if hashlib.sha256(body).hexdigest() != page["sha256"]:
            raise MissingData(f"{folder / page['file']} does not hold the bytes that were received", todo=_AGAIN.format(folder))
        yield page["file"], json.loads(body)


_AGAIN: Final = "remove the folder {}, then run the night again: the day is fetched anew"


@dataclass
class _Cursor:
    """How far the day is: everything a later process needs to go on at the page."""

    endpoint: str
    queries: list[str]
    #: the query we are in
    query: int = 0
    next_token: str | None = None
    until_id: int | None = None
    #: of this query
    oldest_id: int | None = None
    pages: list[dict[str, Any]] = field(default_factory=list)
    synthetic: bool | None = None
    waits: dict[str, float] = field(default_factory=lambda: {"count": 0, "seconds": 0.0})

    @property
    def posts(self) -> int:
        """Posts received so far; one that two queries return counts twice, as it is billed."""
        return sum(page["posts"] for page in self.pages)

    @property
    def tokens(self) -> set[str]:
        """The tokens that this walk has been given: a walk is a query, from the top or from below one post."""
        walk = [page for page in self.pages if (page["query"], page["until_id"]) == (self.query, self.until_id)]
        return {page["next_token"] for page in walk if page["next_token"]}

    def add(self, page: x_api.Page, file: str) -> None:
        """Note a page that lies on the disk, and where the next one begins."""
        self.pages.append(
            {
                "file": file,
                "query": self.query,
                "until_id": self.until_id,
                "posts": page.posts,
                "next_token": page.next_token,
                "sha256": hashlib.sha256(page.body).hexdigest(),
                "status": page.status,
            }
        )
        self.synthetic = page.synthetic
        self.next_token = page.next_token
        if page.oldest_id is not None:
            self.oldest_id = page.oldest_id if self.oldest_id is None else min(page.oldest_id, self.oldest_id)
        # an empty page with a token is not the end (facts/x-api.md)
        if page.next_token is None:
            self.query += 1
            self.until_id = self.oldest_id = None

    def go_round(self) -> bool:
        """Put `until_id` of the oldest post seen in the token's place; False where that was tried from here already."""
        if self.until_id is not None and self.until_id == self.oldest_id:
            return False
        self.next_token, self.until_id = None, self.oldest_id
        return self.oldest_id is not None


@dataclass
class _Extraction:
    """One day being fetched by this process, which holds its lock."""

    settings: Settings
    area: Area
    day: date
    final: Path
    now: datetime
    progress: Progress

    def __post_init__(self) -> None:
        self.work = self.final.with_name(f"{self.final.name}.partial")
        self.window = days.window(self.day, self.area.zone)
        x = self.settings.x
        self.endpoint = x_api.RECENT
        if self.window.start < self.window.end:
            self.endpoint = x_api.endpoint_for(self.window, self.now, recent_days=x.recent_days, archive_search=x.archive_search)

    def run(self) -> None:
        """Fetch what is missing, write the manifest, publish."""
        self.work.mkdir(parents=True, exist_ok=True)
        if not (self.work / "manifest.json").exists():
            cursor = self._open()
            if cursor.query < len(cursor.queries):
                self._fetch(cursor)
            storage.write_json(self.work / "manifest.json", self._manifest(cursor))
        faults.point("extract.manifest")
        for name in ("cursor.json", "requests"):
            (self.work / name).unlink(missing_ok=True)
        self.work.rename(self.final)
        storage.fsync_directory(self.final.parent)

    def _open(self) -> _Cursor:
        """The cursor that an earlier process left, or a new one. Files that it does not know (half a page) go."""
        try:
            cursor = _Cursor(**json.loads((self.work / "cursor.json").read_bytes()))
        except FileNotFoundError:
            whole_day = self.window.start < self.window.end
            # a time zone may leave a day out (Pacific/Apia, 2011-12-30): nothing to ask for
            queries = x_api.queries(clauses(self.area), limit=self.endpoint.query_length) if whole_day else ()
            cursor = _Cursor(endpoint=self.endpoint.name, queries=list(queries))
        known = {page["file"] for page in cursor.pages} | {"cursor.json", "requests"}
        for path in self.work.iterdir():
            if path.name not in known:
                path.unlink()
        if cursor.endpoint != self.endpoint.name and all(len(query) <= self.endpoint.query_length for query in cursor.queries):
            # the day has left the recent window since: a token of the one endpoint means nothing to the other
            # (the other way round, [x] recent_days was raised: queries of search/all may be too long, and it still answers them)
            cursor.endpoint = self.endpoint.name
            if cursor.next_token:
                cursor.go_round()
                cursor.next_token = None
        return cursor

    def _fetch(self, cursor: _Cursor) -> None:
        client = self._client()
        before = dict(cursor.waits)
        with contextlib.closing(client):
            while cursor.query < len(cursor.queries):
                page = self._page(client, cursor)
                file = f"page-{len(cursor.pages) + 1:05d}.json.zst"
                storage.write_bytes(self.work / file, zstandard.compress(page.body, 3))
                faults.point("extract.page")
                query = cursor.query
                cursor.add(page, file)
                cursor.waits = {"count": before["count"] + client.waits.count, "seconds": before["seconds"] + client.waits.seconds}
                storage.write_json(self.work / "cursor.json", asdict(cursor))
                faults.point("extract.cursor")
                within = 1.0 if cursor.query > query else _share(page.oldest_at, self.window)
                share = None if within is None else (query + within) / len(cursor.queries)
                self.progress(share, f"page {len(cursor.pages):,}, {cursor.posts:,} posts")

    def _client(self) -> x_api.Client:
        settings, x = self.settings, self.settings.x
        base_url = settings.base_url
        if settings.synthetic and base_url is None:
            base_url = lifecycle.ensure_running(settings)
        return x_api.Client(
            token=settings.bearer_token.get_secret_value() if settings.bearer_token else SANDBOX_TOKEN,
            base_url=base_url,
            timeout_seconds=x.timeout_seconds,
            attempts=x.attempts,
            longest_wait_seconds=x.longest_wait_seconds,
            pace=None if settings.synthetic else settings.data / "locks" / "search-all.pace",
            on_request=self._count_request,
            progress=self.progress,
        )

    def _page(self, client: x_api.Client, cursor: _Cursor) -> x_api.Page:
        """The next page; where its token is refused, the way round it."""
        endpoint, query = x_api.ENDPOINTS[cursor.endpoint], cursor.queries[cursor.query]
        size = self.settings.x.page_size
        try:
            page = client.page(endpoint, query, self.window, page_size=size, next_token=cursor.next_token, until_id=cursor.until_id)
        except RefusedToken:
            if cursor.next_token is None or not cursor.go_round():
                raise
            self.progress(None, "X refused the token of the next page; going on below the oldest post seen")
            page = client.page(endpoint, query, self.window, page_size=size, until_id=cursor.until_id)
        if cursor.synthetic not in (None, page.synthetic):
            raise UnexpectedAnswer(
                f"{self.area.name} {self.day}: got pages of the sandbox and of the API for one day",
                todo=f"see X_BASE_URL; then remove {self.work} and run again",
            )
        if page.next_token in cursor.tokens:
            raise UnexpectedAnswer(
                f"{self.area.name} {self.day}: got a token of a next page that was given before: the pages go in a circle",
                todo=f"run again; if it stays so, remove {self.work}",
            )
        return page

    def _count_request(self) -> None:
        # one byte a request, before it goes out: so a kill loses none, and retries are counted too
        with open(self.work / "requests", "ab") as stream:
            stream.write(b".")

    def _manifest(self, cursor: _Cursor) -> dict[str, Any]:
        requests = self.work / "requests"
        return {
            "area": self.area.name,
            "day": self.day.isoformat(),
            "window": {"start": self.window.start.isoformat(), "end": self.window.end.isoformat()},
            "source": "sandbox" if self.settings.synthetic else "x",
            "synthetic": self.settings.synthetic or bool(cursor.synthetic),
            "endpoint": cursor.endpoint,
            "queries": cursor.queries,
            "pages": cursor.pages,
            "posts": cursor.posts,
            "requests": requests.stat().st_size if requests.exists() else 0,
            "waits": cursor.waits,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "revision": self.final.name.removeprefix("revision="),
        }


def _share(oldest_at: str | None, window: days.Window) -> float | None:
    """How much of the window lies behind us, newest first; None where the page does not say."""
    try:
        oldest = datetime.fromisoformat(oldest_at or "")
        share = (window.end - oldest) / (window.end - window.start)
    except (ValueError, TypeError):
        return None
    return min(max(share, 0.0), 1.0)
