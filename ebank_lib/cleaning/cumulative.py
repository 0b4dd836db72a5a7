"""Sums since January become each month's own number: the sum less that of the month before."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd

from ..catalog import Catalog
from .assembling import Grid
from .corrections import cell_name
from .ledger import Book, phrase
from .panel import Finding

_RULE = "year_to_date"


def own_months(grid: Grid, cells: pd.DataFrame, catalog: Catalog, book: Book) -> list[Finding]:
    """Put the months' own numbers in the place of the sums since January that cells print (``cumulative`` is "year").

    Every sum gets a row of the ledger. Where the month before has no sum the month's own number is not known, and the
    cell is rejected. A difference is as exact as its two numbers together. What is returned are the places of numbers
    below zero, because a sum falls: of flows that never do, not of net ones.
    """
    if "cumulative" not in cells or not (summed := (cells["cumulative"] == "year").to_numpy()).any():
        return []
    printed = (grid.cell >= 0) & summed[grid.cell]
    january = (grid.cell >= 0) & (grid.months.month == 1)[None, :, None]
    # In January a sum is the month's own number, and so is what is printed as that.
    first, known = printed & january, printed | january
    less, known, half, at = (np.roll(of, 1, axis=1) for of in (grid.value, known, grid.half, grid.cell))
    known[:, 0] = False
    lost, later = printed & ~first & ~known, printed & ~first & known
    sums = grid.value.copy()
    own = np.array([float(Decimal(repr(a)) - Decimal(repr(b))) for a, b in zip(   # no dust of binary fractions
        sums[later].tolist(), less[later].tolist(), strict=True)])
    book.add(grid.cell[first], "converted", _RULE, sums[first], sums[first], {"how": phrase("sum_of_january")})
    where = {n: "{} {}!{}".format(*address[:2], cell_name(*address[2:])) for n, *address in cells[
        ["file", "sheet", "column", "row"]].astype({"row": int, "column": str}).take(at[later]).itertuples()}
    book.add(grid.cell[later], "converted", _RULE, sums[later], own, [
        {"how": phrase("sum_less", value=value, where=where[n]), "taken_off": n}
        for n, value in zip(at[later].tolist(), less[later].tolist(), strict=True)])
    book.add(grid.cell[lost], "rejected", _RULE, sums[lost],
             detail=[{"month": str(grid.months[m] - 1)} for m in np.nonzero(lost)[1]])
    grid.value[later], grid.half[later], grid.terms = own, (grid.half + half)[later], 1.0 + later
    grid.hole[lost] = grid.cell[lost]
    grid.value[lost], grid.half[lost], grid.cell[lost], grid.stated[lost] = np.nan, 0.0, -1, False
    net = {part for identity in catalog.identities if identity.kind == "change" for part in identity.parts}
    able = np.array([key in net for key in grid.indicators], bool) | (printed & (sums < 0)).any(axis=(0, 1))
    falls = later & (grid.value <= -0.999 * grid.half) & (grid.value < 0) & ~able
    return [Finding(int(place), "falling_sum", "flag", detail={"value": -float(grid.value.flat[place])})
            for place in np.flatnonzero(falls)]


def taken_off(entries: pd.DataFrame, mine: pd.Series | np.ndarray) -> pd.Series:
    """Return which other rows of a ledger say how the sums were read that the rows of `mine` take off."""
    at = {detail.get("taken_off") for detail in entries.loc[mine & (entries["rule"] == _RULE), "detail"]}
    return (entries["cell"].isin(at - {None}) & entries["decision"].isin(("parsed", "converted"))
            & (entries["rule"] != _RULE) & ~mine)
