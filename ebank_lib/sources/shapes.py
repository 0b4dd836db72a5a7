"""Tables of any shape as one long table: a row a number, with the address it has in its own table.

*Wide* is a row a month and a column an indicator, *panel* the same with branches, *long* a row a number; or Nixtla's
``unique_id, ds, y``. Which it is, the names of columns and levels of the index say.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable
from decimal import Decimal
from numbers import Number

import numpy as np
import pandas as pd

from ..catalog import fold
from ..errors import ConfigError, SourceError
from .months import month_in_text, why_not
from .numbers import as_text

__all__ = ["TO_MONTHS", "long_table"]

# Names of columns that are no indicator, in the order in which they are looked for; case and blanks do not matter.
_MONTH = ("month", "ds", "月份", "年月", "统计月份", "date", "日期", "月", "period", "time")
_BRANCH = ("branch", "unique_id", "分行", "机构", "机构名称", "支行")
_INDICATOR, _VALUE = ("indicator", "指标", "指标名称", "variable"), ("value", "y", "数值", "值")
_UNIT = ("unit", "单位")
_KEYS = {*_MONTH, *_BRANCH, *_INDICATOR, *_UNIT}
_OURS = ("doubtful",)       # of a panel.csv that a report leaves
_NO_NUMBER = re.compile(r"(?i)[\W_]*|#?n/?a|nan|null|none|无|未报|缺报?")
_OFTEN = {3: "quarterly", 6: "half-yearly", 12: "yearly"}
TO_MONTHS = "Make months of it first: sums of flows, last values of stocks, as df.resample('ME').sum() and .last() do"
_TOO_FEW = "Months are needed: a quarter's sum or level does not say them"


def long_table(df: object, branch: str | None, file: str, numbers: list[int] | None = None) -> pd.DataFrame:
    """Return every number of a table, what is missing included, row by row.

    Parameters
    ----------
    df : DataFrame or Series
    branch : str, optional
        Whose a table without branches is.
    file : str
        What errors name.
    numbers : list of int, optional
        The numbers of its rows, else from 1.

    Returns
    -------
    DataFrame
        ``row, column`` (the address), ``branch`` (None: nobody says), ``when`` (the month as it stands there),
        ``month`` (number of the period), ``name`` (of the indicator), ``text``, ``unit`` ("" where no column says).

    Raises
    ------
    SourceError, ConfigError
        See :func:`~ebank_lib.sources.frame.from_frame`.
    """
    frame = _flat(df, file)
    row = np.array(numbers or range(1, len(frame) + 1), dtype=int)
    month = _column(frame, _MONTH)
    if month is None:
        dated = [name for name in frame
                 if len(frame) and frame[name].map(lambda v: isinstance(v, dt.date | pd.Period)).all()]
        if len(dated) != 1:
            raise SourceError("has no months", file=file, found=", ".join(frame) or "no column",
                              expected="a PeriodIndex or DatetimeIndex, or a column month, ds, date or 月份")
        month = dated[0]
    place, indicator, value, unit = (_column(frame, names) for names in (_BRANCH, _INDICATOR, _VALUE, _UNIT))
    if place is not None and branch is not None:
        raise ConfigError("goes with a table without branches", key="branch", found=branch,
                          expected=f"nothing: the branches are in column {place}")
    months = _months(frame[month], row, month, file)
    branches = [branch] * len(frame) if place is None else _names(frame[place], row, place, file)
    rest = [name for name in frame if name not in (month, place)]
    if place is not None and fold(place) == "unique_id" and rest == ["y"]:
        pairs = [name.split("/") for name in branches]
        if pairs and all(len(pair) == 2 and all(part.strip() for part in pair) for pair in pairs):
            indicator, value, rest = place, "y", []
            branches, names = ([pair[n].strip() for pair in pairs] for n in (0, 1))
    elif indicator is not None and value is not None:
        names = _names(frame[indicator], row, indicator, file)
        rest = [name for name in rest if name not in (indicator, value, unit, *_OURS)]
        if rest:
            raise SourceError("is a column of no use in a long table", file=file, column=rest[0],
                              expected="branch, month, indicator, value and unit",
                              hint=f"Leave it out: df.drop(columns={rest!r})")
    when = ["" if _missing(v) else as_text(v) for v in frame[month].astype(object)]
    if indicator is not None and value is not None:
        units = [""] * len(frame) if unit is None else [as_text(v) if isinstance(v, str) else "" for v in frame[unit]]
        parts = [(row, value, branches, when, months, names, _texts(frame[value], row, value, file), units)]
    else:
        parts = [(row, name, branches, when, months, name, _texts(frame[name], row, name, file), "") for name in rest]
    if not parts or not len(frame):
        raise SourceError("holds no numbers", file=file, found=f"{len(frame)} rows of {', '.join(frame) or 'nothing'}",
                          expected="a row a month and a column an indicator, or columns indicator and value")
    names = ("row", "column", "branch", "when", "month", "name", "text", "unit")
    table = pd.concat([pd.DataFrame(dict(zip(names, part, strict=True))) for part in parts], ignore_index=True)
    _check_monthly(months, file)
    return table.sort_values("row", kind="stable", ignore_index=True)


def _flat(df: object, file: str) -> pd.DataFrame:
    """Return a frame whose index has become columns, with texts as names, each once."""
    if isinstance(df, pd.Series):
        df = df.to_frame("y" if df.name is None else df.name)
    if not isinstance(df, pd.DataFrame) or df.columns.nlevels > 1:
        raise SourceError("is no table with one name a column", file=file, found=type(df).__name__,
                          expected="a DataFrame", hint="Levels of columns go into rows by df.stack()")
    frame, index = df.reset_index(drop=True).set_axis([as_text(name).strip() for name in df.columns], axis=1), df.index
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise SourceError("has two columns of one name", file=file, column=twice[0], expected="each name once")
    levels: dict[str, pd.Series] = {}
    for n in range(index.nlevels):
        level = index.get_level_values(n)
        told = _column(frame, _MONTH) is not None or "month" in levels
        dated = level.dtype.kind == "M" or isinstance(level.dtype, pd.PeriodDtype)
        if level.name is not None and fold(as_text(level.name)).casefold() in _KEYS:
            name = as_text(level.name)
        elif not told and (dated or all(_month(value) is not None for value in level.unique())):
            name = "month"
        elif index.nlevels == 1 and pd.api.types.is_integer_dtype(level):
            continue        # the numbers of rows, which may have been sorted or chosen
        else:
            name = "branch"
        if name in levels or name in frame:
            raise SourceError("has more levels of the index than a table of months and branches", file=file,
                              found=", ".join(map(str, index.names)), expected="months, and branches if there are some",
                              hint="Name the levels month and branch, or take others off by df.reset_index(drop=True)")
        levels[name] = pd.Series(level)
    frame = pd.concat([pd.DataFrame(levels), frame], axis=1) if levels else frame
    return frame


def _column(frame: pd.DataFrame, wanted: Iterable[str]) -> str | None:
    """Return the column that has the first of the wanted names."""
    known = {fold(name): name for name in reversed(list(frame.columns))}
    return next((known[name] for name in wanted if name in known), None)


def _names(values: pd.Series, row: np.ndarray, column: str, file: str) -> list[str]:
    names = ["" if _missing(v) else as_text(v).strip() for v in values.astype(object)]
    for n, name in enumerate(names):
        if not name:
            raise SourceError("holds no name", file=file, row=int(row[n]), column=column, found="nothing",
                              expected="a name in every row")
    return names


def _missing(value: object) -> bool:
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _months(values: pd.Series, row: np.ndarray, column: str, file: str) -> list[int]:
    """Return the number of the monthly period in every row."""
    if isinstance(values.dtype, pd.PeriodDtype) and values.dtype != "period[M]":
        often = len(values) and (values.iloc[0].end_time - values.iloc[0].start_time).days < 31
        raise SourceError("is not monthly", file=file, column=column, found=values.dtype, expected="a period a month",
                          hint=TO_MONTHS.replace("'ME'", "'M'") if often else _TOO_FEW)
    known: dict[object, int | None] = {}
    for n, value in enumerate(values.astype(object).tolist()):
        if value not in known:
            known[value] = _month(value)
        if known[value] is None:
            text = "nothing" if _missing(value) else as_text(value)
            raise SourceError("holds no month", file=file, row=int(row[n]), column=column, found=text,
                              expected="a date, or one month such as 2010-03 or 2010年3月", hint=why_not(text) or None)
    return [known[value] for value in values.astype(object)]


def _month(value: object) -> int | None:
    if _missing(value):
        return None
    if isinstance(value, pd.Period | dt.date):
        return pd.Period(value, "M").ordinal if getattr(value, "freqstr", "M") == "M" else None
    if isinstance(value, float) and not value.is_integer():
        return None         # 2010.10 typed as a number has become 2010.1
    return month_in_text(as_text(value))


def _check_monthly(months: list[int], file: str) -> None:
    known = np.unique(months)
    every = int(np.gcd.reduce(np.diff(known))) if len(known) > 2 else 1
    if every > 1:
        raise SourceError("is not monthly", file=file, expected="a row a month",
                          found=f"{_OFTEN.get(every, f'every {every} months')} data",
                          hint=_TOO_FEW)


def _texts(values: pd.Series, row: np.ndarray, column: str, file: str) -> list[str]:
    """Return numbers as texts, by their decimals; "" for what is missing. Texts stay as they are."""
    texts = []
    for n, value in enumerate(values.astype(object).tolist()):
        if _missing(value):
            texts.append("")
            continue
        number = isinstance(value, Number | Decimal) and not isinstance(value, bool | np.bool_ | complex)
        readable = isinstance(value, str) and (any(map(str.isdigit, value)) or _NO_NUMBER.fullmatch(value.strip()))
        if not (readable or (number and math.isfinite(value))):
            raise SourceError("holds no number", file=file, row=int(row[n]), column=column, found=as_text(value),
                              expected="numbers, NaN where nothing was reported",
                              hint=f"Leave the column out, df.drop(columns={column!r}), or make numbers of it")
        texts.append(as_text(value))
    return texts
