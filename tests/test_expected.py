"""What the counts endpoint says of a day, through real HTTP: asked once a query, kept, summed; and the sample that is drawn from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from pipeline import clean, client, expected, extract
from pipeline.days import Window
from pipeline.errors import Forbidden, PaymentRequired, SettingsError, SourceUnavailable
from pipeline.settings import Settings
from pipeline.sources import x_endpoints
from tests.extracting import WIDE
from tests.servers import Reply, ScriptedServer, scripted

DAY = date(2026, 11, 10)
AREA = "mexico-city"
NOW = datetime(2026, 11, 12, 9, tzinfo=UTC)
START = datetime(2026, 11, 10, 6, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=1))
TUNED = "[x]\nattempts = 2\nlongest_wait_seconds = 0.05\n"
SAMPLED = '[mexico-city]\nbox = "-99.3650,19.0482,-98.9403,19.5928"\ntimezone = "America/Mexico_City"\nsample = { posts = 100 }\n'
QUERIES = ("(place:a) -is:retweet", "(place:b) -is:retweet")


@pytest.fixture
def api() -> Iterator[ScriptedServer]:
    """A local stand-in of the API with a day of 600 posts."""
    with scripted(posts=600) as running:
        running.span = (WINDOW.start, WINDOW.end)
        yield running


@pytest.fixture
def real(api: ScriptedServer, make_settings: Callable[..., Settings]) -> Callable[..., Settings]:
    """Settings with a token and the stand-in's address."""

    def make(**changes: Any) -> Settings:
        return make_settings(**{"settings": TUNED, "database": False, "X_BEARER_TOKEN": "token", "X_BASE_URL": api.url, **changes})

    return make


def asked(settings: Settings, **changes: Any) -> expected.Volumes:
    """The volumes of the two queries."""
    given = {"granularity": "hour", "window": WINDOW, **changes}
    return expected.volumes(
        client.build(settings),
        x_endpoints.COUNTS_RECENT,
        QUERIES,
        given["window"],
        given["granularity"],
        folder=expected.folder(settings, AREA, DAY),
    )


def test_each_query_is_asked_once_and_the_answer_kept(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """The second time, and after a kill between the two, only what is missing is asked for."""
    settings = real()
    api.script = {2: Reply(status=402, document={})}
    with pytest.raises(PaymentRequired):
        asked(settings)
    folder = expected.folder(settings, AREA, DAY)
    assert expected.known(folder, QUERIES, WINDOW, "hour") is None
    found = asked(settings)
    assert [seen.parameters["query"] for seen in api.seen] == [QUERIES[0], QUERIES[1], QUERIES[1]]
    assert asked(settings) == found == expected.known(folder, QUERIES, WINDOW, "hour")
    assert len(api.seen) == 3
    assert (found.totals, found.total, found.overlapping) == ((600, 600), 1200, True)
    assert [posts for _, posts in found.buckets] == [50] * 24
    assert found.within(Window(START, START + timedelta(hours=2))) == 100
    assert found.within(Window(START - timedelta(hours=1), START)) is None


def test_minutes_are_consecutive_and_the_empty_ones_stand_too(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """A sample is drawn over all of the day."""
    found = asked(real(), granularity="minute")
    starts = [start for start, _ in found.buckets]
    assert starts == [START + timedelta(minutes=number) for number in range(1440)]
    assert sum(posts for _, posts in found.buckets) == 1200


def test_counts_of_several_pages_are_one(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Page by page by the token."""
    hour = timedelta(hours=1)

    def page(start: datetime, posts: int, token: str | None) -> Reply:
        entry = {"start": start.isoformat(), "end": (start + hour).isoformat(), "tweet_count": posts}
        return Reply(document={"data": [entry], "meta": {"total_tweet_count": posts, **({"next_token": token} if token else {})}})

    api.script = {1: page(START + hour, 5, "n1"), 2: page(START, 3, None), 3: page(START, 0, None)}
    found = asked(real())
    assert [posts for _, posts in found.buckets[:3]] == [3, 5, 0]
    assert api.seen[1].parameters["next_token"] == "n1"


def test_made_up_and_real_counts_lie_apart(real: Callable[..., Settings]) -> None:
    """The one never stands for the other."""
    assert expected.folder(real(), AREA, DAY) != expected.folder(real(X_BEARER_TOKEN=""), AREA, DAY)


def test_what_was_asked_before_the_day_was_over_is_asked_again(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """It counts less than there will have been."""
    ahead = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    window = Window(ahead, ahead + timedelta(hours=3))
    settings = real()
    asked(settings, window=window)
    assert expected.known(expected.folder(settings, AREA, DAY), QUERIES, window, "hour") is None


def test_a_night_asks_no_count_twice(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Stopped by a fault, it goes on at its page; what was counted stands."""
    settings = real(areas=WIDE, studies="")
    first = len(x_endpoints.queries(extract.clauses(settings.area("wide")), limit=512)) + 3
    api.script = dict.fromkeys((first, first + 1), Reply(status=503, document={}))
    with pytest.raises(SourceUnavailable):
        extract.run(settings, "wide", DAY, now=NOW, night="n1")
    manifest = extract.run(settings, "wide", DAY, now=NOW, night="n2")
    counted = [seen.parameters["query"] for seen in api.seen if "granularity" in seen.parameters]
    assert counted == manifest["queries"]
    # several queries: an upper estimate
    assert [hour["expected"] for hour in manifest["hours"]] == [25 * len(counted)] * 24
    assert [hour["fetched"] for hour in manifest["hours"]] == [25] * 24


def test_a_sample_walks_slices_over_the_whole_day(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """About as many posts as wanted, in windows of whole seconds, out of the population that X counts; it stands for the whole day."""
    settings = real(areas=SAMPLED)
    manifest = extract.run(settings, AREA, DAY, now=NOW, night="n1")
    slices = [(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in manifest["sample"]["slices"]]
    assert manifest["mode"] == "sample"
    assert (manifest["sample"]["wanted"], manifest["sample"]["population"]) == (100, 600)
    assert 80 <= manifest["posts"] <= 120
    assert manifest["posts"] == sum(len(api.between(*piece)) for piece in slices)
    assert slices[0][0] < START + timedelta(hours=4)
    assert slices[-1][1] > START + timedelta(hours=20)
    assert (manifest["coverage"], manifest["coverage_reason"], manifest["holes"]) == (1.0, "", [])
    assert len(manifest["pages"]) == len(slices)
    told = extract.observed(settings, AREA, DAY)
    assert (told.mode, told.coverage) == ("sample", 1.0)
    assert told.digest
    assert api.seen[0].parameters["granularity"] == "minute"
    again = extract.run(settings.model_copy(update={"data": settings.data / "again"}), AREA, DAY, now=NOW, night="n1")
    assert again["sample"] == manifest["sample"]


def test_a_quiet_day_is_fetched_whole(real: Callable[..., Settings]) -> None:
    """No sample is needed where there are no more posts than wanted."""
    manifest = extract.run(real(areas=SAMPLED.replace("100", "1000")), AREA, DAY, now=NOW, night="n1")
    assert (manifest["mode"], manifest["sample"], manifest["posts"]) == ("whole", None, 600)


def test_a_slice_that_cannot_be_had_lowers_the_coverage_and_is_asked_for_again(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """As the hours of a whole day."""
    settings = real(areas=SAMPLED)
    api.down = [(START + timedelta(hours=8), START + timedelta(hours=11))]
    with pytest.raises(SourceUnavailable):
        extract.run(settings, AREA, DAY, now=NOW, night="n1")
    manifest = extract.run(settings, AREA, DAY, now=NOW, night="n2")
    assert 0.5 < manifest["coverage"] < 1
    assert "of the sample's" in manifest["coverage_reason"]
    assert {hour["observed"] < 1 for hour in manifest["hours"][8:11]} >= {True}
    assert {hour["observed"] for hour in [*manifest["hours"][:8], *manifest["hours"][11:]]} == {1.0}
    api.down, before = [], len(api.seen)
    mended = extract.run(settings, AREA, DAY, now=NOW, night="n3")
    assert mended["coverage"] == 1.0
    assert {seen.path for seen in api.seen[before:]} == {"/2/tweets/search/recent"}
    slices = [(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in mended["sample"]["slices"]]
    assert mended["posts"] == sum(len(api.between(*piece)) for piece in slices)


def test_a_sample_cannot_do_without_counts(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Switched off, or refused by X: told with what to do, before a post is paid for."""
    with pytest.raises(SettingsError, match=r"\[mexico-city\]: a sample needs X's counts.*\n.*ask_counts = true"):
        extract.run(real(areas=SAMPLED, settings=TUNED + "ask_counts = false\n"), AREA, DAY, now=NOW)
    assert not api.seen
    api.script = {1: Reply(status=403, document={"title": "Forbidden", "detail": "no counts"})}
    with pytest.raises(Forbidden, match=r"a sample needs X's counts, and they were refused(.|\n)*take the line sample"):
        extract.run(real(areas=SAMPLED), AREA, DAY, now=NOW)
    assert len(api.seen) == 1


def test_the_sample_setting_changes_no_day_that_is_there(api: ScriptedServer, real: Callable[..., Settings]) -> None:
    """Its revision is the same: a day fetched whole stays whole."""
    settings = real()
    whole = extract.run(settings, AREA, DAY, now=NOW)
    sent = len(api.seen)
    assert extract.run(real(areas=SAMPLED), AREA, DAY, now=NOW) == whole
    assert len(api.seen) == sent
    assert clean.revision(real(areas=SAMPLED), AREA, DAY) == clean.revision(settings, AREA, DAY)
