"""One posterior against a threshold, and two against each other: P(p > t), P(p_A > p_B), the interval of p_A - p_B.

Two studies of one area share authors, and so do two periods of one study: `sharing` tells how much that binds the two together.
What moved a share is attribution.py's question.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import InvalidCounts
from pipeline.stats import beta
from pipeline.stats.beta import Floats

#: Normal scores beyond which nothing that matters lies (mass 1e-17), and the correlation above which two shares count as one.
_FARTHEST, _ONE_AND_THE_SAME = 8.5, 1 - 1e-9
#: Panels are halved until halves and whole agree so well, at most so often.
_AGREE, _ROUNDS = 1e-13, 40
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


@dataclass(frozen=True)
class Sharing:
    """How strongly the authors that two counts share bind their shares together."""

    #: of the two estimated shares; None where it cannot be known
    correlation: float | None
    #: authors on either side, and on both
    authors: int
    shared: int
    #: in words, for the page
    said: str


@dataclass(frozen=True)
class Comparison:
    """p_A against p_B."""

    #: P(p_A > p_B)
    probability: float
    #: mean of p_A - p_B, and the ends of its central interval
    mean: float
    lower: float
    upper: float
    #: the interval at the least favourable correlation, where that is not known; else None
    widest: tuple[float, float] | None
    correlation: float
    said: str


def probability_above(alpha: npt.ArrayLike, beta_: npt.ArrayLike, threshold: npt.ArrayLike) -> Floats:
    """P(p > t) = I_(1-t)(beta, alpha), of the broadcast shape.

    Source: DLMF 8.17.4.

    Raises:
        InvalidCounts: a threshold outside [0, 1], a parameter that is not positive and finite.
    """
    from scipy import special

    t = np.asarray(threshold, dtype=np.float64)
    if not np.all((t >= 0) & (t <= 1)):
        raise InvalidCounts(f"threshold is {threshold!r}; wanted is a share from 0 to 1, as 0.05", todo="mend the call")
    return np.asarray(special.betaincc(*beta.parameters(alpha, beta_), t), dtype=np.float64)


def probability_greater(*, alpha_a: float, beta_a: float, alpha_b: float, beta_b: float, correlation: float = 0.0) -> float:
    """P(p_A > p_B), to 1e-10 for parameters from 0.05 to 1e6.

    Independent shares: the integral of pdf_B times P(p_A > x). Bound ones: see `compare`.

    Raises:
        InvalidCounts: a parameter that is not positive and finite, a correlation outside (-1, 1).
    """
    return _exceeds(_Pair(alpha_a, beta_a, alpha_b, beta_b, correlation), 0.0)


def compare(
    *, alpha_a: float, beta_a: float, alpha_b: float, beta_b: float, level: float = 0.95, sharing: Sharing | None = None
) -> Comparison:
    """P(p_A > p_B), and the central interval of p_A - p_B.

    Both posteriors stay the Beta distributions that are published. What binds them is their correlation, as a Gaussian copula: p_A is
    the quantile function of A at Phi(u), p_B that of B at Phi(v), where u and v are standard normal with that correlation. For
    correlation 0 that is plain independence; for many tweets it is the bivariate normal of the linearised ratio estimators.
    All is one integral over v, by Gauss-Legendre panels that are halved until nothing changes (1e-13); the ends are roots of it.
    Source: Nelsen, An Introduction to Copulas, section 2.3; facts/statistics.md for the quadrature.

    Args:
        alpha_a, beta_a, alpha_b, beta_b: the two posteriors, each with its own design effect already in it.
        level: mass of the interval, in (0, 1).
        sharing: from `sharing`; None says that the two have nothing in common, as studies of two cities.

    Raises:
        InvalidCounts: a parameter that is not positive and finite, a level outside (0, 1).
    """
    beta.central_interval(1, 1, level)
    bound = sharing or Sharing(0.0, 0, 0, "taken as independent")
    correlation = bound.correlation or 0.0
    pair = _Pair(alpha_a, beta_a, alpha_b, beta_b, max(-_ONE_AND_THE_SAME, min(correlation, _ONE_AND_THE_SAME)))
    mean = float(beta.mean(alpha_a, beta_a) - beta.mean(alpha_b, beta_b))
    tail = (1 - level) / 2
    lower, upper = (_difference_quantile(pair, above) for above in (1 - tail, tail))
    widest = _widest(pair, tail) if bound.correlation is None else None
    return Comparison(_exceeds(pair, 0.0), mean, lower, upper, widest, correlation, bound.said)


def sharing(
    *,
    trials_a: npt.ArrayLike | None,
    matches_a: npt.ArrayLike | None,
    trials_b: npt.ArrayLike | None,
    matches_b: npt.ArrayLike | None,
    prior_weight_a: float = 0.0,
    prior_weight_b: float = 0.0,
) -> Sharing:
    """The correlation of two shares whose tweets come, in part, from the same authors.

    With p = sum k_i / sum n_i the ratio estimator moves with author i by r_i = (k_i - p n_i) / sum n. So Var(p_A) is m / (m - 1) times
    sum r_Ai^2, and the covariance is the same with r_Ai r_Bi: the variance of the difference is Var_A + Var_B - 2 Cov. Source:
    Cochran, Sampling Techniques, 3rd ed., sections 2.11 and 6.8 (the factor m / (m - 1) cancels in the correlation); it is the
    variance of the design effect in facts/statistics.md for two shares at once.
    A prior, which no author has a part in, loosens the bond: for normal errors by 1 / sqrt((1 + c_A (1 - r^2)) (1 + c_B (1 - r^2))),
    c being the prior's strength by the effective number of tweets.

    Args:
        trials_a, matches_a: n and k of A by author, discounted like the posterior; row i of all four arrays is one author, who has 0
            where he did not write; tweets of no known author are left out. None: the authors of A are not known.
        trials_b, matches_b: the same of B.
        prior_weight_a: (prior alpha + beta) / effective n of A; 0 for a prior that has no say.
        prior_weight_b: the same of B.

    Raises:
        InvalidCounts: k > n, negative or not finite counts, arrays of different lengths.
    """
    if trials_a is None or matches_a is None or trials_b is None or matches_b is None:
        said = (
            "who wrote is not known, so tweets of the same authors cannot be told: taken as independent, and wrong where authors are shared"
        )
        return Sharing(None, 0, 0, said)
    n_a, k_a = (np.atleast_1d(values) for values in beta.counts(trials_a, matches_a))
    n_b, k_b = (np.atleast_1d(values) for values in beta.counts(trials_b, matches_b))
    if n_a.ndim != 1 or n_a.shape != n_b.shape:
        raise InvalidCounts(
            f"{n_a.size} authors of A and {n_b.size} of B; wanted is one row an author on both sides",
            todo="give 0 trials to who did not write",
        )
    both = int(((n_a > 0) & (n_b > 0)).sum())
    present = int(((n_a > 0) | (n_b > 0)).sum())
    if not both:
        return Sharing(0.0, present, 0, f"none of {present} authors wrote on both sides: independent")
    influence_a, influence_b = _influence(n_a, k_a), _influence(n_b, k_b)
    spread = math.sqrt(_dot(influence_a, influence_a) * _dot(influence_b, influence_b))
    if not spread:
        said = f"{both} of {present} authors wrote on both sides, but one side has no author who differs: taken as independent"
        return Sharing(None, present, both, said)
    plain = max(-1.0, min(1.0, _dot(influence_a, influence_b) / spread))
    loose = 1 - plain**2
    correlation = plain / math.sqrt((1 + prior_weight_a * loose) * (1 + prior_weight_b * loose))
    if abs(correlation) > _ONE_AND_THE_SAME:
        how = "as one" if correlation > 0 else "against each other, as a thing and its opposite"
        return Sharing(math.copysign(1.0, correlation), present, both, f"the same tweets of the same {both} authors: the two move {how}")
    said = f"{both} of {present} authors wrote on both sides: correlation {correlation:.2f}"
    return Sharing(correlation, present, both, said)


def _influence(trials: Floats, matches: Floats) -> Floats:
    """How far each author moves the share: (k_i - p n_i) / sum n."""
    total = math.fsum(trials.tolist())
    if not total:
        return np.zeros(trials.shape)
    share = math.fsum(matches.tolist()) / total
    return np.asarray((matches - share * trials) / total, dtype=np.float64)


def _dot(one: Floats, other: Floats) -> float:
    # exact, so that the order of authors never shows
    return math.fsum((one * other).tolist())


@dataclass(frozen=True)
class _Pair:
    """Two Betas and the correlation of their normal scores."""

    alpha_a: float
    beta_a: float
    alpha_b: float
    beta_b: float
    correlation: float = 0.0

    def __post_init__(self) -> None:
        beta.parameters(self.alpha_a, self.beta_a)
        beta.parameters(self.alpha_b, self.beta_b)
        if not -1 < self.correlation < 1:
            raise InvalidCounts(f"correlation is {self.correlation}; wanted is a number between -1 and 1", todo="mend the call")


def _exceeds(pair: _Pair, difference: float) -> float:
    """P(p_A - p_B > difference): the integral over the score v of B of phi(v) times P(p_A > p_B(v) + difference, given v)."""
    from scipy import special

    loose = math.sqrt((1 - pair.correlation) * (1 + pair.correlation))

    def integrand(v: Floats) -> Floats:
        x, rest = _share_at(pair.alpha_b, pair.beta_b, v)
        # x + d and 1 - x - d, of which the smaller one must keep its digits
        y, other = x + difference, rest - difference
        score = _score_of(pair.alpha_a, pair.beta_a, y, other)
        with np.errstate(invalid="ignore", over="ignore"):
            given = special.ndtr((pair.correlation * v - score) / loose)
        return np.asarray(np.exp(-v * v / 2) / math.sqrt(2 * math.pi) * given, dtype=np.float64)

    chance = _integral(integrand, _edges(pair, difference, loose))
    if math.isnan(chance):  # max(0.0, nan) is 0.0, which would be believed
        raise InvalidCounts(f"P(p_A - p_B > {difference}) of {pair} cannot be computed", todo="report these numbers to geobeta")
    return min(1.0, max(0.0, chance))


def _share_at(alpha: float, beta_: float, score: Floats) -> tuple[Floats, Floats]:
    """The quantile x at Phi(score), and 1 - x; the smaller one of the two to all its digits."""
    from scipy import special

    x, rest = np.empty(score.shape), np.empty(score.shape)
    below = score < 0
    x[below] = _quantile(alpha, beta_, special.ndtr(score[below]))
    x[~below] = _quantile_from_above(alpha, beta_, special.ndtr(-score[~below]))
    high = x > 0.5
    rest[~high] = 1 - x[~high]
    for part, mirrored, mass in ((high & below, _quantile_from_above, score), (high & ~below, _quantile, -score)):
        rest[part] = mirrored(beta_, alpha, special.ndtr(mass[part]))
    x[high] = 1 - rest[high]
    return x, rest


def _quantile(alpha: float, beta_: float, mass: Floats) -> Floats:
    """Where I_x(alpha, beta) is `mass`. scipy 1.17 gives NaN for alpha just above 1, beta < 1 and a mass below 6e-17."""
    from scipy import special

    x = np.asarray(special.betaincinv(alpha, beta_, mass), dtype=np.float64)
    # so far out the series of I_x, DLMF 8.17.7, is its first term: x^alpha / (alpha B(alpha, beta))
    with np.errstate(divide="ignore"):
        first = np.exp((np.log(mass) + math.log(alpha) + special.betaln(alpha, beta_)) / alpha)
    return np.where(np.isnan(x), first, x)


def _quantile_from_above(alpha: float, beta_: float, mass: Floats) -> Floats:
    """Where 1 - I_x(alpha, beta) is `mass`."""
    from scipy import special

    x = np.asarray(special.betainccinv(alpha, beta_, mass), dtype=np.float64)
    return np.where(np.isnan(x), 1 - _quantile(beta_, alpha, mass), x)


def _score_of(alpha: float, beta_: float, x: Floats, rest: Floats) -> Floats:
    """The normal score of a share x = 1 - rest: minus infinity at 0 and below, infinity at 1 and above."""
    from scipy import special

    score, low = np.empty(x.shape), x < rest
    score[low] = special.ndtri(special.betainc(alpha, beta_, np.maximum(x[low], 0.0)))
    score[~low] = -special.ndtri(special.betainc(beta_, alpha, np.maximum(rest[~low], 0.0)))
    return score


def _edges(pair: _Pair, difference: float, loose: float) -> list[float]:
    """Where panels begin: so that no step of the integrand falls between the nodes of the first panels.

    Steps are where p_A's scores -8 to 8 are met, and where p_B + difference leaves [0, 1].
    """
    scores = np.array([-8.0, -4.0, -2.0, 0.0, 2.0, 4.0, 8.0])
    x, rest = _share_at(pair.alpha_a, pair.beta_a, scores)
    x, rest = np.append(x, [0.0, 1.0]), np.append(rest, [1.0, 0.0])
    met = _score_of(pair.alpha_b, pair.beta_b, x - difference, rest + difference)
    inner = sorted({float(v) for v in [*met, *scores] if abs(v) < _FARTHEST})
    # with a strong bond the step is as sharp as `loose` about the crossing: panels near it start as narrow
    widths = (loose, 8 * loose) if loose < 0.3 else ()
    sharp = [float(v) + side * width for v in met for side in (-1, 1) for width in widths]
    return sorted({-_FARTHEST, *inner, *(v for v in sharp if abs(v) < _FARTHEST), _FARTHEST})


def _integral(function: Callable[[Floats], Floats], edges: list[float]) -> float:
    """Gauss-Legendre with 20 nodes a panel; panels are halved until both halves together give what the whole gave.

    Source: Davis and Rabinowitz, Methods of Numerical Integration, 2nd ed., section 6.2.
    """
    lower, upper = np.array(edges[:-1]), np.array(edges[1:])
    whole = _panels(function, lower, upper)
    settled: list[float] = []
    for _ in range(_ROUNDS):
        middle = (lower + upper) / 2
        left, right = _panels(function, lower, middle), _panels(function, middle, upper)
        open_ = np.abs(left + right - whole) > _AGREE
        settled += (left + right)[~open_].tolist()
        lower, upper = np.concatenate([lower[open_], middle[open_]]), np.concatenate([middle[open_], upper[open_]])
        whole = np.concatenate([left[open_], right[open_]])
        if not whole.size:
            break
    return math.fsum([*settled, *whole.tolist()])


def _panels(function: Callable[[Floats], Floats], lower: Floats, upper: Floats) -> Floats:
    half = (upper - lower) / 2
    nodes = (lower + half)[:, None] + half[:, None] * _NODES
    return np.asarray((function(nodes) * _WEIGHTS).sum(axis=1) * half, dtype=np.float64)


def _difference_quantile(pair: _Pair, above: float) -> float:
    """The d with P(p_A - p_B > d) = above, in (-1, 1): a root by Brent's method, sought near the mean first."""
    from scipy import optimize

    a, b = (pair.alpha_a, pair.beta_a), (pair.alpha_b, pair.beta_b)
    mean, spread = float(beta.mean(*a) - beta.mean(*b)), math.sqrt(float(beta.variance(*a) + beta.variance(*b)))

    def excess(difference: float) -> float:
        return _exceeds(pair, difference) - above

    low, high = max(-1.0, mean - 4 * spread), min(1.0, mean + 4 * spread)
    low = low if excess(low) > 0 else -1.0
    high = high if excess(high) < 0 else 1.0
    found: float = optimize.brentq(excess, low, high, xtol=1e-12, rtol=1e-12)
    return found


def _widest(pair: _Pair, tail: float) -> tuple[float, float]:
    """The central interval of the difference where p_A is high exactly when p_B is low: Q_A(u) - Q_B(1 - u), u uniform, rises with u."""
    low_a, high_a = beta.central_interval(pair.alpha_a, pair.beta_a, 1 - 2 * tail)
    low_b, high_b = beta.central_interval(pair.alpha_b, pair.beta_b, 1 - 2 * tail)
    return float(low_a - high_b), float(high_a - low_b)
