"""What remains of a day, as walks: however it is cut, walked and left, every instant is asked for once, or is a hole."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from pipeline import hours, walks
from pipeline.days import Window
from pipeline.walks import Hole, Walk

START = datetime(2026, 11, 10, 6, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So long after the day's start."""
    return START + timedelta(seconds=seconds)


@st.composite
def days(draw: st.DrawFn) -> Window:
    """A day of 23 to 25 hours, or one with half an hour at its end."""
    return Window(START, at(draw(st.sampled_from([23, 23.5, 24, 25])) * 3600))


@st.composite
def holes(draw: st.DrawFn) -> list[Hole]:
    """Holes of several queries, which may overlap."""
    found = []
    for _ in range(draw(st.integers(0, 8))):
        first = draw(st.integers(0, 86_399))
        last = draw(st.integers(first + 1, 86_400))
        found.append(Hole(at(first), at(last), draw(st.sampled_from("ab")), draw(st.booleans()), (draw(st.integers(0, 2)),)))
    return found


def seconds_of(spans: list[Window]) -> set[int]:
    """The minutes that lie in the spans: fine enough for sets, coarse enough to be quick."""
    return {
        second for span in spans for second in range(int((span.start - START).total_seconds()), int((span.end - START).total_seconds()))
    }


@given(days())
def test_hours_follow_each_other_over_the_whole_day(day: Window) -> None:
    """Each an hour long but the last, which may be shorter."""
    table = walks.hours_of(day)
    assert table[0].start == day.start
    assert table[-1].end == day.end
    assert all(earlier.end == later.start for earlier, later in itertools.pairwise(table))
    assert {hour.hours for hour in table[:-1]} == {1.0}
    assert 0 < table[-1].hours <= 1


@given(days(), st.lists(st.integers(0, 90_000), min_size=1, max_size=30), st.integers(0, 26))
def test_cutting_a_walk_loses_nothing_and_doubles_nothing(day: Window, seen: list[int], number: int) -> None:
    """The pieces are what remained: the newest ends at the position, the rest follows without a gap, and ends where the walk did."""
    walk = Walk(0, day.start, day.end, hours=number)
    for second in sorted(seen, reverse=True):
        if at(second) in day:
            following = walk.after((second, at(second)), "token")
            assert following is not None
            walk = following
    pieces = walks.cut(walk, walks.hours_of(day))
    assert pieces[-1].start == walk.start
    assert pieces[0].position == walk.position
    assert all(later.end == earlier.start for earlier, later in itertools.pairwise(pieces))
    assert len(pieces) == 1 or (pieces[0].next_token is None and pieces[0].until_id == walk.oldest_id)
    if number:
        assert len(walks.cut(pieces[0], walks.hours_of(day))) == 1
        assert pieces[0].position - pieces[0].start <= timedelta(hours=number)


@given(st.lists(st.tuples(st.integers(1, 1 << 50), st.integers(0, 86_399)), max_size=20))
def test_a_walk_only_goes_down(pages: list[tuple[int, int]]) -> None:
    """Posts out of order, or given twice, never move it up; the second of the oldest remains."""
    walk = Walk(0, START, at(86_400))
    for post_id, second in pages:
        before = walk.oldest_id
        following = walk.after((post_id, at(second)), "token")
        assert following is not None
        assert following.oldest_id is not None
        assert before is None or following.oldest_id <= before
        walk = following
    if walk.oldest_at is not None:
        assert walk.position == min(walk.oldest_at + walks.SECOND, walk.end)
    assert walk.after(None, None) is None


@given(holes())
def test_merged_holes_are_disjoint_and_cover_the_same(found: list[Hole]) -> None:
    """In the order of time; where a query may still have it, it is asked for."""
    made = walks.merged(found)
    assert all(earlier.end <= later.start for earlier, later in itertools.pairwise(made))
    assert sum((hole.end - hole.start).total_seconds() for hole in made) == len(seconds_of([hole.window for hole in found]))
    assert walks.merged(made) == made
    assert seconds_of([hole.window for hole in made if hole.refetch]) == seconds_of([hole.window for hole in found if hole.refetch])


@given(days(), holes())
def test_hours_and_the_day_tell_the_same_coverage(day: Window, found: list[Hole]) -> None:
    """The hours' shares, each by its length, make the day's."""
    shares = [(hours.observed(hour, found), hour.hours) for hour in walks.hours_of(day)]
    assert abs(sum(share * length for share, length in shares) / day.hours - hours.observed(day, found)) < 1e-5
    assert all(0 <= share <= 1 for share, _ in shares)


@given(days(), st.integers(0, 90_000), st.one_of(st.none(), st.integers(0, 90_000)))
def test_what_is_clipped_is_a_hole_and_the_rest_a_walk(day: Window, second: int, seen: int | None) -> None:
    """Together they are what remained."""
    walk = Walk(3, day.start, day.end)
    if seen is not None and at(seen) in day:
        walk = replace(walk, oldest_id=7, oldest_at=at(seen), next_token="token")
    rest, hole = walks.clipped(walk, at(second), "too old")
    lengths = [(rest.position - rest.start) if rest else timedelta(), (hole.end - hole.start) if hole else timedelta()]
    assert sum(lengths, timedelta()) == walk.position - walk.start
    assert hole is None or (not hole.refetch and hole.queries == (3,))
    assert rest is None or rest.start >= min(at(second), walk.start) or rest == walk


@given(holes(), st.integers(0, 5), st.one_of(st.none(), st.integers(0, 1 << 60)))
def test_walks_and_holes_survive_the_disk(found: list[Hole], number: int, oldest: int | None) -> None:
    """Written and read they are the same."""
    walk = Walk(number, START, at(3600), "t", oldest, oldest, None if oldest is None else at(17.25), 4)
    assert walks.walk(json.loads(json.dumps(walks.as_json(walk)))) == walk
    assert [walks.hole(json.loads(json.dumps(walks.as_json(hole)))) for hole in found] == found


def test_the_way_round_a_token_is_tried_once_from_each_place() -> None:
    """Below the oldest post, and then not again before another was seen."""
    walk = Walk(0, START, at(60)).after((9, at(5)), "t")
    assert walk is not None
    round_it = walk.round()
    assert round_it == replace(walk, next_token=None, until_id=9)
    assert round_it is not None
    assert round_it.round() is None
    assert Walk(0, START, at(60)).round() is None


def test_a_post_tells_its_time_or_its_id_does() -> None:
    """A created_at that cannot be read is no reason to lose the place."""
    post_id = (int(at(10).timestamp() * 1000) - walks.EPOCH_MS) << 22
    assert walks.written_at(post_id, "2026-11-10T06:00:07.000Z") == at(7)
    assert walks.written_at(post_id, None) == at(10)
    assert walks.written_at(post_id, "soon") == at(10)
    assert walks.written_at(1, None) is None


def test_what_is_missing_is_said_in_the_areas_own_time() -> None:
    """Hours and reasons, in one line; a sample speaks of its slices."""
    day, zone = Window(START, at(86_400)), ZoneInfo("America/Mexico_City")
    found = [Hole(at(3600 * 8), at(3600 * 11), "down", True), Hole(at(0), at(5400), "too old", False)]
    assert hours.in_words(day, [], zone) == ""
    assert hours.in_words(day, found, zone) == "4.5 of 24 hours missing (00:00-01:30: too old; 08:00-11:00: down)"
    slices = [Window(at(3600 * 9), at(3600 * 9 + 60)), Window(at(80_000), at(80_060))]
    assert hours.in_words(day, found[:1], zone, slices) == "1 of the sample's 2 slices missing (08:00-11:00: down)"
