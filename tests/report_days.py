"""Made-up days of a study for the tests of pictures, page and table; and the stages run in a row on a small made-up city."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from pipeline import clean, count, extract, load, posterior
from pipeline.days import window
from pipeline.report import data
from pipeline.schema import BASES
from pipeline.settings import Settings
from pipeline.stats import beta, predictive

LAST = date(2026, 11, 22)

#: For settings of tests that need a made-up city: few tweets, so that a day takes milliseconds.
SMALL = "[sandbox]\ntweets_per_day = 60\nidle_exit_seconds = 30.0\n[x]\npage_size = 100\n"


def made_days(
    number: int = 14, *, share: float = 0.1, missing: Sequence[int] = (), partial: Sequence[int] = (), sampled: Sequence[int] = ()
) -> pd.DataFrame:
    """A frame as charts.py describes it, up to LAST; `missing`, `partial` and `sampled` are positions. The same on every call."""
    chance = np.random.default_rng(number)
    trials = chance.poisson(500, number).astype(float)
    matches = chance.binomial(trials.astype(int), share).astype(float)
    status = np.array(["whole"] * number, dtype=object)
    status[list(partial)], status[list(missing)] = "partial", "missing"
    absent = status == "missing"
    sample = np.isin(np.arange(number), list(sampled))
    trials[absent] = matches[absent] = np.nan
    alpha, other = 1 + np.nancumsum(matches), 1 + np.nancumsum(trials - matches)
    frame = pd.DataFrame(
        {
            "day": pd.date_range(end=pd.Timestamp(LAST), periods=number),
            "status": status,
            "trials": trials,
            "matches": matches,
            "authors": np.round(trials * 0.6),
            "coverage": np.where(absent, np.nan, np.where(status == "partial", 0.5, 1.0)),
            "coverage_reason": np.where(status == "partial", "the stream was down for 12 h", None),
            "reason": np.where(absent, "no tweets were collected", ""),
            "synthetic": False,
            "basis": np.where(absent, None, np.where(sample, "sample", "tweets")),
            "sampled": np.where(sample, 512.0, np.nan),
            "population": np.where(sample, 8312.0, np.nan),
            "alpha": alpha,
            "beta": other,
            "mean": alpha / (alpha + other),
        }
    )
    for level in (50, 95):
        frame[f"lower_{level}"], frame[f"upper_{level}"] = beta.central_interval(alpha, other, level / 100)
    frame = _foretold(frame)
    frame.loc[absent, ["alpha", "beta", "mean", "lower_50", "upper_50", "lower_95", "upper_95"]] = np.nan
    return frame


def _foretold(frame: pd.DataFrame) -> pd.DataFrame:
    """With what each day was expected to bring by the days before it: nothing is known before the first."""
    day_before = frame[["alpha", "beta"]].shift(fill_value=1.0)
    given = {"alpha": day_before["alpha"], "beta_": day_before["beta"], "trials": frame["trials"].fillna(0)}
    expected = predictive.predict(**given)
    low, high = predictive.surprise(**given, matches=frame["matches"].fillna(0))
    own = frame["matches"] / frame["trials"]
    return frame.assign(
        own=own,
        own_trials=frame["trials"],
        excluded=0.0,
        expected_mean=np.where(own.isna(), np.nan, expected.mean),
        expected_lower_95=expected.lower,
        expected_upper_95=expected.upper,
        surprise=np.where(own.isna(), np.nan, 2 * np.minimum(low, high)),
        outside=(own < expected.lower) | (own > expected.upper),
    )


#: What a posterior row of made-up days says of its authors, unless a test says otherwise.
OF_AUTHORS: dict[str, Any] = {
    **{"design_effect": 2.5, "borrowed": 0.0, "authors": 1234, "top_weight": 0.12, "without_top": 0.095, "top_influence": 0.1},
    **{"per_author_votes": 1234.0, "per_author_mean": 0.071, "per_author_lower_95": 0.06, "per_author_upper_95": 0.083},
}

#: Where X counted, and in rows from before version 2.
NO_AUTHORS: dict[str, Any] = dict.fromkeys(OF_AUTHORS)


def made_alarms(*rows: dict[str, Any]) -> pd.DataFrame:
    """Alarms as data.read gives them: of the study "traffic" on LAST, up, unless a row says otherwise."""
    usual = {"kind": "share", "subject": "traffic", "day": LAST, "area": "mexico-city", "direction": "up", "said": "traffic: up"}
    frame = pd.DataFrame(
        [usual | {"calibrated": True, "synthetic": False} | row for row in rows], columns=[*usual, "calibrated", "synthetic"]
    )
    return frame.assign(day=pd.to_datetime(frame["day"]))


def made_hours(day: date, zone: str, *, missing: Sequence[int] = (), reason: str = "X did not answer", mode: str = "whole") -> pd.DataFrame:
    """24 hours of a partial day, as the database gives them: `missing` are numbers of hours."""
    start = window(day, ZoneInfo(zone)).start
    lost = np.isin(np.arange(24), list(missing))
    return pd.DataFrame(
        {
            "area": "mexico-city",
            "day": pd.Timestamp(day),
            "hour": [start + timedelta(hours=number) for number in range(24)],
            "seconds": 3600,
            "observed": np.where(lost, 0.0, 1.0 if mode == "whole" else 0.06),
            "reason": np.where(lost, reason, None),
            "mode": mode,
        }
    )


NO_HOURS = made_hours(LAST, "UTC").iloc[:0]


def study_days(
    days: pd.DataFrame,
    *,
    synthetic: bool = False,
    current: bool = True,
    hours: pd.DataFrame = NO_HOURS,
    alarms: Sequence[dict[str, Any]] = (),
    **latest: Any,
) -> data.StudyDays:
    """The days as the page gets them; the newest posterior is that of the last day that has one, changed by `latest`."""
    days = days.assign(synthetic=synthetic)
    known = days.dropna(subset=["mean"])
    told = made_alarms(*alarms)
    if known.empty:
        return data.StudyDays(days, None, None, False, synthetic, 0, hours, told)
    row: dict[str, Any] = {str(key): value for key, value in known.iloc[-1].to_dict().items()}
    trials, basis = int(known["trials"].sum()), max(known["basis"], key=BASES.index)
    row |= NO_AUTHORS if basis == "counts" else OF_AUTHORS
    row |= {f"naive_{name}": row[name] for name in ("alpha", "beta", "mean", "lower_95", "upper_95")}
    row |= {
        **{"prior_alpha": 1.0, "prior_beta": 1.0, "forget": 1.0, "forget_scores": None, "window_days": None, "author_cap": None},
        **{"prior_areas": None, "effective_trials": trials / (row["design_effect"] or 1.0)},
        **{"next_trials": 500, "next_lower_95": 0.074, "next_upper_95": 0.126},
        "trials": trials,
        "matches": int(known["matches"].sum()),
        "days": len(known),
        "published_at": pd.Timestamp("2026-11-23 08:00", tz="UTC"),
        "run_id": "0123456789abcdef",
        "marker": "0a1b2c3d4e5f",
        "synthetic": synthetic,
        "basis": basis,
        "days_sampled": int((known["basis"] == "sample").sum()),
    }
    row |= latest
    return data.StudyDays(days, row, row["day"].date(), current, synthetic, 0, hours, told)


def run_stages(settings: Settings, days: Sequence[date], studies: Sequence[str] | None = None) -> None:
    """Everything that Nightly does for these days, without Luigi, in its order; the page not included."""
    chosen = [settings.study(name) for name in (settings.studies if studies is None else studies)]
    for day in days:
        for area in dict.fromkeys(study.area for study in chosen):
            extract.run(settings, area, day)
            clean.run(settings, area, day)
            load.tweets(settings, area, day)
        for study in chosen:
            count.run(settings, study.name, day)
            load.counts(settings, study.name, day)
            posterior.update(settings, study.name, day)


def days_up_to(last: date, number: int) -> list[date]:
    """`number` days, the last of them `last`."""
    return [last - timedelta(days=back) for back in reversed(range(number))]
