"""Measures of accuracy, by the plain functions of utilsforecast where it has them.

Everything that is scaled is scaled at each origin by what was known there: ``scale`` is the mean absolute yearly change
up to the cutoff, so 1 is the error of seasonal naive within the history.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri
from utilsforecast import losses

from .forecast import Forecast, scale_of

__all__ = ["crps", "distribution", "measures", "names_of"]

POINTS = 400        # of a forecast distribution, equally likely: CRPS of the normal is met within 0.1 per cent


def distribution(f: Forecast, model: str | None = None, points: int = POINTS) -> np.ndarray:
    """Return a forecast's own distribution as equally likely values, ascending.

    Parameters
    ----------
    f : Forecast
    model : str, optional
        One that did not fail; default: the one that is read out.
    points : int

    Returns
    -------
    array (points, horizon)
        The quantiles of (i + 1/2) / points, i = 0..points - 1; limits and paths are of the same distribution.
    """
    model = f.headline if model is None else model
    part, scores = f.parts[model], ndtri((np.arange(points) + 0.5) / points)
    z = part.mean + part.sd * f.shapes[model].warp(np.repeat(scores[:, None], f.horizon, axis=1))
    return scale_of(model, f.transform).back(z)


def crps(points: np.ndarray, y) -> np.ndarray:
    """Return the continuous ranked probability score of distributions given by equally likely values.

    Twice the quantile loss, averaged over the quantiles (Gneiting & Ranjan 2011, eq. 17); for a point it is the
    absolute error.

    Parameters
    ----------
    points : array (P, H)
        Ascending along the first axis, see :func:`distribution`.
    y : array (H,)
        Actual values; NaN gives NaN.

    Returns
    -------
    array (H,)
        In units of `y`; 0 is perfect.

    Examples
    --------
    >>> crps(np.full((400, 1), 3.0), [5.0]).tolist()
    [2.0]
    """
    points, y = np.asarray(points, dtype=float), np.asarray(y, dtype=float)
    tau = ((np.arange(len(points)) + 0.5) / len(points))[:, None]
    miss = y - points
    return 2 * np.maximum(tau * miss, (tau - 1) * miss).mean(axis=0)


def names_of(level) -> list[str]:
    """Return the names of the measures, in the order of a table of scores."""
    return ["n", "mase", "rmsse", "smape", "wape", "bias", "crps", *(f"msis-{lv:g}" for lv in level),
            *(f"coverage-{lv:g}" for lv in level), "ratio"]


def measures(rows: pd.DataFrame, keys: list[str], level) -> pd.DataFrame:
    """Return the accuracy of each group of rows.

    Parameters
    ----------
    rows : DataFrame
        ``y, y_hat, lo-.., hi-.., crps, scale, scale2`` and `keys`, no value missing but in the scales.
    keys : names
        What makes a group, as ``model`` or ``model, horizon``.
    level : numbers

    Returns
    -------
    DataFrame
        `keys`, ``n, mase, rmsse, smape, wape, bias, crps, msis-.., coverage-.., mae``, groups in the order of the rows.
        ``smape``, ``wape`` and ``bias`` are in per cent, the last of the mean actual value and positive when too high;
        ``crps`` and ``msis`` are scaled as ``mase``.
    """
    uid = rows.groupby(keys, sort=False).ngroup().to_numpy()
    limits = [f"{side}-{lv:g}" for lv in level for side in ("lo", "hi")]
    frame = pd.DataFrame({"unique_id": uid, "y": rows["y"].to_numpy(float), "m": rows["y_hat"].to_numpy(float)}
                         | {f"m-{c}": rows[c].to_numpy(float) for c in limits})
    scale, power = (np.where(c > 0, c, np.nan) for c in (rows[name].to_numpy(float) for name in ("scale", "scale2")))
    # Divided row by row first, the library's plain means are the scaled ones; a row without a scale counts for nothing.
    scaled = frame.div(scale, axis=0).assign(unique_id=uid)[np.isfinite(scale)]
    error = frame["m"] - frame["y"]
    by = pd.DataFrame({"error": error, "size": error.abs(), "y": frame["y"].abs(), "power": error**2 / power,
                       "crps": rows["crps"].to_numpy(float) / scale}).groupby(uid).mean()
    found = rows[keys].drop_duplicates().reset_index(drop=True)
    found["n"] = np.bincount(uid)
    found["mase"] = _of(losses.mae, scaled, found.index)
    found["rmsse"] = np.sqrt(by["power"])
    found["smape"] = 200 * _of(losses.smape, frame, found.index)
    found["wape"], found["bias"] = (100 * by[c] / by["y"].where(by["y"] > 0) for c in ("size", "error"))
    found["crps"] = by["crps"]
    whole = {lv: lv if lv % 1 else int(lv) for lv in level}
    for lv in level:
        found[f"msis-{lv:g}"] = _of(losses.winkler_score, scaled, found.index, whole[lv])
    for lv in level:
        found[f"coverage-{lv:g}"] = _of(losses.coverage, frame, found.index, whole[lv])
    found["mae"] = by["size"]
    return found


def _of(measure, frame: pd.DataFrame, groups: pd.Index, *options) -> np.ndarray:
    """A measure of utilsforecast for each group; none for a group without rows."""
    if frame.empty:
        return np.full(len(groups), np.nan)
    return measure(frame, ["m"], *options).set_index("unique_id")["m"].reindex(groups).to_numpy(float)
