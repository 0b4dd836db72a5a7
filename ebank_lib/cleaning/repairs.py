"""What a policy does about what was found: the only place where a number is changed.

========================  ====================  =======================  =========================
what was found            ``none``              ``conservative``         ``interpolate``
========================  ====================  =======================  =========================
proven wrong              flagged               corrected                corrected
suspicious                flagged               flagged                  flagged; spikes replaced
unknown, but proven       stays unknown         filled (from identity)   filled
unknown                   stays unknown         stays unknown            filled between neighbours
========================  ====================  =======================  =========================

Proven: an identity is restored to the printed digit, or a power of ten fits both neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..catalog import Catalog
from .assembling import Grid
from .ledger import Book

__all__ = ["POLICIES", "Finding", "repair"]

POLICIES = ("conservative", "none", "interpolate")
_REPLACED = ("spike", "stale_repeat", "decimal_slip", "sum_mismatch", "change_mismatch", "ratio_mismatch")


@dataclass(frozen=True)
class Finding:
    """One thing found about one place of the grid: ``action`` is correct, flag or fill; ``value`` what it should be."""

    place: int
    rule: str
    action: str
    value: float = np.nan
    detail: dict = field(default_factory=dict)


def repair(grid: Grid, catalog: Catalog, findings: list[Finding], policy: str, book: Book) -> Grid:
    """Return the repaired grid; every finding becomes a row of the ledger under every policy."""
    value, cell, hole = grid.value.copy(), grid.cell.ravel(), grid.hole.ravel()
    flat = value.ravel()
    corrected = {f.place: f.value for f in findings if f.action == "correct"}
    suspects = set()
    for f in findings:
        printed = grid.value.flat[f.place]
        if f.action == "fill":
            if policy != "none":
                flat[f.place] = f.value
                _note(grid, book, f.place, hole, "filled", f.rule, f.value, f.detail)
            continue
        change = f.place in corrected and policy != "none"
        after = corrected[f.place] if change else printed
        flat[f.place] = after
        book.add(cell[f.place], "corrected" if change else "flagged", f.rule, printed, after, f.detail or None)
        if not change and f.rule in _REPLACED:
            suspects.add(f.place)
    if policy == "interpolate":
        _interpolate(grid, flat, sorted(suspects), hole, book)
    return replace(grid, value=value)


def _note(grid: Grid, book: Book, place: int, at: np.ndarray, decision: str, rule: str, value: float, detail) -> None:
    """Write on the cell that stands there without a number, or on the place itself where no cell was printed."""
    if at[place] >= 0:
        book.add(at[place], decision, rule, np.nan, value, detail or None)
        return
    unit, month, key = np.unravel_index(place, grid.value.shape)
    book.add_loose(grid.units[unit], grid.months[month], grid.indicators[key], decision, rule, value, detail or None)


def _interpolate(grid: Grid, flat: np.ndarray, suspects: list[int], hole: np.ndarray, book: Book) -> None:
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
                _note(grid, book, place, hole, "filled", "interpolated", v, None)
            else:
                book.add(grid.cell.flat[place], "filled", "interpolated", printed[place], v)
    lost = [p for p in suspects if np.isnan(flat[p])]  # at an end of its series: nothing to lean on, it stays
    flat[lost] = printed[lost]
