"""What forecasts learn from all branches, learnt once for all of them: a batch does it before its reports begin."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ebank_lib.pools import pool
from ebank_lib.store import store

from .backtest import cutoffs_of
from .context import Context
from .indicator import PEERS

__all__ = ["learn"]


def learn(cleaned, horizon: int = 12, origins: int = 12, peers: int | None = PEERS, workers: int = 1,
          indicator: str | None = None) -> None:
    """Fill the store with what the forecasts of any branch learn from all branches.

    Of every indicator: what the branches say of calendar and season, what their forecasts missed by (the shape of the
    limits) and how their surprises hang together, as of every month that is asked for by
    :func:`~ebank_lib.forecasting.forecast_indicator`, :func:`~ebank_lib.forecasting.revise_indicator` (a month ago),
    :func:`~ebank_lib.forecasting.backtest_indicator` and :func:`~ebank_lib.forecasting.simulate_joint`, of a series
    that reaches the panel's last month. Those of a series that ended earlier learn, and keep, the rest themselves.

    Parameters
    ----------
    cleaned : Cleaned
    horizon, origins, peers
        As they will be asked for.
    workers : int
        Processes; 1 runs in this one.
    indicator : str, optional
        The one that will be tried out at past months: of indicators of another kind, which it learns nothing from, only
        what forecasts from the last month ask for is learnt. Default: any may be tried out.

    Raises
    ------
    ConfigError
        The store cannot be written to.

    Notes
    -----
    Without a store nothing is done. What is in the store already is not worked out again. A number is the same whether
    it was learnt here or when it was asked for.
    """
    if store() is None:
        return
    with _processes(workers) as processes:
        now = Context.of(cleaned)
        tried = [key for key in now.available if indicator is None or now.kind(key) == now.kind(indicator)]
        asked = [(now, {now.last}, now.available), (now, {now.last - 1}, tried),
                 (Context.of(cleaned, most=peers), _cutoffs(now, horizon, origins), tried)]
        jobs = [(context, key, sorted(months)) for context, months, keys in asked for key in keys]
        if processes is not None:
            list(processes.map(_learn_one, jobs))
        else:
            for context, *job in jobs:
                _learn_one((fresh(context), *job))
    for context, months, keys in asked:
        for then in _each(fresh(context), months):
            for key in then.plan.free:
                if key in keys:
                    then.shape(key)


@contextmanager
def _processes(workers: int) -> Iterator[ProcessPoolExecutor | None]:
    """Start processes, at once; None where this one does the work.

    Those of a batch's job are forks: they have all imported and compiled, which spares each of them seconds. They are
    forked before a table is read, since reading one starts threads, and beside a thread, which may hold a lock, forking
    is not sound.
    """
    if workers <= 1:
        yield None
        return
    alone = sys.platform == "linux" and len(list(Path("/proc/self/task").iterdir())) == 1
    with pool(workers, "fork" if alone else "spawn") as processes:
        processes.submit(int).result()
        yield processes


def fresh(context: Context) -> Context:
    """Return a context of the same data with nothing worked out: what is learnt goes to the store, not to memory."""
    return replace(context, _family={"grid": context.grid}, _done={})


def _cutoffs(context: Context, horizon: int, origins: int) -> set[pd.Period]:
    """The origins of the backtests of all series that reach the panel's last month."""
    grid, found = context.grid, set()
    for key in context.available:
        seen = ~np.isnan(grid.column(key, grid.last))
        for first in set(seen[seen[:, -1]].argmax(axis=1).tolist()):
            found |= {first + n - 1 for n in cutoffs_of(seen.shape[1] - first, horizon, origins)}
    return {grid.months[at] for at in found}


def _each(context: Context, months) -> Iterator[Context]:
    for month in sorted(months):
        yield context.until(month)


def _learn_one(job) -> None:
    """All of one indicator that needs no other."""
    context, key, months = job
    for then in _each(context, months):
        then.pooled(key)
        if key in then.plan.free:
            then.errors(key)
    if context.most is None and context.last in months:
        context.surprises(key)
