"""Each method alone, one signature: a series on its modelling scale -> mean and error covariance, month by month.

Every method returns the covariance of its errors over the months ahead, not only their spread: an annual total and
"reached by December" depend on how errors hang together.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np
import pandas as pd
from scipy.linalg import toeplitz
from scipy.special import ndtri

from ebank_lib.arma import select_order
from ebank_lib.errors import EbankError, SeriesError
from ebank_lib.events.noise import shape

from .calendar import EFFECTS, NOTHING, CalendarEffect
from .ets import ETS, FORMS, fit_ets, select_ets
from .season import Season, find_season

__all__ = ["CANDIDATES", "MEMBERS", "Prediction", "Work", "predict"]

# Averaging beats choosing on 44 months; these four err in different ways. On M3 (benchmarks/m3.py) ARIMA as a fifth
# takes MASE from 0.805 to 0.804 at six times the work, so it stands beside them instead.
MEMBERS = ("ets", "theta", "damped", "snaive_drift")
_MOST = 5           # p + q of the ARMA: AICc chooses more on 1 of 156 series of the sample, at three times the work
_LONGEST = 660      # months that the calendar is asked about at most


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


@dataclass
class Work:
    """One series at work: complete, on its modelling scale. Methods share what they have in common.

    ``values`` (T,) are without the events that are beyond doubt and without what the calendar adds, ``given`` (T,) is
    as it was; ``first`` is the ordinal of the first month. ``calendar`` says what the calendar adds, ``events``
    (kind, position) what was taken out.
    """

    values: np.ndarray
    given: np.ndarray
    first: int
    calendar: CalendarEffect = NOTHING
    events: tuple[tuple[str, int], ...] = ()
    name: object = None
    _done: dict = field(default_factory=dict)

    @property
    def months(self) -> pd.PeriodIndex:
        """The months of the series."""
        if "months" not in self._done:
            n = len(self.values)
            self._done["months"] = pd.PeriodIndex.from_ordinals(np.arange(self.first, self.first + n), freq="M")
        return self._done["months"]

    def _series(self, values: np.ndarray) -> pd.Series:
        return pd.Series(values, index=self.months, name=self.name)

    @property
    def raw(self) -> pd.Series:
        """The series as it was."""
        return self._series(self.given)

    @property
    def plain(self) -> pd.Series:
        """The series without its events, with what the calendar adds."""
        return self._series(self.plain_values)

    @property
    def plain_values(self) -> np.ndarray:
        """The same as an array (T,)."""
        if "plain" not in self._done:
            self._done["plain"] = self.values + self.calendar.between(self.first, len(self.values))
        return self._done["plain"]

    @property
    def ahead(self) -> pd.PeriodIndex:
        """The months that follow, as many as a forecast may reach."""
        if "ahead" not in self._done:
            end = self.first + len(self.values)
            self._done["ahead"] = pd.PeriodIndex.from_ordinals(np.arange(end, end + _LONGEST), freq="M")
        return self._done["ahead"]

    def until(self, back: int) -> Work:
        """Return the series as it was some months before its end, the calendar's effects as they are known now."""
        n = len(self.values) - back
        return Work(self.values[:n], self.given[:n], self.first, self.calendar,
                    tuple(e for e in self.events if e[1] < n), self.name)

    @property
    def season(self) -> Season:
        """The shrunk season."""
        if "season" not in self._done:
            # A season that the branches share is with the calendar already.
            self._done["season"] = find_season(self.values if self.calendar.season is None else self.values[:0])
        return self._done["season"]

    @property
    def adjusted(self) -> pd.Series:
        """The series less its season."""
        return self._series(self.adjusted_values)

    @property
    def adjusted_values(self) -> np.ndarray:
        """The same as an array (T,); the very array of the series where there is no season."""
        if "adjusted" not in self._done:
            terms = self.season.at(np.arange(len(self.values)))
            self._done["adjusted"] = self.values - terms if terms.any() else self.values
        return self._done["adjusted"]

    def season_ahead(self, horizon: int) -> np.ndarray:
        """Return the season's terms of the months ahead."""
        return self.season.at(np.arange(len(self.values), len(self.values) + horizon))

    def smoothed(self, y: np.ndarray, form: str) -> ETS:
        """Return exponential smoothing of one of its arrays, fitted once: several methods begin with it."""
        return _fitted(np.asarray(y, dtype=float).tobytes(), form)


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
    fit = select_ets(work.values, FORMS if work.calendar.season is None else FORMS[:3], work.smoothed)
    return _from_weights(*fit.forecast(horizon), fit.sigma2, f"ETS({','.join(_letters(fit.form))})")


def damped(work: Work, horizon: int) -> Prediction:
    """Damped trend on the series less its shrunk season (Gardner & McKenzie 1985)."""
    fit = work.smoothed(work.adjusted_values, "AAdN")
    mean, psi = fit.forecast(horizon)
    return _from_weights(mean + work.season_ahead(horizon), psi, fit.sigma2, f"phi={fit.weights[3]:.2f}")


def theta(work: Work, horizon: int) -> Prediction:
    """Theta: simple smoothing plus half the straight trend, on the series less its shrunk season.

    Assimakopoulos & Nikolopoulos (2000); in this form Hyndman & Billah (2003).
    """
    x = work.adjusted_values
    slope = np.polyfit(np.arange(x.size), x, 1)[0]
    fit = work.smoothed(x, "ANN")
    alpha = fit.weights[0]
    level, psi = fit.forecast(horizon)
    lead = np.arange(horizon) + (1 - (1 - alpha) ** x.size) / alpha
    return _from_weights(level + slope / 2 * lead + work.season_ahead(horizon), psi, fit.sigma2, f"alpha={alpha:.2f}")


def _letters(form: str) -> list[str]:
    return [form[0], "Ad" if "d" in form else form[1], form[-1]]


def arma(work: Work, horizon: int) -> Prediction:
    """The study's method: ARMA of the suitably differenced series, order by AICc, eight months a coefficient."""
    return _arma(work.plain, horizon, d=None, max_order=_most(work))


def pure_arma(work: Work, horizon: int) -> Prediction:
    """The study's method to the letter: ARMA of the series itself, without differencing."""
    return _arma(work.plain, horizon, d=0, max_order=_most(work))


def arima(work: Work, horizon: int) -> Prediction:
    """ARIMA of small order on the series less its shrunk season."""
    got = _arma(work.adjusted, horizon, d=None, max_p=3, max_q=3, max_order=_most(work))
    return Prediction(got.mean + work.season_ahead(horizon), got.cov, got.detail, got.notes)


def _most(work: Work) -> int:
    return min(_MOST, len(work.values) // 8)


def regarma(work: Work, horizon: int) -> Prediction:
    """Regression on the calendar and the events with ARMA errors, all estimated together (Box & Tiao 1975)."""
    z, n = work.raw, len(work.given)
    calendar = work.calendar
    if not calendar.used.size and not work.events:
        raise SeriesError("nothing to regress on", found="no calendar and no events",
                          expected="a calendar, or an event beyond doubt")
    months = z.index.append(work.ahead[:horizon])
    columns = {f"{kind}_{z.index[at]}": shape(kind, at, len(months)) for kind, at in work.events}
    for name, column, used in zip(EFFECTS, calendar.columns(months).T, calendar.used, strict=False):
        if used:
            columns[name] = column
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
