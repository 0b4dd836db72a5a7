"""ARIMA as methods of forecasting: the study's, one on the series less its season, and any order by its name."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from scipy.linalg import toeplitz

from ..arma import ARMA, fit_arma, select_order
from ..arma.levels import check_order, name_of, shock_weights
from ..wording import has, t
from .series import Prediction, Work

_MOST = 5           # p + q of the ARMA: AICc chooses more on 1 of 156 series of the sample, at three times the work
_NAME = re.compile(r"ARIMA\((\d+),(\d),(\d+)\)(?:\((\d),(\d),(\d)\)\[12\])?", re.ASCII)


def order_name(model) -> str:
    """Return how a method is called: an order (p, d, q), or ((p, d, q), (P, D, Q)) with a season, as R writes it."""
    if not isinstance(model, tuple | list):
        return model
    return name_of(*check_order(*(model if len(model) == 2 else (model, None))))


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
    mean, sd = model.ahead(horizon)
    shape = toeplitz(shock_weights(model.space, horizon), np.zeros(horizon))
    shape = shape / np.linalg.norm(shape, axis=1, keepdims=True)
    return Prediction(mean, np.outer(sd, sd) * (shape @ shape.T))
