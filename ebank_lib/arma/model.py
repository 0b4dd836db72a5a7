"""One fitted (seasonal) ARIMA model: parameters, residuals, forecast, simulation.

First version: the fit itself is statsmodels' exact state-space likelihood, always on the
differenced and standardised series (its default fit depends on the scale of the data).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import norm
from statsmodels.tsa.statespace.sarimax import SARIMAX

__all__ = ["ARMA", "fit_arma"]


def as_series(y) -> pd.Series:
    """`y` as a float Series whose index is a PeriodIndex or a RangeIndex."""
    if not isinstance(y, pd.Series):
        y = pd.Series(np.asarray(y, dtype=float))
    if isinstance(y.index, pd.DatetimeIndex):
        y = y.copy()
        y.index = y.index.to_period(y.index.freq or y.index.inferred_freq)
    return y.astype(float)


def future_index(index: pd.Index, horizon: int) -> pd.Index:
    """The `horizon` labels that follow `index`."""
    if isinstance(index, pd.PeriodIndex):
        return pd.period_range(index[-1] + 1, periods=horizon, freq=index.freq, name=index.name)
    return pd.RangeIndex(index[-1] + 1, index[-1] + 1 + horizon, name=index.name)


@dataclass(frozen=True)
class ARMA:
    """A fitted model; see `fit_arma`."""

    y: pd.Series = field(repr=False)
    order: tuple[int, int, int]
    seasonal_order: tuple[int, int, int, int]
    trend: str
    params: pd.Series = field(repr=False)
    bse: pd.Series = field(repr=False)
    loglik: float
    sigma2: float
    nobs: int
    converged: bool
    resid: pd.Series = field(repr=False)
    _results: object = field(repr=False)
    _scale: float = field(repr=False)

    @property
    def k(self) -> int:
        """Number of estimated parameters, sigma2 among them."""
        return len(self.params) + 1

    @property
    def aic(self) -> float:
        return -2 * self.loglik + 2 * self.k

    @property
    def aicc(self) -> float:
        spare = self.nobs - self.k - 1
        return self.aic + 2 * self.k * (self.k + 1) / spare if spare > 0 else np.inf

    @property
    def bic(self) -> float:
        return -2 * self.loglik + np.log(self.nobs) * self.k

    @property
    def hqic(self) -> float:
        return -2 * self.loglik + 2 * np.log(np.log(self.nobs)) * self.k

    def forecast(self, horizon: int = 12, level=(80, 95), exog=None) -> pd.DataFrame:
        """Point forecast and limits: columns `y_hat, lo-80, hi-80, ...`, one row per month."""
        got = self._results.get_forecast(horizon, exog=exog)
        mean = np.asarray(got.predicted_mean) * self._scale
        widen = np.sqrt(self.nobs / max(self.nobs - self.k + 1, 1))
        se = np.asarray(got.se_mean) * self._scale * widen
        out = {"y_hat": mean}
        for lv in level:
            z = norm.ppf(0.5 + lv / 200)
            out[f"lo-{lv:g}"] = mean - z * se
            out[f"hi-{lv:g}"] = mean + z * se
        return pd.DataFrame(out, index=future_index(self.y.index, horizon))

    def simulate(self, n: int = 1000, horizon: int = 12, seed: int = 0, exog=None) -> pd.DataFrame:
        """`n` future paths from the end of the sample: rows are months, columns are paths."""
        rng = np.random.default_rng(seed)
        paths = self._results.simulate(
            horizon, anchor="end", repetitions=n, exog=exog, rng=rng
        )
        values = np.asarray(paths).reshape(horizon, n) * self._scale
        return pd.DataFrame(values, index=future_index(self.y.index, horizon))

    def tidy(self) -> pd.DataFrame:
        """One row per parameter: `term, estimate, std_error, statistic, p_value`."""
        z = self.params / self.bse
        return pd.DataFrame(
            {
                "term": self.params.index,
                "estimate": self.params.to_numpy(),
                "std_error": self.bse.to_numpy(),
                "statistic": z.to_numpy(),
                "p_value": 2 * norm.sf(np.abs(z.to_numpy())),
            }
        )

    def glance(self) -> pd.DataFrame:
        """One row about the whole model."""
        keys = ("nobs", "k", "loglik", "sigma2", "aic", "aicc", "bic", "hqic", "converged")
        return pd.DataFrame({key: [getattr(self, key)] for key in keys})

    def augment(self) -> pd.DataFrame:
        """One row per month: `y, fitted, resid`."""
        return pd.DataFrame({"y": self.y, "fitted": self.y - self.resid, "resid": self.resid})


def fit_arma(y, order, seasonal_order=None, exog=None, trend="c") -> ARMA:
    """Fit one ARIMA(p, d, q)(P, D, Q)s by exact maximum likelihood.

    Parameters
    ----------
    y : Series (T,)
        Monthly PeriodIndex; a RangeIndex, a DatetimeIndex with a frequency or an array also do.
    order : (p, d, q)
    seasonal_order : (P, D, Q, s), optional
    exog : array (T, m), optional
    trend : {"n", "c", "ct"}
        A polynomial in the *level* of y; what differencing removes is left out.
    """
    y = as_series(y)
    p, d, q = order
    seasonal = tuple(seasonal_order or (0, 0, 0, 0))
    drop = d + seasonal[1]
    kept = {"n": "n", "c": "c" if drop == 0 else "n", "ct": {0: "ct", 1: "c"}.get(drop, "n")}[trend]
    scale = float(y.diff().std()) or 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = SARIMAX(
            y / scale,
            exog=exog,
            order=(p, d, q),
            seasonal_order=seasonal,
            trend=kept,
            simple_differencing=True,
        ).fit(disp=False, maxiter=500)
        full = SARIMAX(
            y / scale, exog=exog, order=(p, d, q), seasonal_order=seasonal, trend=kept,
            initialization="approximate_diffuse",
        ).smooth(fit.params)
    nobs = int(np.isfinite(np.asarray(fit.model.endog)).sum())
    names = [n for n in fit.params.index if n != "sigma2"]
    names = [n.replace(".L", "") for n in names]
    values = fit.params.drop("sigma2")
    unscale = np.array([1.0 if n.startswith(("ar", "ma")) else scale for n in names])
    values = pd.Series(values.to_numpy() * unscale, index=names)
    bse = pd.Series(fit.bse.drop("sigma2").to_numpy() * unscale, index=names)
    resid = pd.Series(np.nan, index=y.index, name="resid")
    resid.iloc[len(y) - fit.resid.size:] = np.asarray(fit.resid) * scale
    return ARMA(
        y=y, order=(p, d, q), seasonal_order=seasonal, trend=trend, params=values, bse=bse,
        loglik=float(fit.llf - nobs * np.log(scale)), sigma2=float(fit.params["sigma2"]) * scale**2,
        nobs=nobs, converged=bool(fit.mle_retvals["converged"]), resid=resid, _results=full,
        _scale=scale,
    )
