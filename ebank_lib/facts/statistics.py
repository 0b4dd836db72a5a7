"""The figures behind the facts, each a small function with bounds for any level.

Percentiles of the stationary bootstrap (Politis and Romano 1994; mean block n^(1/3) months, all indicators of a month
together, seeded); Sen's interval for slopes; counts are exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from arch.bootstrap import StationaryBootstrap

from ebank_lib.growth import log_growth, robust_sd, trend
from ebank_lib.store import kept_arrays
from ebank_lib.wording import percent, t

__all__ = ["MIN_MONTHS", "STATISTICS", "Data", "Estimate", "in_points", "written"]

MIN_MONTHS = 10


class _Asked(Protocol):
    indicators: list[str]
    against: list[str]
    month: str | None
    fixed: list[str]
    limit: float


@dataclass(frozen=True)
class Estimate:
    """A figure for each item (an indicator, or a pair) and a function that gives its bounds for a level."""

    items: list[tuple[str, str]]
    value: np.ndarray
    bounds: Callable[[float], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Data:
    """What a statistic is computed from."""

    frame: pd.DataFrame     # months x indicators
    check: _Asked
    year: int | None
    replications: int
    seed: int

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(a, b) for a in self.check.indicators for b in self.check.against if a != b]

    @property
    def singles(self) -> list[tuple[str, str]]:
        return [(a, "") for a in self.check.indicators]

    def dlog(self) -> pd.DataFrame:
        names = list(dict.fromkeys([*self.check.indicators, *self.check.against]))
        return pd.DataFrame({k: log_growth(self.frame[k]) for k in names}).iloc[1:]

    def draws(self, n: int, kept: np.ndarray | None = None) -> np.ndarray:
        """Row numbers of every bootstrap sample, replications x n; the kept rows are in each."""
        kept = np.zeros(0, dtype=int) if kept is None else kept
        free = np.setdiff1d(np.arange(n), kept)
        rows = free[_positions(free.size, self.replications, self.seed)]
        return np.hstack([rows, np.tile(kept, (len(rows), 1))])


def _positions(n: int, replications: int, seed: int) -> np.ndarray:
    def make() -> dict[str, np.ndarray]:
        boot = StationaryBootstrap(max(1.0, n ** (1 / 3)), np.arange(n, dtype=np.int32),
                                   seed=np.random.default_rng(seed))
        return {"at": np.array([sample[0][0] for sample in boot.bootstrap(replications)])}

    # No figure goes in: every branch with as many months draws the same ones.
    return kept_arrays("facts-draws", (n, replications, seed), make)["at"]


def _percentiles(replicates: np.ndarray) -> Callable[[float], tuple[np.ndarray, np.ndarray]]:
    def bounds(level: float) -> tuple[np.ndarray, np.ndarray]:
        low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return low, high

    return bounds


def _mean(x: np.ndarray) -> np.ndarray:
    """Mean over the next to last axis (months), missing ones left out, NaN where none is there."""
    n = np.isfinite(x).sum(axis=-2)
    return np.where(n > 0, np.where(np.isfinite(x), x, 0).sum(axis=-2) / np.maximum(n, 1), np.nan)


def _sd(x: np.ndarray) -> np.ndarray:
    n = np.isfinite(x).sum(axis=-2)
    square = np.where(np.isfinite(x), (x - np.expand_dims(_mean(x), -2)) ** 2, 0).sum(axis=-2)
    return np.where(n > 2, np.sqrt(square / np.maximum(n - 1, 1)), np.nan)


def _from_monthly(data: Data, items: list[tuple[str, str]], statistic, frame: pd.DataFrame) -> Estimate:
    """Estimate `statistic(samples x months x indicators)`, giving samples x items, from growths."""
    x = frame.to_numpy()
    kept = np.flatnonzero(frame.index.isin(pd.PeriodIndex(data.check.fixed, freq="M")))
    value = statistic(x[None])[0]
    return Estimate(items, value, _percentiles(statistic(x[data.draws(len(x), kept)])))


def _columns(frame: pd.DataFrame, items: list[tuple[str, str]], which: int) -> list[int]:
    return [frame.columns.get_loc(item[which]) for item in items]


def mean_index(data: Data) -> Estimate:
    """Mean of the month-on-month indices."""
    frame, items = np.exp(data.dlog()), data.singles
    return _from_monthly(data, items, lambda x: _mean(x)[..., _columns(frame, items, 0)], frame)


def growth_gap(data: Data) -> Estimate:
    """Mean log growth of the first less that of the second, a month."""
    frame, items = data.dlog(), data.pairs
    a, b = _columns(frame, items, 0), _columns(frame, items, 1)
    return _from_monthly(data, items, lambda x: _mean(x)[..., a] - _mean(x)[..., b], frame)


def volatility_ratio(data: Data) -> Estimate:
    """Standard deviation of log growth of the first over that of the second."""
    frame, items = data.dlog(), data.pairs
    a, b = _columns(frame, items, 0), _columns(frame, items, 1)
    return _from_monthly(data, items, lambda x: _sd(x)[..., a] / _positive(_sd(x)[..., b]), frame)


def typical_volatility(data: Data) -> Estimate:
    """Standard deviation of log growth over the median of those of the others."""
    frame, items = data.dlog(), data.singles
    a, others = _columns(frame, items, 0), [frame.columns.get_loc(k) for k in data.check.against]
    return _from_monthly(data, items, lambda x: _sd(x)[..., a] / _positive(
        np.median(_sd(x)[..., others], axis=-1, keepdims=True)), frame)


def later_volatility(data: Data) -> Estimate:
    """Standard deviation of log growth in the second half of the months over that in the first; geometric mean."""
    x = data.dlog()[data.check.indicators].to_numpy()
    half = len(x) // 2
    early, late = x[:half], x[half:]

    def ratio(first, second):
        return np.exp(np.log(_positive(_sd(second)) / _positive(_sd(first))).mean(axis=-1, keepdims=True))

    return Estimate([("", "")], ratio(early[None], late[None])[0],
                    _percentiles(ratio(early[data.draws(len(early))], late[data.draws(len(late))])))


def jump(data: Data) -> Estimate:
    """How far the month's log growth lies from the median, in robust standard deviations of the other months."""
    frame, month = data.dlog()[data.check.indicators], pd.Period(data.check.month, "M")
    value, replicates = [], []
    for _, y in frame.items():
        at, others = float(y.get(month, np.nan)), y[y.index != month].dropna().to_numpy()
        value.append(_z(at, others))
        replicates.append(_z(at, others[data.draws(len(others))]))
    return Estimate(data.singles, np.array(value), _percentiles(np.stack(replicates, axis=-1)))


def _z(at: float, others: np.ndarray) -> np.ndarray:
    middle = np.median(others, axis=-1, keepdims=True)
    return (at - middle[..., 0]) / _positive(1.4826 * np.median(np.abs(others - middle), axis=-1))


def other_jumps(data: Data) -> Estimate:
    """Number of other months that lie more than `limit` robust standard deviations from the median."""
    frame, month = data.dlog()[data.check.indicators], pd.Period(data.check.month, "M")
    others = frame[frame.index != month]
    value = np.array([float(((y - y.median()).abs() > data.check.limit * robust_sd(y)).sum()) if y.notna().any()
                      else np.nan for _, y in others.items()])
    return Estimate(data.singles, value, lambda level: (value, value))


def slope(data: Data) -> Estimate:
    """Theil-Sen slope a year of the indicator itself."""
    def at(level: float):
        found = [trend(data.frame[k], level) for k in data.check.indicators]
        return tuple(12 * np.array([getattr(f, name) for f in found]) for name in ("slope", "lo", "hi"))

    return Estimate(data.singles, at(0.9)[0], lambda level: at(level)[1:])


def _years(data: Data) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the year and the year before, on the months that both have for every indicator asked."""
    names = list(dict.fromkeys([*data.check.indicators, *data.check.against]))
    months = pd.period_range(f"{data.year}-01", f"{data.year}-12", freq="M")
    now, before = data.frame[names].reindex(months), data.frame[names].reindex(months - 12)
    both = now.notna().to_numpy().all(axis=1) & before.notna().to_numpy().all(axis=1)
    return now[both], before[both]


def _annual(data: Data, items, statistic) -> Estimate:
    now, before = _years(data)
    a, b = _columns(now, items, 0), _columns(now, items, 1) if items[0][1] else []
    x, y = now.to_numpy(), before.to_numpy()
    if len(x) < MIN_MONTHS:
        nothing = np.full(len(items), np.nan)
        return Estimate(items, nothing, lambda level: (nothing, nothing))

    def of(rows):
        return statistic(x[rows].sum(axis=-2), y[rows].sum(axis=-2), a, b)

    return Estimate(items, of(np.arange(len(x))), _percentiles(of(data.draws(len(x)))))


def annual_ratio(data: Data) -> Estimate:
    """The year's sum of the first over that of the second."""
    return _annual(data, data.pairs, lambda now, before, a, b: now[..., a] / _positive(now[..., b]))


def annual_growth(data: Data) -> Estimate:
    """Growth of the year's sum on the year before."""
    return _annual(data, data.singles, lambda now, before, a, b: now[..., a] / _positive(before[..., a]) - 1)


def annual_growth_gap(data: Data) -> Estimate:
    """The first's growth of the year's sum less the second's."""
    return _annual(data, data.pairs, lambda now, before, a, b: now[..., a] / _positive(before[..., a])
                   - now[..., b] / _positive(before[..., b]))


def _positive(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.nan)


# name -> function, and how its figures are written: a difference of two rates or shares is in points, not in per cent
STATISTICS: dict[str, tuple[Callable[[Data], Estimate], str]] = {
    "mean_index": (mean_index, "index"), "growth_gap": (growth_gap, "points"),
    "volatility_ratio": (volatility_ratio, "times"), "typical_volatility": (typical_volatility, "times"),
    "later_volatility": (later_volatility, "times"), "jump": (jump, "times"), "other_jumps": (other_jumps, "count"),
    "slope": (slope, "points"), "annual_ratio": (annual_ratio, "times"), "annual_growth": (annual_growth, "percent"),
    "annual_growth_gap": (annual_growth_gap, "points"),
}


def _percent(value: float) -> str:
    return percent(value, 0 if abs(value * 100 - round(value * 100)) < 1e-9 else 1)


def _points(value: float, lang: str | None) -> str:
    plain = _percent(value).removesuffix("%")
    return plain if lang is None else t("facts.points", lang, n=plain)


_FORMATS: dict[str, Callable[[float, str | None], str]] = {
    "index": lambda v, lang: f"{v:.3f}", "times": lambda v, lang: f"{v:.2f}", "count": lambda v, lang: f"{v:.0f}",
    "percent": lambda v, lang: _percent(v), "points": _points,
}


def in_points(statistic: str) -> bool:
    """Whether figures of this statistic are percentage points."""
    return STATISTICS[statistic][1] == "points"


def written(statistic: str, value: float, lang: str | None = None) -> str:
    """Return a figure of this statistic as text; points without their unit where no language is given."""
    return "–" if not math.isfinite(value) else _FORMATS[STATISTICS[statistic][1]](value, lang)
