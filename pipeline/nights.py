"""What a night consists of: which studies are due, which days are complete, which earlier days can be counted again for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

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
    if not settings.studies:
        raise SettingsError(f"{settings.config / 'studies.toml'} has no study", todo="add one: the sample config/studies.toml shows how")
    now = now or datetime.now(UTC)
    started = [study for study in settings.studies.values() if study.start <= day]
    over = {
        name: days.is_over(day, settings.area(name).zone, now, settings.x.settle) for name in dict.fromkeys(study.area for study in started)
    }
    studies = tuple(study.name for study in started if over[study.area])
    areas = tuple(name for name in collected(settings, started) if over[name])
    sourced = {name for name in areas if _has_source(settings, name, day)}
    left = tuple(
        f"{name}: {day} is not over there before {days.over_at(day, settings.area(name).zone, settings.x.settle):%Y-%m-%d %H:%M} UTC;"
        " left for the next night"
        for name, is_over in over.items()
        if not is_over
    )
    if not started:
        first = min(settings.studies.values(), key=lambda study: study.start)
        left = (f"{day}: nothing to do, no study has begun by then; {first.name} is the first, with start = {first.start} in studies.toml",)
    with_source = (name for name in studies if settings.study(name).mode == "counts" or settings.study(name).area in sourced)
    return Due(studies, areas, tuple(with_source), left)


def collected(settings: Settings, studies: Iterable[Study]) -> tuple[str, ...]:
    """The areas whose tweets these studies need, each once."""
    return tuple(dict.fromkeys(study.area for study in studies if study.mode == "tweets"))


def _has_source(settings: Settings, area: str, day: date) -> bool:
    try:
        inputs.inputs(settings, area, day)
    except MissingData:
        return False
    return True


def hours_due(settings: Settings, area_name: str, day: date, night: str) -> bool:
    """Whether hours of the day are missing that X may still give, and that this night has not asked for again."""
    # in this order: most days have no hole, and which sources feed a day costs more to tell
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
    needed: dict[date, set[tuple[str, str, date]]] = {}
    revisions: dict[tuple[str, str, date], str] = {}
    for day in wanted:
        due_ = due(settings, day, now)
        files = (page.path(settings, day), night_digest.path(settings, day)) if due_.studies else ()
        if len(due_.studies_with_source) < len(due_.studies) or not all(path.is_file() for path in files):
            continue
        if night is not None and any(hours_due(settings, area, day, night) for area in due_.areas):
            continue
        markers = {("posteriors", name, day): posterior.revision(settings, name, day) for name in due_.studies}
        markers |= {("tweets", name, day): clean.revision(settings, name, day) for name in due_.areas}
        if due_.studies:
            markers["report", "", day] = page.revision(settings, day)
            markers["digest", "", day] = night_digest.revision(settings, day)
        needed[day] = set(markers)
        revisions |= markers
    present = database.markers_present(settings, revisions)
    return {day for day, keys in needed.items() if keys <= present}


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
    wanted = {("counts", study_name, found): count.revision(settings, study_name, found) for found in held}
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
