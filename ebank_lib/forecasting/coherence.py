"""Which indicators are forecast, and how the others follow from them, so that no forecast contradicts another.

The catalogue's identities say it: a total is the sum of its parts, net new customers are the change of the stock, a
share is its numerator over its denominator. Of each such relation one member is not modelled but computed, on every
path and for every point forecast, and the relation then holds exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..catalog import Catalog
from ..errors import SeriesError

__all__ = ["Plan", "Rule", "follow", "plan_of"]


@dataclass(frozen=True)
class Rule:
    """How an indicator follows from others.

    ``sum``: of `parts`. ``change``: of the stock ``parts[0]`` from month to month. ``level``: the last stock plus all
    changes since, which are the sums of `parts`. ``ratio``: ``parts[0]`` over the sum of the others. ``part``: the
    share ``parts[0]`` times the whole ``parts[1]``.
    """

    kind: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What is modelled and what follows; see :func:`plan_of`.

    Attributes
    ----------
    free : tuple of str
        Indicators that are modelled, in the catalogue's order.
    derived : mapping of str to Rule
        How the others follow, in an order in which each finds its parts done.
    """

    free: tuple[str, ...]
    derived: Mapping[str, Rule] = field(default_factory=dict)

    def complete(self, values: Mapping[str, np.ndarray], last: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the values given and all that follow from them.

        Parameters
        ----------
        values : indicator -> array (..., horizon, n)
            The free indicators; n paths, or one point forecast.
        last : indicator -> float or array (...)
            The stocks at the origin, for what changes from there.

        Raises
        ------
        SeriesError
            A free indicator is missing.
        """
        missing = [key for key in self.free if key not in values]
        if missing:
            raise SeriesError("indicators are missing", found=sorted(values), expected=f"also {missing}")
        out = {key: values[key] for key in self.free}
        for key, rule in self.derived.items():
            out[key] = follow(rule, out, last, key)
        return out

    def touched(self, changed: Iterable[str]) -> list[str]:
        """Return the derived indicators that depend on any of `changed`, in the order in which to compute them."""
        moved = set(changed)
        out = []
        for key, rule in self.derived.items():
            if moved.intersection(rule.parts):
                moved.add(key)
                out.append(key)
        return out

    def movers(self, key: str) -> tuple[str, ...]:
        """Return the free indicators that an indicator follows from; itself, when it is free."""
        if key not in self.derived:
            return (key,)
        return tuple(dict.fromkeys(m for part in self.derived[key].parts for m in self.movers(part)))


def follow(rule: Rule, values: Mapping[str, np.ndarray], last: Mapping[str, np.ndarray], key: str = "") -> np.ndarray:
    """Return what follows by one rule from the values of its parts, arrays (..., horizon, n)."""
    parts = [np.asarray(values[part], dtype=float) for part in rule.parts]
    if rule.kind == "sum":
        return sum(parts[1:], start=parts[0])
    if rule.kind == "part":
        return parts[0] * parts[1]
    if rule.kind == "ratio":
        below = sum(parts[2:], start=parts[1])
        return np.divide(parts[0], below, out=np.full(np.broadcast(parts[0], below).shape, np.nan), where=below > 0)
    before = np.asarray(last.get(rule.parts[0] if rule.kind == "change" else key, np.nan), dtype=float)
    start = np.broadcast_to(before[..., None, None], (*parts[0].shape[:-2], 1, parts[0].shape[-1]))
    if rule.kind == "change":
        return np.diff(np.concatenate([start, parts[0]], axis=-2), axis=-2)
    return start + np.cumsum(sum(parts[1:], start=parts[0]), axis=-2)


def plan_of(catalog: Catalog, available: Iterable[str] | None = None) -> Plan:
    """Return the plan of a catalogue.

    A sum's total follows from its parts. Of a stock and its one net change the change follows; a stock with several
    changes follows from them. A share of a whole that it lies within is modelled itself, on a scale that keeps it
    there, and its numerator follows; every other ratio follows from its parts.

    Parameters
    ----------
    catalog : Catalog
    available : names, optional
        Indicators that there are; relations with others do not count.

    Examples
    --------
    >>> from ebank_lib.catalog import load_catalog
    >>> plan = plan_of(load_catalog("data/catalog.yaml", "data/branches.csv"))
    >>> plan.derived["mobile_active"]
    Rule(kind='part', parts=('mobile_activity', 'mobile'))
    """
    keys = [k for k in catalog.indicators if available is None or k in set(available)]
    rules: dict[str, Rule] = {}

    def add(key: str, kind: str, *parts: str) -> bool:
        known = all(name in keys for name in (key, *parts))
        if not known or key in rules or any(key in _needs(part, rules) for part in parts):
            return False
        rules[key] = Rule(kind, parts)
        return True

    for identity in catalog.identities:
        if identity.kind == "sum":
            add(identity.total, "sum", *identity.parts)
        elif identity.kind == "change" and len(identity.parts) == 1:
            add(identity.parts[0], "change", identity.total)
        elif identity.kind == "change":
            add(identity.total, "level", *identity.parts)
    for ind in catalog.indicators.values():
        if ind.numerator is None or not ind.denominators or ind.key not in keys:
            continue
        within = ind.bounded and len(ind.denominators) == 1 and ind.numerator not in ind.denominators
        if not (within and add(ind.numerator, "part", ind.key, *ind.denominators)):
            add(ind.key, "ratio", ind.numerator, *ind.denominators)
    order: dict[str, Rule] = {}
    for key in keys:
        _in_order(key, rules, order)
    return Plan(tuple(k for k in keys if k not in rules), order)


def _needs(key: str, rules: Mapping[str, Rule]) -> set[str]:
    """An indicator and all that it follows from."""
    found = {key}
    for part in rules[key].parts if key in rules else ():
        found |= _needs(part, rules)
    return found


def _in_order(key: str, rules: Mapping[str, Rule], order: dict[str, Rule]) -> None:
    if key in rules and key not in order:
        for part in rules[key].parts:
            _in_order(part, rules, order)
        order[key] = rules[key]
