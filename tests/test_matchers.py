"""What words and patterns find, and which of them cannot be used."""

from __future__ import annotations

import re
from collections.abc import Mapping

import hypothesis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import matchers, text
from pipeline.errors import SettingsError
from pipeline.matchers import words


def found(match: Mapping[str, object], *texts: str) -> list[str | None]:
    """What CleanTweets and CountMatches together make of these texts."""
    matcher = matchers.build(match)
    searched = text.searchable_all(text.tidy_all(pa.array(texts, pa.string())))
    labels: list[str | None] = matcher.match(searched if matcher.exact else text.fold_all(searched)).to_pylist()
    return labels


@pytest.mark.parametrize(
    ("entry", "hits", "misses"),
    [
        ("bus", ["bus", "The BUS!", "bús", "#bus", "(bus)", "bus-stop", "bus's", "🚌bus🚌", "❤️bus"], ["buses", "abus", "bus_1", "_bus"]),
        ("bus", ["バスbusです", "bus\ufe0f"], ["busя", "дbus", "bus2", "@bus", "https://t.co/bus", "http://bus.org/", "busé"]),
        ("tráfico", ["trafico", "TRÁFICO", "tra\u0301fico", "#Trafico"], ["traficos"]),
        ("ńandu", ["nandu", "ÑANDÚ"], []),
        ("straße", ["STRASSE", "straße"], []),
        ("traffic jam", ["a Traffic  jam", "traffic\u3000jam", "#trafficjam", "#TrafficJam"], ["trafficjam", "traffic jams"]),
        ("#metro", ["#metro", "(#METRO)", "＃metro", "#métro!"], ["metro", "#metros", "x#metro", "##metros", "metro#", "#metroの"]),
        ("渋滞", ["大渋滞です", "#渋滞情報", "渋滞", "x渋滞y"], ["渋 滞"]),
        ("バス", ["ﾊﾞｽ停", "大型バス"], ["ハス", "パス"]),
        ("#渋滞", ["この #渋滞 で"], ["#渋滞情報", "渋滞"]),
        ("รถติด", ["วันนี้รถติดมาก"], ["รถ"]),
        ("c++", ["c++", "C++11", "(c++)"], ["ac++", "c+"]),
        ("a.b", ["a.b"], ["axb"]),
        ("🚗", ["go🚗now", "🚗"], ["🚕"]),
        ("❤️", ["❤now", "❤️"], ["♥"]),
        ("❤️🚗", ["❤🚗", "❤️🚗", "❤️🚗️"], ["❤️ 🚗"]),
        ("日本 bus", ["大日本 bus"], ["日本 buses"]),
        ("5g", ["5G", "5g!"], ["15g", "5gb"]),
        ("x_1", ["x_1"], ["x_12", "ax_1"]),
        ("snake_", ["snake_!"], ["snake_a"]),
        ("مترو", ["المترو مترو", "#مترو"], ["المترو"]),
        ("AT&T", ["at&amp;t"], ["at&tt"]),
        ("don't", ["don't", "DON’T", "donʼt"], ["dont", "don"]),
        ("l’eau", ["de l'eau", "L’eau"], ["eau"]),
        ("wi-fi", ["Wi‑Fi"], ["wifi"]),
    ],
)  # fmt: skip
def test_an_entry_is_found_as_a_whole_word_of_its_script(entry: str, hits: list[str], misses: list[str]) -> None:
    """Case, accents and width do not matter; letters, digits, marks and underscores that adjoin do."""
    assert found({"words": [entry]}, *hits) == [entry] * len(hits)
    assert found({"words": [entry]}, *misses) == [None] * len(misses)


def test_exact_words_keep_case_and_accents() -> None:
    """With exact = true only what is written is found; links and mentions are left out all the same."""
    match = {"words": ["Polé", "US dollar"], "exact": True}
    assert found(match, "Polé", "polé", "Pole", "#Polé", "US  dollar", "#USdollar", "us dollar", "@Polé") == [
        "Polé", None, None, "Polé", "US dollar", "US dollar", None, None,
    ]  # fmt: skip


def test_entries_of_the_option_hashtags_are_hashtags_only() -> None:
    """`hashtags` takes entries with or without #; the label has it."""
    match = {"words": ["bus"], "hashtags": ["metro", "#Tube"]}
    assert found(match, "metro", "#metro", "#tube", "bus") == [None, "#metro", "#Tube", "bus"]
    assert matchers.build(match).rules == ("bus", "#metro", "#Tube")
    assert found({"words": [], "hashtags": ["metro"]}, "#metro", "metro") == ["#metro", None]


def test_the_first_entry_of_the_list_is_the_label() -> None:
    """The order of the list decides, not the order in the text; labels are as written."""
    assert found({"words": ["Jam", "tráfico", "bus"]}, "bus, trafico", "bus jam", "bus") == ["tráfico", "Jam", "bus"]
    assert found({"regex": ["b.s", "bus"]}, "the bus", "xx") == ["b.s", None]


WORDS = st.text("ab", min_size=1, max_size=2)
ENTRIES = st.lists(WORDS, min_size=1, max_size=2).map(" ".join) | WORDS.map("#{}".format)


@pytest.mark.slow
@given(entries=st.lists(ENTRIES, min_size=1, max_size=7), texts=st.lists(st.text("ab #c_", max_size=12), max_size=8))
@hypothesis.settings(max_examples=15)
def test_a_list_finds_what_its_entries_find_one_by_one(entries: list[str], texts: list[str]) -> None:
    """The union of all patterns and the halving of the list give the first entry that matches alone."""
    alone = [found({"words": [entry]}, *texts) for entry in entries]
    wanted = [next((label for label in labels if label is not None), None) for labels in zip(*alone, strict=True)]
    assert found({"words": entries}, *texts) == wanted


@pytest.mark.slow
@given(st.text("ab _1é#.", max_size=10))
@hypothesis.settings(max_examples=40)
def test_whole_words_are_what_python_calls_whole_words(given: str) -> None:
    """Over spaced scripts an entry is found exactly where Python's Unicode-aware re finds it between word edges."""
    wanted = re.search(r"(?<!\w)ab(?!\w)", text.fold(text.searchable(given))) is not None
    assert (found({"words": ["ab"]}, given) == ["ab"]) is wanted


@pytest.mark.parametrize("size", [words._PATTERN_SIZE, 50])
def test_a_long_list_is_found_like_a_short_one(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is too long for one pattern goes into several, and finds the same."""
    monkeypatch.setattr(words, "_PATTERN_SIZE", size)
    match = {"words": [*(f"word{number}" for number in range(3000 if size > 50 else 300)), "traffic jam"]}
    assert found(match, "here is word299 and word17", "word3000", "#trafficjam", "xword5") == ["word17", None, "traffic jam", None]


def test_patterns_run_on_the_folded_text_unless_exact() -> None:
    """Capitals in a pattern do not matter on the folded text; with exact = true they do."""
    assert found({"regex": r"\bTRAF(ico|ic)\b"}, "TRÁFICO", "the traffics") == [r"\bTRAF(ico|ic)\b", None]
    assert found({"regex": r"Trá\w*", "exact": True}, "Tráfico", "tráfico") == [r"Trá\w*", None]
    assert found({"regex": r"\bcaf\b"}, "café") == [None]
    assert found({"regex": r"bus"}, "https://t.co/bus @bus x") == [None]


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ({}, "names nothing; wanted is exactly one of regex, words"),
        ({"wrods": ["a"]}, "names 'wrods'; wanted is exactly one of"),
        ({"words": ["a"], "regex": "a"}, "names both words and regex"),
        ({"words": ["a"], "exat": True}, "no option 'exat'; it has hashtags, exact"),
        ({"regex": "a", "hashtags": ["a"]}, "no option 'hashtags'"),
        ({"_re2": "a"}, "names '_re2'"),
        ({"words": []}, "match.words is empty"),
        ({"regex": []}, "match.regex is empty"),
        ({"words": [], "hashtags": []}, "match.words is empty"),
        ({"words": 3}, "is 3; wanted is a list of texts"),
        ({"words": ["a", 3]}, "wanted is a list of texts"),
        ({"words": ["a"], "exact": "yes"}, "is 'yes'; wanted is true or false"),
        ({"words": ["a", " "]}, "holds ' ', of which nothing is left"),
        ({"words": ["\u0301"]}, "of which nothing is left"),
        ({"words": ["#"]}, "of which nothing is left"),
        ({"words": ["a"], "hashtags": [""]}, "of which nothing is left"),
        ({"words": ["@metro"]}, "links and @mentions are not searched"),
        ({"words": ["https://x.org"]}, "links and @mentions are not searched"),
        ({"words": ["#a b"]}, "a hashtag holds no white space"),
        ({"words": ["#🚗"]}, "a hashtag begins with a letter or a digit"),
        ({"regex": "a*"}, "matches the empty text"),
        ({"regex": ["a", ""]}, "matches the empty text"),
        ({"regex": "^|a"}, "matches the empty text"),
        ({"regex": r"(a)\1"}, "back-references do not exist"),
        ({"regex": "a(?=b)"}, "look-ahead and look-behind do not exist"),
        ({"regex": "(?<!a)b"}, "look-ahead and look-behind do not exist"),
        ({"regex": "a++"}, "possessive"),
        ({"regex": "\bbus\b"}, "became a backspace"),
        ({"regex": "(a"}, "missing )"),
        ({"regex": "a{2000}"}, "invalid repetition size"),
        ({"regex": "tráfico"}, "the folded text it is tried on has no accents"),
        ({"regex": "tra\u0301fico", "exact": True}, "letter and accent apart"),
        ({"regex": "\ud800"}, "cannot be used"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused(match: Mapping[str, object], said: str) -> None:
    """What was got, what was wanted and what to do are said before anything is matched."""
    with pytest.raises(SettingsError) as caught:
        matchers.build(match)
    assert said in caught.value.what
    assert caught.value.todo


def test_the_advice_for_an_accent_in_a_pattern_can_be_followed() -> None:
    """What the refusal says to write instead is accepted and finds the word."""
    with pytest.raises(SettingsError, match=r"write 'trafico\|nino'"):
        matchers.build({"regex": "tráfico|niño"})
    assert found({"regex": "trafico|nino"}, "El NIÑO") == ["trafico|nino"]


@hypothesis.example("traffic jam")
@hypothesis.example("#metro-1_a")
@hypothesis.example("it's")
@hypothesis.example("a@b://c")
@given(st.text(st.characters(max_codepoint=0x7F), min_size=1, max_size=12))
def test_an_entry_is_found_the_same_way_whatever_stands_beside_it(entry: str) -> None:
    """Lists of ASCII alone are read by a shorter way, to the same patterns or the same refusal."""

    def built(*entries: str) -> object:
        try:
            return words.build(entries).entries[0]
        except SettingsError as error:
            return error.what

    assert built(entry) == built(entry, "é")
