"""Does a growing series saturate? Logistic and Gompertz curves against growth without an end."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from scipy.special import expit

from ..errors import SeriesError

__all__ = ["Saturation", "saturation"]

LEAST = 30              # twelve are held out, and a curve of three parameters needs some to be fitted on
_IN_SIGHT = 5.0         # a ceiling this many times above the highest month is only extrapolated
_HELD = 12


@dataclass(frozen=True)
class Saturation:
    """Three curves of growth and the one that holds; see :func:`saturation`.

    ``table`` has ``model`` (logistic, gompertz, exponential), ``aicc``, ``rmse_12`` (of the logarithm over the last
    twelve months, by the curve fitted on those before), ``ceiling`` (inf without one). A curve with a ceiling holds
    when it has the lower AICc and the lower ``rmse_12`` than exponential growth, and its ceiling is within five times
    the highest month. ``ceiling`` is what the series does not pass: that curve's, else 1 for a share, else inf.
    """

    table: pd.DataFrame = field(repr=False)
    model: str
    ceiling: float


def saturation(y: pd.Series, ratio: bool = False) -> Saturation:
    """Compare logistic, Gompertz and exponential growth of a series of at least 30 observed months, all positive; of a
    share (`ratio`) the ceiling is at most 1.

    Least squares on the logarithm; a Gompertz curve there is a level less an exponential decay.
    """
    seen = y.dropna()
    if len(seen) < LEAST or not (seen > 0).all():
        raise SeriesError("too short or not positive: no curve of growth can be told", found=f"{len(seen)} months",
                          expected=f"at least {LEAST} positive months")
    t = (seen.index.asi8 - seen.index.asi8[0]) / 12
    z = np.log(seen.to_numpy(float))
    rows = [_row(name, t, z, ratio) for name in ("logistic", "gompertz", "exponential")]
    table = pd.DataFrame(rows)
    plain = table.iloc[-1]
    better = table.iloc[:-1]
    better = better[(better["aicc"] < plain["aicc"]) & (better["rmse_12"] < plain["rmse_12"])
                    & (better["ceiling"] <= (1.0 if ratio else _IN_SIGHT * seen.max()))]
    if better.empty:
        return Saturation(table, "exponential", 1.0 if ratio else np.inf)
    best = better.loc[better["aicc"].idxmin()]
    return Saturation(table, str(best["model"]), float(best["ceiling"]))


def _row(name: str, t: np.ndarray, z: np.ndarray, ratio: bool) -> dict:
    fitted, ceiling, k = _fit(name, t, z, ratio)
    n, rss = len(z), float(((z - fitted(t)) ** 2).sum())
    k += 1      # the variance
    aicc = n * np.log(max(rss / n, 1e-300)) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
    early = _fit(name, t[:-_HELD], z[:-_HELD], ratio)[0]
    missed = z[-_HELD:] - early(t[-_HELD:])
    return {"model": name, "aicc": float(aicc), "rmse_12": float(np.sqrt((missed**2).mean())), "ceiling": ceiling}


def _curve(name: str, p: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The logarithm of a curve with ceiling exp(p[0])."""
    if name == "logistic":
        return p[0] - np.logaddexp(0.0, -(p[1] + np.exp(p[2]) * t))
    return p[0] - np.exp(p[1] - np.exp(p[2]) * t)


def _slopes(name: str, p: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Derivatives of :func:`_curve` by its parameters, (T, 3)."""
    rate = np.exp(p[2]) * t
    if name == "logistic":
        left = expit(-(p[1] + rate))
        return np.column_stack([np.ones_like(t), left, left * rate])
    left = np.exp(p[1] - rate)
    return np.column_stack([np.ones_like(t), -left, left * rate])


def _fit(name: str, t: np.ndarray, z: np.ndarray, ratio: bool):
    """(curve, ceiling, number of parameters)."""
    if name == "exponential":
        slope, level = np.polyfit(t, z, 1)
        return (lambda at: level + slope * at), np.inf, 2
    high = 0.0 if ratio else z.max() + np.log(1e3)
    # A curve that has just begun and one that is nearly done are two valleys: start in both, keep the better.
    best = None
    for top in (0.05, 0.7, 2.5):
        start = min(z.max() + top, high - 1e-6)
        gap = np.maximum(start - z, 1e-3)
        q = -np.log(np.expm1(gap)) if name == "logistic" else -np.log(gap)
        slope, level = np.polyfit(t, q, 1)
        p0 = np.array([start, level if name == "logistic" else -level, np.log(max(slope, 0.02))])
        got = least_squares(lambda p: _curve(name, p, t) - z, p0, x_scale=[1.0, 1.0, 0.5], max_nfev=200,
                            jac=lambda p: _slopes(name, p, t),
                            bounds=([min(z.max() - 1.0, high - 1.0), -50, -6], [high, 50, 4]))
        if best is None or got.cost < best.cost:
            best = got
    return (lambda at: _curve(name, best.x, at)), float(np.exp(best.x[0])), 3
