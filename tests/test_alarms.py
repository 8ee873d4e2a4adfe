"""Alarms keep their promise on nights made of real tweets, find shifts within three nights, and say when they cannot yet judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.figures import nights, real
from benchmarks.figures.nights import TWO, false_alarms
from pipeline.errors import InvalidCounts
from pipeline.stats import alarms, predictive
from pipeline.stats.authors import clustered_posterior


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["v1.1-track-2016", "v1.1-stream-riverside"])
def test_at_most_one_false_alarm_in_180_real_null_nights(shared_data: Path, folder: str) -> None:
    """Blocks: an author's posts. Eight predicates, 10 cities each, of 545 nights of 600 authors."""
    rates = nights.false_by_author(shared_data, folder)
    later, first = np.mean(list(rates.values()), axis=0)
    print(f"{folder}, authors as blocks: {later:.2f} false alarms per 180 nights from the 60th on, {first:.2f} before; by predicate:")
    print("  " + ", ".join(f"{name} {rate:.2f}" for name, (rate, _) in rates.items()))
    assert later <= 1
    assert first <= 1
    # of one predicate some 27 are promised in 4,850 nights: two standard deviations more are chance
    assert max(rate for rate, _ in rates.values()) <= 1.4


@pytest.mark.slow
def test_the_promise_holds_for_blocks_of_time(shared_data: Path) -> None:
    """Blocks: ten minutes of the stream with all their posts, eight a night: shares drift over the day, authors come back."""
    rates = nights.false_by_time(shared_data, "v1.1-track-2016")
    later, first = np.mean(list(rates.values()), axis=0)
    print(f"blocks of ten minutes: {later:.2f} false alarms per 180 nights from the 60th on, {first:.2f} before")
    print("  " + ", ".join(f"{name} {rate:.2f}" for name, (rate, _) in rates.items()))
    assert later <= 1


@pytest.mark.slow
def test_the_corner_of_what_is_promised() -> None:
    """A share of exactly 0.1, exactly 500 effective tweets a night: there a shift of 30 % is 2.1 deviations up or 2.4 down.

    A statistic that knows the law and promises the same finds 88 % (benchmarks/alarms.py): 90 % take more tweets or a fourth night.
    """
    for effective, least in ((500, 0.82), (600, 0.88), (700, 0.93)):
        three, four = nights.at_the_corner(effective, 1000)
        print(f"p = 0.1, effective n = {effective}: {three:.1%} within 3 nights, {four:.1%} within 4")
        assert three >= least
        assert four >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("effective", [500, 750])
def test_a_shift_of_30_per_cent_is_found_within_three_nights(shared_data: Path, effective: int) -> None:
    """Every predicate of p >= 0.1 on nights of just so many effective tweets, up and down, after 300 null nights; 50 replays each."""
    found = nights.found_by_predicate(shared_data, "v1.1-track-2016", effective)
    overall = float(np.mean([hit for _, hit in found.values()]))
    print(f"effective n = {effective}: {overall:.1%} of {50 * len(found)} shifts of 30 % found within 3 nights")
    print("  " + ", ".join(f"{name} ({share:.2f}) {hit:.0%}" for name, (share, hit) in found.items()))
    assert min(share for share, _ in found.values()) >= 0.1
    assert overall >= 0.9
    # below, what is found nears the corner
    assert min(hit for share, hit in found.values() if share >= 0.15) >= 0.9


@pytest.mark.slow
def test_the_stand_in_is_what_the_prediction_says(shared_data: Path) -> None:
    """`nights.surprises` beside the tail of predictive.py, from the clustered posterior of the nights before: in the same order."""
    authors, _, predicates = nights.columns(real.posts(shared_data / "v1.1-track-2016"))
    for name in ("a URL", "by Android"):
        made = nights.City(authors, predicates[name]).nights(np.random.default_rng(12), 100, nights.AUTHORS)
        effect, past = nights.effects(made), np.cumsum(made, axis=0) - made
        n, k = made.T[:2]
        alpha, beta_ = clustered_posterior(prior_alpha=1, prior_beta=1, trials=past[:, 0], matches=past[:, 1], design_effect=effect)
        exact = alarms.signed_score(*predictive.surprise(trials=n, matches=k, alpha=alpha, beta_=beta_, design_effect=effect))
        stand_in = nights.surprises(made)
        assert stats.spearmanr(exact[1:], stand_in[1:]).statistic > 0.999
        inner = np.abs(stand_in[1:]) < 2
        assert np.abs(exact - stand_in)[1:][inner].max() < 0.2


@pytest.mark.slow
def test_the_promise_needs_no_model() -> None:
    """Surprises of any law: normal, heavy-tailed, skewed, with many ties; and nights that resemble the night before."""
    chance = np.random.default_rng(4)
    laws: dict[str, Any] = {
        "normal": chance.standard_normal,
        "Student, 3 degrees": lambda size: chance.standard_t(3, size),
        "exponential": lambda size: chance.exponential(1, size) - 1,
        "whole numbers": lambda size: np.round(chance.standard_normal(size) * 1.5),
    }
    for name, law in laws.items():
        later, first = false_alarms([law(545) for _ in range(60)])
        print(f"{name}: {later:.2f} false alarms per 180 nights, {first:.2f} in the first 60")
        assert later <= 1
        # before there is a past nobody knows how heavy the tails are: 2.3 with other seeds
        assert first <= 3
    noise = chance.standard_normal((60, 600))
    kept = np.zeros_like(noise)
    for night in range(1, 600):
        kept[:, night] = 0.3 * kept[:, night - 1] + noise[:, night]
    later, _ = false_alarms(list(kept[:, 55:]))
    print(f"autocorrelation 0.3: {later:.2f}")
    assert later <= 1.5


def test_an_alarm_is_told_once() -> None:
    """A lasting shift begins once; a second one after quiet nights begins again, in its own direction."""
    series = np.random.default_rng(5).standard_normal(300)
    series[200:206] += 6
    series[250:253] -= 6
    found = alarms.shifts(series, per_year=TWO)
    assert found.begins[195:260].sum() == 2
    first, second = 195 + np.flatnonzero(found.begins[195:260])
    assert first in (200, 201)
    assert second in (250, 251)
    assert found.beyond[first : first + 4].all()
    assert found.statistic[first] > 0 > found.statistic[second]
    assert found.past[300 - 1] == 299


def test_a_jump_in_a_short_past() -> None:
    """Ten nights are too few for ranks to rise high; what is far out by its own law is told, marked as not calibrated."""
    series = np.array([0.3, -0.2, 1.1, 0.4, -1.0, 0.6, -0.3, 0.2, -0.9, 0.1, 3.0, 0.1, 0.2, 0.1, 0.0, 7.0])
    found = alarms.shifts(series, per_year=TWO)
    assert np.flatnonzero(found.begins).tolist() == [15]
    assert found.nights[15] == 0
    assert not found.calibrated.any()
    assert found.past.tolist() == list(range(16))


def test_missing_nights_neither_alarm_nor_count() -> None:
    """Gaps change nothing for the other nights."""
    series = np.random.default_rng(6).standard_normal(120)
    gaps = np.insert(series, [10, 50, 50, 110], np.nan)
    whole, with_gaps = alarms.shifts(series, per_year=TWO), alarms.shifts(gaps, per_year=TWO)
    there = ~np.isnan(gaps)
    for name in ("begins", "beyond", "statistic", "threshold", "nights", "past", "calibrated"):
        np.testing.assert_array_equal(getattr(with_gaps, name)[there], getattr(whole, name))
    assert not with_gaps.beyond[~there].any()
    assert np.isnan(with_gaps.statistic[~there]).all()
    assert alarms.shifts([], per_year=TWO).begins.shape == (0,)


def test_a_night_depends_on_its_past_alone() -> None:
    """Later nights change no earlier verdict, to the last bit."""
    series = np.random.default_rng(7).standard_normal(450)
    whole = alarms.shifts(series, per_year=TWO)
    for until in (1, 2, 61, 400):
        part = alarms.shifts(series[:until], per_year=TWO)
        np.testing.assert_array_equal(part.statistic, whole.statistic[:until])
        np.testing.assert_array_equal(part.threshold, whole.threshold[:until])
        np.testing.assert_array_equal(part.begins, whole.begins[:until])


def test_a_stricter_promise_has_a_higher_threshold() -> None:
    """Over the whole range that may be asked for."""
    thresholds = [alarms._threshold(rate) for rate in np.geomspace(0.1, 12, 40)]
    assert (np.diff(thresholds) < 0).all()


def test_signed_scores() -> None:
    """Tails of a tenth and a thousandth, on either side; a tail of 0 is not infinite."""
    scores = alarms.signed_score([0.9, 0.001, 0.5, 1.0], [0.1, 0.999, 0.5, 0.0])
    np.testing.assert_allclose(scores[:3], [1.2815515655, -3.0902323062, 0], atol=1e-9)
    assert 30 < scores[3] < 40


def test_volume_and_coverage() -> None:
    """A weekly rhythm is no surprise, half the tweets are; a partial night is taken up to a whole one; coverage speaks for itself."""
    chance = np.random.default_rng(8)
    nights = np.arange(140)
    trials = chance.poisson(1000 * (1 + 0.4 * np.isin(nights % 7, (5, 6))))
    coverage = np.ones(140)
    trials[120] //= 2
    coverage[130], trials[130] = 0.5, trials[130] // 2
    volume = alarms.volume_surprises(weekdays=nights % 7, trials=trials, coverage=coverage)
    assert np.isnan(volume[:14]).all()
    found = alarms.shifts(volume, per_year=TWO)
    assert found.begins[120]
    assert found.statistic[120] < 0
    assert not found.beyond[[*range(100, 120), *range(124, 140)]].any()
    seen = alarms.coverage_surprises(coverage)
    assert np.flatnonzero(alarms.shifts(seen, per_year=TWO).begins).tolist() == [130]
    dark = alarms.volume_surprises(weekdays=nights % 7, trials=0 * trials, coverage=0 * coverage)
    assert np.isnan(dark).all()


@pytest.mark.slow
def test_volume_and_coverage_keep_the_promise() -> None:
    """Null nights with a weekly rhythm and twice a Poisson's spread; coverage that is whole in nine nights of ten."""
    chance = np.random.default_rng(10)
    nights = np.arange(545)
    volume, coverage = [], []
    for _ in range(80):
        mean = 300 * (1 + 0.4 * np.isin(nights % 7, (5, 6))) * chance.gamma(300, 1 / 300, 545)
        seen = np.where(chance.random(545) < 0.9, 1.0, chance.uniform(0.6, 1, 545))
        trials = chance.poisson(mean * seen)
        volume.append(alarms.volume_surprises(weekdays=nights % 7, trials=trials, coverage=seen))
        coverage.append(alarms.coverage_surprises(seen))
    for name, series in (("volume", volume), ("coverage", coverage)):
        later, first = false_alarms(series)
        print(f"{name}: {later:.2f} false alarms per 180 nights from the 60th on, {first:.2f} before")
        # some 210 are promised: two standard errors more are chance
        assert later <= 1.14


@pytest.mark.parametrize(
    ("series", "per_year", "said"),
    [
        ([[1.0, 2.0]], 2.0, "one finite number a night"),
        ([1.0, np.inf], 2.0, "one finite number a night"),
        ([1.0], 0.0, "from 0.1 to 12"),
        ([1.0], 365.0, "from 0.1 to 12"),
        ([1.0], float("nan"), "from 0.1 to 12"),
    ],
)
def test_what_cannot_be_is_refused(series: Any, per_year: float, said: str) -> None:
    """By name, with what is wanted."""
    with pytest.raises(InvalidCounts, match=said):
        alarms.shifts(series, per_year=per_year)
