"""What a branch had, completed for its sums, and tables whose rounded figures add up to the last unit.

Stocks and flows add over branches; a ratio of the province is the ratio of the sums and has no place here. Rounding
each figure by itself leaves totals that miss by a unit or two. Controlled rounding (Cox & Ernst 1982) moves every
figure and every margin to one of its two neighbours, so that all sums hold, and moves them least in sum.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

from ..catalog import Catalog, Indicator
from ..errors import SeriesError
from ..wording import language, t

YEAR = 12
TENTH = 0.001       # shares and contributions are written in tenths of a per cent or point
_NEAR = 1e-9        # of the largest figure: nearer to a unit than this is on it


def total_of(catalog: Catalog) -> str:
    """Return the id under which tables have the province."""
    return catalog.total or "total"


def name_of(catalog: Catalog, branch: str, lang: str) -> str:
    """Return a branch or the province in words."""
    return t("province.total", lang) if branch == total_of(catalog) else catalog.branch(branch).label(lang)


def full_years(panel: pd.DataFrame, nodes: Iterable[tuple[str, str]], ind: Indicator, months: int = YEAR) \
        -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return, by month, the stock or the sum of the flow over the last `months`, complete, and how many of them were
    filled: two frames, months x nodes.

    A missing month between two reported ones lies on the line between them (of the logarithms where all are positive).
    Before its first month a branch that reported nothing at all was not there and counts as 0; an indicator missing
    where the branch reported others stays unknown, and so does what is missing at the end.
    """
    there = panel.notna().any(axis=1)
    full, filled = {}, {}
    for branch, key in nodes:
        y = panel.loc[branch, key]
        positive = bool((y.dropna() > 0).all())
        line = (np.log(y) if positive else y).interpolate(method="linear", limit_area="inside")
        filled[branch, key] = gaps = y.isna() & line.notna()
        y = y.where(~gaps, np.exp(line) if positive else line)
        begun = there.loc[branch].cummax()
        full[branch, key] = y.where(begun | ~begun.any(), 0.0)
    full, filled = pd.DataFrame(full), pd.DataFrame(filled).astype(int)
    if ind.kind != "flow":
        return full, filled
    return full.rolling(months).sum(), filled.rolling(months, min_periods=1).sum().astype(int)


def leaves(catalog: Catalog, key: str, known: Container[str] | None = None, above: tuple[str, ...] = ()) \
        -> tuple[str, ...]:
    """Return what an indicator is in the end the sum of, as far as all of it is `known`; itself where it is no sum, or
    where a sum of it is asked for (`above`)."""
    parts = next((i.parts for i in catalog.identities if i.kind == "sum" and i.total == key and key not in above and (
        known is None or all(name in known for name in (key, *i.parts)))), ())
    below = (leaf for part in parts for leaf in leaves(catalog, part, known, (*above, key)))
    return tuple(dict.fromkeys(below)) or (key,)


def additive(catalog: Catalog, indicator: str) -> Indicator:
    """Return a stock or flow; a ratio is refused."""
    ind = catalog.indicator(indicator)
    if ind.kind == "ratio":
        raise SeriesError("a ratio does not add up over branches", found=ind.key, expected="a stock or a flow")
    return ind


# ---------------------------------------------------------------- rounded figures that add up

def add_up(table: pd.DataFrame, unit: float = 1.0, total: str = "total") -> pd.DataFrame:
    """Return a two-way table without gaps rounded to units, and `total`, its last row and column: all sums hold.

    Every figure moves by less than one unit, one that is a whole number of units stays, and the total of all is the
    nearest number of units. There is always such a rounding, and the integer program that finds it is as easy as a
    linear one (a totally unimodular matrix).
    """
    rows, columns = table.shape
    values = table.to_numpy(dtype=float).ravel() / unit
    if not np.isfinite(values).all():
        raise SeriesError("cannot be rounded to sums", found=f"{int((~np.isfinite(values)).sum())} figures missing",
                          expected="a table without a gap")
    # Which cells each figure is the sum of: the total of all, the rows, the columns, the cells themselves.
    S = np.vstack([np.ones((1, rows * columns)), np.kron(np.eye(rows), np.ones((1, columns))),
                   np.kron(np.ones((1, rows)), np.eye(columns)), np.eye(rows * columns)])
    x = S @ values
    near = _NEAR * max(1.0, float(np.abs(x).max(initial=0)))
    x = np.where(np.abs(x - np.round(x)) <= near, np.round(x), x)
    low, high = (np.where(S.all(axis=1), np.round(x), limit) for limit in (np.floor(x), np.ceil(x)))
    # From the floors up: which cells take the unit above. A figure gets low + taken, at |taken - part|.
    cost = S.T @ np.where(high > low, 1 - 2 * (x - np.floor(x)), 0.0)
    cells = slice(1 + rows + columns, None)
    taken = milp(cost, integrality=np.ones(rows * columns), bounds=Bounds(0, (high - low)[cells]),
                 constraints=LinearConstraint(S, low - S @ low[cells], high - S @ low[cells])).x
    done = S @ (low[cells] + np.round(taken)) * unit
    full = np.block([[done[cells].reshape(rows, columns), done[1: 1 + rows, None]],
                     [done[None, 1 + rows: 1 + rows + columns], done[None, :1]]])
    return pd.DataFrame(full, index=[*table.index, total], columns=[*table.columns, total])


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
    """Return the unit in which a table is written whose largest figure is `largest` (base units): 2,345,678 in 万."""
    lang = language(lang)
    scales = ((1e8, "亿"), (1e4, "万")) if lang == "zh" else ((1e9, "bn"), (1e6, "m"), (1e3, "k"))
    factor, word = next(((s, w) for s, w in scales if abs(largest) >= 10 * s), (1.0, ""))
    small = factor > 1 and abs(largest) / factor < 10_000
    text = word + unit if lang == "zh" else " ".join(x for x in (word, unit) if x)
    return TableUnit(factor, 2 if small and abs(largest) / factor < 100 else int(small), text)
