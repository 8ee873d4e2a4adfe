"""A day that X counts, over real HTTP and the real tweepy: n and k are those of its own rules, kept as received, asked for once."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import SecretStr

from pipeline import count, extract_counts, spend, storage
from pipeline.errors import BudgetReached, DayNotOver, Forbidden, MissingData, SourceUnavailable, UnexpectedAnswer
from pipeline.sandbox import lifecycle, phrases, server
from pipeline.sandbox.world import World
from pipeline.settings import Settings
from tests import x_counts
from tests.servers import Reply, ScriptedServer, scripted

AREAS = """
[mexico-city]
box = "-99.364924,19.048237,-98.940303,19.592757"
timezone = "America/Mexico_City"

[london]
box = "-0.510375,51.28676,0.334015,51.691874"
timezone = "Europe/London"

[soho]
box = "-0.20,51.45,-0.05,51.55"
timezone = "Europe/London"
"""
SANDBOX = "[sandbox]\ntweets_per_day = 400\n"
DAY = date(2026, 11, 10)


def study(name: str, area: str, words: list[str]) -> str:
    """A study in counts mode, as TOML."""
    listed = json.dumps(words, ensure_ascii=False)
    return f'[{name}]\nquestion = "?"\narea = "{area}"\nstart = 2026-01-01\nmode = "counts"\nmatch = {{ words = {listed} }}\n'


RULES = {
    "words": ["tráfico", "choque", "agua", "lluvia"],
    "phrases": ["marcha lenta", "segundo piso", "sin agua", "stuck on", "elizabeth line"],
    "hashtags": ["#caosvial", "#sinagua", "#tfl"],
    "all": ["tube", "bus", "train", "de", "periférico", "sin agua", "elizabeth line", "#tfl", "#caosvial"],
    "nothing": ["xyzzy"],
}
STUDIES = "\n".join(study(f"{area}-{rule}", area, words) for area in ("mexico-city", "london", "soho") for rule, words in RULES.items())


@pytest.fixture
def sandboxed(make_settings: Callable[..., Settings]) -> Iterator[Callable[..., Settings]]:
    """A function that makes settings whose sandbox runs in a thread of this process."""
    running = []

    def make(**changes: Any) -> Settings:
        first = make_settings(**{"areas": AREAS, "studies": STUDIES, "settings": SANDBOX, **changes})
        context = server.running(World.of(first))
        running.append(context)
        return first.model_copy(update={"base_url": context.__enter__().url})

    yield make
    for context in running:
        context.__exit__(None, None, None)


# ---- must show 6 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_n_and_k_are_those_of_x_s_rules(sandboxed: Callable[..., Settings]) -> None:
    """Three areas, five rules, days of 23, 24 and 25 hours, in and out of reach of counts/recent: equal to counting every post here."""
    settings = sandboxed()
    recent = datetime.now(UTC).date() - timedelta(days=4)
    numbers, endpoints = [], set()
    for name, configured in settings.studies.items():
        area = settings.area(configured.area)
        for day in (DAY, date(2026, 3, 29), date(2026, 10, 25), recent):
            manifest = extract_counts.run(settings, name, day)
            counted = manifest["trials"], manifest["matches"]
            assert counted == x_counts.count(settings, area, day, configured.match["words"]), (name, day)
            numbers.append(counted)
            endpoints |= {answer["endpoint"] for answer in manifest["answers"]}
            assert manifest["requests"] == 2
    assert endpoints == {"counts/recent", "counts/all"}
    assert sum(0 < matches < trials for trials, matches in numbers) > len(numbers) / 2, "numbers that could not tell right from wrong"
    assert sum(trials for trials, _ in numbers) > 10_000


VOCABULARY = sorted({word for text in phrases.catalogue().texts for word in x_counts.tokens(text) if word.isalpha() and len(word) < 15})
ENTRY = st.one_of(
    st.sampled_from(VOCABULARY),
    st.sampled_from(VOCABULARY).map("#".__add__),
    st.sampled_from(VOCABULARY).map(str.upper),
    # neighbours in a text, so that phrases are found too
    st.sampled_from(phrases.catalogue().texts).flatmap(
        lambda text: st.integers(0, max(len(x_counts.tokens(text)) - 2, 0)).map(lambda at: " ".join(x_counts.tokens(text)[at : at + 2]))
    ),
)


@pytest.fixture
def one_city(sandboxed: Callable[..., Settings]) -> Settings:
    return sandboxed(areas=AREAS.partition("[london]")[0], studies=study("any", "mexico-city", ["agua"]))


@pytest.mark.slow
@examples(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(ENTRY, min_size=1, max_size=6, unique_by=str.casefold), offset=st.integers(0, 60))
def test_whatever_the_rule_n_and_k_are_those_of_x_s_rules(one_city: Settings, entries: list[str], offset: int) -> None:
    """Any words, phrases and hashtags of the made-up city's vocabulary, on any day."""
    from pipeline.errors import SettingsError

    asked = one_city.study("any").model_copy(update={"match": {"words": entries}})
    settings = one_city.model_copy(update={"studies": {"any": asked}})
    day = DAY - timedelta(days=offset)
    try:
        manifest = extract_counts.run(settings, "any", day)
    except SettingsError:
        return
    assert (manifest["trials"], manifest["matches"]) == x_counts.count(settings, settings.area("mexico-city"), day, entries)


# ---- what is kept, and how it is counted ----------------------------------------------------------------------------------------


def test_the_answers_are_kept_as_received(sandboxed: Callable[..., Settings]) -> None:
    """Two bodies with their digests, the queries, the endpoint; the numbers are the sums of their buckets; no tweet anywhere."""
    settings = sandboxed()
    manifest = extract_counts.run(settings, "london-words", DAY)
    folder = extract_counts.partition(settings, "london-words", DAY)
    assert storage.read_json(folder / "manifest.json") == manifest == extract_counts.manifest(settings, "london-words", DAY)
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "trials-01.json.zst", "matches-02.json.zst"}
    for answer in manifest["answers"]:
        body = zstandard.decompress((folder / answer["file"]).read_bytes())
        assert hashlib.sha256(body).hexdigest() == answer["sha256"]
        assert sum(bucket["tweet_count"] for bucket in json.loads(body)["data"]) == manifest[answer["of"]]
        assert answer["query"].startswith("(bounding_box:[-0.510375 51.28676 ")
        assert answer["query"].endswith(" -is:retweet")
    assert "(tráfico OR choque OR agua OR lluvia)" in manifest["answers"][1]["query"]
    assert (manifest["source"], manifest["synthetic"]) == ("sandbox", True)
    assert not (settings.data / "raw").exists()
    assert extract_counts.held_days(settings, "london-words") == {DAY}


def test_counts_are_x_s_with_authors_unknown(sandboxed: Callable[..., Settings]) -> None:
    """One row of no author, no tweet that matched; the rule's version is not that of the same words matched here."""
    settings = sandboxed()
    with pytest.raises(MissingData, match="run ExtractCounts --study london-words"):
        count.run(settings, "london-words", DAY)
    given = extract_counts.run(settings, "london-all", DAY)
    manifest = count.run(settings, "london-all", DAY)
    assert (manifest["basis"], manifest["authors"], manifest["retweets"], manifest["coverage"]) == ("counts", None, None, 1.0)
    assert (manifest["trials"], manifest["matches"]) == (given["trials"], given["matches"])
    folder = count.partition(settings, "london-all", DAY)
    authors = [{"author_key": None, "trials": given["trials"], "matches": given["matches"]}]
    assert pq.read_table(folder / "authors.parquet").to_pylist() == authors
    assert pq.read_table(folder / "matches.parquet").num_rows == 0
    counted = settings.study("london-all")
    assert count.rule_version(settings, counted) != count.rule_version(settings, counted.model_copy(update={"mode": "tweets"}))


def test_what_is_there_is_not_asked_for_again(sandboxed: Callable[..., Settings]) -> None:
    """Nor where the prior, the policy or the question changes; where a word does, it is."""
    settings = sandboxed()
    extract_counts.run(settings, "london-words", DAY)
    before = extract_counts.partition(settings, "london-words", DAY)
    nobody = settings.model_copy(update={"base_url": "http://127.0.0.1:9"})
    assert extract_counts.run(nobody, "london-words", DAY)["requests"] == 2
    area = settings.area("london").model_copy(update={"largest_place": 1.0, "raw": True})
    assert extract_counts.partition(settings.model_copy(update={"areas": {"london": area}}), "london-words", DAY) == before
    other = settings.study("london-words").model_copy(update={"match": {"words": ["bus"]}})
    changed = settings.model_copy(update={"studies": {"london-words": other}})
    assert extract_counts.partition(changed, "london-words", DAY) != before
    assert extract_counts.held_days(changed, "london-words") == set()


def test_two_requests_are_entered_in_the_ledger_and_a_budget_holds(sandboxed: Callable[..., Settings]) -> None:
    """A cent from counts/all each; the request that would pass the limit is not made. Without a token nothing is paid."""
    settings = sandboxed()
    extract_counts.run(settings, "london-words", DAY - timedelta(days=2))
    assert spend.spent(settings).dollars_month == 0
    settings = settings.model_copy(update={"bearer_token": SecretStr("sandbox"), "base_url": lifecycle.ensure_running(settings)})
    x = settings.x.model_copy(update={"max_usd_per_month": 0.03})
    settings = settings.model_copy(update={"x": x})
    extract_counts.run(settings, "london-words", DAY)
    assert spend.spent(settings).dollars_month == pytest.approx(0.02)
    with pytest.raises(BudgetReached):
        extract_counts.run(settings, "london-words", DAY - timedelta(days=1))
    partial = extract_counts.partition(settings, "london-words", DAY - timedelta(days=1)).with_name(
        f"{extract_counts.partition(settings, 'london-words', DAY).name}.partial"
    )
    assert [path.name for path in sorted(partial.glob("*.zst"))] == ["trials-01.json.zst"]


# ---- bad days of the API --------------------------------------------------------------------------------------------------------


def answer(total: int, token: str | None = None) -> Reply:
    """One page of counts."""
    data = [{"start": "2026-11-10T06:00:00.000Z", "end": "2026-11-10T07:00:00.000Z", "tweet_count": total}]
    return Reply(document={"data": data, "meta": {"total_tweet_count": total} | ({"next_token": token} if token else {})})


@pytest.fixture
def api() -> Iterator[ScriptedServer]:
    with scripted() as running:
        running.script = {1: answer(120), 2: answer(7)}
        yield running


@pytest.fixture
def real(api: ScriptedServer, make_settings: Callable[..., Settings]) -> Settings:
    """Settings with a token and the scripted server's address."""
    tuned = "[x]\nattempts = 2\nlongest_wait_seconds = 0.2\n"
    return make_settings(areas=AREAS, studies=study("bus", "london", ["bus"]), settings=tuned, X_BEARER_TOKEN="token", X_BASE_URL=api.url)


NOW = datetime(2026, 11, 12, 9, tzinfo=UTC)


def run(settings: Settings, **options: Any) -> dict[str, Any]:
    return extract_counts.run(settings, "bus", DAY, **{"now": NOW, **options})


def test_the_queries_and_the_day_are_what_is_asked(api: ScriptedServer, real: Settings) -> None:
    """The local day as a UTC window, by the hour, from counts/recent; nothing made up about it."""
    manifest = run(real)
    assert (manifest["trials"], manifest["matches"], manifest["synthetic"], manifest["source"]) == (120, 7, False, "x")
    assert [seen.path for seen in api.seen] == ["/2/tweets/counts/recent"] * 2
    for seen, query in zip(api.seen, (manifest["answers"][0]["query"], manifest["answers"][1]["query"]), strict=True):
        span = {"start_time": "2026-11-10T00:00:00Z", "end_time": "2026-11-11T00:00:00Z"}
        assert seen.parameters == {"query": query, "granularity": "hour", **span}
    assert manifest["answers"][1]["query"] == manifest["answers"][0]["query"].replace(") -is", ") (bus) -is")


def test_old_days_are_asked_of_the_full_archive_if_that_is_allowed(api: ScriptedServer, real: Settings) -> None:
    """Else it is said that they are out of reach."""
    recent_only = real.model_copy(update={"x": real.x.model_copy(update={"archive_search": False})})
    later = NOW + timedelta(days=30)
    with pytest.raises(MissingData, match="counts/recent reaches back 7 days only"):
        run(recent_only, now=later)
    assert {answer["endpoint"] for answer in run(real, now=later)["answers"]} == {"counts/all"}
    assert {seen.path for seen in api.seen} == {"/2/tweets/counts/all"}


def test_a_query_too_long_for_counts_recent_goes_to_counts_all(api: ScriptedServer, real: Settings) -> None:
    """Both of them, so that the two numbers are of one endpoint."""
    words = [f"word{number:02d}" for number in range(50)]
    long = real.model_copy(update={"studies": {"bus": real.study("bus").model_copy(update={"match": {"words": words}})}})
    run(long)
    assert {seen.path for seen in api.seen} == {"/2/tweets/counts/all"}


def test_a_day_that_is_not_over_is_not_counted(api: ScriptedServer, real: Settings) -> None:
    """Nor before posts can no longer be edited."""
    with pytest.raises(DayNotOver, match="2026-11-11 01:30 UTC"):
        run(real, now=datetime(2026, 11, 11, 1, 29, tzinfo=UTC))
    assert api.seen == []


def test_an_answer_that_came_is_not_asked_for_again(api: ScriptedServer, real: Settings) -> None:
    """The second request fails for good: the next run asks for the matches alone."""
    api.script |= {2: Reply(status=503, document={}), 3: Reply(status=503, document={}), 4: answer(9)}
    with pytest.raises(SourceUnavailable):
        run(real)
    assert not extract_counts.partition(real, "bus", DAY).exists()
    manifest = run(real)
    assert (manifest["trials"], manifest["matches"], manifest["requests"]) == (120, 9, 4)
    assert [seen.parameters["query"].count("bus") for seen in api.seen] == [0, 1, 1, 1]


def test_more_matches_than_posts_are_not_believed(api: ScriptedServer, real: Settings) -> None:
    """Both are asked for anew by the next run."""
    api.script |= {2: answer(121), 3: answer(122), 4: answer(8)}
    with pytest.raises(SourceUnavailable, match="121 matches among 120 posts"):
        run(real)
    manifest = run(real)
    assert (manifest["trials"], manifest["matches"]) == (122, 8)


def test_a_second_page_belongs_to_the_count(api: ScriptedServer, real: Settings) -> None:
    """A day has one; were there another, it would be followed."""
    api.script = {1: answer(100, token="more"), 2: answer(20), 3: answer(7)}
    manifest = run(real)
    assert (manifest["trials"], manifest["matches"]) == (120, 7)
    assert [seen.parameters.get("next_token") for seen in api.seen] == [None, "more", None]


def test_a_refusal_is_the_api_s_own(api: ScriptedServer, real: Settings) -> None:
    """An account without the endpoint: said so, and not asked again."""
    api.script = {1: Reply(status=403, document={"title": "Forbidden", "detail": "not enrolled", "status": 403})}
    with pytest.raises(Forbidden, match="counts/recent answered HTTP 403"):
        run(real)
    assert len(api.seen) == 1


def test_made_up_and_real_counts_do_not_mix(api: ScriptedServer, real: Settings) -> None:
    """A server that says of one answer only that it is made up."""
    api.script[2] = Reply(document=answer(7).document, headers={"x-geobeta-synthetic": "true"})
    with pytest.raises(UnexpectedAnswer, match="of the sandbox and of the API"):
        run(real)


@pytest.mark.slow
@pytest.mark.parametrize("point", ["counts.answer:1", "counts.answer:2", "counts.cursor:1", "counts.cursor:2", "counts.manifest:1"])
def test_killed_anywhere_the_next_run_completes_it(api: ScriptedServer, real: Settings, point: str, tmp_path: Path) -> None:
    """The numbers of an undisturbed run, from at most one request more."""
    api.script = dict.fromkeys(range(1, 9, 1), answer(120))
    script = (
        "import datetime, sys; from pipeline import configuration, extract_counts\n"
        "day, now = datetime.date(2026, 11, 10), datetime.datetime(2026, 11, 12, 9, tzinfo=datetime.UTC)\n"
        "extract_counts.run(configuration.load(), 'bus', day, now=now)"
    )
    url = real.database_url.get_secret_value() if real.database_url else ""
    environ = {**os.environ, "GEOBETA_CONFIG": str(real.config), "GEOBETA_DATA": str(real.data), "DATABASE_URL": url}
    environ |= {"X_BEARER_TOKEN": "token", "X_BASE_URL": api.url, "GEOBETA_KILL_AT": point, "GEOBETA_KILL_FILE": str(tmp_path / "kills")}
    killed = subprocess.run([sys.executable, "-c", script], env=environ, check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert not extract_counts.partition(real, "bus", DAY).exists()
    manifest = run(real)
    assert (manifest["trials"], manifest["matches"]) == (120, 120)
    assert len(api.seen) <= 3
    assert {path.name for path in extract_counts.partition(real, "bus", DAY).iterdir()} >= {"manifest.json", "trials-01.json.zst"}
    assert manifest["requests"] == len(api.seen)
