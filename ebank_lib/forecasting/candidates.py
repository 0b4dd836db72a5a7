"""Each method alone, their combination, and the shape of their errors: a series on its modelling scale -> forecast.

The combination weighs four methods by what each missed by in the last year, in a panel by what they missed together in
all branches; one of them, last year's month plus a share of last year's growth, takes as much of the growth as has
lasted before.

Every method returns the covariance of its errors over the months ahead, not only their spread: an annual total and
"reached by December" depend on how errors hang together.

A method's own limits take its model for the truth and are too narrow. What its errors were on other series, each
divided by the spread the method stated, gives limits that hold what they promise (split conformal prediction with
scaled scores; Lei et al. 2018, JASA 113). Errors are not symmetric, so the two sides are learnt apart. ``shapes.csv``
holds the shape of the combination's, learnt by ``benchmarks/m3.py --learn`` on the training part of 714 monthly series
of the M3 competition; the test part was not looked at.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.linalg import toeplitz
from scipy.optimize import nnls
from scipy.special import ndtri

from ..arma import ARMA, fit_arma, select_order
from ..arma.levels import check_order, name_of, shock_weights
from ..errors import EbankError, SeriesError
from ..wording import has, t
from .calendar import FEWEST, LATE, NOTHING
from .ets import ETS, FORMS, fit_ets, select_ets
from .series import Prediction, Prepared, Work

# Averaging beats choosing on 44 months; these four err in different ways. On M3 (benchmarks/m3.py) ARIMA as a fifth
# takes MASE from 0.805 to 0.804 at six times the work, so it stands beside them instead.
MEMBERS = ("ets", "theta", "damped", "snaive_drift")
# Theta's trend is the whole history's: on the banks of benchmarks/domain.py that are chosen by, a power below 4 costs
# 3% where growth slackens; without, 5% are lost on the sample, where it does not.
_NEARLY = 6
_EQUAL = 0.25       # part of the weights that is equal whatever was missed
# Of the logarithm of the combination's spread: a start, and the shares of the members' spread, of its own late errors,
# of the months ahead; fitted on the training part of M3. The shape is learnt with them, which makes the start free.
_SPREAD = (-0.30, 0.84, 0.09, 0.09)
PROBS = np.array([0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995])
_NEAR = 3           # months ahead on each side that lend their errors: neighbours err alike
# Greatest likelihood on the training part of M3, and the same in each of five folds (benchmarks/odds.py).
_COMMON = 0.15      # of the combination's errors
_PRIOR = 15         # a panel's own record counts n / (n + 15) with n branches (benchmarks/odds.py)
TABLE = Path(__file__).with_name("shapes.csv")
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


def predict(name: str, work: Work, horizon: int) -> Prediction:
    """Run one method by its name; where it cannot be used the error says why."""
    order = order_of(name)
    method, least = (partial(fixed, order=order), 2) if order else CANDIDATES[name]
    if len(work.values) < least:
        raise SeriesError("too few months for this method", found=len(work.values), expected=f"at least {least}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            got = method(work, horizon)
        except EbankError:
            raise
        except (ValueError, ArithmeticError, np.linalg.LinAlgError, IndexError, KeyError) as error:
            text = (str(error) or type(error).__name__).splitlines()[0]
            raise SeriesError("the method failed", found=text) from error
    if not (np.isfinite(got.mean).all() and np.isfinite(got.cov).all()):
        raise SeriesError("the method returned no finite forecast")
    known = name in AS_IT_WAS or order or work.calendar is NOTHING
    return got if known else Prediction(
        got.mean + work.calendar.between(work.first + len(work.values), horizon), got.cov)


def _smoothed(fit: ETS, horizon: int, beside: np.ndarray | float = 0.0) -> Prediction:
    """A smoothing's forecast and what is added to it; errors are sums of past shocks, e_h = shock_h + psi_1 shock_(h-1)
    + ..."""
    mean, psi = fit.forecast(horizon)
    below = toeplitz(psi, np.zeros(horizon))
    return Prediction(mean + beside, fit.sigma2 * below @ below.T)


def snaive(work: Work, horizon: int) -> Prediction:
    """The same month of last year, as it was. Yearly changes that persist (lag one) hang together in the errors."""
    z = work.given
    mean = np.tile(z[-12:], horizon // 12 + 1)[:horizon]
    return Prediction(mean, _yearly_errors(z[12:] - z[:-12], horizon))


def snaive_drift(work: Work, horizon: int) -> Prediction:
    """The same month of last year plus the share of last year's mean change that lasts, see ``growth_share``."""
    z, share = work.values, work.growth_share
    change = z[12:] - z[:-12]
    growth = share * float(change[-12:].mean())
    years = np.arange(horizon) // 12 + 1
    mean = np.tile(z[-12:], horizon // 12 + 1)[:horizon] + growth * years
    # What the rule would have missed by, year after year.
    missed = change[12:] - share * np.convolve(change, np.ones(12) / 12, "valid")[: change.size - 12]
    return Prediction(mean, _yearly_errors(missed if missed.size >= 6 else change - growth, horizon))


def _yearly_errors(changes: np.ndarray, horizon: int) -> np.ndarray:
    power = float(np.mean(changes**2))
    if power == 0:
        return np.zeros((horizon, horizon))
    lag1 = float(np.mean(changes[1:] * changes[:-1])) / power if changes.size > 2 else 0.0
    steps = np.arange(horizon)
    lags = np.subtract.outer(steps, steps)
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
    if work.lasts is None or not work.season.kept:
        return _smoothed(select_ets(work.values), horizon)
    # A panel's series are fitted by the thousand: a season of the form's own is five times the work, and is not better
    # there than the one that has been found.
    return _smoothed(select_ets(work.adjusted, FORMS[:3]), horizon, work.season_ahead(horizon))


def damped(work: Work, horizon: int) -> Prediction:
    """Damped trend on the series less its shrunk season (Gardner & McKenzie 1985)."""
    return _smoothed(fit_ets(work.adjusted, "AAdN"), horizon, work.season_ahead(horizon))


def theta(work: Work, horizon: int) -> Prediction:
    """Theta: simple smoothing plus half the straight trend, on the series less its shrunk season.

    Assimakopoulos & Nikolopoulos (2000); in this form Hyndman & Billah (2003). Half is what real series ask for; where
    growth has lasted in nearly all branches it is as much more of the trend.
    """
    x = work.adjusted
    slope = np.polyfit(np.arange(x.size), x, 1)[0]
    fit = fit_ets(x, "ANN")
    alpha = fit.weights[0]
    lead = np.arange(horizon) + (1 - (1 - alpha) ** x.size) / alpha
    share = (1 + float(np.clip(work.lasts or 0.0, 0, 1)) ** _NEARLY) / 2
    return _smoothed(fit, horizon, share * slope * lead + work.season_ahead(horizon))


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


# name -> method and the fewest months it is used on
CANDIDATES: dict[str, tuple[Callable[[Work, int], Prediction], int]] = {
    "snaive": (snaive, 13), "snaive_drift": (snaive_drift, 24), "drift": (drift, 6), "naive": (naive, 2),
    "ets": (ets, 10), "damped": (damped, 10), "theta": (theta, 10),
    "arma": (arma, 12), "pure_arma": (pure_arma, 12), "arima": (arima, 12),
}
# These take the series with what the calendar adds to it.
AS_IT_WAS = ("snaive", "arma", "pure_arma")


def run_models(ready: Prepared, horizon: int, models) -> tuple[dict[str, Prediction], dict[str, str], tuple]:
    """Run methods on a prepared series.

    Returns the predictions of those that worked (the stand-in ``naive`` when none did), why the others failed, and
    remarks as (wording entry, values).
    """
    if ready.constant:
        still = Prediction(np.full(horizon, ready.work.values[-1]), np.zeros((horizon, horizon)))
        return dict.fromkeys(models, still), {}, (("forecasting.constant", {}),)
    combined = "combination" in models
    worked, failed = tried(ready.work, horizon, dict.fromkeys([
        *(m for m in models if m != "combination"), *(MEMBERS if combined else ())]))
    members = {m: worked[m] for m in MEMBERS if m in worked}
    missing = [m for m in MEMBERS if m in failed]
    if combined and len(members) > 1:
        worked["combination"] = _combined(ready, members)
    elif combined:
        failed["combination"] = failed[missing[0]]
    parts = {m: worked[m] for m in models if m in worked}
    reasons = {m: failed[m] for m in models if m in failed}
    if not parts:
        return {"naive": predict("naive", ready.work, horizon)}, reasons, (
            ("forecasting.fallback", {"n": len(ready.y)}),)
    notes: list[tuple[str, dict]] = []
    if "combination" in parts:
        if "snaive_drift" in members:
            notes.append(("forecasting.growth_share", {"share": ready.work.growth_share}))
        if ready.work.weights is not None:
            notes.append(("forecasting.weights_panel", {}))
        if missing:
            notes.append(("forecasting.members_missing", {"members": missing}))
    return parts, reasons, tuple(notes)


def tried(work: Work, horizon: int, models) -> tuple[dict[str, Prediction], dict[str, str]]:
    """Return what methods say, and why the others cannot be used."""
    worked, failed = {}, {}
    for model in models:
        try:
            worked[model] = predict(model, work, horizon)
        except SeriesError as error:
            failed[model] = str(error)
    return worked, failed


def _combined(ready: Prepared, members: dict[str, Prediction]) -> Prediction:
    """Weighted mean on the modelling scale; members' errors hang together, so spreads are averaged, not reduced.

    Where the scale has no unit the spread is drawn towards what the combination itself missed by lately.
    """
    weights, late = _weights(ready.work, tuple(members))
    mean = sum(w * p.mean for w, p in zip(weights, members.values(), strict=True))
    cov = sum(w * p.cov for w, p in zip(weights, members.values(), strict=True))
    sd = np.sqrt(np.diag(cov))
    if ready.transform.name in ("log", "logit") and sd.min() > 0 and late > 0:
        start, own, lately, ahead = _SPREAD
        ratio = np.exp(start + lately * np.log(late)) * sd ** (own - 1) * np.arange(1, sd.size + 1) ** ahead
        cov = cov * np.outer(ratio, ratio)
    return Prediction(mean, cov, {m: round(w, 2) for m, w in zip(members, weights.tolist(), strict=True)})


def panel_weights(works: Iterable[Work]) -> np.ndarray | None:
    """Return what the members count for in a panel, (4,); None where fewer than four branches tell.

    A quarter equal, the rest the weights, none below zero, with which the forecasts of a year ago (of eight or four
    months ago where the history is short) would have missed least in all branches together (Granger & Ramanathan 1984,
    J. Forecasting 3, 197-204): members that err to opposite sides make up for one another. Every branch counts once.
    """
    powers = []
    for work in works:
        back = next((back for back in LATE if len(work.values) - back >= 24), None)
        if back is None:
            continue
        said, _ = tried(work.until(back), back, MEMBERS)
        missed = np.array([said[m].mean for m in MEMBERS if m in said]) - work.plain[-back:]
        if len(said) == len(MEMBERS) and missed.any():
            powers.append(missed @ missed.T / (missed**2).sum())
    if len(powers) < FEWEST:
        return None
    # Least squares; that the weights add up to one is an equation that outweighs the others.
    root = np.linalg.cholesky(np.mean(powers, axis=0) + 1e-9 * np.eye(len(MEMBERS))).T
    best, _ = nnls(np.vstack([root, np.full(len(MEMBERS), 1e3)]), np.r_[np.zeros(len(MEMBERS)), 1e3])
    return _EQUAL / len(MEMBERS) + (1 - _EQUAL) * best / best.sum()


def _weights(work: Work, members: tuple[str, ...]) -> tuple[np.ndarray, float]:
    """The panel's weights; else a quarter equal, the rest by what each member missed by: inverse squared error at three
    late origins.

    With the weights comes the root of the mean squared error that they would have left at those origins, 0 where there
    is none.
    """
    weights = np.full(len(members), 1 / len(members))
    late = [np.array([said[m].mean - work.plain[-back:] for m in members])
            for back in LATE if len(work.values) - back >= 24
            for said, _ in [tried(work.until(back), back, members)] if len(said) == len(members)]
    if work.weights is not None:
        weights = np.array([work.weights[MEMBERS.index(m)] for m in members])
        weights = weights / weights.sum()
    elif late:
        error = np.mean([np.abs(missed).mean(axis=1) for missed in late], axis=0)
        own = (error.min() / error) ** 2 if error.min() > 0 else weights
        weights = _EQUAL * weights + (1 - _EQUAL) * own / own.sum()
    return weights, float(np.sqrt(np.mean([np.mean((weights @ missed) ** 2) for missed in late]))) if late else 0.0


@dataclass(frozen=True)
class ErrorShape:
    """Quantiles of errors divided by the model's standard deviation.

    ``probs`` (P,) and ``quantiles`` (H, P), rows for 1..H months ahead, the last used beyond; without them the normal
    distribution. ``common`` is the share of each month's variance that is common to all months ahead, beyond what the
    model says: its level and slope are taken for known, and are as wrong in one month as in the next. ``branches``
    counts those whose own errors it holds.
    """

    probs: np.ndarray | None = None
    quantiles: np.ndarray | None = None
    common: float = 0.0
    branches: int = 0

    def hanging_together(self, corr: np.ndarray) -> np.ndarray:
        """Return the correlation of errors over the months ahead, from the model's (horizon, horizon)."""
        return (1 - self.common) * corr + self.common

    def warp(self, shocks: np.ndarray) -> np.ndarray:
        """Give standard normal draws (n, horizon) this shape, month by month."""
        if self.probs is None:
            return shocks
        xp = ndtri(self.probs)
        out = np.empty_like(shocks)
        for h in range(shocks.shape[1]):
            # On the normal scale tails are nearly straight: interpolate there, go on straight beyond the last point.
            out[:, h] = _straight(shocks[:, h], xp, self.quantiles[min(h, len(self.quantiles) - 1)])
        return out


GAUSSIAN = ErrorShape()


def near_quantiles(errors: np.ndarray, h: int, weights: np.ndarray) -> np.ndarray | None:
    """Return the quantiles :data:`PROBS` of scaled errors (n, H) a month ahead, the neighbouring months' among them.

    Every row has its weight (n,). None where there is no error.
    """
    near = errors[:, max(0, h - _NEAR): h + _NEAR + 1]
    seen = np.isfinite(near)
    if not seen.any():
        return None
    values, weights = near[seen], np.broadcast_to(weights[:, None], near.shape)[seen]
    order = np.argsort(values, kind="stable")
    middle = np.cumsum(weights[order]) - weights[order] / 2
    return np.interp(PROBS, middle / weights.sum(), values[order])


def centred(quantiles: np.ndarray) -> np.ndarray:
    """Return the quantiles :data:`PROBS` of errors with a median of zero: the centre stays where the method puts it."""
    # Were most errors on one side, the next quantile would lie beyond the centre: keep them in order.
    return np.where(PROBS < 0.5, np.minimum(quantiles, 0.0), np.where(PROBS > 0.5, np.maximum(quantiles, 0.0), 0.0))


@cache
def shape_of(model: str) -> ErrorShape:
    """Return the shape that was learnt for a method, or the normal one when none was."""
    if model != "combination":
        return GAUSSIAN
    wide = pd.read_csv(TABLE, comment="#").pivot_table("quantile", "horizon", "prob")
    return ErrorShape(wide.columns.to_numpy(dtype=float), wide.to_numpy(dtype=float), _COMMON)


def panel_shape(errors: list[np.ndarray], branch, shipped: ErrorShape) -> ErrorShape:
    """Learn a panel's own shape of errors, drawn towards the shipped one when its branches are few.

    `errors` (origins, months), one a series, are in units of the standard deviation stated at the time, NaN where none;
    `branch` says whose each series is; every branch counts once. The median stays zero: the centre is the method's,
    what the branches were missed by in one direction widens the limits on that side.

    One branch's own record is not used beyond that: on the training part of M3 a series' past errors foretell the size
    of its next ones with slope 0.1 in logarithms (correlation 0.08), and limits scaled by them, or by those of the last
    months only, are no better.
    """
    seen = [(e, b) for e, b in zip(errors, branch, strict=True) if np.isfinite(e).any()]
    if not seen:
        return shipped
    owner = pd.Series(np.repeat([b for _, b in seen], [len(e) for e, _ in seen]))
    weights = (1 / owner.map(owner.value_counts())).to_numpy()
    stack, own = np.concatenate([e for e, _ in seen]), shipped.quantiles.copy()
    for h in range(min(len(own), stack.shape[1])):
        found = near_quantiles(stack, h, weights)
        own[h] = own[h] if found is None else centred(found)
    n = owner.nunique()
    share = n / (n + _PRIOR)
    return replace(shipped, branches=n, quantiles=(1 - share) * shipped.quantiles + share * own)


def _straight(x, xp, fp):
    inner = np.interp(x, xp, fp)
    low = fp[0] + (x - xp[0]) * (fp[1] - fp[0]) / (xp[1] - xp[0])
    high = fp[-1] + (x - xp[-1]) * (fp[-1] - fp[-2]) / (xp[-1] - xp[-2])
    return np.where(x < xp[0], low, np.where(x > xp[-1], high, inner))
