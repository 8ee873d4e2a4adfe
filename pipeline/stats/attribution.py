"""Why a share moved: the same authors changed, other authors, the mix of places, coverage, the rule's version, the prior.

Parts of one difference, which they add up to. Whether it is worth an alarm is alarms.py's question, whether it is chance compare.py's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import InvalidCounts
from pipeline.stats import beta
from pipeline.stats.beta import Floats


@dataclass(frozen=True)
class Cells:
    """One side of the comparison: one row an author and place (and hour, where some hours are comparable and others not)."""

    #: who wrote, as text; "" where nobody knows
    authors: npt.NDArray[np.str_]
    #: where, as text: a place, or a kind of evidence
    places: npt.NDArray[np.str_]
    #: n and k, discounted like the posterior where several days make one side
    trials: Floats
    matches: Floats
    #: whether that part of the day was observed on both sides
    comparable: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Attribution:
    """Why a share went from `before` to `after`: seven numbers on its own scale, of which six add up to the seventh."""

    before: float
    after: float
    #: authors seen on both sides match more or less often, or write more or less
    same_authors: float
    #: who wrote on one side alone
    other_authors: float
    #: tweets came from other places
    place_mix: float
    #: hours that only one side observed
    coverage: float
    #: the same tweets by another rule
    rule_version: float
    #: the pull of the prior, which weakens as tweets come in; 0 where plain shares are compared
    prior: float

    @property
    def change(self) -> float:
        """What there is to explain."""
        return self.after - self.before

    @property
    def parts(self) -> dict[str, float]:
        """The parts by name, the largest first."""
        names = ("same_authors", "other_authors", "place_mix", "coverage", "rule_version", "prior")
        return dict(sorted(((name, getattr(self, name)) for name in names), key=lambda part: (-abs(part[1]), part[0])))


def cells(
    *,
    authors: npt.ArrayLike,
    places: npt.ArrayLike,
    trials: npt.ArrayLike,
    matches: npt.ArrayLike,
    comparable: npt.ArrayLike = True,
) -> Cells:
    """One side's counts, checked. Rows in any order; the same author and place may have several.

    Raises:
        InvalidCounts: k > n, negative or not finite counts, columns of different lengths.
    """
    n, k = (np.atleast_1d(values) for values in beta.counts(trials, matches))
    who, where = np.atleast_1d(np.asarray(authors, dtype=np.str_)), np.atleast_1d(np.asarray(places, dtype=np.str_))
    if not who.shape == where.shape == n.shape or n.ndim != 1:
        raise InvalidCounts(f"{who.size} authors, {where.size} places, {n.size} counts; wanted is one of each a row", todo="mend the call")
    both = np.broadcast_to(np.asarray(comparable, dtype=np.bool_), n.shape)
    return Cells(who, where, n, k, both)


def attribute(
    *,
    before: Cells,
    after: Cells,
    matches_by_old_rule: npt.ArrayLike | None = None,
    published: tuple[float, float] | None = None,
) -> Attribution:
    """Split a change of the share into parts, in this order; each step leaves the rest to the next.

    1. prior: the change of the published means less that of the plain shares p = sum k / sum n (0 without `published`).
    2. rule version: p after by the new rule less p after by the old one, on the same tweets.
    3. coverage: what remains less the change over the part of the day that both sides observed. Where they have no part in common that
       holds tweets, all of what remains.
    4. place mix: sum over places of (w1 - w0) (p0 + p1) / 2, w being a place's share of the tweets; the difference within places is
       the sum of (w0 + w1) / 2 (p1 - p0). Symmetric, so that the way back is the same with the sign turned.
    5. same and other authors: the same once more within each place, with two groups, authors seen on both sides and the others; what
       their mix does is other authors' part. Who is not known counts as other.
    A place or group that has tweets on one side alone had, by this account, the same share on the other: all it does is mix.
    Source: Kitagawa (1955), Components of a difference between two rates, JASA 50, 1168-1194; steps 4 and 5 nest it.

    Rows are sorted before they are summed, or summed exactly: so their order never shows.

    Args:
        before, after: the two sides, from `cells`.
        matches_by_old_rule: k of `after`, row by row, by the rule of `before`; None where the rule is the same.
        published: the published means of the two sides; then these are explained.

    Raises:
        InvalidCounts: a side without tweets and no `published`; more matches by the old rule than trials.
    """
    old_rule = after if matches_by_old_rule is None else _by_old_rule(after, matches_by_old_rule)
    share_before, share_after, share_old_rule = _share(before), _share(after), _share(old_rule)
    if math.isnan(share_before) or math.isnan(share_after):
        if published is None:
            raise InvalidCounts("one side has no tweets; wanted are two shares to compare", todo="compare days that have tweets")
        first, second = published
        return Attribution(first, second, 0.0, 0.0, 0.0, 0.0, 0.0, second - first)
    first, second = published or (share_before, share_after)
    change = share_old_rule - share_before
    common_before, common_after = _part(before, before.comparable), _part(old_rule, old_rule.comparable)
    common_change = _share(common_after) - _share(common_before)
    mix, same, other = (0.0, 0.0, 0.0) if math.isnan(common_change) else _places(common_before, common_after)
    return Attribution(
        before=first,
        after=second,
        same_authors=same,
        other_authors=other,
        place_mix=mix,
        coverage=change if math.isnan(common_change) else change - common_change,
        rule_version=share_after - share_old_rule,
        prior=math.fsum([second, -first, -share_after, share_before]),
    )


def _by_old_rule(after: Cells, matches: npt.ArrayLike) -> Cells:
    return cells(authors=after.authors, places=after.places, trials=after.trials, matches=matches, comparable=after.comparable)


def _part(side: Cells, rows: npt.NDArray[np.bool_]) -> Cells:
    return Cells(side.authors[rows], side.places[rows], side.trials[rows], side.matches[rows], side.comparable[rows])


def _share(side: Cells) -> float:
    """sum k / sum n; NaN without tweets."""
    total = math.fsum(side.trials.tolist())
    return math.fsum(side.matches.tolist()) / total if total else math.nan


def _places(before: Cells, after: Cells) -> tuple[float, float, float]:
    """Place mix, same authors, other authors: they add up to the difference of the two shares."""
    places = np.unique(np.concatenate([before.places, after.places]))
    returning = np.intersect1d(before.authors[before.trials > 0], after.authors[after.trials > 0])
    sums = np.array([_sums(side, places, returning[returning != ""]) for side in (before, after)])
    place_mix, within_places = _kitagawa(sums.sum(axis=2))
    same, other = [], []
    for (weight, _), groups in zip(within_places, sums.transpose(1, 0, 2, 3), strict=True):
        # a place with tweets on one side alone has no difference, and so none by its authors
        if groups[:, :, 0].sum(axis=1).all():
            author_mix, ((weight_same, change_same), (weight_other, change_other)) = _kitagawa(groups)
            same.append(weight * weight_same * change_same)
            other.append(weight * (weight_other * change_other + author_mix))
    return place_mix, math.fsum(same), math.fsum(other)


def _sums(side: Cells, places: npt.NDArray[np.str_], returning: npt.NDArray[np.str_]) -> Floats:
    """n and k by place and by whether the author is on both sides: shape (places, 2, 2)."""
    group = 2 * np.searchsorted(places, side.places) + ~np.isin(side.authors, returning)
    order = np.lexsort((side.matches, side.trials, group))
    sums = np.zeros((2 * places.size, 2))
    if order.size:
        present, starts = np.unique(group[order], return_index=True)
        sums[present] = np.add.reduceat(np.stack([side.trials, side.matches], axis=1)[order], starts, axis=0)
    return sums.reshape(places.size, 2, 2)


def _kitagawa(sums: Floats) -> tuple[float, list[tuple[float, float]]]:
    """Of n and k by side and group, shape (2, groups, 2): the part of the mix; and of each group the mean weight and the difference.

    The mix and the sum of weight times difference add up to the difference of the two shares.
    """
    trials, matches = sums[:, :, 0], sums[:, :, 1]
    weights = trials / trials.sum(axis=1, keepdims=True)
    shares = np.divide(matches, trials, out=np.full(trials.shape, np.nan), where=trials > 0)
    # a group that is missing on one side has the share of the other; one that is missing on both has no weight
    shares = np.nan_to_num(np.where(np.isnan(shares), shares[::-1], shares), nan=0.0)
    mix = math.fsum(((weights[1] - weights[0]) * shares.mean(axis=0)).tolist())
    return mix, list(zip(weights.mean(axis=0).tolist(), (shares[1] - shares[0]).tolist(), strict=True))
