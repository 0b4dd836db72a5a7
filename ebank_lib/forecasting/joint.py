"""Future paths of a whole province drawn together: path k is one possible future of every branch and indicator.

The catalogue's identities say which indicators are modelled: a total is the sum of its parts, net new customers are the
change of the stock, a share is its numerator over its denominator. Of each such relation one member is not modelled but
computed, on every path, and the relation then holds exactly.

Each modelled series keeps the limits of its own forecast, its months hang together as that forecast's errors do, and
series hang together as their surprises did. A surprise is a one-step error of exponential smoothing. That of indicator
i in branch b is taken as ``sqrt(rho_i) F_i + sqrt(1 - rho_i) U_bi``: F is the province's, the same for all branches, U
the branch's own; both are correlated over indicators. Branches and months draw from streams of their own, and always
for all indicators, so that a path is the same whatever else is asked for: alone or with the province, for twelve months
or for twenty-four.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
import pandas as pd

from ..catalog import Catalog
from ..display import describe
from ..errors import EbankError, SeriesError, UnknownNameError
from ..monthly import checked_levels, each
from .candidates import GAUSSIAN, Prediction, run_models
from .forecast import PATHS, Forecast, assemble, paths_from, said_of

if TYPE_CHECKING:
    from .context import Context

_LEAST = 12     # months that two series must share before their correlation counts
_LATEST = 1000  # months that a series may have ended before the others: places of streams are no less than 0


@dataclass(frozen=True)
class Rule:
    """How an indicator follows from others.

    ``sum``: of `parts`. ``change``: of the stock ``parts[0]`` from month to month. ``level``: the last stock plus all
    changes since, which are the sums of `parts`. ``ratio``: ``parts[0]`` over the sum of the others. ``part``: the
    share ``parts[0]`` times the whole ``parts[1]``.
    """

    kind: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What is modelled and what follows; see :func:`plan_of`.

    ``free`` are the indicators that are modelled, in the catalogue's order; ``derived`` says how the others follow, in
    an order in which each finds its parts done.
    """

    free: tuple[str, ...]
    derived: Mapping[str, Rule] = field(default_factory=dict)

    def complete(self, values: Mapping[str, np.ndarray], last: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the free indicators' `values`, paths (..., horizon, n), and all that follow from them.

        `last` (...) are the stocks at the origin, for what changes from there.
        """
        out = {key: values[key] for key in self.free}
        for key, rule in self.derived.items():
            out[key] = follow(rule, out, last, key)
        return out

    def touched(self, changed: Iterable[str]) -> list[str]:
        """Return the derived indicators that depend on any of `changed`, in the order in which to compute them."""
        moved = set(changed)
        out = []
        for key, rule in self.derived.items():
            if moved.intersection(rule.parts):
                moved.add(key)
                out.append(key)
        return out

    def movers(self, key: str) -> tuple[str, ...]:
        """Return the free indicators that an indicator follows from; itself, when it is free."""
        if key not in self.derived:
            return (key,)
        return tuple(dict.fromkeys(m for part in self.derived[key].parts for m in self.movers(part)))


def follow(rule: Rule, values: Mapping[str, np.ndarray], last: Mapping[str, np.ndarray], key: str = "") -> np.ndarray:
    """Return what follows by one rule from the values of its parts, arrays (..., horizon, n)."""
    parts = [np.asarray(values[part], dtype=float) for part in rule.parts]
    if rule.kind == "sum":
        return sum(parts[1:], start=parts[0])
    if rule.kind == "part":
        return parts[0] * parts[1]
    if rule.kind == "ratio":
        below = sum(parts[2:], start=parts[1])
        return np.divide(parts[0], below, out=np.full(np.broadcast(parts[0], below).shape, np.nan), where=below > 0)
    before = np.asarray(last.get(rule.parts[0] if rule.kind == "change" else key, np.nan), dtype=float)
    start = np.broadcast_to(before[..., None, None], (*parts[0].shape[:-2], 1, parts[0].shape[-1]))
    if rule.kind == "change":
        return np.diff(np.concatenate([start, parts[0]], axis=-2), axis=-2)
    return start + np.cumsum(sum(parts[1:], start=parts[0]), axis=-2)


def plan_of(catalog: Catalog, available: Iterable[str] | None = None) -> Plan:
    """Return the plan of a catalogue; relations with indicators that are not `available` do not count.

    A sum's total follows from its parts. Of a stock and its one net change the change follows; a stock with several
    changes follows from them. A share of a whole that it lies within is modelled itself, on a scale that keeps it
    there, and its numerator follows; every other ratio follows from its parts.
    """
    keys = [k for k in catalog.indicators if available is None or k in set(available)]
    rules: dict[str, Rule] = {}

    def add(key: str, kind: str, *parts: str) -> bool:
        known = all(name in keys for name in (key, *parts))
        if not known or key in rules or any(key in _needs(part, rules) for part in parts):
            return False
        rules[key] = Rule(kind, parts)
        return True

    for identity in catalog.identities:
        if identity.kind == "sum":
            add(identity.total, "sum", *identity.parts)
        elif identity.kind == "change" and len(identity.parts) == 1:
            add(identity.parts[0], "change", identity.total)
        elif identity.kind == "change":
            add(identity.total, "level", *identity.parts)
    for ind in catalog.indicators.values():
        if ind.numerator is None or not ind.denominators or ind.key not in keys:
            continue
        within = ind.bounded and len(ind.denominators) == 1 and ind.numerator not in ind.denominators
        if not (within and add(ind.numerator, "part", ind.key, *ind.denominators)):
            add(ind.key, "ratio", ind.numerator, *ind.denominators)
    order = TopologicalSorter({key: rules[key].parts for key in keys if key in rules}).static_order()
    return Plan(tuple(k for k in keys if k not in rules), {key: rules[key] for key in order if key in rules})


def _needs(key: str, rules: Mapping[str, Rule]) -> set[str]:
    """An indicator and all that it follows from."""
    found = {key}
    for part in rules[key].parts if key in rules else ():
        found |= _needs(part, rules)
    return found


def shrunk_correlation(x: np.ndarray, looks: int | None = None) -> np.ndarray:
    """Return a correlation matrix shrunk towards none.

    `x` (rows, k) are centred columns, NaN where missing; `looks` says how many of its rows are independent of one
    another (default: all). The correlation is positive definite, the intensity that of Schaefer & Strimmer (2005, Stat.
    Appl. Genet. Mol. Biol. 4, 32) for correlations.
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
    return out


@dataclass(frozen=True)
class Dependence:
    """How surprises hang together: ``rho`` (k,), ``common`` and ``own`` correlations (k, k)."""

    rho: np.ndarray
    common: np.ndarray
    own: np.ndarray

    def draw(self, branches: Iterable[str], late: int, horizon: int, n: int, seed: int = 0):
        """Yield, branch by branch, standard normal shocks (k, n, late + horizon).

        The month after the origin stands at `late`. A branch's month has its own stream: what is drawn for it is the
        same with whatever other branches and months it is drawn, but not with another number of paths.
        """
        months = range(-late, horizon)

        def stream(name: str) -> np.ndarray:
            return np.stack([np.random.default_rng([seed, crc32(name.encode()), _LATEST + month]).standard_normal(
                (n, len(self.rho))) for month in months], axis=1)

        together = stream("") @ np.linalg.cholesky(self.common).T * np.sqrt(self.rho)
        root = np.linalg.cholesky(self.own).T * np.sqrt(1 - self.rho)
        for branch in branches:
            yield (together + stream(branch) @ root).transpose(2, 0, 1)


def dependence_of(surprises: Sequence[np.ndarray]) -> Dependence:
    """Learn the dependence from each indicator's surprises (branches, months), see ``context.surprises_of``."""
    errors = np.stack(surprises, axis=-1)
    branches, months, k = errors.shape
    seen = np.isfinite(errors).sum(axis=1, keepdims=True)
    scale = np.sqrt(np.nansum(errors**2, axis=1, keepdims=True) / np.maximum(seen, 1))
    errors = errors / np.where(scale > 0, scale, np.nan)
    count = np.isfinite(errors).sum(axis=0)
    mean = np.where(count > 0, np.nansum(errors, axis=0) / np.maximum(count, 1), np.nan)
    rho = np.array([_shared(errors[:, :, i]) for i in range(k)])
    common = shrunk_correlation(np.where(count >= 2, mean, np.nan))
    alone = (errors - np.where(count >= 2, mean, 0.0)).reshape(-1, k)
    return Dependence(rho, common, shrunk_correlation(alone, looks=months * max(branches - 1, 1)))


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
        """Return the paths of an indicator in every branch, (branches, horizon, n)."""
        key = self.catalog.indicator(indicator).key
        if key not in self.values:
            raise UnknownNameError("indicator with paths", key, self.values)
        return self.values[key]

    def of(self, branch: str, indicator: str) -> pd.DataFrame:
        """Return the paths of one series, (horizon, n), by month."""
        branch = self.catalog.branch(branch).id
        if branch not in self.branches:
            raise UnknownNameError("branch with paths", branch, self.branches)
        return pd.DataFrame(self.array(indicator)[self.branches.index(branch)], index=self.months)

    def total(self, indicator: str) -> pd.DataFrame:
        """Return the paths of all branches together, (horizon, n): sums, and for a ratio the ratio of the sums.

        A branch without any paths of the indicator is left out (:attr:`reasons` says why). A ratio that is only printed
        has no parts to add up, and is an error.
        """
        ind = self.catalog.indicator(indicator)
        if ind.kind != "ratio":
            return pd.DataFrame(_over_branches(self.array(ind.key)), index=self.months)
        if ind.numerator is None:
            raise SeriesError("a ratio without parts has no total", found=indicator,
                              expected="an indicator with numerator and denominator")
        parts = {k: _over_branches(self.array(k)) for k in (ind.numerator, *ind.denominators)}
        return pd.DataFrame(follow(Rule("ratio", (ind.numerator, *ind.denominators)), parts, {}), index=self.months)

    def with_free(self, changed: Mapping[str, np.ndarray]) -> JointPaths:
        """Return the same futures with some free indicators replaced and what follows from them computed anew."""
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
        return last_of(self.history, self.branches, self.origin)

    def outlook(self, branch: str | None = None, level: Iterable[float] = (80, 95)) -> pd.DataFrame:
        """Return what is ahead of a branch, or of all together; a ratio that is only printed has no total.

        Returns
        -------
        DataFrame
            ``branch, indicator, month, horizon, y_hat, mean, lo-80, hi-80, ...`` of the paths. ``y_hat`` is their
            median: a sum's median is not the sum of medians, its ``mean`` is the sum of means.
        """
        level, rows = checked_levels(level), []
        for key in self.indicators:
            ind = self.catalog.indicator(key)
            parts = (ind.numerator, *ind.denominators)
            adds = ind.kind != "ratio" or (ind.numerator is not None and all(k in self.values for k in parts))
            if branch is not None or adds:
                paths = (self.total(key) if branch is None else self.of(branch, key)).to_numpy()
                if np.isfinite(paths).all():
                    rows.append(pd.DataFrame({"branch": branch or self.catalog.total or "total", "indicator": key,
                                              "month": self.months, "horizon": range(1, self.horizon + 1),
                                              **said_of(paths.T, level)}))
        names = [f"{end}-{lv:g}" for lv in level for end in ("lo", "hi")]
        made = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(
            columns=["branch", "indicator", "month", "horizon", "y_hat", "mean", *names])
        return describe(made, branch="*" if branch is None else "branch", indicator="indicator", pooled=True)


def last_of(panel: pd.DataFrame, branches: tuple[str, ...], origin: pd.Period) -> dict[str, np.ndarray]:
    now = panel.xs(origin, level="month").reindex(list(branches))
    return {key: now[key].to_numpy(dtype=float) for key in panel.columns}


def _over_branches(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values).any(axis=(1, 2))
    return values[known].sum(axis=0)


# --- drawn from what is known, and what that says of an indicator that follows from others

def draw_paths(context: Context, branches: Sequence[str], plan: Plan, horizon: int, n: int, seed: int) -> JointPaths:
    """Draw the futures of some branches, and of what a plan models and what follows from it."""
    forecasts, reasons = {}, {}
    for branch in branches:
        for key in plan.free:
            try:
                forecasts[branch, key] = context.forecast(branch, key, horizon, models=("combination",))
            except EbankError as error:
                reasons[branch, key] = str(error)
    ahead = pd.period_range(context.last + 1, periods=horizon, freq="M", name="month")
    values = {key: np.full((len(branches), horizon, n), np.nan) for key in plan.free}
    late = max([f.horizon for f in forecasts.values()], default=horizon) - horizon
    # From the panel's end always of all that are modelled, so that paths are the same whatever is asked for; of an
    # earlier month, from which forecasts are only tried out, of those that are needed.
    drawn, dependence = (context.plan.free, context.dependence) if context.now is None else (
        plan.free, dependence_of([context[key].surprises for key in plan.free]))
    for b, shocks in enumerate(dependence.draw(branches, late, horizon, n, seed)):
        for key, shock in zip(drawn, shocks, strict=True):
            f = forecasts.get((branches[b], key))
            if f is not None:
                # The shocks' last months are the same calendar months for every series, however early it ended.
                values[key][b] = paths_from(f, shock[:, -f.horizon:])[:, -horizon:].T
    values = plan.complete(values, last_of(context.panel, tuple(branches), context.last))
    return JointPaths(values, tuple(branches), ahead, context.last, context.panel, context.catalog, plan, seed, reasons,
                      forecasts)


def follow_forecast(context: Context, branch: str, key: str, horizon: int, level, models, **about) -> Forecast | None:
    """Forecast what follows from other series by their futures: a total, a ratio, all branches together.

    The other methods look at the series itself. None where it is modelled itself, or one of the others cannot be
    forecast.
    """
    whole = branch == context.catalog.total and branch not in context.branches
    ready = context[key].unweighted(branch)
    if "combination" not in models or ready.y.index[-1] != context.last or not (whole or key in context.plan.derived):
        return None
    drawn = draw_paths(context, context.branches if whole else [branch], plan_for(context, [key]), horizon, PATHS, 0)
    # A branch that never had an indicator adds nothing to it.
    if any(context[k].series(b).notna().any() for b, k in drawn.reasons):
        return None
    try:
        paths = (drawn.total(key).to_numpy() if whole else drawn.array(key)[0]).T
    except SeriesError:     # a ratio that is only printed has no total
        return None
    if not np.isfinite(paths).all():
        return None
    others = [model for model in models if model != "combination"]
    parts, reasons, notes = run_models(ready, horizon, others) if others else ({}, {}, ())
    if not set(others).intersection(parts):     # the stand-in for methods that failed is not needed
        parts, notes = {}, ()
    parts = {"combination": Prediction(paths.mean(axis=0), np.cov(paths.T)), **parts}
    made_of = ("forecasting.follows_branches", {}) if whole else ("forecasting.follows", {
        "parts": [context.catalog.indicator(part).short_label for part in context.plan.derived[key].parts]})
    return assemble(ready, horizon, level, models, parts, {"combination": GAUSSIAN}, reasons, {"combination": paths},
                    notes=(made_of, *notes), **about)


def plan_for(context: Context, indicators: Iterable[str] | None) -> Plan:
    """Return the part of the plan that some indicators need, by default all of it."""
    catalog, plan, there = context.catalog, context.plan, context.available
    if indicators is None:
        wanted = set(there)
    else:
        wanted = {catalog.indicator(k).key for k in each(indicators)}
        missing = sorted(wanted - set(there))
        if missing:
            raise UnknownNameError("indicator with data", missing[0], there)
    free = {m for k in wanted for m in plan.movers(k)}
    if not free:
        raise SeriesError("no indicator to simulate", expected="at least one with data")
    derived = {k: r for k, r in plan.derived.items() if free.issuperset(plan.movers(k))}
    return Plan(tuple(k for k in plan.free if k in free), derived)
