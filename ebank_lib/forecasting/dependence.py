"""How the surprises of many series hang together: what all branches share, and what a branch's indicators share.

A surprise is a one-step error of exponential smoothing. That of indicator i in branch b is taken as
``sqrt(rho_i) F_i + sqrt(1 - rho_i) U_bi``: F is the province's, the same for all branches, U the branch's own; both are
correlated over indicators. Branches draw from streams of their own, so that a branch's paths are the same
whether it is simulated alone or with the province.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import pandas as pd

from .series import Prepared

__all__ = ["Dependence", "dependence_of", "learn_dependence", "shrunk_correlation", "surprises_of"]

_LEAST = 12     # months that two series must share before their correlation counts


def shrunk_correlation(x: np.ndarray, looks: int | None = None) -> tuple[np.ndarray, float]:
    """Return a correlation matrix shrunk towards none, and how strongly it was shrunk (0..1).

    Parameters
    ----------
    x : array (rows, k)
        Centred columns; NaN where missing.
    looks : int, optional
        How many of the rows are independent of one another (default: all).

    Returns
    -------
    correlation : array (k, k)
        Positive definite.
    shrunk : float
        The intensity of Schaefer & Strimmer (2005, Stat. Appl. Genet. Mol. Biol. 4, 32) for correlations.

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
    """See the module's first lines; ``rho`` (k,), ``common`` and ``own`` correlations (k, k), and their shrinkage."""

    indicators: tuple[str, ...]
    rho: np.ndarray
    common: np.ndarray
    own: np.ndarray
    shrunk: tuple[float, float] = (1.0, 1.0)

    @property
    def table(self) -> pd.DataFrame:
        """Return ``indicator, rho``: which part of an indicator's surprises the branches share."""
        return pd.DataFrame({"indicator": self.indicators, "rho": self.rho})

    def draw(self, branches: tuple[str, ...], horizon: int, n: int, seed: int = 0):
        """Yield, branch by branch, standard normal shocks (k, n, horizon); the first paths stay when n grows."""
        shape = (n, horizon, len(self.indicators))
        together = _stream(seed, "").standard_normal(shape) @ np.linalg.cholesky(self.common).T * np.sqrt(self.rho)
        root = np.linalg.cholesky(self.own).T * np.sqrt(1 - self.rho)
        for branch in branches:
            yield (together + _stream(seed, branch).standard_normal(shape) @ root).transpose(2, 0, 1)


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(name.encode())])


def learn_dependence(prepared: Callable[[str], Mapping[str, Prepared]], indicators: Iterable[str],
                     branches: Iterable[str], panel: pd.DataFrame) -> Dependence:
    """Learn the dependence from all branches of a panel.

    Parameters
    ----------
    prepared : callable
        Indicator -> branch -> its series, of those that can be forecast.
    indicators, branches : names
        What is to be simulated, and all who report.
    panel : DataFrame
        Index (branch, month): its months are the ones that are looked at.

    Returns
    -------
    Dependence
    """
    keys, names = tuple(indicators), list(branches)
    months = pd.PeriodIndex(panel.index.get_level_values("month").unique(), freq="M")
    return dependence_of(keys, [surprises_of(prepared(key), names, months) for key in keys])


def dependence_of(indicators: tuple[str, ...], surprises: Sequence[np.ndarray]) -> Dependence:
    """Learn the dependence from the surprises of each indicator (branches, months), see :func:`surprises_of`."""
    keys, errors = indicators, np.stack(surprises, axis=-1)
    names, months = range(errors.shape[0]), range(errors.shape[1])
    seen = np.isfinite(errors).sum(axis=1, keepdims=True)
    scale = np.sqrt(np.nansum(errors**2, axis=1, keepdims=True) / np.maximum(seen, 1))
    errors = errors / np.where(scale > 0, scale, np.nan)
    count = np.isfinite(errors).sum(axis=0)
    mean = np.where(count > 0, np.nansum(errors, axis=0) / np.maximum(count, 1), np.nan)
    rho = np.array([_shared(errors[:, :, i]) for i in range(len(keys))])
    common, a = shrunk_correlation(np.where(count >= 2, mean, np.nan))
    alone = (errors - np.where(count >= 2, mean, 0.0)).reshape(-1, len(keys))
    own, b = shrunk_correlation(alone, looks=len(months) * max(len(names) - 1, 1))
    return Dependence(keys, rho, common, own, (a, b))


def surprises_of(prepared: Mapping[str, Prepared], branches: Sequence[str], months: pd.PeriodIndex) -> np.ndarray:
    """Return the one-step errors of an indicator in every branch, (branches, months), NaN where there are none."""
    errors = np.full((len(branches), len(months)), np.nan)
    for row, branch in zip(errors, branches, strict=True):
        ready = prepared.get(branch)
        if ready is not None and not ready.constant and len(ready.y) >= _LEAST:
            at = months.get_loc(ready.y.index[0])
            row[at: at + len(ready.y)] = _surprises(ready)
    return errors


def _surprises(ready: Prepared) -> np.ndarray:
    """One-step errors of a damped trend on the modelling scale, less season and calendar; NaN where there are none."""
    x = ready.work.adjusted_values
    e = ready.work.smoothed(x, "AAdN").residuals(x)
    out = np.where(ready.y.notna(), e, np.nan)
    out[:2] = np.nan        # the start is fitted to the first months
    return out


def _shared(e: np.ndarray) -> float:
    """Mean correlation between branches of an indicator's surprises (branches, months), within 0..0.95."""
    seen = np.isfinite(e)
    pairs = seen.astype(float) @ seen.T.astype(float)
    z = np.where(seen, e, 0.0)
    r = np.divide(z @ z.T, pairs, out=np.zeros_like(pairs), where=pairs >= _LEAST)
    off = ~np.eye(len(e), dtype=bool) & (pairs >= _LEAST)
    return float(np.clip(r[off].mean(), 0.0, 0.95)) if off.any() else 0.0
