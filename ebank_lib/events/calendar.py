"""The calendar: Spring Festival, Diwali, working days, quarter ends.

Festival dates and working days come from the library ``holidays``; its first days of the lunar year for 1990-2050
were checked against published ones (tests). A festival moves between two months: its effect is spread over a window
of days and each month gets its share of that window (Bell & Hillmer 1983, JASA 78, 526-534).

A calendar may have its festival on other days, written behind its name: ``china:2013-01-25`` is China's, asked what if
the Spring Festival of 2013 were on 25 January.
"""

from __future__ import annotations

import calendar as _days
import warnings
from datetime import date, timedelta
from functools import cache

import holidays
import numpy as np
import pandas as pd

from ..errors import SeriesError, UnknownNameError
from ..monthly import checked_name

CALENDARS = ("china", "india", "none")
_YEARS = {"china": (1990, 2050), "india": (2001, 2035)}


def checked_calendar(calendar: str) -> str:
    """Return a calendar's name, with the festival on other days or not, or say what is wrong with it."""
    try:
        name, moved = _moved(str(calendar))
    except ValueError as error:
        raise SeriesError("is no day of a festival", found=calendar, expected="china:2013-01-25") from error
    checked_name(name if moved else calendar, "calendar", [*_YEARS] if moved else CALENDARS)
    for year in moved:
        if year not in festival_dates(name):
            raise SeriesError("festival dates are not known for this year", found=calendar,
                              expected="{}..{}".format(*_YEARS[name]))
    return calendar


@cache
def _moved(calendar: str) -> tuple[str, dict[int, date]]:
    """A calendar's own name, and by year the other days of its festival."""
    name, _, days = calendar.partition(":")
    return name, {day.year: day for day in map(date.fromisoformat, days.split(","))} if days else {}


@cache
def _calendar(name: str):
    first, last = _YEARS[name]
    years = range(first, last + 1)
    if name == "china":
        return holidays.China(years=years, language="en_US")
    with warnings.catch_warnings():
        # Islamic dates before 2001 and after 2035 are not known to the library; the years asked for here are.
        warnings.simplefilter("ignore", UserWarning)
        return holidays.India(years=years, language="en_IN")


@cache
def festival_dates(calendar: str = "china") -> dict[int, date]:
    """Return year -> day of the festival that moves between months: the first day of the lunar year, or Diwali."""
    calendar, moved = _moved(calendar)
    if calendar not in _YEARS:
        raise UnknownNameError("festival calendar", calendar, _YEARS)
    word = "Chinese New Year (Spring Festival)" if calendar == "china" else "Diwali"
    days: dict[int, date] = {}
    for day, name in sorted(_calendar(calendar).items()):
        if word in name and "observed" not in name:
            days.setdefault(day.year, day)
    return days | moved


def festival(months: pd.PeriodIndex, calendar: str = "china", before: int = 10, after: int = 10) -> pd.Series:
    """Return the share of the festival's window that falls into each month, less that calendar month's mean.

    The window is the `before` days before the festival, its first day, and the `after` days that follow. The mean of
    each calendar month over the years known is taken off, so that the fixed season is left to the seasonal part and
    the regressor holds only what moves (it sums to about zero over any long stretch). A month outside the years known
    is a SeriesError.
    """
    months = monthly(months)
    if len(months):
        place_of(months.min().ordinal, months.max().ordinal, calendar)
    shares, usual = window_shares(calendar, before, after)
    values = [shares.get((year, month), 0.0) - usual[month - 1]
              for year, month in zip(months.year, months.month, strict=True)]
    return pd.Series(values, index=months, name=f"festival_{calendar}", dtype=float)


@cache
def known_months(calendar: str) -> pd.PeriodIndex:
    """Return the months of the years in which the festival's day is known."""
    years = festival_dates(calendar)
    return pd.period_range(f"{min(years)}-01", f"{max(years)}-12", freq="M")


def place_of(first: int, last: int, calendar: str) -> int:
    """Return where months, given by their ordinals, begin among those known; others are a SeriesError."""
    known = known_months(calendar)
    start, end = known[0].ordinal, known[-1].ordinal
    if not start <= first <= last <= end:
        asked = pd.PeriodIndex.from_ordinals([first, last], freq="M")
        raise SeriesError("festival dates are not known for these months", found=f"{asked[0]}..{asked[1]}",
                          expected=f"{known[0].year}..{known[-1].year}")
    return first - start


@cache
def window_shares(calendar: str, before: int, after: int) -> tuple[dict[tuple[int, int], float], tuple[float, ...]]:
    """Return the share of each window by (year, month), and the mean of each calendar month over the years known."""
    raw: dict[tuple[int, int], float] = {}
    for day in festival_dates(calendar).values():
        for offset in range(-before, after + 1):
            at = day + timedelta(days=offset)
            raw[at.year, at.month] = raw.get((at.year, at.month), 0.0) + 1.0 / (before + after + 1)
    if _moved(calendar)[1]:     # what is usual stays so: the past is seen as before
        return raw, window_shares(_moved(calendar)[0], before, after)[1]
    years = len(festival_dates(calendar))
    mean = tuple(sum(v for (_, month), v in raw.items() if month == m) / years for m in range(1, 13))
    return raw, mean


@cache
def working_days(year: int, month: int, calendar: str = "china") -> int:
    """Return the number of working days of a month.

    With ``china`` and ``india`` public holidays are no working days, and the Saturdays and Sundays that China works in
    exchange are (announced by the State Council year by year; future years have the statutory days only). With
    ``none``: Mondays to Fridays.
    """
    days = [date(year, month, n) for n in range(1, _days.monthrange(year, month)[1] + 1)]
    name, moved = _moved(calendar)
    if name != "none" and _YEARS[name][0] <= year <= _YEARS[name][1]:
        known = _calendar(name)
        if year not in moved:
            return sum(known.is_working_day(day) for day in days)
        # The holidays about the festival move with it; about its own day weeks are as usual then.
        usual = festival_dates(name)[year]
        off = {day + (moved[year] - usual) for n in range(-15, 16) if (day := usual + timedelta(n)) in known}
        return sum((day.weekday() < 5 if abs((day - usual).days) <= 15 else known.is_working_day(day))
                   and day not in off for day in days)
    return sum(day.weekday() < 5 for day in days)


def calendar_regressors(months: pd.PeriodIndex, calendar: str = "china", before: int = 10,
                        after: int = 10) -> pd.DataFrame:
    """Return what moves from year to year, centred: ``festival`` (not with ``none``), ``working_days`` (deviation, in
    per cent of 21 days, from the mean of that calendar month), ``quarter_end`` (less its mean; the same every year: for
    where no season is modelled)."""
    months = monthly(months)
    checked_calendar(calendar)
    columns = {}
    if calendar != "none":
        columns["festival"] = festival(months, calendar, before, after).to_numpy()
    usual = [_usual_work(month, _moved(calendar)[0]) for month in range(1, 13)]
    columns["working_days"] = [(working_days(year, month, calendar) - usual[month - 1]) / 21.0 * 100
                               for year, month in zip(months.year, months.month, strict=True)]
    columns["quarter_end"] = (months.month % 3 == 0) - 1 / 3
    return pd.DataFrame(columns, index=months)


@cache
def _usual_work(month: int, calendar: str) -> float:
    first, last = _YEARS.get(calendar, _YEARS["china"])
    return float(np.mean([working_days(year, month, calendar) for year in range(first, last + 1)]))


def monthly(months) -> pd.PeriodIndex:
    if not isinstance(months, pd.PeriodIndex) or months.freqstr != "M":
        raise SeriesError("months are needed", found=type(months).__name__, expected="a monthly PeriodIndex")
    return months
