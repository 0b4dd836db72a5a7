"""The door for a series: every verb takes the same months, and what is not monthly is refused with the way out."""

from __future__ import annotations

import numbers

import numpy as np
import pandas as pd

from .errors import SeriesError

_REGULAR = {3: "a figure a quarter", 6: "a figure every half year", 12: "a figure a year"}


def month_index(index: pd.Index) -> pd.Index:
    """Return months or dates (of a month's start, end or any day) as a monthly PeriodIndex, integers as they are.

    Raises
    ------
    SeriesError
        Quarters, years, weeks or days; labels that are neither months, dates nor integers.

    Examples
    --------
    >>> month_index(pd.DatetimeIndex(["2024-01-31", "2024-02-29"])).tolist()
    [Period('2024-01', 'M'), Period('2024-02', 'M')]
    """
    if isinstance(index, pd.PeriodIndex):
        if index.freqstr != "M":
            raise _not_monthly(f"frequency {index.freqstr}")
        months = index
    elif isinstance(index, pd.DatetimeIndex):
        months = index.tz_localize(None).to_period("M")
    elif not len(index):
        return pd.PeriodIndex([], freq="M")
    elif pd.api.types.is_integer_dtype(index.dtype):
        return index
    else:
        raise SeriesError("has no months", found=f"index of {index.dtype}", expected="months, dates or integers",
                          hint="y.index = pd.PeriodIndex(labels, freq='M') makes months of texts")
    if months.hasnans:
        raise SeriesError("has a label that is no month", found="NaT", expected="a month for each value")
    steps = np.diff(np.sort(months.asi8))
    if len(steps) >= 2 and steps[0] in _REGULAR and (steps == steps[0]).all():
        raise _not_monthly(_REGULAR[int(steps[0])])
    if len(steps) >= 2 and (steps == 0).mean() > 0.5:
        raise _not_monthly("several figures a month")
    return months


def _not_monthly(found: str) -> SeriesError:
    return SeriesError("is not monthly", found=found, expected="a figure a month",
                       hint="Of days and weeks y.resample('MS').sum() or .last() makes months; quarters stay quarters")


def checked_levels(level) -> tuple[float, ...]:
    """Return levels in per cent, each once, rising; a fraction such as 0.95 is refused, for it is not 95."""
    found = np.atleast_1d(np.asarray(level, dtype=object)).tolist()
    good = all(isinstance(lv, numbers.Real) and not isinstance(lv, bool) and 1 <= lv <= 99.9 for lv in found)
    if not found or not good:
        raise SeriesError("a level is out of range", found=level,
                          expected="per cents from 1 to 99.9, as 80 or 95 (0.95 is written 95)")
    return tuple(sorted(set(found)))


def checked_count(value, what: str, most: int) -> int:
    """Return a whole number from 1 to `most`, or say what is wrong with it."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (number and 1 <= value <= most and int(value) == value):
        raise SeriesError(f"the {what} is out of range", found=value, expected=f"1 to {most}")
    return int(value)
