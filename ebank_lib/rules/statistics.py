"""The figures that rules ask for: with bounds for any level for a study's facts, one a branch for problems and risks.

Bounds of facts are percentiles of the stationary bootstrap (Politis and Romano 1994; mean block n^(1/3) months, all
indicators of a month together, seeded), or for slopes those of :func:`~ebank_lib.growth.trend`; counts are exact.
Figures of problems are of the last twelve months unless they say otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from arch.bootstrap import StationaryBootstrap
from scipy.stats import hypergeom

from ..cleaning import reporting, trusted_panel
from ..events import calendar_regressors
from ..growth import as_month, as_months, log_growth, robust_sd, trend
from ..peers import MIN_OF_YEAR, YEAR, by_branch, compare_peers, place
from ..wording import percent, t

MIN_MONTHS = 10


def as_written(form: str, value: float, lang: str | None = None) -> str:
    """Return a figure in one of the forms of :data:`FACTS` and :data:`PROBLEMS`; points without their unit where no
    language is given."""
    if not math.isfinite(value):
        return "–"
    if form == "months":
        return t("problems.months", lang, n=f"{value:.0f}")
    if form in ("percent", "points", "whole"):
        text = percent(value, 0 if form == "whole" or abs(value * 100 - round(value * 100)) < 1e-9 else 1)
        plain = text.removesuffix("%")
        return text if form != "points" else plain if lang is None else t("facts.points", lang, n=plain)
    return f"{value:.{ {'index': 3, 'times': 2, 'number': 2, 'count': 0}[form]}f}"


# ---------------------------------------------------------------- facts: figures with bounds

Bounds = Callable[[float], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Estimate:
    """A figure for each item (an indicator, or a pair) and a function that gives its bounds for a level."""

    items: list[tuple[str, str]]
    value: np.ndarray
    bounds: Bounds


@dataclass(frozen=True)
class Data:
    """What a fact's figure is computed from: months x indicators, and what the check asks for."""

    frame: pd.DataFrame
    indicators: list[str]
    replications: int
    seed: int
    against: list[str] = ()
    month: str | None = None
    fixed: list[str] = ()
    limit: float = 0.0
    year: int | None = None

    @property
    def names(self) -> list[str]:
        """All indicators that are asked for."""
        return list(dict.fromkeys([*self.indicators, *self.against]))

    @property
    def singles(self) -> list[tuple[str, str]]:
        return [(a, "") for a in self.indicators]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(a, b) for a in self.indicators for b in self.against if a != b]

    def at(self, names: list[str] | tuple[str, ...]) -> list[int]:
        """Columns of :meth:`dlog` and of :meth:`years`."""
        return [self.names.index(name) for name in names]

    def dlog(self) -> pd.DataFrame:
        return pd.DataFrame({k: log_growth(self.frame[k]) for k in self.names}).iloc[1:]

    def years(self) -> np.ndarray:
        """Return the year and the year before, months x 2 x indicators: the months that both have for every indicator
        asked; one without figures where they are too few."""
        months = pd.period_range(f"{self.year}-01", f"{self.year}-12", freq="M")
        x = np.stack([self.frame[self.names].reindex(months - back).to_numpy() for back in (0, 12)], axis=1)
        known = x[np.isfinite(x).all(axis=(1, 2))]
        return known if len(known) >= MIN_MONTHS else np.full_like(x[:1], np.nan)

    def draws(self, n: int, kept: np.ndarray | None = None) -> np.ndarray:
        """Row numbers of every bootstrap sample, replications x n; the kept rows are in each."""
        kept = np.zeros(0, dtype=int) if kept is None else kept
        free = np.setdiff1d(np.arange(n), kept)
        rows = free[_positions(free.size, self.replications, self.seed)]
        return np.hstack([rows, np.tile(kept, (len(rows), 1))])


@lru_cache(64)      # no figure goes in: every branch with as many months draws the same ones
def _positions(n: int, replications: int, seed: int) -> np.ndarray:
    boot = StationaryBootstrap(max(1.0, n ** (1 / 3)), np.arange(n, dtype=np.int32), seed=np.random.default_rng(seed))
    return np.array([sample[0][0] for sample in boot.bootstrap(replications)])


def _percentiles(replicates: np.ndarray) -> Bounds:
    return lambda level: tuple(np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2], axis=0))


def _mean(x: np.ndarray) -> np.ndarray:
    """Mean over the next to last axis (months), missing ones left out, NaN where none is there."""
    n = np.isfinite(x).sum(axis=-2)
    return np.where(n > 0, np.where(np.isfinite(x), x, 0).sum(axis=-2) / np.maximum(n, 1), np.nan)


def _sd(x: np.ndarray) -> np.ndarray:
    n = np.isfinite(x).sum(axis=-2)
    square = np.where(np.isfinite(x), (x - np.expand_dims(_mean(x), -2)) ** 2, 0).sum(axis=-2)
    return np.where(n > 2, np.sqrt(square / np.maximum(n - 1, 1)), np.nan)


def _positive(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.nan)


def _drawn(items: str, values: Callable, statistic: Callable) -> Callable[[Data], Estimate]:
    """A figure of months that are drawn anew: ``statistic(samples x months x ..., columns, the others' columns)``;
    `values` are what each month has, and the rows that every sample keeps."""
    def estimate(data: Data) -> Estimate:
        chosen = getattr(data, items)
        firsts = data.at([a for a, _ in chosen])
        others = data.at([b for _, b in chosen] if items == "pairs" else data.against)
        x, kept = values(data)
        return Estimate(chosen, statistic(x[None], firsts, others)[0],
                        _percentiles(statistic(x[data.draws(len(x), kept)], firsts, others)))

    return estimate


def _monthly(items: str, statistic: Callable, transform: Callable = lambda dlog: dlog) -> Callable[[Data], Estimate]:
    def values(data: Data):
        dlog = data.dlog()
        return transform(dlog.to_numpy()), np.flatnonzero(dlog.index.isin(pd.PeriodIndex(list(data.fixed), freq="M")))

    return _drawn(items, values, statistic)


def _annual(items: str, statistic: Callable) -> Callable[[Data], Estimate]:
    """A figure of the sums of a year and the year before: ``statistic(now, before, columns, the others' columns)``."""
    def of_years(x: np.ndarray, firsts: list[int], others: list[int]) -> np.ndarray:
        return statistic(*np.moveaxis(x.sum(axis=-3), -2, 0), firsts, others)

    return _drawn(items, lambda data: (data.years(), None), of_years)


def later_volatility(data: Data) -> Estimate:
    """Standard deviation of log growth in the second half of the months over that in the first; geometric mean."""
    x = data.dlog()[data.indicators].to_numpy()
    half = len(x) // 2
    early, late = x[:half], x[half:]

    def ratio(first, second):
        return np.exp(np.log(_positive(_sd(second)) / _positive(_sd(first))).mean(axis=-1, keepdims=True))

    return Estimate([("", "")], ratio(early[None], late[None])[0],
                    _percentiles(ratio(early[data.draws(len(early))], late[data.draws(len(late))])))


def jump(data: Data) -> Estimate:
    """How far the month's log growth lies from the median, in robust standard deviations of the other months."""
    frame, month = data.dlog()[data.indicators], pd.Period(data.month, "M")

    def z(at: float, others: np.ndarray) -> np.ndarray:
        middle = np.median(others, axis=-1, keepdims=True)
        return (at - middle[..., 0]) / _positive(1.4826 * np.median(np.abs(others - middle), axis=-1))

    value, replicates = [], []
    for _, y in frame.items():
        at, others = float(y.get(month, np.nan)), y[y.index != month].dropna().to_numpy()
        value.append(z(at, others))
        replicates.append(z(at, others[data.draws(len(others))]))
    return Estimate(data.singles, np.array(value), _percentiles(np.stack(replicates, axis=-1)))


def other_jumps(data: Data) -> Estimate:
    """Number of other months that lie more than `limit` robust standard deviations from the median."""
    frame = data.dlog()[data.indicators]
    others = frame[frame.index != pd.Period(data.month, "M")]
    value = np.array([float(((y - y.median()).abs() > data.limit * robust_sd(y)).sum()) if y.notna().any()
                      else np.nan for _, y in others.items()])
    return Estimate(data.singles, value, lambda level: (value, value))


def slope(data: Data) -> Estimate:
    """Slope a year of the indicator itself, see :func:`~ebank_lib.growth.trend`."""
    def at(level: float):
        found = [trend(data.frame[k], level) for k in data.indicators]
        return tuple(12 * np.array([getattr(f, name) for f in found]) for name in ("slope", "lo", "hi"))

    return Estimate(data.singles, at(0.9)[0], lambda level: at(level)[1:])


def _grown(now, before, columns):
    return now[..., columns] / _positive(before[..., columns])


# name -> function, and how its figures are written: a difference of two rates or shares is in points, not in per cent
FACTS: dict[str, tuple[Callable[[Data], Estimate], str]] = {
    # Mean of the month-on-month indices.
    "mean_index": (_monthly("singles", lambda x, a, _: _mean(x)[..., a], np.exp), "index"),
    # Mean log growth of the first less that of the second, a month.
    "growth_gap": (_monthly("pairs", lambda x, a, b: _mean(x)[..., a] - _mean(x)[..., b]), "points"),
    # Standard deviation of log growth of the first over that of the second, or over the median of the others'.
    "volatility_ratio": (_monthly("pairs", lambda x, a, b: _sd(x)[..., a] / _positive(_sd(x)[..., b])), "times"),
    "typical_volatility": (_monthly("singles", lambda x, a, b: _sd(x)[..., a] / _positive(
        np.median(_sd(x)[..., b], axis=-1, keepdims=True))), "times"),
    "later_volatility": (later_volatility, "times"), "jump": (jump, "times"), "other_jumps": (other_jumps, "count"),
    "slope": (slope, "points"),
    # The year's sum of the first over that of the second; its growth on the year before; the difference of two such.
    "annual_ratio": (_annual("pairs", lambda now, _, a, b: now[..., a] / _positive(now[..., b])), "times"),
    "annual_growth": (_annual("singles", lambda now, before, a, _: _grown(now, before, a) - 1), "percent"),
    "annual_growth_gap": (_annual("pairs", lambda now, before, a, b: _grown(now, before, a) - _grown(now, before, b)),
                          "points"),
}

# ---------------------------------------------------------------- problems and risks: one figure a branch

MIN_HISTORY = 24            # months: below this halves of a history, or its largest month, say nothing
LEVEL = 0.9                 # of the interval that decides
REPLICATIONS = 499
AFTER_EVENT = 3             # months from an event on in which its mark is looked for


@dataclass(frozen=True)
class Figure:
    """What a statistic found: the figure, the indicator it is of, an interval; or why there is none."""

    value: float = math.nan
    item: str = ""
    lo: float = math.nan
    hi: float = math.nan
    missing: str = ""        # too_few, no_peers, no_growth, no_events


@dataclass(frozen=True)
class Asked:
    """A rule put to a branch: the cleaned source, the branch, and the rule's own words."""

    cleaned: Any
    branch: str
    rule: Any

    @property
    def frame(self) -> pd.DataFrame:
        """Months x indicators of the branch."""
        return trusted_panel(self.cleaned).loc[self.branch]


@dataclass(frozen=True)
class Statistic:
    """A figure that rules of problems may ask for.

    ``compute`` takes what is asked and an indicator, or what is asked of all the rule's indicators `together`; ``form``
    says how its figures are written, ``low`` and ``high`` between which a threshold makes sense, ``kinds`` what it can
    be asked of, ``whole`` whether the rule names other indicators in ``of`` (none, needed, may). Where it `decides`,
    its whole interval must lie beyond the threshold, else only the figure.
    """

    compute: Callable[..., Figure]
    form: str
    low: float
    high: float
    kinds: tuple[str, ...] = ("stock", "flow", "ratio")
    whole: str = "none"
    decides: bool = False
    together: bool = False


def _last_year(y: pd.Series) -> float:
    """Return the mean of the last twelve months that end with the last value; NaN with fewer than nine."""
    values = y.to_numpy(float)
    known = np.flatnonzero(~np.isnan(values))
    last = values[known[(known > known[-1] - YEAR)]] if known.size else values[:0]
    return float(last.sum() / len(last)) if len(last) >= MIN_OF_YEAR else math.nan


def _found(value: float, item: str = "", **more) -> Figure:
    return Figure(value, item, **more) if math.isfinite(value) else Figure(item=item, missing="too_few")


def level(asked: Asked, key: str) -> Figure:
    """Mean of a ratio over the last twelve months."""
    return _found(_last_year(asked.frame[key]), key)


def share_of(asked: Asked, key: str) -> Figure:
    """The indicator's part in the sum of the indicators in ``of``."""
    whole = sum(_last_year(asked.frame[k]) for k in asked.rule.of)
    return _found(_last_year(asked.frame[key]) / whole if whole > 0 else math.nan, key)


def growth_12m(asked: Asked, key: str) -> Figure:
    """Growth on the year: a stock's last value on that a year before, a flow's twelve months on the twelve before."""
    y = as_months(asked.frame[key])
    y = y.loc[:y.last_valid_index()]
    months = 1 if asked.cleaned.catalog.indicators[key].kind == "stock" else YEAR
    now, before = y.tail(months), y.shift(YEAR).tail(months)
    both = now.notna() & before.notna()
    base = float(before[both].sum())
    enough = both.any() and both.sum() >= min(len(now), MIN_OF_YEAR)
    return _found(float(now[both].sum()) / base - 1 if enough and base > 0 else math.nan, key)


def percentile(asked: Asked, key: str) -> Figure:
    """Share of the other branches that stand below; with ``of``, of the indicator for each of those (per customer)."""
    if not asked.rule.of:
        return _position(asked, key, "percentile")
    panel = trusted_panel(asked.cleaned)
    here = reporting(asked.cleaned.catalog, panel)
    year = {k: by_branch(panel, k)[here].apply(_last_year) for k in {key, *asked.rule.of}}
    below = sum(year[k] for k in asked.rule.of)
    values = (year[key] / below.where(below > 0)).dropna().to_frame(key).T
    return _placed(place(values, asked.branch) if asked.branch in values else {"status": "missing"}, key, "percentile")


def _position(asked: Asked, key: str, column: str) -> Figure:
    rows = compare_peers(asked.cleaned, asked.branch, [key]).latest.set_index("measure")
    measure = asked.rule.measure
    return _placed(rows.loc[measure] if measure in rows.index else {"status": "missing"}, key, column)


def _placed(row: Mapping, key: str, column: str) -> Figure:
    if row["status"] != "ok":
        return Figure(item=key, missing="no_peers" if row["status"] == "few" else "too_few")
    interval = {"lo": float(row["lo"]), "hi": float(row["hi"])} if column == "percentile" else {}
    return _found(float(row[column]), key, **interval)


def gap_months(asked: Asked, key: str) -> Figure:
    """Months for which the highest branch has stood at or above this one; 0 for the highest itself."""
    return _position(asked, key, "leader_months")


def _shares(asked: Asked) -> pd.Series:
    values = pd.Series({k: _last_year(asked.frame[k]) for k in asked.rule.indicators}, dtype=float)
    usable = values.notna().all() and (values >= 0).all() and values.sum() > 0
    return values / values.sum() if usable else values * math.nan


def top_share(asked: Asked) -> Figure:
    """The largest part in the sum of the indicators named."""
    shares = _shares(asked)
    return Figure(missing="too_few") if shares.isna().any() else Figure(float(shares.max()), str(shares.idxmax()))


def herfindahl(asked: Asked) -> Figure:
    """Sum of the squared shares: 1 for one source alone, 1/n for n equal ones."""
    return _found(float((_shares(asked) ** 2).sum(skipna=False)))


def push_share(asked: Asked, key: str) -> Figure:
    """The part of a stock's growth that came in its largest month; a change over missing months is spread evenly."""
    y = as_months(asked.frame[key]).dropna()
    if len(y) < MIN_HISTORY:
        return Figure(item=key, missing="too_few")
    whole = float(y.iloc[-1] - y.iloc[0])
    largest = float((np.diff(y.to_numpy()) / np.diff(y.index.asi8)).max())
    return Figure(largest / whole, key) if whole > 0 else Figure(item=key, missing="no_growth")


def volatility_change(asked: Asked) -> Figure:
    """Volatility of growth in the second half of the months over the first, geometric mean (as in the facts).

    Its interval promises 5% above 1 where nothing changed: 7% of simulated branches, 13% with tails of t(3)."""
    frame = asked.frame[asked.rule.indicators]
    if (frame.notna().sum() < MIN_HISTORY).any():
        return Figure(missing="too_few")
    found = later_volatility(Data(frame, asked.rule.indicators, REPLICATIONS, 0))
    lo, hi = found.bounds(LEVEL)
    return _found(float(found.value[0]), lo=float(lo[0]), hi=float(hi[0]))


def instability_after_events(asked: Asked) -> Figure:
    """Chance that as many months picked at random stray as far as the months from system events on do.

    A system event is one of the source's events whose text holds one of the rule's ``words``. Growth is rid of the
    season and the calendar first; of a month the indicator that strays furthest counts, the worst month decides. Where
    nothing happened months may change places, so the chance is a permutation's. A threshold of 10% was wrong in 3 to
    11% of simulated branches, in whichever month the event lay.
    """
    config, rule = asked.cleaned.source.config, asked.rule
    events = [e for e in config.events if (not e.branches or asked.branch in e.branches)
              and any(w in e.zh or w.lower() in e.en.lower() for w in rule.words)]
    keys = [k for k in rule.indicators if any(not e.indicators or k in e.indicators for e in events)]
    if not keys:
        return Figure(missing="no_events")
    growth = pd.DataFrame({k: log_growth(asked.frame[k]) for k in keys})
    moving = calendar_regressors(growth.index, config.calendar).drop(columns="quarter_end").diff().to_numpy()
    strays = growth.apply(_strays, moving=moving)
    furthest = strays.max(axis=1).dropna()
    near = furthest.index.isin([as_month(e.month) + m for e in events for m in range(AFTER_EVENT)])
    if not near.any() or near.mean() > rule.value:      # the least chance there can be
        return Figure(missing="too_few")
    worst = furthest[near].idxmax()
    as_far = int((furthest >= furthest[worst]).sum())
    return Figure(float(1 - hypergeom.pmf(0, len(near), as_far, near.sum())), strays.loc[worst].idxmax())


def _strays(x: pd.Series, moving: np.ndarray) -> pd.Series:
    """How far each month lies from what season and calendar let expect, studentised, in robust standard deviations."""
    design = np.column_stack([np.eye(12)[x.index.month - 1], moving])
    known = x.notna().to_numpy() & np.isfinite(design).all(axis=1)
    hat, left = design[known] @ np.linalg.pinv(design[known]), np.full(len(x), np.nan)
    if known.sum() >= MIN_HISTORY + design.shape[1] // 2:
        left[known] = (x[known] - hat @ x[known]) / np.sqrt(np.maximum(1 - np.diag(hat), 0.05))
    return pd.Series(np.abs(left) / _positive(robust_sd(left)), x.index)


_SIZES = ("stock", "flow")
PROBLEMS: dict[str, Statistic] = {
    "level": Statistic(level, "percent", 0, math.inf, ("ratio",)),
    "share_of": Statistic(share_of, "percent", 0, 1, _SIZES, "needed"),
    "growth_12m": Statistic(growth_12m, "percent", -1, math.inf, _SIZES),
    "percentile": Statistic(percentile, "whole", 0, 1, whole="may"),
    "gap_months": Statistic(gap_months, "months", 0, math.inf),
    "top_share": Statistic(top_share, "percent", 0, 1, _SIZES, together=True),
    "herfindahl": Statistic(herfindahl, "number", 0, 1, _SIZES, together=True),
    "push_share": Statistic(push_share, "percent", 0, 1, ("stock",)),
    "volatility_change": Statistic(volatility_change, "number", 0, math.inf, _SIZES, decides=True, together=True),
    "instability_after_events": Statistic(instability_after_events, "percent", 0, 1, _SIZES, together=True),
}
