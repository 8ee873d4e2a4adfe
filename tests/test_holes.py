"""Hours that X does not give: left out in the second night, told everywhere, and asked for alone by the next; nothing is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from pipeline import clean, count, database, days, extract, load, posterior, storage
from pipeline.errors import ArchiveRefused, MissingData, PaymentRequired, SourceUnavailable, UsageCapExceeded
from pipeline.settings import Settings
from tests.extracting import WIDE
from tests.faults.test_kills import points_in_the_code
from tests.servers import Reply, ScriptedServer, scripted
from tests.test_extract_resumed import run_to_death

DAY = date(2026, 11, 10)
AREA = "mexico-city"
NOW = datetime(2026, 11, 12, 9, tzinfo=UTC)
START = datetime(2026, 11, 10, 6, tzinfo=UTC)
TUNED = "[x]\npage_size = 10\nattempts = 3\nlongest_wait_seconds = 0.05\nask_counts = false\n"


@pytest.fixture(params=[pytest.param(240, marks=pytest.mark.slow), 24], ids=["ten posts an hour", "one post an hour"])
def api(request: pytest.FixtureRequest) -> Iterator[ScriptedServer]:
    """A local stand-in of the API, with posts that lie evenly over the day: many pages an hour's worth each, or few pages of many hours."""
    with scripted(posts=request.param) as running:
        running.span = (START, START + timedelta(days=1))
        yield running


@pytest.fixture
def real(api: ScriptedServer, make_settings: Callable[..., Settings]) -> Callable[..., Settings]:
    """Settings with a token and the stand-in's address."""

    def make(**changes: Any) -> Settings:
        return make_settings(**{"settings": TUNED, "database": False, "X_BEARER_TOKEN": "token", "X_BASE_URL": api.url, **changes})

    return make


def hours(first: int, last: int) -> tuple[datetime, datetime]:
    """The span of the day's hours [first, last)."""
    return START + timedelta(hours=first), START + timedelta(hours=last)


def night(settings: Settings, name: str, area: str = AREA, now: datetime = NOW) -> dict[str, Any]:
    """One night's extraction."""
    return extract.run(settings, area, DAY, now=now, night=name)


def ids(settings: Settings, area: str = AREA) -> list[str]:
    """The posts of the day that are on the disk, as often as they are."""
    return [post["id"] for _, page in extract.pages(settings, area, DAY) for post in page.get("data", [])]


def all_ids(api: ScriptedServer) -> set[str]:
    """What a whole day holds."""
    return {post["id"] for post in api.between(*hours(0, 24))}


def windows(api: ScriptedServer, since: int) -> set[tuple[str, str]]:
    """The spans that were asked for after so many requests."""
    return {(seen.parameters["start_time"], seen.parameters["end_time"]) for seen in api.seen[since:]}


def holes(manifest: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """What is missing."""
    return [(hole["start"], hole["end"], hole["refetch"]) for hole in manifest["holes"]]


def written(*spans: tuple[datetime, datetime], refetch: bool = True) -> list[tuple[str, str, bool]]:
    """Holes as the manifest tells them."""
    return [(start.isoformat(), end.isoformat(), refetch) for start, end in spans]


def test_three_hours_that_stay_away_make_a_partial_day_and_the_next_night_asks_for_them_alone(
    api: ScriptedServer, real: Callable[..., Settings]
) -> None:
    """Must-show 7: the first night stops, the second leaves them out (0.875), the third asks for those hours and nothing else."""
    settings = real()
    api.down = [hours(8, 11)]
    with pytest.raises(SourceUnavailable):
        night(settings, "n1")
    assert not extract.partition(settings, AREA, DAY).exists()
    manifest = night(settings, "n2")
    assert holes(manifest) == written(hours(8, 11))
    assert manifest["coverage"] == 0.875
    assert manifest["coverage_reason"] == "3 of 24 hours missing (08:00-11:00: X did not answer for it)"
    assert [entry["observed"] for entry in manifest["hours"]] == [1.0] * 8 + [0.0] * 3 + [1.0] * 13
    assert {entry["reason"] for entry in manifest["hours"][8:11]} == {"X did not answer for it"}
    assert set(ids(settings)) == {post["id"] for span in (hours(0, 8), hours(11, 24)) for post in api.between(*span)}
    assert len(ids(settings)) == len(set(ids(settings)))
    assert extract.observed(settings, AREA, DAY).coverage == 0.875
    assert not extract.refetchable(settings, AREA, DAY, "n2")
    assert extract.refetchable(settings, AREA, DAY, "n3")
    api.down, before = [], len(api.seen)
    assert night(settings, "n2") == manifest
    assert len(api.seen) == before
    mended = night(settings, "n3")
    assert windows(api, before) == {("2026-11-10T14:00:00Z", "2026-11-10T17:00:00Z")}
    assert (mended["coverage"], mended["coverage_reason"], mended["holes"]) == (1.0, "", [])
    assert set(ids(settings)) == all_ids(api)
    assert mended["requests"] == len(api.seen)
    assert [entry["fetched"] for entry in mended["hours"]] == [api.posts // 24] * 24
    assert mended["pages"][: len(manifest["pages"])] == manifest["pages"]
    assert extract.observed(settings, AREA, DAY) == extract.Observed()
    assert not extract.refetchable(settings, AREA, DAY, "n4")
    assert not list(extract.partition(settings, AREA, DAY).parent.glob("*.partial"))


def test_hours_that_still_fail_stay_missing_without_an_error(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """What answers by now is taken; the rest is asked for by the night after."""
    settings = real()
    api.down = [hours(8, 11)]
    with pytest.raises(SourceUnavailable):
        night(settings, "n1")
    night(settings, "n2")
    api.down = [hours(9, 10)]
    manifest = night(settings, "n3")
    assert holes(manifest) == written(hours(9, 10))
    assert manifest["attempted_by"] == "n3"
    assert manifest["coverage"] == pytest.approx(23 / 24, abs=1e-6)
    before = extract.observed(settings, AREA, DAY)
    again = night(settings, "n4")
    assert (holes(again), again["posts"], again["attempted_by"]) == (holes(manifest), manifest["posts"], "n4")
    assert not any(extract.refetchable(settings, AREA, DAY, name) for name in ("n2", "n3", "n4"))
    assert extract.observed(settings, AREA, DAY) == before
    api.down = []
    night(settings, "n5")
    assert set(ids(settings)) == all_ids(api)
    assert len(ids(settings)) == len(set(ids(settings)))


def test_a_fault_that_has_passed_by_the_next_night_leaves_no_hole(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Only what fails again is left out."""
    settings = real()
    api.down = [hours(8, 11)]
    with pytest.raises(SourceUnavailable):
        night(settings, "n1")
    with pytest.raises(SourceUnavailable):
        night(settings, "n1")
    api.down = []
    assert night(settings, "n2")["holes"] == []
    assert set(ids(settings)) == all_ids(api)
    assert len(ids(settings)) == len(set(ids(settings)))


def test_a_source_that_is_down_makes_no_partial_day(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """More than a quarter of the day missing is a fault, every night anew; when it has passed the day becomes whole."""
    settings = real()
    api.down = [hours(5, 14)]
    for name in ("n1", "n2", "n3"):
        with pytest.raises(SourceUnavailable):
            night(settings, name)
        assert not extract.partition(settings, AREA, DAY).exists()
    api.down = []
    assert night(settings, "n4")["holes"] == []
    assert set(ids(settings)) == all_ids(api)


def test_several_gaps_are_several_holes(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Each by its own hours, the first and the last of the day among them."""
    settings = real()
    api.down = [hours(0, 1), hours(12, 13), hours(22, 24)]
    with pytest.raises(SourceUnavailable):
        night(settings, "n1")
    manifest = night(settings, "n2")
    assert holes(manifest) == written(*api.down)
    api.down, before = [], len(api.seen)
    night(settings, "n3")
    assert len(windows(api, before)) == 3
    assert set(ids(settings)) == all_ids(api)


def test_every_query_of_a_wide_box_goes_round_the_same_hours(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """The refetch asks each query for the hole, and nothing twice."""
    settings = real(areas=WIDE, studies="")
    api.down = [hours(8, 11)]
    with pytest.raises(SourceUnavailable):
        night(settings, "n1", "wide")
    manifest = night(settings, "n2", "wide")
    assert [hole["queries"] for hole in manifest["holes"]] == [list(range(len(manifest["queries"])))]
    assert manifest["coverage"] == 0.875
    api.down, before = [], len(api.seen)
    night(settings, "n3", "wide")
    assert windows(api, before) == {("2026-11-10T14:00:00Z", "2026-11-10T17:00:00Z")}
    assert sorted(ids(settings, "wide")) == sorted(list(all_ids(api)) * len(manifest["queries"]))


def test_a_refused_account_stops_the_whole_night_and_loses_nothing(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Refused while a hole is asked for: the partial day stays as it was, no more request in that night, and the next goes on."""
    settings = real()
    api.down = [hours(8, 11)]
    with pytest.raises(SourceUnavailable):
        night(settings, "n1")
    manifest = night(settings, "n2")
    api.down = []
    api.script = {len(api.seen) + 1: Reply(status=429, document={"title": "UsageCapExceeded", "detail": "cap"})}
    with pytest.raises(UsageCapExceeded):
        night(settings, "n3")
    assert extract.manifest(settings, AREA, DAY) == manifest
    sent = len(api.seen)
    with pytest.raises(UsageCapExceeded, match="not asked, for earlier this night"):
        night(settings, "n3")
    with pytest.raises(UsageCapExceeded, match="not asked"):
        extract.run(settings, AREA, DAY - timedelta(days=1), now=NOW, night="n3")
    assert len(api.seen) == sent
    night(settings, "n4")
    assert set(ids(settings)) == all_ids(api)


KILLS = ["extract.page:1", "extract.cursor:1", "holes.merge:1", "holes.merged:1"]


def test_every_point_of_a_refetch_is_killed_at() -> None:
    """As tests/faults/test_kills.py has it for whole nights."""
    assert {name for name in points_in_the_code() if name.startswith("holes.")} < {point.partition(":")[0] for point in KILLS}


@pytest.mark.slow
@pytest.mark.parametrize("point", KILLS)
def test_a_killed_refetch_loses_nothing(api: ScriptedServer, real: Callable[..., Settings], tmp_path: Path, point: str) -> None:
    """kill -9 at the point, then the same night again, then another: all posts, each once, and no folder left over."""
    settings = real()
    api.down = [hours(8, 11)]
    with pytest.raises(SourceUnavailable):
        night(settings, "n1")
    night(settings, "n2")
    api.down = [hours(9, 10)]
    kill = {"GEOBETA_KILL_AT": point, "GEOBETA_KILL_FILE": str(tmp_path / "kills"), "GEOBETA_NIGHT": "n3"}
    assert run_to_death(settings, api, **kill) == -signal.SIGKILL
    assert len(ids(settings)) >= len(all_ids(api)) * 21 // 24
    assert run_to_death(settings, api, **kill) == 0
    assert holes(extract.manifest(settings, AREA, DAY)) == written(hours(9, 10))
    api.down = []
    night(settings, "n4")
    assert set(ids(settings)) == all_ids(api)
    assert len(ids(settings)) == len(set(ids(settings)))
    assert [path.name for path in extract.partition(settings, AREA, DAY).parent.iterdir()] == [extract.partition(settings, AREA, DAY).name]
    files = {path.name for path in extract.partition(settings, AREA, DAY).iterdir()}
    assert files == {"manifest.json", *(page["file"] for page in extract.manifest(settings, AREA, DAY)["pages"])}


OLD = START + timedelta(days=7, hours=5, minutes=30)


def test_hours_that_have_left_the_recent_window_are_missing_for_good(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Without search/all the rest of the day is fetched, the hours before it are told, and nobody asks for them again."""
    settings = real(settings=TUNED + "archive_search = false\n")
    manifest = night(settings, "n1", now=OLD)
    assert holes(manifest) == written(hours(0, 7), refetch=False)
    assert manifest["coverage"] == pytest.approx(17 / 24, abs=1e-6)
    assert "older than the 7 days that search/recent reaches, and archive_search is false" in manifest["coverage_reason"]
    assert set(ids(settings)) == {post["id"] for post in api.between(*hours(7, 24))}
    assert not extract.refetchable(settings, AREA, DAY, "n2")
    assert {seen.path for seen in api.seen} == {"/2/tweets/search/recent"}
    with pytest.raises(MissingData):
        extract.run(settings, AREA, DAY - timedelta(days=1), now=OLD, night="n1")


REFUSED = Reply(
    status=403,
    document={
        "title": "Client Forbidden",
        "type": "https://api.twitter.com/2/problems/client-forbidden",
        "reason": "client-not-enrolled",
        "detail": "When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens from a developer App.",
    },
)


def test_where_the_full_archive_is_refused_the_recent_hours_are_fetched(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """One request to search/all, then search/recent for what it reaches; where it reaches nothing the refusal is told."""
    settings = real()
    api.script = {1: REFUSED}
    manifest = night(settings, "n1", now=OLD)
    assert holes(manifest) == written(hours(0, 7), refetch=False)
    assert manifest["endpoint"] == "search/recent"
    assert "search/all was refused" in manifest["coverage_reason"]
    assert [seen.path.rpartition("/")[2] for seen in api.seen[:2]] == ["all", "recent"]
    api.script = {len(api.seen) + 1: REFUSED}
    with pytest.raises(ArchiveRefused):
        extract.run(settings, AREA, DAY - timedelta(days=1), now=OLD, night="n1")


def test_a_hole_that_leaves_the_recent_window_is_missing_for_good(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Told without a request, and not asked for again."""
    settings = real(settings=TUNED + "archive_search = false\n")
    api.down = [hours(8, 11)]
    with pytest.raises(SourceUnavailable):
        night(settings, "n1")
    night(settings, "n2")
    before = len(api.seen)
    manifest = night(settings, "n3", now=START + timedelta(days=9))
    assert holes(manifest) == written(hours(8, 11), refetch=False)
    assert len(api.seen) == before
    assert not extract.refetchable(settings, AREA, DAY, "n4")


def test_a_day_half_fetched_whose_rest_has_left_the_recent_window_is_published(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """What was paid for is used."""
    settings = real(settings=TUNED + "archive_search = false\n")
    api.script = {2: Reply(status=402, document={})}
    with pytest.raises(PaymentRequired):
        night(settings, "n1")
    manifest = night(settings, "n2", now=START + timedelta(days=9))
    assert len(manifest["pages"]) == 1
    assert 0 < manifest["coverage"] < 1
    assert not manifest["holes"][0]["refetch"]


def test_old_manifests_are_whole_days(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """A partition of before there were hours is read as it was meant."""
    settings = real()
    night(settings, "n1")
    revision = clean.revision(settings, AREA, DAY)
    path = extract.partition(settings, AREA, DAY) / "manifest.json"
    new = ("mode", "hours", "coverage", "coverage_reason", "sample", "holes", "attempted_by", "attempts")
    content = {key: value for key, value in extract.manifest(settings, AREA, DAY).items() if key not in new}
    path.unlink()
    storage.write_json(path, content)
    assert extract.observed(settings, AREA, DAY) == extract.Observed()
    assert not extract.refetchable(settings, AREA, DAY, "n2")
    assert clean.revision(settings, AREA, DAY) == revision
    clean.run(settings, AREA, DAY)


def test_the_hours_add_up(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Expected, fetched, pages, waits and errors by the hour; what went wrong stands where the walk stood."""
    settings = real(settings=TUNED.replace("ask_counts = false", "ask_counts = true"))
    api.script = {3: Reply(status=503, document={}), 4: Reply(status=503, document={})}
    manifest = night(settings, "n1")
    table = manifest["hours"]
    assert [entry["start"] for entry in table] == [(START + timedelta(hours=number)).isoformat() for number in range(24)]
    assert {entry["seconds"] for entry in table} == {3600}
    assert [entry["expected"] for entry in table] == [entry["fetched"] for entry in table] == [api.posts // 24] * 24
    assert (sum(entry["waits"] for entry in table), sum(entry["errors"] for entry in table)) == (2, 2)
    assert sum(entry["wait_seconds"] for entry in table) == pytest.approx(manifest["waits"]["seconds"], abs=0.01)
    assert all(entry["pages"] >= 1 for entry in table)
    assert manifest["requests"] == len(api.seen)
    assert api.seen[0].path == "/2/tweets/counts/recent"


@pytest.mark.parametrize(("zone", "day", "length"), [("America/New_York", date(2026, 11, 1), 25), ("Asia/Kolkata", DAY, 24)])
def test_days_of_other_lengths_and_odd_zones_have_their_hours(
    api: ScriptedServer, real: Callable[..., Settings], zone: str, day: date, length: int
) -> None:
    """Hours are counted from the day's start, be that at half past; expected counts follow them."""
    areas = f'[there]\nbox = "-74.0,40.7,-73.9,40.8"\ntimezone = "{zone}"\n'
    settings = real(areas=areas, studies="", settings=TUNED.replace("ask_counts = false", "ask_counts = true"))
    window = days.window(day, settings.area("there").zone)
    api.span = (window.start, window.end)
    manifest = extract.run(settings, "there", day, now=window.end + timedelta(days=1), night="n1")
    starts = [datetime.fromisoformat(entry["start"]) for entry in manifest["hours"]]
    assert len(starts) == length
    assert starts[0] == window.start
    assert {later - earlier for earlier, later in pairwise(starts)} == {timedelta(hours=1)}
    assert sum(entry["expected"] for entry in manifest["hours"]) == sum(entry["fetched"] for entry in manifest["hours"]) == api.posts
    assert [entry["expected"] for entry in manifest["hours"]] == [entry["fetched"] for entry in manifest["hours"]]


def test_counts_that_are_refused_leave_the_expectation_open(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """The access level may lack them; the night does not."""
    settings = real(settings=TUNED.replace("ask_counts = false", "ask_counts = true"))
    api.script = {1: Reply(status=403, document={"title": "Forbidden", "detail": "no counts"})}
    manifest = night(settings, "n1")
    assert {entry["expected"] for entry in manifest["hours"]} == {None}
    assert set(ids(settings)) == all_ids(api)


def test_a_partial_day_is_told_by_clean_and_posterior_and_restated_when_it_is_mended(
    api: ScriptedServer, real: Callable[..., Settings]
) -> None:
    """From the raw day to the published number: partial with its share, then whole, with what was said before kept."""
    settings = real(database=True)
    api.place = (-99.2, 19.2, -99.1, 19.3)
    api.down = [hours(8, 11)]
    with pytest.raises(SourceUnavailable):
        night(settings, "n1")

    def published() -> Any:
        clean.run(settings, AREA, DAY)
        count.run(settings, "traffic", DAY)
        load.tweets(settings, AREA, DAY)
        load.counts(settings, "traffic", DAY)
        posterior.update(settings, "traffic", DAY)
        with database.engine(settings).connect() as connection:
            row = connection.execute(text("select coverage, days_partial, trials from posteriors where study = 'traffic'")).one()
            history = connection.scalar(text("select count(*) from posterior_history where study = 'traffic'"))
        return (*row, history)

    night(settings, "n2")
    partial = clean.revision(settings, AREA, DAY)
    assert published() == (0.875, 1, api.posts * 21 // 24, 0)
    api.down = []
    night(settings, "n3")
    assert clean.revision(settings, AREA, DAY) != partial
    assert published() == (1.0, 0, api.posts, 1)
