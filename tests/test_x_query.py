"""A study's rule in X's query language: what is said how, and what is refused because it cannot be said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import configuration, matchers
from pipeline.errors import SettingsError
from pipeline.sandbox import query
from pipeline.settings import Settings
from pipeline.sources import x_query
from tests.conftest import AREAS

STUDY = '[{name}]\nquestion = "?"\narea = "{area}"\nstart = 2026-11-01\nmode = "counts"\nmatch = {match}\n'


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (["bus"], "(bus)"),
        (["bus", "train"], "(bus OR train)"),
        (["Bus", "bus"], "(Bus)"),
        (["traffic  jam"], '("traffic jam" OR #trafficjam)'),
        (["#metro", "＃metro"], "(#metro)"),
        (["tráfico"], "(tráfico)"),
        (["segundo periférico"], '("segundo periférico" OR #segundoperiférico)'),
        (["#périf", "#a_b"], "(#périf OR #a_b)"),
        # operators, were they not quoted
        (["OR", "and", "Not"], '("OR" OR "and" OR "Not")'),
        (["or else"], '("or else" OR #orelse)'),
        # X's documentation: a word with a sign inside is quoted, and its parts are compared in their order
        (["coca-cola"], '("coca-cola")'),
        (["don’t"], '("don’t")'),
        (["am_pm", "a b_c"], '("am_pm" OR "a b_c" OR #ab_c)'),
        # no hashtag is of digits alone
        (["24 7"], '("24 7")'),
        (["東京"], "(東京)"),
        (["किताब"], "(किताब)"),
    ],
)
def test_what_is_said(entries: list[str], said: str) -> None:
    """Words bare, phrases in quotes and as hashtags, nothing twice."""
    assert x_query.rule({"words": entries}) == said


def test_hashtags_may_stand_apart() -> None:
    """The option of the words matcher has an equivalent; exact = false is none."""
    assert x_query.rule({"words": ["bus"], "hashtags": ["tfl", "#bus"], "exact": False}) == "(bus OR #tfl OR #bus)"


@pytest.mark.parametrize(
    ("match", "why"),
    [
        ({"regex": "delay(s|ed)?"}, "X's query language has no regex"),
        ({"words": ["bus"], "exact": True}, "capitals and accents"),
        ({"words": ["bus", "from:me"]}, "'from:me': it takes : out"),
        ({"words": ["lang:es"]}, "reads it as an operator"),
        ({"words": ["-bus"]}, "a leading - as a negation"),
        ({"words": ["bus-"]}, "at the edge of a word"),
        ({"words": ["C++"]}, "it takes + out"),
        ({"words": ["AT&T"]}, "it takes & out"),
        ({"words": ['say "hi"']}, 'it takes " out'),
        ({"words": ["(bus)"]}, "it takes ( ) out"),
        ({"words": ["$tsla"]}, "it takes $ out"),
        ({"words": ["bus #metro"]}, "it takes # out"),
        ({"words": ["🚌"]}, "emoji"),
        ({"words": ["❤️"]}, "emoji"),
        ({"words": ["#2026"]}, "a hashtag is letters"),
        ({"words": ["#a-b"]}, "a hashtag is letters"),
    ],
)
def test_what_cannot_be_said_is_refused(match: dict[str, object], why: str) -> None:
    """With the entry, the reason, and the way out."""
    matchers.build(match)
    with pytest.raises(SettingsError) as caught:
        x_query.rule(match)
    assert why in str(caught.value)
    assert 'mode = "tweets"' in str(caught.value)


def test_all_refused_entries_are_named() -> None:
    """Together, by their reasons."""
    with pytest.raises(SettingsError, match=r"'a:b', 'c:d': .*; '🚌', '🚋': nobody"):
        x_query.rule({"words": ["a:b", "bus", "🚌", "c:d", "🚋"]})


WORDS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs", "M", "Cf"]), min_size=1, max_size=12)


@given(st.lists(WORDS, min_size=1, max_size=6))
def test_whatever_is_said_is_one_well_formed_part_of_a_query(entries: list[str]) -> None:
    """Nothing in a list of words gets out of its quotes or becomes an operator: each term is one that was meant."""
    try:
        matchers.build({"words": entries})
        said = x_query.rule({"words": entries})
    except SettingsError:
        return
    tokens = query._tokens(said)
    number = len(tokens) // 2
    assert [kind for kind, _ in tokens] == ["open", *["term", "or"] * (number - 1), "term", "close"]
    assert not any(":" in term for _, term in tokens)
    query.parse(f"bounding_box:[0 0 0.1 0.1] {said} -is:retweet", limit=100_000)


# ---- configuration.load -------------------------------------------------------------------------------------------------------


def load(make_settings: Callable[..., Settings], *studies: dict[str, str], areas: str = AREAS, settings: str = "") -> Settings:
    """What configuration.load says to these studies."""
    text = "\n".join(STUDY.format(**{"area": "mexico-city", **study}) for study in studies)
    made = make_settings(areas=areas, studies=text, settings=settings, database=False)
    return configuration.load({"GEOBETA_CONFIG": str(made.config), "GEOBETA_DATA": str(made.data)})


def test_studies_that_x_cannot_count_are_refused_when_the_configuration_is_loaded(make_settings: Callable[..., Settings]) -> None:
    """All of them at once, each with its file, its key, what was got and what is wanted."""
    areas = AREAS + (
        '\n[old]\nbox = "-0.2,51.4,0.1,51.6"\ntimezone = "Europe/London"\nsource = "archive"\n'
        '\n[points]\nbox = "-0.2,51.4,0.1,51.6"\ntimezone = "Europe/London"\nevidence = ["point"]\n'
        '\n[country]\nbox = "-118,15,-87,32"\ntimezone = "America/Mexico_City"\n'
    )
    bus = '{ words = ["bus"] }'
    long = "{ words = [" + ", ".join(f'"palabra{number:03d}"' for number in range(80)) + "] }"
    with pytest.raises(SettingsError) as caught:
        load(
            make_settings,
            {"name": "good", "match": bus},
            {"name": "pattern", "match": '{ regex = "a|b" }'},
            {"name": "emoji", "match": '{ words = ["🚌"] }'},
            {"name": "archived", "area": "old", "match": bus},
            {"name": "narrow", "area": "points", "match": bus},
            {"name": "large", "area": "country", "match": bus},
            {"name": "wordy", "match": long},
            areas=areas,
        )
    said = str(caught.value)
    assert "the configuration has 6 faults" in said
    assert "[good]" not in said
    for line in (
        'studies.toml: [pattern] mode\n    got:    "counts", but X\'s query language has no regex',
        "studies.toml: [emoji] mode",
        '[archived] mode\n    got:    "counts", but [old] of areas.toml has source = "archive"',
        "[narrow] mode",
        "narrows the evidence to point",
        "[large] mode",
        "boxes of under 25 miles",
        "[wordy] mode",
        "more than counts/all takes",
        '    wanted: a shorter list of words, a smaller box, or mode = "tweets"',
    ):
        assert line in said


def test_without_the_full_archive_a_query_must_be_shorter(make_settings: Callable[..., Settings]) -> None:
    """counts/recent takes 512 characters, counts/all 1,024: it is said by how many it is too long."""
    words = "{ words = [" + ", ".join(f'"palabra{number:02d}"' for number in range(40)) + "] }"
    study = {"name": "wordy", "match": words}
    load(make_settings, study)
    with pytest.raises(SettingsError, match=r"make a query of 727 characters \(194 of them for the box\), 215 more than counts/recent"):
        load(make_settings, study, settings="[x]\narchive_search = false\n")
