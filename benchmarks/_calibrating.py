"""The shape of a method's errors, and how much they share over all months ahead, learnt from errors known beforehand.

Models take their parameters for known; a level or a slope that is a little wrong is wrong in every month, so errors
hang together more than the models say. The share found on the training part of M3 is the package's
(``ErrorShape.common``).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm

from ebank_lib.forecasting.candidates import PROBS, ErrorShape, centred, near_quantiles

__all__ = ["learn_common", "learn_shape", "normal_scores", "shape_table"]

_EXTREME = 3.5
_SHARES = np.arange(0.0, 0.51, 0.05)


def learn_shape(errors: np.ndarray, weights: np.ndarray | None = None) -> ErrorShape:
    """Learn a shape from scaled errors.

    Parameters
    ----------
    errors : array (n, horizon)
        (actual - forecast) / stated standard deviation, on the modelling scale; NaN where none. A row an origin.
    weights : array (n,), optional
        Of the origins; one over a series' number of origins lets every series count once.

    Returns
    -------
    ErrorShape
        Its median is zero: the centre of the forecast stays where the method puts it.
    """
    weights = np.ones(len(errors)) if weights is None else np.asarray(weights, dtype=float)
    rows = []
    for h in range(errors.shape[1]):
        rows.append(centred(near_quantiles(errors, h, weights)))
    return ErrorShape(PROBS, np.array(rows))


def shape_table(shapes: dict[str, ErrorShape]) -> pd.DataFrame:
    """Return shapes as the rows of ``shapes.csv``: ``model, horizon, prob, quantile``."""
    rows = [(model, h + 1, p, round(float(q), 4)) for model, shape in shapes.items()
            for h, row in enumerate(shape.quantiles) for p, q in zip(shape.probs, row, strict=True)]
    return pd.DataFrame(rows, columns=["model", "horizon", "prob", "quantile"])


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
