"""A series at the door: monthly, in order, finite; gaps explicit; what was done to it said."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ebank_lib.errors import SeriesError
from ebank_lib.events import take_out

from .calendar import NOTHING, fit_values
from .candidates import Work
from .transforms import Transform, choose_transform

__all__ = ["Prepared", "as_monthly", "prepare", "with_calendar"]

_FEWEST = 3


@dataclass(frozen=True)
class Prepared:
    """A series ready to be forecast.

    ``y`` begins and ends with an observed month; ``gaps`` are the months within that were missing and were
    interpolated on the modelling scale for the methods (never in ``y``); ``late`` counts missing months at the end;
    ``events`` (kind, month, size) were taken out for the methods, see :func:`ebank_lib.events.take_out`;
    ``numbered`` says that the series came without months, so that they are numbered.
    """

    y: pd.Series
    work: Work
    transform: Transform
    gaps: tuple[pd.Period, ...] = ()
    late: int = 0
    numbered: bool = False
    constant: bool = False
    events: tuple[tuple[str, pd.Period, float], ...] = ()


def as_monthly(y) -> tuple[pd.Series, bool]:
    """Return `y` as a float Series on a complete monthly PeriodIndex, and whether its months are only numbers.

    Parameters
    ----------
    y : Series or array
        Index of months (PeriodIndex, or dates, one a month), or consecutive integers (numbered months).

    Raises
    ------
    SeriesError
        Not numbers, infinite, months twice, not monthly.
    """
    if _is_monthly(y):
        return y.copy(), False
    if not isinstance(y, pd.Series):
        try:
            values = np.asarray(y)
            if values.ndim == 0:
                raise SeriesError("is no series", found=y, expected="one column of monthly numbers")
            y = pd.Series(values)
        except SeriesError:
            raise
        except ValueError as error:
            raise SeriesError("is no series", found=type(y).__name__, expected="one column of numbers") from error
    try:
        values = pd.to_numeric(y).astype(float)
    except (TypeError, ValueError) as error:
        raise SeriesError("holds something that is no number", found=str(error).splitlines()[0],
                          expected="numbers") from error
    if np.isinf(values).any():
        raise SeriesError("holds an infinite value", found=str(values.index[np.isinf(values)][0]), expected="finite")
    index, numbered = _months(values.index)
    if index.has_duplicates:
        raise SeriesError("a month stands twice", found=str(index[index.duplicated()][0]), expected="each month once")
    values = pd.Series(values.to_numpy(), index=index, name=y.name).sort_index()
    if len(values):
        values = values.reindex(pd.period_range(values.index[0], values.index[-1], freq="M"))
    return values, numbered


def _is_monthly(y) -> bool:
    """Whether nothing is left to do: the common case, by far the most often asked."""
    return (isinstance(y, pd.Series) and isinstance(y.index, pd.PeriodIndex) and y.index.freqstr == "M"
            and y.dtype == np.float64 and len(y) > 0 and bool((np.diff(y.index.asi8) == 1).all())
            and not np.isinf(y.to_numpy()).any())


def _months(index: pd.Index) -> tuple[pd.PeriodIndex, bool]:
    if isinstance(index, pd.PeriodIndex):
        if index.freqstr != "M":
            raise SeriesError("is not monthly", found=f"frequency {index.freqstr}", expected="months")
        return index, False
    if isinstance(index, pd.DatetimeIndex):
        return index.to_period("M"), False
    if pd.api.types.is_integer_dtype(index.dtype) and len(index):
        if int(index.min()) < 0 or int(index.max()) > 20_000:
            raise SeriesError("has numbers for months that are none", found=f"{index.min()}..{index.max()}",
                              expected="consecutive integers from 0")
        return pd.PeriodIndex.from_ordinals(np.asarray(index, dtype="int64"), freq="M"), True
    if not len(index):
        return pd.PeriodIndex([], freq="M"), False
    raise SeriesError("has no months", found=f"index of {index.dtype}", expected="months, dates or integers")


def prepare(y, kind: str | None = None, calendar: str = "none", pooled=None, events=()) -> Prepared:
    """Return a series ready for the methods.

    Parameters
    ----------
    y : Series or array
        See :func:`as_monthly`.
    kind : str, optional
        See :func:`ebank_lib.forecasting.transforms.choose_transform`.
    calendar : {"none", "china", "india"}
        Whose festivals, working days and quarter ends are allowed for; not used where months are only numbered.
    pooled : Pooled, optional
        What other branches say of the calendar and the season, see :mod:`ebank_lib.forecasting.pooling`.
    events : sequence of (kind or None, month)
        Known events, see :func:`ebank_lib.events.take_out`.

    Raises
    ------
    SeriesError
        Fewer than three observed months, or no series at all.
    """
    y, numbered = as_monthly(y)
    values = y.to_numpy()
    seen = np.flatnonzero(~np.isnan(values))
    if seen.size < _FEWEST:
        raise SeriesError("too few months to forecast", found=int(seen.size), expected=f"at least {_FEWEST} observed")
    late = len(y) - 1 - int(seen[-1])
    known, first = values[seen], y.index[0].ordinal + int(seen[0])
    if seen.size < len(y):
        y, values = y.iloc[seen[0]: seen[-1] + 1], values[seen[0]: seen[-1] + 1]
    constant = bool((known == known[0]).all())
    transform = choose_transform(known, kind)
    transform = Transform("none") if constant else transform
    if kind == "stock" and not constant and len(y) >= 24 and (np.diff(known) >= 0).all():
        # A stock that never fell in two years and more is not forecast to fall.
        transform = Transform(transform.name, float(values[-1]), transform.high, monotone=True)
    z = transform.forward(values)
    missing = np.flatnonzero(np.isnan(z))
    if missing.size:
        there = np.flatnonzero(~np.isnan(z))
        z[missing] = np.interp(missing, there, z[there])
    adjusted, events = (z, []) if constant else take_out(
        z, y.index, listed=() if numbered else events, calendar="none" if numbered else calendar)
    work = Work(adjusted, z, first, NOTHING, tuple((kind, at) for kind, at, _ in events), y.name)
    told = tuple((kind, y.index[at], size) for kind, at, size in events)
    gaps = tuple(y.index[missing]) if missing.size else ()
    ready = Prepared(y, work, transform, gaps, late, numbered, constant, told)
    return with_calendar(ready, calendar, pooled)


def with_calendar(ready: Prepared, calendar: str, pooled=None) -> Prepared:
    """Return a prepared series with the calendar's effects estimated anew, drawn towards what `pooled` says."""
    if ready.constant or ready.numbered:
        return ready
    work = ready.work
    plain, first = work.plain_values, work.first
    effect = fit_values(plain, first, calendar, *(pooled.prior if pooled else ()))
    if pooled is not None:
        less = plain - effect.between(first, len(plain))
        effect = replace(effect, season=pooled.season_for(less, first))
    return replace(ready, work=Work(plain - effect.between(first, len(plain)), work.given, first, effect, work.events,
                                    work.name))
