"""The province's future paths made to agree: branch by branch, and adding up to forecasts of the whole as well.

``y = S b``: the reconciled forecasts are the sums of ``b = G y_hat``, and ``G`` follows from the covariance ``W`` of
the base forecasts' errors (Wickramasuriya, Athanasopoulos & Hyndman 2019). The package hierarchicalforecast computes
the same ``G`` (tests), at the price of scikit-learn and a quadratic program a month and path in single precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ..catalog import Catalog
from ..errors import EbankError, SeriesError, UnknownNameError
from ..forecasting import Forecast, JointPaths, forecast, kind_of, simulate_paths
from ..forecasting.ets import fit_ets
from ..forecasting.series import Transform, prepare
from .sums import Hierarchy, hierarchies

METHODS = ("bottom_up", "ols", "structural", "variance", "mint")
_LEAST = 4          # months with an error at every node below which no covariance is estimated
_FLOOR = 1e-6       # of the smallest positive standard deviation: what a series without errors is given
_RIDGE = 1e-10
_START = 2          # months at which the smoothing's start is fitted and its errors say nothing
_WIDEST = 3.0       # robust standard deviations: a surprise beyond this counts as this


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
    above = None if method == "bottom_up" else np.array([
        given[node] if node in given else
        upper_paths(history[node], kind_of(paths.catalog.indicator(node[1])), paths.origin, paths.horizon, paths.n,
                    paths.seed) for node in h.upper]).reshape(len(h.upper), *out.shape[1:])
    errors = node_errors(h, history, paths.catalog).to_numpy() if method in ("variance", "mint") else None
    out = reconcile_paths(out, above, h.S, covariance(method, h.S, errors), floor)
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


# ---------------------------------------------------------------- the algebra

def shrunk_covariance(residuals: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the covariance of errors (T, n) with its correlations shrunk towards zero, and by how much (0 to 1).

    The intensity is that of Schaefer & Strimmer (2005), estimated from the data: the summed sampling variances of the
    correlations over their summed squares. Months in which a node has no error (NaN) are left out; at least four are
    needed.
    """
    e = np.asarray(residuals, dtype=float)
    e = e[np.isfinite(e).all(axis=1)]
    T, n = e.shape
    if T < _LEAST:
        raise SeriesError("too few months with an error at every node", found=T, expected=f"at least {_LEAST}")
    e = e - e.mean(axis=0)
    sd = np.sqrt((e**2).sum(axis=0) / (T - 1))
    x = e / np.where(sd > 0, sd, 1.0)
    corr = x.T @ x / (T - 1)
    # Variance of an estimated correlation: from how much its T products differ.
    spread = T / (T - 1) ** 3 * ((x**2).T @ x**2 - (x.T @ x) ** 2 / T)
    apart = ~np.eye(n, dtype=bool)
    power = (corr[apart] ** 2).sum()
    intensity = float(np.clip(spread[apart].sum() / power, 0.0, 1.0)) if power > 0 else 1.0
    corr = np.where(apart, (1 - intensity) * corr, 1.0)
    sd = np.where(sd > 0, sd, _FLOOR * sd[sd > 0].min() if (sd > 0).any() else 1.0)
    return corr * np.outer(sd, sd), intensity


def covariance(method: str, S: np.ndarray, residuals: np.ndarray | None = None) -> np.ndarray | None:
    """Return the covariance ``W`` of the errors that a method assumes.

    ``bottom_up``: nothing but the bottom is believed (None); ``ols``: all errors alike; ``structural``: variance
    proportional to how many bottom nodes a node adds up; ``variance``: each node's own; ``mint``: the shrunk covariance
    of all. The last two need the one-step errors of every node, (T, u + m).
    """
    if method not in METHODS:
        raise UnknownNameError("reconciliation method", method, METHODS)
    if method == "bottom_up":
        return None
    if method == "ols":
        return np.eye(len(S))
    if method == "structural":
        return np.diag(S.sum(axis=1))
    W, _ = shrunk_covariance(residuals)
    return W if method == "mint" else np.diag(np.diag(W))


def _solve(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Solve ``A X = B`` for a covariance ``A``, scaled to ones on the diagonal; of many answers the smallest."""
    d = np.sqrt(np.diag(A))
    d = np.where(d > 0, d, 1.0)
    scaled, right = A / np.outer(d, d), B / d[:, None]
    try:
        x = cho_solve(cho_factor(scaled), right)
    except LinAlgError:
        x = np.linalg.pinv(scaled, rcond=1e-10, hermitian=True) @ right
    return x / d[:, None]


def projection(S: np.ndarray, W: np.ndarray | None) -> np.ndarray:
    """Return ``G`` (m, u + m), which takes base forecasts to reconciled ones of the bottom.

    In the form that needs no inverse of ``W`` (Wickramasuriya et al. 2019, eq. 9):
    ``G = J - J W U (U' W U)^-1 U'``, where ``U'`` says by how much the sums miss.
    """
    u, m = len(S) - S.shape[1], S.shape[1]
    J = np.hstack([np.zeros((m, u)), np.eye(m)])
    if W is None or u == 0:
        return J
    Ut = np.hstack([np.eye(u), -S[:u]])
    # Errors of the past that added up exactly leave a singular W; what W does not settle, the variances do.
    W = W + _RIDGE * np.diag(np.diag(W))
    WU = W @ Ut.T
    return J - _solve(Ut @ WU, WU[u:].T).T @ Ut


def nonnegative(bottom: np.ndarray, V: np.ndarray | None = None) -> np.ndarray:
    """Return the nearest bottoms (m, k) that are nowhere below zero, column by column; without `V` negatives are zero.

    Minimises ``(b - bottom)' V^-1 (b - bottom)`` over ``b >= 0``, which is the non-negative least squares problem of
    the reconciliation when ``V = G W G'`` (Wickramasuriya, Turlach & Hyndman 2020). Columns without a negative stay
    untouched; the others are solved by block principal pivoting (Kim & Park 2011), all columns with the same zeros
    together.
    """
    out = np.array(bottom, dtype=float)
    todo = np.flatnonzero((out < 0).any(axis=0))
    if V is None:
        return np.maximum(out, 0.0)
    if not todo.size:
        return out
    sd = np.sqrt(np.maximum(np.diag(V), 0.0))
    sd = np.where(sd > 0, sd, 1.0)
    R = V / np.outer(sd, sd)
    R = np.where(np.eye(len(R), dtype=bool), 1.0 + _RIDGE, R)
    b = out[:, todo] / sd[:, None]
    out[:, todo] = _pivoted(b, R) * sd[:, None]
    return out


def _pivoted(b: np.ndarray, R: np.ndarray) -> np.ndarray:
    m, k = b.shape
    small = 1e-12 * np.maximum(np.abs(b).max(axis=0), 1e-300)
    zero = b < 0
    fewest, patience = np.full(k, m + 1), np.full(k, 3)
    x, open_ = np.empty_like(b), np.arange(k)
    while open_.size:
        x[:, open_], force = _held(b[:, open_], zero[:, open_], R)
        wrong = np.where(zero[:, open_], force, x[:, open_]) < -small[open_]
        count = wrong.sum(axis=0)
        better = count < fewest[open_]
        patience[open_] = np.where(better, 3, patience[open_] - 1)
        fewest[open_] = np.minimum(fewest[open_], count)
        # Where exchanging all that is wrong stops helping, only the last one is exchanged: that always ends.
        last = m - 1 - np.argmax(wrong[::-1], axis=0)
        one = np.zeros_like(wrong)
        one[last, np.arange(len(open_))] = True
        zero[:, open_] ^= np.where(patience[open_] >= 0, wrong, wrong & one)
        open_ = open_[count > 0]
    return np.where(zero, 0.0, np.maximum(x, 0.0))


def _held(b: np.ndarray, zero: np.ndarray, R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The minimum with some bottoms held at zero, and the force each needs (negative: it wants to rise)."""
    x, force = b.copy(), np.zeros_like(b)
    kinds, which = np.unique(zero.T, axis=0, return_inverse=True)
    which = which.reshape(-1)
    for n, held in enumerate(kinds):
        columns = np.flatnonzero(which == n)
        if held.any():
            pull = _solve(R[np.ix_(held, held)], -b[np.ix_(held, columns)])
            x[:, columns] = b[:, columns] + R[:, held] @ pull
            x[np.ix_(held, columns)] = 0.0
            force[np.ix_(held, columns)] = pull
    return x, force


def couple(draws: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Reorder independent draws so that each node and month has the ranks of a template, path by path.

    Only the order changes: every node keeps its own distribution in every month, and takes from the template how its
    months, and it and the other nodes, hang together. This is the Schaake shuffle (Clark et al. 2004); for wholes over
    their parts, with the sums of the parts as template, the reordering of Ben Taieb, Taylor & Hyndman (2021). Path k of
    a whole is then high where the parts of path k are high; where the whole's distribution is that of the sums, it
    becomes the sums and there is nothing left to reconcile. Both are (u, horizon, n).
    """
    out = np.empty_like(draws, dtype=float)
    order = np.argsort(template, axis=-1, kind="stable")
    np.put_along_axis(out, order, np.sort(draws, axis=-1), axis=-1)
    return out


def reconcile_paths(bottom: np.ndarray, upper: np.ndarray | None, S: np.ndarray, W: np.ndarray | None,
                    floor: bool = True) -> np.ndarray:
    """Reconcile whole paths of the bottom, (m, horizon, n): the same projection at every month and path.

    Path k of the sums, (u, horizon, n), is coupled to path k of the bottom first, see :func:`couple`; the order of
    their draws does not matter. The mean over the paths is the reconciled mean (but for what `floor` lifts to zero).
    `W` as :func:`covariance` gives it; None leaves the bottom as it is, and needs no sums.
    """
    u, m = len(S) - S.shape[1], S.shape[1]
    G = projection(S, W)
    flat = bottom.reshape(m, -1)
    if W is not None and u:
        tied = couple(upper, np.tensordot(S[:u], bottom, axes=1)).reshape(u, -1)
        flat = G[:, u:] @ flat + G[:, :u] @ tied
    if floor:
        flat = nonnegative(flat, None if W is None else G @ W @ G.T)
    return flat.reshape(bottom.shape)
