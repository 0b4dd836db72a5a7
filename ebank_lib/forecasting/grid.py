"""A panel as one array: what was known of an indicator at the end of a month is a slice of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["Grid"]

_END = 2            # months at the end of which a doubtful figure would be taken for news


class Grid:
    """Branches x months x indicators, NaN where nothing is known.

    Parameters
    ----------
    panel : DataFrame
        Index (branch, month), a column an indicator.
    doubtful : DataFrame, optional
        ``branch, month, indicator`` of figures that are left out while they stand in the last two months.
    """

    def __init__(self, panel: pd.DataFrame, doubtful: pd.DataFrame | None = None):
        months = pd.PeriodIndex(panel.index.get_level_values("month"), freq="M").asi8
        codes, names = pd.factorize(panel.index.get_level_values("branch"))
        self.branches = {name: n for n, name in enumerate(names)}
        self.keys = {key: n for n, key in enumerate(panel.columns)}
        self.first, self.last = int(months.min()), int(months.max())
        self.months = pd.PeriodIndex.from_ordinals(np.arange(self.first, self.last + 1), freq="M", name="month")
        self.values = np.full((len(self.keys), len(self.branches), len(self.months)), np.nan)
        self.values[:, codes, months - self.first] = panel.to_numpy(dtype=float).T
        self.start = np.full(len(self.branches), self.last + 1)     # of each branch, its first row's month
        np.minimum.at(self.start, codes, months)
        self.doubtful: dict[str, list[tuple[int, int]]] = {}
        for row in () if doubtful is None else doubtful.itertuples(index=False):
            at = row.month.ordinal - self.first
            if row.branch in self.branches and row.indicator in self.keys and 0 <= at < len(self.months):
                self.doubtful.setdefault(row.indicator, []).append((self.branches[row.branch], at))

    def column(self, key: str, last: int) -> np.ndarray:
        """Return an indicator as it was known at the end of a month, (branches, months).

        Raises
        ------
        KeyError
            The panel has no such column.
        """
        n = max(last - self.first + 1, 0)
        out = self.values[self.keys[key], :, :n]
        now = [(b, at) for b, at in self.doubtful.get(key, ()) if n - _END <= at < n]
        if now:
            out = out.copy()
            out[tuple(zip(*now, strict=True))] = np.nan
        return out

    def able(self, key: str, last: int, least: int) -> np.ndarray:
        """Return which branches had so many figures by the end of a month and one in it, (branches,).

        A doubtful figure is none: a forecast that began before it would be compared with later months than its own.
        """
        values = self.column(key, last)
        if not values.shape[1]:
            return np.zeros(len(self.branches), dtype=bool)
        return ((~np.isnan(values)).sum(axis=1) >= least) & np.isfinite(values[:, -1])

    def present(self, last: int) -> set[str]:
        """Return the branches that the panel speaks of by the end of a month."""
        return {name for name, start in zip(self.branches, self.start, strict=True) if start <= last}
