"""Future paths of a whole province drawn together: path k is one possible future of every branch and indicator.

Each modelled series keeps the limits of its own forecast, its months hang together as that forecast's errors do, and
series hang together as their surprises did (:mod:`ebank_lib.forecasting.dependence`). What follows from others is
computed on every path, so that totals, shares and net changes hold exactly on each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ebank_lib.catalog import Catalog
from ebank_lib.errors import EbankError, SeriesError, UnknownNameError
from ebank_lib.pools import pool

from .coherence import Plan, Rule, follow
from .context import Context
from .dependence import Dependence, dependence_of
from .forecast import LONGEST, Forecast
from .simulation import paths_from

__all__ = ["JointPaths", "simulate_joint"]


@dataclass(frozen=True)
class JointPaths:
    """Future paths of branches and indicators; see :func:`simulate_joint`.

    Attributes
    ----------
    values : dict of str to array (branches, horizon, n)
        Every indicator, free and derived, in base units; NaN where a branch's series could not be forecast.
    branches : tuple of str
    months : PeriodIndex (horizon,)
        The months after `origin`, the panel's last.
    history : DataFrame
        The panel: index (branch, month), a column an indicator.
    catalog : Catalog
    plan : Plan
        Which indicators are free and how the others follow.
    reasons : dict of (branch, indicator) to str
        Why a free series has no paths.
    forecasts : dict of (branch, indicator) to Forecast
        The free series' own forecasts.
    """

    values: dict[str, np.ndarray] = field(repr=False)
    branches: tuple[str, ...]
    months: pd.PeriodIndex = field(repr=False)
    origin: pd.Period
    history: pd.DataFrame = field(repr=False)
    catalog: Catalog = field(repr=False)
    plan: Plan = field(repr=False)
    seed: int = 0
    reasons: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)
    forecasts: Mapping[tuple[str, str], Forecast] = field(default_factory=dict, repr=False)
    dependence: Dependence | None = field(default=None, repr=False)

    @property
    def horizon(self) -> int:
        """Months ahead."""
        return len(self.months)

    @property
    def n(self) -> int:
        """Number of paths."""
        return next(iter(self.values.values())).shape[-1]

    @property
    def indicators(self) -> tuple[str, ...]:
        """Indicators that there are paths of, in the catalogue's order."""
        return tuple(k for k in self.catalog.indicators if k in self.values)

    def array(self, indicator: str) -> np.ndarray:
        """Return the paths of an indicator in every branch, (branches, horizon, n).

        Raises
        ------
        UnknownNameError
            No paths of it.
        """
        if indicator not in self.values:
            raise UnknownNameError("indicator with paths", indicator, self.values)
        return self.values[indicator]

    def of(self, branch: str, indicator: str) -> pd.DataFrame:
        """Return the paths of one series, (horizon, n), by month.

        Raises
        ------
        UnknownNameError
            No paths of this branch or indicator.
        """
        branch = self.catalog.branch(branch).id
        if branch not in self.branches:
            raise UnknownNameError("branch with paths", branch, self.branches)
        return pd.DataFrame(self.array(indicator)[self.branches.index(branch)], index=self.months)

    def total(self, indicator: str) -> pd.DataFrame:
        """Return the paths of all branches together, (horizon, n): sums, and for a ratio the ratio of the sums.

        A branch without any paths of the indicator is left out (:attr:`reasons` says why).

        Raises
        ------
        SeriesError
            A ratio that is only printed has no parts to add up.
        """
        ind = self.catalog.indicator(indicator)
        if ind.kind != "ratio":
            return pd.DataFrame(_over_branches(self.array(indicator)), index=self.months)
        if ind.numerator is None:
            raise SeriesError("a ratio without parts has no total", found=indicator,
                              expected="an indicator with numerator and denominator")
        parts = {k: _over_branches(self.array(k)) for k in (ind.numerator, *ind.denominators)}
        return pd.DataFrame(follow(Rule("ratio", (ind.numerator, *ind.denominators)), parts, {}), index=self.months)

    def with_free(self, changed: Mapping[str, np.ndarray]) -> JointPaths:
        """Return the same futures with some free indicators replaced and what follows from them computed anew.

        Raises
        ------
        SeriesError
            An indicator that follows from others, or an array of another shape.
        """
        values = dict(self.values)
        for key, new in changed.items():
            if key not in self.plan.free:
                raise SeriesError("an indicator that follows from others cannot be set", found=key,
                                  expected=f"one of {list(self.plan.movers(key))}" if key in self.plan.derived
                                  else f"one of {list(self.plan.free)}")
            if np.shape(new) != values[key].shape:
                raise SeriesError("paths of another shape", found=np.shape(new), expected=values[key].shape)
            values[key] = new
        last = self.last
        for key in self.plan.touched(changed):
            values[key] = follow(self.plan.derived[key], values, last, key)
        return replace(self, values=values)

    @property
    def last(self) -> dict[str, np.ndarray]:
        """The value at the origin of each indicator, (branches,)."""
        return _last_of(self.history, self.branches, self.origin)

    def table(self, level: Iterable[float] = (80, 95), branches: Iterable[str] | None = None) -> pd.DataFrame:
        """Return coherent forecasts as one long table.

        Returns
        -------
        DataFrame
            ``branch, indicator, month, horizon, y_hat, mean, lo-80, hi-80, ...``. ``y_hat`` is the median of what is
            modelled; of what follows, the same sum, change or ratio of its parts' ``y_hat``, so that the column adds
            up. ``mean`` and limits are those of the paths; means of sums add up as well.
        """
        level = tuple(np.atleast_1d(level).tolist())
        free = {k: np.median(self.values[k], axis=-1, keepdims=True) for k in self.plan.free}
        point = self.plan.complete(free, self.last)
        return pd.concat([self._rows(self.branches[b], key, point[key][b, :, 0], self.values[key][b], level)
                          for b in (self.branches.index(self.catalog.branch(x).id)
                                    for x in (self.branches if branches is None else branches))
                          for key in self.indicators], ignore_index=True)

    def totals(self, level: Iterable[float] = (80, 95)) -> pd.DataFrame:
        """Return what all branches come to, in the columns of :meth:`table`; ratios that are only printed have none.

        ``y_hat`` is the median here: a sum's median is not the sum of medians, its ``mean`` is the sum of means.
        """
        level = tuple(np.atleast_1d(level).tolist())
        name = self.catalog.total or "total"
        rows = []
        for key in self.indicators:
            ind = self.catalog.indicator(key)
            parts = (ind.numerator, *ind.denominators)
            if ind.kind != "ratio" or (ind.numerator is not None and all(k in self.values for k in parts)):
                paths = self.total(key).to_numpy()
                rows.append(self._rows(name, key, np.median(paths, axis=-1), paths, level))
        return pd.concat(rows, ignore_index=True)

    def _rows(self, branch: str, key: str, y_hat: np.ndarray, paths: np.ndarray, level) -> pd.DataFrame:
        block = pd.DataFrame({"branch": branch, "indicator": key, "month": self.months,
                              "horizon": range(1, self.horizon + 1), "y_hat": y_hat, "mean": paths.mean(axis=-1)})
        for lv in level:
            block[f"lo-{lv:g}"], block[f"hi-{lv:g}"] = np.quantile(paths, (0.5 - lv / 200, 0.5 + lv / 200), axis=-1)
        return block


def simulate_joint(cleaned, horizon: int = 24, n: int = 1000, seed: int = 0, branches: Iterable[str] | None = None,
                   indicators: Iterable[str] | None = None, workers: int = 1) -> JointPaths:
    """Simulate the futures of branches and indicators together.

    Parameters
    ----------
    cleaned : Cleaned
        Or anything with its ``panel`` and ``catalog``.
    horizon : int
        Months after the panel's last, 1 to 120.
    n : int
        Paths, 1 to 100,000. The first paths stay when n grows.
    seed : int
    branches : names, optional
        Default: all that report. A branch's paths do not depend on which others are simulated.
    indicators : names, optional
        Default: all. What these follow from is simulated with them.
    workers : int
        Processes for the forecasts.

    Returns
    -------
    JointPaths

    Raises
    ------
    SeriesError
        Horizon or number of paths out of range; no indicator with data.
    UnknownNameError
        An unknown branch or indicator.
    """
    if not 1 <= horizon <= LONGEST or int(horizon) != horizon:
        raise SeriesError("the horizon is out of range", found=horizon, expected=f"1 to {LONGEST} months")
    if not 1 <= n <= 100_000:
        raise SeriesError("the number of paths is out of range", found=n, expected="1 to 100000")
    catalog, panel, context = cleaned.catalog, cleaned.panel, Context.of(cleaned)
    chosen = context.branches if branches is None else list(dict.fromkeys(catalog.branch(b).id for b in branches))
    unknown = [b for b in chosen if b not in context.present]
    if unknown:
        raise UnknownNameError("branch with data", unknown[0], sorted(context.present))
    plan, origin = _plan_for(context, indicators), context.last
    said = _forecasts(context, chosen, plan.free, horizon, workers)
    forecasts = {at: f for at, f in said.items() if isinstance(f, Forecast)}
    reasons = {at: f for at, f in said.items() if isinstance(f, str)}
    ahead = pd.period_range(origin + 1, periods=horizon, freq="M", name="month")
    dependence = dependence_of(plan.free, [context.surprises(key) for key in plan.free])
    values = {key: np.full((len(chosen), horizon, n), np.nan) for key in plan.free}
    late = max([f.horizon for f in forecasts.values()], default=horizon) - horizon
    for b, shocks in enumerate(dependence.draw(tuple(chosen), horizon + late, n, seed)):
        for i, key in enumerate(plan.free):
            f = forecasts.get((chosen[b], key))
            if f is not None:
                # The shocks' last months are the same calendar months for every series, however early it ended.
                values[key][b] = paths_from(f, shocks[i][:, -f.horizon:])[:, -horizon:].T
    values = plan.complete(values, _last_of(panel, tuple(chosen), origin))
    return JointPaths(values, tuple(chosen), ahead, origin, panel, catalog, plan, seed, reasons, forecasts, dependence)


def _plan_for(context: Context, indicators) -> Plan:
    catalog, plan, there = context.catalog, context.plan, context.available
    if indicators is None:
        wanted = set(there)
    else:
        wanted = {catalog.indicator(k).key for k in indicators}
        missing = sorted(wanted - set(there))
        if missing:
            raise UnknownNameError("indicator with data", missing[0], there)
    free = {m for k in wanted for m in plan.movers(k)}
    if not free:
        raise SeriesError("no indicator to simulate", expected="at least one with data")
    derived = {k: r for k, r in plan.derived.items() if free.issuperset(plan.movers(k))}
    return Plan(tuple(k for k in plan.free if k in free), derived)


def _forecasts(context: Context, branches, keys, horizon: int, workers: int) -> dict:
    """(branch, indicator) -> Forecast, or why there is none."""
    if workers > 1 and len(branches) > 1:
        jobs = [(context, key, branches, horizon) for key in keys]
        with pool(workers) as processes:
            for found in processes.map(_work_out, jobs):
                context.take(found)
    out = {}
    for branch in branches:
        for key in keys:
            try:
                out[branch, key] = context.forecast(branch, key, horizon, models=("combination",))
            except EbankError as error:
                out[branch, key] = str(error)
    return out


def _work_out(job) -> dict:
    """All of an indicator that takes time and needs no other indicator, in every branch that is simulated."""
    context, key, branches, horizon = job
    context.errors(key)
    context.surprises(key)
    for branch in branches:
        with suppress(EbankError):      # what cannot be forecast says so when it is asked for
            context.ran(branch, key, horizon, ("combination",))
    return context.done("pooled", "errors", "surprises", "ready", "ran")


def _last_of(panel: pd.DataFrame, branches: tuple[str, ...], origin: pd.Period) -> dict[str, np.ndarray]:
    now = panel.xs(origin, level="month").reindex(list(branches))
    return {key: now[key].to_numpy(dtype=float) for key in panel.columns}


def _over_branches(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values).any(axis=(1, 2))
    return values[known].sum(axis=0)

