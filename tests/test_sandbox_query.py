"""The sandbox's query language: what binds how, what is refused, and what a region contains."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import cover
from pipeline.boxes import BoundingBox
from pipeline.sandbox.city import City, Tweet
from pipeline.sandbox.places import Place
from pipeline.sandbox.query import QueryRefused, parse

PLACE = Place("abcdef0123456789", "Barrio 1", "Barrio 1, Prueba", "neighborhood", "MX", "México", -99.2, 19.3, -99.1, 19.4)
TWEET = Tweet(
    id=7,
    history=(7,),
    created=0,
    author=1,
    text='Choque en el Periférico, otra vez. "La Banda" @trafico_x #CaosVial e-mail',
    lang="es",
    client="Twitter Web App",
    place=PLACE,
    point=None,
    kind="neighbourhood",
    is_long=False,
    reference=None,
)


def holds(query: str, tweet: Tweet = TWEET) -> bool:
    """Whether the tweet satisfies the query."""
    return parse(query).test(tweet)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("choque", True),
        ("CHOQUE", True),
        ("choq", False),
        # accents do not matter, either way ("Build a query")
        ("periferico", True),
        ("périferico", True),
        ("ótra", True),
        # punctuation ends a word, the underscore too; a mention's and a hashtag's words are words
        ("trafico", True),
        ("tráfico_x", True),
        ("mail", True),
        ("#cáosvial", True),
        ("#caos", False),
        ("caos", False),
        ("otra vez", True),
        ('"otra vez"', True),
        ('"vez otra"', False),
        ("vez otra", True),
        ("e-mail", True),
        ("#caosvial", True),
        ("#choque", False),
        ("caosvial", True),
        ("choque -lluvia", True),
        ("choque -otra", False),
        ("choque -(lluvia OR otra)", False),
        ("lang:es choque", True),
        ("choque lang:en", False),
        ("choque -lang:zh-TW", True),
        ("choque is:retweet", False),
        ("choque -is:retweet", True),
        ("choque has:geo has:hashtags has:mentions -has:links", True),
        ("place:abcdef0123456789", True),
        ('place:"Barrio 1"', True),
        ("place_country:mx", True),
        ("place_country:GB", False),
        ("(lluvia OR choque) (otra OR nunca)", True),
    ],
)
def test_a_query_finds_what_its_words_say(query: str, expected: bool) -> None:
    """Words whole and in any case, phrases in order, hashtags as such, operators by their values."""
    assert holds(query) is expected


def test_and_binds_before_or() -> None:
    """`a OR b c` is a, or both b and c: the trap that makes an unparenthesised query ask the whole world."""
    assert holds("choque OR lluvia nieve")
    assert holds("lluvia nieve OR choque")
    assert not holds("(choque OR lluvia) nieve")
    box = "bounding_box:[0 0 0.1 0.1]"
    assert holds(f"choque OR lluvia {box}")
    assert not holds(f"(choque OR lluvia) {box}")


names = st.sampled_from(["choque", "lluvia", "otra", "nieve"])
trees = st.recursive(
    names,
    lambda inner: st.one_of(
        st.tuples(st.just("or"), inner, inner), st.tuples(st.just("and"), inner, inner), st.tuples(st.just("not"), inner)
    ),
    max_leaves=8,
)


def written(tree: str | tuple[object, ...], level: int = 0) -> str:
    """The tree as a query with as few parentheses as the precedence allows. level: 0 in an OR, 1 in an AND, 2 after a minus."""
    if isinstance(tree, str):
        return tree
    if tree[0] == "not":
        return f"-{written(tree[1], 2)}"
    text = (" OR " if tree[0] == "or" else " ").join(written(part, 0 if tree[0] == "or" else 1) for part in tree[1:])
    return f"({text})" if level > (0 if tree[0] == "or" else 1) else text


def truth(tree: str | tuple[object, ...]) -> bool:
    """What the tree says of TWEET, by its own rules."""
    if isinstance(tree, str):
        return tree in ("choque", "otra")
    parts = [truth(part) for part in tree[1:]]
    return {"or": any, "and": all, "not": lambda values: not values[0]}[tree[0]](parts)


@given(trees)
def test_any_nesting_means_what_it_says(tree: str | tuple[object, ...]) -> None:
    """Random trees, written with as few parentheses as possible, mean the same after parsing."""
    # a word that is always true stands beside it, for a query of negations alone is refused
    assert holds(f"choque ({written(tree)})") is truth(tree)


@given(st.text(alphabet='ab ()"-:#OR[]', max_size=24))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Nothing else comes out of the parser than a query or QueryRefused."""
    with contextlib.suppress(QueryRefused):
        assert parse(text).stands_alone


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "(choque",
        "choque)",
        "choque OR",
        "OR choque",
        '"open',
        "()",
        "-choque",
        "-is:retweet",
        "lang:es",
        "has:geo",
        "has:geo OR choque",
        "choque from:someone",
        "choque is:nullcast",
        "choque lang:klingon",
        "x" * 1025,
        "bounding_box:[1 2 3]",
        "bounding_box:[a b c d]",
        "bounding_box:[0.1 0 0 0.1]",
        "bounding_box:[0 0.1 0.1 0]",
        "bounding_box:[0 0 0.5 0.1]",
        "bounding_box:[179.9 0 -179.9 0.1]",
        "point_radius:[0 0 25.1mi]",
        "point_radius:[0 0 41km]",
        "point_radius:[0 0 10]",
        "point_radius:[0 95 10mi]",
        "place_country:MEX",
    ],
)
def test_what_x_would_refuse_is_refused(query: str) -> None:
    """Not well formed, nothing that may stand alone, an unknown operator, too large a region, too long."""
    with pytest.raises(QueryRefused):
        parse(query)


def test_a_recent_query_is_shorter() -> None:
    """512 characters for the recent endpoints."""
    query = " ".join(["choque"] * 80)
    parse(query)
    with pytest.raises(QueryRefused, match="512"):
        parse(query, limit=512)


@pytest.mark.parametrize(
    ("point", "centre", "inside"),
    [
        (None, (0.05, 0.05), True),
        (None, (0.2, 0.05), False),
        ((0.05, 0.05), (0.2, 0.05), True),
        # as recorded: a point outside does not keep the place's centre from counting; our own policy is stricter
        ((0.2, 0.05), (0.05, 0.05), True),
        ((0.2, 0.05), (0.2, 0.05), False),
    ],
)
def test_a_region_contains_points_and_else_centres_of_places(
    point: tuple[float, float] | None, centre: tuple[float, float], inside: bool
) -> None:
    """The same for boxes and circles, whatever the place's size."""
    x, y = centre
    place = replace(PLACE, west=x - 3, east=x + 3, south=y - 3, north=y + 3)
    tweet = replace(TWEET, point=point, place=place)
    assert holds("bounding_box:[0 0 0.1 0.1]", tweet) is inside
    assert holds("point_radius:[0.05 0.05 5km]", tweet) is inside


def test_the_clauses_of_an_area_return_all_that_the_policy_counts() -> None:
    """What cover.clauses asks for, the sandbox's containment gives: no tweet inside is lost, for a small, a wide and a crossing box."""
    for box in (BoundingBox(-99.2, 19.3, -99.0, 19.5), BoundingBox(-100.5, 18.5, -98.0, 20.5), BoundingBox(179.7, -17.0, -179.6, -16.5)):
        city = City(seed=3, name="somewhere", box=box, zone=ZoneInfo("UTC"), tweets_per_day=150)
        query = parse("(" + " OR ".join(cover.clauses(box)) + ") -is:retweet", limit=10_000)
        for tweet in city.tweets(date(2026, 11, 20)):
            if tweet.kind in ("poi", "neighbourhood", "edge", "city", "metropolis", "point"):
                assert query.test(tweet), (box, tweet)
