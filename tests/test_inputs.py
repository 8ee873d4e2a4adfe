"""Which sources feed a day: by the area's setting, the token and what is on the disk; made-up tweets never mix with real ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from pipeline import importing, nights
from pipeline import inputs as inputs_module
from pipeline.errors import MissingData
from pipeline.inputs import Inputs, inputs
from pipeline.settings import Settings
from tests.fetched import put_pages
from tests.posts import lines, make_tweet

AREA = '[mexico-city]\nbox = "-99.3650,19.0482,-98.9403,19.5928"\ntimezone = "America/Mexico_City"\n'
DAY, OTHER = date(2026, 11, 5), date(2026, 11, 4)
TOKEN = {"X_BEARER_TOKEN": "a-token-for-tests-only"}


@pytest.fixture
def make(make_settings: Callable[..., Settings]) -> Callable[..., Settings]:
    """Settings with the area's `source`, with or without a token."""

    def made(source: str = "auto", **environ: str) -> Settings:
        return make_settings(areas=f'{AREA}source = "{source}"\n', database=False, **environ)

    return made


def bring_archive(settings: Settings, **changes: Any) -> str:
    """Import an archive that holds a tweet of DAY; its digest."""
    path = settings.data.parent / "tweets.json"
    path.write_bytes(lines(make_tweet(**changes)))
    return importing.run(settings, [path]).files[0].digest


def test_without_archives_x_feeds_every_day(make: Callable[..., Settings]) -> None:
    """The real API with a token, the sandbox without."""
    for environ in ({}, TOKEN):
        for source in ("auto", "x", "both"):
            assert inputs(make(source, **environ), "mexico-city", DAY) == Inputs(True, ())


def test_an_archive_that_holds_the_day_feeds_it_alone(make: Callable[..., Settings]) -> None:
    """Nothing is fetched, and paid for, that is held."""
    digest = bring_archive(make())
    for environ in ({}, TOKEN):
        assert inputs(make(**environ), "mexico-city", DAY) == Inputs(False, (digest,))
        assert inputs(make("archive", **environ), "mexico-city", DAY) == Inputs(False, (digest,))


def test_pages_already_fetched_are_not_thrown_away(make: Callable[..., Settings]) -> None:
    """A real partition of the day on the disk feeds it together with the archive; a made-up one never does."""
    real = make(**TOKEN)
    digest = bring_archive(real)
    put_pages(real, "mexico-city", DAY, {"meta": {}})
    put_pages(make(), "mexico-city", DAY, {"meta": {}})
    assert inputs(real, "mexico-city", DAY) == Inputs(True, (digest,))
    assert inputs(make(), "mexico-city", DAY) == Inputs(False, (digest,))
    put_pages(real, "mexico-city", OTHER, {"meta": {}}, synthetic=True)
    bring_archive(real, at=make_day(-1))
    assert not inputs(real, "mexico-city", OTHER).x


def make_day(days: int) -> Any:
    """Noon of DAY, some days later."""
    from tests.posts import NOON

    return NOON + timedelta(days=days)


def test_the_sandbox_never_fills_an_archives_gaps(make: Callable[..., Settings]) -> None:
    """Without a token, a day that no archive holds is missing once any day is held; with a token X feeds it."""
    bring_archive(make())
    for source in ("auto", "both"):
        with pytest.raises(MissingData, match="made-up"):
            inputs(make(source), "mexico-city", OTHER)
        assert inputs(make(source, **TOKEN), "mexico-city", OTHER) == Inputs(True, ())


def test_both_means_both(make: Callable[..., Settings]) -> None:
    """Except made-up pages beside real tweets."""
    digest = bring_archive(make())
    assert inputs(make("both", **TOKEN), "mexico-city", DAY) == Inputs(True, (digest,))
    assert inputs(make("both"), "mexico-city", DAY) == Inputs(False, (digest,))


def test_x_means_x_alone(make: Callable[..., Settings]) -> None:
    """Archives are left out, by the user's word."""
    bring_archive(make())
    assert inputs(make("x"), "mexico-city", DAY) == Inputs(True, ())


def test_archive_means_archives_alone(make: Callable[..., Settings]) -> None:
    """A day that none holds is missing, and the error says what to do."""
    with pytest.raises(MissingData, match="python -m pipeline import"):
        inputs(make("archive", **TOKEN), "mexico-city", DAY)


def test_an_archive_of_elsewhere_holds_nothing_here(make: Callable[..., Settings]) -> None:
    """Only tweets that the policy counts inside make an archive hold a day."""
    bring_archive(make(), coordinates={"type": "Point", "coordinates": [2.35, 48.85]})
    assert inputs(make(), "mexico-city", DAY) == Inputs(True, ())


def test_a_stray_tweet_does_not_stand_for_a_day_that_x_can_still_give(make: Callable[..., Settings]) -> None:
    """With a token, X is asked too while its recent search reaches the whole day; before the day, after, and without a token it is not."""
    digest = bring_archive(make())
    begins = datetime(2026, 11, 5, 6, tzinfo=UTC)
    for now, asked in (
        (begins - timedelta(seconds=1), False),
        (begins, True),
        (begins + timedelta(days=6, hours=23), True),
        (begins + timedelta(days=7), False),
    ):
        assert inputs(make(**TOKEN), "mexico-city", DAY, now=now) == Inputs(asked, (digest,)), now
        assert inputs(make(), "mexico-city", DAY, now=now) == Inputs(False, (digest,))
        assert inputs(make("archive", **TOKEN), "mexico-city", DAY, now=now) == Inputs(False, (digest,))


def test_the_answer_stays_in_a_run(make: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that goes on while the day gets out of reach asks for the same sources, or what is done would become undone."""
    digest = bring_archive(make())

    class Clock(datetime):
        moment = datetime(2026, 11, 7, tzinfo=UTC)

        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return cls.moment

    monkeypatch.setattr(inputs_module, "datetime", Clock)
    settings = make(**TOKEN)
    assert inputs(settings, "mexico-city", DAY) == Inputs(True, (digest,))
    # a recount is answered from what is there; this day would be fetched first
    assert nights.held_days(settings, "mexico-city") == set()
    Clock.moment = datetime(2026, 12, 1, tzinfo=UTC)
    assert inputs(settings, "mexico-city", DAY) == Inputs(True, (digest,))
    put_pages(settings, "mexico-city", DAY, {"meta": {}})
    assert nights.held_days(settings, "mexico-city") == {DAY}
