"""What a branch has and had: a stock at a month's end, a flow over twelve months; and how a table writes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ebank_lib.catalog import Catalog, Indicator
from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.wording import language

from .hierarchy import complete

__all__ = ["TableUnit", "full_years", "month_within", "reporting", "table_unit"]


def reporting(catalog: Catalog, panel: pd.DataFrame) -> list[str]:
    """Return the branches that report today and are in the panel."""
    present = set(panel.index.get_level_values("branch"))
    return [b for b in catalog.reporting if b in present]


def month_within(panel: pd.DataFrame, month=None) -> pd.Period:
    """Return a month of the panel, its last by default.

    Raises
    ------
    UnknownNameError
        No month, or none of the panel's.
    """
    months = panel.index.get_level_values("month")
    first, last = pd.Period(months.min(), "M"), pd.Period(months.max(), "M")
    try:
        found = last if month is None else pd.Period(str(month), "M")
    except ValueError:
        found = None
    if found is None or not first <= found <= last:
        raise UnknownNameError("month", month, [str(first), "…", str(last)])
    return found


def full_years(panel: pd.DataFrame, nodes: list[tuple[str, str]], ind: Indicator, months: int = 12) \
        -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return, by month, the stock or the sum of the flow over the last `months`, and how many of them were filled.

    See :func:`ebank_lib.province.hierarchy.complete` for what is filled.

    Returns
    -------
    values, filled : DataFrame (months, nodes)
    """
    full, filled = complete(panel, nodes)
    for frame in (full, filled):
        frame.index = pd.PeriodIndex(frame.index, freq="M")
    if ind.kind == "flow":
        return full.rolling(months).sum(), filled.astype(float).rolling(months).sum().fillna(0).astype(int)
    return full, filled.astype(int)


def additive(catalog: Catalog, indicator: str) -> Indicator:
    """Return a stock or flow.

    Raises
    ------
    SeriesError
        It is a ratio.
    """
    ind = catalog.indicator(indicator)
    if ind.kind == "ratio":
        raise SeriesError("a ratio does not add up over branches", found=ind.key, expected="a stock or a flow")
    return ind


@dataclass(frozen=True)
class TableUnit:
    """One unit for all figures of a table, so that its rounded figures add up: written in ``factor``, to ``step``."""

    factor: float
    decimals: int
    text: str

    @property
    def step(self) -> float:
        """What figures are rounded to, in the base unit."""
        return self.factor / 10**self.decimals

    def write(self, value: float) -> str:
        """Return a figure as the table writes it."""
        return "–" if not np.isfinite(value) else f"{value / self.factor:,.{self.decimals}f}".replace("-0.0", "0.0")


def table_unit(largest: float, unit: str, lang: str | None = None) -> TableUnit:
    """Return the unit in which a table is written whose largest figure is `largest` (base units).

    Examples
    --------
    >>> table_unit(2_345_678, "户", "zh").text, table_unit(2_345_678, "customers", "en").write(1234.0)
    ('万户', '1.2')
    """
    lang = language(lang)
    scales = ((1e8, "亿"), (1e4, "万")) if lang == "zh" else ((1e9, "bn"), (1e6, "m"), (1e3, "k"))
    factor, word = next(((s, w) for s, w in scales if abs(largest) >= 10 * s), (1.0, ""))
    small = factor > 1 and abs(largest) / factor < 10_000
    text = word + unit if lang == "zh" else " ".join(x for x in (word, unit) if x)
    return TableUnit(factor, 2 if small and abs(largest) / factor < 100 else int(small), text)
