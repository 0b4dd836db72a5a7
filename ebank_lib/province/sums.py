"""What adds up to what: branches to the province, channels and product lines to their totals, and both at once; what a
branch had, completed for its sums; and tables whose rounded figures add up to the last unit.

Stocks and flows add over branches; a ratio of the province is the ratio of the sums and has no place here. Rounding
each figure by itself leaves totals that miss by a unit or two. Controlled rounding (Cox & Ernst 1982) moves every
figure and every margin to one of its two neighbours, so that all sums hold, and moves them least in sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

from ..catalog import Catalog, Indicator
from ..errors import ConfigError, SeriesError
from ..wording import language, t

LEVELS = ("province", "province_part", "branch", "branch_part")
TENTH = 0.001       # shares and contributions are written in tenths of a per cent or point
_NEAR = 1e-9        # of the largest figure: nearer to a unit than this is on it


@dataclass(frozen=True)
class Hierarchy:
    """Nodes (branch, indicator), the ``u`` sums first, then the ``m`` bottom nodes; and how they add up.

    ``S`` (u + m, m) holds 0 or 1: which bottom nodes each node is the sum of; its last rows are the identity.
    ``level`` of each node is one of :data:`LEVELS`, without ``part`` where the indicator is no sum of others; ``total``
    is the province's id.
    """

    nodes: pd.MultiIndex
    S: np.ndarray = field(repr=False)
    level: tuple[str, ...] = field(repr=False)
    total: str

    @property
    def bottom(self) -> pd.MultiIndex:
        """The nodes that are sums of nothing, in the order of the columns of ``S``."""
        return self.nodes[-self.S.shape[1]:]

    @property
    def upper(self) -> pd.MultiIndex:
        """The nodes that are sums."""
        return self.nodes[: len(self.nodes) - self.S.shape[1]]

    @property
    def indicators(self) -> list[str]:
        """The indicators of the bottom."""
        return list(dict.fromkeys(self.bottom.get_level_values("indicator")))

    def history(self, panel: pd.DataFrame) -> pd.DataFrame:
        """Return what every node was, (months, nodes): the bottom as reported, the sums over the completed bottom.

        See :func:`complete` for what is filled; a sum is missing where a part of it stays unknown.
        """
        known = pd.DataFrame({node: panel.loc[node[0], node[1]] for node in self.bottom})
        full, _ = complete(panel, self.bottom)
        out = pd.DataFrame((self.S @ full.to_numpy().T).T, columns=self.nodes,
                           index=pd.PeriodIndex(full.index, freq="M"))
        out[self.bottom] = known.to_numpy()
        return out


def total_of(catalog: Catalog) -> str:
    """Return the id under which tables have the province."""
    return catalog.total or "total"


def name_of(catalog: Catalog, branch: str, lang: str) -> str:
    """Return a branch or the province in words."""
    return t("province.total", lang) if branch == total_of(catalog) else catalog.branch(branch).label(lang)


def hierarchy_of(catalog: Catalog, indicator: str, branches: Sequence[str] | None = None,
                 available: Iterable[str] | None = None) -> Hierarchy:
    """Return the hierarchy that a stock or flow belongs to, with all that hang together with it by ``sum`` identities.

    `branches` are by default those that report today; a province of one branch is that branch and has no node of its
    own. A total with a part that is not `available` is no total here.
    """
    key = additive(catalog, indicator).key
    known = set(catalog.indicators if available is None else available) | {key}
    group = next((found for found in _groups(catalog, known) if key in found), {key: (key,)})
    branches = [catalog.branch(b).id for b in (catalog.reporting if branches is None else branches)]
    leaves = [k for k in group if group[k] == (k,)]
    total = total_of(catalog)
    bottom = [(b, k) for b in branches for k in leaves]
    nodes, rows, level = [], [], []
    for own in ([total] if len(branches) > 1 else []) + branches:
        for k in group:
            if own == total or k not in leaves:
                nodes.append((own, k))
                part = len(group) > 1 and k in leaves
                level.append(("province" if own == total else "branch") + ("_part" if part else ""))
                rows.append([float((own in (total, b)) and leaf in group[k]) for b, leaf in bottom])
    size = len(bottom)
    S = np.vstack([np.array(rows).reshape(-1, size), np.eye(size)])
    # Totals of the whole first, then the parts of the province, then the branches: as a reader goes down.
    order = sorted(range(len(nodes)), key=lambda n: LEVELS.index(level[n]))
    order += range(len(nodes), len(nodes) + size)
    level += ["branch_part" if len(group) > 1 else "branch"] * size
    names = pd.MultiIndex.from_tuples([*nodes, *bottom], names=["branch", "indicator"])
    return Hierarchy(names[order], S[order], tuple(level[n] for n in order), total)


def hierarchies(catalog: Catalog, indicators: Iterable[str], branches: Sequence[str] | None = None,
                available: Iterable[str] | None = None) -> list[Hierarchy]:
    """Return the hierarchies of some indicators, each once, in their order."""
    found: dict[tuple, Hierarchy] = {}
    for key in indicators:
        h = hierarchy_of(catalog, key, branches, available)
        found.setdefault(tuple(h.indicators), h)
    return list(found.values())


def _groups(catalog: Catalog, known: set[str]) -> list[dict[str, tuple[str, ...]]]:
    """Indicators that hang together by sums: each -> the indicators it is the sum of (itself, when of nothing)."""
    sums = {i.total: i.parts for i in catalog.identities if i.kind == "sum"
            and known.issuperset([i.total, *i.parts])}

    def leaves(key: str, above: tuple[str, ...] = ()) -> tuple[str, ...]:
        if key in above:
            raise ConfigError("a total is a part of itself", key="identities", found=key)
        return tuple(dict.fromkeys(x for p in sums[key] for x in leaves(p, (*above, key)))) if key in sums else (key,)

    groups: list[dict[str, tuple[str, ...]]] = []
    for total in sums:
        mine = {total: leaves(total)} | {k: (k,) for k in leaves(total)}
        for other in [g for g in groups if set(g) & set(mine)]:
            groups.remove(other)
            mine = other | mine
        groups.append(mine)
    # Totals before their parts, whatever the order of the identities.
    return [dict(sorted(g.items(), key=lambda item: -len(item[1]))) for g in groups]


def complete(panel: pd.DataFrame, nodes: Iterable[tuple[str, str]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fill what sums need and branches did not report; returns two frames, months x nodes: the figures, and where one
    between two reported ones was put in.

    A missing month between two reported ones lies on the line between them (of the logarithms where all are positive).
    Before its first month a branch that reported nothing at all was not there and counts as 0; an indicator missing
    where the branch reported others stays unknown, and so does what is missing at the end.
    """
    there = panel.notna().any(axis=1)
    full, filled = {}, {}
    for branch, key in nodes:
        y = panel.loc[branch, key]
        own = there.loc[branch]
        positive = bool((y.dropna() > 0).all())
        line = (np.log(y) if positive else y).interpolate(method="linear", limit_area="inside")
        line = np.exp(line) if positive else line
        gaps = y.isna() & line.notna()
        line = line.where(gaps, y)
        if own.any():
            line[own.index < own.idxmax()] = 0.0
        full[branch, key], filled[branch, key] = line, gaps
    return pd.DataFrame(full), pd.DataFrame(filled)


def reporting(catalog: Catalog, panel: pd.DataFrame) -> list[str]:
    """Return the branches that report today and are in the panel."""
    present = set(panel.index.get_level_values("branch"))
    return [b for b in catalog.reporting if b in present]


def full_years(panel: pd.DataFrame, nodes: list[tuple[str, str]], ind: Indicator, months: int = 12) \
        -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return, by month, the stock or the sum of the flow over the last `months`, and how many of them were filled.

    Both months x nodes; see :func:`complete` for what is filled.
    """
    full, filled = complete(panel, nodes)
    for frame in (full, filled):
        frame.index = pd.PeriodIndex(frame.index, freq="M")
    if ind.kind == "flow":
        return full.rolling(months).sum(), filled.astype(float).rolling(months).sum().fillna(0).astype(int)
    return full, filled.astype(int)


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
