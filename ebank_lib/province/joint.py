"""The province's future paths: branch by branch, and adding up to forecasts of the whole as well.

The seam between simulated futures and the algebra of :mod:`.reconciliation`: which totals have forecasts of their own,
and how much each node is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from ..catalog import Catalog
from ..errors import EbankError
from ..forecasting import Forecast, JointPaths, forecast, kind_of, simulate_paths
from ..forecasting.ets import fit_ets
from ..forecasting.series import Transform, prepare
from .hierarchy import Hierarchy, hierarchies
from .reconciliation import covariance, nonnegative, reconcile_paths

__all__ = ["forecast_after", "node_errors", "one_step_errors", "reconcile_joint", "upper_paths"]

_START = 2      # months at which the smoothing's start is fitted and its errors say nothing
_WIDEST = 3.0   # robust standard deviations: a surprise beyond this counts as this


def reconcile_joint(paths: JointPaths, method: str = "mint",
                    upper: Mapping[tuple[str, str], np.ndarray] | None = None) -> JointPaths:
    """Reconcile the paths of branches with forecasts of the totals of branches, channels and province.

    Every stock and flow that the plan models is reconciled within its hierarchy, and what follows from it (totals,
    net changes, numerators) is computed anew, so that all sums hold on every path. A stock that never fell in its
    history does not fall on a path either, which is restored after reconciling.

    Parameters
    ----------
    paths : JointPaths
    method : {"bottom_up", "ols", "structural", "variance", "mint"}
        See :func:`ebank_lib.province.covariance`.
    upper : mapping of (branch, indicator) to array (horizon, n), optional
        Paths of totals' own forecasts; those not given are drawn from :func:`ebank_lib.forecasting.forecast`.

    Returns
    -------
    JointPaths
        With the same branches, months and number of paths. Where a hierarchy could not be reconciled (a total cannot
        be forecast, too few months with an error at every node) its paths stay as they were, and ``reasons`` says why
        under the province's id and the indicator.
    """
    totals = [k for k, rule in paths.plan.derived.items() if rule.kind == "sum"]
    changed: dict[str, np.ndarray] = {}
    reasons = dict(paths.reasons)
    able: dict[tuple[str, ...], list[str]] = {}
    for key in (k for k in paths.plan.free if paths.catalog.indicators[k].kind != "ratio"):
        known = tuple(b for n, b in enumerate(paths.branches) if np.isfinite(paths.values[key][n]).all())
        able.setdefault(known, []).append(key)
    for h in (h for branches, keys in able.items() if branches
              for h in hierarchies(paths.catalog, keys, branches, [*keys, *totals])):
        try:
            bottom = _reconciled(h, paths, method, upper or {})
        except EbankError as error:
            reasons[h.total, h.indicators[0]] = str(error)
            continue
        for n, (branch, key) in enumerate(h.bottom):
            values = changed.setdefault(key, paths.values[key].copy())
            values[paths.branches.index(branch)] = bottom[n]
    return replace(paths.with_free(changed), reasons=reasons)


def _reconciled(h: Hierarchy, paths: JointPaths, method: str, given: Mapping) -> np.ndarray:
    out = np.stack([paths.values[key][paths.branches.index(branch)] for branch, key in h.bottom])
    history = h.history(paths.history)
    floor = not (history < 0).any(axis=None)
    if method == "bottom_up":
        out = nonnegative(out.reshape(len(out), -1)).reshape(out.shape) if floor else out
    else:
        above = [given[node] if node in given else
                 upper_paths(history[node], kind_of(paths.catalog.indicator(node[1])), paths.origin, paths.horizon,
                             paths.n, paths.seed) for node in h.upper]
        errors = node_errors(h, history, paths.catalog).to_numpy() if method in ("variance", "mint") else None
        out = reconcile_paths(out, np.array(above).reshape(len(h.upper), *out.shape[1:]), h.S,
                              covariance(method, h.S, errors), floor)
    for n, node in enumerate(h.bottom):
        f = paths.forecasts.get(node)
        if f is not None and f.transform.monotone:
            out[n] = np.maximum.accumulate(np.maximum(out[n], f.y.iloc[-1]), axis=0)
    return out


def forecast_after(y: pd.Series, origin: pd.Period, horizon: int, kind: str, models: str = "combination") \
        -> tuple[Forecast, int]:
    """Return a forecast that reaches `horizon` months beyond `origin`, and at which of its months those begin.

    A month without a figure at the end puts them further away.
    """
    last = y.last_valid_index()
    late = 0 if last is None else (origin - last).n
    return forecast(y, horizon + late, models=(models,), kind=kind), late


def upper_paths(y: pd.Series, kind: str, origin: pd.Period, horizon: int, n: int, seed: int = 0) -> np.ndarray:
    """Return paths (horizon, n) of one total's own forecast for the months after `origin`."""
    f, late = forecast_after(y, origin, horizon, kind)
    return simulate_paths(f, n, seed=seed).to_numpy()[late:]


def one_step_errors(y: pd.Series, kind: str | None = None) -> pd.Series:
    """Return by how much each month surprised, in the unit of the series and at the size it has today.

    The one-step errors of a damped trend on the modelling scale, less the shrunk season, are put at the last value and
    taken back: where growth is modelled in per cent, an error of 3% counts as 3% of what the branch does now, not of
    what it did at the start. A surprise beyond three robust standard deviations (1.4826 MAD) is put at three, so that
    one misprint or push does not decide how much a node is believed. NaN where a month is missing and at the first two.
    """
    ready = prepare(y, kind)
    out = pd.Series(np.nan, index=y.index, name=y.name)
    values = ready.work.adjusted
    e = np.zeros(len(values)) if ready.constant else fit_ets(values, "AAdN").residuals(values)
    scale, now = Transform(ready.transform.name), float(ready.work.values[-1])
    at_today = scale.back(now + e) - scale.back(now)
    out.loc[ready.y.index] = np.where(ready.y.notna(), at_today, np.nan)
    out.loc[ready.y.index[:_START]] = np.nan
    widest = _WIDEST * 1.4826 * (out - out.median()).abs().median()
    return out.clip(out.median() - widest, out.median() + widest) if widest > 0 else out


def node_errors(h: Hierarchy, history: pd.DataFrame, catalog: Catalog) -> pd.DataFrame:
    """Return the one-step errors of every node, (months, nodes); see :func:`one_step_errors`."""
    return pd.DataFrame({node: one_step_errors(history[node], kind_of(catalog.indicator(node[1])))
                         for node in h.nodes})[h.nodes]
