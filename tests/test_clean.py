"""One row a tweet, inside the area and the day, from any source; everything else counted by its reason."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline import clean, days, extract, importing, storage
from pipeline.errors import AlreadyRunning, MissingData
from pipeline.inputs import inputs
from pipeline.schema import DISCARDS, TWEETS
from pipeline.settings import Settings
from pipeline.sources import archive
from tests.fetched import put_pages
from tests.posts import NOON, lines, make_page, make_place, make_post, make_tweet, snowflake

DAY = date(2026, 11, 5)
CITY = "mexico-city"
AREA = '[mexico-city]\nbox = "-99.3650,19.0482,-98.9403,19.5928"\ntimezone = "America/Mexico_City"\n'
AWAY: dict[str, Any] = {"coordinates": {"type": "Point", "coordinates": [2.35, 48.85]}}
NO_POINT: dict[str, Any] = {"coordinates": None, "geo": None}
Make = Callable[..., Settings]
ZONES = ["America/Mexico_City", "Europe/London", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"]


@pytest.fixture
def settings(make_settings: Make) -> Settings:
    """The sample configuration, without a token and a database."""
    return make_settings(database=False)


def cleaned(settings: Settings, day: date = DAY) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """(rows, manifest) of a day; the account must add up."""
    manifest = clean.run(settings, CITY, day)
    table = pq.read_table(clean.partition(settings, CITY, day) / "tweets.parquet")
    assert table.schema == TWEETS
    assert manifest["records"] == manifest["rows"] + sum(manifest["discards"].values()) + sum(manifest["notices"].values())
    assert manifest["rows"] == table.num_rows
    return table.to_pylist(), manifest


def of_posts(settings: Settings, *posts: dict[str, Any], **page: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Clean a day whose only page holds these posts."""
    put_pages(settings, CITY, DAY, make_page(*posts, **page))
    return cleaned(settings)


def bring(settings: Settings, *documents: Any, name: str = "tweets.json") -> str:
    """Import an archive; its digest."""
    path = settings.data.parent / name
    path.write_bytes(lines(*documents))
    return importing.run(settings, [path]).files[0].digest


def test_a_good_post_becomes_a_row(settings: Settings) -> None:
    """With every column filled as schema.TWEETS says."""
    ((row,), manifest) = of_posts(settings, make_post(text="Tráfico &amp; LLUVIA @uno  http://t.co/x", geo=make_post()["geo"]))
    assert len(row.pop("author_key")) == 32
    assert row == {
        "tweet_id": snowflake(),
        "version_id": snowflake(),
        "created_at": NOON,
        "text": "Tráfico & LLUVIA @uno  http://t.co/x",
        "searchable": "Tráfico & LLUVIA",
        "folded": "trafico & lluvia",
        "lang": "es",
        "client": "Example & Sons",
        "is_retweet": False,
        "is_quote": False,
        "longitude": -99.15,
        "latitude": 19.40,
        "evidence": "point",
        "place_id": "00place1",
        "place_name": "Centro, Ciudad",
        "place_type": "city",
        "place_country": "MX",
        "place_west": -99.20,
        "place_south": 19.35,
        "place_east": -99.10,
        "place_north": 19.45,
        "raw": None,
    }
    assert (manifest["coverage"], manifest["coverage_reason"], manifest["synthetic"], manifest["sources"]) == (1.0, "", True, ["sandbox"])
    assert (manifest["evidence"], manifest["posts"], manifest["pages"], manifest["requests"]) == ({"point": 1}, 1, 1, 1)


WIDE = {"geo": {"type": "Feature", "bbox": [-120.0, 10.0, -80.0, 30.0]}}


@pytest.mark.parametrize(
    ("change", "place", "reason"),
    [
        ({"geo": {"coordinates": {"type": "Point", "coordinates": [2.35, 48.85]}}}, {}, "outside"),
        ({"geo": {"place_id": "00place1"}}, WIDE, "outside"),
        ({"geo": {"place_id": "elsewhere"}}, {}, "nowhere"),
        ({"geo": ...}, {}, "no_geo"),
        ({"created_at": "2026-11-07T18:00:00.000Z"}, {}, "wrong_day"),
        ({"created_at": "2026-11-05T05:59:59.000Z"}, {}, "wrong_day"),
        ({"created_at": "2026-11-06T06:00:00.000Z"}, {}, "wrong_day"),
        ({"id": ...}, {}, "no_id"),
        ({"text": ...}, {}, "no_text"),
        ({"created_at": "?"}, {}, "bad_time"),
        ({"geo": {"coordinates": {"type": "Point", "coordinates": [0, 99]}}}, {}, "bad_point"),
    ],
)
def test_one_spoiled_field_is_one_discard(settings: Settings, change: dict[str, Any], place: dict[str, Any], reason: str) -> None:
    """Counted by its reason and kept for a look; the post beside it is not touched."""
    rows, manifest = of_posts(settings, make_post(**change), make_post(sequence=1), places=[make_place(**place)])
    if reason == "outside" and place:
        # the place is the neighbour's too, whose point decides
        assert rows[0]["evidence"] == "point"
    assert [row["tweet_id"] for row in rows] == [snowflake(sequence=1)]
    assert manifest["discards"] == {reason: 1}
    sample = pq.read_table(clean.partition(settings, CITY, DAY) / "discards.parquet")
    assert sample.schema == DISCARDS
    assert [(row["reason"], row["origin"]) for row in sample.to_pylist()] == [(reason, "x/page-00001.json.zst")]


def test_an_area_may_want_less_evidence(make_settings: Make) -> None:
    """What the policy would count, and the area does not want, is a reason of its own."""
    settings = make_settings(areas=AREA + 'evidence = ["point"]\n', database=False)
    rows, manifest = of_posts(settings, make_post(), make_post(sequence=1, geo={"place_id": "00place1"}))
    assert (len(rows), manifest["discards"]) == (1, {"other_evidence": 1})


def test_notices_are_counted(settings: Settings) -> None:
    """An empty page is not an empty day."""
    put_pages(settings, CITY, DAY, {"meta": {"result_count": 0}}, make_page(), {"errors": [{"title": "x"}]})
    rows, manifest = cleaned(settings)
    assert (len(rows), manifest["notices"]) == (1, {"empty_page": 1, "errors": 1})


def test_the_hours_of_x_are_passed_on_with_what_was_kept(settings: Settings) -> None:
    """By the number of the hour from the day's beginning; a partition without hours, as older ones are, has none."""
    put_pages(settings, CITY, DAY, make_page(make_post(sequence=1), make_post(sequence=2), make_post(sequence=3, geo=...)))
    assert cleaned(settings)[1]["hours"] == []
    path = extract.partition(settings, CITY, DAY) / "manifest.json"
    start = days.window(DAY, ZoneInfo("America/Mexico_City")).start
    hours = [{"start": (start + timedelta(hours=number)).isoformat(), "fetched": 1} for number in range(24)]
    sample = {"wanted": 5, "population": 9, "slices": []}
    storage.write_json(path, storage.read_json(path) | {"mode": "sample", "sample": sample, "hours": hours})
    rows, manifest = cleaned(settings)
    assert [hour["fetched"] for hour in manifest["hours"]] == [1] * 24
    assert {(row["created_at"] - start) // timedelta(hours=1) for row in rows} == {
        n for n, hour in enumerate(manifest["hours"]) if hour["kept"]
    }
    assert sum(hour["kept"] for hour in manifest["hours"]) == len(rows) == 2
    assert (manifest["mode"], manifest["sample"]) == ("sample", sample)


def test_a_place_that_its_page_left_out_is_taken_from_another_page(settings: Settings) -> None:
    """From one before or after; which page told it makes no difference, and a place that none tells is nowhere."""
    posts = [make_post(sequence=n, geo={"place_id": "here"}) for n in (1, 2, 3)]
    here = make_place(id="here")
    pages = [make_page(post, places=[here] if n == 1 else []) for n, post in enumerate(posts)]
    unknown = make_post(sequence=4, geo={"place_id": "unknown"})
    put_pages(settings, CITY, DAY, *pages, make_page(unknown, places=[]))
    rows, manifest = cleaned(settings)
    assert [row["place_id"] for row in rows] == ["here"] * 3
    assert {row["evidence"] for row in rows} == {"place_within"}
    assert manifest["discards"] == {"nowhere": 1}


def test_an_empty_day_is_an_empty_table(settings: Settings) -> None:
    """With all columns, and all zeros."""
    put_pages(settings, CITY, DAY, {"meta": {"result_count": 0}})
    rows, manifest = cleaned(settings)
    assert (rows, manifest["rows"], manifest["evidence"]) == ([], 0, {})


def test_the_newest_version_is_kept(settings: Settings) -> None:
    """Under the first version's id and time, wherever it stood."""
    first, second = snowflake(), snowflake(NOON + timedelta(minutes=20))
    edit = make_post(at=NOON + timedelta(minutes=20), text="nuevo", edit_history_tweet_ids=[str(first), str(second)])
    for posts in itertools.permutations((make_post(), edit)):
        put_pages(settings, CITY, DAY, make_page(*posts))
        ((row,), manifest) = cleaned(settings)
        assert (row["tweet_id"], row["version_id"], row["created_at"], row["text"]) == (first, second, NOON, "nuevo")
        assert manifest["discards"] == {"older_version": 1}


def test_a_newest_version_elsewhere_takes_the_tweet_out(settings: Settings) -> None:
    """The newest version decides, also where it lies outside and an older one inside."""
    edit = make_tweet(
        **AWAY, edit_history={"initial_tweet_id": str(snowflake()), "edit_tweet_ids": [str(snowflake()), str(snowflake() + 9)]}
    )
    edit |= {"id": snowflake() + 9, "id_str": str(snowflake() + 9)}
    bring(settings, make_tweet(), edit, make_tweet(sequence=1))
    rows, manifest = cleaned(settings)
    assert [row["tweet_id"] for row in rows] == [snowflake(sequence=1)]
    assert manifest["discards"] == {"older_version": 1, "outside": 1}


def test_tweets_of_elsewhere_are_not_held_in_memory(settings: Settings) -> None:
    """An archive of the whole world takes numbers for each of its tweets, and rows for those inside; all are counted, a sample is named."""
    inside, many = 3, clean.SAMPLE + 5
    bring(settings, *(make_tweet(sequence=n, **({} if n < inside else AWAY)) for n in range(inside + many)))
    day = clean._Day(settings, settings.area(CITY), DAY, inputs(settings, CITY, DAY), (1.0, ""))
    day.read()
    assert (sum(table.num_rows for table in day._kept), len(day._rows)) == (inside, inside + many)
    rows, manifest = cleaned(settings)
    assert (len(rows), manifest["discards"]) == (inside, {"outside": many})
    sample = pq.read_table(clean.partition(settings, CITY, DAY) / "discards.parquet")
    assert sample["tweet_id"].to_pylist() == [snowflake(sequence=n) for n in range(inside, inside + clean.SAMPLE)]


def test_an_edit_after_midnight_stays_in_its_day(settings: Settings) -> None:
    """The day is the first version's."""
    late = days.window(DAY, settings.area(CITY).zone).end - timedelta(minutes=1)
    edit = make_post(at=late + timedelta(minutes=20), edit_history_tweet_ids=[str(snowflake(late))])
    ((row,), _) = of_posts(settings, edit)
    assert row["created_at"] == late


def test_of_equal_versions_the_one_that_knows_most_is_kept(make_settings: Make) -> None:
    """A point before a place, a place before none, the longer text, then the origin's name: whatever the order of import."""
    rich = make_tweet(text="largo largo")
    variants = [make_tweet(text="corto"), make_tweet(text="larguísimo larguísimo", **NO_POINT), make_tweet(place=None), rich]
    results = []
    for number, order in enumerate(itertools.permutations(range(4))):
        if number % 5 == 0:
            settings = make_settings(database=False, GEOBETA_DATA=str(make_settings(database=False).data / str(number)))
            for place in order:
                bring_into(settings, f"{place}.json", variants[place])
            results.append(cleaned(settings))
    assert all(result == results[0] for result in results)
    ((row,), manifest) = results[0]
    assert (row["text"], row["evidence"], row["place_id"]) == ("largo largo", "point", "00place1")
    assert manifest["discards"] == {"duplicate": 3}


def bring_into(settings: Settings, name: str, *documents: Any) -> str:
    """Import into a data folder that may not be there yet."""
    settings.data.mkdir(parents=True, exist_ok=True)
    return bring(settings, *documents, name=name)


def test_an_archive_twice_and_renamed_changes_nothing(settings: Settings) -> None:
    """Not even the revision."""
    bring(settings, make_tweet(), make_tweet(sequence=1))
    before, revision = cleaned(settings), clean.revision(settings, CITY, DAY)
    bring(settings, make_tweet(), make_tweet(sequence=1), name="renamed.json")
    assert clean.revision(settings, CITY, DAY) == revision
    assert cleaned(settings) == before


def test_archives_and_pages_are_one_set(make_settings: Make) -> None:
    """A tweet that both hold is one row; both are named as sources, and X's whole day is the coverage."""
    settings = make_settings(areas=AREA + 'source = "both"\n', database=False, X_BEARER_TOKEN="a-token-for-tests-only")
    digest = bring(settings, make_tweet(), make_tweet(sequence=1))
    put_pages(settings, CITY, DAY, make_page(make_post(), make_post(sequence=2)))
    rows, manifest = cleaned(settings)
    assert [row["tweet_id"] for row in rows] == [snowflake(sequence=n) for n in range(3)]
    assert manifest["discards"] == {"duplicate": 1}
    assert (manifest["sources"], manifest["coverage"], manifest["synthetic"]) == (["x", f"archive {digest}"], 1.0, False)


def test_an_archives_gaps_are_the_days_coverage(settings: Settings) -> None:
    """With the reason; another archive that fills them makes another revision."""
    start = days.window(DAY, settings.area(CITY).zone).start
    bring(settings, *(make_tweet(at=start + timedelta(minutes=20 * n)) for n in range(36)))
    _, manifest = cleaned(settings)
    assert manifest["coverage"] == pytest.approx(701 / 1440)
    assert "11:41-24:00" in manifest["coverage_reason"]
    revision = clean.revision(settings, CITY, DAY)
    bring(settings, *(make_tweet(at=start + timedelta(minutes=20 * n), place=None, **NO_POINT) for n in range(36, 72)), name="b.json")
    assert clean.revision(settings, CITY, DAY) != revision
    assert cleaned(settings)[1]["coverage"] == 1.0


def test_an_archive_imported_meanwhile_is_not_left_out(settings: Settings) -> None:
    """What was read without it is not published under the revision that has it, nor under the other; the next run has it all."""
    bring(settings, make_tweet())

    def told(share: float | None, _: str) -> None:
        if share == 0.5:
            bring(settings, make_tweet(sequence=1), name="b.json")

    before = clean.partition(settings, CITY, DAY)
    with pytest.raises(AlreadyRunning, match="imported meanwhile"):
        clean.run(settings, CITY, DAY, progress=told)
    assert list(before.parent.iterdir()) == []
    rows, manifest = cleaned(settings)
    assert (len(rows), len(manifest["sources"])) == (2, 2)


def test_a_day_that_no_source_holds_is_missing(settings: Settings) -> None:
    """And it has a revision that no partition has, so that asking does not fail."""
    bring(settings, make_tweet())
    other = DAY - timedelta(days=1)
    with pytest.raises(MissingData):
        clean.run(settings, CITY, other)
    assert not clean.partition(settings, CITY, other).exists()
    with pytest.raises(MissingData):
        clean.run(settings.model_copy(update={"data": settings.data / "empty"}), CITY, DAY)


def test_what_decides_the_content_decides_the_revision(make_settings: Make) -> None:
    """Box, policy, zone, source, archives, key, raw; not the size of pages."""
    bring(make_settings(database=False), make_tweet())

    def revision(more: str = "", settings: str = "", **environ: str) -> str:
        return clean.revision(make_settings(areas=AREA + more, settings=settings, database=False, **environ), CITY, DAY)

    plain = revision()
    assert revision(settings="[x]\npage_size = 20\n") == plain
    assert revision(X_BEARER_TOKEN="a-token-for-tests-only") == plain
    others = [
        revision("largest_place = 2.0\n"),
        revision('evidence = ["point"]\n'),
        revision('source = "x"\n'),
        revision("raw = true\n"),
        # the same files, but the table is to be loaded anew
        revision("raw = true\n", settings="[load]\nraw = true\n"),
        revision(GEOBETA_AUTHOR_KEY="another key for tests"),
        clean.revision(make_settings(areas=AREA.replace("19.5928", "19.60"), database=False), CITY, DAY),
        clean.revision(make_settings(areas=AREA.replace("Mexico_City", "New_York"), database=False), CITY, DAY),
    ]
    bring(make_settings(database=False), make_tweet(sequence=9), name="b.json")
    others.append(revision())
    assert len({plain, *others}) == len(others) + 1


def test_raw_is_kept_when_asked(make_settings: Make) -> None:
    """The post's own JSON, from pages and from archives; ASCII, so that no odd character is lost."""
    settings = make_settings(areas=AREA + "raw = true\n", database=False)
    ((row,), _) = of_posts(settings, make_post(text="ñ\ud83d"))
    assert '"text":"\\u00f1\\ud83d"' in row["raw"]
    bring(settings, make_tweet())
    ((row,), _) = cleaned(settings)
    assert row["raw"].startswith('{"created_at"')


# texts and authors ---------------------------------------------------------------------------------------------------


def test_no_field_holds_what_postgresql_cannot(settings: Settings) -> None:
    """NUL and lone surrogates become U+FFFD in every text column."""
    place = make_place(full_name="a\x00b\udc00", country_code="M\x00")
    ((row,), _) = of_posts(settings, make_post(text="x\x00y\ud83d", lang="e\x00s", source="q\x00\ud83d"), places=[place])
    assert (row["text"], row["lang"], row["client"]) == ("x�y�", "e�s", "q��")
    assert (row["place_name"], row["place_country"]) == ("a�b�", "M�")


@hypothesis_settings(max_examples=25)
@given(texts=st.lists(st.text(), min_size=1, max_size=8))
def test_any_texts_come_through(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """One row each, all storable as UTF-8 without NUL."""
    column = pa.chunked_array([pa.array([text.encode("utf-8", "surrogatepass").decode("utf-8", "replace") for text in texts], pa.string())])
    stored = clean._storable(column).to_pylist()
    assert len(stored) == len(texts)
    assert all("\x00" not in text and text.encode("utf-8") is not None for text in stored)


def test_authors_are_hashed_with_the_key(make_settings: Make) -> None:
    """The same author is the same key in every shape, another key gives others, and no author gives none."""
    settings = make_settings(database=False)
    bring(settings, make_tweet(), make_tweet(sequence=1, user={"id": 8}), make_tweet(sequence=2, user={}), make_page(make_post(sequence=3)))
    keys = [row["author_key"] for row in cleaned(settings)[0]]
    assert keys[0] == keys[3] != keys[1]
    assert keys[2] is None
    other = [row["author_key"] for row in cleaned(make_settings(database=False, GEOBETA_AUTHOR_KEY="another key for tests"))[0]]
    assert not set(keys) & set(other) - {None}


def test_a_key_is_made_once_and_kept_private(make_settings: Make) -> None:
    """Without GEOBETA_AUTHOR_KEY: a file that only its owner reads."""
    settings = make_settings(database=False).model_copy(update={"author_key": None})
    key = clean.author_key(settings)
    path = settings.data / "author.key"
    assert len(key) == 64
    assert clean.author_key(settings) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in settings.data.iterdir()] == ["author.key"]


# days ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("middle", [date(2021, 3, 28), date(2021, 10, 31), date(2011, 12, 30)])
def test_every_tweet_is_in_exactly_one_day(make_settings: Make, zone: str, middle: date) -> None:
    """Over clock changes, and where a day was left out: the days' sums are the total."""
    settings = make_settings(areas=AREA.replace("America/Mexico_City", zone), database=False)
    noon = datetime(middle.year, middle.month, middle.day, 12, tzinfo=UTC)
    tweets = [make_tweet(at=noon + timedelta(minutes=30 * n), sequence=n) for n in range(-96, 97)]
    bring(settings, *tweets)
    held = archive.days_held(settings, settings.area(CITY))
    ids = [row["tweet_id"] for day in held for row in cleaned(settings, day)[0]]
    assert len(ids) == len(set(ids)) == len(tweets)


# the golden day ------------------------------------------------------------------------------------------------------

#: Output of the made-up day below. When it changes on purpose: raise clean.CODE_VERSION, then pin both anew.
GOLDEN = (4, "a5b48b4d2ef0")


def test_output_and_code_version_change_together(make_settings: Make) -> None:
    """A stage whose output changes gets a new version, or yesterday's partitions would pass for today's."""
    settings = make_settings(areas=AREA + 'source = "both"\nraw = true\n', database=False, X_BEARER_TOKEN="a-token-for-tests-only")
    words = ["tráfico", "LLUVIA", "&lt;3", "@quien", "https://t.co/abc", "ｆｕｌｌ", "ñandú\x00", "😀", "é", "ﬁn", "don’t"]
    dice = random.Random(1)
    tweets = [
        make_tweet(
            sequence=n,
            text=" ".join(dice.choices(words, k=6)),
            user={"id": dice.randrange(20)},
            coordinates=None if n % 3 else {"type": "Point", "coordinates": [-99.4 + n / 100, 19.2]},
            geo=None,
            lang=None if n % 5 == 0 else "es",
            is_quote_status=n % 7 == 0,
        )
        for n in range(60)
    ]
    bring(settings, *tweets[:40])
    put_pages(settings, CITY, DAY, make_page(*(make_post(sequence=n, text=f"{n}") for n in range(30, 50)), make_post(sequence=99, geo=...)))
    rows, manifest = cleaned(settings)
    counts = {
        key: manifest[key] for key in ("records", "rows", "discards", "notices", "evidence", "coverage", "coverage_reason", "synthetic")
    }
    assert (clean.CODE_VERSION, storage.digest(rows, counts)) == GOLDEN
