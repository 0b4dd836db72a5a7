"""Tables that add up to the last unit: every figure is rounded, and every sum of rounded figures is the rounded sum.

Rounding each figure by itself leaves totals that miss by a unit or two. Controlled rounding (Cox & Ernst 1982) moves
every figure and every margin to one of its two neighbours, so that all sums hold, and moves them least in sum.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

from ebank_lib.errors import SeriesError

__all__ = ["add_up", "round_to_sum"]

_NEAR = 1e-9        # of the largest figure: nearer to a unit than this is on it


def round_to_sum(frame: pd.DataFrame | pd.Series, S: np.ndarray, unit: float = 1.0) -> pd.DataFrame | pd.Series:
    """Round all nodes so that every sum holds in whole units.

    Every node moves by less than one unit, one that is a whole number of units stays, and the total of all is the
    nearest number of units. For rows, columns and margins (branches by channels, each within totals) there is always
    such a rounding, and the integer program that finds it is as easy as a linear one (a totally unimodular matrix).

    Parameters
    ----------
    frame : DataFrame (u + m, columns) or Series (u + m,)
        Nodes in the order of the rows of `S`, the sums first; they add up as they are. Each column by itself.
    S : ndarray (u + m, m)
    unit : float
        What is rounded to, e.g. 10,000 for 万.

    Returns
    -------
    DataFrame or Series
        As `frame`, in multiples of `unit`.

    Raises
    ------
    SeriesError
        A figure is missing, the sums do not hold before rounding, or no rounding holds them all (possible only
        where nodes are cut in three ways and more).

    Examples
    --------
    >>> S = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> round_to_sum(pd.Series([1.0, 0.333, 0.334, 0.333]), S).tolist()
    [1.0, 0.0, 1.0, 0.0]
    """
    table = frame.to_frame() if isinstance(frame, pd.Series) else frame
    S = np.asarray(S, dtype=float)
    values = table.to_numpy(dtype=float) / unit
    if len(values) != len(S) or not np.isfinite(values).all():
        raise SeriesError("cannot be rounded to sums", found=f"{len(values)} nodes, {int(np.isnan(values).sum())} "
                          "figures missing", expected=f"{len(S)} nodes without a gap")
    whole = np.column_stack([_column(values[:, n], S) for n in range(values.shape[1])]) if values.size else values
    out = pd.DataFrame(whole * unit, index=table.index, columns=table.columns)
    return out.iloc[:, 0].rename(frame.name) if isinstance(frame, pd.Series) else out


def _column(x: np.ndarray, S: np.ndarray) -> np.ndarray:
    m = S.shape[1]
    near = _NEAR * max(1.0, float(np.abs(x).max()))
    off = np.abs(S @ x[-m:] - x)
    if (off > near * m).any():
        at = int(off.argmax())
        raise SeriesError("does not add up before it is rounded", row=at, found=x[at], expected=float((S @ x[-m:])[at]))
    x = np.where(np.abs(x - np.round(x)) <= near, np.round(x), x)
    low, high = np.floor(x), np.ceil(x)
    part = x - low
    # From the floors up: which bottoms take the unit above. A node gets low + taken, at |taken - part|.
    # The total of all is the nearest, as it is said elsewhere.
    low, high = (np.where(S.all(axis=1), np.round(x), limit) for limit in (low, high))
    cost = S.T @ np.where(high > low, 1 - 2 * part, 0.0)
    base = S @ low[-m:]
    found = milp(cost, integrality=np.ones(m), bounds=Bounds(0, (high - low)[-m:]),
                 constraints=LinearConstraint(S, low - base, high - base))
    if found.x is None:
        raise SeriesError("no rounding holds all sums", found=found.message, expected="rows and columns with margins")
    return S @ (low[-m:] + np.round(found.x))


def add_up(table: pd.DataFrame, unit: float = 1.0, total: str = "total") -> pd.DataFrame:
    """Return a two-way table rounded, with its margins, all of which add up to the last unit.

    Parameters
    ----------
    table : DataFrame (rows, columns)
        E.g. branches by channels, without totals.
    unit : float
    total : str
        How the last row and the last column are called.

    Examples
    --------
    >>> add_up(pd.DataFrame({"sms": [1.4, 1.4], "phone": [1.4, 1.4]}, index=["a", "b"])).to_numpy().sum(axis=0).tolist()
    [6.0, 6.0, 12.0]
    """
    rows, columns = table.shape
    one, other = np.eye(rows), np.eye(columns)
    S = np.vstack([np.ones((1, rows * columns)), np.kron(one, np.ones((1, columns))),
                   np.kron(np.ones((1, rows)), other), np.eye(rows * columns)])
    values = table.to_numpy(dtype=float).ravel()
    done = round_to_sum(pd.Series(S @ values), S, unit).to_numpy()
    inner = done[1 + rows + columns:].reshape(rows, columns)
    full = np.block([[inner, done[1: 1 + rows, None]], [done[None, 1 + rows: 1 + rows + columns], done[None, :1]]])
    return pd.DataFrame(full, index=[*table.index, total], columns=[*table.columns, total])
