"""How large comparable measures were: past pushes of a branch and its peers, pooled with their differences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import norm
from scipy.stats import t as student
from statsmodels.stats.meta_analysis import combine_effects

from ..catalog import Catalog
from ..errors import SeriesError
from ..events import find_interventions
from ..store import kept_frames

__all__ = ["Pooled", "pool", "pooled_effect"]

_COLUMNS = ["branch", "indicator", "month", "size", "t", "zh", "en"]
LEAST = 3               # fewer do not show how far effects differ
_TAIL = float(norm.ppf(0.99))


@dataclass(frozen=True)
class Pooled:
    """What the next measure of the kind may bring, from what past ones brought; see :func:`pool`.

    ``table`` has the interventions pooled: ``branch, indicator, month, size, t, zh, en``; ``mu, tau, se`` are the mean
    of log(1 + size), the spread between interventions and the standard error of the mean. Those that the source does
    not name were found by their size, and are likely too high on the whole.
    """

    table: pd.DataFrame = field(repr=False)
    mu: float
    tau: float
    se: float
    named: bool

    @property
    def k(self) -> int:
        """Number of interventions."""
        return len(self.table)

    def size_at(self, z):
        """Return the size at a point of the prediction distribution, given as a standard normal's; never below 0.

        The tails are cut at 1% and 99%: so few interventions say nothing about what lies there.
        """
        spread = np.sqrt(self.tau**2 + self.se**2)
        q = student.ppf(norm.cdf(np.clip(z, -_TAIL, _TAIL)), self.k - 2)
        return np.maximum(np.expm1(self.mu + spread * q), 0.0)

    @property
    def interval(self) -> tuple[float, float]:
        """The 80% prediction interval of the next size."""
        low, high = self.size_at(np.array([-1, 1]) * norm.ppf(0.9))
        return float(low), float(high)


def pool(effects: np.ndarray, variances: np.ndarray) -> tuple[float, float, float]:
    """Pool effects that differ by more than their errors: mean, spread between them, standard error of the mean.

    Random effects by Paule and Mandel (1982), the error after Hartung and Knapp (2001), never below the plain one;
    computed by ``statsmodels.stats.meta_analysis``. The next effect is then t-distributed with k - 2 degrees of freedom
    and variance tau^2 + se^2 (Higgins, Thompson and Spiegelhalter 2009, JRSS A 172).
    """
    got = combine_effects(np.asarray(effects, float), np.asarray(variances, float), method_re="iterated")
    return (float(got.mean_effect_re), float(np.sqrt(max(got.tau2, 0.0))),
            float(max(got.sd_eff_w_re_hksj, got.sd_eff_w_re)))


def pooled_effect(history: pd.DataFrame, catalog: Catalog, indicators: Iterable[str], origin: pd.Period | None = None,
                  events: pd.DataFrame | None = None) -> Pooled:
    """Pool the pushes of some indicators over all branches of a panel; nothing after the origin is looked at.

    Known events that name an indicator count whatever they brought, so that nothing is chosen by its size; only when
    there are fewer than three are level shifts upward taken that the search found.

    Raises
    ------
    SeriesError
        Fewer than three interventions.
    """
    indicators = list(indicators)
    codes, names = pd.factorize(history.index.get_level_values("branch"))
    months = pd.PeriodIndex(history.index.get_level_values("month"), freq="M")
    made_from = (history[indicators].to_numpy(float), codes, list(map(str, names)), months, indicators,
                 catalog.reporting, origin, events)
    pushes = kept_frames("evidence", made_from, lambda: _pushes(history, catalog, indicators, origin, events))
    named = len(pushes["named"]) >= LEAST
    table = pushes["named" if named else "found"]
    if len(table) < LEAST:
        raise SeriesError("too few comparable interventions to learn from", found=len(table),
                          expected=f"at least {LEAST} of {', '.join(indicators)}")
    log = np.log1p(table["size"].to_numpy())
    mu, tau, se = pool(log, (log / table["t"].to_numpy()) ** 2)
    return Pooled(table, mu, tau, se, named)


def _pushes(history: pd.DataFrame, catalog: Catalog, indicators: list[str], origin, events) -> dict[str, pd.DataFrame]:
    """Return what is known of the pushes that the source names, and of the upward shifts that the search found."""
    named, found = [], []
    there = dict(iter(history[indicators].groupby(level="branch", sort=False)))
    for key in indicators:
        for branch in (b for b in catalog.reporting if b in there):
            y = there[branch][key].droplevel("branch")
            y = y[y.index <= origin] if origin is not None else y
            try:
                got = find_interventions(y, _aimed(events, branch, key))
            except SeriesError:     # too short or constant: a branch without evidence, not without a history
                continue
            for row in got.table[got.table["t"] != 0].to_dict("records") if got.log else []:
                about = [branch, key, *(row[c] for c in _COLUMNS if c not in ("branch", "indicator"))]
                if row["en"]:
                    named.append(about)
                elif row["found"] and row["kind"] == "level_shift" and row["size"] > 0:
                    found.append(about)
    return {"named": pd.DataFrame(named, columns=_COLUMNS), "found": pd.DataFrame(found, columns=_COLUMNS)}


def _aimed(events: pd.DataFrame | None, branch: str, key: str) -> pd.DataFrame | None:
    """Events that name this indicator, in this branch: a merger that touches everything is no push."""
    if events is None or events.empty:
        return None
    here = [branch in b.split(";") or not b for b in events["branches"]]
    aimed = [key in i.split(";") for i in events["indicators"]]
    return events[np.array(here) & np.array(aimed)].reset_index(drop=True)
