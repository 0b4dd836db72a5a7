"""Scenarios on common random paths: every lever alone, bundles, stresses."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pandas as pd

from ..display import describe
from ..errors import SeriesError, UnknownNameError
from ..forecasting.joint import JointPaths
from .levers import Drawn, Evidenced, apply_all, draw, learn_evidence, needed_for
from .measures import Measure, View
from .odds import judged, odds_of, pace_of
from .result import COLUMNS, Scenarios
from .strategy import Strategy, as_month, check_strategy, yearly
from .targets import default_deadline

__all__ = ["run_scenarios"]


def run_scenarios(paths: JointPaths, branch: str, strategy: Strategy, deadline: str | pd.Period | None = None,
                  events: pd.DataFrame | None = None, seed: int | None = None,
                  evidence: Evidenced | None = None) -> Scenarios:
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
    drawn: dict[str, Drawn] = {}
    failed: dict[str, str] = {}
    for lever in levers:
        try:
            drawn[lever.key] = draw(lever, view, seed, evidence)
        except SeriesError as error:
            failed[lever.key] = str(error)
    wanted = needed_for(strategy.targets, levers, paths)
    base = {target.key: _judged(view, target, dates[target.key]) for target in strategy.targets}
    members = {"baseline": (), **{lever.key: (lever.key,) for lever in strategy.levers},
               **{bundle.key: bundle.levers for bundle in strategy.bundles},
               **{stress.key: (stress.key,) for stress in strategy.stress}}
    kinds = ["baseline", *["lever"] * len(strategy.levers), *["bundle"] * len(strategy.bundles),
             *["stress"] * len(strategy.stress)]
    rows = []
    for (key, parts), kind in zip(members.items(), kinds, strict=True):
        reason = next((failed[part] for part in parts if part in failed), "")
        moved = view
        if not reason:
            try:
                moved = apply_all(view, [drawn[part] for part in parts], wanted)
            except (SeriesError, UnknownNameError) as error:
                reason = str(error)
        for target in strategy.targets:
            by = dates[target.key]
            here = _judged(moved, target, by) if moved.changes(target) else base[target.key]
            rows.append({"scenario": key, "kind": kind, "target": target.key, "indicator": target.indicator,
                         "deadline": by, "assumed": any(drawn[part].assumed for part in parts if part in drawn),
                         **_counted(here, base[target.key], by, reason)})
    paces = {key: pace_of(m, view.history(m.target.indicator), dates[key], yearly(m.target, paths.catalog))
             for key, m in base.items() if isinstance(m, Measure)}
    table = describe(pd.DataFrame(rows, columns=COLUMNS), kinds=dict.fromkeys(
        ("p_at", "p_by", "se_at", "se_by", "change_vs_baseline", "change_se"), "percent"), indicator="indicator",
        pooled=True)
    return Scenarios(table, view.branch, paths.catalog, strategy, dates, view, drawn, paces, seed, evidence)


def _with_lines(strategy: Strategy) -> Strategy:
    """A strategy made by hand may leave out the names of lines and channels."""
    items = (*strategy.targets, *strategy.levers, *strategy.stress, *strategy.yardsticks)
    lines, channels = (dict.fromkeys(filter(None, names)) for names in ([x.line for x in items],
                                                                        [x.channel for x in items]))
    return replace(strategy, lines={**lines, **strategy.lines}, channels={**channels, **strategy.channels})


def _judged(view: View, target, deadline: pd.Period) -> Measure | str:
    try:
        return judged(view, target, deadline)
    except UnknownNameError as error:
        return str(error)


def _counted(here: Measure | str, before: Measure | str, deadline: pd.Period, reason: str) -> dict[str, object]:
    """One scenario's odds of one target, and how they differ from the baseline's on the same paths."""
    if reason or isinstance(here, str):
        return {"month_50": pd.NaT, "month_80": pd.NaT, "n": 0, "reason": reason or here}
    at = here.months.get_loc(deadline)
    change = here.reached[at].astype(float) - before.reached[at]
    return asdict(odds_of(here, deadline)) | {"change_vs_baseline": float(change.mean()), "reason": "",
                                              "change_se": float(change.std() / np.sqrt(len(change)))}
