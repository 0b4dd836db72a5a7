"""What comes after the sample: forecast with its limits, and paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from ..errors import SeriesError, UnknownNameError
from .design import exog_frame, future_index, trend_columns
from .kalman import state_space
from .polynomials import expanded

if TYPE_CHECKING:
    from .model import ARMA

__all__ = ["forecast", "simulate"]


def forecast(model: ARMA, horizon, level, exog, parameters, sigma2) -> pd.DataFrame:
    """Return the table of `ARMA.forecast`."""
    horizon = check_horizon(horizon)
    if sigma2 not in ("df", "ml"):
        raise UnknownNameError("sigma2", sigma2, ("df", "ml"))
    future = _future_x(model, horizon, exog)
    mean, ratio, echo = _path(model, horizon, model._coefficients, model._beta, future)
    spare = model.nobs - model.k + 1
    s2 = model.sigma2 * (model.nobs / spare if sigma2 == "df" and spare > 0 else 1.0)
    variance = s2 * ratio
    if parameters:
        variance = variance + _estimation_variance(model, horizon, future, echo)
    se = np.sqrt(variance)
    out = {"y_hat": mean}
    for lv in np.atleast_1d(level):
        if not 0 < lv < 100:
            raise SeriesError("level is a percentage", found=lv, expected="between 0 and 100")
        z = ndtri(0.5 + lv / 200)
        out[f"lo-{lv:g}"], out[f"hi-{lv:g}"] = mean - z * se, mean + z * se
    return pd.DataFrame(out, index=future_index(model.y.index, horizon))


def simulate(model: ARMA, n, horizon, seed, exog, innovations) -> pd.DataFrame:
    """Return the paths of `ARMA.simulate`."""
    horizon, rng = check_horizon(horizon), np.random.default_rng(seed)
    if innovations not in ("normal", "resampled"):
        raise UnknownNameError("innovations", innovations, ("normal", "resampled"))
    future, (_, _, a, p) = _future_x(model, horizon, exog), model._filtered
    transition, disturbance, observe, _ = state_space(model.ar_polynomial, model.ma_polynomial, model.delta)
    s2 = model.sigma2 * model.nobs / max(model.nobs - model.k + 1, 1)
    if innovations == "normal":
        shocks = rng.standard_normal((horizon, n))
    else:
        e = model.resid.dropna().to_numpy()
        shocks = rng.choice((e - e.mean()) / e.std(), size=(horizon, n))
    # The state's covariance holds the first shock's already: what is left is doubt about the present.
    value, vector = np.linalg.eigh(p - np.outer(disturbance, disturbance))
    doubt = vector * np.sqrt(np.maximum(value, 0.0))
    state = a[0][:, None] / np.sqrt(s2) + doubt @ rng.standard_normal((len(value), n))
    paths = np.empty((horizon, n))
    for h in range(horizon):
        state = state + disturbance[:, None] * shocks[h]
        paths[h] = observe @ state
        state = transition @ state
    paths = paths * np.sqrt(s2) + (future @ model._beta)[:, None]
    return pd.DataFrame(paths, index=future_index(model.y.index, horizon))


def _future_x(model: ARMA, horizon: int, exog) -> np.ndarray:
    d, index = model.design, future_index(model.y.index, horizon)
    trend = trend_columns(index, d.trend, d.d + d.big_d, start=len(d.y) + 1)
    names = [c for c in d.x.columns if c not in trend]
    if names and exog is None:
        raise SeriesError("the model has regressors: forecast(exog=...) needs their future", found=None,
                          expected=f"{horizon} rows of {names}")
    return np.column_stack([*trend.values(), exog_frame(exog, index, names).to_numpy()])


def _path(model: ARMA, horizon: int, coefficients, beta, future):
    """Mean (h,), variance / sigma2 (h,), and the regressors' own forecasts (h, m)."""
    _, _, a, p = model._filter(coefficients, beta)
    phi, theta = expanded(coefficients, model.shape)
    transition, disturbance, observe, _ = state_space(phi, theta, model.delta)
    mean, variance, echo = np.empty(horizon), np.empty(horizon), np.empty((horizon, len(a) - 1))
    for h in range(horizon):
        mean[h], echo[h] = observe @ a[0], a[1:] @ observe
        variance[h] = observe @ p @ observe
        a = a @ transition.T
        p = transition @ p @ transition.T + np.outer(disturbance, disturbance)
    return mean + future @ beta, variance, echo


def _estimation_variance(model: ARMA, horizon, future, echo) -> np.ndarray:
    c, k = model._coefficients, len(model._coefficients)
    arma = model._covariance[0][:k, :k]
    if model._covariance[1]:
        raise SeriesError("no parameter uncertainty", found=model.std_errors_note("en"),
                          expected="forecast(parameters=False)")
    slope = np.empty((horizon, k))
    for i in range(k):
        ends = []
        for h in (1e-5, -1e-5):
            x = c.copy()
            x[i] += h
            ends.append(_path(model, horizon, x, model._concentrated(x)[0], future)[0])
        slope[:, i] = (ends[0] - ends[1]) / 2e-5
    gap = future - echo
    return (np.einsum("hi,ij,hj->h", slope, arma, slope)
            + np.einsum("hi,ij,hj->h", gap, model._gls_covariance, gap))


def check_horizon(horizon) -> int:
    if int(horizon) != horizon or not 1 <= horizon <= 600:
        raise SeriesError("horizon is a number of months", found=horizon, expected="1 to 600")
    return int(horizon)
