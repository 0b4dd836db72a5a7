"""The door for a series: every verb takes the same months, and what is not monthly is refused with the way out."""

from __future__ import annotations

import numbers
from collections.abc import Iterable

import numpy as np
import pandas as pd

from .errors import SeriesError, UnknownNameError

KINDS = ("stock", "flow", "ratio", "multiple")       # what a series may be; a multiple is a ratio without a ceiling
_REGULAR = {12: "a figure a year", 6: "a figure every half year", 3: "a figure a quarter"}


def month_index(index: pd.Index) -> pd.Index:
    """Return months, dates (of a month's start, end or any day) or numbers such as 200801 as a monthly PeriodIndex.

    Other integers, which number the months, are returned as they are.

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
        if not (index.min() >= 190001 and index.max() <= 209912 and np.isin(index % 100, range(1, 13)).all()):
            return index
        months = pd.PeriodIndex.from_ordinals(12 * (index // 100 - 1970) + index % 100 - 1, freq="M")
    else:
        raise SeriesError("has no months", found=f"index of {index.dtype}", expected="months, dates or integers",
                          hint="y.index = pd.PeriodIndex(labels, freq='M') makes months of texts")
    if months.hasnans:
        raise SeriesError("has a label that is no month", found="NaT", expected="a month for each value")
    steps = np.diff(np.sort(months.asi8))
    if len(steps) >= 2 and (steps == 0).mean() > 0.5:
        raise _not_monthly("several figures a month")
    # A quarter that is missing leaves a step of six months: what all steps are multiples of is what there is.
    common = int(np.gcd.reduce(steps)) if len(steps) >= 2 else 1
    if found := next((said for every, said in _REGULAR.items() if common % every == 0), None):
        raise _not_monthly(found)
    return months


def regular(y) -> pd.Series:
    """Return floats, finite or missing, on every month (or number of a month) from the first to the last.

    The values of an array are numbered from 0.
    """
    if not isinstance(y, pd.Series):
        try:
            if np.ndim(y) == 0:
                raise ValueError("a single value")
            y = pd.Series(np.asarray(y))
        except ValueError as error:
            raise SeriesError("is no series", found=type(y).__name__, expected="one column of numbers") from error
    months = month_index(y.index)
    if not months.is_unique:
        raise SeriesError("a month stands twice", found=str(months[months.duplicated()][0]), expected="each month once")
    try:
        if pd.api.types.is_complex_dtype(y.dtype):
            raise TypeError(str(y.dtype))
        y = y.astype(float).set_axis(months).sort_index()
    except (TypeError, ValueError) as error:
        raise SeriesError("holds something that is no number", found=str(error), expected="numbers") from error
    if np.isinf(y.to_numpy()).any():
        raise SeriesError("holds an infinite value", key=str(y.index[np.isinf(y.to_numpy())][0]),
                          expected="finite or missing values")
    dated = isinstance(y.index, pd.PeriodIndex)
    at = y.index.asi8 if dated else y.index.to_numpy()
    if not len(y) or at[-1] - at[0] == len(y) - 1:      # nothing is left out
        return y
    whole = pd.period_range(y.index[0], y.index[-1]) if dated else pd.RangeIndex(at[0], at[-1] + 1)
    return y.reindex(whole.rename(y.index.name))


def _not_monthly(found: str) -> SeriesError:
    return SeriesError("is not monthly", found=found, expected="a figure a month",
                       hint="Of days and weeks y.resample('MS').sum() or .last() makes months; quarters stay quarters; "
                            "months without a figure stand in the index, as NaN")


def checked_levels(level) -> tuple[float, ...]:
    """Return levels in per cent, each once, rising; a fraction such as 0.95 is refused, for it is not 95."""
    found = np.atleast_1d(np.asarray(level, dtype=object)).tolist()
    good = all(isinstance(lv, numbers.Real) and not isinstance(lv, bool) and 1 <= lv <= 99.9 for lv in found)
    if not found or not good:
        raise SeriesError("a level is out of range", found=level,
                          expected="per cents from 1 to 99.9, as 80 or 95 (0.95 is written 95)")
    return tuple(sorted(set(found)))


def checked_count(value, what: str, most: int, least: int = 1) -> int:
    """Return a whole number from `least` to `most`, or say what is wrong with it."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (number and least <= value <= most and int(value) == value):
        raise SeriesError(f"the {what} is out of range", found=value, expected=f"a whole number from {least} to {most}")
    return int(value)


def each(names) -> list:
    """Return the names that a verb is given, one alone or several."""
    return list(names) if isinstance(names, Iterable) and not isinstance(names, str) else [names]


def checked_seed(seed) -> int:
    """Return a seed of random numbers, or say what is wrong with it."""
    return checked_count(seed, "seed", 2**63 - 1, 0)


def checked_name(value, what: str, known: Iterable[str]) -> str:
    """Return one of the known names, or say which there are."""
    if not isinstance(value, str) or value not in known:
        raise UnknownNameError(what, value, known)
    return value
