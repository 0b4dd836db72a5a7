"""The futures of branches and indicators, drawn together, and of what follows from others: its forecast.

Whatever is asked about the future is asked of these paths: a branch's forecast, the odds of its targets, what the
branches come to. The same question has the same answer wherever it is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..errors import EbankError, SeriesError, UnknownNameError
from ..monthly import each
from .candidates import GAUSSIAN, Prediction, run_models, shape_of
from .forecast import PATHS, Forecast, assemble, paths_from, remarks_of
from .joint import JointPaths, Plan, dependence_of, last_of

if TYPE_CHECKING:
    from .context import Context


def draw_paths(context: Context, branches: Sequence[str], plan: Plan, horizon: int, n: int, seed: int) -> JointPaths:
    """Draw the futures of some branches, and of what a plan models and what follows from it."""
    forecasts, reasons = {}, {}
    for branch in branches:
        for key in plan.free:
            try:
                forecasts[branch, key] = context.forecast(branch, key, horizon, models=("combination",))
            except EbankError as error:
                reasons[branch, key] = str(error)
    ahead = pd.period_range(context.last + 1, periods=horizon, freq="M", name="month")
    values = {key: np.full((len(branches), horizon, n), np.nan) for key in plan.free}
    late = max([f.horizon for f in forecasts.values()], default=horizon) - horizon
    # From the panel's end always of all that are modelled, so that paths are the same whatever is asked for; of an
    # earlier month, from which forecasts are only tried out, of those that are needed.
    drawn, dependence = (context.plan.free, context.dependence) if context.now is None else (
        plan.free, dependence_of([context[key].surprises for key in plan.free]))
    for b, shocks in enumerate(dependence.draw(branches, late, horizon, n, seed)):
        for key, shock in zip(drawn, shocks, strict=True):
            f = forecasts.get((branches[b], key))
            if f is not None:
                # The shocks' last months are the same calendar months for every series, however early it ended.
                values[key][b] = paths_from(f, shock[:, -f.horizon:])[:, -horizon:].T
    values = plan.complete(values, last_of(context.panel, tuple(branches), context.last))
    return JointPaths(values, tuple(branches), ahead, context.last, context.panel, context.catalog, plan, seed, reasons,
                      forecasts)


def follow_forecast(context: Context, branch: str, key: str, horizon: int, level, models, **about) -> Forecast | None:
    """Forecast what follows from other series by their futures: a total, a ratio, all branches together.

    The other methods look at the series itself. None where it is modelled itself, or one of the others cannot be
    forecast.
    """
    whole = branch == context.catalog.total and branch not in context.branches
    ready = context[key].ready(branch)
    if "combination" not in models or ready.y.index[-1] != context.last or not (whole or key in context.plan.derived):
        return None
    drawn = draw_paths(context, context.branches if whole else [branch], plan_for(context, [key]), horizon, PATHS, 0)
    # A branch that never had an indicator adds nothing to it.
    if any(context[k].series(b).notna().any() for b, k in drawn.reasons):
        return None
    try:
        paths = (drawn.total(key).to_numpy() if whole else drawn.array(key)[0]).T
    except SeriesError:     # a ratio that is only printed has no total
        return None
    if not np.isfinite(paths).all():
        return None
    others = [model for model in models if model != "combination"]
    parts, reasons, notes = run_models(ready, horizon, others) if others else ({}, {}, ())
    if not set(others).intersection(parts):     # the stand-in for methods that failed is not needed
        parts, notes = {}, ()
    parts = {"combination": Prediction(paths.mean(axis=0), np.cov(paths.T)), **parts}
    shapes = {model: GAUSSIAN if model == "combination" else shape_of(model) for model in parts}
    made_of = ("forecasting.follows_branches", {}) if whole else ("forecasting.follows", {
        "parts": [context.catalog.indicator(part).short_label for part in context.plan.derived[key].parts]})
    return assemble(ready, horizon, level, tuple(dict.fromkeys([*models, *parts])), parts, shapes, reasons,
                    {"combination": paths}, notes=(made_of, *notes, *remarks_of(ready)), **about)


def plan_for(context: Context, indicators: Iterable[str] | None) -> Plan:
    """Return the part of the plan that some indicators need, by default all of it."""
    catalog, plan, there = context.catalog, context.plan, context.available
    if indicators is None:
        wanted = set(there)
    else:
        wanted = {catalog.indicator(k).key for k in each(indicators)}
        missing = sorted(wanted - set(there))
        if missing:
            raise UnknownNameError("indicator with data", missing[0], there)
    free = {m for k in wanted for m in plan.movers(k)}
    if not free:
        raise SeriesError("no indicator to simulate", expected="at least one with data")
    derived = {k: r for k, r in plan.derived.items() if free.issuperset(plan.movers(k))}
    return Plan(tuple(k for k in plan.free if k in free), derived)

