"""Future paths of a whole province drawn together: path k is one possible future of every branch and indicator.

Each modelled series keeps the limits of its own forecast, its months hang together as that forecast's errors do, and
series hang together as their surprises did. What follows from others is computed on every path, so that totals, shares
and net changes hold exactly on each.

A surprise is a one-step error of exponential smoothing. That of indicator i in branch b is taken as
``sqrt(rho_i) F_i + sqrt(1 - rho_i) U_bi``: F is the province's, the same for all branches, U the branch's own; both are
correlated over indicators. Branches draw from streams of their own, so that a branch's paths are the same whether it is
simulated alone or with the province.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from zlib import crc32

import numpy as np
import pandas as pd

from ..catalog import Catalog
from ..display import describe
from ..errors import EbankError, SeriesError, UnknownNameError
from .coherence import Plan, Rule, follow
from .context import Context
from .forecast import LONGEST, Forecast, checked_paths, paths_from

__all__ = ["Dependence", "JointPaths", "dependence_of", "shrunk_correlation", "simulate_joint"]

_LEAST = 12     # months that two series must share before their correlation counts


def shrunk_correlation(x: np.ndarray, looks: int | None = None) -> tuple[np.ndarray, float]:
    """Return a correlation matrix shrunk towards none, and how strongly it was shrunk (0..1).

    `x` (rows, k) are centred columns, NaN where missing; `looks` says how many of its rows are independent of one
    another (default: all). The correlation is positive definite, the intensity that of Schaefer & Strimmer (2005, Stat.
    Appl. Genet. Mol. Biol. 4, 32) for correlations.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((400, 3))
    >>> x[:, 1] = 0.8 * x[:, 0] + 0.6 * x[:, 1]
    >>> correlation, shrunk = shrunk_correlation(x)
    >>> round(float(correlation[0, 1]), 1), shrunk < 0.05
    (0.8, True)
    """
    x = np.asarray(x, dtype=float)
    seen = np.isfinite(x)
    scale = np.sqrt(np.nansum(x**2, axis=0) / np.maximum(seen.sum(axis=0), 1))
    z = np.where(seen, x, 0.0) / np.where(scale > 0, scale, 1.0)
    both = seen.T.astype(float) @ seen.astype(float)
    r = np.divide(z.T @ z, both, out=np.zeros_like(both), where=both >= _LEAST)
    share = min(1.0, looks / len(x)) if looks and len(x) else 1.0
    n = np.maximum(both * share, 2.0)
    product = np.divide((z**2).T @ (z**2), both, out=np.zeros_like(both), where=both > 0)
    variance = np.maximum(product - r**2, 0.0) * n / (n - 1) / n
    off = ~np.eye(len(r), dtype=bool)
    power = float((r[off] ** 2).sum())
    shrunk = float(np.clip(variance[off].sum() / power, 0.0, 1.0)) if power > 0 else 1.0
    out = (1 - shrunk) * np.clip(r, -1, 1)
    np.fill_diagonal(out, 1.0)
    values, vectors = np.linalg.eigh(out)
    if values[0] < 1e-6:
        # Pairs that saw different months need not fit together.
        out = vectors * np.maximum(values, 1e-6) @ vectors.T
        out = out / np.sqrt(np.outer(np.diag(out), np.diag(out)))
    return out, shrunk


@dataclass(frozen=True)
class Dependence:
    """How surprises hang together: ``rho`` (k,), ``common`` and ``own`` correlations (k, k)."""

    indicators: tuple[str, ...]
    rho: np.ndarray
    common: np.ndarray
    own: np.ndarray

    def draw(self, branches: tuple[str, ...], horizon: int, n: int, seed: int = 0):
        """Yield, branch by branch, standard normal shocks (k, n, horizon); the first paths stay when n grows."""
        shape = (n, horizon, len(self.indicators))
        together = _stream(seed, "").standard_normal(shape) @ np.linalg.cholesky(self.common).T * np.sqrt(self.rho)
        root = np.linalg.cholesky(self.own).T * np.sqrt(1 - self.rho)
        for branch in branches:
            yield (together + _stream(seed, branch).standard_normal(shape) @ root).transpose(2, 0, 1)


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(name.encode())])


def dependence_of(indicators: tuple[str, ...], surprises: Sequence[np.ndarray]) -> Dependence:
    """Learn the dependence from the surprises of each indicator (branches, months), see ``pooling.surprises_of``."""
    errors = np.stack(surprises, axis=-1)
    branches, months, k = errors.shape
    seen = np.isfinite(errors).sum(axis=1, keepdims=True)
    scale = np.sqrt(np.nansum(errors**2, axis=1, keepdims=True) / np.maximum(seen, 1))
    errors = errors / np.where(scale > 0, scale, np.nan)
    count = np.isfinite(errors).sum(axis=0)
    mean = np.where(count > 0, np.nansum(errors, axis=0) / np.maximum(count, 1), np.nan)
    rho = np.array([_shared(errors[:, :, i]) for i in range(k)])
    common, _ = shrunk_correlation(np.where(count >= 2, mean, np.nan))
    alone = (errors - np.where(count >= 2, mean, 0.0)).reshape(-1, k)
    own, _ = shrunk_correlation(alone, looks=months * max(branches - 1, 1))
    return Dependence(indicators, rho, common, own)


def _shared(e: np.ndarray) -> float:
    """Mean correlation between branches of an indicator's surprises (branches, months), within 0..0.95."""
    seen = np.isfinite(e)
    pairs = seen.astype(float) @ seen.T.astype(float)
    z = np.where(seen, e, 0.0)
    r = np.divide(z @ z.T, pairs, out=np.zeros_like(pairs), where=pairs >= _LEAST)
    off = ~np.eye(len(e), dtype=bool) & (pairs >= _LEAST)
    return float(np.clip(r[off].mean(), 0.0, 0.95)) if off.any() else 0.0


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

    def totals(self, level: Iterable[float] = (80, 95)) -> pd.DataFrame:
        """Return what all branches come to; ratios that are only printed have none.

        Returns
        -------
        DataFrame
            ``branch, indicator, month, horizon, y_hat, mean, lo-80, hi-80, ...`` of the paths. ``y_hat`` is their
            median: a sum's median is not the sum of medians, its ``mean`` is the sum of means.
        """
        level = tuple(np.atleast_1d(level).tolist())
        rows = []
        for key in self.indicators:
            ind = self.catalog.indicator(key)
            parts = (ind.numerator, *ind.denominators)
            if ind.kind != "ratio" or (ind.numerator is not None and all(k in self.values for k in parts)):
                paths = self.total(key).to_numpy()
                block = pd.DataFrame({"branch": self.catalog.total or "total", "indicator": key, "month": self.months,
                                      "horizon": range(1, self.horizon + 1), "y_hat": np.median(paths, axis=-1),
                                      "mean": paths.mean(axis=-1)})
                for lv in level:
                    block[f"lo-{lv:g}"], block[f"hi-{lv:g}"] = np.quantile(paths, (0.5 - lv / 200, 0.5 + lv / 200),
                                                                           axis=-1)
                rows.append(block)
        return describe(pd.concat(rows, ignore_index=True), branch="*", indicator="indicator", pooled=True)


def simulate_joint(cleaned, horizon: int = 24, n: int = 1000, seed: int = 0, branches: Iterable[str] | None = None,
                   indicators: Iterable[str] | None = None) -> JointPaths:
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
    checked_paths(n)
    catalog, panel, context = cleaned.catalog, cleaned.panel, Context.of(cleaned)
    chosen = context.branches if branches is None else list(dict.fromkeys(catalog.branch(b).id for b in branches))
    unknown = [b for b in chosen if b not in context.present]
    if unknown:
        raise UnknownNameError("branch with data", unknown[0], sorted(context.present))
    plan, origin = _plan_for(context, indicators), context.last
    forecasts, reasons = {}, {}
    for branch in chosen:
        for key in plan.free:
            try:
                forecasts[branch, key] = context.forecast(branch, key, horizon, models=("combination",))
            except EbankError as error:
                reasons[branch, key] = str(error)
    ahead = pd.period_range(origin + 1, periods=horizon, freq="M", name="month")
    dependence = dependence_of(plan.free, [context[key].surprises for key in plan.free])
    values = {key: np.full((len(chosen), horizon, n), np.nan) for key in plan.free}
    late = max([f.horizon for f in forecasts.values()], default=horizon) - horizon
    for b, shocks in enumerate(dependence.draw(tuple(chosen), horizon + late, n, seed)):
        for i, key in enumerate(plan.free):
            f = forecasts.get((chosen[b], key))
            if f is not None:
                # The shocks' last months are the same calendar months for every series, however early it ended.
                values[key][b] = paths_from(f, shocks[i][:, -f.horizon:])[:, -horizon:].T
    values = plan.complete(values, _last_of(panel, tuple(chosen), origin))
    return JointPaths(values, tuple(chosen), ahead, origin, panel, catalog, plan, seed, reasons, forecasts)


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


def _last_of(panel: pd.DataFrame, branches: tuple[str, ...], origin: pd.Period) -> dict[str, np.ndarray]:
    now = panel.xs(origin, level="month").reindex(list(branches))
    return {key: now[key].to_numpy(dtype=float) for key in panel.columns}


def _over_branches(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values).any(axis=(1, 2))
    return values[known].sum(axis=0)
