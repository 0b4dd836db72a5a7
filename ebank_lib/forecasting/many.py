"""Many series at once: a long or wide frame in, one long table out, each series on its own if need be."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.pools import pool

from .forecast import DEFAULT, checked, forecast

__all__ = ["forecast_many"]

_MANY = 16     # series; to start processes takes as long as some ten of them


def forecast_many(data, horizon: int = 12, level=(80, 95), models=DEFAULT, kind: str | None = None,
                  calendar: str = "none", workers: int = 2) -> pd.DataFrame:
    """Forecast many series.

    Parameters
    ----------
    data : DataFrame or mapping of name to Series
        Long: ``unique_id``, ``ds`` or ``month``, ``y``, and optionally ``kind``; wide: an index of months, a column
        a series.
    horizon, level, models, kind, calendar
        As in :func:`forecast`.
    workers : int
        Processes for 16 series and more; 1 runs all in this one.

    Returns
    -------
    DataFrame
        The tables of :func:`forecast`, one below the other in the order of the input. A series that cannot be forecast
        keeps one row a model with the ``reason``.
    """
    horizon, level, models = checked(horizon, level, models)
    jobs = [(uid, y, horizon, level, models, kind if own is None else own, calendar)
            for uid, y, own in _series_of(data)]
    if workers > 1 and len(jobs) >= _MANY:
        with pool(workers) as processes:
            tables = list(processes.map(_one, jobs, chunksize=max(1, len(jobs) // (workers * 8))))
    else:
        tables = [_one(job) for job in jobs]
    if not tables:
        raise SeriesError("no series to forecast", expected="at least one")
    return pd.concat(tables, ignore_index=True)


def _one(job) -> pd.DataFrame:
    uid, y, horizon, level, models, kind, calendar = job
    try:
        return forecast(y, horizon, level, models, kind, unique_id=uid, calendar=calendar).table
    except (SeriesError, UnknownNameError) as error:
        return pd.DataFrame({"unique_id": uid, "model": list(models), "reason": str(error)})


def _series_of(data):
    """Yield (unique_id, Series, kind or None) from a long frame, a wide frame or a mapping."""
    if isinstance(data, pd.DataFrame) and "unique_id" in data.columns:
        when = next((c for c in ("ds", "month") if c in data.columns), None)
        if when is None or "y" not in data.columns:
            raise SeriesError("a long frame needs more columns", found=list(data.columns), expected="unique_id, ds, y")
        for uid, rows in data.groupby("unique_id", sort=False, observed=True):
            index = rows[when]
            index = pd.PeriodIndex(index) if isinstance(index.dtype, pd.PeriodDtype) else _dates(index)
            kind = str(rows["kind"].iloc[0]) if "kind" in rows.columns else None
            yield str(uid), pd.Series(rows["y"].to_numpy(), index=index), kind
    elif isinstance(data, (pd.DataFrame, Mapping)):
        for uid in data:
            yield str(uid), data[uid], None
    else:
        raise SeriesError("is neither a frame nor a mapping", found=type(data).__name__, expected="a DataFrame")


def _dates(index: pd.Series) -> pd.Index:
    if pd.api.types.is_integer_dtype(index.dtype):
        return pd.Index(index.to_numpy())
    try:
        return pd.DatetimeIndex(pd.to_datetime(index))
    except (ValueError, TypeError) as error:
        raise SeriesError("holds something that is no date", found=str(error).splitlines()[0],
                          expected="dates, months or integers") from error
