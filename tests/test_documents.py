"""Lines to documents: every line is accounted for, whatever is on it."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import documents
from pipeline.documents import Broken, Document, Lines
from tests.posts import lines, make_page, make_tweet


def read(content: bytes) -> tuple[list[Any], list[Broken], Lines]:
    """(values, what is broken, the account of the lines)."""
    count = Lines()
    found = list(documents.read(io.BufferedReader(io.BytesIO(content)), count))
    assert count.accounted
    assert count.total == content.count(b"\n") + (not content.endswith(b"\n") and content != b"")
    values = [one.value for one in found if isinstance(one, Document)]
    return values, [one for one in found if isinstance(one, Broken)], count


ONE, TWO, THREE = make_tweet(sequence=1), make_tweet(sequence=2, text='a "quoted" {brace} \\ ] and ñ'), make_tweet(sequence=3)


def test_one_document_a_line() -> None:
    """With LF, with CRLF, with blank lines between, with or without an end of the last line."""
    for content in (lines(ONE, TWO), lines(ONE, TWO, end="\r\n"), lines(ONE, "", TWO), lines(ONE, TWO).rstrip()):
        assert read(content)[:2] == ([ONE, TWO], [])


def test_a_byte_order_mark_is_no_fault() -> None:
    """Windows' editors write one."""
    assert read(b"\xef\xbb\xbf" + lines(ONE))[0] == [ONE]


def test_an_empty_file_has_no_lines() -> None:
    """And nothing in them."""
    assert read(b"") == ([], [], Lines())


def test_a_line_cut_in_two_is_one_document() -> None:
    """Cut anywhere, also inside a string or an escape: the client put a line end where a chunk of the stream ended."""
    whole = json.dumps(TWO).encode()
    for cut in range(1, len(whole), 7):
        values, broken, count = read(lines(ONE) + whole[:cut] + b"\n" + whole[cut:] + b"\r\n" + lines(THREE))
        assert (values, broken) == ([ONE, TWO, THREE], []), cut
        assert (count.documents, count.continued) == (3, 1)


def test_a_line_that_lost_its_end_costs_itself_alone() -> None:
    """The next whole line is read, also where it is spaced otherwise."""
    cut = json.dumps(TWO)[:200]
    for follower in (json.dumps(ONE), "{ " + json.dumps(ONE)[1:]):
        values, broken, _ = read(lines(cut, follower, THREE))
        assert values == [ONE, THREE]
        assert [(one.reason, one.line, one.offset) for one in broken] == [("bad_json", 1, 0)]


def test_a_line_that_lost_its_end_does_not_take_a_cut_or_an_indented_document_with_it() -> None:
    """What waited with it is read again by itself: in the middle of a file, and at its end."""
    cut, two, page = json.dumps(THREE)[:200], json.dumps(TWO), make_page()
    follower = two[:300] + "\n" + two[300:] + "\n" + json.dumps(page, indent=1)
    for tail, wanted in ((json.dumps(ONE), [TWO, page, ONE]), ("", [TWO, page])):
        values, broken, count = read(f"{cut}\n{follower}\n{tail}".encode())
        assert values == wanted
        assert ([(one.line, one.offset) for one in broken], count.broken) == ([(1, 0)], 1)


def test_a_page_that_is_cut_is_broken_line_by_line() -> None:
    """What stands inside it, indented, is not taken for posts of its own: a page holds posts that others quote, too."""
    text = json.dumps(make_page(), indent=1)
    values, broken, count = read(text[: len(text) // 2].encode())
    assert (values, count.broken) == ([], count.total)
    assert {one.reason for one in broken} == {"truncated"}


def test_lines_without_end_take_no_time_without_end() -> None:
    """Each line could go on for ever, and could be a document of its own: they are not read again for each other."""
    values, broken, _ = read(b'{"a":[1,\n' * 20_000)
    assert (values, len(broken)) == ([], 20_000)


def test_lines_are_counted_within_each_stream() -> None:
    """The second file of an archive begins with line 1, as its offsets begin with 0."""
    count = Lines()
    for _ in range(2):
        found = list(documents.read(io.BufferedReader(io.BytesIO(lines(ONE, "oops"))), count))
        assert [one.line for one in found] == [1, 2]
    assert count.total == 4


def test_a_line_that_lost_its_beginning_costs_itself_alone() -> None:
    """It does not wait for an end."""
    values, broken, _ = read(lines(json.dumps(TWO)[50:], ONE))
    assert values == [ONE]
    assert broken[0].reason == "bad_json"


def test_a_cut_tail_is_truncated_and_says_where() -> None:
    """The last line of a file whose writer was killed."""
    values, broken, _ = read(lines(ONE) + json.dumps(TWO).encode()[:100])
    assert values == [ONE]
    assert [(one.reason, one.line, one.offset) for one in broken] == [("truncated", 2, len(lines(ONE)))]
    assert broken[0].content.startswith(b'{"created_at"')


def test_couchdb_exports_are_read_row_by_row() -> None:
    """Whole, and with the head cut off."""
    rows = [{"id": str(n), "key": n, "value": 1, "doc": tweet} for n, tweet in enumerate((ONE, TWO))]
    body = ",\r\n".join(json.dumps(row) for row in rows)
    values, broken, count = read(f'{{"total_rows":38,"offset":0,"rows":[\r\n{body}\r\n]}}\r\n'.encode())
    assert (values, broken) == (rows, [])
    assert (count.documents, count.wrapper) == (2, 2)
    assert read(f"{body}\r\n]}}\r\n".encode())[:2] == (rows, [])


def test_indented_documents_are_read() -> None:
    """A page over many lines; a list of posts, whatever the indentation."""
    page = make_page()
    values, broken, count = read(json.dumps(page, indent=2).encode() + b"\n" + lines(ONE))
    assert (values, broken) == ([page, ONE], [])
    assert count.continued == json.dumps(page, indent=2).count("\n")
    for indent in (0, 1, 4, "\t"):
        values, broken, _ = read(json.dumps([ONE, TWO], indent=indent).encode())
        assert broken == []
        assert values in ([ONE, TWO], [[ONE, TWO]])


def test_the_data_export_is_read() -> None:
    """`window.YTD.tweets.part0 = [ ... ]`, indented, or on one line."""
    entries = [{"tweet": ONE}, {"tweet": TWO}]
    for spelled, wanted in ((json.dumps(entries, indent=2), entries), (json.dumps(entries), None)):
        values, broken, _ = read(b"window.YTD.tweets.part0 = " + spelled.encode())
        assert broken == []
        assert values == (wanted if wanted is not None else [entries])


def test_what_is_no_json_is_broken() -> None:
    """Nested too deep, not UTF-8, plain words: one reject each, none stops the rest."""
    bad = [b"hello", b"[" * 100_000 + b"]" * 100_000, b'{"a": "\xff"}']
    values, broken, count = read(b"\n".join(bad) + b"\n" + lines(ONE))
    assert values == [ONE]
    assert (len(broken), count.broken) == (3, 3)
    assert all("hello" not in one.detail for one in broken)


def test_odd_json_passes() -> None:
    """Lone surrogates, raw control characters in strings, NaN, numbers without end: their fields are judged later, each by itself."""
    values, broken, _ = read(b'{"a": "\\ud83d", "b": "x\ty", "c": NaN, "d": -' + b"9" * 5000 + b', "e": 9007199254740993}\n')
    assert broken == []
    assert values[0]["a"] == "\ud83d"
    assert (values[0]["d"], values[0]["e"]) == (float("-inf"), 9007199254740993)


@pytest.mark.parametrize("head", ["[", '{"rows": [', '{"total_rows":3,"offset":0,"rows":[', '{"results":[', "window.YTD.tweets.part0 = ["])
def test_a_file_of_one_giant_line_is_read_element_by_element(monkeypatch: pytest.MonkeyPatch, head: str) -> None:
    """So that memory stays bounded; characters cut between two pieces are mended."""
    monkeypatch.setattr(documents, "LONGEST_LINE", 500)
    monkeypatch.setattr(documents, "CHUNK", 37)
    closing = "]}" if "{" in head else "]"
    tweets = [make_tweet(sequence=n, text="ñandú 😀" * 5) for n in range(5)]
    body = ", ".join(json.dumps(tweet, ensure_ascii=False) for tweet in tweets)
    values, broken, count = read(f"{head}{body}{closing}\n".encode() + b'{"a":1}\n')
    assert (values, broken) == ([*tweets, {"a": 1}], [])
    assert count.documents == 2


def test_a_giant_line_of_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A v2 page is not read in pieces: its places stand at its end. A list that breaks off gives what came before."""
    monkeypatch.setattr(documents, "LONGEST_LINE", 500)
    monkeypatch.setattr(documents, "CHUNK", 64)
    count = Lines()
    content = b'{"data": "' + b"x" * 2000 + b'"}\n' + b"[" + b'{"a":1},' * 200 + b"oops\n" + b'{"b":1}\n'
    found = list(documents.read(io.BufferedReader(io.BytesIO(content)), count))
    assert [one.reason for one in found if isinstance(one, Broken)] == ["line_too_long", "bad_json"]
    assert sum(isinstance(one, Document) for one in found) == 201
    assert count.accounted


PIECES = st.lists(
    st.sampled_from(
        [lines(ONE), lines(TWO)[:-1], b"{", b"}", b"[", b"]", b'"', b"\\", b",", b"\n", b"\r\n", b" ", b'{"a":1}', b"\xff", b"1"]
    ),
    max_size=14,
)


def test_a_long_line_may_hold_integers_of_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """As every other line may: they cost nothing of what follows."""
    monkeypatch.setattr(documents, "LONGEST_LINE", 500)
    values, broken, _ = read(b"[" + lines(ONE).strip() + b',{"a":' + b"9" * 5000 + b"}," + lines(TWO).strip() + b"]\n{}\n")
    assert (values[0], values[2:], broken) == (ONE, [TWO, {}], [])


@pytest.mark.slow
def test_a_long_line_takes_time_in_proportion() -> None:
    """Forty megabytes of tweets on one line: to copy the rest for each tweet would take many minutes, where a second is enough."""
    one = lines(ONE).strip()
    number = 40_000_000 // len(one)
    stream = io.BytesIO(b"[" + b",".join([one] * number) + b"]\n" + lines(TWO))
    begin = time.process_time()
    assert sum(isinstance(found, Document) for found in documents.read(stream, Lines())) == number + 1
    assert time.process_time() - begin < 30


@given(PIECES)
def test_lines_always_add_up(pieces: list[bytes]) -> None:
    """Whatever the bytes: `read` checks the account."""
    read(b"".join(pieces))
