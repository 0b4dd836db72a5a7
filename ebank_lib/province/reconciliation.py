"""Forecasts of the parts and of the wholes made to agree: means, and whole paths, never below zero where that is wrong.

``y = S b``: the reconciled forecasts are the sums of ``b = G y_hat``, and ``G`` follows from the covariance ``W`` of
the base forecasts' errors (Wickramasuriya, Athanasopoulos & Hyndman 2019). The package hierarchicalforecast computes
the same ``G`` (tests), at the price of scikit-learn and a quadratic program a month and path in single precision.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ..errors import SeriesError, UnknownNameError

__all__ = ["METHODS", "couple", "covariance", "nonnegative", "projection", "reconcile", "reconcile_paths",
           "shrunk_covariance"]

METHODS = ("bottom_up", "ols", "structural", "variance", "mint")
_LEAST = 4          # months with an error at every node below which no covariance is estimated
_FLOOR = 1e-6       # of the smallest positive standard deviation: what a series without errors is given
_RIDGE = 1e-10


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
    S = _checked(S)
    if method == "bottom_up":
        return None
    if method == "ols":
        return np.eye(len(S))
    if method == "structural":
        return np.diag(S.sum(axis=1))
    if residuals is None or np.shape(residuals)[1:] != (len(S),):
        raise SeriesError(f"{method} needs errors of every node", found=np.shape(residuals),
                          expected=f"(months, {len(S)})")
    W, _ = shrunk_covariance(residuals)
    return W if method == "mint" else np.diag(np.diag(W))


def _checked(S: np.ndarray) -> np.ndarray:
    S = np.asarray(S, dtype=float)
    if S.ndim != 2 or len(S) < S.shape[1] or not np.array_equal(S[len(S) - S.shape[1]:], np.eye(S.shape[1])):
        raise SeriesError("is no summing matrix", found=S.shape, expected="sums above, the identity below")
    return S


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

    Examples
    --------
    >>> projection(np.array([[1., 1.], [1., 0.], [0., 1.]]), np.eye(3)).round(3).tolist()
    [[0.333, 0.667, -0.333], [0.333, -0.333, 0.667]]
    """
    S = _checked(S)
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


def reconcile(base: pd.DataFrame, S: np.ndarray, method: str = "mint", residuals=None,
              floor: bool = True) -> pd.DataFrame:
    """Reconcile forecasts of all nodes (u + m, horizon; the sums first, in the order of `S`): parts add up to wholes.

    `method` and `residuals` as in :func:`covariance`; `floor` keeps every node at zero or above.

    Examples
    --------
    >>> base = pd.DataFrame({"h1": [12.0, 4.0, 5.0]}, index=["all", "a", "b"])
    >>> reconcile(base, np.array([[1, 1], [1, 0], [0, 1]]), "ols")["h1"].round(9).tolist()
    [11.0, 5.0, 6.0]
    """
    S = _checked(S)
    values = base.to_numpy(dtype=float)
    if values.shape[0] != len(S) or not np.isfinite(values).all():
        missing = [str(node) for node in base.index[~np.isfinite(values).all(axis=1)]]
        raise SeriesError("needs a forecast of every node", found=f"{values.shape[0]} nodes, missing: {missing[:3]}",
                          expected=f"{len(S)} nodes without a gap")
    W = covariance(method, S, None if residuals is None else np.asarray(residuals, dtype=float))
    G = projection(S, W)
    bottom = G @ values
    if floor:
        bottom = nonnegative(bottom, None if W is None else G @ W @ G.T)
    return pd.DataFrame(S @ bottom, index=base.index, columns=base.columns)


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


def reconcile_paths(bottom: np.ndarray, upper: np.ndarray, S: np.ndarray, W: np.ndarray | None,
                    floor: bool = True) -> np.ndarray:
    """Reconcile whole paths of the bottom, (m, horizon, n): the same projection at every month and path.

    Path k of the sums, (u, horizon, n), is coupled to path k of the bottom first, see :func:`couple`; the order of
    their draws does not matter. The mean over the paths is the reconciled mean (but for what `floor` lifts to zero).
    `W` as :func:`covariance` gives it; None leaves the bottom as it is.
    """
    S = _checked(S)
    u, m = len(S) - S.shape[1], S.shape[1]
    bottom, upper = np.asarray(bottom, dtype=float), np.asarray(upper, dtype=float)
    if bottom.shape[0] != m or upper.shape != (u, *bottom.shape[1:]):
        raise SeriesError("paths do not fit the summing matrix", found=f"{bottom.shape} and {upper.shape}",
                          expected=f"({m}, horizon, n) and ({u}, horizon, n)")
    G = projection(S, W)
    flat = bottom.reshape(m, -1)
    if W is not None and u:
        tied = couple(upper, np.tensordot(S[:u], bottom, axes=1)).reshape(u, -1)
        flat = G[:, u:] @ flat + G[:, :u] @ tied
    if floor:
        flat = nonnegative(flat, None if W is None else G @ W @ G.T)
    return flat.reshape(bottom.shape)
