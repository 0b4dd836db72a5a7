"""Medians that pass over missing values without a warning, and the scale that a series sets for itself."""

from __future__ import annotations

import numpy as np

__all__ = ["MAD_TO_SD", "mad", "median", "neighbours"]

MAD_TO_SD = 1.4826


def median(x: np.ndarray, axis: int = 0, least: int = 1) -> np.ndarray:
    """Return the median along an axis, NaN where fewer than `least` values are there.

    Examples
    --------
    >>> median(np.array([[1.0, np.nan, 3.0], [np.nan] * 3]), axis=1)
    array([ 2., nan])
    """
    x = np.sort(np.moveaxis(x, axis, -1), axis=-1)  # NaN goes last
    count = np.sum(~np.isnan(x), axis=-1)
    if x.shape[-1] == 0:
        return np.full(x.shape[:-1], np.nan)
    at = np.maximum(count - 1, 0)
    low = np.take_along_axis(x, (at // 2)[..., None], -1)[..., 0]
    high = np.take_along_axis(x, ((at + 1) // 2)[..., None], -1)[..., 0]
    return np.where(count >= max(least, 1), 0.5 * (low + high), np.nan)


def mad(x: np.ndarray, axis: int = 0, least: int = 4) -> np.ndarray:
    """Return the standard deviation that the median of ``|x|`` implies (the centre is zero by construction)."""
    return MAD_TO_SD * median(np.abs(x), axis, least)


def neighbours(x: np.ndarray, reach: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return for every place along axis 1 the nearest value before and after it, itself excluded, and how far they are.

    NaN and `reach` + 1 where there is none within `reach`.
    """
    before, after = np.full_like(x, np.nan), np.full_like(x, np.nan)
    back, ahead = np.full(x.shape, reach + 1), np.full(x.shape, reach + 1)
    for step in range(reach, 0, -1):
        there = ~np.isnan(x[:, :-step])
        for out, far, here, source in ((before, back, np.s_[:, step:], x[:, :-step]),
                                       (after, ahead, np.s_[:, :-step], x[:, step:])):
            there = ~np.isnan(source)
            out[here] = np.where(there, source, out[here])
            far[here] = np.where(there, step, far[here])
    return before, after, back, ahead
