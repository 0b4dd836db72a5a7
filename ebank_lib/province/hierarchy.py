"""What adds up to what: branches to the province, channels and product lines to their totals, and both at once; and
what a branch had, completed for its sums: a stock at a month's end, a flow over twelve months.

Stocks and flows add over branches; a ratio of the province is the ratio of the sums and has no place here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..catalog import Catalog, Indicator
from ..errors import ConfigError, SeriesError

__all__ = ["LEVELS", "Hierarchy", "additive", "complete", "full_years", "hierarchies", "hierarchy_of", "reporting"]

LEVELS = ("province", "province_part", "branch", "branch_part")


@dataclass(frozen=True)
class Hierarchy:
    """Nodes and how the upper ones add up from the bottom; see :func:`hierarchy_of`.

    Attributes
    ----------
    nodes : MultiIndex (branch, indicator)
        The sums first (``u`` of them), then the ``m`` bottom nodes.
    S : ndarray (u + m, m)
        0 or 1: which bottom nodes each node is the sum of; its last rows are the identity.
    level : tuple of str
        Of each node: ``province``, ``province_part``, ``branch`` or ``branch_part`` (the last two have no ``part``
        where the indicator is no sum of others).
    total : str
        The province's id.
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

    def aggregate(self, bottom: np.ndarray) -> np.ndarray:
        """Return the values of all nodes, (u + m, ...), from those of the bottom, (m, ...)."""
        return np.tensordot(self.S, np.asarray(bottom, dtype=float), axes=1)

    def history(self, panel: pd.DataFrame) -> pd.DataFrame:
        """Return what every node was, (months, nodes): the bottom as reported, the sums over the completed bottom.

        See :func:`complete` for what is filled; a sum is missing where a part of it stays unknown.
        """
        known = pd.DataFrame({node: panel.loc[node[0], node[1]] for node in self.bottom})
        full, _ = complete(panel, self.bottom)
        out = pd.DataFrame(self.aggregate(full.to_numpy().T).T, columns=self.nodes,
                           index=pd.PeriodIndex(full.index, freq="M"))
        out[self.bottom] = known.to_numpy()
        return out


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
    total = catalog.total or "total"
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


def hierarchies(catalog: Catalog, indicators: Iterable[str] | None = None,
                branches: Sequence[str] | None = None, available: Iterable[str] | None = None) -> list[Hierarchy]:
    """Return the hierarchies of some indicators, each once, in the catalogue's order.

    Indicators that are not `available` are left out. By default of all stocks and flows but the net new customers,
    which are the changes of a stock.
    """
    if indicators is None:
        new = {part for i in catalog.identities if i.kind == "change" for part in i.parts}
        indicators = [k for k, i in catalog.indicators.items() if i.kind != "ratio" and k not in new]
    found: dict[tuple, Hierarchy] = {}
    available = None if available is None else set(available)
    for key in indicators:
        if available is not None and key not in available:
            continue
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
