"""What a text is: kept, searched, folded. The array versions are held to the single ones exactly."""

from __future__ import annotations

import re
import sys
import unicodedata

import hypothesis
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import text

#: What the functions react to, so that random texts run into it: entities, links, mentions, odd spaces, marks, scripts.
PIECES = (
    *(
        "&amp;",
        "&lt;",
        "&gt;",
        "&amp;lt;",
        "&",
        ";",
        "\x00",
        "https://t.co/aB1",
        "http://",
        "https://x.org/a?b=c",
        "t.co/x",
        "HTTPS://T.CO/A",
    ),
    *("@", "@a", "@ana_1", "＠b", "@josé", "a@b.social", ".", ",", "#", "!", "_", "-", "/"),
    *(" ", "  ", "\t", "\n", "\u3000", "\x1c", "\x85", "\u2028"),
    *("a", "B", "é", "e\u0301", "\u0301", "\u0327", "\u0345", "\u0338", "=", "İ", "ı", "ß", "ẞ", "ﬁ", "ǆ", "Å", "Ω", "ς", "ᾳ", "ꭰ", "Ꭰ"),
    *("ガ", "か\u3099", "ｶﾞ", "한", "ㅎ", "ก็", "क़", "क्", "שׁ", "مَ", "渋", "\ufdfa", "👍🏽", "❤️", "½", "①", "´", "’", "ŉ", "\u2011", "\ufffd"),
)
CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(CHARACTERS, max_size=3), max_size=12).map("".join)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ben &amp; Jerry &lt;3 &gt;", "Ben & Jerry <3 >"),
        ("&amp;lt; and &amp;amp;", "&lt; and &amp;"),
        ("&quot; &eacute; &#39;", "&quot; &eacute; &#39;"),
        ("a\x00b", "a\ufffdb"),
        ("\ud83d", "\ufffd"),
        ("a\ude00\ud83db", "a\ufffd\ufffdb"),
        ("\ud83d\ude00", "😀"),
        ("e\u0301", "é"),
        ("", ""),
    ],
)
def test_a_kept_text_has_entities_undone_once_and_nothing_that_cannot_be_stored(given: str, kept: str) -> None:
    """Exactly X's three entities are undone, once; NUL and lone surrogates become U+FFFD; NFC."""
    assert text.tidy(given) == kept


@given(st.text(st.characters(), max_size=20))
def test_a_kept_text_is_storable(given: str) -> None:
    """Any Python string at all becomes one that UTF-8 and PostgreSQL hold, in NFC."""
    kept = text.tidy(given)
    kept.encode("utf-8")
    assert "\x00" not in kept
    assert unicodedata.is_normalized("NFC", kept)


@pytest.mark.parametrize(
    ("given", "searched"),
    [
        ("jam https://t.co/aB1 again", "jam again"),
        ("jam https://t.co/aB1, again", "jam , again"),
        ("見て https://t.co/aB1渋滞", "見て 渋滞"),
        ("見てhttp://example.org/jam渋滞", "見て 渋滞"),
        ("HTTP://EXAMPLE.ORG/JAM x", "x"),
        ("pic at t.co/bus", "pic at"),
        ("pic at T.CO/bus", "pic at"),
        ("at.co/bus is a site", "at.co/bus is a site"),
        ("@bus is late", "is late"),
        ("RT: .@bus,@train @tram!", "RT: . , !"),
        ("見た@busよ", "見た よ"),
        ("＠bus late", "late"),
        ("@josé_9 late", "late"),
        ("@bus@mastodon.social. Late", ". Late"),
        ("write to bus@train.org", "write to bus@train.org"),
        ("josé@train.org", "josé@train.org"),
        ("5@bus and @ noon", "5@bus and @ noon"),
        ("  a\u3000\u2003b\n\n\tc\x85d\u2028e\xa0", "a b c d e"),
        ("https://t.co/a", ""),
    ],
)
def test_links_and_mentions_are_not_searched(given: str, searched: str) -> None:
    """A link or a mention leaves a space; an e-mail address stays whole; white space of every kind is single."""
    assert text.searchable(given) == searched


@given(TEXTS)
def test_searching_twice_removes_nothing_more(given: str) -> None:
    """Taking something out never makes a new link, mention or double space."""
    once = text.searchable(text.tidy(given))
    assert text.searchable(once) == once
    assert once == " ".join(once.split())


@pytest.mark.parametrize(
    ("given", "folded"),
    [
        ("TRÁFICO Ñandú", "trafico nandu"),
        ("Straße ﬁn", "strasse fin"),
        ("İstanbul", "istanbul"),
        ("ὈΔΟΣ ὁδός", "οδοσ οδοσ"),
        ("ﾊﾞｽ がか ガカ", "バス がか ガカ"),
        ("क़ क्", "क़ क्"),
        ("ก็น้ำ", unicodedata.normalize("NFKC", "ก็น้ำ")),
        ("שָׁלוֹם مَرْحَبًا", "שלום مرحبا"),
        ("한국 ㄱ", "한국 ᄀ"),
        ("½ ①", "1⁄2 1"),
        ("Ä́\u0323x", "ax"),
        ("o\u0338", "o"),
        ("Don’t donʼt don´t ŉ", "don't don't don't 'n"),
        ("Wi‑Fi wi‐fi", "wi-fi wi-fi"),
    ],
)
def test_folding_takes_case_accents_and_width_but_no_letters(given: str, folded: str) -> None:
    """Accents and points go; kana voicing, nukta, virama and Thai vowels, which make other letters, stay."""
    assert text.fold(given) == folded


@given(TEXTS)
def test_folding_twice_changes_nothing_more(given: str) -> None:
    """fold(fold(x)) = fold(x)."""
    once = text.fold(given)
    assert text.fold(once) == once


def _folded_whole(given: str) -> str:
    """The definition in words, on the whole text at once and without a cache: until nothing changes."""
    while True:
        given = re.sub("[‘’ʼ´]", "'", given).replace("‐", "-")
        parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", given).casefold())
        stripped = "".join(
            character
            for character in parts
            if unicodedata.category(character) != "Mn"
            or not ((position := unicodedata.combining(character)) == 1 or 10 <= position <= 36 or position >= 200)
        )
        folded = unicodedata.normalize("NFKC", stripped)
        if folded == given:
            return folded
        given = folded


@given(TEXTS)
def test_folding_run_by_run_is_folding_the_whole(given: str) -> None:
    """The cache of non-ASCII runs is a matter of speed alone."""
    assert text.fold(given) == _folded_whole(given)


def test_every_character_folds_alike_alone_and_between_ascii() -> None:
    """Over all of Unicode: folding ends, is idempotent, and ASCII neighbours do not change what it makes."""
    for code in range(0x80, sys.maxunicode + 1):
        if 0xD800 <= code < 0xE000 or (code > 0x3400 and code % 31):  # every 31st beyond the small scripts: Han, Hangul, planes
            continue
        character = chr(code)
        folded = text.fold(character)
        assert text.fold(folded) == folded, hex(code)
        assert text.fold(f"e{character}e") == f"e{folded}e" == _folded_whole(f"e{character}e"), hex(code)
    text._fold_run.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tidy", "searchable", "fold"])
@given(st.lists(st.none() | TEXTS, max_size=8))
@hypothesis.settings(max_examples=30)
def test_arrays_and_single_texts_agree(name: str, given: list[str | None]) -> None:
    """The array version gives exactly what the single one does, for arrays, slices and chunks; nulls stay null."""
    one, many = getattr(text, name), getattr(text, f"{name}_all")
    wanted = [None if value is None else one(value) for value in given]
    array = pa.array(given, pa.string())
    assert many(array).to_pylist() == wanted
    assert many(array.slice(1)).to_pylist() == wanted[1:]
    chunked = many(pa.chunked_array([array, array.slice(2)], pa.string()))
    assert isinstance(chunked, pa.ChunkedArray)
    assert chunked.to_pylist() == wanted + wanted[2:]


@pytest.mark.parametrize("name", ["tidy_all", "searchable_all", "fold_all"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_arrays_keep_their_type(name: str, kind: pa.DataType) -> None:
    """Empty arrays, all-null arrays and long strings come back as what they were."""
    function = getattr(text, name)
    for values in ([], [None, None], ["É &amp; @a  b"]):
        assert function(pa.array(values, kind)).type == kind
    assert function(pa.chunked_array([], kind)).type == kind


@pytest.mark.parametrize("name", ["tidy", "searchable", "fold"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()], ids=str)
def test_every_text_of_a_slice_is_seen_apart(name: str, kind: pa.DataType) -> None:
    """Marks at a text's beginning are not the previous text's, empty texts and nulls are no edge, and what stands last is looked at."""
    given = [
        "x",
        "e",
        "\u0301a",
        "",
        "É",
        "\u3099",
        "か",
        "Ñe\u0301",
        "ﷺ",
        None,
        *["plain"] * 70,
        "ᄒ",
        "ᅡ",
        "Straße  @a",
        "",
        "http://t.co/a &amp; é",
    ]
    made = getattr(text, f"{name}_all")(pa.array(given, kind).slice(1))
    made.validate(full=True)
    assert made.to_pylist() == [None if each is None else getattr(text, name)(each) for each in given[1:]]


@given(TEXTS)
def test_white_space_is_what_python_splits_at(given: str) -> None:
    """RE2's class of white space is Python's."""
    plain = given.replace("@", "").replace("＠", "").replace("://", "").replace("t.co", "").replace("T.CO", "")
    assert text.searchable(plain) == " ".join(plain.split())


@given(st.lists(st.text(st.sampled_from("@＠a9é. "), max_size=8), max_size=20))
def test_mentions_go_however_they_are_looked_for(texts: list[str]) -> None:
    """What is quicker for texts in which each @ stands apart gives what the whole pattern gives."""
    some = pa.array(texts, pa.string())
    assert text._without_mentions(some).equals(pc.replace_substring_regex(some, text._MENTION, r"\1 "))


def test_entities_are_undone_once_and_in_every_text() -> None:
    """Of several, of none, of one made by another."""
    texts = ["a &lt; b &amp;&amp; c &gt; d", "&amp;lt;", "& alone", "none", "&gt;"]
    assert text.tidy_all(pa.array(texts)).to_pylist() == [text.tidy(each) for each in texts] == ["a < b && c > d", "&lt;", *texts[2:4], ">"]
