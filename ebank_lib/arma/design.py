"""What every fit starts from: a checked series, differenced, scaled, with its regressors and gaps as columns.

Differencing, removing the regressors by least squares and dividing by the standard deviation change the likelihood
by a known constant only. Scaled so, the search sees the same numbers whatever the unit of the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import SeriesError

__all__ = ["Design", "as_series", "difference", "future_index", "prepare"]

MAX_ORDER = 12
TRENDS = ("n", "c", "ct")


def as_series(y) -> pd.Series:
    """Return `y` as a float Series on an ordered, gapless PeriodIndex or RangeIndex.

    Months that the index leaves out become NaN.

    Raises
    ------
    SeriesError
        Not numeric, infinite, unordered, repeated labels, another index, or nothing but missing values.
    """
    if not isinstance(y, pd.Series):
        values = np.asarray(y)
        if values.ndim != 1:
            raise SeriesError("a series has one dimension", found=f"shape {values.shape}")
        y = pd.Series(values)
    if y.dtype == object or not pd.api.types.is_numeric_dtype(y.dtype) or pd.api.types.is_complex_dtype(y.dtype):
        raise SeriesError("the series is not numeric", found=str(y.dtype), expected="floats, NaN where missing")
    y = y.astype(float)
    if not y.index.is_unique:
        raise SeriesError("labels repeat", found=y.index[y.index.duplicated()][0], expected="one value a month")
    if not y.index.is_monotonic_increasing:
        raise SeriesError("the series is not in order", expected="y.sort_index()")
    if isinstance(y.index, pd.PeriodIndex):
        full = pd.period_range(y.index[0], y.index[-1], freq=y.index.freq, name=y.index.name) if len(y) else y.index
        y = y.reindex(full)
    elif not isinstance(y.index, pd.RangeIndex):
        raise SeriesError("the index is not a run of months", found=type(y.index).__name__,
                          expected="PeriodIndex or RangeIndex, e.g. y.index.to_period('M')")
    if np.isinf(y.to_numpy()).any():
        raise SeriesError("the series holds infinite values", found=y[np.isinf(y)].index[0],
                          expected="finite values; the logarithm of zero?")
    if not y.notna().any():
        raise SeriesError("the series has no value", found=f"{len(y)} missing", expected="at least 3 values")
    return y.iloc[np.flatnonzero(y.notna())[0]:]


def future_index(index: pd.Index, horizon: int) -> pd.Index:
    """Return the `horizon` labels that follow `index`."""
    if isinstance(index, pd.PeriodIndex):
        return pd.period_range(index[-1] + 1, periods=horizon, freq=index.freq, name=index.name)
    return pd.RangeIndex(index[-1] + 1, index[-1] + 1 + horizon, name=index.name)


def difference(x: np.ndarray, d: int, big_d: int, season: int) -> np.ndarray:
    """Difference along the last axis: (1 - B)^d (1 - B^season)^big_d."""
    for _ in range(d):
        x = x[..., 1:] - x[..., :-1]
    for _ in range(big_d):
        x = x[..., season:] - x[..., :-season]
    return x


def check_order(order, seasonal_order) -> tuple[tuple[int, int, int], tuple[int, int, int, int]]:
    """Return both orders as tuples of int, or say what is wrong with them."""
    order, seasonal = tuple(order), tuple(seasonal_order or (0, 0, 0, 1))
    for what, given, size in (("order", order, 3), ("seasonal_order", seasonal, 4)):
        if len(given) != size or any(v is None or int(v) != v for v in given):
            raise SeriesError(f"{what} holds {size} whole numbers", found=given)
    (p, d, q), (sp, sd, sq, season) = (tuple(int(v) for v in o) for o in (order, seasonal))
    for name, value, top in (("p", p, MAX_ORDER), ("q", q, MAX_ORDER), ("d", d, 2), ("P", sp, 2), ("D", sd, 1),
                             ("Q", sq, 2)):
        if not 0 <= value <= top:
            raise SeriesError(f"{name} out of range", found=value, expected=f"0 to {top}")
    if (sp or sd or sq) and season < 2:
        raise SeriesError("a seasonal part needs its season", found=season, expected="12 for months")
    return (p, d, q), (sp, sd, sq, season if sp or sd or sq else 1)


@dataclass(frozen=True)
class Design:
    """A series made ready for the likelihood.

    Attributes
    ----------
    y : Series (T,)
    x : DataFrame (T, m)
        Regressors that are left after differencing, in levels.
    columns : array (gaps + m + 1, T - lost)
        What `likelihood.objective` takes: dummies of the missing months, orthonormal regressors, scaled series.
    gaps : int
        Missing months.
    nobs : int
        Values the likelihood is of: observed months less those that differencing takes.
    scale : float
    back : array (m, m), offset : array (m,)
        Coefficients of `x` from those of the orthonormal regressors: offset + scale * back @ b.
    trend, d, big_d, season
    """

    y: pd.Series
    x: pd.DataFrame
    columns: np.ndarray
    gaps: int
    nobs: int
    scale: float
    back: np.ndarray
    offset: np.ndarray
    trend: str
    d: int
    big_d: int
    season: int

    def loglik(self, value: float) -> float:
        """Return the log-likelihood of the data whose concentrated negative value is `value`."""
        return float(-value - 0.5 * self.nobs * (1 + np.log(2 * np.pi)) - self.nobs * np.log(self.scale))


def trend_columns(index, trend: str, lost: int, start: int = 1) -> dict[str, np.ndarray]:
    """Return the columns of a trend in levels that differencing leaves."""
    t = np.arange(start, start + len(index), dtype=float)
    if trend not in TRENDS:
        raise SeriesError("unknown trend", found=trend, expected=" or ".join(TRENDS))
    if trend == "ct" and lost > 1:
        raise SeriesError("two differences remove a linear trend", found="trend 'ct'", expected="'c' or 'n'")
    out = {}
    if trend != "n" and lost == 0:
        out["mean" if trend == "c" else "intercept"] = np.ones(len(index))
    if trend == "ct":
        out["slope" if lost == 0 else "drift"] = t
    return out


def exog_frame(exog, index, names=None) -> pd.DataFrame:
    """Return regressors as a finite float frame on `index`."""
    if exog is None:
        return pd.DataFrame(index=index)
    if isinstance(exog, (pd.Series, pd.DataFrame)):
        frame = exog.to_frame() if isinstance(exog, pd.Series) else exog
        missing = index.difference(frame.index) if type(frame.index) is type(index) else []
        if len(missing):
            raise SeriesError("exog lacks months of the series", found=missing[0])
        if type(frame.index) is type(index):
            frame = frame.loc[index]
    else:
        values = np.asarray(exog, dtype=float)
        frame = pd.DataFrame(values.reshape(len(values), -1))
        frame.columns = [f"x{i + 1}" for i in range(frame.shape[1])]
    if len(frame) != len(index):
        raise SeriesError("exog and series differ in length", found=len(frame), expected=str(len(index)))
    frame = frame.astype(float).set_axis(index).rename(columns=str)
    if names is not None and list(frame.columns) != list(names):
        raise SeriesError("exog has other columns than the fit", found=list(frame.columns), expected=str(list(names)))
    if not np.isfinite(frame.to_numpy()).all():
        raise SeriesError("exog holds missing or infinite values", expected="a value for every month")
    return frame


def future_columns(design: Design, horizon: int, exog) -> np.ndarray:
    """Return the trend and the regressors of the months after the sample."""
    index = future_index(design.y.index, horizon)
    trend = trend_columns(index, design.trend, design.d + design.big_d, start=len(design.y) + 1)
    names = [c for c in design.x.columns if c not in trend]
    if names and exog is None:
        raise SeriesError("the model has regressors: forecast(exog=...) needs their future", found=None,
                          expected=f"{horizon} rows of {names}")
    return np.column_stack([*trend.values(), exog_frame(exog, index, names).to_numpy()])


def prepare(y, d: int = 0, big_d: int = 0, season: int = 1, exog=None, trend: str = "c") -> Design:
    """Check, difference and scale a series; see `Design`.

    Raises
    ------
    SeriesError
        Bad input as of `as_series`, too short, constant, regressors collinear or not finite.
    """
    given, y = y, as_series(y)
    lost = d + big_d * season
    if isinstance(exog, np.ndarray | list | tuple) and len(np.asarray(exog)) == len(given) > len(y):
        exog = np.asarray(exog)[len(given) - len(y):]  # leading gaps were dropped
    x = pd.DataFrame(trend_columns(y.index, trend, d + big_d), index=y.index)
    x = pd.concat([x, exog_frame(exog, y.index)], axis=1)
    missing = y.isna().to_numpy()
    nobs, m = int((~missing).sum()) - lost, x.shape[1]
    if nobs < m + 3:
        raise SeriesError("the series is too short", found=f"{nobs + lost} values",
                          expected=f"at least {m + 3 + lost} ({m} regressors, {lost} lost to differencing)")
    filled = y.interpolate(limit_direction="both").to_numpy()
    dummies = np.eye(len(y))[missing]
    w, dw, xw = (difference(a, d, big_d, season) for a in (filled, dummies, x.to_numpy().T))
    if np.linalg.matrix_rank(dw) < len(dw):
        raise SeriesError("the missing months leave nothing to difference by", found=f"{missing.sum()} missing")
    back, offset = np.zeros((m, m)), np.zeros(m)
    if m:
        size = np.sqrt((xw**2).sum(axis=1))
        norm, r = np.linalg.qr((xw / np.where(size > 0, size, 1.0)[:, None]).T)
        if not size.all() or np.abs(np.diag(r)).min() < 1e-9:
            raise SeriesError("the regressors are collinear, with one another or with the trend",
                              found=list(x.columns), expected="a full-rank set (after differencing)")
        root = np.sqrt(w.size)
        back = np.linalg.inv(r) / size[:, None] * root
        xw = norm.T * root
        b = xw @ w / w.size
        w, offset = w - b @ xw, back @ b
    scale = float(np.sqrt(np.mean(w**2)))
    if not scale > 1e-10 * max(np.abs(filled).max(), 1e-300):
        raise SeriesError("the series does not vary" + (" once differenced" if lost else ""), found=f"d = {d}",
                          expected="more than one value")
    # Rounded, so that the last bits of another unit do not send a climb elsewhere.
    columns = np.round(np.vstack([dw, xw, w[None] / scale]), 10)
    return Design(y, x, np.ascontiguousarray(columns), int(missing.sum()), nobs, scale, back, offset, trend, d, big_d,
                  season)
