"""Everything the numbers must obey, as one system of equations over the grid.

Each equation says ``N / D = R`` with ``N`` and ``D`` sums of cells and ``R`` a cell; for sums and changes ``D`` is 1
and ``R`` is 0. One form for all, so that every question (does it hold within the printed digits, what would one cell
have to be for it to hold) is asked of all equations at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...catalog import Catalog
from ..assembling import Grid
from ..paneling import mergers

__all__ = ["System", "build_system"]

RULES = ("sum_mismatch", "change_mismatch", "ratio_mismatch", "total_mismatch", "within_mismatch")
_HOLDS = 0.5      # an equation that holds less often than this is not obeyed here and proves nothing
_EXACT = 0.8
_ENOUGH = 6


@dataclass
class _Builder:
    cell: list = field(default_factory=list)
    n: list = field(default_factory=list)
    d: list = field(default_factory=list)
    r: list = field(default_factory=list)
    equation: list = field(default_factory=list)
    rule: list = field(default_factory=list)
    family: list = field(default_factory=list)
    size: int = 0

    def add(self, rule: int, family: int, terms: list[tuple]) -> None:
        """Add one equation a month: `terms` are ``(cells of the months, in N, in D, is R)``, all of one length; a cell
        of -1 is left out."""
        count = len(terms[0][0])
        ids = self.size + np.arange(count)
        for cells, n, d, r in terms:
            there = cells >= 0
            self.cell.append(cells[there])
            self.equation.append(ids[there])
            for out, value in ((self.n, n), (self.d, d), (self.r, r)):
                out.append(np.full(int(there.sum()), float(value)))
        self.rule.append(np.full(count, rule))
        self.family.append(np.full(count, family))
        self.size += count


@dataclass
class System:
    """Equations over the flat grid: entries ``cell, n, d, r`` grouped by equation (``start``), and by cell
    (``by_cell``, ``cell_start``)."""

    rule: np.ndarray
    family: np.ndarray
    start: np.ndarray
    equation: np.ndarray
    cell: np.ndarray
    n: np.ndarray
    d: np.ndarray
    r: np.ndarray
    by_cell: np.ndarray
    cell_start: np.ndarray
    used: np.ndarray      # equations that are obeyed here

    @property
    def size(self) -> int:
        return len(self.rule)

    @property
    def is_within(self) -> np.ndarray:
        return self.rule == 4

    def sums(self, x: np.ndarray, half: np.ndarray, equations: np.ndarray | None = None) -> Sums:
        """Return N, D, R of every equation (or of some), its rounding, and how many of its cells are unknown."""
        if equations is None:
            entries, start, rule = slice(None), self.start, self.rule
        else:
            entries, rule = self.entries_of(equations), self.rule[equations]
            start = np.searchsorted(self.equation[entries], equations)
        cell, n, d, r = self.cell[entries], self.n[entries], self.d[entries], self.r[entries]
        v, h = x[cell], half[cell]
        gone = np.isnan(v)
        v = np.where(gone, 0.0, v)

        def total(w):
            return np.add.reduceat(w, start) if len(start) else np.empty(0)

        linear = (rule != 2).astype(float)
        return Sums(total(n * v), linear + total(d * v), total(r * v), total(np.abs(n) * h), total(np.abs(d) * h),
                    total(r * h), total(np.abs(n * v)), total(gone.astype(float)))

    def entries_of(self, equations: np.ndarray) -> np.ndarray:
        """Return the positions of the entries of some equations."""
        return _ranges(self.start[equations], np.r_[self.start[1:], len(self.cell)][equations])

    def around(self, cells: np.ndarray) -> np.ndarray:
        """Return the equations, in order, in which any of some cells stands."""
        return np.unique(self.equation[self.touching(cells)[1]])

    def touching(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return for some cells the pairs (position in `cells`, entry) of all their equations."""
        low, high = self.cell_start[cells], self.cell_start[cells + 1]
        return np.repeat(np.arange(len(cells)), high - low), self.by_cell[_ranges(low, high)]


@dataclass
class Sums:
    n: np.ndarray
    d: np.ndarray
    r: np.ndarray
    hn: np.ndarray
    hd: np.ndarray
    hr: np.ndarray
    size: np.ndarray
    unknown: np.ndarray

    def holds(self, within: np.ndarray) -> np.ndarray:
        """Whether each equation holds within the rounding of the printed digits (unknown cells count as zero)."""
        return holds(self.n, self.d, self.r, self.hn, self.hd, self.hr, self.size, within)


def holds(n, d, r, hn, hd, hr, size, within):
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.where(within, np.maximum(n / d, 0), n / d - r)
        room = (hn + np.abs(r) * hd) / np.abs(d) + hr + 1e-9 * (size / np.abs(d) + np.abs(r))
        return np.abs(gap) <= room


def _ranges(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the numbers low[0]..high[0]-1, low[1]..high[1]-1, ... in one array."""
    size = high - low
    if not size.sum():
        return np.empty(0, np.int64)
    first = np.repeat(low - np.r_[0, np.cumsum(size)[:-1]], size)
    return first + np.arange(size.sum())


def build_system(grid: Grid, catalog: Catalog) -> System:
    """Return every equation that the catalogue states, for every branch and month that prints its cells.

    A branch into which another merged obeys its identities as one with it; each of the two may obey them alone, too:
    the numbers decide (:func:`learn`).
    """
    b = _Builder()
    where = _Where(grid)
    groups = _groups(grid, catalog)
    for identity in catalog.identities:
        coefficient = {identity.total: -1.0}
        for part in identity.parts:
            coefficient[part] = coefficient.get(part, 0.0) + 1.0
        rule = {"sum": 0, "change": 1, "within": 4}[identity.kind]
        for group in groups:
            if identity.kind == "change":
                _change(b, where, group, identity)
            elif identity.kind != "within" or len(group) == 1:
                terms = [(np.where(mask, where.at(u, key), -1), c, 0, 0)
                         for key, c in coefficient.items() for u, mask in group]
                _add(b, rule, terms)
    for key, ind in catalog.indicators.items():
        if ind.numerator is not None:
            for group in groups:
                if len(group) == 1:
                    _ratio(b, where, group[0], key, ind)
    _totals(b, where, grid, catalog)
    return _finish(b, grid)


class _Where:
    """Flat positions of a unit's cells of one indicator, a month each."""

    def __init__(self, grid: Grid):
        self.shape = grid.value.shape
        self.keys = {k: n for n, k in enumerate(grid.indicators)}

    def at(self, unit: int, key: str) -> np.ndarray:
        months = np.arange(self.shape[1])
        return (unit * self.shape[1] + months) * self.shape[2] + self.keys[key]


def _groups(grid: Grid, catalog: Catalog) -> list[list[tuple[int, np.ndarray]]]:
    """Return what obeys an identity: lists of (unit, months it counts in), months from its first row to its last."""
    month = np.arange(len(grid.months))
    mask = {u: (month >= p.argmax()) & (month <= len(p) - 1 - p[::-1].argmax())
            for u, p in enumerate(grid.present)}
    groups = [[(u, m)] for u, m in mask.items()]
    for gone, heir, until in mergers(grid, catalog):
        groups[gone] = [(gone, mask[gone] & (month < until))]
        if heir >= 0:
            groups[heir] = [(heir, mask[heir] & (month < until))]
            groups.append([(heir, mask[heir]), (gone, mask[gone] & (month < until))])
    return groups


def _add(b: _Builder, rule: int, terms: list[tuple]) -> None:
    """Add a family of equations, leaving out the months in which its first cell is not there."""
    keep = terms[0][0] >= 0
    if keep.any():
        b.add(rule, b.size, [(cells[keep], n, d, r) for cells, n, d, r in terms])


def _change(b: _Builder, where: _Where, group, identity) -> None:
    """stock(t) - stock(t-1) = new(t), where both months belong to the group."""
    terms = []
    for unit, mask in group:
        stock = np.where(mask, where.at(unit, identity.total), -1)
        terms.append((np.where(mask, stock, -1)[1:], -1.0, 0, 0))
        terms.append((stock[:-1], 1.0, 0, 0))
        for part in identity.parts:
            terms.append((np.where(mask, where.at(unit, part), -1)[1:], 1.0, 0, 0))
    keep = (terms[0][0] >= 0) & (terms[1][0] >= 0)
    if keep.any():
        b.add(1, b.size, [(cells[keep], n, d, r) for cells, n, d, r in terms])


def _ratio(b: _Builder, where: _Where, member, key: str, ind) -> None:
    unit, mask = member
    terms = [(np.where(mask, where.at(unit, key), -1), 0, 0, 1)]
    for name in dict.fromkeys([ind.numerator, *ind.denominators]):
        terms.append((np.where(mask, where.at(unit, name), -1), float(name == ind.numerator),
                      float(ind.denominators.count(name)), 0))
    _add(b, 2, terms)


def _totals(b: _Builder, where: _Where, grid: Grid, catalog: Catalog) -> None:
    """The printed total is the sum of the branches' rows."""
    if catalog.total not in grid.units:
        return
    total = grid.units.index(catalog.total)
    for key, ind in catalog.indicators.items():
        if ind.kind != "ratio":
            asked = grid.present[total] & ~grid.partial[:, grid.indicators.index(key)]
            terms = [(np.where(asked, where.at(total, key), -1), -1.0, 0, 0)]
            for u in range(len(grid.units)):
                # A row that is not printed may be a branch that does not exist yet: it is not asked for.
                if u != total:
                    terms.append((np.where(grid.present[u], where.at(u, key), -1), 1.0, 0, 0))
            _add(b, 3, terms)


def _finish(b: _Builder, grid: Grid) -> System:
    def joined(parts, kind):
        return np.concatenate(parts).astype(kind) if parts else np.empty(0, kind)

    equation, cell = joined(b.equation, np.int64), joined(b.cell, np.int64)
    order = np.argsort(equation, kind="stable")
    equation, cell = equation[order], cell[order]
    start = np.searchsorted(equation, np.arange(b.size))
    by_cell = np.argsort(cell, kind="stable")
    cell_start = np.searchsorted(cell[by_cell], np.arange(grid.size + 1))
    n, d, r = (joined(part, float)[order] for part in (b.n, b.d, b.r))
    return System(joined(b.rule, np.int64), joined(b.family, np.int64), start, equation, cell, n, d, r, by_cell,
                  cell_start, np.ones(b.size, bool))


def learn(system: System, grid: Grid) -> np.ndarray:
    """Decide which families of equations are obeyed here, and return the half digits that they leave room for.

    A family (one identity of one branch) that holds in fewer than half of its months proves nothing and is put aside.
    Where the equations of an indicator hold to the last digit, its numbers are exact, not rounded: a count is a count.
    """
    x, half = grid.value.ravel(), grid.half.ravel().copy()
    sums = system.sums(x, half)
    asked = sums.unknown == 0
    good = sums.holds(system.is_within)
    families, code = np.unique(system.family, return_inverse=True)
    total = np.bincount(code[asked], minlength=len(families))
    kept = np.bincount(code[asked & good], minlength=len(families))
    obeyed = (total < _ENOUGH) | (kept >= _HOLDS * total)
    system.used = obeyed[code] & ~((total[code] < _ENOUGH) & (kept[code] < total[code]))

    finest = np.full(grid.value.shape[2], np.inf)
    seen = grid.cell >= 0
    for i in range(len(finest)):
        if seen[:, :, i].any():
            values, counts = np.unique(grid.half[:, :, i][seen[:, :, i]], return_counts=True)
            finest[i] = values[counts >= 0.05 * counts.sum()].min()
    indicator = np.tile(np.arange(len(finest)), grid.size // max(len(finest), 1))
    fine = half <= finest[indicator] * 1.000001
    linear = np.isin(system.rule, (0, 1, 3)) & asked & system.used & good
    all_fine = np.logical_and.reduceat(fine[system.cell], system.start) if system.size else np.empty(0, bool)
    exact = np.abs(sums.n) <= 1e-9 * np.maximum(sums.size, 1e-300)
    test = (linear & all_fine)[system.equation]
    member = indicator[system.cell]
    asked_of = np.bincount(member[test], minlength=len(finest))
    exact_of = np.bincount(member[test & exact[system.equation]], minlength=len(finest))
    is_exact = (asked_of >= _ENOUGH) & (exact_of >= _EXACT * asked_of)
    half[is_exact[indicator] & fine] = 0.0
    return half
