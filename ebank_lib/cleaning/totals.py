"""All branches together."""

from __future__ import annotations

import pandas as pd

from ..catalog import Catalog

__all__ = ["total_frame"]


def total_frame(panel: pd.DataFrame, catalog: Catalog) -> pd.DataFrame:
    """Return all branches together, months x indicators: the printed total where there is one, else the branches' sum
    (only of months in which every branch reports); ratios from their numerators and denominators."""
    branches = panel[panel.index.get_level_values("branch").isin(catalog.reporting)]
    sums = branches.groupby(level="month").agg(lambda x: x.sum(skipna=False))
    if catalog.total in panel.index.get_level_values("branch"):
        sums = panel.xs(catalog.total, level="branch").combine_first(sums)[list(panel.columns)]
    for key, indicator in catalog.indicators.items():
        if key in sums and indicator.kind == "ratio" and indicator.denominators:
            below = sums[indicator.denominators].sum(axis=1, skipna=False)
            sums[key] = sums[indicator.numerator] / below.where(below > 0)
    return sums
