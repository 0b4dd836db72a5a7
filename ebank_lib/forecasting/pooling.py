"""What the branches of a province teach one another about an indicator: calendar, season, weights of the methods.

44 months hold fewer than four of each calendar month; sixteen branches under one calendar and one appraisal hold many
more. Each branch's own estimate is drawn towards what all say, as far as they agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ebank_lib.errors import EbankError

from .calendar import EFFECTS, drawn_to, fit_values
from .season import find_season
from .series import Prepared, prepare

__all__ = ["Pooled", "arrays_of", "learn_pooled"]

_FEWEST = 4         # branches below which nothing is pooled
_SHARED = 0.5       # part of an estimate's error that the branches are thought to have in common
_DOUBT = 2.0        # squared t of the common effect below which it is taken for nothing


@dataclass(frozen=True)
class Pooled:
    """What the branches say of one indicator; see :func:`learn_pooled`.

    Attributes
    ----------
    effects : dict of str to (mean, sd)
        The calendar's common effects, and how far a branch's own may lie from each.
    season : array (12,)
        January to December, on the modelling scale.
    spread : float
        Standard deviation of a branch's season around it, a month.
    """

    window: tuple[int, int]
    effects: dict[str, tuple[float, float]] = field(repr=False)
    season: np.ndarray = field(repr=False)
    spread: float = 0.0
    branches: int = 0

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Pooled | None:
        """Return what :func:`arrays_of` made arrays of."""
        branches = int(arrays["branches"][0])
        if not branches:
            return None
        effects = {name: tuple(row) for name, row in zip(EFFECTS, arrays["effects"].tolist(), strict=True)
                   if np.isfinite(row).all()}
        return cls(tuple(arrays["window"].tolist()), effects, arrays["season"], float(arrays["spread"][0]), branches)

    @property
    def prior(self) -> tuple[dict[str, tuple[float, float]], tuple[int, int]]:
        """The calendar's effects and the festival's window, for ``fit_calendar``."""
        return self.effects, self.window

    def season_for(self, values: np.ndarray, first: int) -> np.ndarray:
        """Return the season (12,) of a series from which the calendar is off: its own, drawn towards the branches'.

        `first` is the ordinal of its first month.
        """
        own = find_season(values)
        if not np.isfinite(own.noise):
            return self.season
        terms = own.raw[(np.arange(12) - first) % 12]
        se = np.sqrt(own.noise)
        return np.array([drawn_to(e, se, m, self.spread) for e, m in zip(terms, self.season, strict=True)])


def arrays_of(pooled: Pooled | None) -> dict[str, np.ndarray]:
    """Return what the branches say as arrays, for the store; of nothing as well."""
    if pooled is None:
        return {"branches": np.array([0])}
    return {"branches": np.array([pooled.branches]), "window": np.array(pooled.window), "season": pooled.season,
            "spread": np.array([pooled.spread]),
            "effects": np.array([pooled.effects.get(name, (np.nan, np.nan)) for name in EFFECTS], dtype=float)}


def learn_pooled(series: Iterable[pd.Series | Prepared], kind: str | None = None,
                 calendar: str = "none") -> Pooled | None:
    """Learn from one indicator of several branches; None where fewer than four say anything.

    Parameters
    ----------
    series : iterable of Series (T,), PeriodIndex
        One a branch; or prepared already.
    kind : str, optional
        By which they are forecast.
    calendar : {"none", "china", "india"}

    Returns
    -------
    Pooled or None

    Notes
    -----
    Random effects after DerSimonian & Laird (1986, Control. Clin. Trials 7, 177). Branches share their shocks, so
    the mean is no surer than half a single branch's error, however many there are.

    Examples
    --------
    >>> months = pd.period_range("2008-01", periods=48, freq="M")
    >>> rng = np.random.default_rng(0)
    >>> wave = 0.2 * np.cos(2 * np.pi * np.arange(48) / 12)
    >>> many = [pd.Series(np.exp(wave + 0.02 * rng.standard_normal(48).cumsum()), months) for _ in range(8)]
    >>> learn_pooled(many, "flow").season.round(1).tolist()[:4]
    [0.2, 0.2, 0.1, 0.0]
    """
    ready = [p for p in (_prepared(y, kind, calendar) for y in series) if p is not None]
    fitted = [p.work.calendar for p in ready if p.work.calendar.used.size]
    if len(ready) < _FEWEST:
        return None
    windows = Counter(f.window for f in fitted)
    window = max(sorted(windows), key=windows.__getitem__) if fitted else (10, 10)
    effects = {}
    if len(fitted) >= _FEWEST:
        again = [f if f.window == window else fit_values(p.work.plain_values, p.work.first, calendar, window=window)
                 for p, f in ((p, p.work.calendar) for p in ready) if f.used.size]
        for j, name in enumerate(EFFECTS):
            said = np.array([[f.estimate[j], f.se[j]] for f in again])
            said = said[(said[:, 1] > 1e-12) & (np.abs(said[:, 0]) < 1e6)]
            if len(said) >= _FEWEST:
                effects[name] = _common(said[:, 0], said[:, 1] ** 2)
    seasons = [(p, find_season(p.work.values)) for p in ready]
    seasons = [(p.work.first, s) for p, s in seasons if np.isfinite(s.noise) and s.noise > 0]
    if len(seasons) < _FEWEST:
        return Pooled(window, effects, np.zeros(12), 0.0, len(ready)) if effects else None
    terms = np.array([s.raw[(np.arange(12) - first) % 12] for first, s in seasons])
    noise = np.array([s.noise for _, s in seasons])
    common = [_common(terms[:, m], noise) for m in range(12)]
    season = np.array([mean for mean, _ in common])
    spread = float(np.sqrt(np.mean([sd**2 for _, sd in common])))
    return Pooled(window, effects, season - season.mean(), spread, len(ready))


def _prepared(y: pd.Series | Prepared, kind: str | None, calendar: str) -> Prepared | None:
    try:
        ready = y if isinstance(y, Prepared) else prepare(y, kind, calendar)
    except EbankError:
        return None         # a branch that cannot be forecast has nothing to teach; its own forecast says why
    return None if ready.constant or ready.numbered else ready


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
