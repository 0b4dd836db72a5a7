"""Scores of stated odds: reliability with clusters, the Brier score and its parts.

The parts are Murphy's (1973, J. Appl. Meteorol. 12) with the two terms that bins of stated odds that are not all alike
leave over (Stephenson, Coelho and Jolliffe 2008, Weather and Forecasting 23): without them the sum does not close.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["BINS", "brier", "clustered_error", "decomposition", "reliability"]

BINS = 10


def brier(odds, came) -> float:
    """Return the mean squared difference of stated odds (n,) and what came (n,), 0 or 1."""
    return float(np.mean((np.asarray(odds, dtype=float) - np.asarray(came, dtype=float)) ** 2))


def _bin(odds) -> np.ndarray:
    return np.minimum((np.asarray(odds, dtype=float) * BINS).astype(int), BINS - 1)


def clustered_error(off, cluster) -> float:
    """Return the standard error of the mean of ``off`` (n,) when what lies in one cluster (n,) hangs together.

    The sandwich estimate for a mean (Liang and Zeger 1986, Biometrika 73), with G/(G-1) for few clusters. With every
    cluster of one it is the usual standard error.

    Examples
    --------
    >>> off = [0.0, 1.0, 1.0, 0.0]
    >>> clustered_error(off, list("abcd")) == np.std(off, ddof=1) / 2
    True
    >>> round(clustered_error(off * 25, list("abcd") * 25), 4) == round(clustered_error(off, list("abcd")), 4)
    True
    """
    off = np.asarray(off, dtype=float)
    sums = pd.Series(off - off.mean()).groupby(np.asarray(cluster)).sum().to_numpy()
    if sums.size < 2:
        return np.nan
    return float(np.sqrt(sums.size / (sums.size - 1) * np.sum(sums**2)) / off.size)


def reliability(odds, came, cluster) -> pd.DataFrame:
    """Compare stated odds with how often it came, in ten classes of stated odds.

    Returns
    -------
    DataFrame
        Index ``decile`` 0..9; ``n``, ``clusters``, mean ``stated``, ``observed``, ``se``, and ``z`` = (observed -
        stated) / se. The standard error is of the difference, with clusters, and never below the binomial one at the
        stated odds: where nothing (or everything) came, the clusters see no spread at all.
    """
    table = pd.DataFrame({"decile": _bin(odds), "odds": np.asarray(odds, dtype=float),
                          "came": np.asarray(came, dtype=float), "cluster": np.asarray(cluster)})
    rows = []
    for decile, here in table.groupby("decile"):
        binomial = np.sqrt((here["odds"] * (1 - here["odds"])).sum()) / len(here)
        error = np.fmax(clustered_error(here["came"] - here["odds"], here["cluster"]), binomial)
        stated, observed = here["odds"].mean(), here["came"].mean()
        rows.append({"decile": decile, "n": len(here), "clusters": here["cluster"].nunique(), "stated": stated,
                     "observed": observed, "se": error, "z": (observed - stated) / error if error else np.nan})
    return pd.DataFrame(rows).set_index("decile")


def decomposition(odds, came) -> dict[str, float]:
    """Split the Brier score over the ten classes.

    Returns
    -------
    dict
        ``brier = reliability - resolution + uncertainty + within_variance - within_covariance``, exactly.
    """
    odds, came = np.asarray(odds, dtype=float), np.asarray(came, dtype=float)
    table = pd.DataFrame({"odds": odds, "came": came})
    mean = table.groupby(_bin(odds)).transform("mean")
    base = came.mean()
    apart = table - mean
    return {"brier": brier(odds, came), "reliability": float(((mean["odds"] - mean["came"]) ** 2).mean()),
            "resolution": float(((mean["came"] - base) ** 2).mean()), "uncertainty": float(base * (1 - base)),
            "within_variance": float((apart["odds"] ** 2).mean()),
            "within_covariance": float(2 * (apart["odds"] * apart["came"]).mean())}
