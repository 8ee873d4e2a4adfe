"""Tweets come in authors: the design effect of a weighted window of days, what rests on a few authors, and the clustered posterior.

Pure functions of the counts by author and day, whatever their order. Which discount or window to take belongs to sequence.py and
forgetting.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import InvalidCounts
from pipeline.stats import beta
from pipeline.stats.author_sums import AuthorTable, Window, author_table, of_last, running
from pipeline.stats.beta import Floats
from pipeline.stats.sequence import Days, as_days, check_discount

#: So many authors on the rarer side (with a match, or with a tweet that does not match) make a window's own design effect hold
#: alone; with fewer it borrows (see `author_rows`).
ENOUGH_AUTHORS = 10
#: The days before the window that it borrows from.
RECENT_DAYS = 28
#: Two tweets of one author agree so far beyond chance where nothing else is known: the median of fourteen words on two real streams,
#: .05 for the least and 2 for what robots write (tests/test_split_halves.py prints them).
TYPICAL_CORRELATION = 0.25
#: How much less an author of many tweets counts in the correlation of all authors: by the number to this power. 0 is the jackknife's
#: own weighing, at 1 and more the busiest have hardly a say. From 1/4 to 1/2 intervals hold nearly alike (change it, and run
#: python -m benchmarks.figures --only coverage halves).
_EVENED = 1 / 3
#: How many of the busiest authors `top_weight` sums.
TOP_AUTHORS = 5


@dataclass(frozen=True)
class AuthorRows:
    """One row a day asked for, in the order asked: what the weighted window up to it says of its authors. NaN where it is empty."""

    days: Days
    #: sums of the days' counts by their weights, after the cap
    trials: Floats
    matches: Floats
    #: authors with a tweet in the window; tweets without an author are none
    authors: npt.NDArray[np.int64]
    #: at least 1: how many times wider the variance of the share is than that of as many independent tweets
    design_effect: Floats
    #: part of the correlation within authors that was borrowed: 0 none, 1 all of it
    borrowed: Floats
    #: trials / design_effect: so many independent tweets would be worth as much
    effective_trials: Floats
    #: part of the trials written by the TOP_AUTHORS busiest authors
    top_weight: Floats
    #: the share without the one author who moves it most, and the part of the variance that this author makes
    without_top: Floats
    top_influence: Floats
    #: one vote an author (the share of their own tweets that match), weighted by the author's latest day: votes, and those for a match
    votes: Floats
    votes_for: Floats


def design_effect(
    *, trials: npt.ArrayLike, matches: npt.ArrayLike, copies: npt.ArrayLike = 1.0, squares: npt.ArrayLike | None = None
) -> Floats:
    """How many times wider the variance of the share is than that of independent tweets; NaN where that is undefined.

    The larger of two. The jackknife over authors: with p_(i) the share without author i, V = (m - 1) / m sum (p_(i) - p)^2 and
    D = V / (p (1 - p) S / n^2), S being the sum of `squares`. Source: the delete-one-cluster jackknife of a ratio, Wolter,
    Introduction to Variance Estimation, 2nd ed., chapter 4; the design effect is Kish's, Survey Sampling, section 8.2. It agrees
    with the linearised m / (m - 1) sum (k_i - p n_i)^2 / n^2 to first order, and is larger where one author has much weight.

    It rests on the few who write most. Where these happen not to match, it is too small just when the share is: of worlds with
    400 heavy-tailed authors, intervals by the jackknife alone held 89 %. So D is at least what the correlation r of all authors
    amounts to, 1 + r (B - 1) with B = sum n_i^2 / S the design effect if every author were of one mind, and
    r = sum v_i ((k_i - p n_i)^2 - p (1 - p) s_i) / sum v_i p (1 - p) (n_i^2 - s_i), v_i = n_i^(-1/3), over authors of two tweets and
    more: a moment estimator with weights between those of pairs and of authors. Source: Kleinman (1973), JASA 68, for weighted moment
    estimators; Kish for D from r. Undefined with no match, no other tweet, or one author.

    No share varies more than that of one tweet, p (1 - p): so D is at most n^2 / S. Without that bound an author beside whom all others
    have faded away would make it as large as you like.

    Args:
        trials: shape (..., m): n_i of each author, weighted over the days; authors without trials are no authors.
        matches: k_i, likewise.
        copies: so many authors have these sums.
        squares: s_i of each author, the sum of weight^2 n over the days; n_i where all weights are 1.

    Raises:
        InvalidCounts: k > n, negative, or not finite.
    """
    n, k = beta.counts(trials, matches)
    number = np.asarray(copies, dtype=np.float64)
    own = n if squares is None else np.asarray(squares, dtype=np.float64)
    effect, _ = _effect(n, k, number, own)
    return effect


def clustered_posterior(
    *, prior_alpha: npt.ArrayLike, prior_beta: npt.ArrayLike, trials: npt.ArrayLike, matches: npt.ArrayLike, design_effect: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """Beta(alpha + k / D, beta + (n - k) / D): as many independent tweets as the authors' are worth.

    Source: effective sample size in a conjugate update, Ghitza and Gelman (2013), AJPS 57 (there for survey weights);
    Kish, Survey Sampling, section 8.2. With forgetting the weighted sums are those of the discounted posterior, so that D = 1
    gives `posterior_sequence`: it claims (1 - forget) of a day's variance, half of which stands for the drift.

    Raises:
        InvalidCounts: k > n, a design effect below 1, a bad prior.
    """
    effect = np.asarray(design_effect, dtype=np.float64)
    if not (np.isfinite(effect).all() and (effect >= 1).all()):
        raise InvalidCounts("a design effect is at least 1 and finite", todo="mend the call")
    n, k = beta.counts(trials, matches)
    return beta.update(prior_alpha, prior_beta, n / effect, k / effect)


def author_rows(
    *,
    days: npt.ArrayLike,
    authors: npt.ArrayLike,
    trials: npt.ArrayLike,
    matches: npt.ArrayLike,
    at: npt.ArrayLike,
    forget: float = 1.0,
    window: int | None = None,
    author_cap: int | None = None,
) -> AuthorRows:
    """What the authors of each day of `at` and of the days before it say together; an author is one, on however many days.

    Day s weighs forget^(t - s) for day t; with `window` only the last so many calendar days weigh at all.

    Where a window is small or degenerate, it borrows. Let r be the correlation within authors that its design effect amounts to,
    D = 1 + r (B - 1), with B the design effect if every author were of one mind (sum n_i^2 / sum of weight^2 n). Let s be the
    number of authors with a match, or with a tweet that does not match, whichever are fewer. With s >= ENOUGH_AUTHORS r is the
    window's own; with less it is (s own + (ENOUGH_AUTHORS - s) borrowed) / ENOUGH_AUTHORS. Borrowed is the r of the RECENT_DAYS
    before the window by the same rule, which in turn borrows TYPICAL_CORRELATION. A window that reaches back to the first day has
    none before it. r is borrowed and not D, since D grows with the number of tweets an author has in the window.

    Args:
        days: the day of each row, anything numpy takes for datetime64[D].
        authors: whose it is, text or a number, once a day; None, or a number below 0, for tweets without an author, each of which
            counts as one author.
        trials: n of that author and day, whole numbers.
        matches: k, whole numbers, k <= n.
        at: the days to give a row for.
        forget: discount a day, 0 < forget <= 1.
        window: number of days, at least 1; None for all.
        author_cap: an author's tweets of one day count as so many at most, in the proportion in which they match.

    Raises:
        InvalidCounts: k > n, negative or fractional counts, an author twice on a day, a bad discount, window or cap.
    """
    table = author_table(days=days, authors=authors, trials=trials, matches=matches, author_cap=author_cap)
    return table_rows(table, at=at, forget=forget, window=window)


def table_rows(table: AuthorTable, *, at: npt.ArrayLike, forget: float = 1.0, window: int | None = None) -> AuthorRows:
    """`author_rows` of a table made before.

    Raises:
        InvalidCounts: a bad discount or window.
    """
    check_discount(forget, window)
    wanted = as_days(at)
    if not wanted.size:
        return _gathered(wanted, [])
    distinct, places = np.unique(wanted, return_inverse=True)
    parts = running(table, distinct, forget) if window is None else (of_last(table, day, forget, window) for day in distinct)
    rows = [_row(table, day, part, window) for day, part in zip(distinct, parts, strict=True)]
    return _gathered(wanted, [rows[place] for place in places])


def _effect(n: Floats, k: Floats, copies: Floats, squares: Floats) -> tuple[Floats, Floats]:
    """The design effect, and what leaving each author out adds to the share."""
    spread = (copies * squares).sum(axis=-1)
    effect, moved = _jackknife(n, k, copies, spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        worth_one_tweet = (copies * n).sum(axis=-1) ** 2 / spread
    larger = np.fmin(np.fmax(effect, _by_correlation(n, k, copies, squares)), worth_one_tweet)
    return np.where(np.isnan(effect), np.nan, larger), moved


def _jackknife(n: Floats, k: Floats, copies: Floats, squares: Floats) -> tuple[Floats, Floats]:
    """The design effect by the jackknife, and what leaving each author out adds to the share; `squares` summed over the authors."""
    total, matched = (copies * n).sum(axis=-1, keepdims=True), (copies * k).sum(axis=-1, keepdims=True)
    number = (copies * (n > 0)).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = matched / total
        moved = (share * n - k) / (total - n)
        variance = (number - 1) / number * (copies * moved * moved).sum(axis=-1)
        all_, part = total[..., 0], share[..., 0]
        effect = variance / (part * (1 - part) * squares / all_ / all_)
    # k = n may leave 1 - p a rounding above 0
    settled = (number > 1) & (matched[..., 0] > 0) & (all_ - matched[..., 0] > 1e-9 * all_)
    return np.where(settled, effect, np.nan), moved


def _by_correlation(n: Floats, k: Floats, copies: Floats, squares: Floats) -> Floats:
    """The design effect by the correlation of all authors; NaN where nobody has two tweets."""
    share = ((copies * k).sum(axis=-1) / np.maximum((copies * n).sum(axis=-1), 1e-300))[..., np.newaxis]
    each = share * (1 - share)
    pairs = n * n - squares
    # an author's one tweet has no other to agree with (1e-9: rounding); left in, it would only say that such authors match more or less
    evened = copies * np.power(n, -_EVENED, where=pairs > 1e-9 * n * n, out=np.zeros_like(n))
    with np.errstate(divide="ignore", invalid="ignore"):
        agree = (evened * ((k - share * n) ** 2 - each * squares)).sum(axis=-1) / (evened * each * pairs).sum(axis=-1)
        of_one_mind = (copies * n * n).sum(axis=-1) / (copies * squares).sum(axis=-1)
        effect = 1 + agree * (of_one_mind - 1)
    return np.where(np.isfinite(effect), effect, np.nan)


def _correlation(part: Window, effect: float) -> tuple[float, float]:
    """The correlation within authors that a design effect amounts to, and how far it can be relied on, 0 to 1."""
    if np.isnan(effect):
        return 0.0, 0.0
    with_match = float(part.copies[part.matches > 0].sum())
    with_other = float(part.copies[part.trials - part.matches > 1e-9 * part.trials].sum())
    room = _of_one_mind(part) - 1
    own = max(effect - 1, 0.0) / room if room > 1e-9 else 0.0
    return own, min(min(with_match, with_other) / ENOUGH_AUTHORS, 1.0)


def _of_one_mind(part: Window) -> float:
    squares = float((part.copies * part.squares).sum())
    return float((part.copies * part.trials * part.trials).sum()) / squares if squares > 0 else 1.0


def _measured(part: Window) -> tuple[float, Floats]:
    """The design effect, and what leaving each author out adds to the share."""
    effect, moved = _effect(part.trials, part.matches, part.copies, part.squares)
    return float(effect), moved


def _row(table: AuthorTable, day: np.datetime64, part: Window, window: int | None) -> dict[str, float]:
    total, matched = float((part.copies * part.trials).sum()), float((part.copies * part.matches).sum())
    authors = part.latest.size
    measured, moved = _measured(part)
    own, sure = _correlation(part, measured)
    if sure < 1:
        recent, known = 0.0, 0.0
        if window is not None:
            before = of_last(table, day - np.timedelta64(window, "D"), 1.0, RECENT_DAYS)
            recent, known = _correlation(before, _measured(before)[0])
        own = sure * own + (1 - sure) * (known * min(recent, 1.0) + (1 - known) * TYPICAL_CORRELATION)
    # where all tweets are without an author they are as many authors, but for the rounding of their weights
    effect = 1 + own * max(_of_one_mind(part) - 1, 0.0) if authors else 1.0
    row = {"trials": total, "matches": matched, "authors": authors, "design_effect": effect, "borrowed": 1 - sure}
    row |= {"effective_trials": total / effect, "top_weight": np.nan, "without_top": np.nan, "top_influence": np.nan}
    n, k = part.trials[:authors], part.matches[:authors]
    if authors:
        busiest = np.partition(n, -TOP_AUTHORS)[-TOP_AUTHORS:] if authors > TOP_AUTHORS else n
        row["top_weight"] = float(np.sort(busiest).sum()) / total
        squared = part.copies * moved * moved
        top = int(np.argmax(np.abs(moved[:authors])))
        if total > n[top]:
            row["without_top"] = min(max((matched - k[top]) / (total - n[top]), 0.0), 1.0)
            row["top_influence"] = float(squared[top] / squared.sum()) if squared.sum() > 0 else np.nan
    return row | {"votes": float(part.latest.sum()), "votes_for": float((part.latest * (k / n)).sum())}


def _gathered(days: Days, rows: list[dict[str, float]]) -> AuthorRows:
    def column(name: str) -> Floats:
        return np.array([row[name] for row in rows], dtype=np.float64)

    return AuthorRows(
        days=days,
        trials=column("trials"),
        matches=column("matches"),
        authors=column("authors").astype(np.int64),
        design_effect=column("design_effect"),
        borrowed=column("borrowed"),
        effective_trials=column("effective_trials"),
        top_weight=column("top_weight"),
        without_top=column("without_top"),
        top_influence=column("top_influence"),
        votes=column("votes"),
        votes_for=column("votes_for"),
    )
