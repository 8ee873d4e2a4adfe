"""Imports of some days only: what is kept, what is passed over unread, and that no extract is taken for more than it holds."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline import days, importing, storage
from pipeline.cli.import_account import account, whole
from pipeline.days import Window
from pipeline.errors import ArchiveError
from pipeline.importing import named_days
from pipeline.importing.import_report import FileReport
from pipeline.settings import Settings
from pipeline.sources import archive
from tests.packed import tarred, zipped
from tests.posts import lines, make_tweet, notices

Make = Callable[..., Settings]
FIRST = date(2026, 11, 4)
NO_GEO = {"coordinates": None, "geo": None, "place": None}


@pytest.fixture
def settings(make_settings: Make) -> Settings:
    return make_settings(database=False)


def minutes_of(day: date, *, every: int = 20) -> dict[str, bytes]:
    """The files of one day of UTC as archive.org names them, one tweet of the city in each."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    moments = [start + timedelta(minutes=minute) for minute in range(0, 1440, every)]
    return {f"{moment:%Y/%m/%d/%H/%M}.json": lines(make_tweet(at=moment, source=day.isoformat())) for moment in moments}


def put(settings: Settings, content: bytes, name: str = "stream.tar.gz") -> Path:
    path = settings.data.parent / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def bring(settings: Settings, path: Path, since: date | None = None, until: date | None = None) -> FileReport:
    report = importing.run(settings, [path], window=days.reach(since, until))
    assert report.accounted
    assert not report.failures
    (file,) = report.files
    return file


def five_days() -> dict[str, bytes]:
    return {name: content for number in range(5) for name, content in minutes_of(FIRST + timedelta(days=number)).items()}


def test_of_a_window_every_zone_gets_its_whole_days() -> None:
    """From UTC+14, where a day begins first, to UTC-12, where it ends last; without an end on the side that is not given."""
    window = days.reach(date(2026, 11, 5), date(2026, 11, 6))
    assert window == Window(datetime(2026, 11, 4, 10, tzinfo=UTC), datetime(2026, 11, 7, 12, tzinfo=UTC))
    for name in ("Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kathmandu", "America/Mexico_City", "UTC"):
        for day in (date(2026, 11, 5), date(2026, 11, 6)):
            assert days.covers(days.whole(window, ZoneInfo(name)), days.window(day, ZoneInfo(name)))
    assert days.reach(None, None) is None
    assert days.reach(date(2026, 11, 5), None) == Window(datetime(2026, 11, 4, 10, tzinfo=UTC), days.EVER.end)
    assert days.reach(None, date(2026, 11, 5)) == Window(days.EVER.start, datetime(2026, 11, 6, 12, tzinfo=UTC))


@pytest.mark.parametrize("zone", ["America/Mexico_City", "Pacific/Apia", "America/St_Johns", "Asia/Gaza", "Pacific/Kwajalein"])
def test_whole_days_are_those_within(zone: str) -> None:
    """For every hour at which a window may begin and end, as counted day by day; clock changes and days left out included."""
    found = ZoneInfo(zone)
    for start in (datetime(2011, 12, 29, tzinfo=UTC), datetime(2011, 11, 5, tzinfo=UTC), datetime(2015, 3, 27, tzinfo=UTC)):
        for hours in range(0, 60, 5):
            part = Window(start + timedelta(hours=hours), start + timedelta(hours=100 + hours // 2))
            inner = days.whole(part, found)
            assert inner is not None
            wanted = [
                window
                for number in range(-3, 10)
                if (window := days.window(start.date() + timedelta(days=number), found)).hours and days.covers(part, window)
            ]
            assert (inner.start, inner.end) == (wanted[0].start, wanted[-1].end)


@pytest.mark.parametrize("pack", [tarred, zipped], ids=["tar", "zip"])
def test_only_the_days_asked_for_are_kept(settings: Settings, pack: Callable[[dict[str, bytes]], bytes]) -> None:
    """Members whose names tell of other days are not read; the rest outside is counted; all of it stands in the account."""
    day = FIRST + timedelta(days=2)
    file = bring(settings, put(settings, pack(five_days())), day, day)
    # the tweets of 50 hours; the days before and after are read, and further ones not
    assert (file.stored, file.outside_window, file.records, file.skipped) == (150, 66, 216, 144)
    assert file.areas["mexico-city"].days == {day.isoformat(): 72}
    said = "\n".join(account(file))
    assert "passed over unread, of other days by their names: 144 members" in said
    assert "216 records = 150 kept + 66 of other days; on 1 day, 2026-11-06 to 2026-11-06" in said
    area = settings.area("mexico-city")
    assert archive.days_held(settings, area) == (day,)
    assert archive.coverage(settings, area, day) == (1.0, "")


def test_a_part_of_a_day_is_no_day(settings: Settings) -> None:
    """What a window holds of the days beside it neither makes them days that are held nor fills another archive's gaps."""
    area, day = settings.area("mexico-city"), FIRST + timedelta(days=2)
    before = day - timedelta(days=1)
    bring(settings, put(settings, gzip.compress(tarred(five_days()))), day, day)
    assert archive.holding(settings, area, before) == ()
    morning = days.window(before, area.zone).start
    quiet = lines(*(make_tweet(at=morning + timedelta(minutes=20 * n)) for n in range(18)))
    bring(settings, put(settings, quiet, "morning.json"))
    share, reason = archive.coverage(settings, area, before)
    assert share == pytest.approx((17 * 20 + 1) / 1440)
    assert "05:41-24:00" in reason
    bring(settings, put(settings, gzip.compress(tarred(five_days()))))
    assert archive.coverage(settings, area, before) == (1.0, "")


def test_more_days_later_lose_none(settings: Settings) -> None:
    """The file is read again for all days that anybody asked for; and not again for any of them."""
    path = put(settings, gzip.compress(tarred(five_days())))
    area, last = settings.area("mexico-city"), FIRST + timedelta(days=3)
    assert bring(settings, path, FIRST + timedelta(days=1), FIRST + timedelta(days=1)).status == "imported"
    assert bring(settings, path, FIRST + timedelta(days=1), FIRST + timedelta(days=1)).status == "held"
    assert bring(settings, path, last, last).status == "imported"
    assert archive.days_held(settings, area) == tuple(FIRST + timedelta(days=n) for n in (1, 2, 3))
    assert bring(settings, path, FIRST + timedelta(days=2), last).status == "held"
    every = bring(settings, path)
    assert (every.status, every.stored, every.window, every.outside_window, every.skipped) == ("imported", 360, None, 0, 0)
    assert bring(settings, path, last).status == "held"
    assert archive.held(settings) == (every.digest,)


def test_what_a_window_holds_is_what_all_of_the_file_holds_of_it(settings: Settings) -> None:
    """A day's identity, and so all that is made of it, stays when the rest of the file is read as well."""
    path, area, day = put(settings, gzip.compress(tarred(five_days()))), settings.area("mexico-city"), FIRST + timedelta(days=2)
    window = days.window(day, area.zone)

    def told(digest: str) -> tuple[object, ...]:
        archive.forget()
        rows = [row for table in archive.records(settings, digest, window) for row in table.to_pylist()]
        return archive.identity(settings, digest, window), rows, archive.coverage(settings, area, day)

    some = told(bring(settings, path, day, day).digest)
    assert some == told(bring(settings, path).digest)
    assert len(some[1]) == 72  # type: ignore[arg-type]


def test_newer_code_keeps_what_was_held(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An extract of old code is made anew for its own days as well."""
    path, area = put(settings, gzip.compress(tarred(five_days()))), settings.area("mexico-city")
    bring(settings, path, FIRST + timedelta(days=1), FIRST + timedelta(days=1))
    monkeypatch.setattr(importing, "CODE_VERSION", importing.CODE_VERSION + 1)
    bring(settings, path, FIRST + timedelta(days=2), FIRST + timedelta(days=2))
    assert archive.days_held(settings, area) == (FIRST + timedelta(days=1), FIRST + timedelta(days=2))


def test_notices_count_whenever_and_observe_nothing_outside(settings: Settings) -> None:
    """A deletion is to be obeyed whatever day is asked for; a line without a post shows that the stream was alive then."""
    late = notices()["limit"]
    late["limit"]["timestamp_ms"] = str(1000 * int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()))
    file = bring(settings, put(settings, lines(notices()["delete"], late, make_tweet()), "a.json"), None, date(2026, 11, 6))
    assert (file.notices, file.stored) == ({"delete": 1, "limit": 1}, 1)
    assert list(archive.manifest(settings, file.digest)["minutes"]) == ["2026-11-05"]


def test_files_named_by_their_minute_are_not_opened(settings: Settings) -> None:
    """In folders as in archives; each is told of, and nothing is made of it."""
    paths = [put(settings, content, f"grab/{name}") for name, content in list(five_days().items())[::12]]
    day = FIRST + timedelta(days=4)
    report = importing.run(settings, [settings.data.parent / "grab"], window=days.reach(day, day))
    assert (len(report.files), len(report.skipped), len(paths)) == (12, 18, 30)
    assert "18 files not opened: of other days, by their names" in list(whole(settings, report, None))


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("2016/11/05/03/59.json.bz2", date(2016, 11, 5)),
        ("stream/2016/11/05/03/59.json", date(2016, 11, 5)),
        ("2016/02/30/03/59.json.bz2", None),
        ("05/03/59.json.bz2", None),
        ("2016/11/05/tweets.json.gz", None),
        ("downloads/2020/01/02/everything.json.gz", None),
        ("x2016/11/05/03/59.json", None),
    ],
)
def test_only_a_full_name_names_a_day(name: str, day: date | None) -> None:
    """A folder may be named by the day of a download."""
    assert named_days.day_of(name) == day


def test_a_day_s_slack_is_left() -> None:
    """A member is passed over only where its day lies more than a day outside."""
    window = days.reach(date(2026, 11, 5), date(2026, 11, 5))
    names = [f"2026/11/{day:02}/00/00.json" for day in range(1, 11)]
    assert [name[8:10] for name in names if not named_days.outside(name, window)] == ["04", "05", "06"]
    assert not any(named_days.outside(name, None) for name in names)


# strictness ----------------------------------------------------------------------------------------------------------


def test_a_strict_import_refuses_what_a_lenient_one_passes_over(settings: Settings) -> None:
    """With file, line, offset and reason; nothing of the file is kept, and the other files are."""
    bad = put(settings, lines(make_tweet(sequence=1), "no JSON"), "bad.json")
    good = put(settings, lines(make_tweet(sequence=2), ""), "good.json")
    report = importing.run(settings, [bad, good], strict=True)
    assert [file.path for file in report.files] == [good]
    (failure,) = report.failures
    offset = len(lines(make_tweet(sequence=1)))
    assert f"{bad}: line 2, byte {offset:,}: bad_json" in failure.what
    assert "--strict" in failure.todo
    assert not failure.transient
    assert len(archive.held(settings)) == 1
    assert not list(archive.root(settings).glob(".tmp-*"))


def test_strict_is_asked_of_what_is_held_as_well(settings: Settings) -> None:
    """What was imported leniently stays, and is refused all the same; what is clean is held."""
    bad = put(settings, lines(make_tweet(sequence=1), "no JSON"), "bad.json")
    good = put(settings, lines(make_tweet(sequence=2)), "good.json")
    importing.run(settings, [bad, good])
    with pytest.raises(ArchiveError, match="bad_json"):
        importing.read(settings, bad, importing.wanted(settings, strict=True))
    assert importing.read(settings, good, importing.wanted(settings, strict=True)).status == "held"
    assert len(archive.held(settings)) == 2


def test_a_damaged_archive_is_refused_strictly(settings: Settings) -> None:
    """Cut in the middle of its packing."""
    cut = put(settings, gzip.compress(tarred(five_days()))[:-2000])
    (failure,) = importing.run(settings, [cut], strict=True).failures
    assert "truncated" in failure.what


def test_a_manifest_of_before_windows_is_of_everything(settings: Settings) -> None:
    """Extracts of an older geobeta have none in their manifests."""
    packed = put(settings, gzip.compress(tarred(five_days())))
    file = bring(settings, packed)
    path = archive.folder(settings, file.digest) / "manifest.json"
    manifest = storage.read_json(path)
    assert manifest.pop("window") is None
    storage.write_json(path, manifest)
    archive.forget()
    assert bring(settings, packed, FIRST, FIRST).status == "held"
