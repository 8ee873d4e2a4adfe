"""ExtractCounts: one local day of one study that X counts: two answers of its counts endpoint, as received, and no tweet at all.

As in extract.py a day lives in `revision=….partial/` until it is whole; the manifest comes last, then one rename makes the partition.
How the rule is put to X is sources/x_query.py; what the numbers mean, and what they do not, is docs/counts-mode.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import zstandard

from pipeline import cover, days, extract, faults, storage
from pipeline.errors import DayNotOver, MissingData, SettingsError, SourceUnavailable, UnexpectedAnswer
from pipeline.progress import Progress, silent
from pipeline.sandbox.world import World
from pipeline.settings import Area, Settings
from pipeline.sources import x_endpoints, x_query
from pipeline.study import Study

if TYPE_CHECKING:
    from pipeline.sources import x_api

#: Version of this stage: a change of what it writes makes every partition of it anew. (It costs two cents or so a day.)
CODE: Final = 1

#: What is asked, in this order.
KINDS: Final = ("trials", "matches")


@dataclass(frozen=True, slots=True)
class Queries:
    """What a night asks X to count: all posts of the area, and those of them that the rule matches."""

    trials: str
    matches: str

    @property
    def longest(self) -> int:
        """Characters of the longer one."""
        return max(len(self.trials), len(self.matches))


def queries(settings: Settings, study_name: str) -> Queries:
    """The two queries of a study.

    Raises:
        SettingsError: X cannot be asked this: see `check`.
    """
    study = settings.study(study_name)
    return _queries(settings.area(study.area), json.dumps(study.match), settings.x.archive_search)


@lru_cache(maxsize=4096)
def _queries(area: Area, match: str, archive_search: bool) -> Queries:
    # remembered: every revision of every day holds them
    where = " OR ".join([*map(cover.exact_clause, cover.grid(area.box)), *(f"place:{place}" for place in area.places)])
    asked = Queries(f"({where}){x_endpoints.SUFFIX}", f"({where}) {x_query.rule(json.loads(match))}{x_endpoints.SUFFIX}")
    # one query: what two of them count could not be added, for a post with a point in one box and its place in another is in both
    longest = x_endpoints.COUNTS_ALL.query_length if archive_search else x_endpoints.COUNTS_RECENT.query_length
    if (surplus := asked.longest - longest) > 0:
        name = x_endpoints.COUNTS_ALL.name if archive_search else x_endpoints.COUNTS_RECENT.name
        raise SettingsError(
            f"the area's box and the rule make a query of {asked.longest:,} characters ({len(where):,} of them for the box), {surplus:,} "
            f'more than {name} takes; wanted is a shorter list of words, a smaller box, or mode = "tweets"',
            todo="shorten the list by about so many characters, or collect tweets",
        )
    return asked


def check(settings: Settings, study: Study) -> None:
    """See that X can be asked for this study.

    Raises:
        SettingsError: it cannot: the rule, the box, the two together, or what the area wants of its tweets; the message says why.
    """
    area = settings.area(study.area)
    if area.source == "archive":
        raise SettingsError(
            f'[{area.name}] of areas.toml has source = "archive", and archives hold tweets, not X\'s counts; wanted is mode = "tweets", '
            "or an area with another source",
            todo="change one of the two",
        )
    if set(area.evidence) != set(type(area).model_fields["evidence"].default):
        raise SettingsError(
            f"[{area.name}] of areas.toml narrows the evidence to {', '.join(area.evidence)}, and X counts by the point, else by the "
            'place; wanted is mode = "tweets", or an area without that line',
            todo="change one of the two",
        )
    queries(settings, study.name)


def revision(settings: Settings, study_name: str) -> str:
    """Digest of what decides a day's answers: code, real or made up, time zone, the two queries. Not the endpoint, not the token."""
    asked = queries(settings, study_name)
    source = ["sandbox", World.of(settings).city_digest] if settings.synthetic else ["x"]
    return storage.digest("counts", CODE, source, settings.area(settings.study(study_name).area).timezone, asked.trials, asked.matches)


def partition(settings: Settings, study_name: str, day: date) -> Path:
    """Where the day's answers lie; the folder exists exactly when both are there, with `manifest.json` in it."""
    folder = settings.data / "raw-counts" / f"study={study_name}" / f"date={day.isoformat()}"
    return folder / f"revision={revision(settings, study_name)}"


def held_days(settings: Settings, study_name: str) -> set[date]:
    """The days on the disk, by today's rule and box."""
    folder = settings.data / "raw-counts" / f"study={study_name}"
    found = folder.glob(f"date=*/revision={revision(settings, study_name)}/manifest.json")
    return {date.fromisoformat(path.parts[-3].removeprefix("date=")) for path in found}


def run(settings: Settings, study_name: str, day: date, *, now: datetime | None = None, progress: Progress = silent) -> dict[str, Any]:
    """Have the day counted, or what is missing of that; return its manifest.

    Args:
        now: the time it is, aware; None for the clock.

    Raises:
        DayNotOver: the local day, and the time in which posts may be edited, have not passed.
        AlreadyRunning: another process is at this day.
        MissingData: counts/recent does not reach back so far, and the settings say not to use counts/all.
        TransientError, SourceRefused, UnexpectedAnswer: see sources/x_api.py; an answer that came stays for the next run.
    """
    final = partition(settings, study_name, day)
    if final.is_dir():
        return manifest(settings, study_name, day)
    area, now = settings.area(settings.study(study_name).area), now or datetime.now(UTC)
    if not days.is_over(day, area.zone, now, settings.x.settle):
        over = days.over_at(day, area.zone, settings.x.settle)
        raise DayNotOver(
            f"{study_name} {day}: the day counts as over at {over:%Y-%m-%d %H:%M} UTC, and it is {now:%Y-%m-%d %H:%M} UTC",
            todo="run again after that; the nightly run does so by itself",
        )
    lock = settings.data / "locks" / f"counts-{study_name}-{day}-{final.name}.lock"
    with storage.exclusive(lock, wait=extract.LOCK_WAIT_SECONDS, what=f"counts of {study_name} {day}", progress=progress):
        if not final.is_dir():
            _Counting(settings, study_name, day, final, now, progress).run()
    return manifest(settings, study_name, day)


def manifest(settings: Settings, study_name: str, day: date) -> dict[str, Any]:
    """The manifest of a day: trials, matches, synthetic, and of each answer the query, endpoint, file and bytes' digest.

    Raises:
        MissingData: the day is not there.
    """
    content: dict[str, Any] = storage.read_json(partition(settings, study_name, day) / "manifest.json")
    return content


def endpoint_for(settings: Settings, asked: Queries, window: days.Window, now: datetime) -> x_endpoints.Endpoint:
    """counts/recent while it reaches back to the day and takes the queries; else counts/all, at twice the price.

    Raises:
        MissingData: only counts/all reaches so far back, and the settings say not to use it.
    """
    recent_days, archive_search = settings.x.recent_days, settings.x.archive_search
    try:
        search = x_endpoints.endpoint_for(window, now, recent_days=recent_days, archive_search=archive_search)
    except MissingData:
        raise MissingData(
            f"the day began at {window.start:%Y-%m-%d %H:%M} UTC, and counts/recent reaches back {recent_days} days only",
            todo="set archive_search = true under [x] in settings.toml if the account may use counts/all, or move the study's start",
        ) from None
    found = x_endpoints.COUNTS_OF[search]
    return found if asked.longest <= found.query_length else x_endpoints.COUNTS_ALL


@dataclass
class _Counting:
    """One day being counted for this process, which holds its lock."""

    settings: Settings
    study: str
    day: date
    final: Path
    now: datetime
    progress: Progress

    def __post_init__(self) -> None:
        self.work = self.final.with_name(f"{self.final.name}.partial")
        self.area = self.settings.area(self.settings.study(self.study).area)
        self.window = days.window(self.day, self.area.zone)
        self.queries = queries(self.settings, self.study)

    def run(self) -> None:
        """Ask for what is missing, write the manifest, publish."""
        self.work.mkdir(parents=True, exist_ok=True)
        if not (self.work / "manifest.json").exists():
            answers = self._open()
            # a time zone may leave a day out (Pacific/Apia, 2011-12-30): nothing to ask for
            if self.window.start < self.window.end and not _is_whole(answers):
                self._ask(answers)
            content = self._manifest(answers)
            storage.write_json(self.work / "manifest.json", content)
        faults.point("counts.manifest")
        for name in ("cursor.json", "requests"):
            (self.work / name).unlink(missing_ok=True)
        self.work.rename(self.final)
        storage.fsync_directory(self.final.parent)

    def _open(self) -> list[dict[str, Any]]:
        """The answers that an earlier process left. Files that it does not know go."""
        try:
            answers: list[dict[str, Any]] = json.loads((self.work / "cursor.json").read_bytes())
        except FileNotFoundError:
            answers = []
        known = {answer["file"] for answer in answers} | {"cursor.json", "requests"}
        for path in self.work.iterdir():
            if path.name not in known:
                path.unlink()
        return answers

    def _ask(self, answers: list[dict[str, Any]]) -> None:
        endpoint = endpoint_for(self.settings, self.queries, self.window, self.now)
        with contextlib.closing(self._client()) as asking:
            for number, kind in enumerate(KINDS):
                self.progress(number / len(KINDS), f"{self.study} {self.day}: X counts {kind}")
                while (token := _next_token(answers, kind)) is not None:
                    self._once(asking, endpoint, kind, token, answers)
        if _total(answers, "matches") > _total(answers, "trials"):
            # asked again from the start: one of the two answers must have been of a bad moment
            (self.work / "cursor.json").unlink()
            raise SourceUnavailable(
                f"{self.study} {self.day}: X counted {_total(answers, 'matches'):,} matches among {_total(answers, 'trials'):,} posts",
                todo="run again: both are asked for anew",
            )

    def _once(self, asking: x_api.Client, endpoint: x_endpoints.Endpoint, kind: str, token: str, answers: list[dict[str, Any]]) -> None:
        """One request, kept."""
        query = self.queries.trials if kind == "trials" else self.queries.matches
        counted = asking.counts(endpoint, query, self.window, granularity="hour", next_token=token or None)
        if answers and answers[0]["synthetic"] != counted.synthetic:
            raise UnexpectedAnswer(
                f"{self.study} {self.day}: got counts of the sandbox and of the API for one day",
                todo=f"see X_BASE_URL; then remove {self.work} and run again",
            )
        file = f"{kind}-{len(answers) + 1:02d}.json.zst"
        storage.write_bytes(self.work / file, zstandard.compress(counted.body, 3))
        faults.point("counts.answer")
        answers.append(
            {
                "of": kind,
                "file": file,
                "endpoint": endpoint.name,
                "query": query,
                "total": counted.total,
                "next_token": counted.next_token,
                "sha256": hashlib.sha256(counted.body).hexdigest(),
                "status": counted.status,
                "synthetic": counted.synthetic,
                "asked_at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        storage.write_json(self.work / "cursor.json", answers)
        faults.point("counts.cursor")

    def _client(self) -> x_api.Client:
        from pipeline import client, spend

        account = spend.account(self.settings, f"counts {self.study} {self.day}")
        return client.build(
            self.settings, night=extract.this_night(), on_request=self._count_request, account=account, progress=self.progress
        )

    def _count_request(self) -> None:
        # one byte a request, before it goes out: so a kill loses none, and retries are counted too
        with open(self.work / "requests", "ab") as stream:
            stream.write(b".")

    def _manifest(self, answers: list[dict[str, Any]]) -> dict[str, Any]:
        requests = self.work / "requests"
        return {
            "study": self.study,
            "area": self.area.name,
            "day": self.day.isoformat(),
            "window": {"start": self.window.start.isoformat(), "end": self.window.end.isoformat()},
            "source": "sandbox" if self.settings.synthetic else "x",
            "synthetic": self.settings.synthetic or any(answer["synthetic"] for answer in answers),
            "trials": _total(answers, "trials"),
            "matches": _total(answers, "matches"),
            "answers": answers,
            "requests": requests.stat().st_size if requests.exists() else 0,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "revision": self.final.name.removeprefix("revision="),
        }


def _of(answers: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [answer for answer in answers if answer["of"] == kind]


def _total(answers: list[dict[str, Any]], kind: str) -> int:
    return sum(answer["total"] for answer in _of(answers, kind))


def _next_token(answers: list[dict[str, Any]], kind: str) -> str | None:
    """The token of the next page of a kind, "" for the first; None where there is no more. (A day is one page of 31 days.)"""
    there = _of(answers, kind)
    return there[-1]["next_token"] if there else ""


def _is_whole(answers: list[dict[str, Any]]) -> bool:
    return all(_next_token(answers, kind) is None for kind in KINDS)
