"""Pictures of one distribution: the posterior, and the prior beside it; made as those of charts.py are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from scipy.special import betainc, betaln, xlog1py, xlogy

from pipeline.report.charts import PALETTE, WIDTH, look, marks, records, share_format
from pipeline.stats import priors

DENSITY_HEIGHT, PRIOR_HEIGHT = 110, 150


def share_density(posterior: Mapping[str, Any], *, title: str = "") -> alt.LayerChart:
    """One day's posterior: how plausible each share is; dark the middle 50 %, light the middle 95 %, a line at the mean.

    Args:
        posterior: alpha, beta, mean, lower_50, upper_50, lower_95, upper_95 of one posterior row.
        title: written above, for pictures that stand alone.
    """
    curve = beta_density(float(posterior["alpha"]), float(posterior["beta"]))
    low, high = float(curve["share"].min()), float(curve["share"].max())
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    axis = alt.Axis(format=share_format(high - low), tickCount=5, title=None, grid=False)
    x = alt.X("share", type="quantitative", scale=scale, axis=axis)
    y = alt.Y("density", type="quantitative", axis=None, scale=alt.Scale(domainMin=0))

    def inside(level: int) -> list[dict[str, Any]]:
        return records(curve[(curve["share"] >= posterior[f"lower_{level}"]) & (curve["share"] <= posterior[f"upper_{level}"])])

    chart = alt.LayerChart(
        layer=[
            marks("inside_95", alt.MarkDef(type="area", color=PALETTE["wide"], aria=False), x=x, y=y),
            marks("inside_50", alt.MarkDef(type="area", color=PALETTE["narrow"], aria=False), x=x, y=y),
            marks("curve", alt.MarkDef(type="line", color=PALETTE["muted"], strokeWidth=1.2, aria=False), x=x, y=y),
            marks("mean", alt.MarkDef(type="rule", color=PALETTE["mean"], strokeWidth=2, aria=False), x=x),
        ],
        width=WIDTH,
        height=DENSITY_HEIGHT,
        **look(title),
    )
    chart.datasets = {
        "curve": records(curve),
        "inside_95": inside(95),
        "inside_50": inside(50),
        "mean": [{"share": float(posterior["mean"])}],
    }
    return chart


def prior_and_posterior(posterior: Mapping[str, Any], *, title: str = "") -> alt.LayerChart:
    """What was believed before the first tweet (grey) and what is believed now (blue), each drawn to the same height.

    In proportion the prior would be a line along the ground wherever there are more than a few tweets.

    Args:
        posterior: alpha, beta, prior_alpha, prior_beta of one posterior row.
        title: written above, for pictures that stand alone.
    """
    alpha, beta = float(posterior["prior_alpha"]), float(posterior["prior_beta"])
    shares, densities = priors.curve(priors.Prior(alpha, beta))
    # a parameter below 1 has no highest density: what rises beyond the middle 90 % is cut
    middle = np.ones_like(shares, dtype=bool) if min(alpha, beta) >= 1 else np.abs(betainc(alpha, beta, shares) - 0.5) < 0.45
    before = pd.DataFrame({"share": shares, "density": np.minimum(densities / densities[middle].max(), 1.0)})
    now = beta_density(float(posterior["alpha"]), float(posterior["beta"]))
    low, high = float(min(shares[0], now["share"].min())), float(max(shares[-1], now["share"].max()))
    low = 0.0 if low < 0.1 * high else low
    axis = alt.Axis(format=share_format(high - low), tickCount=5, title=None, grid=False)
    x = alt.X("share", type="quantitative", scale=alt.Scale(domain=[low, high], nice=False, zero=False), axis=axis)
    y = alt.Y("density", type="quantitative", axis=None, scale=alt.Scale(domainMin=0))
    chart = alt.LayerChart(
        layer=[
            marks("prior", alt.MarkDef(type="area", color=PALETTE["grid"], aria=False), x=x, y=y),
            marks("prior", alt.MarkDef(type="line", color=PALETTE["muted"], strokeWidth=1.5, aria=False), x=x, y=y),
            marks("now", alt.MarkDef(type="area", color=PALETTE["narrow"], aria=False), x=x, y=y),
            marks("now", alt.MarkDef(type="line", color=PALETTE["mean"], strokeWidth=1.5, aria=False), x=x, y=y),
        ],
        width=WIDTH,
        height=PRIOR_HEIGHT,
        **look(title),
    )
    chart.datasets = {"prior": records(before), "now": records(now)}
    return chart


def beta_density(alpha: float, beta: float, *, points: int = 241) -> pd.DataFrame:
    """The Beta density where it is worth looking at: columns share and density, scaled so that its highest value is 1.

    The window is mean ± 4.5 standard deviations, cut to (0, 1). Computed through logarithms (scipy.special), so large
    counts do not overflow.
    """
    mean = alpha / (alpha + beta)
    spread = np.sqrt(mean * (1 - mean) / (alpha + beta + 1))
    low, high = max(mean - 4.5 * spread, 0.0), min(mean + 4.5 * spread, 1.0)
    share = np.linspace(low, high, points)
    # Half a step away from 0 and 1, where the density of a parameter below 1 is infinite.
    margin = (high - low) / points / 2
    inside = np.clip(share, margin, 1 - margin)
    log_density = xlogy(alpha - 1, inside) + xlog1py(beta - 1, -inside) - betaln(alpha, beta)
    return pd.DataFrame({"share": share, "density": np.exp(log_density - log_density.max())})
