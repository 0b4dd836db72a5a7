"""ARIMA as methods of forecasting: the study's, one on the series less its season, and any order by its name."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from scipy.linalg import toeplitz
from scipy.special import ndtri

from ..arma import ARMA, fit_arma, select_order
from ..arma.levels import check_order
from ..wording import has, t
from .series import Prediction, Work

_MOST = 5           # p + q of the ARMA: AICc chooses more on 1 of 156 series of the sample, at three times the work
_NAME = re.compile(r"ARIMA\((\d+),(\d),(\d+)\)(?:\((\d),(\d),(\d)\)\[12\])?", re.ASCII)


def order_name(model) -> str:
    """Return how a method is called: an order (p, d, q), or ((p, d, q), (P, D, Q)) with a season, as R writes it."""
    if not isinstance(model, tuple | list):
        return model
    (p, d, q), (*season, months) = check_order(*(model if len(model) == 2 else (model, None)))
    return f"ARIMA({p},{d},{q})" + (f"({season[0]},{season[1]},{season[2]})[{months}]" if any(season) else "")


def order_of(name: str) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return the orders that a method's name states, None where it states none."""
    found = _NAME.fullmatch(name)
    return found and (tuple(map(int, found.groups()[:3])), tuple(map(int, found.groups("0")[3:])))


def model_name(model: str, lang: str | None = None) -> str:
    """Return a method's name in words; an order or a caller's own function has its name only."""
    return t(f"forecasting.model_{model}", lang) if has(f"forecasting.model_{model}") else model


def arma(work: Work, horizon: int) -> Prediction:
    """The study's method: ARMA of the suitably differenced series, order by AICc, eight months a coefficient."""
    return _arma(work, work.plain, horizon)


def pure_arma(work: Work, horizon: int) -> Prediction:
    """The study's method to the letter: ARMA of the series itself, without differencing."""
    return _arma(work, work.plain, horizon, d=0)


def arima(work: Work, horizon: int) -> Prediction:
    """ARIMA of small order on the series less its shrunk season."""
    got = _arma(work, work.adjusted, horizon, max_p=3, max_q=3)
    return Prediction(got.mean + work.season_ahead(horizon), got.cov)


def fixed(work: Work, horizon: int, order) -> Prediction:
    """ARIMA of a stated order, with a season or without, as :func:`ebank_lib.arma.fit_arma` fits it."""
    return _ahead(fit_arma(pd.Series(work.plain, index=work.months), *order), horizon)


def _arma(work: Work, values: np.ndarray, horizon: int, **search) -> Prediction:
    y = pd.Series(values, index=work.months)
    return _ahead(select_order(y, max_order=min(_MOST, len(y) // 8), seasonal=False, **search).best, horizon)


def _ahead(model: ARMA, horizon: int) -> Prediction:
    table = model.forecast(horizon, level=(95,))
    sd = (table["hi-95"] - table["lo-95"]).to_numpy(dtype=float) / (2 * ndtri(0.975))
    lags = [1] * model.order[1] + [model.seasonal_order[3]] * model.seasonal_order[1]
    psi = _psi(model.ar_polynomial, model.ma_polynomial, lags, horizon)
    shape = toeplitz(psi, np.zeros(horizon))
    shape = shape / np.linalg.norm(shape, axis=1, keepdims=True)
    corr = shape @ shape.T
    return Prediction(table["y_hat"].to_numpy(dtype=float), np.outer(sd, sd) * corr)


def _psi(ar: np.ndarray, ma: np.ndarray, lags: list[int], horizon: int) -> np.ndarray:
    """Weights of past shocks in an ARIMA that is differenced at these lags."""
    psi = np.zeros(horizon)
    psi[0] = 1.0
    for h in range(1, horizon):
        psi[h] = ma[h - 1] if h <= ma.size else 0.0
        for j in range(1, min(h, ar.size) + 1):
            psi[h] += ar[j - 1] * psi[h - j]
    for lag in lags:
        for h in range(lag, horizon):
            psi[h] += psi[h - lag]
    return psi
