"""Findings and a policy make the panel: the only place where a number is changed, and where every cell is counted.

========================  ====================  =======================  =========================
what was found            ``none``              ``conservative``         ``interpolate``
========================  ====================  =======================  =========================
proven wrong              flagged               corrected                corrected
suspicious                flagged               flagged                  flagged; spikes replaced
unknown, but proven       stays unknown         filled (from identity)   filled
unknown                   stays unknown         stays unknown            filled between neighbours
========================  ====================  =======================  =========================

Proven: an identity is restored to the printed digit, or a power of ten fits both neighbours.

Merged branches then join their heirs, and what was printed is counted against what is in the panel.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
import pandas as pd

from ..catalog import Catalog, as_period
from ..errors import UnknownNameError
from .assembling import Grid
from .ledger import Book, ConservationError, in_both, phrase
from .parsing import cell_name

POLICIES = ("conservative", "none", "interpolate")
_REPLACED = ("spike", "stale_repeat", "decimal_slip", "sum_mismatch", "change_mismatch", "ratio_mismatch",
             "falling_sum")
_SUMMED = "year_to_date"


@dataclass(frozen=True)
class Finding:
    """One thing found about one place of the grid: ``action`` is correct, flag or fill; ``value`` what it should be."""

    place: int
    rule: str
    action: str
    value: float = np.nan
    detail: dict = field(default_factory=dict)


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
    book.add(grid.cell[first], "converted", _SUMMED, sums[first], sums[first], {"how": phrase("sum_of_january")})
    where = {n: "{} {}!{}".format(*address[:2], cell_name(*address[2:])) for n, *address in cells[
        ["file", "sheet", "column", "row"]].astype({"row": int, "column": str}).take(at[later]).itertuples()}
    book.add(grid.cell[later], "converted", _SUMMED, sums[later], own, [
        {"how": phrase("sum_less", value=value, where=where[n]), "taken_off": n}
        for n, value in zip(at[later].tolist(), less[later].tolist(), strict=True)])
    book.add(grid.cell[lost], "rejected", _SUMMED, sums[lost],
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
    at = {detail.get("taken_off") for detail in entries.loc[mine & (entries["rule"] == _SUMMED), "detail"]}
    return (entries["cell"].isin(at - {None}) & entries["decision"].isin(("parsed", "converted"))
            & (entries["rule"] != _SUMMED) & ~mine)


def repair(grid: Grid, findings: list[Finding], policy: str, book: Book) -> Grid:
    """Return the repaired grid; every finding becomes a row of the ledger under every policy."""
    value, cell = grid.value.copy(), grid.cell.ravel()
    flat = value.ravel()
    corrected = {f.place: f.value for f in findings if f.action == "correct" and policy != "none"}
    suspects = set()
    for f in findings:
        printed = grid.value.flat[f.place]
        if f.action == "fill":
            if policy != "none":
                flat[f.place] = f.value
                _note_fill(grid, book, f.place, f.rule, f.value, f.detail)
            continue
        change = f.place in corrected
        flat[f.place] = after = corrected.get(f.place, printed)
        book.add(cell[f.place], "corrected" if change else "flagged", f.rule, printed, after, f.detail or None)
        if not change and f.rule in _REPLACED:
            suspects.add(f.place)
    if policy == "interpolate":
        _interpolate(grid, flat, sorted(suspects), book)
    return replace(grid, value=value)


def _note_fill(grid: Grid, book: Book, place: int, rule: str, value: float, detail: dict | None = None) -> None:
    """Write on the cell that stands there without a number, or on the place itself where no cell was printed."""
    if grid.hole.flat[place] >= 0:
        book.add(grid.hole.flat[place], "filled", rule, np.nan, value, detail)
        return
    unit, month, key = np.unravel_index(place, grid.value.shape)
    book.add_loose(grid.units[unit], grid.months[month], grid.indicators[key], "filled", rule, value, detail)


def _interpolate(grid: Grid, flat: np.ndarray, suspects: list[int], book: Book) -> None:
    """Fill the gaps inside each series, and the places of suspects, on a straight line of the asinh scale."""
    printed = flat.copy()
    flat[suspects] = np.nan
    y = flat.reshape(grid.value.shape)
    months = np.arange(y.shape[1])
    for unit, key in np.argwhere(np.isnan(y).any(axis=1) & ~np.isnan(y).all(axis=1)):
        series = y[unit, :, key]
        known = ~np.isnan(series)
        scale = max(0.04 * float(np.median(np.abs(series[known]))), 1e-300)
        inside = ~known & (months > months[known][0]) & (months < months[known][-1])
        g = np.interp(months[inside], months[known], np.arcsinh(series[known] / scale))
        y[unit, inside, key] = np.sinh(g) * scale
        for m, v in zip(months[inside], y[unit, inside, key], strict=True):
            place = int(np.ravel_multi_index((unit, m, key), y.shape))
            if np.isnan(printed[place]):
                _note_fill(grid, book, place, "interpolated", v)
            else:
                book.add(grid.cell.flat[place], "filled", "interpolated", printed[place], v)
    lost = [p for p in suspects if np.isnan(flat[p])]  # at an end of its series: nothing to lean on, it stays
    flat[lost] = printed[lost]


def mergers(grid: Grid, catalog: Catalog) -> list[tuple[int, int, int]]:
    """Return ``(merged unit, heir's unit, first month they report as one)``, months as positions in the grid."""
    gone = [catalog.branches[unit] for unit in grid.units if catalog.branches[unit].role == "merged"]
    return [(grid.units.index(b.id), grid.units.index(b.merged_into),
             int(np.clip((b.merged_month - grid.months[0]).n, 0, len(grid.months)))) for b in gone]


def build_panel(grid: Grid, catalog: Catalog, book: Book) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the panel and the positions of the cells whose numbers are in it.

    Stocks and flows of a merged branch are added to its heir's; ratios are computed anew from the summed parts. Where
    one of the two is unknown the sum is unknown, and the other's cell is rejected with that reason.
    """
    value, held = grid.value.copy(), grid.cell >= 0
    for gone, heir, until in mergers(grid, catalog):
        theirs = value[heir, :until]
        here = lifetime(grid, gone)[:until, None]
        joint = np.where(here, value[gone, :until] + theirs, theirs)
        _derive_ratios(joint, here[:, 0], catalog, grid.indicators)
        _note_merger(grid, catalog, book, gone, heir, until, joint, held)
        value[heir, :until] = joint
    keep = [b for b in (*catalog.reporting, catalog.total) if b in grid.units]
    index = pd.MultiIndex.from_product([keep, grid.months], names=["branch", "month"])
    data = value[[grid.units.index(b) for b in keep]].reshape(-1, len(grid.indicators))
    return pd.DataFrame(data, index=index, columns=grid.indicators), np.sort(grid.cell[held])


def lifetime(grid: Grid, unit: int) -> np.ndarray:
    """Return the months from a unit's first printed row to its last: in a month without a file it existed, too."""
    there = grid.present[unit]
    return np.logical_or.accumulate(there) & np.logical_or.accumulate(there[::-1])[::-1]


def _derive_ratios(joint: np.ndarray, here: np.ndarray, catalog: Catalog, keys: list[str]) -> None:
    for n, key in enumerate(keys):
        ind = catalog.indicators[key]
        if ind.kind != "ratio":
            continue
        joint[here, n] = np.nan
        if ind.numerator is not None:
            joint[here, n] = catalog.derive(pd.DataFrame(joint, columns=keys), key)[here]


def _note_merger(grid, catalog: Catalog, book: Book, gone: int, heir: int, until: int, joint, held) -> None:
    b = catalog.branches[grid.units[gone]]
    detail = {"name": in_both(b), "heir": in_both(catalog.branches[b.merged_into])}
    for unit in (gone, heir):
        cell = grid.cell[unit, :until]
        here = (cell >= 0) & lifetime(grid, gone)[:until, None]
        lost, kept = here & np.isnan(joint), here & ~np.isnan(joint)
        if unit == gone:
            book.add(cell[kept], "parsed", "merger", grid.value[unit, :until][kept], joint[kept], detail)
        book.add(cell[lost], "rejected", "merger_part", grid.value[unit, :until][lost], detail=detail)
        held[unit, :until] &= ~lost


def check_conservation(cells: pd.DataFrame, entries: pd.DataFrame, in_panel: np.ndarray) -> pd.DataFrame:
    """Return ``cells, in_panel, rejected`` and check that the first is the sum of the others, cell by cell."""
    at = entries["cell"].to_numpy()
    rejected = np.unique(at[(at >= 0) & (entries["decision"] == "rejected").to_numpy()])
    every = np.arange(len(cells))
    for what, which in (("in the panel and rejected", np.intersect1d(rejected, in_panel)),
                        ("in neither the panel nor the rejected", np.setdiff1d(every, np.union1d(rejected, in_panel))),
                        ("without a decision", np.setdiff1d(every, at))):
        if len(which):
            c = cells.iloc[which[0]]
            raise ConservationError(f"{len(which)} cells {what}; the first: {c['file']} {c['sheet']} "
                                    f"row {c['row']} column {c['column']}")
    return pd.DataFrame({"cells": [len(cells)], "in_panel": [len(in_panel)], "rejected": [len(rejected)]})


def check_origins(grid: Grid, entries: pd.DataFrame) -> None:
    """Check that every number without a cell has a row of the ledger that says how it was filled."""
    orphans = int((~np.isnan(grid.value) & (grid.cell < 0)).sum())
    filled = entries.loc[entries["decision"] == "filled", "cell"].to_numpy()
    explained = len(filled) - int(np.isin(filled[filled >= 0], grid.cell[grid.cell >= 0]).sum())
    if orphans != explained:
        raise ConservationError(f"{orphans} numbers without a cell, {explained} of them explained")


def total_frame(panel: pd.DataFrame, catalog: Catalog) -> pd.DataFrame:
    """Return all branches of a panel together, see :meth:`~ebank_lib.cleaning.Cleaned.total`."""
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
            sums[key] = catalog.derive(sums, key)
    return sums


def trusted_panel(cleaned) -> pd.DataFrame:
    """Return the panel without the numbers that cleaning doubts; the panel itself of what was not cleaned here."""
    return getattr(cleaned, "trusted", cleaned.panel)


def reporting(catalog: Catalog, panel: pd.DataFrame) -> list[str]:
    """Return the branches that report today and are in the panel."""
    present = set(panel.index.get_level_values("branch"))
    return [b for b in catalog.reporting if b in present]


def as_month(month, known: pd.PeriodIndex) -> pd.Period | None:
    """Return a month as a period, or None for None; an error if it is none of the months that exist."""
    if month is None:
        return None
    found = as_period(month)
    if found is None or found not in known:
        raise UnknownNameError("month", month, [str(known[0]), "…", str(known[-1])])
    return found
