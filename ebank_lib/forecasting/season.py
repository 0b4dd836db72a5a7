"""Seasonality where the data support it: tested, and shrunk by how well it is known.

Four years give each month's term three or four looks; taken at face value such terms carry their noise into every
forecast. Each is therefore multiplied by the share of its variance that is not sampling noise (empirical Bayes,
Miller & Williams 2003, Int. J. Forecasting 19), and none is used where the F test does not find a season at 10%.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.special import fdtrc

__all__ = ["Season", "find_season"]

_LEVEL = 0.10
_LEAST = 28     # months: below, a month has fewer than two looks


@dataclass(frozen=True)
class Season:
    """Terms to add per calendar position (12,), how much they were shrunk (0 none kept, 1 all), the F test's p.

    ``raw`` are the terms before shrinking, ``noise`` the variance of one of them (NaN where the months are too few).
    """

    terms: np.ndarray
    kept: float
    p_value: float
    raw: np.ndarray = field(default_factory=lambda: np.zeros(12))
    noise: float = np.nan

    def at(self, positions: np.ndarray) -> np.ndarray:
        """Return the terms of positions counted from the first month of the series."""
        return self.terms[np.asarray(positions) % 12]


def find_season(z: np.ndarray) -> Season:
    """Return the shrunk additive season of a complete series (T,) on its modelling scale.

    The trend is the centred 2x12 moving average; the terms are the means of what is left, by month.

    Examples
    --------
    >>> t = np.arange(44)
    >>> find_season(np.cos(2 * np.pi * t / 12)).kept
    1.0
    >>> find_season(np.zeros(20)).kept
    0.0
    """
    z = np.asarray(z, dtype=float)
    if z.size < _LEAST:
        return Season(np.zeros(12), 0.0, np.nan)
    weights = np.r_[0.5, np.ones(11), 0.5] / 12
    left = z[6:-6] - np.convolve(z, weights, "valid")
    month = np.arange(6, z.size - 6) % 12
    looks = np.bincount(month, minlength=12)
    terms = np.bincount(month, left, minlength=12) / looks
    terms = terms - terms.mean()
    spare = left.size - 12
    noise = float(((left - terms[month]) ** 2).sum() / spare) * float(np.mean(1 / looks))
    signal = float((terms**2).sum() / 11)
    if signal <= 1e-20:
        return Season(np.zeros(12), 0.0, 1.0, terms, noise)
    ratio = signal / noise if noise > 1e-12 * signal else np.inf
    p = float(fdtrc(11, spare, ratio)) if np.isfinite(ratio) else 0.0      # the F test
    kept = max(0.0, 1 - 1 / ratio) if p < _LEVEL else 0.0
    return Season(terms * kept, kept, p, terms, noise)
