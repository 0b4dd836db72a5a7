"""Tables that add up to the last unit: every figure is rounded, and every sum of rounded figures is the rounded sum.

Rounding each figure by itself leaves totals that miss by a unit or two. Controlled rounding (Cox & Ernst 1982) moves
every figure and every margin to one of its two neighbours, so that all sums hold, and moves them least in sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

from ..errors import SeriesError
from ..wording import language

__all__ = ["TENTH", "TableUnit", "add_up", "table_unit"]

TENTH = 0.001       # shares and contributions are written in tenths of a per cent or point
_NEAR = 1e-9        # of the largest figure: nearer to a unit than this is on it


def add_up(table: pd.DataFrame, unit: float = 1.0, total: str = "total") -> pd.DataFrame:
    """Return a two-way table rounded, with its margins, all of which add up to the last unit.

    Every figure moves by less than one unit, one that is a whole number of units stays, and the total of all is the
    nearest number of units. There is always such a rounding, and the integer program that finds it is as easy as a
    linear one (a totally unimodular matrix).

    Parameters
    ----------
    table : DataFrame (rows, columns)
        E.g. branches by channels, without totals.
    unit : float
        What is rounded to, e.g. 10,000 for 万.
    total : str
        How the last row and the last column are called.

    Raises
    ------
    SeriesError
        A figure is missing.

    Examples
    --------
    >>> add_up(pd.DataFrame({"sms": [1.4, 1.4], "phone": [1.4, 1.4]}, index=["a", "b"])).to_numpy().sum(axis=0).tolist()
    [6.0, 6.0, 12.0]
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
