"""The fast path gives exactly what documents.py and formats/ give, or declines; and it takes what comes by the million."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline import documents
from pipeline.importing import columns, decoding, reading
from pipeline.importing.decoding import Declined
from tests import posts
from tests.extracts import empty_extract
from tests.posts import NOON, changed, lines, make_flat, make_page, make_place, make_post, make_tweet, ring, snowflake

NO_GEO: dict[str, Any] = {"coordinates": None, "geo": None, "place": None}


def extracted(content: bytes, *, decode: bool = True) -> tuple[pa.Table, pa.Table, dict[str, Any], dict[str, bytes]]:
    """(records, rejects, counts, what it asks to delete) of a file; `decode` with the fast path, or without it."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        if not decode:
            patch.setattr(decoding, "decoders", lambda extract: ())
        with empty_extract(Path(folder)) as extract:
            for _ in reading.read(io.BytesIO(content), extract):
                pass
        tables = [pq.read_table(Path(folder, f"{name}.parquet")) for name in ("records", "rejects")]
        extract.deletions.write()
        asked = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir()) if path.suffix != ".parquet"}
        return tables[0], tables[1], extract.summary(), asked


def agree(content: bytes) -> None:
    """Both paths make the same of a file."""
    for fast, slow in zip(extracted(content), extracted(content, decode=False), strict=True):
        assert fast == slow


def is_taken(line: bytes) -> bool:
    """Whether some decoder reads the line."""

    def takes(decoder: decoding.Decoder) -> bool:
        try:
            decoder.read([line])
        except Declined:
            return False
        return True

    with tempfile.TemporaryDirectory() as folder:
        return any(map(takes, decoding.decoders(empty_extract(Path(folder)))))


LATER = snowflake(NOON + timedelta(minutes=20))
COMMON: dict[str, Any] = {
    **{
        name: posts.shapes()[name] for name in posts.shapes() if name.startswith("v2") or name in ("v1 line", "v1 extended", "v1 full_text")
    },
    "v1 without a place": make_tweet(**NO_GEO),
    "v1 with a place alone": make_tweet(coordinates=None, geo=None),
    "v1 with a place without a box": make_tweet(coordinates=None, geo=None, place={"id": "1", "bounding_box": None}),
    "v1 with the old point alone": make_tweet(coordinates=None),
    "v1 with whole numbers for a point": make_tweet(coordinates={"type": "Point", "coordinates": [-99, 19]}),
    "v1 retweet": make_tweet(retweeted_status=make_tweet(sequence=1), is_quote_status=True),
    "v1 quote": make_tweet(quoted_status=make_tweet(sequence=1), is_quote_status=True),
    "v1 long note": make_tweet(note_tweet={"text": "Mucho tráfico"}),
    "v1 in another alphabet": make_tweet(text="交通 🚗 tráfico", source="", lang=""),
    "v1 empty": make_tweet(text="", lang=None, source=None),
    "v1 that says a thing twice": json.dumps(make_tweet())[:-1] + ', "text": "the last one counts", "place": null}',
    "delete": {"delete": {"status": {"id": 5, "id_str": "5", "user_id": 7, "user_id_str": "7"}, "timestamp_ms": "1793815200123"}},
    "old delete": posts.notices()["delete"],
    "v2 without a place": make_page(make_post(geo=...), make_post(geo={}, sequence=1)),
    "v2 with a point alone": make_page(make_post(geo={"coordinates": {"type": "Point", "coordinates": [1.5, 2]}})),
    "v2 with an unknown place": make_page(make_post(geo={"place_id": "nobody knows"})),
    "v2 edited": make_page(make_post(at=NOON + timedelta(minutes=20), edit_history_tweet_ids=[str(snowflake()), str(LATER)])),
    "v2 without times": make_page(make_post(created_at=...)),
    "v2 some of them edited, some without times": make_page(
        make_post(sequence=1),
        make_post(sequence=2, created_at=..., geo=...),
        make_post(at=NOON + timedelta(minutes=20), edit_history_tweet_ids=[str(snowflake()), str(LATER)]),
        make_post(sequence=3, created_at=...),
        make_post(sequence=4, geo=...),
    ),
    "v2 at no longitude and latitude": make_page(make_post(geo={"coordinates": {"coordinates": [0, 0]}})),
    "v2 at places listed and not, or none": make_page(
        *(make_post(sequence=number, geo=geo) for number, geo in enumerate([..., {"place_id": "1"}, {"place_id": "2"}, {"place_id": "3"}])),
        places=[make_place(id="1"), make_place(id="2", full_name="Centro"), make_place(id="4")],
    ),
    "v2 retweet of a quote": make_page(make_post(referenced_tweets=[{"type": "retweeted", "id": "1"}, {"type": "quoted", "id": "2"}])),
    "v2 of twarc2": make_page() | {"__twarc": {"url": "https://example.org/search/all?query=word", "version": "2"}},
    "v2 with errors beside": make_page(errors=[{"title": "Not Found Error"}]),
}
SPOILED: dict[str, Any] = {
    "lone surrogate in the text": json.dumps(make_tweet(text="a \ud83d b")),
    "lone surrogate in the place": json.dumps(make_tweet(place=make_tweet()["place"] | {"full_name": "\ud83d"})),
    "lone surrogate where nobody looks": json.dumps(make_tweet(other="\udc00")),
    "not UTF-8 where nobody looks": json.dumps(make_tweet(other="@")).encode().replace(b"@", b"\xff"),
    "a surrogate in UTF-8": json.dumps(make_tweet(other="@")).encode().replace(b"@", b"\xed\xa0\x80"),
    "NUL": json.dumps(make_tweet(text="a\0b")),
    "raw control character": json.dumps(make_tweet(other="@")).replace("@", "\x01"),
    "NaN": json.dumps(make_tweet(coordinates={"coordinates": [float("nan"), 1.0]})),
    "huge whole number": json.dumps(make_tweet(other=5)).replace('"other": 5', '"other": ' + "5" * 5000),
    "huge float": json.dumps(make_tweet(coordinates={"coordinates": [1e300, 1.0]})).replace("1e+300", "1e999"),
    "deep": json.dumps(make_tweet(other=5)).replace('"other": 5', '"other": ' + "[" * 100 + "]" * 100),
    "too deep": json.dumps(make_tweet(other=5)).replace('"other": 5', '"other": ' + "[" * 20_000 + "]" * 20_000),
    "byte order mark": b"\xef\xbb\xbf" + lines(make_tweet()).strip(),
    "two documents": json.dumps(make_tweet()) * 2,
    "comma behind": json.dumps(make_tweet()) + ",",
    "numbers alone for ids": make_tweet(id_str=..., user={"id": 7}),
    "no user": make_tweet(user=...),
    "empty author": make_tweet(user={"id_str": "", "id": 7}),
    "no text": make_tweet(text=...),
    "no text and no place": make_tweet(text=..., **NO_GEO),
    "bad time and no place": make_tweet(created_at="yesterday", **NO_GEO),
    "rounded id": make_tweet(id=1.25e18, id_str=...),
    "id with a sign": make_tweet(id_str="+12"),
    "id with a gap": make_tweet(id_str="1_2"),
    "id with zeros": make_tweet(id_str="0" * 15 + "12345"),
    "id too large": make_tweet(id_str=str(2**63)),
    "id of no digits": make_tweet(id_str=""),
    "id of another alphabet": make_tweet(id_str="٣٤"),
    "edited": make_tweet(sequence=5, edit_history={"initial_tweet_id": str(snowflake())}),
    "place that is a word": make_tweet(place="here"),
    "place with a name alone": make_tweet(coordinates=None, geo=None, place={"full_name": "Centro"}),
    "broken box with a point": make_tweet(place={"id": "1", "bounding_box": {"coordinates": "here"}}),
    "broken box without": make_tweet(coordinates=None, geo=None, place={"id": "1", "bounding_box": ring(0, 0, 0, 91)}),
    "point off the earth": make_tweet(coordinates={"coordinates": [181.0, 0.0]}),
    "point of three numbers": make_tweet(coordinates={"coordinates": [1.0, 2.0, 3.0]}),
    "point of one number": make_tweet(coordinates={"coordinates": [1.0]}),
    "point of words": make_tweet(coordinates={"coordinates": ["1", "2"]}),
    "retweet of a word": make_tweet(retweeted_status="yes"),
    "quote by a word": make_tweet(is_quote_status="yes"),
    "a search's answer": make_tweet(search_metadata={"query": "x"}, statuses=[]),
    "delete and more": {"delete": {"status": {"id_str": "5"}}, "user": {}},
    "delete with another key": {"delete": {"status": {"id_str": "5", "more": 1}}},
    "delete of an odd id": {"delete": {"status": {"id_str": "x"}}},
    "delete at an odd time": {"delete": {"status": {"id_str": "5"}, "timestamp_ms": "1"}},
    "delete at no time": {"delete": {"status": {"id_str": "5"}, "timestamp_ms": "12x"}},
    "other notices": posts.notices()["limit"],
    "v2 with v1's id": make_page(make_post(id_str="5")),
    "v2 user": make_page(make_post(username="nobody")),
    "v2 bad id in a history": make_page(make_post(edit_history_tweet_ids=["x"])),
    "v2 edited without snowflakes": make_page(make_post(id="20", edit_history_tweet_ids=["19", "20"])),
    "v2 without time or snowflake": make_page(make_post(id="20", edit_history_tweet_ids=..., created_at=...)),
    "v2 place that is none": make_page(places=["here", {"id": ["1"]}, {"id": 1}, None]),
    "v2 place called None": make_page(make_post(geo={"coordinates": {}}), places=[make_place(id="None")]),
    "v2 place without a name": make_page(make_post(geo={"place_id": ""}), places=[make_place(id="")]),
    "v2 broken box that nobody names": make_page(places=[make_place(), make_place(id="2", geo={"bbox": [0, 5, 2, 1]})]),
    "v2 broken box": make_page(make_post(geo={"place_id": "00place1"}), places=[make_place(geo={"bbox": [0, 5, 2, 1]})]),
    "v2 place twice": make_page(places=[make_place(name="old", full_name="old"), make_place()]),
    "v2 empty page": make_page(data=[]),
    "v2 page with a key nobody knows": make_page(colour="red"),
    "v2 post among words": make_page(data=[make_post(), "word"]),
    "flattened with a page's key": make_flat(meta={}),
    "flattened with a box of its own": make_flat(bbox=[0, 0, 1, 1]),
    "flattened without an author": make_flat(author_id=..., author=...),
    "flattened by its author alone": make_flat(author_id=...),
    "flattened of a search": make_flat(__twarc={"url": "https://example.org?query=x"}),
    "flattened with a broken place": make_flat(geo={"place_id": "9", "geo": {"bbox": [0, 1, 2]}}),
    "wrapped": [make_tweet()],
    "unknown": {"colour": "red"},
    "a number": 5,
    "nothing": "",
}


def written(document: Any) -> bytes:
    """A case as a line without its end."""
    return document if isinstance(document, bytes) else lines(document, end="")


@pytest.mark.parametrize("name", COMMON)
def test_common_shapes_are_read_fast_and_right(name: str) -> None:
    """Every generation of v1.1, delete notices, v2's pages, stream records and flattened posts; with either line end."""
    line = written(COMMON[name])
    assert is_taken(line + b"\n")
    agree(line + b"\r\n" + line + b"\n" + line)


def test_pages_read_together_have_places_of_their_own() -> None:
    """One name stands for another place on the next page, for an unknown one where it is not listed; every search is noted."""
    pages = [
        make_page(make_post(sequence=1), places=[make_place(full_name="old")]) | {"__twarc": {"url": "https://example.org?query=old"}},
        make_page(make_post(sequence=2), places=[make_place(full_name="new")]) | {"__twarc": {"url": "https://example.org?query=new"}},
        make_page(make_post(sequence=3), places=[]),
        make_page(make_post(sequence=4, geo=...)),
    ]
    content = lines(*pages * 20)
    assert all(is_taken(lines(page)) for page in pages)
    agree(content)
    records, _, counts, _ = extracted(content)
    assert records["place_name"].to_pylist() == ["old", "new", None]
    assert counts["searches"] == ["old", "new"]


@pytest.mark.parametrize("name", SPOILED)
def test_odd_lines_mean_what_they_always_meant(name: str) -> None:
    """Alone, and among others, which lose nothing by it."""
    line = written(SPOILED[name])
    good = lines(make_tweet(sequence=1), make_tweet(sequence=2, **NO_GEO), COMMON["delete"])
    agree(line + b"\n")
    agree(good + line + b"\n" + good + line)


@pytest.mark.parametrize("name", ["v1 line", "v1 without a place", "delete", "v2 page", "v2 flattened"])
def test_nothing_is_kept_of_lines_that_are_declined(name: str) -> None:
    """A good line beside a bad one is read once, not twice."""
    good = written(COMMON[name])
    _, _, counts, _ = extracted(good + b"\n" + b'{"text": "bad"}\n' + good + b"\n")
    assert counts["records"] == 3
    assert counts["lines"]["documents"] == 3


NEWLINES = st.sampled_from([b"\n", b"\r\n", b"\n\n"])
PIECES = st.lists(st.tuples(st.sampled_from([*map(written, COMMON.values()), *map(written, SPOILED.values())]), NEWLINES), max_size=12)


@pytest.mark.slow
@given(PIECES)
def test_files_of_any_lines_read_the_same_both_ways(pieces: list[tuple[bytes, bytes]]) -> None:
    """Whatever stands beside whatever: records, rejects with their places, counts, minutes."""
    agree(b"".join(line + end for line, end in pieces))


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["7", "", "1e5", 180, -90.0, str(2**63)])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["id", "id_str", "coordinates", "text"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def respelled(make: Callable[..., dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """A post with some of its fields, and of its place's, changed into anything."""
    whole = make()
    fields = st.dictionaries(
        st.sampled_from([*whole, "full_text", "edit_history", "note_tweet", "extended_tweet", "retweeted_status"]), VALUES, max_size=2
    )
    inner = st.dictionaries(st.sampled_from(["id", "full_name", "bounding_box", "coordinates", "place_id", "bbox"]), VALUES, max_size=1)

    def merged(outer: dict[str, Any], within: dict[str, Any]) -> dict[str, Any]:
        post = changed(whole, outer)
        for name in ("place", "geo", "coordinates"):
            if within and isinstance(post.get(name), dict):
                post[name] = post[name] | within
        return post

    return st.builds(merged, fields, inner)


TWEETS = st.one_of(
    respelled(make_tweet),
    respelled(make_flat),
    respelled(make_post).map(make_page),
    respelled(make_place).map(lambda place: make_page(places=[place])),
)


@pytest.mark.slow
@given(st.lists(TWEETS, min_size=1, max_size=4))
@example([make_tweet(id_str="1" * 19), make_tweet(id_str="9" * 19)])
def test_posts_with_any_value_in_any_field_read_the_same_both_ways(documents_: list[dict[str, Any]]) -> None:
    """The fast path is as strict, and as forgiving, as formats/."""
    agree(b"".join(json.dumps(document).encode() + b"\n" for document in documents_))


@pytest.mark.slow
@given(st.data())
def test_lines_with_any_byte_changed_read_the_same_both_ways(data: st.DataObject) -> None:
    """Cut, flipped, put in or taken out."""
    content = bytearray(b"\n".join(written(COMMON[data.draw(st.sampled_from(sorted(COMMON)))]) for _ in range(3)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(
            st.one_of(st.binary(max_size=2), st.sampled_from([b'"', b"\\", b"{", b"}", b",", b"\n", b"\r\n", b"0", b"e", b"-"]))
        )
        content[place : place + data.draw(st.integers(0, 2))] = piece
        if not content:
            break
    agree(bytes(content))


@pytest.mark.parametrize(("together", "long"), [(1, 64), (3000, 700), (10**6, 10**6)])
def test_however_lines_are_gathered_they_read_the_same(monkeypatch: pytest.MonkeyPatch, together: int, long: int) -> None:
    """Lines longer than what is read together, also than anything that may be one line."""
    content = b"\n".join(map(written, [*COMMON.values(), *SPOILED.values()]))
    wanted = extracted(content)
    monkeypatch.setattr(reading, "TOGETHER", together)
    monkeypatch.setattr(reading, "LONG", long)
    for found, want in zip(extracted(content), wanted, strict=True):
        assert found == want
    monkeypatch.setattr(documents, "LONGEST_LINE", 1000)
    agree(content)


def test_what_nobody_decodes_is_not_offered_for_ever() -> None:
    """A file of another shape goes the old way after a few lines; what follows it is read fast again, and all of it right."""
    rows = [{"id": str(number), "key": number, "value": 1, "doc": make_tweet(sequence=number)} for number in range(60)]
    content = lines(*rows, *(make_tweet(sequence=number) for number in range(50, 150)))
    agree(content)
    assert extracted(content)[2]["stored"] == 150


def test_places_of_what_is_rejected_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each line has a place of its own, and a point that is none: nothing is stored, and so many places are not remembered."""
    monkeypatch.setattr(columns, "MOST_VALUES", 50)
    monkeypatch.setattr(reading, "PATIENCE", 1000)
    off = {"coordinates": {"coordinates": [181.0, 0.0]}}
    content = lines(*(make_tweet(place={"id": str(number), "bounding_box": ring(0, 0, 1, 1)}, **off) for number in range(400)))
    with empty_extract(tmp_path) as extract:
        for _ in reading.read(io.BytesIO(content), extract):
            pass
        assert len(extract.columns.known_places) <= 50 + reading.MOST_LINES
    assert extract.quarantine.counts == {"bad_point": 400}


def test_places_that_no_post_names_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pages list the places of what their posts answer, too; one row that waits to be written does not keep them all."""
    monkeypatch.setattr(columns, "MOST_VALUES", 50)
    pages = [make_page(make_post(sequence=number, geo=...), places=[make_place(id=str(number))]) for number in range(1, 400)]
    content = lines(make_page(), *pages)
    with empty_extract(tmp_path) as extract:
        for _ in reading.read(io.BytesIO(content), extract):
            pass
        known = extract.columns.known_places
        assert max(len(known), *map(len, known.written)) <= 50 + reading.MOST_LINES
    agree(content)


def test_blank_lines_are_passed_over_by_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """They keep a stream alive; one at a time, with the tweets around it, they would take longer than those."""
    tweets = [lines(make_tweet(sequence=number)) for number in range(20)]
    content = b"\r\n".join(tweets) + b"\n" * 500 + b" \t\r\n" + tweets[0] + b"  "
    agree(content)
    monkeypatch.setattr(documents.Reader, "take", None)
    counts = extracted(content)[2]
    assert (counts["lines"]["total"], counts["lines"]["blank"], counts["lines"]["documents"]) == (542, 521, 21)


CLOCKS = st.sampled_from(["00:00:00", "23:59:59", "24:00:00", "23:60:00", "7:00:00", "07:00:60", "٠٧:00:00", "0a:00:00", "07-00-00", ""])


@pytest.mark.slow
@given(
    st.sampled_from(["Tue Mar 21 ", "Mon Mar 20 ", "Thu Dec 31 ", "Sun Feb 30 ", "2006-03-21T", "2099-12-31T", "2026-11-05 ", "20061105T"]),
    CLOCKS,
    st.sampled_from(
        [" +0000 2006", " +0000 2099", " +0000 2100", " +0100 2026", " +0000  2026", ".000Z", ".999Z", "Z", "+02:00", ".000Z "]
    ),
)
def test_times_are_what_formats_says(day: str, clock: str, rest: str) -> None:
    """Read by day and clock, or as a whole: the first and the last moment there may be, and what is none."""
    agree(lines(make_tweet(created_at=day + clock + rest), make_tweet(created_at=day + clock + rest, **NO_GEO)))
