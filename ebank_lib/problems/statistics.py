"""The figures that a rule may ask for, each of one branch, of its last twelve months unless it says otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd

from ebank_lib.facts.statistics import Data, later_volatility
from ebank_lib.growth.measures import as_month, as_months, log_growth, robust_sd
from ebank_lib.peers import compare_peers, percentile_interval
from ebank_lib.peers.position import by_branch

__all__ = ["STATISTICS", "Asked", "Figure", "Statistic"]

YEAR, MIN_OF_YEAR = 12, 9
MIN_HISTORY = 24            # months: below this halves of a history, or its largest month, say nothing
LEVEL = 0.9                 # of the interval that decides
REPLICATIONS, SEED = 499, 0
AFTER_EVENT = 3             # months from an event on in which its mark is looked for
MIN_PEERS = 5


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

    cleaned: object
    branch: str
    rule: object

    @property
    def frame(self) -> pd.DataFrame:
        """Months x indicators of the branch."""
        return self.cleaned.panel.loc[self.branch]

    def year(self, key: str) -> float:
        """Return the mean of the last twelve months that end with the branch's last value; NaN with fewer than nine."""
        return _last_year(self.frame[key])


@dataclass(frozen=True)
class Statistic:
    """A figure that rules may ask for.

    Attributes
    ----------
    compute : callable
        Asked -> list of Figure, one for each indicator asked about or one for all of them together.
    form : {"percent", "number", "months"}
        How its figures and thresholds are written.
    low, high : float
        Between which a threshold makes sense.
    kinds : tuple of str
        Kinds of indicator it can be asked of.
    whole : {"none", "needed", "may"}
        Whether the rule names other indicators in ``of``.
    decides : bool
        Whether its interval decides (all of it must lie beyond the threshold) or only the figure.
    """

    compute: Callable[[Asked], list[Figure]]
    form: str
    low: float
    high: float
    kinds: tuple[str, ...] = ("stock", "flow", "ratio")
    whole: str = "none"
    decides: bool = False


def _last_year(y: pd.Series) -> float:
    values = y.to_numpy(float)
    known = ~np.isnan(values)
    end = len(known) - int(known[::-1].argmax()) if known.any() else 0
    last, there = (a[max(end - YEAR, 0):end] for a in (values, known))
    return float(np.where(there, last, 0).sum() / there.sum()) if there.sum() >= MIN_OF_YEAR else math.nan


def _found(value: float, item: str = "", **more) -> Figure:
    return Figure(value, item, **more) if math.isfinite(value) else Figure(item=item, missing="too_few")


def level(asked: Asked) -> list[Figure]:
    """Mean of a ratio over the last twelve months."""
    return [_found(asked.year(k), k) for k in asked.rule.indicators]


def share_of(asked: Asked) -> list[Figure]:
    """Each indicator's part in the sum of the indicators in ``of``."""
    whole = sum(asked.year(k) for k in asked.rule.of)
    return [_found(asked.year(k) / whole if whole > 0 else math.nan, k) for k in asked.rule.indicators]


def growth_12m(asked: Asked) -> list[Figure]:
    """Growth on the year: a stock's last value on that a year before, a flow's twelve months on the twelve before."""
    out = []
    for key in asked.rule.indicators:
        y = as_months(asked.frame[key])
        y = y.loc[:y.last_valid_index()]
        now, before = y.tail(YEAR), y.shift(YEAR).tail(YEAR)
        if asked.cleaned.catalog.indicators[key].kind == "stock":
            now, before = now.tail(1), before.tail(1)
        both = now.notna() & before.notna()
        enough = both.sum() >= min(len(now), MIN_OF_YEAR) and both.any()
        base = float(before[both].sum())
        out.append(_found(float(now[both].sum()) / base - 1 if enough and base > 0 else math.nan, key))
    return out


def percentile(asked: Asked) -> list[Figure]:
    """Share of the other branches that stand below; with ``of``, of the indicator for each of those (per customer)."""
    if asked.rule.of:
        return [_per(asked, key) for key in asked.rule.indicators]
    return [_position(asked, key, "percentile") for key in asked.rule.indicators]


def _per(asked: Asked, key: str) -> Figure:
    peers = {}
    wide = {k: by_branch(asked.cleaned.panel, k) for k in dict.fromkeys([key, *asked.rule.of])}
    for b in (b for b in asked.cleaned.catalog.reporting if b in wide[key]):
        below = sum(_last_year(wide[k][b]) for k in asked.rule.of)
        peers[b] = _last_year(wide[key][b]) / below if below > 0 else math.nan
    values = pd.Series(peers, dtype=float).dropna()
    if asked.branch not in values.index:
        return Figure(item=key, missing="too_few")
    others = values.drop(asked.branch)
    if len(others) + 1 < MIN_PEERS:
        return Figure(item=key, missing="no_peers")
    below = float((others < values[asked.branch]).sum() + (others == values[asked.branch]).sum() / 2)
    lo, hi = percentile_interval(below, len(others))
    return _found(below / len(others), key, lo=float(lo), hi=float(hi))


def _position(asked: Asked, key: str, column: str) -> Figure:
    rows = compare_peers(asked.cleaned, asked.branch, [key]).latest.set_index("measure")
    measure = asked.rule.measure
    if measure not in rows.index or rows.loc[measure, "status"] not in ("ok", "few"):
        return Figure(item=key, missing="too_few")
    row = rows.loc[measure]
    if row["status"] == "few":
        return Figure(item=key, missing="no_peers")
    if column == "percentile":
        return _found(float(row["percentile"]), key, lo=float(row["lo"]), hi=float(row["hi"]))
    return _found(float(row[column]), key)


def gap_months(asked: Asked) -> list[Figure]:
    """Months for which the highest branch has stood at or above this one; 0 for the highest itself."""
    return [_position(asked, key, "leader_months") for key in asked.rule.indicators]


def _shares(asked: Asked) -> pd.Series:
    values = pd.Series({k: asked.year(k) for k in asked.rule.indicators}, dtype=float)
    usable = values.notna().all() and (values >= 0).all() and values.sum() > 0
    return values / values.sum() if usable else values * math.nan


def top_share(asked: Asked) -> list[Figure]:
    """The largest part in the sum of the indicators named."""
    shares = _shares(asked)
    return [Figure(missing="too_few") if shares.isna().any() else Figure(float(shares.max()), str(shares.idxmax()))]


def herfindahl(asked: Asked) -> list[Figure]:
    """Sum of the squared shares: 1 for one source alone, 1/n for n equal ones."""
    return [_found(float((_shares(asked) ** 2).sum(skipna=False)))]


def push_share(asked: Asked) -> list[Figure]:
    """The part of a stock's growth that came in its largest month; a change over missing months is spread evenly."""
    out = []
    for key in asked.rule.indicators:
        y = as_months(asked.frame[key]).dropna()
        if len(y) < MIN_HISTORY:
            out.append(Figure(item=key, missing="too_few"))
            continue
        months = np.diff(y.index.asi8)
        whole = float(y.iloc[-1] - y.iloc[0])
        largest = float((np.diff(y.to_numpy()) / months).max())
        out.append(Figure(largest / whole, key) if whole > 0 else Figure(item=key, missing="no_growth"))
    return out


def volatility_change(asked: Asked) -> list[Figure]:
    """Volatility of growth in the second half of the months over the first, geometric mean (as in the facts)."""
    frame = asked.frame[asked.rule.indicators]
    if (frame.notna().sum() < MIN_HISTORY).any():
        return [Figure(missing="too_few")]
    check = SimpleNamespace(indicators=list(asked.rule.indicators), against=[], month=None, fixed=[], limit=0.0)
    found = later_volatility(Data(frame, check, None, REPLICATIONS, SEED))
    lo, hi = found.bounds(LEVEL)
    return [_found(float(found.value[0]), lo=float(lo[0]), hi=float(hi[0]))]


def instability_after_events(asked: Asked) -> list[Figure]:
    """How far growth strays from its median from a system event on, in robust standard deviations; the worst month.

    A system event is one of the source's events whose text holds one of the rule's ``words``.
    """
    events = [e for e in asked.cleaned.source.config.events
              if any(w in e.zh or w.lower() in e.en.lower() for w in asked.rule.words)
              and (not e.branches or asked.branch in e.branches)]
    out = []
    for key in asked.rule.indicators:
        months = [as_month(e.month) for e in events if not e.indicators or key in e.indicators]
        if not months:
            out.append(Figure(item=key, missing="no_events"))
            continue
        x = log_growth(asked.frame[key])
        near = x.index.isin([m + k for m in months for k in range(AFTER_EVENT)])
        spread = robust_sd(x[~near])
        if x[~near].notna().sum() < MIN_HISTORY - 1 or not x[near].notna().any() or not spread > 0:
            out.append(Figure(item=key, missing="too_few"))
        else:
            out.append(Figure(float((x[near] - x[~near].median()).abs().max() / spread), key))
    return out


_SIZES = ("stock", "flow")
STATISTICS: dict[str, Statistic] = {
    "level": Statistic(level, "percent", 0, math.inf, ("ratio",)),
    "share_of": Statistic(share_of, "percent", 0, 1, _SIZES, "needed"),
    "growth_12m": Statistic(growth_12m, "percent", -1, math.inf, _SIZES),
    "percentile": Statistic(percentile, "percent", 0, 1, whole="may"),
    "gap_months": Statistic(gap_months, "months", 0, math.inf),
    "top_share": Statistic(top_share, "percent", 0, 1, _SIZES),
    "herfindahl": Statistic(herfindahl, "number", 0, 1, _SIZES),
    "push_share": Statistic(push_share, "percent", 0, 1, ("stock",)),
    "volatility_change": Statistic(volatility_change, "number", 0, math.inf, _SIZES, decides=True),
    "instability_after_events": Statistic(instability_after_events, "number", 0, math.inf, _SIZES),
}
