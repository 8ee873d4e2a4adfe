"""Extraction of a day through real HTTP: what lies on the disk, how it resumes, what it refuses. The kills are real ones."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import zstandard

from pipeline import days, extract
from pipeline.errors import (
    DayNotOver,
    Forbidden,
    MissingData,
    PaymentRequired,
    SettingsError,
    SourceUnavailable,
    UnexpectedAnswer,
    UsageCapExceeded,
)
from pipeline.settings import Settings
from tests.extracting import ALL_TEXTS, AREA, DAY, NOW, TUNED, WIDE, api, real, texts
from tests.servers import Reply, ScriptedServer

__all__ = ["api", "real"]


def test_a_day_is_its_pages_as_received_and_a_manifest(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Five pages, newest first, byte for byte; the manifest says what was asked and what came."""
    settings = real()
    manifest = extract.run(settings, AREA, DAY, now=NOW)
    assert texts(settings) == ALL_TEXTS
    folder = extract.partition(settings, AREA, DAY)
    for page, seen in zip(manifest["pages"], api.seen, strict=True):
        body = zstandard.decompress((folder / page["file"]).read_bytes())
        assert body == json.dumps(api.page(seen.parameters)).encode()
        assert page["sha256"] == hashlib.sha256(body).hexdigest()
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", *(f"page-{number:05d}.json.zst" for number in range(1, 6))]
    assert not folder.with_name(f"{folder.name}.partial").exists()
    window = days.window(DAY, settings.area(AREA).zone)
    expected = {
        "area": AREA,
        "day": "2026-11-10",
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
        "source": "x",
        "synthetic": False,
        "endpoint": "search/recent",
        "queries": [api.seen[0].parameters["query"]],
        "posts": 45,
        "requests": 5,
        "revision": extract.revision(settings, AREA),
    }
    assert {key: manifest[key] for key in expected} == expected
    assert [page["posts"] for page in manifest["pages"]] == [10, 10, 10, 10, 5]


def test_a_whole_day_is_never_asked_for_again(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """The second run makes no request and gives the same manifest; neither does one with another page size or token."""
    first = extract.run(real(), AREA, DAY, now=NOW)
    assert extract.run(real(settings=TUNED.replace("10", "20"), X_BEARER_TOKEN="another"), AREA, DAY, now=NOW) == first
    assert len(api.seen) == 5


def test_progress_is_the_share_of_the_day_behind_us(real: Callable[..., Settings]) -> None:
    """Newest first: page after page towards 1, with pages and posts in words."""
    told: list[tuple[float | None, str]] = []
    extract.run(real(), AREA, DAY, now=NOW, progress=lambda share, text: told.append((share, text)))
    shares = [share for share, _ in told if share is not None]
    assert shares == pytest.approx([9.5 / 45, 19.5 / 45, 29.5 / 45, 39.5 / 45, 1.0], abs=1e-4)
    assert told[-1] == (1.0, "page 5, 45 posts")


@pytest.mark.parametrize("minutes", [-60, 0, 89])
def test_a_day_that_is_not_over_is_refused_without_a_request(api: ScriptedServer, real: Callable[..., Settings], minutes: int) -> None:
    """Until 90 minutes after its end the day's posts may still be edited."""
    settings = real()
    end = days.window(DAY, settings.area(AREA).zone).end
    with pytest.raises(DayNotOver, match="counts as over at 2026-11-11 07:30 UTC"):
        extract.run(settings, AREA, DAY, now=end + timedelta(minutes=minutes))
    assert not api.seen
    assert extract.run(settings, AREA, DAY, now=end + timedelta(minutes=90))["posts"] == 45


def test_several_queries_are_walked_one_after_the_other(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """A wide box: more than one query, each with its own pages; the manifest says which page is whose."""
    settings = real(areas=WIDE, studies="")
    manifest = extract.run(settings, "wide", DAY, now=NOW)
    assert len(manifest["queries"]) > 1
    assert texts(settings, "wide") == ALL_TEXTS * len(manifest["queries"])
    assert Counter(page["query"] for page in manifest["pages"]) == dict.fromkeys(range(len(manifest["queries"])), 5)
    assert all(len(query) <= 512 and query.endswith(") -is:retweet") for query in manifest["queries"])
    asked = {seen.parameters["query"] for seen in api.seen}
    assert asked == set(manifest["queries"])


def test_listed_places_are_asked_for_besides_the_box(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """`places` of areas.toml become clauses of the query."""
    areas = '[city]\nbox = "-99.2,19.3,-99.1,19.4"\ntimezone = "America/Mexico_City"\nplaces = ["25530ba03b7d90c6"]\n'
    extract.run(real(areas=areas, studies=""), "city", DAY, now=NOW)
    assert api.seen[0].parameters["query"] == "(bounding_box:[-99.2 19.3 -99.1 19.4] OR place:25530ba03b7d90c6) -is:retweet"


def test_an_old_day_is_asked_of_the_full_archive(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Outside the last seven days: search/all; where that is switched off: MissingData without a request."""
    later = NOW + timedelta(days=30)
    with pytest.raises(MissingData):
        extract.run(real(settings=TUNED + "archive_search = false\n"), AREA, DAY, now=later)
    assert not api.seen
    settings = real(settings=TUNED.replace("page_size = 10", "page_size = 500"))
    assert extract.run(settings, AREA, DAY, now=later)["endpoint"] == "search/all"
    assert [seen.path for seen in api.seen] == ["/2/tweets/search/all"]


def test_a_day_that_a_time_zone_left_out_is_whole_and_empty(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Pacific/Apia had no 2011-12-30: no request, no page, a manifest."""
    areas = '[apia]\nbox = "-171.8,-13.9,-171.7,-13.8"\ntimezone = "Pacific/Apia"\n'
    manifest = extract.run(real(areas=areas, studies=""), "apia", date(2011, 12, 30), now=NOW)
    assert (manifest["pages"], manifest["posts"], manifest["requests"]) == ([], 0, 0)
    assert not api.seen


def test_requests_are_counted_with_their_retries(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Two faults on the way: seven requests for five pages, and the waits told."""
    api.script = {2: Reply(status=503, document={}), 3: Reply(body=b"<html>")}
    manifest = extract.run(real(), AREA, DAY, now=NOW)
    assert manifest["requests"] == len(api.seen) == 7
    assert manifest["waits"]["count"] == 2
    assert [page["posts"] for page in manifest["pages"]] == [10, 10, 10, 10, 5]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(status=402, document={"title": "CreditsDepleted"}), PaymentRequired),
        (Reply(status=403, document={"title": "Forbidden"}), Forbidden),
        (Reply(status=429, document={"title": "UsageCapExceeded"}), UsageCapExceeded),
    ],
)
def test_what_was_paid_for_is_kept_when_the_api_stops(
    api: ScriptedServer, real: Callable[..., Settings], reply: Reply, error: type[Exception]
) -> None:
    """Refused at the fourth page: no partition yet; the next run asks for that page and on, and all requests are counted."""
    settings = real()
    api.script = {4: reply}
    with pytest.raises(error):
        extract.run(settings, AREA, DAY, now=NOW)
    assert not extract.partition(settings, AREA, DAY).exists()
    manifest = extract.run(settings, AREA, DAY, now=NOW)
    assert api.starts == [0, 10, 20, 30, 30, 40]
    assert texts(settings) == ALL_TEXTS
    assert manifest["requests"] == 6


def test_a_long_fault_leaves_a_day_that_goes_on(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """After the last attempt a transient error; the next run goes on at the page."""
    settings = real()
    api.script = dict.fromkeys(range(3, 7), Reply(status=503, document={}))
    with pytest.raises(SourceUnavailable):
        extract.run(settings, AREA, DAY, now=NOW)
    extract.run(settings, AREA, DAY, now=NOW)
    assert api.starts == [0, 10, 20, 20, 20, 20, 20, 30, 40]
    assert texts(settings) == ALL_TEXTS


def test_an_empty_page_with_a_token_is_not_the_end(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """The pages after it are fetched too."""
    api.script = {2: Reply(document={"meta": {"result_count": 0, "next_token": "t10"}})}
    # the token is t10 twice: the first page's own token would be a circle, so let the first page give another one
    first = api.page({"start_time": "2026-11-10T06:00:00Z", "end_time": "2026-11-11T06:00:00Z", "max_results": "10"})
    api.script[1] = Reply(document={**first, "meta": {"result_count": 10, "next_token": "t0"}})
    settings = real()
    manifest = extract.run(settings, AREA, DAY, now=NOW)
    assert [page["posts"] for page in manifest["pages"]] == [10, 0, 10, 10, 10, 5]
    assert texts(settings) == ALL_TEXTS


REFUSED = Reply(status=400, document={"errors": [{"parameters": {"next_token": ["t20"]}, "message": "Invalid 'next_token'"}]})


def test_where_a_token_is_refused_the_way_goes_on_below_the_oldest_post(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """The same window with until_id: every post once, the token of the new walk with the until_id unchanged."""
    api.script = {3: REFUSED}
    settings = real()
    manifest = extract.run(settings, AREA, DAY, now=NOW)
    assert texts(settings) == ALL_TEXTS
    assert manifest["requests"] == 6
    oldest = api.page(api.seen[1].parameters)["data"][-1]["id"]
    assert [seen.parameters.get("until_id") for seen in api.seen] == [None, None, None, oldest, oldest, oldest]
    assert "next_token" not in api.seen[3].parameters


def test_the_way_round_a_token_ends_with_its_query(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """The next query of a wide box starts from the newest post again."""
    api.script = {3: REFUSED}
    settings = real(areas=WIDE, studies="")
    manifest = extract.run(settings, "wide", DAY, now=NOW)
    assert texts(settings, "wide") == ALL_TEXTS * len(manifest["queries"])
    assert [page["until_id"] is None for page in manifest["pages"]] == [True] * 2 + [False] * 3 + [True] * 5 * (
        len(manifest["queries"]) - 1
    )


def test_a_query_that_stays_refused_is_not_asked_for_ever(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """The way round is tried once from each place."""
    api.script = dict.fromkeys(range(3, 50), REFUSED)
    with pytest.raises(Exception, match="next_token"):
        extract.run(real(), AREA, DAY, now=NOW)
    assert len(api.seen) == 4


@pytest.mark.slow
def test_a_day_that_left_the_recent_window_goes_on_at_the_other_endpoint(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Its token means nothing to search/all: the walk goes on with until_id, and no page is fetched twice."""
    settings = real()
    api.script = {3: Reply(status=402, document={})}
    with pytest.raises(PaymentRequired):
        extract.run(settings, AREA, DAY, now=NOW)
    manifest = extract.run(settings, AREA, DAY, now=NOW + timedelta(days=10))
    assert texts(settings) == ALL_TEXTS
    assert [seen.path.rpartition("/")[2] for seen in api.seen] == ["recent"] * 3 + ["all"] * 3
    assert manifest["posts"] == 45


@pytest.mark.slow
def test_queries_too_long_for_the_recent_endpoint_stay_with_the_other(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """A day that was begun with search/all, before recent_days was raised: a query of 1,024 characters would be refused for good."""
    api.script = {2: Reply(status=402, document={})}
    with pytest.raises(PaymentRequired):
        extract.run(real(areas=WIDE, studies="", settings=TUNED + "recent_days = 1\n"), "wide", DAY, now=NOW)
    extract.run(real(areas=WIDE, studies=""), "wide", DAY, now=NOW)
    assert {seen.path.rpartition("/")[2] for seen in api.seen} == {"all"}


def test_pages_that_go_in_a_circle_are_noticed(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """A token that comes again and again would be followed for ever, for money."""
    api.script = dict.fromkeys(range(3, 20), Reply(document={"data": [], "meta": {"next_token": "t10"}}))
    with pytest.raises(UnexpectedAnswer, match="circle"):
        extract.run(real(), AREA, DAY, now=NOW)
    assert len(api.seen) == 4


def test_a_page_that_comes_twice_is_gone_past(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """The answer before once more, token and all: kept as received, and its token followed."""
    first = api.page({"start_time": "2026-11-10T06:00:00Z", "end_time": "2026-11-11T06:00:00Z", "max_results": "10"})
    api.script = {2: Reply(document=first)}
    settings = real()
    extract.run(settings, AREA, DAY, now=NOW)
    assert texts(settings) == ALL_TEXTS[:10] + ALL_TEXTS
    assert api.starts == [0, 10, 10, 20, 30, 40]


def test_a_day_never_mixes_the_sandbox_and_the_api(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """The sandbox marks its answers; a change of mind half-way is refused."""
    api.script = {1: Reply(document={"data": [], "meta": {"next_token": "t10"}}, headers={"x-geobeta-synthetic": "true"})}
    with pytest.raises(UnexpectedAnswer, match="sandbox"):
        extract.run(real(), AREA, DAY, now=NOW)


def test_what_the_sandbox_gave_is_called_synthetic_even_to_a_token(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """X_BASE_URL may point at the sandbox: the header decides."""
    api.headers = {"x-geobeta-synthetic": "true"}
    assert extract.run(real(), AREA, DAY, now=NOW)["synthetic"] is True


def test_a_damaged_page_is_missing_data(real: Callable[..., Settings]) -> None:
    """A page file that is not what was received is never read as if it were."""
    settings = real()
    extract.run(settings, AREA, DAY, now=NOW)
    folder = extract.partition(settings, AREA, DAY)
    (folder / "page-00002.json.zst").write_bytes(zstandard.compress(b'{"meta": {}}'))
    with pytest.raises(MissingData, match="page-00002"):
        list(extract.pages(settings, AREA, DAY))
    (folder / "page-00002.json.zst").unlink()
    with pytest.raises(MissingData, match="page-00002"):
        list(extract.pages(settings, AREA, DAY))


def test_a_box_is_covered_once_however_many_days_are_asked_about(real: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """Covering a large box costs milliseconds, and every revision of every day and study holds the cover."""
    settings = real()
    wanted = extract.revision(settings, AREA)
    monkeypatch.setattr("pipeline.cover.clauses", lambda box: pytest.fail("covered again"))
    assert extract.revision(settings, AREA) == wanted


def test_revisions_follow_what_decides_the_pages(real: Callable[..., Settings]) -> None:
    """Box, time zone, real or made up: another revision. Page size, token, policy, studies: the same."""
    areas = '[city]\nbox = "-99.2,19.3,-99.1,19.4"\ntimezone = "America/Mexico_City"\n'

    def revision(**changes: Any) -> str:
        return extract.revision(real(**{"areas": areas, "studies": "", **changes}), "city")

    base = revision()
    assert base == revision(settings="[x]\npage_size = 50\n", X_BEARER_TOKEN="other")
    assert base == revision(areas=areas + "largest_place = 2.0\n")
    others = [
        revision(areas=areas.replace("19.4", "19.5")),
        revision(areas=areas.replace("Mexico_City", "Monterrey")),
        revision(areas=areas + 'places = ["25530ba03b7d90c6"]\n'),
        revision(X_BEARER_TOKEN=""),
        revision(X_BEARER_TOKEN="", settings="[sandbox]\nseed = 2\n"),
    ]
    assert len({base, *others}) == 6


def test_two_extractions_of_one_day_at_once_make_it_once(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """The second waits for the lock, then finds the day whole."""
    settings, manifests = real(), []
    threads = [threading.Thread(target=lambda: manifests.append(extract.run(settings, AREA, DAY, now=NOW))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(api.seen) == 5
    assert manifests[0] == manifests[1] == manifests[2]


def test_a_box_too_large_to_be_asked_for_is_refused_by_name(real: Callable[..., Settings]) -> None:
    """Before a request goes out; the message says which area."""
    areas = '[globe]\nbox = "-180,-90,180,90"\ntimezone = "UTC"\n'
    with pytest.raises(SettingsError, match=r"areas\.toml, \[globe\]: .*122,259 circles"):
        extract.revision(real(areas=areas, studies=""), "globe")
