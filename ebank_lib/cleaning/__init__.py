"""Cells to panel and ledger: nothing changes without a row that says so.

The road: :mod:`parsing` (what a cell says), :mod:`assembling` (names, units, revisions), :mod:`checks` (what the
numbers prove about each other), :mod:`repairs` (what a policy does about it), :mod:`paneling` (branches, conservation).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..errors import SourceError, UnknownNameError
from ..sources import Source, open_source
from .assembling import assemble
from .checks import examine
from .ledger import Book, ConservationError
from .paneling import build_panel, check_conservation, check_origins
from .parsing import Reading, read_number
from .repairs import POLICIES, repair
from .result import Cleaned, as_month

__all__ = ["POLICIES", "Cleaned", "ConservationError", "Reading", "clean", "read_number"]


def clean(source: Source | str | Path, policy: str = "conservative", start=None, end=None,
          cells: pd.DataFrame | None = None) -> Cleaned:
    """Read a source and clean it.

    Parameters
    ----------
    source : Source, str or path
        An opened source, or where its ``sources.yaml`` is.
    policy : {"conservative", "none", "interpolate"}
        ``none`` changes nothing. ``conservative`` corrects and fills only what an identity proves to the printed digit,
        or a power of ten that both neighbours support. ``interpolate`` also fills the gaps inside a series and replaces
        flagged spikes. Everything suspicious is flagged under every policy.
    start, end : month, optional
        Only cells of these months are used, as evidence too: what comes later cannot leak into the past.
    cells : DataFrame, optional
        Instead of ``source.cells()``.

    Returns
    -------
    Cleaned

    Raises
    ------
    UnknownNameError
        An unknown policy or month.
    SourceError
        The source prints no cell in these months, or the end lies before the start.
    """
    if policy not in POLICIES:
        raise UnknownNameError("policy", policy, POLICIES)
    source = open_source(source) if isinstance(source, (str, Path)) else source
    cells = _between(source.cells() if cells is None else cells, start, end)
    catalog, book = source.catalog, Book()
    grid, names = assemble(cells, catalog, book)
    for n in (~grid.present.any(axis=0)).nonzero()[0]:
        book.add_loose("", grid.months[n], "", "flagged", "missing_month")
    repaired = repair(grid, catalog, examine(grid, catalog), policy, book)
    panel, in_panel = build_panel(repaired, catalog, book)
    entries = book.entries(cells, names)
    check_origins(repaired, entries)
    conservation = check_conservation(cells, entries, in_panel)
    return Cleaned(source, catalog, panel, entries, cells, policy, conservation)


def _between(cells: pd.DataFrame, start, end) -> pd.DataFrame:
    if cells.empty:
        raise SourceError("prints no cell", expected="at least one branch, month and indicator")
    if start is None and end is None:
        return cells.reset_index(drop=True)
    month = pd.PeriodIndex(cells["month"])
    known = pd.period_range(month.min(), month.max(), freq="M")
    first, last = as_month(start, known) or known[0], as_month(end, known) or known[-1]
    if first > last:
        raise SourceError("the end lies before the start", found=f"{first} to {last}",
                          expected="a start no later than the end")
    return cells[(month >= first) & (month <= last)].reset_index(drop=True)
