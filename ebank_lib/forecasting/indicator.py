"""A branch's indicators forecast, tested, revised and simulated, with all that is known beside the series themselves.

``forecast`` and ``backtest`` know a series only; these verbs know its place, see :class:`.context.Context`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from ..display import describe, say
from ..errors import SeriesError, UnknownNameError
from ..events import checked_calendar, find_interventions, known_events
from ..monthly import checked_count, checked_seed, each
from ..store import store
from ..wording import cell, cite, t
from .backtest import Backtest, Backtests, backtest, cutoffs_of
from .context import Context
from .forecast import DEFAULT, LONGEST, PATHS, Forecast
from .joint import JointPaths, draw_paths, plan_for
from .scoring import Revision, revise
from .series import kind_of, observed

PEERS = 12          # branches that a backtest learns from at each origin


def forecast_indicator(cleaned, branch: str, indicator: str = "", horizon: int = 12, level=(80, 95),
                       models=DEFAULT, calendar: str | None = None) -> Forecast:
    """Forecast an indicator of a branch with all that is known beside the series.

    Parameters
    ----------
    cleaned : Cleaned
    branch, indicator : str
        "" is the catalogue's first headline indicator.
    horizon, level, models
        As in :func:`ebank_lib.forecasting.forecast`.
    calendar : str, optional
        Another than the source's, as in :func:`ebank_lib.forecasting.forecast`.

    Returns
    -------
    Forecast
        With the same limits as :func:`ebank_lib.forecasting.simulate_joint` simulates.

    Raises
    ------
    UnknownNameError, SeriesError
        An unknown name; a series that cannot be forecast.
    """
    key, branch = cleaned.catalog.indicator(indicator).key, cleaned.branch_id(branch)
    context = Context.of(cleaned)
    context = context if calendar is None else replace(context, calendar=checked_calendar(calendar))
    f = context.forecast(branch, key, horizon, level, models, **_about(cleaned, key))
    describe(f.y, months={"y": "row"}, exact=["y"])
    describe(f.table, indicator="unique_id", pooled=True)
    return f


def backtest_indicator(cleaned, branch: str, indicator: str = "", horizon: int = 12, origins: int = 12, level=(80, 95),
                       models=DEFAULT, peers: int | None = PEERS) -> Backtest:
    """Test the forecasts of :func:`forecast_indicator` by a rolling origin.

    At each origin calendar, season, events, weights and limits are learnt anew from what the panel held by then, of
    this branch and of the others.

    Parameters
    ----------
    cleaned, branch, indicator, horizon, level, models
        As in :func:`forecast_indicator`; ``snaive`` and ``drift`` are always added.
    origins : int
    peers : int, optional
        Learn from so many branches at most at each origin, evenly spread: with hundreds it would take minutes.
    """
    key, branch = cleaned.catalog.indicator(indicator).key, cleaned.branch_id(branch)
    peers = None if peers is None else checked_count(peers, "number of branches to learn from", 100_000, 0)
    # All branches together are made of all.
    context = Context.of(cleaned, most=None if branch == cleaned.catalog.total else peers)

    return _backtest(cleaned, branch, key, models, horizon, origins, level, context)


def _backtest(cleaned, branch: str, key: str, models, horizon: int, origins: int, level,
              context: Context | None) -> Backtest:
    """Test the forecasts that are made with what a context knows at each origin, or those of the series alone."""
    def with_all(cutoff: pd.Period, horizon: int, level, models) -> Forecast:
        return context.until(cutoff).forecast(branch, key, horizon, level, models)

    return backtest(cleaned.series(branch, key), models, horizon, origins, level,
                    kind_of(cleaned.catalog.indicator(key)), forecaster=with_all if context else None,
                    **_about(cleaned, key))


def revise_indicator(cleaned, branch: str, indicator: str = "", months: int = 1, horizon: int = 12, level=(80, 95),
                     models=DEFAULT) -> Revision:
    """Say what the last months of a branch's indicator did to the forecast that was made before they came.

    Parameters
    ----------
    cleaned : Cleaned
    branch, indicator : str
        "" is the catalogue's first headline indicator.
    months : int
        How many months ago the forecast was made.
    horizon, level, models
        As in :func:`forecast_indicator`, whose forecasts these are.

    Raises
    ------
    SeriesError
        Fewer months than that, or too few before them to forecast.
    UnknownNameError
        An unknown branch, indicator or model.
    """
    key, branch = cleaned.catalog.indicator(indicator).key, cleaned.branch_id(branch)
    y = observed(cleaned.series(branch, key))
    months = checked_count(months, "number of months back", len(y) - 3)
    now, about = Context.of(cleaned), _about(cleaned, key)
    before = now.until(y.index[-1 - months]).forecast(branch, key, horizon, level, models, **about)
    return revise(before, now.forecast(branch, key, horizon, level, models, **about))


def simulate_joint(cleaned, horizon: int = 24, n: int = PATHS, seed: int = 0, branches: Iterable[str] | None = None,
                   indicators: Iterable[str] | None = None) -> JointPaths:
    """Simulate the futures of branches and indicators together.

    Parameters
    ----------
    cleaned : Cleaned
        Or anything with its ``panel`` and ``catalog``.
    horizon : int
        Months after the panel's last, 1 to 120.
    n : int
        Paths, 1 to 100,000.
    seed : int
    branches : names, optional
        Default: all that report. A branch's paths do not depend on which others are simulated.
    indicators : names, optional
        Default: all. What these follow from is simulated with them; their paths are those of the whole.

    Returns
    -------
    JointPaths

    Raises
    ------
    SeriesError
        Horizon or number of paths out of range; no indicator with data.
    UnknownNameError
        An unknown branch or indicator.
    """
    horizon, seed = checked_count(horizon, "horizon", LONGEST), checked_seed(seed)
    checked_count(n, "number of paths", 100_000)
    catalog, context = cleaned.catalog, Context.of(cleaned)
    chosen = context.branches if branches is None else list(dict.fromkeys(catalog.branch(b).id for b in each(branches)))
    unknown = [b for b in chosen if b not in context.present]
    if unknown:
        raise UnknownNameError("branch with data", unknown[0], sorted(context.present))
    return draw_paths(context, chosen, plan_for(context, indicators), horizon, n, seed)


def interventions_indicator(cleaned, branch: str, indicator: str = ""):
    """Look for months out of line in a branch's indicator, with the source's calendar and its listed events.

    Parameters
    ----------
    cleaned : Cleaned
    branch, indicator : str
        "" is the catalogue's first headline indicator.

    Returns
    -------
    Interventions, or a sentence to be shown
        See :func:`ebank_lib.events.find_interventions`; a series too short or too constant to be searched is said to
        be so.
    """
    key, branch = cleaned.catalog.indicator(indicator).key, cleaned.branch_id(branch)
    y = cleaned.series(branch, key)
    try:
        return find_interventions(y, known_events(cleaned.source, branch, key), calendar=cleaned.source.config.calendar)
    except SeriesError:
        return say(t("forecasting.not_searched", n=cite(int(y.count()), cell("series", y="!="))))


def _about(cleaned, key: str) -> dict:
    return {"unit": lambda lang=None: cleaned.catalog.unit_label(key, lang),
            "label": cleaned.catalog.indicator(key).short_label}


def backtest_many(cleaned, branch: str, indicators: Iterable[str] | None = None, models=DEFAULT, horizon: int = 12,
                  origins: int = 12, level=(80, 95), beside: bool = True) -> Backtests:
    """Backtest the indicators of a branch.

    Parameters
    ----------
    cleaned : Cleaned
    branch : str
    indicators : names, optional
        Indicators or groups of them; default: all of the catalogue.
    models, horizon, origins, level
        As in :func:`ebank_lib.forecasting.forecast`, ``snaive`` and ``drift`` always among the models.
    beside : bool
        Test the forecasts of :func:`ebank_lib.forecasting.forecast_indicator`, with all that is known beside a series;
        else those of :func:`ebank_lib.forecasting.forecast`, which needs a fraction of the time.

    Returns
    -------
    Backtests

    Raises
    ------
    SeriesError
        Options out of range.
    UnknownNameError
        An unknown branch, indicator or model.
    """
    branch, keys = cleaned.branch_id(branch), _keys(cleaned.catalog, indicators)
    if not keys:
        raise SeriesError("no series to test", expected="at least one")
    context = Context.of(cleaned) if beside else None
    parts = {key: _backtest(cleaned, branch, key, models, horizon, origins, level, context) for key in keys}
    return Backtests(parts, cleaned.catalog.branch(branch).label)


def backtest_branches(cleaned, indicator: str = "", models=DEFAULT, horizon: int = 12, origins: int = 12,
                      level=(80, 95), branches: Iterable[str] | None = None, peers: int | None = PEERS) -> Backtests:
    """Backtest an indicator in every branch: what one branch's few origins leave open, all together may tell.

    Parameters
    ----------
    cleaned : Cleaned
    indicator : str
        "" is the catalogue's first headline indicator.
    models, horizon, origins, level, peers
        As in :func:`backtest_indicator`, whose backtests these are.
    branches : names, optional
        Default: all that report the indicator.

    Returns
    -------
    Backtests
        For :func:`compare` too, which tests the mean loss over the branches.

    Raises
    ------
    SeriesError
        Options out of range, no branch.
    UnknownNameError
        An unknown branch, indicator or model.
    """
    catalog, key, context = cleaned.catalog, cleaned.catalog.indicator(indicator).key, Context.of(cleaned)
    there = [b for b in context.branches if key in context.available and context[key].series(b).notna().any()]
    chosen = there if branches is None else list(dict.fromkeys(cleaned.branch_id(b) for b in each(branches)))
    if not chosen:
        raise SeriesError("no branch to test", found=key, expected="at least one with figures of it")
    parts = {b: replace(backtest_indicator(cleaned, b, key, horizon, origins, level, models, peers),
                        label=catalog.branch(b).label) for b in chosen}
    return Backtests(parts, catalog.indicator(key).short_label, "branch")


def _keys(catalog, indicators) -> list[str]:
    found = []
    for name in catalog.indicators if indicators is None else each(indicators):
        group = [key for key, what in catalog.indicators.items() if what.group == name]
        found += group or [catalog.indicator(name).key]
    return list(dict.fromkeys(found))


def learn(cleaned, horizon: int = 12, origins: int = 12, peers: int | None = PEERS, indicator: str | None = None,
          part: tuple[int, int] | None = None) -> None:
    """Fill the store with what the forecasts of any branch learn from all branches; without a store nothing is done.

    Of every indicator: what the branches say of calendar, growth and the methods' weights, what their forecasts missed
    by (the shape of the limits) and how their surprises hang together, as of every month that is asked for by
    :func:`forecast_indicator`, :func:`revise_indicator` (a month ago), :func:`backtest_indicator` and
    :func:`simulate_joint`, of a series that reaches the panel's last month. Those of a series that ended earlier learn,
    and keep, the rest themselves. What is in the store already is not worked out again.

    `horizon`, `origins` and `peers` are as they will be asked for. `indicator` is the one that will be tried out at
    past months (default: any): of indicators of another kind, which it learns nothing from, only what forecasts from
    the last month ask for is learnt. `part` (k, n) is only each n-th indicator from the k-th on, of which nothing is
    learnt that needs others: for n processes at once. What is left is done by ``learn`` without it.
    """
    if store() is None:
        return
    now = Context.of(cleaned)
    tried = [key for key in now.available if indicator is None or now[key].kind == now[indicator].kind]
    month_ago = {month for month in now.grid.months if month == now.last - 1}
    asked = [(now, {now.last}, now.available), (now, month_ago, tried),
             (Context.of(cleaned, most=peers), _cutoffs(now, horizon, origins), tried)]
    k, n = part or (0, 1)
    for context, months, keys in asked:
        for key in keys[k::n]:
            for then in _each(context, months):
                _ = then[key].pooled
                if key in then.plan.free:
                    _ = then[key].weights, then[key].errors
                if then.most is None and then.last == now.last:
                    _ = then[key].surprises
    for context, months, keys in asked if part is None else ():
        for then in _each(context, months):
            for key in then.plan.free:
                if key in keys:
                    then.shape(key)


def _each(context: Context, months) -> Iterator[Context]:
    """The context of each month, with nothing worked out yet: what is learnt goes to the store, not to memory."""
    fresh = replace(context)
    for month in sorted(months):
        yield fresh.until(month)


def _cutoffs(context: Context, horizon: int, origins: int) -> set[pd.Period]:
    """The origins of the backtests of all series that reach the panel's last month."""
    found: set[pd.Period] = set()
    for key in context.available:
        seen = ~np.isnan(context[key].values)
        for first in set(seen[seen[:, -1]].argmax(axis=1).tolist()):
            found |= {context.grid.months[first + n - 1]
                      for n in cutoffs_of(seen.shape[1] - first, horizon, origins)}
    return found
