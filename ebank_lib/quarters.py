"""Quarters from months, by what an indicator is: flows add up, stocks are those of the last month."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .cleaning import Cleaned, trusted_panel
from .growth import as_months
from .monthly import KINDS, checked_name
from .wording import t


def to_quarters(data: pd.Series | Cleaned, kind: str | None = None) -> pd.DataFrame:
    """Return the quarters of a monthly series, or of every branch and indicator of a cleaned source.

    A flow is the sum of the quarter's three months, in the unit of the months; a stock is that of the last month. A
    ratio whose parts the catalogue names is made of their quarters, any other is that of the last month. A quarter that
    lacks a month which it needs has no value.

    Parameters
    ----------
    data : Series (T,) or Cleaned
        Months on a PeriodIndex or dates; of a cleaned source the numbers that are not in doubt.
    kind : {"stock", "flow", "ratio", "multiple"}
        Of a Series, whose numbers do not say it; the catalogue says it of a source's indicators.

    Returns
    -------
    DataFrame
        ``quarter`` (period), ``value``, ``months`` (how many of the three are known), ``reason`` (why there is no
        value, "" where there is one); of a source ``branch`` and ``indicator`` before them.

    Raises
    ------
    SeriesError
        What is no monthly series of numbers.
    UnknownNameError
        No such kind, or none for a Series.

    Examples
    --------
    >>> y = pd.Series([1.0, 2.0, 3.0, 4.0], pd.period_range("2011-01", periods=4, freq="M"))
    >>> to_quarters(y, "flow")[["value", "months"]].to_numpy().tolist()
    [[6.0, 3.0], [nan, 1.0]]
    """
    if isinstance(data, Cleaned):
        panel, known = trusted_panel(data), data.catalog.indicators.values()
        flows = [one.key for one in known if one.kind == "flow"]
        ratios = [one.key for one in known if one.denominators]
    else:
        y = as_months(data).to_frame("y")
        panel, ratios = pd.concat({"": y}, names=["branch", "month"]), []
        flows = ["y"] if checked_name(kind, "kind", KINDS) == "flow" else []
    months = pd.PeriodIndex(panel.index.get_level_values("month"), freq="M")
    by = [panel.index.get_level_values("branch"), months.asfreq("Q").rename("quarter")]
    counts = panel.groupby(by, sort=False).count()
    last = panel.mul(np.where(months.month % 3 == 0, 1.0, np.nan), axis=0)
    value = last.groupby(by, sort=False).sum(min_count=1)
    value[flows] = panel[flows].groupby(by, sort=False).sum(min_count=3)
    for key in ratios:
        value[key] = data.catalog.derive(value, key)
    long = value.melt(var_name="indicator", ignore_index=False).reset_index()
    long["months"] = counts.melt()["value"]
    long["reason"] = [t("growth.quarter_incomplete", n=n) if missing else ""
                      for n, missing in zip(long["months"], long["value"].isna(), strict=True)]
    return long[[*["branch", "indicator"][:2 * isinstance(data, Cleaned)], "quarter", "value", "months", "reason"]]
