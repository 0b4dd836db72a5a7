"""Strategy files are read here and held against the catalogue: what names nothing, passes 100% or contradicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from ebank_lib.catalog import Catalog
from ebank_lib.config import read_yaml, validate
from ebank_lib.errors import ConfigError, UnknownNameError
from ebank_lib.forecasting import kind_of

from .spec import Lever, Strategy, StrategyFile, Target

__all__ = ["as_month", "check_strategy", "leaves", "load_strategy", "load_targets", "yearly"]


def load_strategy(source, catalog: Catalog | None = None) -> Strategy:
    """Read the strategy that a source names under ``strategies:``; an empty one when it names no file.

    Parameters
    ----------
    source : Source, or path of a YAML file
    catalog : Catalog, optional
        Default: the source's. Without one, names of indicators are not checked.

    Raises
    ------
    ConfigError
        Wrong YAML; a goal above the ceiling of a share; a deadline that is no month; a key that stands twice; targets
        that contradict each other; a lever with a negative or empty range; a cycle of cannibalisation.
    UnknownNameError
        An indicator, line, channel or lever that does not exist.
    """
    if isinstance(source, (str, Path)):
        path = Path(source)
    else:
        named = source.config.strategies
        if named is None:
            return Strategy()
        path, catalog = (Path(source.path).parent / named).resolve(), catalog or source.catalog
    spec = validate(StrategyFile, read_yaml(path), path)
    strategy = Strategy(tuple(spec.targets), tuple(spec.levers), tuple(spec.bundles), tuple(spec.stress), spec.lines,
                        spec.channels, tuple(spec.yardsticks))
    check_strategy(strategy, catalog, str(path))
    return strategy


def load_targets(source, catalog: Catalog | None = None) -> list[Target]:
    """Read the targets of a source's strategy; see :func:`load_strategy`."""
    return list(load_strategy(source, catalog).targets)


def check_strategy(strategy: Strategy, catalog: Catalog | None = None, file: str | None = None) -> None:
    """Hold a strategy against itself and a catalogue; raises as :func:`load_strategy`."""
    seen: set[str] = set()
    for section in ("targets", "levers", "bundles", "stress", "yardsticks"):
        for n, item in enumerate(getattr(strategy, section)):
            if item.key in seen:
                raise ConfigError("stands twice", file=file, key=f"{section}.{n}.key", found=item.key)
            seen.add(item.key)
    for section in ("targets", "yardsticks"):
        for n, target in enumerate(getattr(strategy, section)):
            _check_target(target, strategy, catalog, file, f"{section}.{n}")
    for section in ("levers", "stress"):
        for n, lever in enumerate(getattr(strategy, section)):
            _check_lever(lever, strategy, catalog, file, f"{section}.{n}")
    known = [lever.key for lever in strategy.levers]
    for n, bundle in enumerate(strategy.bundles):
        for key in bundle.levers:
            if key not in known:
                raise UnknownNameError("lever", key, known, file=file, key=f"bundles.{n}.levers")
    _no_cycle(strategy.levers, file)
    if catalog is not None:
        _no_contradiction(strategy.targets, catalog, file)


def yearly(target: Target, catalog: Catalog) -> bool:
    """Whether a target is about the months of a calendar year added up."""
    if target.kind == "growth":
        return (target.over or ("year" if catalog.indicator(target.indicator).kind == "flow" else "month")) == "year"
    return target.kind == "total"


def _check_target(target: Target, strategy: Strategy, catalog: Catalog | None, file, at: str) -> None:
    _check_place(target, strategy, file, at)
    if target.line is None and target.channel is None:
        raise ConfigError("a target belongs to a line or a channel", file=file, key=at, found="neither")
    if target.kind == "raise" and (target.goal is not None or target.reached is not None):
        raise ConfigError("a raise has no goal", file=file, key=f"{at}.goal", found=target.goal, expected="nothing")
    if target.kind not in ("raise", "growth") and target.goal is None:
        raise ConfigError(f"a {target.kind} needs a goal", file=file, key=f"{at}.goal", found="nothing",
                          expected="a number")
    if (target.kind == "share") != bool(target.of):
        raise ConfigError("of goes with kind: share", file=file, key=f"{at}.of", found=target.of,
                          expected="the indicators whose sum is the whole")
    if target.over is not None and target.kind != "growth":
        raise ConfigError("over goes with kind: growth", file=file, key=f"{at}.over", found=target.over)
    if target.goal is None and target.reached is not None:
        raise ConfigError("without a goal nothing counts as reaching it", file=file, key=f"{at}.reached",
                          found=target.reached, expected="a goal")
    if target.goal is not None and target.reached is not None and target.reached > target.goal:
        raise ConfigError("is above the goal", file=file, key=f"{at}.reached", found=target.reached,
                          expected=f"at most {target.goal:g}")
    if target.deadline is not None:
        as_month(target.deadline, file=file, key=f"{at}.deadline")
    if catalog is not None:
        check_indicator(target, catalog, file, at)


def check_indicator(target: Target, catalog: Catalog, file=None, at: str = "") -> None:
    """Hold one target against the catalogue."""
    for name in (target.indicator, *target.of):
        if name not in catalog.indicators:
            raise UnknownNameError("indicator", name, catalog.indicators, file=file, key=f"{at}.indicator")
    ind = catalog.indicator(target.indicator)
    share = target.kind == "share" or (kind_of(ind) == "ratio" and target.kind == "level")
    where = {"file": file, "key": f"{at}.goal", "found": target.goal}
    if share and target.goal is not None and target.goal > 1:
        raise ConfigError("is above the ceiling of a share", expected="at most 1.0 (which is 100%)", **where)
    if target.kind in ("growth", "total", "share") and ind.kind == "ratio":
        raise ConfigError(f"a {target.kind} is not set on a ratio", file=file, key=f"{at}.kind", found=ind.key,
                          expected="a level, a rank or a raise; or a stock or flow")
    if yearly(target, catalog) and ind.kind != "flow":
        raise ConfigError("only a flow adds up over a year", file=file, key=f"{at}.kind",
                          found=f"{ind.key}, {ind.kind}", expected="a flow, or growth over: month")
    if target.kind == "rank" and (target.goal % 1 or target.goal > len(catalog.reporting) or target.reached):
        raise ConfigError("is no place among the branches",
                          expected=f"a whole number from 1 to {len(catalog.reporting)}", **where)
    if target.kind == "share" and not leaves(target.indicator, catalog) <= _all_leaves(target.of, catalog):
        raise ConfigError("is no part of the whole it is to be a share of", file=file, key=f"{at}.of",
                          found=target.indicator, expected=f"a part of {', '.join(target.of)}")


def leaves(key: str, catalog: Catalog) -> frozenset[str]:
    """Return the indicators that an indicator is the sum of; itself when it is no sum."""
    for identity in catalog.identities:
        if identity.kind == "sum" and identity.total == key:
            return frozenset().union(*(leaves(part, catalog) for part in identity.parts))
    return frozenset([key])


def _all_leaves(keys: Iterable[str], catalog: Catalog) -> frozenset[str]:
    return frozenset().union(*(leaves(key, catalog) for key in keys))


def _no_contradiction(targets: Iterable[Target], catalog: Catalog, file) -> None:
    """Is there a division of the whole that gives every share its goal? The least whole that would do is a linear
    programme, and it must not pass 100%."""
    wholes: dict[tuple, list[Target]] = {}
    for target in targets:
        if target.kind == "share":
            wholes.setdefault((_all_leaves(target.of, catalog), target.deadline), []).append(target)
    for (whole, _), same in wholes.items():
        parts = sorted(whole)
        inside = np.array([[part in leaves(target.indicator, catalog) for part in parts] for target in same], float)
        least = linprog(np.ones(len(parts)), A_ub=-inside, b_ub=[-target.threshold for target in same])
        if least.fun > 1 + 1e-9:
            binding = [t.key for t, dual in zip(same, least.ineqlin.marginals, strict=True) if abs(dual) > 1e-9]
            raise ConfigError("targets contradict each other: their shares of one whole pass 100%", file=file,
                              key="targets", found=f"{' + '.join(binding)} = {least.fun * 100:.1f}%",
                              expected="at most 100%")


def _check_place(item: Target | Lever, strategy: Strategy, file, at: str) -> None:
    for name, known, what in ((item.line, strategy.lines, "line"), (item.channel, strategy.channels, "channel")):
        if name is not None and name not in known:
            raise UnknownNameError(what, name, known, file=file, key=f"{at}.{what}")


def _check_lever(lever: Lever, strategy: Strategy, catalog: Catalog | None, file, at: str) -> None:
    _check_place(lever, strategy, file, at)
    if catalog is None:
        return
    for n, move in enumerate(lever.moves):
        names = [move.indicator, *move.takes_from, *(move.evidence.interventions if move.evidence else [])]
        for name in names:
            if name not in catalog.indicators:
                raise UnknownNameError("indicator", name, catalog.indicators, file=file, key=f"{at}.moves.{n}")
        ind = catalog.indicator(move.indicator)
        ratio = kind_of(ind) == "ratio"
        key = f"{at}.moves.{n}.ceiling"
        if ratio and isinstance(move.ceiling, float) and move.ceiling > 1:
            raise ConfigError("is above the ceiling of a share", file=file, key=key, found=move.ceiling,
                              expected="at most 1.0 (which is 100%)")
        if move.how == "ceiling" and move.ceiling is None and not ratio:
            raise ConfigError("a count needs a ceiling to close the gap to", file=file, key=key, found="nothing",
                              expected="a number, or saturation")
        if ratio and move.high is not None and move.high > 1:
            raise ConfigError("is more than a share has points", file=file, key=f"{at}.moves.{n}.high", found=move.high,
                              expected="at most 1.0 (which is 100 points)")
        for name in move.takes_from:
            if catalog.indicator(name).unit != ind.unit or ratio or name == move.indicator:
                raise ConfigError("units gained can only be taken from another indicator in the same unit", file=file,
                                  key=f"{at}.moves.{n}.takes_from", found=f"{move.indicator} from {name}",
                                  expected=f"another count in {ind.unit}")


def _no_cycle(levers: Iterable[Lever], file) -> None:
    """Nothing may take, over however many steps and levers, from what takes from it."""
    takes: dict[str, set[str]] = {}
    for lever in levers:
        for move in lever.moves:
            takes.setdefault(move.indicator, set()).update(move.takes_from)
    done: set[str] = set()
    for start in takes:
        _walk(start, takes, [], done, file)


def _walk(key: str, takes: Mapping[str, set[str]], way: list[str], done: set[str], file) -> None:
    if key in way:
        raise ConfigError("a cycle of cannibalisation", file=file, key="levers",
                          found=" takes from ".join([*way[way.index(key):], key]),
                          expected="an order of who takes from whom")
    if key not in done:
        for other in sorted(takes.get(key, ())):
            _walk(other, takes, [*way, key], done, file)
        done.add(key)


def as_month(text, **where) -> pd.Period:
    """Return a month, or an error that says where it stands."""
    try:
        month = pd.Period(text, "M")
    except ValueError as error:
        raise ConfigError("is no month", found=text, expected="YYYY-MM", **where) from error
    if pd.isna(month):
        raise ConfigError("is no month", found=text, expected="YYYY-MM", **where)
    return month
