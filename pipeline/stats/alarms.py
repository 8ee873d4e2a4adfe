"""When to speak: "at most N false alarms a year", by the ranks of a study's own past surprises. For shares, volume and coverage alike.

What a surprise is comes from the series at hand: of a share its predictive tail, of volume and coverage the functions here.
Why it moved is attribution.py's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import InvalidCounts
from pipeline.stats.beta import Floats

Flags = npt.NDArray[np.bool_]

#: Past nights that a night is ranked among, and how many make the ranks fine enough to speak for themselves.
PAST, CALIBRATED = 365, 60
#: Weights of the sums of the last 1, 2 and 3 nights. A lasting shift shows in three; a large one need not wait for them.
_WEIGHTS = (0.75, 0.9, 1.0)
#: An episode has ended when so many nights in a row were quiet.
_QUIET = 3
#: False episodes a year → threshold of the statistic, for independent normal scores; benchmarks/alarms.py makes it (6e7 nights).
_RATES = (0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 12.0)
_THRESHOLDS = (3.635, 3.453, 3.192, 2.982, 2.755, 2.613, 2.507, 2.349, 2.041)
#: Of the promise, what goes to ranks; the rest is for jumps that are farther out than ranks can tell.
_FOR_RANKS = 0.9
#: A jump is so many times as far out as anything in the past, and by its own law so much rarer than the promise.
_FARTHER, _RARER = 2.0, 20
_NIGHTS_A_YEAR = 365.25


@dataclass(frozen=True)
class Alarms:
    """One row a night, in the order given."""

    #: an alarm begins here: the one night of an episode on which to speak
    begins: Flags
    #: the night is beyond the threshold, whether or not it has been said already
    beyond: Flags
    #: how far out the last nights are, by rank; above 0 upwards. NaN where the night cannot be judged
    statistic: Floats
    threshold: Floats
    #: how many of the last nights show it best: 1, 2 or 3; 0 for a jump
    nights: npt.NDArray[np.int64]
    #: past nights that it was judged by
    past: npt.NDArray[np.int64]
    #: False while the past is short, see `shifts`
    calibrated: Flags


def shifts(surprises: npt.ArrayLike, *, per_year: float) -> Alarms:
    """Where a series shifted, with at most `per_year` false alarms a year where nothing does.

    Each night is ranked among the 365 nights before it, and its rank turned into a normal score. As long as nights come from one law,
    whatever that law is, these sequential ranks are independent and uniform: so the scores are normal however heavy the surprises' own
    tails are, and the promise needs no model. Source: Lombard and Van Zyl (2018), Signed sequential rank CUSUMs, Comput. Stat. Data
    Anal. 118, and McDonald (1990), Naval Res. Logist. 37. The statistic is the largest of the last night's score, and of the sums of
    the last 2 and 3 by their standard deviation, weighted 0.75, 0.9, 1. That finds a shift of two standard deviations within three
    nights more often than a CUSUM or Shiryaev-Roberts statistic of the same promise (benchmarks/alarms.py). Nights that resemble the
    night before make sums wider: the threshold is raised by what the past scores' autocorrelation adds, where that is more than one
    standard error.

    Ranks know no distances. So a night also alarms that is twice as far out as any in the past, if by its own law (a surprise is on
    the scale of normal scores) it would be that far out in a twentieth of the promised rate. The ranks get nine tenths of the
    promise; what jumps take is measured in tests/test_alarms.py, for real nights and heavy tails.

    While the past is short (under 60 nights) `calibrated` is False. Ranks keep their promise from the first night on, but cannot yet
    rise high in a single night; what is found in one night then is a jump, and that rests on the surprises' own law alone.

    An alarm begins where the last three nights were quiet: the same shift is told once.

    Args:
        surprises: a number a night, oldest first: the further from 0 the more surprising, the sign being the direction. NaN where
            there is none: such a night neither alarms nor counts as past.
        per_year: N of the promise, from 0.1 to 12, for this series alone: three series of one study have three promises.

    Raises:
        InvalidCounts: surprises that are not one series, a promise out of range.
    """
    series = np.asarray(surprises, dtype=np.float64)
    if series.ndim != 1 or np.isinf(series).any():
        raise InvalidCounts(f"surprises of shape {series.shape}; wanted is one finite number a night", todo="give NaN where there is none")
    threshold = _threshold(per_year)
    known = np.flatnonzero(~np.isnan(series))
    judged = _judge(series[known], threshold, _jump(per_year))
    rows = {name: np.full(series.shape, empty) for name, empty in _EMPTY.items()}
    for name, values in judged.items():
        rows[name][known] = values
    return Alarms(**rows)


_EMPTY = {"begins": False, "beyond": False, "statistic": np.nan, "threshold": np.nan, "nights": 0, "past": 0, "calibrated": False}


def _threshold(per_year: float) -> float:
    if not _RATES[0] <= per_year <= _RATES[-1]:
        raise InvalidCounts(
            f"per_year is {per_year}; wanted is a number of false alarms a year from {_RATES[0]} to {_RATES[-1]}",
            todo="2 is one in half a year",
        )
    return float(np.interp(math.log(max(_RATES[0], per_year * _FOR_RANKS)), np.log(_RATES), _THRESHOLDS))


def _jump(per_year: float) -> float:
    """The normal score that a night passes, on either side, in a twentieth of the promised rate."""
    from scipy import special

    return -float(special.ndtri(per_year / _NIGHTS_A_YEAR / _RARER / 2))


def _judge(series: Floats, threshold: float, jump: float) -> dict[str, npt.NDArray[np.generic]]:
    """Every column of Alarms, for a series without gaps."""
    past = np.minimum(np.arange(series.size), PAST)
    scores, largest = _scores(series)
    sums = np.stack([_sum_of_last(scores, number) / math.sqrt(number) * weight for number, weight in enumerate(_WEIGHTS, start=1)])
    best = np.abs(sums).argmax(axis=0) if series.size else np.zeros(0, dtype=np.int64)
    statistic = sums[best, np.arange(series.size)]
    raised = threshold * np.sqrt(_inflation(scores))
    jumped = (np.abs(series) > jump) & (np.abs(series) > _FARTHER * largest)
    beyond = (np.abs(statistic) > raised) | jumped
    recent = np.zeros(series.size, dtype=np.bool_)
    for back in range(1, _QUIET + 1):
        recent[back:] |= beyond[:-back]
    return {
        "begins": beyond & ~recent,
        "beyond": beyond,
        "statistic": statistic,
        "threshold": raised,
        "nights": np.where(jumped & (np.abs(statistic) <= raised), 0, best + 1),
        "past": past,
        "calibrated": past >= CALIBRATED,
    }


def _scores(series: Floats) -> tuple[Floats, Floats]:
    """Normal scores of each night's rank among it and its past, ties in the middle; and the past's largest distance from 0."""
    from scipy import special

    ranks, largest = np.full(series.size, 0.5), np.zeros(series.size)
    for night, value in enumerate(series.tolist()):
        past = series[max(0, night - PAST) : night]
        if past.size:
            ranks[night] = ((past < value).sum() + (past == value).sum() / 2 + 0.5) / (past.size + 1)
            largest[night] = np.abs(past).max()
    return np.asarray(special.ndtri(ranks), dtype=np.float64), largest


def _sum_of_last(scores: Floats, number: int) -> Floats:
    """Sums of the last `number` nights; of what there is, in the first nights."""
    padded = np.concatenate([np.zeros(number - 1), scores])
    return np.asarray(sum(padded[start : start + scores.size] for start in range(number)), dtype=np.float64)


def _inflation(scores: Floats) -> Floats:
    """By how much autocorrelation widens the variance of a sum of three, as of each night's past: 1 + 2 (2/3 r1 + 1/3 r2).

    Source: the variance of a mean of correlated values, Box, Jenkins and Reinsel, Time Series Analysis, section 2.1. Counted is only
    what exceeds 1 by more than one standard error, 2 sqrt((4/9 + 1/9) / m).
    """
    inflation = np.ones(scores.size)
    products = [
        np.concatenate([np.zeros(lag), scores[lag:] * scores[:-lag]]) if scores.size > lag else np.zeros(scores.size) for lag in (1, 2)
    ]
    squares, first, second = (np.concatenate([[0.0], np.cumsum(values)]) for values in (scores**2, *products))
    for night in range(CALIBRATED, scores.size):
        start = max(0, night - PAST)
        total = squares[night] - squares[start]
        if total > 0:
            extra = 2 * (2 / 3 * (first[night] - first[start]) + 1 / 3 * (second[night] - second[start])) / total
            inflation[night] = max(1.0, 1 + extra - 2 * math.sqrt(5 / 9 / (night - start)))
    return inflation


def signed_score(below: npt.ArrayLike, above: npt.ArrayLike) -> Floats:
    """A surprise from predictive tails: P(less) + P(equal) / 2 and P(more) + P(equal) / 2, as a normal score, above 0 for more.

    Of each the smaller tail is used, which keeps its digits; a tail of 0 counts as 1e-300.
    """
    from scipy import special

    low, high = (np.maximum(np.asarray(tail, dtype=np.float64), 1e-300) for tail in (below, above))
    return np.asarray(np.where(low < high, special.ndtri(low), -special.ndtri(high)), dtype=np.float64)


def volume_surprises(*, weekdays: npt.ArrayLike, trials: npt.ArrayLike, coverage: npt.ArrayLike) -> Floats:
    """How far each night's number of tweets is from its like, in robust standard deviations.

    ln((n + 1/2) / coverage) less the median of the last 8 nights of the same weekday (of the last 28 nights while those are fewer than
    3), by 1.4826 times the median distance of the last 56 such differences from 0. NaN until there are 14, and where nothing was seen.
    Source: Rousseeuw and Croux (1993), JASA 88, for the scale.

    Args:
        weekdays: 0 to 6, or any name of what nights are alike; oldest first.
        trials: n of each.
        coverage: the share of the night observed; a partial night's number is taken up to a whole one.
    """
    day, n, seen = np.asarray(weekdays), np.asarray(trials, dtype=np.float64), np.asarray(coverage, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(seen > 0, np.log((n + 0.5) / seen), np.nan)
    differences = np.full(size.shape, np.nan)
    for night in range(size.size):
        like = _known(size[:night][day[:night] == day[night]])[-8:]
        like = like if like.size >= 3 else _known(size[:night])[-28:]
        if like.size:
            differences[night] = size[night] - np.median(like)
    return _in_deviations(differences, least=0.0)


def coverage_surprises(coverage: npt.ArrayLike) -> Floats:
    """How far each night's coverage is from the median of the last 28, in robust standard deviations, of at least 0.05 each.

    NaN until there are 14 such differences before it.
    """
    seen = np.asarray(coverage, dtype=np.float64)
    differences = np.full(seen.shape, np.nan)
    for night in range(seen.size):
        like = _known(seen[:night])[-28:]
        if like.size:
            differences[night] = seen[night] - np.median(like)
    return _in_deviations(differences, least=0.05)


def _known(values: Floats) -> Floats:
    return values[~np.isnan(values)]


def _in_deviations(differences: Floats, *, least: float) -> Floats:
    """Differences by 1.4826 times the median size of the 56 before, NaN for the first 14 and where that scale is 0."""
    surprises = np.full(differences.shape, np.nan)
    for night in range(differences.size):
        before = _known(differences[:night])[-56:]
        if before.size >= 14:
            scale = max(least, 1.4826 * float(np.median(np.abs(before))))
            surprises[night] = differences[night] / scale if scale else np.nan
    return surprises
