"""Many series at once, from a long frame, a wide one or a mapping: the verb ``forecast_many``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from ..errors import SeriesError, UnknownNameError
from .forecast import DEFAULT, checked, forecast


def forecast_many(data, horizon: int = 12, level=(80, 95), models=DEFAULT, kind: str | None = None,
                  calendar: str = "none") -> pd.DataFrame:
    """Forecast many series, one after the other; a series on its own gets the same.

    Parameters
    ----------
    data : DataFrame or mapping of name to Series
        Long, as Nixtla's packages take it: ``unique_id``, ``ds`` or ``month``, ``y``, and optionally ``kind``, missing
        where a series has none; wide: an index of months, a column a series.
    horizon, level, models, kind, calendar
        As in :func:`forecast`.

    Returns
    -------
    DataFrame
        The tables of :func:`forecast`, one below the other in the order of the input, with the ``remarks`` that a
        forecast makes about its series, gaps and jumps that were taken out among them. A series that cannot be
        forecast keeps one row a model with the ``reason``.

    Raises
    ------
    SeriesError, UnknownNameError
        An argument out of range; a frame that might be read in two ways, or in which two series have one name.
    """
    horizon, level, models = checked(horizon, level, models, kind, calendar)
    limits = [f"{side}-{lv:g}" for lv in level for side in ("lo", "hi")]
    columns = ["unique_id", "month", "horizon", "model", "y_hat", *limits, "mean", "reason", "remarks"]
    tables = []
    for uid, y, own in _series_of(data):
        try:
            if isinstance(y, SeriesError):
                raise y
            f = forecast(y, horizon, level, models, own or kind, unique_id=uid, calendar=calendar)
            tables.append(f.table.assign(remarks=" ".join(f.remarks())))
        except (SeriesError, UnknownNameError) as error:
            rows = pd.DataFrame({"unique_id": uid, "model": list(models), "reason": str(error)})
            tables.append(rows.reindex(columns=columns))
    if not tables:
        raise SeriesError("no series to forecast", expected="at least one")
    return pd.concat([rows.dropna(axis=1, how="all") for rows in tables], ignore_index=True).reindex(columns=columns)


def _series_of(data):
    """Yield (unique_id, Series or what is wrong with it, kind or None) from a long frame, a wide frame or a mapping."""
    if isinstance(data, pd.DataFrame) and "unique_id" in data.columns:
        when = next((c for c in ("ds", "month") if c in data.columns), None)
        if when is None or "y" not in data.columns:
            raise SeriesError("a long frame needs more columns", found=list(data.columns), expected="unique_id, ds, y")
        if data["unique_id"].isna().any():
            raise SeriesError("rows have no unique_id", found=f"{int(data['unique_id'].isna().sum())} rows",
                              expected="the name of a series in each")
        names = data["unique_id"].astype(str)
        _apart(data["unique_id"].unique())
        for uid, rows in data.groupby(names, sort=False, observed=True):
            kinds = rows["kind"].dropna().unique().tolist() if "kind" in rows.columns else []
            try:
                if len(kinds) > 1:
                    raise SeriesError("is of two kinds", found=", ".join(map(str, kinds)), expected="one kind a series")
                yield uid, pd.Series(rows["y"].to_numpy(), index=_dates(rows[when])), *(kinds or [None])
            except SeriesError as error:
                yield uid, error, None
    elif isinstance(data, (pd.DataFrame, Mapping)):
        if isinstance(data, pd.DataFrame) and (found := [c for c in ("ds", "month") if c in data.columns]):
            raise SeriesError("a frame of one series or of many?", found=f"a column {found[0]}, none unique_id",
                              expected="unique_id, ds, y, or an index of months and a column a series",
                              hint=f"df.assign(unique_id='y') makes one series, df.set_index('{found[0]}') many")
        _apart(data)
        yield from ((str(uid), y, None) for uid, y in data.items())
    else:
        raise SeriesError("is neither a frame nor a mapping", found=type(data).__name__, expected="a DataFrame")


def _apart(names: Iterable) -> None:
    """Refuse names that are one when they are written."""
    twice = pd.Series([str(name) for name in names], dtype=object)
    if twice.duplicated().any():
        raise SeriesError("two series have one name", found=twice[twice.duplicated()].iloc[0],
                          expected="a name of its own for each, all texts or all numbers")


def _dates(index: pd.Series) -> pd.Index:
    """Months as they are written: periods, dates, integers, or texts such as 2008-01, 200801 and 2008-01-31."""
    if isinstance(index.dtype, pd.PeriodDtype):
        return pd.PeriodIndex(index)
    if pd.api.types.is_integer_dtype(index.dtype):
        return pd.Index(index.to_numpy())
    texts = index.astype(str)
    together = texts.str.fullmatch(r"(19|20)\d{2}(0[1-9]|1[0-2])").all()
    try:
        return pd.DatetimeIndex(pd.to_datetime(texts, format="%Y%m") if together else pd.to_datetime(index))
    except (ValueError, TypeError) as error:
        raise SeriesError("holds something that is no date", found=str(error).splitlines()[0],
                          expected="dates, months or integers") from error
