"""What a post of any shape reads as; one field spoiled a test."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import documents, formats
from pipeline.formats import Notice, Record, Reject
from pipeline.schema import RECORDS
from tests import posts
from tests.posts import CITY, NOON, PLACE_BOX, make_flat, make_page, make_place, make_post, make_renamed, make_tweet, ring, snowflake


def only(document: Any) -> Any:
    """The one outcome of a document."""
    (outcome,) = formats.parse(document)
    return outcome


def record(document: Any) -> Record:
    """The one record of a document."""
    outcome = only(document)
    assert isinstance(outcome, Record), outcome
    return outcome


def reason(document: Any) -> str:
    """Why a document is rejected."""
    outcome = only(document)
    assert isinstance(outcome, Reject), outcome
    return outcome.reason


WHOLE = Record(
    tweet_id=snowflake(),
    version_id=snowflake(),
    created_at=NOON,
    author_id="7",
    text="Mucho tráfico en el centro",
    lang="es",
    client="Example & Sons",
    is_retweet=False,
    is_quote=False,
    longitude=CITY[0],
    latitude=CITY[1],
    place_id="00place1",
    place_name="Centro, Ciudad",
    place_type="city",
    place_country="MX",
    place_west=PLACE_BOX[0],
    place_south=PLACE_BOX[1],
    place_east=PLACE_BOX[2],
    place_north=PLACE_BOX[3],
)


@pytest.mark.parametrize("shape", posts.shapes())
def test_one_post_reads_the_same_in_every_shape(shape: str) -> None:
    """v1.1, premium, CouchDB, export, v2, flattened, renamed: the same record to the last field."""
    found = record(posts.shapes()[shape])
    if shape == "data export":
        # an account's own export does not repeat whose it is
        assert found.author_id is None
        found.author_id = "7"
    assert found == WHOLE


@pytest.mark.parametrize("kind", posts.notices())
def test_notices_are_notices_of_their_kind(kind: str) -> None:
    """What a source says beside posts is counted by kind."""
    assert only(posts.notices()[kind]).kind == kind


def test_a_limit_notice_says_when_it_was_sent() -> None:
    """Its time shows that the stream was alive."""
    assert only(posts.notices()["limit"]).at.year == 2026


@pytest.mark.parametrize(
    "page", [{"data": [], "meta": {}}, {"meta": {"result_count": 0}}, {"data": None}, {"includes": {}}, {"statuses": []}, []]
)
def test_a_page_without_posts_is_one_notice(page: Any) -> None:
    """The last page of a search may have no data."""
    assert only(page) == Notice("empty_page")


def test_a_page_of_errors_alone_is_a_notice() -> None:
    """A 200 may carry errors and nothing else; errors beside data change nothing."""
    assert only({"errors": [{"title": "Not Found Error"}]}) == Notice("errors")
    assert record(make_page(errors=[{"title": "Not Found Error"}])) == WHOLE


# ids and times -------------------------------------------------------------------------------------------------------


def test_the_id_as_text_wins_over_the_number() -> None:
    """Archives that went through JavaScript have rounded numbers beside whole texts."""
    assert record(make_tweet(id=float(snowflake()))).tweet_id == snowflake()
    assert record(make_tweet(id=1)).tweet_id == snowflake()


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"id": ..., "id_str": ...}, "no_id"),
        ({"id": 1.25e18, "id_str": ...}, "bad_id"),
        ({"id_str": "12x"}, "bad_id"),
        ({"id_str": "0"}, "bad_id"),
        ({"id_str": "9" * 19}, "bad_id"),
        ({"id_str": "٣٤"}, "bad_id"),
        ({"id_str": True}, "bad_id"),
        ({"created_at": "yesterday"}, "bad_time"),
        ({"created_at": 1793901600}, "bad_time"),
        ({"created_at": "Thu Nov 05 25:00:00 +0000 2026"}, "bad_time"),
        ({"created_at": "Thu Jan 01 00:00:00 +0000 1970"}, "bad_time"),
        ({"created_at": ..., "id": 20, "id_str": "20"}, "no_time"),
        ({"text": ...}, "no_text"),
        ({"text": 5}, "no_text"),
        ({"coordinates": {"type": "Point", "coordinates": [10.0]}}, "bad_point"),
        ({"coordinates": {"type": "Point", "coordinates": ["a", "b"]}}, "bad_point"),
        ({"coordinates": {"type": "Point", "coordinates": [10.0, 91.0]}}, "bad_point"),
        ({"coordinates": {"type": "Point", "coordinates": [float("nan"), 1.0]}}, "bad_point"),
        ({"coordinates": None, "geo": None, "place": {"id": "1", "bounding_box": {"coordinates": "here"}}}, "bad_place"),
        ({"coordinates": None, "geo": None, "place": {"id": "1", "bounding_box": ring(0, 0, 0, 91)}}, "bad_place"),
    ],
)
def test_a_bad_value_rejects_a_v1_post(change: dict[str, Any], wanted: str) -> None:
    """With the reason, and nothing of the post's text."""
    outcome = only(make_tweet(**change))
    assert outcome.reason == wanted
    assert "Mucho" not in outcome.detail


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"id": ...}, "no_id"),
        ({"id": "x"}, "bad_id"),
        ({"edit_history_tweet_ids": ["x"]}, "bad_id"),
        ({"edit_history_tweet_ids": "18"}, "bad_id"),
        ({"created_at": "2026-13-01T00:00:00.000Z"}, "bad_time"),
        ({"text": ...}, "no_text"),
        ({"geo": {"coordinates": {"type": "Point", "coordinates": [181, 0]}}}, "bad_point"),
        ({"geo": {"place_id": "9", "geo": {"bbox": [0, 1, 2]}}}, "bad_place"),
        ({"geo": {"place_id": "9", "geo": {"bbox": [0, 5, 2, 1]}}}, "bad_place"),
    ],
)
def test_a_bad_value_rejects_a_v2_post(change: dict[str, Any], wanted: str) -> None:
    """The same reasons as in v1.1."""
    assert reason(make_page(make_post(**change))) == wanted


def test_other_things_are_rejected_as_unknown() -> None:
    """A document of no known shape is one reject that names its keys."""
    assert only({"colour": "red"}) == Reject("unknown_shape", "colour")
    assert only({"\ud83d": "red"}) == only({"data": {"\ud83d": "red"}}) == Reject("unknown_shape", "\\ud83d")
    assert reason(5) == reason("text") == reason(None) == "unknown_shape"
    assert reason({"data": ["a"]}) == "unknown_shape"
    assert reason({"id": "1", "key": 1, "value": {"properties": {"text": "x"}}}) == "no_document"


def test_wrappers_in_wrappers_end_somewhere() -> None:
    """A file that nests lists a thousand deep is refused, not a stack overflow."""
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    assert reason(deep) == "unknown_shape"


def test_nesting_that_can_just_be_parsed_is_a_reject_like_any_other() -> None:
    """How deep Python can follow depends on who calls whom: what has been parsed may be too deep to be shown."""
    line = json.dumps(make_tweet(coordinates="@@"))
    for depth in range(600, 1100):
        try:
            document = documents.parse_json(line.replace('"@@"', "[" * depth + "]" * depth))
        except ValueError:
            break
        assert reason(document) == "bad_point"
    assert depth < 1000


def test_an_edit_keeps_the_first_id_and_the_first_time() -> None:
    """The tweet's name and day are those of its first version; the version is its own id."""
    later = NOON + timedelta(minutes=20)
    first, version = snowflake(), snowflake(later)
    edited = make_post(at=later, edit_history_tweet_ids=[str(first), str(version)])
    for found in (record(make_page(edited)), record(make_page(make_renamed(at=later, edit_history_tweet_ids=[str(first), str(version)])))):
        assert (found.tweet_id, found.version_id, found.created_at) == (first, version, NOON)


@pytest.mark.parametrize(
    "history",
    [
        {"edit_history": {"initial_tweet_id": str(snowflake()), "edit_tweet_ids": [str(snowflake()), str(snowflake(sequence=5))]}},
        {"edit_info": {"edit": {"initialTweetId": str(snowflake())}}},
        {"edit_info": {"initial": {"editTweetIds": [str(snowflake())]}}},
    ],
)
def test_v1_and_exports_have_edits_too(history: dict[str, Any]) -> None:
    """Under other names."""
    found = record(make_tweet(sequence=5, **history))
    assert (found.tweet_id, found.version_id) == (snowflake(), snowflake(sequence=5))


def test_a_page_without_times_takes_them_from_the_ids() -> None:
    """v2 gives created_at only when asked; the snowflake knows."""
    assert record(make_page(make_post(created_at=...))).created_at == NOON


def test_old_ids_keep_their_own_time() -> None:
    """Before November 2010 ids were counted up and say nothing of the time."""
    found = record(make_tweet(id_str="20", created_at="Tue Mar 21 20:50:14 +0000 2006"))
    assert (found.tweet_id, found.created_at) == (20, datetime(2006, 3, 21, 20, 50, 14, tzinfo=UTC))


@given(st.datetimes(datetime(2010, 12, 1), datetime(2090, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_any_time_reads_the_same_in_both_spellings(moment: datetime, ahead: int) -> None:
    """v1's and ISO 8601's, in any time zone, to the second."""
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    local = moment + timedelta(minutes=ahead)
    zone = f"{'-' if ahead < 0 else '+'}{abs(ahead) // 60:02}{abs(ahead) % 60:02}"
    spelled = local.strftime(f"%a %b %d %H:%M:%S {zone} %Y")
    assert record(make_tweet(created_at=spelled)).created_at == moment
    iso = local.strftime("%Y-%m-%dT%H:%M:%S.999") + f"{zone[:3]}:{zone[3:]}"
    assert record(make_page(make_post(created_at=iso))).created_at == moment


@given(st.text(max_size=30))
def test_any_other_time_is_rejected(spelled: str) -> None:
    """Or read as some time: never a crash."""
    outcome = only(make_tweet(created_at=spelled))
    assert isinstance(outcome, Record) or outcome.reason == "bad_time"


def test_an_author_is_a_text_or_a_whole_number() -> None:
    """A number that went through JavaScript has lost digits: it would make one author of several."""
    for author, wanted in ((7, "7"), ("7", "7"), (7.0, None), (True, None), ([7], None), ("", None), (0, None)):
        assert record(make_tweet(user={"id": author})).author_id == wanted
        assert record(make_page(make_post(author_id=author))).author_id == wanted


# texts ---------------------------------------------------------------------------------------------------------------


def test_the_fullest_text_wins() -> None:
    """A stream's `text` is cut; extended_tweet, full_text and notes are whole; a note is the longest."""
    tweet = make_tweet(text="a", full_text="ab", extended_tweet={"full_text": "abc"})
    assert record(tweet).text == "abc"
    assert record(tweet | {"note_tweet": {"text": "abcd"}}).text == "abcd"
    assert record(make_page(make_post(text="a", note_post={"text": "ab"}))).text == "ab"


def test_an_empty_text_is_a_text() -> None:
    """A post of a picture alone may have none; it is a trial all the same."""
    assert record(make_tweet(text="")).text == ""


def test_a_retweet_has_its_own_text() -> None:
    """It is marked, and the text of what it repeats is not put in its place."""
    found = record(make_tweet(text="RT @a: b", retweeted_status=make_tweet(text="b b b"), is_quote_status=True))
    assert (found.text, found.is_retweet, found.is_quote) == ("RT @a: b", True, False)
    for kind in ("retweeted", "reposted"):
        assert record(make_page(make_renamed(referenced_tweets=[{"type": kind, "id": "5"}]))).is_retweet


def test_a_quote_is_marked() -> None:
    """In both generations; a reply is neither."""
    assert record(make_tweet(is_quote_status=True, quoted_status=make_tweet())).is_quote
    found = record(make_page(make_post(referenced_tweets=[{"type": "quoted", "id": "5"}, {"type": "replied_to", "id": "6"}])))
    assert (found.is_quote, found.is_retweet) == (True, False)


@given(st.text())
def test_any_text_survives(text: str) -> None:
    """As it was written; what no UTF-8 can hold becomes U+FFFD in the table."""
    found = record(make_tweet(text=text))
    assert found.text == text
    assert formats.table([found])["text"].to_pylist() == [text]


def test_half_a_surrogate_pair_does_not_stop_a_batch() -> None:
    """JSON may escape one alone."""
    table = formats.table([record(make_tweet(text="a\ud83d b")), record(make_tweet(text="\ud83d\ude00"))])
    assert table["text"].to_pylist() == ["a� b", "😀"]


# places --------------------------------------------------------------------------------------------------------------


def test_the_old_geo_field_is_the_other_way_round() -> None:
    """v1's `geo` is latitude first; it counts where `coordinates` is null."""
    found = record(make_tweet(coordinates=None))
    assert (found.longitude, found.latitude) == CITY


def test_empty_coordinates_are_none() -> None:
    """v2 writes `coordinates: {}`."""
    found = record(make_page(make_post(geo={"place_id": "00place1", "coordinates": {}})))
    assert found.longitude is None
    assert found.place_west == PLACE_BOX[0]


def test_a_point_may_come_without_a_place() -> None:
    """And a place without a point; and neither."""
    assert record(make_tweet(place=None)).geotagged
    assert record(make_tweet(coordinates=None, geo=None)).geotagged
    assert not record(make_tweet(coordinates=None, geo=None, place=None)).geotagged
    assert not record(make_page(make_post(geo=...))).geotagged
    assert not record(make_page(make_post(geo={}))).geotagged


def test_a_place_missing_from_includes_keeps_its_id() -> None:
    """It is geotagged, with an unknown box."""
    found = record(make_page(make_post(geo={"place_id": "00place1"}), places=[]))
    assert (found.place_id, found.place_west, found.geotagged) == ("00place1", None, True)


def test_a_place_may_have_no_box() -> None:
    """Countries of the early years come so."""
    for bounds in (None, {"type": "Polygon", "coordinates": None}):
        found = record(make_tweet(place={"id": "1", "full_name": "México", "bounding_box": bounds}))
        assert (found.place_id, found.place_west) == ("1", None)


def test_a_place_without_extent_is_kept() -> None:
    """A point of interest is a box of no surface."""
    found = record(make_tweet(place={"id": "1", "bounding_box": ring(-99.1, 19.4, -99.1, 19.4)}))
    assert (found.place_west, found.place_south, found.place_east, found.place_north) == (-99.1, 19.4, -99.1, 19.4)


def test_a_place_over_the_antimeridian_is_not_the_whole_globe() -> None:
    """Its ring begins in the far east: west stays greater than east."""
    found = record(make_tweet(place={"id": "1", "bounding_box": ring(177.0, -19.0, -178.0, -16.0)}))
    assert (found.place_west, found.place_east) == (177.0, -178.0)
    wide = record(make_tweet(place={"id": "1", "bounding_box": ring(-179.0, -19.0, 178.0, 71.0)}))
    assert (wide.place_west, wide.place_east) == (-179.0, 178.0)


def test_a_broken_place_is_forgiven_beside_a_point() -> None:
    """The point decides alone, so the post is not lost."""
    found = record(make_tweet(place={"id": "1", "bounding_box": {"coordinates": "here"}}))
    assert (found.longitude, found.place_id, found.place_west) == (CITY[0], "1", None)


def test_flattened_places_need_no_includes() -> None:
    """twarc2 merges the place into `geo`; a point of its own stays beside it."""
    flat = make_flat()
    del flat["geo"]["coordinates"]
    found = record(flat)
    assert (found.longitude, found.place_id, found.place_east, found.place_name) == (None, "00place1", PLACE_BOX[2], "Centro, Ciudad")


def test_pages_give_one_outcome_a_post() -> None:
    """A spoiled post does not take its page with it."""
    page = make_page(make_post(), make_post(sequence=1, id=...), make_post(sequence=2), places=[make_place(), {"no": "id"}, {"id": [1]}])
    kinds = [type(outcome) for outcome in formats.parse(page)]
    assert kinds == [Record, Reject, Record]


def test_the_table_has_the_columns_of_the_schema_and_raw_when_asked() -> None:
    """`raw` is the post's own JSON, nothing of the page round it."""
    table = formats.table([record(make_page())])
    assert table.schema == RECORDS
    assert table["raw"].to_pylist() == [None]
    raw = formats.table([record(make_page())], raw=True)["raw"][0].as_py()
    assert raw.startswith('{"id":')
    assert "includes" not in raw
