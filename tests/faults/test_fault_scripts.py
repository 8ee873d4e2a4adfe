"""200 seeded scripts of faults over a night of forty pages: each ends complete and equal to the night without faults, at no more requests.

Real HTTP, the real tweepy, the real ledger. Only the clock is made up, for the client and the sandbox alike: nobody waits fifteen minutes.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from pipeline import clean, database, extract, spend
from pipeline.errors import (
    BudgetReached,
    PaymentRequired,
    PipelineError,
    RateLimited,
    SourceUnavailable,
    UsageCapExceeded,
)
from pipeline.sandbox import acting
from pipeline.sandbox import server as sandbox
from pipeline.sandbox.faults import Fault, Script
from pipeline.sandbox.world import World
from pipeline.settings import Settings
from pipeline.sources import x_answers, x_api
from tests.conftest import AREAS

pytestmark = pytest.mark.slow

DAY = date(2026, 11, 10)
AREA = "mexico-city"
PAGE = 10
TUNED = f"[x]\npage_size = {PAGE}\nattempts = 4\ntimeout_seconds = 0.5\nanswer_seconds = 1.0\n[sandbox]\ntweets_per_day = 370\n"
SEEDS, CHUNKS = 200, 10
#: Seconds to the reset of a 429: as far as X's can be.
RESET = 840.0
#: Seconds to the next try after any other failure at most (x_api.Client), and what rounding and a busy machine add.
BACKOFF, SLACK = 60.0, 20.0

#: What may stop a night, by the fault that stopped it.
STOPS: dict[str, type[PipelineError]] = {
    "usage_cap": UsageCapExceeded,
    "no_credits": PaymentRequired,
    "rate_limited": RateLimited,
    "rate_limited_no_reset": RateLimited,
    **dict.fromkeys(("unavailable", "html", "cut", "hang", "drip"), SourceUnavailable),
}


@dataclass
class Clock:
    """The made-up clock: real seconds go by in it as well. Stands for the module `time` where the client waits."""

    began: datetime = datetime(2026, 11, 12, 9, tzinfo=UTC)
    ahead: float = 0.0
    real: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        return self.began + timedelta(seconds=self.monotonic() - self.real)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def time(self) -> float:
        return self.now().timestamp()

    def sleep(self, seconds: float) -> None:
        self.ahead += seconds


@dataclass(frozen=True)
class Night:
    """What came of a script: the tweets, the stops on the way by the number of requests made until then, the requests."""

    tweets: dict[int, Any]
    stopped: list[tuple[int, PipelineError]]
    log: list[dict[str, Any]]
    gone: set[int]

    @property
    def stops(self) -> list[PipelineError]:
        return [error for _, error in self.stopped]

    @property
    def requests(self) -> int:
        return len(self.log)

    def told(self) -> str:
        """The log, for a person who looks at a failure."""
        lines = [f"{number} {entry['at']} {entry['status']} {entry['fault']}" for number, entry in enumerate(self.log, 1)]
        return "\n".join([*lines, *(f"{type(stop).__name__}: {stop.what}" for stop in self.stops)])

    @property
    def faults(self) -> int:
        """Requests that met a fault."""
        return sum(bool(entry["fault"]) for entry in self.log)


@pytest.fixture
def play(make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Night]:
    """A function that plays a script over nights until the day is complete, in a data folder of its own."""
    number = iter(range(10_000))

    def run(script: Script, extra: str = "") -> Night:
        clock, folder = Clock(), tmp_path / f"night-{next(number)}"
        for module in (x_api, x_answers, acting):
            monkeypatch.setattr(module, "time", clock)
        monkeypatch.setattr(spend, "_now", clock.now)
        log = folder / "sandbox"
        log.mkdir(parents=True)
        conf = make_settings(settings=TUNED.replace("[x]\n", f"[x]\n{extra}"), X_BEARER_TOKEN="sandbox", GEOBETA_DATA=str(folder / "var"))
        with database.transaction(conf) as connection:
            connection.execute(sa.text("truncate api_spend, api_reservations, billed_posts"))
        with sandbox.running(World.of(conf), folder=log, faults=script, clock=clock.now) as running:
            conf = conf.model_copy(update={"base_url": running.url})
            stopped = _nights(conf, running, clock)
            clean.run(conf, AREA, DAY)
            _compare_ledger(conf, running.books.as_dict(), script)
            assert running.after_cap == 0
            gone = set(running.gone)
        table = pq.read_table(clean.partition(conf, AREA, DAY) / "tweets.parquet")
        entries = [json.loads(line) for line in (log / "requests.log").read_text().splitlines()]
        return Night(_by_id(table), stopped, entries, gone)

    return run


def _nights(conf: Settings, running: sandbox.Server, clock: Clock) -> list[tuple[int, PipelineError]]:
    """Run the extraction, night after night, until it is complete; give what stopped it, and after how many requests."""
    stopped: list[tuple[int, PipelineError]] = []
    for night in range(12):
        name = f"night {night}"
        try:
            account = spend.Account(conf, f"tweets {AREA} {DAY}")
            manifest = extract.run(conf, AREA, DAY, now=clock.now(), night=name, account=account)
        except PipelineError as error:
            before = running.requests
            stopped.append((before, error))
            if isinstance(error, (UsageCapExceeded, PaymentRequired)):
                # the same night goes on to another day, and must not ask for it
                with pytest.raises(type(error)):
                    extract.run(conf, AREA, DAY - timedelta(days=1), now=clock.now(), night=name)
                assert running.requests == before
            running.lift()
            if isinstance(error, BudgetReached):
                clock.ahead += (error.retry_after or 0) + 60
            continue
        if not any(hole["refetch"] for hole in manifest["holes"]):
            return stopped
    raise AssertionError(f"not complete after 12 nights: {stopped}")


def _compare_ledger(conf: Settings, books: dict[str, Any], script: Script) -> None:
    """Ours is the sandbox's: posts, requests and dollars, day by day (in sum where its clock is an hour off)."""
    with database.transaction(conf) as connection:
        ours = spend.by_day(connection, date(2026, 1, 1))
        assert connection.scalar(sa.text("select count(*) from api_reservations")) == 0
    assert sum(row.requests for row in ours) == books["requests"]
    assert sum(row.posts_billed for row in ours) == books["posts_billed"]
    assert sum(row.dollars for row in ours) == pytest.approx(books["dollars"])
    by_day: dict[str, int] = {}
    for row in ours:
        by_day[row.day.isoformat()] = by_day.get(row.day.isoformat(), 0) + row.posts_billed
    limit = conf.x.max_posts_per_day
    assert limit is None or all(posts <= limit for posts in by_day.values())
    if not script.clock:
        assert by_day == {day: sums["posts_billed"] for day, sums in books["days"].items()}
    if conf.x.max_usd_per_month is not None:
        assert books["dollars"] <= conf.x.max_usd_per_month


def _by_id(table: pa.Table) -> dict[int, Any]:
    return {row["tweet_id"]: row for row in table.to_pylist()}


def script_of(seed: int) -> Script:
    """The seed's script, its rate limits as long as X's."""
    drawn = Script.seeded(seed, requests=42, clock=True)
    patient = {
        number: Fault("rate_limited", seconds=RESET) if fault.kind == "rate_limited" else fault for number, fault in drawn.faults.items()
    }
    return replace(drawn, faults=patient)


def check(night: Night, plain: Night, script: Script) -> None:
    """The must-show, for one script."""
    lost = {name for name in plain.tweets if name in night.gone or plain.tweets[name]["version_id"] in night.gone}
    for name, row in plain.tweets.items():
        assert night.tweets.get(name) == row or name in lost, (name, script)
    assert night.tweets.keys() <= plain.tweets.keys()
    assert night.requests <= plain.requests + night.faults, (script, night.told())
    met = {entry["fault"] for entry in night.log if entry["fault"]}
    allowed = tuple({STOPS[kind] for kind in met if kind in STOPS} | {BudgetReached})
    assert all(isinstance(stop, allowed) for stop in night.stops), (night.stops, script)
    # each fault that can stop a night stops one at most, and the next goes on
    able = sum(fault.kind in STOPS for fault in script.faults.values())
    assert sum(not isinstance(stop, BudgetReached) for stop in night.stops) <= able, (night.told(), script)
    check_waits(night, script)


def check_waits(night: Night, script: Script) -> None:
    """Within a night no request before the reset that X told, none later than it; after what tells none, no more than the usual pause."""
    stopped_after = {number for number, _ in night.stopped}
    for number, (entry, following) in enumerate(itertools.pairwise(night.log), 1):
        if number in stopped_after:
            continue
        at, then = (datetime.fromisoformat(one["at"]).timestamp() for one in (entry, following))
        if entry["status"] == 429 and entry["fault"] == "rate_limited":
            reset = math.ceil(at + RESET)
            assert reset <= then <= reset + SLACK, (number, night.told(), script)
        else:
            assert then - at <= SLACK + (BACKOFF if entry["fault"] else 0.0), (number, night.told(), script)


@pytest.fixture
def plain(play: Callable[..., Night]) -> Night:
    """The night without faults."""
    night = play(Script())
    assert not night.stops
    assert not night.faults
    assert sum(entry["endpoint"] == "search/recent" for entry in night.log) >= 40
    return night


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_script_ends_complete_or_stops_rightly_and_completes_later(play: Callable[..., Night], plain: Night, chunk: int) -> None:
    """Twenty scripts each; every third with a limit of posts a day, so that the budget stops some of them as well."""
    for seed in range(chunk * SEEDS // CHUNKS, (chunk + 1) * SEEDS // CHUNKS):
        limited = f"max_posts_per_day = {110 + seed}\n" if seed % 3 == 0 else ""
        script = script_of(seed)
        night = play(script, limited)
        check(night, plain, script)
        if limited:
            assert any(isinstance(stop, BudgetReached) for stop in night.stops)


def test_the_scripts_hold_every_kind_of_fault() -> None:
    """Or the test above would show less than it says."""
    kinds = {fault.kind for seed in range(SEEDS) for fault in script_of(seed).faults.values()}
    assert len(kinds) >= 17
    assert any(script_of(seed).clock for seed in range(SEEDS))
    assert AREA in AREAS
