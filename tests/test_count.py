"""Counting: a table of tweets in, counts by author and matches out."""

from __future__ import annotations

import datetime as dt
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import clean, configuration, count, matchers, storage, text
from pipeline.errors import MissingData, SettingsError
from pipeline.schema import AUTHOR_COUNTS, MATCHES, TWEETS
from pipeline.settings import Settings

DAY = dt.date(2026, 11, 20)
RULE = matchers.build({"words": ["tráfico", "#caos"]})


def make_tweet(tweet_id: int, **changes: Any) -> dict[str, Any]:
    """One valid tweet about nothing; a test changes a field."""
    tweet: dict[str, Any] = {
        "tweet_id": tweet_id,
        "version_id": tweet_id,
        "created_at": dt.datetime(2026, 11, 20, 18, tzinfo=dt.UTC),
        "author_key": "a" * 32,
        "text": "Buenos días",
        "is_retweet": False,
        "is_quote": False,
        "evidence": "point",
    } | changes
    searchable = text.searchable(tweet["text"])
    return tweet | {"searchable": searchable, "folded": text.fold(searchable)}


def table(*tweets: dict[str, Any]) -> pa.Table:
    """What count.count takes, for a folded rule."""
    whole = pa.Table.from_pylist(list(tweets), TWEETS)
    return whole.select(["tweet_id", "author_key", "is_retweet", "evidence", "folded"]).rename_columns({"folded": "text"})


@pytest.mark.parametrize(
    ("tweets", "authors", "matched", "sums"),
    [
        pytest.param([], [], [], {"trials": 0, "matches": 0, "authors": 0, "retweets": 0}, id="nothing"),
        pytest.param(
            [make_tweet(1, text="Mucho TRAFICO hoy"), make_tweet(2)],
            [("a" * 32, 2, 1)],
            [(1, "tráfico")],
            {"trials": 2, "matches": 1, "authors": 1, "retweets": 0},
            id="one author",
        ),
        pytest.param(
            [make_tweet(1, text="#caos y tráfico", author_key="b" * 32), make_tweet(2, text="#caos"), make_tweet(3, author_key="b" * 32)],
            [("a" * 32, 1, 1), ("b" * 32, 2, 1)],
            [(1, "tráfico"), (2, "#caos")],
            {"trials": 3, "matches": 2, "authors": 2, "retweets": 0},
            id="the first rule of the list is kept",
        ),
        pytest.param(
            [make_tweet(1, text="tráfico", is_retweet=True), make_tweet(2, is_retweet=True, author_key="b" * 32), make_tweet(3)],
            [("a" * 32, 1, 0)],
            [],
            {"trials": 1, "matches": 0, "authors": 1, "retweets": 2},
            id="retweets are neither trials nor matches",
        ),
        pytest.param(
            [make_tweet(1, text="tráfico", is_quote=True), make_tweet(2, is_quote=True)],
            [("a" * 32, 2, 1)],
            [(1, "tráfico")],
            {"trials": 2, "matches": 1, "authors": 1, "retweets": 0},
            id="quotes count by their own text",
        ),
        pytest.param(
            [make_tweet(1, author_key=None), make_tweet(2, text="tráfico", author_key=None), make_tweet(3, author_key="f" * 32)],
            [("f" * 32, 1, 0), (None, 2, 1)],
            [(2, "tráfico")],
            {"trials": 3, "matches": 1, "authors": 1, "retweets": 0},
            id="tweets without an author are gathered",
        ),
        pytest.param(
            [make_tweet(1, text="@trafico https://t.co/trafico traficos")],
            [("a" * 32, 1, 0)],
            [],
            {"trials": 1, "matches": 0, "authors": 1, "retweets": 0},
            id="links and mentions are not searched",
        ),
    ],
)
def test_counts_by_author_and_what_matched(
    tweets: list[dict[str, Any]], authors: list[tuple[Any, ...]], matched: list[tuple[Any, ...]], sums: dict[str, int]
) -> None:
    """A table of inputs and outputs."""
    by_author, matches, manifest = count.count(table(*tweets), RULE)
    assert [tuple(row.values()) for row in by_author.to_pylist()] == authors
    assert [tuple(row.values()) for row in matches.to_pylist()] == matched
    assert {key: manifest[key] for key in sums} == sums
    assert by_author.schema.equals(AUTHOR_COUNTS)
    assert matches.schema.equals(MATCHES)


def test_counts_by_kind_of_evidence() -> None:
    """The share under each kind of evidence can be told; retweets are in none."""
    tweets = [
        make_tweet(1, evidence="point", text="tráfico"),
        make_tweet(2, evidence="place_within"),
        make_tweet(3, evidence="place_within", text="#caos"),
        make_tweet(4, evidence="place_centroid", is_retweet=True),
    ]
    _, _, manifest = count.count(table(*tweets), RULE)
    assert manifest["evidence"] == {"place_within": {"trials": 2, "matches": 1}, "point": {"trials": 1, "matches": 1}}


def made_up_day(seed: int = 1, rows: int = 300) -> list[dict[str, Any]]:
    """A day of tweets by some authors, one of them unknown."""
    chance = random.Random(seed)
    texts = ["Buenos días", "Mucho tráfico", "#caos total", "TRAFICO #caos", "nada", "el traficante"]
    return [
        make_tweet(
            1000 + number,
            text=chance.choice(texts),
            author_key=chance.choice([None, "a" * 32, "b" * 32, "c" * 32, "d" * 32]),
            is_retweet=chance.random() < 0.1,
            evidence=chance.choice(["point", "place_within", "place_centroid"]),
        )
        for number in range(rows)
    ]


def test_the_order_of_tweets_never_shows() -> None:
    """Shuffled tweets give equal tables and sums."""
    day = made_up_day()
    wanted = count.count(table(*day), RULE)
    for seed in range(3):
        random.Random(seed).shuffle(day)
        got = count.count(table(*day), RULE)
        assert all(one.equals(other) for one, other in zip(got[:2], wanted[:2], strict=True))
        assert json.dumps(got[2]) == json.dumps(wanted[2])


def test_sums_agree_with_each_other() -> None:
    """Authors and kinds of evidence both add up to the day's trials and matches."""
    day = made_up_day()
    authors, matches, manifest = count.count(table(*day), RULE)
    assert sum(authors["trials"].to_pylist()) == manifest["trials"] == sum(kind["trials"] for kind in manifest["evidence"].values())
    assert sum(authors["matches"].to_pylist()) == manifest["matches"] == matches.num_rows
    assert manifest["trials"] + manifest["retweets"] == len(day)


def test_golden_output_is_pinned_to_the_code_version() -> None:
    """If this digest changes, what counting puts out has changed: raise count.CODE_VERSION and put the new pair here."""
    authors, matches, manifest = count.count(table(*made_up_day()), RULE)
    content = storage.digest(authors.to_pylist(), matches.to_pylist(), manifest)
    assert (count.CODE_VERSION, content) == (1, "3363e6665f1a")


# ---- the partition -----------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """Two studies of one area; no database is needed to count."""
    return make_settings(database=False)


def write_tweets(settings: Settings, tweets: list[dict[str, Any]], **manifest: Any) -> None:
    """What CleanTweets leaves behind."""
    with storage.publish_directory(clean.partition(settings, "mexico-city", DAY)) as folder:
        storage.write_parquet(folder / "tweets.parquet", pa.Table.from_pylist(tweets, TWEETS))
        whole = {"rows": len(tweets), "coverage": 1.0, "coverage_reason": "", "synthetic": True}
        storage.write_json(folder / "manifest.json", whole | manifest)


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_day_is_counted_into_a_partition(settings: Settings) -> None:
    """The folder holds both tables and the manifest, which passes on what clean knows of the day."""
    write_tweets(settings, made_up_day(), coverage=0.25, coverage_reason="the archive ends at noon", synthetic=False)
    manifest = count.run(settings, "traffic", DAY)
    folder = count.partition(settings, "traffic", DAY)
    assert set(files(folder)) == {"authors.parquet", "matches.parquet", "manifest.json"}
    assert storage.read_json(folder / "manifest.json") == manifest
    assert (manifest["coverage"], manifest["coverage_reason"], manifest["synthetic"]) == (0.25, "the archive ends at noon", False)
    assert pq.read_schema(folder / "authors.parquet").equals(AUTHOR_COUNTS)
    assert pq.read_table(folder / "matches.parquet").num_rows == manifest["matches"] > 0
    assert manifest["rule_version"] == count.rule_version(settings, settings.study("traffic"))


def test_counts_of_a_sample_say_of_how_much(settings: Settings) -> None:
    """Posts received by hour are summed; X's count of all is passed on. A whole day has neither."""
    hours = [{"fetched": 300}, {"fetched": 212}]
    write_tweets(settings, made_up_day(), mode="sample", sample={"wanted": 500, "population": 8312, "slices": []}, hours=hours)
    manifest = count.run(settings, "traffic", DAY)
    assert (manifest["basis"], manifest["sampled"], manifest["population"]) == ("sample", 512, 8312)
    shutil.rmtree(clean.partition(settings, "mexico-city", DAY))
    write_tweets(settings, made_up_day(), mode="whole", hours=hours)
    whole = count.run(settings, "water", DAY)
    assert (whole["basis"], whole["sampled"], whole["population"]) == ("tweets", None, None)


def test_counting_again_gives_the_same_bytes_or_nothing_to_do(settings: Settings) -> None:
    """What is there is left alone; made anew it is the same to the byte."""
    write_tweets(settings, made_up_day())
    first = count.run(settings, "traffic", DAY)
    folder = count.partition(settings, "traffic", DAY)
    before = files(folder)
    stamps = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert count.run(settings, "traffic", DAY) == first
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == stamps
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert count.run(settings, "traffic", DAY) == first
    assert files(folder) == before


def test_a_day_without_tweets_has_counts_of_zero(settings: Settings) -> None:
    """An empty day is counted, not missing."""
    write_tweets(settings, [])
    manifest = count.run(settings, "water", DAY)
    assert (manifest["trials"], manifest["matches"], manifest["authors"], manifest["evidence"]) == (0, 0, 0, {})
    assert pq.read_table(count.partition(settings, "water", DAY) / "authors.parquet").num_rows == 0


def test_exact_rules_see_the_text_as_it_is_written(make_settings: Callable[..., Settings]) -> None:
    """exact = true reads the column `searchable`."""
    study = '[exact]\nquestion = "?"\narea = "mexico-city"\nstart = 2026-11-01\nmatch = { words = ["Mucho tráfico"], exact = true }\n'
    settings = make_settings(studies=study, database=False)
    write_tweets(settings, [make_tweet(1, text="Mucho tráfico"), make_tweet(2, text="mucho trafico")])
    assert count.run(settings, "exact", DAY)["matches"] == 1


def test_tweets_that_are_not_there_are_missing_data(settings: Settings) -> None:
    """The message names the area, the day and the command; nothing is left behind."""
    with pytest.raises(MissingData, match="mexico-city on 2026-11-20") as caught:
        count.run(settings, "traffic", DAY)
    assert "CleanTweets --area mexico-city --date 2026-11-20" in caught.value.todo
    assert not count.partition(settings, "traffic", DAY).exists()


def test_the_revision_follows_the_rule_and_the_tweets_alone(make_settings: Callable[..., Settings]) -> None:
    """Another rule or box is another partition; another question, prior or discount is not."""
    study = '[s]\nquestion = "{question}"\narea = "mexico-city"\nstart = 2026-11-01\nmatch = {match}\nprior = {{ alpha = {alpha} }}\n'
    base = {"question": "?", "match": '{ words = ["a"] }', "alpha": "1.0"}

    def revision(areas: str | None = None, **changes: str) -> str:
        given = {} if areas is None else {"areas": areas}
        settings = make_settings(studies=study.format(**(base | changes)), database=False, **given)
        return count.revision(settings, "s", DAY)

    first = revision()
    assert revision() == first
    assert revision(question="!", alpha="5.0") == first
    assert revision(match='{ words = ["a"], exact = true }') != first
    assert revision(match='{ words = ["b"] }') != first
    assert revision(areas='[mexico-city]\nbox = "-99.3,19.1,-98.9,19.5"\ntimezone = "America/Mexico_City"\n') != first


# ---- configuration.load ------------------------------------------------------------------------------------------------


def test_every_rule_is_checked_when_the_configuration_is_loaded(make_settings: Callable[..., Settings]) -> None:
    """All bad rules are listed at once, each with its file, its study and what to write instead."""
    study = '[{name}]\nquestion = "?"\narea = "mexico-city"\nstart = 2026-11-01\nmatch = {match}\n'
    rules = {"good": '{ words = ["a"] }', "one": '{ regex = "(a)\\\\1" }', "two": '{ words = ["@a"] }', "three": "{ wrods = ['a'] }"}
    settings = make_settings(studies="\n".join(study.format(name=name, match=rule) for name, rule in rules.items()), database=False)
    environ = {"GEOBETA_CONFIG": str(settings.config), "GEOBETA_DATA": str(settings.data)}
    with pytest.raises(SettingsError) as caught:
        configuration.load(environ)
    message = str(caught.value)
    assert "the configuration has 3 faults" in message
    for said in (
        "studies.toml: [one] match",
        "back-references",
        "[two] match",
        "@mentions are not searched",
        "[three] match",
        "'wrods'",
        "one of regex, words",
    ):
        assert said in message
    assert "[good]" not in message
    assert configuration.load(environ, need="areas").studies == {}


def test_the_sample_configuration_has_usable_rules() -> None:
    """config/ as it is in the repository loads."""
    assert configuration.load({}).studies
