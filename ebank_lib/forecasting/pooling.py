"""What the branches of a province teach one another about an indicator: calendar, season, and what forecasts missed by.

44 months hold fewer than four of each calendar month; sixteen branches under one calendar and one appraisal hold many
more. Each branch's own estimate is drawn towards what all say, as far as they agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from .calendar import EFFECTS, drawn_to, find_season, fit_calendar
from .candidates import MEMBERS, smoothed, tried
from .series import SCALES, Prepared, Transform

__all__ = ["PlainForecasts", "Pooled", "learn_pooled", "plain_forecasts", "surprises_of"]

_FEWEST = 4         # branches below which nothing is pooled
_SHARED = 0.5       # part of an estimate's error that the branches are thought to have in common
_DOUBT = 2.0        # squared t of the common effect below which it is taken for nothing
_LEAST = 12         # months of a series whose surprises are looked at


@dataclass(frozen=True)
class Pooled:
    """What the branches say of one indicator; see :func:`learn_pooled`.

    Attributes
    ----------
    effects : array (4, 2)
        The calendar's common effects and how far a branch's own may lie from each, NaN where too few say anything.
    window : (int, int)
        The festival's days before and after.
    season : array (12,)
        January to December, on the modelling scale.
    spread : float
        Standard deviation of a branch's season around it, a month.
    """

    effects: np.ndarray = field(default_factory=lambda: np.full((len(EFFECTS), 2), np.nan), repr=False)
    window: tuple[int, int] = (10, 10)
    season: np.ndarray = field(default_factory=lambda: np.zeros(12), repr=False)
    spread: float = 0.0
    branches: int = 0

    @property
    def prior(self) -> tuple[dict[str, tuple[float, float]], tuple[int, int]]:
        """The calendar's effects and the festival's window, for ``fit_calendar``."""
        effects = {name: tuple(row) for name, row in zip(EFFECTS, self.effects.tolist(), strict=True)
                   if np.isfinite(row).all()}
        return effects, tuple(int(days) for days in self.window)

    def season_for(self, values: np.ndarray, first: int) -> np.ndarray:
        """Return the season (12,) of a series from which the calendar is off: its own, drawn towards the branches'.

        `first` is the ordinal of its first month.
        """
        own = find_season(values)
        if not np.isfinite(own.noise):
            return self.season
        terms = own.raw[(np.arange(12) - first) % 12]
        se = np.sqrt(own.noise)
        return np.array([drawn_to(e, se, m, float(self.spread)) for e, m in zip(terms, self.season, strict=True)])


def learn_pooled(series: Iterable[Prepared], calendar: str = "none") -> Pooled | None:
    """Learn from one indicator's series, one a branch; None where fewer than four say anything.

    Random effects after DerSimonian & Laird (1986, Control. Clin. Trials 7, 177). Branches share their shocks, so the
    mean is no surer than half a single branch's error, however many there are.

    Examples
    --------
    >>> from ebank_lib.forecasting.series import prepare
    >>> months = pd.period_range("2008-01", periods=48, freq="M")
    >>> rng = np.random.default_rng(0)
    >>> wave = 0.2 * np.cos(2 * np.pi * np.arange(48) / 12)
    >>> many = [pd.Series(np.exp(wave + 0.02 * rng.standard_normal(48).cumsum()), months) for _ in range(8)]
    >>> learn_pooled([prepare(y, "flow") for y in many]).season.round(1).tolist()[:4]
    [0.2, 0.2, 0.1, 0.0]
    """
    ready = [p for p in series if not (p.constant or p.numbered)]
    fitted = [p.work.calendar for p in ready if p.work.calendar.used.size]
    if len(ready) < _FEWEST:
        return None
    windows = Counter(f.window for f in fitted)
    window = max(sorted(windows), key=windows.__getitem__) if fitted else (10, 10)
    effects = np.full((len(EFFECTS), 2), np.nan)
    if len(fitted) >= _FEWEST:
        again = [f if f.window == window else fit_calendar(p.work.plain, p.work.first, calendar, window=window)
                 for p, f in ((p, p.work.calendar) for p in ready) if f.used.size]
        for j in range(len(EFFECTS)):
            said = np.array([[f.estimate[j], f.se[j]] for f in again])
            said = said[(said[:, 1] > 1e-12) & (np.abs(said[:, 0]) < 1e6)]
            if len(said) >= _FEWEST:
                effects[j] = _common(said[:, 0], said[:, 1] ** 2)
    seasons = [(p, find_season(p.work.values)) for p in ready]
    seasons = [(p.work.first, s) for p, s in seasons if np.isfinite(s.noise) and s.noise > 0]
    if len(seasons) < _FEWEST:
        return Pooled(effects, window, branches=len(ready)) if np.isfinite(effects).any() else None
    terms = np.array([s.raw[(np.arange(12) - first) % 12] for first, s in seasons])
    noise = np.array([s.noise for _, s in seasons])
    common = [_common(terms[:, m], noise) for m in range(12)]
    season = np.array([mean for mean, _ in common])
    spread = float(np.sqrt(np.mean([sd**2 for _, sd in common])))
    return Pooled(effects, window, season - season.mean(), spread, len(ready))


def _common(estimates: np.ndarray, variances: np.ndarray) -> tuple[float, float]:
    """Mean of an effect over branches, shrunk, and the standard deviation of one branch's effect around it."""
    w = 1 / variances
    fixed = w @ estimates / w.sum()
    between = max(0.0, (w @ (estimates - fixed) ** 2 - (w.size - 1)) / (w.sum() - w @ w / w.sum()))
    w = 1 / (variances + between)
    mean = float(w @ estimates / w.sum())
    shared = _SHARED * float(np.mean(variances))
    error = max(float(1 / w.sum()), shared)
    keep = max(0.0, 1 - _DOUBT * error / mean**2) if mean else 0.0
    return mean * keep, float(np.sqrt(between + shared))


@dataclass(frozen=True)
class PlainForecasts:
    """Forecasts of many series by the plain mean of the members, a row a series; see :func:`plain_forecasts`.

    ``mean`` and ``sd`` (series, months) are on the modelling scale, NaN where there is none; ``scale`` (series,) is
    the place of the scale's name among :data:`SCALES`.
    """

    mean: np.ndarray
    sd: np.ndarray
    scale: np.ndarray

    def missed(self, rows, came: np.ndarray) -> np.ndarray:
        """Return the errors that some of the series' forecasts made, (series, months), in units of the spread stated.

        `came` (series, months) is what came, on each series' own scale; NaN where it is not known.
        """
        scale, n = self.scale[rows], came.shape[1]
        off = np.full(came.shape, np.nan)
        for at, name in enumerate(SCALES):
            mine = scale == at
            y = came[mine]
            # A month of nothing lies infinitely far off on the log scale: no error of a size.
            y = np.where(y > 0, y, np.nan) if name == "log" else np.maximum(y, 0) if name == "sqrt" else y
            off[mine] = Transform(name).forward(y)
        sd = self.sd[rows][:, :n]
        return np.divide(off - self.mean[rows][:, :n], sd, out=np.full(came.shape, np.nan), where=sd > 0)


def plain_forecasts(series: Sequence[Prepared | None], horizon: int) -> PlainForecasts:
    """Forecast each series from its end by the plain mean of the members.

    There is none where there is no series, it is constant, or fewer than two members can be used.
    """
    mean, sd = np.full((2, len(series), horizon), np.nan)
    scale = np.zeros(len(series), dtype=np.int8)
    for n, ready in enumerate(series):
        if ready is None or ready.constant:
            continue
        scale[n] = SCALES.index(ready.transform.name)
        members = list(tried(ready.work, horizon, MEMBERS)[0].values())
        if len(members) > 1:
            mean[n] = np.mean([p.mean for p in members], axis=0)
            sd[n] = np.sqrt(np.mean([np.diag(p.cov) for p in members], axis=0))
    return PlainForecasts(mean, sd, scale)


def surprises_of(prepared: Mapping[str, Prepared], branches: Sequence[str], months: pd.PeriodIndex) -> np.ndarray:
    """Return the one-step errors of an indicator in every branch, (branches, months), NaN where there are none.

    Those of a damped trend on the modelling scale, less season and calendar.
    """
    errors = np.full((len(branches), len(months)), np.nan)
    for row, branch in zip(errors, branches, strict=True):
        ready = prepared.get(branch)
        if ready is not None and not ready.constant and len(ready.y) >= _LEAST:
            x = ready.work.adjusted
            e = np.where(ready.y.notna(), smoothed(x, "AAdN").residuals(x), np.nan)
            e[:2] = np.nan      # the start is fitted to the first months
            at = months.get_loc(ready.y.index[0])
            row[at: at + len(e)] = e
    return errors
