"""Cells to panel and ledger: nothing changes without a row that says so.

The road: :mod:`parsing` (what a cell says), :mod:`assembling` (names, units, revisions), :mod:`checks` (what the
numbers prove about each other), :mod:`repairs` (what a policy does about it), :mod:`paneling` (branches, conservation).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .. import reads
from ..errors import SourceError, UnknownNameError
from ..sources import Source, open_source
from .assembling import assemble
from .checks import examine
from .counting import count
from .kept import Kept, Later, key_of, place_for
from .ledger import Book, ConservationError
from .paneling import build_panel, check_conservation, check_origins
from .parsing import Reading, read_number
from .repairs import POLICIES, repair
from .result import Cleaned, as_month, fingerprints

__all__ = ["POLICIES", "Cleaned", "ConservationError", "Reading", "clean", "fingerprints", "read_number"]

_CONSERVED = ("cells", "in_panel", "rejected")


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
    how = (policy, *(None if month is None else str(month) for month in (start, end)))
    if cells is None and hasattr(source, "path"):
        reads.note("about", str(source.path), how)
    place = place_for(source) if cells is None else None
    if place is None:
        return _cleaned(source, policy, start, end, cells, None if cells is not None else how)
    key, again = key_of(source, *how), _Again(source, *how)
    found = Kept.found(place, key, again)
    return again.keep(place, key) if found is None else _from(found, source, policy, how)


def _cleaned(source, policy: str, start, end, cells: pd.DataFrame | None, how: tuple | None) -> Cleaned:
    if cells is None:
        cells = source.table("cells") if isinstance(source, Source) else source.cells()
    cells = _between(cells, start, end)
    catalog, book = source.catalog, Book()
    grid, names = assemble(cells, catalog, book)
    for n in (~grid.present.any(axis=0)).nonzero()[0]:
        book.add_loose("", grid.months[n], "", "flagged", "missing_month")
    repaired = repair(grid, catalog, examine(grid, catalog), policy, book)
    panel, in_panel = build_panel(repaired, catalog, book)
    entries = book.entries(cells, names)
    check_origins(repaired, entries)
    conservation = check_conservation(cells, entries, in_panel)
    return Cleaned(source, catalog, panel, entries, cells, policy, conservation, how)


@dataclass(frozen=True)
class _Again:
    """Clean a source and keep the result."""

    source: Source
    policy: str
    start: str | None
    end: str | None

    def __call__(self) -> Cleaned:
        how = (self.policy, self.start, self.end)
        return self.keep(place_for(self.source), key_of(self.source, *how))

    def keep(self, place, key: str) -> Cleaned:
        made = _cleaned(self.source, self.policy, self.start, self.end, None, (self.policy, self.start, self.end))
        tables = [made.__dict__[slot] for slot in ("_panel", "_entries")]
        counts = count(*reversed(tables), made.catalog)
        Kept.keep(place, key, *tables, made.catalog, {
            "counts": counts, "fingerprints": fingerprints(made),
            "conservation": {name: int(made.conservation[name].iloc[0]) for name in _CONSERVED}})
        return made

    def cells(self) -> pd.DataFrame:
        return _between(self.source.table("cells"), self.start, self.end)


def _from(kept: Kept, source: Source, policy: str, how: tuple) -> Cleaned:
    """Return a cleaned source whose tables are loaded from the store when they are asked for."""
    conservation = pd.DataFrame({name: [kept.record["conservation"][name]] for name in _CONSERVED})
    out = Cleaned(source, source.catalog, Later(kept.panel), Later(kept.entries), Later(kept.again.cells), policy,
                  conservation, how)
    object.__setattr__(out, "_kept", kept)
    return out


def _between(cells: pd.DataFrame, start, end) -> pd.DataFrame:
    if cells.empty:
        raise SourceError("prints no cell", expected="at least one branch, month and indicator")
    if start is None and end is None:
        return cells.reset_index(drop=True)      # a copy: what is handed on may be changed
    month = pd.PeriodIndex(cells["month"])
    known = pd.period_range(month.min(), month.max(), freq="M")
    first, last = as_month(start, known) or known[0], as_month(end, known) or known[-1]
    if first > last:
        raise SourceError("the end lies before the start", found=f"{first} to {last}",
                          expected="a start no later than the end")
    return cells[(month >= first) & (month <= last)].reset_index(drop=True)
