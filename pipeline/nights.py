"""What a night consists of: which studies are due, which days are complete, which earlier days can be counted again for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from pathlib import Path

from pipeline import clean, count, database, days, extract, extract_counts, inputs, posterior
from pipeline.digest import night as night_digest
from pipeline.errors import MissingData, SettingsError
from pipeline.progress import Progress, silent
from pipeline.report import page
from pipeline.settings import Settings
from pipeline.sources import archive
from pipeline.study import Study

#: A late day makes so many of the newest pages anew in its own night.
PAGES_REFRESHED = 14


@dataclass(frozen=True)
class Due:
    """What one night has to make.

    Attributes:
        studies: names of the studies that have started and whose local day is over.
        areas: names of the areas whose tweets they need, each once: what X counts needs none.
        studies_with_source: those of `studies` whose day some source can give.
        left: a line for each area whose day is not over yet, or one that no study has begun.
    """

    studies: tuple[str, ...]
    areas: tuple[str, ...]
    studies_with_source: tuple[str, ...]
    left: tuple[str, ...]


def due(settings: Settings, day: date, now: datetime | None = None) -> Due:
    """Which studies the night of `day` has to answer, as seen at `now` (default: the clock).

    Raises:
        SettingsError: there is no study at all.
    """
    return Nights(settings, now).due(day)


class Nights:
    """Many nights, as seen at one moment: what they have in common is looked up once. A year of 100 studies has 36,500 revisions.

    Raises:
        SettingsError: there is no study at all.
    """

    def __init__(self, settings: Settings, now: datetime | None = None) -> None:
        if not settings.studies:
            got = f"{settings.config / 'studies.toml'} has no study"
            raise SettingsError(got, todo="add one: the sample config/studies.toml shows how")
        self._settings, self._now = settings, now or datetime.now(UTC)
        self._area = lru_cache(maxsize=None)(partial(clean.Revisions, settings))
        self._version = lru_cache(maxsize=None)(partial(posterior.version, settings))
        self._counts = lru_cache(maxsize=None)(partial(count.revisions, settings))
        self._posteriors = lru_cache(maxsize=None)(lambda name: posterior.revisions(self._version(name)))
        # of a study and the revision of its day's tweets, which whole days of X have in common: most of a year's are one
        self._posterior = lru_cache(maxsize=None)(lambda name, cleaned: self._posteriors(name)(self._counts(name)(cleaned)))
        #: of the studies that have started by a day: what the revisions of its page and digest hold of the day
        self._shown: dict[tuple[str, ...], tuple[str, str]] = {}

    def due(self, day: date) -> Due:
        """See the function of that name."""
        settings = self._settings
        started = [study for study in settings.studies.values() if study.start <= day]
        over = {
            name: days.is_over(day, settings.area(name).zone, self._now, settings.x.settle)
            for name in dict.fromkeys(study.area for study in started)
        }
        studies = tuple(study.name for study in started if over[study.area])
        areas = tuple(name for name in collected(settings, started) if over[name])
        sourced = {name for name in areas if self._area(name).sources.has(day)}
        with_source = (study.name for study in started if over[study.area] and (study.mode == "counts" or study.area in sourced))
        return Due(studies, areas, tuple(with_source), self._left(day, started, over))

    def _left(self, day: date, started: Sequence[Study], over: Mapping[str, bool]) -> tuple[str, ...]:
        if not started:
            first = min(self._settings.studies.values(), key=lambda study: study.start)
            begins = f"{first.name} is the first, with start = {first.start} in studies.toml"
            return (f"{day}: nothing to do, no study has begun by then; {begins}",)
        left = []
        for name in (name for name, is_over in over.items() if not is_over):
            at = days.over_at(day, self._settings.area(name).zone, self._settings.x.settle)
            left.append(f"{name}: {day} is not over there before {at:%Y-%m-%d %H:%M} UTC; left for the next night")
        return tuple(left)

    def hours_due(self, area_name: str, day: date, night: str) -> bool:
        """See the function of that name."""
        area = self._area(area_name)
        # in this order: most days have no hole, and which sources feed a day costs more to tell
        if not area.on_disk.refetchable(day, night):
            return False
        try:
            return area.sources.of(day).x
        except MissingData:
            return False

    def files(self, day: date) -> tuple[Path, Path]:
        """Where the day's page and digest lie, whether they are there or not."""
        return page.path(self._settings, day, self._told_of(day)[0]), night_digest.path(self._settings, day)

    def markers(self, day: date, due_: Due) -> dict[tuple[str, str], str]:
        """What the markers of a complete night say: (dataset, name) → revision."""
        tweets = {name: self._area(name).of(day) for name in due_.areas}
        wanted = {("tweets", name): revision for name, revision in tweets.items()}
        for name in due_.studies:
            # where X counts, the tweets have no say
            cleaned = tweets.get(self._settings.studies[name].area, "")
            wanted["posteriors", name] = self._posterior(name, cleaned)
        if due_.studies:
            wanted["report", ""], wanted["digest", ""] = self._told_of(day)
        return wanted

    def _told_of(self, day: date) -> tuple[str, str]:
        """The revisions of the day's page and digest."""
        started = tuple(name for name, study in self._settings.studies.items() if study.start <= day)
        if started not in self._shown:
            made = (which.revision(self._settings, day, self._version) for which in (page, night_digest))
            self._shown[started] = (next(made), next(made))
        return self._shown[started]


def collected(settings: Settings, studies: Iterable[Study]) -> tuple[str, ...]:
    """The areas whose tweets these studies need, each once."""
    return tuple(dict.fromkeys(study.area for study in studies if study.mode == "tweets"))


def hours_due(settings: Settings, area_name: str, day: date, night: str) -> bool:
    """Whether hours of the day are missing that X may still give, and that this night has not asked for again."""
    # not by way of Nights: an area may be asked about where there is no study
    if not extract.refetchable(settings, area_name, day, night):
        return False
    try:
        return inputs.inputs(settings, area_name, day).x
    except MissingData:
        return False


def complete_days(settings: Settings, wanted: Iterable[date], now: datetime | None = None, *, night: str | None = None) -> set[date]:
    """The days, of those given, on which every due study is published, page and digest are current: one query for all of them.

    A day on which nothing is due is complete; one with hours that this night has still to ask for again is not.

    Args:
        night: the id of the night; None where missing hours do not count.
    """
    needed: dict[date, dict[tuple[str, str], str]] = {}
    nights = Nights(settings, now)
    for day in wanted:
        due_ = nights.due(day)
        if len(due_.studies_with_source) < len(due_.studies):
            continue
        if due_.studies and not all(path.is_file() for path in nights.files(day)):
            continue
        if night is not None and any(nights.hours_due(area, day, night) for area in due_.areas):
            continue
        needed[day] = nights.markers(day, due_)
    return database.days_marked(settings, needed)


def refresh_pages(settings: Settings, day: date, *, progress: Progress = silent) -> int:
    """Make again the pages of later days whose numbers a late or restated day has changed, the newest ones; give how many.

    A page that lost its marker (posterior.update drops it) still lies in its folder: that is how it is told from one never made.
    Pages older than the newest PAGES_REFRESHED are made again when a night asks for them.
    """
    made = sorted({date.fromisoformat(path.name.removeprefix("date=")) for path in (settings.data / "reports").glob("date=*")})
    later = [found for found in made[-PAGES_REFRESHED:] if found > day and page.path(settings, found).is_file()]
    return _refresh("page", {("report", "", found): page.revision(settings, found) for found in later}, page.build, settings, progress)


def refresh_digests(settings: Settings, day: date, *, progress: Progress = silent) -> int:
    """The same for the digests of later days; what they find that nobody was told of is told, if it is news."""
    later = [found for found in night_digest.made(settings)[-PAGES_REFRESHED:] if found > day]
    wanted = {("digest", "", found): night_digest.revision(settings, found) for found in later}
    return _refresh("digest", wanted, night_digest.make, settings, progress)


def _refresh(
    what: str, wanted: dict[tuple[str, str, date], str], make: Callable[[Settings, date], object], settings: Settings, progress: Progress
) -> int:
    present = database.markers_present(settings, wanted)
    stale = [key[2] for key in wanted if key not in present]
    for number, found in enumerate(stale):
        progress(number / len(stale), f"{what} of {found}, whose numbers changed")
        make(settings, found)
    return len(stale)


def recountable_days(settings: Settings, study_name: str, day: date) -> tuple[date, ...]:
    """Days before `day`, since the study's start, whose tweets are on disk and whose stored counts are not by today's rule.

    A changed rule, or a new study over old days, is answered from these without a request to any API. (Not so in mode "counts": there
    the days are those that X has counted by today's rule.)
    """
    study = settings.study(study_name)
    held = {found for found in countable_days(settings, study) if study.start <= found < day}
    revision = count.revisions_by_day(settings, study_name)
    wanted = {("counts", study_name, found): revision(found) for found in held}
    present = database.markers_present(settings, wanted)
    return tuple(sorted(found for dataset, name, found in wanted if (dataset, name, found) not in present))


def countable_days(settings: Settings, study: Study) -> set[date]:
    """The days of a study that can be counted from what is on disk."""
    return extract_counts.held_days(settings, study.name) if study.mode == "counts" else held_days(settings, study.area)


def _to_be_fetched(settings: Settings, area_name: str, day: date) -> bool:
    return inputs.inputs(settings, area_name, day).x and not extract.partition(settings, area_name, day).is_dir()


def held_days(settings: Settings, area_name: str) -> set[date]:
    """The days of an area that are on disk: fetched from the API with today's box, or held by archives and not to be fetched besides.

    Days whose tweets were removed after [content] retention_days are not: what was counted of them stays.
    """
    area = settings.area(area_name)
    kept = [found for found in archive.days_held(settings, area) if not archive.expired(settings, area, found)]
    held = {found for found in kept if not _to_be_fetched(settings, area_name, found)}
    if settings.area(area_name).source == "archive":
        # nothing is asked of X, and the box may be too large to be
        return held
    revision = extract.revision(settings, area_name)
    folder = settings.data / "raw" / f"area={area_name}"
    for manifest in folder.glob(f"date=*/revision={revision}/manifest.json"):
        found = date.fromisoformat(manifest.parts[-3].removeprefix("date="))
        try:
            # the sandbox's partition of a day is left out where archives exist
            if inputs.inputs(settings, area_name, found).x and not extract.observed(settings, area_name, found).expired:
                held.add(found)
        except MissingData:
            continue
    return held
