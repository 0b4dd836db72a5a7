"""The shape of forecast errors: their quantiles in units of the method's own spread, by horizon.

A method's own limits take its model for the truth and are too narrow. What its errors were on other series, each
divided by the spread the method stated, gives limits that hold what they promise (split conformal prediction with
scaled scores; Lei et al. 2018, JASA 113). Errors are not symmetric, so the two sides are learnt apart.

``shapes.csv`` holds the shape of the combination, learnt by ``benchmarks/m3.py --learn`` on the training part of 714
monthly series of the M3 competition; the test part was not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtri

__all__ = ["GAUSSIAN", "PROBS", "TABLE", "ErrorShape", "near_quantiles", "own_shape", "panel_shape", "shape_of"]

PROBS = np.array([0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995])
_NEAR = 3           # months ahead on each side that lend their errors: neighbours err alike
# Greatest likelihood on the training part of M3, and the same in each of five folds (benchmarks/odds.py).
_COMMON = {"combination": 0.15}
# A panel's own record counts n / (n + 15) with n branches: benchmarks/odds.py.
_PRIOR = 15
TABLE = Path(__file__).with_name("shapes.csv")


@dataclass(frozen=True)
class ErrorShape:
    """Quantiles of errors divided by the model's standard deviation.

    ``probs`` (P,) and ``quantiles`` (H, P), rows for 1..H months ahead, the last used beyond; without them the normal
    distribution. ``source`` says what the shape was learnt from. ``common`` is the share of each month's variance that
    is common to all months ahead, beyond what the model says: its level and slope are taken for known, and are as wrong
    in one month as in the next. ``branches`` counts those whose own errors it holds.
    """

    source: str = "normal"
    probs: np.ndarray | None = None
    quantiles: np.ndarray | None = None
    common: float = 0.0
    branches: int = 0

    def hanging_together(self, corr: np.ndarray) -> np.ndarray:
        """Return the correlation of errors over the months ahead, from the model's (horizon, horizon)."""
        return (1 - self.common) * corr + self.common

    def quantile(self, p: float, horizon: int) -> np.ndarray:
        """Return the quantile of probability `p` for each month ahead, (horizon,)."""
        return self.warp(np.full((1, horizon), ndtri(p)))[0]

    def warp(self, shocks: np.ndarray) -> np.ndarray:
        """Give standard normal draws (n, horizon) this shape, month by month."""
        if self.probs is None:
            return shocks
        xp = ndtri(self.probs)
        out = np.empty_like(shocks)
        for h in range(shocks.shape[1]):
            # On the normal scale tails are nearly straight: interpolate there, go on straight beyond the last point.
            out[:, h] = _straight(shocks[:, h], xp, self.quantiles[min(h, len(self.quantiles) - 1)])
        return out


GAUSSIAN = ErrorShape()


def near_quantiles(errors: np.ndarray, h: int, weights: np.ndarray) -> np.ndarray | None:
    """Return the quantiles :data:`PROBS` of scaled errors (n, H) a month ahead, the neighbouring months' among them.

    Every row has its weight (n,). None where there is no error.
    """
    near = errors[:, max(0, h - _NEAR): h + _NEAR + 1]
    seen = np.isfinite(near)
    if not seen.any():
        return None
    values, weights = near[seen], np.broadcast_to(weights[:, None], near.shape)[seen]
    order = np.argsort(values, kind="stable")
    middle = np.cumsum(weights[order]) - weights[order] / 2
    return np.interp(PROBS, middle / weights.sum(), values[order])


@cache
def shape_of(model: str) -> ErrorShape:
    """Return the shape that was learnt for a method, or the normal one when none was."""
    table = pd.read_csv(TABLE, comment="#")
    rows = table[table["model"] == model]
    if rows.empty:
        return GAUSSIAN
    wide = rows.pivot_table("quantile", "horizon", "prob")
    return ErrorShape("M3", wide.columns.to_numpy(dtype=float), wide.to_numpy(dtype=float), _COMMON.get(model, 0.0))


def panel_shape(errors: list[np.ndarray], branch, shipped: ErrorShape) -> ErrorShape:
    """Learn a panel's own shape of errors, drawn towards the shipped one when its branches are few.

    `errors` (origins, months), one a series, are in units of the standard deviation stated at the time, NaN where none;
    `branch` says whose each series is; every branch counts once. The median need not be zero: what most branches were
    missed by in one direction moves the centre.

    Notes
    -----
    One branch's own record is not used beyond that: on the training part of M3 a series' past errors foretell the size
    of its next ones with slope 0.1 in logarithms (correlation 0.08), and limits scaled by them, or by those of the last
    months only, are no better.

    Examples
    --------
    >>> shipped = shape_of("combination")
    >>> calm = [0.3 * np.random.default_rng(i).standard_normal((3, 12)) for i in range(30)]
    >>> own = panel_shape(calm, range(30), shipped)
    >>> bool(0.4 < own.quantile(0.9, 12)[6] / shipped.quantile(0.9, 12)[6] < 0.7)
    True
    """
    seen = [(e, b) for e, b in zip(errors, branch, strict=True) if np.isfinite(e).any()]
    if not seen or shipped.probs is None:
        return shipped
    owner = pd.Series(np.repeat([b for _, b in seen], [len(e) for e, _ in seen]))
    weights = (1 / owner.map(owner.value_counts())).to_numpy()
    stack, own = np.concatenate([e for e, _ in seen]), shipped.quantiles.copy()
    for h in range(min(len(own), stack.shape[1])):
        found = near_quantiles(stack, h, weights)
        own[h] = own[h] if found is None else found
    n = owner.nunique()
    share = n / (n + _PRIOR)
    return own_shape(shipped, (1 - share) * shipped.quantiles + share * own, [n])


def own_shape(shipped: ErrorShape, quantiles: np.ndarray, branches) -> ErrorShape:
    """Return the shape of a panel whose quantiles are known, from so many branches [n]; without any the shipped one."""
    n = int(branches[0])
    return replace(shipped, source=f"{n} branches", branches=n, quantiles=quantiles) if n else shipped


def _straight(x, xp, fp):
    inner = np.interp(x, xp, fp)
    low = fp[0] + (x - xp[0]) * (fp[1] - fp[0]) / (xp[1] - xp[0])
    high = fp[-1] + (x - xp[-1]) * (fp[-1] - fp[-2]) / (xp[-1] - xp[-2])
    return np.where(x < xp[0], low, np.where(x > xp[-1], high, inner))
