"""Which shifts a night has to tell: of each study's share, each area's number of tweets and coverage. Found here, and kept.

When a series is out of the ordinary is stats/alarms.py's to judge; how it is said and told, digest/'s.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import sqlalchemy as sa

from pipeline import clean, count, counted, ledger, posterior
from pipeline.settings import Settings
from pipeline.stats.alarms import coverage_surprises, shifts, volume_surprises
from pipeline.stats.attribution import Attribution
from pipeline.stats.beta import Floats
from pipeline.study import Study

Kind: TypeAlias = Literal["share", "volume", "coverage"]
KINDS: Final[tuple[Kind, ...]] = ("share", "volume", "coverage")

#: An episode that begins so many nights earlier or later than one that is known is the same: a late day has moved it.
SAME_NIGHTS: Final = 3
#: Days that are read: twice the 365 nights that one is ranked among, for series with gaps, and the weeks those are compared with.
_REACH: Final = timedelta(days=800)
#: What is usual is shown as the range of so many nights of the same weekday, or of so many nights (as in stats/alarms.py).
_LIKE_NIGHTS, _FEW, _RECENT_NIGHTS = 8, 3, 28


@dataclass(frozen=True)
class Verdict:
    """What the last night of one series is; `begins` says whether it is an alarm. The names are those of the table alarms.

    Attributes:
        beyond: it is beyond the threshold, whether or not that was said on an earlier night.
        seen: the share of the day observed; None where nobody can tell.
        reason: why that is not 1; empty where it is.
        by_x: X counted, and names no authors.
    """

    kind: Kind
    subject: str
    area: str
    day: date
    begins: bool
    beyond: bool
    direction: Literal["up", "down"]
    observed: float
    expected_lower: float
    expected_upper: float
    score: float
    threshold: float
    per_year: float
    nights: int
    past: int
    calibrated: bool
    synthetic: bool
    seen: float | None = None
    reason: str = ""
    by_x: bool = False


def rates(settings: Settings) -> dict[Kind, float]:
    """The promise: false alarms a year, of each subject; 0 where that kind is off."""
    told = settings.alarms
    return {"share": told.share_per_year, "volume": told.volume_per_year, "coverage": told.coverage_per_year}


def subjects(settings: Settings, day: date | None = None) -> dict[Kind, list[str]]:
    """Whom each kind of alarm is about, among the studies that have begun by `day` (None: all) and want alarms.

    Ten studies of one city have one series of tweets: its volume and coverage are the area's. Where X counts, each study has a
    number of its own, and no coverage: X answers for the whole day or not at all.
    """
    studies = [study for study in settings.studies.values() if study.alarms and (day is None or study.start <= day)]
    areas = list(dict.fromkeys(study.area for study in studies if study.mode == "tweets"))
    by_x = [study.name for study in studies if study.mode == "counts"]
    found: dict[Kind, list[str]] = {"share": [study.name for study in studies], "volume": [*areas, *by_x], "coverage": areas}
    return {kind: names if rates(settings)[kind] else [] for kind, names in found.items()}


def promise(settings: Settings) -> str:
    """What the promise adds up to, in one sentence."""
    nouns: dict[Kind, str] = {"share": "each study's share", "volume": "each area's number of tweets", "coverage": "each area's coverage"}
    per_year, named = rates(settings), subjects(settings)
    told = [f"{per_year[kind]:g} for {nouns[kind]} ({len(names)} of them)" for kind, names in named.items() if names]
    off = [nouns[kind] for kind in KINDS if not per_year[kind]]
    without = f" No alarms for {' and '.join(off)}." if off else ""
    if not told:
        return f"No alarms are asked for.{without}"
    total = sum(per_year[kind] * len(names) for kind, names in named.items())
    return f"False alarms a year where nothing shifts, at most: {', '.join(told)}; {total:g} in all.{without}"


def judge(settings: Settings, connection: sa.Connection, day: date) -> list[Verdict]:
    """The verdict on `day` of every series that has a number on it, by the days up to it: share, volume, coverage, by subject.

    Only what today's rule, box and sources give counts; other nights are missing, and neither alarm nor are they the past.
    """
    wanted = subjects(settings, day)
    studies = [settings.study(name) for name in wanted["share"]]
    found = [verdict for study in studies if (verdict := _share(settings, connection, study, day))]
    for area in dict.fromkeys([*(name for name in wanted["volume"] if name in settings.areas), *wanted["coverage"]]):
        nights = _collected(settings, connection, area, day)
        found += [
            verdict for kind in ("volume", "coverage") if area in wanted[kind] and (verdict := _area(settings, kind, area, nights, day))
        ]
    by_x = [study for study in settings.studies.values() if study.mode == "counts" and study.name in wanted["volume"]]
    found += [verdict for study in by_x if (verdict := _by_x(settings, connection, study, day))]
    return sorted(found, key=lambda verdict: KINDS.index(verdict.kind))


def _share(settings: Settings, connection: sa.Connection, study: Study, day: date) -> Verdict | None:
    rows = connection.execute(
        sa.text(
            "select posteriors.day, surprise_score, expected_lower_95, expected_upper_95, of_day.coverage, coverage_reason,"
            " of_day.synthetic, of_day.basis, marker.revision from posteriors join daily_counts as of_day using (study, day)"
            " join partitions as marker on (marker.dataset, marker.name, marker.day) = ('posteriors', study, posteriors.day)"
            " where study = :study and posteriors.day between :since and :day order by posteriors.day"
        ),
        {"study": study.name, "since": max(study.start, day - _REACH), "day": day},
    )
    counted_at, revision = count.revisions_by_day(settings, study.name), posterior.revisions(posterior.version(settings, study.name))
    nights = {row.day: row for row in rows if row.revision == revision(counted_at(row.day))}
    if day not in nights or nights[day].surprise_score is None:
        return None
    last = nights[day]
    surprises = _calendar({night: row.surprise_score for night, row in nights.items()}, day)
    return _verdict(
        settings, "share", study.name, study.area, day, surprises, synthetic=any(row.synthetic for row in nights.values()),
        observed=_observed(connection, study, day), usual=(last.expected_lower_95, last.expected_upper_95),
        seen=last.coverage, reason=last.coverage_reason or "", by_x=last.basis == "counts",
    )  # fmt: skip


def _observed(connection: sa.Connection, study: Study, day: date) -> float:
    """The day's own share, of what counts of it, as the prediction is."""
    n, k = counted.own(connection, study.name, day, study.author_cap)
    return k / n


def _collected(settings: Settings, connection: sa.Connection, area: str, day: date) -> dict[date, Any]:
    """The nights of an area whose tweets are those of today's box and sources: rows of coverage, with the tweets kept."""
    rows = connection.execute(
        sa.text(
            "select day, coverage, reason, coverage.synthetic, mode, expected, fetched, partitions.rows, revision"
            " from coverage join partitions using (day)"
            " where dataset = 'tweets' and name = :area and area = :area and day between :since and :day order by day"
        ),
        {"area": area, "since": day - _REACH, "day": day},
    )
    revisions = clean.Revisions(settings, area)
    return {row.day: row for row in rows if row.revision == revisions.of(row.day)}


def _tweets(row: Any) -> tuple[float, float]:
    """(number of tweets, share of the day that they are of): of a sample the number that the whole would have."""
    if row.mode == "sample":
        return (row.rows * row.expected / row.fetched, 1.0) if row.expected and row.fetched else (np.nan, np.nan)
    # unknown coverage: an archive's; then the tweets that are there are all that can be compared
    return float(row.rows), 1.0 if row.coverage is None else float(row.coverage)


def _area(settings: Settings, kind: Literal["volume", "coverage"], area: str, nights: dict[date, Any], day: date) -> Verdict | None:
    if day not in nights:
        return None
    last, synthetic = nights[day], any(row.synthetic for row in nights.values())
    about: dict[str, Any] = {"seen": last.coverage, "reason": last.reason or ""}
    if kind == "volume":
        tweets = {night: _tweets(row) for night, row in nights.items()}
        return _volume(settings, area, area, tweets, day, synthetic=synthetic, **about)
    seen = _calendar({night: row.coverage for night, row in nights.items()}, day)
    if np.isnan(seen[-1]):
        return None
    about |= {"synthetic": synthetic, "observed": seen[-1], "usual": _range(_known(seen[:-1])[-_RECENT_NIGHTS:])}
    return _verdict(settings, "coverage", area, area, day, coverage_surprises(seen), **about)


def _by_x(settings: Settings, connection: sa.Connection, study: Study, day: date) -> Verdict | None:
    rows = connection.execute(
        sa.text(
            "select day, trials, synthetic, revision from daily_counts"
            " where study = :study and basis = 'counts' and day between :since and :day order by day"
        ),
        {"study": study.name, "since": max(study.start, day - _REACH), "day": day},
    )
    revision = count.revisions_by_day(settings, study.name)
    nights = {row.day: row for row in rows if row.revision == revision(row.day)}
    if day not in nights:
        return None
    tweets = {night: (float(row.trials), 1.0) for night, row in nights.items()}
    synthetic = any(row.synthetic for row in nights.values())
    return _volume(settings, study.name, study.area, tweets, day, synthetic=synthetic, seen=1.0, by_x=True)


def _volume(
    settings: Settings, subject: str, area: str, tweets: dict[date, tuple[float, float]], day: date, **about: Any
) -> Verdict | None:
    trials, seen = (_calendar({night: pair[which] for night, pair in tweets.items()}, day) for which in (0, 1))
    if np.isnan(trials[-1]) or not seen[-1] > 0:
        return None
    first = day - timedelta(days=trials.size - 1)
    weekdays = (first.weekday() + np.arange(trials.size)) % 7
    surprises = volume_surprises(weekdays=weekdays, trials=trials, coverage=seen)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = np.where(seen > 0, trials / seen, np.nan)[:-1]
    like = _known(whole[weekdays[:-1] == weekdays[-1]])[-_LIKE_NIGHTS:]
    low, high = _range(like if like.size >= _FEW else _known(whole)[-_RECENT_NIGHTS:])
    about |= {"observed": trials[-1], "usual": (low * seen[-1], high * seen[-1])}
    return _verdict(settings, "volume", subject, area, day, surprises, **about)


def _calendar(values: dict[date, float | None], last: date) -> Floats:
    """A number a day from the first one known to `last`; NaN where there is none."""
    size = (last - min(values)).days + 1
    column = np.full(size, np.nan)
    for night, value in values.items():
        if value is not None:
            column[size - 1 - (last - night).days] = value
    return column


def _known(values: Floats) -> Floats:
    return values[~np.isnan(values)]


def _range(known: Floats) -> tuple[float, float]:
    return (float(known.min()), float(known.max())) if known.size else (np.nan, np.nan)


def _verdict(
    settings: Settings, kind: Kind, subject: str, area: str, day: date, surprises: Floats, *, usual: tuple[float, float], **about: Any
) -> Verdict | None:
    per_year = rates(settings)[kind]
    found = shifts(surprises, per_year=per_year)
    if np.isnan(found.statistic[-1]):
        return None
    nights = int(found.nights[-1])
    # a jump is what the night alone says
    sign = float(found.statistic[-1] if nights else surprises[-1])
    return Verdict(
        kind=kind, subject=subject, area=area, day=day,
        begins=bool(found.begins[-1]), beyond=bool(found.beyond[-1]), direction="up" if sign > 0 else "down",
        expected_lower=float(usual[0]), expected_upper=float(usual[1]),
        score=float(found.statistic[-1]), threshold=float(found.threshold[-1]), per_year=per_year,
        nights=nights, past=int(found.past[-1]), calibrated=bool(found.calibrated[-1]),
        **(about | {"observed": float(about["observed"])}),
    )  # fmt: skip


# --- what is kept ------------------------------------------------------------------------------------------------------------

_COLUMNS: Final = (
    *("kind", "subject", "day", "area", "direction", "observed", "expected_lower", "expected_upper", "score", "threshold"),
    *("per_year", "nights", "past", "calibrated", "synthetic"),
)


def known(connection: sa.Connection, verdict: Verdict) -> date | None:
    """The day under which this alarm is kept: its own, or that of the same episode before a late day moved it. None where it is new."""
    found: date | None = connection.scalar(
        sa.text(
            "select day from alarms where (kind, subject) = (:kind, :subject)"
            " and (day = :day or direction = :direction and abs(day - cast(:day as date)) <= :same) order by abs(day - cast(:day as date))"
        ),
        {name: getattr(verdict, name) for name in ("kind", "subject", "day", "direction")} | {"same": SAME_NIGHTS},
    )
    return found


def keep(connection: sa.Connection, verdict: Verdict, *, said: str, why: Attribution | None = None) -> None:
    """Write an alarm that `known` does not know. It stays, whatever later counts say. Take the lock of alarms first."""
    parts = None if why is None else json.dumps({"before": why.before, "after": why.after, **why.parts})
    values = {name: getattr(verdict, name) for name in _COLUMNS}
    for name in ("expected_lower", "expected_upper"):
        values[name] = None if np.isnan(values[name]) else values[name]
    values |= {"said": said, "parts": parts, "run_id": ledger.current()}
    connection.execute(
        sa.text(f"insert into alarms ({', '.join(values)}) values ({', '.join(f':{name}' for name in values)}) on conflict do nothing"),
        values,
    )


def kept(connection: sa.Connection, since: date, until: date, subjects: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The alarms of these days, of these subjects (None: all), with what became of telling them: `deliveries`, by channel."""
    rows = connection.execute(
        sa.text(
            "select alarms.*, (select coalesce(json_object_agg(channel, json_build_object("
            " 'status', status, 'attempts', attempts, 'error', error, 'changed_at', changed_at) order by channel), '{}')"
            " from alarm_deliveries as told where (told.kind, told.subject, told.day) = (alarms.kind, alarms.subject, alarms.day)"
            ") as deliveries from alarms where day between :since and :until"
            " and (cast(:subjects as text[]) is null or subject = any(:subjects))"
            " order by day, array_position(array['share', 'volume', 'coverage'], kind), subject"
        ),
        {"since": since, "until": until, "subjects": None if subjects is None else list(subjects)},
    ).mappings()
    return [dict(row) for row in rows]
