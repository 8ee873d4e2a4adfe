"""Whom a study leaves out: in the counts, in the database, after a purge; and that the authors' ids stay in studies.toml."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from pipeline import checks, clean, count, database, exclusion, importing, keys, load, matchers, posterior, purge, storage, text
from pipeline.exclusion import LeftOut
from pipeline.sandbox.city import CLIENTS
from pipeline.settings import Settings
from tests import posts, test_purge
from tests.conftest import STUDIES
from tests.partitions import make_tweet, write_tweets
from tests.searching import haystack
from tests.test_sandbox_city import make_city

CITY, DAY = "mexico-city", dt.date(2026, 11, 5)
ROBOT, PERSON, UNKNOWN = "a" * 32, "b" * 32, None
RULE = matchers.build({"words": ["tráfico"]})
#: An author as users' ids are, and as nothing else is.
ID = "987654321987654321"
Make = Callable[..., Settings]


def excluding(line: str, studies: str = STUDIES) -> str:
    """The configuration in which the first study, traffic, leaves somebody out."""
    return studies.replace("\n[water]", f"exclude = {line}\n\n[water]")


def folded(texts: Iterable[str]) -> pa.Array:
    """As clean.py prepares them."""
    return text.fold_all(text.searchable_all(text.tidy_all(pa.array(texts))))


def counted(tweets: list[dict[str, Any]], left_out: LeftOut) -> tuple[dict[str | None, tuple[int, int]], dict[str, Any]]:
    """Trials and matches by author, and the manifest's sums."""
    columns = ["tweet_id", "author_key", "client", "is_retweet", "evidence", "text"]
    rows = [{name: make_tweet(**tweet)["folded" if name == "text" else name] for name in columns} for tweet in tweets]
    types = {"tweet_id": pa.int64(), "is_retweet": pa.bool_()}
    table = pa.table({name: pa.array([row[name] for row in rows], types.get(name, pa.string())) for name in columns})
    authors, matched, sums = count.count(table, RULE, left_out)
    assert matched.num_rows == sums["matches"]
    return {row["author_key"]: (row["trials"], row["matches"]) for row in authors.to_pylist()}, sums


# ---- counts -------------------------------------------------------------------------------------------------------------

#: Three match: one of a robot, one by a robot's client, one of a person.
SIX = [
    {"tweet_id": 1, "author_key": ROBOT, "client": "Robot"},
    {"tweet_id": 2, "author_key": ROBOT, "client": "Phone", "folded": "nada"},
    {"tweet_id": 3, "author_key": PERSON, "client": "ROBOT"},
    {"tweet_id": 4, "author_key": PERSON, "client": "Phone"},
    {"tweet_id": 5, "author_key": UNKNOWN, "client": None, "folded": "nada"},
    {"tweet_id": 6, "author_key": ROBOT, "client": "Robot", "is_retweet": True},
]


@pytest.mark.parametrize(
    ("left_out", "authors", "excluded", "by"),
    [
        pytest.param(LeftOut(frozenset({ROBOT})), {PERSON: (2, 2), UNKNOWN: (1, 0)}, 2, (2, 0), id="an author"),
        pytest.param(
            LeftOut(clients=frozenset({"robot"})), {ROBOT: (1, 0), PERSON: (1, 1), UNKNOWN: (1, 0)}, 2, (0, 2), id="a client, in any case"
        ),
        pytest.param(LeftOut(frozenset({ROBOT}), frozenset({"robot"})), {PERSON: (1, 1), UNKNOWN: (1, 0)}, 3, (2, 1), id="both, once each"),
        pytest.param(
            LeftOut(frozenset({"c" * 32})), {ROBOT: (2, 1), PERSON: (2, 2), UNKNOWN: (1, 0)}, 0, (0, 0), id="one who is not there"
        ),
    ],
)
def test_tweets_of_those_left_out_are_neither_trials_nor_matches(
    left_out: LeftOut, authors: dict[str | None, tuple[int, int]], excluded: int, by: tuple[int, int]
) -> None:
    """They are counted apart, retweets as retweets whoever they are of; who is not known is not left out."""
    found, sums = counted(SIX, left_out)
    assert found == authors
    assert (sums["excluded"], tuple(sums["excluded_by"].values())) == (excluded, by)
    assert (sums["trials"], sums["retweets"]) == (sum(n for n, _ in authors.values()), 1)
    assert sums["trials"] + sums["excluded"] + sums["retweets"] == len(SIX)


def test_nothing_is_left_out_of_no_tweets() -> None:
    """An empty day is counted."""
    found, sums = counted([], LeftOut(frozenset({ROBOT}), frozenset({"robot"})))
    assert (found, sums["trials"], sums["excluded"]) == ({}, 0, 0)


def test_authors_are_named_by_id_or_by_key_and_clients_as_they_are_read(make_settings: Make) -> None:
    """The id is hashed as clean.py hashes it; a key stands for itself; a client may be written as archives have it."""
    line = f"""{{ authors = ["{ID}", "{ROBOT}"], clients = ['<a href="https://example.org">Tweet &amp; GO</a>', " Éclair "] }}"""
    settings = make_settings(studies=excluding(line), database=False)
    left_out = exclusion.of(settings, settings.study("traffic"))
    hashed = clean.hashed_authors(pa.chunked_array([[ID]]), keys.author_key(settings)).to_pylist()
    assert left_out.authors == {*hashed, ROBOT}
    # the same letter as one character and as two
    assert [left_out.client(name) for name in ("tweet & go", "Tweet & Go", "E\u0301CLAIR", "Tweet", "")] == [True, True, True, False, False]
    assert not exclusion.of(settings, settings.study("water"))


def test_a_study_that_leaves_nobody_out_keeps_its_versions(make_settings: Make) -> None:
    """What was counted before anybody could be left out is not counted again: these are the digests of then."""
    settings = make_settings(database=False)
    study = settings.study("traffic")
    assert count.rule_version(settings, study) == storage.digest(study.match) == "02c67a1ce34d"
    assert count.revision(settings, "traffic", DAY) == storage.digest("count", 1, clean.revision(settings, CITY, DAY), study.match)
    empty = make_settings(studies=excluding("{ authors = [], clients = [] }"), database=False)
    assert count.rule_version(empty, empty.study("traffic")) == "02c67a1ce34d"


def test_who_is_left_out_is_part_of_the_versions_and_of_nothing_else(make_settings: Make) -> None:
    """Another one is another version of rule, counts and posterior; the same ones said otherwise are not. Tweets are not cleaned again."""

    def versions(line: str | None) -> tuple[str, ...]:
        settings = make_settings(studies=STUDIES if line is None else excluding(line), database=False)
        study = settings.study("traffic")
        assert clean.revision(settings, CITY, DAY) == cleaned
        return (
            count.rule_version(settings, study),
            count.revision(settings, "traffic", DAY),
            posterior.version(settings, "traffic"),
        )

    settings = make_settings(database=False)
    cleaned, key = clean.revision(settings, CITY, DAY), keys.hashed(keys.author_key(settings), ID)
    two = versions(f'{{ authors = ["{ID}", "7"], clients = ["A", "B"] }}')
    assert versions(f'{{ authors = ["7", "{key}"], clients = ["b", "a", "A"] }}') == two
    lines = (None, f'{{ authors = ["{ID}"] }}', '{ authors = ["7"] }', '{ clients = ["A"] }', '{ clients = ["7"] }')
    found = [two, *map(versions, lines)]
    assert [len(set(of_one)) for of_one in zip(*found, strict=True)] == [6, 6, 6]


def test_an_id_does_not_follow_from_a_version(make_settings: Make) -> None:
    """Under another key the version is another one: nobody finds the id by trying all there are."""
    found = []
    for key in ("one key for tests only", "another key for tests only"):
        settings = make_settings(studies=excluding(f'{{ authors = ["{ID}"] }}'), database=False, GEOBETA_AUTHOR_KEY=key)
        found.append(count.rule_version(settings, settings.study("traffic")))
    assert found[0] != found[1]


# ---- the made-up city ---------------------------------------------------------------------------------------------------


def test_without_its_robots_a_city_s_share_is_its_people_s() -> None:
    """Robots that speak of nothing else pull the share to theirs; without their client it is what people write, by the city's own sums."""
    robots = make_city(tweets_per_day=4_000, bots=0.4, seed=5)
    people = dataclasses.replace(robots, bots=0.0)
    texts = robots.distribution(DAY)[0]
    said = texts[int(robots.bot_texts[0])]
    rule = matchers.build({"words": [max(filter(str.isalpha, said.split()), key=len)]})
    verdicts = dict(zip(texts, rule.match(folded(texts)).is_valid().to_pylist(), strict=True))
    tweets = [tweet for day in range(3) for tweet in robots.tweets(DAY + dt.timedelta(days=day)) if tweet.id == tweet.history[-1]]
    table = pa.table(
        {
            "tweet_id": [tweet.id for tweet in tweets],
            "author_key": [str(tweet.author) for tweet in tweets],
            "client": [tweet.client for tweet in tweets],
            "is_retweet": [False] * len(tweets),
            "evidence": ["point"] * len(tweets),
            "text": folded([tweet.text for tweet in tweets]),
        }
    )
    for left_out, truth in ((LeftOut(), robots), (exclusion.without([CLIENTS[-1].upper()]), people)):
        sums = count.count(table, rule, left_out)[2]
        wanted = truth.true_share(DAY, verdicts.__getitem__)
        assert abs(sums["matches"] / sums["trials"] - wanted) < 4 * (wanted * (1 - wanted) / sums["trials"]) ** 0.5
    assert robots.true_share(DAY, verdicts.__getitem__) > 2 * people.true_share(DAY, verdicts.__getitem__)


# ---- the database -------------------------------------------------------------------------------------------------------


def query(settings: Settings, statement: str) -> list[tuple[Any, ...]]:
    """Ask the database."""
    with database.transaction(settings) as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


def bring(settings: Settings) -> None:
    """Load, count and publish the six tweets for both studies."""
    tweets = [make_tweet(**{**tweet, "searchable": tweet.get("folded", "tráfico")}) for tweet in SIX]
    write_tweets(settings, CITY, DAY, tweets)
    load.tweets(settings, CITY, DAY)
    for study in settings.studies:
        count.run(settings, study, DAY)
        load.counts(settings, study, DAY)
        posterior.update(settings, study, DAY)


def test_how_many_are_left_out_stands_beside_the_counts(make_settings: Make) -> None:
    """0 where nobody is; and with the study, how many authors and which clients."""
    settings = make_settings(studies=excluding(f'{{ authors = ["{ROBOT}"], clients = ["robot"] }}'))
    bring(settings)
    assert query(settings, "select study, trials, matches, excluded from daily_counts order by 1") == [
        ("traffic", 2, 1, 3),
        ("water", 5, 0, 0),
    ]
    assert query(settings, "select study, excluded from studies order by 1") == [
        ("traffic", {"authors": 1, "clients": ["robot"]}),
        ("water", None),
    ]
    assert checks.run(settings)["counts_trials_are_tweets"] == []
    query(settings, "update daily_counts set excluded = excluded - 1 where study = 'traffic' returning 1")
    assert len(checks.run(settings)["counts_trials_are_tweets"]) == 1


def test_who_is_most_of_a_day_may_be_left_out(make_settings: Make) -> None:
    """The few tweets that still count replace the many: nothing was lost."""
    many = [make_tweet(tweet_id=number, author_key=ROBOT if number else PERSON, client="Robot") for number in range(120)]
    for line in (None, f'{{ authors = ["{ROBOT}"] }}', '{ clients = ["robot"] }'):
        settings = make_settings(studies=STUDIES if line is None else excluding(line))
        write_tweets(settings, CITY, DAY, many)
        count.run(settings, "traffic", DAY)
        load.counts(settings, "traffic", DAY)
    assert query(settings, "select trials, authors, excluded from daily_counts") == [(0, 0, 120)]


def test_an_author_s_id_is_nowhere_but_in_studies_toml(make_settings: Make, tmp_path: Path) -> None:
    """Not in a file, a table, a name or what settings print; nor is the key of somebody who never tweeted there."""
    settings = make_settings(studies=excluding(f'{{ authors = ["{ID}", "{"d" * 32}"] }}'))
    bring(settings)
    study = settings.study("traffic")
    shown = [repr(settings), str(study), str(study.model_dump()), settings.model_dump_json(), repr(exclusion.of(settings, study))]
    wanted = [ID, "d" * 32, keys.hashed(keys.author_key(settings), ID)]
    assert [said for said in shown for each in wanted if each in said] == []
    assert [place for place, content in haystack(settings) for each in wanted if each.encode() in content or each in place] == []
    # the search would have found them
    assert any(ID.encode() in content for _, content in haystack(settings, settings.config))


@pytest.mark.slow
@pytest.mark.parametrize("files", [True, False], ids=["from its files", "from the database's rows"])
def test_a_purge_takes_out_of_the_counts_only_what_was_counted(make_settings: Make, tmp_path: Path, files: bool) -> None:
    """Of ten tweets two are a robot's client's and two an author's who is left out: one of each goes, and one that counted."""
    settings = make_settings(studies=excluding('{ authors = ["501"], clients = ["robÖt"] }'))
    tweets = test_purge.tweets(test_purge.DAY, range(10))
    for number in (0, 4):
        tweets[number]["source"] = '<a href="https://example.org">Roböt</a>'
    path = tmp_path / "archive.jsonl"
    path.write_bytes(posts.lines(*tweets))
    importing.run(settings, [path])
    test_purge.bring(settings, [test_purge.DAY])
    counted_ = "select study, trials, matches, excluded from daily_counts order by 1"
    assert query(settings, counted_) == [("traffic", 6, 2, 4), ("water", 10, 0, 0)]
    if not files:
        for name in ("archives", "tweets", "counts"):
            storage.retire(settings.data / name)
    purge.run(settings, test_purge.asked(*map(test_purge.number_of, (0, 1, 2))), source="test")
    assert query(settings, counted_) == [("traffic", 5, 1, 2), ("water", 7, 0, 0)]
    if files:
        assert query(settings, "select trials, matches from posteriors where study = 'traffic'") == [(5, 1)]
    assert [name for name in test_purge.wrong_rows(settings) if name.startswith("counts_")] == []
