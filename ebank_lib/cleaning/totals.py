"""All branches together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..catalog import Catalog

__all__ = ["total_frame"]


def total_frame(panel: pd.DataFrame, catalog: Catalog) -> pd.DataFrame:
    """Return all branches together, months x indicators: the printed total where there is one, else the branches' sum
    (only of months in which every branch reports); ratios from their numerators and denominators."""
    branches = panel[panel.index.get_level_values("branch").isin(catalog.reporting)]
    months, order = pd.factorize(branches.index.get_level_values("month"), sort=True)
    values = branches.to_numpy(float)
    # Column by column in a row of memory: numpy then adds in the order in which it adds a column alone.
    added = [np.ascontiguousarray(values[months == n].T).sum(axis=1) for n in range(len(order))]
    sums = pd.DataFrame(np.reshape(added, (len(order), values.shape[1])), order.rename("month"), branches.columns)
    if catalog.total in panel.index.get_level_values("branch"):
        sums = panel.xs(catalog.total, level="branch").combine_first(sums)[list(panel.columns)]
    for key, indicator in catalog.indicators.items():
        if key in sums and indicator.kind == "ratio" and indicator.denominators:
            below = sums[indicator.denominators].sum(axis=1, skipna=False)
            sums[key] = sums[indicator.numerator] / below.where(below > 0)
    return sums
