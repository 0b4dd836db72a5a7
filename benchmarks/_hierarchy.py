"""Which nodes (branch, indicator) add up to which: branches to the province, channels to totals, and both at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ebank_lib.catalog import Catalog
from ebank_lib.province.sums import total_of


@dataclass(frozen=True)
class Hierarchy:
    """Nodes (branch, indicator), sums first, the whole province's first of all; and how they add up.

    ``S`` (nodes, bottom nodes) holds 0 or 1: which bottom nodes each node is the sum of; its last rows are the
    identity. ``total`` is the province's id.
    """

    nodes: pd.MultiIndex
    S: np.ndarray
    total: str

    @property
    def indicators(self) -> list[str]:
        """The indicators of the bottom."""
        return list(dict.fromkeys(key for _, key in self.nodes[-self.S.shape[1]:]))


def hierarchies(catalog: Catalog, indicators: Iterable[str], branches: Sequence[str],
                available: Iterable[str]) -> list[Hierarchy]:
    """Return the hierarchies of some stocks and flows, each once: with all that hang together with one by sums.

    A province of one branch is that branch and has no node of its own; a total with a part that is not `available` is
    no total.
    """
    groups, found = _groups(catalog, set(available)), {}
    for key in indicators:
        group = next((one for one in groups if key in one), {key: (key,)})
        leaves = [k for k in group if group[k] == (k,)]
        found.setdefault(tuple(leaves), _of(group, leaves, list(branches), total_of(catalog)))
    return list(found.values())


def _of(group: dict[str, tuple[str, ...]], leaves: list[str], branches: list[str], total: str) -> Hierarchy:
    bottom = [(b, k) for b in branches for k in leaves]
    sums = [(total, k) for k in group] * (len(branches) > 1) + [
        (b, k) for b in branches for k in group if k not in leaves]
    S = [[float(own in (total, b) and leaf in group[k]) for b, leaf in bottom] for own, k in [*sums, *bottom]]
    return Hierarchy(pd.MultiIndex.from_tuples([*sums, *bottom], names=["branch", "indicator"]), np.array(S), total)


def _groups(catalog: Catalog, known: set[str]) -> list[dict[str, tuple[str, ...]]]:
    """Indicators that hang together by sums: each -> the indicators it is the sum of (itself, when of nothing)."""
    sums = {i.total: i.parts for i in catalog.identities if i.kind == "sum" and known >= {i.total, *i.parts}}

    def leaves(key: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(x for p in sums[key] for x in leaves(p))) if key in sums else (key,)

    groups: list[dict[str, tuple[str, ...]]] = []
    for total in sums:
        mine = {total: leaves(total)} | {k: (k,) for k in leaves(total)}
        for other in [g for g in groups if set(g) & set(mine)]:
            groups.remove(other)
            mine = other | mine
        groups.append(mine)
    # Totals before their parts, whatever the order of the identities.
    return [dict(sorted(g.items(), key=lambda item: -len(item[1]))) for g in groups]
