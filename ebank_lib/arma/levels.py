"""Between a series in levels and the differenced one that the likelihood is of, there and back.

There: a series is checked, differenced and scaled, its trend, regressors and gaps made columns. Differencing, removing
the regressors by least squares and dividing by the standard deviation change the likelihood by a known constant only.
Scaled so, the search sees the same numbers whatever the unit of the data.

Back: the state space of an ARIMA gives innovations and what is known of the month after the last. The state is that of
Gardner, Harvey & Phillips (1980, Appl. Statist. 29, AS 154) for the differenced process, above the last values of the
series itself (as in R's ``arima``), which differencing takes as given: no diffuse prior, no large number. Missing
months are skipped. It repeats `likelihood` by another road, so that each checks the other.
"""

from __future__ import annotations

import contextlib
import numbers
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import SeriesError
from ..monthly import month_index, regular
from .likelihood import step_down

MAX_ORDER, MONTHS = 12, 12
TRENDS = ("n", "c", "ct")


def as_series(y) -> pd.Series:
    """Return `y` as a float Series on an ordered, gapless PeriodIndex or RangeIndex, from its first value on.

    Months that the index leaves out become NaN.
    """
    y = regular(y)
    if not y.notna().any():
        raise SeriesError("the series has no value", found=f"{len(y)} missing", expected="at least 3 values")
    return y.iloc[np.flatnonzero(y.notna())[0]:]


def future_index(index: pd.Index, horizon: int) -> pd.Index:
    """Return the `horizon` labels that follow `index`."""
    if isinstance(index, pd.PeriodIndex):
        return pd.period_range(index[-1] + 1, periods=horizon, freq=index.freq, name=index.name)
    return pd.RangeIndex(index[-1] + 1, index[-1] + 1 + horizon, name=index.name)


def check_order(order, seasonal) -> tuple[tuple[int, int, int], tuple[int, int, int, int]]:
    """Return both orders as tuples of int, the season among them, or say what is wrong with them."""
    order, seasonal = (np.atleast_1d(np.asarray(given, dtype=object)).tolist()
                       for given in (order, (0, 0, 0, 1) if seasonal is None or seasonal is False else seasonal))
    if len(seasonal) == 3:
        seasonal.append(MONTHS)
    for what, given, size in (("order", order, 3), ("seasonal", seasonal, 4)):
        if len(given) != size or not all(isinstance(v, numbers.Real) and v % 1 == 0 for v in given):
            raise SeriesError(f"{what} holds {size} whole numbers", found=tuple(given))
    (p, d, q), (sp, sd, sq, season) = (tuple(int(v) for v in o) for o in (order, seasonal))
    for name, value, top in (("p", p, MAX_ORDER), ("q", q, MAX_ORDER), ("d", d, 2), ("P", sp, 2), ("D", sd, 1),
                             ("Q", sq, 2)):
        if not 0 <= value <= top:
            raise SeriesError(f"{name} out of range", found=value, expected=f"0 to {top}")
    if (sp or sd or sq) and season < 2:
        raise SeriesError("a seasonal part needs its season", found=season, expected="12 for months")
    return (p, d, q), (sp, sd, sq, season if sp or sd or sq else 1)


def name_of(order, seasonal) -> str:
    """Return ``ARIMA(p,d,q)(P,D,Q)[s]``, without the second part where there is no season."""
    season = "({},{},{})[{}]".format(*seasonal) if any(seasonal[:3]) else ""
    return "ARIMA({},{},{})".format(*order) + season


@dataclass(frozen=True)
class Design:
    """A series `y` (T,) made ready for the likelihood.

    `x` (T, m) holds what is left after differencing of its trend and its regressors, in levels. `columns` (gaps + m +
    1, T - lost) is what `likelihood.objective` takes: dummies of the missing months, orthonormal columns of `x`, the
    scaled series.
    `nobs` counts the observed months less those that differencing takes. The coefficients of `x` are ``offset + scale *
    back @ b``, b those of the orthonormal columns. `scale` is 0 where nothing varies about the drift: a straight line.
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
        if self.scale == 0:
            return np.inf
        return float(-value - 0.5 * self.nobs * (1 + np.log(2 * np.pi)) - self.nobs * np.log(self.scale))

    @property
    def exog(self) -> pd.DataFrame:
        """The regressors (T, m) without the trend."""
        return self.x.drop(columns=list(trend_columns(len(self.y), self.trend, self.d + self.big_d)))

    def future(self, horizon: int, exog=None) -> np.ndarray:
        """Return the trend and the regressors in the months after the sample, (horizon, m)."""
        names = list(self.exog.columns)
        if names and exog is None:
            raise SeriesError("the model has regressors: forecast(exog=...) needs their future", found=None,
                              expected=f"{horizon} rows of {names}")
        trend = trend_columns(horizon, self.trend, self.d + self.big_d, start=len(self.y) + 1)
        frame = exog_frame(exog, future_index(self.y.index, horizon))
        if list(frame.columns) != names:
            raise SeriesError("exog has other columns than the fit", found=list(frame.columns), expected=str(names))
        return np.column_stack([*trend.values(), frame.to_numpy()])


def exog_frame(exog, index: pd.Index) -> pd.DataFrame:
    """Return regressors as a finite float frame on `index`: a Series or frame by its index, an array by its order."""
    if exog is None:
        return pd.DataFrame(index=index)
    if not isinstance(exog, pd.Series | pd.DataFrame):
        values = np.asarray(exog, dtype=float)
        if len(values) != len(index):
            raise SeriesError("exog and series differ in length", found=len(values), expected=str(len(index)))
        values = values.reshape(len(index), -1)
        exog = pd.DataFrame(values, index=index, columns=[f"x{i + 1}" for i in range(values.shape[1])])
    frame = exog.to_frame() if isinstance(exog, pd.Series) else exog
    if isinstance(index, pd.PeriodIndex):
        frame = frame.set_axis(month_index(frame.index))
    lacks = index.difference(frame.index)
    if len(lacks):
        raise SeriesError("exog lacks months of the series", found=lacks[0],
                          expected=f"a value for every label from {index[0]} to {index[-1]}")
    frame = frame.loc[index].astype(float).rename(columns=str)
    if not np.isfinite(frame.to_numpy()).all():
        raise SeriesError("exog holds missing or infinite values", expected="a value for every month")
    return frame


def trend_columns(n: int, trend: str, lost: int, start: int = 1) -> dict[str, np.ndarray]:
    """Return the columns (n,) of a trend in levels that differencing leaves."""
    if trend not in TRENDS:
        raise SeriesError("unknown trend", found=trend, expected=" or ".join(TRENDS))
    if trend == "ct" and lost > 1:
        raise SeriesError("two differences remove a linear trend", found="trend 'ct'", expected="'c' or 'n'")
    out = {}
    if trend != "n" and lost == 0:
        out["mean" if trend == "c" else "intercept"] = np.ones(n)
    if trend == "ct":
        out["slope" if lost == 0 else "drift"] = np.arange(start, start + n, dtype=float)
    return out


def prepare(y, d: int = 0, big_d: int = 0, season: int = 1, exog=None, trend: str = "c") -> Design:
    """Check, difference and scale a series; see `Design`."""
    given, y = len(y), as_series(y)
    lost = d + big_d * season
    if not isinstance(exog, pd.Series | pd.DataFrame | None) and len(exog) == given:
        exog = exog[given - len(y):]        # an array goes with the series as it was given, leading gaps and all
    x = pd.DataFrame(trend_columns(len(y), trend, d + big_d), index=y.index, dtype=float)
    exog = exog_frame(exog, y.index)
    x = pd.concat([x, exog], axis=1)
    missing = y.isna().to_numpy()
    nobs, m = int((~missing).sum()) - lost, x.shape[1]
    if nobs < m + 3:
        raise SeriesError("the series is too short", found=f"{nobs + lost} values",
                          expected=f"at least {m + 3 + lost} ({m} for trend and regressors, {lost} for differences)")
    filled = y.interpolate(limit_direction="both").to_numpy(copy=True)

    def difference(a: np.ndarray) -> np.ndarray:
        a = np.diff(a, d)
        return a[..., season:] - a[..., :-season] if big_d else a

    w, dw, xw = map(difference, (filled, np.eye(len(y))[missing], x.to_numpy().T))
    if np.linalg.matrix_rank(dw) < len(dw):
        raise SeriesError("the missing months leave nothing to difference by", found=f"{missing.sum()} missing")
    back, offset = np.zeros((m, m)), np.zeros(m)
    if m:
        size, root = np.sqrt((xw**2).sum(axis=1)), np.sqrt(w.size)
        norm, r = np.linalg.qr((xw / np.where(size > 0, size, 1.0)[:, None]).T)
        if not size.all() or np.abs(np.diag(r)).min() < 1e-9:
            raise SeriesError("the regressors are collinear, with one another or with the trend",
                              found=list(x.columns), expected="a full-rank set (after differencing)")
        back, xw = np.linalg.inv(r) / size[:, None] * root, norm.T * root
        b = xw @ w / w.size
        w, offset = w - b @ xw, back @ b
    scale, least = float(np.sqrt(np.mean(w**2))), 1e-10 * max(np.abs(filled).max(), 1e-300)
    if len(dw) and scale > least:
        known = np.vstack([dw, xw])
        effects, _, rank, _ = np.linalg.lstsq(known.T, w, rcond=1e-9)
        if rank < len(known):
            raise SeriesError("the regressors are collinear, in the months that are there", found=list(x.columns),
                              expected="a full-rank set")
        if np.sqrt(np.mean((w - effects @ known) ** 2)) <= least:   # a line with gaps itself says what is missing
            filled[missing] -= effects[:len(dw)]
            return prepare(y.where(~missing, filled), d, big_d, season, exog, trend)
    if not scale > least:
        if trend != "ct" or not lost:
            raise SeriesError("the series does not vary" + (" once differenced" if lost else ""), found=f"d = {d}",
                              expected="more than one value")
        scale, w = 0.0, np.zeros(w.size)
    # Rounded, so that the last bits of another unit do not send a climb elsewhere.
    columns = np.round(np.vstack([dw, xw, w[None] / (scale or 1.0)]), 10)
    return Design(y, x, np.ascontiguousarray(columns), int(missing.sum()), nobs, scale, back, offset, trend, d, big_d,
                  season)


def designs(y, d: int, big_d: int, season: int, exog, trend: str) -> list[Design]:
    """Return the series made ready under every trend that `trend` stands for.

    "auto" is "c", and with one difference "ct" as well; "ct" alone where the drift is all there is.
    """
    if trend != "auto":
        return [prepare(y, d, big_d, season, exog, trend)]
    drifting = []
    if d + big_d == 1:
        # A drift may be one parameter too many; without it the error is the user's.
        with contextlib.suppress(SeriesError):
            drifting = [prepare(y, d, big_d, season, exog, "ct")]
        if drifting and drifting[0].scale == 0:
            return drifting
    return [prepare(y, d, big_d, season, exog, "c"), *drifting]


def state_space(phi, theta, delta):
    """Transition (n, n), disturbance (n,), observation (n,) and initial covariance (n, n) / sigma2.

    `phi`, `theta`: expanded ARMA coefficients; `delta`: y_t = sum delta_j y_(t-j) + w_t.
    """
    lost, r = delta.size, max(phi.size, theta.size + 1)
    n = r + lost
    transition, disturbance, observe, initial = np.zeros((n, n)), np.zeros(n), np.zeros(n), np.zeros((n, n))
    transition[:phi.size, 0] = phi
    transition[:r - 1, 1:r] = np.eye(r - 1)
    disturbance[:theta.size + 1] = np.r_[1.0, theta]
    observe[0], observe[r:] = 1.0, delta
    if lost:
        transition[r], transition[r + 1:, r:-1] = observe, np.eye(lost - 1)
    root = stationary_root(phi, theta, r)
    initial[:r, :r] = root @ root.T
    return transition, disturbance, observe, initial


def stationary_root(phi, theta, r: int) -> np.ndarray:
    """A square root (r, r) of the stationary covariance of the first r elements of the state.

    With w = theta(B) z the state is linear in the last r values of the AR process z, whose Levinson stages make it
    from r independent shocks: no equation is solved and no series summed, so roots near the circle cost no digits.
    """
    p = phi.size
    stages, partial, z, root = np.zeros((p, p)), np.zeros(p), np.zeros((r, r)), np.zeros((r, r))
    step_down(phi, stages, partial)
    sd = np.sqrt(np.maximum(1.0 - partial**2, 1e-12))
    for i in range(r):      # z[i, k]: the response to shock k of the value r - 1 - i months ago
        m = min(i, p)
        z[i] = stages[m - 1, :m] @ z[i - m:i][::-1] if m else 0.0
        z[i, i] = 1.0 / np.prod(sd[i:])
    for i in range(r):
        for k, c in enumerate(np.r_[1.0, theta]):
            # What is already known, at this lag k - i or more, of the value i months ahead.
            at = r - 1 - k + i
            root[i] += c * (z[at] - phi[:i] @ z[at - 1 - np.arange(min(i, p))] if k >= i else
                            phi[i:] @ z[at - 1 - np.arange(i, max(i, p))])
    return root


def filter_columns(transition, disturbance, observe, initial, columns, missing, lost):
    """Kalman filter of every row of `columns` (m, T), all with the gain of the one model.

    The first `lost` values are taken as given. Returns innovations (m, T) and their variances (T,) / sigma2, NaN
    where missing or given; the state (m, n) and its covariance (n, n) / sigma2 for the month after the last.
    """
    v, f = np.full(columns.shape, np.nan), np.full(columns.shape[1], np.nan)
    a, p = np.zeros((len(columns), observe.size)), initial
    a[:, observe.size - lost:] = columns[:, :lost][:, ::-1]
    for s in range(lost, columns.shape[1]):
        if not missing[s]:
            covariance = p @ observe
            f[s], v[:, s] = observe @ covariance, columns[:, s] - a @ observe
            # The outer product as it is symmetric to the last bit: else digits are lost where roots crowd the circle.
            a, p = a + np.outer(v[:, s], covariance / f[s]), p - np.outer(covariance, covariance) / f[s]
        a, p = a @ transition.T, transition @ p @ transition.T + np.outer(disturbance, disturbance)
    return v, f, a, p


def shock_weights(space, horizon: int) -> np.ndarray:
    """Weights (horizon,) in a month of its own shock and of those before: 1, psi_1, psi_2, ..."""
    transition, state, observe, _ = space
    weights = np.empty(horizon)
    for h in range(horizon):
        weights[h], state = observe @ state, transition @ state
    return weights
