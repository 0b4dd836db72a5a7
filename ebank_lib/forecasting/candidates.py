"""Each method alone, and their combination: a series on its modelling scale -> mean and error covariance.

Every method returns the covariance of its errors over the months ahead, not only their spread: an annual total and
"reached by December" depend on how errors hang together.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import pandas as pd
from scipy.linalg import toeplitz
from scipy.special import ndtri

from ..arma import select_order
from ..errors import EbankError, SeriesError
from ..events.noise import shape
from .calendar import EFFECTS, NOTHING
from .ets import ETS, FORMS, fit_ets, select_ets
from .series import Prepared, Work

__all__ = ["CANDIDATES", "COMBINATIONS", "MEMBERS", "Prediction", "predict", "run_models", "smoothed", "tried"]

# Averaging beats choosing on 44 months; these four err in different ways. On M3 (benchmarks/m3.py) ARIMA as a fifth
# takes MASE from 0.805 to 0.804 at six times the work, so it stands beside them instead.
MEMBERS = ("ets", "theta", "damped", "snaive_drift")
_MOST = 5           # p + q of the ARMA: AICc chooses more on 1 of 156 series of the sample, at three times the work
_LATE = (12, 8, 4)  # months before the end, of the origins that weights are learnt from


@dataclass(frozen=True)
class Prediction:
    """What a method says on the modelling scale: ``mean`` (H,), error ``cov`` (H, H), and how it was got."""

    mean: np.ndarray
    cov: np.ndarray
    detail: str = ""
    notes: tuple[str, ...] = ()

    @property
    def sd(self) -> np.ndarray:
        """Standard deviation of the error, (H,)."""
        return np.sqrt(np.maximum(np.diag(self.cov), 0.0))


def smoothed(y: np.ndarray, form: str) -> ETS:
    """Return exponential smoothing of a series (T,), fitted once: several methods begin with it."""
    return _fitted(y.tobytes(), form)


@lru_cache(maxsize=2048)    # the late months of one origin are another origin's own: a quarter of a backtest's fits
def _fitted(values: bytes, form: str) -> ETS:
    return fit_ets(np.frombuffer(values), form)


Candidate = Callable[[Work, int], Prediction]


def predict(name: str, work: Work, horizon: int) -> Prediction:
    """Run one method by its name; its warnings become notes.

    Raises
    ------
    SeriesError
        The method cannot be used on this series; the message says why.
    """
    method, least = CANDIDATES[name]
    if len(work.values) < least:
        raise SeriesError("too few months for this method", found=len(work.values), expected=f"at least {least}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            got = method(work, horizon)
        except EbankError:
            raise
        except (ValueError, ArithmeticError, np.linalg.LinAlgError, IndexError, KeyError) as error:
            text = (str(error) or type(error).__name__).splitlines()[0]
            raise SeriesError("the method failed", found=text) from error
    if not (np.isfinite(got.mean).all() and np.isfinite(got.cov).all()):
        raise SeriesError("the method returned no finite forecast")
    known = name in AS_IT_WAS or work.calendar is NOTHING
    mean = got.mean if known else got.mean + work.calendar.between(work.first + len(work.values), horizon)
    # What a library says about its own future versions is no remark on this series.
    notes = dict.fromkeys(str(w.message).splitlines()[0] for w in caught
                          if not issubclass(w.category, (FutureWarning, DeprecationWarning)))
    return Prediction(mean, got.cov, got.detail, (*got.notes, *notes))


@cache
def _lags(horizon: int) -> np.ndarray:
    return np.subtract.outer(np.arange(horizon), np.arange(horizon))


def _from_weights(mean: np.ndarray, psi: np.ndarray, sigma2: float, detail: str) -> Prediction:
    """Errors that are sums of past shocks: e_h = shock_h + psi_1 shock_(h-1) + ..."""
    below = np.where(_lags(len(psi)) >= 0, psi[_lags(len(psi))], 0.0)
    return Prediction(mean, sigma2 * below @ below.T, detail)


def snaive(work: Work, horizon: int) -> Prediction:
    """The same month of last year, as it was. Yearly changes that persist (lag one) hang together in the errors."""
    z = work.given
    mean = np.tile(z[-12:], horizon // 12 + 1)[:horizon]
    return Prediction(mean, _yearly_errors(z[12:] - z[:-12], horizon))


def snaive_drift(work: Work, horizon: int) -> Prediction:
    """The same month of last year plus half of the last year's mean change: between no growth and growth as before."""
    z = work.values
    change = z[12:] - z[:-12]
    growth = 0.5 * float(change[-12:].mean())
    years = np.arange(horizon) // 12 + 1
    mean = np.tile(z[-12:], horizon // 12 + 1)[:horizon] + growth * years
    # What the rule would have missed by, year after year.
    missed = change[12:] - 0.5 * np.convolve(change, np.ones(12) / 12, "valid")[: change.size - 12]
    return Prediction(mean, _yearly_errors(missed if missed.size >= 6 else change - growth, horizon))


def _yearly_errors(changes: np.ndarray, horizon: int) -> np.ndarray:
    power = float(np.mean(changes**2))
    if power == 0:
        return np.zeros((horizon, horizon))
    lag1 = float(np.mean(changes[1:] * changes[:-1])) / power if changes.size > 2 else 0.0
    steps = np.arange(horizon)
    lags = _lags(horizon)
    one = (np.clip(lag1, 0.0, 0.95) ** steps)[np.abs(lags)]
    # The error h months ahead adds up the yearly changes of its calendar month.
    adds = (lags % 12 == 0) & (lags >= 0)
    return power * adds @ one @ adds.T


def drift(work: Work, horizon: int) -> Prediction:
    """A straight line from the last month, by the mean monthly change; the mean's own error is counted."""
    z = work.values
    steps, h = np.diff(z), np.arange(1, horizon + 1)
    spread = float(np.var(steps, ddof=1))
    cov = spread * (np.minimum.outer(h, h) + np.outer(h, h) / steps.size)
    return Prediction(z[-1] + h * steps.mean(), cov)


def naive(work: Work, horizon: int) -> Prediction:
    """The last month again: what is left when the history is too short for anything else.

    The spread of a few changes is itself uncertain; the variance is that of a t distribution.
    """
    z, h = work.values, np.arange(1, horizon + 1)
    steps = np.diff(z)
    spare = max(steps.size - 1, 1)
    spread = float(np.mean(steps**2)) * (spare / (spare - 2) if spare > 2 else 4.0)
    return Prediction(np.full(horizon, z[-1]), spread * np.minimum.outer(h, h).astype(float))


def ets(work: Work, horizon: int) -> Prediction:
    """Exponential smoothing, the form of least AICc."""
    # Where the branches' common season is off already, a season of its own would be noise, at five times the work.
    fit = select_ets(work.values, FORMS if work.calendar.season is None else FORMS[:3], smoothed)
    return _from_weights(*fit.forecast(horizon), fit.sigma2, f"ETS({','.join(_letters(fit.form))})")


def damped(work: Work, horizon: int) -> Prediction:
    """Damped trend on the series less its shrunk season (Gardner & McKenzie 1985)."""
    fit = smoothed(work.adjusted, "AAdN")
    mean, psi = fit.forecast(horizon)
    return _from_weights(mean + work.season_ahead(horizon), psi, fit.sigma2, f"phi={fit.weights[3]:.2f}")


def theta(work: Work, horizon: int) -> Prediction:
    """Theta: simple smoothing plus half the straight trend, on the series less its shrunk season.

    Assimakopoulos & Nikolopoulos (2000); in this form Hyndman & Billah (2003).
    """
    x = work.adjusted
    slope = np.polyfit(np.arange(x.size), x, 1)[0]
    fit = smoothed(x, "ANN")
    alpha = fit.weights[0]
    level, psi = fit.forecast(horizon)
    lead = np.arange(horizon) + (1 - (1 - alpha) ** x.size) / alpha
    return _from_weights(level + slope / 2 * lead + work.season_ahead(horizon), psi, fit.sigma2, f"alpha={alpha:.2f}")


def _letters(form: str) -> list[str]:
    return [form[0], "Ad" if "d" in form else form[1], form[-1]]


def arma(work: Work, horizon: int) -> Prediction:
    """The study's method: ARMA of the suitably differenced series, order by AICc, eight months a coefficient."""
    return _arma(work.as_series(work.plain), horizon, d=None, max_order=_most(work))


def pure_arma(work: Work, horizon: int) -> Prediction:
    """The study's method to the letter: ARMA of the series itself, without differencing."""
    return _arma(work.as_series(work.plain), horizon, d=0, max_order=_most(work))


def arima(work: Work, horizon: int) -> Prediction:
    """ARIMA of small order on the series less its shrunk season."""
    got = _arma(work.as_series(work.adjusted), horizon, d=None, max_p=3, max_q=3, max_order=_most(work))
    return Prediction(got.mean + work.season_ahead(horizon), got.cov, got.detail, got.notes)


def _most(work: Work) -> int:
    return min(_MOST, len(work.values) // 8)


def regarma(work: Work, horizon: int) -> Prediction:
    """Regression on the calendar and the events with ARMA errors, all estimated together (Box & Tiao 1975)."""
    z, n = work.as_series(work.given), len(work.given)
    calendar = work.calendar
    if not calendar.used.size and not work.events:
        raise SeriesError("nothing to regress on", found="no calendar and no events",
                          expected="a calendar, or an event beyond doubt")
    months = pd.PeriodIndex.from_ordinals(np.arange(work.first, work.first + n + horizon), freq="M")
    columns = {f"{kind}_{z.index[at]}": shape(kind, at, len(months)) for kind, at in work.events}
    columns |= {name: column for name, column, used in zip(EFFECTS, calendar.columns(work.first, len(months)).T,
                                                           calendar.used, strict=False) if used}
    if calendar.season is not None:
        z = z - calendar.season[z.index.month - 1]
    if not columns:
        raise SeriesError("nothing to regress on", found="no calendar effect that shows", expected="one at least")
    x = pd.DataFrame(columns, index=months)
    got = _arma(z, horizon, exog=x.iloc[:n], future=x.iloc[n:], max_p=3, max_q=3, max_order=_most(work))
    if calendar.season is None:
        return got
    return Prediction(got.mean + calendar.season[months[n:].month - 1], got.cov, got.detail, got.notes)


def _arma(z: pd.Series, horizon: int, future: pd.DataFrame | None = None, **search) -> Prediction:
    chosen = select_order(z, **search)
    table = chosen.best.forecast(horizon, level=(95,), exog=future)
    sd = (table["hi-95"] - table["lo-95"]).to_numpy(dtype=float) / (2 * ndtri(0.975))
    psi = _psi(chosen.best.params, chosen.order[1], horizon)
    shape = toeplitz(psi, np.zeros(horizon))
    shape = shape / np.linalg.norm(shape, axis=1, keepdims=True)
    corr = shape @ shape.T
    p, d, q = chosen.order
    return Prediction(table["y_hat"].to_numpy(dtype=float), np.outer(sd, sd) * corr, f"ARIMA({p},{d},{q})")


def _psi(params: pd.Series, d: int, horizon: int) -> np.ndarray:
    """Weights of past shocks in an ARIMA, differencing included."""
    ar = params[[n for n in params.index if n.startswith("ar") and n[2:].isdigit()]].to_numpy(dtype=float)
    ma = params[[n for n in params.index if n.startswith("ma") and n[2:].isdigit()]].to_numpy(dtype=float)
    psi = np.zeros(horizon)
    for h in range(horizon):
        psi[h] = 1.0 if h == 0 else (ma[h - 1] if h <= ma.size else 0.0)
        for j in range(1, min(h, ar.size) + 1):
            psi[h] += ar[j - 1] * psi[h - j]
    for _ in range(d):
        psi = np.cumsum(psi)
    return psi


# name -> method and the fewest months it is used on
CANDIDATES: dict[str, tuple[Candidate, int]] = {
    "snaive": (snaive, 13), "snaive_drift": (snaive_drift, 25), "drift": (drift, 6), "naive": (naive, 2),
    "ets": (ets, 10), "damped": (damped, 10), "theta": (theta, 10),
    "arma": (arma, 12), "pure_arma": (pure_arma, 12), "arima": (arima, 12), "regarma": (regarma, 26),
}
# These take the series with what the calendar adds to it, or see to it themselves.
AS_IT_WAS = ("snaive", "arma", "pure_arma", "regarma")


def run_models(ready: Prepared, horizon: int, models) -> tuple[dict[str, Prediction], dict[str, str], tuple]:
    """Run methods on a prepared series.

    Returns
    -------
    parts : model -> Prediction of those that worked; the stand-in ``naive`` when none did
    reasons : model -> why it failed
    notes : remarks as (wording entry, values)
    """
    if ready.constant:
        still = Prediction(np.full(horizon, ready.work.values[-1]), np.zeros((horizon, horizon)))
        return dict.fromkeys(models, still), {}, (("forecasting.constant", {}),)
    combined = any(model in COMBINATIONS for model in models)
    alone = dict.fromkeys([*(m for m in models if m not in COMBINATIONS), *(MEMBERS if combined else ())])
    worked, failed = tried(ready.work, horizon, alone)
    members = {m: worked[m] for m in MEMBERS if m in worked}
    parts: dict[str, Prediction] = {}
    reasons: dict[str, str] = {}
    for model in models:
        if model in worked:
            parts[model] = worked[model]
        elif model in COMBINATIONS and len(members) > 1:
            parts[model] = COMBINATIONS[model](ready.work, members)
        else:
            reasons[model] = failed[model] if model in failed else next(failed[m] for m in MEMBERS if m in failed)
    if not parts:
        return {"naive": predict("naive", ready.work, horizon)}, reasons, (
            ("forecasting.fallback", {"n": len(ready.y)}),)
    missing = [m for m in MEMBERS if m in failed] if any(model in COMBINATIONS for model in parts) else []
    return parts, reasons, (("forecasting.members_missing", {"members": missing}),) if missing else ()


def tried(work: Work, horizon: int, models) -> tuple[dict[str, Prediction], dict[str, str]]:
    """Return what methods say, and why the others cannot be used."""
    worked, failed = {}, {}
    for model in models:
        try:
            worked[model] = predict(model, work, horizon)
        except SeriesError as error:
            failed[model] = str(error)
    return worked, failed


def _combined(work: Work, members: dict[str, Prediction]) -> Prediction:
    """Weighted mean on the modelling scale; members' errors hang together, so spreads are averaged, not reduced."""
    weights = _weights(work, tuple(members))
    mean = sum(w * p.mean for w, p in zip(weights, members.values(), strict=True))
    cov = sum(w * p.cov for w, p in zip(weights, members.values(), strict=True))
    detail = ", ".join(f"{name} {w:.2f}" for name, w in zip(members, weights, strict=True))
    return Prediction(mean, cov, detail, tuple(dict.fromkeys(n for p in members.values() for n in p.notes)))


def _median(work: Work, members: dict[str, Prediction]) -> Prediction:
    """Median of the members, month by month: of four, the mean without the highest and the lowest."""
    return Prediction(np.median([p.mean for p in members.values()], axis=0),
                      np.mean([p.cov for p in members.values()], axis=0))


COMBINATIONS = {"combination": _combined, "median": _median}


def _weights(work: Work, members: tuple[str, ...]) -> np.ndarray:
    """Half equal, half by what each member missed by lately: inverse squared error at three late origins."""
    equal = np.full(len(members), 1 / len(members))
    missed = np.array([[np.abs(said[m].mean - work.plain[-back:]).mean() if m in said else np.nan for m in members]
                       for back in _LATE if len(work.values) - back >= 24
                       for said, _ in [tried(work.until(back), back, MEMBERS)]])
    if not missed.size or not np.isfinite(missed).any():
        return equal
    error = np.array([column[np.isfinite(column)].mean() if np.isfinite(column).any() else np.nan
                      for column in missed.T])
    error = np.where(np.isfinite(error), error, np.nanmean(error))
    if not error.min() > 0:
        return equal
    own = (error.min() / error) ** 2
    return 0.5 * equal + 0.5 * own / own.sum()
