"""What a number rests on, in words: authors, prior, forgetting, what was expected and what may come. Pure; page and terminal share it.

`latest` is a row of posteriors as data.py reads it. Where X counted, and in rows from before version 2, what concerns authors is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pandas as pd

from pipeline.report import words
from pipeline.report.data import ALARM_NIGHTS
from pipeline.stats import forgetting
from pipeline.stats.authors import TOP_AUTHORS
from pipeline.study import Study

#: Where one author makes more than this part of the variance, the interval rests on one person (measured: tests/test_split_halves.py).
MOST_INFLUENCE: Final = 0.3
_ON_ONE: Final = "the interval rests on one person, and may be too narrow"
#: Where more than this part of the correlation within authors is borrowed, the correction is hardly the study's own.
MOSTLY: Final = 0.5
#: So many shifts are told below a table; the page has the others.
MOST_SHIFTS: Final = 5


def number(latest: Mapping[str, Any], name: str) -> float | None:
    """A column's value; None where it is null, or was not read."""
    value = latest.get(name)
    return None if value is None or pd.isna(value) else float(value)


@dataclass(frozen=True)
class Estimate:
    """One of the ways to read the same counts; texts. `headline` is that of the number that stands large."""

    name: str
    question: str
    share: str
    interval: str
    worth: str
    headline: bool


def estimates(latest: Mapping[str, Any]) -> list[Estimate]:
    """Clustered, naive and per author, each with the question it answers; without the first and the last where authors are unknown."""
    found = []
    corrected = number(latest, "design_effect") is not None
    if corrected:
        worth = f"worth {latest['effective_trials']:,.0f} independent tweets"
        found.append(_estimate("Clustered", "corrected for authors who tweet a lot", "", worth, latest, headline=True))
    prefix = "naive_" if number(latest, "naive_mean") is not None else ""
    weighed = sum(float(latest[f"{prefix}{name}"]) - float(latest[f"prior_{name}"]) for name in ("alpha", "beta"))
    found.append(_estimate("Naive", "as if all tweets were independent", prefix, f"{weighed:,.0f} tweets", latest, headline=not corrected))
    if number(latest, "per_author_mean") is not None:
        votes = f"{latest['per_author_votes']:,.0f} votes"
        found.append(
            _estimate("Per author", "share of authors, one vote each: another question", "per_author_", votes, latest, headline=False)
        )
    return found


def _estimate(name: str, question: str, prefix: str, worth: str, latest: Mapping[str, Any], *, headline: bool) -> Estimate:
    low, high = latest[f"{prefix}lower_95"], latest[f"{prefix}upper_95"]
    share = words.percent(latest[f"{prefix}mean"], words.decimals(low, high))
    return Estimate(name, question, share, words.interval(low, high), worth, headline)


def worth(latest: Mapping[str, Any]) -> str:
    """So many independent tweets would say as much: "8,892"; a dash where authors are unknown."""
    effective = number(latest, "effective_trials")
    return "–" if effective is None or number(latest, "design_effect") is None else f"{effective:,.0f}"


def uncorrected(latest: Mapping[str, Any]) -> str:
    """Why the headline is not corrected for authors; empty where it is."""
    if number(latest, "design_effect") is not None:
        return ""
    if latest["basis"] == "counts":
        return words.NO_AUTHORS
    if number(latest, "naive_mean") is None:
        return "not corrected for authors: it was made before geobeta could"
    return "not corrected for authors: its source names none"


def flags(latest: Mapping[str, Any]) -> list[str]:
    """What makes the interval less sure than it looks, a sentence each."""
    said = []
    influence, without = number(latest, "top_influence"), number(latest, "without_top")
    if influence is not None and influence > MOST_INFLUENCE:
        places = words.decimals(latest["lower_95"], latest["upper_95"])
        rest = "" if without is None else f" Without that author the share would be {words.percent(without, places)}."
        said.append(f"One author makes {words.percent(influence, 0)} of the uncertainty: {_ON_ONE}.{rest}")
    borrowed = number(latest, "borrowed")
    if borrowed is not None and borrowed > MOSTLY:
        said.append(
            "Too few authors to tell how far tweets of one author agree: "
            f"{words.percent(borrowed, 0)} of the correction for authors is borrowed, from earlier days or from what is usual."
        )
    return said


def authors(latest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How many there are, what their tweets are worth, and how much hangs on a few."""
    effect, effective, known = (number(latest, name) for name in ("design_effect", "effective_trials", "authors"))
    if effect is None or effective is None:
        # of X's counts it is said where they are named
        return [] if latest["basis"] == "counts" else [("Authors", uncorrected(latest))]
    tweets = words.counted(int(latest["trials"]), "tweet")
    whose = f"of {words.counted(int(known), 'author')}" if known else "of unknown authors"
    weighed = effective * effect
    ways = [way for way, used in (("forgetting", latest["forget"] < 1), ("the cap on authors", number(latest, "author_cap"))) if used]
    fewer = f"after {' and '.join(ways)} {weighed:,.0f} weigh, " if ways and weighed < 0.999 * latest["trials"] else ""
    said = [("Authors", f"{tweets} {whose} are worth {effective:,.0f} independent ones ({fewer}design effect {effect:.2f})")]
    top, without, influence = (number(latest, name) for name in ("top_weight", "without_top", "top_influence"))
    if top is not None and known and known > TOP_AUTHORS:
        text = f"the {TOP_AUTHORS} busiest wrote {words.percent(top, 0 if top >= 0.095 else 1)}"
        if without is not None and influence is not None:
            places = words.decimals(latest["lower_95"], latest["upper_95"])
            text += f"; without the one who moves it most ({words.percent(influence, 0)} of the uncertainty) the share would be "
            text += words.percent(without, places)
        said.append(("Busiest authors", text))
    return said


def prior(study: Study, latest: Mapping[str, Any] | None, *, current: bool) -> str:
    """What was believed before the first tweet, as it was said, and as the distribution of the newest row."""
    if latest is None:
        return study.prior.said
    beta = f"Beta({latest['prior_alpha']:.4g}, {latest['prior_beta']:.4g})"
    if not current:
        return f"{beta}, when this number was made"
    areas = number(latest, "prior_areas")
    if not areas:
        return f"{study.prior.said}: {beta}"
    return f"learnt from {words.counted(int(areas), 'other area')} of the pool {study.prior.pool}: {beta}"


def forgets(study: Study, latest: Mapping[str, Any] | None) -> str:
    """How fast old days fade: as it is set, or as it was chosen, with what it was chosen by."""
    days = study.window if latest is None else number(latest, "window_days")
    window = f"only the last {words.counted(int(days), 'day')} count" if days else ""
    if latest is None and study.forget == "auto":
        return "chosen by itself"
    forget = study.forget if latest is None else latest["forget"]
    fades = f"each day keeps {forget:g} of the weight of the day after it" if forget != 1 else ""
    scores = None if latest is None else latest.get("forget_scores")
    if not isinstance(scores, str):
        return ", ".join(filter(None, (window, fades))) or "none: all days count alike"
    return f'"auto" {_chosen(float(forget), {float(name): float(score) for name, score in json.loads(scores).items()})}'


def _chosen(forget: float, scores: Mapping[float, float]) -> str:
    """The choice beside the alternative; a score is the log probability of each day so far, told from the days before it."""
    ahead = {value: score - scores[1.0] for value, score in scores.items() if value != 1}
    if forget != 1:
        how = f"chose {forget:g} (each day keeps so much of the weight of the day after it)"
        return f"{how}: its predictions of the days so far score {ahead[forget]:.1f} above those of forgetting nothing"
    best = max(ahead, key=lambda value: ahead[value])
    needed = math.log(len(ahead) / forgetting.DOUBT)
    if ahead[best] <= 0:
        return "forgets nothing: no other choice predicted the days so far better"
    return f"forgets nothing: {best:g} predicts the days so far better, by a score of {ahead[best]:.1f}, but {needed:.1f} would be needed"


def left_out(study: Study, days: pd.DataFrame) -> list[tuple[str, str]]:
    """Whose tweets do not count, and how many these were on the given days; and the cap. Of authors only how many, never who."""
    said = []
    if study.exclude:
        authors, clients = study.exclude.authors, study.exclude.clients
        whose = [words.counted(len(authors), "excluded author")] if authors else []
        whose += [f"the excluded client{'' if len(clients) == 1 else 's'} {', '.join(clients)}"] if clients else []
        said.append(("Left out", f"{words.counted(int(days['excluded'].sum()), 'tweet')} of {' and '.join(whose)}"))
    if study.author_cap:
        said.append(("Author cap", f"of one author and day at most {words.counted(study.author_cap, 'tweet')} count"))
    return said


def of_day(row: Mapping[Any, Any], cap: float | None) -> str:
    """A day's own share beside what the days before led to expect; empty where nothing was expected."""
    low, high, chance = row["expected_lower_95"], row["expected_upper_95"], row["surprise"]
    if pd.isna(low) or pd.isna(row["own"]):
        return ""
    own = f"{words.percent(row['own'], words.decimals(low, high))} of {words.counted(int(row['own_trials']), 'tweet')}"
    capped = f" (at most {int(cap):,} of an author)" if cap else ""
    judged = f"outside; a day so far out comes {_how_often(chance)}" if row["outside"] else "within that"
    return f"{own}{capped}; the days before led to expect {words.interval(low, high)}: {judged}"


def _how_often(chance: float) -> str:
    if chance * 3650 < 1:
        return "less than once in ten years"
    return f"about once in {words.counted(round(1 / chance), 'day')}"


def next_day(latest: Mapping[str, Any]) -> str:
    """What the next day may bring; empty where that was not foretold."""
    low, high, trials = (number(latest, name) for name in ("next_lower_95", "next_upper_95", "next_trials"))
    if low is None or high is None or not trials:
        return ""
    return f"{words.interval(low, high)} if it has about {words.counted(int(trials), 'tweet')}, with a probability of 95\u00a0%"


def alarm(row: Mapping[Any, Any]) -> str:
    """An alarm in words, its day among them; what is made up says so."""
    label = " (synthetic)" if row["synthetic"] and "ynthetic" not in row["said"] else ""
    return f"{row['said'].rstrip('.')}{label}"


def shifts(alarms: pd.DataFrame) -> list[tuple[date, str]]:
    """Alarms as day and words, in the order given."""
    return [(row["day"].date(), alarm(row)) for row in alarms.to_dict("records")]


def warnings(studies: Iterable[tuple[str, Sequence[str], Sequence[tuple[date, str]]]]) -> list[str]:
    """Of studies (name, flags, shifts) a line for each flag, and one for each shift, an area's once: what stands below a table."""
    listed = list(studies)
    found = dict.fromkeys(shift for _, _, shifts in listed for shift in shifts)
    told = [f"shift: {said}" for _, said in sorted(found, key=lambda shift: shift[0], reverse=True)]
    rest = len(told) - MOST_SHIFTS
    return [
        *(f"{study}: {flag}" for study, flags, _ in listed for flag in flags),
        *told[:MOST_SHIFTS],
        *([f"and {words.counted(rest, 'more shift')} in the last {ALARM_NIGHTS} nights"] if rest > 0 else []),
    ]
