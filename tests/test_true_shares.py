"""The made-up city's tweets, counted by the real matchers and turned into rows by the real posterior stage, show the true shares."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pipeline import count, matchers, posterior, text
from pipeline.sandbox import phrases, places
from pipeline.settings import Settings
from tests.test_sandbox_city import make_city

START = date(2026, 11, 1)
DAYS = [START + timedelta(days=offset) for offset in range(14)]
STUDIES = """
[traffic]
question = "Traffic?"
area = "mexico-city"
start = 2026-11-01
match = { words = ["tráfico", "embotellamiento"] }

[water]
question = "Water?"
area = "mexico-city"
start = 2026-11-01
match = { regex = "\\\\bagua\\\\b" }
prior = { alpha = 1.0, beta = 9.0 }
"""


def matched(match: object) -> np.ndarray:
    """What the real matcher says of every text of the catalogue, prepared as clean.py prepares it."""
    rule = matchers.build(match)  # type: ignore[arg-type]
    prepared = text.searchable_all(text.tidy_all(pa.array(phrases.catalogue().texts)))
    return rule.match(prepared if rule.exact else text.fold_all(prepared)).is_valid().to_numpy(zero_copy_only=False)


@pytest.mark.slow
def test_published_intervals_cover_the_true_share_as_often_as_they_should(make_settings: Callable[..., Settings]) -> None:
    """14 days of 300 cities, two studies: of the rows that would be published on the last day 95 % (50 %) hold the true share.

    Tolerance: the number covered is binomial, so four standard errors of 600 cases (3.6 points at 95 %, 8.2 at 50 %) either way.
    """
    settings = make_settings(studies=STUDIES, database=False)
    inside = [list(places.KINDS).index(kind) for kind in places.INSIDE]
    whole = {"coverage": 1.0, "synthetic": True, "basis": "tweets"}
    verdicts = {name: matched(study.match) for name, study in settings.studies.items()}
    covered: dict[str, list[bool]] = {"95": [], "50": [], "hdi_95": [], "hdi_50": []}
    for seed in range(300):
        city = make_city(seed=seed, tweets_per_day=60)
        draws = [city.draws(day) for day in DAYS]
        texts = [day.text[np.isin(day.kind, inside), 1] for day in draws]
        for name, study in settings.studies.items():
            counted = [
                {"day": day, "trials": len(found), "matches": int(verdicts[name][found].sum()), **whole}
                for day, found in zip(DAYS, texts, strict=True)
            ]
            (row,) = posterior.compute(study, counted, DAYS[-1:], rule_version=count.rule_version(study), revision="r")
            assert (row["days"], row["trials"], row["days_missing"]) == (14, sum(map(len, texts)), 0)
            truth = city.distribution(DAYS[-1])[1][verdicts[name]].sum()
            for kind, found in covered.items():
                prefix, level = ("hdi_", kind[-2:]) if kind.startswith("hdi") else ("", kind)
                found.append(bool(row[f"{prefix}lower_{level}"] <= truth <= row[f"{prefix}upper_{level}"]))
    for kind, found in covered.items():
        wanted = int(kind[-2:]) / 100
        assert abs(np.mean(found) - wanted) < 4 * math.sqrt(wanted * (1 - wanted) / len(found)), kind
