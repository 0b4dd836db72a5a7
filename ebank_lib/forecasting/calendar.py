"""What the calendar does to a series: a festival that moves, working days, the pushes at a quarter's end.

The effects are estimated together, tested and shrunk, taken off before any method sees the series and put back on the
months ahead, which every method thereby foresees. What returns in the same month every year stays with the season.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from ebank_lib.events import calendar_regressors

__all__ = ["EFFECTS", "CalendarEffect", "fit_calendar"]

EFFECTS = ("festival", "working_days", "quarter_end", "quarter_start")
WINDOWS = ((3, 7), (10, 10), (20, 10), (5, 25))    # days before and after the festival
_LEAST = 26         # months: two festivals, and two years of working days
_THETAS = (0.0, -0.2, -0.4, -0.6, -0.8, -0.95)
_DOUBT = 2.0        # squared t below which an effect is taken for nothing


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

    @property
    def table(self) -> pd.DataFrame:
        """Return ``effect, estimate, se, t, used``."""
        t = np.divide(self.estimate, self.se, out=np.zeros_like(self.estimate), where=self.se > 1e-12)
        return pd.DataFrame({"effect": EFFECTS[: len(self.used)], "estimate": self.estimate, "se": self.se, "t": t,
                             "used": self.used})

    def at(self, months: pd.PeriodIndex) -> np.ndarray:
        """Return what the calendar adds in each month, history or future, (T,)."""
        first = months[0].ordinal
        added = np.zeros(len(months)) if self.season is None else self.season[months.asi8 % 12]
        if self.used.any():
            added = added + _columns(first, first + len(months) - 1, self.calendar, self.window) @ self.used
        return added

    def columns(self, months: pd.PeriodIndex) -> np.ndarray:
        """Return the effects' regressors in consecutive months, (T, 4), or (T, 0) where there are none."""
        if not self.used.size:
            return np.empty((len(months), 0))
        return _columns(months[0].ordinal, months[-1].ordinal, self.calendar, self.window)


NOTHING = CalendarEffect()


@lru_cache(maxsize=512)
def _columns(first: int, last: int, calendar: str, window: tuple[int, int]) -> np.ndarray:
    """The columns of :data:`EFFECTS` from one month to another, (T, 4)."""
    months = pd.PeriodIndex.from_ordinals(np.arange(first, last + 1), freq="M")
    moving = calendar_regressors(months, calendar, *window)
    column = moving["festival"].to_numpy() if "festival" in moving else np.zeros(len(months))
    start = (months.month % 3 == 1) - 1 / 3
    return np.column_stack([column, moving["working_days"] * 0.21, moving["quarter_end"], start])


def fit_calendar(z: pd.Series, calendar: str = "none", prior: Mapping[str, tuple[float, float]] | None = None,
                 window: tuple[int, int] | None = None) -> CalendarEffect:
    """Estimate the calendar's effects.

    Parameters
    ----------
    z : Series (T,), PeriodIndex
        Complete, on its modelling scale.
    calendar : {"none", "china", "india"}
        With ``none`` there are no effects.
    prior : effect -> (mean, sd), optional
        What other series say of an effect (:mod:`ebank_lib.forecasting.pooling`): the estimate is drawn towards it as
        the two errors have it. Without one it is shrunk towards nothing by the factor ``1 - 2 / t^2``, positive part.
    window : (int, int), optional
        The festival's days before and after; None chooses among :data:`WINDOWS`.

    Returns
    -------
    CalendarEffect
        Without effects where the series has fewer than 26 months.

    Notes
    -----
    Least squares on ``(1 - B) z = drift + effects + season + (1 + theta B) e``; theta, the festival's window and the
    season's form (none, two waves, five waves) by the Bayesian criterion.

    Examples
    --------
    >>> months = pd.period_range("2008-01", periods=44, freq="M")
    >>> noise = 0.002 * np.random.default_rng(0).standard_normal(44)
    >>> z = 0.02 * np.arange(44) - 0.3 * calendar_regressors(months)["festival"] + noise
    >>> found = fit_calendar(z, "china")
    >>> found.window, round(float(found.used[0]), 1)
    ((10, 10), -0.3)
    """
    if calendar == "none" or len(z) < _LEAST:
        return NOTHING
    values, n = z.to_numpy(dtype=float), len(z)
    span = z.index[0].ordinal, z.index[-1].ordinal, calendar
    steps = np.arange(n)
    turns = 2 * np.pi * steps[:, None] / 12 * np.arange(1, 6)
    fixed = _columns(*span, WINDOWS[0])[:, 1:]
    tried = WINDOWS if window is None else (window,)
    windows = [_columns(*span, w)[:, 0] for w in tried]
    stack = np.column_stack([values, steps, fixed, np.sin(turns), np.cos(turns), *windows])
    # The fourth wave is the quarter's pattern, which has columns of its own.
    waves = [[], [5, 6, 10, 11], [5, 6, 7, 9, 10, 11, 12, 14]] if n >= 36 else [[]]
    seen = np.stack([lfilter([1.0], [1.0, theta], np.diff(stack, axis=0), axis=0) for theta in _THETAS])
    gram = seen.transpose(0, 2, 1) @ seen
    gram += 1e-9 * np.eye(stack.shape[1]) * gram[:, 1:2, 1:2]      # a festival's column may be empty
    best = (np.inf, np.zeros(4), np.zeros(4), tried[0])
    for wave in waves:
        for w, days in enumerate(tried):
            use = [15 + w, 2, 3, 4, 1, *wave]
            inverse = np.linalg.inv(gram[np.ix_(range(len(_THETAS)), use, use)])
            beta = (inverse @ gram[:, use, :1])[..., 0]
            sse = np.maximum(gram[:, 0, 0] - (beta * gram[:, use, 0]).sum(axis=1), 1e-300)
            i = int(sse.argmin())
            value = (n - 1) * np.log(sse[i]) + len(use) * np.log(n)
            if value < best[0] - 1e-9:
                best = (value, beta[i, :4], np.diag(inverse[i])[:4] * sse[i] / max(n - 1 - len(use), 1), days)
    _, estimate, variance, window = best
    se = np.sqrt(np.maximum(variance, 0.0))
    ratio = np.divide(estimate, se, out=np.zeros(4), where=se > 1e-12)
    used = np.where(ratio**2 > _DOUBT, estimate * (1 - _DOUBT / np.maximum(ratio**2, _DOUBT)), 0.0)
    for j, name in enumerate(EFFECTS):
        if prior and name in prior:
            used[j] = drawn_to(estimate[j], se[j], *prior[name])
    return CalendarEffect(calendar, window, estimate, se, used)


def drawn_to(estimate: float, se: float, mean: float, sd: float) -> float:
    """Return an estimate drawn towards what others say, by the precision of each."""
    if se <= 1e-12 or sd <= 1e-12:
        return estimate if se <= 1e-12 else mean
    return (estimate / se**2 + mean / sd**2) / (1 / se**2 + 1 / sd**2)
