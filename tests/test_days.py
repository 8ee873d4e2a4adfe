import datetime as dt
import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.days import Window, day_of, days_between, is_over, last_over, over_at, parse_day, start_of, window
from pipeline.errors import SettingsError

# A zone, and two days on which its clocks change: to summer time and back, or what that zone has of the kind.
CHANGES = [
    ("Europe/London", "2026-03-29", 23, "2026-10-25", 25),
    ("America/New_York", "2026-03-08", 23, "2026-11-01", 25),
    ("America/Mexico_City", "2022-04-03", 23, "2022-10-30", 25),
    ("America/Sao_Paulo", "2018-11-04", 23, "2019-02-16", 25),  # at midnight: 00:00 is missing; 23:00 comes twice
    ("America/Santiago", "2026-09-06", 23, "2026-04-04", 25),  # at midnight, the southern way round
    ("America/Asuncion", "2024-10-06", 23, "2024-03-23", 25),
    ("America/Havana", "2026-03-08", 23, "2026-11-01", 25),  # back from 01:00: midnight comes twice
    ("Atlantic/Azores", "2026-03-29", 23, "2026-10-25", 25),  # the same in Europe
    ("America/St_Johns", "2011-03-13", 23, "2010-11-07", 25),  # back at 00:01: one minute of the new day, then the old day again
    ("America/Nuuk", "2024-03-30", 23, "2024-10-26", 25),
    ("Asia/Beirut", "2026-03-29", 23, "2026-10-24", 25),  # at midnight
    ("Asia/Tehran", "2022-03-22", 23, "2021-09-21", 25),  # at midnight
    ("Asia/Amman", "2021-03-26", 23, "2021-10-29", 25),
    ("Asia/Gaza", "2021-03-27", 23, "2021-10-29", 25),
    ("Africa/Cairo", "2026-04-24", 23, "2026-10-29", 25),  # at midnight
    ("Africa/Casablanca", "2022-05-08", 23, "2022-03-27", 25),  # back and forth round Ramadan
    ("Australia/Lord_Howe", "2026-10-04", 23.5, "2026-04-05", 24.5),  # by half an hour
    ("Antarctica/Troll", "2026-03-29", 22, "2026-10-25", 26),  # by two hours
    ("Europe/Dublin", "2026-03-29", 23, "2026-10-25", 25),  # winter time is the exception
    ("Pacific/Apia", "2011-12-30", 0, "2012-04-01", 25),  # left a day out to change sides of the date line
    ("Asia/Pyongyang", "2018-05-04", 23.5, "2015-08-14", 24.5),  # once, from 23:30 over midnight; once, back over it
    ("America/Caracas", "2016-05-01", 23.5, "2007-12-09", 24.5),
]
ZONES = [change[0] for change in CHANGES]


def minutes_round(day, days=3):
    """Every whole minute (UTC, naive) from some days before a day to some days after it."""
    start = datetime.combine(day, dt.time()) - timedelta(days=days)
    return np.arange(start, start + timedelta(days=2 * days + 1), dtype="datetime64[m]").astype("datetime64[us]")


def days_by_the_clock(minutes, zone):
    """The definition, minute by minute: the latest date that the zone's clocks have shown so far."""
    shown = [minute.replace(tzinfo=UTC).astimezone(zone).date() for minute in minutes.tolist()]
    return np.maximum.accumulate(np.array(shown, dtype="datetime64[D]"))


def test_there_are_more_than_twelve_zones():
    """The issue asks for both daylight-saving changes in 12 time zones."""
    assert len(set(ZONES)) >= 12


@pytest.mark.parametrize(("name", "day", "hours"), [(c[0], *c[at : at + 2]) for c in CHANGES for at in (1, 3)])
def test_a_day_on_which_clocks_change_has_its_hours(name, day, hours):
    """23 or 25 hours mostly; half an hour at Lord Howe; none for the day that Samoa left out."""
    assert window(date.fromisoformat(day), ZoneInfo(name)).hours == hours


@pytest.mark.parametrize(("name", "day"), [(c[0], c[at]) for c in CHANGES for at in (1, 3)])
def test_round_a_change_every_instant_is_in_exactly_one_day(name, day):
    """Each minute is in the one day whose window holds it, the days' sums equal the total, and dates never go back."""
    zone, changed = ZoneInfo(name), date.fromisoformat(day)
    minutes = minutes_round(changed)
    found = day_of(minutes, zone)
    assert (found == days_by_the_clock(minutes, zone)).all()
    windows = {d: window(d, zone) for d in days_between(changed - timedelta(days=5), changed + timedelta(days=5))}
    bounds = {d: [np.datetime64(t.replace(tzinfo=None)) for t in (w.start, w.end)] for d, w in windows.items()}
    inside = {d: (minutes >= start) & (minutes < end) for d, (start, end) in bounds.items()}
    assert (sum(hits.astype(int) for hits in inside.values()) == 1).all()
    assert all((found[hits] == np.datetime64(d)).all() for d, hits in inside.items())
    assert sum(int(hits.sum()) for hits in inside.values()) == len(minutes)


@pytest.mark.slow
@pytest.mark.parametrize("name", ZONES)
def test_days_follow_each_other_for_thirty_years(name):
    """Each window ends where the next begins, no window is negative, all bounds are whole seconds, and they sum to the whole."""
    zone = ZoneInfo(name)
    windows = [window(day, zone) for day in days_between(date(2006, 3, 21), date(2036, 1, 1))]
    assert all(one.end == following.start for one, following in itertools.pairwise(windows))
    assert all(one.start <= one.end and one.start.tzinfo is UTC and one.start.microsecond == 0 for one in windows)
    assert sum((one.end - one.start for one in windows), timedelta()) == windows[-1].end - windows[0].start
    assert {one.hours for one in windows} <= {0, 22, 23, 23.5, 24, 24.5, 25, 26}


@settings(max_examples=150)
@given(
    st.datetimes(datetime(2006, 3, 21), datetime(2060, 1, 1)),
    st.sampled_from(ZONES) | st.timezone_keys(allow_prefix=False),
)
@example(datetime(2010, 11, 7, 2, 30, 59, 999999), "America/St_Johns")
@example(datetime(2011, 12, 30, 10), "Pacific/Apia")
@example(datetime(2018, 5, 4, 15), "Asia/Pyongyang")
def test_an_instant_lies_in_the_window_of_its_day(instant, name):
    """For any zone and microsecond: the window of the day found holds the instant, those of its neighbours do not."""
    zone = ZoneInfo(name)
    (day,) = day_of(np.array([instant], dtype="datetime64[us]"), zone).tolist()
    aware = instant.replace(tzinfo=UTC)
    assert aware in window(day, zone)
    assert aware not in window(day - timedelta(days=1), zone)
    assert aware not in window(day + timedelta(days=1), zone)


@given(st.lists(st.datetimes(datetime(2010, 10, 1), datetime(2012, 5, 1)), max_size=6), st.sampled_from(ZONES))
@settings(max_examples=30)
def test_many_instants_have_the_days_that_each_has(instants, name):
    """Neither the order nor the company changes an instant's day."""
    zone = ZoneInfo(name)
    array = np.array(instants, dtype="datetime64[us]")
    alone = [day_of(array[at : at + 1], zone)[0] for at in range(len(array))]
    assert day_of(array, zone).tolist() == [day.item() for day in alone]


def test_the_first_second_belongs_to_the_day_and_the_last_to_the_one_before():
    """Windows are half open, to the microsecond."""
    mexico = ZoneInfo("America/Mexico_City")
    assert window(date(2026, 11, 22), mexico) == Window(datetime(2026, 11, 22, 6, tzinfo=UTC), datetime(2026, 11, 23, 6, tzinfo=UTC))
    instants = np.array(["2026-11-22T05:59:59.999999", "2026-11-22T06:00:00"], dtype="datetime64[us]")
    assert day_of(instants, mexico).astype(str).tolist() == ["2026-11-21", "2026-11-22"]


def test_a_jump_over_midnight_is_found_to_the_second():
    """North Korea went from 23:30 to 00:00 on 4 May 2018 (15:00 UTC): the fifth began then."""
    assert start_of(date(2018, 5, 5), ZoneInfo("Asia/Pyongyang")) == datetime(2018, 5, 4, 15, tzinfo=UTC)
    # Liberia went from 00:00 to 00:44:30 on 7 January 1972: a jump of odd seconds
    assert start_of(date(1972, 1, 7), ZoneInfo("Africa/Monrovia")) == datetime(1972, 1, 7, 0, 44, 30, tzinfo=UTC)
    # Toronto went from 23:30 to 00:30 on 30 March 1919 (4:30 UTC of the 31st): midnight lies inside the jump
    assert start_of(date(1919, 3, 31), ZoneInfo("America/Toronto")) == datetime(1919, 3, 31, 4, 30, tzinfo=UTC)


INSTANTS = ["2026-11-22 05:59:59.999999", "2026-11-22 06:00:00.000000", None]
EXPECTED = ["2026-11-21", "2026-11-22", "NaT"]


@pytest.mark.parametrize(
    "created_at",
    [
        pytest.param(pd.Series(pd.to_datetime(INSTANTS, utc=True)), id="pandas, UTC"),
        pytest.param(pd.Series(pd.to_datetime(INSTANTS)), id="pandas, no zone"),
        pytest.param(pd.Series(pd.to_datetime(INSTANTS, utc=True)).dt.tz_convert("Asia/Tokyo"), id="pandas, another zone"),
        pytest.param(pd.Series(pd.to_datetime(INSTANTS, utc=True)).astype("timestamp[us, tz=UTC][pyarrow]"), id="pandas on Arrow"),
        pytest.param(pd.Series(pd.to_datetime(INSTANTS, utc=True), index=[7, 7, 1]), id="pandas, odd index"),
        pytest.param(np.array(INSTANTS, dtype="datetime64[ns]"), id="numpy, nanoseconds"),
        pytest.param(np.array(INSTANTS, dtype="datetime64[us]"), id="numpy, microseconds"),
        pytest.param(pa.array(pd.to_datetime(INSTANTS, utc=True), pa.timestamp("us", tz="UTC")), id="Arrow"),
    ],
)
def test_instants_may_come_as_pandas_numpy_or_arrow(created_at):
    """The same instants give the same days; an unknown instant has no day."""
    found = day_of(created_at, ZoneInfo("America/Mexico_City"))
    assert found.dtype == np.dtype("datetime64[D]")
    assert found.astype(str).tolist() == EXPECTED


def test_no_instants_have_no_days():
    """Empty arrays and arrays of unknowns are fine."""
    assert day_of(np.array([], dtype="datetime64[us]"), ZoneInfo("UTC")).shape == (0,)
    assert np.isnat(day_of(np.array(["NaT"], dtype="datetime64[us]"), ZoneInfo("UTC"))).all()


def test_a_day_is_over_ninety_minutes_after_its_end():
    """Not a second earlier; and the time to settle can be made longer."""
    london, day = ZoneInfo("Europe/London"), date(2026, 11, 22)
    end = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    assert over_at(day, london) == end
    assert is_over(day, london, end)
    assert not is_over(day, london, end - timedelta(seconds=1))
    assert over_at(day, london, timedelta(hours=3)) == datetime(2026, 11, 23, 3, tzinfo=UTC)


@settings(max_examples=60)
@given(st.datetimes(datetime(2007, 1, 1), datetime(2040, 1, 1)), st.sampled_from(ZONES), st.integers(90, 5000))
def test_the_last_day_that_is_over_is_the_last(instant, name, minutes):
    """It is over and the day after it is not, whichever zone `now` is told in."""
    zone, now, settle = ZoneInfo(name), instant.replace(tzinfo=UTC), timedelta(minutes=minutes)
    last = last_over(zone, now, settle)
    assert is_over(last, zone, now, settle)
    assert not is_over(last + timedelta(days=1), zone, now, settle)
    assert last_over(zone, now.astimezone(ZoneInfo("Asia/Tokyo")), settle) == last


def test_a_day_is_written_year_month_day():
    """Only YYYY-MM-DD, and only days on which there were tweets."""
    assert parse_day("2026-11-22") == date(2026, 11, 22)
    for text in (
        "20261122",
        "2026-W47-7",
        "22.11.2026",
        "2026-11-31",
        "2026-11-22T00:00",
        "2026-11-22\n",
        "٢٠٢٦-11-22",
        "1999-01-01",
        "",
        "today",
    ):
        with pytest.raises(SettingsError, match="YYYY-MM-DD"):
            parse_day(text)


def test_days_between_includes_both_ends():
    """From the first to the last; none backwards."""
    assert days_between(date(2026, 2, 27), date(2026, 3, 1)) == (date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1))
    assert days_between(date(2026, 3, 1), date(2026, 2, 27)) == ()
