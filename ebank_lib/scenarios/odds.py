"""Odds of a target, counted on its paths, with the error of counting; the pace that it needs; how both are said."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from ..catalog import Catalog
from ..forecasting import kind_of
from ..wording import language, number, percent, t
from .measures import Measure, View, measure
from .strategy import Target

__all__ = ["REASONS", "Odds", "Pace", "binomial_se", "judged", "odds_of", "pace_of", "said_odds", "said_pace",
           "said_value", "steady_growth"]

REASONS = ("past", "beyond_horizon", "no_paths", "missing_months", "needs_paths", "no_values")


@dataclass(frozen=True)
class Odds:
    """How likely a target is reached.

    Attributes
    ----------
    p_at, p_by : float
        The share of paths on which it is reached in the deadline's month, and on which it is reached in at least one
        month from the first simulated one to the deadline.
    se_at, se_by : float
        Their standard errors.
    expected, median : float
        Of the value at the deadline, in the goal's terms.
    shortfall, shortfall_if_missed : float
        The mean of what is missing at the deadline (0 on paths that reach it), and its mean over those that do not,
        both in the indicator's unit.
    month_50, month_80 : Period
        The first month with such odds of being reached in it, NaT when there is none on the paths.
    n : int
        Number of paths.
    """

    p_at: float
    p_by: float
    se_at: float
    se_by: float
    expected: float
    median: float
    shortfall: float
    shortfall_if_missed: float
    month_50: pd.Period
    month_80: pd.Period
    n: int


@dataclass(frozen=True)
class Pace:
    """The pace that a target needs and that of the last twelve months, in the indicator's unit (a share's: fractions)
    and as steady growth a month; NaN for a rank."""

    needed_per_month: float = math.nan
    achieved_per_month_12m: float = math.nan
    needed_percent_per_month: float = math.nan
    achieved_percent_per_month_12m: float = math.nan

    @property
    def ratio(self) -> float:
        """Needed to achieved pace: infinite where nothing is achieved and something needed."""
        needed, achieved = self.needed_per_month, self.achieved_per_month_12m
        if not np.isfinite(needed):
            return math.nan
        return needed / achieved if achieved > 0 else math.inf if needed > 0 else 0.0


def binomial_se(p: float, n: int) -> float:
    """Return the standard error of a share counted on n independent paths.

    A share of 0 or 1 has an error too: it is taken with half a path to either side.

    Examples
    --------
    >>> round(binomial_se(0.5, 1000), 4), binomial_se(0.0, 1000) > 0
    (0.0158, True)
    """
    p = min(max(p, 0.5 / n), 1 - 0.5 / n)
    return math.sqrt(p * (1 - p) / n)


def odds_of(m: Measure, deadline: pd.Period) -> Odds:
    """Count a target's paths up to a deadline, one of the measure's months."""
    at = m.months.get_loc(deadline)
    ok, shown = m.reached, m.shown[at]
    n = ok.shape[1]
    p_at, p_by = float(ok[at].mean()), float(ok[: at + 1].any(axis=0).mean())
    missing = np.maximum(m.needed[at] - m.value[at], 0.0)
    by_month = ok.mean(axis=1)

    def first(level: float):
        passed = np.flatnonzero(by_month >= level)
        return m.months[passed[0]] if len(passed) else pd.NaT

    return Odds(p_at, p_by, binomial_se(p_at, n), binomial_se(p_by, n), float(shown.mean()), float(np.median(shown)),
                float(missing.mean()), float(missing[~ok[at]].mean()) if p_at < 1 else 0.0, first(0.5), first(0.8), n)


def judged(view: View, target: Target, deadline: pd.Period) -> Measure | str:
    """Return a target's measure, or why it has no odds: ``past``, ``beyond_horizon``, ``no_paths``, ``missing_months``.
    """
    months = view.paths.months
    if deadline < months[0]:
        return "past"
    if deadline > months[-1]:
        return "beyond_horizon"
    if any(np.isnan(view[key]).any() for key in (target.indicator, *target.of)):
        return "no_paths"
    m = measure(view, target, deadline)
    at = m.months.get_loc(deadline)
    return "missing_months" if np.isnan(m.value[at]).any() or np.isnan(m.needed[at]).any() else m


def pace_of(m: Measure, y: pd.Series, deadline: pd.Period, yearly: bool) -> Pace:
    """Return the pace that a target needs and the one of the last twelve months; `y` is the indicator's past.

    Where months add up to a year's total, it is the average month from the first simulated one of the year to the
    deadline, against the average of the last twelve; else the change a month.
    """
    if m.target.kind == "rank":
        return Pace()
    at = m.months.get_loc(deadline)
    needed = float(np.median(m.needed[at]))
    if yearly:
        first, left = m.months[0], at + 1
        last, before = y.iloc[-12:].mean(), y.iloc[-24:-12].mean() if len(y) >= 24 else np.nan
        rest = max(needed - y[(y.index.year == deadline.year) & (y.index < first)].sum(), 0.0)
        return Pace(rest / left, float(last), steady_growth(float(last), rest, (first - y.index[-1]).n, left),
                    _root(last / before, 12) if before > 0 else np.nan)
    seen = m.history.dropna() if m.target.kind == "share" else y.dropna()
    if seen.empty:
        return Pace()
    current, left = float(seen.iloc[-1]), (deadline - seen.index[-1]).n
    before = float(seen.get(seen.index[-1] - 12, np.nan))
    return Pace(max(needed - current, 0.0) / left, (current - before) / 12,
                _root(max(needed, current) / current, left) if current > 0 else np.nan,
                _root(current / before, 12) if before > 0 else np.nan)


def _root(times: float, months: int) -> float:
    return float(times ** (1 / months) - 1) if times > 0 else np.nan


def steady_growth(base: float, total: float, wait: int, months: int) -> float:
    """Return the growth a month from `base` at which `months` months, the first `wait` months on, add up to `total`.

    Examples
    --------
    >>> round(steady_growth(100.0, 100 * (1.01 + 1.01**2 + 1.01**3), 1, 3), 6)
    0.01
    """
    if not base > 0 or not np.isfinite(total):
        return np.nan
    powers = wait + np.arange(months)

    def over(g: float) -> float:
        return base * float(((1 + g) ** powers).sum()) - total

    if over(-0.99) >= 0:
        return -0.99
    return float(brentq(over, -0.99, 10.0)) if over(10.0) > 0 else np.nan


# ---------------------------------------------------------------- in words

def said_odds(p: float, n: int, lang: str | None = None, error: bool = False) -> str:
    """Return odds as they are said: no more digits than n paths allow, and never 0% or 100%.

    Whole per cents from 400 paths on, fives from 100 on, tens below. With `error`, two standard errors beside it.

    Examples
    --------
    >>> said_odds(0.4234, 1000, "en"), said_odds(0.4234, 1000, "en", error=True), said_odds(0.4234, 200, "en")
    ('42%', '42% (±4)', '40%')
    >>> said_odds(0.0, 1000, "en"), said_odds(1.0, 1000, "en"), said_odds(0.0, 50, "en")
    ('< 1%', '> 99%', '< 6%')
    """
    language(lang)
    if not np.isfinite(p):
        return "–"
    step = 1 if n >= 400 else 5 if n >= 100 else 10
    # None of n paths shows no more than that the chance is below 3 in n (95%).
    edge = max(1, math.ceil(300 / n))
    if p * 100 < edge or p * 100 > 100 - edge:
        return f"< {edge}%" if p < 0.5 else f"> {100 - edge}%"
    told = min(max(round(p * 100 / step) * step, edge), 100 - edge)
    return f"{told:g}%" + (f" (±{max(1, math.ceil(200 * binomial_se(p, n) - 0.05))})" if error else "")


def said_value(catalog: Catalog, indicator: str, value: float, lang: str | None = None, kind: str = "level") -> str:
    """Return a value in the terms of a target of some kind: a share or growth in per cent, a rank as a place."""
    if not np.isfinite(value):
        return "–"
    if kind == "rank":
        return t("scenarios.place", lang, n=f"{value:.0f}")
    if kind == "growth":
        return percent(value, sign=True)
    if kind == "share" or kind_of(catalog.indicator(indicator)) == "ratio":
        return percent(value)
    return number(value, catalog.unit_label(indicator, lang), lang)


def said_pace(catalog: Catalog, indicator: str, value: float, lang: str | None = None, kind: str = "level",
              sign: bool = True) -> str:
    """Return a difference as it is said: points for a share, places for a rank, else units."""
    if not np.isfinite(value):
        return "–"
    if kind == "rank":
        return t("scenarios.places", lang, n=f"{value:.1f}")
    if kind == "share" or kind_of(catalog.indicator(indicator)) == "ratio":
        return t("scenarios.points", lang, n=f"{value * 100:{'+' if sign else ''}.2f}")
    return ("+" if sign and value > 0 else "") + number(value, catalog.unit_label(indicator, lang), lang)
