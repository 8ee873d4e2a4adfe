"""What is published of a study, each column against a small computation of its own."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pipeline import estimates
from pipeline.estimates import Effective, Priors
from pipeline.schema import BASES
from pipeline.stats import authors, pooling
from tests.counted_days import Day, day, make_counts, make_method, one, publish

#: Three days of a few authors: one who writes a lot and always matches, some who come back, a tweet without an author, and a gap.
SMALL: dict[int, Day] = {
    1: {"robot": (20, 20), "ana": (3, 1), "bea": (2, 0), **{f"x{i}": (1, i % 2) for i in range(8)}},
    2: {"robot": (10, 10), "ana": (2, 2), None: (3, 1), **{f"y{i}": (2, i % 3) for i in range(9)}},
    4: {"robot": (15, 15), "bea": (4, 1), "cai": (1, 1), **{f"x{i}": (2, i % 2) for i in range(14)}},
}


def weighted(days: dict[int, Day], number: int, *, forget: float = 1.0, window: int = 10_000) -> dict[str, tuple[float, float]]:
    """Sums by author of the days that weigh; each tweet without an author is by an author of its own."""
    sums: dict[str, tuple[float, float]] = {}
    for when, counted in days.items():
        if number - window < when <= number:
            weight = forget ** (number - when)
            for name, (n, k) in counted.items():
                if name is None:
                    sums |= {f"nobody-{when}-{i}": (weight, weight * (i < k)) for i in range(n)}
                else:
                    before = sums.get(name, (0.0, 0.0))
                    sums[name] = (before[0] + weight * n, before[1] + weight * k)
    return sums


def squares(days: dict[int, Day], number: int, forget: float) -> list[float]:
    """Sum of weight^2 n of each author of `weighted`, in its order."""
    return [n for n, _ in weighted(days, number, forget=forget * forget).values()]


def beta_binomial(alpha: float, beta: float, n: int, effect: float) -> Any:
    """The distribution of a day's matches: two tweets agree because the share is uncertain, and because they may be of one author."""
    total = alpha + beta
    r = 1 / (total + 1) + total / (total + 1) * (effect - 1) / (n - 1)
    strength = 1 / r - 1
    return stats.betabinom(n, alpha / total * strength, beta / total * strength)


@pytest.mark.parametrize("forget", [1.0, 0.9])
def test_the_headline_is_the_clustered_estimate(forget: float) -> None:
    """Beta(prior + k / D, prior + (n - k) / D), D of the authors' weighted sums; its intervals are a Beta's."""
    method = make_method(prior_alpha=2.0, prior_beta=6.0, forget=forget)
    row = one(method, SMALL, 4)
    n, k = np.transpose(list(weighted(SMALL, 4, forget=forget).values()))
    effect = float(authors.design_effect(trials=n, matches=k, squares=squares(SMALL, 4, forget)))
    assert row["design_effect"] == pytest.approx(effect, rel=1e-12)
    assert effect > 3
    assert row["borrowed"] == 0
    assert row["effective_trials"] == pytest.approx(n.sum() / effect, rel=1e-12)
    assert row["effective_matches"] == pytest.approx(k.sum() / effect, rel=1e-12)
    assert (row["alpha"], row["beta"]) == (2 + row["effective_matches"], 6 + (row["effective_trials"] - row["effective_matches"]))
    assert row["mean"] == row["alpha"] / (row["alpha"] + row["beta"])
    told = stats.beta(row["alpha"], row["beta"])
    for level in (50, 95):
        ends = row[f"lower_{level}"], row[f"upper_{level}"]
        assert ends == pytest.approx(told.interval(level / 100), rel=1e-9)
        shortest = row[f"hdi_lower_{level}"], row[f"hdi_upper_{level}"]
        assert told.cdf(shortest[1]) - told.cdf(shortest[0]) == pytest.approx(level / 100, abs=1e-9)
        assert shortest[1] - shortest[0] <= ends[1] - ends[0]


@pytest.mark.parametrize("forget", [1.0, 0.9])
def test_the_naive_estimate_counts_every_tweet(forget: float) -> None:
    """Beta(prior + k, prior + n - k), faded; narrower than the headline, which knows of the robot."""
    row = one(make_method(prior_alpha=2.0, prior_beta=6.0, forget=forget), SMALL, 4)
    k = sum(forget ** (4 - when) * pair[1] for when, counted in SMALL.items() for pair in counted.values())
    n = sum(forget ** (4 - when) * pair[0] for when, counted in SMALL.items() for pair in counted.values())
    assert (row["naive_alpha"], row["naive_beta"]) == pytest.approx((2 + k, 6 + n - k), rel=1e-13)
    assert row["naive_mean"] == row["naive_alpha"] / (row["naive_alpha"] + row["naive_beta"])
    ends = stats.beta(2 + k, 6 + n - k).interval(0.95)
    assert (row["naive_lower_95"], row["naive_upper_95"]) == pytest.approx(ends, rel=1e-9)
    assert row["naive_upper_95"] - row["naive_lower_95"] < 0.7 * (row["upper_95"] - row["lower_95"])


@pytest.mark.parametrize("forget", [1.0, 0.9])
def test_the_share_of_authors_is_one_vote_each(forget: float) -> None:
    """Each author's own share, weighted by their latest day; tweets without an author have no vote; the prior is flat."""
    row = one(make_method(prior_alpha=2.0, prior_beta=60.0, forget=forget), SMALL, 4)
    sums = {name: pair for name, pair in weighted(SMALL, 4, forget=forget).items() if not name.startswith("nobody")}
    vote = {name: max(forget ** (4 - when) for when, counted in SMALL.items() if name in counted) for name in sums}
    votes, votes_for = sum(vote.values()), sum(vote[name] * k / n for name, (n, k) in sums.items())
    assert row["authors"] == len(sums)
    assert row["per_author_votes"] == pytest.approx(votes, rel=1e-13)
    assert row["per_author_mean"] == pytest.approx((1 + votes_for) / (2 + votes), rel=1e-13)
    ends = stats.beta(1 + votes_for, 1 + votes - votes_for).interval(0.95)
    assert (row["per_author_lower_95"], row["per_author_upper_95"]) == pytest.approx(ends, rel=1e-9)


def test_what_rests_on_a_few_authors() -> None:
    """The five busiest authors' part of the tweets; the share without the one who moves it most, and that one's part of the variance."""
    row = one(make_method(), SMALL, 4)
    sums = weighted(SMALL, 4)
    n, k = sum(pair[0] for pair in sums.values()), sum(pair[1] for pair in sums.values())
    busiest = sorted((pair[0] for name, pair in sums.items() if not name.startswith("nobody")), reverse=True)
    assert row["top_weight"] == pytest.approx(sum(busiest[:5]) / n, rel=1e-13)
    moved = {name: (k - pair[1]) / (n - pair[0]) - k / n for name, pair in sums.items()}
    assert max(moved, key=lambda name: abs(moved[name])) == "robot"
    assert row["without_top"] == pytest.approx((k - 45) / (n - 45), rel=1e-13)
    assert row["top_influence"] == pytest.approx(moved["robot"] ** 2 / sum(value**2 for value in moved.values()), rel=1e-10)


def test_plain_sums_and_coverage_are_of_the_days_that_weigh() -> None:
    """Of all days without a window, of the last ones with one; missing days are those without counts, from the start or the window on."""
    about = {"coverage": {1: 0.5, 2: math.nan, 4: 0.75}, "basis": {2: "sample"}}
    row = one(make_method(), SMALL, 4, **about)
    names = ("trials", "matches", "days", "days_missing", "days_partial", "coverage", "basis", "days_sampled", "window_days")
    n = {when: [sum(pair[which] for pair in counted.values()) for which in (0, 1)] for when, counted in SMALL.items()}
    assert [row[name] for name in names] == [
        sum(x[0] for x in n.values()),
        sum(x[1] for x in n.values()),
        3,
        1,
        2,
        0.625,
        "sample",
        1,
        None,
    ]
    row = one(make_method(window=2), SMALL, 4, **about)
    assert [row[name] for name in names] == [*n[4], 1, 1, 1, 0.75, "tweets", 0, 2]
    assert one(make_method(), {1: SMALL[1]}, 1, coverage={1: math.nan})["coverage"] is None
    # the window reaches back before the start: those days are not missing
    assert one(make_method(window=28), SMALL, 4)["days_missing"] == 1


@pytest.mark.parametrize("forget", [1.0, 0.9])
def test_a_surprise_is_the_day_against_the_evening_before(forget: float) -> None:
    """The beta-binomial of the evening before, faded a day, as clustered as the day itself; half of the day's own probability counts."""
    method = make_method(prior_alpha=2.0, prior_beta=6.0, forget=forget)
    row, evening = one(method, SMALL, 4), one(method, {**SMALL, 3: {}}, 3)
    alpha, beta = (prior + forget * (evening[name] - prior) for name, prior in (("alpha", 2.0), ("beta", 6.0)))
    n, k = (sum(pair[which] for pair in SMALL[4].values()) for which in (0, 1))
    by_author = np.transpose(list(SMALL[4].values()))
    effect = float(authors.design_effect(trials=by_author[0], matches=by_author[1]))
    told = beta_binomial(alpha, beta, n, effect)
    assert row["expected_mean"] == pytest.approx(alpha / (alpha + beta), rel=1e-12)
    assert (row["expected_lower_95"], row["expected_upper_95"]) == tuple(end / n for end in told.interval(0.95))
    low, high = told.cdf(k) - told.pmf(k) / 2, told.sf(k) + told.pmf(k) / 2
    assert row["surprise"] == pytest.approx(2 * min(low, high), rel=1e-9)
    assert row["surprise_score"] == pytest.approx(stats.norm.ppf(low), rel=1e-9)
    assert row["surprise_score"] > 0, "more matches than expected"


def test_what_the_next_day_may_bring() -> None:
    """As many tweets as the median of the last days, as clustered as the median of their design effects."""
    method = make_method(forget=0.9)
    row = one(method, SMALL, 4)
    sizes = [sum(pair[0] for pair in counted.values()) for counted in SMALL.values()]
    assert row["next_trials"] == sorted(sizes)[1]
    alone = [one(method, {when: counted}, when)["design_effect"] for when, counted in SMALL.items()]
    alpha, beta = (1 + 0.9 * (row[name] - 1) for name in ("alpha", "beta"))
    told = beta_binomial(alpha, beta, row["next_trials"], float(np.median(alone)))
    ends = tuple(end / row["next_trials"] for end in told.interval(0.95))
    assert (row["next_lower_95"], row["next_upper_95"]) == pytest.approx(ends, rel=1e-12)


def test_a_first_day_is_surprising_by_the_prior_alone() -> None:
    """Nothing was said before: the prior predicts."""
    row = one(make_method(prior_alpha=1.0, prior_beta=9.0), {1: {f"a{i}": (1, int(i < 5)) for i in range(20)}}, 1)
    told = stats.betabinom(20, 1, 9)
    assert row["expected_mean"] == 0.1
    assert row["surprise"] == pytest.approx(2 * (told.sf(5) + told.pmf(5) / 2), rel=1e-10)
    assert (row["design_effect"], row["alpha"], row["beta"]) == (1.0, 6.0, 24.0)


def test_a_day_without_tweets_says_nothing_and_is_a_day() -> None:
    """The estimate stands (faded), nothing was expected, the next day is as the days before; so is a study that has none at all."""
    row, evening = one(make_method(forget=0.9), {**SMALL, 5: {}}, 5), one(make_method(forget=0.9), SMALL, 4)
    assert row["alpha"] - 1 == pytest.approx(0.9 * (evening["alpha"] - 1), rel=1e-12)
    assert row["design_effect"] == pytest.approx(evening["design_effect"], rel=1e-12)
    assert [row[name] for name in ("expected_mean", "expected_lower_95", "surprise", "surprise_score")] == [None] * 4
    assert (row["days"], row["trials"]) == (4, evening["trials"])
    none = one(make_method(prior_alpha=2.0, prior_beta=3.0), {1: {}}, 1)
    assert (none["alpha"], none["beta"], none["design_effect"], none["effective_trials"], none["authors"]) == (2, 3, 1, 0, 0)
    absent = ("per_author_mean", "top_weight", "without_top", "top_influence", "expected_mean", "next_lower_95")
    assert [none[name] for name in absent] == [None] * 6
    assert none["next_trials"] == 0


@pytest.mark.parametrize("which", [0, 1])
def test_only_matches_or_none_borrow_how_clustered_they_are(which: int) -> None:
    """Nothing can be told from them, and independent they are not."""
    row = one(make_method(), {1: {"a": (30, 30 * which), "b": (3, 3 * which)}}, 1)
    of_one_mind = (30**2 + 3**2) / 33
    assert row["borrowed"] == 1
    assert row["design_effect"] == pytest.approx(1 + authors.TYPICAL_CORRELATION * (of_one_mind - 1), rel=1e-12)
    assert 0 <= row["lower_95"] <= row["upper_95"] <= 1
    assert row["effective_matches"] == which * row["effective_trials"]


def test_a_window_with_nothing_left_is_its_own_day() -> None:
    """After a gap longer than the window yesterday's posterior is the prior, and how clustered the day is comes from before the gap."""
    days: dict[int, Day] = {**SMALL, 40: {"zoe": (4, 0), "yan": (2, 0)}}
    row = one(make_method(window=7, prior_alpha=2.0, prior_beta=8.0), days, 40)
    assert (row["trials"], row["days"], row["days_missing"]) == (6, 1, 6)
    assert row["expected_mean"] == 0.2
    assert row["borrowed"] == 1
    before = one(make_method(), SMALL, 4)
    # the days 6 to 33 hold no tweets: only the typical correlation is left
    assert row["design_effect"] == pytest.approx(1 + authors.TYPICAL_CORRELATION * ((4**2 + 2**2) / 6 - 1), rel=1e-12)
    near: dict[int, Day] = {**SMALL, 12: days[40]}
    lent = (before["design_effect"] - 1) / (sum(n * n for n, _ in weighted(SMALL, 4).values()) / before["trials"] - 1)
    row = one(make_method(window=7), near, 12)
    assert row["design_effect"] == pytest.approx(1 + min(lent, 1.0) * ((4**2 + 2**2) / 6 - 1), rel=1e-12)


def test_where_x_counted_nothing_is_said_of_authors() -> None:
    """Design effect and share of authors are null, and the headline is the naive estimate."""
    days: dict[int, Day] = {number: {None: (50 + number, 5)} for number in (1, 2, 3)}
    row = one(make_method(forget=0.9), days, 3, basis=dict.fromkeys(days, "counts"))
    for name in ("authors", "design_effect", "borrowed", "top_weight", "without_top", "top_influence"):
        assert row[name] is None
    assert [row[name] for name in row if name.startswith("per_author")] == [None] * 4
    assert (row["alpha"], row["beta"]) == pytest.approx((row["naive_alpha"], row["naive_beta"]), rel=1e-14)
    assert row["effective_trials"] == pytest.approx(53 + 0.9 * 52 + 0.81 * 51, rel=1e-14)
    assert row["surprise"] is not None
    whole = one(make_method(), days, 3, basis=dict.fromkeys(days, "counts"))
    assert (whole["alpha"], whole["beta"]) == (whole["naive_alpha"], whole["naive_beta"]) == (16.0, 142.0)


def test_tweets_without_authors_are_not_corrected() -> None:
    """An archive that names nobody: the design effect is unknown, not 1; with one name it is known."""
    row = one(make_method(), {1: {None: (40, 8)}}, 1)
    assert (row["authors"], row["design_effect"], row["per_author_mean"]) == (0, None, None)
    assert (row["alpha"], row["beta"]) == (9.0, 33.0)
    row = one(make_method(), {1: {None: (40, 8), "ana": (5, 5)}}, 1)
    assert (row["authors"], row["per_author_votes"]) == (1, 1)
    assert row["design_effect"] > 1


def test_a_cap_limits_what_counts_and_not_the_naive_estimate() -> None:
    """An author's day counts as so many tweets at most, in the headline and in what is expected; plain sums and naive stay."""
    row, plain = one(make_method(author_cap=2), SMALL, 4), one(make_method(), SMALL, 4)
    capped = {
        when: {name: (min(n, 2), k * min(n, 2) / n) if name else (n, k) for name, (n, k) in counted.items()}
        for when, counted in SMALL.items()
    }
    sums = weighted(capped, 4)  # type: ignore[arg-type]
    n, k = np.transpose(list(sums.values()))
    assert row["effective_trials"] * row["design_effect"] == pytest.approx(n.sum(), rel=1e-12)
    assert row["effective_matches"] * row["design_effect"] == pytest.approx(k.sum(), rel=1e-12)
    assert row["author_cap"] == 2
    for name in ("trials", "matches", "naive_alpha", "naive_beta", "authors"):
        assert row[name] == plain[name]
    assert row["next_trials"] == 2 + 2 + 3 + 9 * 2
    assert plain["next_trials"] == 33


def drifting(days: int = 60) -> dict[int, Day]:
    """A share that jumps in the middle, by many authors, some of whom come back."""
    random = np.random.default_rng(4)
    made: dict[int, Day] = {}
    for number in range(1, days + 1):
        who = random.choice(400, 100, replace=False)
        hits = random.random(100) < (0.1 if number <= days // 2 else 0.4)
        made[number] = {f"{name:03d}": (1, int(hit)) for name, hit in zip(who, hits, strict=True)}
    return made


def test_forgetting_by_itself_is_kept_with_its_scores() -> None:
    """It forgets nothing until the share jumps; the scores are of all candidates; the first day predicts by the prior alone."""
    counts, method = make_counts(drifting()), make_method(forget="auto")
    found = publish(method, counts, [1, 30, 60])
    assert [row["forget"] for row in found[:2]] == [1.0, 1.0]
    assert found[2]["forget"] < 1
    scores = [json.loads(row["forget_scores"]) for row in found]
    assert max(scores[2], key=scores[2].get) == f"{found[2]['forget']:g}"
    # whatever they forget, all candidates know the same of the first day: nothing
    assert len(set(scores[0].values())) == 1
    n, k = 100, int(counts.matches[0])
    assert next(iter(scores[0].values())) == pytest.approx(math.log(1 / (n + 1)), rel=1e-9)
    assert 0 <= k <= n
    set_by_hand = publish(make_method(forget=found[2]["forget"]), counts, [60])[0]
    assert (found[2]["alpha"], found[2]["beta"]) == (set_by_hand["alpha"], set_by_hand["beta"])
    assert set_by_hand["forget_scores"] is None


def test_a_surprise_is_judged_by_what_was_chosen_the_evening_before() -> None:
    """On the day on which forgetting is chosen, the prediction for it still forgot nothing."""
    counts, method = make_counts(drifting()), make_method(forget="auto")
    rows = publish(method, counts, range(30, 61))
    first = next(index for index, row in enumerate(rows) if row["forget"] < 1)
    cumulative = publish(make_method(), counts, range(30, 61))
    assert first > 0
    assert rows[first]["surprise"] == cumulative[first]["surprise"]
    assert rows[first + 1]["surprise"] != cumulative[first + 1]["surprise"]


def said(trials: float, matches: float, evenings: int = 1) -> Effective:
    """What another area says, on every evening the same."""
    return Effective(np.full(evenings, trials), np.full(evenings, matches))


@pytest.mark.parametrize("number", [1, 2, 3, 49])
def test_a_pool_learns_from_three_other_areas_or_more(number: int) -> None:
    """With less, or with areas that say nothing yet, each keeps its own prior; from how many it learnt is said."""
    random = np.random.default_rng(number)
    method, at = make_method(prior_alpha=2.0, prior_beta=3.0), np.array([day(5)], dtype="datetime64[D]")
    others = [
        said(float(n), float(n) * share) for n, share in zip(random.integers(5, 500, number), random.beta(3, 27, number), strict=True)
    ]
    silent = [said(0.0, 0.0)] * 2
    found = estimates.pooled_priors(method, at, [*others, *silent])
    wanted = pooling.pool(trials=[other.trials[0] for other in others], matches=[other.matches[0] for other in others]).prior
    if number < 3:
        assert wanted is None
        assert (found.alpha[0], found.beta[0], found.areas) == (2.0, 3.0, np.array([0]))
    else:
        assert wanted is not None
        assert (found.alpha[0], found.beta[0], found.areas) == (wanted.alpha, wanted.beta, np.array([number]))


def test_a_pooled_row_starts_from_what_was_learnt() -> None:
    """The prior of the row is the pool's, in the headline, the naive estimate and the prediction; forgetting chooses by the study's own."""
    counts = make_counts(SMALL)
    priors = Priors(np.array([3.0]), np.array([30.0]), np.array([7]))
    (row,) = publish(make_method(), counts, [4], priors)
    (set_,) = publish(make_method(prior_alpha=3.0, prior_beta=30.0), counts, [4])
    assert (row["prior_areas"], set_["prior_areas"]) == (7, None)
    assert row | {"prior_areas": None} == set_


@pytest.mark.parametrize("order", list(itertools.permutations(BASES)))
def test_of_several_bases_the_weakest_is_said(order: tuple[str, ...]) -> None:
    """X's own counts over samples over tweets, whatever day they are of."""
    days: dict[int, Day] = {number: {"a": (5, 2), "b": (4, 1)} for number in (1, 2, 3)}
    found = publish(make_method(), make_counts(days, basis=dict(zip(days, order, strict=True))), [1, 2, 3])
    assert [row["basis"] for row in found] == [max(order[:number], key=BASES.index) for number in (1, 2, 3)]
