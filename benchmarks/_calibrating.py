"""How much a method's errors share over all months ahead, learnt from errors known beforehand.

Models take their parameters for known; a level or a slope that is a little wrong is wrong in every month, so errors
hang together more than the models say. The share found on the training part of M3 is the package's
(``ErrorShape.common``).
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from ebank_lib.forecasting.calibration import ErrorShape

__all__ = ["learn_common", "normal_scores"]

_EXTREME = 3.5
_SHARES = np.arange(0.0, 0.51, 0.05)


def normal_scores(errors: np.ndarray, shape: ErrorShape) -> np.ndarray:
    """Turn scaled errors (n, H) into normal draws: the inverse of :meth:`ErrorShape.warp`, NaN kept."""
    xp, out = norm.ppf(shape.probs), np.full(errors.shape, np.nan)
    for h in range(errors.shape[1]):
        fp = shape.quantiles[min(h, len(shape.quantiles) - 1)]
        e = errors[:, h]
        low = xp[0] + (e - fp[0]) * (xp[1] - xp[0]) / (fp[1] - fp[0])
        high = xp[-1] + (e - fp[-1]) * (xp[-1] - xp[-2]) / (fp[-1] - fp[-2])
        out[:, h] = np.where(e < fp[0], low, np.where(e > fp[-1], high, np.interp(e, fp, xp)))
    # A few errors of dozens of spreads (a series that broke) would decide alone.
    return np.clip(out, -_EXTREME, _EXTREME)


def learn_common(scores: np.ndarray, corr: np.ndarray, weights: np.ndarray) -> float:
    """Return the common share of greatest normal likelihood, of 0, 0.05, ..., 0.5.

    Parameters
    ----------
    scores : array (n, H)
        Normal scores of errors, a row an origin; rows with NaN are left out.
    corr : array (n, H, H)
        Correlations over the months ahead that the method stated.
    weights : array (n,)
        Of the origins.
    """
    full = np.isfinite(scores).all(axis=1)
    scores, corr, weights = scores[full], corr[full], weights[full]
    fits = []
    for share in _SHARES:
        c = (1 - share) * corr + share + 1e-6 * np.eye(corr.shape[1])
        far = np.einsum("ni,ni->n", scores, np.linalg.solve(c, scores[:, :, None])[:, :, 0])
        fits.append(-0.5 * np.sum(weights * (np.linalg.slogdet(c)[1] + far)))
    return round(float(_SHARES[int(np.argmax(fits))]), 2)

