"""The festival that moves, measured: window chosen, effect tested and shrunk, pooled over branches."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from ebank_lib.errors import SeriesError

from .moving import festival, festival_dates, monthly, yearly_shares
from .noise import LEAST, State

__all__ = ["FESTIVAL_CRITICAL", "WINDOWS", "FestivalEffect", "candidates", "festival_effect", "pooled_festival"]

# Days before and after the festival's first day: the run-up, the public holiday, the weeks after it, all of it.
WINDOWS = ((0, 6), (0, 12), (0, 20), (4, 10), (10, 10), (10, 4), (6, 0), (12, 0), (20, 0), (20, 10), (20, 20))
FESTIVAL_CRITICAL = 2.6


class FestivalEffect(NamedTuple):
    """A festival's effect; see :func:`festival_effect`.

    Attributes
    ----------
    window : (int, int)
        Days before and after the festival's first day.
    coefficient : float
        What a month wholly inside the window moves by, on the scale of the series given.
    t : float
        Coefficient over its standard error; 0 where nothing could be measured.
    shrunk : float
        The coefficient to forecast with.
    """

    window: tuple[int, int]
    coefficient: float
    t: float
    shrunk: float


@lru_cache(maxsize=256)
def _columns(first: int, n: int, calendar: str, windows: tuple[tuple[int, int], ...]):
    start, known, festivals = _known(calendar, windows)
    if not start <= first <= first + n <= start + len(known):
        festival(pd.PeriodIndex.from_ordinals([first, first + n - 1], freq="M"), calendar)      # raises
    columns = known[first - start: first - start + n].copy()
    usual = yearly_shares(calendar, 20, 20)
    touched = [m for m in range(12) if usual[m] > 0.01]
    yearly = tuple(tuple(2.0 * (month % 12 == m) for m in touched) for month in range(first, first + min(n, 12)))
    return columns, yearly, int(((festivals >= first) & (festivals < first + n)).sum())


@cache
def _known(calendar: str, windows: tuple[tuple[int, int], ...]) -> tuple[int, np.ndarray, np.ndarray]:
    """The first month of the years known, the regressors from there on, the festivals' months."""
    days = festival_dates(calendar)
    months = pd.period_range(f"{min(days)}-01", f"{max(days)}-12", freq="M")
    columns = np.stack([festival(months, calendar, *window).to_numpy() for window in windows], axis=1)
    return months[0].ordinal, columns, np.array([pd.Period(day, "M").ordinal for day in days.values()])


def candidates(months: pd.PeriodIndex, calendar: str, windows: tuple[tuple[int, int], ...] = WINDOWS):
    """Return the windows' regressors (T, windows) and the fixed season of the months they touch, for a `State`.

    Nothing (None, None) without a calendar or with fewer than two festivals: one is an event like any other.
    """
    if calendar == "none" or not len(months):
        return None, None
    columns, yearly, seen = _columns(months[0].ordinal, len(months), calendar, tuple(windows))
    return (columns, yearly) if seen >= 2 else (None, None)


def festival_effect(z: np.ndarray, months: pd.PeriodIndex, calendar: str = "china",
                    prior: tuple[float, float] | None = None,
                    windows: tuple[tuple[int, int], ...] = WINDOWS) -> FestivalEffect:
    """Measure how a series moves with the festival's date.

    Parameters
    ----------
    z : array (T,)
        Complete, on its modelling scale.
    months : PeriodIndex (T,)
    calendar : {"china", "india", "none"}
    prior : (mean, sd), optional
        The effect elsewhere, see :func:`pooled_festival`.
    windows : tuple of (before, after)
        Among which to choose; give one where effects are to be pooled.

    Returns
    -------
    FestivalEffect
        Regressor: ``festival(months, calendar, *window)``, i.e. only what moves from year to year.

    Raises
    ------
    SeriesError
        Months outside the years whose festivals are known.

    Notes
    -----
    The window is the one with the most evidence (a Bayes factor, so a likelihood with its penalty), averaged over the
    noises and seasons of :class:`~ebank_lib.events.noise.State`, one of which is a fixed season of just the months
    that the festival touches. Without a prior the coefficient counts if ``|t| > 2.6`` (5% of clean series exceed it,
    the choice of the window included) and is then shrunk by ``1 - 1 / t^2`` (positive-part James and Stein 1961); with
    one it is the mean of both, weighted by their precision. All is 0 with fewer than two festivals or 18 months.

    Examples
    --------
    >>> months = pd.period_range("2008-01", periods=44, freq="M")
    >>> z = 0.01 * np.arange(44) - 0.5 * festival(months, "china", 0, 6).to_numpy()
    >>> z += 0.02 * np.sin(np.arange(44) ** 2)
    >>> effect = festival_effect(z, months)
    >>> effect.window, round(effect.coefficient, 2)
    ((0, 6), -0.5)
    """
    z = np.asarray(z, dtype=float)
    columns, yearly = candidates(monthly(months), calendar, windows)
    if columns is None or len(z) < LEAST or np.ptp(z) == 0:
        return FestivalEffect(tuple(windows[0]), 0.0, 0.0, 0.0)
    state = State(z, columns, yearly)
    best = int(state.evidence()[3 * len(z):].argmax())
    (size,), (error,) = state.take(3 * len(z) + best).sizes()
    if not error > 0:
        return FestivalEffect(tuple(windows[best]), 0.0, 0.0, 0.0)
    t = float(size / error)
    if prior is None:
        shrunk = size * (1 - 1 / t**2) if abs(t) > FESTIVAL_CRITICAL else 0.0
    else:
        mean, sd = prior
        own = sd**2 / (sd**2 + error**2)
        shrunk = own * size + (1 - own) * mean
    return FestivalEffect(tuple(windows[best]), float(size), t, float(shrunk))


def pooled_festival(effects: Iterable[FestivalEffect]) -> tuple[float, float]:
    """Pool the festival's effect over the branches of one indicator (random effects, DerSimonian & Laird 1986).

    Parameters
    ----------
    effects : iterable of FestivalEffect
        Of one window, of the *other* branches if the result is to be a branch's prior; those with t = 0 say nothing.

    Returns
    -------
    mean, sd : float
        Of the effect in a further branch: sd holds the spread between branches and the error of the mean.

    Raises
    ------
    SeriesError
        Fewer than two branches with an effect that could be measured.

    Examples
    --------
    >>> effect = FestivalEffect((0, 6), -0.2, -4.0, 0.0)
    >>> mean, sd = pooled_festival([effect, effect, effect._replace(coefficient=-0.4, t=-8.0)])
    >>> round(mean, 3), round(sd, 3)
    (-0.267, 0.124)
    """
    known = [effect for effect in effects if effect.t]
    if len(known) < 2:
        raise SeriesError("too few branches to pool the festival's effect", found=len(known), expected="at least 2")
    size = np.array([effect.coefficient for effect in known])
    variance = (size / [effect.t for effect in known]) ** 2
    w = 1 / variance
    fixed = w @ size / w.sum()
    between = max(0.0, (w @ (size - fixed) ** 2 - (len(size) - 1)) / (w.sum() - w @ w / w.sum()))
    w = 1 / (variance + between)
    return float(w @ size / w.sum()), float(np.sqrt(between + 1 / w.sum()))
