"""The shape of forecast errors: their quantiles in units of the model's own spread, by horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

__all__ = ["GAUSSIAN", "ErrorShape"]


@dataclass(frozen=True)
class ErrorShape:
    """Quantiles of errors divided by the model's standard deviation.

    ``probs`` (P,) and ``quantiles`` (H, P), rows for 1..H months ahead, the last used beyond; without them the normal
    distribution. ``source`` says what the shape was learnt from.
    """

    source: str = "normal"
    probs: np.ndarray | None = None
    quantiles: np.ndarray | None = None

    def quantile(self, p: float, horizon: int) -> np.ndarray:
        """Return the quantile of probability `p` for each month ahead, (horizon,)."""
        return self.warp(np.full((1, horizon), norm.ppf(p)))[0]

    def warp(self, shocks: np.ndarray) -> np.ndarray:
        """Give standard normal draws (n, horizon) this shape, month by month."""
        if self.probs is None:
            return shocks
        xp = norm.ppf(self.probs)
        out = np.empty_like(shocks)
        for h in range(shocks.shape[1]):
            # On the normal scale tails are nearly straight: interpolate there, go on straight beyond the last point.
            out[:, h] = _straight(shocks[:, h], xp, self.quantiles[min(h, len(self.quantiles) - 1)])
        return out


GAUSSIAN = ErrorShape()


def _straight(x, xp, fp):
    inner = np.interp(x, xp, fp)
    low = fp[0] + (x - xp[0]) * (fp[1] - fp[0]) / (xp[1] - xp[0])
    high = fp[-1] + (x - xp[-1]) * (fp[-1] - fp[-2]) / (xp[-1] - xp[-2])
    return np.where(x < xp[0], low, np.where(x > xp[-1], high, inner))
