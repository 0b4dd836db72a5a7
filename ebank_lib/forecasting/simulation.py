"""Future paths of one forecast: each month distributed as the limits say, the months hanging together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ebank_lib.errors import SeriesError, UnknownNameError

from .forecast import Forecast, scale_of

__all__ = ["paths_from", "simulate_paths"]


def simulate_paths(f: Forecast, n: int = 1000, model: str | None = None, seed: int = 0) -> pd.DataFrame:
    """Draw future paths: each month distributed as the limits say, the months hanging together as the errors do.

    Parameters
    ----------
    f : Forecast
    n : int
        Paths, 1 to 100,000.
    model : str, optional
        Default: the one that is read out.
    seed : int

    Returns
    -------
    DataFrame (horizon, n)
        A row a month, a column a path.

    Raises
    ------
    SeriesError, UnknownNameError
        The number of paths is out of range; the method was not asked for or failed.
    """
    if not 1 <= n <= 100_000:
        raise SeriesError("the number of paths is out of range", found=n, expected="1 to 100000")
    model = f.headline if model is None else model
    if model not in f.parts:
        raise UnknownNameError("forecast model", model, f.parts)
    shocks = np.random.default_rng(seed).standard_normal((n, f.horizon))
    return pd.DataFrame(paths_from(f, shocks, model).T, index=pd.Index(f.block(model)["month"], name="month"))


def paths_from(f: Forecast, shocks: np.ndarray, model: str | None = None) -> np.ndarray:
    """Turn independent standard normal shocks (n, horizon), in the order of the months, into paths (n, horizon)."""
    model = f.headline if model is None else model
    part = f.parts[model]
    sd = part.sd
    safe = np.where(sd > 0, sd, 1.0)
    corr = f.shapes[model].hanging_together(part.cov / np.outer(safe, safe))
    # Lower triangular: a month's shock is new in that month, so that what series share they share month by month. The
    # last digits are evened out, because months that move as one leave no room for a shock of their own.
    root = np.linalg.cholesky(corr + 1e-9 * np.eye(len(sd)))
    root = root / np.linalg.norm(root, axis=1, keepdims=True)
    z = part.mean + sd * f.shapes[model].warp(shocks @ root.T)
    scale = scale_of(model, f.transform)
    paths = scale.back(z)
    if f.transform.monotone and model != "snaive":
        paths = np.maximum.accumulate(paths, axis=1)
    return paths
