"""Scenarios on common random paths: every lever alone, bundles, stresses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ebank_lib.errors import SeriesError, UnknownNameError

from .evidence import Pooled
from .levers import Drawn, apply_all, draw, learn_evidence, needed_for
from .loading import as_month, check_strategy, yearly
from .measures import Measure, View
from .odds import FIELDS, judged, odds_of, pace_of
from .result import COLUMNS, Scenarios
from .spec import Lever, Strategy, Target
from .targets import default_deadline

if TYPE_CHECKING:
    from ebank_lib.forecasting.joint import JointPaths

__all__ = ["apply_levers", "run_scenarios"]



def run_scenarios(paths: JointPaths, branch: str, strategy: Strategy, deadline: str | pd.Period | None = None,
                  events: pd.DataFrame | None = None, seed: int | None = None,
                  evidence: Mapping[tuple[str, ...], Pooled | str] | None = None) -> Scenarios:
    """Ask of every scenario with which odds a branch's targets are reached, all on the same random futures.

    Parameters
    ----------
    paths : JointPaths
    branch : str
        Levers are pulled in this branch alone; its peers' paths stay.
    strategy : Strategy
        Its targets and, each a scenario: every lever alone, every bundle, every stress.
    deadline : month, optional
        For targets that name none; default the end of the first whole year after the data.
    events : DataFrame, optional
        The source's known events, for levers with evidence (:func:`ebank_lib.events.known_events`).
    seed : int, optional
        Of the effects' sizes; default the paths'.
    evidence : mapping, optional
        What :func:`learn_evidence` learnt, to learn it once for many branches.

    Returns
    -------
    Scenarios
        A target without odds, and a scenario whose indicators have no paths, keep their rows with the reason.

    Raises
    ------
    ConfigError
        A lever on an indicator that follows from others; a strategy that contradicts itself or the catalogue.
    UnknownNameError
        The branch has no paths; an indicator that the catalogue does not know.
    """
    branch = paths.catalog.branch(branch).id
    check_strategy(_with_lines(strategy), paths.catalog)
    view = View.of(paths, branch)
    seed = paths.seed if seed is None else int(seed)
    usual = default_deadline(paths.origin) if deadline is None else as_month(deadline, key="deadline")
    dates = {target.key: usual if target.deadline is None else as_month(target.deadline, key=target.key)
             for target in strategy.targets}
    levers = (*strategy.levers, *strategy.stress)
    evidence = learn_evidence(paths, levers, events) if evidence is None else evidence
    drawn, failed = _draws(levers, view, seed, evidence)
    wanted = needed_for(strategy.targets, levers, paths) if strategy.targets else frozenset()
    base = {target.key: _judged(view, target, dates[target.key]) for target in strategy.targets}
    rows = [_row("baseline", "baseline", target, dates, base[target.key], base, "", False)
            for target in strategy.targets]
    for key, kind, members in _scenarios(strategy):
        reason = next((failed[m] for m in members if m in failed), "")
        assumed = any(drawn[m].assumed for m in members if m in drawn)
        moved = view
        if not reason:
            try:
                moved = apply_all(view, [drawn[m] for m in members], wanted)
            except (SeriesError, UnknownNameError) as error:
                reason = str(error)
        for target in strategy.targets:
            here = base[target.key] if not _concerns(moved, target) else _judged(moved, target, dates[target.key])
            rows.append(_row(key, kind, target, dates, here, base, reason, assumed))
    paces = {key: pace_of(m, view.history(m.target.indicator), dates[key], yearly(m.target, paths.catalog))
             for key, m in base.items() if isinstance(m, Measure)}
    return Scenarios(pd.DataFrame(rows, columns=COLUMNS), view.branch, paths.catalog, strategy, dates, view, drawn,
                     pd.DataFrame(paces).T.rename_axis("target"), seed, evidence)


def _with_lines(strategy: Strategy) -> Strategy:
    """A strategy made by hand may leave out the names of lines and channels."""
    items = (*strategy.targets, *strategy.levers, *strategy.stress, *strategy.yardsticks)
    lines, channels = (dict.fromkeys(filter(None, names)) for names in ([x.line for x in items],
                                                                        [x.channel for x in items]))
    return replace(strategy, lines={**lines, **strategy.lines}, channels={**channels, **strategy.channels})


def _scenarios(strategy: Strategy) -> list[tuple[str, str, tuple[str, ...]]]:
    return [*((lever.key, "lever", (lever.key,)) for lever in strategy.levers),
            *((bundle.key, "bundle", tuple(bundle.levers)) for bundle in strategy.bundles),
            *((stress.key, "stress", (stress.key,)) for stress in strategy.stress)]


def _draws(levers: Iterable[Lever], view: View, seed: int, evidence) -> tuple[dict[str, Drawn], dict[str, str]]:
    drawn, failed = {}, {}
    for lever in levers:
        try:
            drawn[lever.key] = draw(lever, view, seed, evidence)
        except SeriesError as error:
            failed[lever.key] = str(error)
    return drawn, failed


def _judged(view: View, target: Target, deadline: pd.Period) -> Measure | str:
    try:
        return judged(view, target, deadline)
    except UnknownNameError as error:
        return str(error)


def _concerns(view: View, target: Target) -> bool:
    return not view.changed.keys().isdisjoint((target.indicator, *target.of))


def _row(key, kind, target, dates, here, base, reason, assumed) -> dict:
    """One scenario's odds of one target, and how they differ from the baseline's on the same paths."""
    deadline, before = dates[target.key], base[target.key]
    row = {"scenario": key, "kind": kind, "target": target.key, "indicator": target.indicator, "deadline": deadline,
           "assumed": assumed}
    if reason or isinstance(here, str):
        return row | dict.fromkeys((*FIELDS, "change_vs_baseline", "change_se"), np.nan) | {
            "month_50": pd.NaT, "month_80": pd.NaT, "n": 0, "reason": reason or here}
    at = here.months.get_loc(deadline)
    change = here.reached[at].astype(float) - before.reached[at]
    return row | odds_of(here, deadline) | {
        "change_vs_baseline": float(change.mean()), "change_se": float(change.std() / math.sqrt(len(change))),
        "reason": ""}


def apply_levers(paths: JointPaths, levers: Iterable[Lever], branches: Iterable[str] | None = None,
                 events: pd.DataFrame | None = None, seed: int | None = None) -> JointPaths:
    """Return a province's futures with levers pulled in some of its branches (default all): the same random paths.

    A lever's size on a path is the same in every branch.

    Raises
    ------
    ConfigError, UnknownNameError, SeriesError
        As :func:`run_scenarios`; a branch or an indicator without paths.
    """
    chosen = paths.branches if branches is None else [paths.catalog.branch(b).id for b in branches]
    seed = paths.seed if seed is None else int(seed)
    levers = tuple(levers)
    evidence = learn_evidence(paths, levers, events)
    changed: dict[str, np.ndarray] = {}
    for branch in chosen:
        view = View.of(paths, branch)
        moved = apply_all(view, [draw(lever, view, seed, evidence) for lever in levers])
        for key in moved.changed.keys() & set(paths.plan.free):
            if key not in changed:
                changed[key] = paths.values[key].copy()
            changed[key][view.at] = moved.changed[key]
    return paths.with_free(dict(sorted(changed.items())))
