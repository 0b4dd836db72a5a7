"""What is compared between branches: a table of months and branches for each indicator, free of the season.

Stocks and ratios are compared as they stand at the month's end. A flow is compared as the average month of the last
twelve, because in a single month its season would say more than its level.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ebank_lib.catalog import Catalog
from ebank_lib.errors import SeriesError, UnknownNameError

__all__ = ["base_month", "by_branch", "comparable_keys", "indexed", "matrix", "scaled"]

YEAR = 12
MIN_OF_YEAR = 9      # months of the twelve that must be there; one lost workbook must not cost a year


def comparable_keys(panel: pd.DataFrame, catalog: Catalog, indicators: Sequence[str] | None = None) -> list[str]:
    """Return the indicators to compare: those asked for, else all with a value but net new customers.

    Net new customers are left out because they are the growth of a stock that is compared itself.

    Raises
    ------
    UnknownNameError
        An indicator that the catalogue or the panel does not have.
    """
    if indicators is not None:
        for key in indicators:
            if catalog.indicator(key).key not in panel.columns:
                raise UnknownNameError("indicator", key, panel.columns)
        return list(dict.fromkeys(indicators))
    new = {part for i in catalog.identities if i.kind == "change" for part in i.parts}
    return [k for k in catalog.indicators if k in panel.columns and k not in new and panel[k].notna().any()]


def by_branch(panel: pd.DataFrame, key: str) -> pd.DataFrame:
    """Return an indicator as months x branches; at once, since looking up hundreds one by one takes seconds."""
    return panel[key].unstack("branch").astype(float).rename_axis(columns="branch")  # noqa: PD010 - nothing to aggregate


def matrix(panel: pd.DataFrame, catalog: Catalog, key: str) -> pd.DataFrame:
    """Return an indicator as it is compared: months x reporting branches (those of the panel), base units.

    A flow is the mean of the last twelve months, there from the twelfth month of a branch on where at least nine of
    the twelve are.

    Raises
    ------
    SeriesError
        The panel holds none of the catalogue's branches.
    """
    here = panel.index.get_level_values("branch").unique()
    known = set(here)
    branches = [b for b in catalog.reporting if b in known]
    if not branches:
        raise SeriesError("holds no branch to compare", found=", ".join(map(str, here[:5])) or "nothing",
                          expected="branches of the catalogue")
    wide = by_branch(panel, key)[branches]
    wide = wide.reindex(pd.period_range(wide.index[0], wide.index[-1], freq="M", name="month"))
    if catalog.indicators[key].kind != "flow":
        return wide
    begun = wide.notna().cummax()
    return wide.rolling(YEAR, min_periods=MIN_OF_YEAR).mean().where(begun.shift(YEAR - 1, fill_value=False))


def base_month(wide: pd.DataFrame) -> pd.Period | None:
    """Return the first month in which at least half of the branches that ever report have a value above zero."""
    ever = int((wide > 0).any().sum())
    enough = (wide > 0).sum(axis=1) >= max(ever / 2, 1)
    return wide.index[enough.to_numpy().argmax()] if ever and enough.any() else None


def indexed(wide: pd.DataFrame) -> tuple[pd.DataFrame, pd.Period | None]:
    """Return each branch as a multiple of its own value in the base month, and that month.

    A branch without a value above zero in the base month has none: it began later.
    """
    base = base_month(wide)
    if base is None:
        return wide * np.nan, None
    start = wide.loc[base]
    return (wide / start.where(start > 0)).where(wide >= 0).loc[base:].reindex(wide.index), base


def scaled(wide: pd.DataFrame, bounded_ratio: bool) -> pd.DataFrame:
    """Return logs, or log odds of a bounded ratio (its growth slows near 100% whatever branches do); NaN outside."""
    if bounded_ratio:
        inside = wide.where((wide > 0) & (wide < 1))
        return np.log(inside / (1 - inside))
    return np.log(wide.where(wide > 0))
