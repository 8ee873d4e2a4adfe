"""What a night consists of, where nothing is to be done; the rest is tested through whole nights."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline import extract, nights, posterior, storage
from pipeline.errors import SettingsError
from pipeline.settings import Settings
from tests.conftest import AREAS, STUDIES


def test_a_night_before_the_first_study_says_so(make_settings: Callable[..., Settings]) -> None:
    """It is no failure, and no silence: the first study and its start are named."""
    settings = make_settings(database=False)
    first = min(study.start for study in settings.studies.values())
    found = nights.due(settings, first - timedelta(days=1))
    assert found.studies == ()
    assert len(found.left) == 1
    assert str(first) in found.left[0]


def test_no_study_at_all_is_a_fault_of_the_configuration(make_settings: Callable[..., Settings]) -> None:
    """A night that could only do nothing is refused."""
    settings = make_settings(database=False).model_copy(update={"studies": {}})
    with pytest.raises(SettingsError, match=r"studies\.toml has no study"):
        nights.due(settings, date(2026, 11, 10))


def test_what_x_counts_needs_no_tweets(make_settings: Callable[..., Settings]) -> None:
    """An area that only such studies ask about is neither extracted nor loaded; they have a source all the same."""
    by_x = STUDIES.replace("[water]", "[by-x]").replace('area = "mexico-city"', 'area = "toluca"\nmode = "counts"')
    toluca = '\n[toluca]\nbox = "-99.80,19.20,-99.55,19.40"\ntimezone = "America/Mexico_City"\n'
    settings = make_settings(areas=AREAS + toluca, studies=STUDIES + by_x[by_x.index("[by-x]") :], database=False)
    found = nights.due(settings, date(2026, 11, 10))
    assert found.studies == found.studies_with_source == ("traffic", "water", "by-x")
    assert found.areas == ("mexico-city",)
    assert nights.countable_days(settings, settings.study("by-x")) == set()


def test_many_nights_want_the_markers_that_each_day_wants_by_itself(make_settings: Callable[..., Settings]) -> None:
    """What days and studies have in common is looked up once; a day of which some is gone, or a study with another rule, has its own."""
    settings = make_settings(database=False)
    some_gone = extract.partition(settings, "mexico-city", date(2026, 11, 11))
    some_gone.mkdir(parents=True)
    storage.write_json(some_gone / "manifest.json", {"purged": 1})
    many = nights.Nights(settings, datetime(2026, 12, 1, tzinfo=UTC))
    found = set()
    for day in (date(2026, 11, 10), date(2026, 11, 11), date(2026, 11, 12)):
        wanted = many.markers(day, many.due(day))
        for study in ("traffic", "water"):
            assert wanted["posteriors", study] == posterior.revision(settings, study, day)
            found.add(wanted["posteriors", study])
    assert len(found) == 4


def test_an_area_of_archives_may_be_too_large_to_be_asked_for(make_settings: Callable[..., Settings]) -> None:
    """The whole globe is more than X could be asked for; nobody asks it, so nothing is wrong."""
    globe = '[globe]\nbox = "-180,-90,180,90"\ntimezone = "UTC"\nsource = "archive"\n'
    settings = make_settings(areas=globe, studies="", database=False)
    assert nights.held_days(settings, "globe") == set()
