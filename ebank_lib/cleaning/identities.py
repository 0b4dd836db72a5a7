"""Everything the numbers must obey, as one system of equations over the grid.

Each equation says ``N / D = R`` with ``N`` and ``D`` sums of cells and ``R`` a cell; for sums and changes ``D`` is 1
and ``R`` is 0. One form for all, so that every question (does it hold within the printed digits, what would one cell
have to be for it to hold) is asked of all equations at once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from ..catalog import Catalog
from .assembling import Grid
from .panel import lifetime, mergers

RULES = ("sum_mismatch", "change_mismatch", "ratio_mismatch", "total_mismatch", "within_mismatch")
_SUM, _CHANGE, _RATIO, _TOTAL, _WITHIN = range(5)
_HOLDS = 0.5      # an equation that holds less often than this is not obeyed here and proves nothing
_EXACT = 0.8
_ENOUGH = 6


@dataclass
class System:
    """Equations over the flat grid: entries ``equation, cell, n, d, r`` in the order of the equations, of each of which
    there are a `rule` and a `family`; `cells` is the size of the grid."""

    rule: np.ndarray
    family: np.ndarray
    equation: np.ndarray
    cell: np.ndarray
    n: np.ndarray
    d: np.ndarray
    r: np.ndarray
    cells: int

    def __post_init__(self):
        self.used = np.ones(self.size, bool)        # equations that are obeyed here
        self.start = np.searchsorted(self.equation, np.arange(self.size + 1))
        # The numbers of the entries: a row an equation, and a row a cell.
        self.by_equation = csr_array((np.arange(len(self.cell)), self.cell, self.start), (self.size, self.cells))
        self.by_cell = self.by_equation.T.tocsr()

    @property
    def size(self) -> int:
        return len(self.rule)

    @property
    def is_within(self) -> np.ndarray:
        return self.rule == _WITHIN

    @property
    def is_change(self) -> np.ndarray:
        return self.rule == _CHANGE

    @property
    def is_linear(self) -> np.ndarray:
        """Equations between printed numbers without a quotient, which can hold to the last digit."""
        return np.isin(self.rule, (_SUM, _CHANGE, _TOTAL))

    @property
    def in_branch(self) -> np.ndarray:
        return np.isin(self.rule, (_SUM, _CHANGE))

    def sums(self, x: np.ndarray, half: np.ndarray, equations: np.ndarray | None = None) -> Sums:
        """Return N, D, R of every equation (or of some), its rounding, and how many of its cells are unknown."""
        rows = self.by_equation if equations is None else self.by_equation[equations]
        entries, rule = rows.data, self.rule if equations is None else self.rule[equations]
        cell, n, d, r = self.cell[entries], self.n[entries], self.d[entries], self.r[entries]
        v, h = x[cell], half[cell]
        gone = np.isnan(v)
        v = np.where(gone, 0.0, v)

        def total(w):
            return np.add.reduceat(w, rows.indptr[:-1])

        linear = (rule != _RATIO).astype(float)
        return Sums(total(n * v), linear + total(d * v), total(r * v), total(np.abs(n) * h), total(np.abs(d) * h),
                    total(r * h), total(np.abs(n * v)), total(gone.astype(float)))

    def entries_of(self, equations: np.ndarray) -> np.ndarray:
        """Return the positions of the entries of some equations."""
        return self.by_equation[equations].data

    def around(self, cells: np.ndarray) -> np.ndarray:
        """Return the equations, in order, in which any of some cells stands."""
        return np.unique(self.equation[self.touching(cells)[1]])

    def touching(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return for some cells the pairs (position in `cells`, entry) of all their equations."""
        rows = self.by_cell[cells]
        return np.repeat(np.arange(len(cells)), np.diff(rows.indptr)), rows.data

    def containing(self, cells: np.ndarray) -> np.ndarray:
        """Return for every equation whether any of the cells marked in `cells` stands in it."""
        return np.bincount(self.equation[cells[self.cell]], minlength=self.size) > 0

    def standing_in(self, equations: np.ndarray) -> np.ndarray:
        """Return for every cell whether it stands in any of the equations marked in `equations`."""
        found = np.zeros(self.cells, bool)
        found[self.cell[equations[self.equation]]] = True
        return found

    def made_of(self, cells: np.ndarray) -> np.ndarray:
        """Return for every equation whether all its cells are marked in `cells`."""
        return np.logical_and.reduceat(cells[self.cell], self.start[:-1])


@dataclass
class Sums:
    """N, D and R of equations, the rounding of each (``hn, hd, hr``), the size of what N adds up, unknown cells."""

    n: np.ndarray
    d: np.ndarray
    r: np.ndarray
    hn: np.ndarray
    hd: np.ndarray
    hr: np.ndarray
    size: np.ndarray
    unknown: np.ndarray | None = None

    def holds(self, within: np.ndarray) -> np.ndarray:
        """Whether ``N / D = R`` (or ``<=``, where `within`) holds within the rounding of the printed digits (unknown
        cells count as zero)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            quotient, below, r = self.n / self.d, np.abs(self.d), np.abs(self.r)
            gap = np.where(within, np.maximum(quotient, 0), quotient - self.r)
            return np.abs(gap) <= (self.hn + r * self.hd) / below + self.hr + 1e-9 * (self.size / below + r)


def build_system(grid: Grid, catalog: Catalog) -> System:
    """Return every equation that the catalogue states, for every branch and month that prints its cells.

    A branch into which another merged obeys its identities as one with it; each of the two may obey them alone, too:
    the numbers decide (:func:`learn`).
    """
    flat = np.arange(grid.size).reshape(grid.value.shape)
    at = {key: flat[:, :, n] for n, key in enumerate(grid.indicators)}
    groups = _groups(grid, catalog)
    rules, sizes, entries = [], [], [np.empty((0, 5))]

    def add(rule: int, terms: list[tuple], needed: int = 1) -> None:
        """Add one equation a month of terms: cells of the months or -1, their weights in N, in D and in R. Leave out
        the months in which the first (`needed`) cells are not there."""
        keep = np.logical_and.reduce([cells >= 0 for cells, *_ in terms[:needed]])
        begin = sum(sizes)
        for cells, *weights in terms:
            known = np.flatnonzero(cells[keep] >= 0)
            entries.append(np.column_stack([begin + known, cells[keep][known], np.tile(weights, (len(known), 1))]))
        rules.append(rule)
        sizes.append(int(keep.sum()))

    for identity in catalog.identities:
        for group in groups:
            there = {key: [np.where(months, at[key][unit], -1) for unit, months in group]
                     for key in (identity.total, *identity.parts)}
            if identity.kind == "change":
                terms = []      # stock(t) - stock(t-1) = new(t), where both months belong to the group
                for n, stock in enumerate(there[identity.total]):
                    terms += [(stock[1:], -1.0, 0, 0), (stock[:-1], 1.0, 0, 0)]
                    terms += [(there[part][n][1:], 1.0, 0, 0) for part in identity.parts]
                add(_CHANGE, terms, needed=2)
            elif identity.kind == "sum" or len(group) == 1:
                weight = Counter({identity.total: -1})
                weight.update(identity.parts)
                add(_SUM if identity.kind == "sum" else _WITHIN,
                    [(cells, w, 0, 0) for key, w in weight.items() for cells in there[key]])
    for key, ind in catalog.indicators.items():
        if ind.numerator is None:
            continue
        weights = {key: (0, 0, 1)} | {part: (part == ind.numerator, ind.denominators.count(part), 0)
                                      for part in (ind.numerator, *ind.denominators)}
        for (unit, months), *others in groups:
            if not others:
                add(_RATIO, [(np.where(months, at[k][unit], -1), *w) for k, w in weights.items()])
    if catalog.total in grid.units:
        total = grid.units.index(catalog.total)
        for n, (key, ind) in enumerate(catalog.indicators.items()):
            if ind.kind != "ratio":
                asked = grid.present[total] & ~grid.partial[:, n]
                # A row that is not printed may be a branch that does not exist yet: it is not asked for.
                add(_TOTAL, [(np.where(asked, at[key][total], -1), -1.0, 0, 0), *(
                    (np.where(grid.present[u], at[key][u], -1), 1.0, 0, 0)
                    for u in range(len(grid.units)) if u != total)])
    rows = np.concatenate(entries)
    equation, cell, n, d, r = np.ascontiguousarray(rows[np.argsort(rows[:, 0], kind="stable")].T)
    return System(np.repeat(np.array(rules, np.int64), sizes), np.repeat(np.arange(len(sizes)), sizes),
                  equation.astype(np.int64), cell.astype(np.int64), n, d, r, grid.size)


def _groups(grid: Grid, catalog: Catalog) -> list[list[tuple[int, np.ndarray]]]:
    """Return what obeys an identity: lists of (unit, months it counts in), months from its first row to its last."""
    month = np.arange(len(grid.months))
    mask = [lifetime(grid, unit) for unit in range(len(grid.units))]
    groups = [[(u, m)] for u, m in enumerate(mask)]
    for gone, heir, until in mergers(grid, catalog):
        groups[gone] = [(gone, mask[gone] & (month < until))]
        groups[heir] = [(heir, mask[heir] & (month < until))]
        groups.append([(heir, mask[heir]), *groups[gone]])
    return groups


def learn(system: System, grid: Grid) -> np.ndarray:
    """Decide which families of equations are obeyed here, and return the half digits that they leave room for.

    A family (one identity of one branch) that holds in fewer than half of its months proves nothing and is put aside.
    Where the equations of an indicator hold to the last digit, its numbers are exact, not rounded: a count is a count.
    """
    x, half = grid.value.ravel(), grid.half.ravel().copy()
    sums = system.sums(x, half)
    asked = sums.unknown == 0
    good = sums.holds(system.is_within)
    total = np.bincount(system.family[asked], minlength=system.family.max(initial=-1) + 1)
    kept = np.bincount(system.family[asked & good], minlength=len(total))
    obeyed = np.where(total < _ENOUGH, kept == total, kept >= _HOLDS * total)
    system.used = obeyed[system.family]

    seen = grid.cell >= 0
    finest = np.full(len(grid.indicators), np.inf)
    for i in range(len(finest)):
        if seen[:, :, i].any():
            values, counts = np.unique(grid.half[:, :, i][seen[:, :, i]], return_counts=True)
            finest[i] = values[counts >= 0.05 * counts.sum()].min()
    indicator = np.arange(grid.size) % max(len(finest), 1)
    fine = half <= finest[indicator] * 1.000001
    linear = system.is_linear & asked & system.used & good
    exact = np.abs(sums.n) <= 1e-9 * np.maximum(sums.size, 1e-300)
    test = (linear & system.made_of(fine))[system.equation]
    member = indicator[system.cell]
    asked_of = np.bincount(member[test], minlength=len(finest))
    exact_of = np.bincount(member[test & exact[system.equation]], minlength=len(finest))
    is_exact = (asked_of >= _ENOUGH) & (exact_of >= _EXACT * asked_of)
    half[is_exact[indicator] & fine] = 0.0
    return half
