"""Calendar and known events: Spring Festival, Diwali, working days, quarter ends, and what the source says happened.

Festival dates and working days come from the library ``holidays``; its first days of the lunar year for 1990-2050
were checked against published ones (tests). A festival moves between two months: its effect is spread over a window
of days and each month gets its share of that window (Bell & Hillmer 1983, JASA 78, 526-534).
"""

from __future__ import annotations

import calendar as _days
import warnings
from datetime import date, timedelta
from functools import cache

import holidays
import numpy as np
import pandas as pd

from ebank_lib.errors import SeriesError, UnknownNameError

__all__ = ["CALENDARS", "calendar_regressors", "festival", "festival_dates", "known_events", "period_ends",
           "spring_festival", "working_days"]

CALENDARS = ("china", "india", "none")
_YEARS = {"china": (1990, 2050), "india": (2001, 2035)}


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
    """Return year -> day of the festival that moves between months.

    Parameters
    ----------
    calendar : {"china", "india"}
        ``china``: first day of the lunar year, 1990-2050; ``india``: Diwali, 2001-2035.

    Raises
    ------
    UnknownNameError
        Another calendar.

    Examples
    --------
    >>> festival_dates("china")[2008].isoformat(), festival_dates("india")[2010].isoformat()
    ('2008-02-07', '2010-11-05')
    """
    if calendar not in _YEARS:
        raise UnknownNameError("festival calendar", calendar, _YEARS)
    word = "Chinese New Year (Spring Festival)" if calendar == "china" else "Diwali"
    days: dict[int, date] = {}
    for day, name in sorted(_calendar(calendar).items()):
        if word in name and "observed" not in name:
            days.setdefault(day.year, day)
    return days


def festival(months: pd.PeriodIndex, calendar: str = "china", before: int = 10, after: int = 10) -> pd.Series:
    """Return the share of the festival's window that falls into each month, less that calendar month's mean.

    The window is the `before` days before the festival, its first day, and the `after` days that follow. The mean of
    each calendar month over the years known is taken off, so that the fixed season is left to the seasonal part and
    the regressor holds only what moves (it sums to about zero over any long stretch).

    Parameters
    ----------
    months : PeriodIndex, monthly
    calendar : {"china", "india"}
    before, after : int
        Days; 0 to 60.

    Returns
    -------
    Series
        Index `months`; 0 in every month that the window never touches.

    Raises
    ------
    SeriesError
        A month outside the years known, or a window that is no window.

    Examples
    --------
    >>> months = pd.period_range("2008-01", "2008-03", freq="M")
    >>> festival(months, before=0, after=9).round(2).tolist()
    [-0.22, 0.22, 0.0]
    """
    months = monthly(months)
    if not (0 <= before <= 60 and 0 <= after <= 60):
        raise SeriesError("the festival's window is no window", found=f"before={before}, after={after}",
                          expected="0 to 60 days on each side")
    first, last = _YEARS.get(calendar, (None, None))
    if first is None:
        raise UnknownNameError("festival calendar", calendar, _YEARS)
    if len(months) and not (first <= months.min().year and months.max().year <= last):
        raise SeriesError("festival dates are not known for these months", found=f"{months.min()}..{months.max()}",
                          expected=f"{first}..{last}")
    mean = np.array(yearly_shares(calendar, before, after))
    values = shares(months, calendar, before, after) - mean[months.month.to_numpy() - 1]
    return pd.Series(values, index=months, name=f"festival_{calendar}", dtype=float)


def shares(months: pd.PeriodIndex, calendar: str, before: int, after: int) -> np.ndarray:
    """Return the share of the festival's window that falls into each month."""
    raw = _shares(calendar, before, after)[0]
    return np.array([raw.get(at, 0.0) for at in _pairs(months)], dtype=float)


def _pairs(months: pd.PeriodIndex) -> list[tuple[int, int]]:
    """Year and month of each, as plain numbers: a Period at a time takes twenty times as long."""
    return list(zip(months.year.tolist(), months.month.tolist(), strict=True))


def yearly_shares(calendar: str, before: int, after: int) -> tuple[float, ...]:
    """Return the mean share of each of the 12 calendar months over the years known."""
    return _shares(calendar, before, after)[1]


@cache
def _shares(calendar: str, before: int, after: int) -> tuple[dict[tuple[int, int], float], tuple[float, ...]]:
    """Share of each year's window by (year, month), and the mean of each calendar month over the years known."""
    raw: dict[tuple[int, int], float] = {}
    for day in festival_dates(calendar).values():
        for offset in range(-before, after + 1):
            at = day + timedelta(days=offset)
            raw[at.year, at.month] = raw.get((at.year, at.month), 0.0) + 1.0 / (before + after + 1)
    years = len(festival_dates(calendar))
    mean = tuple(sum(v for (_, month), v in raw.items() if month == m) / years for m in range(1, 13))
    return raw, mean


def spring_festival(months: pd.PeriodIndex, before: int = 10, after: int = 10) -> pd.Series:
    """Return the Spring Festival regressor, see :func:`festival`."""
    return festival(months, "china", before, after)


def working_days(months: pd.PeriodIndex, calendar: str = "china") -> pd.Series:
    """Return the number of working days of each month.

    With ``china`` and ``india`` public holidays are no working days, and the Saturdays and Sundays that China works in
    exchange are (announced by the State Council year by year; future years have the statutory days only). With
    ``none``: Mondays to Fridays.

    Examples
    --------
    >>> months = pd.period_range("2010-02", "2010-03", freq="M")
    >>> working_days(months).tolist(), working_days(months, "none").tolist()
    ([17, 23], [20, 23])
    """
    months = monthly(months)
    if calendar not in CALENDARS:
        raise UnknownNameError("calendar", calendar, CALENDARS)
    counts = [_work_in(year, month, calendar) for year, month in _pairs(months)]
    return pd.Series(counts, index=months, name="working_days", dtype=int)


@cache
def _work_in(year: int, month: int, calendar: str) -> int:
    days = [date(year, month, n) for n in range(1, _days.monthrange(year, month)[1] + 1)]
    known = calendar != "none" and _YEARS[calendar][0] <= year <= _YEARS[calendar][1]
    if known:
        return sum(_calendar(calendar).is_working_day(day) for day in days)
    return sum(day.weekday() < 5 for day in days)


def period_ends(months: pd.PeriodIndex) -> pd.DataFrame:
    """Return 0/1 columns ``quarter_end`` and ``half_year_end``: banks push in March, June, September, December."""
    months = monthly(months)
    return pd.DataFrame({"quarter_end": (months.month % 3 == 0).astype(float),
                         "half_year_end": (months.month % 6 == 0).astype(float)}, index=months)


def calendar_regressors(months: pd.PeriodIndex, calendar: str = "china", before: int = 10,
                        after: int = 10) -> pd.DataFrame:
    """Return the calendar's regressors for regression: what moves from year to year, centred.

    Parameters
    ----------
    months : PeriodIndex, monthly
        History and future alike: the calendar is known.
    calendar : {"china", "india", "none"}
    before, after : int
        The festival's window in days.

    Returns
    -------
    DataFrame
        Columns ``festival`` (not with ``none``), ``working_days`` (deviation, in per cent of 21 days, from the mean
        of that calendar month), ``quarter_end``, ``half_year_end`` (each less its mean). Quarter ends are the same
        every year: use them where no season is modelled.

    Raises
    ------
    UnknownNameError, SeriesError
        An unknown calendar; months outside the years known.
    """
    months = monthly(months)
    if calendar not in CALENDARS:
        raise UnknownNameError("calendar", calendar, CALENDARS)
    columns = {}
    if calendar != "none":
        columns["festival"] = festival(months, calendar, before, after).to_numpy()
    work = working_days(months, calendar).to_numpy(dtype=float)
    usual = np.array([_usual_work(month, calendar) for _, month in _pairs(months)])
    columns["working_days"] = (work - usual) / 21.0 * 100
    columns["quarter_end"] = (months.month % 3 == 0) - 1 / 3
    columns["half_year_end"] = (months.month % 6 == 0) - 1 / 6
    return pd.DataFrame(columns, index=months)


@cache
def _usual_work(month: int, calendar: str) -> float:
    first, last = _YEARS.get(calendar, _YEARS["china"])
    return float(np.mean([_work_in(year, month, calendar) for year in range(first, last + 1)]))


def known_events(source, branch: str | None = None, indicator: str | None = None) -> pd.DataFrame:
    """Return the events that a source lists, those of one branch and indicator if named.

    Parameters
    ----------
    source : Source
        Its ``config.events`` is a list of records with ``month`` and the texts ``zh, en``; ``indicators`` and
        ``branches``, when given, say where the event applies (else everywhere), ``kind`` what it did.
    branch, indicator : str, optional

    Returns
    -------
    DataFrame
        ``month`` (Period), ``zh``, ``en``, ``branches``, ``indicators`` (lists joined by ``;``, empty: all), ``kind``
        (outlier, level_shift, temporary; empty: not said), by month.
    """
    rows = []
    for event in getattr(source.config, "events", None) or []:
        branches, indicators = _listed(event, "branch"), _listed(event, "indicator")
        elsewhere = branch and branches and branch not in branches
        if elsewhere or (indicator and indicators and indicator not in indicators):
            continue
        rows.append({"month": pd.Period(_field(event, "month"), "M"), "zh": _field(event, "zh"),
                     "en": _field(event, "en"), "branches": ";".join(branches), "indicators": ";".join(indicators),
                     "kind": _field(event, "kind") or ""})
    frame = pd.DataFrame(rows, columns=["month", "zh", "en", "branches", "indicators", "kind"])
    return frame.sort_values("month", kind="stable", ignore_index=True)


def _field(event, name: str):
    return event.get(name) if isinstance(event, dict) else getattr(event, name, None)


def _listed(event, what: str) -> list[str]:
    """The names under ``branches`` or ``branch`` of an event, one or several."""
    plural = "branches" if what == "branch" else "indicators"
    given = _field(event, plural) or _field(event, what) or []
    return [given] if isinstance(given, str) else [str(item) for item in given]


def monthly(months) -> pd.PeriodIndex:
    if not isinstance(months, pd.PeriodIndex) or months.freqstr != "M":
        raise SeriesError("months are needed", found=type(months).__name__, expected="a monthly PeriodIndex")
    return months
