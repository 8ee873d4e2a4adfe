"""plan's price: what a night would ask of X and what it costs, from counts that are asked once; and whether the budget pays it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli, client, days, estimate, extract, spend, storage
from pipeline.errors import DatabaseUnavailable
from pipeline.estimate import Estimate
from pipeline.settings import Settings
from tests.conftest import AREAS, STUDIES
from tests.servers import Reply, ScriptedServer, scripted
from tests.test_cli import installed  # noqa: F401  (a fixture)
from tests.test_refusals import NOT_ENROLLED

DAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AREA = "mexico-city"
Make = Callable[..., Settings]


@pytest.fixture
def api() -> Iterator[ScriptedServer]:
    """Every window that is asked for holds 250 posts."""
    with scripted(250) as running:
        yield running


@pytest.fixture
def make(make_settings: Make, api: ScriptedServer) -> Make:
    """Settings with a token, whose X is the scripted server."""
    return lambda **given: make_settings(**({"X_BEARER_TOKEN": "a-token", "X_BASE_URL": api.url} | given))


def night(settings: Settings, *listed: tuple[str, str, date], ask: bool = True, up_to: float = 1.0) -> tuple[list[Estimate], float]:
    """The estimates of these steps, the day's tweets if none is given."""
    build = (lambda: client.build(settings, account=spend.account(settings, "plan"))) if ask else None
    return estimate.night(settings, listed or (("ExtractTweets", AREA, DAY),), now=NOW, build=build, up_to=up_to)


def paths(api: ScriptedServer) -> list[str]:
    """The endpoints that were asked."""
    return [seen.path.removeprefix("/2/tweets/") for seen in api.seen]


def test_a_day_is_counted_once_and_the_night_does_not_count_it_again(make: Make, api: ScriptedServer) -> None:
    """Three pages of a hundred, a dollar and a quarter; the half cent for asking is in the ledger, and is not paid twice."""
    settings = make()
    [[told], left] = night(settings)
    assert (told.endpoint, told.basis, told.posts, told.requests, told.counting, told.dollars) == (
        "search/recent",
        "counted",
        250,
        3,
        0,
        1.25,
    )
    assert left == 0
    assert paths(api) == ["counts/recent"]
    assert night(settings)[0] == night(settings, ask=False)[0] == [told]
    assert spend.spent(settings).dollars_month == 0.005
    extract.run(settings, AREA, DAY, now=NOW)
    assert paths(api) == ["counts/recent", *["search/recent"] * 3]


def test_nothing_is_asked_offline_and_what_the_disk_holds_is_told(make: Make, api: ScriptedServer) -> None:
    """Without any day the price is not known; with one, other days are reckoned from it; the counting is part of the price."""
    settings = make()
    [[told], left] = night(settings, ask=False)
    assert (told.basis, told.posts, told.dollars, told.why, left) == ("unknown", None, None, estimate.NOT_ASKED, 0.005)
    assert estimate.on_disk(settings, AREA) == ""
    folder = settings.data / "raw" / f"area={AREA}" / "date=2026-11-20" / "revision=x"
    storage.write_json(folder / "manifest.json", {"posts": 310, "synthetic": False})
    [[told], _] = night(settings, ask=False)
    assert (told.basis, told.posts, told.requests, told.dollars) == ("other days", 310, 4, 1.555)
    assert estimate.on_disk(settings, AREA) == "a day has about 310 posts: $1.55 by X's price list"
    assert api.seen == []


def test_asking_stops_at_its_own_limit_and_the_newest_days_come_first(make: Make, api: ScriptedServer) -> None:
    """Three days with half a cent to spend: one is asked, the others are reckoned from it, and what asking them would cost is told."""
    steps = [("ExtractTweets", AREA, DAY - timedelta(days=number)) for number in range(3)]
    told, left = night(make(), *steps, up_to=0.005)
    assert [(each.basis, each.posts) for each in told] == [("counted", 250), ("other days", 250), ("other days", 250)]
    assert len(api.seen) == 1
    assert left == pytest.approx(0.010)
    assert night(make(), *steps, up_to=0.0)[0][0].basis == "counted"
    assert len(api.seen) == 1


def test_a_large_box_takes_several_queries_whose_sum_is_an_upper_estimate(make: Make, api: ScriptedServer) -> None:
    """Each query is counted, and each has its own pages."""
    settings = make(areas=AREAS.replace("-99.3650,19.0482,-98.9403,19.5928", "-102,17,-97,22"))
    [[told], _] = night(settings)
    queries = len(told.queries)
    assert queries > 1
    assert (told.posts, told.requests) == (250 * queries, 3 * queries)
    assert paths(api) == ["counts/recent"] * queries


def test_a_sample_is_priced_as_one(make: Make, api: ScriptedServer) -> None:
    """100 of 250 posts, a request at least for each of its ten slices; a day with fewer posts is taken whole."""
    [[told], _] = night(make(areas=AREAS + "sample = { posts = 100 }\n"))
    assert (told.posts, told.dollars) == (100, 0.5)
    assert told.requests is not None
    # a slice may go round the end of its stratum, and is two spans then
    assert 10 <= told.requests <= 20
    assert api.seen[0].parameters["granularity"] == "minute"
    api.posts = 60
    [[told], _] = night(make(areas=AREAS + "sample = { posts = 100 }\n"), ("ExtractTweets", AREA, DAY - timedelta(days=1)))
    assert (told.posts, told.requests) == (60, 1)


def test_what_a_begun_day_holds_already_is_not_paid_again(make: Make, api: ScriptedServer) -> None:
    """Stopped after its first page: 150 posts and two pages are left."""
    settings = make(settings="[x]\nattempts = 1\n")
    api.script[3] = Reply(status=503, document={})
    with pytest.raises(Exception, match="503"):
        extract.run(settings, AREA, DAY, now=NOW)
    [[told], _] = night(settings)
    assert (told.posts, told.requests) == (150, 2)


def test_only_the_holes_of_a_day_that_is_here_in_part_are_priced(make: Make, api: ScriptedServer) -> None:
    """Three hours of 24 are missing: an eighth of the posts."""
    settings = make()
    night(settings)
    start, hour = days.window(DAY, settings.area(AREA).zone).start, timedelta(hours=1)
    holes = [
        {"start": (start + first * hour).isoformat(), "end": (start + last * hour).isoformat(), "reason": "x", "refetch": again}
        for first, last, again in ((0, 3, True), (9, 10, False))
    ]
    storage.write_json(extract.partition(settings, AREA, DAY) / "manifest.json", {"holes": holes})
    [[told], _] = night(settings)
    assert (told.posts, told.requests) == (31, 1)


def test_days_that_only_the_full_archive_reaches_are_asked_there(make: Make, api: ScriptedServer) -> None:
    """500 posts a page, one cent for the count; and where the settings keep us out of it, nothing reaches them."""
    old = ("ExtractTweets", AREA, date(2026, 11, 2))
    [[told], _] = night(make(), old)
    assert (told.endpoint, told.requests, paths(api)) == ("search/all", 1, ["counts/all"])
    [[told], left] = night(make(settings="[x]\narchive_search = false\n"), old)
    assert (told.endpoint, told.posts, left) == ("", None, 0)
    assert "reaches back 7 days only" in told.why


def test_a_refusal_of_the_counts_is_told_in_its_own_words_and_other_faults_are_not_swallowed(make: Make, api: ScriptedServer) -> None:
    """403 on counts: the price is not known, and why; a ledger that does not answer stops it."""
    api.script[1] = Reply(status=403, document=NOT_ENROLLED)
    [[told], left] = night(make(settings="[x]\nattempts = 1\n"))
    assert (told.posts, left) == (None, 0)
    assert "attached to a Project" in told.why
    dead = make(settings="[x]\nattempts = 1\n", DATABASE_URL="postgresql://geobeta@127.0.0.1:9/geobeta")
    with pytest.raises(DatabaseUnavailable):
        night(dead)


def test_where_counts_are_not_to_be_asked_nobody_asks_them(make: Make, api: ScriptedServer) -> None:
    """ask_counts = false: not by plan either, and no price of asking is told."""
    [[told], left] = night(make(settings="[x]\nask_counts = false\n"))
    assert (told.basis, told.why, left, api.seen) == ("unknown", "[x] ask_counts is false", 0, [])


def test_what_x_counts_itself_takes_two_requests(make: Make, api: ScriptedServer) -> None:
    """A study in mode "counts": a cent a night, known without asking."""
    settings = make(studies=STUDIES.replace('match = { words = ["agua"] }', 'mode = "counts"\nmatch = { words = ["agua"] }'))
    [[told], left] = night(settings, ("ExtractCounts", "water", DAY))
    assert (told.endpoint, told.posts, told.counting, told.dollars, left) == ("counts/recent", 0, 2, 0.01, 0)
    assert api.seen == []


SPENT = spend.Spent(DAY, 900, 4.5, 9_000, 45.0, 50, 0.25)


@pytest.mark.parametrize(
    ("limits", "left", "stops"),
    [
        ("", (None, None), ""),
        ("max_posts_per_day = 1200", (250, None), ""),
        ("max_posts_per_day = 1199", (249, None), "max_posts_per_day"),
        ("max_usd_per_month = 46.50", (None, 1.25), ""),
        ("max_usd_per_month = 46.49", (None, 1.24), "max_usd_per_month"),
        ("max_posts_per_day = 100\nmax_usd_per_month = 45", (0, 0.0), "max_posts_per_day and max_usd_per_month"),
    ],
)
def test_what_is_left_of_the_budget_pays_the_night_or_stops_it(
    make_settings: Make, limits: str, left: tuple[int | None, float | None], stops: str
) -> None:
    """250 posts, $1.25, after 950 posts and $45.25 that are spent or on their way; without a token nothing is paid, and nothing stops."""
    settings = make_settings(database=False, settings=f"[x]\n{limits}\n", X_BEARER_TOKEN="a-token")
    told_of_a_day = Estimate(AREA, DAY, "search/recent", ("q",), "counted", 250, 3)
    told = estimate.budget(settings, SPENT, [told_of_a_day])
    assert (told.posts, told.dollars, told.stops) == (left[0], left[1] if left[1] is None else pytest.approx(left[1]), stops)
    made_up = settings.model_copy(update={"bearer_token": None})
    assert estimate.budget(made_up, SPENT, [told_of_a_day]) == estimate.Budget(None, None, "")


def test_a_budget_that_is_used_up_is_not_passed_by_asking(make: Make, api: ScriptedServer) -> None:
    """Not a half cent more: the day stays unknown, and says why."""
    [[told], _] = night(make(settings="[x]\nmax_usd_per_month = 0.0\n"))
    assert api.seen == []
    assert "of the $0.00 of" in told.why


def test_the_command_shows_queries_price_and_what_the_budget_says(
    make: Make,
    api: ScriptedServer,
    installed: Callable[..., Settings],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Below the steps: a row an area, the sum, the budget; --queries shows them; --offline asks nothing and starts nothing."""
    installed(settings="[x]\nmax_posts_per_day = 200\n")
    monkeypatch.setenv("X_BEARER_TOKEN", "a-token")
    monkeypatch.setenv("X_BASE_URL", api.url)
    assert cli.main(["plan", "--date", str(DAY), "--offline"]) == 0
    said = capsys.readouterr().out
    assert "Not known: X was not asked." in said
    assert "would cost $0.005 more" in said.replace("$0.01 more", "$0.005 more")
    assert api.seen == []
    assert cli.main(["plan", "--date", str(DAY), "--queries"]) == 0
    said = capsys.readouterr().out
    assert "250" in said
    assert "$1.25 by X's price list." in said
    assert "Budget: 200 posts of this UTC day are left; the night would stop before its end ([x] max_posts_per_day)." in said
    assert "(point_radius:[" in said
    assert len(api.seen) == 1


def test_the_command_wants_dollars(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """--ask-up-to: an amount, not a word."""
    for wrong in ("much", "-1", "nan"):
        with pytest.raises(SystemExit):
            cli.main(["plan", "--ask-up-to", wrong])
        assert "wanted US dollars" in capsys.readouterr().err


def test_days_without_numbers_get_the_mean_of_their_own_areas_days() -> None:
    """Never another area's; days that nothing reaches stay unknown."""

    def an_estimate(**changes: Any) -> Estimate:
        return replace(Estimate("a", DAY, "search/recent", ("q",)), **changes)

    told = estimate.filled(
        [
            an_estimate(basis="counted", posts=100, requests=1),
            an_estimate(basis="counted", posts=301, requests=4),
            an_estimate(),
            an_estimate(name="b"),
            an_estimate(endpoint="", queries=()),
        ],
        {"a": None, "b": None},
        lambda endpoint: 100,
    )
    assert [(each.basis, each.posts, each.requests) for each in told[2:]] == [
        ("other days", 200, 2),
        ("unknown", None, None),
        ("unknown", None, None),
    ]
