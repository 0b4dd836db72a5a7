"""The province's future paths: branch by branch, and adding up to forecasts of the whole as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from ebank_lib.errors import EbankError
from ebank_lib.forecasting import JointPaths, forecast, kind_of, simulate_paths

from .accuracy import node_errors
from .hierarchy import Hierarchy, hierarchies
from .reconciliation import covariance, reconcile_paths

__all__ = ["reconcile_joint", "upper_paths"]


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
    free = [k for k in paths.plan.free if paths.catalog.indicators[k].kind != "ratio"]
    totals = [k for k, rule in paths.plan.derived.items() if rule.kind == "sum"]
    changed: dict[str, np.ndarray] = {}
    reasons = dict(paths.reasons)
    able: dict[tuple[str, ...], list[str]] = {}
    for key in free:
        known = tuple(b for n, b in enumerate(paths.branches) if np.isfinite(paths.values[key][n]).all())
        able.setdefault(known, []).append(key)
    for branches, keys in able.items():
        if len(branches) == 0:
            continue
        for h in hierarchies(paths.catalog, keys, branches, [*keys, *totals]):
            try:
                bottom = _reconciled(h, paths, method, dict(upper or {}))
            except EbankError as error:
                reasons[h.total, h.indicators[0]] = str(error)
                continue
            for n, (branch, key) in enumerate(h.bottom):
                values = changed.setdefault(key, paths.values[key].copy())
                values[paths.branches.index(branch)] = bottom[n]
    return replace(paths.with_free(changed), reasons=reasons)


def _reconciled(h: Hierarchy, paths: JointPaths, method: str, given: dict) -> np.ndarray:
    bottom = np.stack([paths.values[key][paths.branches.index(branch)] for branch, key in h.bottom])
    history = h.history(paths.history)
    history.index = pd.PeriodIndex(history.index, freq="M")
    given = given if method != "bottom_up" else {node: np.zeros(bottom.shape[1:]) for node in h.upper}
    above = [given[node] if node in given else
             upper_paths(history[node], kind_of(paths.catalog.indicator(node[1])), paths.origin, paths.horizon,
                         paths.n, paths.seed) for node in h.upper]
    errors = node_errors(h, history, paths.catalog).to_numpy() if method in ("variance", "mint") else None
    W = covariance(method, h.S, errors)
    out = reconcile_paths(bottom, np.array(above).reshape(len(h.upper), *bottom.shape[1:]), h.S, W,
                          floor=not (history < 0).any(axis=None))
    for n, node in enumerate(h.bottom):
        f = paths.forecasts.get(node)
        if f is not None and f.transform.monotone:
            out[n] = np.maximum.accumulate(np.maximum(out[n], f.y.iloc[-1]), axis=0)
    return out


def upper_paths(y: pd.Series, kind: str, origin: pd.Period, horizon: int, n: int, seed: int = 0) -> np.ndarray:
    """Return paths (horizon, n) of one total's own forecast for the months after `origin`."""
    last = y.last_valid_index()
    late = 0 if last is None else (origin - last).n
    f = forecast(y, horizon + late, models=("combination",), kind=kind)
    return simulate_paths(f, n, seed=seed).to_numpy()[late:]
