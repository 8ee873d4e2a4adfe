"""Authors: the design effect against its definition, the rule by which small windows borrow, and intervals that cover the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.figures import crowds
from pipeline.errors import InvalidCounts
from pipeline.stats import authors
from pipeline.stats.authors import AuthorRows, author_rows, clustered_posterior, design_effect

FIRST = np.datetime64("2026-11-01")
#: (day, author, trials, matches); None has no author.
Rows = list[tuple[int, Any, int, int]]


def rows(table: Rows, at: list[int], **options: Any) -> AuthorRows:
    """The rows at offsets `at`."""
    day, who, n, k = zip(*table, strict=True) if table else ([], [], [], [])
    return author_rows(
        days=FIRST + np.array(day, dtype=int), authors=list(who), trials=n, matches=k, at=FIRST + np.array(at, dtype=int), **options
    )


def as_bytes(made: AuthorRows) -> list[bytes]:
    """Every bit of every column."""
    return [getattr(made, name).tobytes() for name in AuthorRows.__dataclass_fields__]


def made_up(seed: int, days: int = 12, number: int = 80) -> Rows:
    """A heavy-tailed, returning crowd."""
    random = np.random.default_rng(seed)
    rate, share = np.minimum(random.pareto(1.3, number) * 0.3, 20), random.beta(0.5, 2.0, number)
    table: Rows = []
    for day in range(days):
        n = random.poisson(rate)
        k = random.binomial(n, share)
        table += [(day, f"a{index}", int(n[index]), int(k[index])) for index in np.flatnonzero(n)]
        table.append((day, None, 5, 2))
    return table


def jackknife(n: np.ndarray, k: np.ndarray) -> float:
    """Leaving out one author after the other, in plain Python."""
    share, m = k.sum() / n.sum(), n.size
    without = [(k.sum() - k[i]) / (n.sum() - n[i]) for i in range(m)]
    return float((m - 1) / m * sum((value - share) ** 2 for value in without) / (share * (1 - share) / n.sum()))


def by_correlation(n: np.ndarray, k: np.ndarray, squares: np.ndarray) -> float:
    """1 + r (B - 1), in plain Python."""
    share = k.sum() / n.sum()
    each = share * (1 - share)
    several = [(ni, ki, si) for ni, ki, si in zip(n, k, squares, strict=True) if ni * ni - si > 1e-6]
    beyond = sum(((ki - share * ni) ** 2 - each * si) / ni ** (1 / 3) for ni, ki, si in several)
    room = sum(each * (ni * ni - si) / ni ** (1 / 3) for ni, _, si in several)
    return float(1 + beyond / room * ((n * n).sum() / squares.sum() - 1))


def test_the_definition() -> None:
    """The jackknife where it is larger, the correlation of all authors where that is; copies are as many authors."""
    n, k = np.array([5.0, 1, 1, 8, 2]), np.array([5.0, 0, 1, 2, 0])
    wanted = jackknife(n, k)
    assert wanted > by_correlation(n, k, n)
    assert design_effect(trials=n, matches=k) == pytest.approx(wanted, rel=1e-14)
    # the two who write most do as all do, the others are each of one mind
    n_calm, k_calm = np.array([40.0, 60, *[3] * 20]), np.array([20.0, 30, *[3, 0] * 10])
    assert jackknife(n_calm, k_calm) < by_correlation(n_calm, k_calm, n_calm)
    assert design_effect(trials=n_calm, matches=k_calm) == pytest.approx(by_correlation(n_calm, k_calm, n_calm), rel=1e-14)
    twice = design_effect(trials=np.repeat(n, 2), matches=np.repeat(k, 2))
    assert design_effect(trials=n, matches=k, copies=2.0) == pytest.approx(twice, rel=1e-14)
    # one row a study, authors without trials are none
    both = design_effect(trials=[[*n, 0.0], [1, 1, 1, 1, 0, 0]], matches=[[*k, 0.0], [1, 0, 0, 0, 0, 0]])
    np.testing.assert_allclose(both, [wanted, 4 / 3], rtol=1e-14)


def test_it_agrees_with_the_linearised_variance_where_no_author_has_much_weight() -> None:
    """Within 1 % of m / (m - 1) sum (k - p n)^2 / n^2 for 3,000 authors; never below it."""
    random = np.random.default_rng(1)
    n = random.poisson(2.0, 3000) + 1.0
    k = random.binomial(n.astype(int), random.beta(1, 9, 3000))
    share, m = k.sum() / n.sum(), n.size
    linear = m / (m - 1) * ((k - share * n) ** 2).sum() / (share * (1 - share) * n.sum())
    assert linear <= design_effect(trials=n, matches=k) <= 1.01 * linear


@pytest.mark.parametrize(("n", "k"), [([3, 4], [0, 0]), ([3, 4], [3, 4]), ([7], [3]), ([0, 0], [0, 0])])
def test_it_is_undefined_where_there_is_nothing_to_compare(n: list[int], k: list[int]) -> None:
    """No match, no other tweet, one author, nobody."""
    assert np.isnan(design_effect(trials=n, matches=k))


@pytest.mark.parametrize("gap", [5, 20, 60, 104, 160])
def test_no_share_is_less_sure_than_that_of_one_tweet(gap: int) -> None:
    """One author is left, all others have faded (after 104 days to less than a rounding): the design effect stays below n^2 / S."""
    made = rows([(0, "a", 3, 3), (0, "b", 2, 1), (gap, "robot", 100, 0)], [gap], forget=0.7)
    assert 1 < made.design_effect[0] <= 101
    assert made.effective_trials[0] >= 0.99
    still = rows([(0, "a", 3, 3), (gap, "robot", 100, 20)], [gap], forget=0.7)
    assert 1 < still.design_effect[0] <= 101


@pytest.mark.parametrize("window", [6, None])
def test_a_window_of_weighted_days(window: int | None) -> None:
    """An author's days are summed with their weights before anything is squared; the squares are of the weights."""
    table = made_up(2)
    made = rows(table, [11], forget=0.8, window=window)
    part = [(0.8 ** (11 - day), who or f"{day}-{index}", n, k) for index, (day, who, n, k) in enumerate(table) if window is None or day > 5]
    sums: dict[str, list[float]] = {}
    for weight, who, n, k in part:
        # tweets without an author are five authors of one tweet each, two of which match
        whose = [(who, n, k)] if who.startswith("a") else [(f"{who}-{i}", 1, int(i < k)) for i in range(n)]
        for name, trials, matches in whose:
            pair = sums.setdefault(name, [0.0, 0.0, 0.0])
            pair[0] += weight * trials
            pair[1] += weight * matches
            pair[2] += weight**2 * trials
    n_all, k_all, squares = np.transpose(list(sums.values()))
    effect = max(jackknife(n_all, k_all) * n_all.sum() / squares.sum(), by_correlation(n_all, k_all, squares))
    assert made.design_effect[0] == pytest.approx(effect, rel=1e-12)
    assert made.trials[0] == pytest.approx(n_all.sum(), rel=1e-12)
    assert made.matches[0] == pytest.approx(k_all.sum(), rel=1e-12)
    assert made.effective_trials[0] == made.trials[0] / made.design_effect[0]
    assert made.borrowed[0] == 0
    known = np.array([pair for name, pair in sums.items() if name.startswith("a")])
    assert made.authors[0] == len(known)
    assert made.top_weight[0] == pytest.approx(np.sort(known[:, 0])[-authors.TOP_AUTHORS :].sum() / n_all.sum(), rel=1e-12)
    others = (k_all.sum() - known[:, 1]) / (n_all.sum() - known[:, 0])
    top = np.argmax(np.abs(others - k_all.sum() / n_all.sum()))
    assert made.without_top[0] == pytest.approx(others[top], rel=1e-12)


def test_no_order_and_no_later_author_shows() -> None:
    """Bit for bit: shuffled rows, days after the row's, other rows asked for; with forgetting, a window and a cap."""
    table = made_up(3)
    for options in ({}, {"forget": 0.93}, {"window": 4, "author_cap": 3}):
        whole = rows(table, [4, 7], **options)
        shuffled = [table[index] for index in np.random.default_rng(0).permutation(len(table))]
        assert as_bytes(rows(shuffled, [4, 7], **options)) == as_bytes(whole)
        past = rows([row for row in table if row[0] <= 7], [7], **options)
        assert as_bytes(past) == [getattr(whole, name)[1:].tobytes() for name in AuthorRows.__dataclass_fields__]


def test_a_vote_an_author() -> None:
    """Everyone has one vote, split as their own tweets are, and faded by their latest day; nobody has none."""
    table: Rows = [(0, "robot", 100, 100), (0, "a", 4, 1), (1, "a", 4, 1), (1, "b", 1, 0), (1, None, 50, 50)]
    made = rows(table, [1])
    assert (made.votes[0], made.votes_for[0]) == (3, 1.25)
    faded = rows(table, [1], forget=0.5)
    assert (faded.votes[0], faded.votes_for[0]) == (2.5, 0.5 + 2 / 8 + 1 / 24 - 1 / 24)
    assert made.without_top[0] == pytest.approx(52 / 59)


def test_a_cap_limits_an_authors_day() -> None:
    """More tweets than that count as so many, in the same proportion; a day, not the window; tweets without an author are not capped."""
    table: Rows = [(0, "robot", 100, 25), (1, "robot", 8, 8), (0, "a", 3, 0), (0, None, 50, 5)]
    made = rows(table, [1], author_cap=8)
    assert made.trials[0] == 8 + 8 + 3 + 50
    assert made.matches[0] == 2 + 8 + 5


def test_tweets_without_an_author_are_independent() -> None:
    """Where X counted, nothing is known of authors: the naive posterior, up to n / (n - 1) that the rule leaves out."""
    made = rows([(0, None, 400, 40)], [0])
    assert (made.authors[0], made.design_effect[0], made.borrowed[0]) == (0, 1.0, 0.0)
    assert np.isnan(made.without_top[0])


def test_small_and_degenerate_windows_borrow() -> None:
    """The rule of author_rows: own, then the days before the window, then the typical correlation, by authors on the rarer side."""
    day: Rows = [(0, "robot", 20, 0), (0, "a", 10, 0)]
    alone = rows(day, [0])
    of_one_mind = (20**2 + 10**2) / 30
    assert alone.design_effect[0] == pytest.approx(1 + authors.TYPICAL_CORRELATION * (of_one_mind - 1), rel=1e-12)
    assert alone.borrowed[0] == 1
    # thirty authors of one mind the days before: their correlation, 1, is borrowed whole, and a third of the window's own stays
    before: Rows = [(-1 - index % 3, f"b{index}", 4, 4 * (index % 2)) for index in range(30)]
    assert rows(before + day, [0], window=1).design_effect[0] == pytest.approx(of_one_mind, rel=1e-12)
    few: Rows = [*before, *((0, f"c{index}", 2, int(index < 4)) for index in range(20))]
    own = float(design_effect(trials=np.full(20, 2.0), matches=np.arange(20) < 4))
    borrowed = rows(few, [0], window=1)
    assert borrowed.borrowed[0] == pytest.approx(1 - 4 / authors.ENOUGH_AUTHORS)
    assert borrowed.design_effect[0] == pytest.approx(1 + 0.4 * max(own - 1, 0) + 0.6 * 1.0, rel=1e-12)
    # days older than RECENT_DAYS are not asked
    old = [(when - authors.RECENT_DAYS - 1, *rest) for when, *rest in before]
    assert rows(old + day, [0], window=1).design_effect[0] == alone.design_effect[0]


def test_an_empty_window() -> None:
    """Nothing there is no fault: no trials, a design effect of 1, and the prior."""
    made = rows([(5, "a", 3, 1)], [0])
    assert (made.trials[0], made.authors[0], made.design_effect[0], made.effective_trials[0]) == (0, 0, 1, 0)
    assert np.isnan([made.top_weight[0], made.without_top[0]]).all()
    posterior = clustered_posterior(
        prior_alpha=2, prior_beta=3, trials=made.trials, matches=made.matches, design_effect=made.design_effect
    )  # fmt: skip
    assert [value.tolist() for value in posterior] == [[2.0], [3.0]]
    assert rows([], [0]).trials.tolist() == [0]


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        ({"matches": [1, 5]}, "5 matches of 4 trials"),
        ({"trials": [3, 4.5]}, "whole numbers"),
        ({"authors": ["a", "a"]}, "twice on one day"),
        ({"authors": [None, None]}, "twice on one day"),
        ({"authors": ["a"]}, "one a row"),
        ({"author_cap": 0}, "author_cap is 0"),
        ({"window": 0}, "window is 0"),
        ({"forget": 1.1}, "forget is 1.1"),
        ({"days": [FIRST, "NaT"]}, "calendar days"),
    ],
)
def test_what_cannot_be_is_refused(spoiled: dict[str, Any], said: str) -> None:
    """One valid call, one argument spoiled."""
    valid: dict[str, Any] = {"days": [FIRST, FIRST], "authors": ["a", "b"], "trials": [3, 4], "matches": [1, 2], "at": [FIRST]}
    assert author_rows(**valid).trials.tolist() == [7]
    with pytest.raises(InvalidCounts, match=said):
        author_rows(**(valid | spoiled))
    with pytest.raises(InvalidCounts, match="at least 1"):
        clustered_posterior(prior_alpha=1, prior_beta=1, trials=5, matches=1, design_effect=0.9)


def report(name: str, found: np.ndarray) -> float:
    """Print one line; give the coverage of clustered."""
    naive, clustered = crowds.coverage(found)
    print(f"\n{name}: 95 % intervals hold the truth in naive {naive:.1%}, clustered {clustered:.1%} of {found.shape[1]:,} worlds", end="")
    return clustered


@pytest.mark.slow
@pytest.mark.parametrize("name", crowds.CROWDS)
def test_intervals_cover_the_share_of_a_steady_world(name: str) -> None:
    """2,000 worlds each, down to 400 authors of whom some write 40 tweets a day."""
    days, crowd = crowds.CROWDS[name]
    found, weight = crowds.steady(days, 2000, **crowd)
    # of the last, the jackknife alone covers 89 %
    assert (0.925 if "400" in name else 0.935) <= report(name, found) <= 0.965
    # heavy-tailed: five authors write many times their part
    assert np.median(weight) > 25 * 5 / 4000


@pytest.mark.slow
def test_intervals_cover_a_drifting_share_with_forgetting() -> None:
    """1,250 worlds whose share drifts as the discount supposes. Where it does not drift, intervals are wider than need be: printed."""
    covered = report("forget = 0.9, drifting", crowds.drifting(1250))
    assert report("forget = 0.9, steady", crowds.drifting(500, drift=0.0)) >= covered
    assert 0.93 <= covered <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(("name", "tweets"), [("independent tweets", 1), ("authors of one mind", 4)])
def test_ranks_are_uniform_where_the_model_is_true(name: str, tweets: int) -> None:
    """Simulation-based calibration (Talts et al. 2018): shares drawn from the prior, 600 authors, 10,000 worlds, 20 bins.

    Where all tweets of an author agree, and all have as many, the scaled counts are those of the authors: the model is exact.
    """
    (naive, clustered), held = crowds.calibrated(tweets)
    print(f"\n{name}: ranks uniform, chi-square p: naive {naive:.2g}, clustered {clustered:.2g}; coverage {held}")
    assert clustered > 0.01
