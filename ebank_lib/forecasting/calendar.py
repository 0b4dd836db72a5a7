"""What the calendar and the season do to a series, both tested, and shrunk by how well they are known.

The calendar's effects (a festival that moves, working days, the pushes at a quarter's end) are estimated together,
taken off before any method sees the series and put back on the months ahead, which every method thereby foresees. What
returns in the same month every year stays with the season. Four years give each month's term three or four looks; taken
at face value such terms carry their noise into every forecast. Each is therefore multiplied by the share of its
variance that is not sampling noise (empirical Bayes, Miller & Williams 2003, Int. J. Forecasting 19), and none is used
where the F test does not find a season at 10%.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np
import pandas as pd
from scipy.special import fdtrc

from ..compiled import compiled
from ..events import calendar_regressors, festival_dates

__all__ = ["EFFECTS", "NOTHING", "CalendarEffect", "Season", "drawn_to", "find_season", "fit_calendar"]

EFFECTS = ("festival", "working_days", "quarter_end", "quarter_start")
WINDOWS = ((3, 7), (10, 10), (20, 10), (5, 25))    # days before and after the festival
_FIXED = 15         # columns before the festival's windows: the series, drift, three effects, five waves
_LEAST = 26         # months: two festivals, and two years of working days
_THETAS = (0.0, -0.2, -0.4, -0.6, -0.8, -0.95)
_DOUBT = 2.0        # squared t below which an effect is taken for nothing
_LEVEL = 0.10       # of the season's F test
_LEAST_SEASON = 28  # months: below, a month has fewer than two looks


@dataclass(frozen=True)
class CalendarEffect:
    """The calendar's effects on one series, on its modelling scale; see :func:`fit_calendar`.

    Attributes
    ----------
    estimate, se, used : array (4,)
        Of :data:`EFFECTS`; empty where there are none. ``used`` is what is left after shrinking. ``festival`` is what
        the whole window's falling into a month adds, ``working_days`` what a day more adds, ``quarter_end`` and
        ``quarter_start`` what these months stand above the quarter's other months.
    season : array (12,), optional
        January to December: a season that the branches share, drawn towards the branch's own.
    """

    calendar: str = "none"
    window: tuple[int, int] = WINDOWS[1]
    estimate: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)
    se: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)
    used: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)
    season: np.ndarray | None = None

    def between(self, first: int, n: int) -> np.ndarray:
        """Return what the calendar adds in `n` months, the first one given by its ordinal, (n,)."""
        added = np.zeros(n) if self.season is None else self.season[np.arange(first, first + n) % 12]
        if self.used.any():
            added = added + _columns(first, first + n - 1, self.calendar, self.window) @ self.used
        return added

    def columns(self, first: int, n: int) -> np.ndarray:
        """Return the effects' regressors in `n` months, (n, 4), or (n, 0) where there are none."""
        return _columns(first, first + n - 1, self.calendar, self.window) if self.used.size else np.empty((n, 0))


NOTHING = CalendarEffect()


@lru_cache(maxsize=4096)
def _columns(first: int, last: int, calendar: str, window: tuple[int, int]) -> np.ndarray:
    """The columns of :data:`EFFECTS` from one month to another, (T, 4): a month's row is the same in any span."""
    years = festival_dates(calendar)
    start, end = (min(years) - 1970) * 12, (max(years) - 1970) * 12 + 11
    if start <= first <= last <= end:
        return _worked_out(start, end, calendar, window)[first - start: last + 1 - start]
    return _worked_out(first, last, calendar, window)       # which says that the festival's date is not known


@lru_cache(maxsize=64)
def _worked_out(first: int, last: int, calendar: str, window: tuple[int, int]) -> np.ndarray:
    months = pd.PeriodIndex.from_ordinals(np.arange(first, last + 1), freq="M")
    moving = calendar_regressors(months, calendar, *window)
    column = moving["festival"].to_numpy() if "festival" in moving else np.zeros(len(months))
    start = (months.month % 3 == 1) - 1 / 3
    return np.column_stack([column, moving["working_days"] * 0.21, moving["quarter_end"], start])


def fit_calendar(values: np.ndarray, first: int, calendar: str = "none",
                 prior: Mapping[str, tuple[float, float]] | None = None,
                 window: tuple[int, int] | None = None) -> CalendarEffect:
    """Estimate the calendar's effects on a complete series (T,) on its modelling scale; none below 26 months.

    `first` is the ordinal of its first month. `prior` says what other series say of an effect, (mean, sd): the estimate
    is drawn towards it as the two errors have it; without one it is shrunk towards nothing by the factor
    ``1 - 2 / t^2``, positive part. `window` are the festival's days before and after; None chooses among
    :data:`WINDOWS`.

    Notes
    -----
    Least squares on ``(1 - B) z = drift + effects + season + (1 + theta B) e``; theta, the festival's window and the
    season's form (none, two waves, five waves) by the Bayesian criterion.

    Examples
    --------
    >>> months = pd.period_range("2008-01", periods=44, freq="M")
    >>> noise = 0.002 * np.random.default_rng(0).standard_normal(44)
    >>> z = 0.02 * np.arange(44) - 0.3 * calendar_regressors(months)["festival"] + noise
    >>> found = fit_calendar(z.to_numpy(), months[0].ordinal, "china")
    >>> found.window, round(float(found.used[0]), 1)
    ((10, 10), -0.3)
    """
    n = len(values)
    if calendar == "none" or n < _LEAST:
        return NOTHING
    tried = WINDOWS if window is None else (tuple(window),)
    windows = WINDOWS if window is None or window in WINDOWS else (*WINDOWS, tuple(window))
    fixed = _filtered(first, n, calendar, windows)
    seen = np.empty((len(_THETAS), n - 1, _FIXED + len(tried)))
    seen[:, :, 0] = _differences(values, np.array(_THETAS))
    seen[:, :, 1: _FIXED] = fixed[:, :, : _FIXED - 1]
    for w, days in enumerate(tried):
        seen[:, :, _FIXED + w] = fixed[:, :, _FIXED - 1 + windows.index(days)]
    gram = seen.transpose(0, 2, 1) @ seen
    gram += 1e-9 * np.eye(seen.shape[2]) * gram[:, 1:2, 1:2]      # a festival's column may be empty
    best = (np.inf, 0, 0, 0, 0)
    found = []
    for use in _used_columns(len(tried), n >= 36):
        inverse = np.linalg.inv(gram[:, use[:, :, None], use[:, None, :]])      # (thetas, windows, k, k)
        onto = gram[:, use, 0]
        beta = (inverse @ onto[..., None])[..., 0]
        sse = np.maximum(gram[:, :1, 0] - (beta * onto).sum(axis=2), 1e-300)
        found.append((inverse, beta, sse))
        for w, i in enumerate(sse.argmin(axis=0).tolist()):
            value = (n - 1) * np.log(sse[i, w]) + use.shape[1] * np.log(n)
            if value < best[0] - 1e-9:
                best = (value, len(found) - 1, i, w, use.shape[1])
    _, form, i, w, k = best
    inverse, beta, sse = found[form]
    estimate = beta[i, w, :4].copy()
    variance = np.diag(inverse[i, w])[:4] * sse[i, w] / max(n - 1 - k, 1)
    se = np.sqrt(np.maximum(variance, 0.0))
    ratio = np.divide(estimate, se, out=np.zeros(4), where=se > 1e-12)
    used = np.where(ratio**2 > _DOUBT, estimate * (1 - _DOUBT / np.maximum(ratio**2, _DOUBT)), 0.0)
    for j, name in enumerate(EFFECTS):
        if prior and name in prior:
            used[j] = drawn_to(estimate[j], se[j], *prior[name])
    return CalendarEffect(calendar, tried[w], estimate, se, used)


@lru_cache(maxsize=512)
def _filtered(first: int, n: int, calendar: str, windows: tuple[tuple[int, int], ...]) -> np.ndarray:
    """The regressors as each theta's noise sees them, (thetas, n - 1, k): drift, effects, waves, windows."""
    steps = np.arange(n)
    turns = 2 * np.pi * steps[:, None] / 12 * np.arange(1, 6)
    fixed = _columns(first, first + n - 1, calendar, WINDOWS[0])[:, 1:]
    moving = [_columns(first, first + n - 1, calendar, w)[:, 0] for w in windows]
    stack = np.diff(np.column_stack([steps, fixed, np.sin(turns), np.cos(turns), *moving]), axis=0)
    return _recursive(stack, np.array(_THETAS))


@cache
def _used_columns(windows: int, waves: bool) -> list[np.ndarray]:
    """The columns of each form of the season, (windows, k): the effects, the drift, the waves."""
    # The fourth wave is the quarter's pattern, which has columns of its own.
    forms = [[], [5, 6, 10, 11], [5, 6, 7, 9, 10, 11, 12, 14]] if waves else [[]]
    return [np.array([[_FIXED + w, 2, 3, 4, 1, *form] for w in range(windows)]) for form in forms]


@compiled
def _differences(values, thetas):
    """The series' changes as each theta's noise sees them, (thetas, n - 1)."""
    out = np.empty((thetas.size, values.size - 1))
    for i in range(thetas.size):
        before = 0.0
        for t in range(values.size - 1):
            out[i, t] = values[t + 1] - values[t] + before
            before = -thetas[i] * out[i, t]
    return out


@compiled
def _recursive(columns, thetas):
    """Columns (n, k) as each theta's noise sees them, (thetas, n, k): x[t] - theta y[t - 1]."""
    # scipy.signal does this too, and takes a tenth of a second to import.
    out = np.empty((thetas.size, *columns.shape))
    for i in range(thetas.size):
        before = np.zeros(columns.shape[1])
        for t in range(columns.shape[0]):
            out[i, t] = columns[t] + before
            before = -thetas[i] * out[i, t]
    return out


def drawn_to(estimate: float, se: float, mean: float, sd: float) -> float:
    """Return an estimate drawn towards what others say, by the precision of each."""
    if se <= 1e-12 or sd <= 1e-12:
        return estimate if se <= 1e-12 else mean
    return (estimate / se**2 + mean / sd**2) / (1 / se**2 + 1 / sd**2)


@dataclass(frozen=True)
class Season:
    """Terms to add per calendar position (12,), how much they were shrunk (0 none kept, 1 all), the F test's p.

    ``raw`` are the terms before shrinking, ``noise`` the variance of one of them (NaN where the months are too few).
    """

    terms: np.ndarray
    kept: float
    p_value: float
    raw: np.ndarray = field(default_factory=lambda: np.zeros(12))
    noise: float = np.nan

    def at(self, positions: np.ndarray) -> np.ndarray:
        """Return the terms of positions counted from the first month of the series."""
        return self.terms[positions % 12]


def find_season(z: np.ndarray) -> Season:
    """Return the shrunk additive season of a complete series (T,) on its modelling scale.

    The trend is the centred 2x12 moving average; the terms are the means of what is left, by month.

    Examples
    --------
    >>> t = np.arange(44)
    >>> find_season(np.cos(2 * np.pi * t / 12)).kept
    1.0
    >>> find_season(np.zeros(20)).kept
    0.0
    """
    if z.size < _LEAST_SEASON:
        return Season(np.zeros(12), 0.0, np.nan)
    weights = np.r_[0.5, np.ones(11), 0.5] / 12
    left = z[6:-6] - np.convolve(z, weights, "valid")
    month = np.arange(6, z.size - 6) % 12
    looks = np.bincount(month, minlength=12)
    terms = np.bincount(month, left, minlength=12) / looks
    terms = terms - terms.mean()
    spare = left.size - 12
    noise = float(((left - terms[month]) ** 2).sum() / spare) * float(np.mean(1 / looks))
    signal = float((terms**2).sum() / 11)
    if signal <= 1e-20:
        return Season(np.zeros(12), 0.0, 1.0, terms, noise)
    ratio = signal / noise if noise > 1e-12 * signal else np.inf
    p = float(fdtrc(11, spare, ratio)) if np.isfinite(ratio) else 0.0
    kept = max(0.0, 1 - 1 / ratio) if p < _LEVEL else 0.0
    return Season(terms * kept, kept, p, terms, noise)
