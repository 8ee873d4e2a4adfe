"""What is believed before the first tweet, as people say it: by alpha and beta, by mean and strength, or "90 % sure: 1 % to 5 %".

Impossible wishes are refused here, with what to do. A prior learnt from other studies is pooling.py's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.errors import SettingsError
from pipeline.stats import beta
from pipeline.stats.beta import Floats

#: Below 0.05 a Beta holds nearly all of its mass at the very ends, and above 1e8 no tweets that anyone has would move it.
_LEAST, _STRONGEST = 0.05, 1e8


@dataclass(frozen=True)
class Prior:
    """Beta(alpha, beta)."""

    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        """The share expected."""
        return float(beta.mean(self.alpha, self.beta))

    @property
    def strength(self) -> float:
        """How many tweets it is worth: alpha + beta."""
        return self.alpha + self.beta


def from_parameters(*, alpha: float, beta: float) -> Prior:
    """As if alpha matches and beta others had been seen.

    Raises:
        SettingsError: one is not above 0, is below 0.05, or both are worth more than 1e8 tweets.
    """
    for name, value in (("alpha", alpha), ("beta", beta)):
        if not (math.isfinite(value) and value > 0):
            raise SettingsError(
                f"got {name} = {value}, wanted a number above 0", todo="1 and 1 say that every share is as likely as any other"
            )
    if min(alpha, beta) < _LEAST:
        raise SettingsError(
            f"got alpha = {alpha:.6g} and beta = {beta:.6g}, wanted both at least {_LEAST}: below, nearly all is believed at 0 % or 100 %",
            todo="say more: raise the strength, or give a narrower range",
        )
    if alpha + beta > _STRONGEST:
        raise SettingsError(
            f"got a prior worth {alpha + beta:.3g} tweets, wanted at most {_STRONGEST:.0g}: nothing seen would ever move it",
            todo="be less sure: lower the strength, or give a wider range",
        )
    return Prior(float(alpha), float(beta))


def from_mean_and_strength(*, mean: float, strength: float) -> Prior:
    """The share expected, and how many tweets that belief is worth: alpha = mean * strength, beta = (1 - mean) * strength.

    Source: Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.4 (alpha + beta as prior sample size).

    Raises:
        SettingsError: a mean outside (0, 1), a strength that is not above 0; else as `from_parameters`.
    """
    if not 0 < mean < 1:
        raise SettingsError(f"got mean = {mean}, wanted a share above 0 and below 1, such as 0.03 for 3 %{_in_percent(mean)}", todo=_NEVER)
    if not (math.isfinite(strength) and strength > 0):
        raise SettingsError(f"got strength = {strength}, wanted a number of tweets above 0", todo="2 is weak, 100 is strong")
    return from_parameters(alpha=mean * strength, beta=(1 - mean) * strength)


def from_range(*, lower: float, upper: float, sure: float = 0.9) -> Prior:
    """The one Beta that lies below `lower` and above `upper` with probability (1 - sure) / 2 each.

    Two quantiles determine a Beta: for a given strength the mean that puts the right mass below `lower` is unique, for the family
    moves up as a whole with its mean; and along these the upper quantile falls as the strength grows. So both are found by Brent's
    method, one inside the other. Source: van Dorp and Mazzuchi (2004), Parameter specification of the Beta distribution and its
    Dirichlet extensions utilizing quantiles, in Gupta and Nadarajah, Handbook of Beta Distribution, who show that there is one.

    Raises:
        SettingsError: the ends are not 0 < lower < upper < 1, `sure` is not in (0, 1), or the only such Beta is one that
            `from_parameters` refuses.
    """
    said = f"got {100 * sure:g} % sure from {lower} to {upper}"
    if not 0 < sure < 1:
        raise SettingsError(f"got sure = {sure}, wanted a number above 0 and below 1, such as 0.9 for 90 %{_in_percent(sure)}", todo=_NEVER)
    if lower == 0 and 0 < upper < 1:
        only = math.log1p(-sure) / math.log1p(-upper)
        raise SettingsError(
            f"{said}, wanted a lower end above 0: one end alone leaves the prior open",
            todo=f"give both ends, or for 'at most' write alpha = 1.0, beta = {max(only, _LEAST):.4g}, which is as sure as that",
        )
    if upper == 1 and 0 < lower < 1:
        only = math.log1p(-sure) / math.log(lower)
        raise SettingsError(
            f"{said}, wanted an upper end below 1: one end alone leaves the prior open",
            todo=f"give both ends, or for 'at least' write alpha = {max(only, _LEAST):.4g}, beta = 1.0, which is as sure as that",
        )
    if not 0 < lower < upper < 1:
        raise SettingsError(f"{said}, wanted two shares above 0 and below 1, the lower one first{_in_percent(upper)}", todo=_NEVER)
    return from_parameters(**_solved(lower, upper, (1 - sure) / 2, said))


_NEVER = "shares are parts of 1: 0.05 is 5 %; what is believed never or always needs no counting"


def _in_percent(value: float) -> str:
    """A hint where a percentage was likely meant."""
    return f" (percent? {value:g} % is {value / 100:g})" if 1 <= value < 100 else ""


def _solved(lower: float, upper: float, tail: float, said: str) -> dict[str, float]:
    """alpha and beta with mass `tail` below `lower` and above `upper`."""
    from scipy import optimize, special

    def logit_mean(log_strength: float) -> float:
        strength = math.exp(log_strength)

        def excess(logit: float) -> float:
            return float(special.betainc(strength * special.expit(logit), strength * special.expit(-logit), lower)) - tail

        found: float = optimize.brentq(excess, -30.0, 30.0, xtol=1e-13)
        return found

    def too_high(log_strength: float) -> float:
        logit, strength = logit_mean(log_strength), math.exp(log_strength)
        return float(special.betaincc(strength * special.expit(logit), strength * special.expit(-logit), upper)) - tail

    # beyond the bounds that from_parameters sets: what is just refused should be refused there, with its numbers
    weakest, strongest = math.log(2 * _LEAST), math.log(10 * _STRONGEST)
    if too_high(weakest) < 0:
        raise SettingsError(
            f"{said}, wanted a narrower range or more certainty: a Beta that leaves so much outside believes in 0 % and 100 % alone",
            todo="alpha = 1.0, beta = 1.0 say that every share is as likely as any other",
        )
    if too_high(strongest) > 0:
        raise SettingsError(
            f"{said}, wanted a wider range: so narrow a prior is worth over {10 * _STRONGEST:.0g} tweets, and nothing seen would move it",
            todo="give a wider range, or be less sure",
        )
    log_strength = optimize.brentq(too_high, weakest, strongest, xtol=1e-12)
    logit, strength = logit_mean(log_strength), math.exp(log_strength)
    return {"alpha": strength * float(special.expit(logit)), "beta": strength * float(special.expit(-logit))}


def curve(prior: Prior, *, points: int = 201) -> tuple[Floats, Floats]:
    """Shares and densities to draw the prior by: over the middle 99.8 % of it, evenly spaced, ends included.

    At 0 or 1 a density may be infinite; the middle 99.8 % leaves these out.
    """
    from scipy import special

    if points < 2:
        raise SettingsError(f"got {points} points, wanted 2 or more", todo="mend the call")
    low, high = (float(end) for end in beta.central_interval(prior.alpha, prior.beta, 0.998))
    low, high = max(low, 1e-12), min(high, 1 - 1e-12)
    shares = np.linspace(low, high, points)
    logs = special.xlogy(prior.alpha - 1, shares) + special.xlog1py(prior.beta - 1, -shares) - special.betaln(prior.alpha, prior.beta)
    return shares, np.exp(logs)
