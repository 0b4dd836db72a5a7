"""What earlier errors teach about odds, beyond the shape that the package ships.

Two things are learnt, from errors that were known when the forecast was made (or of other series' training parts):

- how much a method's errors share over all months ahead. Models take their parameters for known; a level or a slope
  that is a little wrong is wrong in every month, so errors hang together more than the models say;
- how a panel errs: branches of one province grow together, and a method that was too low for most of them at its
  earlier forecasts is likely to be so again.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm

from ebank_lib.forecasting.calibration import PROBS, ErrorShape

__all__ = ["hanging_together", "learn_common", "normal_scores", "panel_shape"]

# A panel's own record counts n / (n + 15) with n branches, the shipped shape the rest: 0.5 for 16 branches, 0.86 for
# 90. By this weight errors of the 12 months before each of the last three cutoffs, under shapes learnt 16 months before
# the cutoff, have a pinball loss within 1% of the best weight's for both RBI tables (3% where 13 banks are known). What
# came after a cutoff had no part in it.
PRIOR = 15
_NEAR, _EXTREME = 3, 3.5
_SHARES = np.arange(0.0, 0.51, 0.05)


def hanging_together(cov: np.ndarray, common: float) -> np.ndarray:
    """Return a covariance of errors (H, H) with the share ``common`` of each month's variance common to all months."""
    sd = np.sqrt(np.diag(cov))
    return (1 - common) * cov + common * np.outer(sd, sd)


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


def panel_shape(errors: np.ndarray, branch, shipped: ErrorShape) -> ErrorShape:
    """Learn a panel's own shape of errors, drawn towards the shipped one when its branches are few.

    Parameters
    ----------
    errors : array (n, H)
        Scaled errors of all branches and indicators at earlier origins, NaN where none; all known at the cutoff.
    branch : array (n,)
        Whose they are; every branch counts once.
    shipped : ErrorShape

    Returns
    -------
    ErrorShape
        Its median need not be zero: what most branches were missed by in one direction moves the centre.
    """
    branch, months = pd.Series(np.asarray(branch)), len(shipped.quantiles)
    if branch.empty:
        return shipped
    weights = (1 / branch.map(branch.value_counts())).to_numpy()
    own = shipped.quantiles.copy()
    for h in range(months):
        near = errors[:, max(0, h - _NEAR): h + _NEAR + 1]
        values, w = near.ravel(), np.repeat(weights, near.shape[1])
        seen = np.isfinite(values)
        if seen.any():
            order = np.argsort(values[seen], kind="stable")
            values, w = values[seen][order], w[seen][order]
            own[h] = np.interp(PROBS, (np.cumsum(w) - w / 2) / w.sum(), values)
    share = branch.nunique() / (branch.nunique() + PRIOR)
    return ErrorShape(f"{branch.nunique()} branches", PROBS, (1 - share) * shipped.quantiles + share * own)
